//! The flows of all balancers: two ways to find one, and when it has been idle too long.
//!
//! A flow is found by its client's side (what the client sends) and by its target's side (what the target sends
//! back). The second is the *way back*, and two flows may want the same one: who gets it is decided elsewhere, this
//! is only the table. One for all balancers, because a target cannot tell two balancers apart either.
//!
//! Flows are never forgotten: an expired one stays as a tombstone, else the target's next packet would travel
//! un-translated. The packet path touches one [`Entry`], which is one cache line; what changes seldom is beside it.

use super::config::{BalancerId, EndpointId, EndpointPlace, GroupId, PortId, Protocol, ZonalId};
use super::flow_index::{FlowIndex, prefetch};
use super::meter::NodeId;
use super::metric::Family;
use super::record::{Displaced, FlowId, FlowRecord, FlowState, Party, Tuple};
use crate::packet::{TCP, UDP};
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// Nanoseconds in which limits are kept: four bytes hold more than eleven hours, and AWS's longest is 6000 s.
const IDLE_UNIT: u64 = 10_000;

/// Packets that are foreseen at once.
pub const FORESIGHT: usize = 64;

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

    /// The key of the first bytes of a packet, when these are an IPv4 header without options, TCP or UDP.
    #[inline]
    fn glimpse(packet: &[u8]) -> Option<Self> {
        let bytes: &[u8; 24] = packet.get(..24)?.try_into().ok()?;
        let protocol = match (bytes[0], bytes[9]) {
            (0x45, TCP) => Protocol::Tcp,
            (0x45, UDP) => Protocol::Udp,
            _ => return None,
        };
        let end = |at: usize, port: usize| {
            let address = Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
            SocketAddrV4::new(address, u16::from_be_bytes([bytes[port], bytes[port + 1]]))
        };
        Some(Self::new(protocol, end(12, 20), end(16, 22)))
    }

    /// Only a place in a table hangs on this, never a decision. One wide multiplication, both halves of which count.
    #[inline]
    pub fn hash(&self) -> u64 {
        let (one, other) = (0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9);
        let product = u128::from(self.addresses ^ one) * u128::from(self.rest ^ other);
        (product >> 64) as u64 ^ product as u64
    }

    fn short_hash(&self) -> u32 {
        (self.hash() >> 32) as u32
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

/// What a flow's client sends may go the [`Way`].
const TOWARD_TARGET: u8 = 16;
/// What a flow's target sends may go the [`Way`].
const TOWARD_CLIENT: u8 = 32;

/// The ports between which a flow's packets travel, when nothing on their way had anything to say of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Way {
    /// Of all that could have had a say: a number that changes with it.
    epoch: u32,
    client: u16,
    target: u16,
}

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
    /// [`CLIENT_FIN`], [`TARGET_FIN`], [`ANSWERED`], [`TERMINATED`], and which directions have a way.
    marks: u8,
    /// Where `source`'s port came from.
    pub source_port: SourcePort,
    way: Way,
}

/// What changes seldom.
#[derive(Clone, Copy, Debug)]
struct Rest {
    /// Nanoseconds.
    opened: u64,
    /// Limit for the target's first answer, in [`IDLE_UNIT`].
    half_open: u32,
    /// Place in its group.
    target: u32,
    group: GroupId,
    /// [`NO_ENDPOINT`]: none.
    endpoint: EndpointId,
    endpoint_zonal: ZonalId,
    zonal: ZonalId,
    /// As [`FlowRecord::state`].
    state: FlowState,
    terminated: bool,
}

const NO_ENDPOINT: EndpointId = EndpointId(u16::MAX);

const _: () = assert!(size_of::<Rest>() == 24, "little beside a cache line");

impl Rest {
    fn endpoint(&self) -> Option<EndpointPlace> {
        (self.endpoint != NO_ENDPOINT).then_some((self.endpoint, self.endpoint_zonal))
    }

    fn answer_by(&self) -> u64 {
        self.opened
            .saturating_add(u64::from(self.half_open) * IDLE_UNIT)
    }
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

    /// When it is over unless something happens: a TCP flow without an answer does not wait for its idle limit.
    fn limit(&self, rest: &Rest) -> u64 {
        let idle = self.last.saturating_add(u64::from(self.idle) * IDLE_UNIT);
        match self.protocol {
            Protocol::Tcp if !self.has(ANSWERED) => idle.min(rest.answer_by()),
            Protocol::Tcp | Protocol::Udp => idle,
        }
    }

    /// Where a packet from this port, sent by this side, goes when nothing has changed since another one went there.
    #[inline]
    pub fn way(&self, epoch: u32, from: PortId, by: Party) -> Option<PortId> {
        let Way {
            epoch: of,
            client,
            target,
        } = self.way;
        let (mark, sender, receiver) = match by {
            Party::Client => (TOWARD_TARGET, client, target),
            Party::Server => (TOWARD_CLIENT, target, client),
            Party::Fabric => return None,
        };
        let known = of == epoch
            && self.has(mark | ANSWERED)
            && self.state == FlowState::Established
            && from.0 == u32::from(sender);
        known.then_some(PortId(receiver.into()))
    }

