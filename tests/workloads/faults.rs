//! Faults that a story makes: frozen servers, lost power, cut links, dropped packets, and their end.

use crate::kit::{fine, has, once, play};
use serde_json::json;

#[test]
fn a_frozen_server_s_kernel_goes_on_and_its_program_does_when_healed() {
    let Some(case) = once(
        r#"
hosts:
  client: {}
  web:
    serve:
      80: echo
      53/udp: echo
      8080: { command: "python3 -m http.server 8080" }
steps:
  - connect: { as: old, from: client, to: "web:80" }
  - connect: { as: page, from: client, to: "web:8080" }
  - freeze: web
  - exchange: { over: old, as: hangs, timeout: 100ms }
  - connect: { as: new, from: client, to: "web:80" }
  - exchange: { over: new, as: hangs_too, timeout: 100ms }
  - connect: { as: ask, from: client, to: "web:53/udp" }
  - exchange: { over: ask, as: silence, timeout: 100ms }
  - run: { as: stopped, on_host: client, command: "python3 -c 'import urllib.request as u; u.urlopen(\"http://web:8080/\", timeout=0.3)'" }
  - heal: web
  - receive: { over: old, as: answer }
  - receive: { over: new, as: answer_too }
  - receive: { over: ask, as: late }
  - run: { as: served, on_host: client, command: "python3 -c 'import urllib.request as u; u.urlopen(\"http://web:8080/\", timeout=5)'" }
"#,
    ) else {
        return;
    };
    for step in ["hangs", "hangs_too", "silence"] {
        has(case.step(step), json!({ "error": "deadline" }));
    }
    assert_eq!(case.step("stopped")["ok"], false);
    for step in [
        "old",
        "new",
        "ask",
        "answer",
        "answer_too",
        "late",
        "served",
    ] {
        fine(case.step(step));
    }
}

#[test]
fn a_host_without_power_says_nothing_and_a_reset_when_it_is_back() {
    let Some(case) = once(
        r#"
hosts:
  client: {}
  web: { serve: { 80: echo } }
steps:
  - connect: { as: old, from: client, to: web }
  - power_off: web
  - wait: 100ms
  - exchange: { over: old, as: hangs, timeout: 100ms }
  - connect: { as: new, from: client, to: web, timeout: 100ms }
  - heal: web
  - exchange: { over: old, as: after }
  - connect: { as: back, from: client, to: web }
"#,
    ) else {
        return;
    };
    let error = |step: &str, word: &str| has(case.step(step), json!({ "error": word }));
    error("hangs", "deadline");
    error("new", "deadline");
    error("after", "reset");
    error("back", "refused");
    // Whatever its kernel said when the sockets went did not get out, and nobody there knew the connection later.
    let said = case.packets(|p| p["sender"] == "web" && p["fate"] == "forwarded");
    let resets = said.iter().filter(|p| p["flags"].as_str() == Some("R"));
    assert!(resets.count() >= 1);
    assert!(said.iter().all(|p| p["flags"] != "F."));
}

/// Neither what a program had open, nor what a load opens and waits for, is there when the power is back.
#[test]
fn what_ran_on_a_host_does_not_outlive_its_power() {
    let Some(case) = once(
        r#"
hosts:
  client: {}
  web: { serve: { 80: echo, 81: sink, 82: echo } }
steps:
  - run:  { as: program, on_host: client, command: "bash -c 'exec 3<>/dev/tcp/web/82; sleep 60'", background: true }
  - load: { as: calls, from: client, to: "web:80", connections: 1000, rate: 50, background: true }
  - load: { as: waits, from: client, to: "web:81", request: 100, timeout: 60s, background: true }
  - wait_until: { as: there, that: '[":81", ":82"].all(port, hosts.client.sockets.exists(s, s.remote.endsWith(port)))', timeout: 10s }
  - wait_until: { as: several, that: 'hosts.client.sockets.filter(s, s.remote.endsWith(":80")).size() > 1', timeout: 10s }
  - power_off: client
  - wait_until: { as: over, that: "waits.failed == 1 && calls.attempts > 0", timeout: 10s }
  - heal: { as: back, host: client }
  - run: { as: left, on_host: client, command: "ss -Htan" }
"#,
    ) else {
        return;
    };
    for step in ["there", "several", "over"] {
        fine(case.step(step));
    }
    assert_eq!(case.step("waits")["errors"]["failed"], 1);
    let attempts = case.step("calls")["attempts"].as_i64().expect("a number");
    assert!(1 < attempts && attempts < 1000, "{attempts}");
    has(case.step("left"), json!({ "stdout": "" }));
}

