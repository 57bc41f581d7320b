//! Names: what real programs in a host get from the resolver, packet by packet across the fabric.

use crate::kit::{fine, has, ms, once, play};
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
load_balancers:
  front: { zones: [a, b], listeners: { 80: web } }
  back: { zones: [a, b], scheme: internal, listeners: { 80: web } }
steps:
  - run: { as: outside, on_host: client, command: "getent ahostsv4 front | awk '/STREAM/ { print $1 }'" }
  - run: { as: inside, on_host: inner, command: "getent ahostsv4 front | awk '/STREAM/ { print $1 }'" }
  - run: { as: internal, on_host: inner, command: "getent ahostsv4 back | awk '/STREAM/ { print $1 }'" }
  - run: { as: zonal, on_host: inner, command: "curl -sS --max-time 5 http://b.back/" }
  - connect: { as: in_vain, from: inner, to: front, timeout: 1s }
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
    // The VPC's resolver says the same, also to a host that has no way there.
    has(
        case.step("inside"),
        json!({ "ok": true, "stdout": "203.0.113.10\n203.0.113.11\n" }),
    );
    has(case.step("in_vain"), json!({ "error": "deadline" }));
    let lost =
        case.packets(|packet| packet["sender"] == "inner" && packet["to"] == "203.0.113.11:80");
    assert!(!lost.is_empty());
    for syn in lost {
        assert_eq!(syn["fate"], "dropped: not-routable", "{syn}");
    }
    has(
        case.step("internal"),
        json!({ "ok": true, "stdout": "10.0.15.11\n10.0.31.11\n" }),
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

/// Hosts in every zone, and one on the internet, before a balancer whose targets tell the zone.
const ZONES: &str = r#"
time_scale: 20
hosts:
  client: {}
  inner: { zone: b, public_address: auto }
  web1: { zone: a, serve: { 80: http } }
  web2: { zone: b, serve: { 80: http } }
target_groups: { web: { targets: [web1, web2] } }
load_balancers: { front: { zones: [a, b], listeners: { 80: web } } }
"#;

#[test]
fn a_client_keeps_an_answer_as_long_as_it_says() {
    let Some(lab) = play(
        &format!(
            r#"{ZONES}
steps:
  - connect: {{ as: one, from: client, to: front }}
  - connect: {{ as: two, from: client, to: "front:80" }}
  - connect: {{ as: three, from: client, to: front }}
  - wait: 70s cloud
  - connect: {{ as: four, from: client, to: front }}
  - connect: {{ as: zonal, from: client, to: front/b }}
"#
        ),
        &[
            ("ttl", "{}"),
            ("forever", "{ hosts.client.dns_cache: forever }"),
            ("none", "{ hosts.client.dns_cache: none }"),
        ],
    ) else {
        return;
    };
    for (name, lookups) in [("ttl", 2), ("forever", 1), ("none", 4)] {
        let case = lab.case(name);
        let made = case.evidence["lookups"].as_array().expect("a list");
        assert_eq!(made.len(), lookups, "{name}: {made:?}");
        for lookup in made {
            has(
                lookup,
                json!({ "from": "client", "name": "front", "error": "" }),
            );
            assert_eq!(lookup["addresses"].as_array().expect("a list").len(), 2);
        }
        // Real datagrams: a question and an answer each.
        assert_eq!(case.packets(|p| p["protocol"] == "udp").len(), 2 * lookups);
        // An answer's addresses are taken in turn, and each answer begins one further: so do single ones.
        let vias = ["one", "two", "three", "four"].map(|step| {
            fine(case.step(step));
            case.connection(step)["via"].as_str().expect("text")
        });
        let fourth = "front/b";
        assert_eq!(vias, ["front/a", "front/b", "front/a", fourth], "{name}");
        assert_eq!(case.connection("zonal")["lookup"], serde_json::Value::Null);
        assert_eq!(case.connection("four")["lookup"], lookups - 1);
    }
}

#[test]
fn each_host_of_a_load_asks_once_and_takes_its_turns() {
    let Some(case) = once(&format!(
        r#"{}
steps:
  - load: {{ as: all, from: client, to: front, connections: 21, rate: 1000 }}
"#,
        ZONES.replace("client: {}", "client: { count: 3 }")
    )) else {
        return;
    };
    has(
        case.step("all"),
        json!({ "ok": true, "attempts": 63, "failed": 0 }),
    );
    assert_eq!(case.evidence["lookups"].as_array().map(Vec::len), Some(3));
    let by_target = &case.step("all")["by_target"];
    assert_eq!(
        (&by_target["web1"], &by_target["web2"]),
        (&json!(33), &json!(30))
    );
}

#[test]
fn a_silent_resolver_ends_a_step_by_its_limit() {
    let Some(lab) = play(
        &format!(
            r#"{ZONES}
steps:
  - connect: {{ as: call, from: client, to: front, timeout: 2s }}
  - load: {{ as: all, from: client, to: front, timeout: 300ms, connections: 2 }}
"#
        ),
        &[
            ("lost", "{ hosts.client.link: { up: { loss: 100% } } }"),
            (
                "slow",
                "{ hosts.client.link: { delay: 600ms }, steps.all: null }",
            ),
        ],
    ) else {
        return;
    };
    let lost = lab.case("lost");
    has(lost.step("call"), json!({ "error": "deadline" }));
    has(
        lost.connection("call"),
        json!({ "via": "front", "remote": "", "syns": 0, "target": "" }),
    );
    // Asked at 0 and after a second; the second connection of the load waits for the answer that the first one asks for.
    assert_eq!(lost.packets(|p| p["protocol"] == "udp").len(), 2 + 1);
    assert_eq!(lost.evidence["lookups"].as_array().map(Vec::len), Some(2));
    assert_eq!(lost.step("all")["errors"]["deadline"], 2);
    let both = lost.connections("all");
    assert!(both.iter().all(|one| one["lookup"] == 1), "{both:?}");
    assert!(ms(lost.step("all")) >= 300.0);
    // 1.2 s for the answer and 1.2 s for the handshake: each has the limit of 2 s to itself.
    let slow = lab.case("slow");
    fine(slow.step("call"));
    let number = |value: &serde_json::Value, key: &str| value[key].as_f64().expect("a number");
    let lookup = &slow.evidence["lookups"][0];
    assert!(number(lookup, "ms") >= 1200.0, "{lookup}");
    let call = slow.connection("call");
    assert!(number(call, "at") >= number(lookup, "at") + number(lookup, "ms"));
    assert!(number(call, "ms") >= 1200.0, "{call}");
}

#[test]
fn affinity_is_by_the_zone_of_who_asks() {
    let Some(lab) = play(
        &format!(
            r#"{ZONES}
steps:
  - load: {{ as: inside, from: inner, to: front, connections: 10 }}
  - load: {{ as: outside, from: client, to: front, connections: 10 }}
"#
        ),
        &[
            ("any", "{}"),
            (
                "own",
                "{ load_balancers.front.attributes.dns_record.client_routing_policy: availability_zone_affinity }",
            ),
        ],
    ) else {
        return;
    };
    let of = |case: &str, step: &str| {
        let by_target = &lab.case(case).step(step)["by_target"];
        (by_target["web1"].as_i64(), by_target["web2"].as_i64())
    };
    assert_eq!(of("any", "inside"), (Some(5), Some(5)));
    assert_eq!(of("own", "inside"), (Some(0), Some(10)));
    assert_eq!(of("own", "outside"), (Some(5), Some(5)));
}

#[test]
fn a_zone_without_healthy_targets_leaves_the_name_for_programs_too() {
    let Some(case) = once(
        r#"
time_scale: 30
hosts:
  app: { zone: c }
  web1: { zone: a, serve: { 80: http } }
  web2: { zone: b, serve: { 80: http } }
target_groups:
  web: { targets: [web1, web2], health_check: { protocol: TCP, interval: 6, timeout: 6 } }
load_balancers: { front: { scheme: internal, zones: [a, b], listeners: { 80: web } } }
steps:
  - run: { as: before, on_host: app, command: "getent ahostsv4 front | awk '/STREAM/ { print $1 }' | sort" }
  - stop: web1
  - wait_until: { as: gone, that: "!load_balancers.front.zones.a.in_dns", timeout: 20s }
  - run: { as: after, on_host: app, command: "getent ahostsv4 front | awk '/STREAM/ { print $1 }'" }
  - run: { as: page, on_host: app, command: "curl -sS --max-time 5 http://front/" }
  - stop: web2
  - wait_until: { as: open, that: load_balancers.front.zones.a.in_dns, timeout: 20s }
"#,
    ) else {
        return;
    };
    has(
        case.step("before"),
        json!({ "ok": true, "stdout": "10.0.15.10\n10.0.31.10\n" }),
    );
    fine(case.step("gone"));
    has(
        case.step("after"),
        json!({ "ok": true, "stdout": "10.0.31.10\n" }),
    );
    has(case.step("page"), json!({ "ok": true, "stdout": "web2\n" }));
    // With the last one all zones are bad, and the name fails open.
    fine(case.step("open"));
    let said = case.evidence["load_balancers"]["front"]["dns"].as_array();
    // Before the story one of the two was judged first.
    let told = said.expect("a list").iter();
    let since = told.filter(|one| one["at"].as_f64().expect("a time") > 0.0);
    let zones: Vec<_> = since.map(|one| &one["zones"]).collect();
    assert_eq!(zones, [&json!(["b"]), &json!(["a", "b"])]);
}

#[test]
fn programs_are_told_the_addresses_that_steps_dial() {
    let Some(case) = once(
        r#"
hosts:
  out: {}
  beside: { zone: b }
  web: { zone: a, public_address: 203.0.113.10, serve: { 80: http } }
  hidden: { zone: a }
steps:
  - run: { as: outside, on_host: out, command: "getent ahostsv4 web | awk '/STREAM/ { print $1 }'; curl -sS --max-time 5 http://web/" }
  - run: { as: inside, on_host: beside, command: "getent ahostsv4 web | awk '/STREAM/ { print $1 }'; curl -sS --max-time 5 http://web/" }
  - run: { as: own, on_host: web, command: "getent ahostsv4 web | awk '/STREAM/ { print $1 }'" }
  - run: { as: nobody, on_host: out, command: "getent ahostsv4 hidden" }
"#,
    ) else {
        return;
    };
    has(
        case.step("outside"),
        json!({ "ok": true, "stdout": "203.0.113.10\nweb\n" }),
    );
    has(
        case.step("inside"),
        json!({ "ok": true, "stdout": "10.0.0.10\nweb\n" }),
    );
    let own = "127.0.0.1\n10.0.0.10\n";
    has(case.step("own"), json!({ "ok": true, "stdout": own }));
    // It has no address there.
    has(case.step("nobody"), json!({ "ok": false, "exit_code": 2 }));
}
