//! The books: what became of every packet, in sums and, up to a limit, one by one.
//!
//! The sums always balance: received = forwarded + answered + held + dropped. Packets that the fabric made are
//! recorded too, and stay outside the sums.

use super::passage::Passage;
use super::record::{Fate, PacketRecord, Reason, Totals, Tuple};
use crate::packet::Headers;
use std::time::Duration;

/// The books.
#[derive(Default)]
pub struct Ledger {
    records: Vec<PacketRecord>,
    limit: usize,
    totals: Totals,
    next_id: u64,
}

impl Ledger {
    /// Empty books that keep `limit` records.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// The records kept.
    pub fn records(&self) -> &[PacketRecord] {
        &self.records
    }

    /// The sums.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// A host sent a packet. Gives its number.
    pub fn received(&mut self) -> u64 {
        self.totals.received += 1;
        self.number()
    }

    /// The fabric made a packet. Gives its number.
    pub fn originated(&mut self) -> u64 {
        self.totals.originated += 1;
        self.number()
    }

    fn number(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// A super-packet turns out to be one packet more. Gives the number of that one.
    pub fn split(&mut self, passage: &Passage) -> u64 {
        if passage.sender.is_some() {
            self.received()
        } else {
            self.originated()
        }
    }

    /// A packet waits in a link. Only its first wait is recorded.
    pub fn held(&mut self, now: Duration, passage: &mut Passage, headers: &Headers) {
        if passage.sender.is_some() {
            self.totals.held += 1;
        }
        if !passage.held {
            passage.held = true;
            self.record(now, passage, headers, Fate::Held);
        }
    }

    /// A packet waits no longer.
    pub fn released(&mut self, passage: &Passage) {
        if passage.sender.is_some() {
            self.totals.held -= 1;
        }
    }

    /// A packet's end. `fate` is not [`Fate::Held`].
    pub fn finished(&mut self, now: Duration, passage: &Passage, headers: &Headers, fate: Fate) {
        if passage.sender.is_some() {
            match fate {
                Fate::Forwarded(_) => self.totals.forwarded += 1,
                Fate::Answered(_) => self.totals.answered += 1,
                Fate::Dropped(reason) => *self.dropped(reason) += 1,
                Fate::Held => unreachable!("waiting in a link is no end of a packet"),
            }
        }
        self.record(now, passage, headers, fate);
    }

    fn dropped(&mut self, reason: Reason) -> &mut u64 {
        self.totals.dropped.entry(reason).or_insert(0)
    }

    fn record(&mut self, at: Duration, passage: &Passage, headers: &Headers, fate: Fate) {
        if self.records.len() >= self.limit {
            self.totals.records_cut += 1;
            return;
        }
        let protocol = passage.before.protocol;
        self.records.push(PacketRecord {
            at,
            id: passage.id,
            sender: passage.sender,
            protocol: headers.protocol,
            before: passage.before,
            after: Tuple {
                protocol,
                from: headers.from,
                to: headers.to,
            },
            flow: passage.flow,
            flags: headers.flags,
            seq: headers.seq,
            ack: headers.ack,
            payload: headers.payload_len() as u32,
            window: headers.window,
            wire_packets: headers.wire_packets() as u32,
            wire_bytes: headers.wire_bytes() as u32,
            fate,
            probe: passage.probe,
        });
    }
}
