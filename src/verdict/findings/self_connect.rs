//! `self-connect`: a connection whose two ends are one socket.
//!
//! Observed on: Linux and every TCP with simultaneous open (RFC 9293 section 3.5). Who dials a port of its own host that
//! nobody listens on, out of the range from which the kernel takes source ports, is given that very port once in a while:
//! the SYN meets the socket that sent it, and the connection stands. It never comes to the network, so there is no packet.

use super::{counters, distinct, join, name_all};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;

pub(super) const KIND: &str = "self-connect";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let connections = &trace.evidence.connections;
    let own: Vec<usize> = (0..connections.len())
        .filter(|at| {
            let c = &connections[*at];
            c.protocol == "tcp" && c.error.is_empty() && !c.local.is_empty() && c.local == c.remote
        })
        .collect();
    let first = &connections[*own.first()?];
    let hosts = distinct(own.iter().map(|at| connections[*at].from.as_str()));
    let places = distinct(own.iter().map(|at| connections[*at].local.clone()));
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} {} to {}: the kernel of {} took the port that was dialled for the source port too ({}), and the SYN met the \
             socket that had sent it. What is written there comes back, and no server is at the other end.",
            name_all(trace, &own),
            if own.len() == 1 { "leads" } else { "lead" },
            if own.len() == 1 {
                "itself"
            } else {
                "themselves"
            },
            first.from,
            join(&places[..places.len().min(4)]),
        ),
        packets: Vec::new(),
        connections: own,
        counters: counters(
            trace.evidence,
            hosts,
            &["TcpActiveOpens", "TcpPassiveOpens", "TcpAttemptFails"],
        ),
        values: Vec::new(),
    })
}
