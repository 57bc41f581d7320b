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
