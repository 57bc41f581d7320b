//! Whole labs, planned.

use super::*;
use crate::testing::processor_time;
use std::net::Ipv4Addr;

pub(super) const FLAGSHIP: &str = r#"
title: Two load-balancer addresses, one target, one source port
hosts:
  client: {}
  web1: { zone: a, serve: { 80: echo } }
  web2: { zone: b, serve: { 80: echo } }
target_groups:
  web: { targets: [web1, web2] }
load_balancers:
  front:
    zones: [a, b]
    listeners: { 80: web }
    attributes: { load_balancing.cross_zone.enabled: true }
    emulate: { prefer: web1 }
steps:
  - connect:  { as: old, from: client, to: front/a, source_port: 40000 }
  - exchange: { over: old }
  - connect:  { as: new, from: client, to: front/b, source_port: 40000 }
  - exchange: { over: new }
  - exchange: { over: old, as: again, timeout: 2s }
works:
  - the second connection opens with one SYN: new.ok && new.syns == 1
  - the first connection lives on: again.ok
cases:
  as-deployed:
    kind: fault
    shows: the second connection silently kills the first
    finds: [flow-collision]
    expect:
      - the newcomer gets in with a second SYN: new.ok && new.syns >= 2
      - nobody tells the first: again.error == "deadline"
      - the target challenged the SYN: hosts.web1.counters.TcpExtTCPSYNChallenge == 1
  cross-zone-off:
    kind: fix
    set: { load_balancers.front.attributes.load_balancing.cross_zone.enabled: false }
  client-ip-not-preserved:
    kind: fix
    set: { target_groups.web.attributes.preserve_client_ip.enabled: false }
  another-source-port:
    kind: fix
    set: { steps.new.source_port: 40001 }
  another-target:
    kind: partial
    set: { load_balancers.front.emulate.prefer: { front/a: web1, front/b: web2 } }
    expect: [new.syns == 1 && again.ok]
"#;

/// What a lab's check prints; empty when nothing is wrong.
pub(super) fn printed(text: &str) -> String {
    let reading = spec::read_all(text, "lab.yaml");
    let mut problems = reading.problems;
    if let Some(lab) = &reading.lab
        && let Err(more) = plans(lab)
    {
        problems.append(more);
    }
    if problems.is_empty() {
        return String::new();
    }
    crate::diag::render(&problems, "lab.yaml", text, crate::diag::Format::Plain)
}

pub(super) fn planned(text: &str) -> Vec<Plan> {
    assert_eq!(printed(text), "");
    plans(&spec::read(text, "labs/nlb/lab.yaml").expect("a lab")).expect("plans")
}

#[test]
fn the_flagship_is_planned() {
    let plans = planned(FLAGSHIP);
    assert_eq!(plans.len(), 5);
    let plan = &plans[0];
    assert_eq!(plan.lab, "nlb/lab");
    assert_eq!(plan.hosts[0].address, Ipv4Addr::new(198, 51, 100, 10));
    assert_eq!(plan.hosts[1].address, Ipv4Addr::new(10, 0, 0, 10));
    assert_eq!(plan.hosts[2].address, Ipv4Addr::new(10, 0, 16, 10));
    let front = &plan.fabric.balancers[0];
    assert_eq!(front.zonal[0].private, Ipv4Addr::new(10, 0, 15, 10));
    assert_eq!(front.zonal[0].public, Some(Ipv4Addr::new(203, 0, 113, 10)));
    assert_eq!(front.zonal[1].public, Some(Ipv4Addr::new(203, 0, 113, 11)));
    let Verb::Connect { dial, .. } = &plan.steps[2].verb else {
        panic!("the third step connects")
    };
    assert_eq!(dial.to[0].label, "front/b");
    assert_eq!(dial.to[0].address.to_string(), "203.0.113.11:80");
    assert!(front.listeners[0].forward[0].cross_zone);
    assert!(!plans[1].fabric.balancers[0].listeners[0].forward[0].cross_zone);
    assert!(!plans[2].fabric.groups[0].preserve_client_ip);
    assert_eq!(plans[1].fault_finds, ["flow-collision"]);
}

/// A lab around some lines; `{}` stands for nothing special in any of them.
fn lab(hosts: &str, groups: &str, balancers: &str, steps: &str) -> String {
    format!(
        "title: t\nhosts:\n{hosts}\ntarget_groups:\n{groups}\nload_balancers:\n{balancers}\nsteps:\n{steps}\nworks:\n  - it is so: size(packets) == 0\ncases:\n  plain:\n    kind: control\n"
    )
}

const WEB1: &str = "  web1: { zone: a, serve: { 80: echo } }";
const GROUP: &str = "  web: { targets: [web1] }";
const FRONT: &str = "  front: { zones: [a, b], listeners: { 80: web } }";

