//! Guards: security groups and network ACLs with every name resolved to members, addresses and subnets.
//!
//! A security group's members are all private addresses of the interfaces that list it: the main ones of hosts and zonal
//! addresses, their secondary ones, those of the pods on a node, which are secondary ones too, and their IPv6 addresses. The subnets
//! are the zones of each VPC: a host and a zonal address of one zone and one VPC are in one subnet.

use super::attributes::ENFORCE_ON_PRIVATE_LINK;
use super::clock::Clock;
use super::hosts::{Hosts, known_zone};
use super::profile::is_of_2020;
use super::{Sink, vpcs};
use crate::diag::codes::guards as code;
use crate::diag::{Diagnostic, Spanned};
use crate::fabric::Config;
use crate::fabric::config::{Balancer, BalancerId};
use crate::fabric::guard::rules::{
    self, AclRule, BalancerInterfaces, Cidr, Guards, HostInterface, Ipv6Cidr, Ports, Range, Rule,
    SecurityGroupId, Subnet, SubnetId, Tracking, Traffic,
};
use crate::spec::{self, Body, GuardRule};
use std::collections::HashMap;
use std::iter;
use std::time::Duration;

/// The security groups of a lab, found by name.
struct Names<'a>(HashMap<&'a str, SecurityGroupId>);

impl<'a> Names<'a> {
    fn of(body: &'a Body) -> Self {
        let numbers = (0..).map(SecurityGroupId);
        let groups = body.security_groups.iter();
        Self(
            groups
                .map(|(name, _)| name.value.as_str())
                .zip(numbers)
                .collect(),
        )
    }

    fn listed(&self, names: &[Spanned<String>]) -> Vec<SecurityGroupId> {
        names
            .iter()
            .filter_map(|name| self.0.get(name.value.as_str()).copied())
            .collect()
    }
}

/// What people write for all addresses, and what reads like a group here.
const EVERYBODY: [&str; 5] = ["any", "anywhere", "everywhere", "internet", "world"];

/// Everything that guards name, and where they may stand.
pub(super) fn check(body: &Body, sink: &mut Sink) {
    let names = Names::of(body);
    let known = |name: &Spanned<String>, sink: &mut Sink| {
        if names.0.contains_key(name.value.as_str()) {
            return;
        }
        let all = body.security_groups.iter();
        let help = match EVERYBODY.contains(&name.value.as_str()) {
            true => {
                "for everybody leave it out, or write the range `0.0.0.0/0` (IPv4) or `::/0` (IPv6)"
                    .to_owned()
            }
            false => sink.help(&name.value, all.map(|(name, _)| name.value.as_str())),
        };
        sink.push(
            Diagnostic::new(
                code::UNKNOWN_SECURITY_GROUP,
                name.span,
                format!("there is no security group `{}`", name.value),
            )
            .label("not under `security_groups`")
            .help(help),
        );
    };
    for (host, section) in &body.hosts {
        let groups = &section.security_groups;
        groups.iter().for_each(|name| known(name, sink));
        if let (None, Some(first)) = (&section.zone, groups.first())
            && section.behind.is_none()
        {
            sink.push(
                Diagnostic::new(
                    code::GUARD_ON_THE_INTERNET,
                    first.span,
                    format!("`{}` is out on the internet", host.value),
                )
                .label("security groups guard what is in a VPC")
                .help("give the host a `zone:`, or take the security groups away"),
            );
        }
    }
    for (_, section) in &body.load_balancers {
        let groups = &section.security_groups;
        groups.iter().for_each(|name| known(name, sink));
        if let Some(first) = groups.first()
            && is_of_2020(body)
        {
            sink.push(
                Diagnostic::new(
                    code::BALANCER_WITHOUT_GROUPS,
                    first.span,
                    "a Network Load Balancer has had security groups since August 2023",
                )
                .also(body.profile.span, "this profile is older")
                .help("guard the targets instead, or use `profile: aws-current`"),
            );
        }
    }
    for (_, section) in &body.security_groups {
        let egress = section.egress.iter().flatten();
        for (_, rule) in section.ingress.iter().chain(egress) {
            if let spec::Peer::Group(name) = &rule.value.peer {
                // It is the rule's last word.
                let mut span = rule.span;
                span.start = span.end.saturating_sub(name.len()).max(span.start);
                known(&Spanned::new(name.clone(), span), sink);
            }
        }
    }
    for (zone, _) in &body.network_acls {
        known_zone(zone, body, sink);
    }
}

