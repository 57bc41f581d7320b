//! `accept-queue-reset`: connections that stood were reset before a program had accepted them, at a server that went on
//! serving others.
//!
//! Observed on: HAProxy and nginx on reloads; a listening socket that is closed takes with it what waits there, even
//! beside another one on the same port. What a program has accepted is known of the lab's own servers only: where none of
//! them is seen to accept afterwards, nothing is said.

use super::{cite, count, counters, distinct, first_few, name_all};
use crate::evidence::Connection;
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, is_reset, is_syn_ack, next};

pub(super) const KIND: &str = "accept-queue-reset";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let connections = &trace.evidence.connections;
    let reset = (0..connections.len()).filter_map(|c| Some((c, reset_unheard(trace, c)?)));
    let reset: Vec<(usize, usize)> = reset
        .filter(|(c, rst)| is_served_after(connections, &connections[*c], trace.sent(*rst).t))
        .collect();
    reset.first()?;
    let all: Vec<usize> = reset.iter().map(|(c, _)| *c).collect();
    let targets = distinct(all.iter().map(|c| connections[*c].target.as_str()));
    let places = distinct(all.iter().map(|c| connections[*c].target_address.clone()));
    let names: Vec<String> = targets.iter().map(|name| (*name).to_owned()).collect();
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} stood and {} reset before a program had accepted {}: {} waited in the queue of a listening socket of {} that \
             was closed, while {} went on serving others there.",
            name_all(trace, &all),
            if all.len() == 1 { "was" } else { "were" },
            if all.len() == 1 { "it" } else { "them" },
            count(all.len(), "connection"),
            first_few(&places),
            first_few(&names),
        ),
        packets: cite(trace, reset.iter().map(|(_, rst)| *rst)),
        connections: all,
        counters: counters(
            trace.evidence,
            targets,
            &["TcpEstabResets", "TcpExtTCPMigrateReqFailure", "TcpOutRsts"],
        ),
        values: Vec::new(),
    })
}

/// The target's RST, if that is all it ever said on a connection that stood and that no program is known to have accepted.
fn reset_unheard(trace: &Trace, connection: usize) -> Option<usize> {
    let c = &trace.evidence.connections[connection];
    if !c.error.is_empty() || c.proxied || !c.header.is_empty() || c.protocol != "tcp" {
        return None;
    }
    let passages = trace.by_connection[connection].iter().copied();
    let mut said = passages.filter(|p| !trace.passages[*p].toward_target);
    let first = said.by_ref().find(|p| is_syn_ack(trace.sent(*p)))?;
    let begins = next(trace.sent(first).seq);
    let says_more = |p: &usize| {
        let packet = trace.sent(*p);
        packet.len > 0 || packet.flags.contains(['F', 'R'])
    };
    let rst = said.find(says_more)?;
    let packet = trace.sent(rst);
    (is_reset(packet) && packet.seq == begins && packet.sender == c.target).then_some(rst)
}

/// True when a program there accepted what was opened later.
fn is_served_after(connections: &[Connection], reset: &Connection, t: f64) -> bool {
    connections.iter().any(|other| {
        other.target == reset.target
            && other.target_address == reset.target_address
            && other.at > t
            && other.error.is_empty()
            && !other.header.is_empty()
    })
}
