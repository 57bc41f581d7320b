//! The flows of all balancers: two ways to find one, and when it has been idle too long.
//!
//! A flow is found by its client's side (what the client sends) and by its target's side (what the target sends
//! back). The second is the *way back*, and two flows may want the same one: who gets it is decided elsewhere, this
//! is only the table. One for all balancers, because a target cannot tell two balancers apart either.
//!
//! Flows are never forgotten: an expired one stays as a tombstone, else the target's next packet would travel
//! un-translated. The packet path touches one [`Entry`], which is one cache line; what changes seldom is beside it.

mod checks;
mod common;
mod entry;
mod index;
mod key;

use super::config::{BalancerId, EndpointPlace, GroupId, Protocol, ZonalId};
use super::moment::nanos;
use super::record::{Displaced, FlowId, FlowRecord, FlowState, Tuple};
use checks::Checks;
use common::{Common, Commons};
use entry::{ENDED, NO_ATTEMPT, Rest, WAS_CLOSED};
use index::{FlowIndex, Glance, prefetch};
use rustc_hash::FxHashMap;
use std::time::Duration;

pub use entry::{ANSWERED, AT_KERNEL, CLIENT_FIN, Entry, NewFlow, Side, SourcePort, TARGET_FIN};
pub use key::Key;

/// Nanoseconds in which limits are kept: four bytes hold more than eleven hours, and AWS's longest is 6000 s.
const IDLE_UNIT: u64 = 10_000;

/// Packets that are foreseen at once.
pub const FORESIGHT: usize = 64;

/// No flow has this number.
const NO_FLOW: u32 = u32::MAX;

/// A flow to which a packet may belong, by the side that sends it. Where it is the one with the packet's key on that side, it
/// is the one that this side's index has, because guesses are dropped when an index changes.
#[derive(Clone, Copy)]
pub struct Guess {
    flow: u32,
    by: Side,
}

impl Guess {
    const NONE: Self = Self {
        flow: NO_FLOW,
        by: Side::Client,
    };
}

/// Where the flow of a packet to come is looked for.
#[derive(Clone, Copy)]
struct Search {
    hash: u32,
    by: Side,
    line: usize,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            hash: 0,
            by: Side::Client,
            line: 0,
        }
    }
}

/// Flows of packets to come.
struct Guesses {
    flows: [Guess; FORESIGHT],
    next: usize,
    end: usize,
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            flows: [Guess::NONE; FORESIGHT],
            next: 0,
            end: 0,
        }
    }
}

/// The flows.
#[derive(Default)]
pub struct FlowTable {
    entries: Vec<Entry>,
    rest: Vec<Rest>,
    commons: Commons,
    /// Seldom many.
    displaced: FxHashMap<u32, Displaced>,
    /// The sequence numbers of the first SYNs of flows that had others since. Seldom many.
    first_isns: FxHashMap<u32, u32>,
    /// By side: the flows of the packets that it sends.
    indexes: [FlowIndex; 2],
    guesses: Guesses,
    checks: Checks,
}

/// In [`IDLE_UNIT`], not less than asked for.
fn units(limit: Duration) -> u32 {
    u32::try_from(nanos(limit).div_ceil(IDLE_UNIT)).unwrap_or(u32::MAX)
}

