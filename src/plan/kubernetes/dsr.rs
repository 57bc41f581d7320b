//! Direct server return on a node, as `nft` text: connections to a port of the nodes keep the client's address on their way
//! to a pod of another node, and that node answers the client in the name of the one that was dialled.
//!
//! As eBPF data planes do it in place of kube-proxy: Cilium with `loadBalancer.mode=dsr`, Calico with
//! `bpfExternalServiceMode: DSR`. Like theirs these rules keep no connection on the node that was dialled (the pod is chosen
//! by a hash), and one entry on the pod's node, under the client's and the pod's addresses and ports: whom to answer as.
//! Which node was dialled is told to the other one by DSCP, as in L3DSR, where Cilium has an IP option or Geneve and Calico
//! a tunnel. Not here: services with the policy Local, ports dialled from within the node, addresses within the cluster: all
//! of these are kube-proxy's; and a node itself, or a pod in its network, that dials another one and is answered by a pod here.

use super::kube_proxy::{Service, hash};
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// As many as DSCP, of six bits, can tell apart; 0 is of packets that came to no node's port.
pub(super) const NODES: usize = 63;

/// What comes in by eth0 goes out by it: an eBPF program tells nobody of a shorter way.
pub(super) const SYSCTLS: &[(&str, &str)] = &[
    ("net.ipv4.conf.all.send_redirects", "0"),
    ("net.ipv4.conf.eth0.send_redirects", "0"),
];

/// Who gets a pod's answers when two connections look the same to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OnCollision {
    /// The node that the newest SYN came by.
    #[default]
    Newest,
    /// Both: the newcomer gets another source port, as Calico does since felix #2983 (`bpfPSNATPorts`). Here connection
    /// tracking finds it: the entry node is a zone of its own in the original direction, and in the reply's there is none.
    PortRewrite,
}

/// A node, as the others see it.
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    pub(super) address: Ipv4Addr,
}

/// The rules of one node; `nodes` are all, in order.
pub(super) fn rules(
    services: &[Service],
    nodes: &[Node<'_>],
    own: &str,
    on_collision: OnCollision,
) -> String {
    let served: Vec<(usize, &Service)> = services
        .iter()
        .enumerate()
        .filter(|(_, service)| carries(service))
        .collect();
    let mut text = Text::default();
    text.line("table ip dsr {");
    if on_collision == OnCollision::Newest {
        for protocol in ["tcp", "udp"] {
            text.line(&format!(
                "  map answer-as-{protocol} {{ type ipv4_addr . inet_service . ipv4_addr . inet_service : mark; \
                 flags dynamic,timeout; size 65535; timeout 24h; }}"
            ));
        }
    }
    text.line("  chain PREROUTING {");
    text.line("    type filter hook prerouting priority raw; policy accept;");
    text.line("    iifname \"eth0\" jump NODEPORTS");
    text.line("    iifname \"eth0\" ip dscp != cs0 jump PODS");
    if on_collision == OnCollision::Newest {
        for protocol in ["tcp", "udp"] {
            let key = answer_key(protocol);
            text.line(&format!(
                "    iifname \"eni*\" {key} @answer-as-{protocol} notrack comment \"not connection tracking's\""
            ));
        }
    }
    let others = nodes.iter().filter(|node| node.name != own);
    let others: Vec<String> = others.map(|node| node.address.to_string()).collect();
    for (_, service) in served.iter().filter(|_| !others.is_empty()) {
        // Each direction may come by another node, or end at a pod here: nothing that connection tracking could follow.
        let (protocol, port) = (service.protocol(), service.node_port.unwrap_or_default());
        let others = others.join(", ");
        for rule in [
            format!("iifname \"eni*\" ip daddr {{ {others} }} {protocol} dport {port}"),
            format!("iifname \"eth0\" ip saddr {{ {others} }} {protocol} sport {port}"),
        ] {
            text.line(&format!("    {rule} notrack comment \"{}\"", service.name));
        }
    }
    text.line("  }");
    let number = nodes.iter().position(|node| node.name == own).unwrap_or(0) + 1;
    text.line("  chain NODEPORTS {");
    for (_, service) in &served {
        text.line(&to_pod(service, number));
    }
    text.line("  }");
    pods(&mut text, &served, nodes, own, on_collision);
    answers(&mut text, &served, nodes, on_collision);
    text.line("}");
    text.0
}

/// True for what nodes carry to pods of others.
pub(super) fn carries(service: &Service) -> bool {
    service.node_port.is_some() && !service.local && !service.endpoints.is_empty()
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.0, "{line}");
    }
}

/// To a pod, the same for all packets of a connection.
fn to_pod(service: &Service, number: usize) -> String {
    let protocol = service.protocol();
    let port = service.node_port.unwrap_or_default();
    let target = service.endpoints[0].address.port();
    let pod = match service.endpoints.as_slice() {
        [only] => only.address.ip().to_string(),
        several => {
            let pods = several.iter().enumerate();
            let pods: Vec<String> = pods
                .map(|(place, pod)| format!("{place} : {}", pod.address.ip()))
                .collect();
            format!(
                "jhash ip saddr . {protocol} sport . ip daddr mod {} seed 0x1 map {{ {} }}",
                several.len(),
                pods.join(", ")
            )
        }
    };
    format!(
        "    fib daddr type local {protocol} dport {port} ip dscp set {number} ip daddr set {pod} {protocol} dport set \
         {target} comment \"{}\"",
        service.name
    )
}

