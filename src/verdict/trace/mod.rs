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
mod index;
mod journeys;
mod numbers;
mod packets;
mod windows;

pub use addresses::{by_address, host_at, ip, is_at};
pub use attempts::{asked, during};
pub use challenges::Challenge;
pub use journeys::{Journey, Stretch};
pub use numbers::{Place, ahead, end, length, next};
pub use packets::{
    TOO_LARGE, accepts, answer, asks_again, came, delivered, drop_reason, is_later_fragment,
    is_pure_ack, is_reset, is_syn, is_syn_ack, left, opens,
};
pub use windows::Stall;

use crate::evidence::{Connection, Evidence, Packet};
use beyond::Beyond;
use index::Index;
use numbers::{Space, Spaces, place, use_up};
use rustc_hash::FxHashMap;
use std::sync::OnceLock;

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
    /// The clients' connections that it served, in order, each with when it began to; one that comes back stands here again.
    pub connections: Vec<usize>,
    since: Vec<f64>,
}

impl Leg {
    /// Whom it served at that time; before anybody, the first.
    fn serves(&self, t: f64) -> Option<usize> {
        let place = self.since.iter().rposition(|since| *since <= t);
        self.connections.get(place.unwrap_or(0)).copied()
    }
}

fn by_local(evidence: &Evidence) -> FxHashMap<&str, Vec<usize>> {
    let mut ends: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
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
    by_local: FxHashMap<&'a str, Vec<usize>>,
    /// What proxies opened toward targets for a client's connection, in the order they came about.
    pub legs: Vec<Leg>,
    /// In the order of their ACKs.
    pub challenges: Vec<Challenge>,
    /// For each connection those that the target cannot tell from it, itself left out.
    lookalikes: FxHashMap<usize, Vec<usize>>,
    beyond: Beyond<'a>,
    /// Put together when somebody asks first: many findings do, and many labs have none that does.
    journeys: OnceLock<Vec<Journey>>,
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
            journeys: OnceLock::new(),
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
            if packet.protocol != "tcp" || is_later_fragment(packet) {
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
                } else if is_syn(packet) && spaces[bearer].server.is_none() {
                    // Both ends dial each other.
                    spaces[bearer].server = Some(Space::begin(packet.seq));
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
