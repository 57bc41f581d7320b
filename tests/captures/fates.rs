//! What a comment says: whence or whither, translation, loss, wait, flow, step, health check.

use crate::captured;
use crate::file::{Capture, Frame};
use std::panic::{AssertUnwindSafe, catch_unwind};

const COLLISION: &str = "
hosts:
  client: {}
  web1: { zone: a, serve: { 80: echo } }
target_groups:
  web: { targets: [web1] }
load_balancers:
  front:
    zones: [a, b]
    listeners: { 80: web }
    attributes: { load_balancing.cross_zone.enabled: true }
steps:
  - connect: { as: old, from: client, to: front/a, source_port: 40000 }
  - exchange: { over: old }
  - connect: { as: new, from: client, to: front/b, source_port: 40000 }
  - connect: { as: nowhere, from: client, to: \"front/a:81\", timeout: 300ms }
";

fn comments(frames: &[&Frame]) -> Vec<String> {
    frames.iter().map(|frame| frame.comment.clone()).collect()
}

#[test]
fn a_collision_is_told_packet_by_packet() {
    let Some(case) = captured(COLLISION, &[]) else {
        return;
    };
    let capture = case.capture(None);
    let sent = capture.of("client", false);
    let opening = sent[0].segment().expect("a SYN");
    assert!(opening.syn && opening.to.to_string() == "203.0.113.10:80");
    let translated = "198.51.100.10:40000 > 203.0.113.10:80 became 198.51.100.10:40000 > 10.0.0.10:80; flow 0 at front/a; step old; packet";
    let said = comments(&sent);
    assert!(
        said[0].starts_with(&format!("to web1: {translated}")),
        "{}",
        said[0]
    );
    let got = capture.of("web1", true);
    let said_there = comments(&got);
    assert!(
        said_there[0].starts_with(&format!("from client: {translated}")),
        "{}",
        said_there[0]
    );
    assert_eq!(
        got[0].segment().expect("a SYN").to.to_string(),
        "10.0.0.10:80"
    );
    // The SYN of the second, the challenge ACK that answers it on the wrong way, the RST, the SYN again.
    let of_new: Vec<&String> = said
        .iter()
        .filter(|text| text.contains("; step new;"))
        .collect();
    assert!(
        of_new.iter().all(|text| text.contains("flow 1 at front/b")),
        "{of_new:?}"
    );
    assert!(of_new.len() >= 3, "{of_new:?}");
    let refused: Vec<&String> = said
        .iter()
        .filter(|text| text.starts_with("dropped: no-listener"))
        .collect();
    assert!(
        !refused.is_empty() && refused.iter().all(|text| text.contains("step nowhere")),
        "{said:?}"
    );
    // Every packet of the evidence that a host sent is in the file, under its number.
    let packets = case.evidence["packets"].as_array().expect("a list");
    let numbered = |id: i64| {
        capture
            .frames
            .iter()
            .any(|frame| frame.comment.ends_with(&format!("packet {id}")))
    };
    assert!(
        packets
            .iter()
            .all(|packet| numbered(packet["id"].as_i64().expect("a number")))
    );
}

#[test]
fn attachments_have_files_of_their_own() {
    let Some(case) = captured(COLLISION, &[]) else {
        return;
    };
    let whole = case.capture(None);
    let files = case.report["capture"]["attachments"]
        .as_object()
        .expect("a map");
    assert_eq!(files.keys().collect::<Vec<_>>(), ["client", "web1"]);
    for name in ["client", "web1"] {
        let own = case.capture(Some(name));
        assert_eq!(own.interfaces, [name]);
        let there: Vec<_> = whole
            .frames
            .iter()
            .filter(|frame| frame.interface == name)
            .collect();
        assert_eq!(own.frames.len(), there.len());
        let same = |(a, b): (&Frame, &&Frame)| {
            (&a.bytes, &a.comment, a.at) == (&b.bytes, &b.comment, b.at)
        };
        assert!(own.frames.iter().zip(&there).all(same));
    }
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    let age = now.saturating_sub(whole.frames[0].at);
    assert!(
        age.as_secs() < 300,
        "timestamps are the wall clock's: {age:?}"
    );
}

#[test]
fn health_checks_and_waits_are_told() {
    let lab = "
hosts:
  client: { link: { delay: 10ms } }
  web1: { zone: a, serve: { 80: echo } }
target_groups:
  web: { targets: [web1], health_check: { interval: 5 } }
load_balancers:
  front: { zones: [a], listeners: { 80: web } }
time_scale: 50
steps:
  - connect: { as: call, from: client, to: front/a }
  - exchange: { over: call }
  - wait: 150ms
";
    let Some(case) = captured(lab, &[]) else {
        return;
    };
    let capture = case.capture(None);
    assert!(
        capture.interfaces.contains(&"front/a".to_owned()),
        "{:?}",
        capture.interfaces
    );
    case.capture(Some("front.a"));
    let checks = comments(&capture.of("front/a", false));
    assert!(
        !checks.is_empty()
            && checks
                .iter()
                .all(|text| text.starts_with("to web1; health check")),
        "{checks:?}"
    );
    for frame in capture.of("client", false) {
        let held = frame
            .comment
            .split("; held ")
            .nth(1)
            .expect("it waited in the link");
        let millis: f64 = held
            .split(' ')
            .next()
            .and_then(|text| text.parse().ok())
            .expect("a number");
        assert!(millis >= 10.0, "{}", frame.comment);
    }
}

#[test]
fn what_links_did_is_told() {
    let lab = "
hosts:
  client: { zone: b, link: { up: { delay: 1ms, duplicate: 20%, reorder: 20%, corrupt: 5% } } }
  web1: { zone: a, serve: { 80: echo } }
steps:
  - connect: { as: call, from: client, to: web1 }
  - exchange: { over: call, bytes: 500kB, timeout: 20s }
";
    let Some(case) = captured(lab, &[]) else {
        return;
    };
    // Not verified as a whole: what is damaged has to be wrong.
    let capture = Capture::read_cut(&case.path(None));
    let got = capture.of("web1", true);
    let said = comments(&got);
    let count = |words: &str| said.iter().filter(|text| text.contains(words)).count();
    assert!(count("; damaged on client's link (up): a bit of ") > 0);
    assert!(count("; overtook ") > 0);
    for frame in capture.of("client", false) {
        frame.verify();
    }
    for frame in got {
        let damaged = frame.comment.contains("; damaged on ");
        let wrong = catch_unwind(AssertUnwindSafe(|| frame.verify())).is_err();
        assert_eq!(wrong, damaged, "{}", frame.comment);
    }
    let copies = said.iter().filter_map(|text| {
        let (_, of) = text.split_once("; a copy that client's link (up) made of packet ")?;
        of.split(';').next()?.parse::<u64>().ok()
    });
    assert!(copies.count() > 0);
}
