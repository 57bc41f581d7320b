//! The ports of clients: how many connections they suffice for, and that no two use one of them toward the same place.

use crate::diag::codes::plan as code;
use crate::diag::{Diagnostic, Spanned};
use crate::plan::{Dial, HostId, Sink, Step, Verb};
use crate::spec::{self, Body};
use std::collections::HashMap;
use std::net::SocketAddr;

/// Source ports of one client toward one destination.
const MOST_PORTS: u64 = 65_535;

/// Connections of one lab.
const MOST_CONNECTIONS: u64 = 250_000;

/// A client has only so many ports toward one destination.
pub(super) fn ports_suffice(connections: &Spanned<u32>, dial: &Dial, sink: &mut Sink) {
    let room = MOST_PORTS * dial.to.len() as u64;
    if u64::from(connections.value) > room {
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

/// Two open connections cannot share one 4-tuple: the second connect(2) fails with EADDRNOTAVAIL, and the lab
/// would measure nothing but that.
pub(super) fn same_tuple(body: &Body, steps: &[Step], sink: &mut Sink) {
    if steps.len() != body.steps.len() {
        return;
    }
    let mut open: HashMap<(HostId, u16, SocketAddr, bool), usize> = HashMap::new();
    for (number, step) in steps.iter().enumerate() {
        if let Verb::Connect {
            dial,
            source_port: Some(port),
            ..
        } = &step.verb
        {
            let [only] = dial.to.as_slice() else { continue };
            let tuple = (dial.from, *port, only.address, dial.udp);
            let first = *open.entry(tuple).or_insert(number);
            if first != number {
                sink.push(tuple_taken(&body.steps[number], &body.steps[first], *port));
            }
        } else if let Verb::Close { over } | Verb::Abort { over } = &step.verb {
            open.retain(|_, opener| *opener != over.0 as usize);
        }
    }
}

fn tuple_taken(step: &spec::Step, first: &spec::Step, port: u16) -> Diagnostic {
    let mut span = step.span;
    if let spec::Verb::Connect(connect) = &step.verb
        && let Some(port) = &connect.source_port
    {
        span = port.span;
    }
    Diagnostic::new(
        code::SAME_TUPLE,
        span,
        format!("source port {port} is in use toward this very destination"),
    )
    .label("the kernel refuses the same 4-tuple twice")
    .also(first.span, "opened here, and not closed since")
    .help("choose another `source_port` or destination, or `close` the first connection before")
}
