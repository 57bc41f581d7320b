//! Service proxies that are not rules of the node's kernel: IPVS, which not every kernel has, and eBPF, which is not
//! kube-proxy's. The fabric does what they do (`fabric::service_proxy`); nodes have no rules for services then.
//!
//! Here: what such a cluster cannot have, and what the fabric has to know of it.

use super::Cluster;
use super::services::Service;
use crate::diag::codes::kubernetes as code;
use crate::diag::codes::targets::NO_SUCH_TARGET;
use crate::diag::{Diagnostic, Span, Spanned};
use crate::fabric::config::{
    self, IpvsTimeouts, PortId, Protocol, ServiceEndpoint, VirtualService,
};
use crate::plan::Host;
use crate::plan::clock::Clock;
use crate::plan::sink::Sink;
use crate::spec::kubernetes::{Ipvs, Kubernetes, ProxyMode};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

/// The kernel's times for states that `ipvsadm --set` does not reach, in seconds (`tcp_timeouts`, ip_vs_proto_tcp.c).
const SYN_SENT: u64 = 120;
const SYN_RECV: u64 = 60;
const TIME_WAIT: u64 = 120;
const CLOSE: u64 = 10;
const CLOSE_WAIT: u64 = 60;
const LAST_ACK: u64 = 30;

fn word(mode: ProxyMode) -> &'static str {
    match mode {
        ProxyMode::Iptables => "iptables",
        ProxyMode::Ipvs => "ipvs",
        ProxyMode::Ebpf => "ebpf",
    }
}

/// Knobs of another mode than the cluster's, and services that its mode does not know.
pub(super) fn check(kubernetes: &Kubernetes, sink: &mut Sink) {
    let emulate = &kubernetes.emulate;
    let knobs = [
        (
            "drop_invalid",
            ProxyMode::Iptables,
            emulate.drop_invalid.as_ref().map(|knob| knob.span),
        ),
        (
            "clear_conntrack",
            ProxyMode::Iptables,
            emulate.clear_conntrack.as_ref().map(|knob| knob.span),
        ),
        (
            "terminating_endpoints",
            ProxyMode::Iptables,
            emulate.terminating_endpoints.as_ref().map(|knob| knob.span),
        ),
        ("load_balancer_mode", ProxyMode::Iptables, kubernetes.dsr),
        ("ipvs", ProxyMode::Ipvs, emulate.ipvs_written),
        ("ebpf", ProxyMode::Ebpf, emulate.ebpf_written),
    ];
    for (name, mode, written) in knobs {
        if let Some(span) = written.filter(|_| mode != emulate.mode) {
            of_another_mode(name, mode, emulate.mode, span, sink);
        }
    }
    if emulate.mode == ProxyMode::Iptables {
        return;
    }
    let outside = kubernetes
        .services
        .iter()
        .filter(|(_, service)| service.kind.value != "ClusterIP");
    for (name, service) in outside {
        sink.push(
            Diagnostic::new(
                code::CLUSTER_IP_ONLY,
                service.kind.span,
                format!(
                    "`{}` is of type {}, and the proxy mode is `{}`",
                    name.value,
                    service.kind.value,
                    word(emulate.mode)
                ),
            )
            .label("this mode is emulated for addresses within the cluster only")
            .help("write `type: ClusterIP`, and dial it from a pod; or leave `proxy_mode` at `iptables`"),
        );
    }
}

fn of_another_mode(name: &str, its: ProxyMode, mode: ProxyMode, span: Span, sink: &mut Sink) {
    sink.push(
        Diagnostic::new(
            code::KNOB_OF_ANOTHER_MODE,
            span,
            format!("`{name}` means nothing to the proxy mode `{}`", word(mode)),
        )
        .label("nothing would read it")
        .help(format!(
            "write `proxy_mode: {}` beside it, or remove it",
            word(its)
        )),
    );
}

impl Cluster {
    /// Endpoints come and go, and addresses of services leave the node as they are.
    pub(in crate::plan) fn is_emulated(&self) -> bool {
        let proxy = self.proxy.as_ref();
        proxy.is_some_and(|proxy| proxy.mode != ProxyMode::Iptables)
    }

    /// What turns services into pods, as the fabric takes it; none where the nodes' kernels do it.
    pub(in crate::plan) fn service_proxy(
        &self,
        hosts: &[Host],
        on_fabric: usize,
        clock: Clock,
    ) -> Option<Box<config::ServiceProxy>> {
        let proxy = self.proxy.as_ref()?;
        let mode = match proxy.mode {
            ProxyMode::Iptables => return None,
            ProxyMode::Ipvs => config::ProxyMode::Ipvs(lower(&proxy.ipvs, clock)),
            ProxyMode::Ebpf => config::ProxyMode::Ebpf {
                pin_syn: proxy.pin_syn,
            },
        };
        let addresses = hosts.iter().map(|host| (host.name.clone(), host.address));
        let addresses: HashMap<String, Ipv4Addr> = addresses.collect();
        let numbered = (0..).map(PortId).zip(hosts).take(on_fabric);
        let services = self.services.iter();
        Some(Box::new(config::ServiceProxy {
            mode,
            nodes: numbered
                .filter(|(_, host)| self.is_node(&host.name))
                .map(|(port, _)| port)
                .collect(),
            services: services
                .flat_map(|service| virtual_services(service, &addresses))
                .collect(),
        }))
    }

