//! Packets too large for their way.

use crate::kit::{Case, fine, has, once, play};
use crate::links::PAIR;
use serde_json::{Value, json};

#[test]
fn a_narrow_wire_is_found_out_by_path_mtu_discovery() {
    let body = format!(
        r#"{PAIR}
steps:
  - connect: {{ as: call, from: client, to: "web:80" }}
  - exchange: {{ over: call, as: small, bytes: 100 }}
  - exchange: {{ over: call, as: bulk, bytes: 100000, timeout: 30s }}
"#
    );
    let Some(lab) = play(
        &body,
        &[
            ("wide", "{}"),
            ("up", "{ hosts.client.link: { up: { mtu: 1400 } } }"),
            ("down", "{ hosts.client.link: { down: { mtu: 1400 } } }"),
            ("device", "{ hosts.client.mtu: 1400 }"),
            (
                "black-hole",
                "{ hosts.client.link: { up: { mtu: 1400 } }, hosts.client.nft: \"table ip f { chain in { type filter hook input priority 0; icmp type destination-unreachable drop; } }\", steps.bulk.timeout: 300ms }",
            ),
        ],
    ) else {
        return;
    };
    let told = |case: &Case| {
        case.packets(|p| p["fate"] == "answered: ICMP, fragmentation needed")
            .len()
    };
    for name in ["wide", "up", "down", "device"] {
        let case = lab.case(name);
        has(
            case.step("bulk"),
            json!({ "ok": true, "received": 100_000 }),
        );
    }
    assert_eq!(told(lab.case("wide")), 0);
    // The device's own MTU is in the MSS of the SYN, so nobody has to be told.
    assert_eq!(told(lab.case("device")), 0);
    for (name, sender) in [("up", "client"), ("down", "web")] {
        let case = lab.case(name);
        assert!(told(case) >= 1, "{name}");
        assert!(case.counter(sender, "IcmpInDestUnreachs") >= 1, "{name}");
        // What passed the narrow wire fits, packet by packet.
        let segments = case.packets(|p| {
            p["sender"] == sender && p["fate"] == "forwarded" && p["protocol"] == "tcp"
        });
        let number = |p: &Value, key: &str| p[key].as_i64().expect("a number");
        let fits = |p: &Value| number(p, "wire_bytes") <= 1400 * number(p, "wire_packets");
        assert!(segments.iter().all(|p| fits(p)), "{name}");
        let bytes: i64 = segments.iter().map(|p| number(p, "len")).sum();
        assert!(bytes >= 100_000, "{name}: {bytes}");
    }
    // Whoever throws the ICMP message away waits for ever.
    let hole = lab.case("black-hole");
    fine(hole.step("small"));
    has(
        hole.step("bulk"),
        json!({ "ok": false, "error": "deadline" }),
    );
    assert!(told(hole) >= 2, "the same segment again and again");
    assert_eq!(hole.counter("client", "TcpExtTCPMTUPFail"), 0);
}

