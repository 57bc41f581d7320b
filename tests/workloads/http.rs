//! HTTP requests of loads, and the servers that answer them.

use super::kit::*;
use serde_json::json;

#[test]
fn requests_are_counted_by_status_and_those_without_an_answer_have_failed() {
    let Some(case) = once(
        r#"
hosts:
  client: { zone: b }
  web:
    zone: a
    serve:
      80: http
      81: { http: { status: 503, host: shop.example } }
      82: { http: { keep_alive: false } }
      83: { http: { delay: 60ms } }
      84: { http: { idle_close: 500ms } }
      85: name
      86: { http: { delay: 2s } }
steps:
  - load: { as: pages, from: client, to: "web:80", connections: 3, request: { path: "/a?b=c", times: 4 } }
  - load: { as: named, from: client, to: "web:81", request: { host: shop.example } }
  - load: { as: unknown, from: client, to: "web:81", request: GET / }
  - load: { as: closed, from: client, to: "web:82", request: { times: 3 } }
  - load: { as: asked, from: client, to: "web:80", request: { keep_alive: false } }
  - load: { as: slow, from: client, to: "web:83", request: GET / }
  - load: { as: idle, from: client, to: "web:84", request: { times: 2, every: 2s } }
  - load: { as: garbage, from: client, to: "web:85", request: GET / }
  - load: { as: late, from: client, to: "web:86", request: GET /, timeout: 100ms }
  - load: { as: nobody, from: client, to: "web:99", request: GET / }
"#,
    ) else {
        return;
    };
    let load = |name: &str| case.step(name);
    has(
        load("pages"),
        json!({ "attempts": 3, "failed": 0, "requests": 12, "status": { "200": 12 } }),
    );
    has(
        load("named"),
        json!({ "status": { "503": 1 }, "failed": 0 }),
    );
    has(load("unknown"), json!({ "status": { "404": 1 } }));
    // The server says that it closes, and the client believes it.
    has(
        load("closed"),
        json!({ "requests": 1, "status": { "200": 1 }, "failed": 0 }),
    );
    has(
        load("asked"),
        json!({ "status": { "200": 1 }, "failed": 0 }),
    );
    let steps = case.evidence["steps"].as_array().expect("a list");
    let slow = steps
        .iter()
        .find(|step| step["name"] == "slow")
        .expect("a step");
    let answer = &slow["detail"]["load"]["answers"][0];
    assert!(answer["ms"].as_f64() >= Some(60.0), "{slow}");
    has(
        load("idle"),
        json!({ "requests": 2, "status": { "200": 1 }, "failed": 1 }),
    );
    assert_eq!(load("idle")["errors"]["eof"], 1);
    has(load("garbage"), json!({ "status": {}, "failed": 1 }));
    assert_eq!(load("garbage")["errors"]["failed"], 1);
    assert_eq!(load("late")["errors"]["deadline"], 1);
    has(load("nobody"), json!({ "requests": 0, "status": {} }));
    assert_eq!(load("nobody")["errors"]["refused"], 1);

    let requests = case.evidence["hosts"]["web"]["requests"].as_array();
    let requests = requests.expect("a list");
    let asked: Vec<_> = requests
        .iter()
        .filter(|one| one["path"] == "/a?b=c")
        .collect();
    assert_eq!(asked.len(), 12, "{requests:?}");
    let address = case.evidence["hosts"]["web"]["address"].as_str();
    assert!(asked.iter().all(|one| one["host"].as_str() == address));
}

#[test]
fn what_a_request_carries_is_not_the_beginning_of_the_next_one() {
    let ask = "curl -sS -o /dev/null --max-time 5 -w '%{http_code} %{num_connects} '";
    let steps = [
        ("length", "-d name=alice http://web/one"),
        (
            "chunked",
            "-H 'Transfer-Encoding: chunked' -d name=alice http://web/two",
        ),
        (
            "large",
            "-H 'Expect: 100-continue' --data-binary @- http://web/three",
        ),
        ("head", "-I http://web/four"),
    ];
    let steps: String = steps
        .iter()
        .map(|(name, first)| {
            let command = format!("head -c 3000000 /dev/zero | {ask} {first} --next -sS -o /dev/null -w '%{{http_code}} %{{num_connects}}' http://web/next");
            format!("  - run: {{ as: {name}, on_host: client, command: \"{command}\" }}\n")
        })
        .collect();
    let Some(case) = once(&format!(
        r#"
hosts:
  client: {{ zone: b }}
  alice: {{}}
  bob: {{}}
  web: {{ zone: a, serve: {{ 80: http }} }}
target_groups:
  requests: {{ protocol: HTTP, targets: [web] }}
load_balancers:
  app: {{ type: application, zones: [a], listeners: {{ 80: requests }} }}
steps:
{steps}  - run: {{ as: post, on_host: alice, command: "{ask} -d name=alice http://app/" }}
  - run: {{ as: get, on_host: bob, command: "{ask} http://app/" }}
  - run: {{ as: old, on_host: client, command: "{ask} -0 http://web/" }}
"#
    )) else {
        return;
    };
    // The second goes over the first one's connection.
    for name in ["length", "chunked", "large", "head"] {
        has(case.step(name), json!({ "stdout": "200 1 200 0" }));
    }
    for name in ["post", "get", "old"] {
        has(case.step(name), json!({ "stdout": "200 1 " }));
    }
    let requests = case.evidence["hosts"]["web"]["requests"].as_array();
    assert_eq!(requests.expect("a list").len(), 11);
}

/// A program that asks next is told so by its kernel (ECONNRESET), not that the server has closed.
#[test]
fn a_reset_between_two_requests_is_a_reset() {
    let Some(case) = once(
        r#"
hosts:
  client: { zone: b }
  web: { zone: a, serve: { 80: http } }
steps:
  - load: { as: pool, from: client, to: "web:80", connections: 3, request: { times: 2, every: 3s }, background: true }
  - wait_until: { as: first, that: 'hosts.web.requests.size() == 3', timeout: 10s }
  - stop: { host: web, with: reset }
  - wait_until: { that: 'pool.failed == 3', timeout: 10s }
"#,
    ) else {
        return;
    };
    fine(case.step("first"));
    has(case.step("pool"), json!({ "failed": 3 }));
    has(&case.step("pool")["errors"], json!({ "reset": 3 }));
    let connections = case.evidence["connections"].as_array().expect("a list");
    assert!(connections.iter().all(|one| one["ended"] == "reset"));
}
