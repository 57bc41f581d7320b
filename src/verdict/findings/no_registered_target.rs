//! `no-registered-target`: an application balancer said 503 because none of its targets was registered.
//!
//! Observed on: AWS Application Load Balancers ("HTTP 503: Service unavailable"): no target, or every one of them unused. Not
//! this: an address whose zone has none while others have (`zone-without-targets`), targets that are all unhealthy, which get
//! the requests (`fail-open`), a 503 that a target said.

use super::{CITED, answered, count, distinct, item, join};
use crate::evidence::{Answer, Evidence, GroupEvidence};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, asked, during};

pub(super) const KIND: &str = "no-registered-target";

const METRIC: &str = "HTTPCode_ELB_503_Count";

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let evidence = trace.evidence;
    let refused = answered(evidence).filter(|answer| answer.status == 503);
    let refused: Vec<(&str, &Answer)> = refused
        .filter_map(|answer| Some((asked(evidence, answer.connection)?, answer)))
        .filter(|(node, answer)| has_nobody(evidence, node, answer.at))
        .collect();
    let nodes = distinct(refused.iter().map(|(node, _)| *node));
    nodes
        .into_iter()
        .filter_map(|node| {
            let own = refused.iter().filter(|(at, _)| *at == node);
            let answers: Vec<&Answer> = own.map(|(_, answer)| *answer).collect();
            let (balancer, zone) = node.split_once('/')?;
            let record = evidence.load_balancers.get(balancer)?.zones.get(zone)?;
            let said = record.metrics.get(METRIC).copied().unwrap_or(0);
            if said < answers.len() as i64 {
                return None;
            }
            let groups: Vec<String> = record.reach.keys().cloned().collect();
            Some(Finding {
                kind: KIND.into(),
                summary: format!(
                    "{node} answered {} with 503 by itself: no target of {} was registered, so there was nobody to ask.",
                    count(answers.len(), "request"),
                    join(&groups),
                ),
                packets: pages(evidence, node, &answers),
                connections: answers.iter().map(|answer| answer.connection).collect(),
                counters: Vec::new(),
                values: vec![(
                    format!(
                        "{}.metrics.{METRIC}",
                        item(&format!("{}.zones", item("load_balancers", balancer)), zone)
                    ),
                    said.into(),
                )],
            })
        })
        .collect()
}

/// True when no target of any group that an address forwards to was in use.
fn has_nobody(evidence: &Evidence, node: &str, at: f64) -> bool {
    let zone = node.split_once('/').and_then(|(balancer, zone)| {
        let balancer = evidence.load_balancers.get(balancer)?;
        balancer.zones.get(zone)
    });
    zone.is_some_and(|zone| {
        let mut groups = zone.reach.keys();
        groups.all(|name| {
            let group = evidence.target_groups.get(name);
            group.is_none_or(|group| is_unused(group, at))
        })
    })
}

fn is_unused(group: &GroupEvidence, at: f64) -> bool {
    group.targets.values().all(|target| {
        let last = target.transitions.iter().rfind(|change| change.at <= at);
        last.is_none_or(|change| change.state == "unused")
    })
}

/// What the address said to the clients meanwhile.
fn pages(evidence: &Evidence, node: &str, answers: &[&Answer]) -> Vec<usize> {
    let packets = evidence.packets.iter().enumerate();
    let pages = packets.filter(|(_, packet)| {
        let client = !packet.receiver.contains('/') && !packet.probe;
        let meanwhile = || answers.iter().any(|answer| during(answer, packet.t));
        packet.sender == node && packet.len > 0 && client && meanwhile()
    });
    pages.map(|(record, _)| record).take(CITED).collect()
}
