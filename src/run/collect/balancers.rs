//! Balancers, their target groups and instances as evidence.

use super::interfaces;
use super::metrics::Metrics;
use crate::evidence::{
    BalancerEvidence, GroupEvidence, InstanceEvidence, Listing, Pair, TargetEvidence, Transition,
    ZoneEvidence,
};
use crate::fabric::config::{
    Balancer, BalancerId, Classic, Forward, GroupId, Kind, Target, Zonal, ZonalId,
};
use crate::fabric::record;
use crate::fabric::targets::{HealthReason, HealthState, TargetHealth};
use crate::plan::Plan;
use crate::run::books::Books;
use std::collections::BTreeMap;
use std::net::SocketAddrV4;

pub(super) fn balancers(
    plan: &Plan,
    books: &Books,
    metrics: &Metrics<'_>,
    pairs: &[Pair],
) -> BTreeMap<String, BalancerEvidence> {
    let list = (0..).map(BalancerId).zip(&plan.fabric.balancers);
    list.map(|(id, balancer)| {
        let evidence = evidence(plan, books, metrics, pairs, (id, balancer));
        (balancer.name.clone(), evidence)
    })
    .collect()
}

fn evidence(
    plan: &Plan,
    books: &Books,
    metrics: &Metrics<'_>,
    pairs: &[Pair],
    (id, balancer): (BalancerId, &Balancer),
) -> BalancerEvidence {
    let active = balancer.failure.is_none();
    let zonal = || balancer.zonal.iter().filter(|_| active);
    let address = |zonal: &Zonal| zonal.public.unwrap_or(zonal.private).to_string();
    let ipv6_addresses = zonal().filter_map(|zonal| {
        let ipv6 = books.stand_ins.real(zonal.ipv6?)?;
        Some((zonal.zone.clone(), ipv6.to_string()))
    });
    let listings = books.listings.iter();
    let dns: Vec<&record::Listing> = listings.filter(|one| one.balancer == id).collect();
    let listed = |place| dns.last().is_some_and(|last| last.zones.contains(&place));
    let zones = (0..).map(ZonalId).zip(&balancer.zonal);
    let flows = books.flows.iter().filter(|flow| flow.balancer == id);
    let (kind, instances) = match &balancer.kind {
        Kind::Network => ("network", BTreeMap::new()),
        Kind::Application(_) => ("application", BTreeMap::new()),
        Kind::Classic(classic) => ("classic", instances(plan, books, classic, pairs)),
    };
    BalancerEvidence {
        kind: kind.to_owned(),
        instances,
        metrics: metrics.of_balancer(id, None),
        state: if active { "active" } else { "failed" }.to_owned(),
        reason: balancer.failure.clone().unwrap_or_default(),
        addresses: zonal()
            .map(|zonal| (zonal.zone.clone(), address(zonal)))
            .collect(),
        ipv6_addresses: ipv6_addresses.collect(),
        listeners: listeners(plan, books, id),
        zones: zones
            .map(|(place, zonal)| {
                let evidence = ZoneEvidence {
                    in_dns: listed(place),
                    reach: reach(plan, books, (id, place)),
                    metrics: metrics.of_balancer(id, Some(place)),
                };
                (zonal.zone.clone(), evidence)
            })
            .collect(),
        dns: dns
            .iter()
            .map(|listing| Listing {
                at: books.millis(listing.at),
                zones: listing
                    .zones
                    .iter()
                    .map(|zone| balancer.zonal[usize::from(zone.0)].zone.clone())
                    .collect(),
            })
            .collect(),
        flows: flows.count() as i64,
    }
}

/// The groups behind each port.
fn listeners(plan: &Plan, books: &Books, id: BalancerId) -> BTreeMap<u16, Vec<String>> {
    let listeners = books.balancers[usize::from(id.0)].listeners.iter();
    let groups = |forward: &[Forward]| {
        let groups = forward.iter().map(|one| usize::from(one.group.0));
        groups
            .map(|number| plan.fabric.groups[number].name.clone())
            .collect()
    };
    listeners
        .filter(|listener| listener.instance_port.is_none())
        .map(|listener| (listener.port, groups(&listener.forward)))
        .collect()
}

/// How many registered targets a zonal address may send to, by group.
fn reach(plan: &Plan, books: &Books, (id, zonal): (BalancerId, ZonalId)) -> BTreeMap<String, i64> {
    let balancer = &books.balancers[usize::from(id.0)];
    let forwards = balancer.listeners.iter().flat_map(|one| &one.forward);
    forwards
        .map(|forward| {
            let number = usize::from(forward.group.0);
            let group = &plan.fabric.groups[number];
            let targets = group.targets.iter().zip(&books.health[number]);
            let registered = targets.filter(|(target, health)| {
                health.now().0 != HealthState::Unused && balancer.reaches(zonal, forward, target)
            });
            (group.name.clone(), registered.count() as i64)
        })
        .collect()
}

