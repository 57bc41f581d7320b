//! Services: ports and addresses given out, endpoints found. What those of type LoadBalancer become is in `balancer`.

mod balancer;

use super::endpoints::status;
use super::{Cluster, Placed, kube_proxy};
use crate::diag::codes::kubernetes as code;
use crate::diag::{Diagnostic, Span, Spanned};
use crate::plan::sink::Sink;
use crate::spec::kubernetes::{self, Kubernetes, ServicePort};
use crate::spec::{App, Body, Http, Serve, ServePort};
use ring::digest::{SHA256, digest};
use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddrV4};

/// kube-apiserver's default `--service-node-port-range`: its first port, and how many there are.
const NODE_PORTS: (u16, u16) = (30_000, 2768);
/// What EKS gives a cluster in a VPC of 10.0.0.0/8; the first address is the API server's.
pub(super) const CLUSTER_RANGE: (Ipv4Addr, u8) = (Ipv4Addr::new(172, 20, 0, 0), 16);
const API_SERVER: Ipv4Addr = Ipv4Addr::new(172, 20, 0, 1);
/// Given out from here on.
const FIRST_CLUSTER_IP: Ipv4Addr = Ipv4Addr::new(172, 20, 0, 100);

/// A service, before its endpoints have addresses.
#[derive(Debug)]
pub(in crate::plan) struct Service {
    /// Its key.
    pub(in crate::plan) name: Spanned<String>,
    /// `clusterIP`
    pub(in crate::plan) cluster_ip: Ipv4Addr,
    /// In order of the lab.
    pub(in crate::plan) ports: Vec<Port>,
    /// It has a balancer: its number in the body.
    pub(in crate::plan) balancer: Option<usize>,
    /// The targets of its groups are its pods, not the nodes.
    pub(super) pods_are_targets: bool,
    vip: bool,
    local: bool,
    health_check: Option<u16>,
    /// Host name (of a pod without a namespace: its node), and the node.
    pub(super) endpoints: Vec<(String, String)>,
}

/// A port of a service.
#[derive(Debug)]
pub(in crate::plan) struct Port {
    /// The service's.
    pub(in crate::plan) port: u16,
    /// It carries datagrams.
    pub(in crate::plan) udp: bool,
    target: u16,
    /// None: it cannot be reached from outside.
    node_port: Option<u16>,
}

impl Service {
    /// True where nodes take what is for a port of its balancer's addresses for the service's own: it never gets there.
    pub(in crate::plan) fn short_circuits(&self, to: ServePort) -> bool {
        let mut ports = self.ports.iter();
        self.vip && ports.any(|port| port.port == to.port && port.udp == to.udp)
    }

    /// Its balancer's target group is called as it is: those of several ports have their ports in their names.
    pub(super) fn has_group_of_its_name(&self) -> bool {
        self.balancer.is_some() && self.ports.len() == 1
    }

    /// As kube-proxy sees it.
    pub(super) fn lower(
        &self,
        addresses: &HashMap<String, Ipv4Addr>,
        vips: &[Vec<Ipv4Addr>],
    ) -> Vec<kube_proxy::Service> {
        let own = self
            .balancer
            .filter(|_| self.vip)
            .and_then(|number| vips.get(number));
        let lower = |port: &Port| kube_proxy::Service {
            name: match self.ports.len() {
                1 => format!("default/{}", self.name.value),
                _ => format!("default/{}:p{}", self.name.value, port.port),
            },
            udp: port.udp,
            cluster: SocketAddrV4::new(self.cluster_ip, port.port),
            node_port: port.node_port,
            vips: own.cloned().unwrap_or_default(),
            local: self.local,
            health_check: self.health_check,
            terminating: Vec::new(),
            endpoints: self
                .endpoints
                .iter()
                .filter_map(|(host, node)| {
                    Some(kube_proxy::Endpoint {
                        address: SocketAddrV4::new(*addresses.get(host)?, port.target),
                        node: node.clone(),
                    })
                })
                .collect(),
        };
        self.ports.iter().map(lower).collect()
    }
}

/// Ports of the nodes and addresses of the cluster that are in use.
#[derive(Default)]
struct Book {
    node_ports: HashMap<(u16, bool), Span>,
    cluster_ips: HashSet<Ipv4Addr>,
    /// UDP or not: no port of the nodes is left, and that has been said.
    gone: HashSet<bool>,
}