/// It reaches nobody, and goes on when the power is back; what a load goes on with then ends with the next power cut.
#[test]
fn what_begins_without_power_is_not_ended_by_its_return() {
    let Some(case) = once(
        r#"
hosts:
  client: {}
  web: { serve: { 80: echo, 81: echo } }
steps:
  - power_off: client
  - load: { as: call, from: client, to: "web:80", timeout: 20s, background: true }
  - load: { as: calls, from: client, to: "web:81", connections: 1000, rate: 50, background: true }
  - wait_until: { as: dark, that: 'hosts.client.sockets.exists(s, s.state == "SYN_SENT" && s.remote.endsWith(":80"))', timeout: 10s }
  - heal: { as: back, host: client }
  - wait_until: { as: there, that: 'call.connected == 1 && hosts.client.sockets.exists(s, s.remote.endsWith(":81"))', timeout: 10s }
  - power_off: client
  - wait_until: { as: over, that: "calls.attempts > 0", timeout: 10s }
"#,
    ) else {
        return;
    };
    for step in ["dark", "call", "there", "over"] {
        fine(case.step(step));
    }
    let attempts = case.step("calls")["attempts"].as_i64().expect("a number");
    assert!(1 < attempts && attempts < 1000, "{attempts}");
}

#[test]
fn who_looks_at_a_reset_connection_takes_no_error_from_who_uses_it() {
    let Some(case) = once(
        r#"
hosts:
  client: {}
  web: { serve: { 80: never_accept } }
steps:
  - connect: { as: writes, from: client, to: web }
  - connect: { as: reads, from: client, to: web }
  - kill: web
  - wait_until: { as: seen, that: writes.ended == "reset" && reads.ended == "reset", timeout: 5s }
  - send:    { over: writes, as: written, bytes: 1 }
  - receive: { over: reads, as: read, bytes: 1 }
  - send:    { over: writes, as: again, bytes: 1 }
"#,
    ) else {
        return;
    };
    fine(case.step("seen"));
    let error = |step: &str, word: &str| has(case.step(step), json!({ "error": word }));
    error("written", "reset");
    error("read", "reset");
    // The kernel says it once.
    error("again", "closed");
}

#[test]
fn a_cut_link_loses_everything_and_tcp_goes_on_when_it_is_mended() {
    let Some(case) = once(
        r#"
hosts:
  client: {}
  web: { serve: { 80: echo } }
steps:
  - connect: { as: old, from: client, to: web }
  - link_down: web
  - exchange: { over: old, as: hangs, timeout: 100ms }
  - heal: {}
  - receive: { over: old, as: answer, timeout: 5s }
"#,
    ) else {
        return;
    };
    has(case.step("hangs"), json!({ "error": "deadline" }));
    fine(case.step("answer"));
    has(
        case.connection("old"),
        json!({ "ended": "open", "delivered": 64 }),
    );
}

#[test]
fn dropped_packets_are_counted_under_the_step_and_super_packets_one_by_one() {
    let Some(case) = once(
        r#"
hosts:
  client: { sysctls: { net.ipv4.tcp_sack: 1 } }
  web: { zone: a, serve: { 80: sink, 81: echo } }
target_groups:
  web: { targets: [web] }
load_balancers:
  front: { zones: [a], listeners: { 80: web, 81: web } }
steps:
  - drop: { as: first_answer, from: front, to: client, flags: S., count: 1 }
  - connect: { as: late, from: client, to: "front:80" }
  - drop: { as: one, from: client, to: web, length: 1448, nth: 3, count: 1 }
  - send: { over: late, bytes: 100000 }
  - wait_until: { as: arrived, that: late.delivered == 100000 }
  - drop: { as: all, from: client }
  - connect: { as: never, from: client, to: "front:81", timeout: 100ms }
  - heal: { drop: all }
  - connect: { as: again, from: client, to: "front:81" }
"#,
    ) else {
        return;
    };
    for step in ["late", "arrived", "again"] {
        fine(case.step(step));
    }
    has(case.step("first_answer"), json!({ "dropped": 1 }));
    has(case.step("one"), json!({ "dropped": 1 }));
    has(case.step("never"), json!({ "error": "deadline" }));
    assert_eq!(case.step("all")["dropped"], case.step("never")["syns"]);
    assert!(case.step("late")["ms"].as_f64().expect("a time") >= 900.0);
    let counters = &case.evidence["hosts"]["client"]["counters"];
    assert_eq!(
        counters["TcpRetransSegs"].as_i64().map(|n| n >= 1),
        Some(true)
    );
    let lost = case.packets(|p| p["fate"] == "dropped: drop-rule" && p["len"] == 1448);
    assert_eq!(lost.len(), 1);
}

