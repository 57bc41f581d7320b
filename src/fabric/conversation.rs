//! Connection attempts as their clients see them, balanced or direct: how many SYNs, which flow, who ended it.
//!
//! Not here: tracking of sequence numbers or windows. Only SYN, SYN-ACK, FIN and RST are ever shown to this. Of an attempt
//! half a cache line is kept, and what only some have beside it.

use super::config::Protocol;
use super::flow_table::{Key, nanos};
use super::record::{Conversation, Ended, FlowId, Party, Tuple};
use crate::packet::ends::Ends;
use hashbrown::HashTable;
use rustc_hash::FxHashMap;
use std::time::Duration;

/// No flow, or no end yet.
const NONE: u32 = u32::MAX;

/// What is kept of every attempt, all of them TCP.
#[derive(Clone, Copy)]
struct Attempt {
    ends: Ends,
    isn: u32,
    /// Nanoseconds.
    opened: u64,
    /// [`NONE`]: none.
    flow: u32,
    /// Where its end is told; [`NONE`]: it never had one.
    end: u32,
}

const _: () = assert!(size_of::<Attempt>() == 32, "half a cache line");

/// The SYNs of an attempt whose first was not answered in time.
#[derive(Clone, Copy)]
struct Again {
    syns: u32,
    last: Duration,
}

/// All attempts, and the latest of each tuple.
#[derive(Default)]
pub struct Conversations {
    all: Vec<Attempt>,
    /// By attempt.
    again: FxHashMap<u32, Again>,
    /// None: it was not the end.
    ends: Vec<Option<Ended>>,
    latest: HashTable<u32>,
}

/// The other direction of a tuple.
pub fn reversed(tuple: &Tuple) -> Tuple {
    Tuple {
        protocol: tuple.protocol,
        from: tuple.to,
        to: tuple.from,
    }
}

fn hash(ends: Ends) -> u64 {
    Key::of(Protocol::Tcp, ends).hash()
}

impl Conversations {
    /// Every attempt, in the order they began. Put together on demand.
    pub fn all(&self) -> Vec<Conversation> {
        (0..self.all.len() as u32)
            .map(|number| self.told(number))
            .collect()
    }

    fn told(&self, number: u32) -> Conversation {
        let attempt = &self.all[number as usize];
        Conversation {
            tuple: Tuple {
                protocol: Protocol::Tcp,
                from: attempt.ends.from(),
                to: attempt.ends.to(),
            },
            opened: Duration::from_nanos(attempt.opened),
            isn: attempt.isn,
            syns: self.again.get(&number).map_or(1, |again| again.syns),
            flow: (attempt.flow != NONE).then_some(FlowId(attempt.flow)),
            ended: self.ends.get(attempt.end as usize).copied().flatten(),
        }
    }

    fn find(&self, tuple: &Tuple) -> Option<u32> {
        match tuple.protocol {
            Protocol::Tcp => {
                let ends = Ends::new(tuple.from, tuple.to);
                let same = |&number: &u32| self.all[number as usize].ends == ends;
                self.latest.find(hash(ends), same).copied()
            }
            Protocol::Udp => None,
        }
    }

    /// The latest attempt on a tuple.
    pub fn latest(&self, tuple: &Tuple) -> Option<Conversation> {
        self.find(tuple).map(|number| self.told(number))
    }

    /// How long ago this very SYN left its client before; none when it never did.
    pub fn since_same_syn(&self, now: Duration, tuple: &Tuple, isn: u32) -> Option<Duration> {
        let number = self.find(tuple)?;
        let attempt = &self.all[number as usize];
        let opened = Duration::from_nanos(attempt.opened);
        let last = self.again.get(&number).map_or(opened, |again| again.last);
        (attempt.isn == isn).then(|| now.saturating_sub(last))
    }

    /// A SYN leaves its client.
    pub fn syn(&mut self, now: Duration, tuple: Tuple, isn: u32) {
        if let Some(number) = self.find(&tuple)
            && self.all[number as usize].isn == isn
        {
            let again = self
                .again
                .entry(number)
                .or_insert(Again { syns: 1, last: now });
            again.syns += 1;
            again.last = now;
            // A client that sends its SYN again has not ended the attempt: its RST was the answer to a
            // challenge ACK (RFC 5961 section 4), meant for another connection.
            self.take_back_end(number);
            return;
        }
        let number = self.all.len() as u32;
        let ends = Ends::new(tuple.from, tuple.to);
        if self.all.len() == self.all.capacity() {
            // As in the table of flows: what is needed and little else.
            self.all.reserve_exact(self.all.len() / 8 + 64);
        }
        self.all.push(Attempt {
            ends,
            isn,
            opened: nanos(now),
            flow: NONE,
            end: NONE,
        });
        let all = &self.all;
        let same = |&other: &u32| all[other as usize].ends == ends;
        match self.latest.find_mut(hash(ends), same) {
            Some(slot) => *slot = number,
            None => {
                let hash_of = |&other: &u32| hash(all[other as usize].ends);
                self.latest.insert_unique(hash(ends), number, hash_of);
            }
        }
    }

    fn take_back_end(&mut self, number: u32) {
        let end = self.all[number as usize].end;
        if let Some(ended) = self.ends.get_mut(end as usize) {
            *ended = None;
        }
    }

    /// Its SYN went by this flow.
    pub fn travels(&mut self, tuple: &Tuple, isn: u32, flow: FlowId) {
        if let Some(number) = self.find(tuple)
            && self.all[number as usize].isn == isn
        {
            self.all[number as usize].flow = flow.0;
        }
    }

    /// A SYN-ACK came for it: it is being opened, so a RST before was not its end.
    pub fn accepted(&mut self, tuple: &Tuple, ack: u32) {
        if let Some(number) = self.find(tuple) {
            let attempt = &self.all[number as usize];
            let ended = self.ends.get(attempt.end as usize).copied().flatten();
            let reset = ended.is_some_and(|ended| ended.reset);
            if reset && attempt.isn.wrapping_add(1) == ack {
                self.take_back_end(number);
            }
        }
    }

    /// A FIN or RST goes by; only the first is kept.
    pub fn ending(&mut self, tuple: &Tuple, ended: Ended) {
        if let Some(number) = self.find(tuple) {
            let end = &mut self.all[number as usize].end;
            match self.ends.get_mut(*end as usize) {
                Some(first) => {
                    first.get_or_insert(ended);
                }
                None => {
                    *end = self.ends.len() as u32;
                    self.ends.push(Some(ended));
                }
            }
        }
    }

    /// Of a packet that no balancer translated, whose attempt it belongs to: its sender's or its receiver's.
    pub fn owner(&self, before: &Tuple, after: &Tuple) -> Option<(Tuple, Party)> {
        let answer = reversed(after);
        match (self.find(before), self.find(&answer)) {
            (None, None) => None,
            (client, server) if client > server => Some((*before, Party::Client)),
            _ => Some((answer, Party::Server)),
        }
    }
}
