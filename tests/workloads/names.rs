//! Names: what real programs in a host get from the resolver, packet by packet across the fabric.

use crate::kit::{fine, has, once};
use serde_json::json;

#[test]
fn programs_find_balancers_by_name() {
    let Some(case) = once(
        r#"
hosts:
  client: {}
  inner: { zone: b }
  web1: { zone: a, serve: { 80: http } }
  web2: { zone: b, serve: { 80: http } }
target_groups: { web: { targets: [web1, web2] } }
load_balancers: { front: { zones: [a, b], listeners: { 80: web } } }
steps:
  - run: { as: outside, on_host: client, command: "getent ahostsv4 front | awk '/STREAM/ { print $1 }'" }
  - run: { as: inside, on_host: inner, command: "getent ahostsv4 front | awk '/STREAM/ { print $1 }'" }
  - run: { as: zonal, on_host: inner, command: "curl -sS --max-time 5 http://b.front/" }
  - run: { as: host, on_host: inner, command: "curl -sS --max-time 5 http://web1/" }
  - run: { as: nobody, on_host: client, command: "getent hosts nobody" }
"#,
    ) else {
        return;
    };
    has(
        case.step("outside"),
        json!({ "ok": true, "stdout": "203.0.113.10\n203.0.113.11\n" }),
    );
    has(
        case.step("inside"),
        json!({ "ok": true, "stdout": "10.0.15.10\n10.0.31.10\n" }),
    );
    fine(case.step("zonal"));
    has(case.step("zonal"), json!({ "stdout": "web2\n" }));
    has(case.step("host"), json!({ "ok": true, "stdout": "web1\n" }));
    // getent: 2, the key was not found.
    has(case.step("nobody"), json!({ "ok": false, "exit_code": 2 }));
    let answers = case.packets(|packet| packet["from"] == "10.0.0.2:53");
    assert!(!answers.is_empty());
    for answer in answers {
        assert_eq!(answer["receiver"], "inner", "{answer}");
        assert_eq!(answer["fate"], "forwarded", "{answer}");
    }
}
