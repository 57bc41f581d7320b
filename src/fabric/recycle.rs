//! `net.ipv4.tcp_tw_recycle`, as a host's kernel had it until Linux 4.12 (removed by commit 4396e46187ca): a SYN
//! whose timestamp is older than the last one remembered of its *address* is dropped without a word.
//!
//! Emulated after `tcp_peer_is_proven` and `tcp_remember_stamp` of Linux 4.11: an address is remembered when a
//! connection with it enters TIME_WAIT, that is, when the host closes first; for 60 s; and a difference of one tick
//! is forgiven. A SYN without timestamp from such an address is dropped too (since 3.17, commit a26552afe894).
//! Not here: that TIME_WAIT sockets lived for one RTO only.

use super::record::Tuple;
use crate::packet::{Headers, tcp};
use rustc_hash::FxHashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

/// `TCP_PAWS_MSL`: how long an address is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);
/// `TCP_PAWS_WINDOW`: ticks of the timestamp clock that are forgiven.
const FORGIVEN: i32 = 1;

/// What one host remembers.
#[derive(Debug, Default)]
pub struct Recycle {
    /// Who closed first, by connection as the peer writes it.
    closing: FxHashMap<Tuple, Closer>,
    peers: FxHashMap<Ipv4Addr, Stamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closer {
    Host,
    Peer,
}

#[derive(Clone, Copy, Debug)]
struct Stamp {
    value: u32,
    at: Duration,
}

impl Recycle {
    /// The host sends a segment. `tuple` is the connection as its peer writes it.
    pub fn sends(&mut self, tuple: Tuple, headers: &Headers) {
        if headers.flags & tcp::FIN != 0 {
            self.closing.entry(tuple).or_insert(Closer::Host);
        }
    }

    /// A segment comes to the host. False: its kernel drops it.
    pub fn takes(&mut self, now: Duration, tuple: Tuple, headers: &Headers, packet: &[u8]) -> bool {
        let peer = *tuple.from.ip();
        if headers.is_opening() {
            let proven = self.proves(now, peer, timestamp(headers, packet));
            if proven {
                self.closing.remove(&tuple);
            }
            return proven;
        }
        if headers.flags & tcp::FIN != 0 {
            let closer = *self.closing.entry(tuple).or_insert(Closer::Peer);
            if let (Closer::Host, Some(value)) = (closer, timestamp(headers, packet)) {
                self.remember(now, peer, value);
            }
        }
        true
    }

    fn proves(&self, now: Duration, peer: Ipv4Addr, value: Option<u32>) -> bool {
        let Some(known) = self.peers.get(&peer) else {
            return true;
        };
        if now.saturating_sub(known.at) >= REMEMBERED {
            return true;
        }
        value.is_some_and(|value| ahead(known.value, value) <= FORGIVEN)
    }

    /// Never back, unless what is known is old.
    fn remember(&mut self, now: Duration, peer: Ipv4Addr, value: u32) {
        let known = self.peers.get(&peer);
        let newer = known.is_none_or(|known| {
            ahead(known.value, value) <= 0 || now.saturating_sub(known.at) > REMEMBERED
        });
        if newer {
            self.peers.insert(peer, Stamp { value, at: now });
        }
    }
}

/// By how much a timestamp is ahead of another, around the end of 32 bits (RFC 7323 section 5.2).
fn ahead(this: u32, other: u32) -> i32 {
    this.wrapping_sub(other).cast_signed()
}

fn timestamp(headers: &Headers, packet: &[u8]) -> Option<u32> {
    let segment = tcp::TcpPacket::new_checked(packet.get(headers.transport..)?).ok()?;
    segment.timestamps().map(|(value, _)| value)
}
