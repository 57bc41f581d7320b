//! What a balancer's listeners can choose from, worked out once, and the choice itself.
//!
//! Observed on: a Network Load Balancer hashes protocol, addresses, ports and, for TCP, the sequence number of the
//! SYN. A SYN sent again has the same number and goes to the same target; a new attempt from the same port may not.

use super::config::{Balancer, Config, Listener, Placement, Protocol, ZonalId};
use super::random;
use super::targets::Targets;
use std::net::SocketAddrV4;
use std::time::Duration;

/// A listener with its targets resolved.
pub struct Listening {
    /// Where it listens.
    pub port: u16,
    /// Transport.
    pub protocol: Protocol,
    /// Limit for being idle.
    pub idle: Duration,
    /// Index of its group.
    pub group: super::config::GroupId,
    /// Targets see the client's address and port.
    pub preserve_client_ip: bool,
    /// Targets read a PROXY protocol header first.
    pub proxy_protocol: Option<Placement>,
    /// By zonal address.
    pools: Vec<Pool>,
}

/// A target that can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its place in the group.
    pub index: usize,
    /// Where it is reached.
    pub address: SocketAddrV4,
}

struct Pool {
    /// Chosen whatever the hash says.
    preferred: Option<Candidate>,
    /// What the hash chooses from, in the group's order.
    eligible: Vec<Candidate>,
}

impl Listening {
    /// Works out which targets each zonal address can reach: all of them across zones, else those of its own zone.
    pub fn new(
        config: &Config,
        targets: &Targets,
        balancer: &Balancer,
        listener: &Listener,
    ) -> Self {
        let group = &config.groups[listener.group.0 as usize];
        let pools = (0u8..)
            .zip(&balancer.zonal)
            .map(|(id, zonal)| {
                let eligible: Vec<Candidate> = group
                    .targets
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| targets.is_eligible(listener.group, *index))
                    .filter(|(_, target)| {
                        listener.cross_zone || target.zone.as_ref() == Some(&zonal.zone)
                    })
                    .map(|(index, target)| Candidate {
                        index,
                        address: SocketAddrV4::new(
                            target.address,
                            target.port.unwrap_or(listener.port),
                        ),
                    })
                    .collect();
                let preferred = balancer
                    .prefer
                    .iter()
                    .filter(|(at, _)| *at == ZonalId(id))
                    .flat_map(|(_, targets)| targets)
                    .find_map(|target| eligible.iter().find(|other| other.index == *target))
                    .copied();
                Pool {
                    preferred,
                    eligible,
                }
            })
            .collect();
        Self {
            port: listener.port,
            protocol: listener.protocol,
            idle: listener.idle_timeout,
            group: listener.group,
            preserve_client_ip: group.preserve_client_ip,
            proxy_protocol: group.proxy_protocol,
            pools,
        }
    }

    /// True when this zonal address has a target to choose from.
    pub fn reaches(&self, zonal: ZonalId) -> bool {
        !self.pools[zonal.0 as usize].eligible.is_empty()
    }

    /// Chooses the target of a new flow; none when there is nothing to choose from.
    pub fn choose(
        &self,
        seed: u64,
        zonal: ZonalId,
        from: SocketAddrV4,
        to: SocketAddrV4,
        isn: u32,
    ) -> Option<Candidate> {
        let pool = &self.pools[zonal.0 as usize];
        if pool.preferred.is_some() || pool.eligible.is_empty() {
            return pool.preferred;
        }
        let protocol: u64 = match self.protocol {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
        };
        let words = [
            protocol,
            u64::from(from.ip().to_bits()) << 32 | u64::from(to.ip().to_bits()),
            u64::from(from.port()) << 16 | u64::from(to.port()),
            u64::from(isn),
        ];
        let hash = random::hash(seed, &words);
        Some(pool.eligible[random::pick(hash, pool.eligible.len())])
    }
}