/// When a flow is over unless something happens: over TCP one without an answer does not wait for its idle limit.
fn limit(entry: &Entry, rest: &Rest, common: &Common) -> u64 {
    let idle = common.idle_at(entry.last);
    match entry.protocol {
        Protocol::Tcp if !entry.has(ANSWERED) => idle.min(common.answer_by(rest.opened)),
        Protocol::Tcp | Protocol::Udp => idle,
    }
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
        let common = self.common(flow);
        let protocol = entry.protocol;
        let tuple = |from, to| Tuple { protocol, from, to };
        let was_silent = protocol == Protocol::Udp || entry.has(ANSWERED);
        let forgotten = was_silent && entry.recorded_state() == FlowState::Expired;
        FlowRecord {
            balancer: entry.balancer,
            zonal: common.zonal,
            endpoint: common.endpoint(),
            group: common.group,
            target: common.target,
            client_side: tuple(entry.client(), entry.zonal()),
            target_side: tuple(entry.source(), entry.target()),
            opened: Duration::from_nanos(rest.opened),
            last: Duration::from_nanos(entry.last),
            forgotten_after: forgotten.then(|| Duration::from_nanos(common.idle_at(0))),
            displaced: self.displaced.get(&flow.0).copied(),
            state: entry.recorded_state(),
            terminated: entry.has(ENDED),
        }
    }

    fn common(&self, flow: FlowId) -> &Common {
        self.commons.get(self.entry(flow).common)
    }

    /// What the client of a flow sends.
    pub fn client_side(&self, flow: FlowId) -> Tuple {
        self.record(flow).client_side
    }

    /// Where a flow meets its balancer.
    pub fn place(&self, flow: FlowId) -> (BalancerId, ZonalId) {
        (self.entry(flow).balancer, self.common(flow).zonal)
    }

    /// The group of a flow's target.
    pub fn group(&self, flow: FlowId) -> GroupId {
        self.common(flow).group
    }

    /// The VPC endpoint's interface that a flow came by.
    pub fn endpoint(&self, flow: FlowId) -> Option<EndpointPlace> {
        self.common(flow).endpoint()
    }

    /// The balancer ends a flow by itself.
    pub fn end(&mut self, flow: FlowId) {
        self.entry_mut(flow).mark(ENDED);
    }

    /// The balancer has ended a flow by itself.
    pub fn is_ended(&self, flow: FlowId) -> bool {
        self.entry(flow).has(ENDED)
    }

    /// True when a flow's target has not answered, and it is too late now.
    pub fn is_unanswered(&self, now: Duration, flow: FlowId) -> bool {
        let answer_by = || {
            let opened = self.rest[flow.0 as usize].opened;
            self.common(flow).answer_by(opened)
        };
        !self.entry(flow).has(ANSWERED) && nanos(now) >= answer_by()
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

    /// The flow of a packet that this side sends.
    #[inline]
    pub fn find(&self, by: Side, key: Key) -> Option<FlowId> {
        let same = |flow: u32| self.entries[flow as usize].key(by) == key;
        self.indexes[by as usize]
            .find(key.short_hash(), same)
            .map(FlowId)
    }

    /// True when what the client sends is found to belong to this flow, and not to a later one.
    pub fn is_latest(&self, flow: FlowId) -> bool {
        self.find(Side::Client, self.entry(flow).key(Side::Client)) == Some(flow)
    }

    /// Has fetched what finding the flows of these packets needs, all of it at once, and guesses these flows: of each packet,
    /// which side sent it, and the packet. More than [`FORESIGHT`] are not looked at.
    pub fn foresee<'a>(&mut self, packets: impl Iterator<Item = (Side, &'a [u8])>) {
        let mut searches = [Search::default(); FORESIGHT];
        let mut count = 0;
        for (search, (by, packet)) in searches.iter_mut().zip(packets) {
            let hash = Key::glimpse(packet).map_or(0, |key| key.short_hash());
            let line = self.indexes[by as usize].fetch(hash);
            *search = Search { hash, by, line };
            count += 1;
        }
        self.guesses.flows = [Guess::NONE; FORESIGHT];
        (self.guesses.next, self.guesses.end) = (0, count);
        // Of twenty searches one goes on in a second line, which is fetched while the others look at their first.
        let mut beyond = [0; FORESIGHT];
        let mut going_on = 0;
        for (packet, search) in searches[..count].iter_mut().enumerate() {
            if self.look(packet, search) {
                beyond[going_on] = packet;
                going_on += 1;
            }
        }
        for packet in &beyond[..going_on] {
            self.look(*packet, &mut searches[*packet]);
        }
    }

    /// Looks at one line for the flow of a foreseen packet. True: it may be in the next one.
    #[inline(always)]
    fn look(&mut self, packet: usize, search: &mut Search) -> bool {
        match self.indexes[search.by as usize].glance(search.line, search.hash) {
            Glance::Flow(flow) => {
                self.guesses.flows[packet] = Guess {
                    flow,
                    by: search.by,
                };
                prefetch(&self.entries[flow as usize]);
                false
            }
            Glance::Beyond(line) => {
                search.line = line;
                true
            }
            Glance::Nothing => false,
        }
    }

    /// The flow that was guessed for the next of the packets that were foreseen.
    #[inline]
    pub fn next_guess(&mut self) -> Guess {
        let Guesses { flows, next, end } = &mut self.guesses;
        let mut guess = Guess::NONE;
        if next < end {
            guess = flows[*next % FORESIGHT];
            *next += 1;
        }
        guess
    }

    /// As [`FlowTable::find`], of a packet for which this was guessed.
    #[inline(always)]
    pub fn find_guessed(&self, by: Side, key: Key, guess: Guess) -> Option<FlowId> {
        match self.entries.get(guess.flow as usize) {
            Some(entry) if guess.by == by && entry.key(by) == key => Some(FlowId(guess.flow)),
            Some(_) | None => self.search(by, key),
        }
    }

    /// As [`FlowTable::find`], away from the way of packets that were guessed.
    #[inline(never)]
    fn search(&self, by: Side, key: Key) -> Option<FlowId> {
        self.find(by, key)
    }

    /// Adds a flow, found by its client's side from now on, and not yet by its target's.
    pub fn insert(&mut self, now: Duration, new: NewFlow) -> FlowId {
        let index = self.entries.len() as u32;
        let now = nanos(now);
        let common = Common::from(&new);
        let entry = Entry::new(now, &new, self.commons.number(common));
        let mut rest = Rest {
            opened: now,
            attempt: NO_ATTEMPT,
        };
        let key = entry.key(Side::Client);
        // An eighth more each time: a million flows take what they need and little else.
        let more = self.entries.len() / 8 + 64;
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(more);
            self.rest.reserve_exact(more);
            self.checks.reserve(more);
        }
        self.checks.set(index, limit(&entry, &rest, &common));
        self.entries.push(entry);
        let entries = &self.entries;
        let same = |other: u32| entries[other as usize].key(Side::Client) == key;
        self.guesses.end = 0;
        let old = self.indexes[Side::Client as usize].replace(key.short_hash(), index, same);
        if let Some(old) = old {
            rest.attempt = self.rest[old as usize].attempt;
        }
        self.rest.push(rest);
        FlowId(index)
    }

    /// When a flow was opened, and by a SYN with which sequence number.
    pub fn opening(&self, flow: FlowId) -> (Duration, u32) {
        let opened = Duration::from_nanos(self.rest[flow.0 as usize].opened);
        let first = self.first_isns.get(&flow.0).copied();
        (opened, first.unwrap_or(self.entry(flow).isn))
    }

    /// A SYN with perhaps another sequence number comes on a flow.
    pub fn syn(&mut self, flow: FlowId, isn: u32) {
        let latest = &mut self.entries[flow.0 as usize].isn;
        if *latest != isn {
            self.first_isns.entry(flow.0).or_insert(*latest);
            *latest = isn;
        }
    }

    /// The latest connection attempt that the flows with what this client sends were told.
    pub fn attempt(&self, key: Key) -> Option<u32> {
        let flow = self.find(Side::Client, key)?;
        let attempt = self.rest[flow.0 as usize].attempt;
        (attempt != NO_ATTEMPT).then_some(attempt)
    }

    /// A flow is told its connection attempt.
    pub fn tell_attempt(&mut self, flow: FlowId, attempt: u32) {
        self.rest[flow.0 as usize].attempt = attempt;
    }

    /// True when a living flow has this way back.
    pub fn is_way_back_taken(&self, key: Key) -> bool {
        self.find(Side::Target, key)
            .is_some_and(|holder| self.entry(holder).is_live())
    }

    /// Who has the way back that this flow wants.
    pub fn holder(&self, flow: FlowId) -> Option<FlowId> {
        self.find(Side::Target, self.entry(flow).key(Side::Target))
    }

    /// Gives the way back to a flow; whoever had it is marked as displaced.
    pub fn take_way_back(&mut self, now: Duration, flow: FlowId) {
        self.guesses.end = 0;
        let entries = &self.entries;
        let key = entries[flow.0 as usize].key(Side::Target);
        let same = |other: u32| entries[other as usize].key(Side::Target) == key;
        let old = self.indexes[Side::Target as usize].replace(key.short_hash(), flow.0, same);
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
        self.guesses.end = 0;
        let entries = &self.entries;
        let over = |flow: u32| {
            let entry = &entries[flow as usize];
            entry.key(Side::Target) == key && !entry.is_live()
        };
        self.indexes[Side::Target as usize].remove(key.short_hash(), over);
    }

    /// A flow's state changes. The record of a closed flow stays closed when its tombstone is set.
    pub fn set_state(&mut self, flow: FlowId, state: FlowState) {
        let entry = &mut self.entries[flow.0 as usize];
        entry.unmark(WAS_CLOSED);
        if entry.state == FlowState::Closed && state == FlowState::Expired {
            entry.mark(WAS_CLOSED);
        }
        entry.state = state;
    }

    /// When [`FlowTable::next_idle`] may have something to say.
    pub fn next_check(&self) -> Option<Duration> {
        self.checks.first().map(Duration::from_nanos)
    }

    /// The next flow that has been idle or without an answer for too long; each is given once.
    pub fn next_idle(&mut self, now: Duration) -> Option<FlowId> {
        let (entries, rest, commons) = (&self.entries, &self.rest, &self.commons);
        let limit = |flow: u32| {
            let entry = &entries[flow as usize];
            self::limit(entry, &rest[flow as usize], commons.get(entry.common))
        };
        self.checks.due(nanos(now), limit).map(FlowId)
    }
}
