//! `no-registered-target`: a balancer said 503 because none of its targets was registered.
//!
//! Observed on: AWS Application Load Balancers ("HTTP 503: Service unavailable"): no target, or every one of them unused; HTTP
//! listeners of AWS Classic Load Balancers: no instance registered, or none healthy, for these do not fail open. Not
//! this: an address whose zone has none while others have (`zone-without-targets`), targets that are all unhealthy, which get
//! the requests (`fail-open`), a 503 that a target said.

use super::own_answers::{self, is_classic};
use super::{CITED, answered, count, distinct, join, of_zone};
use crate::evidence::{Answer, Evidence, GroupEvidence, InstanceEvidence};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, asked, during};
use std::collections::BTreeSet;

pub(super) const KIND: &str = "no-registered-target";

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let evidence = trace.evidence;
    let refused = answered(evidence).filter(|answer| answer.status == 503);
    let refused: Vec<(&str, &Answer)> = refused
        .filter_map(|answer| Some((asked(evidence, answer.connection)?, answer)))
        .filter(|(node, answer)| has_nobody(evidence, node, answer))
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
            let asked = answers.iter().flat_map(|one| empty(evidence, node, one));
            let groups: BTreeSet<&str> = asked.collect();
            let groups: Vec<String> = groups.into_iter().map(str::to_owned).collect();
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
                    of_zone(balancer, zone, &format!("metrics.{metric}")),
                    said.into(),
                )],
            })
        })
        .collect()
}

/// True when no target of any group that the request was for was in use.
fn has_nobody(evidence: &Evidence, node: &str, answer: &Answer) -> bool {
    own_answers::at(evidence, node).is_some_and(|(balancer, _)| {
        if is_classic(balancer) {
            let mut instances = balancer.instances.values();
            return instances.all(|instance| !is_in_service(instance, answer.at));
        }
        !empty(evidence, node, answer).is_empty()
    })
}

/// Those of the groups that the request may have been for that had nobody. Of several with weights one was drawn, and there is no way from
/// one that is empty to another.
fn empty<'e>(evidence: &'e Evidence, node: &str, answer: &Answer) -> Vec<&'e str> {
    let (asked, known) = groups(evidence, node, answer);
    let unused = |name: &&str| {
        let group = evidence.target_groups.get(*name);
        group.is_none_or(|group| is_unused(group, answer.at))
    };
    let empty: Vec<&str> = asked.iter().copied().filter(unused).collect();
    match known || empty.len() == asked.len() {
        true => empty,
        false => Vec::new(),
    }
}

/// The groups behind the listener that was asked, and true; where that is not on record, all that the address forwards to.
fn groups<'e>(evidence: &'e Evidence, node: &str, answer: &Answer) -> (Vec<&'e str>, bool) {
    let Some((balancer, zone)) = own_answers::at(evidence, node) else {
        return (Vec::new(), false);
    };
    let dialled = evidence
        .connections
        .get(answer.connection)
        .map(|connection| {
            // One that came through a network balancer has dialled that.
            match connection.via == node {
                true => &connection.remote,
                false => &connection.target_address,
            }
        });
    let port = dialled.and_then(|end| end.rsplit_once(':')?.1.parse().ok());
    let listener = port.and_then(|port: u16| balancer.listeners.get(&port));
    match listener {
        Some(groups) => (groups.iter().map(String::as_str).collect(), true),
        None => (zone.reach.keys().map(String::as_str).collect(), false),
    }
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
