//! Reads target groups and load balancers.

use super::{Fields, names, scalar};
use crate::diag::{Span, Spanned};
use crate::spec::grammar::Section;
use crate::spec::grammar::balancers::{BALANCER, CLASSIC_CHECK, EMULATE, LISTENER};
use crate::spec::grammar::groups::{GROUP, GROUP_EMULATE, HEALTH_CHECK, TARGET};
use crate::spec::model::{Balancer, Emulate, GroupEmulate, HealthCheck, Listener, TargetGroup};
use crate::spec::node::{Node, Value};
use std::net::Ipv4Addr;

/// `target_groups.X`
pub fn group(node: &Node, span: Span) -> Option<TargetGroup> {
    let fields = Fields::new(node, &GROUP, span);
    let targets = match fields.node("targets").map(|node| (&node.value, node)) {
        Some((Value::Map(entries), _)) => entries
            .iter()
            .map(|entry| {
                let target = Fields::new(&entry.value, &TARGET, entry.key.span);
                (entry.key.clone(), target.written("port"))
            })
            .collect(),
        Some((_, node)) => names(node).into_iter().map(|name| (name, None)).collect(),
        None => Vec::new(),
    };
    let (target_type, protocol): (Spanned<String>, Spanned<String>) =
        (fields.value("target_type")?, fields.value("protocol")?);
    let checked_over = match (target_type.value.as_str(), protocol.value.as_str()) {
        ("alb", _) | (_, "HTTP") => "HTTP",
        _ => "TCP",
    };
    Some(TargetGroup {
        span,
        target_type,
        protocol,
        ip_address_type: fields.value("ip_address_type")?,
        port: fields.written("port"),
        targets,
        attributes: fields.free("attributes"),
        health_check: match fields.entry("health_check") {
            Some((key, node)) => Some(health_check(node, &HEALTH_CHECK, checked_over, key)?),
            None => None,
        },
        emulate: fields
            .node("emulate")
            .map(|node| group_emulate(node, span))
            .unwrap_or_default(),
    })
}

/// `default`: its protocol when none is written.
fn health_check(
    node: &Node,
    section: &'static Section,
    default: &str,
    span: Span,
) -> Option<HealthCheck> {
    let fields = Fields::new(node, section, span);
    let default = || Spanned::new(default.to_owned(), span);
    Some(HealthCheck {
        span,
        protocol: fields.value("protocol").unwrap_or_else(default),
        port: fields.value("port")?,
        path: fields.written("path"),
        interval: fields.value("interval")?,
        timeout: fields.value("timeout"),
        healthy_threshold: fields.value("healthy_threshold")?,
        unhealthy_threshold: fields.value("unhealthy_threshold")?,
        matcher: section
            .field("matcher")
            .and_then(|field| fields.written(field.name)),
    })
}

/// `target_groups.X.emulate`
pub fn group_emulate(node: &Node, span: Span) -> GroupEmulate {
    let fields = Fields::new(node, &GROUP_EMULATE, span);
    GroupEmulate {
        checkers: fields.written("checkers"),
        consensus: fields.written("consensus"),
        register_delay: fields.written("register_delay"),
        deregister_propagation: fields.written("deregister_propagation"),
        unhealthy_propagation: fields.written("unhealthy_propagation"),
        termination_delay: fields.written("termination_delay"),
        zero_weight_delay: fields.written("zero_weight_delay"),
        termination_reset: fields.written("termination_reset"),
        on_draining_failure: fields.written("on_draining_failure"),
    }
}

/// `load_balancers.X`
pub fn balancer(node: &Node, span: Span) -> Option<Balancer> {
    let fields = Fields::new(node, &BALANCER, span);
    let zones = fields.node("zones")?;
    let zones = match &zones.value {
        Value::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), scalar::<Ipv4Addr>(&entry.value)))
            .collect(),
        Value::Null | Value::Scalar(_) | Value::List(_) => {
            names(zones).into_iter().map(|zone| (zone, None)).collect()
        }
    };
    let listeners = fields.node("listeners")?.entries()?;
    let kind: Spanned<String> = fields.value("type")?;
    let default = match kind.value.as_str() {
        "application" => "HTTP",
        _ => "TCP",
    };
    let listeners = listeners.iter().map(|entry| {
        let port: u16 = entry.key.value.parse().ok()?;
        Some((
            Spanned::new(port, entry.key.span),
            listener(&entry.value, default, entry.key.span)?,
        ))
    });
    Some(Balancer {
        span,
        kind,
        scheme: fields.value("scheme")?,
        ip_address_type: fields.value("ip_address_type")?,
        zones,
        disabled: Vec::new(),
        zonal_shift: fields.written("zonal_shift"),
        listeners: listeners.collect::<Option<_>>()?,
        instances: fields
            .entry("instances")
            .map(|(key, node)| Spanned::new(names(node), key)),
        health_check: match fields.entry("health_check") {
            Some((key, node)) => Some(health_check(node, &CLASSIC_CHECK, "TCP", key)?),
            None => None,
        },
        attributes: fields.free("attributes"),
        vpc: fields.written("vpc"),
        security_groups: fields.names("security_groups"),
        start: fields.value("start")?,
        emulate: fields
            .node("emulate")
            .map(|node| emulate(node, span))
            .unwrap_or_default(),
    })
}

/// `default`: its protocol when none is written.
fn listener(node: &Node, default: &str, span: Span) -> Option<Listener> {
    let fields = Fields::new(node, &LISTENER, span);
    let (target_group, instance_port) = match node.scalar() {
        Some(_) => match scalar::<u16>(node) {
            Some(port) => (None, Some(port)),
            None => (Some(scalar(node)?), None),
        },
        None => (
            fields.written("target_group"),
            fields.written("instance_port"),
        ),
    };
    let default = || Spanned::new(default.to_owned(), span);
    Some(Listener {
        span,
        protocol: fields.written("protocol").unwrap_or_else(default),
        target_group,
        instance_port,
        target_groups: fields.items("target_groups", |weight, _| scalar(weight))?,
        attributes: fields.free("attributes"),
    })
}

/// `load_balancers.X.emulate`
pub fn emulate(node: &Node, span: Span) -> Emulate {
    let fields = Fields::new(node, &EMULATE, span);
    let prefer = match fields.node("prefer").map(|node| (&node.value, node)) {
        Some((Value::Map(entries), _)) => entries
            .iter()
            .map(|entry| (Some(entry.key.clone()), names(&entry.value)))
            .collect(),
        Some((_, node)) => vec![(None, names(node))],
        None => Vec::new(),
    };
    Emulate {
        prefer,
        on_collision: fields.written("on_collision"),
        on_missing_flow: fields.written("on_missing_flow"),
        on_no_target: fields.written("on_no_target"),
        on_target_error: fields.written("on_target_error"),
        on_zone_disabled: fields.written("on_zone_disabled"),
        snat_ports: fields.written("snat_ports"),
        port_reuse: fields.written("port_reuse"),
        port_order: fields.written("port_order"),
        source_address: fields.written("source_address"),
        flow_capacity: fields.written("flow_capacity"),
        flow_reuse: fields.written("flow_reuse"),
        on_deregister: fields.written("on_deregister"),
        on_backend_reset: fields.written("on_backend_reset"),
        surge_queue: fields.written("surge_queue"),
    }
}
