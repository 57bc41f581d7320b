//! A drawing of the topology: who dials what, and where each zonal address can send.

use super::endpoints::candidates;
use super::quantities::protocol;
use super::{devices, group_name, runs};
use crate::fabric::config::{Balancer, Forward, Listener, NatGateway, ZonalId};
use crate::plan::{Attachment, Endpoint, HostId, Plan, Verb, Wiring};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Languages of drawings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Graph {
    /// Graphviz.
    Dot,
    /// Mermaid, which GitHub draws in Markdown.
    Mermaid,
}

/// What is drawn, whatever the language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drawing {
    /// Hosts in the order of the lab, then balancers' addresses.
    pub nodes: Vec<Node>,
    /// Who dials what, and where each zonal address can send: from, to, text on the arrow.
    pub edges: Edges,
}

/// From, to, text on the arrow.
type Edges = BTreeSet<(String, String, String)>;

/// A host, several of a kind, a balancer's address, or a NAT gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    /// `host web1`, `zonal front/a`, `gateway egress`, `endpoint ep/a`
    pub id: String,
    /// Name, addresses, and of a host its place.
    pub lines: Vec<String>,
    /// Empty: on the internet.
    pub zone: String,
}

/// The topology of one case.
pub fn graph(plan: &Plan, language: Graph) -> String {
    let drawing = draw(plan);
    match language {
        Graph::Dot => dot(plan, &drawing),
        Graph::Mermaid => mermaid(&drawing),
    }
}

/// Everything that a drawing of the case shows.
pub fn draw(plan: &Plan) -> Drawing {
    let mut drawing = Drawing::default();
    let owner = hosts(plan, &mut drawing.nodes);
    inside(plan, &owner, &mut drawing.edges);
    for balancer in &plan.fabric.balancers {
        zonal_addresses(plan, balancer, &mut drawing.nodes);
        for listener in &balancer.listeners {
            forwards(plan, balancer, listener, &owner, &mut drawing.edges);
        }
    }
    drawing
        .nodes
        .extend(plan.fabric.nat_gateways.iter().map(gateway));
    endpoints(plan, &mut drawing);
    for step in &plan.steps {
        dials(plan, &step.verb, &owner, &mut drawing.edges);
    }
    drawing
}

/// A node for each host, or for several that are alike. Gives the node of every host, in the plan's order.
fn hosts(plan: &Plan, nodes: &mut Vec<Node>) -> Vec<String> {
    let mut owner = Vec::with_capacity(plan.hosts.len());
    for (name, hosts) in runs(plan) {
        let id = format!("host {}", hosts[0].name);
        let place = match (&hosts[0].attachment, &hosts[0].zone) {
            (Attachment::Inside(_), _) => devices::places(plan, hosts),
            (Attachment::Fabric, Some(zone)) => format!("zone {zone}"),
            (Attachment::Fabric, None) => "internet".to_owned(),
        };
        let mut lines = vec![name, hosts[0].address.to_string()];
        lines.extend(hosts[0].ipv6.map(|ipv6| ipv6.to_string()));
        lines.push(place);
        owner.extend(std::iter::repeat_n(id.clone(), hosts.len()));
        nodes.push(Node {
            id,
            lines,
            zone: hosts[0].zone.clone().unwrap_or_default(),
        });
    }
    owner
}

/// How hosts inside others hang on them.
fn inside(plan: &Plan, owner: &[String], edges: &mut Edges) {
    for (host, own) in plan.hosts.iter().zip(owner) {
        if let Attachment::Inside(veth) = &host.attachment {
            let way = match &veth.wiring {
                Wiring::Bridged { bridge, .. } => format!("by {bridge}"),
                Wiring::Routed => "by its veth".to_owned(),
            };
            let parent = owner[veth.parent.0 as usize].clone();
            edges.insert((own.clone(), parent, way));
        }
    }
}

fn zonal_addresses(plan: &Plan, balancer: &Balancer, nodes: &mut Vec<Node>) {
    for zonal in &balancer.zonal {
        let name = format!("{}/{}", balancer.name, zonal.zone);
        let address = zonal.public.unwrap_or(zonal.private).to_string();
        let ipv6 = zonal.ipv6.and_then(|ipv6| plan.fabric.stand_ins.real(ipv6));
        let mut lines = vec![name.clone(), address];
        lines.extend(ipv6.map(|ipv6| ipv6.to_string()));
        nodes.push(Node {
            id: format!("zonal {name}"),
            lines,
            zone: zonal.zone.clone(),
        });
    }
}

