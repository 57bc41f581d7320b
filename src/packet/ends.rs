//! Both ends of a packet, packed as they stand in it: for keeping, comparing and hashing.

use super::{be32, checksum::Delta};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Source and destination, addresses and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ends {
    source: u32,
    destination: u32,
    /// The source's in the upper half.
    ports: u32,
}

impl Ends {
    /// From one end to the other.
    #[inline]
    pub fn new(from: SocketAddrV4, to: SocketAddrV4) -> Self {
        Self {
            source: from.ip().to_bits(),
            destination: to.ip().to_bits(),
            ports: u32::from(from.port()) << 16 | u32::from(to.port()),
        }
    }

    /// Those of a packet with an IPv4 header without options, in front of ports.
    #[inline]
    pub fn read(packet: &[u8; 24]) -> Self {
        Self {
            source: be32(packet, 12),
            destination: be32(packet, 16),
            ports: be32(packet, 20),
        }
    }

    /// As they stand in such a packet, from its twelfth byte on.
    #[inline]
    pub(super) fn to_bytes(self) -> [u8; 12] {
        let numbers = [self.source, self.destination, self.ports];
        let mut bytes = [0; 12];
        for (place, number) in bytes.chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    /// What changes in a sum over the addresses when these come in the place of others.
    #[inline]
    pub(super) fn addresses_after(self, old: Self) -> Delta {
        Delta::default()
            .number(old.source, self.source)
            .number(old.destination, self.destination)
    }

    /// The same for the ports.
    #[inline]
    pub(super) fn ports_after(self, old: Self) -> Delta {
        Delta::default().number(old.ports, self.ports)
    }

    /// The source.
    #[inline]
    pub fn from(self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::from_bits(self.source), (self.ports >> 16) as u16)
    }

    /// The destination.
    #[inline]
    pub fn to(self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::from_bits(self.destination), self.ports as u16)
    }

    /// Those of an answer.
    #[inline]
    pub fn reversed(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            ports: self.ports.rotate_left(16),
        }
    }

    /// Both addresses in one number, and both ports in another.
    #[inline]
    pub fn numbers(self) -> (u64, u32) {
        let addresses = u64::from(self.source) << 32 | u64::from(self.destination);
        (addresses, self.ports)
    }
}
