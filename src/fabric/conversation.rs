//! Connection attempts as their clients see them, balanced or direct: how many SYNs, which flow, who ended it.
//!
//! Not here: tracking of sequence numbers or windows. Only SYN, SYN-ACK, FIN and RST are ever shown to this. Nearly every
//! attempt makes a flow in the same moment, which tells the rest: of such an attempt that flow's number is kept and no more.

use super::config::Protocol;
use super::flow_table::{FlowTable, Key, Side};
use super::moment::nanos;
use super::record::{Conversation, Ended, FlowId, Party, Tuple};
use crate::packet::ends::Ends;
use hashbrown::HashTable;
use rustc_hash::FxHashMap;
use std::time::Duration;

/// No flow.
const NONE: u32 = u32::MAX;

/// What is known of an attempt besides how often it was tried and how it ended; all of them are TCP.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Attempt {
    ends: Ends,
    isn: u32,
    /// Nanoseconds.
    opened: u64,
    /// [`NONE`]: none.
    flow: u32,
}

/// Where it is kept: in the upper half of the numbers a place among those apart, in the lower one the flow that tells it.
#[derive(Clone, Copy)]
struct Kept(u32);

enum Whence {
    Flow(FlowId),
    Apart(usize),
}

impl Kept {
    const APART: u32 = 1 << 31;

    fn apart(place: usize) -> Self {
        debug_assert!(
            place < Self::APART as usize,
            "two billion attempts and more"
        );
        Self(place as u32 | Self::APART)
    }

    /// None: a flow with so high a number tells no attempt.
    fn flow(flow: FlowId) -> Option<Self> {
        (flow.0 < Self::APART).then_some(Self(flow.0))
    }

    fn whence(self) -> Whence {
        match self.0 & Self::APART {
            0 => Whence::Flow(FlowId(self.0)),
            _ => Whence::Apart((self.0 & !Self::APART) as usize),
        }
    }
}

/// The SYNs of an attempt whose first was not answered in time.
#[derive(Clone, Copy)]
struct Again {
    syns: u32,
    last: Duration,
}

/// As [`Ended`], in less memory.
#[derive(Clone, Copy)]
#[repr(Rust, packed(4))]
struct End {
    /// Nanoseconds.
    at: u64,
    reset: bool,
    by: Party,
}

const _: () = assert!(size_of::<End>() == 12, "little beside a flow");

impl From<Ended> for End {
    fn from(ended: Ended) -> Self {
        let Ended { at, reset, by } = ended;
        let at = nanos(at);
        Self { at, reset, by }
    }
}

impl From<End> for Ended {
    fn from(end: End) -> Self {
        let End { at, reset, by } = end;
        let at = Duration::from_nanos(at);
        Self { at, reset, by }
    }
}

/// All attempts, and the latest of each tuple. Those that flows tell are found by these flows. A flow that tells one may
/// carry others later: what it tells is how it began.
#[derive(Default)]
pub struct Conversations {
    all: Vec<Kept>,
    apart: Vec<Attempt>,
    /// By attempt.
    again: FxHashMap<u32, Again>,
    /// By attempt.
    ends: FxHashMap<u32, End>,
    /// Of those apart.
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

fn key(ends: Ends) -> Key {
    Key::of(Protocol::Tcp, ends)
}

/// As in the table of flows: what is needed and little else.
fn make_room<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 8 + 64);
    }
}

impl Conversations {
    /// Every attempt, in the order they began. Put together on demand, with the flows that tell them.
    pub fn all(&self, flows: &FlowTable) -> Vec<Conversation> {
        (0..self.all.len() as u32)
            .map(|number| self.told(flows, number))
            .collect()
    }

