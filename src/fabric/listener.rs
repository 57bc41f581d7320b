//! What a balancer's listeners can choose from, worked out anew whenever it changes, and the choice itself.
//!
//! Observed on: a Network Load Balancer hashes protocol, addresses, ports and, for TCP, the sequence number of the
//! SYN. A SYN sent again has the same number and goes to the same target; a new attempt from the same port may not.
//! With stickiness it hashes protocol and source address alone. Either way the hash is over the targets of the
//! moment: one that comes or goes moves new flows of all clients.

use super::config::{
    Balancer, BalancerId, Config, GroupId, Listener, Placement, Protocol, ZonalId,
};
use super::random;
use super::targets::{Scope, Targets};
use std::net::SocketAddrV4;
use std::time::Duration;

/// Told apart from the hash that chooses a target.
const GROUP_HASH: u64 = 0x67_726f_7570;

/// A listener with its targets resolved.
pub struct Listening {
    /// Where it listens.
    pub port: u16,
    /// Transport.
    pub protocol: Protocol,
    /// Limit for being idle.
    pub idle: Duration,
    /// Its flows end at the zonal address's own kernel.
    pub terminates: bool,
    group_stickiness: bool,
    forwarding: Vec<Forwarding>,
}

/// One of the groups of a listener.
struct Forwarding {
    group: GroupId,
    weight: u16,
    preserve_client_ip: bool,
    stickiness: bool,
    proxy_protocol: Option<Placement>,
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

/// A group and, if there is one, a target.
#[derive(Clone, Copy, Debug)]
pub struct Chosen {
    /// Which group.
    pub group: GroupId,
    /// Which target; none: nothing to choose from.
    pub target: Option<Candidate>,
    /// Targets see the client's address and port.
    pub preserve_client_ip: bool,
    /// Targets read a PROXY protocol header first.
    pub proxy_protocol: Option<Placement>,
    /// Too few targets were healthy, so health did not count.
    pub fail_open: bool,
}

struct Pool {
    /// Chosen whatever the hash says.
    preferred: Option<Candidate>,
    /// What the hash chooses from, in the group's order.
    eligible: Vec<Candidate>,
    fail_open: bool,
}

/// What the hash is made of.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// The client.
    pub from: SocketAddrV4,
    /// What it dialled.
    pub to: SocketAddrV4,
    /// Sequence number of its SYN; 0 for UDP.
    pub isn: u32,
}

impl Listening {
    /// Works out which targets each zonal address can choose: of those registered in reach the healthy ones, or
    /// all when too few are.
    pub fn new(
        config: &Config,
        targets: &Targets,
        id: BalancerId,
        balancer: &Balancer,
        listener: &Listener,
    ) -> Self {
        let forwarding = listener.forward.iter().map(|forward| {
            let group = &config.groups[forward.group.0 as usize];
            let zonal = (0u8..).map(ZonalId).zip(&balancer.zonal);
            let pools = zonal.map(|(zonal, _)| {
                let choice = targets.choice(Scope {
                    id,
                    zonal,
                    balancer,
                    forward,
                });
                let eligible: Vec<Candidate> = choice
                    .targets
                    .iter()
                    .map(|&index| {
                        let target = &group.targets[index];
                        let port = listener.port_at(target);
                        Candidate {
                            index,
                            address: SocketAddrV4::new(target.address, port),
                        }
                    })
                    .collect();
                let preferred = balancer
                    .prefer
                    .iter()
                    .filter(|(at, _)| *at == zonal)
                    .flat_map(|(_, targets)| targets)
                    .find_map(|target| eligible.iter().find(|other| other.index == *target))
                    .copied();
                Pool {
                    preferred,
                    eligible,
                    fail_open: choice.fail_open,
                }
            });
            Forwarding {
                group: forward.group,
                weight: forward.weight,
                preserve_client_ip: group.preserve_client_ip,
                stickiness: group.attributes.stickiness,
                proxy_protocol: group.proxy_protocol,
                pools: pools.collect(),
            }
        });
        Self {
            port: listener.port,
            protocol: listener.protocol,
            idle: listener.idle_timeout,
            terminates: listener.terminates,
            group_stickiness: listener.group_stickiness,
            forwarding: forwarding.collect(),
        }
    }

