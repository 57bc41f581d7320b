//! A balancer between real stacks: its books, its timers, its limits.

use crate::kit::{fine, has, once, play};
use serde_json::json;

const FRONT: &str = "
hosts:
  client: {}
  web: { zone: a, serve: { 80: echo, 8080: echo } }
target_groups:
  web: { targets: [web] }
load_balancers:
  front: { zones: [a], listeners: { 80: web } }
";

#[test]
fn the_ledger_shows_both_sides_of_a_translation() {
    let Some(lab) = play(
        &format!(
            r#"{FRONT}
steps:
  - connect: {{ as: call, from: client, to: front, source_port: 41000 }}
  - exchange: {{ over: call, bytes: 100 }}
  - close: call
"#
        ),
        &[
            ("preserved", "{}"),
            (
                "hidden",
                "{ target_groups.web.attributes.preserve_client_ip.enabled: false }",
            ),
            ("another-port", "{ target_groups.web.port: 8080 }"),
        ],
    ) else {
        return;
    };
    for name in ["preserved", "hidden", "another-port"] {
        let case = lab.case(name);
        let call = case.connection("call");
        has(
            call,
            json!({ "via": "front/a", "target": "web", "flow": 0, "syns": 1, "ended_by": "client" }),
        );
        let flow = &case.evidence["flows"][0];
        has(
            flow,
            json!({
                "balancer": "front", "via": "front/a", "group": "web", "target": "web", "client": call["local"],
                "listener": call["remote"], "seen_as": call["seen_as"], "target_address": call["target_address"],
                "displaced": null,
            }),
        );
        let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
        assert_eq!(
            name == "hidden",
            text(&call["seen_as"]) != text(&call["local"]),
            "{call}"
        );
        let port = if name == "another-port" {
            ":8080"
        } else {
            ":80"
        };
        assert!(text(&call["target_address"]).ends_with(port), "{call}");
        // The question for `front` came before.
        let tcp = |p: &serde_json::Value| p["protocol"] == "tcp";
        let toward = case.packets(|p| tcp(p) && p["sender"] == "client");
        let back = case.packets(|p| p["sender"] == "web");
        assert!(toward.len() >= 4 && back.len() >= 3);
        for packet in toward {
            has(
                packet,
                json!({
                    "from": call["local"], "to": call["remote"], "from_after": call["seen_as"],
                    "to_after": call["target_address"], "receiver": "web", "fate": "forwarded", "flow": 0, "protocol": "tcp",
                }),
            );
        }
        for packet in back {
            has(
                packet,
                json!({
                    "from": call["target_address"], "to": call["seen_as"], "from_after": call["remote"],
                    "to_after": call["local"], "receiver": "client", "fate": "forwarded", "flow": 0,
                }),
            );
        }
        let flags: Vec<_> = case
            .packets(tcp)
            .iter()
            .map(|p| text(&p["flags"]))
            .take(3)
            .collect();
        assert_eq!(flags, ["S", "S.", "."]);
        let data = case.packets(|p| p["len"] == 100);
        let sent = |host: &str| data.iter().any(|p| p["sender"] == host);
        assert!(sent("client") && sent("web"), "there and back");
        assert_eq!(
            data[0]["seq"].as_i64(),
            case.packets(tcp)[0]["seq"]
                .as_i64()
                .map(|isn| (isn + 1) % (1 << 32))
        );
        // The metrics say the same.
        assert_eq!(case.metric("front", "NewFlowCount"), 1);
        assert_eq!(
            case.metric("front", "ProcessedPackets"),
            case.packets(|p| p["flow"] == 0).len() as i64
        );
        for reset in [
            "TCP_Client_Reset_Count",
            "TCP_Target_Reset_Count",
            "TCP_ELB_Reset_Count",
            "PortAllocationErrorCount",
        ] {
            assert_eq!(case.metric("front", reset), 0, "{reset}");
        }
        assert!(case.metric("front", "ProcessedBytes") >= 200);
    }
}

#[test]
fn resets_are_counted_by_their_sender() {
    let Some(lab) = play(
        &format!(
            r#"{FRONT}
steps:
  - connect: {{ as: call, from: client, to: front }}
  - exchange: {{ over: call }}
  - abort: {{ as: end, over: call }}
  - wait_until: {{ as: seen, that: "packets.exists(p, p.flags == 'R' || p.flags == 'R.')", timeout: 10s }}
"#
        ),
        &[
            ("client", "{}"),
            (
                "target",
                "{ steps.end: { stop: { host: web, with: reset } } }",
            ),
        ],
    ) else {
        return;
    };
    for (name, metric, by) in [
        ("client", "TCP_Client_Reset_Count", "client"),
        ("target", "TCP_Target_Reset_Count", "server"),
    ] {
        let case = lab.case(name);
        fine(case.step("seen"));
        for other in [
            "TCP_Client_Reset_Count",
            "TCP_Target_Reset_Count",
            "TCP_ELB_Reset_Count",
        ] {
            // An ACK that crosses the target's RST is answered with another.
            assert_eq!(
                case.metric("front", other) >= 1,
                other == metric,
                "{name}: {other}"
            );
        }
        has(case.step("call"), json!({ "ended_by": by }));
    }
}

