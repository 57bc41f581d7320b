//! Whose packet is this: which connection's addresses it bears at the client's edge, and in whose sequence numbers
//! it speaks. The two differ exactly where a balancer mixes connections up, so both are told.
//!
//! Linux numbers its side of a connection from a hash of the 4-tuple plus a clock of 64 ns, so two connections with
//! one 4-tuple at the target start 15,625 apart for each millisecond between them: near, but apart. A number is
//! therefore given to the connection in whose used range it lies, or next to it.
//! Not here: what it means (see `findings`), how it is drawn (see `ladder`).

mod addresses;
mod attempts;
mod beyond;
mod challenges;
mod journeys;
mod numbers;
mod packets;
mod windows;

pub use addresses::{by_address, ip};
pub use attempts::{ROUNDING, asked, during};
pub use challenges::Challenge;
pub use journeys::{Journey, Stretch};
pub use numbers::Place;
pub use packets::{
    accepts, answer, delivered, drop_reason, is_pure_ack, is_reset, is_syn, is_syn_ack, left, opens,
};
pub use windows::Stall;

use crate::evidence::{Connection, Evidence, Flow, Packet, connections_of_pairs};
use beyond::Beyond;
use numbers::{Space, Spaces, place, use_up};
use std::collections::HashMap;

/// A packet from its sending to its end: one record, or two or more of a packet held by links.
pub struct Passage {
    /// Index of its first record in [`Evidence::packets`]: when and how it was sent.
    pub sent: usize,
    /// Index of its last record: how it ended. The same as `sent` when nothing held it.
    pub ended: usize,
    /// The connection whose addresses it bears at the client's edge.
    pub connection: Option<usize>,
    /// From the client's side; else toward the client.
    pub toward_target: bool,
    /// It belongs to the connection of a proxying balancer to the target, which has numbers of its own.
    pub behind: bool,
    /// Index into [`Trace::legs`] of that connection.
    pub leg: Option<usize>,
    /// Its sequence number.
    pub seq: Place,
    /// Its acknowledgement number; meaningless without ACK.
    pub ack: Place,
}

/// A connection of a proxying balancer to a target, or an application balancer's attempt at one.
pub struct Leg {
    /// `app/a`
    pub via: String,
    /// The target's host.
    pub target: String,
    /// The balancer's end.
    pub seen_as: String,
    /// The target's end.
    pub target_address: String,
    /// The clients' connections that it served, in order, each with when it began to.
    pub connections: Vec<usize>,
    since: Vec<f64>,
}

impl Leg {
    /// Whom it served at that time; before anybody, the first.
    fn serves(&self, t: f64) -> Option<usize> {
        // The proxy's clock and the fabric's both round.
        let place = self.since.iter().rposition(|since| *since <= t + 0.5);
        self.connections.get(place.unwrap_or(0)).copied()
    }
}

fn by_local(evidence: &Evidence) -> HashMap<&str, Vec<usize>> {
    let mut ends: HashMap<&str, Vec<usize>> = HashMap::new();
    for (number, connection) in evidence.connections.iter().enumerate() {
        ends.entry(&connection.local).or_default().push(number);
    }
    in_time(evidence, ends.values_mut());
    ends
}

/// In the order in which they were started. The evidence has them in that of the steps' ends, and client by client.
fn in_time<'l>(evidence: &Evidence, lists: impl Iterator<Item = &'l mut Vec<usize>>) {
    let started = |connection: &usize| evidence.connections[*connection].at;
    for list in lists {
        list.sort_by(|a, b| started(a).total_cmp(&started(b)));
    }
}

/// The packets of a case, sorted out.
pub struct Trace<'a> {
    /// What it was made of.
    pub evidence: &'a Evidence,
    /// In the order of sending.
    pub passages: Vec<Passage>,
    /// For each connection the passages that bear its addresses.
    pub by_connection: Vec<Vec<usize>>,
    /// Connections by their own end, in order.
    by_local: HashMap<&'a str, Vec<usize>>,
    /// What proxies opened toward targets for a client's connection, in the order they came about.
    pub legs: Vec<Leg>,
    /// In the order of their ACKs.
    pub challenges: Vec<Challenge>,
    /// For each connection those that the target cannot tell from it, itself left out.
    lookalikes: HashMap<usize, Vec<usize>>,
    beyond: Beyond<'a>,
}

