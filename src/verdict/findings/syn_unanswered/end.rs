//! Where SYNs that nobody answered came to their end, and the words for it.

use crate::evidence::Packet;
use crate::verdict::findings::loopback;
use crate::verdict::trace::{Trace, delivered, drop_reason, host_at, is_syn, is_syn_ack, next};
use std::collections::HashMap;

/// Where a SYN, or the answer to it, came to its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// Dropped on the way there, with this fate.
    Lost(String),
    /// Still in a link when the record ends.
    UnderWay,
    /// Delivered to its own sender.
    CameHome(String),
    /// The target answered with an ACK of another connection, delivered from this address.
    Challenged(String, String),
    /// The target's SYN-ACK was dropped, with this fate.
    AnswerLost(String, String),
    /// The target's SYN-ACK was delivered from this address.
    AnswerAstray(String, String),
    /// The SYN-ACK stayed inside the host that the SYN was delivered to, where it was last seen from this address and came to this host.
    AnswerInside {
        host: String,
        from: String,
        to: String,
    },
    /// Delivered to this host, whose ICMP error was dropped, with this fate.
    Rejected(String, String),
    /// Delivered to this host, from which no answer came into the network; seen last where it came to another one by way of it.
    Silence(String, Option<String>),
    /// Delivered to this host, which passed it on to this address (and whose that is), and dropped behind it, with this fate.
    LostBehind {
        host: String,
        to: String,
        reason: String,
    },
}

/// What answered: passages.
pub(super) struct Answers<'a> {
    /// The first SYN-ACK, by the connection it answers.
    syn_acks: HashMap<usize, usize>,
    /// The challenge ACK, by the SYN's passage.
    challenges: HashMap<usize, usize>,
    /// The last sighting on a device of a host, as an index into the packets, of the SYN-ACK with this number.
    inside: HashMap<(&'a str, i64), usize>,
    /// The next place where a SYN was seen, by the number of its record before.
    onward: HashMap<i64, &'a Packet>,
}

impl<'a> Answers<'a> {
    /// What answers there are in the evidence.
    pub(super) fn new(trace: &Trace<'a>) -> Self {
        let mut syn_acks = HashMap::new();
        for (i, passage) in trace.passages.iter().enumerate() {
            if let Some(of) = passage.ack.of.filter(|_| is_syn_ack(trace.sent(i))) {
                syn_acks.entry(of).or_insert(i);
            }
        }
        let packets = trace.evidence.packets.iter().enumerate();
        let seen = packets.filter(|(_, one)| !one.seen_at.is_empty() && is_syn_ack(one));
        let place = |one: &'a Packet| one.seen_by();
        Self {
            syn_acks,
            inside: seen.map(|(at, one)| ((place(one), one.ack), at)).collect(),
            onward: { trace.evidence.packets.iter() }
                .filter(|one| is_syn(one))
                .filter_map(|one| Some((one.follows?, one)))
                .collect(),
            challenges: trace.challenges.iter().map(|c| (c.syn, c.ack)).collect(),
        }
    }

    /// The end of a SYN that came to a host and was not answered: that host, or where it was seen last behind it.
    fn silence(&self, trace: &Trace, host: String, syn: &Packet) -> End {
        let next = |one: &&'a Packet| self.onward.get(&one.id).copied();
        let way = std::iter::successors(self.onward.get(&syn.id).copied(), next);
        // A damaged record may go round in circles.
        let Some(last) = way.take(self.onward.len()).last() else {
            return End::Silence(host, None);
        };
        if last.seen_at.is_empty() {
            // The network had it once more: a node leads to a pod of another one.
            return match drop_reason(last) {
                Some(reason) => {
                    let to = match host_at(trace.evidence, &last.to_after) {
                        Some(owner) => format!("{owner} ({})", last.to_after),
                        None => last.to_after.clone(),
                    };
                    let reason = reason.to_owned();
                    End::LostBehind { host, to, reason }
                }
                None => {
                    let further =
                        (delivered(last) && last.receiver != host).then(|| last.receiver.clone());
                    End::Silence(host, further)
                }
            };
        }
        let inward = last.seen_by() == last.sender;
        End::Silence(host, inward.then(|| last.receiver.clone()))
    }
}

