//! kube-proxy's rules on a node, as `nft` text.
//!
//! The chains are those of kube-proxy's iptables mode (`pkg/proxy/iptables/proxier.go`), with its names and its hashes,
//! so that a ruleset reads like `iptables-save` on a node. What iptables has in its tables `nat` and `filter` is in two
//! tables of their own here, so that text of the lab can have tables called `nat`. `statistic --mode random` is
//! `numgen random`. Not here: the VPC CNI's rules (see `vpc_cni`), and which services there are.

use data_encoding::BASE32;
use ring::digest::{SHA256, digest};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};

/// What kube-proxy sets on its node (`KubeProxyConntrackConfiguration`: `tcpEstablishedTimeout` 24h, `tcpCloseWaitTimeout`
/// 1h). Not the size of the table (`maxPerCore`), which is the whole machine's.
pub(super) const SYSCTLS: &[(&str, &str)] = &[
    (
        "net.netfilter.nf_conntrack_tcp_timeout_established",
        "86400",
    ),
    ("net.netfilter.nf_conntrack_tcp_timeout_close_wait", "3600"),
];

/// A port of a service, as kube-proxy sees it.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Service {
    /// `default/web`, or `default/web:p443` when it has several.
    pub(in crate::plan) name: String,
    /// It carries datagrams.
    pub(in crate::plan) udp: bool,
    /// Within the cluster.
    pub(in crate::plan) cluster: SocketAddrV4,
    /// None: not reachable from outside.
    pub(in crate::plan) node_port: Option<u16>,
    /// Addresses of the balancer that nodes take for the service's own.
    pub(in crate::plan) vips: Vec<Ipv4Addr>,
    /// `externalTrafficPolicy: Local`
    pub(in crate::plan) local: bool,
    /// `healthCheckNodePort`, when the policy is Local.
    pub(in crate::plan) health_check: Option<u16>,
    /// Pods behind it.
    pub(in crate::plan) endpoints: Vec<Endpoint>,
    /// Pods that are leaving and serve until they are gone, for where there are no others.
    pub(in crate::plan) terminating: Vec<Endpoint>,
}

/// A pod behind a service.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Endpoint {
    /// Where it listens.
    pub(in crate::plan) address: SocketAddrV4,
    /// Name of the node that it is on.
    pub(in crate::plan) node: String,
}

/// Base32 of SHA-256, 16 characters: kube-proxy's `portProtoHash`.
pub(super) fn hash(text: &str) -> String {
    let mut encoded = BASE32.encode(digest(&SHA256, text.as_bytes()).as_ref());
    encoded.truncate(16);
    encoded
}

impl Service {
    pub(super) fn protocol(&self) -> &'static str {
        if self.udp { "udp" } else { "tcp" }
    }

    fn hash(&self) -> String {
        hash(&format!("{}{}", self.name, self.protocol()))
    }

    fn endpoint_chain(&self, endpoint: &Endpoint) -> String {
        let (name, protocol) = (&self.name, self.protocol());
        format!(
            "KUBE-SEP-{}",
            hash(&format!("{name}{protocol}{}", endpoint.address))
        )
    }

    /// Whom its address leads to: terminating endpoints where all are (kube-proxy's `CategorizeEndpoints`).
    fn reachable(&self) -> Vec<&Endpoint> {
        or_else(self.endpoints.iter(), self.terminating.iter())
    }

    /// Whom a node leads to that leads to its own pods only: terminating ones where it has no others.
    pub(super) fn local_endpoints(&self, node: &str) -> Vec<&Endpoint> {
        let here = |endpoint: &&Endpoint| endpoint.node == node;
        let terminating = self.terminating.iter().filter(here);
        or_else(self.endpoints.iter().filter(here), terminating)
    }

    /// A pod of it is on that node, and is not leaving.
    pub(super) fn is_ready_on(&self, node: &str) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.node == node)
    }

    /// What leads here from outside of the cluster: matches, each with a word for the comment.
    fn external(&self) -> Vec<String> {
        let (protocol, port) = (self.protocol(), self.cluster.port());
        let vips = self.vips.iter();
        vips.map(|vip| format!("ip daddr {vip} {protocol} dport {port}"))
            .collect()
    }
}

fn or_else<'a>(
    ready: impl Iterator<Item = &'a Endpoint>,
    terminating: impl Iterator<Item = &'a Endpoint>,
) -> Vec<&'a Endpoint> {
    let ready: Vec<&Endpoint> = ready.collect();
    match ready.is_empty() {
        true => terminating.collect(),
        false => ready,
    }
}

/// A chain being written.
struct Chain {
    name: String,
    rules: Vec<String>,
}

