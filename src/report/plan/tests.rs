//! A plan in words, held against what was written.

use super::*;

pub(super) const LAB: &str = r#"
title: A plan to print
time_scale: 100
hosts:
  desk: { count: 3, sysctls: { net.ipv4.tcp_syn_retries: 1 }, link: { delay: 5ms } }
  web1:
    zone: a
    serve: { 80: echo }
    nft: |
      table ip guard {
        chain in { type filter hook input priority filter; ip saddr { $desk } accept }
      }
  web2: { zone: b, public_address: auto, serve: { 80: echo } }
target_groups:
  web: { targets: [web1, web2] }
load_balancers:
  front: { zones: [a, b], listeners: { 80: web } }
steps:
  - load: { as: staff, from: desk, to: front, connections: 2, hold: true }
  - exchange: { over: staff, times: 3, every: 5ms }
  - wait: 400s cloud
works:
  - everybody gets in: staff.failed == 0
cases:
  as-deployed:
    kind: control
  across:
    kind: control
    set: { load_balancers.front.attributes.load_balancing.cross_zone.enabled: true }
"#;

pub(super) fn plans() -> Vec<Plan> {
    crate::plan::read(LAB.as_bytes(), "labs/test/print.yaml").expect("plans")
}

#[test]
fn a_plan_says_all_that_will_be_built() {
    insta::assert_snapshot!(super::plan(&plans()[1]));
}

#[test]
fn without_cross_zone_each_address_sends_to_its_own_zone() {
    let text = super::plan(&plans()[0]);
    assert!(text.contains("front/a -> web1 10.0.0.10:80\n"), "{text}");
    assert!(text.contains("front/b -> web2 10.0.16.10:80\n"), "{text}");
}
