//! Application balancers with real sockets on both sides.

use super::kit::*;
use serde_json::json;

const NETWORK: &str = r#"
hosts:
  client: { zone: a }
  fast: { zone: a, serve: { 80: http } }
  slow: { zone: a, serve: { 80: { http: { delay: 300ms } } } }
target_groups:
  web: { protocol: HTTP, targets: [fast, slow] }
load_balancers:
  app: { type: application, scheme: internal, zones: [a], listeners: { 80: web } }
"#;

#[test]
fn the_target_with_the_fewest_waiting_requests_gets_the_next() {
    // One of each of two waits at the slow one when the others come, one after the other.
    let body = NETWORK.replace("300ms", "2s")
        + "steps:
  - load: { as: held, from: client, to: app, connections: 2, request: GET /, background: true }
  - wait_until: { as: there, that: 'hosts.slow.counters.TcpPassiveOpens >= 1 && hosts.fast.requests.size() >= 1', timeout: 10s }
  - load: { as: curl, from: client, to: app, request: { path: /, times: 4 }, timeout: 20s }
";
    let set = "{ target_groups.web.attributes: { load_balancing.algorithm.type: least_outstanding_requests } }";
    let Some(lab) = play(&body, &[("in-turn", "{}"), ("fewest", set)]) else {
        return;
    };
    let served = |case: &str, host: &str| {
        let requests = lab.case(case).evidence["hosts"][host]["requests"].as_array();
        requests.expect("a list").len()
    };
    for (case, fast, slow) in [("in-turn", 3, 3), ("fewest", 5, 1)] {
        fine(lab.case(case).step("there"));
        let both = (served(case, "fast"), served(case, "slow"));
        assert_eq!(both, (fast, slow), "{case}");
    }
}

#[test]
fn a_cookie_keeps_a_client_with_its_target_for_as_long_as_it_asks_and_the_target_is_there() {
    let network = NETWORK.replace(
        "[fast, slow]",
        "[fast, slow], attributes: { stickiness.enabled: true, stickiness.lb_cookie.duration_seconds: 40 }",
    );
    // Each answer puts the end off: six requests 10 s apart take longer than the cookie lasts, which is 40 s.
    let body = format!(
        "time_scale: 10\n{network}steps:\n  \
         - load: {{ as: curl, from: client, to: app, request: {{ times: 6, every: 1s, cookies: true }}, timeout: 20s, background: true }}\n  \
         - wait_until: {{ that: 'hosts.fast.requests.size() + hosts.slow.requests.size() >= 1', timeout: 5s }}\n  \
         - load: {{ as: plain, from: client, to: app, request: {{ times: 6 }}, timeout: 20s }}\n  \
         - wait: 10ms\n  \
         - wait_until: {{ that: 'curl.status[\"200\"] == 6', timeout: 20s }}\n"
    );
    let gone = "{ steps: [\
        { load: { as: curl, from: client, to: app, request: { times: 6, every: 1s, cookies: true }, timeout: 20s, background: true } }, \
        { wait_until: { that: 'hosts.fast.requests.size() + hosts.slow.requests.size() >= 2', timeout: 5s } }, { deregister: web/fast }, \
        { wait_until: { that: 'hosts.fast.requests.size() + hosts.slow.requests.size() >= 3', timeout: 5s } }, { register: web/fast }, \
        { wait_until: { that: 'hosts.fast.requests.size() + hosts.slow.requests.size() >= 4', timeout: 5s } }, { deregister: web/slow }, \
        { wait_until: { that: 'curl.status[\"200\"] == 6', timeout: 20s } }] }";
    let stopped = "{ steps: [\
        { load: { as: curl, from: client, to: app, request: { times: 6, every: 1s, cookies: true }, timeout: 20s, background: true } }, \
        { wait_until: { that: 'hosts.fast.requests.size() + hosts.slow.requests.size() >= 2', timeout: 5s } }, \
        { set: { path: target_groups.web.attributes.stickiness.enabled, value: false } }, \
        { wait_until: { that: 'curl.status[\"200\"] == 6', timeout: 20s } }] }";
    let Some(lab) = play(
        &body,
        &[("kept", "{}"), ("gone", gone), ("stopped", stopped)],
    ) else {
        return;
    };
    let served = |case: &str| {
        ["fast", "slow"].map(|host| {
            let requests = lab.case(case).evidence["hosts"][host]["requests"].as_array();
            requests.expect("a list").len()
        })
    };
    // One of the two has all six of the client's, the first of which took its turn, and both share those that bring no cookie.
    let mut kept = served("kept");
    kept.sort_unstable();
    assert_eq!(kept, [3, 9]);
    // Whichever of them the client began with was taken from it, and where there are no more cookies it is not asked for.
    for case in ["gone", "stopped"] {
        let [fast, slow] = served(case);
        assert_eq!(fast + slow, 6, "{case}");
        assert!(fast > 0 && slow > 0, "{case}: {fast} and {slow}");
    }
}

