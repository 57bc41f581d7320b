//! A cluster as what it is made of: nodes are hosts, pods are hosts inside of nodes, a service brings a balancer and
//! target groups.
//!
//! [`expand`] rewrites a body before anything else looks at it, so that every rule of hosts, groups and balancers goes
//! for these too. What only a cluster has stays in [`Cluster`]: who is on which node, and services, from which each
//! node's rules are written once addresses are known (see `kube_proxy`, `vpc_cni`).

pub(super) mod annotations;
mod dsr;
mod endpoints;
mod kube_proxy;
mod service_proxy;
mod services;
mod vpc_cni;

#[cfg(test)]
mod tests;

pub use endpoints::{KubeProxy, PodPlace, Translation};
pub(super) use services::Service;

use super::HostId;
use super::model::{Attachment, Host, Veth, Wiring};
use super::sink::Sink;
use super::vpcs;
use crate::diag::codes::kubernetes as code;
use crate::diag::{Diagnostic, Span, Spanned};
use crate::spec::kubernetes::{Kubernetes, Pod, ServiceProxy};
use crate::spec::{self, Body};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

/// What follows the name of a service, all of which are in one namespace; the last is kubelet's default `--cluster-domain`.
const QUALIFIED: [&str; 3] = ["default", "default.svc", "default.svc.cluster.local"];

/// A body in which clusters are hosts, groups and balancers.
#[derive(Debug)]
pub(super) struct Expanded<'a> {
    /// With nodes and pods among the hosts.
    pub(super) body: Cow<'a, Body>,
    /// What is left to know of the cluster.
    pub(super) cluster: Cluster,
}

/// A cluster. The default is none.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    /// Names of nodes.
    nodes: HashSet<String>,
    /// Name of a pod, and of its node.
    pods: HashMap<String, String>,
    /// Pods of one `count`, in order.
    pub(super) groups: Vec<(Spanned<String>, Vec<String>)>,
    /// Pods that run in their node's namespace, and the node.
    pub(super) aliases: Vec<(Spanned<String>, String)>,
    /// In order of the lab.
    pub(super) services: Vec<Service>,
    /// `emulate.load_balancer_mode: dsr`; none: `snat`.
    dsr: Option<dsr::OnCollision>,
    /// `emulate`; none without a cluster.
    proxy: Option<ServiceProxy>,
}

impl Cluster {
    /// True for the key of a node.
    pub(super) fn is_node(&self, name: &str) -> bool {
        self.nodes.contains(name)
    }

    /// The node of a pod that has a namespace of its own.
    pub(super) fn node_of(&self, pod: &str) -> Option<&str> {
        self.pods.get(pod).map(String::as_str)
    }

    /// True when nodes send under addresses that are not theirs.
    pub(super) fn returns_directly(&self) -> bool {
        self.dsr.is_some()
    }

    fn clears_unanswered(&self) -> bool {
        let knob = self.proxy.as_ref();
        let knob = knob.and_then(|proxy| proxy.clear_conntrack.as_ref());
        knob.is_some_and(|which| which.value == "syn-sent")
    }

    fn terminating_serve(&self) -> bool {
        let knob = self.proxy.as_ref();
        let knob = knob.and_then(|proxy| proxy.terminating_endpoints.as_ref());
        knob.is_some_and(|which| which.value == "serve")
    }

    fn drops_invalid(&self) -> bool {
        let knob = self.proxy.as_ref();
        let knob = knob.and_then(|proxy| proxy.drop_invalid.as_ref());
        knob.is_none_or(|drops| drops.value)
    }

    /// The service of a name.
    pub(super) fn service(&self, name: &str) -> Option<&Service> {
        self.services
            .iter()
            .find(|service| service.name.value == name)
    }

    /// The service that brings a balancer, by its number in the body.
    pub(super) fn service_of(&self, balancer: usize) -> Option<&Service> {
        let mut services = self.services.iter();
        services.find(|service| service.balancer == Some(balancer))
    }

    /// Services as the cluster's DNS has them: the names of each, and its address. The short name of one with a balancer is
    /// left to that.
    pub(super) fn names(&self) -> Vec<(Vec<String>, Ipv4Addr)> {
        let of = |service: &Service| {
            let name = &service.name.value;
            let short = service.balancer.is_none().then(|| name.clone());
            let whole = QUALIFIED.iter().map(|domain| format!("{name}.{domain}"));
            (short.into_iter().chain(whole).collect(), service.cluster_ip)
        };
        self.services.iter().map(of).collect()
    }

    /// Where a pod's packets go: into the namespace of its node, which `host` finds by name.
    pub(super) fn attachment(
        &self,
        pod: &str,
        host: impl FnOnce(&str) -> Option<HostId>,
    ) -> Option<Attachment> {
        let parent = host(self.node_of(pod)?)?;
        Some(Attachment::Inside(Veth {
            parent,
            name: vpc_cni::device(pod),
            wiring: Wiring::Routed,
        }))
    }
}

