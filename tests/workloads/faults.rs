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
    has(case.step("all"), json!({ "dropped": 1 }));
    has(
        case.step("never"),
        json!({ "error": "deadline", "syns": 1 }),
    );
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