fn first_dial(plan: &Plan) -> Vec<String> {
    match &plan.steps[0].verb {
        Verb::Connect { dial, .. } => dial
            .to
            .iter()
            .map(|to| format!("{} {}", to.label, to.address))
            .collect(),
        other => panic!("a connect, not {other:?}"),
    }
}

fn dials(client: &str, balancer: &str, to: &str) -> Vec<String> {
    let hosts = format!("  client: {client}\n{WEB1}");
    let steps = format!("  - connect: {{ from: client, to: \"{to}\" }}");
    first_dial(&planned(&lab(&hosts, GROUP, balancer, &steps))[0])
}

#[test]
fn where_a_client_stands_decides_what_it_dials() {
    assert_eq!(
        dials("{}", FRONT, "front"),
        ["front/a 203.0.113.10:80", "front/b 203.0.113.11:80"]
    );
    assert_eq!(
        dials("{ zone: c }", FRONT, "front/b:80"),
        ["front/b 203.0.113.11:80"],
        "its name has nothing else, although that is out of reach"
    );
    assert_eq!(
        dials("{ zone: c, public_address: auto }", FRONT, "front/a"),
        ["front/a 203.0.113.10:80"]
    );
    let internal = "  front: { scheme: internal, zones: [a], listeners: { 80: web } }";
    assert_eq!(
        dials("{ zone: c, public_address: auto }", internal, "front"),
        ["front/a 10.0.15.10:80"]
    );
    assert_eq!(
        dials("{ zone: c }", internal, "front/a"),
        ["front/a 10.0.15.10:80"]
    );
}

#[test]
fn hosts_and_addresses_are_dialled_as_such() {
    assert_eq!(dials("{ zone: b }", FRONT, "web1"), ["web1 10.0.0.10:80"]);
    assert_eq!(
        dials("{ zone: b }", FRONT, "10.0.0.99:81"),
        ["10.0.0.99:81 10.0.0.99:81"]
    );
    let hosts = "  client: {}\n  web1: { zone: a, public_address: auto, serve: { 80: echo } }";
    let steps = "  - connect: { from: client, to: web1/public }";
    assert_eq!(
        first_dial(&planned(&lab(hosts, GROUP, FRONT, steps))[0]),
        ["web1/public 203.0.113.128:80"]
    );
    let steps = "  - connect: { from: client, to: web1 }";
    assert_eq!(
        first_dial(&planned(&lab(hosts, GROUP, FRONT, steps))[0]),
        ["web1 203.0.113.128:80"]
    );
}

#[test]
fn a_load_from_a_group_has_a_dial_for_each_host() {
    let hosts = format!("  desk: {{ count: 3 }}\n{WEB1}");
    let steps = "  - load: { as: staff, from: desk, to: front, connections: 2 }\n  - exchange: { over: staff }";
    let plans = planned(&lab(&hosts, GROUP, FRONT, steps));
    let Verb::Load { dials, .. } = &plans[0].steps[0].verb else {
        panic!("a load")
    };
    assert_eq!(dials.len(), 3);
    assert_eq!(dials[2].from, HostId(2));
    assert_eq!(
        plans[0].groups,
        [("desk".to_owned(), vec![HostId(0), HostId(1), HostId(2)])]
    );
    let Verb::Exchange(transfer) = &plans[0].steps[1].verb else {
        panic!("an exchange")
    };
    assert_eq!(transfer.over, StepId(0));
}

#[test]
fn names_in_rules_become_addresses_and_nothing_else_does() {
    let hosts = "  client: {}\n  web: { zone: a, count: 2 }\n  web1:\n    zone: a\n    serve: { 80: echo }\n    nft: |\n      define lan = 10.0.0.0/8\n      add rule ip t c ip saddr { $web } ip daddr $web1-$web-2 drop # $lan $$web1 $web1x $client\n";
    let plans = planned(&lab(hosts, GROUP, FRONT, "  - wait: 1ms"));
    let nft = plans[0].hosts[3].nft.as_deref().expect("rules");
    assert!(
        nft.contains("{ 10.0.0.10,10.0.0.11 } ip daddr 10.0.0.12-10.0.0.11 drop # $lan $web1 $web1x 198.51.100.10"),
        "{nft}"
    );
}

