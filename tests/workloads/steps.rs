//! What each step does, and what its result says.

use crate::kit::{fine, has, ms, once, play};
use serde_json::json;

const PAIR: &str = "
hosts:
  client: { zone: b }
  web: { zone: a, serve: { 80: echo, 81: sink, 82: { source: { bytes: 10, every: 2ms } }, 83: { never_accept: { backlog: 9 } } } }
";

#[test]
fn bytes_go_both_ways_and_are_counted() {
    let Some(case) = once(&format!(
        r#"{PAIR}
steps:
  - connect: {{ as: talk, from: client, to: "web:80", source_port: 41000 }}
  - exchange: {{ over: talk, as: paced, bytes: 100, times: 4, every: 10ms }}
  - send: {{ over: talk, as: half, bytes: 50, times: 2 }}
  - receive: {{ over: talk, as: other_half, bytes: 100 }}
  - exchange: {{ over: talk, as: bulk, bytes: 1000000, timeout: 20s }}
  - receive: {{ over: talk, as: too_much, bytes: 1, timeout: 20ms }}
"#
    )) else {
        return;
    };
    has(
        case.step("paced"),
        json!({ "ok": true, "sent": 400, "received": 400, "unacked": 0 }),
    );
    // The first at once, three more 10 ms apart.
    assert!(ms(case.step("paced")) >= 30.0);
    has(
        case.step("half"),
        json!({ "ok": true, "sent": 100, "received": 0 }),
    );
    has(
        case.step("other_half"),
        json!({ "ok": true, "sent": 0, "received": 100 }),
    );
    has(
        case.step("bulk"),
        json!({ "ok": true, "sent": 1_000_000, "received": 1_000_000 }),
    );
    has(
        case.step("too_much"),
        json!({ "ok": false, "error": "deadline", "errno": 0 }),
    );
    assert!(ms(case.step("too_much")) >= 20.0);
    let talk = case.connection("talk");
    has(
        talk,
        json!({
            "from": "client", "via": "web", "target": "web", "flow": null, "syns": 1,
            "sent": 1_000_500, "received": 1_000_500, "delivered": 1_000_500, "lost": 0, "unacked": 0,
            "ended": "open", "ended_by": "", "client_state": "ESTABLISHED", "server_state": "ESTABLISHED",
        }),
    );
    let local = talk["local"].as_str().expect("text");
    assert!(local.ends_with(":41000"), "{local}");
    assert_eq!(talk["seen_as"], talk["local"]);
    assert_eq!(talk["target_address"], talk["remote"]);
    let starts: Vec<f64> = ["talk", "paced", "half", "other_half", "bulk", "too_much"]
        .map(|step| case.step(step)["at"].as_f64().expect("a time"))
        .into();
    assert!(starts.is_sorted(), "{starts:?}");
}

#[test]
fn what_was_delivered_and_not_acknowledged_is_known_after_the_end_too() {
    let steps = r#"
hosts:
  client: { zone: a }
  web: { zone: a, serve: { 80: { never_accept: { backlog: 4 } } } }
steps:
  - connect: { as: call, from: client, to: "web:80" }
  - send: { over: call, bytes: 1000 }
  - wait_until: { as: arrived, that: call.delivered == 1000, timeout: 5s }
  - connect: { as: cut, from: client, to: "web:80" }
  - link_down: web
  - send: { over: cut, bytes: 500 }
  - abort: { over: call, as: end }
  - abort: { over: cut, as: end_too }
"#;
    let Some(lab) = play(
        steps,
        &[
            ("abort", "{}"),
            (
                "close",
                "{ steps.end: { close: { over: call } }, steps.end_too: { close: { over: cut } } }",
            ),
            ("power", "{ steps.end: { power_off: client } }"),
        ],
    ) else {
        return;
    };
    for name in ["abort", "close", "power"] {
        let case = lab.case(name);
        fine(case.step("arrived"));
        has(
            case.connection("call"),
            json!({ "sent": 1000, "delivered": 1000, "lost": 0, "unacked": 0, "ended": "closed" }),
        );
        has(
            case.connection("cut"),
            json!({ "sent": 500, "delivered": 0, "unacked": 500, "ended": "closed" }),
        );
    }
}

