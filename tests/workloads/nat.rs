//! Hosts behind NAT gateways, with real kernels at both ends.

use crate::kit::{once, play};

const LAB: &str = "
hosts:
  app: { count: 2, zone: a, nat: egress }
  service: { serve: { 443: echo, 53/udp: name } }
  web: { zone: b, serve: { 80: echo } }
nat_gateways:
  egress: { zone: a }
target_groups:
  web: { targets: [web] }
load_balancers:
  front: { zones: [b], listeners: { 80: web } }
steps:
  - connect: { as: session, from: app-1, to: service:443 }
  - exchange: { over: session, bytes: 100000, as: bulk }
  - connect: { as: visit, from: app-2, to: front }
  - exchange: { over: visit, as: page }
  - connect: { as: ask, from: app-1, to: service:53/udp }
  - exchange: { over: ask, as: answer }
  - connect: { as: nobody, from: app-1, to: service:444 }
  - close: { over: visit }
";

#[test]
fn tcp_and_udp_pass_by_the_gateways_address() {
    let Some(case) = once(LAB) else { return };
    for step in ["session", "bulk", "visit", "page", "ask", "answer"] {
        assert_eq!(case.step(step)["ok"], true, "{step}: {}", case.step(step));
    }
    assert_eq!(case.step("nobody")["error"], "refused");
    let connections = case.evidence["connections"]
        .as_array()
        .expect("connections");
    let one = |name: &str, from: &str, target: &str| {
        let found = connections
            .iter()
            .find(|c| c["from"] == from && c["target"] == target);
        let found = found.unwrap_or_else(|| panic!("{name}: {connections:?}"));
        let seen = found["seen_as"].as_str().expect("text");
        assert!(seen.starts_with("192.0.2.10:"), "{name}: {seen}");
        found.clone()
    };
    let session = one("session", "app-1", "service");
    assert_eq!(
        (session["syns"].clone(), session["lost"].clone()),
        (1.into(), 0.into())
    );
    assert_eq!(session["server_state"], "ESTABLISHED");
    assert_eq!(session["delivered"], 100_000);
    let visit = one("visit", "app-2", "web");
    assert_eq!(visit["ended_by"], "client");
    let gateway = &case.evidence["nat_gateways"]["egress"];
    let metrics = &gateway["metrics"];
    assert_eq!(metrics["ConnectionAttemptCount"], 3, "{metrics}");
    assert_eq!(metrics["ConnectionEstablishedCount"], 2, "{metrics}");
    assert_eq!(metrics["PacketsDropCount"], 0, "{metrics}");
    assert_eq!(
        metrics["BytesInFromSource"], metrics["BytesOutToDestination"],
        "{metrics}"
    );
    assert_eq!(gateway["mappings"], 4);
    let packets = case.evidence["packets"].as_array().expect("packets");
    let outside = packets
        .iter()
        .filter(|p| p["receiver"] == "service" || p["receiver"] == "web");
    for packet in outside {
        let from = packet["from_after"].as_str().expect("text");
        assert!(from.starts_with("192.0.2.10:"), "{packet}");
    }
}

const MANY: &str = "
hosts:
  app: { count: 4, zone: a, nat: egress }
  service: { serve: { 443: echo } }
nat_gateways:
  egress: { zone: a, emulate: { port_order: sequential } }
steps:
  - load: { as: all, from: app, to: service, connections: 100, hold: true }
  - exchange: { over: all, as: each }
  - close: { over: all }
";

#[test]
fn every_order_gives_each_connection_a_port_of_its_own() {
    let orders = ["sequential", "random", "preserve"];
    let sets: Vec<String> = orders
        .iter()
        .map(|order| format!("{{ nat_gateways.egress.emulate.port_order: {order} }}"))
        .collect();
    let cases: Vec<(&str, &str)> = orders
        .iter()
        .copied()
        .zip(sets.iter().map(String::as_str))
        .collect();
    let Some(lab) = play(MANY, &cases) else {
        return;
    };
    for order in orders {
        let case = lab.case(order);
        assert_eq!(case.step("all")["connected"], 400, "{order}");
        assert_eq!(case.step("each")["failed"], 0, "{order}");
        let connections = case.evidence["connections"]
            .as_array()
            .expect("connections");
        let seen = connections
            .iter()
            .map(|c| c["seen_as"].as_str().expect("text"));
        let seen: std::collections::BTreeSet<&str> = seen.collect();
        assert_eq!(seen.len(), 400, "{order}");
        let metrics = &case.evidence["nat_gateways"]["egress"]["metrics"];
        assert_eq!(metrics["ActiveConnectionCount"], 400, "{order}");
    }
}

const BEYOND: &str = "
hosts:
  app: { zone: a, nat: egress }
  router:
    zone: a
    nat: egress
    nft: |
      table ip nat {
        chain post { type nat hook postrouting priority srcnat; oifname \"eth0\" masquerade }
      }
  desk: { behind: router }
  service: { serve: { 443: echo } }
  web: { zone: b, serve: { 80: echo } }
nat_gateways:
  egress: { zone: a }
load_balancers:
  old: { type: classic, zones: [b], instances: [web], listeners: { 80: 80 } }
steps:
  - connect: { as: visit, from: app, to: old }
  - exchange: { as: page, over: visit }
  - connect: { as: session, from: desk, to: service }
  - exchange: { as: talk, over: session }
";

#[test]
fn a_proxy_before_the_target_and_a_router_before_the_gateway() {
    let Some(case) = once(BEYOND) else { return };
    for step in ["visit", "page", "session", "talk"] {
        assert_eq!(case.step(step)["ok"], true, "{step}: {}", case.step(step));
    }
    let connections = case.evidence["connections"]
        .as_array()
        .expect("connections");
    assert_eq!(connections[0]["target"], "web", "{}", connections[0]);
    assert_eq!(connections[1]["target"], "service", "{}", connections[1]);
    let seen = connections[1]["seen_as"].as_str().expect("text");
    assert!(seen.starts_with("192.0.2.10:"), "{seen}");
    assert_eq!(connections[1]["server_state"], "ESTABLISHED");
}