    /// A packet, sent by this side, has gone from one port to the other and nothing had anything to say of it.
    pub fn remember_way(&mut self, epoch: u32, from: PortId, to: PortId, by: Party) {
        let (Ok(from), Ok(to)) = (u16::try_from(from.0), u16::try_from(to.0)) else {
            return;
        };
        let (mark, client, target) = match by {
            Party::Client => (TOWARD_TARGET, from, to),
            Party::Server => (TOWARD_CLIENT, to, from),
            Party::Fabric => return,
        };
        let way = Way {
            epoch,
            client,
            target,
        };
        if self.way != way {
            self.unmark(TOWARD_TARGET | TOWARD_CLIENT);
            self.way = way;
        }
        self.mark(mark);
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

/// A moment at which a flow is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(Rust, packed(4))]
struct Check {
    /// Nanoseconds.
    at: u64,
    flow: u32,
}

/// The flows.
#[derive(Default)]
pub struct FlowTable {
    entries: Vec<Entry>,
    rest: Vec<Rest>,
    /// Seldom many.
    displaced: FxHashMap<u32, Displaced>,
    by_client: FlowIndex,
    by_target: FlowIndex,
    /// One moment for each flow that may expire. Packets do not move it: when it comes, the flow is looked at and
    /// perhaps put back, so a flow costs one heap operation per idle period, whatever its traffic.
    checks: BinaryHeap<Reverse<Check>>,
}

/// Saturates after 584 years.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// In [`IDLE_UNIT`], not less than asked for.
fn units(limit: Duration) -> u32 {
    u32::try_from(nanos(limit).div_ceil(IDLE_UNIT)).unwrap_or(u32::MAX)
}

impl FlowTable {
    /// Every flow ever made.
    pub fn records(&self) -> Vec<FlowRecord> {
        (0..self.entries.len() as u32)
            .map(|flow| self.record(FlowId(flow)))
            .collect()
    }

    /// Everything that is known of a flow, put together.
    pub fn record(&self, flow: FlowId) -> FlowRecord {
        let (entry, rest) = (self.entry(flow), &self.rest[flow.0 as usize]);
        let protocol = entry.protocol;
        let tuple = |from, to| Tuple { protocol, from, to };
        FlowRecord {
            balancer: entry.balancer,
            zonal: rest.zonal,
            endpoint: rest.endpoint(),
            group: rest.group,
            target: rest.target as usize,
            client_side: tuple(entry.client, entry.zonal),
            target_side: tuple(entry.source, entry.target),
            opened: Duration::from_nanos(rest.opened),
            last: Duration::from_nanos(entry.last),
            displaced: self.displaced.get(&flow.0).copied(),
            state: rest.state,
            terminated: rest.terminated,
        }
    }

    /// What the client of a flow sends.
    pub fn client_side(&self, flow: FlowId) -> Tuple {
        self.record(flow).client_side
    }

    /// Where a flow meets its balancer.
    pub fn place(&self, flow: FlowId) -> (BalancerId, ZonalId) {
        let zonal = self.rest[flow.0 as usize].zonal;
        (self.entry(flow).balancer, zonal)
    }

    /// The group of a flow's target.
    pub fn group(&self, flow: FlowId) -> GroupId {
        self.rest[flow.0 as usize].group
    }

    /// The VPC endpoint's interface that a flow came by.
    pub fn endpoint(&self, flow: FlowId) -> Option<EndpointPlace> {
        self.rest[flow.0 as usize].endpoint()
    }

    /// The balancer ends a flow by itself.
    pub fn terminated(&mut self, flow: FlowId) {
        self.rest[flow.0 as usize].terminated = true;
    }

    /// The balancer has ended a flow by itself.
    pub fn is_terminated(&self, flow: FlowId) -> bool {
        self.rest[flow.0 as usize].terminated
    }

    /// True when a flow's target has not answered, and it is too late now.
    pub fn is_unanswered(&self, now: Duration, flow: FlowId) -> bool {
        !self.entry(flow).has(ANSWERED) && nanos(now) >= self.rest[flow.0 as usize].answer_by()
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
    #[inline]
    pub fn by_client(&self, key: Key) -> Option<FlowId> {
        let same = |flow: u32| self.entries[flow as usize].client_key() == key;
        self.by_client.find(key.short_hash(), same).map(FlowId)
    }

    /// True when what the client sends is found to belong to this flow, and not to a later one.
    pub fn is_latest(&self, flow: FlowId) -> bool {
        self.by_client(self.entry(flow).client_key()) == Some(flow)
    }

    /// The flow of a packet that a target sends.
    #[inline]
    pub fn by_target(&self, key: Key) -> Option<FlowId> {
        let same = |flow: u32| self.entries[flow as usize].target_key() == key;
        self.by_target.find(key.short_hash(), same).map(FlowId)
    }

    /// Has fetched what finding the flows of these packets needs, all of it at once: of each packet, whether a target sent
    /// it, and the packet. More than [`FORESIGHT`] are not looked at.
    pub fn foresee<'a>(&self, packets: impl Iterator<Item = (bool, &'a [u8])>) {
        let mut hashes = [(0, false); FORESIGHT];
        let keys = packets.filter_map(|(by_target, packet)| {
            Some((Key::glimpse(packet)?.short_hash(), by_target))
        });
        let mut count = 0;
        for (slot, (hash, by_target)) in hashes.iter_mut().zip(keys) {
            self.index(by_target).fetch(hash);
            *slot = (hash, by_target);
            count += 1;
        }
        for (hash, by_target) in &hashes[..count] {
            if let Some(flow) = self.index(*by_target).guess(*hash) {
                prefetch(&self.entries[flow as usize]);
            }
        }
    }

    fn index(&self, by_target: bool) -> &FlowIndex {
        match by_target {
            true => &self.by_target,
            false => &self.by_client,
        }
    }

    /// Adds a flow, found by its client's side from now on, and not yet by its target's.
    pub fn insert(&mut self, now: Duration, new: NewFlow) -> FlowId {
        let index = self.entries.len() as u32;
        let now = nanos(now);
        let (endpoint, endpoint_zonal) = new.endpoint.unwrap_or((NO_ENDPOINT, ZonalId(0)));
        let rest = Rest {
            opened: now,
            half_open: units(new.half_open),
            target: new.target_index as u32,
            group: new.group,
            endpoint,
            endpoint_zonal,
            zonal: new.at,
            state: FlowState::SynSent,
            terminated: false,
        };
        let entry = Entry {
            last: now,
            ..new.into()
        };
        let key = entry.client_key();
        let check = Check {
            at: entry.limit(&rest),
            flow: index,
        };
        // An eighth more each time: a million flows take what they need and little else.
        let more = self.entries.len() / 8 + 64;
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(more);
            self.rest.reserve_exact(more);
            self.checks.reserve_exact(more);
        }
        self.checks.push(Reverse(check));
        self.entries.push(entry);
        self.rest.push(rest);
        let entries = &self.entries;
        let same = |other: u32| entries[other as usize].client_key() == key;
        self.by_client.replace(key.short_hash(), index, same);
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
        let same = |other: u32| entries[other as usize].target_key() == key;
        let old = self.by_target.replace(key.short_hash(), flow.0, same);
        if let Some(old) = old {
            let displaced = Displaced {
                at: now,
                by: flow,
                was: entries[old as usize].state,
            };
            self.displaced.insert(old, displaced);
        }
        self.displaced.remove(&flow.0);
    }

