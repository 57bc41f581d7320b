//! Guards: security groups before network interfaces, network ACLs around subnets. What they refuse is dropped
//! without a word, and the sender never learns of it.
//!
//! Observed on: an AWS VPC. Not here: when a packet meets which guard (see `checkpoints`).

pub mod rules;

mod network_acl;
mod security_group;

use super::config::{BalancerId, Config, EndpointPlace, PortId, ZonalId};
use super::record::{GuardKind, Interface, Reason, Refusal};
use crate::packet::Headers;
use crate::packet::stand_in::{StandIns, is_stand_in};
use network_acl::Denied;
use rules::{Direction, Guards, Peer, Range, SecurityGroupId, SubnetId, Traffic, View};
use rustc_hash::FxHashMap;
use security_group::{Memory, Question};
use std::sync::Arc;
use std::time::Duration;

/// The guards of a network and what they remember.
pub struct Watch {
    rules: Guards,
    /// By port.
    memories: Vec<Memory>,
    /// Of guards that have refused something by the rules as they are now.
    names: FxHashMap<GuardKind, Arc<[String]>>,
    refusals: Vec<Refusal>,
    limit: usize,
}

/// A packet, and when it came to a guard.
#[derive(Clone, Copy)]
pub struct AtGuard<'a> {
    /// When.
    pub at: Duration,
    /// Its number.
    pub packet: u64,
    /// What the guard sees of it.
    pub view: View,
    /// The rest of it.
    pub headers: &'a Headers,
    /// It belongs to a health check.
    pub probe: bool,
    /// Which IPv6 addresses are meant in it.
    pub stand_ins: &'a StandIns,
}

/// The guards as a load balancer asks them.
pub struct Gate<'a> {
    /// Them.
    pub watch: &'a mut Watch,
    /// Which IPv6 addresses are meant in what it asks about.
    pub stand_ins: &'a StandIns,
}

impl<'a> Gate<'a> {
    /// None where nothing is guarded.
    pub fn of(watch: &'a mut Option<Box<Watch>>, stand_ins: &'a StandIns) -> Option<Self> {
        let watch = watch.as_deref_mut()?;
        Some(Self { watch, stand_ins })
    }
}

impl Watch {
    /// Guards that remember nothing yet; none when there is nothing to guard. `limit`: refusals that are kept.
    pub fn new(rules: &Guards, limit: usize) -> Option<Box<Self>> {
        (!rules.is_empty()).then(|| {
            let mut memories = Vec::new();
            memories.resize_with(rules.ports.len(), Memory::default);
            Box::new(Self {
                rules: rules.clone(),
                memories,
                names: FxHashMap::default(),
                refusals: Vec::new(),
                limit,
            })
        })
    }

    /// The same guards with other rules. What is tracked stays so.
    pub fn configure(watch: Option<Box<Self>>, config: &Config) -> Option<Box<Self>> {
        let Some(mut watch) = watch else {
            return Self::new(&config.guards, config.record_limit);
        };
        watch.rules = config.guards.clone();
        watch.names.clear();
        let ports = watch.rules.ports.len().max(watch.memories.len());
        watch.memories.resize_with(ports, Memory::default);
        Some(watch)
    }

    /// What was refused, in order; at most `limit`.
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// The subnet of a host.
    pub fn subnet(&self, port: PortId) -> Option<SubnetId> {
        self.rules.ports.get(port.0 as usize)?.subnet
    }

    /// The subnet of a zonal address.
    pub fn zonal_subnet(&self, balancer: BalancerId, zonal: ZonalId) -> Option<SubnetId> {
        let interfaces = self.rules.balancers.get(balancer.0 as usize)?;
        interfaces.subnets.get(zonal.0 as usize).copied()
    }

    /// The subnet of an endpoint's interface.
    pub fn endpoint_subnet(&self, (endpoint, zonal): EndpointPlace) -> Option<SubnetId> {
        let subnets = self.rules.endpoints.get(usize::from(endpoint.0))?;
        subnets.get(usize::from(zonal.0)).copied()
    }

    /// True when a balancer's inbound rules are for what comes by an endpoint too.
    pub fn judges_private_link(&self, balancer: BalancerId) -> bool {
        let interfaces = self.rules.balancers.get(usize::from(balancer.0));
        interfaces.is_none_or(|interfaces| !interfaces.spare_private_link)
    }

    /// A packet before a host's interface. `through`: the load balancer that it comes through. `quoted`: the packet
    /// that it complains about.
    pub fn interface(
        &mut self,
        port: PortId,
        direction: Direction,
        crossing: &AtGuard<'_>,
        through: Option<BalancerId>,
        quoted: Option<View>,
    ) -> Result<(), Reason> {
        let Some(interface) = self.rules.ports.get(port.0 as usize) else {
            return Ok(());
        };
        if interface.groups.is_empty() {
            return Ok(());
        }
        let memory = &mut self.memories[port.0 as usize];
        let tracking = &self.rules.tracking;
        if quoted.is_some_and(|quoted| memory.concerns(crossing.at, tracking, direction, &quoted)) {
            return Ok(());
        }
        let question = Question {
            all: &self.rules.security_groups,
            groups: &interface.groups,
            direction,
            view: crossing.view,
            through,
            stand_ins: crossing.stand_ins,
        };
        if memory.passes(crossing.at, tracking, crossing.headers, &question) {
            return Ok(());
        }
        Err(self.refuse(
            crossing,
            direction,
            GuardKind::SecurityGroup(Interface::Host(port)),
        ))
    }