/// Adds every service to the cluster, and what it brings to the body. `first` is the number of the first node there.
pub(super) fn expand(
    kubernetes: &Kubernetes,
    placed: &[Placed],
    cluster: &mut Cluster,
    body: &mut Body,
    first: usize,
    sink: &mut Sink,
) {
    let mut book = Book::default();
    for (_, service) in &kubernetes.services {
        book.reserve(service, sink);
    }
    for (name, service) in &kubernetes.services {
        let endpoints = endpoints(service, kubernetes, placed, sink);
        let outside = service.kind.value != "ClusterIP";
        let ports: Vec<Port> = service
            .ports
            .iter()
            .map(|port| Port {
                port: port.port.value,
                udp: port.udp,
                target: port.target(),
                node_port: outside.then(|| book.node_port(name, port, sink)).flatten(),
            })
            .collect();
        let health_check = (service.local.is_some() && outside)
            .then(|| book.health_check(name, service, sink))
            .flatten();
        unused(name, service, sink);
        if let Some(port) = health_check {
            answer_checks(port, &endpoints, kubernetes, service, body, first);
        }
        let mut made = Service {
            name: name.clone(),
            cluster_ip: book.cluster_ip(service),
            ports,
            balancer: None,
            pods_are_targets: false,
            vip: service.vip,
            local: service.local.is_some(),
            health_check,
            endpoints: endpoints
                .iter()
                .map(|(pod, node)| {
                    let node = kubernetes.nodes[*node].0.value.clone();
                    let alias = cluster.aliases.iter().any(|(alias, _)| alias.value == *pod);
                    (if alias { node.clone() } else { pod.clone() }, node)
                })
                .collect(),
        };
        if service.kind.value == "LoadBalancer" {
            made.balancer = Some(body.load_balancers.len());
            let pods: Vec<&str> = endpoints.iter().map(|(pod, _)| pod.as_str()).collect();
            made.pods_are_targets =
                balancer::bring(name, service, &made, &pods, kubernetes, body, sink);
        }
        cluster.services.push(made);
    }
    if cluster.returns_directly() {
        shared_ports(kubernetes, &cluster.services, sink);
    }
}

/// Direct server return knows a service by the port of its pods.
fn shared_ports(kubernetes: &Kubernetes, services: &[Service], sink: &mut Sink) {
    let mut known: HashMap<(&str, u16, bool), Span> = HashMap::new();
    for (service, (_, section)) in services.iter().zip(&kubernetes.services) {
        let ports = service.ports.iter().zip(&section.ports);
        for (port, written) in ports.filter(|(port, _)| port.node_port.is_some() && !service.local)
        {
            let pods = section.selector.value.as_str();
            let span = written.port.span;
            if let Some(first) = known.insert((pods, port.target, port.udp), span) {
                sink.push(
                    Diagnostic::new(
                        code::DSR_SERVICES,
                        span,
                        format!(
                            "two ports of the nodes lead to port {} of `{pods}`",
                            port.target
                        ),
                    )
                    .also(first, "the other")
                    .label("in the mode `dsr` answers do not tell the two apart")
                    .help("choose another `targetPort`, or `type: ClusterIP` for one of them"),
                );
            }
        }
    }
}

impl Book {
    fn reserve(&mut self, service: &kubernetes::Service, sink: &mut Sink) {
        let ports = service.ports.iter();
        let written = ports.filter_map(|port| Some((port.node_port.as_ref()?, port.udp)));
        let check = service
            .health_check_node_port
            .iter()
            .map(|port| (port, false));
        for (port, udp) in written.chain(check) {
            if let Some(first) = self.node_ports.insert((port.value, udp), port.span) {
                sink.push(
                    Diagnostic::new(
                        code::NODE_PORT_TAKEN,
                        port.span,
                        format!("port {} of the nodes is taken already", port.value),
                    )
                    .also(first, "here")
                    .help("choose another, or leave it out and one is given out"),
                );
            }
        }
        let Some(address) = &service.cluster_ip else {
            return;
        };
        let range = address.value.to_bits() >> (32 - CLUSTER_RANGE.1)
            == CLUSTER_RANGE.0.to_bits() >> (32 - CLUSTER_RANGE.1);
        let reason = if !range {
            format!("not one of {}/{}", CLUSTER_RANGE.0, CLUSTER_RANGE.1)
        } else if address.value == API_SERVER {
            "the API server's".to_owned()
        } else if self.cluster_ips.insert(address.value) {
            return;
        } else {
            "another service has it".to_owned()
        };
        sink.push(
            Diagnostic::new(
                code::CLUSTER_IP,
                address.span,
                format!("{} cannot be a service's address", address.value),
            )
            .label(reason)
            .help("leave it out and one is given out, or choose another of 172.20.0.0/16"),
        );
    }

    fn cluster_ip(&mut self, service: &kubernetes::Service) -> Ipv4Addr {
        if let Some(written) = &service.cluster_ip {
            return written.value;
        }
        let mut address = FIRST_CLUSTER_IP;
        while !self.cluster_ips.insert(address) {
            address = Ipv4Addr::from_bits(address.to_bits() + 1);
        }
        address
    }

    fn node_port(
        &mut self,
        service: &Spanned<String>,
        port: &ServicePort,
        sink: &mut Sink,
    ) -> Option<u16> {
        if let Some(written) = &port.node_port {
            return Some(written.value);
        }
        let seed = format!("{}:{}", service.value, port.port.value);
        self.free_port(&seed, port.udp, port.port.span, sink)
    }

    fn health_check(
        &mut self,
        name: &Spanned<String>,
        service: &kubernetes::Service,
        sink: &mut Sink,
    ) -> Option<u16> {
        if let Some(written) = &service.health_check_node_port {
            return Some(written.value);
        }
        let seed = format!("{}/healthz", name.value);
        self.free_port(&seed, false, name.span, sink)
    }

