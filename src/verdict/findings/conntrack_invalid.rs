//! `conntrack-invalid`: a segment far outside of its stream was answered with RST, because a NAT on the way did not
//! translate it.
//!
//! A socket that knows the connection answers such a segment with an ACK (RFC 9293 section 3.10.7.4), never with RST. Linux'
//! connection tracking calls it INVALID and leaves it untranslated; what gets it then knows no such connection: it comes
//! from an address that the connection there was never opened to. Without that, a segment off its stream and a RST are
//! two connections of one 4-tuple (see `flow_collision`).
//! Observed on: Kubernetes nodes with kube-proxy before 1.15, which lets INVALID packets pass to pods.

use super::{cite, count, counters, distinct, hosts_at, name_all};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, ahead, delivered, end};
use std::collections::HashMap;

pub(super) const KIND: &str = "conntrack-invalid";
/// Further off than that, no window of these labs' connections reaches (Linux: `tcp_rmem`, 6 MiB at most).
const OFF: i64 = 8 << 20;

/// A stray segment and the RST to it: passages.
struct Stray {
    segment: usize,
    reset: usize,
    off: i64,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let mut found = strays(trace);
    found.retain(|stray| untranslated(trace, stray).is_some());
    let first = found.first()?;
    let (segment, reset) = (trace.ended(first.segment), trace.sent(first.reset));
    let whose = found.iter().filter_map(|stray| untranslated(trace, stray));
    let connections: Vec<usize> = distinct(whose);
    let summary = format!(
        "{} from {} to {}, a segment of {}, {} bytes off its stream, {} answered with RST instead of ACK: connection tracking called \
         it INVALID and did not translate it, so it came from an address that {} had never dialled. The RST went to {}, and \
         ended the live connection there.",
        count(found.len(), "segment"),
        segment.from_after,
        segment.to_after,
        name_all(trace, &connections),
        first.off,
        if found.len() == 1 { "was" } else { "were" },
        reset.from,
        reset.to,
    );
    let passages = found.iter().flat_map(|stray| [stray.segment, stray.reset]);
    let clients = connections
        .iter()
        .map(|c| trace.evidence.connections[*c].from.as_str());
    let servers = found
        .iter()
        .map(|stray| trace.sent(stray.reset).to.as_str());
    let servers = hosts_at(trace.evidence, servers);
    let mut numbers = counters(trace.evidence, distinct(clients), &["TcpOutRsts"]);
    numbers.extend(counters(trace.evidence, servers, &["TcpEstabResets"]));
    Some(Finding {
        kind: KIND.into(),
        summary,
        packets: cite(trace, passages),
        connections,
        counters: numbers,
        values: Vec::new(),
    })
}

/// The connection whose end answered, if it was opened to another address than the segment came from.
fn untranslated(trace: &Trace, stray: &Stray) -> Option<usize> {
    let (from, at) = (
        &trace.ended(stray.segment).from_after,
        &trace.sent(stray.reset).from,
    );
    let dialled = |c: usize| trace.evidence.connections[c].remote == *from;
    match trace.opened_at(at).any(dialled) {
        true => None,
        false => trace.opened_at(at).next(),
    }
}

