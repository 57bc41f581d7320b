//! `outlives-rule`: a connection goes on through a security group that refuses new ones from the same address to the
//! same port.
//!
//! Observed on: AWS. What is tracked passes, whatever the rules say now. Not this: a refusal of another address or port, a
//! connection that is silent afterwards, a network ACL, which tracks nothing.

use super::{cite, count, join, name_all};
use crate::evidence::{Connection, Refusal};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered, ip, opens};
use std::collections::BTreeMap;

pub(super) const KIND: &str = "outlives-rule";

/// Who was refused where: the interface, the source's address, the destination.
type Door<'a> = (&'a str, &'a str, &'a str);

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let mut shut: BTreeMap<Door<'_>, Vec<&Refusal>> = BTreeMap::new();
    for refusal in trace.evidence.refusals.iter().filter(|one| is_syn(one)) {
        let door = (
            refusal.interface.as_str(),
            ip(&refusal.from),
            refusal.to.as_str(),
        );
        shut.entry(door).or_default().push(refusal);
    }
    let found = shut.iter();
    found
        .filter_map(|(door, refusals)| at(trace, *door, refusals))
        .collect()
}

/// A new connection that a host's security groups do not let in.
fn is_syn(refusal: &Refusal) -> bool {
    refusal.direction == "ingress"
        && refusal.protocol == "tcp"
        && opens(&refusal.flags)
        && !refusal.probe
}

fn at(trace: &Trace, door: Door<'_>, refusals: &[&Refusal]) -> Option<Finding> {
    let (interface, address, to) = door;
    let first = refusals.first()?.packet;
    let mut packets = trace.evidence.packets.iter();
    let since = packets.find(|packet| packet.id == first)?.t;
    let connections = &trace.evidence.connections;
    let inside = |c: &Connection| {
        c.target == interface
            && c.target_address == to
            && ip(&c.seen_as) == address
            && c.error.is_empty()
            && c.at + c.ms < since
    };
    let talks = |c: usize| {
        let passages = trace.by_connection[c].iter().copied();
        passages
            .filter(|p| {
                let sent = trace.sent(*p);
                sent.len > 0 && sent.t > since && delivered(trace.ended(*p))
            })
            .collect::<Vec<_>>()
    };
    let still = (0..connections.len()).filter(|c| inside(&connections[*c]));
    let still: Vec<(usize, Vec<usize>)> = still
        .map(|c| (c, talks(c)))
        .filter(|(_, talk)| talk.iter().any(|p| trace.passages[*p].toward_target))
        .collect();
    let all: Vec<usize> = still.iter().map(|(c, _)| *c).collect();
    if all.is_empty() {
        return None;
    }
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} came in before and {} on to talk to {interface}, whose security group ({}) refuses new connections from {address} \
             to {to}: {} refused. What is open is tracked and passes, whatever the rules say now.",
            name_all(trace, &all),
            if all.len() == 1 { "goes" } else { "go" },
            join(&refusals[0].guards),
            match refusals.len() {
                1 => "1 SYN was".to_owned(),
                n => format!("{} were", count(n, "SYN")),
            },
        ),
        packets: cite(trace, still.into_iter().flat_map(|(_, talk)| talk)),
        connections: all,
        counters: Vec::new(),
        values: Vec::new(),
    })
}
