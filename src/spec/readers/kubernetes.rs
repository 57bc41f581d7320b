//! Reads nodes, pods and services.

use super::{Fields, balancers, hosts};
use crate::diag::Span;
use crate::spec::grammar::kubernetes::{
    EBPF, EMULATE, IPVS, KUBERNETES, NODE, POD, SERVICE, SERVICE_PORT,
};
use crate::spec::kubernetes::{
    Ipvs, Kubernetes, Node, Pod, ProxyMode, Service, ServicePort, ServiceProxy,
};
use crate::spec::node;
use std::time::Duration;

/// `kubernetes`
pub fn kubernetes(node: &node::Node, span: Span) -> Option<Kubernetes> {
    let fields = Fields::new(node, &KUBERNETES, span);
    let nothing = nothing();
    let emulate = fields.node("emulate").unwrap_or(&nothing);
    let knobs = Fields::new(emulate, &EMULATE, span);
    let mode = knobs.value::<String>("load_balancer_mode");
    Some(Kubernetes {
        nodes: fields.items("nodes", self::node)?,
        pods: fields.items("pods", pod)?,
        services: fields.items("services", service)?,
        dsr: mode.and_then(|mode| (mode.value == "dsr").then_some(mode.span)),
        on_collision: knobs.written("on_collision"),
        emulate: service_proxy(emulate, span)?,
    })
}

fn service_proxy(node: &node::Node, span: Span) -> Option<ServiceProxy> {
    let fields = Fields::new(node, &EMULATE, span);
    let nothing = nothing();
    let own = |name| fields.node(name).unwrap_or(&nothing);
    let written = |name| fields.entry(name).map(|(key, _)| key);
    let ebpf = Fields::new(own("ebpf"), &EBPF, span);
    Some(ServiceProxy {
        mode: match fields.value::<String>("proxy_mode")?.value.as_str() {
            "ipvs" => ProxyMode::Ipvs,
            "ebpf" => ProxyMode::Ebpf,
            _ => ProxyMode::Iptables,
        },
        drop_invalid: fields.written("drop_invalid"),
        clear_conntrack: fields.written("clear_conntrack"),
        terminating_endpoints: fields.written("terminating_endpoints"),
        ipvs: ipvs(own("ipvs"), span)?,
        ipvs_written: written("ipvs"),
        pin_syn: ebpf.value("pin_syn")?.value,
        ebpf_written: written("ebpf"),
    })
}

/// A section in which nothing is written: all of it has its defaults.
fn nothing() -> node::Node {
    node::Node::map(Vec::new(), Span::default())
}

fn ipvs(node: &node::Node, span: Span) -> Option<Ipvs> {
    let fields = Fields::new(node, &IPVS, span);
    let switch = |name| Some(fields.value::<u16>(name)?.value != 0);
    let time = |name| Some(fields.value::<Duration>(name)?.value);
    Some(Ipvs {
        conn_reuse_mode: fields.value("conn_reuse_mode")?.value,
        expire_nodest_conn: switch("expire_nodest_conn")?,
        conntrack: switch("conntrack")?,
        since_5_9: fields.value::<String>("kernel")?.value == "since-5.9",
        tcp: time("tcp")?,
        tcpfin: time("tcpfin")?,
        udp: time("udp")?,
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
        target_group_emulate: fields
            .node("target_group_emulate")
            .map(|node| balancers::group_emulate(node, span))
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
