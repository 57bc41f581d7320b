//! The flows of all balancers: two ways to find one, and when it has been idle too long.
//!
//! A flow is found by its client's side (what the client sends) and by its target's side (what the target sends
//! back). The second is the *way back*, and two flows may want the same one: who gets it is decided elsewhere, this
//! is only the table. One for all balancers, because a target cannot tell two balancers apart either.
//!
//! Flows are never forgotten: an expired one stays as a tombstone, else the target's next packet would travel
//! un-translated. The packet path touches one [`Entry`], which is one cache line; the [`FlowRecord`] beside it has
//! what changes seldom.

use super::config::{BalancerId, GroupId, Protocol, ZonalId};
use super::meter::NodeId;
use super::metric::Family;
use super::record::{Displaced, FlowId, FlowRecord, FlowState, Tuple};
use hashbrown::HashTable;
use rustc_hash::FxHasher;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hasher;
use std::net::SocketAddrV4;
use std::time::Duration;

/// Nanoseconds in which idle limits are kept: four bytes hold more than eleven hours, and AWS's longest is 6000 s.
const IDLE_UNIT: u64 = 10_000;

/// The two ends of a packet and its protocol, packed for comparing and hashing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    addresses: u64,
    rest: u64,
}

impl Key {
    /// The key of a packet `from` one end `to` the other.
    pub fn new(protocol: Protocol, from: SocketAddrV4, to: SocketAddrV4) -> Self {
        let number: u64 = match protocol {
            Protocol::Tcp => 0,
            Protocol::Udp => 1,
        };
        Self {
            addresses: u64::from(from.ip().to_bits()) << 32 | u64::from(to.ip().to_bits()),
            rest: number << 32 | u64::from(from.port()) << 16 | u64::from(to.port()),
        }
    }

    /// Only a place in a table hangs on this, never a decision.
    pub fn hash(&self) -> u64 {
        let mut hasher = FxHasher::default();
        hasher.write_u64(self.addresses);
        hasher.write_u64(self.rest);
        hasher.finish()
    }
}

/// A flow's client has sent FIN.
pub const CLIENT_FIN: u8 = 1;
/// A flow's target has sent FIN.
pub const TARGET_FIN: u8 = 2;
/// A flow's target has answered in time: there is a way back.
pub const ANSWERED: u8 = 4;

/// A flow ends at a kernel of the balancer, which terminates TLS.
pub const TERMINATED: u8 = 8;

/// What the packet path needs of a flow: one cache line.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub struct Entry {
    /// The client, as it writes itself.
    pub client: SocketAddrV4,
    /// What the client dialled.
    pub zonal: SocketAddrV4,
    /// The client as the target sees it.
    pub source: SocketAddrV4,
    /// The target.
    pub target: SocketAddrV4,
    /// Last packet in either direction, nanoseconds.
    last: u64,
    /// Limit for being idle, in [`IDLE_UNIT`].
    idle: u32,
    /// When its target must have answered, nanoseconds.
    answer_by: u64,
    /// Sequence number of the latest SYN.
    pub isn: u32,
    /// Where it is counted.
    pub node: NodeId,
    /// The sequence number that the client expects next, as far as the packets show; 0 before the SYN-ACK.
    pub client_next: u32,
    /// The sequence number that the target expects next, without what was put before the client's stream.
    pub target_next: u32,
    /// Whose flow.
    pub balancer: BalancerId,
    /// Transport.
    pub protocol: Protocol,
    /// As the packets show it. Unlike the record's, this becomes `Expired` even after `Closed`.
    pub state: FlowState,
    /// [`CLIENT_FIN`], [`TARGET_FIN`], [`ANSWERED`].
    marks: u8,
    /// Where `source`'s port came from.
    pub source_port: SourcePort,
}

/// Where the source port that a target sees came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourcePort {
    /// It is the client's, or was found free on a collision.
    Own,
    /// From a pool, and not given back.
    Taken,
    /// From a pool, and given back when the flow was over.
    Returned,
}

impl Entry {
    fn client_key(&self) -> Key {
        Key::new(self.protocol, self.client, self.zonal)
    }

    fn target_key(&self) -> Key {
        Key::new(self.protocol, self.target, self.source)
    }

    /// True when all of these marks are set.
    pub fn has(&self, marks: u8) -> bool {
        self.marks & marks == marks
    }

    /// Sets marks.
    pub fn mark(&mut self, marks: u8) {
        self.marks |= marks;
    }

    /// Takes marks away.
    pub fn unmark(&mut self, marks: u8) {
        self.marks &= !marks;
    }

    /// True when the target has not answered, and it is too late now.
    pub fn is_unanswered(&self, now: Duration) -> bool {
        !self.has(ANSWERED) && nanos(now) >= self.answer_by
    }

