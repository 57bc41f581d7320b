//! The live state of every target: registered or not, healthy or not, and who may get a new flow.
//!
//! Observed on: the control plane of an AWS target group, and the view each zonal address has of it. What a zonal
//! address does with a flow hangs on its own view; `describe-target-health` tells what all of them think together.
//!
//! Facts are kept with their times (registered at, thought unhealthy since); states follow from them and the time.
//! So a moment at which something runs out is no event that could be missed, only a time to look again.

mod opinion;
mod routing;
mod state;

use super::config::{BalancerId, Config, GroupId, TargetGroup, ZonalId};
use opinion::{Checker, Opinion, Verdict, consensus};
use std::time::Duration;

pub use routing::{HostCounts, Scope, zone_in_dns};
pub use state::{HealthReason, HealthState, Outcome, Probe, Standing, TargetHealth, Transition};

/// The targets of all groups.
pub struct Targets {
    groups: Vec<Group>,
    now: Duration,
    /// When a state may change by itself.
    next: Option<Duration>,
}

struct Group {
    config: TargetGroup,
    /// The zonal addresses that forward to it.
    viewers: Vec<(BalancerId, ZonalId)>,
    /// The zones those are in.
    zones: Vec<String>,
    targets: Vec<Live>,
}

/// A target's facts.
struct Live {
    membership: Membership,
    /// By viewer.
    views: Vec<View>,
    /// What all views think together.
    opinion: Opinion,
    /// The last check that failed.
    failure: Outcome,
    health: TargetHealth,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Membership {
    /// Not registered, or never heard of.
    Absent,
    /// Registered; usable from then on.
    Registered {
        usable: Duration,
    },
    Deregistered {
        at: Duration,
    },
}

/// How one zonal address sees a target.
#[derive(Clone, Debug, Default)]
struct View {
    checkers: Vec<Checker>,
    opinion: Opinion,
}

impl Targets {
    /// As configured. What is registered in the beginning has been so for long.
    pub fn new(config: &Config) -> Self {
        let groups = config.groups.iter().map(|group| Group {
            config: group.clone(),
            viewers: Vec::new(),
            zones: Vec::new(),
            targets: group
                .targets
                .iter()
                .map(|target| Live {
                    membership: if target.registered {
                        Membership::Registered {
                            usable: Duration::ZERO,
                        }
                    } else {
                        Membership::Absent
                    },
                    views: Vec::new(),
                    opinion: Opinion::default(),
                    failure: Outcome::default(),
                    health: TargetHealth::default(),
                })
                .collect(),
        });
        let mut targets = Self {
            groups: groups.collect(),
            now: Duration::ZERO,
            next: None,
        };
        targets.configure(config);
        targets
    }

    /// Takes over what a new configuration says; facts stay. It must have the same groups and targets.
    pub fn configure(&mut self, config: &Config) {
        let now = self.now;
        for (number, group) in self.groups.iter_mut().enumerate() {
            group.config.clone_from(&config.groups[number]);
            group.look_from(viewers(config, GroupId(number as u16)));
            group.think_anew(now);
            let mut zones: Vec<String> = group
                .viewers
                .iter()
                .map(|(balancer, zonal)| {
                    let balancer = &config.balancers[balancer.0 as usize];
                    balancer.zonal[zonal.0 as usize].zone.clone()
                })
                .collect();
            zones.sort();
            zones.dedup();
            group.zones = zones;
        }
        self.settle();
    }

    /// One target's health.
    pub fn health(&self, group: GroupId, target: usize) -> &TargetHealth {
        &self.group(group).targets[target].health
    }

    /// When something may change by itself.
    pub fn next_check(&self) -> Option<Duration> {
        self.next
    }

    /// Lets time pass. True when a state or a view may have changed.
    #[inline]
    pub fn advance(&mut self, now: Duration) -> bool {
        let mut changed = false;
        while let Some(next) = self.next
            && next <= now
        {
            self.now = next;
            self.settle();
            changed = true;
        }
        self.now = self.now.max(now);
        changed
    }

