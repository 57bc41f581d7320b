//! `mid-stream-drop`: a host that filters by connection dropped packets of one that stands, because it had forgotten it, or had
//! never seen it begin.
//!
//! Observed on: stateful firewalls after their idle timeout (`nf_conntrack_tcp_timeout_established`), after a restart, and behind a
//! fail-over without a synchronised table (conntrackd), where the filter wants a SYN first (`nf_conntrack_tcp_loose=0`, rules that
//! match `ct state new` with SYN alone). Not this: a host that sees one direction of a connection (see `asymmetric_path`); an
//! emulated balancer or NAT gateway (see `idle_expiry`).

use super::{cite_records, count, distinct, item, lapse, quoted};
use crate::evidence::Packet;
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, came, is_at, is_reset, is_syn};
use std::collections::{BTreeMap, HashSet};

pub(super) const KIND: &str = "mid-stream-drop";

/// Silence before a packet that a host does not know any more, ms: timeouts of connection tracking are whole seconds.
const SILENCE: f64 = 1000.0;

/// A connection and a host on its way.
#[derive(Default)]
struct Way {
    /// When a packet came last, of either direction, that the host passed on.
    passed: Option<f64>,
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
    /// Its connection tracking called as many packets invalid: it says itself that it did not know them.
    counted: bool,
    lost: Vec<usize>,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let forgotten = forgotten(trace);
    let first = forgotten.first()?;
    let packets = &trace.evidence.packets;
    let hosts = distinct(forgotten.iter().map(|one| one.host));
    let lost = first.lost.len();
    let begin = packets[first.lost[0]].t;
    let name = quoted(trace, first.connection);
    let before = match (first.since, first.counted) {
        (Some(since), true) => format!(
            "{} let {name} pass in both directions, and forgot it in {} of silence",
            first.host,
            lapse(begin - since),
        ),
        (Some(since), false) => format!(
            "{} let {name} pass in both directions, until that was silent for {}",
            first.host,
            lapse(begin - since),
        ),
        (None, _) => format!(
            "{} met {name} in the middle and had not seen it begin",
            first.host
        ),
    };
    let why = match first.counted {
        true => format!(
            "Its connection tracking called {} invalid",
            count(invalid(trace, first.host), "packet")
        ),
        false => format!(
            "Others got through it to {}",
            trace.evidence.connections[first.connection].remote
        ),
    };
    let connections = distinct(forgotten.iter().map(|one| one.connection));
    let others = match connections.len() - 1 {
        0 => String::new(),
        n => format!(" So it was with {} more.", count(n, "connection")),
    };
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{before}: {} came to it and did not come out again, the same bytes more than once, and nobody was told. {why}.{others}",
            count(lost, "packet"),
        ),
        packets: cite_records(forgotten.iter().flat_map(|one| one.lost.iter().copied())),
        connections,
        counters: Vec::new(),
        values: hosts
            .into_iter()
            .map(|host| (host, invalid(trace, host)))
            .filter(|(_, invalid)| *invalid > 0)
            .map(|(host, invalid)| {
                let path = format!("{}.conntrack.invalid", item("hosts", host));
                (path, invalid.into())
            })
            .collect(),
    })
}

fn counted(trace: &Trace, host: &str, word: &str) -> usize {
    let host = trace.evidence.hosts.get(host);
    let counters = host.map(|host| &host.conntrack.counters);
    let counted = counters.and_then(|counters| counters.get(word));
    counted.and_then(|n| usize::try_from(*n).ok()).unwrap_or(0)
}

fn invalid(trace: &Trace, host: &str) -> usize {
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
        let counted = invalid(trace, host) >= lost.len();
        // Rules that changed, or a host that died, are no expiry.
        let alive = passing.get(&(host, c.remote.as_str()));
        let alive = alive.is_some_and(|last| *last > begin);
        let since = match way.passed {
            Some(last) if last < begin && way.both == [true, true] => Some(last),
            Some(_) => return None,
            None => None,
        };
        let so = match since {
            Some(last) => begin - last >= SILENCE && (alive || counted),
            None => counted || open.contains(&(host, c.remote.as_str())),
        };
        so.then_some(Forgotten {
            host,
            connection,
            since,
            counted,
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

/// When each host passed on a packet to each place last, whosever it was.
fn passing<'a>(trace: &Trace<'a>) -> BTreeMap<(&'a str, &'a str), f64> {
    let packets = &trace.evidence.packets;
    let mut last: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for journey in trace.journeys() {
        let to = packets[journey.sent()].to.as_str();
        for stretch in journey.stretches.iter().skip(1) {
            let packet = &packets[stretch.sent];
            let t = last.entry((packet.sender.as_str(), to)).or_default();
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
        let began = &packets[journey.sent()];
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
                way.passed = Some(packet.t);
                way.both[usize::from(journey.toward_target)] = true;
                way.lost.clear();
            } else if came(packet)
                && !is_at(record, &packet.to_after)
                && !is_syn(began)
                && !is_reset(began)
            {
                way.lost.push(stretch.ended);
            }
        }
    }
    ways
}
