//! TLS listeners: real handshakes on both sides of a balancer.

use crate::kit::{fine, has, once, play};
use serde_json::json;

const LAB: &str = r#"
hosts:
  client: { address: 198.51.100.7 }
  web: { zone: a, serve: { 443: echo, 444: https, 445: { echo: { proxy_protocol: v2 } }, 446: http } }
target_groups:
  web: { target_type: ip, targets: [web] }
  secured: { target_type: ip, protocol: TLS, targets: [web] }
  told: { target_type: ip, targets: [web], attributes: { proxy_protocol_v2.enabled: true } }
load_balancers:
  front:
    zones: [a]
    listeners:
      443: { protocol: TLS, target_group: web }
      444: { protocol: TLS, target_group: secured }
      445: { protocol: TLS, target_group: told }
      446: { protocol: TLS, target_group: secured }
steps:
  - connect: { as: visit, from: client, to: "front:443", tls: true }
  - exchange: { over: visit, as: talk, bytes: 4MiB, times: 3, timeout: 20s }
  - connect: { as: told, from: client, to: "front:445", tls: true }
  - exchange: { over: told, as: more, bytes: 100 }
  - connect: { as: second, from: client, to: "front:444", tls: true }
  - send: { over: second, as: nonsense, bytes: 30 }
  - receive: { over: second, as: answer, bytes: 12, timeout: 3s }
  - connect: { as: mismatch, from: client, to: "front:446", tls: true }
  - receive: { over: mismatch, as: nothing, bytes: 1, timeout: 3s }
  - connect: { as: plain, from: client, to: "front:443" }
  - send: { over: plain, as: hello, bytes: 100 }
  - receive: { over: plain, as: alert, bytes: 100, timeout: 3s }
"#;

#[test]
fn connections_end_at_the_balancer_and_go_on_to_the_target() {
    let Some(lab) = play(LAB, &[("plain", "{}")]) else {
        return;
    };
    let case = lab.case("plain");
    for step in ["visit", "talk", "told", "more", "second", "mismatch"] {
        fine(case.step(step));
    }
    // The target's server speaks TLS of its own, and HTTP over it.
    has(
        case.step("answer"),
        json!({ "ok": true, "text": "HTTP/1.1 400" }),
    );
    let requests = case.evidence["hosts"]["web"]["requests"]
        .as_array()
        .expect("requests");
    assert!(
        requests.iter().all(|request| request["probe"] == false),
        "{requests:?}"
    );
    // Who does not speak TLS is closed, and counted on its side.
    let ended = ["eof", "reset"].map(|word| json!(word));
    assert!(ended.contains(&case.step("nothing")["error"]));
    assert!(ended.contains(&case.step("alert")["error"]));
    for (metric, count) in [
        ("NewFlowCount_TLS", 5),
        ("NewFlowCount_TCP", 0),
        ("ClientTLSNegotiationErrorCount", 1),
        ("TargetTLSNegotiationErrorCount", 1),
    ] {
        assert_eq!(case.metric("front", metric), count, "{metric}");
    }
    assert!(case.metric("front", "ProcessedBytes_TLS") > 24 << 20);
    // Each of them has one connection of its own at the target, from the balancer's address.
    let legs = case
        .packets(|p| p["flags"] == "S" && p["to"].as_str().is_some_and(|to| to.starts_with("10.")));
    let own = |p: &&serde_json::Value| p["receiver"] == "web" && p["probe"] == false;
    assert_eq!(legs.iter().filter(|p| own(p)).count(), 4, "{legs:?}");
    // The target's answers are the connections' too, no health check's, and it is told whose connections they are.
    let pairs = case.evidence["pairs"].as_array().expect("pairs");
    assert_eq!(pairs.len(), 4, "{pairs:?}");
    for pair in pairs {
        assert_eq!(pair["target"], "web");
        let answers = case
            .packets(|p| p["flags"] == "S." && p["sender"] == "web" && p["to"] == pair["seen_as"]);
        assert_eq!(answers.len(), 1, "{pair}");
        assert_eq!(answers[0]["probe"], false, "{pair}");
    }
    let figures = |pair: &serde_json::Value| {
        let count = |name: &str| pair[name].as_u64().expect("it is counted");
        ["from_client", "to_target", "from_target", "to_client"].map(count)
    };
    // What was said, not its records: of three times 4 MiB each byte comes back.
    assert_eq!(figures(&pairs[0]), [12 << 20; 4]);
    assert_eq!(figures(&pairs[1]), [100; 4]);
    let [from_client, to_target, from_target, to_client] = figures(&pairs[2]);
    assert_eq!((from_client, to_target), (30, 30));
    assert!(from_target > 12 && from_target == to_client);
    // The target of the last speaks no TLS.
    assert_eq!(
        (figures(&pairs[3]), &pairs[3]["why"]),
        ([0; 4], &json!("target-broke-off"))
    );
    let connections = case.evidence["connections"].as_array().expect("some");
    let led = connections.iter().filter(|c| !c["pair"].is_null()).count();
    assert_eq!(led, 4, "{connections:?}");
    // All end at the balancer. One for which it opened nothing has no target, and what it said came to nobody.
    assert!(connections.iter().all(|c| c["proxied"] == true));
    assert_eq!(case.connection("visit")["target"], "web");
    has(
        case.connection("plain"),
        json!({ "target": "", "seen_as": "", "delivered": 0, "lost": 100 }),
    );
}