/// The guards of a network whose ports and balancers are known. Labs without guards have none of this.
pub(super) fn lower(body: &Body, hosts: &Hosts<'_>, config: &Config, clock: Clock) -> Guards {
    if body.security_groups.is_empty() && body.network_acls.is_empty() {
        return Guards::default();
    }
    let names = Names::of(body);
    let mut ports: Vec<HostInterface> = hosts
        .list
        .iter()
        .take(hosts.on_fabric)
        .map(|host| HostInterface {
            groups: names.listed(&host.section.security_groups),
            subnet: {
                let vpc = host.section.vpc.as_ref();
                let zone = host.section.zone.as_ref();
                zone.map(|zone| subnet_id(body, vpc, &zone.value))
            },
        })
        .collect();
    ports.resize_with(config.ports.len(), HostInterface::default);
    let balancers: Vec<BalancerInterfaces> = body
        .load_balancers
        .iter()
        .zip(&config.balancers)
        .map(|((_, section), balancer)| interfaces(body, &names, section, balancer, &mut ports))
        .collect();
    let security_groups = (0..)
        .map(SecurityGroupId)
        .zip(&body.security_groups)
        .map(|(id, (name, section))| {
            security_group(id, name, section, &names, config, &ports, &balancers)
        })
        .collect();
    Guards {
        security_groups,
        subnets: std::iter::once("")
            .chain(body.vpcs.iter().map(|(name, _)| name.value.as_str()))
            .flat_map(|vpc| body.zones.iter().map(move |zone| (vpc, zone)))
            .map(|(vpc, zone)| subnet(vpc, zone, body))
            .collect(),
        ports,
        balancers,
        endpoints: body
            .endpoints
            .iter()
            .map(|(_, section)| {
                let zones = section.zones.iter();
                zones
                    .map(|zone| subnet_id(body, section.vpc.as_ref(), &zone.value))
                    .collect()
            })
            .collect(),
        tracking: tracking(clock),
    }
}

/// The number of a VPC's zone as a subnet.
fn subnet_id(body: &Body, vpc: Option<&Spanned<String>>, zone: &str) -> SubnetId {
    let place = body.zones.iter().position(|known| known.value == zone);
    let number = vpcs::number(body, vpc) * body.zones.len() + place.unwrap_or(0);
    SubnetId(u16::try_from(number).unwrap_or(0))
}

/// A balancer's interfaces. What its own kernels send, they send by the same ones.
fn interfaces(
    body: &Body,
    names: &Names<'_>,
    section: &spec::Balancer,
    balancer: &Balancer,
    ports: &mut [HostInterface],
) -> BalancerInterfaces {
    let groups = names.listed(&section.security_groups);
    let subnet = |zone: &str| subnet_id(body, section.vpc.as_ref(), zone);
    for zonal in &balancer.zonal {
        if let Some(port) = zonal.port {
            ports[port.0 as usize] = HostInterface {
                groups: groups.clone(),
                subnet: Some(subnet(&zonal.zone)),
            };
        }
    }
    let zonal = balancer.zonal.iter();
    let mut attributes = section.attributes.iter();
    BalancerInterfaces {
        groups,
        subnets: zonal.map(|zonal| subnet(&zonal.zone)).collect(),
        spare_private_link: attributes
            .any(|(name, on)| name.value == ENFORCE_ON_PRIVATE_LINK && on.value == "off"),
    }
}

fn security_group(
    id: SecurityGroupId,
    name: &Spanned<String>,
    section: &spec::SecurityGroup,
    names: &Names<'_>,
    config: &Config,
    ports: &[HostInterface],
    balancers: &[BalancerInterfaces],
) -> rules::SecurityGroup {
    let lower = |list: &[(Spanned<String>, Spanned<GuardRule>)]| {
        list.iter()
            .filter_map(|(_, rule)| self::rule(&rule.value, names))
            .collect()
    };
    let hosts = config
        .ports
        .iter()
        .zip(ports)
        .filter(|(_, interface)| interface.groups.contains(&id))
        .flat_map(|(port, _)| {
            let further = port.addresses.iter().chain(&port.routed);
            iter::once(port.address)
                .chain(further.copied())
                .chain(port.ipv6)
        });
    let having = || {
        (0..)
            .map(BalancerId)
            .zip(balancers)
            .filter(|(_, interfaces)| interfaces.groups.contains(&id))
            .map(|(balancer, _)| balancer)
    };
    let zonal = having()
        .flat_map(|balancer| &config.balancers[balancer.0 as usize].zonal)
        .flat_map(|zonal| {
            iter::once(zonal.private)
                .chain(zonal.secondary.iter().copied())
                .chain(zonal.ipv6)
        });
    let everything = vec![Rule {
        traffic: Traffic::All,
        peer: rules::Peer::Range(Range::Everybody),
    }];
    rules::SecurityGroup {
        name: name.value.clone(),
        ingress: lower(&section.ingress),
        egress: section.egress.as_deref().map_or(everything, lower),
        members: hosts.chain(zonal).collect(),
        balancers: having().collect(),
    }
}