impl<'a> Trace<'a> {
    /// Sorts out the packets of a case.
    pub fn new(evidence: &'a Evidence) -> Self {
        let index = Index::new(evidence);
        let passages = index.passages(evidence);
        let beyond = beyond::beyond(evidence, &index);
        let mut trace = Self {
            evidence,
            passages,
            by_connection: vec![Vec::new(); evidence.connections.len()],
            by_local: by_local(evidence),
            challenges: Vec::new(),
            lookalikes: index.lookalikes(&beyond),
            beyond,
            legs: index.legs,
        };
        trace.number();
        for (i, passage) in trace.passages.iter().enumerate() {
            if let Some(connection) = passage.connection {
                trace.by_connection[connection].push(i);
            }
        }
        trace.find_challenges();
        trace
    }

    /// Its first record.
    pub fn sent(&self, passage: usize) -> &'a Packet {
        &self.evidence.packets[self.passages[passage].sent]
    }

    /// Its last record.
    pub fn ended(&self, passage: usize) -> &'a Packet {
        &self.evidence.packets[self.passages[passage].ended]
    }

    /// The packet as whoever made it sent it: what the fabric saw of it may be what a host sent on from one inside it.
    pub fn origin(&self, passage: usize) -> &'a Packet {
        let packets = &self.evidence.packets;
        let before = |packet: &&'a Packet| {
            let id = packet.follows?;
            packets.iter().find(|earlier| earlier.id == id)
        };
        // A damaged record may go round in circles.
        let way = std::iter::successors(Some(self.sent(passage)), before);
        way.take(packets.len()).last().unwrap_or(self.sent(passage))
    }

    /// Connections that a client opened from this `address:port`, in order.
    pub fn opened_at(&self, local: &str) -> impl DoubleEndedIterator<Item = usize> {
        self.by_local.get(local).into_iter().flatten().copied()
    }

    /// A connection's name as reports say it: `old`, `staff #12`.
    pub fn name(&self, connection: usize) -> String {
        let steps = &self.evidence.steps;
        let Some(step) = self
            .evidence
            .connections
            .get(connection)
            .and_then(|c| steps.get(c.step))
        else {
            return format!("connection {connection}");
        };
        let place = step
            .detail
            .load()
            .and_then(|load| load.connections.iter().position(|c| *c == connection));
        match place {
            Some(place) => format!("{} #{}", step.name, place + 1),
            None => step.name.clone(),
        }
    }

    /// Connections that the target cannot tell from this one: same addresses and ports there.
    pub fn lookalikes(&self, connection: usize) -> &[usize] {
        self.lookalikes
            .get(&connection)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The addresses of a connection's client and server where hosts that pass it on have brought it to; none: nobody did.
    pub fn beyond(&self, connection: usize) -> Option<(&'a str, &'a str)> {
        self.beyond.get(&connection).copied()
    }

    /// Passages of a connection's SYNs, in order.
    pub fn syns(&self, connection: usize) -> impl Iterator<Item = usize> + '_ {
        self.by_connection[connection].iter().copied().filter(|p| {
            let passage = &self.passages[*p];
            passage.toward_target && !passage.behind && is_syn(self.sent(*p))
        })
    }

    /// Gives every number to a connection, following the numbers used so far in the order of sending.
    fn number(&mut self) {
        let count = self.evidence.connections.len();
        // Those of connections behind proxies follow.
        let mut spaces: Vec<Spaces> = vec![Spaces::default(); count + self.legs.len()];
        for i in 0..self.passages.len() {
            let packet = self.sent(i);
            if packet.protocol != "tcp" {
                continue;
            }
            let passage = &self.passages[i];
            let Some(connection) = passage.connection else {
                continue;
            };
            let (bearer, lookalikes) = match passage.leg {
                Some(leg) => (leg + count, &[][..]),
                None => (connection, self.lookalikes(connection)),
            };
            let family: Vec<usize> = std::iter::once(bearer)
                .chain(lookalikes.iter().copied())
                .collect();
            let (seq, ack) = if passage.toward_target {
                if is_syn(packet) {
                    spaces[bearer].client = Some(Space::begin(packet.seq));
                }
                let seq = place(packet.seq, &family, |c| spaces[c].client);
                let ack = place(packet.ack, &family, |c| spaces[c].server);
                if let Some(of) = seq.of.filter(|_| !is_reset(packet)) {
                    use_up(&mut spaces[of].client, packet);
                }
                (seq, ack)
            } else {
                let ack = place(packet.ack, &family, |c| spaces[c].client);
                if is_syn_ack(packet)
                    && let Some(owner) = ack.of
                {
                    spaces[owner].server = Some(Space::begin(packet.seq));
                }
                let seq = place(packet.seq, &family, |c| spaces[c].server);
                if let Some(of) = seq.of.filter(|_| !is_reset(packet)) {
                    use_up(&mut spaces[of].server, packet);
                }
                (seq, ack)
            };
            let told = |place: Place| Place {
                of: place.of.map(|of| if of < count { of } else { connection }),
                ..place
            };
            let passage = &mut self.passages[i];
            (passage.seq, passage.ack) = (told(seq), told(ack));
        }
    }
}

