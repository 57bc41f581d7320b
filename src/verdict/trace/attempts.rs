//! Connections to targets that a balancer at which requests end tried for one and never had: no pair tells of them.
//!
//! The balancer opens a connection to a target when a request comes and none waits, and says 502 or 504 when that fails. So a
//! SYN of its address that belongs to no pair is for a request that was being asked there and got one of those.

use super::{by_address, ip, is_syn};
use crate::evidence::{Answer, Evidence};
use rustc_hash::{FxHashMap, FxHashSet};

/// What a balancer answers by itself when it has no connection.
const UNCONNECTED: [i64; 2] = [502, 504];

/// An attempt in vain.
pub(super) struct Attempt<'a> {
    /// The balancer's end and the target's.
    pub(super) ends: (&'a str, &'a str),
    /// `app/a`
    pub(super) via: &'a str,
    /// The target's host.
    pub(super) target: &'a str,
    /// The client's connection.
    pub(super) connection: usize,
    /// When the SYN was sent first.
    pub(super) at: f64,
}

/// Every attempt in the order of the SYNs, but for those that pairs tell of.
pub(super) fn attempts<'a>(
    evidence: &'a Evidence,
    told: &FxHashMap<(&'a str, &'a str), usize>,
) -> Vec<Attempt<'a>> {
    let mut waiting = unconnected(evidence);
    if waiting.is_empty() {
        return Vec::new();
    }
    let hosts = &evidence.hosts;
    let by_address = by_address(evidence);
    let mut seen: FxHashSet<(&str, &str)> = FxHashSet::default();
    let mut attempts = Vec::new();
    let own = |packet: &&crate::evidence::Packet| !packet.probe && packet.seen_at.is_empty();
    for packet in evidence.packets.iter().filter(own) {
        let ends = (packet.from.as_str(), packet.to.as_str());
        let new = is_syn(packet) && !told.contains_key(&ends) && seen.insert(ends);
        if !new || hosts.contains_key(&packet.sender) {
            continue;
        }
        let of = waiting
            .iter()
            .position(|(node, answer)| *node == packet.sender && during(answer, packet.t));
        let Some(of) = of else { continue };
        let (_, answer) = waiting.remove(of);
        attempts.push(Attempt {
            ends,
            via: &packet.sender,
            target: by_address.get(ip(&packet.to)).copied().unwrap_or_default(),
            connection: answer.connection,
            at: packet.t,
        });
    }
    attempts
}

/// The requests that may have had no connection, each with the address that was asked.
fn unconnected(evidence: &Evidence) -> Vec<(&str, &Answer)> {
    let loads = evidence.steps.iter().filter_map(|step| step.detail.load());
    let answers = loads.flat_map(|load| &load.answers);
    answers
        .filter(|answer| UNCONNECTED.contains(&answer.status))
        .filter_map(|answer| Some((asked(evidence, answer.connection)?, answer)))
        .collect()
}

/// The address of a balancer at which the requests of a connection end: its own destination, or what a network balancer in
/// front made of that. A classic balancer's TCP listener passes bytes on.
pub fn asked(evidence: &Evidence, connection: usize) -> Option<&str> {
    let connection = evidence.connections.get(connection)?;
    let pair = connection.pair.and_then(|pair| evidence.pairs.get(pair));
    let bytes = pair.is_some_and(|pair| pair.protocol == "TCP");
    let ends = [connection.via.as_str(), connection.target.as_str()];
    ends.into_iter().find(|end| {
        let balancer = end.split_once('/').map(|(balancer, _)| balancer);
        let balancer = balancer.and_then(|name| evidence.load_balancers.get(name));
        balancer.is_some_and(|balancer| match balancer.kind.as_str() {
            "application" => true,
            "classic" => !bytes,
            _ => false,
        })
    })
}

/// True while a request waits for its answer. To the nanosecond: clients, proxies and the fabric read one clock, and the fabric
/// reads it between a packet's way out of one kernel and its way into the next. Whatever a request caused is later than it and
/// earlier than its answer's end. On a connection that stays, the exchanges before and after may be a few microseconds away.
pub fn during(answer: &Answer, t: f64) -> bool {
    (answer.at..=answer.at + answer.ms).contains(&t)
}