    /// The first packet of a flow before a load balancer's interface. What follows is tracked by the flow.
    pub fn balancer(
        &mut self,
        balancer: BalancerId,
        zonal: ZonalId,
        direction: Direction,
        crossing: &AtGuard<'_>,
    ) -> Result<(), Reason> {
        let Some(interfaces) = self.rules.balancers.get(balancer.0 as usize) else {
            return Ok(());
        };
        let question = Question {
            all: &self.rules.security_groups,
            groups: &interfaces.groups,
            direction,
            view: crossing.view,
            through: None,
            stand_ins: crossing.stand_ins,
        };
        if interfaces.groups.is_empty() || question.is_admitted() {
            return Ok(());
        }
        let guard = GuardKind::SecurityGroup(Interface::Zonal(balancer, zonal));
        Err(self.refuse(crossing, direction, guard))
    }

    /// A packet at the border of a subnet, if there is one.
    pub fn border(
        &mut self,
        subnet: Option<SubnetId>,
        direction: Direction,
        crossing: &AtGuard<'_>,
    ) -> Result<(), Reason> {
        let Some(id) = subnet else { return Ok(()) };
        let Some(acl) = &self.rules.subnets[id.0 as usize].acl else {
            return Ok(());
        };
        match acl.judge(direction, &crossing.view, crossing.stand_ins) {
            Ok(()) => Ok(()),
            Err(Denied(rule)) => {
                let guard = GuardKind::NetworkAcl { subnet: id, rule };
                Err(self.refuse(crossing, direction, guard))
            }
        }
    }

    fn refuse(&mut self, crossing: &AtGuard<'_>, direction: Direction, guard: GuardKind) -> Reason {
        if self.refusals.len() < self.limit {
            let only_ipv4 = self.allows_over_ipv4(&crossing.view, direction, guard);
            let rules = &self.rules;
            let known = self.names.entry(guard);
            let names = known.or_insert_with(|| names(rules, guard).into());
            self.refusals.push(Refusal {
                packet: crossing.packet,
                guard,
                names: Arc::clone(names),
                direction,
                view: crossing.view,
                flags: crossing.headers.flags,
                probe: crossing.probe,
                only_ipv4,
            });
        }
        match (guard, direction) {
            (GuardKind::SecurityGroup(_), Direction::In) => Reason::SecurityGroupIngress,
            (GuardKind::SecurityGroup(_), Direction::Out) => Reason::SecurityGroupEgress,
            (GuardKind::NetworkAcl { .. }, Direction::In) => Reason::NetworkAclInbound,
            (GuardKind::NetworkAcl { .. }, Direction::Out) => Reason::NetworkAclOutbound,
        }
    }

    /// A packet is IPv6, no rule of its guard fits it, and one that allows would but for its range, which is of IPv4.
    fn allows_over_ipv4(&self, view: &View, direction: Direction, guard: GuardKind) -> bool {
        let fits = |traffic: Traffic, range: Range| {
            traffic.includes(view.protocol, view.to.port()) && matches!(range, Range::Ipv4(_))
        };
        is_stand_in(view.far(direction))
            && match guard {
                GuardKind::SecurityGroup(interface) => {
                    let groups = groups(&self.rules, interface).iter();
                    let groups = groups.map(|id| &self.rules.security_groups[usize::from(id.0)]);
                    let mut rules = groups.flat_map(|group| group.rules(direction));
                    rules.any(|rule| match rule.peer {
                        Peer::Range(range) => fits(rule.traffic, range),
                        Peer::Group(_) => false,
                    })
                }
                GuardKind::NetworkAcl { rule: Some(_), .. } => false,
                GuardKind::NetworkAcl { subnet, rule: None } => {
                    let acl = self.rules.subnets[usize::from(subnet.0)].acl.as_ref();
                    let mut rules = acl.into_iter().flat_map(|acl| acl.rules(direction));
                    rules.any(|rule| rule.allow && fits(rule.traffic, rule.range))
                }
            }
    }
}

/// The security groups of an interface.
fn groups(rules: &Guards, interface: Interface) -> &[SecurityGroupId] {
    match interface {
        Interface::Host(port) => &rules.ports[port.0 as usize].groups,
        Interface::Zonal(balancer, _) => &rules.balancers[usize::from(balancer.0)].groups,
    }
}

/// What a guard is called: the security groups of its interface, or its subnet.
fn names(rules: &Guards, guard: GuardKind) -> Vec<String> {
    let groups = match guard {
        GuardKind::SecurityGroup(interface) => groups(rules, interface),
        GuardKind::NetworkAcl { subnet, .. } => {
            return vec![rules.subnets[usize::from(subnet.0)].name.clone()];
        }
    };
    let groups = groups.iter();
    groups
        .map(|group| rules.security_groups[usize::from(group.0)].name.clone())
        .collect()
}
