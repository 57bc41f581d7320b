//! `loopback`: a host that is target and client of one balancer was sent its own SYN, from its own address.
//!
//! Linux drops a packet from the wire with its own address as source as martian, whatever `rp_filter` says, unless
//! `accept_local` is set; and then the answer goes over `lo` to a tuple that nobody dialled, and is reset.
//! Observed on: AWS Network Load Balancers with client IP preservation ("loopback timeout").

use super::{cite, connections_of, count, counters, name_all};
use crate::evidence::Packet;
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered, ip, is_at, is_syn};
use std::collections::BTreeMap;

pub(super) const KIND: &str = "loopback";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let evidence = trace.evidence;
    let mut seen: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for passage in 0..trace.passages.len() {
        let packet = trace.ended(passage);
        if is_syn(packet)
            && let Some(home) = came_home(trace, packet)
        {
            seen.entry(home).or_default().push(passage);
        }
    }
    for (name, host) in &evidence.hosts {
        // Every packet it sent itself, seen or not; a host without any has nothing to tell.
        if host.self_sourced > 0 {
            seen.entry(name).or_default();
        }
    }
    if seen.is_empty() {
        return None;
    }
    let sentences: Vec<String> = seen
        .iter()
        .map(|(host, syns)| tell(trace, host, syns))
        .collect();
    let passages = seen.values().flatten().copied();
    let connections = connections_of(trace, passages.clone());
    Some(Finding {
        kind: KIND.into(),
        summary: sentences.join(" "),
        packets: cite(trace, passages),
        connections,
        counters: counters(
            evidence,
            seen.keys().copied(),
            &["TcpExtEmbryonicRsts", "TcpExtIPReversePathFilter"],
        ),
        values: Vec::new(),
    })
}

/// Who got a packet back that it had sent itself, from the address it has itself: the host that the fabric delivered it to,
/// or one inside that.
pub(in crate::verdict) fn came_home<'a>(trace: &Trace<'a>, packet: &Packet) -> Option<&'a str> {
    if !delivered(packet) || packet.sender != packet.receiver {
        return None;
    }
    let is_for_its_source = ip(&packet.from_after) == ip(&packet.to_after);
    let mut hosts = trace.evidence.hosts.iter();
    let home = hosts.find(|(name, host)| {
        let is_there =
            **name == packet.receiver || is_for_its_source && host.inside == packet.receiver;
        is_there && is_at(host, &packet.from_after)
    });
    home.map(|(name, _)| name.as_str())
}

fn tell(trace: &Trace, host: &str, syns: &[usize]) -> String {
    let record = &trace.evidence.hosts[host];
    let connections = connections_of(trace, syns.iter().copied());
    let what = match syns.first() {
        Some(first) => format!(
            "{} of {} to {} came back to it",
            count(syns.len(), "SYN"),
            name_all(trace, &connections),
            trace.sent(*first).to
        ),
        None => format!(
            "{} came back to it",
            count(record.self_sourced.unsigned_abs() as usize, "packet")
        ),
    };
    let first = syns.first().map(|first| trace.sent(*first));
    let over_ipv6 = first.is_some_and(|packet| ip(&packet.to).contains(':'));
    let own = match over_ipv6 {
        true => &record.ipv6,
        false => &record.address,
    };
    let then = if record
        .counters
        .get("TcpExtEmbryonicRsts")
        .is_some_and(|n| *n > 0)
    {
        match over_ipv6 {
            false => {
                "It let them in (accept_local), but its SYN-ACKs went over lo to a tuple that nobody there had \
                 dialled, and were reset."
            }
            // Observed on Linux 6.18; net/ipv6/ip6_input.c has no counterpart of ip_route_input's martian source.
            true => {
                "It let them in, because Linux knows no martian sources over IPv6, but its SYN-ACKs went over lo to \
                 a tuple that nobody there had dialled, and were reset."
            }
        }
    } else {
        "Linux takes such a packet for forged (a martian) and drops it; no counter of errors in the host's namespace tells."
    };
    format!(
        "{host} is client and target of the same balancer: {what} with the source as it was, its own address {own}. {then}"
    )
}
