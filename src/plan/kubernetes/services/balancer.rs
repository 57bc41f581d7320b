//! A service of the type LoadBalancer becomes a balancer and target groups, as the AWS Load Balancer Controller makes them.

use super::{Port, Service};
use crate::diag::codes::kubernetes as code;
use crate::diag::{Diagnostic, Spanned};
use crate::plan::kubernetes::annotations::{self, Wishes};
use crate::plan::sink::Sink;
use crate::spec::kubernetes::{self, Kubernetes};
use crate::spec::{Balancer, Body, HealthCheck, Listener, TargetGroup};
use std::net::Ipv4Addr;

/// What the balancer and its groups are made from.
struct Brought<'a> {
    name: &'a Spanned<String>,
    service: &'a kubernetes::Service,
    made: &'a Service,
    wishes: Wishes,
    health_check: Option<HealthCheck>,
}

/// Adds them to the body. `pods` are the service's endpoints. True when these are the targets.
pub(super) fn bring(
    name: &Spanned<String>,
    service: &kubernetes::Service,
    made: &Service,
    pods: &[&str],
    kubernetes: &Kubernetes,
    body: &mut Body,
    sink: &mut Sink,
) -> bool {
    let listeners: Vec<String> = made.ports.iter().map(Port::listener_name).collect();
    let wishes = annotations::read(&service.annotations, &listeners, sink);
    let by_address = wishes
        .target_type
        .as_ref()
        .is_some_and(|kind| kind.value == "ip");
    let local = made.health_check.filter(|_| !by_address);
    let brought = Brought {
        name,
        service,
        made,
        health_check: annotations::health_check(&wishes, local, service.span, sink),
        wishes,
    };
    let mut listeners = Vec::with_capacity(made.ports.len());
    for (port, written) in made.ports.iter().zip(&service.ports) {
        let group = brought.group_name(port);
        name_is_free(&group, body, sink);
        let (target_port, targets) = match by_address {
            true => (port.target, pods.iter().map(ToString::to_string).collect()),
            false => (port.node_port.unwrap_or(port.port), targets_of(kubernetes)),
        };
        let target_port = Spanned::new(target_port, written.port.span);
        let section = brought.group(port, target_port, targets);
        body.target_groups.push((group.clone(), section));
        listeners.push((written.port.clone(), brought.listener(port, group)));
    }
    let mut others = body.load_balancers.iter();
    if others.any(|(other, _)| other.value == name.value) {
        sink.push(taken(name, "load balancer"));
    }
    let balancer = brought.balancer(zones_of(kubernetes), listeners);
    body.load_balancers.push((name.clone(), balancer));
    by_address
}

/// A zone of a balancer, and its address there when it is written.
type Zone = (Spanned<String>, Option<Spanned<Ipv4Addr>>);

impl Brought<'_> {
    /// A word of a section that nobody wrote.
    fn word(&self, text: &str) -> Spanned<String> {
        Spanned::new(text.to_owned(), self.name.span)
    }

    fn protocol(&self, port: &Port) -> Spanned<String> {
        self.word(if port.udp { "UDP" } else { "TCP" })
    }

    fn group_name(&self, port: &Port) -> Spanned<String> {
        match self.made.ports.len() {
            1 => self.name.clone(),
            _ => self.word(&format!("{}-{}", self.name.value, port.port)),
        }
    }

    fn group(&self, port: &Port, target_port: Spanned<u16>, targets: Vec<String>) -> TargetGroup {
        let spanned = |name: String| (Spanned::new(name, self.service.selector.span), None);
        TargetGroup {
            span: self.service.span,
            target_type: self
                .wishes
                .target_type
                .clone()
                .unwrap_or_else(|| self.word("instance")),
            protocol: self.protocol(port),
            ip_address_type: self.word("ipv4"),
            port: Some(target_port),
            targets: targets.into_iter().map(spanned).collect(),
            attributes: self.wishes.group_attributes.clone(),
            health_check: self.health_check.clone(),
            emulate: self.service.target_group_emulate.clone(),
        }
    }

    fn listener(&self, port: &Port, group: Spanned<String>) -> Listener {
        Listener {
            span: self.service.span,
            protocol: self.protocol(port),
            target_group: Some(group),
            instance_port: None,
            target_groups: Vec::new(),
            attributes: of_listener(&self.wishes, port),
        }
    }

    fn balancer(&self, zones: Vec<Zone>, listeners: Vec<(Spanned<u16>, Listener)>) -> Balancer {
        let scheme = self.wishes.scheme.clone();
        Balancer {
            span: self.service.span,
            kind: self.word("network"),
            scheme: scheme.unwrap_or_else(|| self.word("internal")),
            ip_address_type: self.word("ipv4"),
            zones,
            disabled: Vec::new(),
            instances: None,
            health_check: None,
            zonal_shift: None,
            listeners,
            attributes: self.wishes.attributes.clone(),
            start: self.word("settled"),
            vpc: None,
            security_groups: self.wishes.security_groups.clone(),
            emulate: self.service.emulate.clone(),
        }
    }
}

/// Nodes that a service's traffic may be sent to.
fn targets_of(kubernetes: &Kubernetes) -> Vec<String> {
    let nodes = kubernetes.nodes.iter();
    let targets = nodes.filter(|(_, node)| node.service_target);
    targets.map(|(name, _)| name.value.clone()).collect()
}

/// The zones that nodes are in, each once, in the order of the nodes. Addresses there are given out.
fn zones_of(kubernetes: &Kubernetes) -> Vec<Zone> {
    let mut zones: Vec<Zone> = Vec::new();
    let nodes = kubernetes.nodes.iter();
    for zone in nodes.filter_map(|(_, node)| node.host.zone.as_ref()) {
        if !zones.iter().any(|(known, _)| known.value == zone.value) {
            zones.push((zone.clone(), None));
        }
    }
    zones
}

impl Port {
    /// As annotations name listeners: `TCP-80`.
    fn listener_name(&self) -> String {
        format!("{}-{}", if self.udp { "UDP" } else { "TCP" }, self.port)
    }
}

fn of_listener(wishes: &Wishes, port: &Port) -> annotations::Attributes {
    let name = port.listener_name();
    let own = wishes
        .listener_attributes
        .iter()
        .filter(|(listener, _)| listener.value == name);
    own.flat_map(|(_, attributes)| attributes.clone()).collect()
}

fn name_is_free(group: &Spanned<String>, body: &Body, sink: &mut Sink) {
    if body
        .target_groups
        .iter()
        .any(|(other, _)| other.value == group.value)
    {
        sink.push(taken(group, "target group"));
    }
}

fn taken(name: &Spanned<String>, what: &str) -> Diagnostic {
    Diagnostic::new(
        code::SERVICE_NAME_TAKEN,
        name.span,
        format!("there is a {what} `{}` already", name.value),
    )
    .label("the service brings one of this name")
    .help("rename one of the two")
}