#[test]
fn reloaded_servers_keep_what_they_accepted_and_hear_of_it_when_they_can() {
    let Some(lab) = play(
        r#"
hosts:
  client: {}
  web: { serve: { 80: echo, 81: never_accept, 53/udp: echo } }
steps:
  - connect: { as: old, from: client, to: "web:80" }
  - exchange: { over: old, as: greeted }
  - connect: { as: ask, from: client, to: "web:53/udp" }
  - freeze: { as: busy, host: web }
  - connect: { as: early, from: client, to: "web:80" }
  - connect: { as: unheard, from: client, to: "web:81" }
  - reload: { as: swap, host: web }
  - load: { as: beside, from: client, to: "web:80", connections: 40, hold: true, timeout: 500ms }
  - heal: { as: idle, host: web }
  - exchange: { over: old, as: still }
  - exchange: { over: ask, as: answer }
  - exchange: { over: early, as: first }
  - receive: { over: unheard, as: end, timeout: 300ms }
  - load: { as: next, from: client, to: "web:80", connections: 20, request: 8 }
  - stop: { as: over, host: web }
  - reload: { as: late, host: web }
  - connect: { as: gone, from: client, to: "web:80" }
"#,
        &[
            ("close", "{}"),
            ("pass", "{ steps.swap.listeners: pass }"),
            ("drain", "{ steps.swap.listeners: drain }"),
        ],
    ) else {
        return;
    };
    for (name, error) in [("close", "reset"), ("pass", ""), ("drain", "")] {
        let case = lab.case(name);
        for step in [
            "old", "greeted", "early", "swap", "idle", "still", "answer", "over",
        ] {
            fine(case.step(step));
        }
        has(case.step("first"), json!({ "error": error }));
        has(case.step("next"), json!({ "failed": 0 }));
        // Nobody is left to reload.
        has(case.step("late"), json!({ "error": "failed" }));
        has(case.step("gone"), json!({ "error": "refused" }));
        // Connections that nobody accepts have no way out of a closed queue, and go on waiting in one that is passed on.
        let unheard = if name == "pass" { "deadline" } else { "reset" };
        has(case.step("end"), json!({ "error": unheard }));
    }
}

/// A pod is a program of its node's machine.
#[test]
fn a_node_without_power_takes_its_pods_with_it() {
    let Some(lab) = play(
        r#"
hosts:
  c: { zone: b }
kubernetes:
  nodes: { n1: { zone: a }, n2: { zone: b } }
  pods:
    web: { node: n1, serve: { 8080: echo } }
    cli: { node: n1 }
    far: { node: n2, serve: { 8080: echo } }
  services:
    front:
      selector: web
      type: NodePort
      ports: [{ port: 80, targetPort: 8080, nodePort: 30080 }]
      externalTrafficPolicy: Local
steps:
  - connect: { as: held, from: c, to: "n1:30080" }
  - connect: { as: within, from: cli, to: "web:8080" }
  - connect: { as: out, from: cli, to: "far:8080" }
  - run: { as: runs, on_host: cli, command: "sleep 60", background: true }
  - power_off: { as: dies, host: n1 }
  - connect: { as: neighbour, from: cli, to: "web:8080", timeout: 300ms }
  - connect: { as: cluster, from: cli, to: "front/clusterIP:80", timeout: 300ms }
  - connect: { as: node, from: n1, to: "web:8080", timeout: 300ms }
  - run: { as: program, on_host: web, command: "true" }
  - run: { as: on_node, on_host: n1, command: "true" }
  - heal: { as: back, host: n1 }
  - run: { as: program_again, on_host: web, command: "ss -Htan | wc -l" }
  - run: { as: tracked, on_host: n1, command: "cat /proc/sys/net/netfilter/nf_conntrack_count" }
  - exchange: { over: held, as: old, timeout: 2s }
  - connect: { as: new, from: c, to: "n1:30080", timeout: 2s }
  - connect: { as: neighbour_again, from: cli, to: "web:8080", timeout: 2s }
  - connect: { as: out_again, from: cli, to: "far:8080", timeout: 2s }
"#,
        &[
            ("power", "{}"),
            (
                "link",
                "{ steps.dies: { link_down: { host: n1 } }, steps.neighbour.timeout: 5s, steps.cluster.timeout: 5s, steps.node.timeout: 5s }",
            ),
        ],
    ) else {
        return;
    };
    let case = lab.case("power");
    fine(case.step("dies"));
    for step in ["neighbour", "cluster", "node"] {
        has(case.step(step), json!({ "error": "deadline" }));
    }
    let dark =
        |host: &str| json!({ "error": "failed", "stderr": format!("{host} has no power\n") });
    has(case.step("program"), dark("web"));
    has(case.step("on_node"), dark("n1"));
    has(case.step("runs"), json!({ "error": "failed" }));
    // Its power is back: its network is as it was, and nothing on it remembers anything.
    has(case.step("program_again"), json!({ "stdout": "0\n" }));
    has(case.step("tracked"), json!({ "stdout": "0\n" }));
    has(case.step("old"), json!({ "error": "reset" }));
    has(case.step("new"), json!({ "error": "refused" }));
    has(case.step("neighbour_again"), json!({ "error": "refused" }));
    fine(case.step("out_again"));
    assert_eq!(case.evidence["hosts"]["web"]["sockets"], json!([]));

    // Only its link: within the node all goes on.
    let case = lab.case("link");
    for step in ["neighbour", "cluster", "node", "program", "old", "new"] {
        fine(case.step(step));
    }
}

