//! `mid-stream-drop`: a host that filters by connection dropped packets of one that stands, because it had forgotten it, or had
//! never seen it begin.
//!
//! Observed on: stateful firewalls after their idle timeout (`nf_conntrack_tcp_timeout_established`), after a restart, and behind a
//! fail-over without a synchronised table (conntrackd), where the filter wants a SYN first (`nf_conntrack_tcp_loose=0`, rules that
//! match `ct state new` with SYN alone). Not this: a host that sees one direction of a connection (see `asymmetric_path`); an
//! emulated balancer or NAT gateway (see `idle_expiry`).

use super::{CITED, count, distinct, item, lapse, quoted};
use crate::evidence::Packet;
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered, ip, is_reset, is_syn};
use std::collections::{BTreeMap, HashSet};

pub(super) const KIND: &str = "mid-stream-drop";

/// Silence before a packet that a host does not know any more, ms: timeouts of connection tracking are whole seconds.
const SILENCE: f64 = 1000.0;

/// A connection and a host on its way.
#[derive(Default)]
struct Way {
    /// Packets of either direction that the host passed on: when the first and the last came.
    passed: Option<(f64, f64)>,
    /// In either direction.
    both: [bool; 2],
    /// The host speaks itself on the connection: it is an end of it, under an address that is not its own perhaps.
    end: bool,
    /// Packets, never a SYN, that came to the host and went no further: records.
    lost: Vec<usize>,
}

/// What a host no longer knows.
struct Forgotten<'a> {
    host: &'a str,
    connection: usize,
    /// When a packet passed last; none: never.
    since: Option<f64>,
    lost: Vec<usize>,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let forgotten = forgotten(trace);
    let first = forgotten.first()?;
    let packets = &trace.evidence.packets;
    let hosts = distinct(forgotten.iter().map(|one| one.host));
    let lost = first.lost.len();
    let begin = packets[first.lost[0]].t;
    let before = match first.since {
        Some(since) => format!(
            "{} let {} pass in both directions, and forgot it in {} of silence",
            first.host,
            quoted(trace, first.connection),
            lapse(begin - since),
        ),
        None => format!(
            "{} met {} in the middle and had not seen it begin",
            first.host,
            quoted(trace, first.connection),
        ),
    };
    let invalid = match invalid(trace, first.host) {
        0 => "No rule of it lets in what is new and no SYN".to_owned(),
        n => format!(
            "Its connection tracking called {} invalid",
            count(n.unsigned_abs() as usize, "packet")
        ),
    };
    let others = match forgotten.len() - 1 {
        0 => String::new(),
        n => format!(" So it was with {} more.", count(n, "connection")),
    };
    let mut cited: Vec<usize> = forgotten.iter().flat_map(|one| one.lost.clone()).collect();
    cited.sort_unstable();
    cited.truncate(CITED);
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{before}: {} came to it and did not come out again, the same bytes more than once, and nobody was told. {invalid}.{others}",
            count(lost, "packet"),
        ),
        packets: cited,
        connections: distinct(forgotten.iter().map(|one| one.connection)),
        counters: Vec::new(),
        values: hosts
            .into_iter()
            .map(|host| {
                let path = format!("{}.conntrack.invalid", item("hosts", host));
                (path, self::invalid(trace, host).into())
            })
            .collect(),
    })
}

fn counted(trace: &Trace, host: &str, word: &str) -> i64 {
    let host = trace.evidence.hosts.get(host);
    let counters = host.map(|host| &host.conntrack.counters);
    let counted = counters.and_then(|counters| counters.get(word));
    counted.copied().unwrap_or(0)
}

fn invalid(trace: &Trace, host: &str) -> i64 {
    counted(trace, host, "invalid")
}

