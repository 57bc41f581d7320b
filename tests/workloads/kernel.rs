//! What hosts' kernels say of themselves: why they dropped packets, and what their sockets wait for.

use crate::kit::{Case, fine, has, once, play};
use serde_json::{Value, json};

/// Drops of a host's kernel by its own reasons; none where it cannot be asked, which must be said then.
fn drops<'a>(evidence: &'a Value, host: &str) -> Option<&'a Value> {
    let drops = &evidence["hosts"][host]["kernel_drops"];
    let why = evidence["no_kernel_drops"].as_str().expect("a text");
    if drops.is_null() {
        assert!(!why.is_empty(), "absence is explained");
        eprintln!("SKIPPED: {why}");
        return None;
    }
    assert_eq!(why, "");
    Some(drops)
}

#[test]
fn drops_have_the_kernels_own_reasons_at_the_host_that_dropped() {
    let Some(lab) = play(
        r#"
hosts:
  client: { zone: b }
  web: { zone: a, serve: { 80: echo } }
  other: { zone: a, serve: { 80: echo } }
steps:
  - connect: { as: call, from: client, to: "web:81", timeout: 300ms }
  - connect: { as: beside, from: client, to: other }
"#,
        &[
            ("closed-port", "{}"),
            (
                "filter",
                "{ hosts.web.nft: \"table ip f { chain in { type filter hook input priority 0; tcp dport 81 drop; } }\" }",
            ),
        ],
    ) else {
        return;
    };
    for (case, reason) in [("closed-port", "NO_SOCKET"), ("filter", "NETFILTER_DROP")] {
        let evidence = &lab.case(case).evidence;
        let Some(web) = drops(evidence, "web") else {
            return;
        };
        assert!(web[reason].as_i64() >= Some(1), "{case}: {web}");
        let other = drops(evidence, "other").expect("it is the same kernel");
        assert!(other[reason].is_null(), "{case}: {other}");
    }
    let closed = drops(&lab.case("closed-port").evidence, "web").expect("as above");
    assert_eq!(closed["NO_SOCKET"], 1);
    assert!(closed["NETFILTER_DROP"].is_null());
}

#[test]
fn connection_tracking_counts_by_the_kernel_that_did_it() {
    // Four ports for six connections: the fifth and the sixth find no tuple, and each of their SYNs is dropped.
    let Some(case) = once(
        r#"
hosts:
  router:
    nft: |
      table ip nat {
        chain post { type nat hook postrouting priority srcnat; oifname "eth0" tcp dport 80 masquerade to :40000-40003 }
      }
  desk: { behind: router, sysctls: { net.ipv4.tcp_syn_linear_timeouts: 0 } }
  web: { zone: a, public_address: auto, serve: { 80: echo } }
  other: { zone: a, serve: { 80: echo } }
steps:
  - load: { as: pool, from: desk, to: web/public, connections: 6, hold: true, timeout: 2s }
"#,
    ) else {
        return;
    };
    has(case.step("pool"), json!({ "connected": 4, "failed": 2 }));
    let router = &case.evidence["hosts"]["router"]["conntrack"]["counters"];
    let connections = case.connections("pool");
    let lost = connections.iter().filter(|one| one["error"] == "deadline");
    let syns: i64 = lost.map(|one| one["syns"].as_i64().expect("a count")).sum();
    assert!(syns >= 2, "{syns}");
    has(
        router,
        json!({ "insert_failed": syns, "drop": syns, "invalid": 0 }),
    );
    // A bridge's own IGMP report may be in the table besides.
    let entries = router["entries"].as_i64();
    assert!((4..=5).contains(&entries.expect("a count")), "{router}");
    let other = &case.evidence["hosts"]["other"]["conntrack"]["counters"];
    has(other, json!({ "entries": 0, "insert_failed": 0 }));
}

#[test]
fn a_socket_tells_what_it_waits_for() {
    let Some(lab) = play(
        r#"
hosts:
  client: { zone: b }
  web: { zone: a, serve: { 80: echo } }
steps:
  - connect: { as: call, from: client, to: web }
  - exchange: { over: call, as: before, bytes: 10 }
  - wait_until: { as: acknowledged, that: "hosts.web.sockets.all(s, s.send_queue == 0)", timeout: 5s }
  - drop: { from: client }
  - send: { over: call, as: lost, bytes: 64 }
  - wait_until: { that: "hosts.client.sockets.exists(s, s.retransmits >= 2)", as: twice, timeout: 20s }
"#,
        &[("only", "{}")],
    ) else {
        return;
    };
    fine(lab.case("only").step("acknowledged"));
    let evidence = &lab.case("only").evidence;
    let socket = &evidence["hosts"]["client"]["sockets"][0];
    assert_eq!(socket["state"], "ESTABLISHED", "{socket}");
    assert_eq!(socket["send_queue"], 64, "{socket}");
    assert_eq!(socket["timer"], "on", "{socket}");
    assert!(socket["retransmits"].as_i64() >= Some(2), "{socket}");
    let there = &evidence["hosts"]["web"]["sockets"][0];
    assert_eq!(
        (&there["send_queue"], &there["timer"]),
        (&0.into(), &"".into()),
        "{there}"
    );
}