#[test]
fn a_client_ends_a_connection_in_three_ways() {
    let Some(case) = once(&format!(
        r#"{PAIR}
steps:
  - connect: {{ as: closed, from: client, to: "web:80" }}
  - exchange: {{ over: closed }}
  - close: {{ over: closed, as: closing }}
  - send: {{ over: closed, as: after_close, bytes: 1 }}
  - close: {{ over: closed, as: twice }}
  - connect: {{ as: aborted, from: client, to: "web:80" }}
  - exchange: {{ over: aborted }}
  - abort: aborted
  - receive: {{ over: aborted, as: after_abort, bytes: 1 }}
  - connect: {{ as: half, from: client, to: "web:80" }}
  - send: {{ over: half, bytes: 10 }}
  - shutdown: half
  - send: {{ over: half, as: after_shutdown, bytes: 1 }}
  - receive: {{ over: half, as: rest, bytes: 10 }}
  - receive: {{ over: half, as: end, bytes: 1 }}
  - connect: {{ as: never, from: client, to: "web:99" }}
  - send: {{ over: never, as: to_nobody, bytes: 1 }}
  - shutdown: {{ over: never, as: nothing_to_shut }}
"#
    )) else {
        return;
    };
    fine(case.step("closing"));
    has(
        case.step("after_close"),
        json!({ "error": "closed", "sent": 0 }),
    );
    has(case.step("twice"), json!({ "error": "closed" }));
    has(
        case.connection("closed"),
        json!({ "ended": "closed", "ended_by": "client", "client_state": "TIME_WAIT", "server_state": "", "delivered": 64, "lost": 0 }),
    );
    has(case.step("after_abort"), json!({ "error": "closed" }));
    has(
        case.connection("aborted"),
        json!({ "ended": "closed", "ended_by": "client", "client_state": "", "server_state": "", "server_error": "reset" }),
    );
    let local = &case.step("aborted")["local"];
    let resets = case
        .packets(|p| p["from"] == *local && p["flags"].as_str().is_some_and(|f| f.contains('R')));
    assert_eq!(resets.len(), 1);
    // Half closed: what was sent still comes back, nothing more can be sent.
    has(
        case.step("after_shutdown"),
        json!({ "error": "closed", "errno": 32 }),
    );
    has(
        case.step("rest"),
        json!({ "ok": true, "text": "abcdefghij" }),
    );
    has(case.step("end"), json!({ "error": "eof" }));
    has(
        case.step("half"),
        json!({ "ended": "eof", "ended_by": "client", "sent": 10, "received": 10 }),
    );
    has(case.step("to_nobody"), json!({ "error": "not-connected" }));
    has(
        case.step("nothing_to_shut"),
        json!({ "error": "not-connected" }),
    );
    assert!(case.counter("client", "TcpOutRsts") >= 1);
}

