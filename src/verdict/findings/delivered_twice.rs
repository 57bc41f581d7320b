//! `delivered-twice`: a link made copies of datagrams, and the receiver's program was given each of them as well.
//!
//! Observed on: switches and radio links that repeat, bonds and mirrors that are wired wrong, two routers that both forward. Not
//! this: a copy of a TCP segment, which the kernel knows by its numbers; a copy that nobody reads or a filter takes; a program
//! that says something twice.

use super::{CITED, Came, connections_of, count, counters, delivered_where, distinct, join};
use crate::evidence::{HostEvidence, LinkDid, Packet};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;

pub(super) const KIND: &str = "delivered-twice";

const PROTOCOL: &str = "udp";
/// A datagram is counted when a program reads it.
const READ: [&str; 2] = ["UdpInDatagrams", "Udp6InDatagrams"];

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let copies = delivered_where(trace, PROTOCOL, |packet| copied_from(packet).is_some());
    let hosts = trace.evidence.hosts.iter();
    hosts
        .filter_map(|(name, host)| given(trace, name, host, copies.get(name.as_str())?))
        .collect()
}

/// What the programs of a host were given twice.
fn given(trace: &Trace, name: &str, host: &HostEvidence, came: &Came) -> Option<Finding> {
    let copies = &came.passages;
    let read = READ.iter().filter_map(|name| host.counters.get(*name));
    if read.sum::<i64>() != came.of {
        return None;
    }
    let links = copies.iter().flat_map(|copy| made_by(trace.ended(*copy)));
    let cited = copies.iter().flat_map(|copy| {
        let from = copied_from(trace.ended(*copy));
        let packets = &trace.evidence.packets;
        let first = packets.iter().rposition(|packet| Some(packet.id) == from);
        first.into_iter().chain([trace.passages[*copy].ended])
    });
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} to {name} came twice: {} made copies. {name}'s kernel gave them to the program like any other, for a datagram has \
             no number to know it by.",
            count(copies.len(), "datagram"),
            join(&distinct(links)),
        ),
        packets: cited.take(CITED).collect(),
        connections: connections_of(trace, copies.iter().copied()),
        counters: counters(trace.evidence, [name], &READ),
        values: Vec::new(),
    })
}

/// [`Packet::id`] of the packet that a link made this one of.
fn copied_from(packet: &Packet) -> Option<i64> {
    let effects = packet.links.iter().flat_map(|links| &links.effects);
    effects
        .filter_map(|effect| match effect.what {
            LinkDid::Copied { from } => Some(from),
            LinkDid::Damaged { .. }
            | LinkDid::Overtook { .. }
            | LinkDid::UntranslatedSack { .. } => None,
        })
        .next_back()
}

/// The links that did.
fn made_by(packet: &Packet) -> Vec<String> {
    let effects = packet.links.iter().flat_map(|links| &links.effects);
    effects
        .filter(|effect| matches!(effect.what, LinkDid::Copied { .. }))
        .map(|effect| effect.link())
        .collect()
}
