//! Challenges to SYNs (RFC 5961 section 4), and whether the RST that answers one is believed (section 3).

use super::numbers::next;
use super::{Trace, delivered, is_pure_ack, is_reset, is_syn, left};
use crate::evidence::Packet;
use std::collections::HashMap;

/// It acknowledges this very SYN, and perhaps the data that came in it (RFC 7413: some, or all).
fn acknowledges(packet: &Packet, syn: &Packet) -> bool {
    (0..=syn.len).contains(&(packet.ack - next(syn.seq)).rem_euclid(1 << 32))
}

/// A SYN that the target answered with a pure ACK of something else.
pub struct Challenge {
    /// The connection whose SYN it was.
    pub connection: usize,
    /// The host that did it.
    pub host: String,
    /// The connection it still had on this 4-tuple, as the ACK's numbers tell.
    pub owner: Option<usize>,
    /// The connection under whose addresses the ACK was delivered.
    pub delivered_to: Option<usize>,
    /// Passages: the SYN, the ACK.
    pub syn: usize,
    /// See `syn`.
    pub ack: usize,
    /// Passage of the RST with which the client answered it.
    pub rst: Option<usize>,
    /// Passage of the next sending of the same SYN.
    pub again: Option<usize>,
}

/// It came to a host: the fabric brought it there, or to another one that sent it on.
fn came_to(packet: &Packet, host: &str, onward: &HashMap<i64, &Packet>) -> bool {
    let next = |packet: &&Packet| onward.get(&packet.id).copied();
    let mut way = std::iter::successors(Some(packet), next).take(MOST_HOPS);
    way.any(|packet| packet.receiver == host)
}

/// A damaged record may go round in circles.
const MOST_HOPS: usize = 16;

impl Trace<'_> {
    /// SYNs that were answered with a pure ACK of something else, on the target's side of translation.
    pub(super) fn find_challenges(&mut self) {
        struct Waiting {
            syn: usize,
            answered: bool,
        }
        let mut waiting: HashMap<(&str, &str), Waiting> = HashMap::new();
        let mut challenges: Vec<Challenge> = Vec::new();
        let onward = self.onward();
        for i in 0..self.passages.len() {
            let (sent, ended) = (self.sent(i), self.ended(i));
            if is_syn(sent) && delivered(ended) {
                waiting.insert(
                    (&ended.to_after, &ended.from_after),
                    Waiting {
                        syn: i,
                        answered: false,
                    },
                );
                continue;
            }
            let Some(wait) = waiting.get_mut(&(sent.from.as_str(), sent.to.as_str())) else {
                continue;
            };
            if wait.answered {
                continue;
            }
            let syn = self.sent(wait.syn);
            let after = self.passages[wait.syn].ended < self.passages[i].sent;
            if !after || !came_to(self.ended(wait.syn), &sent.sender, &onward) {
                continue;
            }
            if acknowledges(sent, syn) || self.acknowledges_later(i, wait.syn) {
                wait.answered = true;
            } else if is_pure_ack(sent)
                && let Some(connection) = self.passages[wait.syn].connection
            {
                wait.answered = true;
                challenges.push(Challenge {
                    connection,
                    host: self.origin(i).sender.clone(),
                    owner: self.passages[i].seq.of.filter(|owner| *owner != connection),
                    delivered_to: self.passages[i].connection.filter(|_| delivered(ended)),
                    syn: wait.syn,
                    ack: i,
                    rst: None,
                    again: None,
                });
            }
        }
        for challenge in &mut challenges {
            let of_the_client =
                |p: &&usize| **p > challenge.ack && self.passages[**p].toward_target;
            let passages = &self.by_connection[challenge.connection];
            let wanted = self.sent(challenge.ack).ack;
            challenge.rst = passages
                .iter()
                .filter(of_the_client)
                .find(|p| is_reset(self.sent(**p)) && self.sent(**p).seq == wanted)
                .copied();
            let isn = self.sent(challenge.syn).seq;
            challenge.again = passages
                .iter()
                .filter(of_the_client)
                .find(|p| {
                    is_syn(self.sent(**p)) && self.sent(**p).seq == isn && left(self.ended(**p))
                })
                .copied();
        }
        self.challenges = challenges;
    }

    /// Records by the packet that they follow on its way.
    fn onward(&self) -> HashMap<i64, &'_ Packet> {
        let packets = self.evidence.packets.iter();
        packets
            .filter_map(|packet| Some((packet.follows?, packet)))
            .collect()
    }

    /// The ACK covers bytes that its owner's client sent only after the SYN: it answers those, not the SYN.
    fn acknowledges_later(&self, ack: usize, syn: usize) -> bool {
        let place = self.passages[ack].ack;
        let Some(owner) = place.of else { return false };
        let before = self.by_connection[owner].iter().take_while(|p| **p < syn);
        let ends = before
            .filter(|p| self.passages[**p].toward_target)
            .map(|p| {
                let packet = self.sent(*p);
                let control = i64::from(packet.flags.contains(['S', 'F']));
                self.passages[*p].seq.at + packet.len + control
            });
        ends.max().is_some_and(|end| place.at > end)
    }

    /// What a RST that bears another connection's numbers would have had to be to end that one at the target: the
    /// next byte expected there when it arrived. None when it is no such RST, or came nowhere.
    pub fn expected_of(&self, rst: usize) -> Option<i64> {
        let passage = &self.passages[rst];
        let owner = passage
            .seq
            .of
            .filter(|of| Some(*of) != passage.connection)?;
        if !passage.toward_target || !is_reset(self.sent(rst)) || !delivered(self.ended(rst)) {
            return None;
        }
        let mut segments: Vec<(usize, i64, i64)> = self.by_connection[owner]
            .iter()
            .map(|p| (&self.passages[*p], self.sent(*p), self.ended(*p)))
            .filter(|(p, sent, ended)| {
                p.toward_target
                    && p.ended < passage.ended
                    && p.seq.of == Some(owner)
                    && delivered(ended)
                    && !is_reset(sent)
            })
            .map(|(p, sent, _)| {
                let control = sent.flags.matches(['S', 'F']).count() as i64;
                (p.ended, p.seq.at, p.seq.at + sent.len + control)
            })
            .collect();
        // In the order of numbers, a hole stops the count, whenever the rest arrived.
        segments.sort_by_key(|(_, begin, _)| *begin);
        let reach = |reach: i64, (_, begin, end): &(usize, i64, i64)| {
            if *begin <= reach {
                reach.max(*end)
            } else {
                reach
            }
        };
        Some(segments.iter().fold(0, reach))
    }

    /// The RST of a challenge ended the connection that the target had.
    pub fn believed(&self, challenge: &Challenge) -> bool {
        let Some(rst) = challenge.rst else {
            return false;
        };
        self.expected_of(rst) == Some(self.passages[rst].seq.at)
    }
}