#[test]
fn an_idle_flow_is_forgotten() {
    let body = r#"
time_scale: 100
hosts:
  client: {}
  web: { zone: a, serve: { 80: echo } }
target_groups:
  web: { targets: [web] }
load_balancers:
  front: { zones: [a], listeners: { 80: { target_group: web, attributes: { tcp.idle_timeout.seconds: 100 } } } }
steps:
  - connect: { as: session, from: client, to: front }
  - exchange: { over: session }
  - wait: { as: pause, for: 130s cloud }
  - exchange: { over: session, as: late }
"#;
    let Some(lab) = play(
        body,
        &[
            ("reset", "{}"),
            (
                "drop",
                "{ load_balancers.front.emulate.on_missing_flow: drop, steps.late.timeout: 400ms }",
            ),
            ("shorter-pause", "{ steps.pause.for: 5s cloud }"),
            (
                "longer-limit",
                "{ load_balancers.front.listeners.80.attributes.tcp.idle_timeout.seconds: 300 }",
            ),
        ],
    ) else {
        return;
    };
    let reset = lab.case("reset");
    assert_eq!(reset.report["time_scale"], 100.0);
    let pause = reset.step("pause")["ms"].as_f64().expect("a time");
    assert!(pause >= 1_300.0, "130 s of the cloud are 1.3 s: {pause}");
    has(
        reset.step("late"),
        json!({ "ok": false, "error": "reset", "errno": 104 }),
    );
    has(
        reset.step("session"),
        json!({ "ended": "reset", "ended_by": "fabric", "delivered": 64 }),
    );
    assert_eq!(reset.metric("front", "TCP_ELB_Reset_Count"), 1);
    assert!(
        reset.findings().contains(&"idle-expiry"),
        "{:?}",
        reset.findings()
    );
    // The server was never told.
    has(
        reset.connection("session"),
        json!({ "client_state": "", "server_state": "ESTABLISHED" }),
    );
    assert_eq!(
        reset
            .packets(|p| p["fate"] == "answered: reset, expired flow")
            .len(),
        1
    );
    let drop = lab.case("drop");
    has(
        drop.step("late"),
        json!({ "error": "deadline", "unacked": 64 }),
    );
    has(
        drop.step("session"),
        json!({ "ended": "open", "ended_by": "" }),
    );
    assert_eq!(drop.metric("front", "TCP_ELB_Reset_Count"), 0);
    assert!(drop.drops("expired-flow") >= 1);
    assert!(
        drop.findings().contains(&"idle-expiry"),
        "{:?}",
        drop.findings()
    );
    for name in ["shorter-pause", "longer-limit"] {
        let case = lab.case(name);
        fine(case.step("late"));
        assert!(case.findings().is_empty(), "{:?}", case.findings());
    }
}

#[test]
fn source_ports_run_out() {
    let body = r#"
hosts:
  client: { count: 2, sysctls: { net.ipv4.tcp_syn_retries: 1, net.ipv4.tcp_syn_linear_timeouts: 0 } }
  web: { zone: a, count: 2, serve: { 80: echo } }
target_groups:
  web: { targets: [web-1], attributes: { preserve_client_ip.enabled: false } }
load_balancers:
  front: { zones: [a], listeners: { 80: web }, emulate: { snat_ports: 50 } }
steps:
  - load: { as: calls, from: client, to: front, connections: 90, hold: true, timeout: 2s }
"#;
    let Some(lab) = play(
        body,
        &[
            ("one-target", "{}"),
            ("two-targets", "{ target_groups.web.targets: [web] }"),
            (
                "preserved",
                "{ target_groups.web.attributes.preserve_client_ip.enabled: true }",
            ),
        ],
    ) else {
        return;
    };
    // Of 180 attempts, each of two targets is sent 90, give or take a standard deviation of 7: both run out.
    for (name, connected) in [("one-target", 50), ("two-targets", 100), ("preserved", 180)] {
        let case = lab.case(name);
        let calls = case.step("calls");
        has(
            calls,
            json!({ "attempts": 180, "connected": connected, "failed": 180 - connected }),
        );
        assert_eq!(calls["errors"]["deadline"], 180 - connected, "{name}");
        let refused = case.metric("front", "PortAllocationErrorCount");
        assert_eq!(refused > 0, connected < 180, "{name}: {refused}");
        assert!(refused >= 180 - connected, "one for each SYN: {refused}");
        assert_eq!(
            case.drops("port-allocation") > 0,
            connected < 180,
            "{:?}",
            case.evidence["drops"]
        );
        assert_eq!(
            case.findings().contains(&"port-exhaustion"),
            connected < 180,
            "{:?}",
            case.findings()
        );
        let ports = |target: &str| {
            let mut ports: Vec<_> = case
                .connections("calls")
                .iter()
                .filter(|c| c["target"] == target && c["error"] == "")
                .map(|c| c["seen_as"].as_str().expect("text").to_owned())
                .collect();
            let all = ports.len();
            ports.sort();
            ports.dedup();
            assert_eq!(all, ports.len(), "{name}: one source port, one connection");
            all
        };
        assert_eq!(ports("web-1") + ports("web-2"), connected as usize);
    }
}

