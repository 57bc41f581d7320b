//! The mappings of all gateways, found by what the host behind a gateway sends and by what the destination sends back.
//!
//! No two living mappings show a destination the same source. Mappings are never forgotten: one that has expired
//! stays as a tombstone, so that what comes late is recognised, and nothing ever passes untranslated.

use super::super::config::{GatewayId, PortId, Protocol};
use super::super::flow_table::Key;
use super::super::record::{FlowState, MappingId, MappingRecord, Tuple};
use crate::packet::{Headers, TCP, tcp};
use hashbrown::HashTable;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddrV4;
use std::time::Duration;

/// One of the two sides of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facing {
    /// The host behind the gateway.
    Inside,
    /// The destination.
    Outside,
}

/// A mapping.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Whose.
    pub gateway: GatewayId,
    /// The host behind the gateway.
    pub host: PortId,
    /// Transport.
    pub protocol: Protocol,
    /// The host's end, as it writes itself.
    pub inside: SocketAddrV4,
    /// The host's end, as the destination sees it.
    pub outside: SocketAddrV4,
    /// The destination.
    pub remote: SocketAddrV4,
    /// As the packets show it.
    pub state: FlowState,
    /// First packet.
    pub opened: Duration,
    /// Last packet in either direction.
    pub last: Duration,
    /// Silence after which it was forgotten; none: it was not.
    pub forgotten_after: Option<Duration>,
    /// Sequence number of the latest SYN.
    pub isn: u32,
    /// The sequence numbers that the host and the destination expect next, as far as the packets show.
    pub inside_next: u32,
    /// See `inside_next`.
    pub outside_next: u32,
    /// Which sides have sent FIN.
    pub fins: [bool; 2],
    /// Its port is not free for another.
    pub holds_port: bool,
}

impl Mapping {
    /// What each side expects next; an unasked RST is taken only with that.
    pub fn track(&mut self, headers: &Headers, by: Facing) {
        if headers.protocol != TCP || headers.is_reset() {
            return;
        }
        let (receiver, sender) = match by {
            Facing::Inside => (&mut self.outside_next, &mut self.inside_next),
            Facing::Outside => (&mut self.inside_next, &mut self.outside_next),
        };
        let syn = headers.flags & tcp::SYN != 0;
        let marks = u32::from(syn) + u32::from(headers.flags & tcp::FIN != 0);
        let end = headers
            .seq
            .wrapping_add(headers.payload_len() as u32)
            .wrapping_add(marks);
        if syn {
            *receiver = end;
        } else {
            tcp::raise(receiver, end);
        }
        if headers.flags & tcp::ACK != 0 {
            tcp::raise(sender, headers.ack);
        }
    }

    fn inside_key(&self) -> Key {
        Key::new(self.protocol, self.inside, self.remote)
    }

    fn outside_key(&self) -> Key {
        Key::new(self.protocol, self.remote, self.outside)
    }

    /// Neither closed nor expired.
    pub fn is_live(&self) -> bool {
        match self.state {
            FlowState::SynSent | FlowState::Established | FlowState::Closing => true,
            FlowState::Closed | FlowState::Expired => false,
        }
    }

    fn record(&self) -> MappingRecord {
        let tuple = |from| Tuple {
            protocol: self.protocol,
            from,
            to: self.remote,
        };
        MappingRecord {
            gateway: self.gateway,
            host: self.host,
            inside: tuple(self.inside),
            outside: tuple(self.outside),
            opened: self.opened,
            last: self.last,
            forgotten_after: self.forgotten_after,
            state: self.state,
        }
    }
}

/// The mappings.
#[derive(Default)]
pub struct Mappings {
    all: Vec<Mapping>,
    by_inside: HashTable<u32>,
    by_outside: HashTable<u32>,
    /// When to look at which; a mapping may be in it several times.
    checks: BinaryHeap<Reverse<(Duration, u32)>>,
}

impl Mappings {
    /// Every mapping ever made.
    pub fn records(&self) -> Vec<MappingRecord> {
        self.all.iter().map(Mapping::record).collect()
    }

    /// One mapping.
    pub fn get(&self, id: MappingId) -> &Mapping {
        &self.all[id.0 as usize]
    }

    /// One mapping, to be changed. Its ends stay.
    pub fn get_mut(&mut self, id: MappingId) -> &mut Mapping {
        &mut self.all[id.0 as usize]
    }

    /// The latest mapping of what a host behind a gateway sends.
    pub fn by_inside(&self, key: Key) -> Option<MappingId> {
        find(&self.by_inside, key, |index| self.all[index].inside_key())
    }

    /// The latest mapping of what a destination sends to a gateway.
    pub fn by_outside(&self, key: Key) -> Option<MappingId> {
        find(&self.by_outside, key, |index| self.all[index].outside_key())
    }

    /// True when what comes back belongs to this mapping, and not to a later one.
    pub fn has_way_back(&self, id: MappingId) -> bool {
        self.by_outside(self.get(id).outside_key()) == Some(id)
    }

    /// Adds a mapping. What was found by the same keys is found no more.
    pub fn insert(&mut self, mapping: Mapping) -> MappingId {
        let index = self.all.len() as u32;
        let (inside, outside) = (mapping.inside_key(), mapping.outside_key());
        self.all.push(mapping);
        let all = &self.all;
        put(&mut self.by_inside, inside, index, |index| {
            all[index].inside_key()
        });
        put(&mut self.by_outside, outside, index, |index| {
            all[index].outside_key()
        });
        MappingId(index)
    }

    /// Looks at a mapping then.
    pub fn check(&mut self, at: Duration, id: MappingId) {
        self.checks.push(Reverse((at, id.0)));
    }

    /// When there is something to look at.
    pub fn next_check(&self) -> Option<Duration> {
        self.checks.peek().map(|Reverse((at, _))| *at)
    }

    /// The next mapping to be looked at now.
    pub fn due(&mut self, now: Duration) -> Option<MappingId> {
        let &Reverse((at, index)) = self.checks.peek()?;
        (at <= now).then(|| {
            self.checks.pop();
            MappingId(index)
        })
    }
}

fn find(table: &HashTable<u32>, key: Key, key_of: impl Fn(usize) -> Key) -> Option<MappingId> {
    let found = table.find(key.hash(), |&index| key_of(index as usize) == key);
    found.map(|&index| MappingId(index))
}

fn put(table: &mut HashTable<u32>, key: Key, index: u32, key_of: impl Fn(usize) -> Key) {
    match table.find_mut(key.hash(), |&other| key_of(other as usize) == key) {
        Some(slot) => *slot = index,
        None => {
            table.insert_unique(key.hash(), index, |&other| key_of(other as usize).hash());
        }
    }
}
