//! What a flow is found by.

use super::super::config::Protocol;
use crate::packet::ends::Ends;
use crate::packet::{TCP, UDP};
use std::net::SocketAddrV4;

/// The two ends of a packet and its protocol, for comparing and hashing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    ends: Ends,
    protocol: Protocol,
}

impl Key {
    /// The key of a packet `from` one end `to` the other.
    #[inline]
    pub fn new(protocol: Protocol, from: SocketAddrV4, to: SocketAddrV4) -> Self {
        Self::of(protocol, Ends::new(from, to))
    }

    /// The key of a packet with these ends.
    #[inline]
    pub fn of(protocol: Protocol, ends: Ends) -> Self {
        Self { ends, protocol }
    }

    /// The key of the first bytes of a packet, when these are an IPv4 header without options, TCP or UDP.
    #[inline]
    pub(super) fn glimpse(packet: &[u8]) -> Option<Self> {
        let bytes: &[u8; 24] = packet.first_chunk()?;
        let protocol = match (bytes[0], bytes[9]) {
            (0x45, TCP) => Protocol::Tcp,
            (0x45, UDP) => Protocol::Udp,
            _ => return None,
        };
        Some(Self::of(protocol, Ends::read(bytes)))
    }

    /// Only a place in a table hangs on this, never a decision. One wide multiplication, both halves of which count.
    #[inline]
    pub fn hash(&self) -> u64 {
        let (one, other) = (0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9);
        let number: u64 = match self.protocol {
            Protocol::Tcp => 0,
            Protocol::Udp => 1,
        };
        let (addresses, ports) = self.ends.numbers();
        let rest = number << 32 | u64::from(ports);
        let product = u128::from(addresses ^ one) * u128::from(rest ^ other);
        (product >> 64) as u64 ^ product as u64
    }

    #[inline]
    pub(super) fn short_hash(&self) -> u32 {
        (self.hash() >> 32) as u32
    }
}