    /// When it is over unless something happens: a TCP flow without an answer does not wait for its idle limit.
    fn limit(&self) -> u64 {
        let idle = self.last.saturating_add(u64::from(self.idle) * IDLE_UNIT);
        match self.protocol {
            Protocol::Tcp if !self.has(ANSWERED) => idle.min(self.answer_by),
            Protocol::Tcp | Protocol::Udp => idle,
        }
    }

    /// Since the last packet on it.
    pub fn idle_for(&self, now: Duration) -> Duration {
        Duration::from_nanos(nanos(now).saturating_sub(self.last))
    }

    /// Under which of a balancer's metrics it counts.
    pub fn family(&self) -> Family {
        if self.has(TERMINATED) {
            Family::Tls
        } else {
            self.protocol.into()
        }
    }

    /// Neither closed nor expired.
    pub fn is_live(&self) -> bool {
        match self.state {
            FlowState::SynSent | FlowState::Established | FlowState::Closing => true,
            FlowState::Closed | FlowState::Expired => false,
        }
    }
}

/// The flows.
#[derive(Default)]
pub struct FlowTable {
    entries: Vec<Entry>,
    /// `last` is not kept up here, but in the entry.
    records: Vec<FlowRecord>,
    by_client: HashTable<u32>,
    by_target: HashTable<u32>,
    /// One moment for each flow that may expire. Packets do not move it: when it comes, the flow is looked at and
    /// perhaps put back, so a flow costs one heap operation per idle period, whatever its traffic.
    checks: BinaryHeap<Reverse<(u64, u32)>>,
}

