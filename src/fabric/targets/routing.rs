//! Who may get a new flow, which flows are answered with RST, and which zonal addresses are in DNS: the view of one
//! zonal address.

use super::super::config::{
    Balancer, BalancerId, Config, Forward, GroupId, Listener, OnDrainingFailure, ZonalId,
};
use super::{Group, Live, Membership, Standing, Targets};
use std::time::Duration;

/// Where a decision is made: a zonal address, and a group it forwards to.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Whose address.
    pub id: BalancerId,
    /// Which.
    pub zonal: ZonalId,
    /// The balancer.
    pub balancer: &'a Balancer,
    /// The group, and how it is forwarded to.
    pub forward: &'a Forward,
}

impl<'a> Scope<'a> {
    /// Each zonal address of a balancer with each group of one of its listeners.
    pub fn all(
        id: BalancerId,
        balancer: &'a Balancer,
        listener: &'a Listener,
    ) -> impl Iterator<Item = Self> {
        let zonal = (0u8..).map(ZonalId).zip(&balancer.zonal);
        zonal.flat_map(move |(zonal, _)| Self::at(id, balancer, zonal, listener))
    }

    /// One zonal address with each group of a listener.
    pub fn at(
        id: BalancerId,
        balancer: &'a Balancer,
        zonal: ZonalId,
        listener: &'a Listener,
    ) -> impl Iterator<Item = Self> {
        listener.forward.iter().map(move |forward| Self {
            id,
            zonal,
            balancer,
            forward,
        })
    }
}

/// What a zonal address can choose from.
#[derive(Debug, PartialEq, Eq)]
pub struct Choice {
    /// By place in the group.
    pub targets: Vec<usize>,
    /// Too few are healthy: all are chosen from.
    pub fail_open: bool,
}

/// How many targets are how (CloudWatch: `HealthyHostCount` and `UnHealthyHostCount`). Those that have no health yet are
/// neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostCounts {
    /// They get new flows.
    pub healthy: usize,
    /// They failed their checks, and that is known.
    pub unhealthy: usize,
    /// With those that are neither.
    pub registered: usize,
}

impl Targets {
    /// What a new flow may go to.
    pub fn choice(&self, scope: Scope<'_>) -> Choice {
        self.group(scope.forward.group).choice(self.now, scope)
    }

    /// True when what a client sends to this target is answered with RST, because the target is unhealthy. Not so
    /// when too few are healthy. Without termination an interval of draining is a respite: AWS says that a target that has not
    /// recovered by its end becomes `unhealthy` and loses its connections. With no interval they go on. A target that is
    /// deregistered is `draining` whatever its checks say then; what made it `unhealthy` before goes on (AWS's advice to who
    /// wants the connections closed: have it unhealthy before you deregister it).
    pub fn resets(&self, target: usize, scope: Scope<'_>) -> bool {
        let group = self.group(scope.forward.group);
        let attributes = &group.config.attributes;
        let live = &group.targets[target];
        let Some(viewer) = group.viewer(scope) else {
            return false;
        };
        let opinion = &live.views[viewer].opinion;
        if group.verdict(opinion) != Some(false) {
            return false;
        }
        let emulate = &group.config.emulate;
        let (unhealthy, from) = if attributes.terminate_unhealthy {
            (opinion.since, opinion.since + emulate.unhealthy_propagation)
        } else if attributes.unhealthy_draining > Duration::ZERO {
            let end = opinion.since + attributes.unhealthy_draining;
            (end, end)
        } else {
            return false;
        };
        let counts = match (live.membership, emulate.on_draining_failure) {
            (Membership::Absent, _) => false,
            (Membership::Registered { .. }, _) => true,
            (Membership::Deregistered { .. }, OnDrainingFailure::Reset) => true,
            (Membership::Deregistered { at }, OnDrainingFailure::Keep) => unhealthy <= at,
        };
        counts && self.now >= from && !group.choice(self.now, scope).fail_open
    }

    /// How a target stands at one zonal address; without a scope, where nobody forwards to it.
    pub fn standing(
        &self,
        (group, target): (GroupId, usize),
        scope: Option<Scope<'_>>,
    ) -> Standing {
        let group = self.group(group);
        let delay = group.config.attributes.deregistration_delay;
        let live = &group.targets[target];
        match live.membership {
            Membership::Absent => Standing::Gone,
            Membership::Deregistered { at } if self.now < at + delay => Standing::Draining,
            Membership::Deregistered { .. } => Standing::Gone,
            Membership::Registered { .. } => {
                let viewer = scope.and_then(|scope| group.viewer(scope));
                let unhealthy = viewer.is_some_and(|viewer| {
                    let opinion = &live.views[viewer].opinion;
                    group.verdict(opinion) == Some(false)
                        && self.now >= opinion.since + group.config.emulate.unhealthy_propagation
                });
                match unhealthy {
                    true => Standing::Unhealthy,
                    false => Standing::InService,
                }
            }
        }
    }

    /// False when a group behind the zonal address has fewer healthy targets than `dns_failover` wants.
    pub fn enough_for_dns(&self, scope: Scope<'_>) -> bool {
        let group = self.group(scope.forward.group);
        let (healthy, all) = group.count(self.now, scope);
        !group
            .config
            .attributes
            .dns_failover
            .is_breached(healthy, all)
    }

