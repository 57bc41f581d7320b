//! What connections are called: by their clients, by their targets, and by whoever is between.

use super::lanes::{Chosen, zonal_of};
use super::model::{Leg, Tuple};
use crate::verdict::findings::distinct;
use crate::verdict::trace::{Journey, Trace, is_syn, target_side};
use std::collections::HashSet;

/// The chosen connections, then those that proxies opened for them.
pub(super) fn tuples(
    trace: &Trace,
    journeys: &[Journey],
    chosen: &Chosen,
    legs: &[usize],
) -> Vec<Tuple> {
    let are_chosen: HashSet<usize> = chosen.connections.iter().copied().collect();
    let own = chosen.connections.iter().enumerate();
    let own = own.map(|(place, c)| Tuple {
        in_part: place >= chosen.whole,
        ..tuple(trace, journeys, *c)
    });
    let behind = legs.iter().enumerate().map(|(at, leg)| {
        let leg = &trace.legs[*leg];
        let number = match legs.len() {
            1 => String::new(),
            _ => format!(" {}", at + 1),
        };
        let served = leg.connections.iter();
        let served = served.filter(|c| are_chosen.contains(c));
        Tuple {
            name: format!("{}{number}", leg.via),
            at_client: format!("{} -> {}", leg.seen_as, leg.target_address),
            target: leg.target.clone(),
            // Whoever comes back after somebody else is told once.
            serves: distinct(served)
                .into_iter()
                .map(|c| trace.name(*c))
                .collect(),
            ..Tuple::default()
        }
    });
    own.chain(behind).collect()
}

fn tuple(trace: &Trace, journeys: &[Journey], connection: usize) -> Tuple {
    let c = &trace.evidence.connections[connection];
    let at_client = format!("{} -> {}", c.local, c.remote);
    let at_target = target_side(trace.evidence, c).filter(|_| !c.proxied);
    let at_target = at_target.map(|(client, target)| format!("{client} -> {target}"));
    let at_target = at_target.filter(|seen| *seen != at_client);
    let mut legs = legs_of(trace, journeys, connection, &at_client);
    let target = format!("at {}", c.target);
    if let Some(ends) = &at_target
        && !c.target.is_empty()
        && !legs
            .iter()
            .any(|leg| leg.place == target || leg.ends == *ends)
    {
        legs.push(Leg {
            place: target,
            ends: ends.clone(),
        });
    }
    Tuple {
        name: trace.name(connection),
        via: match zonal_of(trace, c) {
            _ if [&c.target, &c.remote].contains(&&c.via) => String::new(),
            Some(zonal) if zonal != c.via => format!("{} by {zonal}", c.via),
            Some(_) | None => c.via.clone(),
        },
        target: c.target.clone(),
        serves: Vec::new(),
        in_part: false,
        at_target,
        at_client,
        legs,
    }
}

/// What became of its addresses from place to place, as the SYN (of datagrams the first) that came farthest showed.
fn legs_of(trace: &Trace, journeys: &[Journey], connection: usize, at_client: &str) -> Vec<Leg> {
    let packets = &trace.evidence.packets;
    let behind = |journey: &&Journey| journey.passage.is_some_and(|p| trace.passages[p].behind);
    let opening = |journey: &&Journey| {
        let packet = &packets[journey.stretches[0].sent];
        journey.connection == Some(connection)
            && journey.toward_target
            && packet.protocol == trace.evidence.connections[connection].protocol
            && (packet.protocol != "tcp" || is_syn(packet))
    };
    let openings = journeys
        .iter()
        .filter(opening)
        .filter(|journey| !behind(journey));
    let farthest = openings.max_by_key(|journey| journey.stretches.len());
    let mut legs: Vec<Leg> = Vec::new();
    let mut last = at_client.to_owned();
    let mut tell = |place: String, ends: String| {
        if ends != last && !ends.starts_with(' ') {
            last.clone_from(&ends);
            legs.push(Leg { place, ends });
        }
    };
    for stretch in farthest.into_iter().flat_map(|journey| &journey.stretches) {
        let (sent, ended) = (&packets[stretch.sent], &packets[stretch.ended]);
        // On its way to the next place it bears what the one before made of it.
        let place = match sent.seen_at.is_empty() {
            true => format!("behind {}", sent.sender),
            false => format!("at {}", sent.receiver),
        };
        tell(place, format!("{} -> {}", sent.from, sent.to));
        let mapping = ended.mapping.and_then(|m| trace.evidence.mappings.get(m));
        if let Some(mapping) = mapping {
            let place = format!("behind {}", mapping.gateway);
            tell(place, format!("{} -> {}", mapping.outside, mapping.remote));
        }
        if !ended.receiver.is_empty() && trace.evidence.hosts.contains_key(&ended.receiver) {
            let place = format!("at {}", ended.receiver);
            tell(place, format!("{} -> {}", ended.from_after, ended.to_after));
        }
    }
    legs
}
