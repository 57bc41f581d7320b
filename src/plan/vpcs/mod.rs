//! VPCs: who is in which, which are peered. What may be registered where is in `targets`.

pub(super) mod targets;

use super::Sink;
use crate::diag::codes::guards as code;
use crate::diag::codes::plan::ADDRESS_UNUSABLE;
use crate::diag::{Diagnostic, Spanned};
use crate::fabric::config::{Config, VpcId, Vpcs};
use crate::fabric::guard::rules::Cidr;
use crate::spec::Body;
use std::net::Ipv4Addr;

/// The VPC of everything that names none.
const DEFAULT: &str = "default";
/// More than any lab needs.
const MOST: usize = 100;
/// As in AWS's default VPC.
pub(super) const DEFAULT_RANGE: Cidr = Cidr {
    address: Ipv4Addr::new(10, 0, 0, 0),
    prefix: 16,
};

/// A VPC has as many subnets as these bits of an address tell apart.
pub(in crate::plan) const SUBNET_BITS: u8 = 4;

/// The number of a VPC: 0 is the default one. An unknown name counts as that; it has been reported.
pub(super) fn number(body: &Body, vpc: Option<&Spanned<String>>) -> usize {
    let named = vpc.and_then(|vpc| {
        let place = |(name, _): &(Spanned<String>, _)| name.value == vpc.value;
        body.vpcs.iter().position(place)
    });
    named.map_or(0, |place| place + 1)
}

/// The range of every VPC but the default one, in the order of the lab.
pub(super) fn ranges(body: &Body) -> Vec<Cidr> {
    body.vpcs
        .iter()
        .enumerate()
        .map(|(place, (_, vpc))| match &vpc.cidr {
            Some(range) => Cidr {
                address: range.value.address,
                prefix: range.value.prefix,
            },
            None => Cidr {
                // More than that are not accepted.
                address: Ipv4Addr::new(10, u8::try_from(place + 1).unwrap_or(u8::MAX), 0, 0),
                prefix: 16,
            },
        })
        .collect()
}

/// Names that must exist, and ranges that must not overlap.
pub(super) fn check(body: &Body, sink: &mut Sink) {
    if let Some((name, _)) = body.vpcs.get(MOST) {
        sink.push(
            Diagnostic::new(
                code::VPC_RANGE,
                name.span,
                format!("{} VPCs", body.vpcs.len()),
            )
            .label(format!("the first past {MOST}"))
            .help(format!(
                "a lab has at most {MOST} VPCs besides the default one"
            )),
        );
        return;
    }
    for (_, host) in &body.hosts {
        if let Some(vpc) = &host.vpc {
            known(vpc, body, sink);
            if host.zone.is_none() && host.behind.is_none() {
                sink.push(
                    Diagnostic::new(
                        code::VPC_WITHOUT_ZONE,
                        vpc.span,
                        "a host without a zone is out on the internet, in no VPC",
                    )
                    .help("give it a `zone:`, or take the `vpc:` away"),
                );
            }
            inside(host.address.as_ref(), body, vpc, sink);
        }
        if let Some(zone) = host.zone.as_ref().filter(|_| host.behind.is_none()) {
            let range = range(body, host.vpc.as_ref());
            for address in host.address.iter().chain(&host.addresses) {
                reserved(address, range, sink);
                of_the_zone(address, range, zone, body, sink);
            }
        }
    }
    for (_, balancer) in &body.load_balancers {
        if let Some(vpc) = &balancer.vpc {
            known(vpc, body, sink);
        }
        let range = range(body, balancer.vpc.as_ref());
        for (zone, address) in &balancer.zones {
            if let Some(address) = address {
                reserved(address, range, sink);
                of_the_zone(address, range, zone, body, sink);
            }
        }
    }
    check_ranges(body, sink);
    check_peerings(body, sink);
}

/// Says of a name that it is no VPC's.
pub(super) fn known(vpc: &Spanned<String>, body: &Body, sink: &mut Sink) {
    let names =
        || std::iter::once(DEFAULT).chain(body.vpcs.iter().map(|(name, _)| name.value.as_str()));
    if !names().any(|name| name == vpc.value) {
        let help = sink.help(&vpc.value, names());
        sink.push(
            Diagnostic::new(
                code::UNKNOWN_VPC,
                vpc.span,
                format!("there is no VPC `{}`", vpc.value),
            )
            .label("not under `vpcs`")
            .help(help),
        );
    }
}

