//! The books: what became of every packet, in sums and, up to a limit, one by one.
//!
//! The sums always balance: received = forwarded + answered + held + dropped. Packets that the fabric made are
//! recorded too, and stay outside the sums.

use super::crossing::Leaving;
use super::flow_table::FlowTable;
use super::passage::{Passage, tuple};
use super::record::{Fate, Impairment, Mark, PacketRecord, Reason, Totals, Tuple};
use super::shorthand::{Carried, Shorthand};
use crate::packet::Headers;
use std::collections::VecDeque;
use std::time::Duration;

/// The books.
#[derive(Default)]
pub struct Ledger {
    records: Vec<Kept>,
    /// Of packets that did not go the short way.
    whole: Vec<PacketRecord>,
    limit: usize,
    totals: Totals,
    next_id: u64,
    impairments: Vec<Impairment>,
    marks: Vec<Mark>,
    latest: Option<Latest>,
}

/// A record as it is kept.
#[derive(Clone, Copy)]
enum Kept {
    Short(Shorthand),
    /// Its place among the whole ones.
    Whole(u32),
}

const _: () = assert!(size_of::<Kept>() == 48, "no more than in shorthand");

/// The end of a story that is too long for the books.
#[derive(Clone, Debug, Default)]
pub struct Latest {
    /// The latest records of those cut, in the order they happened.
    pub records: VecDeque<PacketRecord>,
    /// The packets that a super-packet turned out to be besides its first: their number, and that of the first.
    pub parts: VecDeque<(u64, u64)>,
    /// The latest of those impairments that were cut.
    pub impairments: VecDeque<Impairment>,
    /// Marks of the latest packets.
    pub marks: VecDeque<Mark>,
    limit: usize,
}

impl Ledger {
    /// Empty books that keep `limit` records.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Remembers the latest `limit` of everything that the books have no room for.
    pub fn keep_latest(&mut self, limit: usize) {
        self.latest = Some(Latest {
            limit,
            ..Latest::default()
        });
    }

    /// What is remembered besides.
    pub fn latest(&self) -> Option<&Latest> {
        self.latest.as_ref()
    }

    /// The records kept, in the order they were made. `table`: that of the flows on which they travel.
    pub fn records(&self, table: &FlowTable) -> impl DoubleEndedIterator<Item = PacketRecord> {
        self.records.iter().map(|kept| match kept {
            Kept::Short(short) => short.told(table),
            Kept::Whole(place) => self.whole[*place as usize],
        })
    }

    /// What links did to packets besides, in order; as many as records are kept.
    pub fn impairments(&self) -> &[Impairment] {
        &self.impairments
    }

    /// A link did more to a packet than carry, delay or lose it.
    pub fn impaired(&mut self, impairment: Impairment) {
        if self.impairments.len() < self.limit {
            self.impairments.push(impairment);
            return;
        }
        self.totals.impairments_cut += 1;
        if let Some(latest) = &mut self.latest {
            push(&mut latest.impairments, latest.limit, impairment);
        }
    }

