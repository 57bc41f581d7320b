//! Classic balancers: real connections end at them, and others lead to instances.

use crate::common::{Scratch, can_run_labs, everything, hairpin};
use crate::kit::{fine, has, once, play};
use serde_json::{Value, json};

const HOSTS: &str = r#"
hosts:
  client: { address: 198.51.100.7 }
  blue: { zone: a, serve: { 8080: echo, 8081: { echo: { proxy_protocol: v1 } }, 8082: sink, 90: http } }
  green: { zone: b, serve: { 8080: echo, 8081: { echo: { proxy_protocol: v1 } }, 8082: sink, 90: http } }
load_balancers:
  front:
    type: classic
    zones: [a, b]
    instances: [blue, green]
    listeners: { 80: 8080, 82: 8082 }
    attributes: { CrossZoneLoadBalancing.Enabled: true }
"#;

#[test]
fn what_was_opened_last_is_counted() {
    if !can_run_labs() {
        return;
    }
    let text = format!(
        "title: A lab of the tests\n{HOSTS}steps:\n  \
         - load: {{ as: many, from: client, to: 'front:80', connections: 10, hold: true }}\n\
         works:\n  - many.failed == 0\n\
         cases:\n  only:\n    kind: control\n    expect:\n      \
         - load_balancers.front.metrics.RequestCount == 10\n      \
         - load_balancers.front.metrics.EstimatedALBNewConnectionCount == 20\n"
    );
    let scratch = Scratch::new("counted");
    let lab = scratch.file("lab.yaml", &text);
    // Evidence is taken at once behind the last connection: without waiting for proxies one in three hundred failed here.
    let output = hairpin()
        .args(["run", &lab, "--repeat", "300", "--evidence"])
        .arg(scratch.0.join("evidence"))
        .output()
        .expect("the binary starts");
    assert_eq!(output.status.code(), Some(0), "{}", everything(&output));
}

#[test]
fn instances_take_turns_and_bytes_go_both_ways() {
    let steps = r#"
steps:
  - connect: { as: one, from: client, to: "front/a:80" }
  - connect: { as: two, from: client, to: "front/a:80" }
  - exchange: { over: one, as: much, bytes: 4MiB, times: 3, timeout: 20s }
  - load: { as: rush, from: client, to: "front/a:80", connections: 20, request: 64 }
"#;
    let text = format!("{HOSTS}{steps}");
    let each = "{ load_balancers.front.attributes.CrossZoneLoadBalancing.Enabled: false }";
    let Some(lab) = play(&text, &[("across", "{}"), ("each", each)]) else {
        return;
    };
    let case = lab.case("across");
    fine(case.step("much"));
    let target = |name| case.connection(name)["target"].clone();
    assert_eq!(
        (target("one"), target("two")),
        (json!("blue"), json!("green"))
    );
    let by_target = json!({ "client": 0, "blue": 10, "green": 10 });
    assert_eq!(case.step("rush")["by_target"], by_target);
    assert_eq!(case.metric("front", "RequestCount"), 22);
    assert!(case.metric("front", "EstimatedProcessedBytes") >= 24 << 20);
    // The instance sees the balancer.
    let seen = case.connection("one")["seen_as"].clone();
    assert!(
        seen.as_str().is_some_and(|seen| seen.starts_with("10.")),
        "{seen}"
    );
    assert_eq!(case.evidence["flows"], json!([]));
    let by_target = json!({ "client": 0, "blue": 20, "green": 0 });
    assert_eq!(lab.case("each").step("rush")["by_target"], by_target);
}

#[test]
fn ends_are_passed_on_as_they_are() {
    let steps = r#"
steps:
  - connect: { as: half, from: client, to: "front/a:80" }
  - send: { over: half, bytes: 1000 }
  - shutdown: half
  - receive: { over: half, as: rest, bytes: 1001, timeout: 3s }
  - connect: { as: aborted, from: client, to: "front/a:82" }
  - send: { over: aborted, bytes: 10 }
  - wait_until: { as: through, that: aborted.delivered == 10, timeout: 5s }
  - abort: aborted
"#;
    let Some(case) = once(&format!("{HOSTS}{steps}")) else {
        return;
    };
    let rest = case.step("rest");
    has(rest, json!({ "error": "eof" }));
    assert_eq!(rest["received"], 1000);
    fine(case.step("through"));
    let aborted = case.connection("aborted");
    has(
        aborted,
        json!({ "server_error": "reset", "server_state": "", "ended_by": "client" }),
    );
    let pairs = case.evidence["pairs"].as_array().expect("a list");
    let why: Vec<&Value> = pairs.iter().map(|pair| &pair["why"]).collect();
    assert_eq!(why, ["finished", "client-reset"]);
}

