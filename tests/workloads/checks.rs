//! Health checks with real sockets: what passes, what fails, when the story starts.

use crate::kit::{Case, fine, once, play};
use serde_json::Value;

/// A lab with one target behind a balancer in two zones; `web` and `check` are filled in.
fn lab(web: &str, check: &str, more: &str) -> String {
    format!(
        r#"
time_scale: 20
hosts:
  client: {{}}
  web: {{ zone: a, serve: {{ {web} }} }}
target_groups:
  web: {{ targets: [web], health_check: {{ {check} }} }}
load_balancers:
  front: {{ zones: [a, b], listeners: {{ 80: web }}, attributes: {{ load_balancing.cross_zone.enabled: true }}{more} }}
steps:
  - connect: {{ as: visit, from: client, to: front/a }}
  - wait: 20ms
"#
    )
}

fn target(case: &Case) -> &Value {
    &case.evidence["target_groups"]["web"]["targets"]["web"]
}

#[test]
fn https_checks_speak_tls_1_2_and_do_not_mind_the_certificate() {
    let body = lab("80: https", "protocol: HTTPS, interval: 10", "");
    let cases = [
        ("both", "{ seed: 1 }"),
        ("old", "{ hosts.web.serve.80: { https: { tls: '1.2' } } }"),
        ("new", "{ hosts.web.serve.80: { https: { tls: '1.3' } } }"),
        ("clear", "{ hosts.web.serve.80: http }"),
    ];
    let Some(lab) = play(&body, &cases) else {
        return;
    };
    for (name, state) in [
        ("both", "healthy"),
        ("old", "healthy"),
        ("new", "unhealthy"),
        ("clear", "unhealthy"),
    ] {
        assert_eq!(target(lab.case(name))["state"], state, "{name}");
    }
}

#[test]
fn statuses_decide_over_http_and_the_matcher_says_which() {
    let body = lab("80: http", "protocol: HTTP, interval: 10", "");
    let cases = [
        ("plain", "{ seed: 1 }"),
        (
            "redirect",
            "{ hosts.web.serve.80: { http: { status: 302 } } }",
        ),
        (
            "broken",
            "{ hosts.web.serve.80: { http: { status: 503 } } }",
        ),
        (
            "wanted",
            "{ hosts.web.serve.80: { http: { status: 503 } }, target_groups.web.health_check.matcher: '500-599' }",
        ),
        ("no-http", "{ hosts.web.serve.80: echo }"),
        ("closed", "{ target_groups.web.health_check.port: 81 }"),
    ];
    let Some(lab) = play(&body, &cases) else {
        return;
    };
    for (name, state) in [
        ("plain", "healthy"),
        ("redirect", "healthy"),
        ("broken", "unhealthy"),
        ("wanted", "healthy"),
        ("no-http", "unhealthy"),
        ("closed", "unhealthy"),
    ] {
        assert_eq!(target(lab.case(name))["state"], state, "{name}");
    }
}

#[test]
fn a_settled_story_begins_with_states_and_a_cold_one_without() {
    let body = lab("80: http", "protocol: HTTP, interval: 300", "");
    let cold = ", start: cold";
    let cases = [("only", "{ seed: 1 }")];
    let Some(settled) = play(&body, &cases) else {
        return;
    };
    assert_eq!(target(settled.case("only"))["state"], "healthy");
    let body = lab("80: http", "protocol: HTTP, interval: 300", cold);
    let Some(cold) = once(&body) else { return };
    // Fifteen seconds between two checks: the first is still to come.
    assert_eq!(target(&cold)["state"], "initial");
    assert_eq!(target(&cold)["reason"], "Elb.InitialHealthChecking");
}

#[test]
fn checks_are_marked_and_stay_out_of_the_flows() {
    let body = lab("80: http", "protocol: HTTP, interval: 5", "");
    let enough = "wait_until: { as: enough, timeout: 10s, that: '[\"front/a\", \"front/b\"].all(zonal, \
                  packets.filter(p, p.flags == \"S\" && p.probe && p.sender == zonal).size() >= 3) \
                  && hosts.web.requests.size() >= 6' }";
    let body = body.replace("wait: 20ms", enough);
    let Some(case) = once(&body) else { return };
    fine(case.step("visit"));
    fine(case.step("enough"));
    assert_eq!(case.metric("front", "NewFlowCount"), 1);
    let syns = case.packets(|packet| packet["flags"] == "S");
    let (checks, visits): (Vec<&Value>, Vec<&Value>) =
        syns.into_iter().partition(|syn| syn["probe"] == true);
    assert_eq!(visits.len(), 1);
    for zonal in ["front/a", "front/b"] {
        let own = checks.iter().filter(|syn| syn["sender"] == zonal);
        assert!(own.count() >= 3, "{zonal}");
    }
    let requests = case.evidence["hosts"]["web"]["requests"].as_array();
    let requests = requests.expect("a list of requests");
    assert!(requests.len() >= 6);
    assert!(requests.iter().all(|request| request["probe"] == true));
    assert!(case.findings().is_empty());
}

