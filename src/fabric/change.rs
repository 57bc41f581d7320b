//! What may be done to a running network: the calls of a control plane, and faults.

use super::config::{Config, GroupId, PortId};
use super::faults::DropRule;
use super::guard::Watch;
use super::{Fabric, Output};
use std::time::Duration;

/// Something done to the running network.
#[derive(Clone, Debug)]
pub enum Change {
    /// A target is registered with its group (AWS: RegisterTargets). One that is registered stays so.
    Register {
        /// Its group.
        group: GroupId,
        /// Its place in [`super::config::TargetGroup::targets`].
        target: usize,
    },
    /// A target is deregistered (AWS: DeregisterTargets): it gets no new flows, and keeps those it has.
    Deregister {
        /// Its group.
        group: GroupId,
        /// Its place in [`super::config::TargetGroup::targets`].
        target: usize,
    },
    /// An endpoint of a service comes to all service proxies, or is taken out of them.
    Endpoint {
        /// The number of its service in [`super::config::ServiceProxy::services`].
        service: usize,
        /// Its place in [`super::config::VirtualService::endpoints`].
        endpoint: usize,
        /// It comes.
        there: bool,
    },
    /// Settings change: attributes, listeners and their groups and weights, knobs, links. Hosts, balancers, groups
    /// and targets are the same, in the same order.
    Configure(Box<Config>),
    /// A host's link goes down: nothing comes from it and nothing gets to it, and nobody is told.
    LinkDown(PortId),
    /// A host's power goes: its link is down, and its service proxy knows no connection any more. `LinkUp` ends it.
    PowerOff(PortId),
    /// It comes up again.
    LinkUp(PortId),
    /// Packets are dropped by rule. Rules are numbered in the order of their coming, from 0.
    Drop(Box<DropRule>),
    /// A rule ends, by its number.
    EndDrop(usize),
}

impl Fabric {
    /// Does something to the network. What was due before is done first.
    ///
    /// Panics when the configuration has no such group or target.
    pub fn apply(&mut self, now: Duration, change: Change, out: &mut impl Output) {
        self.advance(now, out);
        match change {
            Change::Register { group, target } => {
                let place = (group, target);
                self.balancers
                    .set_registered(&self.config, self.now, place, true);
            }
            Change::Deregister { group, target } => {
                let place = (group, target);
                self.balancers
                    .set_registered(&self.config, self.now, place, false);
            }
            Change::Endpoint {
                service,
                endpoint,
                there,
            } => {
                if let Some(proxy) = &self.config.service_proxy {
                    let place = (service, endpoint);
                    self.service_proxies.set_endpoint(proxy, place, there);
                }
            }
            Change::LinkDown(port) => self.faults.set_link(port, false),
            Change::PowerOff(port) => {
                self.faults.set_link(port, false);
                self.service_proxies.forget(port);
            }
            Change::LinkUp(port) => self.faults.set_link(port, true),
            Change::Drop(rule) => self.faults.add(*rule, &self.config),
            Change::EndDrop(rule) => self.faults.end(rule),
            Change::Configure(config) => {
                self.balancers.configure(self.now, &self.config, &config);
                self.links.configure(&config);
                self.watch = Watch::configure(self.watch.take(), &config);
                self.config = *config;
            }
        }
        self.epoch += 1;
        self.control(self.now, out);
        self.wake();
    }
}
