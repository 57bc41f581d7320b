//! `zone-without-targets`: an address of an application balancer answers 503 because none of the targets is in its zone.
//!
//! Observed on: AWS Application Load Balancers whose target group has cross-zone load balancing off, reached at all their
//! addresses by a Network Load Balancer in front of them. The balancer's other addresses answer well, so every retry may
//! help. Not this: no targets anywhere, and a 503 that a target said.

use super::{CITED, count, join};
use crate::evidence::{BalancerEvidence, Detail, Evidence, ZoneEvidence};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;
use std::collections::BTreeSet;

pub(super) const KIND: &str = "zone-without-targets";

const REFUSED: &str = "HTTPCode_ELB_503_Count";

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let evidence = trace.evidence;
    let balancers = evidence.load_balancers.iter();
    balancers
        .filter(|(_, balancer)| balancer.kind == "application")
        .flat_map(|(name, balancer)| of_balancer(evidence, name, balancer))
        .collect()
}

fn of_balancer(evidence: &Evidence, name: &str, balancer: &BalancerEvidence) -> Vec<Finding> {
    let has_targets = |zone: &ZoneEvidence| zone.reach.values().any(|targets| *targets > 0);
    let others: Vec<String> = balancer
        .zones
        .iter()
        .filter(|(_, zone)| has_targets(zone))
        .map(|(zone, _)| format!("{name}/{zone}"))
        .collect();
    let refused = |zone: &ZoneEvidence| zone.metrics.get(REFUSED).copied().unwrap_or(0);
    let zones = balancer.zones.iter();
    zones
        .filter(|(_, zone)| !others.is_empty() && !has_targets(zone) && refused(zone) > 0)
        .map(|(zone, at)| {
            let place = format!("{name}/{zone}");
            let groups: Vec<String> = at.reach.keys().cloned().collect();
            Finding {
                kind: KIND.into(),
                summary: format!(
                    "{place} answered {} with 503 by itself: of target group {} it may send to targets in zone {zone} only, \
                     cross-zone load balancing is off, and none is there. {} had targets.",
                    count(usize::try_from(refused(at)).unwrap_or(0), "request"),
                    join(&groups),
                    join(&others),
                ),
                packets: answers(evidence, &place),
                connections: connections(evidence, &place),
                counters: Vec::new(),
            }
        })
        .collect()
}

/// What the address said to clients.
fn answers(evidence: &Evidence, place: &str) -> Vec<usize> {
    let packets = evidence.packets.iter().enumerate();
    packets
        .filter(|(_, packet)| packet.sender == place && packet.len > 0 && !packet.probe)
        .map(|(record, _)| record)
        .take(CITED)
        .collect()
}

/// Clients' connections that ended there, directly or through a network balancer, and on which it was 503.
fn connections(evidence: &Evidence, place: &str) -> Vec<usize> {
    let loads = evidence.steps.iter().filter_map(|step| match &step.detail {
        Detail::Load(load) => Some(load),
        Detail::Plain
        | Detail::Connect { .. }
        | Detail::Transfer { .. }
        | Detail::TransferAll { .. }
        | Detail::Drop { .. }
        | Detail::Refused { .. }
        | Detail::Run { .. } => None,
    });
    let refused: BTreeSet<usize> = loads
        .flat_map(|load| &load.answers)
        .filter(|answer| answer.status == 503)
        .map(|answer| answer.connection)
        .collect();
    refused
        .into_iter()
        .filter(|connection| {
            let connection = evidence.connections.get(*connection);
            connection.is_some_and(|one| one.target == place || one.via == place)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{KIND, REFUSED};
    use crate::evidence::{BalancerEvidence, ZoneEvidence};
    use crate::verdict::findings::recognise;
    use crate::verdict::kit::Kit;

    /// An application balancer, by zone: how many targets each address may send to, and how often it said 503.
    fn told(kind: &str, zones: &[(&str, i64, i64)]) -> Option<String> {
        let zones = zones.iter().map(|(zone, targets, refused)| {
            let at = ZoneEvidence {
                reach: [("web".to_owned(), *targets)].into(),
                metrics: [(REFUSED.to_owned(), *refused)].into(),
                ..ZoneEvidence::default()
            };
            ((*zone).to_owned(), at)
        });
        let balancer = BalancerEvidence {
            kind: kind.to_owned(),
            zones: zones.collect(),
            ..BalancerEvidence::default()
        };
        let mut kit = Kit::new();
        kit.evidence.load_balancers.insert("app".into(), balancer);
        let found = recognise(&kit.evidence);
        let found = found.into_iter().find(|finding| finding.kind == KIND);
        found.map(|finding| finding.summary)
    }

    #[test]
    fn one_address_answers_for_want_of_targets_that_another_one_has() {
        let said = told("application", &[("a", 2, 0), ("b", 0, 31)]);
        assert_eq!(
            said.expect("the finding"),
            "app/b answered 31 requests with 503 by itself: of target group web it may send to targets in zone b only, \
             cross-zone load balancing is off, and none is there. app/a had targets."
        );
    }

    #[test]
    fn no_targets_at_all_503_of_targets_and_zones_without_requests_are_something_else() {
        assert_eq!(told("application", &[("a", 0, 9), ("b", 0, 9)]), None);
        assert_eq!(told("application", &[("a", 2, 9), ("b", 2, 9)]), None);
        assert_eq!(told("application", &[("a", 2, 0), ("b", 0, 0)]), None);
        assert_eq!(told("network", &[("a", 2, 0), ("b", 0, 31)]), None);
    }
}