/// None when it names a group that is not there.
fn rule(rule: &GuardRule, names: &Names<'_>) -> Option<Rule> {
    Some(Rule {
        traffic: traffic(rule.traffic),
        peer: match &rule.peer {
            spec::Peer::Group(name) => rules::Peer::Group(*names.0.get(name.as_str())?),
            by_address => rules::Peer::Range(range(by_address)?),
        },
    })
}

fn traffic(traffic: spec::Traffic) -> Traffic {
    match traffic {
        spec::Traffic::All => Traffic::All,
        spec::Traffic::Icmp => Traffic::Icmp,
        spec::Traffic::Tcp(first, last) => Traffic::Tcp(Ports { first, last }),
        spec::Traffic::Udp(first, last) => Traffic::Udp(Ports { first, last }),
    }
}

/// None for a security group.
fn range(peer: &spec::Peer) -> Option<Range> {
    Some(match peer {
        spec::Peer::Anyone => Range::Everybody,
        spec::Peer::Range(range) => Range::Ipv4(Cidr {
            address: range.address,
            prefix: range.prefix,
        }),
        spec::Peer::Ipv6Range(range) => Range::Ipv6(Ipv6Cidr {
            address: range.address,
            prefix: range.prefix,
        }),
        spec::Peer::Group(_) => return None,
    })
}

/// A zone's network ACL is that of its subnets in every VPC.
fn subnet(vpc: &str, zone: &Spanned<String>, body: &Body) -> Subnet {
    let acl = body
        .network_acls
        .iter()
        .find(|(name, _)| name.value == zone.value);
    Subnet {
        name: match vpc {
            "" => zone.value.clone(),
            vpc => format!("{vpc}/{}", zone.value),
        },
        acl: acl.map(|(_, section)| rules::NetworkAcl {
            inbound: section.inbound.iter().filter_map(acl_rule).collect(),
            outbound: section.outbound.iter().filter_map(acl_rule).collect(),
        }),
    }
}

/// None for a rule that names a group, which has been said.
fn acl_rule((number, rule): &(Spanned<u16>, Spanned<GuardRule>)) -> Option<AclRule> {
    Some(AclRule {
        number: number.value,
        allow: rule.value.allow,
        traffic: traffic(rule.value.traffic),
        range: range(&rule.value.peer)?,
    })
}

/// Idle limits of tracked connections: AWS's defaults, in cloud time.
fn tracking(clock: Clock) -> Tracking {
    let Tracking {
        tcp,
        udp,
        udp_stream,
        other,
    } = Tracking::default();
    let scaled = |time: Duration| clock.cloud(time);
    Tracking {
        tcp: scaled(tcp),
        udp: scaled(udp),
        udp_stream: scaled(udp_stream),
        other: scaled(other),
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::tests::planned;

    /// AWS: a rule that names a group is about every private address of its members' interfaces.
    #[test]
    fn members_are_all_private_addresses_of_the_interfaces() {
        let plans = planned(
            "
title: t
hosts:
  many: { zone: a, ipv6: auto, addresses: [10.0.0.50, 10.0.0.51], public_address: auto, security_groups: [all] }
  other: { zone: a, serve: { 80: echo } }
kubernetes:
  nodes: { node: { zone: a, security_groups: [all] }, apart: { zone: a } }
  pods: { inside: { node: node }, elsewhere: { node: apart } }
target_groups: { web: { targets: [other] } }
load_balancers:
  front:
    zones: [a]
    ip_address_type: dualstack
    listeners: { 80: web }
    security_groups: [all]
    attributes: { secondary_ips.auto_assigned.per_subnet: 2 }
security_groups: { all: { ingress: { all: all from 0.0.0.0/0 } } }
steps: [{ wait: 1ms }]
works: [size(packets) == 0]
cases: { only: { kind: control } }
",
        );
        let plan = &plans[0];
        let of = |name: &str| {
            let mut hosts = plan.hosts.iter();
            hosts.find(|host| host.name == name).expect(name).address
        };
        let zonal = &plan.fabric.balancers[0].zonal[0];
        let mut wanted = vec![
            of("many"),
            [10, 0, 0, 50].into(),
            [10, 0, 0, 51].into(),
            of("node"),
            of("inside"),
            zonal.private,
        ];
        wanted.extend(&zonal.secondary);
        let many = plan.fabric.ports.iter().find(|port| port.name == "many");
        let ipv6 = [many.expect("many").ipv6, zonal.ipv6];
        wanted.extend(ipv6.map(|stand_in| stand_in.expect("it has IPv6")));
        wanted.sort();
        let mut members = plan.fabric.guards.security_groups[0].members.clone();
        members.sort();
        members.dedup();
        assert_eq!(zonal.secondary.len(), 2);
        assert_eq!(members, wanted);
    }
}
