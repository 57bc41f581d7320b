//! `port-exhaustion`: a balancer that puts its own address in front of the client's ran out of source ports toward
//! a target.
//!
//! Observed on: AWS Network Load Balancers without client IP preservation and PrivateLink: 55,000 at a time for each
//! zonal address and target, counted as `PortAllocationErrorCount`.

use super::{cite, count, name_all};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, drop_reason};

pub(super) const KIND: &str = "port-exhaustion";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let evidence = trace.evidence;
    let dropped: Vec<usize> = (0..trace.passages.len())
        .filter(|p| drop_reason(trace.ended(*p)) == Some("port-allocation"))
        .collect();
    let counted = evidence.drops.get("port-allocation").copied().unwrap_or(0);
    let total = dropped.len().max(counted.unsigned_abs() as usize);
    if total == 0 {
        return None;
    }
    let mut connections: Vec<usize> = dropped
        .iter()
        .filter_map(|p| trace.passages[*p].connection)
        .collect();
    connections.sort_unstable();
    connections.dedup();
    let balancers: Vec<String> = evidence
        .load_balancers
        .iter()
        .filter_map(|(name, b)| {
            let errors = b
                .metrics
                .get("PortAllocationErrorCount")
                .filter(|n| **n > 0)?;
            Some(format!("{name} (PortAllocationErrorCount {errors})"))
        })
        .collect();
    let who = if balancers.is_empty() {
        "The balancer".to_owned()
    } else {
        super::join(&balancers)
    };
    let whose = if connections.is_empty() {
        String::new()
    } else {
        format!(" of {}", name_all(trace, &connections))
    };
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{who} had no source port left toward its target, so {}{whose} went nowhere.",
            count(total, "SYN")
        ),
        packets: cite(trace, dropped),
        connections,
        counters: Vec::new(),
    })
}
