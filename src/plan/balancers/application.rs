//! Application balancers: their attributes and listeners, the groups behind them, and groups whose target is one.
//!
//! Sources: the Application Load Balancer guide (attributes, target groups, health checks), and "Use Application Load
//! Balancers as targets of a Network Load Balancer".

use super::only_of_network;
use crate::diag::codes::http as code;
use crate::diag::{Diagnostic, Span, Spanned};
use crate::fabric::config::{Algorithm, Application, Kind};
use crate::plan::Sink;
use crate::plan::attributes::{self, CROSS_ZONE, Holder};
use crate::plan::clock::Clock;
use crate::plan::groups::{Carries, Group, Groups};
use crate::spec::{self, Body};
use std::time::Duration;

const IDLE: &str = "idle_timeout.timeout_seconds";
const CLIENT_KEEP_ALIVE: &str = "client_keep_alive.seconds";
const ALGORITHM: &str = "load_balancing.algorithm.type";
const STICKINESS: &str = "stickiness.enabled";
/// AWS's default, cloud seconds.
const IDLE_SECONDS: u64 = 60;
/// AWS's default, cloud seconds.
const CLIENT_KEEP_ALIVE_SECONDS: u64 = 3600;
/// AWS: a connection to a target must stand within this.
const CONNECT: Duration = Duration::from_secs(10);

/// True for an application balancer.
pub(in crate::plan) fn is(section: &spec::Balancer) -> bool {
    section.kind.value == "application"
}

/// What is special about an application balancer. Everything it cannot have is told.
pub(in crate::plan) fn resolve(section: &spec::Balancer, clock: Clock, sink: &mut Sink) -> Kind {
    foreign_words(section, sink);
    let written = attributes::check(Holder::Application, &section.attributes, sink);
    if let Some(value) = written.text(CROSS_ZONE)
        && value.value == "false"
    {
        sink.push(
            Diagnostic::new(
                code::CROSS_ZONE_IS_ON,
                value.span,
                "cross-zone load balancing of an application balancer is always on",
            )
            .help(format!(
                "remove it; a target group can be without: `attributes: {{ {CROSS_ZONE}: false }}`"
            )),
        );
    }
    let or = |seconds| Spanned::new(seconds, section.span);
    let idle = written.number(IDLE).unwrap_or_else(|| or(IDLE_SECONDS));
    let keep = written.number(CLIENT_KEEP_ALIVE);
    let keep = keep.map_or(CLIENT_KEEP_ALIVE_SECONDS, |seconds| seconds.value);
    Kind::Application(Application {
        idle_timeout: clock.idle(&idle, sink),
        client_keep_alive: clock.cloud(Duration::from_secs(keep)),
        connect_timeout: clock.cloud(CONNECT),
    })
}

/// What only network balancers have.
fn foreign_words(section: &spec::Balancer, sink: &mut Sink) {
    for (name, span) in only_of_network(section) {
        sink.push(
            Diagnostic::new(
                code::NOT_OF_APPLICATION,
                span,
                format!("`{name}` of an application balancer"),
            )
            .label("it makes no flows, and this release emulates no more of it")
            .also(section.kind.span, "the kind of balancer")
            .help("remove it, or make the balancer a network balancer"),
        );
    }
}

/// HTTP listeners belong to application balancers, and those have no others.
pub(in crate::plan) fn check_listener(
    section: &spec::Balancer,
    listener: &spec::Listener,
    sink: &mut Sink,
) {
    let http = Carries::of(&listener.protocol) == Carries::Http;
    if http == is(section) {
        return;
    }
    let kind = &section.kind;
    sink.push(
        Diagnostic::new(
            code::LISTENER_PROTOCOL,
            listener.protocol.span,
            format!(
                "no {} balancer has {} listeners",
                kind.value, listener.protocol.value
            ),
        )
        .also(kind.span, "the kind of balancer")
        .help(if http {
            "write `type: application` for the balancer, or `protocol: TCP`"
        } else {
            "remove `protocol`: it is HTTP, the only one emulated for application balancers"
        }),
    );
}

/// How targets of a group are chosen. What does not fit its protocol is told.
pub(in crate::plan) fn algorithm(group: &spec::TargetGroup, sink: &mut Sink) -> Algorithm {
    let http = Carries::of(&group.protocol) == Carries::Http;
    for (name, value) in &group.attributes {
        let known = match name.value.as_str() {
            STICKINESS if http && value.value != "false" => {
                sink.push(
                    Diagnostic::new(
                        code::STICKY_OVER_HTTP,
                        value.span,
                        "stickiness of an HTTP group is not emulated",
                    )
                    .label("it would need cookies")
                    .help("remove the attribute"),
                );
                continue;
            }
            name => fits(name, http),
        };
        if !known {
            sink.push(
                Diagnostic::new(
                    code::ATTRIBUTE_OF_OTHERS,
                    name.span,
                    format!("no {} group has `{}`", group.protocol.value, name.value),
                )
                .also(group.protocol.span, "the group's protocol")
                .help("remove the attribute"),
            );
        }
    }
    let mut written = group.attributes.iter();
    match written.find(|(name, _)| name.value == ALGORITHM) {
        Some((_, value)) if value.value == "least_outstanding_requests" => {
            Algorithm::LeastOutstandingRequests
        }
        Some(_) | None => Algorithm::RoundRobin,
    }
}

/// False for attributes of groups of the other kind (elbv2 API, `TargetGroupAttribute`).
fn fits(name: &str, http: bool) -> bool {
    let of_network = [
        "deregistration_delay.connection_termination.enabled",
        attributes::PRESERVE_CLIENT_IP,
        attributes::PROXY_PROTOCOL,
        attributes::HEADER_PLACEMENT,
        attributes::UNHEALTHY_TERMINATION,
        "target_health_state.unhealthy.draining_interval_seconds",
        "stickiness.type",
    ];
    match http {
        true => !of_network.contains(&name),
        false => name != ALGORITHM,
    }
}

