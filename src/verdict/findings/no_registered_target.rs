//! `no-registered-target`: a balancer said 503 because none of its targets was registered.
//!
//! Observed on: AWS Application Load Balancers ("HTTP 503: Service unavailable"): no target, or every one of them unused; HTTP
//! listeners of AWS Classic Load Balancers: no instance registered, or none healthy, for these do not fail open. Not
//! this: an address whose zone has none while others have (`zone-without-targets`), targets that are all unhealthy, which get
//! the requests (`fail-open`), a 503 that a target said.

use super::own_answers::{self, is_classic};
use super::{CITED, answered, count, distinct, item, join};
use crate::evidence::{Answer, Evidence, GroupEvidence, InstanceEvidence};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, asked, during};

pub(super) const KIND: &str = "no-registered-target";

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
            let record = evidence.load_balancers.get(balancer)?;
            let metric = own_answers::metric(record, 503);
            let said = own_answers::count(evidence, node, 503);
            if said < answers.len() as i64 {
                return None;
            }
            let groups = record.zones.get(zone)?.reach.keys().cloned();
            let groups: Vec<String> = groups.collect();
            let why = match is_classic(record) {
                true => format!("no instance of {balancer} was in service"),
                false => format!("no target of {} was registered", join(&groups)),
            };
            Some(Finding {
                kind: KIND.into(),
                summary: format!(
                    "{node} answered {} with 503 by itself: {why}, so there was nobody to ask.",
                    count(answers.len(), "request"),
                ),
                packets: pages(evidence, node, &answers),
                connections: answers.iter().map(|answer| answer.connection).collect(),
                counters: Vec::new(),
                values: vec![(
                    format!(
                        "{}.metrics.{metric}",
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
    own_answers::at(evidence, node).is_some_and(|(balancer, zone)| {
        if is_classic(balancer) {
            let mut instances = balancer.instances.values();
            return instances.all(|instance| !is_in_service(instance, at));
        }
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
        // One that is deregistered gets no request, though those that it has go on.
        last.is_none_or(|change| matches!(change.state.as_str(), "unused" | "draining"))
    })
}

fn is_in_service(instance: &InstanceEvidence, at: f64) -> bool {
    let last = instance.transitions.iter().rfind(|change| change.at <= at);
    last.is_some_and(|change| change.state == "InService")
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
