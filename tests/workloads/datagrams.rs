//! Clients over UDP: datagrams to hosts and through a balancer, and what the books say of them.

use crate::kit::{fine, has, once};
use serde_json::json;

#[test]
fn datagrams_of_one_socket_stay_with_one_target_and_its_answers_are_read() {
    let Some(case) = once(
        r#"
hosts:
  client: {}
  ns1: { zone: a, serve: { 53/udp: name, 53: echo } }
  ns2: { zone: a, serve: { 53/udp: name, 53: echo } }
target_groups:
  dns: { protocol: TCP_UDP, targets: [ns1, ns2] }
load_balancers:
  front: { zones: [a], listeners: { 53: { protocol: TCP_UDP, target_group: dns } } }
steps:
  - connect: { as: ask, from: client, to: "front:53/udp" }
  - exchange: { over: ask, as: first, bytes: 1200 }
  - exchange: { over: ask, as: again, times: 3 }
  - load: { as: many, from: client, to: "front:53/udp", connections: 60, request: 40, hold: true }
  - load: { as: streams, from: client, to: front, connections: 40, request: 40 }
"#,
    ) else {
        return;
    };
    for step in ["ask", "first", "again", "many", "streams"] {
        fine(case.step(step));
    }
    let ask = case.connection("ask");
    let sent = 1200 + 3 * 64;
    has(
        ask,
        json!({ "protocol": "udp", "syns": 0, "sent": sent, "delivered": sent, "received": 4 * 4, "lost": 0, "unacked": 0, "ended": "open", "flow": 0 }),
    );
    let name = format!("{}\n", ask["target"].as_str().expect("a target"));
    assert_eq!(case.step("first")["text"], name);
    assert_eq!(case.step("again")["text"], name.repeat(3), "of all turns");
    let by_target = &case.step("many")["by_target"];
    let count = |host: &str| by_target[host].as_i64().expect("a count");
    assert_eq!(count("ns1") + count("ns2"), 60);
    assert!(count("ns1") > 0 && count("ns2") > 0, "{by_target}");
    has(
        &case.evidence["load_balancers"]["front"]["metrics"],
        json!({ "NewFlowCount_UDP": 61, "NewFlowCount_TCP": 40 }),
    );
}

#[test]
fn a_lost_datagram_is_a_deadline_and_a_closed_port_is_refused() {
    let Some(case) = once(
        r#"
hosts:
  client: { zone: a, serve: { 53/udp: sink } }
  web: { zone: a, serve: { 53/udp: sink, 54/udp: echo } }
steps:
  - connect: { as: deaf, from: client, to: "web:53/udp" }
  - exchange: { over: deaf, as: silence, timeout: 50ms }
  - connect: { as: closed_port, from: client, to: "web:55/udp" }
  - exchange: { over: closed_port, as: told, timeout: 5s }
  - send: { over: closed_port, as: sent, bytes: 1 }
  - connect: { as: own, from: web, to: client, source_port: 4000 }
  - send: { over: own, as: out, bytes: 100, times: 5 }
  - close: own
  - exchange: { over: own, as: gone }
"#,
    ) else {
        return;
    };
    let failed = |step: &str, word: &str| {
        has(case.step(step), json!({ "ok": false, "error": word }));
    };
    failed("silence", "deadline");
    failed("told", "refused");
    failed("gone", "closed");
    for step in ["deaf", "closed_port", "sent", "own", "out"] {
        fine(case.step(step));
    }
    has(
        case.connection("own"),
        json!({ "sent": 500, "delivered": 500, "ended": "closed", "target": "client" }),
    );
}

#[test]
fn an_answer_that_came_too_late_is_no_answer_to_the_next_question() {
    let Some(case) = once(
        r#"
hosts:
  client: { link: { down: { delay: 150ms } } }
  web: { serve: { 54/udp: echo } }
steps:
  - connect: { as: ask, from: client, to: web }
  - exchange: { over: ask, as: first, bytes: 10, timeout: 20ms }
  - wait: 300ms
  - exchange: { over: ask, as: second, bytes: 20 }
"#,
    ) else {
        return;
    };
    has(case.step("first"), json!({ "error": "deadline" }));
    has(case.step("second"), json!({ "ok": true, "received": 20 }));
    assert!(case.step("second")["ms"].as_f64().expect("a time") >= 150.0);
}

/// What is too long for one packet goes in several, there and back, through whatever translates.
#[test]
fn fragments_of_a_datagram_go_where_their_first_one_goes() {
    let body = r#"
hosts:
  client: { zone: a }
  behind: { zone: a, nat: gw }
  web: { zone: a, serve: { 53/udp: echo } }
  outside: { serve: { 53/udp: echo } }
target_groups:
  web: { protocol: UDP, targets: [web] }
load_balancers:
  front: { zones: [a], scheme: internal, listeners: { 53: { protocol: UDP, target_group: web } } }
nat_gateways:
  gw: { zone: a }
steps:
  - connect: { as: balanced, from: client, to: "front:53/udp" }
  - exchange: { over: balanced, as: first, bytes: 3000, timeout: 2s }
  - connect: { as: translated, from: behind, to: "outside:53/udp" }
  - exchange: { over: translated, as: second, bytes: 3000, timeout: 2s }
"#;
    let Some(case) = once(body) else { return };
    for step in ["first", "second"] {
        fine(case.step(step));
    }
    let dropped = case.packets(|p| {
        p["fate"]
            .as_str()
            .is_some_and(|fate| fate.starts_with("dropped"))
    });
    assert!(dropped.is_empty(), "{dropped:?}");
    assert_eq!(case.metric("front", "NewFlowCount_UDP"), 1);
    assert_eq!(case.metric("front", "ProcessedPackets"), 6);
}