/// A datagram that is too long for the sender's device comes in fragments, which a router cuts again for a narrower wire. IPv6
/// is cut by nobody but its sender.
#[test]
fn a_narrow_wire_has_datagrams_cut() {
    let whole = r#"python3 -c \"import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(0, 10, 0); s.connect(('$web', 53)); s.send(b'a' * 1450)"#;
    let body = r#"
hosts:
  client: { ipv6: auto, link: { mtu: 1400 } }
  web: { ipv6: auto, serve: { 53/udp: echo } }
steps:
  - connect: { as: four, from: client, to: "web:53/udp" }
  - exchange: { over: four, as: fragments, bytes: 4000, timeout: 2s }
  - run: { as: first, on_host: client, command: "WHOLE\"" }
  - wait_until: { as: told, that: "hosts.web.counters.IcmpInDestUnreachs == 1", timeout: 5s }
  - run: { as: second, on_host: client, command: "WHOLE; s.settimeout(5); print(len(s.recv(9000)))\"" }
  - connect: { as: six, from: client, to: "web:53/udp", family: ipv6 }
  - exchange: { over: six, as: lost, bytes: 1400, timeout: 300ms }
"#;
    let body = body.replace("WHOLE", whole);
    let Some(case) = once(&body) else { return };
    has(
        case.step("fragments"),
        json!({ "ok": true, "received": 4000 }),
    );
    fine(case.step("told"));
    has(
        case.step("second"),
        json!({ "ok": true, "stdout": "1450\n" }),
    );
    has(case.step("lost"), json!({ "ok": false, "received": 0 }));
    let number = |p: &Value, key: &str| p[key].as_i64().expect("a number");
    let four = case.packets(|p| p["fate"] == "forwarded" && p["protocol"] == "udp");
    assert!(four.iter().all(|p| number(p, "wire_bytes") <= 1400));
    // 4,000 bytes are three fragments, of which each of the first two is cut in two. 1,450 are one without DF, cut in two; the
    // first answer to them has DF, so the server is told, and the second it cuts itself.
    let from = |host: &str| four.iter().filter(|p| p["sender"] == host).count();
    assert_eq!((from("client"), from("web")), (5 + 2 * 2, 5 + 2));
    assert_eq!(case.drops("link-mtu"), 0);
    assert_eq!(case.counter("web", "IpReasmOKs"), 3);
    assert_eq!(case.counter("client", "IpReasmOKs"), 2);
}

/// TCP without path MTU discovery has no DF: its segments are cut, and only the first fragment of each has their numbers.
#[test]
fn a_narrow_wire_has_segments_cut() {
    let body = r#"
hosts:
  client: { mtu: 4000, sysctls: { net.ipv4.ip_no_pmtu_disc: 1 } }
  web: { zone: a, mtu: 9001, public_address: auto, serve: { 80: sink } }
steps:
  - connect: { as: new, from: client, to: "web/public:80" }
  - send: { over: new, as: cut, bytes: 20000 }
  - wait_until: { as: there, that: "new.delivered == 20000", timeout: 5s }
"#;
    let Some(case) = once(body) else { return };
    fine(case.step("there"));
    let sent = case.packets(|p| p["protocol"] == "tcp" && p["sender"] == "client");
    let (later, first): (Vec<&Value>, _) = sent.into_iter().partition(|p| p["flags"] == "");
    assert!(later.len() >= 10, "{later:?}");
    for fragment in &later {
        let len = fragment["len"].as_i64().expect("a number");
        has(
            fragment,
            json!({ "seq": 0, "ack": 0, "window": 0, "wire_bytes": len + 20 }),
        );
    }
    // Each datagram goes as far as all of its fragments together, and the last one to the end. Some may be sent twice.
    let number = |p: &Value, key: &str| p[key].as_i64().expect("a number");
    let isn = number(first[0], "seq");
    let end = |p: &Value| {
        let others = later.iter().filter(|other| other["ip_id"] == p["ip_id"]);
        let others: i64 = others.map(|other| number(other, "len")).sum();
        (number(p, "seq") - isn - 1).rem_euclid(1 << 32) + number(p, "len") + others
    };
    assert_eq!(first[0]["flags"], "S");
    assert_eq!(first[1..].iter().map(|p| end(p)).max(), Some(20_000));
}

