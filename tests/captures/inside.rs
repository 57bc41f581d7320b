//! Captures of hosts inside others, of proxies, NAT gateways and IPv6; what they have in common with the evidence, and that
//! taking one changes nothing.

use crate::file::Frame;
use crate::{Case, captured, recorded};
use serde_json::{Value, json};
use std::collections::HashMap;

const CLUSTER: &str = r#"
hosts:
  client: { zone: a }
kubernetes:
  nodes: { n1: { zone: a }, n2: { zone: b } }
  pods:
    shell: { node: n1 }
    nginx: { count: 2, serve: { 80: echo, 4242/udp: echo } }
  services:
    web:
      type: LoadBalancer
      selector: nginx
      ports: [{ port: 80, nodePort: 31468 }]
      annotations:
        service.beta.kubernetes.io/aws-load-balancer-target-group-attributes: preserve_client_ip.enabled=false
steps:
  - connect: { as: order, from: shell, to: web/a }
  - exchange: { over: order, bytes: 20000, times: 3, timeout: 20s }
  - connect: { as: beside, from: shell, to: "nginx-1:80" }
  - exchange: { over: beside, bytes: 20000, timeout: 20s }
  - connect: { as: ask, from: shell, to: "nginx-2:4242/udp" }
  - exchange: { over: ask, as: asked, bytes: 1200 }
"#;

/// The number at the end of a comment.
fn number(frame: &Frame) -> Option<i64> {
    let (_, number) = frame.comment.rsplit_once("packet ")?;
    number.parse().ok()
}

/// Every packet of the evidence is in the capture as often as it passed devices, at its time, and with its fate.
fn agrees(case: &Case) {
    let capture = case.capture(None);
    let mut by_number: HashMap<i64, Vec<&Frame>> = HashMap::new();
    for frame in &capture.frames {
        if let Some(number) = number(frame) {
            by_number.entry(number).or_default().push(frame);
        }
    }
    let packets = case.evidence["packets"].as_array().expect("a list");
    let began = packets.iter().find_map(|packet| {
        let frames = by_number.get(&packet["id"].as_i64()?)?;
        let at = frames.first()?.at.as_secs_f64() * 1e3;
        (packet["seen_at"] == "").then_some(at - packet["t"].as_f64()?)
    });
    let began = began.expect("a packet of the network");
    let made_here = |packet: &Value| {
        let hosts = case.evidence["hosts"].as_object().expect("a map");
        let sender = packet["sender"].as_str().expect("text");
        !hosts.contains_key(sender) && !sender.contains('/')
    };
    for packet in packets {
        let frames = by_number.get(&packet["id"].as_i64().expect("a number"));
        let frames = frames.unwrap_or_else(|| panic!("not in the capture: {packet}"));
        let wire = packet["wire_packets"].as_i64().expect("a number").max(1) as usize;
        let inside = packet["seen_at"] != "";
        let sides = usize::from(!made_here(packet)) + usize::from(packet["receiver"] != "");
        let size = |key: &str| packet[key].as_u64().expect("a number") as usize;
        match inside {
            // A device sees the whole of a super-packet; the capture has its parts, each with the headers.
            true => {
                let bytes: usize = frames.iter().map(|frame| frame.bytes.len()).sum();
                assert_eq!(
                    (frames.len(), bytes),
                    (wire, size("wire_bytes")),
                    "{packet}"
                );
            }
            false => assert_eq!(frames.len(), sides * wire, "{packet}"),
        }
        let t = packet["t"].as_f64().expect("a number");
        for frame in frames {
            let apart = (frame.at.as_secs_f64() * 1e3 - began - t).abs();
            assert!(
                apart < 25.0,
                "{apart} ms apart: {packet}, {}",
                frame.comment
            );
            if packet["fate"]
                .as_str()
                .is_some_and(|fate| fate.starts_with("dropped"))
            {
                assert!(
                    frame
                        .comment
                        .starts_with(packet["fate"].as_str().expect("text"))
                );
            }
        }
    }
    // And the other way round: what the files have after the first step and up to the end is in the evidence.
    let known: Vec<i64> = packets
        .iter()
        .filter_map(|packet| packet["id"].as_i64())
        .collect();
    let lasted = case.evidence["seconds"].as_f64().expect("a number") * 1e3;
    for frame in &capture.frames {
        let at = frame.at.as_secs_f64() * 1e3 - began;
        let within = at > 1.0 && at < lasted;
        assert!(
            !within || number(frame).is_some_and(|id| known.contains(&id)),
            "{}",
            frame.comment
        );
    }
}

