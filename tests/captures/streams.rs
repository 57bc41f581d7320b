//! What a connection carried: super-packets as a wire carries them, with and without loss, over both families.

use crate::file::{Capture, Frame};
use crate::{Case, captured};

/// The balancer's address in its zone.
const FRONT: &str = "203.0.113.10";
const FRONT_IPV6: &str = "2001:db8:1234:1a00::f:10";
/// Numbers that a program writes, one a line.
const NUMBERS: u32 = 160_000;

/// What they are as bytes.
fn numbers() -> Vec<u8> {
    let lines = (1..=NUMBERS).map(|number| format!("{number}\n"));
    lines.collect::<String>().into_bytes()
}

/// A program of the client writes numbers to a server that echoes, and compares what comes back.
fn lab(hosts: &str, address: &str, ipv6: bool) -> String {
    let (group, balancer) = match ipv6 {
        true => (", ip_address_type: ipv6", ", ip_address_type: dualstack"),
        false => ("", ""),
    };
    let length = numbers().len();
    format!(
        "
hosts:
{hosts}
target_groups:
  web: {{ targets: [web1]{group} }}
load_balancers:
  front: {{ zones: [a], listeners: {{ 80: web }}{balancer} }}
steps:
  - run:
      as: bulk
      on_host: client
      timeout: 60s
      command: |
        bash -c '
          exec 3<>/dev/tcp/{address}/80
          seq 1 {NUMBERS} >&3 &
          head -c {length} <&3 | cmp - <(seq 1 {NUMBERS}) && echo the same'
"
    )
}

/// Both ways at both ends.
fn carries_everything(case: &Case, capture: &Capture) {
    let steps = case.evidence["steps"].as_array().expect("a list");
    assert_eq!(
        steps[0]["detail"]["run"]["stdout"], "the same\n",
        "{}",
        steps[0]
    );
    for (name, inbound) in [
        ("client", false),
        ("web1", true),
        ("web1", false),
        ("client", true),
    ] {
        let stream = capture.stream(name, inbound);
        assert!(
            stream == numbers(),
            "{name} {inbound}: {} bytes",
            stream.len()
        );
    }
}

/// Every super-packet: as many parts as its first says, numbers running on, PSH and FIN on the last only.
fn super_packets(capture: &Capture, interface: &str, inbound: bool) -> usize {
    let frames = capture.of(interface, inbound);
    let mut count = 0;
    for (place, frame) in frames.iter().enumerate() {
        let Some(gso) = frame.comment.strip_prefix("gso ") else {
            continue;
        };
        count += 1;
        let (parts, size) = gso
            .split(';')
            .next()
            .and_then(|gso| gso.split_once(" x "))
            .expect("N x SIZE");
        let (parts, size): (usize, usize) = (
            parts.parse().expect("a number"),
            size.parse().expect("a number"),
        );
        let parts: &[&Frame] = &frames[place..place + parts];
        let first = frame.segment().expect("TCP");
        for (index, part) in parts.iter().enumerate() {
            let segment = part.segment().expect("TCP");
            assert_eq!(part.at, frame.at);
            assert_eq!(segment.seq, first.seq.wrapping_add((index * size) as u32));
            let last = index + 1 == parts.len();
            assert!(segment.payload.len() == size || last && segment.payload.len() < size);
            assert!(last || !segment.psh && !segment.fin, "{}", part.comment);
            if part.bytes[0] >> 4 == 4 {
                assert_eq!(
                    part.identification(),
                    frame.identification().wrapping_add(index as u16)
                );
            }
            let head = format!("part {} of {}; ", index + 1, parts.len());
            assert!(
                index == 0 || part.comment.starts_with(&head),
                "{}",
                part.comment
            );
        }
    }
    let largest = frames.iter().map(|frame| frame.bytes.len()).max();
    assert!(largest <= Some(1500), "a wire carries no more: {largest:?}");
    count
}

#[test]
fn super_packets_are_packets_of_a_wire() {
    let hosts = "  client: {}\n  web1: { zone: a, serve: { 80: echo } }";
    let Some(case) = captured(&lab(hosts, FRONT, false), &[]) else {
        return;
    };
    let capture = case.capture(None);
    carries_everything(&case, &capture);
    for (name, inbound) in [
        ("client", false),
        ("web1", true),
        ("web1", false),
        ("client", true),
    ] {
        assert!(
            super_packets(&capture, name, inbound) > 0,
            "{name} {inbound}"
        );
    }
    let own = case.capture(Some("client"));
    assert!(own.stream("client", false) == numbers());
    assert!(own.stream("client", true) == numbers());
}

#[test]
fn ipv6_is_captured_with_its_own_addresses() {
    let hosts = "  client: { ipv6: auto }\n  web1: { zone: a, ipv6: auto, serve: { 80: echo } }";
    let Some(case) = captured(&lab(hosts, FRONT_IPV6, true), &[]) else {
        return;
    };
    let capture = case.capture(None);
    carries_everything(&case, &capture);
    let tcp = capture
        .frames
        .iter()
        .filter(|frame| frame.segment().is_some());
    assert!(tcp.clone().count() > 0);
    for frame in tcp {
        let segment = frame.segment().expect("TCP");
        assert!(segment.from.is_ipv6() && segment.to.is_ipv6());
        assert!(!frame.comment.contains("240.0."), "{}", frame.comment);
        assert!(frame.comment.contains(" became ["), "{}", frame.comment);
    }
    assert!(super_packets(&capture, "client", false) > 0);
    assert!(super_packets(&capture, "web1", true) > 0);
}

#[test]
fn lost_packets_are_there_with_their_fate() {
    let hosts = "  client: { link: { loss: 2% } }\n  web1: { zone: a, serve: { 80: echo } }";
    let Some(case) = captured(&lab(hosts, FRONT, false), &[]) else {
        return;
    };
    let capture = case.capture(None);
    carries_everything(&case, &capture);
    super_packets(&capture, "client", false);
    super_packets(&capture, "web1", false);
    let lost = capture
        .frames
        .iter()
        .filter(|frame| frame.comment.contains("dropped: link-loss"));
    let dropped = case.evidence["drops"]["link-loss"]
        .as_i64()
        .expect("a number");
    assert!(dropped > 0);
    assert_eq!(lost.count() as i64, dropped);
}

#[test]
fn datagrams_keep_their_sums() {
    let lab = "
hosts:
  client: { zone: a }
  ns1: { zone: a, serve: { 53/udp: name } }
steps:
  - connect: { as: ask, from: client, to: \"ns1:53/udp\" }
  - exchange: { over: ask, bytes: 1201, times: 3 }
";
    let Some(case) = captured(lab, &[]) else {
        return;
    };
    // Letters are no answers of a name server, so tshark is not asked.
    let capture = Capture::read(&case.path(None));
    assert!(capture.frames.len() >= 6);
}
