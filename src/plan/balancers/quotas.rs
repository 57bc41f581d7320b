//! How many targets a network balancer takes, and how many of them an application balancer has in front of it.
//!
//! Sources: "Quotas for your Network Load Balancers"; "Use Application Load Balancers as targets of a Network Load Balancer". Not
//! here: what a laptop can build (see `size`).

use super::Balancer;
use super::forward::used;
use crate::diag::Diagnostic;
use crate::diag::codes::{http, targets as code};
use crate::fabric::config::Kind;
use crate::plan::Sink;
use crate::plan::attributes::CROSS_ZONE;
use crate::plan::groups::Groups;
use crate::plan::hosts::Hosts;
use crate::spec::{self, Body};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// AWS: targets of each zone of one network balancer; with cross-zone load balancing of all its zones together.
const TARGETS: usize = 500;
/// AWS: so many of these an application balancer counts for.
const FOR_INNER: usize = 50;
/// AWS: the same with cross-zone load balancing.
const FOR_INNER_ACROSS: usize = 100;
/// AWS: network balancers in front of one application balancer.
const IN_FRONT: usize = 2;

/// Everything that is too much.
pub(in crate::plan) fn check(
    body: &Body,
    balancers: &[Balancer<'_>],
    groups: &Groups<'_>,
    hosts: &Hosts<'_>,
    sink: &mut Sink,
) {
    let mut in_front: BTreeMap<usize, Vec<&Balancer<'_>>> = BTreeMap::new();
    for (balancer, (_, section)) in balancers.iter().zip(&body.load_balancers) {
        if !matches!(balancer.kind, Kind::Network) {
            continue;
        }
        targets(balancer, section, groups, hosts, sink);
        for inner in inner(balancer, groups) {
            in_front.entry(inner).or_default().push(balancer);
        }
    }
    for (inner, outer) in in_front {
        if let Some(one_more) = outer.get(IN_FRONT) {
            let inner = &body.load_balancers[inner].0;
            sink.push(
                Diagnostic::new(
                    http::TOO_MANY_IN_FRONT,
                    one_more.name.span,
                    format!(
                        "{} network balancers in front of `{}`",
                        outer.len(),
                        inner.value
                    ),
                )
                .label(format!("AWS takes {IN_FRONT}"))
                .also(inner.span, "the application balancer")
                .help("take one away, or make another application balancer"),
            );
        }
    }
}

/// The application balancers behind a network balancer, each once.
fn inner(balancer: &Balancer<'_>, groups: &Groups<'_>) -> BTreeSet<usize> {
    let used = used(&balancer.listeners).into_iter();
    used.filter_map(|group| Some(groups.list[group].inner?.balancer))
        .collect()
}

/// Counts what is registered from the beginning, each host and port once.
fn targets(
    balancer: &Balancer<'_>,
    section: &spec::Balancer,
    groups: &Groups<'_>,
    hosts: &Hosts<'_>,
    sink: &mut Sink,
) {
    let mut attributes = section.attributes.iter();
    let across = attributes.any(|(name, on)| name.value == CROSS_ZONE && on.value == "true");
    let (mut zones, mut seen) = (BTreeMap::<&str, usize>::new(), HashSet::new());
    let inner = inner(balancer, groups).len();
    for group in used(&balancer.listeners) {
        let group = &groups.list[group];
        let registered = group.targets.iter().filter(|target| target.registered);
        for target in registered.filter(|target| seen.insert((target.host, target.port))) {
            if let Some(zone) = &hosts.get(target.host).section.zone {
                *zones.entry(&zone.value).or_default() += 1;
            }
        }
    }
    let (count, scope, help) = match across {
        true => (
            zones.values().sum::<usize>() + inner * FOR_INNER_ACROSS,
            "all zones together, as cross-zone load balancing is on".to_owned(),
            "spread them over more load balancers, or turn cross-zone load balancing off",
        ),
        false => {
            let most = zones.into_iter().max_by_key(|(_, count)| *count);
            let (zone, count) = most.unwrap_or_default();
            (
                count + inner * FOR_INNER,
                format!("zone `{zone}`"),
                "spread them over more zones, or over more load balancers",
            )
        }
    };
    if count > TARGETS {
        sink.push(
            Diagnostic::new(
                code::TOO_MANY_TARGETS,
                balancer.name.span,
                format!("{count} targets in {scope}"),
            )
            .label(format!("AWS's quota of one load balancer is {TARGETS}"))
            .help(help),
        );
    }
}