#[test]
fn a_server_ends_its_connections_in_three_ways() {
    let Some(lab) = play(
        r#"
hosts:
  client: { zone: b }
  web: { zone: a, serve: { 80: echo, 83: { never_accept: { backlog: 9 } } } }
steps:
  - connect: { as: talk, from: client, to: "web:80" }
  - exchange: { over: talk }
  - connect: { as: unread, from: client, to: "web:83" }
  - send: { over: unread, as: never_read, bytes: 100 }
  - connect: { as: speaker, from: client, to: "web:80" }
  - exchange: { over: speaker, as: before }
  - stop: { as: end, host: web }
  - receive: { over: talk, as: heard, bytes: 1 }
  - receive: { over: unread, as: heard_too, bytes: 1 }
  - send: { over: speaker, as: in_vain, bytes: 100, times: 10, every: 50ms }
  - connect: { as: late, from: client, to: "web:80" }
"#,
        &[
            ("fin", "{}"),
            ("rst", "{ steps.end: { stop: { host: web, with: reset } } }"),
            ("kill", "{ steps.end: { kill: web } }"),
        ],
    ) else {
        return;
    };
    for name in ["fin", "rst", "kill"] {
        let case = lab.case(name);
        fine(case.step("end"));
        let word = if name == "rst" { "reset" } else { "eof" };
        has(case.step("heard"), json!({ "ok": false, "error": word }));
        has(
            case.connection("talk"),
            json!({ "ended": word, "ended_by": "server", "delivered": 64, "lost": 0 }),
        );
        // Nobody read it, so the kernel resets, however polite the program was.
        has(
            case.step("heard_too"),
            json!({ "error": "reset", "errno": 104 }),
        );
        // What comes to a program that is gone is reset, and nothing of it acknowledged.
        let word = if name == "rst" { "reset" } else { "closed" };
        has(case.step("in_vain"), json!({ "error": word }));
        has(
            case.connection("speaker"),
            json!({ "ended_by": "server", "delivered": 64, "lost": 0 }),
        );
        has(case.step("late"), json!({ "error": "refused" }));
        assert!(case.counter("web", "TcpOutRsts") >= 3, "{name}");
    }
}

#[test]
fn waiting_is_for_a_time_or_for_a_fact() {
    let Some(case) = once(&format!(
        r#"{PAIR}
steps:
  - wait: {{ as: pause, for: 30ms }}
  - connect: {{ as: feed, from: client, to: "web:82" }}
  - receive: {{ over: feed, as: fed, bytes: 100, background: true }}
  - wait_until: {{ as: enough, that: "feed.received >= 100", timeout: 10s }}
  - connect: {{ as: quiet, from: client, to: "web:81" }}
  - send: {{ over: quiet, as: drip, bytes: 1, times: 20, every: 5ms, background: true }}
  - wait_until: {{ as: half, that: "quiet.delivered >= 10 && hosts.web.counters.TcpPassiveOpens == 2", timeout: 10s }}
  - wait_until: {{ as: in_vain, that: "quiet.ended == 'reset'", timeout: 40ms }}
"#
    )) else {
        return;
    };
    fine(case.step("pause"));
    assert!(ms(case.step("pause")) >= 30.0);
    fine(case.step("enough"));
    fine(case.step("half"));
    has(
        case.step("in_vain"),
        json!({ "ok": false, "error": "deadline" }),
    );
    assert!(ms(case.step("in_vain")) >= 40.0);
    // What goes on beside is waited for at the end.
    has(case.step("drip"), json!({ "ok": true, "sent": 20 }));
    assert!(ms(case.step("drip")) >= 19.0 * 5.0);
    has(case.step("quiet"), json!({ "delivered": 20 }));
}