    /// Forgets the way back `key` if the flow that has it is over.
    pub fn free_way_back(&mut self, key: Key) {
        let entries = &self.entries;
        let over = |flow: u32| {
            let entry = &entries[flow as usize];
            entry.target_key() == key && !entry.is_live()
        };
        self.by_target.remove(key.short_hash(), over);
    }

    /// A packet travels on a flow.
    pub fn touch(&mut self, now: Duration, flow: FlowId) {
        self.entries[flow.0 as usize].last = nanos(now);
    }

    /// A flow's state changes. The record of a closed flow stays closed when its tombstone is set.
    pub fn set_state(&mut self, flow: FlowId, state: FlowState) {
        let entry = &mut self.entries[flow.0 as usize];
        if !(entry.state == FlowState::Closed && state == FlowState::Expired) {
            self.rest[flow.0 as usize].state = state;
        }
        entry.state = state;
    }

    /// When [`FlowTable::next_idle`] may have something to say.
    pub fn next_check(&self) -> Option<Duration> {
        let Reverse(check) = self.checks.peek()?;
        Some(Duration::from_nanos(check.at))
    }

    /// The next flow that has been idle or without an answer for too long; each is given once.
    pub fn next_idle(&mut self, now: Duration) -> Option<FlowId> {
        let now = nanos(now);
        while let Some(&Reverse(Check { at, flow })) = self.checks.peek()
            && at <= now
        {
            self.checks.pop();
            let limit = self.entries[flow as usize].limit(&self.rest[flow as usize]);
            if limit <= now {
                return Some(FlowId(flow));
            }
            self.checks.push(Reverse(Check { at: limit, flow }));
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
    /// At which of its addresses.
    pub at: ZonalId,
    /// The VPC endpoint's interface that it came by.
    pub endpoint: Option<EndpointPlace>,
    /// The group of its target.
    pub group: GroupId,
    /// The target's place in it.
    pub target_index: usize,
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
            idle: units(new.idle),
            isn: new.isn,
            node: new.node,
            client_next: 0,
            target_next: 0,
            balancer: new.balancer,
            protocol: new.protocol,
            state: FlowState::SynSent,
            marks: 0,
            source_port: new.source_port,
            way: Way::default(),
        }
    }
}

const _: () = assert!(size_of::<Entry>() == 64, "one cache line a flow");