/// A client that speaks no TLS stays at the balancer, on ladders as well.
#[test]
fn what_never_came_to_the_target_is_not_drawn_there() {
    let body = r#"
hosts: { client: {}, web: { zone: a, serve: { 80: echo } } }
target_groups: { web: { target_type: ip, port: 80, targets: [web] } }
load_balancers: { front: { zones: [a], listeners: { 443: { protocol: TLS, target_group: web } } } }
steps:
  - connect: { as: plain, from: client, to: front }
  - exchange: { over: plain, as: hello, timeout: 3s }
"#;
    let Some(case) = once(body) else { return };
    assert!(case.packets(|p| p["receiver"] == "web").is_empty());
    let ladder = &case.report["ladder"];
    let lanes = ladder["lanes"].as_array().expect("lifelines");
    let rows = ladder["rows"].as_array().expect("rows");
    assert!(rows.len() >= 4, "a handshake, bytes, an answer: {ladder}");
    for row in rows {
        let arrow = &row["packet"]["arrow"];
        for end in ["from", "to"] {
            let lane = arrow[end].as_u64().expect("a lifeline");
            let name = &lanes[usize::try_from(lane).expect("few")]["name"];
            assert!(
                ["client", "front/a"].map(|n| json!(n)).contains(name),
                "{row}"
            );
        }
    }
    // The clock is the story's: no packet comes before the step that sends it.
    let first = rows[0]["packet"]["time"].as_f64();
    assert!(first >= case.step("plain")["at"].as_f64(), "{ladder}");
    let sent = case.packets(|p| p["from"] == case.connection("plain")["local"]);
    assert_eq!(first, sent[0]["t"].as_f64(), "{ladder}");
}

/// Who broke off is told, behind TLS as elsewhere.
#[test]
fn a_side_that_breaks_off_is_named() {
    let body = r#"
hosts:
  client: { address: 198.51.100.7 }
  web: { zone: a, serve: { 443: echo } }
target_groups:
  web: { target_type: ip, targets: [web] }
load_balancers:
  front: { zones: [a], listeners: { 443: { protocol: TLS, target_group: web } } }
steps:
  - connect: { as: one, from: client, to: front, tls: true }
  - exchange: { over: one, as: told, bytes: 10 }
  - connect: { as: two, from: client, to: front, tls: true }
  - exchange: { over: two, as: more, bytes: 20 }
  - abort: one
  - wait_until: { that: 'packets.exists(p, p.receiver == "web" && p.flags.contains("F"))', timeout: 10s }
  - stop: { host: web, with: reset }
  - receive: { over: two, as: rest, bytes: 1, timeout: 10s }
"#;
    let Some(case) = once(body) else { return };
    let pairs = case.evidence["pairs"].as_array().expect("a list");
    let told: Vec<_> = pairs
        .iter()
        .map(|pair| (pair["why"].as_str().expect("a word"), &pair["from_client"]))
        .collect();
    let (ten, twenty) = (json!(10), json!(20));
    assert_eq!(told, [("client-reset", &ten), ("target-reset", &twenty)]);
}