/// Connections by their addresses.
struct Index<'a> {
    /// By what the client's kernel uses: protocol, local, remote.
    client: HashMap<(&'a str, &'a str, &'a str), Vec<usize>>,
    /// By what the target's kernel sees: protocol, client, target.
    target: HashMap<(&'a str, &'a str, &'a str), Vec<usize>>,
    /// By flow.
    flow: HashMap<usize, usize>,
    /// When each was started.
    started: Vec<f64>,
    legs: Vec<Leg>,
    /// Legs by the balancer's end and the target's.
    behind: HashMap<(&'a str, &'a str), usize>,
}

impl<'a> Index<'a> {
    fn new(evidence: &'a Evidence) -> Self {
        let mut index = Self {
            client: HashMap::new(),
            target: HashMap::new(),
            flow: HashMap::new(),
            started: evidence.connections.iter().map(|c| c.at).collect(),
            legs: Vec::new(),
            behind: HashMap::new(),
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
        for (pair, connection) in evidence.pairs.iter().zip(owners) {
            let Some(connection) = connection else {
                continue;
            };
            let ends = (pair.seen_as.as_str(), pair.target_address.as_str());
            let place = *self.behind.entry(ends).or_insert(self.legs.len());
            if place == self.legs.len() {
                self.legs.push(Leg {
                    via: pair.via.clone(),
                    target: pair.target.clone(),
                    seen_as: pair.seen_as.clone(),
                    target_address: pair.target_address.clone(),
                    connections: Vec::new(),
                    since: Vec::new(),
                });
            }
            let leg = &mut self.legs[place];
            if leg.connections.last() != Some(&connection) {
                leg.connections.push(connection);
                leg.since.push(pair.opened);
            }
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
        let list = list?;
        // connect(2) is timed by the client, the packet by the fabric; both round.
        let begun = |c: &&usize| self.started[**c] <= t + 0.5;
        list.iter().rfind(begun).or(list.first()).copied()
    }

    fn passages(&self, evidence: &Evidence) -> Vec<Passage> {
        let mut passages: Vec<Passage> = Vec::new();
        let mut held: HashMap<i64, usize> = HashMap::new();
        for (i, packet) in evidence
            .packets
            .iter()
            .enumerate()
            .filter(|(_, p)| !p.probe && p.seen_at.is_empty())
        {
            let place = match held.get(&packet.id) {
                Some(place) => {
                    passages[*place].ended = i;
                    *place
                }
                None => {
                    let nowhere = Place { of: None, at: 0 };
                    let toward_target = false;
                    passages.push(Passage {
                        sent: i,
                        ended: i,
                        connection: None,
                        toward_target,
                        behind: false,
                        leg: None,
                        seq: nowhere,
                        ack: nowhere,
                    });
                    passages.len() - 1
                }
            };
            if packet.fate == "held" {
                held.insert(packet.id, place);
            } else {
                held.remove(&packet.id);
            }
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
        let target = |from: &str, to: &str| self.current(self.target.get(&(of, from, to)), sent.t);
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
    fn dialled(&self, packet: &Packet) -> Option<usize> {
        let ends = (&*packet.protocol, &*packet.from, &*packet.to);
        self.current(self.client.get(&ends), packet.t)
    }

    fn lookalikes(&self, beyond: &Beyond<'_>) -> HashMap<usize, Vec<usize>> {
        let mut lookalikes: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut passed_on: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
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

/// How many earlier and later users of a 4-tuple are compared.
const FAMILY: usize = 8;

/// The addresses that the target's kernel sees for a connection: client, target.
pub fn target_side<'a>(
    evidence: &'a Evidence,
    connection: &'a Connection,
) -> Option<(&'a str, &'a str)> {
    if !connection.seen_as.is_empty() && !connection.target_address.is_empty() {
        return Some((&connection.seen_as, &connection.target_address));
    }
    let flow = evidence.flows.get(connection.flow?)?;
    Some((&flow.seen_as, &flow.target_address))
}

#[cfg(test)]
mod tests;