/// What is on a router's bridge is a machine of its own, and the bridge is the router's.
#[test]
fn a_router_without_power_takes_its_bridges_and_not_who_is_behind_it() {
    let Some(case) = once(
        r#"
hosts:
  router: {}
  desk: { count: 2, behind: router, serve: { 80: echo } }
  member: { behind: { router: members }, setup: "ip route add 192.0.2.0/24 dev eth0" }
steps:
  - connect: { as: old, from: desk-1, to: "desk-2:80" }
  - exchange: { over: old }
  - power_off: router
  - connect: { as: neighbour, from: desk-1, to: "desk-2:80", timeout: 300ms }
  - connect: { as: across, from: member, to: "desk-2:80", timeout: 300ms }
  - run: { as: program, on_host: desk-1, command: "ss -Htan state established | wc -l" }
  - exchange: { over: old, as: hangs, timeout: 100ms }
  - heal: router
  - receive: { over: old, as: late, timeout: 5s }
  - connect: { as: neighbour_again, from: desk-1, to: "desk-2:80" }
  - connect: { as: across_again, from: member, to: "desk-2:80" }
  - run: { as: routes, on_host: member, command: "ip route show 192.0.2.0/24 | wc -l" }
"#,
    ) else {
        return;
    };
    for step in ["neighbour", "across", "hangs"] {
        has(case.step(step), json!({ "error": "deadline" }));
    }
    // Its end of `old` still stands.
    has(case.step("program"), json!({ "stdout": "1\n" }));
    for step in ["late", "neighbour_again", "across_again"] {
        fine(case.step(step));
    }
    has(case.step("routes"), json!({ "stdout": "1\n" }));
}

/// The table of what stands for IPVS is in the node's memory.
#[test]
fn a_node_s_service_proxy_forgets_with_its_power() {
    let Some(lab) = play(
        r#"
kubernetes:
  emulate: { proxy_mode: ipvs }
  nodes: { n1: { zone: a }, n2: { zone: a } }
  pods:
    cli: { node: n1 }
    web: { node: n2, serve: { 80: echo } }
  services:
    front: { type: ClusterIP, selector: web, ports: [{ port: 80 }] }
steps:
  - connect: { as: held, from: cli, to: "front:80" }
  - power_off: { as: dies, host: n1 }
"#,
        &[
            ("power", "{}"),
            ("link", "{ steps.dies: { link_down: { host: n1 } } }"),
        ],
    ) else {
        return;
    };
    for (name, entries) in [("power", 0), ("link", 1)] {
        let case = lab.case(name);
        fine(case.step("held"));
        has(
            &case.evidence["hosts"]["n1"]["service_proxy"],
            json!({ "entries": entries, "connections": 1 }),
        );
    }
}