    /// Chooses group and target of a new flow; none when no group has any weight.
    pub fn choose(&self, seed: u64, zonal: ZonalId, opening: Opening) -> Option<Chosen> {
        let forwarding = match &self.forwarding[..] {
            [only] if only.weight > 0 => only,
            several => {
                let words = self.words(opening, self.group_stickiness);
                pick_by_weight(several, random::hash(seed ^ GROUP_HASH, &words))?
            }
        };
        let pool = &forwarding.pools[zonal.0 as usize];
        let target = if pool.preferred.is_some() || pool.eligible.is_empty() {
            pool.preferred
        } else {
            let words = self.words(opening, forwarding.stickiness);
            let hash = random::hash(seed, &words);
            Some(pool.eligible[random::pick(hash, pool.eligible.len())])
        };
        Some(Chosen {
            group: forwarding.group,
            target,
            preserve_client_ip: forwarding.preserve_client_ip,
            proxy_protocol: forwarding.proxy_protocol,
            fail_open: pool.fail_open,
        })
    }

    /// Draws one of its groups for a request at a proxy; none when no group has any weight.
    pub fn draw(&self, hash: u64) -> Option<GroupId> {
        pick_by_weight(&self.forwarding, hash).map(|forwarding| forwarding.group)
    }

    /// Chooses a target of one of its groups for a proxy's connection, in turn.
    pub fn rotate(&self, zonal: ZonalId, group: GroupId, turn: usize) -> Option<(Candidate, bool)> {
        let mut forwarding = self.forwarding.iter();
        let forwarding = forwarding.find(|forwarding| forwarding.group == group)?;
        let pool = &forwarding.pools[zonal.0 as usize];
        let in_turn = || {
            pool.eligible
                .get(turn % pool.eligible.len().max(1))
                .copied()
        };
        Some((pool.preferred.or_else(in_turn)?, pool.fail_open))
    }

    /// All targets of one of its groups that a proxy may choose, the one whose turn it is first.
    pub fn candidates(
        &self,
        zonal: ZonalId,
        group: GroupId,
        turn: usize,
    ) -> (Vec<Candidate>, bool) {
        let mut forwarding = self.forwarding.iter();
        let Some(forwarding) = forwarding.find(|forwarding| forwarding.group == group) else {
            return (Vec::new(), false);
        };
        let pool = &forwarding.pools[zonal.0 as usize];
        let mut all = pool.eligible.clone();
        if let Some(preferred) = pool.preferred {
            all = vec![preferred];
        }
        let first = turn % all.len().max(1);
        all.rotate_left(first);
        (all, pool.fail_open)
    }

    /// What is hashed; with stickiness the source address and the protocol alone.
    fn words(&self, opening: Opening, sticky: bool) -> [u64; 4] {
        let protocol: u64 = match self.protocol {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
        };
        let Opening { from, to, isn } = opening;
        if sticky {
            return [protocol, u64::from(from.ip().to_bits()), 0, 0];
        }
        [
            protocol,
            u64::from(from.ip().to_bits()) << 32 | u64::from(to.ip().to_bits()),
            u64::from(from.port()) << 16 | u64::from(to.port()),
            u64::from(isn),
        ]
    }
}

fn pick_by_weight(several: &[Forwarding], hash: u64) -> Option<&Forwarding> {
    let total = several.iter().map(|one| usize::from(one.weight)).sum();
    if total == 0 {
        return None;
    }
    let mut left = random::pick(hash, total);
    several.iter().find(|one| {
        let weight = usize::from(one.weight);
        let found = left < weight;
        left = left.saturating_sub(weight);
        found
    })
}