/// The body with its cluster taken apart.
pub(super) fn expand<'a>(body: &'a Body, sink: &mut Sink) -> Expanded<'a> {
    let Some(kubernetes) = &body.kubernetes else {
        return Expanded {
            body: Cow::Borrowed(body),
            cluster: Cluster::default(),
        };
    };
    let mut body = body.clone();
    let mut cluster = Cluster {
        dsr: mode(kubernetes, sink),
        proxy: Some(kubernetes.emulate.clone()),
        ..Cluster::default()
    };
    let first = body.hosts.len();
    for (name, node) in &kubernetes.nodes {
        let mut host = node.host.clone();
        let own = host.sysctls.iter().map(|(name, _)| name.value.clone());
        let own: HashSet<String> = own.collect();
        let returning = cluster.dsr.iter().flat_map(|_| dsr::SYSCTLS);
        let settings = vpc_cni::SYSCTLS.iter().chain(kube_proxy::SYSCTLS);
        for (key, value) in settings.chain(returning) {
            if !own.contains(*key) {
                let spanned = |text: &str| Spanned::new(text.to_owned(), name.span);
                host.sysctls.insert(0, (spanned(key), spanned(value)));
            }
        }
        cluster.nodes.insert(name.value.clone());
        body.hosts.push((name.clone(), host));
    }
    if kubernetes.nodes.is_empty() {
        sink.push(
            Diagnostic::new(
                code::NO_NODES,
                place(kubernetes),
                "the cluster has no nodes",
            )
            .label("nothing to run on")
            .help("add one: `nodes: { n1: { zone: a } }`"),
        );
        return Expanded {
            body: Cow::Owned(body),
            cluster,
        };
    }
    let mut placed = Vec::with_capacity(kubernetes.pods.len());
    for (name, pod) in &kubernetes.pods {
        placed.push(place_pods(
            name,
            pod,
            kubernetes,
            &mut cluster,
            &mut body,
            first,
            sink,
        ));
    }
    services::expand(kubernetes, &placed, &mut cluster, &mut body, first, sink);
    service_proxy::check(kubernetes, sink);
    Expanded {
        body: Cow::Owned(body),
        cluster,
    }
}

/// How nodes carry what comes to a port of theirs.
fn mode(kubernetes: &Kubernetes, sink: &mut Sink) -> Option<dsr::OnCollision> {
    let Some(dsr) = kubernetes.dsr else {
        if let Some(unread) = &kubernetes.on_collision {
            sink.push(
                Diagnostic::new(
                    code::SETTING_UNUSED,
                    unread.span,
                    "connections that nodes translate do not collide",
                )
                .label("read in the mode `dsr` only")
                .help("add `load_balancer_mode: dsr`, or take `on_collision` out"),
            );
        }
        return None;
    };
    if let Some((name, _)) = kubernetes.nodes.get(dsr::NODES) {
        sink.push(
            Diagnostic::new(
                code::DSR_NODES,
                name.span,
                format!(
                    "in the mode `dsr` a cluster has at most {} nodes",
                    dsr::NODES
                ),
            )
            .also(dsr, "this mode")
            .label("one too many")
            .help("leave nodes out, or write `load_balancer_mode: snat`"),
        );
    }
    let word = kubernetes
        .on_collision
        .as_ref()
        .map(|word| word.value.as_str());
    Some(match word {
        Some("port-rewrite") => dsr::OnCollision::PortRewrite,
        Some(_) | None => dsr::OnCollision::Newest,
    })
}

/// Somewhere in a section that has no nodes.
fn place(kubernetes: &Kubernetes) -> Span {
    let pods = kubernetes.pods.first().map(|(name, _)| name.span);
    let services = kubernetes.services.first().map(|(name, _)| name.span);
    pods.or(services).unwrap_or_default()
}

/// Pods of one key: each with its own name, and the number of its node.
type Placed = Vec<(String, usize)>;

fn place_pods(
    name: &Spanned<String>,
    pod: &Pod,
    kubernetes: &Kubernetes,
    cluster: &mut Cluster,
    body: &mut Body,
    first: usize,
    sink: &mut Sink,
) -> Placed {
    // On a node that is not there, which is told, it would be missed by all that name it, too.
    let wanted = pod.node.as_ref();
    let fixed = wanted.map(|wanted| number(wanted, kubernetes, sink).unwrap_or(0));
    let placed: Placed = match &pod.host.count {
        None => vec![(name.value.clone(), fixed.unwrap_or(0))],
        Some(count) => (0..count.value as usize)
            .map(|place| {
                let node = fixed.unwrap_or(place % kubernetes.nodes.len());
                (format!("{}-{}", name.value, place + 1), node)
            })
            .collect(),
    };
    for (own, node) in &placed {
        let key = Spanned::new(own.clone(), name.span);
        let (node_name, node_section) = &kubernetes.nodes[*node];
        if pod.host_network.is_some() {
            let serve = pod.host.serve.clone();
            serve_on_node(&mut body.hosts[first + node].1, serve, own, sink);
            cluster.aliases.push((key, node_name.value.clone()));
            continue;
        }
        cluster.pods.insert(own.clone(), node_name.value.clone());
        let host = spec::Host {
            zone: node_section.host.zone.clone(),
            count: None,
            ..pod.host.clone()
        };
        body.hosts.push((key, host));
    }
    if let Some(here) = pod.host_network {
        of_the_node(name, pod, here, sink);
    }
    if pod.host.count.is_some() {
        let members = placed.iter().map(|(own, _)| own.clone()).collect();
        cluster.groups.push((name.clone(), members));
    }
    placed
}