/// A router refuses what passes through it, and tells the client, which is inside of it: the network never sees that.
#[test]
fn icmp_errors_inside_hosts_are_seen() {
    let body = r#"
hosts:
  router:
    nft: |
      table ip f { chain c { type filter hook forward priority 0; tcp dport 81 reject with icmp type host-unreachable; } }
  shell: { behind: router }
  web: { address: 192.0.2.10, serve: { 80: echo, 81: echo } }
steps:
  - connect: { as: refused, from: shell, to: "web:81", timeout: 5s }
"#;
    let Some(case) = once(body) else { return };
    assert_eq!(case.step("refused")["error"], "unreachable");
    let told = case.packets(|p| p["protocol"] == "icmp" && p["receiver"] == "shell");
    let icmp = &told.first().expect("the router's message")["icmp"];
    assert_eq!(icmp["says"], "host unreachable");
    assert_eq!(icmp["to"], "192.0.2.10:81");
}

/// What nobody accepts waits at the listening socket, which is no connection's.
#[test]
fn listening_sockets_tell_who_waits_to_be_accepted() {
    let Some(case) = once(
        r#"
hosts:
  client: {}
  web: { zone: a, public_address: auto, serve: { 80: echo, 81: { never_accept: { backlog: 3 } } } }
steps:
  - load: { as: queued, from: client, to: "web/public:81", connections: 2, hold: true, timeout: 2s }
  - wait_until: { as: there, that: 'hosts.web.listeners.exists(l, l.local.endsWith(":81") && l.waiting == 2 && l.backlog == 3)', timeout: 5s }
"#,
    ) else {
        return;
    };
    fine(case.step("there"));
    let host = &case.evidence["hosts"]["web"];
    let listeners = host["listeners"].as_array().expect("they were asked for");
    let waits: Vec<i64> = listeners
        .iter()
        .map(|one| one["waiting"].as_i64().expect("a number"))
        .collect();
    assert_eq!(waits.iter().sum::<i64>(), 2, "{listeners:?}");
    assert!(
        waits.contains(&0),
        "the other port has nobody: {listeners:?}"
    );
    assert_eq!(case.sockets("web", "LISTEN"), 0);
    assert_eq!(case.sockets("web", "ESTABLISHED"), 2);
}

/// A client and a server that do this.
fn of_two(steps: &str) -> Option<Case> {
    once(&format!(
        "hosts:\n  client: {{}}\n  web: {{ serve: {{ 80: echo }} }}\nsteps:\n{steps}"
    ))
}

#[test]
fn a_socket_is_that_of_the_latest_connection_between_its_ends() {
    let Some(case) = of_two(
        "  - connect: { as: first, from: client, to: web, source_port: 40000 }
  - close: { over: first }
  - wait_until: { as: over, that: 'hosts.client.sockets.all(s, s.state == \"TIME_WAIT\")', timeout: 5s }
  - connect: { as: second, from: client, to: web, source_port: 40000 }
",
    ) else {
        return;
    };
    // The port was bound: TIME_WAIT gives way at once.
    fine(case.step("over"));
    has(
        case.connection("second"),
        json!({ "client_state": "ESTABLISHED", "server_state": "ESTABLISHED" }),
    );
    has(
        case.connection("first"),
        json!({ "client_state": "", "server_state": "" }),
    );
}

#[test]
fn a_servers_socket_is_not_that_of_an_earlier_connection_which_it_never_accepted() {
    let Some(case) = of_two(
        "  - drop: { as: lost, from: client, flags: S }
  - connect: { as: first, from: client, to: web, source_port: 40000, timeout: 300ms }
  - close: first
  - heal: { drop: lost }
  - connect: { as: second, from: client, to: web, source_port: 40000 }
",
    ) else {
        return;
    };
    has(case.step("first"), json!({ "error": "deadline" }));
    has(case.connection("first"), json!({ "server_state": "" }));
    has(
        case.connection("second"),
        json!({ "server_state": "ESTABLISHED" }),
    );
}

/// A connection whose client has lost it stands at its server, where a later one between the same ends was not accepted.
#[test]
fn a_servers_socket_is_that_of_the_latest_connection_that_it_accepted() {
    let Some(case) = of_two(
        "  - connect: { as: first, from: client, to: web, source_port: 40000 }
  - exchange: { over: first }
  - power_off: client
  - heal: { host: client }
  - drop: { from: client, flags: R }
  - connect: { as: second, from: client, to: web, source_port: 40000, timeout: 300ms }
",
    ) else {
        return;
    };
    has(case.step("second"), json!({ "error": "deadline" }));
    has(
        case.connection("first"),
        json!({ "client_state": "", "server_state": "ESTABLISHED" }),
    );
}
