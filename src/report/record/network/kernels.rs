//! What the kernels of hosts dropped, and sockets that still wait for something.

use crate::evidence::{Evidence, Socket};
use crate::report::wrap::count;
use std::collections::{BTreeMap, BTreeSet};

/// The kernel's word for what a socket or a device still held when it was closed. It goes through the way of drops, but no
/// packet is lost on the way: it had arrived, and nobody was left to read it.
const PURGED: &str = "QUEUE_PURGE";

/// By host, how many packets were given back with the socket or device that held them.
pub(super) fn purged(evidence: &Evidence) -> BTreeMap<String, i64> {
    let hosts = evidence.hosts.iter();
    hosts
        .filter_map(|(name, host)| {
            let count = *host.kernel_drops.as_ref()?.get(PURGED)?;
            (count > 0).then(|| (name.clone(), count))
        })
        .collect()
}

/// By host and reason; not what is only given back, see [`purged`].
pub(super) fn kernel_drops(evidence: &Evidence) -> BTreeMap<String, BTreeMap<String, i64>> {
    let hosts = evidence.hosts.iter();
    hosts
        .filter_map(|(name, host)| {
            let drops = host.kernel_drops.iter().flatten();
            let drops: BTreeMap<String, i64> = drops
                .filter(|(reason, n)| **n > 0 && *reason != PURGED)
                .map(|(reason, n)| (reason.clone(), *n))
                .collect();
            (!drops.is_empty()).then(|| (name.clone(), drops))
        })
        .collect()
}

/// What connection tracking counts of its troubles; the rest traffic itself moves.
const TROUBLES: &[&str] = &["invalid", "insert_failed", "drop", "early_drop", "error"];

/// By host, what connection tracking could not place or did not keep.
pub(super) fn conntrack(evidence: &Evidence) -> BTreeMap<String, BTreeMap<String, i64>> {
    let hosts = evidence.hosts.iter();
    hosts
        .filter_map(|(name, host)| {
            let counters = host.conntrack.counters.iter();
            let troubles: BTreeMap<String, i64> = counters
                .filter(|(word, n)| **n > 0 && TROUBLES.contains(&word.as_str()))
                .map(|(word, n)| (word.clone(), *n))
                .collect();
            (!troubles.is_empty()).then(|| (name.clone(), troubles))
        })
        .collect()
}

/// ICMP messages that devices inside hosts saw: `router to shell, on router veth1: port unreachable, about ...`. Of those about
/// several packets the first is named.
pub(super) fn icmp(evidence: &Evidence) -> BTreeMap<String, i64> {
    let seen = evidence.packets.iter();
    let seen = seen.filter(|packet| !packet.seen_at.is_empty());
    let mut alike: BTreeMap<String, (String, BTreeSet<String>, i64)> = BTreeMap::new();
    for packet in seen {
        let Some(icmp) = &packet.icmp else { continue };
        let (from, to) = (&packet.sender, &packet.receiver);
        let words = format!("{from} to {to}, on {}: {}", packet.seen_at, icmp.words());
        let (first, about, count) = alike.entry(words).or_default();
        *count += 1;
        if icmp.from.is_empty() {
            continue;
        }
        let ends = format!("{} > {}", icmp.from, icmp.to);
        if about.is_empty() {
            first.clone_from(&ends);
        }
        about.insert(ends);
    }
    let told = alike.into_iter().map(|(words, (first, about, count))| {
        let about = match about.len() {
            0 => String::new(),
            1 => format!(", about {first}"),
            2 => format!(", about {first} and one other"),
            several => format!(", about {first} and {} others", several - 1),
        };
        (words + &about, count)
    });
    told.collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Icmp, Packet};

    #[test]
    fn messages_that_devices_saw_are_told_once_with_the_first_that_they_are_about() {
        let message = |device: &str, port: u16| Packet {
            sender: "router".into(),
            receiver: "m4".into(),
            seen_at: device.into(),
            icmp: Some(Box::new(Icmp {
                says: "port unreachable".into(),
                from: format!("10.0.1.7:{port}"),
                to: "10.0.1.10:80".into(),
                ..Icmp::default()
            })),
            ..Packet::default()
        };
        let packets = [
            ("router veth1", 9),
            ("router veth2", 9),
            ("router veth2", 8),
            ("router veth3", 7),
            ("router veth3", 8),
            ("router veth3", 9),
            ("router veth3", 9),
            // What the network saw is on ladders.
            ("", 9),
        ];
        let evidence = Evidence {
            packets: packets.map(|(device, port)| message(device, port)).into(),
            ..Evidence::default()
        };
        let told = |device: u8, first: u16, others: &str| {
            format!(
                "router to m4, on router veth{device}: port unreachable, about 10.0.1.7:{first} > 10.0.1.10:80{others}"
            )
        };
        let expected = [
            (told(1, 9, ""), 1),
            (told(2, 9, " and one other"), 2),
            (told(3, 7, " and 2 others"), 4),
        ];
        assert_eq!(icmp(&evidence), BTreeMap::from(expected));
    }
}