    /// Registers a target.
    pub fn register(&mut self, group: GroupId, target: usize) {
        let now = self.now;
        let group = self.group_mut(group);
        let delay = group.config.emulate.register_delay;
        let live = &mut group.targets[target];
        if !matches!(live.membership, Membership::Registered { .. }) {
            live.membership = Membership::Registered {
                usable: now + delay,
            };
            live.opinion = Opinion::default();
            let views = live.views.iter_mut();
            views.for_each(|view| *view = View::default());
            self.settle();
        }
    }

    /// Deregisters a target.
    pub fn deregister(&mut self, group: GroupId, target: usize) {
        let at = self.now;
        let live = &mut self.group_mut(group).targets[target];
        if matches!(live.membership, Membership::Registered { .. }) {
            live.membership = Membership::Deregistered { at };
            self.settle();
        }
    }

    /// Takes the result of a check. One of a target that is not to be checked, or from where nobody looks, counts
    /// for nothing. True when a view may have changed.
    pub fn probe_done(&mut self, probe: Probe) -> bool {
        let now = self.now;
        let group = &mut self.groups[probe.group.0 as usize];
        let viewer = group
            .viewers
            .iter()
            .position(|viewer| *viewer == (probe.balancer, probe.zonal));
        let (Some(check), Some(viewer)) = (&group.config.health_check, viewer) else {
            return false;
        };
        let live = &mut group.targets[probe.target];
        if !live.is_checked(now, &group.config) || probe.checker >= check.checkers {
            return false;
        }
        let rule = group.config.emulate.consensus;
        live.health.checks += 1;
        live.health.failed_checks += u64::from(!probe.outcome.passed());
        let failure = match probe.outcome.passed() {
            true => live.failure,
            false => probe.outcome,
        };
        let other_reason = std::mem::replace(&mut live.failure, failure) != failure;
        let view = &mut live.views[viewer];
        view.checkers
            .resize_with(check.checkers.into(), Checker::default);
        view.checkers[usize::from(probe.checker)].judge(probe.outcome.passed(), check);
        let verdict = consensus(rule, view.checkers.iter().map(Checker::verdict));
        if verdict == view.opinion.verdict {
            if other_reason {
                self.settle();
            }
            return false;
        }
        view.opinion.set(now, verdict);
        let all = consensus(rule, live.views.iter().map(|view| view.opinion.verdict));
        live.opinion.set(now, all);
        self.settle();
        true
    }

    /// True when a target is to be checked now: it is registered and the registration is through, or it is
    /// draining.
    pub fn is_checked(&self, group: GroupId, target: usize) -> bool {
        let group = self.group(group);
        group.config.health_check.is_some()
            && group.targets[target].is_checked(self.now, &group.config)
    }

    fn group(&self, group: GroupId) -> &Group {
        &self.groups[group.0 as usize]
    }

    fn group_mut(&mut self, group: GroupId) -> &mut Group {
        &mut self.groups[group.0 as usize]
    }

    /// Writes down the states that follow from the facts now, and when to look again.
    fn settle(&mut self) {
        let now = self.now;
        let mut next: Option<Duration> = None;
        for group in &mut self.groups {
            for index in 0..group.targets.len() {
                let (state, reason) = group.state(now, index);
                let live = &mut group.targets[index];
                if live.health.transitions.is_empty() || live.health.now() != (state, reason) {
                    live.health.transitions.push(Transition {
                        at: now,
                        state,
                        reason,
                    });
                }
                let later = live.moments(&group.config).filter(|at| *at > now);
                next = next.into_iter().chain(later).min();
            }
        }
        self.next = next;
    }
}

/// The zonal addresses that forward to a group.
fn viewers(config: &Config, group: GroupId) -> Vec<(BalancerId, ZonalId)> {
    (0u16..)
        .map(BalancerId)
        .zip(&config.balancers)
        .filter(|(_, balancer)| balancer.forwards_to(group))
        .flat_map(|(id, balancer)| {
            let zonal = (0u8..).map(ZonalId).zip(&balancer.zonal);
            let enabled = zonal.filter(|(_, place)| place.enabled);
            enabled.map(move |(zonal, _)| (id, zonal))
        })
        .collect()
}

impl Group {
    /// Changes who looks at the targets; those who did keep what they think.
    fn look_from(&mut self, viewers: Vec<(BalancerId, ZonalId)>) {
        for live in &mut self.targets {
            live.views = viewers
                .iter()
                .map(|viewer| {
                    let old = self.viewers.iter().position(|other| other == viewer);
                    old.map(|old| std::mem::take(&mut live.views[old]))
                        .unwrap_or_default()
                })
                .collect();
        }
        self.viewers = viewers;
    }

