//! Packets on their whole way: what the fabric and the devices inside hosts saw of one and the same packet, in order.
//!
//! Whose it is, its addresses tell where it starts; every pair of addresses that the packet then bore, in whatever place,
//! is its connection's too, and so are those of the answer. Not here: connections that a balancer mixes up (see `super`):
//! what the fabric knows of a packet has the last word.

use super::numbers::{Place, Space, place};
use super::{Trace, ip, is_later_fragment, is_syn, is_syn_ack};
use crate::evidence::{Evidence, Icmp, Packet};
use rustc_hash::FxHashMap;

/// From one place to the next: indexes of its first and last record, the same unless a link held it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// How it was sent.
    pub sent: usize,
    /// How it ended.
    pub ended: usize,
}

/// A packet's whole way.
pub struct Journey {
    /// In order; at least one.
    pub stretches: Vec<Stretch>,
    /// The first of the fabric's passages on it.
    pub passage: Option<usize>,
    /// Whose addresses it bears.
    pub connection: Option<usize>,
    /// From the client's side; else toward the client.
    pub toward_target: bool,
    /// Its sequence number.
    pub seq: Place,
    /// Its acknowledgement number; meaningless without ACK.
    pub ack: Place,
}

impl Journey {
    /// Its first record: how it was sent.
    pub fn sent(&self) -> usize {
        self.stretches[0].sent
    }

    /// Its last record: how it ended.
    pub fn ended(&self) -> usize {
        self.stretches[self.stretches.len() - 1].ended
    }

    /// The hosts that it came to before the last one.
    pub fn passed_on<'e>(&self, evidence: &'e Evidence) -> impl Iterator<Item = &'e str> {
        let before = &self.stretches[..self.stretches.len() - 1];
        before
            .iter()
            .map(|stretch| evidence.packets[stretch.ended].receiver.as_str())
    }

    /// Indexes of its records in [`crate::evidence::Evidence::packets`].
    pub fn records(&self) -> impl Iterator<Item = usize> + '_ {
        self.stretches.iter().flat_map(|s| [s.sent, s.ended])
    }
}

/// Addresses in a place: the host among whose devices they were seen, empty for the fabric; protocol, source, destination.
type Ends<'a> = (&'a str, &'a str, &'a str, &'a str);

impl Trace<'_> {
    /// Every packet that is no health check, in the order of sending.
    pub fn journeys(&self) -> &[Journey] {
        self.journeys.get_or_init(|| self.whole_ways())
    }

    fn whole_ways(&self) -> Vec<Journey> {
        let mut journeys = self.joined();
        let packets = &self.evidence.packets;
        journeys.sort_by(|a, b| {
            let begin = |journey: &Journey| packets[journey.sent()].t;
            begin(a).total_cmp(&begin(b))
        });
        let mut book = Book::new(self);
        for journey in &mut journeys {
            book.assign(journey);
        }
        journeys
    }

    /// Stretches put together, nobody's as yet.
    fn joined(&self) -> Vec<Journey> {
        let packets = &self.evidence.packets;
        let passages = self.passages.iter().enumerate().map(|(number, passage)| {
            let (sent, ended) = (passage.sent, passage.ended);
            (Stretch { sent, ended }, Some(number))
        });
        let seen = packets.iter().enumerate();
        let seen = seen.filter(|(_, packet)| !packet.seen_at.is_empty() && !packet.probe);
        let sightings = seen.map(|(at, _)| {
            (
                Stretch {
                    sent: at,
                    ended: at,
                },
                None,
            )
        });
        let stretches: Vec<(Stretch, Option<usize>)> = passages.chain(sightings).collect();
        let by_id: FxHashMap<i64, usize> = stretches
            .iter()
            .enumerate()
            .map(|(at, (stretch, _))| (packets[stretch.sent].id, at))
            .collect();
        let before = |stretch: &Stretch| by_id.get(&packets[stretch.sent].follows?).copied();
        let mut next: FxHashMap<usize, usize> = FxHashMap::default();
        let mut heads = Vec::new();
        for (at, (stretch, _)) in stretches.iter().enumerate() {
            match before(stretch) {
                Some(before) if before != at && !next.contains_key(&before) => {
                    next.insert(before, at);
                }
                Some(_) | None => heads.push(at),
            }
        }
        let chain = |head: usize| std::iter::successors(Some(head), |at| next.get(at).copied());
        let journey = |head: usize| Journey {
            stretches: chain(head).map(|at| stretches[at].0).collect(),
            passage: chain(head).find_map(|at| stretches[at].1),
            connection: None,
            toward_target: false,
            seq: nowhere(packets[stretches[head].0.sent].seq),
            ack: nowhere(packets[stretches[head].0.sent].ack),
        };
        heads.into_iter().map(journey).collect()
    }
}

