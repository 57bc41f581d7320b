//! Source ports of a balancer's own, for flows whose client address is not preserved and for connections of TLS listeners: one
//! pool for each (zonal address, target).
//!
//! Observed on: AWS gives about 55,000 to each (load balancer address, target address and port), at a time or a minute.
//! So a port whose flow is over rests before another has it. In which order they are given is not documented; without
//! another wish from a seeded start upwards, so that a port comes back as late as possible. NAT gateways have pools of the
//! same kind, and orders of their own.

use super::random;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The first port of every pool.
pub const FIRST_PORT: u16 = 1024;

/// All pools. They come into being when first used.
pub struct PortPools {
    seed: u64,
    pools: FxHashMap<(Ipv4Addr, SocketAddrV4), Pool>,
}

/// What a balancer's pools are like.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Ports of each.
    pub size: u16,
    /// From the end of a flow to when another may have its port.
    pub reuse: Duration,
}

/// Why a port cannot be taken again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody else has it.
    Taken,
    /// It is free, but as many others are in use as may be.
    Full,
}

struct Pool {
    /// One bit a port, resting ones included.
    taken: Vec<u64>,
    size: usize,
    in_use: usize,
    next: usize,
    /// Ports whose flows are over, and since when; in this order.
    resting: VecDeque<(Duration, usize)>,
}

impl PortPools {
    /// No pool yet.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            pools: FxHashMap::default(),
        }
    }

    /// Takes the first free port from `start` on, around the end, or from behind the one taken last; none when all are
    /// taken, or rest.
    pub fn take(
        &mut self,
        now: Duration,
        zonal: Ipv4Addr,
        target: SocketAddrV4,
        start: Option<u16>,
        terms: Terms,
    ) -> Option<u16> {
        let seed = self.seed;
        let pool = self
            .pools
            .entry((zonal, target))
            .or_insert_with(|| Pool::new(seed, zonal, target, terms.size));
        pool.resize(terms.size);
        pool.wake(now, terms.reuse);
        if pool.in_use >= pool.size {
            return None;
        }
        let start = start.map_or(pool.next, |port| {
            usize::from(port.saturating_sub(FIRST_PORT)) % pool.size
        });
        let index = pool.next_free(start)?;
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

    /// Takes this very port again, though it rests. `most`: so many of the whole pool may be in use with it.
    pub fn retake(
        &mut self,
        zonal: Ipv4Addr,
        target: SocketAddrV4,
        port: u16,
        most: u16,
    ) -> Result<(), Refusal> {
        let index = usize::from(port - FIRST_PORT);
        let Some(pool) = self.pools.get_mut(&(zonal, target)) else {
            return Err(Refusal::Taken);
        };
        // The flow that asks has most often ended just now.
        if let Some(place) = pool.resting.iter().rposition(|(_, port)| *port == index) {
            pool.resting.remove(place);
            return Ok(());
        }
        if pool.is_taken(index) {
            return Err(Refusal::Taken);
        }
        if pool.in_use >= usize::from(most) {
            return Err(Refusal::Full);
        }
        pool.set(index);
        Ok(())
    }

    /// Gives a port back, to be had again after the time that [`Terms`] name.
    pub fn rest(&mut self, now: Duration, zonal: Ipv4Addr, target: SocketAddrV4, port: u16) {
        if let Some(pool) = self.pools.get_mut(&(zonal, target)) {
            let index = usize::from(port - FIRST_PORT);
            pool.resting.push_back((now, index));
        }
    }

    /// Gives a port back, to be had again at once.
    pub fn release(&mut self, zonal: Ipv4Addr, target: SocketAddrV4, port: u16) {
        if let Some(pool) = self.pools.get_mut(&(zonal, target)) {
            pool.free(usize::from(port - FIRST_PORT));
        }
    }
}

