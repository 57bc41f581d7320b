//! `standing-queue`: packets wait for others in front of a link so long that whoever shares it is slow, and none is lost for
//! want of room.
//!
//! Observed on: uplinks of homes and offices, mobile networks, cheap switches ("bufferbloat"). Not this: a long way, one whose
//! length varies, and packets that others overtake: their time is not spent in a queue.

use super::{cite, connections_of, counters, lapse};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered, drop_reason, ip};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const KIND: &str = "standing-queue";

/// Longer in the queue than the quickest packet by this, ms: what a person notices, and no round trip on earth.
const LONG: f64 = 400.0;
/// So many that waited for half as long at least.
const MANY: usize = 50;

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let found = ways(trace)
        .into_iter()
        .find_map(|((sender, receiver), waits)| {
            let all = || waits.iter().copied();
            let least = all().map(|(_, wait)| wait).fold(f64::MAX, f64::min);
            let worst = all().max_by(|a, b| a.1.total_cmp(&b.1))?;
            let half = f64::midpoint(least, worst.1);
            let waited: Vec<usize> = all()
                .filter(|(_, wait)| *wait > half)
                .map(|(p, _)| p)
                .collect();
            let stands = worst.1 - least >= LONG && waited.len() >= MANY;
            stands.then_some((sender, receiver, least, worst, waited))
        });
    let (sender, receiver, least, worst, waited) = found?;
    let half = f64::midpoint(least, worst.1);
    let cited = [waited.first(), Some(&worst.0), waited.last()];
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "A queue stood in front of a link: what {sender} sent to {receiver} waited in it for {} at the least and for {} at \
             the most, {} packets for more than {}, and not one was lost for want of room.",
            lapse(least),
            lapse(worst.1),
            waited.len(),
            lapse(half),
        ),
        packets: cite(trace, cited.into_iter().flatten().copied()),
        connections: connections_of(trace, waited),
        counters: counters(
            trace.evidence,
            [sender],
            &["TcpExtTCPTimeouts", "TcpExtTCPLossProbes", "TcpRetransSegs"],
        ),
        values: Vec::new(),
    })
}

/// For each sender and receiver what came and how long it waited in queues, ms; but for those whose packets found a queue
/// full.
fn ways<'a>(trace: &Trace<'a>) -> BTreeMap<(&'a str, &'a str), Vec<(usize, f64)>> {
    let mut ways: BTreeMap<(&str, &str), Vec<(usize, f64)>> = BTreeMap::new();
    // A packet that was dropped has no receiver; what its sender wrote to the same address tells whose it was to be.
    let mut lost: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut receivers: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for passage in 0..trace.passages.len() {
        let (sent, ended) = (trace.sent(passage), trace.ended(passage));
        let dialled = (sent.sender.as_str(), ip(&sent.to));
        if drop_reason(ended) == Some("link-queue") {
            lost.insert(dialled);
        } else if delivered(ended) {
            let queued = ended.links.as_ref().map_or(0.0, |links| links.queued_ms);
            let way = ways.entry((&sent.sender, &ended.receiver)).or_default();
            way.push((passage, queued));
            let receivers = receivers.entry(dialled).or_default();
            receivers.insert(&ended.receiver);
        }
    }
    for (sender, dialled) in lost {
        for receiver in receivers.get(&(sender, dialled)).into_iter().flatten() {
            ways.remove(&(sender, *receiver));
        }
    }
    ways
}