/// AWS counts ports by zonal address and target, whoever connects from them; a client more than there are gets no answer.
#[test]
fn source_ports_toward_a_target_run_out_behind_tls_as_well() {
    let body = r#"
hosts:
  client: { address: 198.51.100.7 }
  web: { zone: a, serve: { 443: echo } }
target_groups:
  web: { target_type: ip, targets: [web] }
load_balancers:
  front: { zones: [a], listeners: { 443: { protocol: TLS, target_group: web } }, emulate: { snat_ports: 2, port_reuse: 1s } }
steps:
  - connect: { as: one, from: client, to: front, tls: true }
  - connect: { as: two, from: client, to: front, tls: true }
  - connect: { as: three, from: client, to: front, tls: true, timeout: 500ms }
  - close: one
  - wait: { for: 5s }
  - connect: { as: four, from: client, to: front, tls: true }
  - exchange: { over: four, as: talk, bytes: 100 }
"#;
    let Some(case) = once(body) else { return };
    for step in ["one", "two", "four", "talk"] {
        fine(case.step(step));
    }
    has(case.step("three"), json!({ "error": "deadline" }));
    let refused = case.packets(|p| p["fate"] == "dropped: port-allocation");
    assert!(!refused.is_empty());
    let counted = case.metric("front", "PortAllocationErrorCount");
    assert_eq!(counted, refused.len() as i64);
    let seen = |step: &str| case.connection(step)["seen_as"].clone();
    assert_ne!(seen("one"), seen("two"));
    assert_eq!(seen("one"), seen("four"), "it is free again");
}

/// AWS: a balancer's further addresses have ports of their own.
#[test]
fn further_addresses_lend_ports_behind_tls_as_well() {
    let body = r#"
hosts:
  client: { address: 198.51.100.7 }
  web: { zone: a, serve: { 443: echo } }
target_groups:
  web: { target_type: ip, targets: [web], health_check: { protocol: TCP } }
load_balancers:
  front:
    zones: [a]
    listeners: { 443: { protocol: TLS, target_group: web } }
    attributes: { secondary_ips.auto_assigned.per_subnet: 1 }
    emulate: { snat_ports: 1 }
steps:
  - connect: { as: one, from: client, to: front, tls: true }
  - connect: { as: two, from: client, to: front, tls: true }
  - exchange: { over: one, as: first, bytes: 100 }
  - exchange: { over: two, as: second, bytes: 100 }
"#;
    let Some(case) = once(body) else { return };
    for step in ["one", "two", "first", "second"] {
        fine(case.step(step));
    }
    let seen = |step: &str| {
        let end = case.connection(step)["seen_as"].as_str().expect("an end");
        end.rsplit_once(':').map(|(address, _)| address.to_owned())
    };
    assert_ne!(seen("one"), seen("two"));
    assert_eq!(case.metric("front", "PortAllocationErrorCount"), 0);
}