    /// Services and pods that a step `register` or `deregister` of `service/pod` means: their places, as in
    /// [`config::ServiceProxy::services`] and [`super::KubeProxy`] have them, and the pods' names. None: there is no such service, or
    /// a target is meant: a node, or a pod that is one itself.
    pub(in crate::plan) fn endpoints_of(
        &self,
        text: &Spanned<String>,
        hosts: impl Fn(&str) -> Vec<String>,
        sink: &mut Sink,
    ) -> Option<Vec<(usize, usize, String)>> {
        let (service, pod) = text.value.split_once('/')?;
        let wanted = hosts(pod);
        let place = self.meant(&text.value, &wanted)?;
        let found = &self.services[place];
        if self.returns_directly() {
            sink.push(
                Diagnostic::new(
                    code::ENDPOINTS_STAY,
                    text.span,
                    format!("the endpoints of `{service}` stay as they are"),
                )
                .label("the nodes' rules are written once, in the load balancer mode `dsr`")
                .help("stop the pod's server (`stop`), or write `load_balancer_mode: snat`"),
            );
            return Some(Vec::new());
        }
        let first: usize = self.services[..place].iter().map(|s| s.ports.len()).sum();
        let own = found.endpoints.iter().enumerate();
        let own: Vec<(usize, &String)> = own
            .map(|(number, (name, _))| (number, name))
            .filter(|(_, name)| wanted.contains(name))
            .collect();
        if own.is_empty() {
            let has_group = found.has_group_of_its_name();
            let (what, label) = match has_group {
                true => (
                    "endpoint and no target",
                    "no node, and not one of the pods that it selects",
                ),
                false => ("endpoint", "not one of the pods that it selects"),
            };
            let mut nodes: Vec<&str> = self.nodes.iter().map(String::as_str).collect();
            nodes.sort_unstable();
            let names = found.endpoints.iter().map(|(name, _)| name.as_str());
            let help = sink.help(pod, names.chain(nodes.into_iter().filter(|_| has_group)));
            sink.push(
                Diagnostic::new(
                    NO_SUCH_TARGET,
                    text.span,
                    format!("`{service}` has no {what} `{pod}`"),
                )
                .label(label)
                .also(found.name.span, "this service")
                .help(help),
            );
        }
        let ports = first..first + found.ports.len();
        Some(
            ports
                .flat_map(|port| {
                    own.iter()
                        .map(move |(number, name)| (port, *number, (*name).clone()))
                })
                .collect(),
        )
    }

    /// The service whose endpoint a step means by `service/pod`, where the pod is these `hosts`. None: there is no such service, or a
    /// target is meant.
    pub(in crate::plan) fn meant(&self, text: &str, hosts: &[String]) -> Option<usize> {
        let (service, pod) = text.split_once('/')?;
        let place = self.services.iter().position(|s| s.name.value == service)?;
        let found = &self.services[place];
        let is_endpoint = |host: &String| found.endpoints.iter().any(|(name, _)| name == host);
        let is_target = found.pods_are_targets
            || self.is_node(pod)
            || !hosts.is_empty() && !hosts.iter().any(is_endpoint);
        (!found.has_group_of_its_name() || !is_target).then_some(place)
    }

    /// A pod of the service at this address that is on this node, where its answer would not come by the node's device.
    pub(in crate::plan) fn endpoint_beside(&self, address: Ipv4Addr, node: &str) -> Option<&str> {
        if !self.is_emulated() {
            return None;
        }
        let mut services = self.services.iter();
        let service = services.find(|service| service.cluster_ip == address)?;
        let mut endpoints = service.endpoints.iter();
        let beside = endpoints.find(|(_, own)| own == node)?;
        Some(&beside.0)
    }
}

fn virtual_services(
    service: &Service,
    addresses: &HashMap<String, Ipv4Addr>,
) -> Vec<VirtualService> {
    let names = || service.endpoints.iter().map(|(name, _)| name.clone());
    let lowered = service.lower(addresses, &[]).into_iter();
    lowered
        .map(|port| VirtualService {
            name: port.name,
            protocol: match port.udp {
                true => Protocol::Udp,
                false => Protocol::Tcp,
            },
            at: port.cluster,
            endpoints: names()
                .zip(port.endpoints)
                .map(|(name, endpoint)| ServiceEndpoint {
                    name,
                    address: endpoint.address,
                })
                .collect(),
        })
        .collect()
}

fn lower(ipvs: &Ipvs, clock: Clock) -> config::Ipvs {
    let seconds = |seconds| clock.cloud(Duration::from_secs(seconds));
    config::Ipvs {
        conn_reuse_mode: ipvs.conn_reuse_mode,
        expire_nodest_conn: ipvs.expire_nodest_conn,
        conntrack: ipvs.conntrack,
        since_5_9: ipvs.since_5_9,
        timeouts: IpvsTimeouts {
            established: clock.cloud(ipvs.tcp),
            fin_wait: clock.cloud(ipvs.tcpfin),
            udp: clock.cloud(ipvs.udp),
            syn_sent: seconds(SYN_SENT),
            syn_recv: seconds(SYN_RECV),
            time_wait: seconds(TIME_WAIT),
            close: seconds(CLOSE),
            close_wait: seconds(CLOSE_WAIT),
            last_ack: seconds(LAST_ACK),
        },
    }
}