#[test]
fn a_deregistered_target_has_its_delay_to_answer_and_then_it_is_502() {
    let body = NETWORK
        .replace("[fast, slow]", "[slow]")
        .replace("300ms", "1500ms");
    let body = format!(
        "time_scale: 10\n{body}steps:\n  - load: {{ as: curl, from: client, to: app, request: GET /, background: true }}\n  \
         - wait_until: {{ as: there, that: hosts.slow.counters.TcpPassiveOpens >= 1, timeout: 10s }}\n  \
         - deregister: web/slow\n  - wait: 300ms\n  \
         - load: {{ as: later, from: client, to: app, request: GET / }}\n"
    );
    let delay = "{ target_groups.web.attributes: { deregistration_delay.timeout_seconds: 3 } }";
    let Some(lab) = play(&body, &[("long", "{}"), ("short", delay)]) else {
        return;
    };
    has(
        lab.case("long").step("curl"),
        json!({ "status": { "200": 1 } }),
    );
    for case in ["long", "short"] {
        fine(lab.case(case).step("there"));
    }
    let short = lab.case("short");
    has(short.step("curl"), json!({ "status": { "502": 1 } }));
    assert_eq!(short.metric("app", "HTTPCode_ELB_502_Count"), 1);
    // Nobody is left.
    has(short.step("later"), json!({ "status": { "503": 1 } }));
}

#[test]
fn a_group_without_healthy_targets_fails_open() {
    let body = NETWORK
        .replace(
            "serve: { 80: http }",
            "serve: { 80: http, 81: { http: { status: 500 } } }",
        )
        .replace(
            "[fast, slow]",
            "[fast], health_check: { port: 81, interval: 5 }",
        );
    let body = format!(
        "time_scale: 20\n{body}steps:\n  - load: {{ as: curl, from: client, to: app, connections: 3, request: GET / }}\n  \
         - wait_until: {{ as: checked, that: 'hosts.fast.requests.exists(r, r.probe)', timeout: 10s }}\n"
    );
    let Some(case) = once(&body) else { return };
    fine(case.step("checked"));
    has(case.step("curl"), json!({ "status": { "200": 3 } }));
    assert_eq!(
        case.evidence["target_groups"]["web"]["targets"]["fast"]["state"],
        "unhealthy"
    );
    assert_eq!(case.metric("app", "UnhealthyRoutingRequestCount"), 3);
    let requests = case.evidence["hosts"]["fast"]["requests"].as_array();
    let checks = requests.expect("a list").iter();
    let checks: Vec<_> = checks.filter(|one| one["probe"] == true).collect();
    assert!(!checks.is_empty());
    let address = case.evidence["hosts"]["fast"]["address"]
        .as_str()
        .expect("an address");
    // The Host header of its checks is the target's.
    for check in checks {
        assert_eq!(check["host"], address);
    }
}

/// A balancer of HTTP gives other bytes on than it takes, and a real program does not say what it read: nothing shows a loss.
#[test]
fn what_a_real_program_answered_is_not_told_as_lost() {
    let body = r#"
hosts:
  client: { zone: a }
  web: { zone: a }
target_groups:
  web: { protocol: HTTP, targets: [web] }
load_balancers:
  app: { type: application, scheme: internal, zones: [a], listeners: { 80: web } }
steps:
  - run:
      on_host: web
      background: true
      timeout: 30s
      command: |
        perl -MIO::Socket::INET -e '
          my $listener = IO::Socket::INET->new(LocalPort => 80, Listen => 9, ReuseAddr => 1) or die "no socket: $!";
          while (my $caller = $listener->accept) {
            while (defined(my $line = <$caller>)) { last if $line eq "\r\n" }
            print $caller "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
            close $caller;
          }'
  - run: { on_host: web, timeout: 10s, command: "until grep -q ':0050 .* 0A ' /proc/net/tcp; do sleep 0.01; done" }
  - load: { as: curl, from: client, to: app, request: GET / }
"#;
    let Some(case) = once(body) else { return };
    has(case.step("curl"), json!({ "status": { "200": 1 } }));
    let connection = &case.evidence["connections"][0];
    assert_eq!(connection["lost"], 0, "{connection}");
}