impl Chain {
    fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            rules: Vec::new(),
        }
    }

    fn rule(&mut self, text: impl Into<String>) {
        self.rules.push(text.into());
    }

    fn commented(&mut self, text: &str, comment: &str) {
        self.rules.push(format!("{text} comment \"{comment}\""));
    }
}

/// Its tables: of what iptables has in `nat`, and in `filter`.
const TABLES: [&str; 2] = ["kube-proxy-nat", "kube-proxy-filter"];

/// All rules of one node.
pub(in crate::plan) fn rules(services: &[Service], node: &str, drop_invalid: bool) -> String {
    let mut text = String::new();
    let chains = [nat(services, node), filter(services, node, drop_invalid)];
    for (name, chains) in TABLES.iter().zip(&chains) {
        table(name, chains, &mut text);
    }
    text
}

/// What takes the rules of a node away; none need be there.
pub(super) fn clearance() -> String {
    let lines = TABLES.map(|name| format!("add table ip {name}\ndelete table ip {name}\n"));
    lines.concat()
}

/// nft wants a chain before the rules that jump to it; within one table of one file any order will do.
fn table(name: &str, chains: &[Chain], text: &mut String) {
    let _ = writeln!(text, "table ip {name} {{");
    for chain in chains {
        let _ = writeln!(text, "  chain {} {{", chain.name);
        for rule in &chain.rules {
            let _ = writeln!(text, "    {rule}");
        }
        let _ = writeln!(text, "  }}");
    }
    let _ = writeln!(text, "}}");
}

fn hooked(name: &str, hook: &str, rules: &[&str]) -> Chain {
    let mut chain = Chain::new(name);
    chain.rule(hook);
    rules.iter().for_each(|rule| chain.rule(*rule));
    chain
}

fn nat(services: &[Service], node: &str) -> Vec<Chain> {
    let portals = ["jump KUBE-SERVICES comment \"kubernetes service portals\""];
    let mut chains = vec![
        hooked(
            "PREROUTING",
            "type nat hook prerouting priority dstnat; policy accept;",
            &portals,
        ),
        hooked(
            "OUTPUT",
            "type nat hook output priority -100; policy accept;",
            &portals,
        ),
        hooked(
            "POSTROUTING",
            "type nat hook postrouting priority srcnat; policy accept;",
            &["jump KUBE-POSTROUTING comment \"kubernetes postrouting rules\""],
        ),
        hooked("KUBE-MARK-MASQ", "meta mark set meta mark or 0x4000", &[]),
        hooked(
            "KUBE-POSTROUTING",
            "meta mark and 0x4000 != 0x4000 return",
            &[
                "meta mark set meta mark xor 0x4000",
                "masquerade fully-random comment \"kubernetes service traffic requiring SNAT\"",
            ],
        ),
    ];
    let (mut entry, mut ports) = (Chain::new("KUBE-SERVICES"), Chain::new("KUBE-NODEPORTS"));
    for service in services
        .iter()
        .filter(|service| !service.reachable().is_empty())
    {
        let (name, hash, protocol) = (&service.name, service.hash(), service.protocol());
        let (address, port) = (service.cluster.ip(), service.cluster.port());
        entry.commented(
            &format!("ip daddr {address} {protocol} dport {port} jump KUBE-SVC-{hash}"),
            &format!("{name} cluster IP"),
        );
        for found in service.external() {
            entry.commented(
                &format!("{found} jump KUBE-EXT-{hash}"),
                &format!("{name} loadbalancer IP"),
            );
        }
        if let Some(port) = service.node_port {
            ports.commented(
                &format!("{protocol} dport {port} jump KUBE-EXT-{hash}"),
                name,
            );
        }
    }
    entry.commented(
        "fib daddr type local jump KUBE-NODEPORTS",
        "kubernetes service nodeports; NOTE: this must be the last rule in this chain",
    );
    chains.extend([entry, ports]);
    let used = services
        .iter()
        .filter(|service| !service.reachable().is_empty());
    used.for_each(|service| chains.extend(service_chains(service, node)));
    chains
}

