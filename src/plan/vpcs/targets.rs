//! Who may be registered with a balancer of which VPC.

use super::{MOST, number};
use crate::diag::Diagnostic;
use crate::diag::codes::guards as code;
use crate::plan::Sink;
use crate::plan::balancers::Balancer;
use crate::plan::balancers::forward::used;
use crate::plan::groups::{Groups, Target};
use crate::plan::hosts::Hosts;
use crate::plan::profile::is_of_2020;
use crate::spec::Body;

/// Targets are registered by their instance id. Behind the lab's groups are those that classic balancers have.
fn holds_instances(body: &Body, group: usize) -> bool {
    let written = body.target_groups.get(group);
    written.is_none_or(|(_, section)| section.target_type.value == "instance")
}

/// The places of a group's targets that are instances of another VPC than a balancer that uses the group: by id they
/// cannot be registered.
pub(in crate::plan) fn foreign(
    body: &Body,
    hosts: &Hosts<'_>,
    groups: &Groups<'_>,
    balancers: &[Balancer<'_>],
    group: usize,
) -> Vec<usize> {
    if body.vpcs.is_empty() || !holds_instances(body, group) {
        return Vec::new();
    }
    let vpcs: Vec<usize> = body
        .load_balancers
        .iter()
        .zip(balancers)
        .filter(|(_, balancer)| used(&balancer.listeners).contains(&group))
        .map(|((_, section), _)| number(body, section.vpc.as_ref()))
        .collect();
    let targets = groups.list[group].targets.iter().enumerate();
    targets
        .filter(|(_, target)| {
            let own = number(body, hosts.get(target.host).section.vpc.as_ref());
            vpcs.iter().any(|vpc| *vpc != own)
        })
        .map(|(place, _)| place)
        .collect()
}

/// An instance is registered by its id in its own VPC only; by its address from a peered one too. What only a step
/// registers is refused when it comes to that (see [`foreign`]), as it is in AWS.
pub(in crate::plan) fn check(
    body: &Body,
    hosts: &Hosts<'_>,
    groups: &Groups<'_>,
    balancers: &[Balancer<'_>],
    sink: &mut Sink,
) {
    if body.vpcs.is_empty() || body.vpcs.len() > MOST {
        return;
    }
    for ((_, section), balancer) in body.load_balancers.iter().zip(balancers) {
        let own = number(body, section.vpc.as_ref());
        for group in used(&balancer.listeners) {
            for target in &groups.list[group].targets {
                let host = hosts.get(target.host);
                if number(body, host.section.vpc.as_ref()) == own {
                    continue;
                }
                let preserved = groups.list[group].preserve_client_ip;
                match holds_instances(body, group) {
                    true if target.registered => {
                        sink.push(instance_elsewhere(target, &host.name, balancer));
                    }
                    false if preserved && is_of_2020(body) => {
                        sink.push(preserved_elsewhere(target, body));
                    }
                    true | false => {}
                }
            }
        }
    }
}

fn instance_elsewhere(target: &Target, host: &str, balancer: &Balancer<'_>) -> Diagnostic {
    let balancer = &balancer.name.value;
    Diagnostic::new(
        code::INSTANCE_OF_ANOTHER_VPC,
        target.span,
        format!("`{host}` is in another VPC than `{balancer}`"),
    )
    .label("cannot be registered by its instance id")
    .help("register it by its address: `target_type: ip`")
}

fn preserved_elsewhere(target: &Target, body: &Body) -> Diagnostic {
    Diagnostic::new(
        code::PRESERVED_ACROSS_VPCS,
        target.span,
        "before 2023, client IP preservation needs targets in the balancer's own VPC",
    )
    .also(body.profile.span, "this profile")
    .help("use a group of TCP, which preserves nothing, or `profile: aws-current`")
}
