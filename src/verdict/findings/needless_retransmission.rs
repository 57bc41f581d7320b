//! `needless-retransmission`: nothing was lost, but packets overtook each other, and the sender took what was under way for
//! lost.
//!
//! Observed on: paths that spread the packets of one connection over several ways. Not this: a loss that fast retransmit
//! repairs, and a timeout that was too short.

use super::{cite, count, counters, distinct, join, name_all};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered, drop_reason};
use std::collections::HashMap;

pub(super) const KIND: &str = "needless-retransmission";

/// One direction of a connection.
struct Way {
    /// What went past others.
    early: Vec<usize>,
    /// What had been delivered, or was to be, when it was sent again.
    again: Vec<usize>,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let all = 0..trace.evidence.connections.len();
    let whole = all.filter(|connection| is_whole(trace, *connection));
    let ways = whole.flat_map(|connection| [(connection, true), (connection, false)]);
    let ways =
        ways.filter_map(|(connection, toward)| Some((connection, way(trace, connection, toward)?)));
    let ways: Vec<(usize, Way)> = ways.collect();
    let senders = ways.iter().filter_map(|(_, way)| way.again.first());
    let senders = distinct(senders.map(|passage| trace.sent(*passage).sender.as_str()));
    if senders.is_empty() {
        return None;
    }
    let names: Vec<String> = senders.iter().map(|name| (*name).to_owned()).collect();
    let mut connections: Vec<usize> = ways.iter().map(|(connection, _)| *connection).collect();
    connections.dedup();
    let sum = |of: &dyn Fn(&Way) -> usize| ways.iter().map(|(_, way)| of(way)).sum::<usize>();
    let (early, again) = (sum(&|way| way.early.len()), sum(&|way| way.again.len()));
    let cited = ways.iter().flat_map(|(_, way)| {
        let early = way.early.iter().take(3);
        early.chain(way.again.iter().take(3)).copied()
    });
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "Nothing of {} was lost, but {} overtook others on the way, and {} sent {} again that had arrived or were about \
             to.",
            name_all(trace, &connections),
            count(early, "packet"),
            join(&names),
            count(again, "segment"),
        ),
        packets: cite(trace, cited),
        connections,
        counters: counters(
            trace.evidence,
            senders,
            &[
                "TcpExtTCPFastRetrans",
                "TcpExtTCPDSACKRecv",
                "TcpExtTCPSACKReorder",
                "TcpExtTCPTSReorder",
            ],
        ),
        values: Vec::new(),
    })
}

/// Nothing of it was lost in either direction: without an answer that is lost, or one that its receiver refuses for its
/// checksum, a sender has no reason to send again.
fn is_whole(trace: &Trace, connection: usize) -> bool {
    trace.by_connection[connection].iter().all(|passage| {
        let ended = trace.ended(*passage);
        let is_damaged = ended.links.as_ref().is_some_and(|links| links.is_damaged());
        drop_reason(ended).is_none() && !is_damaged
    })
}

/// What overtook and what went twice in one direction; none where it was no answer that made the sender do it.
fn way(trace: &Trace, connection: usize, toward_target: bool) -> Option<Way> {
    let mut way = Way {
        early: Vec::new(),
        again: Vec::new(),
    };
    let mut first_of: HashMap<i64, usize> = HashMap::new();
    let mut all = trace.by_connection[connection].clone();
    all.retain(|passage| trace.passages[*passage].toward_target == toward_target);
    all.sort_by(|a, b| trace.sent(*a).t.total_cmp(&trace.sent(*b).t));
    for passage in all {
        let ended = trace.ended(passage);
        let links = ended.links.as_ref();
        if links.is_some_and(|links| links.overtook() > 0) {
            way.early.push(passage);
        }
        if ended.protocol != "tcp" || ended.len == 0 || links.is_some_and(|links| links.is_copy()) {
            continue;
        }
        match first_of.get(&ended.seq) {
            Some(first) if delivered(trace.ended(*first)) => way.again.push(passage),
            Some(_) => {}
            None => {
                first_of.insert(ended.seq, passage);
            }
        }
    }
    let sender = &trace.sent(*way.again.first()?).sender;
    let fast = trace
        .evidence
        .hosts
        .get(sender)?
        .counters
        .get("TcpExtTCPFastRetrans");
    let by_answers = fast.is_some_and(|times| *times > 0);
    (by_answers && !way.early.is_empty()).then_some(way)
}