#[test]
fn fixed_addresses_are_kept_and_given_out_ones_go_around_them() {
    let hosts = "  client: {}\n  web1: { zone: a, serve: { 80: echo } }\n  db: { zone: a, address: 10.0.0.10 }";
    let balancer = "  front: { zones: { a: 203.0.113.50, b: 203.0.113.10 }, listeners: { 80: web } }\n  rear: { zones: [a], listeners: { 80: web } }";
    let plans = planned(&lab(hosts, GROUP, balancer, "  - wait: 1ms"));
    assert_eq!(plans[0].hosts[1].address, Ipv4Addr::new(10, 0, 0, 11));
    let public =
        |balancer: usize, zonal: usize| plans[0].fabric.balancers[balancer].zonal[zonal].public;
    assert_eq!(public(0, 0), Some(Ipv4Addr::new(203, 0, 113, 50)));
    assert_eq!(public(1, 0), Some(Ipv4Addr::new(203, 0, 113, 11)));
}

#[test]
fn preservation_and_cross_zone_have_the_defaults_of_aws() {
    let groups = "  web: { targets: [web1] }\n  ip: { target_type: ip, targets: [web1] }\n  kept: { target_type: ip, targets: [web1], attributes: { preserve_client_ip.enabled: true } }\n  own: { targets: [web1], attributes: { load_balancing.cross_zone.enabled: false } }";
    let balancer = "  front: { zones: [a], listeners: { 80: web, 81: own }, attributes: { load_balancing.cross_zone.enabled: \"true\" } }";
    let hosts = "  client: {}\n  web1: { zone: a, serve: { 80: echo, 81: echo } }";
    let plan = &planned(&lab(hosts, groups, balancer, "  - wait: 1ms"))[0];
    let kept: Vec<bool> = plan
        .fabric
        .groups
        .iter()
        .map(|g| g.preserve_client_ip)
        .collect();
    assert_eq!(kept, [true, false, true, true]);
    let front = &plan.fabric.balancers[0];
    assert!(front.listeners[0].forward[0].cross_zone && !front.listeners[1].forward[0].cross_zone);
    assert_eq!(front.listeners[0].idle_timeout.as_secs(), 350);
    assert_eq!(front.snat_ports, 55_000);
}

#[test]
fn a_preference_by_zonal_address_names_places_in_the_group() {
    let text = FLAGSHIP;
    let plans = planned(text);
    let all = &plans[0].fabric.balancers[0].prefer;
    let by_zone = &plans[4].fabric.balancers[0].prefer;
    use crate::fabric::config::ZonalId;
    assert_eq!(all, &[(ZonalId(0), vec![0]), (ZonalId(1), vec![0])]);
    assert_eq!(by_zone, &[(ZonalId(0), vec![0]), (ZonalId(1), vec![1])]);
}

#[test]
fn a_thousand_hosts_are_planned_in_a_moment() {
    let hosts = format!("  desk: {{ count: 1000 }}\n{WEB1}");
    let steps = "  - load: { as: staff, from: desk, to: front }";
    let text = lab(&hosts, GROUP, FRONT, steps);
    let lab = spec::read(&text, "lab.yaml").expect("a lab");
    let (plan, took) = processor_time(|| plan(&lab, "plain", None));
    plan.expect("a plan");
    assert!(took.as_millis() < 100, "{took:?}");
}

#[test]
fn another_seed_changes_the_seed_only() {
    let lab = spec::read(FLAGSHIP, "lab.yaml").expect("a lab");
    let plan = plan(&lab, "as-deployed", Some(7)).expect("a plan");
    assert_eq!((plan.seed, plan.fabric.seed), (7, 7));
}

#[test]
fn the_worst_labs_are_refused_within_a_second() {
    let targets: Vec<String> = (0..900)
        .map(|n| format!("{}{n:04}", "nobody-".repeat(7)))
        .collect();
    let hosts: Vec<String> = (0..900)
        .map(|n| format!("  {}{n:04}: {{}}", "someone".repeat(7)))
        .collect();
    let groups = format!("  web: {{ targets: [{}] }}", targets.join(", "));
    let text = lab(&hosts.join("\n"), &groups, FRONT, "  - wait: 1ms");
    let reading = spec::read_all(&text, "lab.yaml");
    let problems = reading.problems.sorted();
    let lab = reading
        .lab
        .unwrap_or_else(|| panic!("{:?}", problems.first()));
    let (plans, took) = processor_time(|| plans(&lab));
    assert!(plans.expect_err("no target exists").is_full());
    assert!(took.as_millis() < 1000, "{took:?}");
}