/// What came by a node's port, this one's or another's, and whether it has a pod here.
fn pods(
    text: &mut Text,
    served: &[(usize, &Service)],
    nodes: &[Node<'_>],
    own: &str,
    on_collision: OnCollision,
) {
    let here: Vec<(usize, &Service, String)> = served
        .iter()
        .filter_map(|(place, service)| Some((*place, *service, pods_of(service, own)?)))
        .collect();
    text.line("  chain PODS {");
    for (place, service, pods) in &here {
        let protocol = service.protocol();
        let to = format!("{pods} {protocol} dport {}", target(service));
        let entry = format!("ip saddr . {protocol} sport . ip daddr . {protocol} dport");
        // A datagram may be the first of its flow, whichever it is.
        let first = match service.udp {
            true => "",
            false => " tcp flags & (syn | ack) == syn",
        };
        if on_collision == OnCollision::Newest {
            // What is added to a map does not replace what is there.
            text.line(&format!(
                "    {to}{first} delete @answer-as-{protocol} {{ {entry} : 0 }}"
            ));
        }
        for number in 1..=nodes.len() {
            text.line(&match on_collision {
                OnCollision::Newest => format!(
                    "    {to} ip dscp {number}{first} add @answer-as-{protocol} {{ {entry} : {} }} comment \"{}\"",
                    mark(*place, number),
                    service.name
                ),
                OnCollision::PortRewrite => {
                    format!("    {to} ip dscp {number} ct original zone set {number} return")
                }
            });
        }
        if on_collision == OnCollision::Newest {
            text.line(&format!("    {to} ip dscp set cs0"));
        }
    }
    text.line("    notrack");
    text.line("  }");
    if on_collision == OnCollision::Newest {
        return;
    }
    text.line("  chain TRACKED {");
    text.line("    type filter hook prerouting priority mangle - 1; policy accept;");
    for (place, service, pods) in &here {
        let to = format!(
            "iifname \"eth0\" {pods} {} dport {}",
            service.protocol(),
            target(service)
        );
        for number in 1..=nodes.len() {
            text.line(&format!(
                "    {to} ip dscp {number} ct mark set {} ip dscp set cs0 comment \"{}\"",
                mark(*place, number),
                service.name
            ));
        }
    }
    text.line("  }");
}

/// What pods answer leaves in the name of the node's port that was dialled, to clients on the same node as well.
fn answers(
    text: &mut Text,
    served: &[(usize, &Service)],
    nodes: &[Node<'_>],
    on_collision: OnCollision,
) {
    let each = || {
        let served = served.iter();
        served.flat_map(|(place, service)| {
            let nodes = (1..).zip(nodes);
            nodes.map(move |(number, node)| (*place, *service, number, node))
        })
    };
    for (_, service, number, node) in each() {
        text.line(&format!("  chain {} {{", chain(service, number)));
        text.line(&format!(
            "    ip saddr set {} {} sport set {} comment \"{} of {}\"",
            node.address,
            service.protocol(),
            service.node_port.unwrap_or_default(),
            service.name,
            node.name
        ));
        text.line("  }");
    }
    text.line("  chain POSTROUTING {");
    text.line("    type filter hook postrouting priority srcnat + 10; policy accept;");
    let whom = match on_collision {
        OnCollision::Newest => {
            for protocol in ["tcp", "udp"] {
                text.line(&format!(
                    "    meta mark set {} map @answer-as-{protocol}",
                    answer_key(protocol)
                ));
            }
            "meta mark"
        }
        // The VPC CNI has a bit of its own in it.
        OnCollision::PortRewrite => "ct direction reply ct mark and 0xffff003f",
    };
    let chains: Vec<String> = each()
        .map(|(place, service, number, _)| {
            format!("{} : goto {}", mark(place, number), chain(service, number))
        })
        .collect();
    if !chains.is_empty() {
        text.line(&format!("    {whom} vmap {{ {} }}", chains.join(", ")));
    }
    text.line("  }");
}

fn answer_key(protocol: &str) -> String {
    format!("ip daddr . {protocol} dport . ip saddr . {protocol} sport")
}

fn target(service: &Service) -> u16 {
    service.endpoints[0].address.port()
}

/// The pods of a service on a node, as a match.
fn pods_of(service: &Service, node: &str) -> Option<String> {
    let own = service.local_endpoints(node);
    let own: Vec<String> = own.iter().map(|pod| pod.address.ip().to_string()).collect();
    (!own.is_empty()).then(|| format!("ip daddr {{ {} }}", own.join(", ")))
}

/// Service and entry node in one number, clear of the bits of kube-proxy and of the VPC CNI.
fn mark(service: usize, number: usize) -> String {
    format!("{:#010x}", (service + 1) << 16 | number)
}

fn chain(service: &Service, number: usize) -> String {
    let (name, protocol) = (&service.name, service.protocol());
    format!("AS-{}-{number}", hash(&format!("{name}{protocol}")))
}