fn forgotten<'a>(trace: &Trace<'a>) -> Vec<Forgotten<'a>> {
    let evidence = trace.evidence;
    // A host that tracks nothing has neither.
    let tracks = |host: &str| invalid(trace, host) > 0 || counted(trace, host, "entries") > 0;
    if !evidence.hosts.keys().any(|host| tracks(host)) {
        return Vec::new();
    }
    let passing = passing(trace);
    let ways = ways(trace);
    // Where its rules let others through to the same place.
    let open: HashSet<(&str, &str)> = ways
        .iter()
        .filter(|(_, way)| way.both == [true, true])
        .map(|((connection, host), _)| (*host, evidence.connections[*connection].remote.as_str()))
        .collect();
    let found = ways.into_iter().filter_map(|((connection, host), way)| {
        let lost = in_vain(&evidence.packets, way.lost);
        let begin = evidence.packets[*lost.first()?].t;
        let c = &evidence.connections[connection];
        if way.end || !tracks(host) || !c.error.is_empty() || begin < c.at + c.ms {
            return None;
        }
        let alive = passing.get(host).is_some_and(|last| *last > begin);
        let since = match way.passed {
            Some((_, last)) if last < begin && way.both == [true, true] => Some(last),
            Some(_) => return None,
            None => None,
        };
        let so = match since {
            // Rules that changed, or a host that died, are no expiry.
            Some(last) => begin - last >= SILENCE && (alive || invalid(trace, host) > 0),
            None => invalid(trace, host) > 0 || open.contains(&(host, c.remote.as_str())),
        };
        so.then_some(Forgotten {
            host,
            connection,
            since,
            lost,
        })
    });
    let mut found: Vec<Forgotten<'_>> = found.collect();
    found.sort_by_key(|one| one.lost[0]);
    found
}

/// Packets that came to a host in vain, if one of them has bytes that came again: who sent them was not heard.
fn in_vain(packets: &[Packet], lost: Vec<usize>) -> Vec<usize> {
    let mut said: Vec<(&str, i64)> = Vec::new();
    let again = lost.iter().any(|at| {
        let packet = &packets[*at];
        let bytes = (packet.from.as_str(), packet.seq);
        let again = packet.len > 0 && said.contains(&bytes);
        said.push(bytes);
        again
    });
    if again { lost } else { Vec::new() }
}

/// When each host passed on a packet last, whosever it was.
fn passing<'a>(trace: &Trace<'a>) -> BTreeMap<&'a str, f64> {
    let packets = &trace.evidence.packets;
    let mut last: BTreeMap<&str, f64> = BTreeMap::new();
    for journey in trace.journeys() {
        for stretch in journey.stretches.iter().skip(1) {
            let packet = &packets[stretch.sent];
            let t = last.entry(packet.sender.as_str()).or_default();
            *t = t.max(packet.t);
        }
    }
    last
}

/// By connection and host that its packets came to on their way to another: what became of them there.
fn ways<'a>(trace: &Trace<'a>) -> BTreeMap<(usize, &'a str), Way> {
    let packets = &trace.evidence.packets;
    let mut ways: BTreeMap<(usize, &str), Way> = BTreeMap::new();
    for journey in trace.journeys() {
        let began = &packets[journey.stretches[0].sent];
        let Some(connection) = journey.connection.filter(|_| began.protocol == "tcp") else {
            continue;
        };
        ways.entry((connection, began.sender.as_str()))
            .or_default()
            .end = true;
        let last = journey.stretches.len() - 1;
        for (number, stretch) in journey.stretches.iter().enumerate() {
            let packet = &packets[stretch.ended];
            let host = packet.receiver.as_str();
            let Some(record) = trace.evidence.hosts.get(host) else {
                continue;
            };
            let way = ways.entry((connection, host)).or_default();
            if number < last {
                let (first, _) = way.passed.unwrap_or((packet.t, packet.t));
                way.passed = Some((first, packet.t));
                way.both[usize::from(journey.toward_target)] = true;
                way.lost.clear();
            } else if arrived(packet)
                && ![record.address.as_str(), record.ipv6.as_str()].contains(&ip(&packet.to_after))
                && !is_syn(began)
                && !is_reset(began)
            {
                way.lost.push(stretch.ended);
            }
        }
    }
    ways
}

/// It came to its receiver, by the network or on a device.
fn arrived(packet: &Packet) -> bool {
    delivered(packet) || packet.fate == "seen"
}
