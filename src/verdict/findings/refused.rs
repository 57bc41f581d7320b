//! `refused`: a host answered a SYN with RST, because nothing listens there.

use super::{cite, distinct, join, name_all};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, is_reset};

pub(super) const KIND: &str = "refused";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let connections = &trace.evidence.connections;
    let refused: Vec<usize> = (0..connections.len())
        .filter(|c| connections[*c].error == "refused")
        .collect();
    if refused.is_empty() {
        return None;
    }
    let resets: Vec<usize> = refused
        .iter()
        .filter_map(|c| {
            let passages = trace.by_connection[*c].iter().copied();
            passages
                .into_iter()
                .find(|p| !trace.passages[*p].toward_target && is_reset(trace.sent(*p)))
        })
        .collect();
    let senders = distinct(resets.iter().map(|p| trace.sent(*p).sender.clone()));
    let places = distinct(refused.iter().map(|c| {
        let c = &connections[*c];
        if c.target_address.is_empty() {
            c.remote.clone()
        } else {
            c.target_address.clone()
        }
    }));
    let who = if senders.is_empty() {
        "the other end".to_owned()
    } else {
        join(&senders)
    };
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} met RST in answer to the SYN: {who} has nothing that listens on {}.",
            name_all(trace, &refused),
            join(&places[..places.len().min(4)]),
        ),
        packets: cite(trace, resets),
        connections: refused,
        counters: Vec::new(),
        values: Vec::new(),
    })
}
