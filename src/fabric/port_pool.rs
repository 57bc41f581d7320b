//! Source ports for flows whose client address is not preserved: one pool for each (zonal address, target).
//!
//! Observed on: AWS gives about 55,000 to each (load balancer address, target address and port). In which order is
//! not documented; here from a seeded start upwards, so that a port comes back as late as possible. NAT gateways have
//! pools of the same kind, and orders of their own.

use super::random;
use rustc_hash::FxHashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::RangeInclusive;

/// The first port of every pool.
pub const FIRST_PORT: u16 = 1024;

/// All pools. They come into being when first used.
pub struct PortPools {
    seed: u64,
    pools: FxHashMap<(Ipv4Addr, SocketAddrV4), Pool>,
}

struct Pool {
    /// One bit a port.
    taken: Vec<u64>,
    size: usize,
    in_use: usize,
    next: usize,
}

impl PortPools {
    /// No pool yet.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            pools: FxHashMap::default(),
        }
    }

    /// Takes the next free port of a pool of `size`; none when all are taken.
    pub fn take(&mut self, zonal: Ipv4Addr, target: SocketAddrV4, size: u16) -> Option<u16> {
        let seed = self.seed;
        let pool = self
            .pools
            .entry((zonal, target))
            .or_insert_with(|| Pool::new(seed, zonal, target, size));
        if pool.in_use >= pool.size {
            return None;
        }
        let index = pool.next_free()?;
        pool.set(index);
        pool.next = (index + 1) % pool.size;
        Some(FIRST_PORT + index as u16)
    }

    /// Takes the first free port of a range from `start` on, around its end; none when all of it is taken, or `most` of
    /// the whole pool.
    pub fn take_within(
        &mut self,
        own: Ipv4Addr,
        remote: SocketAddrV4,
        range: &RangeInclusive<u16>,
        start: u16,
        most: u16,
    ) -> Option<u16> {
        let seed = self.seed;
        let pool = self
            .pools
            .entry((own, remote))
            .or_insert_with(|| Pool::new(seed, own, remote, u16::MAX));
        if pool.in_use >= usize::from(most) {
            return None;
        }
        let index = |port: u16| usize::from(port.saturating_sub(FIRST_PORT));
        let (first, end) = (index(*range.start()), index(*range.end()) + 1);
        let start = index(start).clamp(first, end);
        let found = pool
            .free_in(start, end)
            .or_else(|| pool.free_in(first, start))?;
        pool.set(found);
        Some(FIRST_PORT + found as u16)
    }

    /// Takes this very port again. False: somebody else has it.
    pub fn retake(&mut self, zonal: Ipv4Addr, target: SocketAddrV4, port: u16) -> bool {
        let index = usize::from(port - FIRST_PORT);
        match self.pools.get_mut(&(zonal, target)) {
            Some(pool) if !pool.is_taken(index) => {
                pool.set(index);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Gives a port back.
    pub fn release(&mut self, zonal: Ipv4Addr, target: SocketAddrV4, port: u16) {
        if let Some(pool) = self.pools.get_mut(&(zonal, target)) {
            let index = usize::from(port - FIRST_PORT);
            pool.taken[index / 64] &= !(1 << (index % 64));
            pool.in_use -= 1;
        }
    }
}

impl Pool {
    fn new(seed: u64, zonal: Ipv4Addr, target: SocketAddrV4, size: u16) -> Self {
        let size = usize::from(size.min(u16::MAX - FIRST_PORT + 1));
        let words = [
            u64::from(zonal.to_bits()),
            u64::from(target.ip().to_bits()),
            u64::from(target.port()),
        ];
        Self {
            taken: vec![0; size.div_ceil(64)],
            size,
            in_use: 0,
            next: random::pick(random::hash(seed, &words), size.max(1)),
        }
    }

    fn is_taken(&self, index: usize) -> bool {
        self.taken[index / 64] & (1 << (index % 64)) != 0
    }

    fn set(&mut self, index: usize) {
        self.taken[index / 64] |= 1 << (index % 64);
        self.in_use += 1;
    }

    /// The first free port from `next` on, around the end.
    fn next_free(&self) -> Option<usize> {
        self.free_in(self.next, self.size)
            .or_else(|| self.free_in(0, self.next))
    }

    /// The first free port in a range, 64 at a glance.
    fn free_in(&self, from: usize, to: usize) -> Option<usize> {
        let mut index = from;
        while index < to {
            let free = !self.taken[index / 64] >> (index % 64);
            if free != 0 {
                let found = index + free.trailing_zeros() as usize;
                return (found < to).then_some(found);
            }
            index = (index / 64 + 1) * 64;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const ZONAL: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
    const TARGET: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 80);

    #[test]
    fn every_port_is_given_once_and_then_none() {
        for size in [1, 63, 64, 65, 1000, 64_512, u16::MAX] {
            let mut pools = PortPools::new(3);
            let given: HashSet<u16> =
                std::iter::from_fn(|| pools.take(ZONAL, TARGET, size)).collect();
            assert_eq!(given.len(), usize::from(size.min(64_512)));
            assert!(given.iter().all(|&port| port >= FIRST_PORT));
        }
    }

    #[test]
    fn a_port_given_back_comes_last() {
        let mut pools = PortPools::new(3);
        let first = pools.take(ZONAL, TARGET, 10).unwrap();
        pools.release(ZONAL, TARGET, first);
        let next: Vec<u16> = (0..10)
            .map(|_| pools.take(ZONAL, TARGET, 10).unwrap())
            .collect();
        assert_eq!(next[9], first);
    }

    #[test]
    fn a_port_can_be_taken_again_only_while_it_is_free() {
        let mut pools = PortPools::new(3);
        let port = pools.take(ZONAL, TARGET, 2).unwrap();
        assert!(!pools.retake(ZONAL, TARGET, port));
        pools.release(ZONAL, TARGET, port);
        assert!(pools.retake(ZONAL, TARGET, port));
    }

    #[test]
    fn targets_do_not_share_ports() {
        let mut pools = PortPools::new(3);
        let other = SocketAddrV4::new(*TARGET.ip(), 81);
        assert!(pools.take(ZONAL, TARGET, 1).is_some());
        assert!(pools.take(ZONAL, other, 1).is_some());
        assert!(pools.take(ZONAL, TARGET, 1).is_none());
    }

    #[test]
    fn a_range_is_taken_from_its_start_around_its_end() {
        let mut pools = PortPools::new(3);
        let range = 2000..=2003;
        let mut take = |start, most| pools.take_within(ZONAL, TARGET, &range, start, most);
        assert_eq!(take(2002, 99), Some(2002));
        assert_eq!(take(2002, 99), Some(2003));
        assert_eq!(take(2002, 99), Some(2000));
        assert_eq!(take(2002, 3), None, "three are taken");
        assert_eq!(take(9, 99), Some(2001));
        assert_eq!(take(2000, 99), None);
    }

    #[test]
    fn an_empty_pool_has_nothing() {
        assert_eq!(PortPools::new(3).take(ZONAL, TARGET, 0), None);
    }
}
