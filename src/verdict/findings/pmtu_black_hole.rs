//! `pmtu-black-hole`: a sender goes on sending packets that are too large for the path, because nobody tells it, or because
//! it does not hear it.
//!
//! Observed on: tunnels, VPNs and PPPoE behind firewalls that drop all ICMP; servers behind a hash (ECMP) that leads the
//! message to another of them. Not this: path MTU discovery at work, where a packet is refused and its bytes come again in
//! smaller ones.

use super::{CITED, cite, connections_of, count, counters, distinct, join, lapse, name_all};
use crate::evidence::{HostEvidence, Packet};
use crate::verdict::Finding;
use crate::verdict::trace::{TOO_LARGE, Trace, answer, drop_reason, ip};
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
    let first_made = made(trace, *first.first()?);
    let connections = connections_of(trace, stuck.iter().flatten().copied());
    // As many as packets are cited of.
    let stuck_at = stuck.iter().filter_map(|same| same.first()).take(CITED);
    let senders = stuck_at.map(|passage| made(trace, *passage).sender.as_str());
    let elsewhere = came_elsewhere(trace, first_made);
    let witnesses_at = distinct(senders.chain(elsewhere.iter().map(String::as_str)));
    let own = connections_of(trace, first.iter().copied());
    let mut others = connections.clone();
    others.retain(|connection| !own.contains(connection));
    let witnesses = [
        "TcpExtTCPTimeouts",
        "TcpRetransSegs",
        "IcmpInDestUnreachs",
        "Icmp6InPktTooBigs",
        "IcmpInErrors",
        "TcpExtTCPMTUPFail",
        "TcpExtTCPMTUPSuccess",
    ];
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} sent {}{} {} over {}, every time too large for a link on the way to {}: {}.{}",
            first_made.sender,
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
            heard(trace, first, &first_made.sender, &elsewhere),
            match others.as_slice() {
                [] => String::new(),
                others => format!(" It went no better with {}.", name_all(trace, others)),
            },
        ),
        packets: cite(trace, stuck.into_iter().flatten()),
        connections,
        counters: counters(trace.evidence, witnesses_at, &witnesses),
        values: Vec::new(),
    })
}

/// What the sender of packets that were too large came to know of it.
fn heard(trace: &Trace, refused: &[usize], sender: &str, elsewhere: &[String]) -> String {
    let told = refused.iter();
    let told = told.filter_map(|passage| answer(trace.ended(*passage)));
    let told: Vec<&str> = told.collect();
    let Some((protocol, _)) = told.first().and_then(|how| how.split_once(',')) else {
        return "nobody tells it so".to_owned();
    };
    let told = count(told.len(), "time");
    if !elsewhere.is_empty() {
        return format!(
            "{protocol} said so {told}, and the messages came to {} instead, which {} no such connection",
            join(elsewhere),
            if elsewhere.len() == 1 { "has" } else { "have" },
        );
    }
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
    format!("it was told so {told} by {protocol} and did as if it had not heard it{filter}")
}

/// A packet as whoever made it sent it. Where it is a part of a larger one nobody knows whose it was, and it is told by what else
/// came of its connection that way.
fn made<'a>(trace: &Trace<'a>, passage: usize) -> &'a Packet {
    let (own, place) = (trace.origin(passage), &trace.passages[passage]);
    if own.sender != trace.sent(passage).sender {
        return own;
    }
    let connection = place.connection.map(|c| trace.by_connection[c].as_slice());
    let others = connection.unwrap_or_default().iter();
    let that_way =
        others.filter(|other| trace.passages[**other].toward_target == place.toward_target);
    let mut made = that_way.map(|other| trace.origin(*other));
    made.find(|packet| packet.sender != own.sender)
        .unwrap_or(own)
}

/// The hosts inside another one that messages about a packet came to; none where its sender got one, too, and where the network
/// itself delivered them.
fn came_elsewhere(trace: &Trace, about: &Packet) -> Vec<String> {
    let seen = trace.evidence.packets.iter();
    let came = seen.filter(|packet| {
        let inward = packet.seen_by() == packet.sender;
        let message = packet.icmp.as_ref().filter(|_| inward);
        message.is_some_and(|message| {
            let quotes = (&message.from, &message.to) == (&about.from, &about.to);
            message.is_of_size() && quotes
        })
    });
    let hosts = distinct(came.map(|packet| packet.receiver.clone()));
    match hosts.contains(&about.sender) {
        true => Vec::new(),
        false => hosts,
    }
}

/// A link on the way did not take it for its size.
fn is_too_large(trace: &Trace, passage: usize) -> bool {
    let ended = trace.ended(passage);
    let told = answer(ended).is_some_and(|how| TOO_LARGE.contains(&how));
    ended.protocol == "tcp" && (told || drop_reason(ended) == Some("link-mtu"))
}
