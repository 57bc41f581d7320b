//! What balancers count of the answers that they gave by themselves, and of the errors that targets told of: application
//! balancers each status of their own from 500 on, classic ones and all others what begins with the same digit.

use crate::evidence::{BalancerEvidence, Evidence, ZoneEvidence};

/// The metric that counts a balancer's own answers with a status, perhaps among others.
pub(super) fn metric(balancer: &BalancerEvidence, status: i64) -> String {
    match (is_classic(balancer), status) {
        (true, _) => format!("HTTPCode_ELB_{}XX", status / 100),
        (false, ..500) => format!("HTTPCode_ELB_{}XX_Count", status / 100),
        (false, _) => format!("HTTPCode_ELB_{status}_Count"),
    }
}

/// The metric that counts errors that targets told of.
pub(super) fn of_targets(balancer: &BalancerEvidence) -> &'static str {
    match is_classic(balancer) {
        true => "HTTPCode_Backend_5XX",
        false => "HTTPCode_Target_5XX_Count",
    }
}

pub(super) fn is_classic(balancer: &BalancerEvidence) -> bool {
    balancer.kind == "classic"
}

/// The balancer and the zone of an address, `app/a`.
pub(super) fn at<'e>(
    evidence: &'e Evidence,
    node: &str,
) -> Option<(&'e BalancerEvidence, &'e ZoneEvidence)> {
    let (balancer, zone) = node.split_once('/')?;
    let balancer = evidence.load_balancers.get(balancer)?;
    Some((balancer, balancer.zones.get(zone)?))
}

/// How often an address said it by itself, perhaps among others.
pub(super) fn count(evidence: &Evidence, node: &str, status: i64) -> i64 {
    let counted = at(evidence, node).and_then(|(balancer, zone)| {
        let metric = metric(balancer, status);
        zone.metrics.get(&metric).copied()
    });
    counted.unwrap_or(0)
}