#[test]
fn a_load_opens_as_many_as_it_says() {
    let Some(case) = once(
        r#"
hosts:
  desk: { zone: b, count: 3 }
  web: { zone: a, count: 2, serve: { 80: echo } }
target_groups:
  web: { targets: [web] }
load_balancers:
  front: { scheme: internal, zones: [a], listeners: { 80: web } }
steps:
  - load: { as: held, from: desk, to: front, connections: 5, hold: true }
  - exchange: { over: held, as: all, bytes: 10, times: 2 }
  - load: { as: paced, from: desk-1, to: "web-1:80", connections: 10, source_port: 20000, rate: 200, request: 40 }
  - load: { as: nowhere, from: desk-2, to: "web-2:99", connections: 4 }
  - connect: { as: single, from: desk-3, to: front }
  - close: { over: held, as: over_now }
  - exchange: { over: held, as: too_late }
"#,
    ) else {
        return;
    };
    let held = case.step("held");
    has(
        held,
        json!({ "ok": true, "attempts": 15, "connected": 15, "failed": 0, "retried": 0 }),
    );
    let by_target = held["by_target"].as_object().expect("a map");
    let of = |target: &str| by_target[target].as_i64().expect("a count");
    assert_eq!(of("web-1") + of("web-2"), 15, "{held}");
    assert_eq!(of("desk-1"), 0, "dense over the hosts: {held}");
    let quantiles = ["min", "p50", "p90", "p99", "max"]
        .map(|name| held["connect_ms"][name].as_f64().expect("a time"));
    assert!(quantiles.is_sorted() && quantiles[0] > 0.0, "{quantiles:?}");
    has(
        case.step("all"),
        json!({ "ok": true, "attempts": 15, "failed": 0 }),
    );
    for connection in case.connections("held") {
        has(
            connection,
            json!({ "sent": 20, "received": 20, "delivered": 20, "ended": "closed", "ended_by": "client" }),
        );
    }
    let mut callers: Vec<_> = case
        .connections("held")
        .iter()
        .map(|c| c["from"].as_str().expect("a name"))
        .collect();
    callers.dedup();
    assert_eq!(
        callers,
        ["desk-1", "desk-2", "desk-3"],
        "five of each, in order"
    );
    // The tenth starts nine intervals after the first.
    has(
        case.step("paced"),
        json!({ "ok": true, "attempts": 10, "connected": 10 }),
    );
    assert!(ms(case.step("paced")) >= 9.0 * 5.0);
    for (connection, port) in case.connections("paced").into_iter().zip(20_000..) {
        has(
            connection,
            json!({ "sent": 40, "received": 40, "ended": "closed" }),
        );
        let end = connection["local"].as_str().expect("an end");
        assert!(end.ends_with(&format!(":{port}")), "{end}, not {port}");
    }
    let nowhere = case.step("nowhere");
    has(
        nowhere,
        json!({ "ok": false, "error": "refused", "attempts": 4, "connected": 0, "failed": 4 }),
    );
    assert_eq!(nowhere["errors"]["refused"], 4);
    assert_eq!(nowhere["errors"]["reset"], 0, "dense: {nowhere}");
    fine(case.step("over_now"));
    has(
        case.step("too_late"),
        json!({ "ok": false, "error": "closed", "attempts": 15, "failed": 15 }),
    );
    // The one of its own is left.
    assert_eq!(case.sockets("desk-3", "ESTABLISHED"), 1);
    assert_eq!(case.sockets("desk-1", "ESTABLISHED"), 0);
    assert_eq!(case.evidence["load_balancers"]["front"]["flows"], 16);
    assert_eq!(case.metric("front", "NewFlowCount_TCP"), 16);
    let flows = |target: &str| {
        case.evidence["target_groups"]["web"]["targets"][target]["flows"]
            .as_i64()
            .expect("a count")
    };
    assert_eq!(flows("web-1") + flows("web-2"), 16);
    assert!(flows("web-1") >= of("web-1") && flows("web-2") >= of("web-2"));
}

