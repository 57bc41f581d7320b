//! Load balancers and target groups: their settings, and where each zonal address can send.

use super::listed;
use super::quantities::{cloud, protocol};
use crate::fabric::config::{
    Balancer, Classic, Config, Forward, GroupId, Kind, Listener, OnBackendReset, OnCollision,
    OnDeregister, OnMissingFlow, Target, ZonalId,
};
use crate::plan::Plan;
use crate::report::wrap::count;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

pub(super) fn balancers(plan: &Plan, out: &mut String) {
    if plan.fabric.balancers.is_empty() {
        return;
    }
    line!(out, "\nLOAD BALANCERS");
    for balancer in &plan.fabric.balancers {
        if let Some(why) = &balancer.failure {
            line!(out, "  {}: failed, because {why}", balancer.name);
            continue;
        }
        line!(out, "  {}: {}", balancer.name, knobs(balancer));
        for zonal in &balancer.zonal {
            let name = format!("{}/{}", balancer.name, zonal.zone);
            let ipv6 = zonal.ipv6.and_then(|ipv6| plan.fabric.stand_ins.real(ipv6));
            let ipv6 = ipv6.map_or(String::new(), |ipv6| format!(", {ipv6}"));
            let secondary = zonal.secondary.iter().map(Ipv4Addr::to_string);
            let secondary = match secondary.collect::<Vec<_>>().join(", ") {
                none if none.is_empty() => none,
                some => format!("; toward targets also {some}"),
            };
            match zonal.public {
                Some(public) => line!(
                    out,
                    "    {name}  {public}, inside the VPC {}{ipv6}{secondary}",
                    zonal.private
                ),
                None => line!(
                    out,
                    "    {name}  {}{ipv6}, internal{secondary}",
                    zonal.private
                ),
            }
        }
        for listener in &balancer.listeners {
            listener_lines(plan, balancer, listener, out);
        }
    }
}

fn knobs(balancer: &Balancer) -> String {
    match &balancer.kind {
        Kind::Network => format!("network, {}", flow_knobs(balancer)),
        Kind::Classic(classic) => format!("classic, {}", classic_knobs(classic)),
        Kind::Application(_) => "application".to_owned(),
    }
}

fn classic_knobs(classic: &Classic) -> String {
    let deregistered = match classic.on_deregister {
        OnDeregister::Close => "closes the connections of an instance out of service",
        OnDeregister::Reset => "resets the clients of an instance out of service",
        OnDeregister::Blackhole => "swallows what clients of an instance out of service say",
        OnDeregister::Drain => "lets the connections of an instance out of service go on",
    };
    let reset = match classic.on_backend_reset {
        OnBackendReset::Propagate => "passes an instance's reset on",
        OnBackendReset::Ignore => "keeps an instance's reset to itself",
    };
    format!("{deregistered}, {reset}")
}

fn flow_knobs(balancer: &Balancer) -> String {
    let collision = match balancer.on_collision {
        OnCollision::Newest => "on collision the newest flow wins",
        OnCollision::KeepOld => "on collision the old flow wins",
        OnCollision::Random => "on collision the lot decides which flow wins",
        OnCollision::PortRewrite => "on collision the newcomer gets another port",
    };
    let missing = match balancer.on_missing_flow {
        OnMissingFlow::Reset => "data without a flow is reset",
        OnMissingFlow::Drop => "data without a flow is dropped",
    };
    format!("{collision}, {missing}")
}

/// What a listener takes.
fn carried(listener: &Listener) -> &'static str {
    match listener.http {
        true => "HTTP",
        false => protocol(listener.protocol),
    }
}

fn listener_lines(plan: &Plan, balancer: &Balancer, listener: &Listener, out: &mut String) {
    let (config, scale) = (&plan.fabric, plan.time_scale);
    for forward in &listener.forward {
        let share = if listener.forward.len() > 1 {
            format!(" (weight {})", forward.weight)
        } else {
            String::new()
        };
        line!(
            out,
            "    {} {} -> {}{share}, {}, idle limit {}",
            carried(listener),
            listener.port,
            config.groups[forward.group.0 as usize].name,
            if forward.cross_zone {
                "across zones"
            } else {
                "each zone to its own targets"
            },
            cloud(idle_timeout(balancer, listener), scale)
        );
        forward_lines(plan, balancer, listener, forward, out);
    }
}

/// Of connections: a proxy has it itself, of others each listener has its own.
fn idle_timeout(balancer: &Balancer, listener: &Listener) -> Duration {
    match &balancer.kind {
        Kind::Network => listener.idle_timeout,
        Kind::Classic(classic) => classic.idle_timeout,
        Kind::Application(application) => application.idle_timeout,
    }
}

fn forward_lines(
    plan: &Plan,
    balancer: &Balancer,
    listener: &Listener,
    forward: &Forward,
    out: &mut String,
) {
    for (zonal, place) in (0u8..).zip(&balancer.zonal) {
        let reach = reach(&plan.fabric, balancer, listener, forward, ZonalId(zonal));
        let text = if reach.is_empty() {
            match balancer.kind {
                Kind::Application(_) | Kind::Classic(_) if listener.http => {
                    "no target: requests are answered with 503".to_owned()
                }
                Kind::Application(_) | Kind::Classic(_) => {
                    "no target: a new connection waits".to_owned()
                }
                Kind::Network => "no target: a new connection is dropped".to_owned(),
            }
        } else {
            listed(&reach)
        };
        line!(out, "      {}/{} -> {text}", balancer.name, place.zone);
    }
}

/// Where one zonal address can send, the way the fabric decides it: a preferred target, wherever it is eligible,
/// leaves no choice.
fn reach(
    config: &Config,
    balancer: &Balancer,
    listener: &Listener,
    forward: &Forward,
    zonal: ZonalId,
) -> Vec<String> {
    let targets = &config.groups[forward.group.0 as usize].targets;
    let eligible: Vec<(usize, &Target)> = targets
        .iter()
        .enumerate()
        .filter(|(_, target)| target.registered && balancer.reaches(zonal, forward, target))
        .collect();
    let preferred = balancer
        .prefer
        .iter()
        .filter(|(at, _)| *at == zonal)
        .flat_map(|(_, wanted)| wanted)
        .find_map(|wanted| eligible.iter().find(|(index, _)| index == wanted));
    let written = |target: &Target| {
        format!(
            "{} {}",
            target.name,
            config
                .stand_ins
                .end(SocketAddrV4::new(target.address, listener.port_at(target)))
        )
    };
    match preferred {
        Some((_, target)) => vec![format!("{} (preferred)", written(target))],
        None => eligible.iter().map(|(_, target)| written(target)).collect(),
    }
}

pub(super) fn groups(plan: &Plan, out: &mut String) {
    if plan.fabric.groups.is_empty() {
        return;
    }
    line!(out, "\nTARGET GROUPS");
    let kinds = || plan.fabric.balancers.iter().map(|balancer| &balancer.kind);
    for (number, group) in (0u16..).map(GroupId).zip(&plan.fabric.groups) {
        // Instances of a classic balancer are no group of the lab.
        if kinds().any(|kind| matches!(kind, Kind::Classic(classic) if classic.group == number)) {
            continue;
        }
        line!(
            out,
            "  {}: {}, {}",
            group.name,
            count(group.targets.len(), "target"),
            if group.preserve_client_ip {
                "the client's address is preserved"
            } else {
                "targets see the load balancer's address"
            }
        );
    }
}