/// AWS: a keepalive of the client or the target makes the balancer send its own to both, every 20 s. Who sends none is
/// forgotten after 350 s; what the target says then is answered with a RST, and the client hears nothing.
#[test]
fn keepalives_of_one_side_are_kept_up_on_both() {
    let server = r#"import socket, threading, time
l = socket.create_server(('', 443))
print('up', flush=True)
def serve(c):
    c.recv(99)
    if PROBING:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        c.setsockopt(6, 4, 1)
        c.setsockopt(6, 5, 1)
    time.sleep(4.5)
    try:
        c.sendall(b'late')
        time.sleep(1)
        c.sendall(b'more')
        print('sent', flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
while True:
    threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()
"#;
    let program = |keep: &str| {
        let text = server.replace("PROBING", keep).replace('\n', "\\n");
        format!("\"exec python3 -u -c \\\"{text}\\\"\"")
    };
    let body = format!(
        r#"
time_scale: 100
hosts:
  client: {{ address: 198.51.100.7 }}
  web: {{ zone: a, serve: {{ 443: {{ command: {}, ready: up }} }} }}
target_groups:
  web: {{ target_type: ip, targets: [web] }}
load_balancers:
  front: {{ zones: [a], listeners: {{ 443: {{ protocol: TLS, target_group: web }} }} }}
steps:
  - connect: {{ as: s, from: client, to: front, tls: true }}
  - send: {{ over: s, bytes: 10 }}
  - receive: {{ over: s, as: late, bytes: 8, timeout: 12s }}
"#,
        program("True")
    );
    let silent = program("False");
    let set = format!("{{ hosts.web.serve.443.command: {silent} }}");
    let Some(lab) = play(&body, &[("kept", "{}"), ("silent", &set)]) else {
        return;
    };
    let (kept, silent) = (lab.case("kept"), lab.case("silent"));
    fine(kept.step("late"));
    let probes = |to: &str| {
        let probe = |p: &serde_json::Value| {
            p["sender"] == "front/a" && p["receiver"] == to && p["len"] == 0
        };
        kept.packets(probe).len()
    };
    // One each 200 ms, from the first of the target's on, which came after a second.
    for end in ["client", "web"] {
        assert!(probes(end) > 10, "{end}: {}", probes(end));
    }
    has(silent.step("late"), json!({ "error": "deadline" }));
    let resets = silent.packets(|p| {
        p["sender"] == "front/a" && p["flags"].as_str().is_some_and(|f| f.contains('R'))
    });
    assert_eq!(resets.len(), 1, "{resets:?}");
    assert_eq!(resets[0]["receiver"], "web");
    assert_eq!(silent.metric("front", "TCP_ELB_Reset_Count"), 1);
}

/// What a load does, it does over TLS as well; and who speaks plainly to a server of TLS is told so.
#[test]
fn loads_speak_tls() {
    let body = r#"
hosts:
  client: { zone: a, count: 2 }
  web: { zone: a, serve: { 443: https, 444: echo } }
target_groups:
  web: { target_type: ip, port: 443, targets: [web] }
  echo: { target_type: ip, port: 444, targets: [web] }
load_balancers:
  front:
    scheme: internal
    zones: [a]
    listeners:
      443: web
      444: { protocol: TLS, target_group: echo }
steps:
  - load: { as: gets, from: client, to: "front:443", tls: true, connections: 5, request: { path: /, times: 3, body: 200KiB } }
  - load: { as: bytes, from: client, to: "front:444", tls: true, connections: 5, request: 300KiB, hold: true }
  - exchange: { over: bytes, as: again, bytes: 1000 }
  - load: { as: plain, from: client, to: "front:443", connections: 4, request: GET / }
  - load: { as: wrong, from: client, to: "web:444", tls: true, connections: 3, timeout: 3s }
"#;
    let Some(case) = once(body) else { return };
    has(
        case.step("gets"),
        json!({ "attempts": 10, "connected": 10, "failed": 0, "requests": 30 }),
    );
    assert_eq!(case.step("gets")["status"]["200"], 30);
    let host = &case.evidence["hosts"]["web"]["requests"][0]["host"];
    assert!(!host.as_str().expect("a text").contains(':'), "{host}");
    has(case.step("bytes"), json!({ "connected": 10, "failed": 0 }));
    has(case.step("again"), json!({ "failed": 0 }));
    for connection in case.connections("gets") {
        assert_eq!(connection["lost"], 0, "{connection}");
    }
    has(case.step("plain"), json!({ "connected": 8, "failed": 8 }));
    for connection in case.connections("plain") {
        assert_eq!(connection["server_error"], "tls", "{connection}");
    }
    // An echo is no answer to a hello.
    has(case.step("wrong"), json!({ "connected": 0, "failed": 6 }));
    assert_eq!(case.step("wrong")["errors"]["tls"], 6);
}
