//! The addresses that a connection's packets bear where they come to in the end, behind hosts that pass them on.
//!
//! What the fabric brings to a node or a router goes on under other addresses, perhaps by the fabric again. Two connections that
//! differ everywhere on their way may be one 4-tuple there. Not here: what a balancer translates, which is in its flows.

use super::Index;
use crate::evidence::{Evidence, Packet};
use std::collections::{HashMap, HashSet};

/// A damaged record may go round in circles.
const MOST_PLACES: usize = 16;

/// By connection: its client and its server as the last place saw them.
pub(super) type Beyond<'a> = HashMap<usize, (&'a str, &'a str)>;

pub(super) fn beyond<'a>(evidence: &'a Evidence, index: &Index<'a>) -> Beyond<'a> {
    let packets = || {
        evidence
            .packets
            .iter()
            .filter(|packet| packet.protocol == "tcp")
    };
    let followed: HashSet<i64> = packets().filter_map(|packet| packet.follows).collect();
    if followed.is_empty() {
        return Beyond::new();
    }
    let by_id: HashMap<i64, &Packet> = packets().map(|packet| (packet.id, packet)).collect();
    let ends_there = |packet: &&Packet| packet.follows.is_some() && !followed.contains(&packet.id);
    let before = |packet: &&'a Packet| by_id.get(&packet.follows?).copied();
    // Of a packet that a machine under load kept for long, a place may be missing: who was seen in more knows better.
    let mut known: HashMap<usize, (usize, (&str, &str))> = HashMap::new();
    for last in packets().filter(ends_there) {
        let way = || std::iter::successors(Some(last), before).take(MOST_PLACES);
        let seen_by_fabric = way().filter(|packet| packet.seen_at.is_empty());
        let Some(connection) = { seen_by_fabric }.find_map(|packet| index.dialled(packet)) else {
            continue;
        };
        let (places, ends) = known.entry(connection).or_default();
        if way().count() > *places {
            (*places, *ends) = (way().count(), (&*last.from_after, &*last.to_after));
        }
    }
    let ends = known.into_iter();
    ends.map(|(connection, (_, ends))| (connection, ends))
        .collect()
}
