//! Reads nodes, pods and services.

use super::{Fields, balancers, hosts};
use crate::diag::Span;
use crate::spec::grammar::kubernetes::{EMULATE, KUBERNETES, NODE, POD, SERVICE, SERVICE_PORT};
use crate::spec::kubernetes::{Kubernetes, Node, Pod, Service, ServicePort};
use crate::spec::node;

/// `kubernetes`
pub fn kubernetes(node: &node::Node, span: Span) -> Option<Kubernetes> {
    let fields = Fields::new(node, &KUBERNETES, span);
    let emulate = fields.node("emulate");
    let emulate = emulate.map(|node| Fields::new(node, &EMULATE, span));
    let emulate = emulate.as_ref();
    let drop_invalid = emulate.and_then(|fields| fields.value::<bool>("drop_invalid"));
    let mode = emulate.and_then(|fields| fields.value::<String>("load_balancer_mode"));
    Some(Kubernetes {
        nodes: fields.items("nodes", self::node)?,
        pods: fields.items("pods", pod)?,
        services: fields.items("services", service)?,
        drop_invalid: drop_invalid.is_none_or(|drops| drops.value),
        dsr: mode.and_then(|mode| (mode.value == "dsr").then_some(mode.span)),
        on_collision: emulate.and_then(|fields| fields.written("on_collision")),
    })
}

fn node(node: &node::Node, span: Span) -> Option<Node> {
    let fields = Fields::new(node, &NODE, span);
    Some(Node {
        host: hosts::host(node, span)?,
        service_target: fields.value("service_target")?.value,
    })
}

fn pod(node: &node::Node, span: Span) -> Option<Pod> {
    let fields = Fields::new(node, &POD, span);
    let host_network = fields.value::<bool>("hostNetwork")?;
    Some(Pod {
        span,
        node: fields.written("node"),
        host_network: host_network.value.then_some(host_network.span),
        host: hosts::host(node, span)?,
    })
}

fn service(node: &node::Node, span: Span) -> Option<Service> {
    let fields = Fields::new(node, &SERVICE, span);
    let policy = fields.value::<String>("externalTrafficPolicy")?;
    let ports = fields.node("ports")?.items()?;
    Some(Service {
        span,
        kind: fields.value("type")?,
        selector: fields.value("selector")?,
        ports: ports.iter().map(port).collect::<Option<_>>()?,
        local: (policy.value == "Local").then_some(policy.span),
        health_check_node_port: fields.written("healthCheckNodePort"),
        cluster_ip: fields.written("clusterIP"),
        vip: fields.value::<String>("ipMode")?.value == "VIP",
        emulate: fields
            .node("emulate")
            .map(|node| balancers::emulate(node, span))
            .unwrap_or_default(),
        annotations: fields.free("annotations"),
    })
}

fn port(node: &node::Node) -> Option<ServicePort> {
    let fields = Fields::new(node, &SERVICE_PORT, node.span);
    Some(ServicePort {
        port: fields.value("port")?,
        target_port: fields.written("targetPort"),
        node_port: fields.written("nodePort"),
        udp: fields.value::<String>("protocol")?.value == "UDP",
    })
}