fn inside(
    address: Option<&Spanned<Ipv4Addr>>,
    body: &Body,
    vpc: &Spanned<String>,
    sink: &mut Sink,
) {
    let Some(address) = address else { return };
    let number = number(body, Some(vpc));
    let Some(range) = number.checked_sub(1).map(|n| ranges(body)[n]) else {
        return;
    };
    if !range.contains(address.value) {
        sink.push(
            Diagnostic::new(
                code::ADDRESS_OUTSIDE_VPC,
                address.span,
                format!(
                    "{} is no address of `{}`, which has {}/{}",
                    address.value, vpc.value, range.address, range.prefix
                ),
            )
            .help("leave the address out and one is given out, or choose one of that range"),
        );
    }
}

/// The range of a VPC; an unknown name has that of the default one.
fn range(body: &Body, vpc: Option<&Spanned<String>>) -> Cidr {
    match number(body, vpc).checked_sub(1) {
        None => DEFAULT_RANGE,
        Some(place) => ranges(body)[place],
    }
}

/// AWS gives nobody the first four addresses and the last one of a subnet: its network, router, resolver, one for the
/// future, and what would be its broadcast. A VPC has sixteen subnets alike here.
fn reserved(address: &Spanned<Ipv4Addr>, range: Cidr, sink: &mut Sink) {
    let bits = u32::from(range.prefix + SUBNET_BITS);
    let Some(size) = u32::MAX
        .checked_shr(bits)
        .filter(|_| range.contains(address.value))
    else {
        return;
    };
    let place = u32::from(address.value) & size;
    let what = match place {
        0 => "it is the subnet's own address",
        1 => "it is the VPC's router",
        2 => "AWS keeps it for its resolver",
        3 => "AWS keeps it for the future",
        _ if place == size => "it would be the subnet's broadcast",
        _ => return,
    };
    sink.push(
        Diagnostic::new(
            ADDRESS_UNUSABLE,
            address.span,
            format!("{} cannot be an address here", address.value),
        )
        .label(what)
        .help("AWS reserves the first four addresses and the last one of each subnet; choose another, or leave it out and one is given out"),
    );
}

/// A subnet is in one zone, and has its part of the VPC's range: in the order of the zones.
fn of_the_zone(
    address: &Spanned<Ipv4Addr>,
    range: Cidr,
    zone: &Spanned<String>,
    body: &Body,
    sink: &mut Sink,
) {
    let bits = u32::BITS - u32::from(range.prefix + SUBNET_BITS);
    let subnet = |place: usize| {
        let part = u32::try_from(place).unwrap_or(u32::MAX).checked_shl(bits);
        let base = u32::from(range.address).wrapping_add(part.unwrap_or(0));
        format!("{}/{}", Ipv4Addr::from(base), range.prefix + SUBNET_BITS)
    };
    let place = (u32::from(address.value).wrapping_sub(u32::from(range.address)) >> bits) as usize;
    let own = body
        .zones
        .iter()
        .position(|known| known.value == zone.value);
    let (Some(own), Some(other)) = (own, body.zones.get(place)) else {
        return;
    };
    if own == place || !range.contains(address.value) {
        return;
    }
    sink.push(
        Diagnostic::new(
            code::ADDRESS_OF_ANOTHER_ZONE,
            address.span,
            format!(
                "{} is an address of zone `{}`, not of `{}`",
                address.value, other.value, zone.value
            ),
        )
        .label(format!("`{}` has {}", other.value, subnet(place)))
        .help(format!(
            "choose one of {}, which `{}` has, or leave it out and one is given out",
            subnet(own),
            zone.value
        )),
    );
}

fn check_ranges(body: &Body, sink: &mut Sink) {
    let ranges = ranges(body);
    for (place, (name, vpc)) in body.vpcs.iter().enumerate() {
        let range = ranges[place];
        let span = vpc.cidr.as_ref().map_or(name.span, |cidr| cidr.span);
        if name.value == DEFAULT {
            sink.push(
                Diagnostic::new(code::VPC_RANGE, name.span, "`default` is there already")
                    .help("choose another name; what names no VPC is in `default`, 10.0.0.0/16"),
            );
        }
        if !is_private(range.address) || !(16..=24).contains(&range.prefix) {
            sink.push(
                Diagnostic::new(
                    code::VPC_RANGE,
                    span,
                    format!("{}/{} cannot be a VPC's range", range.address, range.prefix),
                )
                .help("a private range of /16 to /24, such as 10.1.0.0/16"),
            );
        }
        let earlier = std::iter::once((DEFAULT, DEFAULT_RANGE)).chain(
            body.vpcs
                .iter()
                .map(|(name, _)| name.value.as_str())
                .zip(ranges.iter().copied()),
        );
        if let Some((other, _)) = earlier
            .take(place + 1)
            .find(|(_, other)| other.overlaps(range))
        {
            sink.push(
                Diagnostic::new(
                    code::VPC_RANGES_OVERLAP,
                    span,
                    format!("`{}` and `{other}` have addresses in common", name.value),
                )
                .label("a lab gives every address once")
                .help("choose ranges apart from each other: 10.1.0.0/16, 10.2.0.0/16"),
            );
        }
    }
}

