//! `spillover`: a classic balancer had no instance to pass connections to and no room for more that wait.
//!
//! Observed on: AWS Classic Load Balancers, which count them (`SpilloverCount`): a client of an HTTP listener gets 503, one
//! of a TCP listener is closed as soon as it is connected. Not this: a queue that is used and not full.

use super::{CITED, answered, cite, count, item, name_all};
use crate::evidence::{Answer, Connection, Evidence};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, during, is_reset};

pub(super) const KIND: &str = "spillover";

const SPILLED: &str = "SpilloverCount";
const WAITING: &str = "SurgeQueueLength";

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let balancers = trace.evidence.load_balancers.iter();
    balancers
        .filter_map(|(name, balancer)| {
            let metric = |metric: &str| balancer.metrics.get(metric).copied().unwrap_or(0);
            let spilled = usize::try_from(metric(SPILLED)).ok().filter(|n| *n > 0)?;
            let refused = refused(trace.evidence, name);
            let connections = match refused.is_empty() {
                true => turned_away(trace, name),
                false => refused.iter().map(|answer| answer.connection).collect(),
            };
            let whose = match connections.as_slice() {
                [] => String::new(),
                some => format!(" It concerns {}.", name_all(trace, some)),
            };
            let path = format!("{}.metrics", item("load_balancers", name));
            let value = |word: &str| (format!("{path}.{word}"), metric(word).into());
            let waiting = most_waiting(trace.evidence, name).unwrap_or(metric(WAITING));
            Some(Finding {
                kind: KIND.into(),
                summary: match refused.is_empty() {
                    true => format!(
                        "{name} had no instance in service to pass connections to and {waiting} waiting for one already: it \
                         turned {} away ({SPILLED}).{whose}",
                        count(spilled, "client"),
                    ),
                    false => format!(
                        "{name} had no connection to an instance for {}, which waited for one: it answered {spilled} more with 503 by \
                         itself ({SPILLED}).{whose}",
                        count(usize::try_from(waiting).unwrap_or(0), "request"),
                    ),
                },
                packets: match refused.is_empty() {
                    true => goodbyes(trace, &connections),
                    false => pages(trace, name, &refused),
                },
                connections,
                counters: Vec::new(),
                values: vec![value(SPILLED), value(WAITING)],
            })
        })
        .collect()
}

/// Answers of 503 that clients had of a balancer, over connections that went no further.
fn refused<'e>(evidence: &'e Evidence, balancer: &str) -> Vec<&'e Answer> {
    let refused = answered(evidence).filter(|answer| answer.status == 503);
    refused
        .filter(|answer| {
            let connection = evidence.connections.get(answer.connection);
            connection.is_some_and(|one| is_at(one, balancer))
        })
        .collect()
}

/// How many waited at a time, at most, if that is told.
fn most_waiting(evidence: &Evidence, balancer: &str) -> Option<i64> {
    let mut metrics = evidence.metrics.iter();
    let whole = metrics.find(|metric| {
        let dimensions: Vec<&str> = metric
            .dimensions
            .iter()
            .map(|one| one.value.as_str())
            .collect();
        metric.metric_name == WAITING && dimensions == [balancer]
    })?;
    Some(whole.statistics.maximum as i64)
}

/// What the balancer said to those clients.
fn pages(trace: &Trace, balancer: &str, refused: &[&Answer]) -> Vec<usize> {
    let packets = trace.evidence.packets.iter().enumerate();
    let said = packets.filter(|(_, packet)| {
        let own = packet.sender.split('/').next() == Some(balancer);
        let client = !packet.receiver.contains('/') && !packet.probe;
        let to_one = || refused.iter().any(|answer| during(answer, packet.t));
        own && client && packet.len > 0 && to_one()
    });
    said.map(|(record, _)| record).take(CITED).collect()
}

/// It went to this balancer and was not passed on.
fn is_at(connection: &Connection, balancer: &str) -> bool {
    let (name, _) = connection
        .via
        .split_once('/')
        .unwrap_or((&connection.via, ""));
    name == balancer && connection.pair.is_none()
}

/// Connections that the balancer ended and had never passed on.
fn turned_away(trace: &Trace, balancer: &str) -> Vec<usize> {
    let connections = trace.evidence.connections.iter().enumerate();
    connections
        .filter(|(_, connection)| is_at(connection, balancer) && connection.ended_by == "fabric")
        .map(|(index, _)| index)
        .collect()
}

/// FINs and RSTs of the balancer on them.
fn goodbyes(trace: &Trace, connections: &[usize]) -> Vec<usize> {
    let passages = connections
        .iter()
        .flat_map(|one| &trace.by_connection[*one]);
    let said = passages.filter(|passage| {
        let packet = trace.sent(**passage);
        let ends = is_reset(packet) || packet.flags.contains('F');
        ends && !trace.passages[**passage].toward_target
    });
    cite(trace, said.copied())
}
