//! `icmp-rate-limit`: a host has no program at a UDP port and keeps most of the messages that would say so to itself.
//!
//! Observed on: Linux, which sends an unreachable to one address once a second after a burst of six
//! (net.ipv4.icmp_ratelimit), and a thousand a second to all (net.ipv4.icmp_msgs_per_sec). The kernel counts what it keeps
//! back (kernels since 2023), and nothing else under these names. Not this: a datagram that a filter took, or that never came.

use super::{cite, count, counters, delivered_where};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;

pub(super) const KIND: &str = "icmp-rate-limit";

/// What the kernel counts of messages that it kept back, to one address and to all together.
const KEPT_BACK: [&str; 2] = ["IcmpOutRateLimitHost", "IcmpOutRateLimitGlobal"];

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let evidence = trace.evidence;
    let came = delivered_where(trace, "udp", |_| true);
    // Who has asked it of his own accord: an answer that comes too late to whoever asked elsewhere tells nobody anything.
    let unheard = |host: &str| -> Vec<usize> {
        let connections = evidence.connections.iter().enumerate();
        connections
            .filter(|(_, c)| c.protocol == "udp" && c.target == host && c.received == 0)
            .map(|(at, _)| at)
            .collect()
    };
    let (host, record) = evidence.hosts.iter().find(|(name, host)| {
        let counted = |name: &str| host.counters.get(name).is_some_and(|count| *count > 0);
        counted("UdpNoPorts")
            && KEPT_BACK.into_iter().any(counted)
            && came.contains_key(name.as_str())
            && !unheard(name).is_empty()
    })?;
    let counted = |name: &str| record.counters.get(name).copied().unwrap_or(0);
    let kept: i64 = KEPT_BACK.into_iter().map(counted).sum();
    let heard = counted("IcmpOutDestUnreachs");
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{host} has no program at the port of {}, told {} of their senders so (ICMP, port unreachable), and kept {} to \
             itself: the others waited for an answer, or for an error, and got neither.",
            count(counted("UdpNoPorts").unsigned_abs() as usize, "datagram"),
            heard,
            count(kept.unsigned_abs() as usize, "message"),
        ),
        packets: cite(trace, came[host.as_str()].passages.iter().copied()),
        connections: unheard(host),
        counters: counters(
            evidence,
            [host.as_str()],
            &[
                "UdpNoPorts",
                "IcmpOutDestUnreachs",
                "IcmpOutRateLimitHost",
                "IcmpOutRateLimitGlobal",
            ],
        ),
        values: Vec::new(),
    })
}
