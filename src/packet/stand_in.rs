//! IPv4 addresses that stand for IPv6 ones inside the network, and the table of who stands for whom.
//!
//! The network between the hosts knows IPv4 addresses only. An IPv6 packet is turned into an IPv4 packet between
//! stand-ins where it enters, and back where it leaves (see `siit`): RFC 7757, explicit address mappings. Stand-ins
//! are from 240.0.0.0/8, a part of what RFC 1112 section 4 reserves, so that no host can have one for an address.

use std::collections::HashMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// The first byte of every stand-in.
const PREFIX: u32 = 240;
/// Addresses that programs may bring in by themselves: any packet may name another one, and memory is finite.
const LEARNT: usize = 4096;

/// The IPv6 address of the network as a router: of what it says by itself about IPv6 packets. AWS reserves the
/// second address of a subnet for its router; 2001:db8::/32 is for documentation (RFC 3849).
pub const ROUTER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x1234, 0x1a00, 0, 0, 0, 1);

/// True for an address that stands for an IPv6 one.
pub fn is_stand_in(address: Ipv4Addr) -> bool {
    u32::from(address.octets()[0]) == PREFIX
}

/// Who stands for whom. In an empty table, IPv6 is not known at all.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StandIns {
    real: Vec<Ipv6Addr>,
    numbers: HashMap<Ipv6Addr, u32>,
    learnt: usize,
}

impl fmt::Debug for StandIns {
    /// The same text for equal tables: `numbers` follow from `real`, and have no order.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandIns")
            .field("real", &self.real)
            .field("learnt", &self.learnt)
            .finish_non_exhaustive()
    }
}

impl StandIns {
    /// True when this network has no IPv6.
    pub fn is_empty(&self) -> bool {
        self.real.is_empty()
    }

    /// The stand-in of an address, which it gets now unless it has one. The first call makes the network know IPv6.
    pub fn give(&mut self, real: Ipv6Addr) -> Ipv4Addr {
        if self.real.is_empty() && real != ROUTER {
            self.give(ROUTER);
        }
        let next = u32::try_from(self.real.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(real).or_insert(next);
        if number == next {
            self.real.push(real);
        }
        named(number)
    }

    /// The same for an address out of a packet: when there are too many of them, they share the unspecified one's.
    pub fn learn(&mut self, real: Ipv6Addr) -> Ipv4Addr {
        if let Some(known) = self.stand_in(real) {
            return known;
        }
        if self.learnt >= LEARNT {
            return self.give(Ipv6Addr::UNSPECIFIED);
        }
        self.learnt += 1;
        self.give(real)
    }

    /// The stand-in of an address that has one.
    pub fn stand_in(&self, real: Ipv6Addr) -> Option<Ipv4Addr> {
        self.numbers.get(&real).copied().map(named)
    }

    /// Whom an address stands for; none for an IPv4 address in its own right.
    pub fn real(&self, address: Ipv4Addr) -> Option<Ipv6Addr> {
        if !is_stand_in(address) {
            return None;
        }
        let number = address.to_bits() & 0x00ff_ffff;
        self.real.get(number as usize).copied()
    }

    /// An end of a packet as its hosts know it.
    pub fn end(&self, end: SocketAddrV4) -> SocketAddr {
        match self.real(*end.ip()) {
            Some(real) => SocketAddr::V6(SocketAddrV6::new(real, end.port(), 0, 0)),
            None => SocketAddr::V4(end),
        }
    }

    /// An end as hosts know it, as this network knows it; none when it does not.
    pub fn inside(&self, end: SocketAddr) -> Option<SocketAddrV4> {
        match end {
            SocketAddr::V4(end) => Some(end),
            SocketAddr::V6(end) => match end.ip().to_ipv4_mapped() {
                Some(ip) => Some(SocketAddrV4::new(ip, end.port())),
                None => self
                    .stand_in(*end.ip())
                    .map(|ip| SocketAddrV4::new(ip, end.port())),
            },
        }
    }
}

fn named(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(PREFIX << 24 | number & 0x00ff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_stand_in() {
        let mut table = StandIns::default();
        assert!(table.is_empty());
        let one: Ipv6Addr = "2001:db8::1".parse().expect("an address");
        let other: Ipv6Addr = "2001:db8::2".parse().expect("an address");
        let stand_in = table.give(one);
        assert_ne!(stand_in, table.give(other));
        assert_eq!(table.give(one), stand_in);
        assert_eq!(table.real(stand_in), Some(one));
        assert_eq!(
            table.stand_in(other).and_then(|a| table.real(a)),
            Some(other)
        );
        assert!(table.stand_in(ROUTER).is_some());
        let end = "[2001:db8::2]:443".parse().expect("an end");
        assert_eq!(table.inside(end).map(|inside| table.end(inside)), Some(end));
        assert_eq!(
            table
                .end("10.0.0.1:80".parse().expect("an end"))
                .to_string(),
            "10.0.0.1:80"
        );
        assert_eq!(table.real(Ipv4Addr::new(240, 1, 0, 0)), None);
    }

    #[test]
    fn a_flood_of_addresses_ends_in_one() {
        let mut table = StandIns::default();
        table.give(ROUTER);
        for number in 0..2 * LEARNT as u128 {
            table.learn(Ipv6Addr::from_bits(1 << 125 | number));
        }
        assert!(table.real.len() <= LEARNT + 2);
        let late = table.learn(Ipv6Addr::from_bits(3 << 120));
        assert_eq!(table.real(late), Some(Ipv6Addr::UNSPECIFIED));
    }
}
