//! The error words, each brought about by what it stands for.

use crate::kit::{has, ms, once, play};
use serde_json::json;

#[test]
fn each_failure_to_open_has_its_word() {
    let lab = play(
        r#"
hosts:
  client: { zone: b }
  web: { zone: a, serve: { 80: echo } }
steps:
  - connect: { as: call, from: client, to: "web:80", timeout: 30s }
  - exchange: { over: call, as: talk }
"#,
        &[
            ("open", "{}"),
            ("refused", "{ steps.call.to: \"web:81\" }"),
            (
                "reset-by-filter",
                "{ hosts.web.nft: \"table ip f { chain in { type filter hook input priority 0; tcp dport 80 reject with tcp reset; } }\" }",
            ),
            (
                "timeout",
                "{ hosts.web.nft: \"table ip f { chain in { type filter hook input priority 0; tcp dport 80 drop; } }\", hosts.client.sysctls: { net.ipv4.tcp_syn_retries: 1, net.ipv4.tcp_syn_linear_timeouts: 0 } }",
            ),
            (
                "deadline",
                "{ hosts.web.nft: \"table ip f { chain in { type filter hook input priority 0; tcp dport 80 drop; } }\", steps.call.timeout: 150ms }",
            ),
            (
                "unreachable",
                "{ hosts.client.nft: \"table ip f { chain out { type filter hook output priority 0; tcp dport 80 reject with icmp type host-unreachable; } }\" }",
            ),
            (
                "unreachable-from-afar",
                "{ hosts.web.nft: \"table ip f { chain in { type filter hook input priority 0; tcp dport 80 reject with icmp type admin-prohibited; } }\" }",
            ),
        ],
    );
    let Some(lab) = lab else { return };
    has(
        lab.case("open").step("call"),
        json!({ "ok": true, "error": "", "errno": 0, "ended": "open" }),
    );
    for (case, word, errno) in [
        ("refused", "refused", 111),
        ("reset-by-filter", "refused", 111),
        ("timeout", "timeout", 110),
        ("deadline", "deadline", 0),
        ("unreachable", "unreachable", 113),
        ("unreachable-from-afar", "unreachable", 113),
    ] {
        let case = lab.case(case);
        has(
            case.step("call"),
            json!({ "ok": false, "error": word, "errno": errno, "ended": "", "sent": 0, "received": 0 }),
        );
        has(
            case.step("talk"),
            json!({ "ok": false, "error": "not-connected", "errno": 0, "sent": 0, "received": 0 }),
        );
    }
    // The kernel's own patience: two SYNs, one second and two.
    let timeout = lab.case("timeout");
    has(
        timeout.step("call"),
        json!({ "syns": 2, "target": "web", "ended_by": "" }),
    );
    assert!(ms(timeout.step("call")) >= 2_500.0);
    assert_eq!(timeout.counter("client", "TcpExtTCPSynRetrans"), 1);
    // The step's own.
    let deadline = lab.case("deadline");
    has(deadline.step("call"), json!({ "target": "web" }));
    assert!(ms(deadline.step("call")) >= 150.0);
    // Whoever refuses sent the RST; nobody else's word ends a connection.
    has(
        lab.case("refused").step("call"),
        json!({ "syns": 1, "target": "web", "ended_by": "server" }),
    );
    // It never left the client.
    has(
        lab.case("unreachable").step("call"),
        json!({ "syns": 0, "target": "" }),
    );
    // An ICMP error came back from the server, and says which packet it is about.
    let afar = lab.case("unreachable-from-afar");
    has(afar.step("call"), json!({ "target": "web" }));
    let errors = afar
        .packets(|p| p["protocol"] == "icmp" && p["sender"] == "web" && p["receiver"] == "client");
    assert_eq!(afar.step("call")["syns"], errors.len());
}