/// AWS: checks come from a balancer's secondary addresses, too; who lets in the first address alone looks unhealthy.
#[test]
fn checks_come_from_secondary_addresses_as_well() {
    let body = lab("80: http", "protocol: HTTP, interval: 5", "")
        .replace(
            "enabled: true }",
            "enabled: true, secondary_ips.auto_assigned.per_subnet: 2 }",
        )
        .replace("wait: 20ms", "wait: 2s")
        .replace("client: {}", "client: { zone: a }")
        .replace("zones: [a, b],", "zones: [a, b], scheme: internal,");
    let rule = "{ hosts.web.nft: 'table ip t { chain c { type filter hook input priority 0; ip saddr != { $a, $b } drop; }; }' }";
    let Some(first) = play(&body, &[("open", "{ seed: 1 }")]) else {
        return;
    };
    let case = first.case("open");
    assert_eq!(target(case)["state"], "healthy");
    let mut from = std::collections::BTreeMap::<String, usize>::new();
    for syn in case.packets(|packet| packet["flags"] == "S" && packet["probe"] == true) {
        let end = syn["from"].as_str().expect("an end");
        let address = end.rsplit_once(':').expect("a port").0;
        *from.entry(address.to_owned()).or_default() += 1;
    }
    assert_eq!(from.len(), 6, "two zones of three addresses: {from:?}");
    assert!(from.values().all(|checks| *checks >= 2), "{from:?}");
    assert!(case.findings().is_empty());
    let addresses = &case.evidence["load_balancers"]["front"]["addresses"];
    let of = |zone: &str| addresses[zone].as_str().expect("an address").to_owned();
    let rule = rule.replace("$a", &of("a")).replace("$b", &of("b"));
    let few = rule.replace(
        " }' }",
        " }', load_balancers.front.attributes.secondary_ips.auto_assigned.per_subnet: 0 }",
    );
    let cases = [("closed", rule.as_str()), ("few", few.as_str())];
    let lab = play(&body, &cases).expect("it ran before");
    assert_eq!(target(lab.case("closed"))["state"], "unhealthy");
    assert_eq!(target(lab.case("few"))["state"], "healthy");
}

#[test]
fn a_proxied_target_gets_the_header_of_its_checks_too() {
    let body = lab("80: http", "protocol: HTTP, interval: 5", "");
    let body = body.replace("wait: 20ms", "wait: 600ms");
    let set = "{ target_groups.web.attributes.proxy_protocol_v2.enabled: true }";
    let Some(lab) = play(&body, &[("only", set)]) else {
        return;
    };
    // LOCAL, 16 bytes without addresses; a server that does not know them takes them for a bad request.
    let case = lab.case("only");
    assert_eq!(target(case)["state"], "unhealthy");
    let requests = case.evidence["hosts"]["web"]["requests"].as_array();
    let checks = requests.expect("a list of requests").iter();
    let statuses: Vec<&Value> = checks
        .filter(|request| request["probe"] == true)
        .map(|request| &request["status"])
        .collect();
    assert!(!statuses.is_empty() && statuses.iter().all(|status| **status == 400));
}

/// Who serves by name must know the instance's own address behind a classic balancer, and the balancer's behind a network
/// balancer.
#[test]
fn a_classic_balancer_asks_for_the_instance_itself() {
    let body = r#"
time_scale: 20
hosts:
  client: {}
  web: { zone: a, serve: { 80: http, 8080: http, 5222: echo } }
load_balancers:
  front:
    { type: classic, zones: [a], instances: [web], listeners: { 443: 5222 }, health_check: { protocol: HTTP, port: PORT, interval: 5, timeout: 2 } }
steps:
  - wait_until: { as: asked, that: 'hosts.web.requests.size() >= 1', timeout: 10s }
"#;
    for (port, asked) in [("\"80\"", "10.0.0.10"), ("\"8080\"", "10.0.0.10:8080")] {
        let Some(case) = once(&body.replace("PORT", port)) else {
            return;
        };
        let requests = case.evidence["hosts"]["web"]["requests"].as_array();
        let requests = requests.expect("a list of requests");
        fine(case.step("asked"));
        assert!(
            requests.iter().all(|one| one["host"] == asked),
            "{requests:?}"
        );
    }
}