/// As `describe-instance-health` tells it.
fn instances(
    plan: &Plan,
    books: &Books,
    classic: &Classic,
    pairs: &[Pair],
) -> BTreeMap<String, InstanceEvidence> {
    let number = usize::from(classic.group.0);
    let group = &plan.fabric.groups[number];
    let own = |pair: &&Pair| pair.balancer == group.name;
    let instance = |(target, health): (&Target, &TargetHealth)| {
        let (state, reason_code, description) = instance_state(health.now());
        let to_it = |pair: &&Pair| pair.target == target.name;
        let transitions = health.transitions.iter().map(|transition| {
            let (state, reason, _) = instance_state((transition.state, transition.reason));
            Transition {
                at: books.millis(transition.at),
                state: state.to_owned(),
                reason: reason.to_owned(),
            }
        });
        let evidence = InstanceEvidence {
            id: interfaces::id("i", &target.name),
            state: state.to_owned(),
            reason_code: reason_code.to_owned(),
            description: description.to_owned(),
            checks: health.checks as i64,
            failed_checks: health.failed_checks as i64,
            transitions: transitions.collect(),
            connections: pairs.iter().filter(own).filter(to_it).count() as i64,
        };
        (target.name.clone(), evidence)
    };
    let targets = group.targets.iter();
    targets.zip(&books.health[number]).map(instance).collect()
}

/// State, reason code and description (elb API, `InstanceState`).
fn instance_state(
    (state, reason): (HealthState, HealthReason),
) -> (&'static str, &'static str, &'static str) {
    match state {
        HealthState::Healthy => ("InService", "N/A", "N/A"),
        HealthState::Draining => (
            "InService",
            "N/A",
            "Instance deregistration currently in progress.",
        ),
        HealthState::Initial => (
            "OutOfService",
            "ELB",
            "Instance registration is still in progress.",
        ),
        HealthState::Unhealthy | HealthState::UnhealthyDraining => (
            "OutOfService",
            "Instance",
            "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.",
        ),
        HealthState::Unused if reason == HealthReason::NotInUse => (
            "OutOfService",
            "ELB",
            "Instance is in the EC2 Availability Zone for which LoadBalancer is not configured to route traffic to.",
        ),
        HealthState::Unused => (
            "OutOfService",
            "Instance",
            "Instance is not currently registered with the LoadBalancer.",
        ),
    }
}

/// True for the instances of a classic balancer: no target group of the lab.
fn is_of_classic(plan: &Plan, group: usize) -> bool {
    let mut kinds = plan.fabric.balancers.iter().map(|balancer| &balancer.kind);
    kinds.any(|kind| match kind {
        Kind::Classic(classic) => usize::from(classic.group.0) == group,
        Kind::Network | Kind::Application(_) => false,
    })
}

pub(super) fn groups(
    plan: &Plan,
    books: &Books,
    metrics: &Metrics<'_>,
) -> BTreeMap<String, GroupEvidence> {
    let list = plan
        .fabric
        .groups
        .iter()
        .enumerate()
        .filter(|(number, _)| !is_of_classic(plan, *number))
        .map(|(number, group)| {
            let targets = group.targets.iter().enumerate().map(|(index, target)| {
                let flows = books
                    .flows
                    .iter()
                    .filter(|flow| usize::from(flow.group.0) == number && flow.target == index)
                    .count() as i64;
                (
                    target.name.clone(),
                    TargetEvidence {
                        flows,
                        ..target_evidence(plan, books, number, index)
                    },
                )
            });
            (
                group.name.clone(),
                GroupEvidence {
                    metrics: metrics.of_group(GroupId(number as u16)),
                    targets: targets.collect(),
                    zones: books.zones[number].clone(),
                },
            )
        });
    list.collect()
}

/// A target, but for its flows.
fn target_evidence(plan: &Plan, books: &Books, number: usize, index: usize) -> TargetEvidence {
    let health = &books.health[number][index];
    let (state, reason) = health.now();
    let group = &plan.fabric.groups[number];
    let target = &group.targets[index];
    let mut listeners = books.balancers.iter().flat_map(|one| &one.listeners);
    let listener = listeners.find(|listener| listener.forwards_to(GroupId(number as u16)));
    let port = target.port.or(listener.map(|listener| listener.port));
    let checked = group.health_check.as_ref().and_then(|check| check.port);
    let id = if let Some(inner) = group.inner {
        interfaces::application_arn(&plan.fabric.balancers[usize::from(inner.0)].name)
    } else if plan.ip_groups.contains(&group.name) {
        let end = SocketAddrV4::new(target.address, 0);
        plan.fabric.stand_ins.end(end).ip().to_string()
    } else {
        interfaces::id("i", &target.name)
    };
    TargetEvidence {
        id,
        port: port.unwrap_or(0).into(),
        unlistened: listener.is_none(),
        health_check_port: checked.or(port).unwrap_or(0).into(),
        zone: target.zone.clone().unwrap_or_default(),
        state: state.word().to_owned(),
        reason: reason.code().to_owned(),
        checks: health.checks as i64,
        failed_checks: health.failed_checks as i64,
        transitions: health
            .transitions
            .iter()
            .map(|transition| Transition {
                at: books.millis(transition.at),
                state: transition.state.word().to_owned(),
                reason: transition.reason.code().to_owned(),
            })
            .collect(),
        administrative_override: books.overrides[number][index].to_owned(),
        flows: 0,
    }
}