    /// Kubernetes takes a random one; here the same lab always has the same. None: all are taken, which is said once
    /// for each protocol.
    fn free_port(&mut self, seed: &str, udp: bool, place: Span, sink: &mut Sink) -> Option<u16> {
        let hash = digest(&SHA256, seed.as_bytes());
        let bytes = hash.as_ref();
        let start = u16::from_be_bytes([bytes[0], bytes[1]]) % NODE_PORTS.1;
        let once_round = (start..NODE_PORTS.1).chain(0..start);
        let free = once_round
            .map(|offset| NODE_PORTS.0 + offset)
            .find(|port| !self.node_ports.contains_key(&(*port, udp)));
        match free {
            Some(port) => {
                self.node_ports.insert((port, udp), Span::default());
            }
            None if self.gone.insert(udp) => sink.push(
                Diagnostic::new(
                    code::NODE_PORTS_GONE,
                    place,
                    "no port of the nodes is left for this one",
                )
                .label(format!("all {} are taken", NODE_PORTS.1))
                .help(
                    "services of the type ClusterIP need none; or split the lab into several files",
                ),
            ),
            None => {}
        }
        free
    }
}

/// Pods that a service selects, each with the number of its node.
fn endpoints(
    service: &kubernetes::Service,
    kubernetes: &Kubernetes,
    placed: &[Placed],
    sink: &mut Sink,
) -> Placed {
    let selector = &service.selector;
    let mut pods = kubernetes.pods.iter().zip(placed);
    let Some(((key, pod), placed)) = pods.find(|((name, _), _)| name.value == selector.value)
    else {
        let names = kubernetes.pods.iter().map(|(name, _)| name.value.as_str());
        let help = sink.help(&selector.value, names);
        sink.push(
            Diagnostic::new(
                code::UNKNOWN_PODS,
                selector.span,
                format!("there are no pods `{}`", selector.value),
            )
            .label("not under `kubernetes.pods`")
            .help(help),
        );
        return Vec::new();
    };
    let own_way = pod.host.setup.is_some() || pod.host.nft.is_some() || pod.host.iptables.is_some();
    for port in &service.ports {
        let target = port.target();
        let serves = |served: &ServePort| served.port == target && served.udp == port.udp;
        if !own_way && !pod.serve().iter().any(|(served, _)| serves(&served.value)) {
            let place = port.target_port.as_ref().unwrap_or(&port.port).span;
            let other = match pod.serve() {
                [(only, _)] => format!(
                    "write the port that they serve: `targetPort: {}`",
                    only.value.port
                ),
                _ => "write the `targetPort` that they serve".to_owned(),
            };
            sink.push(
                Diagnostic::new(
                    code::ENDPOINT_SERVES_NOTHING,
                    place,
                    format!("pods `{}` serve nothing on port {target}", selector.value),
                )
                .label("where the service leads")
                .also(key.span, "these pods")
                .help(format!(
                    "add `serve: {{ {target}: echo }}` to them, or {other}"
                )),
            );
        }
    }
    placed.clone()
}

/// Settings that nothing would read.
fn unused(name: &Spanned<String>, service: &kubernetes::Service, sink: &mut Sink) {
    let mut complain = |span: Span, what: &str, help: &str| {
        sink.push(
            Diagnostic::new(
                code::SETTING_UNUSED,
                span,
                format!("`{}` does not use its {what}", name.value),
            )
            .also(service.kind.span, "the service's type")
            .help(help),
        );
    };
    if service.kind.value != "LoadBalancer"
        && let Some((first, _)) = service.annotations.first()
    {
        complain(
            first.span,
            "annotations",
            "make it a `type: LoadBalancer`, or remove them",
        );
    }
    if let Some(port) = &service.health_check_node_port
        && (service.local.is_none() || service.kind.value == "ClusterIP")
    {
        complain(
            port.span,
            "`healthCheckNodePort`",
            "add `externalTrafficPolicy: Local`, or remove it",
        );
    }
}

/// kube-proxy's own server on every node: 200 with a pod of the service there, else 503.
fn answer_checks(
    port: u16,
    endpoints: &Placed,
    kubernetes: &Kubernetes,
    service: &kubernetes::Service,
    body: &mut Body,
    first: usize,
) {
    for node in 0..kubernetes.nodes.len() {
        let here = endpoints.iter().any(|(_, own)| *own == node);
        let status = status(here);
        let key = ServePort { port, udp: false };
        let serve = Serve {
            app: App::Http(Http {
                host: None,
                status,
                delay: None,
                idle_close: None,
                keep_alive: true,
                workers: None,
                body: None,
                max_body: None,
                lingering_close: true,
                https_only: None,
            }),
            proxy_protocol: None,
        };
        let place = service.local.unwrap_or(service.span);
        body.hosts[first + node]
            .1
            .serve
            .push((Spanned::new(key, place), serve));
    }
}
