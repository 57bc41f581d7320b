//! The typed mirror of `kubernetes`: nodes, pods, services.

use super::{Emulate, GroupEmulate, Host, Serve, ServePort};
use crate::diag::{Span, Spanned};
use std::net::Ipv4Addr;
use std::time::Duration;

/// `kubernetes`
#[derive(Clone, Debug)]
pub struct Kubernetes {
    /// In order of writing.
    pub nodes: Vec<(Spanned<String>, Node)>,
    /// In order of writing.
    pub pods: Vec<(Spanned<String>, Pod)>,
    /// In order of writing.
    pub services: Vec<(Spanned<String>, Service)>,
    /// `emulate.load_balancer_mode: dsr`
    pub dsr: Option<Span>,
    /// `emulate.on_collision`, where it is written.
    pub on_collision: Option<Spanned<String>>,
    /// `emulate:`
    pub emulate: ServiceProxy,
}

/// `kubernetes.emulate`
#[derive(Clone, Debug)]
pub struct ServiceProxy {
    /// `proxy_mode:`
    pub mode: ProxyMode,
    /// `drop_invalid:`; none: true.
    pub drop_invalid: Option<Spanned<bool>>,
    /// `clear_conntrack:`; none: `udp`.
    pub clear_conntrack: Option<Spanned<String>>,
    /// `terminating_endpoints:`; none: `drop`.
    pub terminating_endpoints: Option<Spanned<String>>,
    /// `ipvs:`
    pub ipvs: Ipvs,
    /// Where it is written.
    pub ipvs_written: Option<Span>,
    /// `ebpf.pin_syn`
    pub pin_syn: bool,
    /// Where `ebpf:` is written.
    pub ebpf_written: Option<Span>,
}

/// `kubernetes.emulate.proxy_mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyMode {
    /// `iptables`
    Iptables,
    /// `ipvs`
    Ipvs,
    /// `ebpf`
    Ebpf,
}

/// `kubernetes.emulate.ipvs`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipvs {
    /// 0 to 3.
    pub conn_reuse_mode: u16,
    /// 0 or 1.
    pub expire_nodest_conn: bool,
    /// 0 or 1.
    pub conntrack: bool,
    /// `kernel: since-5.9`
    pub since_5_9: bool,
    /// `tcp:`, cloud time.
    pub tcp: Duration,
    /// `tcpfin:`, cloud time.
    pub tcpfin: Duration,
    /// `udp:`, cloud time.
    pub udp: Duration,
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
    /// `target_group_emulate:` of its target groups.
    pub target_group_emulate: GroupEmulate,
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
