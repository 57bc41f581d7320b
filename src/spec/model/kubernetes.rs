//! The typed mirror of `kubernetes`: nodes, pods, services.

use super::{Emulate, Host, Serve, ServePort};
use crate::diag::{Span, Spanned};
use std::net::Ipv4Addr;

/// `kubernetes`
#[derive(Clone, Debug, Default)]
pub struct Kubernetes {
    /// In order of writing.
    pub nodes: Vec<(Spanned<String>, Node)>,
    /// In order of writing.
    pub pods: Vec<(Spanned<String>, Pod)>,
    /// In order of writing.
    pub services: Vec<(Spanned<String>, Service)>,
    /// `emulate.drop_invalid`
    pub drop_invalid: bool,
    /// `emulate.load_balancer_mode: dsr`
    pub dsr: Option<Span>,
    /// `emulate.on_collision`, where it is written.
    pub on_collision: Option<Spanned<String>>,
}

/// `kubernetes.nodes.X`
#[derive(Clone, Debug)]
pub struct Node {
    /// What every host has.
    pub host: Host,
    /// `service_target:`
    pub service_target: bool,
}

/// `kubernetes.pods.X`
#[derive(Clone, Debug)]
pub struct Pod {
    /// The item's place.
    pub span: Span,
    /// `node:`; none: spread over the nodes.
    pub node: Option<Spanned<String>>,
    /// `hostNetwork:`, where it is true.
    pub host_network: Option<Span>,
    /// What every host has; `count` among it.
    pub host: Host,
}

impl Pod {
    /// What it serves, by port.
    pub fn serve(&self) -> &[(Spanned<ServePort>, Serve)] {
        &self.host.serve
    }
}

/// `kubernetes.services.X`
#[derive(Clone, Debug)]
pub struct Service {
    /// The item's place.
    pub span: Span,
    /// `LoadBalancer`, `NodePort`, `ClusterIP`
    pub kind: Spanned<String>,
    /// Name of pods.
    pub selector: Spanned<String>,
    /// At least one.
    pub ports: Vec<ServicePort>,
    /// `externalTrafficPolicy: Local`
    pub local: Option<Span>,
    /// `healthCheckNodePort:`; none: given out.
    pub health_check_node_port: Option<Spanned<u16>>,
    /// `clusterIP:`; none: given out.
    pub cluster_ip: Option<Spanned<Ipv4Addr>>,
    /// `ipMode: VIP`
    pub vip: bool,
    /// `emulate:` of its balancer.
    pub emulate: Emulate,
    /// Names verbatim; values as text.
    pub annotations: Vec<(Spanned<String>, Spanned<String>)>,
}

/// An item of `ports`.
#[derive(Clone, Debug)]
pub struct ServicePort {
    /// `port:`
    pub port: Spanned<u16>,
    /// `targetPort:`; none: the same.
    pub target_port: Option<Spanned<u16>>,
    /// `nodePort:`; none: given out.
    pub node_port: Option<Spanned<u16>>,
    /// `protocol: UDP`
    pub udp: bool,
}

impl ServicePort {
    /// The pods' port.
    pub fn target(&self) -> u16 {
        self.target_port
            .as_ref()
            .map_or(self.port.value, |port| port.value)
    }
}
