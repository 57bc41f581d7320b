//! What the health of targets does to the balancers: whom listeners can choose, whose flows are refused.

use super::super::config::{Balancer, BalancerId, Config, GroupId, Kind, OnZoneDisabled, ZonalId};
use super::super::listener::Listening;
use super::super::metric::Metric;
use super::super::record::{Answer, FlowId, FlowState, Reason};
use super::super::targets::{HostCounts, Probe, Scope, Targets};
use super::{Balancers, Decision};
use crate::packet::{Headers, TCP};
use std::time::Duration;

/// A target of whose flows one zonal address wants to hear no more.
pub(super) type Refused = (BalancerId, ZonalId, GroupId, usize);

impl Balancers {
    /// The live state of every target.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Registers or deregisters a target.
    pub fn set_registered(
        &mut self,
        config: &Config,
        now: Duration,
        (group, target): (GroupId, usize),
        registered: bool,
    ) {
        if registered {
            self.targets.register(group, target);
        } else if !self.targets.is_deregistered(group, target) {
            self.targets.deregister(group, target);
            self.schedule_deregistration(config, now, group, target);
        }
        self.listen(config);
    }

    /// Takes the result of a health check.
    pub fn probe_done(&mut self, config: &Config, probe: Probe) {
        let balancer = &config.balancers[usize::from(probe.balancer.0)];
        let counts_errors = matches!(balancer.kind, Kind::Classic(_));
        if counts_errors && !probe.connected && self.targets.is_checked(probe.group, probe.target) {
            // AWS: errors of health checks are among them.
            let node = self.meter.node(probe.balancer, probe.zonal);
            self.meter.add(node, Metric::BackendConnectionErrors, 1);
        }
        if self.targets.probe_done(probe) {
            self.listen(config);
        }
    }

    /// Changes whenever [`Balancers::listen`] worked: then names may have other addresses.
    pub fn works(&self) -> u64 {
        self.works
    }

    /// What becomes of a packet to or from a zonal address that is not there now; none: it is there, or this flow
    /// may end in peace.
    pub(super) fn gone(
        &self,
        balancer: BalancerId,
        zonal: ZonalId,
        flow: Option<FlowId>,
        headers: &Headers,
    ) -> Option<Decision> {
        let state = self.state(balancer);
        if !state.disabled.contains(&zonal) {
            return None;
        }
        let goes_on = flow.is_some_and(|flow| self.table.entry(flow).is_live());
        match state.on_zone_disabled {
            OnZoneDisabled::Keep if goes_on && !headers.is_opening() => None,
            OnZoneDisabled::Keep | OnZoneDisabled::Drop => Some(Decision::Drop {
                reason: Reason::ZoneDisabled,
                flow,
            }),
        }
    }

    /// Works out anew what every listener can choose from, and whose flows are refused. Flows keep what they chose.
    pub fn listen(&mut self, config: &Config) {
        self.works += 1;
        self.refused.clear();
        let any_unhealthy = self.targets.any_unhealthy();
        for (number, balancer) in config.balancers.iter().enumerate() {
            let id = BalancerId(number as u16);
            let listeners = balancer.listeners.iter();
            self.balancers[number].listeners = listeners
                .map(|listener| Listening::new(config, &self.targets, id, balancer, listener))
                .collect();
            self.tell_meter(id, balancer, config.groups.len());
            if !any_unhealthy {
                continue;
            }
            let listeners = balancer.listeners.iter();
            for scope in listeners.flat_map(|l| Scope::all(id, balancer, l)) {
                let group = scope.forward.group;
                let all = 0..config.groups[group.0 as usize].targets.len();
                let refused = all
                    .filter(|target| self.targets.resets(*target, scope))
                    .map(|target| (id, scope.zonal, group, target));
                self.refused.extend(refused);
            }
        }
    }

    /// What each zonal address thinks of the targets, and of itself; of so many groups those to which it does not forward have none
    /// there.
    fn tell_meter(&mut self, id: BalancerId, balancer: &Balancer, groups: usize) {
        let groups = (0..groups).map(|number| GroupId(number as u16));
        let others: Vec<GroupId> = groups
            .filter(|group| !balancer.forwards_to(*group))
            .collect();
        for zonal in (0..balancer.zonal.len()).map(|number| ZonalId(number as u8)) {
            let node = self.meter.node(id, zonal);
            for group in &others {
                self.meter.hosts(node, *group, HostCounts::default());
            }
            let mut enough = true;
            let listeners = balancer.listeners.iter();
            for scope in listeners.flat_map(|l| Scope::at(id, balancer, zonal, l)) {
                if let Some(counts) = self.targets.host_counts(scope) {
                    self.meter.hosts(node, scope.forward.group, counts);
                }
                enough &= self.targets.enough_for_dns(scope);
            }
            self.meter.zone(node, enough);
        }
    }

    /// AWS: a RST in answer to each packet that a client sends on a flow of an unhealthy target. Its own RSTs go on
    /// to the target, which would otherwise never hear of the end.
    pub(super) fn refuse(
        &mut self,
        now: Duration,
        flow: FlowId,
        headers: &Headers,
    ) -> Option<Decision> {
        if self.refused.is_empty() || headers.protocol != TCP || headers.is_reset() {
            return None;
        }
        let record = self.table.record(flow);
        let place = (record.balancer, record.zonal, record.group, record.target);
        if !self.refused.contains(&place) {
            return None;
        }
        if self.table.entry(flow).is_live() {
            self.enter(now, flow, FlowState::Closed);
        }
        let node = self.table.entry(flow).node;
        self.meter.add(node, Metric::TcpElbResetCount, 1);
        Some(Decision::Reset {
            answer: Answer::ResetUnhealthy,
            flow: Some(flow),
        })
    }
}