/// Parts of an IPv6 datagram are cut by its sender only, which has to hear how large they may be: the client of the server's link, then
/// the server of its own.
#[test]
fn a_sender_of_ipv6_fragments_hears_what_fits() {
    let body = r#"
hosts:
  client: { ipv6: auto }
  web: { ipv6: auto, serve: { 53/udp: echo }, link: { mtu: 1280 } }
steps:
  - connect: { as: six, from: client, to: "web:53/udp", family: ipv6 }
  - exchange: { over: six, as: refused, bytes: 3000, timeout: 300ms }
  - wait_until: { that: "hosts.client.counters.Icmp6InPktTooBigs == 2", timeout: 5s }
  - exchange: { over: six, as: answer_refused, bytes: 3000, timeout: 300ms }
  - wait_until: { that: "hosts.web.counters.Icmp6InPktTooBigs == 2", timeout: 5s }
  - exchange: { over: six, as: heard, bytes: 3000, timeout: 2s }
"#;
    let Some(case) = once(body) else { return };
    for step in ["refused", "answer_refused"] {
        has(case.step(step), json!({ "ok": false, "received": 0 }));
    }
    has(case.step("heard"), json!({ "ok": true, "received": 3000 }));
    for host in ["client", "web"] {
        let told = case
            .packets(|p| p["sender"] == host && p["fate"] == "answered: ICMPv6, packet too big");
        // Two of three: the last part is small.
        assert_eq!(told.len(), 2, "{host}");
        assert_eq!(case.counter(host, "Icmp6InPktTooBigs"), 2, "{host}");
        let number = |p: &Value, key: &str| p[key].as_i64().expect("a number");
        let sent = case.packets(|p| p["sender"] == host && p["fate"] == "forwarded");
        assert!(sent.iter().all(|p| number(p, "wire_bytes") <= 1280));
    }
    assert_eq!(case.drops("link-mtu"), 0);
}

#[test]
fn what_is_large_stays_inside() {
    let Some(case) = once(
        r#"
nat_gateways: { egress: { zone: a } }
hosts:
  out: { mtu: 9001, serve: { 53/udp: echo, 80: echo } }
  node: { zone: a, mtu: 9001, public_address: auto, serve: { 80: echo } }
  near: { zone: a, mtu: 9001, serve: { 53/udp: echo } }
  hidden: { zone: a, mtu: 9001, nat: egress }
  small: { zone: a, serve: { 53/udp: echo } }
steps:
  - connect: { as: beside, from: node, to: "near:53/udp" }
  - exchange: { over: beside, as: jumbo, bytes: 8000, timeout: 1s }
  - connect: { as: less, from: node, to: "small:53/udp" }
  - exchange: { over: less, as: refused, bytes: 8000, timeout: 300ms }
  - connect: { as: out_of_it, from: node, to: "out:53/udp" }
  - exchange: { over: out_of_it, as: with_df, bytes: 8000, timeout: 300ms }
  - run: { as: cut, on_host: node, command: "ip route flush cache; sysctl -qw net.ipv4.ip_no_pmtu_disc=1; python3 -c \"import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1); s.setsockopt(0, 10, 0); s.connect(('out', 53))\nfor _ in range(3):\n  s.send(b'a' * 4000)\n  try: print(len(s.recv(9000))); break\n  except TimeoutError: pass\"" }
  - connect: { as: t, from: out, to: "node/public:80" }
  - exchange: { over: t, as: tcp, bytes: 100000, timeout: 3s }
  - connect: { as: t2, from: hidden, to: "out:80" }
  - exchange: { over: t2, as: nat, bytes: 100000, timeout: 3s }
"#,
    ) else {
        return;
    };
    fine(case.step("jumbo"));
    for step in ["refused", "with_df"] {
        has(case.step(step), json!({ "ok": false, "received": 0 }));
    }
    let told = |receiver: &str| {
        let says = |p: &&Value| p["fate"] == "answered: ICMP, fragmentation needed";
        let of = case.packets(|p| {
            says(&p)
                && p["to_after"]
                    .as_str()
                    .is_some_and(|to| to.starts_with(receiver))
        });
        of.len()
    };
    assert!(told("10.0.") >= 1, "the receiver's own device");
    has(case.step("cut"), json!({ "ok": true, "stdout": "4000\n" }));
    for step in ["tcp", "nat"] {
        has(case.step(step), json!({ "ok": true, "received": 100_000 }));
    }
    // Nothing larger than 1,500 bytes comes from the internet, or to it.
    let number = |p: &Value, key: &str| p[key].as_i64().expect("a number");
    let crosses = case.packets(|p| {
        let outside = |end: &str| p[end] == "out";
        p["fate"] == "forwarded" && (outside("sender") || outside("receiver"))
    });
    assert!(crosses.len() > 20);
    for packet in crosses {
        assert!(
            number(packet, "wire_bytes") <= 1500 * number(packet, "wire_packets"),
            "{packet}"
        );
    }
}