fn gateway(gateway: &NatGateway) -> Node {
    let mut lines = vec![gateway.name.clone()];
    lines.extend(gateway.addresses.iter().map(ToString::to_string));
    lines.push(format!("zone {}", gateway.zone));
    Node {
        id: format!("gateway {}", gateway.name),
        lines,
        zone: gateway.zone.clone(),
    }
}

fn endpoints(plan: &Plan, drawing: &mut Drawing) {
    for endpoint in &plan.fabric.endpoints {
        for zonal in &endpoint.zonal {
            let name = format!("{}/{}", endpoint.name, zonal.zone);
            let id = format!("endpoint {name}");
            for behind in candidates(&plan.fabric, endpoint, zonal) {
                let text = format!("service {}", endpoint.service);
                let to = format!("zonal {behind}");
                drawing.edges.insert((id.clone(), to, text));
            }
            drawing.nodes.push(Node {
                id,
                lines: vec![name, zonal.address.to_string()],
                zone: zonal.zone.clone(),
            });
        }
    }
}

fn forwards(
    plan: &Plan,
    balancer: &Balancer,
    listener: &Listener,
    owner: &[String],
    edges: &mut Edges,
) {
    for forward in &listener.forward {
        forward_edges(plan, balancer, listener, forward, owner, edges);
    }
}

fn forward_edges(
    plan: &Plan,
    balancer: &Balancer,
    listener: &Listener,
    forward: &Forward,
    owner: &[String],
    edges: &mut Edges,
) {
    let group = &plan.fabric.groups[forward.group.0 as usize];
    let text = format!(
        "{} {} to {}",
        protocol(listener.protocol),
        listener.port,
        group_name(&plan.fabric, forward.group)
    );
    for target in &group.targets {
        let host = plan.hosts.iter().position(|host| host.name == target.name);
        let goal = match host {
            Some(host) => owner[host].clone(),
            None if is_zonal(plan, &target.name) => format!("zonal {}", target.name),
            None => continue,
        };
        for (id, zonal) in (0u8..).zip(&balancer.zonal) {
            if balancer.reaches(ZonalId(id), forward, target) {
                edges.insert((
                    format!("zonal {}/{}", balancer.name, zonal.zone),
                    goal.clone(),
                    text.clone(),
                ));
            }
        }
    }
}

/// An address of a balancer, which another one has as its target.
fn is_zonal(plan: &Plan, name: &str) -> bool {
    let balancers = plan.fabric.balancers.iter();
    let mut zonal =
        balancers.flat_map(|b| b.zonal.iter().map(|z| format!("{}/{}", b.name, z.zone)));
    zonal.any(|zonal| zonal == name)
}

fn dials(plan: &Plan, verb: &Verb, owner: &[String], edges: &mut Edges) {
    for dial in verb.dials() {
        for to in &dial.to {
            if let Some(node) = node_of(plan, dial.from, to, owner) {
                let from = owner[dial.from.0 as usize].clone();
                let text = format!("dials {}", to.address.port());
                match gateway_of(plan, dial.from, to) {
                    Some(gateway) => {
                        edges.insert((from, gateway.clone(), text.clone()));
                        edges.insert((gateway, node, text));
                    }
                    None => {
                        edges.insert((from, node, text));
                    }
                }
            }
        }
    }
}

/// The NAT gateway by which a host on the fabric gets there; none: it does not go by one.
fn gateway_of(plan: &Plan, from: HostId, to: &Endpoint) -> Option<String> {
    if plan.hosts[from.0 as usize].attachment != Attachment::Fabric {
        return None;
    }
    let id = plan.fabric.ports[from.0 as usize].nat?;
    let address = *plan.fabric.stand_ins.inside(to.address)?.ip();
    let inside = plan
        .fabric
        .balancers
        .iter()
        .flat_map(|balancer| &balancer.zonal);
    let inside = inside.map(|zonal| zonal.private);
    let hosts = plan.hosts.iter().filter(|host| host.zone.is_some());
    let mut inside = inside.chain(hosts.map(|host| host.address));
    let leaves = to.address.is_ipv4() && !inside.any(|known| known == address);
    let gateway = &plan.fabric.nat_gateways[usize::from(id.0)];
    leaves.then(|| format!("gateway {}", gateway.name))
}