    /// What is thought of the targets, by those who look at them now and by the rule that holds now.
    fn think_anew(&mut self, now: Duration) {
        let rule = self.config.emulate.consensus;
        for live in &mut self.targets {
            for view in &mut live.views {
                let verdicts = view.checkers.iter().map(Checker::verdict);
                view.opinion.set(now, consensus(rule, verdicts));
            }
            let all = live.views.iter().map(|view| view.opinion.verdict);
            live.opinion.set(now, consensus(rule, all));
        }
    }

    /// As `describe-target-health` would say.
    fn state(&self, now: Duration, target: usize) -> (HealthState, HealthReason) {
        let live = &self.targets[target];
        let attributes = &self.config.attributes;
        let zone = self.config.targets[target].zone.as_ref();
        let usable = match live.membership {
            Membership::Absent => return (HealthState::Unused, HealthReason::NotRegistered),
            Membership::Deregistered { at } if now < at + attributes.deregistration_delay => {
                return (
                    HealthState::Draining,
                    HealthReason::DeregistrationInProgress,
                );
            }
            Membership::Deregistered { .. } => {
                return (HealthState::Unused, HealthReason::NotRegistered);
            }
            Membership::Registered { usable } => usable,
        };
        let enabled = zone.is_none_or(|zone| self.zones.contains(zone));
        if self.viewers.is_empty() || !enabled {
            return (HealthState::Unused, HealthReason::NotInUse);
        }
        if now < usable {
            return (HealthState::Initial, HealthReason::RegistrationInProgress);
        }
        match self.verdict(&live.opinion) {
            None => (HealthState::Initial, HealthReason::InitialHealthChecking),
            Some(true) => (HealthState::Healthy, HealthReason::None),
            Some(false) => {
                let draining = !attributes.terminate_unhealthy
                    && now < live.opinion.since + attributes.unhealthy_draining;
                let state = if draining {
                    HealthState::UnhealthyDraining
                } else {
                    HealthState::Unhealthy
                };
                let reason = match self.config.http {
                    true => live.failure.reason(),
                    false => HealthReason::FailedHealthChecks,
                };
                (state, reason)
            }
        }
    }

    /// Without checks everything is healthy.
    fn verdict(&self, opinion: &Opinion) -> Verdict {
        match self.config.health_check {
            None => Some(true),
            Some(_) => opinion.verdict,
        }
    }
}

impl Live {
    fn is_checked(&self, now: Duration, config: &TargetGroup) -> bool {
        match self.membership {
            Membership::Absent => false,
            Membership::Registered { usable } => usable <= now,
            Membership::Deregistered { at } => now < at + config.attributes.deregistration_delay,
        }
    }

    /// When something about it runs out, past or future.
    fn moments(&self, config: &TargetGroup) -> impl Iterator<Item = Duration> {
        let membership = match self.membership {
            Membership::Absent => [None, None],
            Membership::Registered { usable } => [Some(usable), None],
            Membership::Deregistered { at } => [
                Some(at + config.attributes.deregistration_delay),
                Some(at + config.emulate.deregister_propagation),
            ],
        };
        let (propagation, interval) = (
            config.emulate.unhealthy_propagation,
            config.attributes.unhealthy_draining,
        );
        let opinions = self.views.iter().map(|view| view.opinion);
        let unhealthy = opinions
            .chain([self.opinion])
            .filter(|opinion| opinion.verdict == Some(false))
            .flat_map(move |opinion| [opinion.since + propagation, opinion.since + interval]);
        membership.into_iter().flatten().chain(unhealthy)
    }
}
