//! What is recorded of a host.

use super::{counts, list, record, words};
use crate::expr::Type;
use crate::plan::counters::COUNTERS;
use std::sync::{Arc, LazyLock};

/// A host that is a node of a cluster whose services are not turned into pods by its own kernel.
pub(super) static NODE: LazyLock<Type> = LazyLock::new(|| match HOST.clone() {
    Type::Record(fields) => {
        let proxy = counts(words::SERVICE_PROXY.iter().copied());
        let mut fields = (*fields).clone();
        fields.insert("service_proxy".to_owned(), proxy);
        Type::Record(Arc::new(fields))
    }
    other => other,
});

/// Any other host.
pub(super) static HOST: LazyLock<Type> = LazyLock::new(|| {
    record([
        ("address", Type::Text),
        ("ipv6", Type::Text),
        ("counters", Type::Counts(COUNTERS)),
        ("conntrack", counts(words::CONNTRACK.iter().copied())),
        (
            "sockets",
            list(record([
                ("state", Type::Word(words::TCP_STATES)),
                ("local", Type::Text),
                ("remote", Type::Text),
                ("send_queue", Type::Int),
                ("recv_queue", Type::Int),
                ("timer", Type::Word(words::TCP_TIMERS)),
                ("timer_ms", Type::Int),
                ("retransmits", Type::Int),
                ("tcp_info", TCP_INFO.clone()),
            ])),
        ),
        (
            "listeners",
            list(record([
                ("local", Type::Text),
                ("waiting", Type::Int),
                ("backlog", Type::Int),
            ])),
        ),
        (
            "requests",
            list(record([
                ("host", Type::Text),
                ("path", Type::Text),
                ("status", Type::Int),
                ("client", Type::Text),
                ("forwarded_for", Type::Text),
                ("probe", Type::Bool),
            ])),
        ),
        ("self_sourced", Type::Int),
    ])
});

/// What the kernel knows of a socket besides. Unknown in TIME_WAIT, which keeps none of it.
static TCP_INFO: LazyLock<Type> = LazyLock::new(|| {
    record([
        ("rtt_ms", Type::Millis),
        ("rto_ms", Type::Millis),
        ("cwnd", Type::Int),
        ("unacked", Type::Int),
        ("lost", Type::Int),
        ("resent", Type::Int),
        ("bytes_acked", Type::Int),
        ("bytes_received", Type::Int),
        ("bytes_not_sent", Type::Int),
        ("segments_out", Type::Int),
        ("segments_in", Type::Int),
        ("send_scale", Type::Int),
        ("receive_scale", Type::Int),
    ])
});
