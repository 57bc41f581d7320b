//! `proxy-protocol-stall`: a server waits for a PROXY protocol header, and its client waits for the server.
//!
//! Observed on: Network Load Balancers, which send the header with the client's first payload unless
//! `proxy_protocol_v2.client_to_server.header_placement` is `on_first_ack`; SMTP, FTP, SSH and MySQL greet first. Not this: a
//! connection over which nobody waits for anything.

use super::name_all;
use crate::evidence::{Connection, Evidence};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;

pub(super) const KIND: &str = "proxy-protocol-stall";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let stuck: Vec<usize> = trace
        .evidence
        .connections
        .iter()
        .enumerate()
        .filter(|(_, c)| c.flow.is_some() && c.header == "awaited")
        .filter(|(_, c)| c.error.is_empty() && c.sent == 0 && c.received == 0)
        .filter(|(_, c)| is_waited_for(trace.evidence, c))
        .map(|(number, _)| number)
        .collect();
    let first = trace.evidence.connections.get(*stuck.first()?)?;
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} stood and nobody spoke: {} reads a PROXY protocol header before it says anything, and the balancer has \
             sent none, for the client has said nothing yet.",
            name_all(trace, &stuck),
            first.target,
        ),
        packets: Vec::new(),
        connections: stuck,
        counters: Vec::new(),
        values: Vec::new(),
    })
}

/// A step would have read something over it, and gave up.
fn is_waited_for(evidence: &Evidence, connection: &Connection) -> bool {
    let opened = evidence.steps.get(connection.step);
    opened.is_some_and(|opened| {
        let reads = format!("receive over {}", opened.name);
        let mut steps = evidence.steps.iter();
        steps.any(|step| step.label == reads && step.error == "deadline")
    })
}