    fn told(&self, flows: &FlowTable, number: u32) -> Conversation {
        let attempt = self.attempt(flows, number);
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
            ended: self.ends.get(&number).map(|end| Ended::from(*end)),
        }
    }

    fn attempt(&self, flows: &FlowTable, number: u32) -> Attempt {
        match self.all[number as usize].whence() {
            Whence::Apart(place) => self.apart[place],
            Whence::Flow(flow) => Self::beginning(flows, flow),
        }
    }

    /// The attempt as which a flow began.
    fn beginning(flows: &FlowTable, flow: FlowId) -> Attempt {
        let (opened, isn) = flows.opening(flow);
        Attempt {
            ends: flows.entry(flow).ends_before(Side::Client),
            isn,
            opened: nanos(opened),
            flow: flow.0,
        }
    }

    fn find(&self, flows: &FlowTable, tuple: &Tuple) -> Option<u32> {
        match tuple.protocol {
            Protocol::Tcp => {
                let key = key(Ends::new(tuple.from, tuple.to));
                // One apart is later than all that flows with the same ends tell.
                self.find_apart(key).or_else(|| flows.attempt(key))
            }
            Protocol::Udp => None,
        }
    }

    fn find_apart(&self, sought: Key) -> Option<u32> {
        let same = |&number: &u32| key(self.ends_apart(number)) == sought;
        self.latest.find(sought.hash(), same).copied()
    }

    /// The ends of an attempt that is among the latest of those apart.
    fn ends_apart(&self, number: u32) -> Ends {
        ends_apart(&self.all, &self.apart, number)
    }

    /// The latest attempt on a tuple.
    pub fn latest(&self, flows: &FlowTable, tuple: &Tuple) -> Option<Conversation> {
        self.find(flows, tuple)
            .map(|number| self.told(flows, number))
    }

    /// How long ago this very SYN left its client before; none when it never did.
    pub fn since_same_syn(
        &self,
        flows: &FlowTable,
        now: Duration,
        tuple: &Tuple,
        isn: u32,
    ) -> Option<Duration> {
        let number = self.find(flows, tuple)?;
        let attempt = self.attempt(flows, number);
        let opened = Duration::from_nanos(attempt.opened);
        let last = self.again.get(&number).map_or(opened, |again| again.last);
        (attempt.isn == isn).then(|| now.saturating_sub(last))
    }

    /// A SYN leaves its client.
    pub fn syn(&mut self, flows: &FlowTable, now: Duration, tuple: Tuple, isn: u32) {
        if let Some(number) = self.find(flows, &tuple)
            && self.attempt(flows, number).isn == isn
        {
            let again = self
                .again
                .entry(number)
                .or_insert(Again { syns: 1, last: now });
            again.syns += 1;
            again.last = now;
            // A client that sends its SYN again has not ended the attempt: its RST was the answer to a
            // challenge ACK (RFC 5961 section 4), meant for another connection.
            self.ends.remove(&number);
            return;
        }
        let number = self.all.len() as u32;
        make_room(&mut self.all);
        self.all.push(Kept::apart(self.apart.len()));
        self.keep_apart(
            number,
            Attempt {
                ends: Ends::new(tuple.from, tuple.to),
                isn,
                opened: nanos(now),
                flow: NONE,
            },
        );
    }

    /// Keeps what no flow tells of an attempt, which is the latest on its tuple and known as the last of those apart.
    fn keep_apart(&mut self, number: u32, attempt: Attempt) {
        make_room(&mut self.apart);
        self.apart.push(attempt);
        let (all, apart) = (&self.all, &self.apart);
        let ends_of = |&other: &u32| ends_apart(all, apart, other);
        let same = |other: &u32| ends_of(other) == attempt.ends;
        match self.latest.find_mut(key(attempt.ends).hash(), same) {
            Some(slot) => *slot = number,
            None => {
                let hash_of = |other: &u32| key(ends_of(other)).hash();
                self.latest
                    .insert_unique(key(attempt.ends).hash(), number, hash_of);
            }
        }
    }

    /// Its SYN went by this flow.
    pub fn travels(&mut self, flows: &mut FlowTable, tuple: &Tuple, isn: u32, flow: FlowId) {
        let Some(number) = self.find(flows, tuple) else {
            return;
        };
        let attempt = self.attempt(flows, number);
        if attempt.isn != isn || attempt.flow == flow.0 {
            return;
        }
        match self.all[number as usize].whence() {
            // It made the flow that tells it, and now it goes by another one.
            Whence::Flow(_) => {
                self.all[number as usize] = Kept::apart(self.apart.len());
                let flow = flow.0;
                self.keep_apart(number, Attempt { flow, ..attempt });
            }
            Whence::Apart(place) => {
                self.apart[place].flow = flow.0;
                if place + 1 == self.apart.len() {
                    self.leave_to_flow(flows, number, flow);
                }
            }
        }
    }

    /// Forgets the last of those apart if its flow tells the same.
    fn leave_to_flow(&mut self, flows: &mut FlowTable, number: u32, flow: FlowId) {
        let (Some(attempt), Some(kept)) = (self.apart.last().copied(), Kept::flow(flow)) else {
            return;
        };
        let key = key(attempt.ends);
        let same =
            Self::beginning(flows, flow) == attempt && flows.find(Side::Client, key) == Some(flow);
        if !same {
            return;
        }
        if let Ok(latest) = self.latest.find_entry(key.hash(), |other| *other == number) {
            latest.remove();
        }
        self.apart.pop();
        self.all[number as usize] = kept;
        flows.tell_attempt(flow, number);
    }

    /// A SYN-ACK came for it: it is being opened, so a RST before was not its end.
    pub fn accepted(&mut self, flows: &FlowTable, tuple: &Tuple, ack: u32) {
        if self.ends.is_empty() {
            return;
        }
        if let Some(number) = self.find(flows, tuple) {
            let attempt = self.attempt(flows, number);
            let reset = self.ends.get(&number).is_some_and(|end| end.reset);
            if reset && attempt.isn.wrapping_add(1) == ack {
                self.ends.remove(&number);
            }
        }
    }

    /// A FIN or RST goes by; only the first is kept, but for a RST whose sender closes later: that was not its own, or meant another
    /// connection.
    pub fn ending(&mut self, flows: &FlowTable, tuple: &Tuple, ended: Ended) {
        if let Some(number) = self.find(flows, tuple) {
            let first = self.ends.entry(number).or_insert_with(|| ended.into());
            if first.reset && !ended.reset && first.by == ended.by {
                *first = ended.into();
            }
        }
    }

    /// Of a packet that no balancer translated, whose attempt it belongs to: its sender's or its receiver's.
    pub fn owner(
        &self,
        flows: &FlowTable,
        before: &Tuple,
        after: &Tuple,
    ) -> Option<(Tuple, Party)> {
        let answer = reversed(after);
        match (self.find(flows, before), self.find(flows, &answer)) {
            (None, None) => None,
            (client, server) if client > server => Some((*before, Party::Client)),
            _ => Some((answer, Party::Server)),
        }
    }
}

fn ends_apart(all: &[Kept], apart: &[Attempt], number: u32) -> Ends {
    match all[number as usize].whence() {
        Whence::Apart(place) => apart[place].ends,
        Whence::Flow(_) => unreachable!("what a flow tells is not among the latest apart"),
    }
}