fn nowhere(at: i64) -> Place {
    Place { of: None, at }
}

/// A place as in [`Ends`], protocol, the addresses without ports, and IPv4's identification.
type Datagram<'a> = (&'a str, &'a str, &'a str, &'a str, i64);

/// What is known of connections while packets are gone through in order.
struct Book<'t, 'e> {
    trace: &'t Trace<'e>,
    /// Connections by the host that dialled, their own end and the other, in the order they were started.
    dialled: FxHashMap<Ends<'e>, Vec<usize>>,
    /// Addresses that a connection's packets bore somewhere toward its target: the latest whose they were.
    learnt: FxHashMap<Ends<'e>, usize>,
    /// By place, protocol, both addresses and identification: of what a fragment without ports is.
    datagrams: FxHashMap<Datagram<'e>, (usize, bool)>,
    /// Numbers of the client and of the server.
    numbers: FxHashMap<usize, (Option<Space>, Option<Space>)>,
}

impl<'t, 'e> Book<'t, 'e> {
    fn new(trace: &'t Trace<'e>) -> Self {
        let mut dialled: FxHashMap<Ends<'e>, Vec<usize>> = FxHashMap::default();
        for (number, c) in trace.evidence.connections.iter().enumerate() {
            let ends = (c.from.as_str(), &*c.protocol, &*c.local, &*c.remote);
            dialled.entry(ends).or_default().push(number);
        }
        let began = |number: &usize| trace.evidence.connections[*number].at;
        for same in dialled.values_mut() {
            same.sort_by(|a, b| began(a).total_cmp(&began(b)));
        }
        Self {
            trace,
            dialled,
            learnt: FxHashMap::default(),
            datagrams: FxHashMap::default(),
            numbers: FxHashMap::default(),
        }
    }

    fn assign(&mut self, journey: &mut Journey) {
        let trace = self.trace;
        if let Some(passage) = journey.passage.map(|passage| &trace.passages[passage]) {
            (journey.connection, journey.toward_target) =
                (passage.connection, passage.toward_target);
            (journey.seq, journey.ack) = (passage.seq, passage.ack);
        }
        if journey.connection.is_none() {
            let known = self.bearer(journey);
            journey.connection = known.map(|(connection, _)| connection);
            journey.toward_target = known.is_some_and(|(_, toward)| toward);
        }
        let Some(connection) = journey.connection else {
            return;
        };
        let packet = &trace.evidence.packets[journey.sent()];
        // The next message between these hosts may be about another connection.
        if packet.icmp.is_none() {
            self.learn(journey, connection);
        }
        let behind = journey.passage.is_some_and(|p| trace.passages[p].behind);
        if packet.protocol == "tcp" && !behind {
            self.number(journey, connection, packet);
        }
    }

