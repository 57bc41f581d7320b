//! The closed vocabularies of the evidence: what a result's words can be.

use crate::fabric::metric::{Dimensions, Namespace};
use std::ops::RangeInclusive;

/// Mechanisms that are recognised in the evidence.
pub use crate::spec::grammar::cases::RECOGNISED as FINDINGS;

/// Error words of a step; empty when it is ok.
pub const ERRORS: &[&str] = &[
    "",
    "refused",
    "reset",
    "timeout",
    "deadline",
    "unreachable",
    "no-address",
    "no-port",
    "eof",
    "closed",
    "not-connected",
    "tls",
    "failed",
];

/// How labels of steps begin that take a host from the network; the host's name follows.
pub const POWER_OFF: &str = "power off ";
/// The same of one that leaves it its power.
pub const LINK_DOWN: &str = "link down ";
/// How labels of steps begin that bring it back; its name follows, a `drop`'s that ends, both with `and`, or [`HEAL_ALL`].
pub const HEAL: &str = "heal ";
/// All that was broken.
pub const HEAL_ALL: &str = "everything";

/// A step's word names a host: by its name, or by that of all that are alike (`desk` of `desk-2`).
pub fn names(word: &str, host: &str) -> bool {
    let number = host.strip_prefix(word);
    let alike = |rest: &str| {
        let digits = rest.strip_prefix('-').unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    number.is_some_and(|rest| rest.is_empty() || alike(rest))
}

/// How a connection ended; empty when it never stood.
pub const ENDINGS: &[&str] = &["", "open", "eof", "reset", "closed", "timeout"];

/// Who sent the first FIN or RST; empty when nobody did.
pub const ENDED_BY: &[&str] = &["", "client", "server", "fabric"];

/// What connection tracking counts, in the words of conntrack(8) (`-S`), and how many `entries` it has.
pub const CONNTRACK: &[&str] = &[
    "entries",
    "found",
    "invalid",
    "insert",
    "insert_failed",
    "drop",
    "early_drop",
    "error",
    "search_restart",
    "clash_resolve",
    "chaintoolong",
];

/// What a node's service proxy counts, where it is emulated.
pub const SERVICE_PROXY: &[&str] = &[
    "entries",
    "connections",
    "rescheduled",
    "port_reuse_drops",
    "no_destination_drops",
    "moved_syns",
];

/// What a TCP socket waits for, in the words of `ss`; empty: nothing.
pub const TCP_TIMERS: &[&str] = &["", "on", "keepalive", "timewait", "persist"];

/// TCP states as `ss` names them, with underscores; empty when there is no socket.
pub const TCP_STATES: &[&str] = &[
    "",
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "CLOSING",
    "NEW_SYN_RECV",
];

/// HTTP statuses (RFC 9110 section 15).
pub const STATUSES: RangeInclusive<i64> = 100..=599;

/// CloudWatch names of what the emulator counts in whole numbers.
pub fn metrics(namespace: Namespace) -> impl Iterator<Item = &'static str> {
    namespace.counts().map(|row| row.name)
}

/// Of those, the ones that exist for a target group.
pub fn group_metrics(namespace: Namespace) -> impl Iterator<Item = &'static str> {
    let rows = namespace.counts();
    rows.filter(|row| row.dimensions != Dimensions::Balancer)
        .map(|row| row.name)
}

/// States of a balancer.
pub const BALANCER_STATES: &[&str] = &["active", "failed"];

/// CloudWatch names of what is counted of an endpoint (`AWS/PrivateLinkEndpoints`).
pub const ENDPOINT_METRICS: &[&str] = &[
    "ActiveConnections",
    "NewConnections",
    "BytesProcessed",
    "RstPacketsReceived",
];

/// States of an endpoint.
pub const ENDPOINT_STATES: &[&str] = &["available"];

/// What a zonal shift does to a target (elbv2 `AdministrativeOverride.State`).
pub const ADMINISTRATIVE_OVERRIDES: &[&str] = &[
    "no_override",
    "zonal_shift_active",
    "zonal_shift_delegated_to_dns",
];

/// States of a classic balancer's instance (elb `InstanceState.State`).
pub const INSTANCE_STATES: &[&str] = &["InService", "OutOfService", "Unknown"];

/// States of a target (elbv2 `TargetHealth.State`).
pub const TARGET_STATES: &[&str] = &[
    "initial",
    "healthy",
    "unhealthy",
    "unhealthy.draining",
    "draining",
    "unused",
    "unavailable",
];

/// What can become of a packet: where it came to, or the reason ([`Reason`](crate::fabric::record::Reason), [`Answer`](crate::fabric::record::Answer)).
pub const FATES: &[&str] = &[
    "forwarded",
    "held",
    "seen",
    "dropped: malformed",
    "dropped: not-ipv4",
    "dropped: untranslatable",
    "dropped: fragment",
    "dropped: no-route",
    "dropped: not-routable",
    "dropped: spoofed-source",
    "dropped: no-listener",
    "dropped: zone-disabled",
    "dropped: no-service",
    "dropped: icmp-unsupported",
    "dropped: icmp-unrelated",
    "dropped: protocol-unsupported",
    "dropped: no-target",
    "dropped: port-allocation",
    "dropped: insert-failed",
    "dropped: flow-table-full",
    "dropped: endpoint-without-service",
    "dropped: missing-flow",
    "dropped: expired-flow",
    "dropped: half-open",
    "dropped: ttl-exceeded",
    "dropped: link-loss",
    "dropped: link-queue",
    "dropped: link-mtu",
    "dropped: kernel-quirk",
    "dropped: tw-recycle",
    "dropped: ipvs-port-reuse",
    "dropped: ipvs-no-destination",
    "dropped: link-down",
    "dropped: drop-rule",
    "dropped: device-refused",
    "dropped: security-group-ingress",
    "dropped: security-group-egress",
    "dropped: network-acl-inbound",
    "dropped: network-acl-outbound",
    "answered: reset, no flow",
    "answered: reset, no target",
    "answered: reset, expired flow",
    "answered: reset, unhealthy target",
    "answered: reset, terminated flow",
    "answered: reset, no entry",
    "answered: ICMP, TTL exceeded",
    "answered: ICMPv6, hop limit exceeded",
    "answered: ICMP, fragmentation needed",
    "answered: ICMPv6, packet too big",
    "answered: name",
];

#[cfg(test)]
mod tests {
    use super::FATES;
    use crate::fabric::record::{Answer, Reason};

    #[test]
    fn every_reason_and_every_answer_is_a_fate() {
        let dropped = Reason::ALL.map(|reason| format!("dropped: {}", reason.word()));
        let answered = Answer::ALL.map(|answer| format!("answered: {}", answer.word()));
        let all: Vec<String> = dropped.into_iter().chain(answered).collect();
        assert_eq!(FATES[3..], all);
    }
}
