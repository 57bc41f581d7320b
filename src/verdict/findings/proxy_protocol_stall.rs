//! `proxy-protocol-stall`: a server waits for a PROXY protocol header, and its client waits for the server.
//!
//! Observed on: Network Load Balancers, which send the header with the client's first payload unless
//! `proxy_protocol_v2.client_to_server.header_placement` is `on_first_ack`; SMTP, FTP, SSH and MySQL greet first. Not this: a
//! server whose clients speak first, which waits for them with a header and without; a connection that has only just come to
//! stand; a real program, of which nobody knows what it waits for.

use super::{cite, distinct, first_few, lapse, name_all};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered, is_reset, is_syn_ack};

pub(super) const KIND: &str = "proxy-protocol-stall";

/// A server that speaks first does so in this time, ms, also on a machine that has other things to do.
const AT_ONCE: f64 = 100.0;

/// A connection over which nothing was said.
struct Silence {
    connection: usize,
    /// Passages: the SYN-ACK, and the FIN or RST that ended it.
    shown: Vec<usize>,
    /// From the SYN-ACK to its end, or that of the record, ms.
    ms: f64,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let connections = trace.evidence.connections.iter().enumerate();
    let waits = connections.filter(|(_, c)| c.flow.is_some() && c.header == "awaited");
    let waits = waits.filter(|(_, c)| c.speaks_first);
    let stuck: Vec<Silence> = waits
        .filter_map(|(number, _)| silence(trace, number))
        .filter(|silence| silence.ms > AT_ONCE)
        .collect();
    let first = stuck.first()?;
    let numbers: Vec<usize> = stuck.iter().map(|silence| silence.connection).collect();
    let connections = &trace.evidence.connections;
    let targets = distinct(numbers.iter().map(|c| connections[*c].target.clone()));
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} stood and nobody spoke{}: {} a PROXY protocol header before {} anything, and the balancer has sent none, for \
             the client has said nothing yet.",
            name_all(trace, &numbers),
            match stuck.len() {
                1 => format!(" for {}", lapse(first.ms)),
                _ => String::new(),
            },
            match targets.len() {
                1 => format!("{} reads", targets[0]),
                _ => format!("{} read", first_few(&targets)),
            },
            if targets.len() == 1 {
                "it says"
            } else {
                "they say"
            },
        ),
        packets: cite(
            trace,
            stuck.iter().flat_map(|silence| silence.shown.clone()),
        ),
        connections: numbers,
        counters: Vec::new(),
        values: Vec::new(),
    })
}

/// How long a connection stood and neither end said a byte; none: one did, or it never stood.
fn silence(trace: &Trace, connection: usize) -> Option<Silence> {
    let own = &trace.evidence.connections[connection];
    let passages = trace.by_connection[connection].iter().copied();
    let spoke = |p: usize| trace.sent(p).len > 0;
    if own.sent > 0 || own.received > 0 || passages.clone().any(spoke) {
        return None;
    }
    let stood = passages
        .clone()
        .find(|p| is_syn_ack(trace.sent(*p)) && delivered(trace.ended(*p)))?;
    let ends = |p: &usize| is_reset(trace.sent(*p)) || trace.sent(*p).flags.contains('F');
    let end = passages.clone().find(|p| *p > stood && ends(p));
    let until = match end {
        Some(end) => trace.sent(end).t,
        None => trace.evidence.seconds * 1e3,
    };
    Some(Silence {
        connection,
        shown: [Some(stood), end].into_iter().flatten().collect(),
        ms: until - trace.ended(stood).t,
    })
}