#[test]
fn instances_are_told_of_the_client_when_they_are_to_be() {
    let steps = r#"
steps:
  - connect: { as: one, from: client, to: "front/a:80", source_port: 40000 }
  - exchange: { over: one, as: talk }
"#;
    let told = "{ load_balancers.front.listeners: { 80: 8081, 82: null }, load_balancers.front.attributes: { ProxyProtocolPolicyType.ProxyProtocol: true } }";
    let Some(lab) = play(&format!("{HOSTS}{steps}"), &[("told", told)]) else {
        return;
    };
    let case = lab.case("told");
    fine(case.step("talk"));
    has(
        case.connection("one"),
        json!({ "told": "198.51.100.7:40000", "header": "read" }),
    );
}

#[test]
fn who_finds_no_instance_waits_for_one() {
    let steps = r#"
steps:
  - deregister: front/blue
  - deregister: front/green
  - connect: { as: early, from: client, to: "front/a:80" }
  - exchange: { over: early, as: waits, timeout: 200ms }
  - register: front/green
  - receive: { over: early, as: served, bytes: 64, timeout: 3s }
"#;
    let Some(case) = once(&format!("{HOSTS}{steps}")) else {
        return;
    };
    fine(case.step("early"));
    has(case.step("waits"), json!({ "error": "deadline" }));
    fine(case.step("served"));
    has(case.connection("early"), json!({ "target": "green" }));
    assert_eq!(case.metric("front", "SurgeQueueLength"), 0);
    let blue = &case.evidence["load_balancers"]["front"]["instances"]["blue"];
    has(
        blue,
        json!({
            "state": "OutOfService",
            "description": "Instance is not currently registered with the LoadBalancer.",
        }),
    );
}

#[test]
fn an_instance_that_refuses_is_passed_over() {
    let steps = r#"
steps:
  - stop: blue
  - load: { as: rush, from: client, to: "front/a:80", connections: 10, request: 64 }
"#;
    let Some(case) = once(&format!("{HOSTS}{steps}")) else {
        return;
    };
    fine(case.step("rush"));
    assert_eq!(case.step("rush")["by_target"]["green"], 10);
    // How many meet blue first depends on how they overlap.
    let errors = case.metric("front", "BackendConnectionErrors");
    assert!((1..=10).contains(&errors), "{errors}");
}

#[test]
fn unhealthy_instances_are_out_of_service_and_their_connections_are_closed_unless_drained() {
    let steps = r#"
steps:
  - connect: { as: old, from: client, to: "front/a:80" }
  - run: { on_host: blue, command: "nft 'table ip lab { chain in { type filter hook input priority filter; tcp dport 90 drop; }; }'" }
  - wait_until: { as: noticed, that: 'load_balancers.front.instances.blue.state == "OutOfService"', timeout: 10s }
  - wait: 15s cloud
  - exchange: { over: old, as: still, timeout: 1s }
  - connect: { as: new, from: client, to: "front/a:80" }
  - exchange: { over: new, as: talk }
"#;
    let checked = "load_balancers.front.health_check: { protocol: HTTP, port: 90, interval: 5, timeout: 2 }, time_scale: 10";
    let drained = "load_balancers.front.attributes.ConnectionDraining.Enabled: true";
    let cases = [
        ("closed", &*format!("{{ {checked} }}")),
        ("drained", &*format!("{{ {checked}, {drained} }}")),
    ];
    let Some(lab) = play(&format!("{HOSTS}{steps}"), &cases) else {
        return;
    };
    for name in ["closed", "drained"] {
        let case = lab.case(name);
        fine(case.step("noticed"));
        fine(case.step("talk"));
        has(case.connection("new"), json!({ "target": "green" }));
        has(case.connection("old"), json!({ "target": "blue" }));
        assert_eq!(case.metric("front", "UnHealthyHostCount"), 1);
    }
    has(lab.case("closed").step("still"), json!({ "ok": false }));
    fine(lab.case("drained").step("still"));
}

#[test]
fn guards_stand_before_a_proxy_as_before_any_host() {
    let steps = r#"
security_groups:
  outside: { ingress: { in: "tcp/80 from 198.51.100.7/32" } }
  inside: { ingress: { in: "tcp/8080 from outside" } }
steps:
  - connect: { as: one, from: client, to: "front/a:80" }
  - exchange: { over: one, as: talk }
  - connect: { as: two, from: client, to: "front/a:82", timeout: 300ms }
"#;
    let guarded = "{ load_balancers.front.security_groups: [outside], hosts.blue.security_groups: [inside], hosts.green.security_groups: [inside] }";
    let Some(lab) = play(&format!("{HOSTS}{steps}"), &[("guarded", guarded)]) else {
        return;
    };
    let case = lab.case("guarded");
    fine(case.step("talk"));
    has(case.step("two"), json!({ "error": "deadline" }));
}