#[test]
fn where_nobody_listens_nobody_answers_and_without_a_flow_there_is_a_reset() {
    let Some(case) = once(&format!(
        r#"{FRONT}
steps:
  - connect: {{ as: call, from: client, to: "front:81", timeout: 200ms }}
  - run: {{ as: stray, on_host: client, command: "perl -MSocket -e 'socket(my $s, PF_INET, SOCK_RAW, 6) or die $!; send($s, pack(\"nnNNnnnn\", 5555, 80, 7, 9, 0x5010, 1000, 0, 0), 0, sockaddr_in(0, inet_aton(\"front\"))) or die $!'" }}
"#
    )) else {
        return;
    };
    has(
        case.step("call"),
        json!({ "error": "deadline", "via": "front/a", "target": "", "ended_by": "" }),
    );
    assert_eq!(case.step("call")["syns"], case.drops("no-listener"));
    assert_eq!(case.evidence["load_balancers"]["front"]["flows"], 0);
    // Where something listens, an ACK without a flow is answered by a RST with its number, and goes no further.
    fine(case.step("stray"));
    let end = "198.51.100.10:5555";
    let stray = case.packets(|p| p["from"] == end || p["to"] == end);
    let [ack, rst] = stray[..] else {
        panic!("{stray:?}")
    };
    has(
        ack,
        json!({ "flags": ".", "ack": 9, "fate": "answered: reset, no flow" }),
    );
    has(rst, json!({ "flags": "R", "seq": 9, "receiver": "client" }));
    assert!(
        case.findings().contains(&"no-listener"),
        "{:?}",
        case.findings()
    );
}

#[test]
fn a_target_that_calls_its_own_balancer_meets_itself() {
    let Some(case) = once(
        r#"
hosts:
  web: { zone: a, serve: { 80: echo } }
target_groups:
  web: { targets: [web] }
load_balancers:
  front: { scheme: internal, zones: [a], listeners: { 80: web } }
steps:
  - connect: { as: call, from: web, to: front, timeout: 200ms }
"#,
    ) else {
        return;
    };
    has(
        case.step("call"),
        json!({ "error": "deadline", "target": "web" }),
    );
    let own = &case.evidence["hosts"]["web"]["self_sourced"];
    assert_eq!(own, &case.step("call")["syns"]);
    assert!(
        case.findings().contains(&"loopback"),
        "{:?}",
        case.findings()
    );
    let syn = case.packets(|p| p["flags"] == "S")[0];
    has(
        syn,
        json!({ "sender": "web", "receiver": "web", "fate": "forwarded" }),
    );
}

#[test]
fn a_packet_with_no_time_left_is_answered() {
    let Some(lab) = play(
        &format!(
            r#"{FRONT}
steps:
  - connect: {{ as: call, from: client, to: front }}
"#
        ),
        &[
            (
                "one",
                "{ hosts.client.sysctls: { net.ipv4.ip_default_ttl: 1 } }",
            ),
            (
                "enough",
                "{ hosts.client.sysctls: { net.ipv4.ip_default_ttl: 5 } }",
            ),
        ],
    ) else {
        return;
    };
    let one = lab.case("one");
    has(
        one.step("call"),
        json!({ "ok": false, "error": "unreachable" }),
    );
    assert!(
        !one.packets(|p| p["fate"] == "answered: ICMP, TTL exceeded")
            .is_empty()
    );
    assert!(one.counter("client", "IcmpInTimeExcds") >= 1);
    fine(lab.case("enough").step("call"));
}
