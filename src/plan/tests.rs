//! Whole labs, planned.

use super::*;
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
    assert!(front.listeners[0].cross_zone);
    assert!(!plans[1].fabric.balancers[0].listeners[0].cross_zone);
    assert!(!plans[2].fabric.groups[0].preserve_client_ip);
    assert_eq!(plans[1].fault_finds, ["flow-collision"]);
}
