//! Remarks on the packets that matter.

use super::arrows::by_network;
use super::lanes::{has_inside, inside, is_zonal};
use super::streams::{DUPLICATE, KEEPALIVE, SAME_BYTES, Streams, WINDOW_PROBE, Whose};
use crate::evidence::Packet;
use crate::plan::vocabulary::{HEAL, HEAL_ALL, POWER_OFF, names};
use crate::verdict::findings;
use crate::verdict::trace::{
    Journey, TOO_LARGE, Trace, answer, delivered, drop_reason, is_pure_ack, is_reset, is_syn,
    is_syn_ack, left, next,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// Makes remarks in the order of the packets, since some depend on what was said before.
pub struct Notes<'a, 'b> {
    trace: &'b Trace<'a>,
    /// By ACK: the challenge that it is.
    challenges: HashMap<usize, usize>,
    /// Passages that close a window, ask whether it is still closed, and open it again.
    windows: HashMap<usize, &'static str>,
    /// Passages of RSTs that are not believed, and of the answers to them.
    not_believed: HashMap<usize, String>,
    streams: Streams,
    /// To whom the target's socket on a 4-tuple belongs, by the tuple as the target writes it.
    holder: HashMap<(&'a str, &'a str), usize>,
    /// Connections about which it was said that the target knows them no more.
    disowned: Vec<usize>,
    /// Numbers that were acknowledged to a client, by connection.
    answered: HashSet<(usize, i64)>,
    /// Connections with a packet that a link still has, by direction.
    under_way: HashSet<(Option<usize>, bool)>,
    /// Remarks made of packets that may be many.
    said: Vec<String>,
}

impl<'a, 'b> Notes<'a, 'b> {
    /// Nothing said yet.
    pub fn new(trace: &'b Trace<'a>, journeys: &[Journey]) -> Self {
        let mut challenges = HashMap::new();
        for (i, challenge) in trace.challenges.iter().enumerate() {
            challenges.insert(challenge.ack, i);
        }
        let packets = &trace.evidence.packets;
        let answers = journeys.iter().filter(|journey| !journey.toward_target);
        let answered = answers.filter_map(|journey| {
            Some((journey.connection?, packets[journey.stretches[0].sent].ack))
        });
        Self {
            trace,
            answered: answered.collect(),
            challenges,
            windows: windows(trace),
            not_believed: not_believed(trace),
            streams: Streams::default(),
            holder: HashMap::new(),
            disowned: Vec::new(),
            under_way: HashSet::new(),
            said: Vec::new(),
        }
    }

    /// The remark on a packet, if it deserves one.
    pub fn on(&mut self, journey: &Journey) -> Option<String> {
        let by_network = journey
            .passage
            .and_then(|passage| self.on_passage(journey, passage));
        let told = by_network.or_else(|| self.seen(journey));
        let parts: Vec<String> = told.into_iter().chain(self.on_links(journey)).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// What links did to it.
    fn on_links(&self, journey: &Journey) -> Vec<String> {
        let packets = &self.trace.evidence.packets;
        let ended = journey.stretches.iter().map(|s| &packets[s.ended]);
        let links = ended.filter_map(|packet| packet.links.as_deref());
        let effects = links.flat_map(|links| &links.effects);
        effects.map(ToString::to_string).collect()
    }

    /// What is known from the devices inside hosts.
    fn seen(&mut self, journey: &Journey) -> Option<String> {
        let trace = self.trace;
        let packets = &trace.evidence.packets;
        let (first, last) = (journey.stretches.first()?, journey.stretches.last()?);
        let (sent, ended) = (&packets[first.sent], &packets[last.ended]);
        let number = journey.connection?;
        let connection = &trace.evidence.connections[number];
        let again = match journey.passage {
            None => {
                let whose = Whose::Connection(number);
                self.streams.on(whose, journey, sent, ended.t)
            }
            Some(_) => None,
        };
        if !has_inside(trace, &ended.receiver) || sent.protocol != "tcp" {
            return again;
        }
        let note = if journey.toward_target {
            let own = (&sent.from, &sent.to) == (&connection.local, &connection.remote);
            if is_reset(sent) && !own && sent.sender == connection.from {
                Some(format!(
                    "{} resets it: it never dialled {}",
                    sent.sender, sent.to
                ))
            } else if is_syn(sent)
                && inside(trace, &ended.receiver).is_none()
                && !self.answered.contains(&(number, next(sent.seq)))
            {
                Some(format!(
                    "seen no further than {}, and not answered",
                    ended.receiver
                ))
            } else {
                None
            }
        } else if ended.receiver == connection.from && ended.from_after != connection.remote {
            Some(format!(
                "comes from {}, not from {} that {} dialled: nothing translated it back",
                ended.from_after, connection.remote, connection.from
            ))
        } else {
            None
        };
        let again_too = again.as_ref().map(|again| format!("; {again}"));
        match note.filter(|note| self.first_time(note)) {
            Some(note) => Some(note + &again_too.unwrap_or_default()),
            None => again,
        }
    }

    /// What is known from the fabric's record.
    fn on_passage(&mut self, journey: &Journey, passage: usize) -> Option<String> {
        let (sent, ended) = (self.trace.sent(passage), self.trace.ended(passage));
        if !left(ended) {
            return Some("withheld: the kernel emulated here would not send it yet".into());
        }
        let place = &self.trace.passages[passage];
        let again = match (place.connection, place.leg) {
            // Nobody sent it again.
            _ if ended.links.as_ref().is_some_and(|links| links.is_copy()) => None,
            (Some(connection), leg) => {
                let whose = leg.map_or(Whose::Connection(connection), Whose::Leg);
                self.streams.on(whose, journey, sent, ended.t)
            }
            (None, _) => None,
        };
        let disowned = self.disowned(passage, sent, ended);
        let and_again = || again.as_ref().map(|again| format!("; {again}"));
        if let Some(reason) = drop_reason(ended) {
            if is_reset(sent) && reason == "link-down" && self.is_without_power(sent) {
                return Some(format!(
                    "dropped: {reason}; the emulator's way to end its sockets: without power {} says nothing",
                    sent.sender
                ));
            }
            let again = and_again().unwrap_or_default();
            return Some(format!("dropped: {reason}{again}"));
        }
        if let Some(how) = answer(ended).filter(|how| TOO_LARGE.contains(how)) {
            let again = and_again().unwrap_or_default();
            return Some(format!(
                "too large for a link on the way; answered: {how}{again}"
            ));
        }
        if let Some(how) = answer(ended) {
            let who = match how {
                // A node's own TCP, behind its service proxy.
                "reset, no entry" => ended.sender.as_str(),
                _ if how.starts_with("ICMP") => "the network",
                _ => element(ended),
            };
            return Some(format!("answered by {who} itself: {how}"));
        }
        if ended.fate == "held" {
            // Said of the first of each direction.
            let first = self
                .under_way
                .insert((place.connection, place.toward_target));
            return first.then(|| "still under way when the record ends".into());
        }
        if let Some(challenge) = self.challenges.get(&passage) {
            return Some(self.challenge(*challenge));
        }
        if is_syn(sent)
            && let Some(home) = findings::came_home(self.trace, ended)
        {
            return Some(format!("back at {home} itself, from its own address"));
        }
        if sent.injected {
            let effect = self.not_believed.get(&passage);
            let effect = effect.map_or(String::new(), |effect| format!("; {effect}"));
            return Some(format!(
                "put there by a step: {} did not send it{effect}",
                sent.sender
            ));
        }
        if let Some(note) = self.windows.get(&passage) {
            return Some((*note).into());
        }
        if let Some(note) = self.not_believed.get(&passage) {
            return Some(note.clone());
        }
        if let Some(maker) = self.maker(sent) {
            let mtu = sent.icmp.as_ref().map_or(0, |icmp| icmp.mtu);
            return Some(match mtu {
                0 => format!("made by {maker}"),
                mtu => format!("made by {maker}, where packets of {mtu} bytes pass"),
            });
        }
        let note = self
            .reset(passage, ended)
            .or_else(|| self.astray(passage, sent, ended));
        note.filter(|note| self.first_time(note))
            .or(disowned)
            .or(again)
    }

    /// A step has taken its sender's power, and none has given it back.
    fn is_without_power(&self, sent: &Packet) -> bool {
        let of_it = |word: &str| names(word, &sent.sender);
        let mut steps = self.trace.evidence.steps.iter();
        let last = steps.rfind(|step| {
            let off = step.label.strip_prefix(POWER_OFF);
            let on = step.label.strip_prefix(HEAL);
            let on = on.is_some_and(|what| what == HEAL_ALL || what.split(" and ").any(of_it));
            step.at <= sent.t && (off.is_some_and(of_it) || on)
        });
        last.is_some_and(|step| step.label.starts_with(POWER_OFF))
    }

    /// Who in the network made a packet; none: a kernel did, a host's or that of a balancer's address.
    fn maker(&self, sent: &Packet) -> Option<&'static str> {
        let host = self.trace.evidence.hosts.contains_key(&sent.sender);
        if by_network(self.trace, sent) {
            return Some("the network on the way");
        }
        (!host && !is_zonal(self.trace, &sent.sender)).then(|| element(sent))
    }

    /// What is true of many packets is said of the first.
    fn first_time(&mut self, note: &str) -> bool {
        let new = !self.said.iter().any(|said| said == note);
        if new {
            self.said.push(note.to_owned());
        }
        new
    }

    /// A client's RST in the numbers of another connection: believed, or not.
    fn reset(&self, passage: usize, ended: &Packet) -> Option<String> {
        let expected = self.trace.expected_of(passage)?;
        let place = self.trace.passages[passage].seq;
        let old = self.trace.name(place.of?);
        Some(if expected == place.at {
            let mut challenges = self.trace.challenges.iter();
            let challenge = challenges.find(|challenge| challenge.rst == Some(passage));
            let host = challenge.map_or(&ended.receiver, |challenge| &challenge.host);
            format!("this RST ends \"{old}\" at {host}")
        } else {
            format!(
                "too late to end \"{old}\": a RST must bear the number that {} expects next (RFC 5961 section 3)",
                ended.receiver
            )
        })
    }

    fn challenge(&self, challenge: usize) -> String {
        let trace = self.trace;
        let challenge = &trace.challenges[challenge];
        let old = match challenge.owner {
            Some(owner) => format!("\"{}\"", trace.name(owner)),
            None => "another connection".into(),
        };
        let state = if findings::held_in_time_wait(trace, challenge) {
            " in TIME_WAIT"
        } else {
            ""
        };
        let to = match challenge.delivered_to {
            Some(to) if to != challenge.connection => format!(
                "; it answers \"{}\" and is delivered to \"{}\"",
                trace.name(challenge.connection),
                trace.name(to)
            ),
            Some(_) | None => String::new(),
        };
        format!(
            "challenge ACK (RFC 5961 section 4): {} still has {old}{state} on this 4-tuple{to}",
            challenge.host
        )
    }

    /// Numbers of one connection delivered under the addresses of another.
    fn astray(&self, passage: usize, sent: &Packet, ended: &Packet) -> Option<String> {
        let place = &self.trace.passages[passage];
        let whose = if is_syn_ack(sent) {
            place.ack.of
        } else {
            place.seq.of.or(place.ack.of)
        }?;
        let bearer = place.connection?;
        if place.toward_target || whose == bearer || !delivered(ended) {
            return None;
        }
        let what = if is_syn_ack(sent) {
            "answers the SYN of"
        } else if is_reset(sent) {
            "is a RST for"
        } else {
            "belongs to"
        };
        Some(format!(
            "this {what} \"{}\", but comes from {}, to \"{}\"",
            self.trace.name(whose),
            ended.from_after,
            self.trace.name(bearer)
        ))
    }

    /// The first bytes that meet another connection's socket at the target.
    fn disowned(&mut self, passage: usize, sent: &'a Packet, ended: &'a Packet) -> Option<String> {
        let place = &self.trace.passages[passage];
        if is_syn_ack(sent)
            && let Some(owner) = place.ack.of
        {
            self.holder.insert((&sent.from, &sent.to), owner);
        }
        let bearer = place.connection?;
        if !place.toward_target
            || place.leg.is_some()
            || sent.len == 0
            || !delivered(ended)
            || self.disowned.contains(&bearer)
        {
            return None;
        }
        let holder = *self
            .holder
            .get(&(ended.to_after.as_str(), ended.from_after.as_str()))?;
        if holder == bearer {
            return None;
        }
        self.disowned.push(bearer);
        Some(format!(
            "to {} this 4-tuple is \"{}\" now; what it answers goes to that one",
            ended.receiver,
            self.trace.name(holder)
        ))
    }
}

/// Remarks that long stories are full of.
const MANY: [&str; 3] = [SAME_BYTES, KEEPALIVE, DUPLICATE];

/// How much a packet tells, for cutting.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// One of many.
    Common,
    /// The same bytes once more.
    Repeated,
    /// It opens, closes or breaks a connection, or has a remark of its own.
    Telling,
}

