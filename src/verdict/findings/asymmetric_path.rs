//! `asymmetric-path`: a host that filters by connection sees one direction of a connection only, and takes what it sees for
//! invalid.
//!
//! Observed on: Linux' connection tracking (`ct state invalid drop`), and every stateful firewall, beside a second way back: a
//! host with two gateways, two nodes of a cluster, a VIP on each of two routers. Not this: a host that sees both directions,
//! or lets pass what it calls invalid.

use super::{cite_records, count, distinct, item, quoted};
use crate::evidence::{Evidence, Packet};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, is_at, is_syn_ack};
use std::collections::{HashMap, HashSet};

pub(super) const KIND: &str = "asymmetric-path";

/// One end of a stream and the other, `address:port` each.
type Stream<'a> = (&'a str, &'a str);

/// What a host had of a stream: indices of packets.
#[derive(Default)]
struct Seen {
    entered: Vec<usize>,
    left: Vec<usize>,
}

/// A connection of which a host sees one direction.
struct Half<'a> {
    connection: usize,
    host: &'a str,
    stream: Stream<'a>,
    /// Packets that came to the host and did not leave it.
    lost: Vec<usize>,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let evidence = trace.evidence;
    let halves = halves(evidence);
    let first = halves.first()?;
    let c = &evidence.connections[first.connection];
    let of_client = c.local == first.stream.0;
    let (what, other) = match of_client {
        true => (format!("what {} says", c.from), "the answers"),
        false => (format!("what {} answers", c.target), "the questions"),
    };
    let invalid = invalid(evidence, first.host);
    let lost: usize = halves.iter().map(|half| half.lost.len()).sum();
    let packets = cite_records(halves.iter().flat_map(|half| half.lost.iter().copied()));
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} sees one direction of {} only: {what} goes through it, and {other} take another way. Its connection tracking called \
             {} invalid, and {} did not come out again.",
            first.host,
            quoted(trace, first.connection),
            count(invalid.unsigned_abs() as usize, "packet"),
            count(lost, "packet"),
        ),
        packets,
        connections: distinct(halves.iter().map(|half| half.connection)),
        counters: Vec::new(),
        values: distinct(halves.iter().map(|half| half.host))
            .into_iter()
            .map(|host| {
                let path = format!("{}.conntrack.invalid", item("hosts", host));
                (path, self::invalid(evidence, host).into())
            })
            .collect(),
    })
}

fn invalid(evidence: &Evidence, host: &str) -> i64 {
    let counters = evidence
        .hosts
        .get(host)
        .map(|host| &host.conntrack.counters);
    let invalid = counters.and_then(|counters| counters.get("invalid"));
    invalid.copied().unwrap_or(0)
}

fn halves(evidence: &Evidence) -> Vec<Half<'_>> {
    let mut hosts = evidence.hosts.keys();
    if !hosts.any(|host| invalid(evidence, host) > 0) {
        return Vec::new();
    }
    let seen = seen(evidence);
    let packets = evidence.packets.iter();
    let anywhere: HashSet<Stream<'_>> = packets
        .map(|p| (p.from_after.as_str(), p.to_after.as_str()))
        .collect();
    let connections = by_ends(evidence);
    let halves = seen.iter().filter_map(|((host, stream), own)| {
        let back = (stream.1, stream.0);
        let another_way = anywhere.contains(&back) && !seen.contains_key(&(*host, back));
        let lost = lost(evidence, own);
        let so = invalid(evidence, host) > 0 && another_way && began(evidence, own);
        (so && !lost.is_empty()).then_some(())?;
        Some(Half {
            connection: *connections.get(stream)?,
            host,
            stream: *stream,
            lost,
        })
    });
    let mut halves: Vec<Half<'_>> = halves.collect();
    halves.sort_unstable_by_key(|half| (half.host, half.stream));
    halves
}

/// True of a stream that went through the host once. A filter that lets nothing pass from the first SYN on needs no second way to do
/// so.
fn began(evidence: &Evidence, own: &Seen) -> bool {
    let mut entered = own.entered.iter().map(|at| &evidence.packets[*at]);
    !own.left.is_empty() || entered.next().is_some_and(is_syn_ack)
}

/// What came to the host when nothing of the stream left it any more.
fn lost(evidence: &Evidence, own: &Seen) -> Vec<usize> {
    let when = |at: &usize| evidence.packets[*at].t;
    let last = own.left.iter().map(when).fold(f64::NEG_INFINITY, f64::max);
    let entered = own.entered.iter().copied();
    entered.filter(|at| when(at) > last).collect()
}

/// The first connection with these ends, whichever is the client's.
fn by_ends(evidence: &Evidence) -> HashMap<Stream<'_>, usize> {
    let mut by_ends = HashMap::new();
    for (number, c) in evidence.connections.iter().enumerate() {
        let (local, remote) = (c.local.as_str(), c.remote.as_str());
        by_ends.entry((local, remote)).or_insert(number);
        by_ends.entry((remote, local)).or_insert(number);
    }
    by_ends
}

/// By host that packets of others come to or leave: what it had of each stream.
fn seen(evidence: &Evidence) -> HashMap<(&str, Stream<'_>), Seen> {
    let mut seen: HashMap<(&str, Stream<'_>), Seen> = HashMap::new();
    let is_of_another = |host: &str, end: &str| {
        let host = evidence.hosts.get(host);
        host.is_some_and(|own| !is_at(own, end))
    };
    let tcp = |packet: &&Packet| packet.protocol == "tcp" && !packet.probe;
    for (at, packet) in evidence.packets.iter().enumerate().filter(|(_, p)| tcp(p)) {
        let (host, end) = (packet.receiver.as_str(), packet.to_after.as_str());
        if is_of_another(host, end) {
            let stream = (packet.from_after.as_str(), end);
            seen.entry((host, stream)).or_default().entered.push(at);
        }
        let (host, end) = (packet.sender.as_str(), packet.from.as_str());
        if is_of_another(host, end) {
            let stream = (end, packet.to.as_str());
            seen.entry((host, stream)).or_default().left.push(at);
        }
    }
    seen
}