    /// The connection of a packet of which the fabric knows none, and whether it goes toward the target.
    fn bearer(&self, journey: &Journey) -> Option<(usize, bool)> {
        let packets = &self.trace.evidence.packets;
        let sent = &packets[journey.sent()];
        let own = (&*sent.sender, &*sent.protocol, &*sent.from, &*sent.to);
        if let Some(connection) = self.dialled.get(&own).and_then(|list| {
            let connections = &self.trace.evidence.connections;
            // connect(2) is timed by the client, the packet by a device; both round.
            let begun = |c: &&usize| connections[**c].at <= sent.t + 1.0;
            list.iter().rfind(begun).copied()
        }) {
            return Some((connection, true));
        }
        if let Some(about) = sent.icmp.as_ref().filter(|icmp| !icmp.from.is_empty()) {
            return self.quoted(sent, about);
        }
        if is_later_fragment(sent) {
            let of = self.datagram(journey.stretches[0]);
            return self.datagrams.get(&of).copied();
        }
        journey.stretches.iter().find_map(|stretch| {
            let bore = self.bore(*stretch);
            let there = bore.iter().find_map(|ends| self.learnt.get(ends));
            let back = |(place, protocol, from, to): Ends<'e>| (place, protocol, to, from);
            let answer = || bore.iter().find_map(|ends| self.learnt.get(&back(*ends)));
            let toward = there.map(|connection| (*connection, true));
            toward.or_else(|| answer().map(|connection| (*connection, false)))
        })
    }

    /// The connection of the packet that an ICMP error quotes, and whether the error goes toward the target: it goes to
    /// whoever sent that packet.
    fn quoted(&self, error: &'e Packet, about: &'e Icmp) -> Option<(usize, bool)> {
        let place = error.seen_by();
        let (from, to) = (about.from.as_str(), about.to.as_str());
        ["tcp", "udp"].into_iter().find_map(|protocol| {
            let of_client = self.learnt.get(&(place, protocol, from, to));
            let of_target = || self.learnt.get(&(place, protocol, to, from));
            let answers = of_client.map(|connection| (*connection, false));
            answers.or_else(|| of_target().map(|connection| (*connection, true)))
        })
    }

    /// Its addresses as sent and as they arrived.
    fn bore(&self, stretch: Stretch) -> [Ends<'e>; 2] {
        let packets = &self.trace.evidence.packets;
        let (sent, ended) = (&packets[stretch.sent], &packets[stretch.ended]);
        let place = sent.seen_by();
        [
            (place, &sent.protocol, &sent.from, &sent.to),
            (place, &sent.protocol, &ended.from_after, &ended.to_after),
        ]
    }

    fn datagram(&self, stretch: Stretch) -> Datagram<'e> {
        let packet = &self.trace.evidence.packets[stretch.sent];
        let place = packet.seen_by();
        let (from, to) = (ip(&packet.from), ip(&packet.to));
        (place, &packet.protocol, from, to, packet.ip_id)
    }

    fn learn(&mut self, journey: &Journey, connection: usize) {
        for stretch in &journey.stretches {
            let of = self.datagram(*stretch);
            self.datagrams
                .insert(of, (connection, journey.toward_target));
            for (place, protocol, from, to) in self.bore(*stretch) {
                let ends = match journey.toward_target {
                    true => (place, protocol, from, to),
                    false => (place, protocol, to, from),
                };
                // What only an answer bore is learnt as well, unless a request bore it before.
                match journey.toward_target {
                    true => {
                        self.learnt.insert(ends, connection);
                    }
                    false => {
                        self.learnt.entry(ends).or_insert(connection);
                    }
                }
            }
        }
    }

    /// In the connection's own count, where the fabric has not numbered it.
    fn number(&mut self, journey: &mut Journey, connection: usize, packet: &Packet) {
        let (client, server) = self.numbers.entry(connection).or_default();
        if is_syn(packet) && journey.toward_target {
            *client = Some(Space::begin(packet.seq));
        } else if is_syn_ack(packet) && !journey.toward_target {
            *server = Some(Space::begin(packet.seq));
        } else if is_syn(packet) && server.is_none() {
            // Both ends dial each other.
            *server = Some(Space::begin(packet.seq));
        }
        if journey
            .passage
            .is_some_and(|p| self.trace.passages[p].connection.is_some())
            || is_later_fragment(packet)
        {
            return;
        }
        let (own, other) = match journey.toward_target {
            true => (*client, *server),
            false => (*server, *client),
        };
        journey.seq = place(packet.seq, &[connection], |_| own);
        journey.ack = place(packet.ack, &[connection], |_| other);
    }
}
