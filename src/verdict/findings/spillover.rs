//! `spillover`: a classic balancer had no instance to pass connections to and no room for more that wait.
//!
//! Observed on: AWS Classic Load Balancers, which count them (`SpilloverCount`): a client of an HTTP listener gets 503, one
//! of a TCP listener is closed as soon as it is connected. Not this: a queue that is used and not full.

use super::{CITED, count, item, name_all};
use crate::evidence::Connection;
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, is_reset};

pub(super) const KIND: &str = "spillover";

const SPILLED: &str = "SpilloverCount";
const WAITING: &str = "SurgeQueueLength";

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let balancers = trace.evidence.load_balancers.iter();
    balancers
        .filter_map(|(name, balancer)| {
            let metric = |metric: &str| balancer.metrics.get(metric).copied().unwrap_or(0);
            let spilled = usize::try_from(metric(SPILLED)).ok().filter(|n| *n > 0)?;
            let connections = turned_away(trace, name);
            let whose = match connections.as_slice() {
                [] => String::new(),
                some => format!(" It concerns {}.", name_all(trace, some)),
            };
            let path = format!("{}.metrics", item("load_balancers", name));
            let value = |word: &str| (format!("{path}.{word}"), metric(word).into());
            Some(Finding {
                kind: KIND.into(),
                summary: format!(
                    "{name} had no instance in service to pass connections to and {} waiting for one already: it turned \
                     {} away ({SPILLED}).{whose}",
                    metric(WAITING),
                    count(spilled, "client"),
                ),
                packets: goodbyes(trace, &connections),
                connections,
                counters: Vec::new(),
                values: vec![value(SPILLED), value(WAITING)],
            })
        })
        .collect()
}

/// Connections that the balancer ended and had never passed on.
fn turned_away(trace: &Trace, balancer: &str) -> Vec<usize> {
    let own = |connection: &Connection| {
        let (name, _) = connection
            .via
            .split_once('/')
            .unwrap_or((&connection.via, ""));
        name == balancer && connection.pair.is_none()
    };
    let connections = trace.evidence.connections.iter().enumerate();
    connections
        .filter(|(_, connection)| own(connection) && connection.ended_by == "fabric")
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
    let mut packets: Vec<usize> = said.map(|one| trace.passages[*one].sent).collect();
    packets.sort_unstable();
    packets.truncate(CITED);
    packets
}
