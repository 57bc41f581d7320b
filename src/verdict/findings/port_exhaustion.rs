//! `port-exhaustion`: a balancer that puts its own address in front of the client's ran out of source ports toward
//! a target; or a NAT gateway toward a destination.
//!
//! Observed on: AWS Network Load Balancers without client IP preservation and PrivateLink: 55,000 at a time for each
//! zonal address and target, counted as `PortAllocationErrorCount`. AWS NAT gateways: as many for each of their addresses
//! and destination, counted as `ErrorPortAllocation`; Azure and Google have a number for each host.

use super::{cite, count, name_all};
use crate::evidence::GatewayEvidence;
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
    let gateways: Vec<String> = evidence
        .nat_gateways
        .iter()
        .filter_map(|(name, gateway)| {
            let (metric, errors) = errors(gateway)?;
            Some(format!("{name} ({metric} {errors})"))
        })
        .collect();
    let toward = match (balancers.is_empty(), gateways.is_empty()) {
        (true, false) => "destination",
        (false, false) => "target or destination",
        (_, true) => "target",
    };
    let datagrams = dropped.iter().any(|p| trace.sent(*p).protocol != "tcp");
    let what = if datagrams { "packet" } else { "SYN" };
    let all = [balancers, gateways].concat();
    let who = if all.is_empty() {
        "The balancer".to_owned()
    } else {
        super::join(&all)
    };
    let whose = if connections.is_empty() {
        String::new()
    } else {
        format!(" of {}", name_all(trace, &connections))
    };
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{who} had no source port left toward its {toward}, so {}{whose} went nowhere.",
            count(total, what)
        ),
        packets: cite(trace, dropped),
        connections,
        counters: Vec::new(),
    })
}

/// Under which name a gateway counted packets that got no port, and how many.
fn errors(gateway: &GatewayEvidence) -> Option<(&str, i64)> {
    let names = [
        "ErrorPortAllocation",
        "SnatConnectionCount.Failed",
        "dropped_sent_packets_count.OUT_OF_RESOURCES",
    ];
    let counted = names
        .iter()
        .filter_map(|name| Some((*name, *gateway.metrics.get(*name)?)));
    let mut told = counted.filter(|(_, errors)| *errors > 0);
    told.next()
}
