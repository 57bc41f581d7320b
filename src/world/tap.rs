//! What a capture is made from: every packet as a device gave or took it, in a ring that forgets its oldest.
//!
//! Copying is all that happens while the fabric works. Not here: making wire packets of it, and what became of them
//! (see `run::capture`).

use crate::fabric::config::PortId;
use crate::packet::VnetHeader;
use std::collections::VecDeque;
use std::time::Duration;

/// A packet in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, since the fabric started.
    pub at: Duration,
    /// As in [`crate::fabric::record::PacketRecord::id`].
    pub id: u64,
    /// Whose device.
    pub port: PortId,
    /// The host got it, rather than sent it.
    pub inbound: bool,
    /// What the kernel left undone.
    pub vnet: VnetHeader,
    /// Bytes from the IP header on.
    pub len: u32,
}

/// Packets of one device that went through the ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// All of them; a super-packet is one.
    pub packets: u64,
    /// Those that the ring no longer has.
    pub cut: u64,
}

/// The ring. It holds whole packets: a checksum that was left undone is summed up over all of one.
#[derive(Debug)]
pub struct Tap {
    entries: VecDeque<Entry>,
    bytes: VecDeque<u8>,
    limit: usize,
    seen: Vec<Seen>,
    /// Entries that it has or had.
    count: u64,
}

/// Entries that a ring has room for at most: of packets without payload.
pub fn most_entries(limit: usize) -> usize {
    limit / (size_of::<Entry>() + SMALLEST)
}

/// Bytes of the smallest packet: IPv4 and UDP headers.
const SMALLEST: usize = 28;

impl Tap {
    /// An empty ring of `limit` bytes, for so many devices. Memory is taken as packets come.
    pub fn new(limit: usize, ports: usize) -> Self {
        let mut bytes = VecDeque::new();
        // Only address space until it is written to; growing by doubling would stop the fabric to copy it all. Where
        // there is not so much of it, it grows all the same.
        let reserved = bytes.try_reserve_exact(limit);
        tracing::trace!(?reserved, limit, "a ring of packets");
        Self {
            entries: VecDeque::new(),
            bytes,
            limit,
            seen: vec![Seen::default(); ports],
            count: 0,
        }
    }

    /// A copy of what came behind so many entries, as far as it is still there.
    pub fn behind(&self, entries: u64) -> Self {
        let wanted = self.count.saturating_sub(entries);
        let skipped = self.entries.len() - (wanted as usize).min(self.entries.len());
        let before = self.entries.iter().take(skipped);
        let bytes: usize = before.map(|entry| entry.len as usize).sum();
        Self {
            entries: self.entries.range(skipped..).copied().collect(),
            bytes: self.bytes.range(bytes..).copied().collect(),
            limit: self.limit,
            seen: self.seen.clone(),
            count: self.count,
        }
    }

    /// Entries that came in all, also those that it no longer has.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Entries that came in and are no longer there.
    pub fn forgotten(&self) -> u64 {
        self.count - self.entries.len() as u64
    }

    /// Takes a packet, in one piece or two, and forgets as many old ones as it must. One that is larger than the
    /// whole ring is only counted.
    pub fn push(&mut self, entry: Entry, head: &[u8], body: &[u8]) {
        self.seen[entry.port.0 as usize].packets += 1;
        let len = head.len() + body.len();
        while self.size() + len + size_of::<Entry>() > self.limit {
            if !self.forget() {
                self.seen[entry.port.0 as usize].cut += 1;
                return;
            }
        }
        self.bytes.extend(head);
        self.bytes.extend(body);
        self.count += 1;
        self.entries.push_back(Entry {
            len: len as u32,
            ..entry
        });
    }

    fn size(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<Entry>()
    }

    /// False when there is nothing to forget.
    fn forget(&mut self) -> bool {
        let Some(oldest) = self.entries.pop_front() else {
            return false;
        };
        self.bytes.drain(..oldest.len as usize);
        self.seen[oldest.port.0 as usize].cut += 1;
        true
    }

    /// What went through, by device.
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// How much it holds at most, bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Every packet it has, in the order they passed.
    pub fn packets(&mut self) -> impl Iterator<Item = (&Entry, &[u8])> {
        let mut bytes = &*self.bytes.make_contiguous();
        self.entries.iter().map(move |entry| {
            let (packet, rest) = bytes.split_at(entry.len as usize);
            bytes = rest;
            (entry, packet)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u64) -> Entry {
        Entry {
            at: Duration::from_nanos(id),
            id,
            port: PortId(0),
            inbound: false,
            vnet: VnetHeader::default(),
            len: 0,
        }
    }

    #[test]
    fn the_oldest_are_forgotten_and_counted() {
        let room = 10 * (size_of::<Entry>() + 100);
        let mut tap = Tap::new(room, 1);
        for id in 0..25 {
            tap.push(entry(id), &[id as u8; 60], &[0xff; 40]);
            assert!(tap.size() <= room);
        }
        let expected = Seen {
            packets: 25,
            cut: 15,
        };
        assert_eq!(tap.seen(), &[expected]);
        let kept: Vec<(u64, Vec<u8>)> = tap
            .packets()
            .map(|(entry, packet)| (entry.id, packet.to_vec()))
            .collect();
        assert_eq!(kept.len(), 10);
        for (id, (kept, packet)) in (15u64..).zip(kept) {
            assert_eq!(kept, id);
            assert_eq!(packet, [[id as u8; 60].as_slice(), &[0xff; 40]].concat());
        }
    }

    #[test]
    fn what_came_behind_is_copied() {
        let room = 10 * (size_of::<Entry>() + 100);
        let mut tap = Tap::new(room, 1);
        for id in 0..25 {
            tap.push(entry(id), &[id as u8; 100], &[]);
        }
        for (behind, first) in [(0, 15), (15, 15), (22, 22), (25, 25), (99, 25)] {
            let mut copy = tap.behind(behind);
            assert_eq!(copy.count(), 25);
            let ids: Vec<u64> = copy
                .packets()
                .map(|(entry, bytes)| {
                    assert_eq!(bytes, [entry.id as u8; 100]);
                    entry.id
                })
                .collect();
            assert_eq!(ids, (first..25).collect::<Vec<_>>(), "behind {behind}");
        }
    }

    #[test]
    fn a_packet_larger_than_the_ring_is_counted() {
        let mut tap = Tap::new(100, 1);
        tap.push(entry(0), &[0; 101], &[]);
        assert_eq!(tap.packets().count(), 0);
        assert_eq!(tap.seen()[0], Seen { packets: 1, cut: 1 });
    }
}
