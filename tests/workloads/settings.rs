//! Settings that change while the story runs.

use crate::kit::{has, play};
use serde_json::json;

const LAB: &str = r#"
time_scale: 100
hosts:
  client: { zone: a }
  web1: { zone: a, serve: { 80: echo } }
  web2: { zone: b, serve: { 80: echo } }
target_groups:
  web: { target_type: ip, port: 80, targets: [web1, web2] }
security_groups:
  open: { ingress: { web: tcp/80 from 0.0.0.0/0 } }
load_balancers:
  front:
    scheme: internal
    zones: [a]
    security_groups: [open]
    listeners: { 80: web }
steps:
  - connect: { as: first, from: client, to: front }
  - set: { path: load_balancers.front.zones, value: [a, b] }
  - connect: { as: added, from: client, to: front/b }
  - set: { path: target_groups.web.attributes.preserve_client_ip.enabled, value: true }
  - connect: { as: preserved, from: client, to: front/a }
  - set: { path: load_balancers.front.zones, value: [b] }
  - connect: { as: disabled, from: client, to: front/a, timeout: 200ms }
  - wait: 65s cloud
  - connect: { as: moved, from: client, to: front }
  - set: { path: security_groups.open.ingress.web, value: tcp/443 from 0.0.0.0/0 }
  - connect: { as: blocked, from: client, to: front/b, timeout: 200ms }
  - exchange: { over: moved, as: tracked }
  - set: { path: load_balancers.front.listeners, value: { 81: web } }
  - set: { path: hosts.client.link, value: { delay: 40ms } }
  - exchange: { over: moved, as: slow }
"#;

#[test]
fn each_setting_acts_from_its_step_on() {
    let Some(lab) = play(LAB, &[("plain", "{}")]) else {
        return;
    };
    let case = lab.case("plain");
    has(case.step("first"), json!({ "ok": true, "via": "front/a" }));
    has(case.step("added"), json!({ "ok": true, "target": "web2" }));
    has(
        case.step("preserved"),
        json!({ "ok": true, "target": "web1" }),
    );
    has(
        case.step("disabled"),
        json!({ "ok": false, "error": "deadline" }),
    );
    // The name has been asked again, after its time.
    has(case.step("moved"), json!({ "ok": true, "via": "front/b" }));
    has(
        case.step("blocked"),
        json!({ "ok": false, "error": "deadline" }),
    );
    has(case.step("tracked"), json!({ "ok": true }));
    has(case.step("slow"), json!({ "ok": true }));
    let ms = case.step("slow")["ms"].as_f64().expect("a time");
    assert!(ms >= 80.0, "40 ms each way: {ms}");
}

/// Two groups, one behind the other: what a balancer forwards to changes in the middle.
const SWITCH: &str = r#"
time_scale: 40
hosts:
  client: { zone: a }
  blue1: { zone: a, serve: { 80: http } }
  green1: { zone: a, serve: { 80: http, 81: http } }
target_groups:
  blue: { target_type: ip, targets: [blue1], health_check: { protocol: HTTP, interval: 5, timeout: 2 } }
  green: { target_type: ip, targets: [green1], health_check: { protocol: HTTP, interval: 5, timeout: 2 } }
load_balancers:
  front: { scheme: internal, zones: [a], listeners: { 80: blue } }
steps:
  - load: { as: before, from: client, to: "front:80", request: GET / }
  - set: { path: load_balancers.front.listeners, value: { 80: green, 81: green } }
  - wait_until: { as: checked, that: 'target_groups.green.targets.green1.state == "healthy"', timeout: 5s }
  - load: { as: after, from: client, to: "front:80", request: GET / }
  - wait: 600ms
"#;