/// The application balancer that is a group's only target.
#[derive(Clone, Copy, Debug)]
pub(in crate::plan) struct Inner {
    /// Index into the balancers.
    pub(in crate::plan) balancer: usize,
    /// One of its listeners'.
    pub(in crate::plan) port: u16,
}

/// True for a group whose target is an application balancer.
pub(in crate::plan) fn is_outer(group: &spec::TargetGroup) -> bool {
    group.target_type.value == "alb"
}

/// The application balancer behind a group. What AWS refuses is told.
pub(in crate::plan) fn inner(
    body: &Body,
    name: &Spanned<String>,
    group: &spec::TargetGroup,
    sink: &mut Sink,
) -> Option<Inner> {
    if !is_outer(group) {
        return None;
    }
    only_tcp(group, sink);
    let [(target, own_port)] = &group.targets[..] else {
        let (span, count) = match group.targets.get(1) {
            Some((second, _)) => (second.span, group.targets.len()),
            None => (name.span, 0),
        };
        sink.push(
            Diagnostic::new(
                code::ONE_BALANCER,
                span,
                format!("an `alb` group has one target, and this has {count}"),
            )
            .help("name one application balancer: `targets: [inner]`"),
        );
        return None;
    };
    let mut balancers = body.load_balancers.iter().enumerate();
    let found = balancers.find(|(_, (name, _))| name.value == target.value);
    let Some((balancer, (_, section))) = found.filter(|(_, (_, section))| is(section)) else {
        let names = body
            .load_balancers
            .iter()
            .filter(|(_, section)| is(section));
        let help = sink.help(&target.value, names.map(|(name, _)| name.value.as_str()));
        sink.push(
            Diagnostic::new(
                code::NO_BALANCER,
                target.span,
                format!("target `{}` is no application balancer", target.value),
            )
            .label("of `type: application`")
            .also(group.target_type.span, "the group's target type")
            .help(help),
        );
        return None;
    };
    let port = own_port.as_ref().or(group.port.as_ref());
    let listens = |port: u16| section.listeners.iter().any(|(one, _)| one.value == port);
    let wrong = port.filter(|port| !listens(port.value));
    if let Some(wrong) = wrong {
        sink.push(other_port(wrong, target, section));
    }
    let first = section.listeners.first().map_or(80, |(port, _)| port.value);
    Some(Inner {
        balancer,
        port: port.map_or(first, |port| port.value),
    })
}

fn other_port(
    port: &Spanned<u16>,
    target: &Spanned<String>,
    section: &spec::Balancer,
) -> Diagnostic {
    let ports: Vec<String> = section
        .listeners
        .iter()
        .map(|(port, _)| port.value.to_string())
        .collect();
    Diagnostic::new(
        code::BALANCER_PORT,
        port.span,
        format!("`{}` does not listen on port {}", target.value, port.value),
    )
    .label("an `alb` group's port is that of a listener of its target")
    .help(format!("it listens on: {}", ports.join(", ")))
}

/// AWS: TCP, attributes at their defaults, checked over HTTP or HTTPS.
fn only_tcp(group: &spec::TargetGroup, sink: &mut Sink) {
    let mut fixed = |span: Span, what: &str, help: &str| {
        sink.push(
            Diagnostic::new(
                code::FIXED_FOR_BALANCERS,
                span,
                format!("an `alb` group {what}"),
            )
            .also(group.target_type.span, "the group's target type")
            .help(help),
        );
    };
    if group.protocol.value != "TCP" {
        fixed(group.protocol.span, "is TCP", "remove `protocol`");
    }
    if group.ip_address_type.value != "ipv4" {
        let span = group.ip_address_type.span;
        fixed(span, "is IPv4", "remove `ip_address_type`");
    }
    if let Some((name, _)) = group.attributes.first() {
        fixed(
            name.span,
            "has its attributes' defaults",
            "remove the attributes",
        );
    }
    if let Some(check) = &group.health_check
        && check.protocol.value == "TCP"
    {
        let span = check.protocol.span;
        fixed(span, "is checked over HTTP", "remove `protocol`");
    }
}

/// An `alb` group is for TCP listeners of network balancers.
pub(in crate::plan) fn check_group(
    section: &spec::Balancer,
    listener: &spec::Listener,
    named: Span,
    group: &Group<'_>,
    sink: &mut Sink,
) {
    if group.inner.is_none() || (!is(section) && listener.protocol.value == "TCP") {
        return;
    }
    sink.push(
        Diagnostic::new(
            code::FIXED_FOR_BALANCERS,
            named,
            format!(
                "`{}` is for TCP listeners of network balancers",
                group.name.value
            ),
        )
        .also(group.name.span, "its target is an application balancer")
        .help("use another target group"),
    );
}

/// The names of a group's targets, when they are the zonal addresses of an application balancer.
pub(in crate::plan) fn zonal_names(group: &Group<'_>, body: &Body) -> Vec<String> {
    let Some(inner) = group.inner else {
        return Vec::new();
    };
    let (name, section) = &body.load_balancers[inner.balancer];
    let zones = section.zones.iter();
    zones
        .map(|(zone, _)| format!("{}/{}", name.value, zone.value))
        .collect()
}

/// The same of every group.
pub(in crate::plan) fn all_zonal_names(groups: &Groups<'_>, body: &Body) -> Vec<Vec<String>> {
    let groups = groups.list.iter();
    groups.map(|group| zonal_names(group, body)).collect()
}