/// The node that has the address; none when nothing in the lab has.
fn node_of(plan: &Plan, from: HostId, to: &Endpoint, owner: &[String]) -> Option<String> {
    let address = *plan.fabric.stand_ins.inside(to.address)?.ip();
    for balancer in &plan.fabric.balancers {
        for zonal in &balancer.zonal {
            if zonal.private == address || [zonal.public, zonal.ipv6].contains(&Some(address)) {
                return Some(format!("zonal {}/{}", balancer.name, zonal.zone));
            }
        }
    }
    for endpoint in &plan.fabric.endpoints {
        let mut zonal = endpoint.zonal.iter();
        if let Some(zonal) = zonal.find(|zonal| zonal.address == address) {
            return Some(format!("endpoint {}/{}", endpoint.name, zonal.zone));
        }
    }
    plan.host_of(to.address.ip(), from)
        .map(|host| owner[host.0 as usize].clone())
}

fn dot(plan: &Plan, drawing: &Drawing) -> String {
    let mut out = String::from("digraph lab {\n  rankdir=LR\n  node [shape=box]\n");
    let title = quoted(&format!("{}/{}", plan.lab, plan.case));
    let mut line = |text: String| writeln!(out, "  {text}").expect("a string takes everything");
    line(format!("label={title}"));
    for Node { id, lines, .. } in &drawing.nodes {
        line(format!(
            "{} [label={}]",
            quoted(id),
            quoted(&lines.join("\n"))
        ));
    }
    for (from, to, text) in &drawing.edges {
        line(format!(
            "{} -> {} [label={}]",
            quoted(from),
            quoted(to),
            quoted(text)
        ));
    }
    out.push_str("}\n");
    out
}

/// A Graphviz string.
fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}

fn mermaid(drawing: &Drawing) -> String {
    let mut out = String::from("flowchart LR\n");
    let id = |name: &str| {
        let place = drawing.nodes.iter().position(|node| node.id == name);
        format!("n{}", place.unwrap_or(drawing.nodes.len()))
    };
    let mut line = |text: String| writeln!(out, "  {text}").expect("a string takes everything");
    for Node {
        id: name, lines, ..
    } in &drawing.nodes
    {
        line(format!("{}[\"{}\"]", id(name), lines.join("<br/>")));
    }
    for (from, to, text) in &drawing.edges {
        line(format!("{} -->|\"{text}\"| {}", id(from), id(to)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::plans;
    use super::*;

    #[test]
    fn graphviz() {
        insta::assert_snapshot!(graph(&plans()[0], Graph::Dot));
    }

    #[test]
    fn a_balancer_behind_a_balancer_is_reached() {
        let lab = "title: x\nhosts: { client: {}, web: { zone: a, serve: { 80: http } } }\n\
                   target_groups: { inner: { target_type: alb, targets: [app] }, web: { protocol: HTTP, targets: [web] } }\n\
                   load_balancers:\n  front: { zones: [a, b], listeners: { 80: inner } }\n  \
                   app: { type: application, scheme: internal, zones: [a, b], listeners: { 80: web } }\n\
                   steps: [{ connect: { as: c, from: client, to: front/a } }]\nworks: [c.ok]\n\
                   cases: { c: { kind: control } }\n";
        let lab = crate::spec::read(lab, "x.yaml").expect("a lab");
        let drawing = draw(&crate::plan::plan(&lab, "c", None).expect("a plan"));
        let edge = |from: &str, to: &str| {
            let mut edges = drawing.edges.iter();
            edges.any(|(a, b, _)| a == from && b == to)
        };
        assert!(edge("zonal front/a", "zonal app/a"), "{:?}", drawing.edges);
        assert!(!edge("zonal front/a", "zonal app/b"), "cross-zone is off");
    }

    #[test]
    fn mermaid_draws_the_same() {
        insta::assert_snapshot!(graph(&plans()[0], Graph::Mermaid));
    }
}
