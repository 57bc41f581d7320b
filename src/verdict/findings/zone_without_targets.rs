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
        .filter_map(|(zone, at)| {
            let place = format!("{name}/{zone}");
            let answers = answers(evidence, &place);
            if answers.is_empty() {
                return None;
            }
            let groups: Vec<String> = at.reach.keys().cloned().collect();
            Some(Finding {
                kind: KIND.into(),
                summary: format!(
                    "{place} answered {} with 503 by itself: of target group {} it may send to targets in zone {zone} only, \
                     cross-zone load balancing is off, and none is there. {} had targets.",
                    count(answers.len(), "request"),
                    join(&groups),
                    join(&others),
                ),
                packets: answers.into_iter().take(CITED).collect(),
                connections: connections(evidence, &place),
                counters: Vec::new(),
                values: Vec::new(),
            })
        })
        .collect()
}

/// What the address said to clients, which are hosts: health checks of another balancer come from a zonal address. One of
/// its own answers is a packet.
fn answers(evidence: &Evidence, place: &str) -> Vec<usize> {
    let packets = evidence.packets.iter().enumerate();
    packets
        .filter(|(_, packet)| packet.sender == place && packet.len > 0 && !packet.probe)
        .filter(|(_, packet)| !packet.receiver.contains('/'))
        .map(|(record, _)| record)
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
    use crate::evidence::{BalancerEvidence, Packet, ZoneEvidence};
    use crate::verdict::findings::recognise;
    use crate::verdict::kit::Kit;

    /// An application balancer, by zone: how many targets each address may send to, and how often it said 503, to whom.
    fn told(kind: &str, zones: &[(&str, i64, i64)], to: &str) -> Option<String> {
        let mut kit = Kit::new();
        for (zone, _, refused) in zones {
            for _ in 0..*refused {
                kit.evidence.packets.push(Packet {
                    sender: format!("app/{zone}"),
                    receiver: to.to_owned(),
                    len: 107,
                    ..Packet::default()
                });
            }
        }
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
        kit.evidence.load_balancers.insert("app".into(), balancer);
        let found = recognise(&kit.evidence);
        let found = found.into_iter().find(|finding| finding.kind == KIND);
        found.map(|finding| finding.summary)
    }

    #[test]
    fn one_address_answers_for_want_of_targets_that_another_one_has() {
        let said = told("application", &[("a", 2, 0), ("b", 0, 31)], "client");
        assert_eq!(
            said.expect("the finding"),
            "app/b answered 31 requests with 503 by itself: of target group web it may send to targets in zone b only, \
             cross-zone load balancing is off, and none is there. app/a had targets."
        );
    }

    #[test]
    fn no_targets_at_all_503_of_targets_health_checks_and_zones_without_requests_are_something_else()
     {
        for (kind, zones, to) in [
            ("application", [("a", 0, 9), ("b", 0, 9)], "client"),
            ("application", [("a", 2, 9), ("b", 2, 9)], "client"),
            ("application", [("a", 2, 0), ("b", 0, 0)], "client"),
            ("application", [("a", 2, 0), ("b", 0, 31)], "front/b"),
            ("network", [("a", 2, 0), ("b", 0, 31)], "client"),
        ] {
            assert_eq!(told(kind, &zones, to), None);
        }
    }
}