/// Where this SYN of the connection, or the answer to it, came to its end.
pub(super) fn end_of<'a>(
    trace: &Trace<'a>,
    connection: usize,
    syn: usize,
    answers: &Answers<'a>,
) -> End {
    let packet = trace.ended(syn);
    if packet.fate == "held" {
        return End::UnderWay;
    }
    if !delivered(packet) {
        return End::Lost(drop_reason(packet).unwrap_or(&packet.fate).to_owned());
    }
    if let Some(home) = loopback::came_home(trace, packet) {
        return End::CameHome(home.to_owned());
    }
    let host = packet.receiver.clone();
    if let Some(ack) = answers.challenges.get(&syn) {
        return End::Challenged(host, trace.ended(*ack).from_after.clone());
    }
    match answers.syn_acks.get(&connection).map(|p| trace.ended(*p)) {
        Some(answer) if delivered(answer) => End::AnswerAstray(host, answer.from_after.clone()),
        Some(answer) => {
            End::AnswerLost(host, drop_reason(answer).unwrap_or(&answer.fate).to_owned())
        }
        None => {
            let acknowledged = next(packet.seq);
            let inside = answers
                .inside
                .get(&(packet.receiver.as_str(), acknowledged));
            let last = inside.map(|at| &trace.evidence.packets[*at]);
            let last = last.map(|seen| (seen.from_after.clone(), seen.receiver.clone()));
            match (last, rejection(trace, connection, &host)) {
                (Some((from, to)), _) => End::AnswerInside { host, from, to },
                (None, Some(fate)) => End::Rejected(host, fate),
                (None, None) => answers.silence(trace, host, packet),
            }
        }
    }
}

/// What became of an ICMP error that the host had for the connection, when it was dropped.
fn rejection(trace: &Trace, connection: usize, host: &str) -> Option<String> {
    let ended = trace.by_connection[connection]
        .iter()
        .map(|p| trace.ended(*p));
    let mut errors = ended.filter(|packet| packet.protocol == "icmp" && packet.sender == host);
    errors.find_map(|error| drop_reason(error).map(str::to_owned))
}

/// A sentence on it, of these SYNs.
pub(super) fn sentence(end: &End, subject: &str) -> String {
    match end {
        End::Lost(reason) => format!("{subject} died on the way: {reason}."),
        End::UnderWay => format!("{subject} waited in a link still when the record ends."),
        End::CameHome(host) => {
            format!("{subject} came back to {host} itself, from its own address.")
        }
        End::Challenged(host, from) if from.is_empty() => {
            format!(
                "{subject} reached {host}, which answered with a challenge ACK that went nowhere."
            )
        }
        End::Challenged(host, from) => {
            format!(
                "{subject} reached {host}, which answered with a challenge ACK, delivered from {from}."
            )
        }
        End::AnswerLost(host, reason) => {
            format!("{subject} reached {host}; its SYN-ACK died on the way back: {reason}.")
        }
        End::AnswerAstray(host, from) => {
            format!(
                "{subject} reached {host}; its SYN-ACK was delivered from {from}, which nobody had dialled."
            )
        }
        End::AnswerInside { host, from, to } => {
            let came = match to == host {
                true => String::new(),
                false => format!(", where it came to {to}"),
            };
            format!(
                "{subject} reached {host}; the SYN-ACK never left {host}: it was seen inside, from {from}{came}."
            )
        }
        End::Rejected(host, reason) => {
            format!(
                "{subject} reached {host}, which sent an ICMP error that died on the way back: {reason}."
            )
        }
        End::Silence(host, None) => {
            format!("{subject} reached {host}, and no answer came from it.")
        }
        End::Silence(host, Some(inside)) => {
            format!("{subject} reached {inside} by way of {host}, and no answer came from it.")
        }
        End::LostBehind { host, to, reason } => {
            format!("{subject} reached {host} and died behind it, on the way to {to}: {reason}.")
        }
    }
}
