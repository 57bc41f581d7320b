//! `no-listener`: packets to a port where the balancer does not listen. It drops them in silence.
//!
//! Observed on: AWS Network Load Balancers: neither RST nor ICMP.

use super::{cite, connections_of, count, distinct, dropped, first_few, name_all};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;

pub(super) const KIND: &str = "no-listener";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let dropped = dropped(trace, "no-listener");
    let counted = trace
        .evidence
        .drops
        .get("no-listener")
        .copied()
        .unwrap_or(0);
    let total = dropped.len().max(counted.unsigned_abs() as usize);
    if total == 0 {
        return None;
    }
    let connections = connections_of(trace, dropped.iter().copied());
    let places = distinct(dropped.iter().map(|p| trace.sent(*p).to.clone()));
    let whose = if connections.is_empty() {
        String::new()
    } else {
        format!(" of {}", name_all(trace, &connections))
    };
    let place = if places.is_empty() {
        String::new()
    } else {
        format!(" to {}", first_few(&places))
    };
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{}{whose}{place} met no listener; the balancer dropped {} without a word.",
            count(total, "packet"),
            if total == 1 { "it" } else { "them" }
        ),
        packets: cite(trace, dropped),
        connections,
        counters: Vec::new(),
        values: Vec::new(),
    })
}