#[test]
fn only_a_balancer_with_checks_has_kernels_at_its_zonal_addresses() {
    let text = |check: &str| {
        let hosts = format!("  client: {{}}\n{WEB1}");
        let group = format!("  web: {{ targets: [web1]{check} }}");
        let steps = "  - connect: { from: client, to: front }";
        planned(&lab(&hosts, &group, FRONT, steps)).remove(0)
    };
    let plan = text("");
    assert_eq!(plan.fabric.ports.len(), plan.hosts.len());
    assert!(plan.settles.is_empty());
    let plan = text(", health_check: { interval: 10 }");
    let names: Vec<&str> = plan.fabric.ports[2..]
        .iter()
        .map(|p| p.name.as_str())
        .collect();
    assert_eq!(names, ["front/a", "front/b"]);
    assert_eq!(plan.settles.len(), 1);
    let check = plan.fabric.groups[0]
        .health_check
        .as_ref()
        .expect("a check");
    // AWS: 10 s for TCP; and three checkers.
    assert_eq!((check.timeout.as_secs(), check.checkers), (10, 3));
}

#[test]
fn the_idle_timeout_of_2020_is_fixed() {
    let attribute = "{ target_group: web, attributes: { tcp.idle_timeout.seconds: 400 } }";
    let written = FLAGSHIP.replace("{ 80: web }", &format!("{{ 80: {attribute} }}"));
    assert_eq!(printed(&written), "");
    let old = written.replace("hosts:\n", "profile: aws-2020\nhosts:\n");
    assert!(
        printed(&old).contains("under `aws-2020`"),
        "{}",
        printed(&old)
    );
}

/// AWS has thresholds since 2022; a zone without a healthy target left the name before.
#[test]
fn in_2020_one_healthy_target_keeps_a_zone_in_the_name() {
    let hosts = format!("  client: {{}}\n{WEB1}");
    let steps = "  - connect: { from: client, to: front }";
    let new = lab(&hosts, "  web: { targets: [web1] }", FRONT, steps);
    let old = new.replace("hosts:\n", "profile: aws-2020\nhosts:\n");
    assert_ne!(new, old);
    for text in [&new, &old] {
        let dns = planned(text)[0].fabric.groups[0].attributes.dns_failover;
        assert_eq!((dns.count, dns.percentage), (Some(1), None));
    }
}

#[test]
fn groups_of_tls_allow_zonal_shift_across_zones() {
    let text = |protocol: &str| {
        FLAGSHIP
            .replace("targets: [web1, web2] }", &format!(
                "targets: [web1, web2], protocol: {protocol}, attributes: {{ target_health_state.unhealthy.connection_termination.enabled: false }} }}"
            ))
            .replace("listeners: { 80: web }", &format!("listeners: {{ 80: {{ protocol: {protocol}, target_group: web }} }}"))
            .replace("cross_zone.enabled: true }", "cross_zone.enabled: true, zonal_shift.config.enabled: true }")
    };
    for protocol in ["TCP", "TLS"] {
        let said = printed(&text(protocol));
        assert!(!said.contains("HP0572"), "{said}");
    }
    assert!(printed(&text("UDP")).contains("HP0572"));
}

/// Names of the fixes offered against a fault, with whether each settles all that sets the fault apart.
fn offers(fault: &Plan) -> Vec<(&str, bool)> {
    let told = fault
        .fixes
        .iter()
        .map(|fix| (fix.case.as_str(), fix.settles));
    told.collect()
}

#[test]
fn a_fix_is_held_against_what_the_fault_has_already() {
    let more = "
  one-balancer-address:
    kind: fault
    set: { steps.new.to: front/a, steps.new.source_port: 40001 }
  cross-zone-off-in-vain:
    kind: fault
    set: { load_balancers.front.attributes: { load_balancing.cross_zone.enabled: false, deletion_protection.enabled: false } }
  as-written:
    kind: fault
    set: { steps.new.source_port: 40001 }
  the-whole-step:
    kind: fault
    set: { steps.new: { connect: { from: client, to: front/b, source_port: 40002 } } }
";
    let plans = planned(&format!("{}{more}", FLAGSHIP.trim_end()));
    let plan = |case: &str| plans.iter().find(|plan| plan.case == case).expect("a case");
    let (zone, address, port) = (
        "cross-zone-off",
        "client-ip-not-preserved",
        "another-source-port",
    );
    let all = vec![(zone, true), (address, true), (port, true)];
    assert_eq!(offers(plan("as-deployed")), all);
    // Its own port is that of the fix; the others leave its settings out.
    assert_eq!(
        offers(plan("one-balancer-address")),
        [(zone, false), (address, false)]
    );
    assert_eq!(
        offers(plan("as-written")),
        [(zone, false), (address, false)]
    );
    assert_eq!(
        offers(plan("cross-zone-off-in-vain")),
        [(address, false), (port, false)]
    );
    // Another value of what the fault changes, however that is written.
    assert_eq!(
        offers(plan("the-whole-step")),
        [(zone, false), (address, false), (port, true)]
    );
    assert!(plan("another-target").fixes.is_empty());
}
