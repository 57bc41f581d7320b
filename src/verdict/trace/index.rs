//! Connections by their addresses, and which packet is whose by that.

use super::beyond::Beyond;
use super::numbers::Place;
use super::{Leg, Passage, attempts, in_time, target_side};
use crate::evidence::{Evidence, Flow, Packet, connections_of_pairs, from_sending_to_end};
use rustc_hash::FxHashMap;

/// How many earlier and later users of a 4-tuple are compared.
const FAMILY: usize = 8;

/// Connections by their addresses.
pub(super) struct Index<'a> {
    /// By what the client's kernel uses: protocol, local, remote.
    client: FxHashMap<(&'a str, &'a str, &'a str), Vec<usize>>,
    /// By what the target's kernel sees: protocol, client, target.
    target: FxHashMap<(&'a str, &'a str, &'a str), Vec<usize>>,
    /// By flow.
    flow: FxHashMap<usize, usize>,
    /// When each was started.
    started: Vec<f64>,
    pub(super) legs: Vec<Leg>,
    /// Legs by the balancer's end and the target's.
    behind: FxHashMap<(&'a str, &'a str), usize>,
}

impl<'a> Index<'a> {
    pub(super) fn new(evidence: &'a Evidence) -> Self {
        let mut index = Self {
            client: FxHashMap::default(),
            target: FxHashMap::default(),
            flow: FxHashMap::default(),
            started: evidence.connections.iter().map(|c| c.at).collect(),
            legs: Vec::new(),
            behind: FxHashMap::default(),
        };
        index.find_legs(evidence);
        for (i, connection) in evidence.connections.iter().enumerate() {
            if !connection.local.is_empty() {
                // As the fabric sees them: behind what translates them on the way there.
                let local = match connection.left_as.as_str() {
                    "" => &connection.local,
                    left_as => left_as,
                };
                index
                    .client
                    .entry((&connection.protocol, local, &connection.remote))
                    .or_default()
                    .push(i);
            }
            let target_side = target_side(evidence, connection);
            if let Some((client, target)) = target_side.filter(|_| connection.pair.is_none()) {
                let tuple = (connection.protocol.as_str(), client, target);
                index.target.entry(tuple).or_default().push(i);
            }
            if let Some(flow) = connection.flow {
                index.flow.insert(flow, i);
            }
        }
        let lists = index.client.values_mut().chain(index.target.values_mut());
        in_time(evidence, lists);
        index
    }

    /// What proxies opened or tried to, and for whom.
    fn find_legs(&mut self, evidence: &'a Evidence) {
        let owners = connections_of_pairs(evidence);
        // By leg: since when, and whom.
        let mut served: Vec<Vec<(f64, usize)>> = Vec::new();
        for (pair, connection) in evidence.pairs.iter().zip(owners) {
            let Some(connection) = connection else {
                continue;
            };
            let ends = (pair.seen_as.as_str(), pair.target_address.as_str());
            let place = *self.behind.entry(ends).or_insert(self.legs.len());
            if place == self.legs.len() {
                served.push(Vec::new());
                self.legs.push(Leg {
                    via: pair.via.clone(),
                    target: pair.target.clone(),
                    seen_as: pair.seen_as.clone(),
                    target_address: pair.target_address.clone(),
                    connections: Vec::new(),
                    since: Vec::new(),
                });
            }
            let times = std::iter::once(pair.opened).chain(pair.resumed.iter().copied());
            served[place].extend(times.map(|since| (since, connection)));
        }
        for (leg, mut served) in self.legs.iter_mut().zip(served) {
            served.sort_by(|a, b| a.0.total_cmp(&b.0));
            served.dedup_by_key(|(_, connection)| *connection);
            (leg.since, leg.connections) = served.into_iter().unzip();
        }
        for attempt in attempts::attempts(evidence, &self.behind) {
            self.behind.insert(attempt.ends, self.legs.len());
            self.legs.push(Leg {
                via: attempt.via.to_owned(),
                target: attempt.target.to_owned(),
                seen_as: attempt.ends.0.to_owned(),
                target_address: attempt.ends.1.to_owned(),
                connections: vec![attempt.connection],
                since: vec![attempt.at],
            });
        }
    }

    /// The connection of a proxy to a target that a packet belongs to, and whether it goes to the target.
    fn leg(&self, sent: &Packet, ended: &Packet) -> Option<(usize, bool)> {
        let toward = self.behind.get(&(sent.from.as_str(), sent.to.as_str()));
        let back = || {
            self.behind
                .get(&(ended.to_after.as_str(), ended.from_after.as_str()))
        };
        let toward = toward.map(|leg| (*leg, true));
        toward.or_else(|| back().map(|leg| (*leg, false)))
    }

    /// The one of `list` that was current at `t`: a tuple that is used again belongs to its latest user.
    fn current(&self, list: Option<&Vec<usize>>, t: f64) -> Option<usize> {
        let first = || list?.first().copied();
        self.begun(list, t).or_else(first)
    }

    /// The same, or none before the first.
    fn begun(&self, list: Option<&Vec<usize>>, t: f64) -> Option<usize> {
        // connect(2) is timed by the client, the packet by the fabric; both round.
        let begun = |c: &&usize| self.started[**c] <= t + 0.5;
        list?.iter().rfind(begun).copied()
    }

    pub(super) fn passages(&self, evidence: &Evidence) -> Vec<Passage> {
        let mut passages: Vec<Passage> = Vec::new();
        for (sent, ended) in from_sending_to_end(&evidence.packets) {
            let packet = &evidence.packets[sent];
            if packet.probe || !packet.seen_at.is_empty() {
                continue;
            }
            let nowhere = Place { of: None, at: 0 };
            passages.push(Passage {
                sent,
                ended,
                connection: None,
                toward_target: false,
                behind: false,
                leg: None,
                seq: nowhere,
                ack: nowhere,
            });
        }
        for passage in &mut passages {
            let (sent, ended) = (
                &evidence.packets[passage.sent],
                &evidence.packets[passage.ended],
            );
            match self.leg(sent, ended) {
                Some((leg, toward)) => {
                    passage.connection = self.legs[leg].serves(sent.t);
                    passage.toward_target = toward;
                    (passage.behind, passage.leg) = (true, Some(leg));
                }
                None => {
                    (passage.connection, passage.toward_target) =
                        self.bearer(&evidence.flows, sent, ended);
                }
            }
            passage.seq.at = sent.seq;
            passage.ack.at = sent.ack;
        }
        passages
    }

    /// Whose addresses a packet bears at the client's edge, and its direction.
    fn bearer(&self, flows: &[Flow], sent: &Packet, ended: &Packet) -> (Option<usize>, bool) {
        let of = sent.protocol.as_str();
        let client = |from: &str, to: &str| self.current(self.client.get(&(of, from, to)), sent.t);
        // A client's port may lead to a target by another address earlier, for a connection of which nobody knows the target.
        let target = |from: &str, to: &str| self.begun(self.target.get(&(of, from, to)), sent.t);
        if let Some(c) = client(&sent.from, &sent.to) {
            return (Some(c), true);
        }
        if let Some(c) = client(&ended.to_after, &ended.from_after) {
            return (Some(c), false);
        }
        // What the fabric made itself toward a target, and what died before it was translated.
        if let Some(c) = target(&ended.from_after, &ended.to_after) {
            return (Some(c), true);
        }
        let flow = ended
            .flow
            .or(sent.flow)
            .and_then(|f| self.flow.get(&f).copied());
        // What the network has to say of a packet goes back to whoever sent that.
        let own = ended.flow.and_then(|flow| flows.get(flow));
        let back = own.is_some_and(|flow| of == "icmp" && flow.target == ended.receiver);
        (flow.or_else(|| target(&sent.to, &sent.from)), back)
    }

    /// The connection whose client sent this packet.
    pub(super) fn dialled(&self, packet: &Packet) -> Option<usize> {
        let ends = (&*packet.protocol, &*packet.from, &*packet.to);
        self.current(self.client.get(&ends), packet.t)
    }

    pub(super) fn lookalikes(&self, beyond: &Beyond<'_>) -> FxHashMap<usize, Vec<usize>> {
        let mut lookalikes: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
        let mut passed_on: FxHashMap<(&str, &str), Vec<usize>> = FxHashMap::default();
        for (connection, ends) in beyond {
            passed_on.entry(*ends).or_default().push(*connection);
        }
        for family in passed_on.values_mut() {
            family.sort_by(|a, b| self.started[*a].total_cmp(&self.started[*b]));
        }
        let families = self.target.values().chain(passed_on.values());
        for family in families.filter(|family| family.len() > 1) {
            // A port used over and over by a load makes long families; only neighbours in time can meet.
            for (place, member) in family.iter().enumerate() {
                let near = place.saturating_sub(FAMILY)..(place + FAMILY + 1).min(family.len());
                let others = family[near].iter().copied().filter(|c| c != member);
                let known = lookalikes.entry(*member).or_default();
                let more: Vec<usize> = others.filter(|c| !known.contains(c)).collect();
                known.extend(more);
            }
        }
        lookalikes
    }
}