    /// What is to be said of packets besides their records, in order.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// Says it of a packet that has no record yet; where that is not kept it is of no use.
    pub fn mark(&mut self, mark: Mark) {
        if self.records.len() < self.limit {
            self.marks.push(mark);
        } else if let Some(latest) = &mut self.latest {
            push(&mut latest.marks, latest.limit, mark);
        }
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

    /// How many packets have a number: that of the next one.
    pub fn numbered(&self) -> u64 {
        self.next_id
    }

    fn number(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// A super-packet turns out to be one packet more. Gives the number of that one.
    pub fn split(&mut self, passage: &Passage) -> u64 {
        let id = self.another(passage);
        if let Some(latest) = &mut self.latest {
            push(&mut latest.parts, latest.limit, (id, passage.id));
        }
        id
    }

    /// One packet more of the same sender. Gives its number.
    pub fn another(&mut self, passage: &Passage) -> u64 {
        if passage.sender.is_some() {
            self.received()
        } else {
            self.originated()
        }
    }

    /// A packet waits in a link or at a NAT gateway. Only its first wait is recorded.
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
    #[inline]
    pub fn finished(&mut self, now: Duration, passage: &Passage, headers: &Headers, fate: Fate) {
        if passage.sender.is_some() {
            match fate {
                Fate::Forwarded(_) => self.totals.forwarded += 1,
                Fate::Answered(_) => self.totals.answered += 1,
                Fate::Dropped(reason) => *self.dropped(reason) += 1,
                Fate::Held => unreachable!("waiting is no end of a packet"),
            }
        }
        self.record(now, passage, headers, fate);
    }

    /// The end of a packet that went the short way now, in nanoseconds.
    #[inline(always)]
    pub fn carried(&mut self, now: u64, carried: Carried) {
        if carried.taken {
            self.totals.forwarded += 1;
        } else {
            *self.dropped(Reason::DeviceRefused) += 1;
        }
        let full = self.records.len() >= self.limit;
        self.totals.records_cut += u64::from(full);
        if !full || self.latest.is_some() {
            self.write_carried(now, carried, full);
        }
    }

    fn write_carried(&mut self, now: u64, carried: Carried, full: bool) {
        if !full && let Some(short) = Shorthand::new(now, &carried) {
            self.records.push(Kept::Short(short));
            return;
        }
        let Carried {
            id,
            from,
            plain,
            onward,
            taken,
            ..
        } = carried;
        let mut headers = plain.headers();
        let passage = Passage {
            flow: Some(onward.flow),
            ..Passage::new(id, Some(from), tuple(&headers))
        };
        (headers.from, headers.to) = (onward.ends.from(), onward.ends.to());
        let fate = match taken {
            true => Fate::Forwarded(onward.to),
            false => Fate::Dropped(Reason::DeviceRefused),
        };
        self.write(Duration::from_nanos(now), &passage, &headers, fate, full);
    }

    /// A packet that was booked as forwarded was refused by the device after all.
    pub fn refused(&mut self, packet: &Leaving) {
        if packet.from_host {
            self.totals.forwarded -= 1;
            *self.dropped(Reason::DeviceRefused) += 1;
        }
        // It is among the last of those cut, of those kept, or nowhere.
        let latest = self.latest.iter_mut();
        let found = latest
            .flat_map(|latest| latest.records.iter_mut().rev())
            .take_while(|record| record.at >= packet.at)
            .any(|record| refuse(record, packet));
        if found {
            return;
        }
        for kept in self.records.iter_mut().rev() {
            let found = match kept {
                Kept::Short(short) if short.is_before(packet.at) => return,
                Kept::Short(short) => short.refuse(packet.id),
                Kept::Whole(place) if self.whole[*place as usize].at < packet.at => return,
                Kept::Whole(place) => refuse(&mut self.whole[*place as usize], packet),
            };
            if found {
                return;
            }
        }
    }

    fn dropped(&mut self, reason: Reason) -> &mut u64 {
        self.totals.dropped.entry(reason).or_insert(0)
    }

    #[inline]
    fn record(&mut self, at: Duration, passage: &Passage, headers: &Headers, fate: Fate) {
        let full = self.records.len() >= self.limit;
        self.totals.records_cut += u64::from(full);
        if !full || self.latest.is_some() {
            self.write(at, passage, headers, fate, full);
        }
    }

    fn write(
        &mut self,
        at: Duration,
        passage: &Passage,
        headers: &Headers,
        fate: Fate,
        full: bool,
    ) {
        let protocol = passage.before.protocol;
        let record = PacketRecord {
            at,
            id: passage.id,
            sender: passage.sender,
            protocol: headers.protocol,
            identification: headers.identification,
            before: passage.before,
            after: Tuple {
                protocol,
                from: headers.from,
                to: headers.to,
            },
            flow: passage.flow,
            mapping: passage.mapping,
            gateway: passage.gateway,
            flags: headers.flags,
            seq: headers.seq,
            ack: headers.ack,
            payload: headers.payload_len() as u32,
            window: headers.window,
            wire_packets: headers.wire_packets() as u32,
            wire_bytes: headers.wire_bytes() as u32,
            fate,
            probe: passage.probe,
        };
        match &mut self.latest {
            Some(latest) if full => push(&mut latest.records, latest.limit, record),
            Some(_) | None => {
                self.records.push(Kept::Whole(self.whole.len() as u32));
                self.whole.push(record);
            }
        }
    }
}

/// Makes this packet's end a refusal. False: this is not the record of its end.
fn refuse(record: &mut PacketRecord, packet: &Leaving) -> bool {
    let found = record.id == packet.id && matches!(record.fate, Fate::Forwarded(_));
    if found {
        record.fate = Fate::Dropped(Reason::DeviceRefused);
    }
    found
}

/// Appends to a list that forgets its oldest.
fn push<T>(list: &mut VecDeque<T>, limit: usize, item: T) {
    if list.len() >= limit {
        list.pop_front();
    }
    list.push_back(item);
}
