//! How many targets a network balancer takes, and how many of them an application balancer has in front of it.
//!
//! Sources: "Quotas for your Network Load Balancers"; "Use Application Load Balancers as targets of a Network Load Balancer". Not
//! here: what a laptop can build (see `size`).

use super::Balancer;
use super::forward::of_each_group;
use crate::diag::Diagnostic;
use crate::diag::codes::{http, targets as code};
use crate::fabric::config::Kind;
use crate::plan::Sink;
use crate::plan::groups::Groups;
use crate::plan::hosts::Hosts;
use crate::spec::Body;
use std::collections::{BTreeMap, HashSet};

/// AWS: targets of each zone of one network balancer; with cross-zone load balancing of all its zones together. Of a balancer
/// that has it for some groups only, AWS does not say: their targets count in every zone here.
/// The 3,000 of all zones together are what six zones come to, and no region has more.
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
    for balancer in balancers {
        if !matches!(balancer.kind, Kind::Network) {
            continue;
        }
        let inner = inner(balancer, groups);
        targets(balancer, &inner, groups, hosts, sink);
        for inner in inner.into_keys() {
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

/// The application balancers behind a network balancer, each once, with what it counts for.
fn inner(balancer: &Balancer<'_>, groups: &Groups<'_>) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for share in of_each_group(&balancer.listeners) {
        if let Some(inner) = groups.list[share.group].inner {
            let count = match share.cross_zone {
                true => FOR_INNER_ACROSS,
                false => FOR_INNER,
            };
            let known = counts.entry(inner.balancer).or_insert(count);
            *known = count.max(*known);
        }
    }
    counts
}

/// Counts what is registered from the beginning, each host and port once: in its own zone, or with cross-zone load
/// balancing in every one.
fn targets(
    balancer: &Balancer<'_>,
    inner: &BTreeMap<usize, usize>,
    groups: &Groups<'_>,
    hosts: &Hosts<'_>,
    sink: &mut Sink,
) {
    let shares = of_each_group(&balancer.listeners);
    let mut seen = HashSet::new();
    let (mut across, mut zones) = (0, BTreeMap::<&str, usize>::new());
    for share in &shares {
        let registered = groups.list[share.group].targets.iter();
        let registered = registered.filter(|target| target.registered);
        for target in registered.filter(|target| seen.insert((target.host, target.port))) {
            match &hosts.get(target.host).section.zone {
                Some(_) if share.cross_zone => across += 1,
                Some(zone) => *zones.entry(&zone.value).or_default() += 1,
                None => {}
            }
        }
    }
    let most = zones.into_iter().max_by_key(|(_, count)| *count);
    let (zone, own) = most.unwrap_or_default();
    let count = own + across + inner.values().sum::<usize>();
    if count <= TARGETS {
        return;
    }
    let cross_zone = shares.iter().any(|share| share.cross_zone);
    let (place, of) = match (own, cross_zone) {
        (0, true) => (
            "all zones together, as cross-zone load balancing is on".to_owned(),
            "",
        ),
        (0, false) => ("each zone".to_owned(), " in each zone"),
        (_, true) => (
            format!("zone `{zone}`, with those that every zone sends to"),
            " in each zone",
        ),
        (_, false) => (format!("zone `{zone}`"), " in each zone"),
    };
    let help = match cross_zone {
        true => "spread them over more load balancers, or turn cross-zone load balancing off",
        false => "spread them over more zones, or over more load balancers",
    };
    sink.push(
        Diagnostic::new(
            code::TOO_MANY_TARGETS,
            balancer.name.span,
            format!("{count} targets in {place}"),
        )
        .label(format!("AWS's quota of one load balancer is {TARGETS}{of}"))
        .help(help),
    );
}