fn number(wanted: &Spanned<String>, kubernetes: &Kubernetes, sink: &mut Sink) -> Option<usize> {
    let mut nodes = kubernetes.nodes.iter();
    let found = nodes.position(|(name, _)| name.value == wanted.value);
    if found.is_none() {
        let names = kubernetes.nodes.iter().map(|(name, _)| name.value.as_str());
        let help = sink.help(&wanted.value, names);
        sink.push(
            Diagnostic::new(
                code::UNKNOWN_NODE,
                wanted.span,
                format!("there is no node `{}`", wanted.value),
            )
            .label("not under `kubernetes.nodes`")
            .help(help),
        );
    }
    found
}

/// A pod without a namespace listens on its node.
fn serve_on_node(
    node: &mut spec::Host,
    serve: Vec<(Spanned<spec::ServePort>, spec::Serve)>,
    pod: &str,
    sink: &mut Sink,
) {
    for (port, app) in serve {
        let mut taken = node.serve.iter();
        if taken.any(|(known, _)| known.value == port.value) {
            sink.push(
                Diagnostic::new(
                    code::SERVED_TWICE,
                    port.span,
                    format!("`{pod}` cannot listen on port {}", port.value.port),
                )
                .label("another pod on its node has it already")
                .help("give the pods nodes of their own, or ports"),
            );
            continue;
        }
        node.serve.push((port, app));
    }
}

/// Settings of a namespace belong to the node there.
fn of_the_node(name: &Spanned<String>, pod: &Pod, host_network: Span, sink: &mut Sink) {
    let texts = [
        ("nft", &pod.host.nft),
        ("iptables", &pod.host.iptables),
        ("setup", &pod.host.setup),
    ];
    let written = texts
        .into_iter()
        .filter_map(|(field, text)| Some((field, text.as_ref()?.span)));
    let sysctls = pod
        .host
        .sysctls
        .first()
        .map(|(key, _)| ("sysctls", key.span));
    for (field, span) in written.chain(sysctls) {
        sink.push(
            Diagnostic::new(
                code::OF_THE_NODE,
                span,
                format!("`{}` has no namespace of its own for `{field}`", name.value),
            )
            .also(host_network, "it runs in its node's")
            .help(format!("write `{field}` with the node")),
        );
    }
}

/// Gives every node its rules. What is given back can change them; none: they stay, or there are none.
pub(super) fn write_rules(
    cluster: &Cluster,
    hosts: &mut [Host],
    vips: &[Vec<Ipv4Addr>],
) -> Option<KubeProxy> {
    if cluster.nodes.is_empty() {
        return None;
    }
    let addresses = hosts.iter().map(|host| (host.name.clone(), host.address));
    let addresses: HashMap<String, Ipv4Addr> = addresses.collect();
    let services: Vec<kube_proxy::Service> = cluster
        .services
        .iter()
        .flat_map(|service| service.lower(&addresses, vips))
        .collect();
    let nodes: Vec<(HostId, String, Ipv4Addr)> = (0..)
        .map(HostId)
        .zip(hosts.iter())
        .filter(|(_, host)| cluster.nodes.contains(&host.name))
        .map(|(id, host)| (id, host.name.clone(), host.address))
        .collect();
    let told_apart: Vec<dsr::Node<'_>> = nodes
        .iter()
        .map(|(_, name, address)| dsr::Node {
            name,
            address: *address,
        })
        .collect();
    for (id, name, address) in &nodes {
        let (mut text, translated_later) = match cluster.is_emulated() {
            false => (
                kube_proxy::rules(&services, name, cluster.drops_invalid()),
                None,
            ),
            // These translate between the node's rules and its device.
            true => (String::new(), Some(services::CLUSTER_RANGE)),
        };
        let rules = vpc_cni::rules(vpcs::DEFAULT_RANGE, translated_later, *address);
        text.push_str(&rules);
        if let Some(on_collision) = cluster.dsr {
            text.push_str(&dsr::rules(&services, &told_apart, name, on_collision));
        }
        hosts[id.0 as usize].rules = Some(text);
    }
    (!cluster.is_emulated() && cluster.dsr.is_none()).then(|| KubeProxy {
        services,
        nodes: nodes.into_iter().map(|(id, name, _)| (id, name)).collect(),
        drop_invalid: cluster.drops_invalid(),
        clears_unanswered: cluster.clears_unanswered(),
        terminating_serve: cluster.terminating_serve(),
    })
}
