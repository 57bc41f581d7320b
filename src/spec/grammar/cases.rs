//! Cases, and the mechanisms they may name.

use super::Need::{Optional, Required};
use super::{Section, Type, Words, field};

/// What a case is for.
pub static KINDS: Words = Words {
    now: &["fault", "fix", "partial", "control"],
    later: &[],
};

/// Mechanisms that are recognised in the evidence, the most specific first.
pub const RECOGNISED: &[&str] = &[
    "flow-collision",
    "challenge-ack",
    "loopback",
    "self-connect",
    "hairpin-bypass",
    "reverse-path-drop",
    "asymmetric-path",
    "syn-moved",
    "moved-flow",
    "conntrack-invalid",
    "stale-translation",
    "forgotten-translation",
    "port-exhaustion",
    "ephemeral-port-exhaustion",
    "insertion-race",
    "flow-table-full",
    "spillover",
    "provisioning-failed",
    "registration-refused",
    "target-not-in-use",
    "zone-without-targets",
    "no-registered-target",
    "stale-dns-address",
    "zone-blind-answers",
    "no-listener",
    "security-group-drop",
    "network-acl-drop",
    "pmtu-black-hole",
    "fragments-dropped",
    "undetected-damage",
    "delivered-twice",
    "needless-retransmission",
    "standing-queue",
    "delayed-ack",
    "untranslated-sack",
    "window-scale-mismatch",
    "zero-window",
    "black-hole",
    "draining-terminated",
    "outlives-draining",
    "outlives-rule",
    "idle-expiry",
    "mid-stream-drop",
    "keepalive-in-vain",
    "keep-alive-race",
    "client-closed-request",
    "ignored-reset",
    "vanished-peer",
    "connection-timed-out",
    "unread-close",
    "undetected-target",
    "unhealthy-reset",
    "healthy-but-silent",
    "fail-open",
    "half-open",
    "udp-pinned",
    "tw-recycle",
    "ipvs-port-reuse",
    "ipvs-no-destination",
    "health-check-host-header",
    "proxy-protocol-mismatch",
    "proxy-protocol-stall",
    "accept-queue-full",
    "syn-queue-full",
    "icmp-rate-limit",
    "accept-queue-reset",
    "unshared-connections",
    "bad-gateway",
    "gateway-timeout",
    "lost-syn",
    "stale-connection",
    "refused",
    "unreachable",
    "syn-unanswered",
];

/// What `finds` may name.
pub static FINDINGS: Words = Words {
    now: RECOGNISED,
    later: &[],
};

/// `cases.X`
pub static CASE: Section = Section {
    name: "a case",
    doc: "One run of the steps on a fresh world, with a few settings changed.",
    fields: &[
        field(
            "kind",
            Required,
            Type::Word(&KINDS),
            "`fault` breaks the promise, `fix` keeps it, `control` keeps it and \
                never was in danger, `partial` is judged by its own expectations.",
        ),
        field("shows", Optional, Type::Line, "What it shows, one line."),
        field(
            "set",
            Optional,
            Type::Set,
            "What it changes: dotted paths and their new values; maps merge, all else is replaced, `null` removes.",
        ),
        field(
            "finds",
            Optional,
            Type::List {
                of: &Type::Word(&FINDINGS),
                min: 0,
            },
            "Mechanisms that must be recognised in the evidence.",
        ),
        field(
            "may_find",
            Optional,
            Type::List {
                of: &Type::Word(&FINDINGS),
                min: 0,
            },
            "Mechanisms that are at work beside those, or are in some runs and not in others; no case is judged by them.",
        ),
        field(
            "expect",
            Optional,
            Type::Claims,
            "What the case claims beyond the promise.",
        ),
    ],
};