#[test]
fn pods_have_interfaces_and_their_packets_are_those_of_the_evidence() {
    let Some(case) = captured(CLUSTER, &[]) else {
        return;
    };
    agrees(&case);
    let capture = case.capture(None);
    for pod in ["shell", "nginx-1", "nginx-2"] {
        assert!(
            capture.interfaces.contains(&pod.to_owned()),
            "{:?}",
            capture.interfaces
        );
    }
    // A stream is whole on either device, whatever became of its addresses between.
    let own = case.capture(Some("shell"));
    assert!(own.frames.iter().all(|frame| frame.interface == "shell"));
    let beside: Vec<&Frame> = own
        .frames
        .iter()
        .filter(|frame| frame.comment.contains("; step beside"))
        .collect();
    let count = |inbound: bool| {
        let bytes = beside.iter().filter(|frame| frame.inbound == inbound);
        let payload = bytes.filter_map(|frame| Some(frame.segment()?.payload.len()));
        payload.sum::<usize>()
    };
    assert_eq!((count(false), count(true)), (20_000, 20_000));
    let opening = &own.of("shell", false)[..];
    let opening = opening
        .iter()
        .find(|frame| frame.comment.contains("step order"))
        .expect("its SYN");
    assert!(
        opening.comment.starts_with("to n1; goes on as packet ")
            && opening.comment.contains(" in the network"),
        "{}",
        opening.comment
    );
    let datagrams = own
        .frames
        .iter()
        .filter(|frame| frame.comment.contains("; step ask"));
    assert_eq!(datagrams.count(), 2);
}

#[test]
fn proxies_say_whom_their_connections_serve() {
    let Some(case) = captured(
        r#"
hosts:
  client: {}
  web: { zone: a, serve: { 80: http } }
target_groups: { web: { protocol: HTTP, targets: [web] } }
load_balancers:
  app: { type: application, zones: [a, b], listeners: { 80: web } }
steps:
  - load: { as: first, from: client, to: app/a, request: GET / }
"#,
        &[],
    ) else {
        return;
    };
    agrees(&case);
    let capture = case.capture(Some("app.a"));
    let serving = |text: &str| {
        let frames = capture.frames.iter();
        frames.filter(|frame| frame.comment.contains(text)).count()
    };
    assert!(serving("; own connection of app/a, for step first; packet") >= 4);
    assert!(serving("; step first; packet") >= 4);
}

#[test]
fn gateways_and_ipv6_are_read_as_well() {
    let gateway = captured(
        r#"
hosts:
  app: { zone: a, nat: egress }
  service: { serve: { 443: echo } }
nat_gateways: { egress: { zone: a } }
steps:
  - connect: { as: call, from: app, to: "service:443" }
  - exchange: { over: call, bytes: 30000, timeout: 20s }
"#,
        &[],
    );
    let Some(gateway) = gateway else { return };
    agrees(&gateway);
    let translated = gateway.capture(Some("service"));
    let came = translated.of("service", true);
    assert!(came.iter().all(|frame| frame.comment.contains(" became ")));
    let six = captured(
        r#"
hosts:
  client: { ipv6: auto }
  web: { zone: a, ipv6: auto, serve: { 80: echo } }
target_groups: { web: { ip_address_type: ipv6, targets: [web] } }
load_balancers:
  front: { zones: [a], ip_address_type: dualstack, listeners: { 80: web } }
steps:
  - connect: { as: call, from: client, to: front/a, family: ipv6 }
  - exchange: { over: call, bytes: 30000, timeout: 20s }
"#,
        &[],
    );
    agrees(&six.expect("there is privilege"));
}

#[test]
fn a_load_that_is_too_much_says_what_was_cut_of_either_half() {
    let lab = CLUSTER.replace("times: 3", "times: 40");
    let Some(case) = captured(&lab, &["--capture-limit=256KiB"]) else {
        return;
    };
    let capture = case.capture(None);
    let of = |name: &str| {
        let place = capture.interfaces.iter().position(|one| one == name);
        capture.statistics[place.expect("an interface")]
    };
    let (seen, cut) = of("shell");
    assert!(0 < cut && cut < seen, "{cut} of {seen} inside");
    let (seen, cut) = of("n1");
    assert!(0 < cut && cut < seen, "{cut} of {seen} in the network");
    let cut: u64 = capture.statistics.iter().map(|(_, cut)| cut).sum();
    let said = format!("the oldest {cut} packets and super-packets were cut, to keep 262144 bytes");
    assert!(capture.comment.contains(&said), "{}", capture.comment);
    assert_eq!(case.report["capture"]["cut"], cut);
}

#[test]
fn a_capture_changes_nothing() {
    let told = |case: &Case| {
        let list = |name: &str| case.evidence[name].as_array().expect("a list").clone();
        let pick = |fields: &[&str], of: &Value| -> Value {
            fields.iter().map(|field| of[*field].clone()).collect()
        };
        json!({
            "verdict": case.report["verdict"],
            "works": case.report["works"],
            "flows": list("flows").iter().map(|flow| pick(
                &["via", "target", "listener", "target_address", "state", "protocol"], flow)).collect::<Vec<_>>(),
            "connections": list("connections").iter().map(|c| pick(
                &["via", "target", "error", "syns", "sent", "received", "delivered", "lost", "ended_by"], c)
            ).collect::<Vec<_>>(),
            "drops": case.evidence["drops"],
        })
    };
    let Some(with) = captured(CLUSTER, &[]) else {
        return;
    };
    let without = recorded(CLUSTER, &[]).expect("there is privilege");
    assert_eq!(told(&with), told(&without));
}
