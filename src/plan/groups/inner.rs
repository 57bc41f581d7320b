//! Groups whose target is an application balancer.
//!
//! Source: "Use Application Load Balancers as targets of a Network Load Balancer".

use super::{Group, Groups};
use crate::diag::codes::http as code;
use crate::diag::{Diagnostic, Span, Spanned};
use crate::plan::Sink;
use crate::spec::{self, Body};

/// The application balancer that is a group's only target.
#[derive(Clone, Copy, Debug)]
pub(in crate::plan) struct Inner {
    /// Index into the balancers.
    pub(in crate::plan) balancer: usize,
    /// One of its listeners'.
    pub(in crate::plan) port: u16,
}

/// True for a group whose target is an application balancer.
pub(super) fn is_outer(group: &spec::TargetGroup) -> bool {
    group.target_type.value == "alb"
}

/// The application balancer behind a group. What AWS refuses is told.
pub(super) fn inner(
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
    let Some((balancer, (_, section))) = found.filter(|(_, (_, section))| section.is_application())
    else {
        let names = body
            .load_balancers
            .iter()
            .filter(|(_, section)| section.is_application());
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

/// The names of a group's targets, when they are the zonal addresses of an application balancer.
fn zonal_names(group: &Group<'_>, body: &Body) -> Vec<String> {
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