fn service_chains(service: &Service, node: &str) -> Vec<Chain> {
    let (name, hash) = (&service.name, service.hash());
    let mut chains = Vec::new();
    if service.node_port.is_some() || !service.vips.is_empty() {
        chains.push(external_chain(service, node));
    }
    let all = service.reachable();
    chains.push(spread(service, format!("KUBE-SVC-{hash}"), &all));
    let local = service.local_endpoints(node);
    if service.local && !local.is_empty() {
        chains.push(spread(service, format!("KUBE-SVL-{hash}"), &local));
    }
    let mut led_to = all;
    let only_here = local.into_iter().filter(|_| service.local);
    let only_here: Vec<&Endpoint> = only_here
        .filter(|one| led_to.iter().all(|other| other.address != one.address))
        .collect();
    led_to.extend(only_here);
    for endpoint in led_to {
        let mut chain = Chain::new(service.endpoint_chain(endpoint));
        let pod = endpoint.address.ip();
        chain.commented(&format!("ip saddr {pod} jump KUBE-MARK-MASQ"), name);
        let protocol = service.protocol();
        chain.commented(
            &format!("meta l4proto {protocol} dnat to {}", endpoint.address),
            name,
        );
        chains.push(chain);
    }
    chains
}

fn external_chain(service: &Service, node: &str) -> Chain {
    let (name, hash) = (&service.name, service.hash());
    let mut chain = Chain::new(format!("KUBE-EXT-{hash}"));
    if !service.local {
        chain.commented(
            "jump KUBE-MARK-MASQ",
            &format!("masquerade traffic for {name} external destinations"),
        );
        chain.rule(format!("jump KUBE-SVC-{hash}"));
        return chain;
    }
    chain.commented(
        "fib saddr type local jump KUBE-MARK-MASQ",
        &format!("masquerade LOCAL traffic for {name} external destinations"),
    );
    chain.commented(
        &format!("fib saddr type local jump KUBE-SVC-{hash}"),
        &format!("route LOCAL traffic for {name} external destinations"),
    );
    if !service.local_endpoints(node).is_empty() {
        chain.rule(format!("jump KUBE-SVL-{hash}"));
    }
    chain
}

/// Each endpoint with the same chance: 1/n, then 1/(n-1) of the rest, and so on.
fn spread(service: &Service, chain: String, endpoints: &[&Endpoint]) -> Chain {
    let mut chain = Chain::new(chain);
    for (number, endpoint) in endpoints.iter().enumerate() {
        let left = endpoints.len() - number;
        let chance = match left {
            1 => String::new(),
            _ => format!("numgen random mod {left} < 1 "),
        };
        chain.commented(
            &format!("{chance}jump {}", service.endpoint_chain(endpoint)),
            &format!("{} -> {}", service.name, endpoint.address),
        );
    }
    chain
}

fn filter(services: &[Service], node: &str, drop_invalid: bool) -> Vec<Chain> {
    let mut external = Chain::new("KUBE-EXTERNAL-SERVICES");
    let mut cluster = Chain::new("KUBE-SERVICES");
    let mut ports = Chain::new("KUBE-NODEPORTS");
    for service in services {
        let (name, protocol) = (&service.name, service.protocol());
        let refusal = if service.reachable().is_empty() {
            Some(("reject", format!("{name} has no endpoints")))
        } else if service.local && service.local_endpoints(node).is_empty() {
            Some(("drop", format!("{name} has no local endpoints")))
        } else {
            None
        };
        if service.reachable().is_empty() {
            let (address, port) = (service.cluster.ip(), service.cluster.port());
            cluster.commented(
                &format!("ip daddr {address} {protocol} dport {port} reject"),
                &format!("{name} has no endpoints"),
            );
        }
        if let Some((verdict, comment)) = refusal {
            let ports = service.node_port.iter();
            let ports = ports.map(|port| format!("fib daddr type local {protocol} dport {port}"));
            for found in service.external().into_iter().chain(ports) {
                external.commented(&format!("{found} {verdict}"), &comment);
            }
        }
        if let Some(port) = service.health_check {
            ports.commented(
                &format!("tcp dport {port} accept"),
                &format!("{name} health check node port"),
            );
        }
    }
    let mut forward = Chain::new("KUBE-FORWARD");
    if drop_invalid {
        forward.rule("ct state invalid drop");
    }
    forward.commented(
        "meta mark and 0x4000 == 0x4000 accept",
        "kubernetes forwarding rules",
    );
    forward.commented(
        "ct state related,established accept",
        "kubernetes forwarding conntrack rule",
    );
    let outside = "ct state new jump KUBE-EXTERNAL-SERVICES";
    let inside = "ct state new jump KUBE-SERVICES";
    vec![
        hooked(
            "INPUT",
            "type filter hook input priority filter; policy accept;",
            &["jump KUBE-NODEPORTS", outside],
        ),
        hooked(
            "FORWARD",
            "type filter hook forward priority filter; policy accept;",
            &["jump KUBE-FORWARD", inside, outside],
        ),
        hooked(
            "OUTPUT",
            "type filter hook output priority filter; policy accept;",
            &[inside],
        ),
        ports,
        external,
        cluster,
        forward,
    ]
}
