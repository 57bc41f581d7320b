//! `proxy-protocol-mismatch`: one side of a connection speaks the PROXY protocol and the other does not.
//!
//! Observed on: Network Load Balancers with `proxy_protocol_v2.enabled` before servers that were not told (HTTP 400),
//! and nginx with `listen 80 proxy_protocol` behind something that sends none ("broken header" in its log).

use super::{cite, count, distinct, join, quoted};
use crate::evidence::{Evidence, Packet};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered, ip};

pub(super) const KIND: &str = "proxy-protocol-mismatch";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let evidence = trace.evidence;
    let unread: Vec<usize> = (0..trace.passages.len())
        .filter(|p| is_header(evidence, trace.sent(*p)) && delivered(trace.ended(*p)))
        .filter(|p| {
            let unexpected = trace.passages[*p]
                .connection
                .is_some_and(|c| evidence.connections[c].header == "not-expected");
            unexpected || is_refused(evidence, trace.ended(*p))
        })
        .collect();
    let missing: Vec<usize> = (0..trace.passages.len())
        .filter(|p| {
            let packet = trace.ended(*p);
            let host = evidence.hosts.get(&packet.receiver);
            packet.len > 0 && host.is_some_and(|h| h.broken_headers.contains(&packet.from_after))
        })
        .collect();
    let mut parts = Vec::new();
    if let Some(first) = unread.first() {
        let sender = &trace.sent(*first).sender;
        let hosts = distinct(unread.iter().map(|p| trace.ended(*p).receiver.clone()));
        parts.push(format!(
            "{sender} puts a PROXY protocol header before what its clients say, and {} looks for none: {} began with \
             bytes that no client sent.",
            join(&hosts),
            count(unread.len(), "connection"),
        ));
    }
    for (name, host) in &evidence.hosts {
        if !host.broken_headers.is_empty() {
            parts.push(format!(
                "{name} expects a PROXY protocol header, and {} began without one: it closed without an answer.",
                count(host.broken_headers.len(), "connection"),
            ));
        }
    }
    if let Some((connection, balancer)) = bypassed(evidence) {
        parts.push(format!(
            "{} dialled {balancer}'s address and never came to {balancer}, which would have written one: somebody nearer took \
             that address for a way of its own.",
            quoted(trace, connection)
        ));
    }
    let mut connections: Vec<usize> = unread
        .iter()
        .chain(&missing)
        .filter_map(|p| trace.passages[*p].connection)
        .collect();
    // Packets that stayed within a host may not have been seen where they came.
    let broken = evidence.connections.iter().enumerate();
    connections.extend(
        broken
            .filter(|(_, c)| c.header == "broken")
            .map(|(number, _)| number),
    );
    connections.sort_unstable();
    connections.dedup();
    (!parts.is_empty()).then(|| Finding {
        kind: KIND.into(),
        summary: parts.join(" "),
        packets: cite(trace, unread.into_iter().chain(missing)),
        connections,
        counters: Vec::new(),
        values: Vec::new(),
    })
}

/// The first connection without a header that was for a balancer and did not pass it, and the balancer.
fn bypassed(evidence: &Evidence) -> Option<(usize, &str)> {
    let connections = evidence.connections.iter().enumerate();
    let mut headless = connections.filter(|(_, c)| {
        c.header == "broken" && c.flow.is_none() && !c.proxied && c.error.is_empty()
    });
    headless.find_map(|(number, c)| {
        let mut balancers = evidence.load_balancers.iter();
        let dialled = ip(&c.remote);
        let (name, _) = balancers.find(|(_, b)| {
            let mut own = b.addresses.values().chain(b.ipv6_addresses.values());
            own.any(|own| own == dialled)
        })?;
        Some((number, name.as_str()))
    })
}

/// A balancer that terminates nothing has no payload of its own but this.
fn is_header(evidence: &Evidence, packet: &Packet) -> bool {
    packet.protocol == "tcp"
        && packet.len > 0
        && evidence.load_balancers.contains_key(&packet.sender)
}

/// The receiver's HTTP server answered 400 to something that was no request.
fn is_refused(evidence: &Evidence, header: &Packet) -> bool {
    evidence.hosts.get(&header.receiver).is_some_and(|host| {
        host.requests
            .iter()
            .any(|r| r.status == 400 && r.path.is_empty() && r.client == header.from_after)
    })
}
