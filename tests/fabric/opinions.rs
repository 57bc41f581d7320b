//! What is thought of a target when it is other eyes that look at it, or another rule by which they agree.

use crate::health::{A, B, FAILED, HEALTHY, checked, healthy};
use crate::kit::*;
use hairpin::fabric::change::Change;
use hairpin::fabric::config::*;

/// Two zones that do not agree about a target of the second, which has failed the checks of the first only.
fn divided() -> Net {
    let mut net = healthy(checked());
    for _ in 0..2 {
        net.probe_by(A, 0, 1, false);
        net.probe_by(B, 0, 1, true);
    }
    assert_eq!(net.state(1), FAILED, "a tie");
    net
}

#[test]
fn who_looks_no_more_has_no_say() {
    let mut net = divided();
    let mut config = net.fabric.config().clone();
    config.balancers[0].zonal[0].enabled = false;
    net.apply(Change::Configure(Box::new(config.clone())));
    assert_eq!(net.state(1), HEALTHY);
    // Who comes back has no opinion yet.
    config.balancers[0].zonal[0].enabled = true;
    net.apply(Change::Configure(Box::new(config)));
    assert_eq!(net.state(1), HEALTHY);
}

#[test]
fn another_rule_is_asked_at_once() {
    let mut net = divided();
    let mut config = net.fabric.config().clone();
    config.groups[0].emulate.consensus = Consensus::Any;
    net.apply(Change::Configure(Box::new(config)));
    assert_eq!(net.state(1), HEALTHY);
}
