//! `pmtu-black-hole`: a sender goes on sending packets that are too large for the path, because nobody tells it, or because
//! it does not hear it.
//!
//! Observed on: tunnels, VPNs and PPPoE behind firewalls that drop all ICMP. Not this: path MTU discovery at work, where a
//! packet is refused and its bytes come again in smaller ones.

use super::{cite, connections_of, count, counters, distinct, lapse, name_all};
use crate::evidence::HostEvidence;
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, answer, drop_reason, ip};
use std::collections::BTreeMap;

pub(super) const KIND: &str = "pmtu-black-hole";

/// As often the same bytes have to be refused: the answer to the first may be under way when the second is sent.
const TIMES: usize = 3;
/// Between the first and the last refusal, ms: longer than any answer is under way, the shortest timeout of TCP.
const LONG: f64 = 200.0;

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let refused = (0..trace.passages.len()).filter(|passage| is_too_large(trace, *passage));
    let mut same: BTreeMap<(Option<usize>, bool, i64), Vec<usize>> = BTreeMap::new();
    for passage in refused {
        let place = &trace.passages[passage];
        let key = (place.connection, place.toward_target, place.seq.at);
        same.entry(key).or_default().push(passage);
    }
    let stuck = same.into_values().filter(|again| {
        let at = |passage: Option<&usize>| passage.map_or(0.0, |passage| trace.sent(*passage).t);
        again.len() >= TIMES && at(again.last()) - at(again.first()) >= LONG
    });
    let stuck: Vec<Vec<usize>> = stuck.collect();
    let first = stuck.first()?;
    let (begin, end) = (trace.sent(*first.first()?), trace.sent(*first.last()?));
    let connections = connections_of(trace, stuck.iter().flatten().copied());
    let senders = stuck.iter().flatten();
    let senders = distinct(senders.map(|passage| trace.sent(*passage).sender.as_str()));
    let own = connections_of(trace, first.iter().copied());
    let mut others = connections.clone();
    others.retain(|connection| !own.contains(connection));
    let witnesses = [
        "TcpExtTCPTimeouts",
        "TcpRetransSegs",
        "IcmpInDestUnreachs",
        "TcpExtTCPMTUPFail",
        "TcpExtTCPMTUPSuccess",
    ];
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} sent {}{} {} over {}, every time too large for a link on the way to {}: {}.{}",
            begin.sender,
            match begin.len {
                0 => "a packet".to_owned(),
                len => format!("the same {}", count(len.unsigned_abs() as usize, "byte")),
            },
            match own.as_slice() {
                [] => String::new(),
                own => format!(" of {}", name_all(trace, own)),
            },
            count(first.len(), "time"),
            lapse(end.t - begin.t),
            ip(&begin.to),
            heard(trace, first),
            match others.as_slice() {
                [] => String::new(),
                others => format!(" It went no better with {}.", name_all(trace, others)),
            },
        ),
        packets: cite(trace, stuck.into_iter().flatten()),
        connections,
        counters: counters(trace.evidence, senders, &witnesses),
        values: Vec::new(),
    })
}

/// What the sender of packets that were too large came to know of it.
fn heard(trace: &Trace, refused: &[usize]) -> String {
    let told = refused.iter();
    let told = told.filter(|passage| answer(trace.ended(**passage)).is_some());
    let told = match told.count() {
        0 => return "nobody tells it so".to_owned(),
        told => count(told, "time"),
    };
    let sender = refused
        .first()
        .map_or("", |passage| trace.sent(*passage).sender.as_str());
    let host = trace.evidence.hosts.get(sender);
    let messages = ["IcmpInDestUnreachs", "Icmp6InPktTooBigs"];
    let came = |host: &HostEvidence| {
        messages
            .iter()
            .any(|name| host.counters.get(*name).is_some_and(|count| *count > 0))
    };
    let filter = match host {
        Some(host) if !came(host) => {
            " (a filter on its machine or in front of it takes the messages)"
        }
        Some(_) | None => "",
    };
    format!("it was told so {told} by ICMP and did as if it had not heard it{filter}")
}

/// A link on the way did not take it for its size.
fn is_too_large(trace: &Trace, passage: usize) -> bool {
    let ended = trace.ended(passage);
    let told = answer(ended).is_some_and(|how| how == "ICMP, fragmentation needed");
    ended.protocol == "tcp" && (told || drop_reason(ended) == Some("link-mtu"))
}