#[test]
fn programs_end_with_their_exit_code_or_at_the_limit() {
    let Some(case) = once(&format!(
        r#"{PAIR}
steps:
  - run: {{ as: good, on_host: client, command: "echo out; echo err >&2" }}
  - run: {{ as: bad, on_host: client, command: "echo before; exit 3" }}
  - run: {{ as: slow, on_host: client, command: "echo begun; sleep 60; echo never", timeout: 2s }}
  - run: {{ as: missing, on_host: client, command: "no-such-program-here" }}
  - run: {{ as: policy, on_host: client, command: "cut -d' ' -f41 /proc/self/stat" }}
  - run: {{ as: signal, on_host: client, command: "kill -9 $$$$" }}
  - run: {{ as: daemon, on_host: client, command: "(setsid sleep 60 &) ; echo left" }}
  - run: {{ as: beside, on_host: web, background: true, command: "echo begun; echo here > /run/beside; sleep 600", timeout: 600s }}
  - run: {{ as: sees, on_host: web, command: "while ! test -s /run/beside; do sleep 0.01; done; cat /run/beside" }}
  - run:
      as: script
      on_host: web
      script: |
        set -e
        cd /run
        for n in 1 2 3; do echo "line $n"; done
        hostname
"#
    )) else {
        return;
    };
    has(
        case.step("good"),
        json!({ "ok": true, "exit_code": 0, "stdout": "out\n", "stderr": "err\n" }),
    );
    has(
        case.step("bad"),
        json!({ "ok": false, "error": "failed", "exit_code": 3, "stdout": "before\n" }),
    );
    has(
        case.step("slow"),
        json!({ "ok": false, "error": "deadline", "exit_code": -1, "stdout": "begun\n" }),
    );
    assert!(ms(case.step("slow")) >= 2000.0);
    // SCHED_BATCH: it leaves the processor to the fabric that wakes it.
    has(case.step("policy"), json!({ "stdout": "3\n" }));
    has(
        case.step("missing"),
        json!({ "ok": false, "error": "failed", "exit_code": 127 }),
    );
    let why = case.step("missing")["stderr"].as_str().expect("text");
    assert!(why.contains("no-such-program-here"), "{why}");
    has(
        case.step("signal"),
        json!({ "ok": false, "error": "failed", "exit_code": -1 }),
    );
    has(
        case.step("daemon"),
        json!({ "ok": true, "stdout": "left\n" }),
    );
    has(case.step("sees"), json!({ "ok": true, "stdout": "here\n" }));
    // What runs beside the story ends with it, and keeps what it has said.
    has(
        case.step("beside"),
        json!({ "ok": false, "error": "deadline", "exit_code": -1, "stdout": "begun\n" }),
    );
    let said = case.step("script")["stdout"].as_str().expect("text");
    assert!(said.starts_with("line 1\nline 2\nline 3\n"), "{said}");
}

/// The pipe that its output goes through holds 64 KiB: a program that says more is not kept waiting, and what it says late is
/// waited for like what it says early.
#[test]
fn of_long_output_the_beginning_is_kept_and_all_of_it_is_searched() {
    let Some(case) = once(
        r#"
hosts:
  client: { zone: b }
  web: { zone: a, serve: { 80: { command: "head -c 70000 /dev/zero | tr '\\0' x; echo READY; exec sleep 60", ready: READY } } }
steps:
  - run: { as: long, on_host: client, command: "head -c 70000 /dev/zero | tr '\\0' x; echo READY; head -c 100000 /dev/zero >&2" }
  - run: { as: longer, on_host: client, command: "(head -c 20000000 /dev/zero; touch /run/said) & wait; ls /run/said >&2" }
"#,
    ) else {
        return;
    };
    let long = case.step("long");
    has(
        long,
        json!({ "ok": true, "stdout": "x".repeat(65536), "stdout_cut": 4470, "stderr_cut": 34464 }),
    );
    has(
        case.step("longer"),
        json!({ "ok": true, "stdout_cut": 19_934_464, "stderr": "/run/said\n" }),
    );
}

#[test]
fn what_came_before_an_exchange_is_not_its_answer() {
    let Some(case) = once(
        r#"
hosts:
  client: {}
  web: { serve: { 80: echo } }
steps:
  - connect: { as: call, from: client, to: "web:80" }
  - send: { over: call, as: early, bytes: 100 }
  - wait_until: { that: "hosts.client.sockets.exists(s, s.recv_queue == 100)" }
  - exchange: { over: call, as: own, bytes: 64 }
  - send: { over: call, as: unread, bytes: 100 }
  - wait_until: { that: "hosts.client.sockets.exists(s, s.recv_queue == 100)" }
  - freeze: web
  - exchange: { over: call, as: silent, bytes: 64, timeout: 200ms }
"#,
    ) else {
        return;
    };
    has(case.step("own"), json!({ "ok": true, "received": 64 }));
    has(
        case.step("silent"),
        json!({ "ok": false, "error": "deadline", "received": 0 }),
    );
}