/// Saturates after 584 years.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl FlowTable {
    /// Every flow ever made.
    pub fn records(&self) -> Vec<FlowRecord> {
        self.records
            .iter()
            .zip(&self.entries)
            .map(|(record, entry)| FlowRecord {
                last: Duration::from_nanos(entry.last),
                ..record.clone()
            })
            .collect()
    }

    /// What the client of a flow sends.
    pub fn client_side(&self, flow: FlowId) -> Tuple {
        self.records[flow.0 as usize].client_side
    }

    /// Where a flow meets its balancer.
    pub fn place(&self, flow: FlowId) -> (BalancerId, ZonalId) {
        let record = &self.records[flow.0 as usize];
        (record.balancer, record.zonal)
    }

    /// The group of a flow's target.
    pub fn group(&self, flow: FlowId) -> GroupId {
        self.records[flow.0 as usize].group
    }

    /// What is known of a flow beyond its entry; `last` is not kept up here.
    pub fn record(&self, flow: FlowId) -> &FlowRecord {
        &self.records[flow.0 as usize]
    }

    /// The balancer ends a flow by itself.
    pub fn terminated(&mut self, flow: FlowId) {
        self.records[flow.0 as usize].terminated = true;
    }

    /// The flows that are alive now.
    pub fn living(&self) -> Vec<FlowId> {
        let living = |(_, entry): &(u32, &Entry)| entry.is_live();
        let all = (0u32..).zip(&self.entries);
        all.filter(living).map(|(flow, _)| FlowId(flow)).collect()
    }

    /// One flow.
    pub fn entry(&self, flow: FlowId) -> &Entry {
        &self.entries[flow.0 as usize]
    }

    /// One flow, to be changed. Its ends and its state are changed by [`FlowTable`] only.
    pub fn entry_mut(&mut self, flow: FlowId) -> &mut Entry {
        &mut self.entries[flow.0 as usize]
    }

    /// The flow of a packet that a client sends.
    pub fn by_client(&self, key: Key) -> Option<FlowId> {
        self.by_client
            .find(key.hash(), |&index| {
                self.entries[index as usize].client_key() == key
            })
            .map(|&index| FlowId(index))
    }

    /// True when what the client sends is found to belong to this flow, and not to a later one.
    pub fn is_latest(&self, flow: FlowId) -> bool {
        self.by_client(self.entry(flow).client_key()) == Some(flow)
    }

    /// The flow of a packet that a target sends.
    pub fn by_target(&self, key: Key) -> Option<FlowId> {
        self.by_target
            .find(key.hash(), |&index| {
                self.entries[index as usize].target_key() == key
            })
            .map(|&index| FlowId(index))
    }

    /// Adds a flow, found by its client's side from now on, and not yet by its target's.
    pub fn insert(&mut self, now: Duration, entry: Entry, record: FlowRecord) -> FlowId {
        let index = self.entries.len() as u32;
        let key = entry.client_key();
        let now = nanos(now);
        let entry = Entry {
            last: now,
            answer_by: now.saturating_add(entry.answer_by),
            ..entry
        };
        self.checks.push(Reverse((entry.limit(), index)));
        self.entries.push(entry);
        self.records.push(record);
        let entries = &self.entries;
        let hash = key.hash();
        let same = |&other: &u32| entries[other as usize].client_key() == key;
        match self.by_client.find_mut(hash, same) {
            Some(slot) => *slot = index,
            None => {
                self.by_client.insert_unique(hash, index, |&other| {
                    entries[other as usize].client_key().hash()
                });
            }
        }
        FlowId(index)
    }

    /// True when a living flow has this way back.
    pub fn is_way_back_taken(&self, key: Key) -> bool {
        self.by_target(key)
            .is_some_and(|holder| self.entry(holder).is_live())
    }

    /// Who has the way back that this flow wants.
    pub fn holder(&self, flow: FlowId) -> Option<FlowId> {
        self.by_target(self.entry(flow).target_key())
    }

    /// Gives the way back to a flow; whoever had it is marked as displaced.
    pub fn take_way_back(&mut self, now: Duration, flow: FlowId) {
        let entries = &self.entries;
        let key = entries[flow.0 as usize].target_key();
        let hash = key.hash();
        let same = |&other: &u32| entries[other as usize].target_key() == key;
        match self.by_target.find_mut(hash, same) {
            Some(slot) => {
                let old = std::mem::replace(slot, flow.0) as usize;
                self.records[old].displaced = Some(Displaced {
                    at: now,
                    by: flow,
                    was: entries[old].state,
                });
            }
            None => {
                self.by_target.insert_unique(hash, flow.0, |&other| {
                    entries[other as usize].target_key().hash()
                });
            }
        }
        self.records[flow.0 as usize].displaced = None;
    }

    /// Forgets the way back `key` if the flow that has it is over.
    pub fn free_way_back(&mut self, key: Key) {
        let entries = &self.entries;
        let over = |&index: &u32| {
            let entry = &entries[index as usize];
            entry.target_key() == key && !entry.is_live()
        };
        if let Ok(slot) = self.by_target.find_entry(key.hash(), over) {
            slot.remove();
        }
    }

    /// A packet travels on a flow.
    pub fn touch(&mut self, now: Duration, flow: FlowId) {
        self.entries[flow.0 as usize].last = nanos(now);
    }

    /// A flow's state changes. The record of a closed flow stays closed when its tombstone is set.
    pub fn set_state(&mut self, flow: FlowId, state: FlowState) {
        let entry = &mut self.entries[flow.0 as usize];
        if !(entry.state == FlowState::Closed && state == FlowState::Expired) {
            self.records[flow.0 as usize].state = state;
        }
        entry.state = state;
    }

    /// When [`FlowTable::next_idle`] may have something to say.
    pub fn next_check(&self) -> Option<Duration> {
        self.checks
            .peek()
            .map(|&Reverse((at, _))| Duration::from_nanos(at))
    }

    /// The next flow that has been idle or without an answer for too long; each is given once.
    pub fn next_idle(&mut self, now: Duration) -> Option<FlowId> {
        let now = nanos(now);
        while let Some(&Reverse((at, index))) = self.checks.peek()
            && at <= now
        {
            self.checks.pop();
            let limit = self.entries[index as usize].limit();
            if limit <= now {
                return Some(FlowId(index));
            }
            self.checks.push(Reverse((limit, index)));
        }
        None
    }
}

/// A flow about to be made.
pub struct NewFlow {
    /// Transport.
    pub protocol: Protocol,
    /// Whose flow.
    pub balancer: BalancerId,
    /// Where it is counted.
    pub node: NodeId,
    /// The client, as it writes itself.
    pub client: SocketAddrV4,
    /// What the client dialled.
    pub zonal: SocketAddrV4,
    /// The client as the target is to see it.
    pub source: SocketAddrV4,
    /// The target.
    pub target: SocketAddrV4,
    /// Sequence number of its SYN; 0 for UDP.
    pub isn: u32,
    /// Limit for being idle.
    pub idle: Duration,
    /// Limit for the target's first answer.
    pub half_open: Duration,
    /// Where `source`'s port came from.
    pub source_port: SourcePort,
}

impl From<NewFlow> for Entry {
    fn from(new: NewFlow) -> Self {
        Self {
            client: new.client,
            zonal: new.zonal,
            source: new.source,
            target: new.target,
            last: 0,
            idle: u32::try_from(nanos(new.idle).div_ceil(IDLE_UNIT)).unwrap_or(u32::MAX),
            // From when it is put into the table.
            answer_by: nanos(new.half_open),
            isn: new.isn,
            node: new.node,
            client_next: 0,
            target_next: 0,
            balancer: new.balancer,
            protocol: new.protocol,
            state: FlowState::SynSent,
            marks: 0,
            source_port: new.source_port,
        }
    }
}

const _: () = assert!(size_of::<Entry>() == 64, "one cache line a flow");
