//! Loads with more sockets than one table of descriptors holds, and what is said where nothing helps.

use super::common::{Scratch, can_run_labs, everything, hairpin};
use serde_json::Value;
use std::process::Output;

/// Runs a lab in a process that may have so many descriptors.
fn run_with(descriptors: u32, text: &str) -> (Output, Value) {
    let scratch = Scratch::new("annexes");
    let lab = scratch.file("lab.yaml", text);
    let report = scratch.0.join("report.json").display().to_string();
    let binary = hairpin();
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "ulimit -n \"$0\" && exec \"$@\""])
        .arg(descriptors.to_string())
        .arg(binary.get_program())
        .args(["run", &lab, "--report", &format!("json={report}")]);
    for (name, value) in binary.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.output().expect("sh starts");
    let text = std::fs::read_to_string(&report).unwrap_or_default();
    let report = serde_json::from_str(&text).unwrap_or(Value::Null);
    (output, report)
}

#[test]
fn a_load_has_more_sockets_than_one_table_of_descriptors() {
    if !can_run_labs() {
        return;
    }
    // 600 connections are 1,200 sockets, twice what the process may have.
    let (output, report) = run_with(
        600,
        r#"
title: many
hosts:
  client: { count: 2 }
  web: { zone: a, serve: { 80: echo, 81: http } }
target_groups:
  web: { targets: [web] }
load_balancers:
  front: { zones: [a], listeners: { 80: web, 81: web } }
steps:
  - load:     { as: crowd, from: client, to: "front:80", connections: 200, hold: true }
  - exchange: { over: crowd, as: talk }
  - load:     { as: asked, from: client, to: "front:81", connections: 100, request: GET /, hold: true }
  - wait:     { as: moment, for: 1ms }
  - close:    { over: crowd, as: end }
  - wait_until: { as: ended, that: 'hosts.web.sockets.all(s, s.state != "ESTABLISHED" || s.local.contains(":81"))', timeout: 10s }
works:
  - crowd.failed == 0 && talk.failed == 0 && talk.attempts == 400
  - asked.failed == 0 && asked.status["200"] == 200
  - end.ok && ended.ok
  - hosts.web.counters.TcpPassiveOpens == 600
cases:
  only: { kind: control }
"#,
    );
    assert_eq!(output.status.code(), Some(0), "{}", everything(&output));
    assert_eq!(report["cases"][0]["verdict"], "holds");
}

#[test]
fn a_machine_without_room_for_the_hosts_says_so_before_anything_is_built() {
    if !can_run_labs() {
        return;
    }
    let (output, report) = run_with(
        300,
        "
title: hosts
hosts:
  client: { count: 60 }
  web: { serve: { 80: echo } }
steps:
  - connect: { as: one, from: client-1, to: web }
works: [one.ok]
cases:
  only: { kind: control }
",
    );
    assert_eq!(output.status.code(), Some(3), "{}", everything(&output));
    let error = report["cases"][0]["error"].as_str().expect("an error");
    assert!(error.contains("keep the descriptors"), "{error}");
    assert!(error.contains("ulimit -Hn"), "{error}");
}