fn check_peerings(body: &Body, sink: &mut Sink) {
    for (name, peering) in &body.peerings {
        peering
            .between
            .iter()
            .for_each(|vpc| known(vpc, body, sink));
        if peering.between.len() != 2 {
            sink.push(
                Diagnostic::new(
                    code::PEERING_OF_TWO,
                    name.span,
                    format!(
                        "a peering is between two VPCs, not {}",
                        peering.between.len()
                    ),
                )
                .help("write one peering for each pair: `between: [default, shared]`"),
            );
        }
    }
}

/// Who is in which VPC; of the hosts on the fabric what each says. Nothing, when there is only the default one.
pub(super) fn lower<'a>(
    body: &Body,
    hosts: impl Iterator<Item = Option<&'a Spanned<String>>>,
    config: &Config,
) -> Vpcs {
    if body.vpcs.is_empty() {
        return Vpcs::default();
    }
    let id =
        |vpc: Option<&Spanned<String>>| VpcId(u16::try_from(number(body, vpc)).unwrap_or(u16::MAX));
    let mut ports: Vec<VpcId> = hosts.map(id).collect();
    ports.resize(config.ports.len(), VpcId(0));
    let mut balancers = Vec::with_capacity(config.balancers.len());
    for ((_, section), balancer) in body.load_balancers.iter().zip(&config.balancers) {
        let own = id(section.vpc.as_ref());
        for port in balancer.zonal.iter().filter_map(|zonal| zonal.port) {
            ports[port.0 as usize] = own;
        }
        balancers.push(own);
    }
    let peered = body.peerings.iter().filter_map(|(_, peering)| {
        let [one, other] = peering.between.as_slice() else {
            return None;
        };
        Some((id(Some(one)), id(Some(other))))
    });
    Vpcs {
        ports,
        balancers,
        peered: peered.collect(),
    }
}

/// True for addresses that the internet does not route (RFC 1918, RFC 6598).
pub(super) fn is_private(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    address.is_private() || (a == 100 && (64..128).contains(&b))
}

#[cfg(test)]
mod tests {
    use crate::plan::Verb;
    use crate::plan::tests::planned;

    /// Of each case: targets that its `register` step names, and those of them that it is refused for.
    #[test]
    fn instances_of_another_vpc_are_registered_in_vain() {
        let plans = planned(
            "
title: t
vpcs: { shared: {} }
peerings: { one: { between: [default, shared] } }
hosts:
  client: {}
  near: { zone: a, serve: { 80: echo } }
  far: { zone: a, vpc: shared, count: 2, serve: { 80: echo } }
target_groups: { web: { targets: [near] } }
load_balancers: { front: { zones: [a], listeners: { 80: web } } }
steps:
  - register: { as: join, target: web/far }
  - connect: { as: visit, from: client, to: front }
works: [visit.ok]
cases:
  by-id: { kind: control }
  again: { kind: control, set: { steps.join.target: web/near } }
  by-address: { kind: control, set: { target_groups.web.target_type: ip } }
  moved: { kind: control, set: { hosts.far.vpc: default } }
  beside: { kind: control, set: { load_balancers.front.vpc: shared, target_groups.web.targets: [] } }
  leaves: { kind: control, set: { steps.join: { deregister: web/near } } }
",
        );
        let found: Vec<(&str, usize, usize)> = plans
            .iter()
            .map(|plan| match &plan.steps[0].verb {
                Verb::Registration {
                    targets, foreign, ..
                } => (plan.case.as_str(), targets.len(), foreign.len()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            found,
            [
                ("by-id", 2, 2),
                ("again", 1, 0),
                ("by-address", 2, 0),
                ("moved", 2, 0),
                ("beside", 2, 0),
                ("leaves", 1, 0)
            ]
        );
    }
}