#[test]
fn a_group_that_is_forwarded_to_later_is_checked_from_then_on() {
    let Some(lab) = play(SWITCH, &[("plain", "{}")]) else {
        return;
    };
    let case = lab.case("plain");
    assert_eq!(case.step("before")["by_target"]["blue1"], 1);
    has(case.step("checked"), json!({ "ok": true }));
    assert_eq!(case.step("after")["by_target"]["green1"], 1);
    assert_eq!(case.metric("front", "UnhealthyRoutingFlowCount"), 0);
    let groups = &case.evidence["target_groups"];
    for (group, state, flows) in [("blue", "unused", 1), ("green", "healthy", 1)] {
        let own = &groups[group];
        assert_eq!(own["metrics"]["NewFlowCount"], flows, "{group}");
        assert_eq!(own["targets"][format!("{group}1")]["state"], state);
    }
    let reach = &case.evidence["load_balancers"]["front"]["zones"]["a"]["reach"];
    assert_eq!(reach, &json!({ "green": 1 }));
    let checks = |host: &str| {
        let from = case.step("checked")["at"].as_f64().expect("a time");
        let syns = case.packets(|p| p["flags"] == "S" && p["probe"] == true);
        let own = syns.iter().filter(|p| p["receiver"] == host);
        let times = own.filter_map(|p| p["t"].as_f64());
        let (before, after): (Vec<f64>, Vec<f64>) = times.partition(|t| *t < from);
        (before.len(), after.len())
    };
    let ((_, blue), (before, green)) = (checks("blue1"), checks("green1"));
    // Those that were under way may still come, one of each checker of its zone's.
    assert!(blue <= 3, "{blue} checks of a group that nobody uses");
    assert_eq!(before, 0, "nobody used it");
    assert!(green > 2, "{green}");
}

#[test]
fn an_application_balancer_forwards_to_another_group_from_a_step_on() {
    let lab = SWITCH
        .replace("target_type: ip", "target_type: ip, protocol: HTTP")
        .replace("front: { scheme", "front: { type: application, scheme")
        .replace("{ 80: green, 81: green }", "{ 80: green }");
    let Some(lab) = play(&lab, &[("plain", "{}")]) else {
        return;
    };
    let case = lab.case("plain");
    has(case.step("before"), json!({ "status": { "200": 1 } }));
    has(case.step("checked"), json!({ "ok": true }));
    has(case.step("after"), json!({ "status": { "200": 1 } }));
    let requests = |host: &str| {
        let all = case.evidence["hosts"][host]["requests"].as_array();
        let all = all.expect("a list").iter();
        all.filter(|request| request["probe"] == false).count()
    };
    assert_eq!((requests("blue1"), requests("green1")), (1, 1));
}

#[test]
fn a_tls_listener_s_targets_are_told_of_clients_from_a_step_on() {
    let lab = r#"
hosts:
  client: { zone: a }
  web: { zone: a, serve: { 443: { echo: { proxy_protocol: v2 } } } }
target_groups:
  web: { target_type: ip, targets: [web] }
load_balancers:
  front: { scheme: internal, zones: [a], listeners: { 443: { protocol: TLS, target_group: web } } }
steps:
  - set: { path: target_groups.web.attributes.proxy_protocol_v2.enabled, value: true }
  - connect: { as: visit, from: client, to: "front:443", tls: true }
  - exchange: { over: visit, as: talk }
"#;
    let Some(lab) = play(lab, &[("plain", "{}")]) else {
        return;
    };
    let case = lab.case("plain");
    has(case.step("talk"), json!({ "ok": true }));
    let visit = case.connection("visit");
    assert_eq!(
        (&visit["header"], &visit["told"]),
        (&json!("read"), &visit["local"])
    );
}

/// There was nothing to guard when the lab began.
#[test]
fn guards_that_come_with_a_step_are_told_by_their_names() {
    let body = r#"
hosts:
  client: { zone: a }
  web: { zone: b, serve: { 80: echo } }
steps:
  - connect: { as: before, from: client, to: web }
  - set: { path: security_groups.shut, value: { ingress: {} } }
  - set: { path: hosts.web.security_groups, value: [shut] }
  - connect: { as: by_group, from: client, to: web, timeout: 200ms }
  - set: { path: security_groups.open, value: { ingress: { all: all } } }
  - set: { path: hosts.web.security_groups, value: [open] }
  - connect: { as: between, from: client, to: web }
  - set: { path: network_acls, value: { b: { inbound: { 100: deny tcp/80 from 0.0.0.0/0 } } } }
  - connect: { as: by_acl, from: client, to: web, timeout: 200ms }
"#;
    let Some(lab) = play(body, &[("plain", "{}")]) else {
        return;
    };
    let case = lab.case("plain");
    for (step, ok) in [
        ("before", true),
        ("by_group", false),
        ("between", true),
        ("by_acl", false),
    ] {
        has(case.step(step), json!({ "ok": ok }));
    }
    let refusals = case.evidence["refusals"].as_array().expect("a list");
    let mut guards: Vec<_> = refusals.iter().map(|one| one["guards"].clone()).collect();
    guards.dedup();
    assert_eq!(guards, [json!(["shut"]), json!(["b"])]);
}