/// One connection to the target serves two clients by turns; each pair has the bytes of its own client.
#[test]
fn bytes_over_a_shared_connection_are_told_by_client() {
    let body = NETWORK.replace("[fast, slow]", "[fast]");
    let body = format!(
        "{body}steps:\n  - load: {{ as: one, from: client, to: app, request: {{ path: /, times: 3 }} }}\n  \
         - load: {{ as: other, from: client, to: app, request: GET /a/longer/path }}\n"
    );
    let Some(case) = once(&body) else { return };
    assert_eq!(case.counter("fast", "TcpPassiveOpens"), 1);
    let pairs = case.evidence["pairs"].as_array().expect("a list");
    let figures = |pair: &serde_json::Value, client: &str, target: &str| {
        let count = |name: &str| pair[name].as_i64().expect("it is counted");
        (count(client), count(target))
    };
    let up = |pair| figures(pair, "from_client", "to_target");
    let down = |pair| figures(pair, "to_client", "from_target");
    assert_eq!(pairs.len(), 2, "{pairs:?}");
    // Three times the same request, and another that is longer by its path; the balancer adds its headers to each.
    let (three, one) = (up(&pairs[0]), up(&pairs[1]));
    let longer = "/a/longer/path".len() as i64 - 1;
    assert_eq!(three.0, (one.0 - longer) * 3);
    assert_eq!((three.1 - three.0), (one.1 - one.0) * 3);
    assert!(one.1 > one.0);
    let (three, one) = (down(&pairs[0]), down(&pairs[1]));
    assert_eq!((three.0, three.1), (one.0 * 3, one.1 * 3));
    assert!(one.0 > 0);
}

#[test]
fn the_page_of_an_ended_connection_is_no_answer() {
    let body = format!(
        "time_scale: 50\n{NETWORK}steps:\n  - connect: {{ as: idle, from: client, to: app }}\n  \
         - wait_until: {{ as: over, that: 'idle.ended == \"eof\"', timeout: 10s }}\n  \
         - exchange: {{ over: idle, as: late, timeout: 1s }}\n"
    );
    let Some(case) = once(&body) else { return };
    fine(case.step("over"));
    let comes = |p: &serde_json::Value| p["receiver"] == "client" && p["protocol"] == "tcp";
    let page = case.packets(|p| comes(p) && p["len"].as_i64() > Some(0));
    assert_eq!(page.len(), 1, "408");
    has(case.step("late"), json!({ "ok": false, "received": 0 }));
}

/// Programs ask, of whose requests no step knows: what the balancer said to them by itself is told all the same.
#[test]
fn what_a_program_was_answered_has_its_finding() {
    let body = r#"
hosts:
  client: { zone: a }
  web: { zone: a, serve: { 80: { http: { delay: 30s } } } }
target_groups:
  web: { protocol: HTTP, targets: [web] }
load_balancers:
  app: { type: application, scheme: internal, zones: [a], attributes: { idle_timeout.timeout_seconds: 1 }, listeners: { 80: web } }
steps:
  - wait: { as: before, for: 1ms }
  - run:
      as: fetch
      on_host: client
      timeout: 10s
      command: |
        perl -MIO::Socket::INET -e '
          my $server = IO::Socket::INET->new("app:80") or die "no socket: $!";
          print $server "GET / HTTP/1.1\r\nHost: app\r\n\r\n";
          print substr(<$server>, 9, 3);'
"#;
    let refused = "{ steps.before: { stop: web } }";
    let nobody = "{ steps.before: { deregister: web/web }, target_groups.web.attributes: { deregistration_delay.timeout_seconds: 0 } }";
    let well = "{ hosts.web.serve: { 80: http } }";
    let cases = [
        ("slow", "{}"),
        ("refused", refused),
        ("nobody", nobody),
        ("well", well),
    ];
    let Some(lab) = play(body, &cases) else {
        return;
    };
    for (name, status, finds) in [
        ("slow", "504", &["gateway-timeout"][..]),
        ("refused", "502", &["bad-gateway"]),
        ("nobody", "503", &["no-registered-target"]),
        ("well", "200", &[]),
    ] {
        let case = lab.case(name);
        has(case.step("fetch"), json!({ "stdout": status }));
        assert_eq!(case.findings(), finds, "{name}");
    }
}
