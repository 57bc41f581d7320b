//! `lost-syn`: a connection came to stand late, because a SYN or the answer to it was lost on the way.
//!
//! Observed on: any network. Linux sends the SYN again after one second. Not this: a SYN that was refused, answered by the
//! wrong packet (see `challenge_ack`), or taken by a listener without room; a SYN of a proxy toward its target.

use super::{cite, count, counters, distinct, join, lapse, name_all, quoted};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, drop_reason, is_syn, is_syn_ack};

pub(super) const KIND: &str = "lost-syn";

/// What takes a packet without looking at what it is for.
const LOSSES: [&str; 4] = ["link-loss", "link-queue", "link-down", "drop-rule"];

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let all = trace.evidence.connections.iter().enumerate();
    let stood = all.filter(|(_, connection)| connection.error.is_empty());
    let mut connections = Vec::new();
    let mut lost = Vec::new();
    for (index, _) in stood {
        let passages = trace.by_connection[index].iter().copied();
        let of_handshake = passages.filter(|passage| {
            let packet = trace.sent(*passage);
            let opens = is_syn(packet) || is_syn_ack(packet);
            let reason = drop_reason(trace.ended(*passage));
            let own = !trace.passages[*passage].behind;
            own && opens && reason.is_some_and(|reason| LOSSES.contains(&reason))
        });
        let before = lost.len();
        lost.extend(of_handshake);
        if lost.len() > before {
            connections.push(index);
        }
    }
    let first_index = *connections.first()?;
    let first = &trace.evidence.connections[first_index];
    let reasons = distinct(lost.iter().filter_map(|one| drop_reason(trace.ended(*one))));
    let reasons: Vec<String> = reasons.into_iter().map(str::to_owned).collect();
    let answers = lost.iter().filter(|one| is_syn_ack(trace.sent(**one)));
    let answers = answers.count();
    let what = match (lost.len() - answers, answers) {
        (syns, 0) => count(syns, "SYN"),
        (0, answers) => count(answers, "SYN-ACK"),
        (syns, answers) => format!("{} and {}", count(syns, "SYN"), count(answers, "SYN-ACK")),
    };
    let one = lost.len() == 1;
    let clients = distinct(connections.iter().map(|one| {
        let connection = &trace.evidence.connections[*one];
        connection.from.as_str()
    }));
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{what} of {} {} lost on the way ({}) and sent again by the kernel: {} stood after {} and {}.",
            name_all(trace, &connections),
            if one { "was" } else { "were" },
            join(&reasons),
            quoted(trace, first_index),
            lapse(first.ms),
            count(first.syns.unsigned_abs() as usize, "SYN"),
        ),
        packets: cite(trace, lost),
        connections,
        counters: counters(
            trace.evidence,
            clients,
            &["TcpExtTCPSynRetrans", "TcpRetransSegs"],
        ),
        values: Vec::new(),
    })
}