impl Pool {
    fn new(seed: u64, zonal: Ipv4Addr, target: SocketAddrV4, size: u16) -> Self {
        let size = ports(size);
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
            resting: VecDeque::new(),
        }
    }

    /// Has so many ports from now on. Those behind its end that flows have stay theirs, and count, until they are given back.
    fn resize(&mut self, size: u16) {
        self.size = ports(size);
        let words = self.size.div_ceil(64).max(self.taken.len());
        self.taken.resize(words, 0);
    }

    fn is_taken(&self, index: usize) -> bool {
        self.taken[index / 64] & (1 << (index % 64)) != 0
    }

    fn set(&mut self, index: usize) {
        self.taken[index / 64] |= 1 << (index % 64);
        self.in_use += 1;
    }

    fn free(&mut self, index: usize) {
        self.taken[index / 64] &= !(1 << (index % 64));
        self.in_use -= 1;
    }

    /// Frees the ports that have rested long enough.
    fn wake(&mut self, now: Duration, reuse: Duration) {
        while let Some((since, index)) = self.resting.front().copied()
            && since + reuse <= now
        {
            self.resting.pop_front();
            self.free(index);
        }
    }

    /// The first free port from `start` on, around the end.
    fn next_free(&self, start: usize) -> Option<usize> {
        self.free_in(start, self.size)
            .or_else(|| self.free_in(0, start))
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

/// There are no more than this.
fn ports(size: u16) -> usize {
    usize::from(size.min(u16::MAX - FIRST_PORT + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const ZONAL: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
    const TARGET: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 80);

    fn take(pools: &mut PortPools, size: u16) -> Option<u16> {
        take_at(pools, 0, size)
    }

    /// At this second, of a pool whose ports rest for a minute.
    fn take_at(pools: &mut PortPools, second: u64, size: u16) -> Option<u16> {
        let reuse = Duration::from_secs(60);
        let now = Duration::from_secs(second);
        pools.take(now, ZONAL, TARGET, None, Terms { size, reuse })
    }

    #[test]
    fn every_port_is_given_once_and_then_none() {
        for size in [1, 63, 64, 65, 1000, 64_512, u16::MAX] {
            let mut pools = PortPools::new(3);
            let given: HashSet<u16> = std::iter::from_fn(|| take(&mut pools, size)).collect();
            assert_eq!(given.len(), usize::from(size.min(64_512)));
            assert!(given.iter().all(|&port| port >= FIRST_PORT));
        }
    }

    #[test]
    fn a_port_given_back_comes_last() {
        let mut pools = PortPools::new(3);
        let first = take(&mut pools, 10).unwrap();
        pools.release(ZONAL, TARGET, first);
        let next: Vec<u16> = (0..10).map(|_| take(&mut pools, 10).unwrap()).collect();
        assert_eq!(next[9], first);
    }

    #[test]
    fn a_port_can_be_taken_again_only_while_it_is_free() {
        let mut pools = PortPools::new(3);
        let port = take(&mut pools, 2).unwrap();
        let retake = |pools: &mut PortPools, most| pools.retake(ZONAL, TARGET, port, most);
        assert_eq!(retake(&mut pools, 2), Err(Refusal::Taken));
        pools.release(ZONAL, TARGET, port);
        take(&mut pools, 2).unwrap();
        assert_eq!(retake(&mut pools, 1), Err(Refusal::Full));
        assert_eq!(retake(&mut pools, 2), Ok(()));
    }

    #[test]
    fn a_port_rests_and_only_its_own_flow_has_it_meanwhile() {
        let mut pools = PortPools::new(3);
        let port = take(&mut pools, 1).unwrap();
        let end = |pools: &mut PortPools, second| {
            pools.rest(Duration::from_secs(second), ZONAL, TARGET, port);
        };
        end(&mut pools, 10);
        assert_eq!(take_at(&mut pools, 69, 1), None);
        assert_eq!(pools.retake(ZONAL, TARGET, port, 1), Ok(()));
        let again = pools.retake(ZONAL, TARGET, port, 1);
        assert_eq!(again, Err(Refusal::Taken), "once");
        end(&mut pools, 30);
        assert_eq!(take_at(&mut pools, 89, 1), None, "it rests anew");
        assert_eq!(take_at(&mut pools, 90, 1), Some(port));
        assert_eq!(take_at(&mut pools, 500, 1), None);
    }

    #[test]
    fn targets_do_not_share_ports() {
        let mut pools = PortPools::new(3);
        let other = SocketAddrV4::new(*TARGET.ip(), 81);
        assert!(take(&mut pools, 1).is_some());
        let terms = Terms {
            size: 1,
            reuse: Duration::ZERO,
        };
        let mut take_other = || pools.take(Duration::ZERO, ZONAL, other, None, terms);
        assert!(take_other().is_some());
        assert!(take(&mut pools, 1).is_none());
    }

    #[test]
    fn a_start_is_a_wish_and_leaves_all_ports_to_be_had() {
        let mut pools = PortPools::new(3);
        let terms = Terms {
            size: 4,
            reuse: Duration::ZERO,
        };
        let mut take = |start| pools.take(Duration::ZERO, ZONAL, TARGET, Some(start), terms);
        assert_eq!(take(1026), Some(1026));
        assert_eq!(take(1026), Some(1027));
        assert_eq!(take(1026), Some(1024));
        assert_eq!(take(1030), Some(1025), "6 ports on, around the end");
        assert_eq!(take(40000), None);
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
    fn a_pool_in_use_grows_and_shrinks() {
        let mut pools = PortPools::new(3);
        let mut given: HashSet<u16> = (0..2).map(|_| take(&mut pools, 2).unwrap()).collect();
        assert_eq!(take(&mut pools, 2), None);
        given.extend((0..128).map(|_| take(&mut pools, 130).unwrap()));
        assert_eq!(given.len(), 130);
        assert_eq!(take(&mut pools, 130), None);
        // Of 130 in use 127 have to go before one of three is to be had.
        let mut back: Vec<u16> = given.into_iter().collect();
        back.sort_unstable();
        for port in &back[..127] {
            assert_eq!(take(&mut pools, 3), None);
            pools.release(ZONAL, TARGET, *port);
        }
        assert_eq!(take(&mut pools, 3), None);
        pools.release(ZONAL, TARGET, back[127]);
        let port = take(&mut pools, 3).expect("two are in use");
        assert!((FIRST_PORT..FIRST_PORT + 3).contains(&port), "{port}");
        assert_eq!(take(&mut pools, 3), None);
    }

    #[test]
    fn an_empty_pool_has_nothing() {
        assert_eq!(take(&mut PortPools::new(3), 0), None);
    }
}
