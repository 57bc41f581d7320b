//! The ports of clients: how many connections they suffice for, and that no two use one of them toward the same place.

use crate::diag::Diagnostic;
use crate::diag::codes::plan as code;
use crate::plan::hosts::Hosts;
use crate::plan::{Dial, Fault, HostId, Sink, Step, Verb};
use crate::spec::{self, Body};
use std::net::SocketAddr;
use std::ops::RangeInclusive;

/// Source ports of one client toward one destination.
const MOST_PORTS: u64 = 65_535;

/// Connections of one lab.
const MOST_CONNECTIONS: u64 = 250_000;

/// A client has only so many ports toward one destination, and from the first that a load names only those that follow.
pub(super) fn ports_suffice(load: &spec::Load, dial: &Dial, sink: &mut Sink) {
    let connections = &load.connections;
    let room = MOST_PORTS * dial.to.len() as u64;
    if let Some(first) = &load.source_port {
        let left = MOST_PORTS - u64::from(first.value) + 1;
        if u64::from(connections.value) > left {
            sink.push(
                Diagnostic::new(
                    code::TOO_MANY_CONNECTIONS,
                    connections.span,
                    format!("{} connections from one client", connections.value),
                )
                .label(format!("{left} ports are left"))
                .also(first.span, "from this one; each connection takes the next")
                .help("begin at a lower port, or use more clients (`count:`)"),
            );
        }
    } else if u64::from(connections.value) > room {
        sink.push(
            Diagnostic::new(
                code::TOO_MANY_CONNECTIONS,
                connections.span,
                format!("{} connections from one client", connections.value),
            )
            .label(format!(
                "a client has {room} ports toward {} {}",
                dial.to.len(),
                if dial.to.len() == 1 {
                    "address"
                } else {
                    "addresses"
                }
            ))
            .help("use more clients (`count:`), or fewer connections"),
        );
    }
}

pub(super) fn too_many_connections(body: &Body, steps: &[Step], sink: &mut Sink) {
    let opened = |step: &Step| {
        let each = if let Verb::Load { connections, .. } = &step.verb {
            u64::from(*connections)
        } else {
            1
        };
        each * step.verb.dials().len() as u64
    };
    let total: u64 = steps.iter().map(opened).sum();
    if total > MOST_CONNECTIONS {
        let span = body
            .steps
            .iter()
            .find_map(|step| {
                let spec::Verb::Load(load) = &step.verb else {
                    return None;
                };
                Some(load.connections.span)
            })
            .unwrap_or_default();
        sink.push(
            Diagnostic::new(
                code::TOO_MANY_CONNECTIONS,
                span,
                format!("{total} connections in one lab"),
            )
            .label(format!("the most is {MOST_CONNECTIONS}"))
            .help("use fewer connections; `connections` counts for each host of a group"),
        );
    }
}

/// Ports that a step gives to its client's connections toward one destination.
struct Taken {
    opener: usize,
    from: HostId,
    ports: RangeInclusive<u16>,
    to: SocketAddr,
    udp: bool,
}

impl Taken {
    fn meets(&self, other: &Taken) -> bool {
        (self.from, self.to, self.udp) == (other.from, other.to, other.udp)
            && self.ports.start() <= other.ports.end()
            && other.ports.start() <= self.ports.end()
    }
}

/// Two open connections cannot share one 4-tuple: the second connect(2) fails with EADDRNOTAVAIL, and the lab
/// would measure nothing but that.
pub(super) fn same_tuple(body: &Body, steps: &[Step], hosts: &Hosts<'_>, sink: &mut Sink) {
    if steps.len() != body.steps.len() {
        return;
    }
    let mut open: Vec<Taken> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        if let Verb::Close { over } | Verb::Abort { over } = &step.verb {
            open.retain(|taken| taken.opener != over.0 as usize);
        }
        if let Verb::Fault(Fault::PowerOff(machines)) = &step.verb {
            // With a machine's power its sockets go, and those of its pods.
            let node = |host| hosts.cluster.node_of(&hosts.get(host).name);
            let machine = |host| node(host).and_then(|node| hosts.one(node)).unwrap_or(host);
            open.retain(|taken| !machines.contains(&machine(taken.from)));
        }
        for taken in taken(number, &step.verb) {
            match open.iter().find(|other| other.meets(&taken)) {
                Some(first) => {
                    let port = *taken.ports.start().max(first.ports.start());
                    let first = &body.steps[first.opener];
                    sink.push(tuple_taken(&body.steps[number], first, port));
                    break;
                }
                None if stays_open(&step.verb) => open.push(taken),
                None => {}
            }
        }
    }
}

/// Where a client has several addresses to choose from, nobody knows which connection goes where.
fn taken(opener: usize, verb: &Verb) -> Vec<Taken> {
    let (dials, first, connections) = match verb {
        Verb::Connect {
            dial,
            source_port: Some(port),
            ..
        } => (std::slice::from_ref(dial), *port, 1),
        Verb::Load {
            dials,
            source_port: Some(port),
            connections,
            ..
        } => (dials.as_slice(), *port, *connections),
        _ => return Vec::new(),
    };
    let last = u16::try_from(u32::from(first) + connections - 1).unwrap_or(u16::MAX);
    dials
        .iter()
        .filter_map(|dial| {
            let [only] = dial.to.as_slice() else {
                return None;
            };
            Some(Taken {
                opener,
                from: dial.from,
                ports: first..=last,
                to: only.address,
                udp: dial.udp,
            })
        })
        .collect()
}

fn stays_open(verb: &Verb) -> bool {
    !matches!(verb, Verb::Load { hold: false, .. })
}

fn tuple_taken(step: &spec::Step, first: &spec::Step, port: u16) -> Diagnostic {
    let span = match &step.verb {
        spec::Verb::Connect(connect) => connect.source_port.as_ref(),
        spec::Verb::Load(load) => load.source_port.as_ref(),
        _ => None,
    }
    .map_or(step.span, |port| port.span);
    Diagnostic::new(
        code::SAME_TUPLE,
        span,
        format!("source port {port} is in use toward this very destination"),
    )
    .label("the kernel refuses the same 4-tuple twice")
    .also(first.span, "opened here, and not closed since")
    .help("choose another `source_port` or destination, or `close` the first connection before")
}

#[cfg(test)]
mod tests {
    use crate::plan::tests::planned;

    #[test]
    fn a_port_is_free_again_when_its_machine_had_no_power() {
        let lab = "
title: t
kubernetes:
  nodes: { n1: { zone: a }, n2: { zone: a } }
  pods: { shell: { node: n1 }, web: { node: n2, serve: { 80: echo } } }
  services: { shop: { type: ClusterIP, selector: web, ports: [{ port: 80 }] } }
steps:
  - connect: { as: old, from: shell, to: shop, source_port: 40000 }
  - power_off: { as: gone, host: n1 }
  - heal: n1
  - connect: { as: new, from: shell, to: shop, source_port: 40000 }
works: [new.ok]
cases: { of-its-node: { kind: control } }
";
        assert_eq!(planned(lab)[0].steps.len(), 4);
    }
}
