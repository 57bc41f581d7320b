//! A real proxy beside the emulated one: HAProxy in TCP mode on a host, and a classic balancer, before the same server. What
//! is true of every proxy of TCP must be true of both.

mod common;

use common::{Scratch, can_run_labs, evidence, program, record};

const CONFIGURATION: &str = "\
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen chat
    bind :5222
    server blue 10.0.0.30:5222
";

const LAB: &str = r#"
title: A real proxy and the emulated one
hosts:
  phone: {}
  proxy: { zone: a, public_address: auto, serve: { 5222: { command: "exec HAPROXY -db -f FOLDER/haproxy.cfg" } } }
  blue:  { zone: a, address: 10.0.0.30, serve: { 5222: sink } }
load_balancers:
  chat: { type: classic, zones: [a], instances: [blue], listeners: { 5222: 5222 } }
steps:
  - connect: { as: real, from: phone, to: "proxy/public:5222" }
  - connect: { as: ours, from: phone, to: chat }
  - send:    { as: early_real, over: real, bytes: 1000 }
  - send:    { as: early_ours, over: ours, bytes: 1000 }
  # What HAProxy passed on is seen where it arrives.
  - wait_until: { as: through, that: 'packets.filter(p, p.receiver == "blue" && p.len == 1000).size() >= 2', timeout: 10s }
  - wait:    { as: event, for: 100ms }
  - send:    { as: late_real, over: real, bytes: 2000 }
  - send:    { as: late_ours, over: ours, bytes: 2000 }
  - receive: { as: told_real, over: real, bytes: 1, timeout: 500ms }
  - receive: { as: told_ours, over: ours, bytes: 1, timeout: 500ms }
  - wait:    { as: after, for: 100ms }
works: [real.ok && ours.ok && early_real.ok && early_ours.ok && through.ok]
cases:
  nothing-happens:
    kind: control
    expect: ['told_real.error == "deadline" && told_ours.error == "deadline"']
  server-cut-off:
    kind: partial
    set: { steps.event: { link_down: blue } }
    expect:
      - both acknowledge for a server that hears nothing: real.unacked == 0 && ours.unacked == 0
      - both kernels took it all: late_real.ok && late_ours.ok
      - and neither says a word: told_real.error == "deadline" && told_ours.error == "deadline"
  server-frozen:
    kind: partial
    set: { steps.event: { freeze: blue } }
    expect:
      - real.unacked == 0 && ours.unacked == 0
      - told_real.error == "deadline" && told_ours.error == "deadline"
  server-finishes:
    kind: partial
    set:
      steps.event: { stop: blue }
      steps.late_real: { wait: 10ms }
      steps.late_ours: { wait: 10ms }
      steps.told_real.timeout: 10s
      steps.told_ours.timeout: 10s
    expect: ['told_real.error == "eof" && told_ours.error == "eof"']
  server-resets:
    kind: partial
    set:
      steps.event: { stop: { host: blue, with: reset } }
      steps.late_real: { wait: 10ms }
      steps.late_ours: { wait: 10ms }
      steps.told_real.timeout: 10s
      steps.told_ours.timeout: 10s
    expect:
      - both tell their client: told_real.error in ["eof", "reset"] && told_ours.error == "reset"
  client-finishes:
    kind: partial
    set:
      hosts.blue.serve: { 5222: echo }
      steps.event: { wait: 10ms }
      steps.late_real: { shutdown: real }
      steps.late_ours: { shutdown: ours }
      steps.told_real: { receive: { over: real, bytes: 1001, timeout: 2s } }
      steps.told_ours: { receive: { over: ours, bytes: 1001, timeout: 2s } }
    expect:
      - the answer comes after the client's FIN: told_real.received == 1000 && told_ours.received == 1000
      - and the server's FIN after it: told_real.error == "eof" && told_ours.error == "eof"
"#;

#[test]
fn a_classic_balancer_and_haproxy_do_alike_what_every_proxy_does() {
    let scratch = Scratch::new("haproxy");
    if !can_run_labs() {
        return;
    }
    let Some(command) = program(&scratch, "haproxy") else {
        return;
    };
    scratch.file("haproxy.cfg", CONFIGURATION);
    let folder = scratch.0.display().to_string();
    let lab = LAB.replace("HAPROXY", &command).replace("FOLDER", &folder);
    let saved = record(&scratch, "lab", &lab);
    // While the server is cut off, both clients have been acknowledged by their proxy before anything could have come back.
    let record = evidence(&saved, "server-cut-off");
    let packets = record["packets"].as_array().expect("a list");
    let from_blue = packets.iter().filter(|packet| packet["sender"] == "blue");
    let last = from_blue
        .filter_map(|packet| packet["t"].as_f64())
        .fold(0.0, f64::max);
    for proxy in ["proxy", "chat/a"] {
        let acknowledged = packets.iter().any(|packet| {
            packet["sender"] == proxy
                && packet["receiver"] == "phone"
                && packet["t"].as_f64().is_some_and(|t| t > last)
        });
        assert!(acknowledged, "{proxy} has not acknowledged");
    }
}