/// A packet's weight, its remark considered.
pub fn weight(packet: &Packet, note: Option<&str>) -> Weight {
    match note {
        _ if packet.flags.contains(['S', 'F']) => Weight::Telling,
        Some(note) if MANY.iter().any(|many| note.starts_with(many)) => Weight::Repeated,
        Some(_) => Weight::Telling,
        // One more RST of many for the same reason.
        None if packet.flags.contains('R') => Weight::Repeated,
        None => Weight::Common,
    }
}

/// Remarks on segments that close a window for long, ask for it, and open it again.
fn windows(trace: &Trace) -> HashMap<usize, &'static str> {
    let mut notes = HashMap::new();
    for stall in trace.stalls() {
        notes.insert(stall.closed, "zero window: its buffer is full");
        let opened = stall.opened;
        let update = opened.filter(|opened| is_pure_ack(trace.sent(*opened)));
        notes.extend(update.map(|opened| (opened, "window update: there is room again")));
        let probes = stall.probes.into_iter();
        notes.extend(probes.map(|probe| (probe, WINDOW_PROBE)));
    }
    notes
}

/// Remarks on RSTs that are not believed, and on the answers to them.
fn not_believed(trace: &Trace) -> HashMap<usize, String> {
    let mut notes = HashMap::new();
    for (reset, off, challenge) in findings::resets_in_vain(trace) {
        let note = format!("not believed: {off} off the number that is expected next");
        notes.insert(reset, note);
        let why = "challenge ACK (RFC 5961 section 3): who meant the RST may send it again with this number";
        notes.extend(challenge.map(|challenge| (challenge, why.to_owned())));
    }
    notes
}

/// Which of the network's elements dealt with a packet.
fn element(packet: &Packet) -> &'static str {
    match packet.gateway.is_empty() {
        true => "the balancer",
        false => "the NAT gateway",
    }
}