fn strays(trace: &Trace) -> Vec<Stray> {
    // By a stream's two ends: where its last segment ended; and the last stray one.
    let mut streams: HashMap<(&str, &str), i64> = HashMap::new();
    let mut astray: HashMap<(&str, &str), (usize, i64)> = HashMap::new();
    let mut found = Vec::new();
    for passage in 0..trace.passages.len() {
        let (sent, packet) = (trace.sent(passage), trace.ended(passage));
        if packet.protocol != "tcp" {
            continue;
        }
        let stream = (packet.from_after.as_str(), packet.to_after.as_str());
        if packet.flags.contains('R') {
            let answered = (sent.to.as_str(), sent.from.as_str());
            let Some((segment, off)) = astray.get(&answered).copied() else {
                continue;
            };
            if sent.seq == trace.ended(segment).ack {
                astray.remove(&answered);
                found.push(Stray {
                    segment,
                    reset: passage,
                    off,
                });
            }
            continue;
        }
        let end = end(packet);
        if packet.flags.contains('S') {
            streams.insert(stream, end);
        } else if let Some(last) = streams.get_mut(&stream) {
            let off = ahead(packet.seq, *last).abs();
            if off < OFF {
                *last = end;
            } else if delivered(packet) && packet.flags.contains('.') {
                astray.insert(stream, (passage, off));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{KIND, find};
    use crate::evidence::{Connection, Evidence, Packet};
    use crate::verdict::trace::Trace;

    const POD: &str = "10.0.0.11:40000";
    const SERVER: &str = "10.0.16.11:80";
    const SERVICE: &str = "10.100.0.10:80";

    fn packet(evidence: &mut Evidence, ends: [&str; 2], flags: &str, numbers: [i64; 2], len: i64) {
        evidence.packets.push(Packet {
            id: evidence.packets.len() as i64,
            t: evidence.packets.len() as f64,
            sender: "n1".into(),
            receiver: "n2".into(),
            protocol: "tcp".into(),
            from: ends[0].into(),
            to: ends[1].into(),
            from_after: ends[0].into(),
            to_after: ends[1].into(),
            flags: flags.into(),
            seq: numbers[0],
            ack: numbers[1],
            len,
            fate: "forwarded".into(),
            ..Packet::default()
        });
    }

    fn talk() -> Evidence {
        let mut evidence = Evidence::default();
        evidence.connections.push(Connection {
            protocol: "tcp".into(),
            from: "shell".into(),
            local: POD.into(),
            remote: SERVICE.into(),
            ..Connection::default()
        });
        packet(&mut evidence, [POD, SERVER], "S", [1000, 0], 0);
        packet(&mut evidence, [SERVER, POD], "S.", [4_294_967_295, 1001], 0);
        packet(&mut evidence, [SERVER, POD], "P.", [0, 1065], 64);
        evidence
    }

    #[test]
    fn a_stray_segment_and_its_reset() {
        let mut evidence = talk();
        packet(&mut evidence, [SERVER, POD], "P.", [1_000_000_064, 1065], 1);
        packet(&mut evidence, [POD, SERVER], "R", [1065, 0], 0);
        let found = find(&Trace::new(&evidence)).expect("a finding");
        assert_eq!(found.kind, KIND);
        assert_eq!(found.packets, [3, 4]);
        assert!(
            found.summary.contains("1000000000 bytes off"),
            "{}",
            found.summary
        );
    }

    #[test]
    fn silent_when_it_came_from_where_the_connection_was_opened_to() {
        let mut evidence = talk();
        packet(&mut evidence, [SERVER, POD], "P.", [1_000_000_064, 1065], 1);
        packet(&mut evidence, [POD, SERVER], "R", [1065, 0], 0);
        evidence.connections[0].remote = SERVER.into();
        assert!(find(&Trace::new(&evidence)).is_none());
        // A RST that the balancer says in the name of an address of its own.
        evidence.connections.clear();
        assert!(find(&Trace::new(&evidence)).is_none());
    }

    #[test]
    fn silent_when_it_is_answered_with_an_ack() {
        let mut evidence = talk();
        packet(&mut evidence, [SERVER, POD], "P.", [1_000_000_064, 1065], 1);
        packet(&mut evidence, [POD, SERVER], ".", [1065, 64], 0);
        assert!(find(&Trace::new(&evidence)).is_none());
    }

    #[test]
    fn silent_on_an_abort_in_the_middle_of_a_stream() {
        let mut evidence = talk();
        packet(&mut evidence, [SERVER, POD], "P.", [64, 1065], 1400);
        packet(&mut evidence, [POD, SERVER], "R", [1065, 0], 0);
        assert!(find(&Trace::new(&evidence)).is_none());
    }

    #[test]
    fn silent_when_the_reset_answers_something_else() {
        let mut evidence = talk();
        packet(&mut evidence, [SERVER, POD], "P.", [1_000_000_064, 1065], 1);
        packet(&mut evidence, [POD, SERVER], "R.", [2000, 64], 0);
        assert!(find(&Trace::new(&evidence)).is_none());
    }
}