    /// True when a target is deregistered.
    pub fn is_deregistered(&self, group: GroupId, target: usize) -> bool {
        match self.group(group).targets[target].membership {
            Membership::Absent | Membership::Deregistered { .. } => true,
            Membership::Registered { .. } => false,
        }
    }

    /// True when some target is thought unhealthy somewhere.
    pub fn any_unhealthy(&self) -> bool {
        self.groups.iter().any(|group| {
            let mut views = group.targets.iter().flat_map(|live| &live.views);
            group.config.health_check.is_some()
                && views.any(|view| view.opinion.verdict == Some(false))
        })
    }

    /// What one zonal address thinks of the targets that it can reach. None: they are not counted, for the group leads to
    /// an application balancer.
    pub fn host_counts(&self, scope: Scope<'_>) -> Option<HostCounts> {
        let group = self.group(scope.forward.group);
        if group.config.inner.is_some() {
            return None;
        }
        let (healthy, registered) = group.count(self.now, scope);
        let viewer = group.viewer(scope);
        let unhealthy = (0..group.targets.len())
            .filter(|target| group.reaches(scope, *target))
            .filter(|target| group.targets[*target].is_registered())
            .filter(|target| group.is_unhealthy(self.now, *target, viewer));
        Some(HostCounts {
            healthy,
            unhealthy: unhealthy.count(),
            registered,
        })
    }
}

impl Group {
    fn viewer(&self, scope: Scope<'_>) -> Option<usize> {
        let wanted = (scope.id, scope.zonal);
        self.viewers.iter().position(|viewer| *viewer == wanted)
    }

    fn reaches(&self, scope: Scope<'_>, target: usize) -> bool {
        let target = &self.config.targets[target];
        scope.balancer.reaches(scope.zonal, scope.forward, target)
    }

    /// Healthy targets of all that are registered, at one zonal address.
    fn count(&self, now: Duration, scope: Scope<'_>) -> (usize, usize) {
        let viewer = self.viewer(scope);
        let registered: Vec<usize> = (0..self.targets.len())
            .filter(|target| self.reaches(scope, *target))
            .filter(|target| self.targets[*target].is_registered())
            .collect();
        let healthy = registered
            .iter()
            .filter(|target| self.targets[**target].is_known(now, self))
            .filter(|target| self.passes(now, **target, viewer))
            .count();
        (healthy, registered.len())
    }

    fn choice(&self, now: Duration, scope: Scope<'_>) -> Choice {
        let viewer = self.viewer(scope);
        let (healthy, all) = self.count(now, scope);
        let fail_open = all > 0 && self.config.attributes.routing.is_breached(healthy, all);
        let targets = (0..self.targets.len())
            .filter(|target| self.reaches(scope, *target))
            .filter(|target| self.targets[*target].is_known(now, self))
            .filter(|target| fail_open || self.passes(now, *target, viewer))
            .collect();
        Choice { targets, fail_open }
    }

    /// Healthy, as a zonal address sees it.
    fn passes(&self, now: Duration, target: usize, viewer: Option<usize>) -> bool {
        let Some(viewer) = viewer else {
            return false;
        };
        let opinion = &self.targets[target].views[viewer].opinion;
        match self.verdict(opinion) {
            Some(true) => true,
            // The news is on its way.
            Some(false) => {
                opinion.was_healthy
                    && now < opinion.since + self.config.emulate.unhealthy_propagation
            }
            None => false,
        }
    }
}

impl Group {
    /// Unhealthy, as a zonal address sees it; one without a kernel to check from has never seen anything else.
    fn is_unhealthy(&self, now: Duration, target: usize, viewer: Option<usize>) -> bool {
        let Some(viewer) = viewer else {
            return true;
        };
        let opinion = &self.targets[target].views[viewer].opinion;
        self.verdict(opinion) == Some(false) && !self.passes(now, target, Some(viewer))
    }
}

impl Live {
    fn is_registered(&self) -> bool {
        matches!(self.membership, Membership::Registered { .. })
    }

    /// The zonal addresses send it new flows, health apart.
    fn is_known(&self, now: Duration, group: &Group) -> bool {
        match self.membership {
            Membership::Absent => false,
            Membership::Registered { usable } => usable <= now,
            // The news is on its way.
            Membership::Deregistered { at } => {
                now < at + group.config.emulate.deregister_propagation
            }
        }
    }
}

/// True when a zonal address is in its balancer's DNS name: every group behind the balancer has enough healthy
/// targets there, or no zonal address can say that.
pub fn zone_in_dns(config: &Config, targets: &Targets, id: BalancerId, zonal: ZonalId) -> bool {
    let balancer = &config.balancers[id.0 as usize];
    let good = |zonal: ZonalId| {
        let listeners = balancer.listeners.iter();
        let mut scopes = listeners.flat_map(|l| Scope::at(id, balancer, zonal, l));
        scopes.all(|scope| targets.enough_for_dns(scope))
    };
    good(zonal) || !(0..balancer.zonal.len()).any(|zonal| good(ZonalId(zonal as u8)))
}
