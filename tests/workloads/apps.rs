//! What each `serve` app says.

use crate::kit::{fine, has, ms, once, refused};
use serde_json::json;
use std::collections::BTreeSet;

/// A web client in the perl that every Debian and Ubuntu has.
const GET: &str = r#"perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new("web:86") or die "no: $!"; for my $p ("/one", "/two?x=1") { print $s "GET $p HTTP/1.1\r\nHost: shop.example\r\n\r\n"; my $all = ""; while ($all !~ /web\n$/) { sysread($s, $all, 512, length $all) or die "cut" } print $all } print $s "GET /last HTTP/1.1\r\nHOST: shop.example\r\nConnection: close\r\n\r\n"; print <$s>'"#;

/// Asks for the name over UDP, as a resolver would.
const ASK: &str = r#"perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(PeerAddr => "web:53", Proto => "udp") or die "no: $!"; alarm 5; $s->send("who"); $s->recv(my $said, 99); print $said'"#;

#[test]
fn every_app_says_what_it_is_for() {
    let body = format!(
        r#"
hosts:
  client: {{ zone: b }}
  web:
    zone: a
    serve:
      80: echo
      81: {{ echo: {{ idle_close: 1s }} }}
      82: sink
      83: {{ banner: {{ text: hello there }} }}
      84: name
      85: {{ source: {{ bytes: 100, every: 4ms }} }}
      86: http
      53/udp: name
steps:
  - connect: {{ as: echo, from: client, to: "web:80" }}
  - exchange: {{ over: echo, as: echoed, bytes: 30 }}
  - connect: {{ as: idle, from: client, to: "web:81" }}
  - exchange: {{ over: idle, as: before }}
  - receive: {{ over: idle, as: idle_end, bytes: 1, timeout: 10s }}
  - connect: {{ as: sink, from: client, to: "web:82" }}
  - send: {{ over: sink, as: sunk, bytes: 1000, times: 3 }}
  - receive: {{ over: sink, as: nothing, bytes: 1, timeout: 50ms }}
  - connect: {{ as: banner, from: client, to: "web:83" }}
  - receive: {{ over: banner, as: greeting, bytes: 12 }}
  - exchange: {{ over: banner, as: small_talk, bytes: 5 }}
  - connect: {{ as: name, from: client, to: "web:84" }}
  - send: {{ over: name, as: question, bytes: 1 }}
  - receive: {{ over: name, as: answer, bytes: 4 }}
  - connect: {{ as: source, from: client, to: "web:85" }}
  - receive: {{ over: source, as: stream, bytes: 1000 }}
  - run:
      as: get
      on_host: client
      command: >-
        {GET}
  - run:
      as: ask
      on_host: client
      command: >-
        {ASK}
"#
    );
    let Some(case) = once(&body) else { return };
    has(
        case.step("echoed"),
        json!({ "ok": true, "sent": 30, "received": 30, "unacked": 0, "text": "abcdefghijklmnopqrstuvwxyzabcd" }),
    );
    fine(case.step("before"));
    has(
        case.step("idle_end"),
        json!({ "ok": false, "error": "eof", "received": 0 }),
    );
    let from_to = |first: &str, last: &str| {
        let at = |step: &str| case.step(step)["at"].as_f64().expect("a time");
        at(last) + ms(case.step(last)) - at(first)
    };
    assert!(from_to("before", "idle_end") >= 1000.0, "closed too early");
    has(
        case.step("idle"),
        json!({ "ended": "eof", "ended_by": "server" }),
    );
    has(
        case.connection("idle"),
        json!({ "client_state": "CLOSE_WAIT", "server_state": "FIN_WAIT2" }),
    );
    has(case.step("sunk"), json!({ "ok": true, "sent": 3000 }));
    has(
        case.step("nothing"),
        json!({ "error": "deadline", "received": 0 }),
    );
    has(
        case.step("sink"),
        json!({ "sent": 3000, "delivered": 3000, "lost": 0, "unacked": 0, "received": 0, "ended": "open" }),
    );
    has(
        case.step("greeting"),
        json!({ "ok": true, "text": "hello there\n" }),
    );
    has(
        case.step("small_talk"),
        json!({ "ok": true, "text": "abcde" }),
    );
    has(case.step("answer"), json!({ "ok": true, "text": "web\n" }));
    has(
        case.step("stream"),
        json!({ "ok": true, "sent": 0, "received": 1000, "text": "s".repeat(1000) }),
    );
    assert!(
        from_to("source", "stream") >= 9.0 * 4.0 - 1.0,
        "ten chunks, the first at once"
    );
    let get = case.step("get");
    has(get, json!({ "ok": true, "exit_code": 0, "stderr": "" }));
    let said = get["stdout"].as_str().expect("text");
    assert_eq!(said.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{said}");
    assert_eq!(said.matches("\r\n\r\nweb\n").count(), 3, "{said}");
    let requests = case.evidence["hosts"]["web"]["requests"].as_array();
    let requests = requests.expect("a list of requests");
    assert_eq!(requests.len(), 3);
    for (request, path) in requests.iter().zip(["/one", "/two?x=1", "/last"]) {
        let wanted = json!({ "host": "shop.example", "path": path, "status": 200, "probe": false });
        has(request, wanted);
    }
    has(case.step("ask"), json!({ "ok": true, "stdout": "web\n" }));
    assert_eq!(case.packets(|p| p["protocol"] == "udp").len(), 2);
}

#[test]
fn a_server_that_never_accepts_fills_its_queue() {
    // Linux lets one more in than the backlog says.
    let Some(case) = once(
        r#"
hosts:
  client: { zone: b }
  web: { zone: a, serve: { 80: { never_accept: { backlog: 1 } } } }
steps:
  - connect: { as: one, from: client, to: web }
  - connect: { as: two, from: client, to: web }
  - send: { over: one, as: said, bytes: 100 }
  - receive: { over: one, as: heard, bytes: 1, timeout: 50ms }
  - connect: { as: three, from: client, to: web, timeout: 100ms }
"#,
    ) else {
        return;
    };
    fine(case.step("one"));
    fine(case.step("two"));
    has(case.step("said"), json!({ "ok": true, "sent": 100 }));
    has(case.step("heard"), json!({ "error": "deadline" }));
    has(case.step("one"), json!({ "ended": "open", "unacked": 0 }));
    has(
        case.step("three"),
        json!({ "ok": false, "error": "deadline", "ended": "" }),
    );
    assert!(case.counter("web", "TcpExtListenOverflows") >= 1);
    assert_eq!(case.sockets("web", "ESTABLISHED"), 2);
}

/// A TCP server of one's own, slow to start.
fn program(greeting: &str) -> String {
    format!(
        r#"perl -MIO::Socket::INET -e '$| = 1; select(undef, undef, undef, 0.15); my $l = IO::Socket::INET->new(Listen => 5, LocalPort => 9000, ReuseAddr => 1) or die "no: $!"; {greeting} while (my $c = $l->accept) {{ print $c "mine\n"; sysread($c, my $x, 9); close $c }}'"#
    )
}

#[test]
fn a_program_is_waited_for_by_port_or_by_log_line() {
    let by_port = program("");
    let by_line = program(
        r#"open(my $m, ">", "/run/mark") or die; print $m "was here"; close $m; print "warming up\nnow serving\n";"#,
    );
    let body = format!(
        r#"
hosts:
  client: {{ zone: b }}
  by-port:
    zone: a
    serve:
      9000:
        command: >-
          {by_port}
  by-line:
    zone: a
    serve:
      9000:
        ready: now serving
        command: >-
          {by_line}
steps:
  - connect: {{ as: first, from: client, to: by-port }}
  - receive: {{ over: first, as: heard, bytes: 5 }}
  - run: {{ as: mark, on_host: by-line, command: "cat /run/mark" }}
  - run: {{ as: elsewhere, on_host: client, command: "cat /run/mark" }}
  - connect: {{ as: second, from: client, to: by-line }}
  - receive: {{ over: second, as: heard_too, bytes: 5 }}
  - connect: {{ as: third, from: client, to: by-line }}
  - receive: {{ over: third, as: queued, bytes: 5, timeout: 50ms }}
  - kill: by-line
  - receive: {{ over: second, as: after_kill, bytes: 1 }}
  - connect: {{ as: nobody, from: client, to: by-line }}
"#
    );
    let Some(case) = once(&body) else { return };
    fine(case.step("first"));
    has(case.step("heard"), json!({ "ok": true, "text": "mine\n" }));
    has(
        case.step("mark"),
        json!({ "ok": true, "stdout": "was here" }),
    );
    // Each host has its own /run.
    has(
        case.step("elsewhere"),
        json!({ "ok": false, "error": "failed", "exit_code": 1 }),
    );
    has(
        case.step("heard_too"),
        json!({ "ok": true, "text": "mine\n" }),
    );
    has(case.step("queued"), json!({ "error": "deadline" }));
    has(case.step("after_kill"), json!({ "error": "eof" }));
    has(case.step("second"), json!({ "ended_by": "server" }));
    has(
        case.step("nobody"),
        json!({ "error": "refused", "errno": 111 }),
    );
}

#[test]
fn a_program_that_ends_at_once_is_reported_with_its_words() {
    let Some(said) = refused(
        r#"
hosts:
  client: { zone: b }
  web: { zone: a, serve: { 9000: { command: "echo no such database >&2; exit 7" } } }
steps:
  - connect: { from: client, to: web }
"#,
    ) else {
        return;
    };
    assert!(said.contains("no such database"), "{said}");
    assert!(said.contains("web") && said.contains('7'), "{said}");
}

#[test]
fn an_echo_of_messages_waits_for_the_whole_of_each() {
    let body = "
hosts:
  client: {}
  web: { serve: { 80: { echo: { message: 100 } } } }
steps:
  - connect: { as: one, from: client, to: web, nodelay: true }
  - exchange: { over: one, as: half, bytes: 60, timeout: 100ms }
  - send: { over: one, as: rest, bytes: 90, writes: 9 }
  - receive: { over: one, as: whole, bytes: 100 }
  - receive: { over: one, as: more, bytes: 1, timeout: 100ms }
";
    let Some(case) = once(body) else { return };
    has(
        case.step("half"),
        json!({ "error": "deadline", "sent": 60, "received": 0 }),
    );
    has(case.step("rest"), json!({ "ok": true, "sent": 90 }));
    has(case.step("whole"), json!({ "ok": true, "received": 100 }));
    has(
        case.step("more"),
        json!({ "error": "deadline", "received": 0 }),
    );
    // Each piece left as a segment of its own, whichever of them went twice.
    let pieces = case.packets(|packet| packet["sender"] == "client" && packet["len"] == 10);
    let begins = pieces.iter().map(|piece| piece["seq"].as_i64());
    assert_eq!(begins.collect::<BTreeSet<_>>().len(), 9);
}

#[test]
fn a_server_hears_a_rejected_upload_out_or_resets_it() {
    let body = |lingering: bool| {
        format!(
            "
hosts:
  client: {{}}
  web: {{ serve: {{ 80: {{ http: {{ max_body: 1kB, body: 3kB, lingering_close: {lingering} }} }} }} }}
steps:
  - load: {{ as: small, from: client, to: web, request: {{ path: /, body: 1kB }} }}
  - load: {{ as: large, from: client, to: web, request: {{ path: /, body: 200kB }} }}
"
        )
    };
    for lingering in [true, false] {
        let Some(case) = once(&body(lingering)) else {
            return;
        };
        assert_eq!(case.step("small")["status"]["200"], 1);
        let counted = case.counter("web", "TcpExtTCPAbortOnClose");
        assert_eq!(counted, i64::from(!lingering), "lingering: {lingering}");
        if lingering {
            has(case.step("large"), json!({ "ok": true, "requests": 1 }));
            assert_eq!(case.step("large")["status"]["413"], 1);
        }
    }
}
