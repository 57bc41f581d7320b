//! What the fabric does for balancers that are proxies: it chooses their targets, says how those stand, and counts.
//!
//! Observed on: AWS Classic Load Balancers, whose TCP listeners take their instances in turn, one a connection; AWS Application Load
//! Balancers, whose listeners spread requests over several target groups by weight, and do not fail over from one that is empty to another
//! ("Listener rules for your Application Load Balancer", weighted target groups).

use super::super::config::{BalancerId, Config, GroupId, Kind, Listener, Protocol, ZonalId};
use super::super::listener::{Candidate, Listening};
use super::super::metric::Metric;
use super::super::random;
use super::super::targets::{Scope, Standing};
use super::{Balancers, State};
use crate::packet::Headers;
use std::net::SocketAddrV4;
use std::time::Duration;

/// Told apart from the hashes of flows.
const REQUEST_HASH: u64 = 0x72_6571_7565_7374;

/// Where a proxy works: one of its listeners at one of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Which balancer.
    pub balancer: BalancerId,
    /// At which of its addresses.
    pub zonal: ZonalId,
    /// At which of its listeners, by its port.
    pub port: u16,
}

/// A target for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// Which: its place in the group.
    pub target: usize,
    /// Where it is reached.
    pub address: SocketAddrV4,
    /// Too few targets were healthy, so health did not count.
    pub fail_open: bool,
}

/// Where a proxy takes connections; none: it has no such listener any more.
fn listener(balancers: &[State], at: Place) -> Option<&Listening> {
    let mut listeners = balancers[usize::from(at.balancer.0)].listeners.iter();
    listeners.find(|one| one.port == at.port && one.protocol == Protocol::Tcp)
}

impl Balancers {
    /// The target whose turn it is, of one of the groups that a proxy's listener forwards to.
    pub fn next_target(&mut self, at: Place, group: GroupId) -> Option<Assigned> {
        let listener = listener(&self.balancers, at)?;
        let turn = self.turns.entry((at, group)).or_default();
        let (candidate, fail_open) = listener.rotate(at.zonal, group, *turn)?;
        *turn = turn.wrapping_add(1);
        Some(Assigned {
            target: candidate.index,
            address: candidate.address,
            fail_open,
        })
    }

    /// The group of the next request at a proxy's listener, drawn by the weights of its groups. None: there is no such listener, or none
    /// of its groups has any weight.
    pub fn next_group(&mut self, at: Place) -> Option<GroupId> {
        let listener = listener(&self.balancers, at)?;
        let draw = self.draws.entry(at).or_default();
        let words = [
            u64::from(at.balancer.0),
            u64::from(at.zonal.0),
            u64::from(at.port),
            *draw,
        ];
        *draw += 1;
        listener.draw(random::hash(self.seed ^ REQUEST_HASH, &words))
    }

    /// All targets that a request may go to, the one whose turn it is first. `bound`: the one that the request is for, which
    /// takes nobody's turn where it is among them.
    pub fn candidates(
        &mut self,
        at: Place,
        group: GroupId,
        bound: Option<SocketAddrV4>,
    ) -> Vec<Assigned> {
        let Some(listener) = listener(&self.balancers, at) else {
            return Vec::new();
        };
        let turn = self.turns.entry((at, group)).or_default();
        let (all, fail_open) = listener.candidates(at.zonal, group, *turn);
        if !all.iter().any(|one| Some(one.address) == bound) {
            *turn = turn.wrapping_add(1);
        }
        let assigned = |candidate: Candidate| Assigned {
            target: candidate.index,
            address: candidate.address,
            fail_open,
        };
        all.into_iter().map(assigned).collect()
    }

    /// How a target stands, as the zonal address of a proxy sees it; where the listener does not forward to its group any more, as its
    /// registration says.
    pub fn standing(&self, config: &Config, at: Place, group: GroupId, target: usize) -> Standing {
        let balancer = &config.balancers[usize::from(at.balancer.0)];
        let mut listeners = balancer.listeners.iter();
        let listens = |one: &&Listener| one.port == at.port && one.protocol == Protocol::Tcp;
        let scope = listeners.find(listens).and_then(|listener| {
            let mut scopes = Scope::at(at.balancer, balancer, at.zonal, listener);
            scopes.find(|scope| scope.forward.group == group)
        });
        self.targets.standing((group, target), scope)
    }

    /// Counts a packet between a client and a proxy's kernel, or between that of a TLS listener and a target: only its RSTs, which
    /// are the balancer's own; `sent`: by the kernel.
    pub fn proxied(
        &mut self,
        config: &Config,
        (balancer, zonal): (BalancerId, ZonalId),
        sent: bool,
        headers: &Headers,
    ) {
        let own = if sent { headers.from } else { headers.to };
        let node = self.meter.node(balancer, zonal);
        let (metric, events) = match config.balancers[usize::from(balancer.0)].kind {
            Kind::Classic(_) if self.listens(balancer, own.port(), Protocol::Tcp) => {
                let bytes = headers.payload_len() as u64;
                (Metric::EstimatedProcessedBytes, bytes)
            }
            Kind::Network if sent && headers.is_reset() => (Metric::TcpElbResetCount, 1),
            Kind::Classic(_) | Kind::Network | Kind::Application(_) => return,
        };
        self.meter.add(node, metric, events);
    }

    /// Counts what a proxy did: events of a metric that is a sum, or the change of a level.
    pub fn tell(&mut self, at: Place, group: Option<GroupId>, metric: Metric, change: i64) {
        let node = self.meter.node(at.balancer, at.zonal);
        self.meter.tell(node, group, metric, change);
    }

    /// Counts how long something took that a proxy did.
    pub fn took(&mut self, at: Place, group: Option<GroupId>, metric: Metric, time: Duration) {
        let node = self.meter.node(at.balancer, at.zonal);
        self.meter.took(node, group, metric, time);
    }
}
