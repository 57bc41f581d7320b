//! Connection attempts as their clients see them, balanced or direct: how many SYNs, which flow, who ended it.
//!
//! Not here: tracking of sequence numbers or windows. Only SYN, SYN-ACK, FIN and RST are ever shown to this.

use super::record::{Conversation, Ended, FlowId, Party, Tuple};
use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use std::hash::BuildHasher;
use std::time::Duration;

/// All attempts, and the latest of each tuple.
#[derive(Default)]
pub struct Conversations {
    all: Vec<Conversation>,
    last_syn: Vec<Duration>,
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

impl Conversations {
    /// Every attempt, in the order they began.
    pub fn all(&self) -> &[Conversation] {
        &self.all
    }

    fn find(&self, tuple: &Tuple) -> Option<usize> {
        self.latest
            .find(FxBuildHasher.hash_one(tuple), |&index| {
                self.all[index as usize].tuple == *tuple
            })
            .map(|&index| index as usize)
    }

    /// The latest attempt on a tuple.
    pub fn latest(&self, tuple: &Tuple) -> Option<&Conversation> {
        self.find(tuple).map(|index| &self.all[index])
    }

    /// How long ago this very SYN left its client before; none when it never did.
    pub fn since_same_syn(&self, now: Duration, tuple: &Tuple, isn: u32) -> Option<Duration> {
        let index = self.find(tuple)?;
        (self.all[index].isn == isn).then(|| now.saturating_sub(self.last_syn[index]))
    }

    /// A SYN leaves its client.
    pub fn syn(&mut self, now: Duration, tuple: Tuple, isn: u32) {
        if let Some(index) = self.find(&tuple)
            && self.all[index].isn == isn
        {
            let conversation = &mut self.all[index];
            conversation.syns += 1;
            // A client that sends its SYN again has not ended the attempt: its RST was the answer to a
            // challenge ACK (RFC 5961 section 4), meant for another connection.
            conversation.ended = None;
            self.last_syn[index] = now;
            return;
        }
        let index = self.all.len() as u32;
        self.all.push(Conversation {
            tuple,
            opened: now,
            isn,
            syns: 1,
            flow: None,
            ended: None,
        });
        self.last_syn.push(now);
        let hash = FxBuildHasher.hash_one(tuple);
        let all = &self.all;
        match self
            .latest
            .find_mut(hash, |&other| all[other as usize].tuple == tuple)
        {
            Some(slot) => *slot = index,
            None => {
                self.latest.insert_unique(hash, index, |&other| {
                    FxBuildHasher.hash_one(all[other as usize].tuple)
                });
            }
        }
    }

    /// Its SYN went by this flow.
    pub fn travels(&mut self, tuple: &Tuple, isn: u32, flow: FlowId) {
        if let Some(index) = self.find(tuple)
            && self.all[index].isn == isn
        {
            self.all[index].flow = Some(flow);
        }
    }

    /// A SYN-ACK came for it: it is being opened, so a RST before was not its end.
    pub fn accepted(&mut self, tuple: &Tuple, ack: u32) {
        if let Some(index) = self.find(tuple) {
            let conversation = &mut self.all[index];
            let reset = conversation.ended.is_some_and(|ended| ended.reset);
            if reset && conversation.isn.wrapping_add(1) == ack {
                conversation.ended = None;
            }
        }
    }

    /// A FIN or RST goes by; only the first is kept.
    pub fn ending(&mut self, tuple: &Tuple, ended: Ended) {
        if let Some(index) = self.find(tuple) {
            self.all[index].ended.get_or_insert(ended);
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