#[test]
fn a_client_runs_out_of_ports() {
    let Some(case) = once(
        r#"
hosts:
  client: { zone: b, sysctls: { net.ipv4.ip_local_port_range: 40000 40003 } }
  web: { zone: a, serve: { 80: echo, 81: echo } }
steps:
  - load: { as: calls, from: client, to: "web:80", connections: 6, hold: true }
  - connect: { as: one_more, from: client, to: "web:80" }
  - connect: { as: elsewhere, from: client, to: "web:81" }
"#,
    ) else {
        return;
    };
    let calls = case.step("calls");
    has(
        calls,
        json!({ "ok": false, "error": "no-port", "errno": 99, "attempts": 6, "connected": 4, "failed": 2 }),
    );
    assert_eq!(calls["errors"]["no-port"], 2);
    // Those without a port sent nothing to anybody.
    assert_eq!(calls["by_target"]["web"], 4, "{calls}");
    has(
        case.step("one_more"),
        json!({ "error": "no-port", "errno": 99, "syns": 0, "target": "", "local": "" }),
    );
    // Toward another destination the same ports are free.
    has(case.step("elsewhere"), json!({ "ok": true }));
}

#[test]
fn an_open_connection_ends_with_the_word_for_it() {
    let Some(lab) = play(
        r#"
hosts:
  client: { zone: b }
  web: { zone: a, serve: { 80: echo } }
steps:
  - connect: { as: call, from: client, to: "web:80" }
  - exchange: { over: call }
  - run: { as: trouble, on_host: web, command: "true" }
  - exchange: { over: call, as: after }
  - exchange: { over: call, as: again }
"#,
        &[
            ("none", "{}"),
            (
                // Both the listener's and the connection's packets are thrown away.
                "silence",
                "{ steps.trouble.command: 'nft add table ip f; nft \"add chain ip f in { type filter hook input priority 0; policy drop; }\"' }",
            ),
            (
                "reset",
                "{ steps.trouble.command: 'nft add table ip f; nft \"add chain ip f in { type filter hook input priority 0; }\"; nft add rule ip f in tcp dport 80 reject with tcp reset' }",
            ),
            (
                // An ICMP error about an established connection is advice, not an end (RFC 1122, 4.2.3.9).
                "icmp",
                "{ steps.trouble.command: 'nft add table ip f; nft \"add chain ip f in { type filter hook input priority 0; }\"; nft add rule ip f in tcp dport 80 reject with icmp type port-unreachable' }",
            ),
        ],
    ) else {
        return;
    };
    for name in ["none", "silence", "reset", "icmp"] {
        has(
            lab.case(name).step("trouble"),
            json!({ "ok": true, "stderr": "" }),
        );
    }
    has(
        lab.case("none").step("again"),
        json!({ "ok": true, "unacked": 0 }),
    );
    has(
        lab.case("silence").step("after"),
        json!({ "error": "deadline", "sent": 64, "received": 0, "unacked": 64 }),
    );
    has(
        lab.case("silence").step("again"),
        json!({ "error": "deadline", "unacked": 128 }),
    );
    has(
        lab.case("silence").step("call"),
        json!({ "ended": "open", "ended_by": "", "unacked": 128, "delivered": 64, "lost": 0 }),
    );
    has(
        lab.case("reset").step("after"),
        json!({ "error": "reset", "errno": 104 }),
    );
    has(
        lab.case("reset").step("again"),
        json!({ "ok": false, "received": 0 }),
    );
    has(
        lab.case("reset").step("call"),
        json!({ "ended": "reset", "ended_by": "server" }),
    );
    has(
        lab.case("icmp").step("after"),
        json!({ "error": "deadline" }),
    );
    has(
        lab.case("icmp").step("call"),
        json!({ "ended": "open", "ended_by": "" }),
    );
}

#[test]
fn the_kernel_gives_up_on_an_open_connection() {
    let Some(case) = once(
        r#"
hosts:
  client: { zone: b, sysctls: { net.ipv4.tcp_retries2: 1 } }
  web: { zone: a, serve: { 80: echo } }
steps:
  - connect: { as: call, from: client, to: "web:80" }
  - exchange: { over: call }
  - run: { on_host: web, command: "nft add table ip f; nft 'add chain ip f in { type filter hook input priority 0; policy drop; }'" }
  - exchange: { over: call, as: after, timeout: 30s }
"#,
    ) else {
        return;
    };
    has(
        case.step("after"),
        json!({ "error": "timeout", "errno": 110 }),
    );
    has(
        case.step("call"),
        json!({ "ended": "timeout", "ended_by": "" }),
    );
    assert!(case.counter("client", "TcpExtTCPAbortOnTimeout") == 1);
}
