//! What the kernels of hosts dropped, and sockets that still wait for something.

use crate::evidence::{Evidence, Socket};
use crate::report::wrap::count;
use std::collections::BTreeMap;

pub(super) fn kernel_drops(evidence: &Evidence) -> BTreeMap<String, BTreeMap<String, i64>> {
    let hosts = evidence.hosts.iter();
    hosts
        .filter_map(|(name, host)| {
            let drops = host.kernel_drops.iter().flatten();
            let drops: BTreeMap<String, i64> = drops
                .filter(|(_, n)| **n > 0)
                .map(|(reason, n)| (reason.clone(), *n))
                .collect();
            (!drops.is_empty()).then(|| (name.clone(), drops))
        })
        .collect()
}

pub(super) fn stuck(evidence: &Evidence) -> Vec<String> {
    let hosts = evidence.hosts.iter();
    let sockets = hosts.flat_map(|(name, host)| host.sockets.iter().map(move |s| (name, s)));
    let stuck = sockets.filter(|(_, s)| s.send_queue > 0 || s.recv_queue > 0 || s.retransmits > 0);
    stuck.map(|(name, socket)| waits(name, socket)).collect()
}

/// `web1 ESTABLISHED 10.0.0.10:80 > ...: 64 bytes not acknowledged, sent again 5 times, timer on in 3300 ms`
fn waits(host: &str, socket: &Socket) -> String {
    let mut parts = Vec::new();
    if socket.send_queue > 0 {
        parts.push(format!(
            "{} not acknowledged",
            count(socket.send_queue as usize, "byte")
        ));
    }
    if socket.recv_queue > 0 {
        parts.push(format!(
            "{} not read",
            count(socket.recv_queue as usize, "byte")
        ));
    }
    if socket.retransmits > 0 {
        parts.push(format!(
            "sent again {} without an answer",
            count(socket.retransmits as usize, "time")
        ));
    }
    if !socket.timer.is_empty() {
        parts.push(format!("timer {} in {} ms", socket.timer, socket.timer_ms));
    }
    if let Some(info) = &socket.tcp_info {
        parts.push(format!(
            "{} acknowledged and {} sent again in its life, round trip {:.1} ms",
            count(info.bytes_acked as usize, "byte"),
            count(info.resent as usize, "segment"),
            info.rtt_ms
        ));
    }
    format!(
        "{host} {} {} > {}: {}",
        socket.state,
        socket.local,
        socket.remote,
        parts.join(", ")
    )
}
