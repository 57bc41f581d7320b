//! `standing-queue`: packets wait for a link so long that whoever shares it is slow, and none is lost that would make the
//! sender stop.
//!
//! Observed on: uplinks of homes and offices, mobile networks, cheap switches ("bufferbloat"). Not this: a long way, which
//! delays every packet alike.

use super::{cite, connections_of, counters, lapse};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered, drop_reason};
use std::collections::BTreeMap;

pub(super) const KIND: &str = "standing-queue";

/// Longer than the quickest packet by this, ms: what a person notices, and no round trip on earth.
const LONG: f64 = 400.0;
/// So many that waited for half as long at least.
const MANY: usize = 50;

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let mut ways: BTreeMap<(&str, &str), Vec<(usize, f64)>> = BTreeMap::new();
    for passage in 0..trace.passages.len() {
        let (sent, ended) = (trace.sent(passage), trace.ended(passage));
        if drop_reason(ended) == Some("link-queue") {
            return None;
        }
        let delayed = ended.links.as_ref().map_or(0.0, |links| links.delayed_ms);
        if delivered(ended) {
            let way = ways.entry((&sent.sender, &ended.receiver)).or_default();
            way.push((passage, delayed));
        }
    }
    let (sender, least, worst, waited) = ways.into_iter().find_map(|((sender, _), delays)| {
        let all = || delays.iter().copied();
        let least = all().map(|(_, delay)| delay).fold(f64::MAX, f64::min);
        let worst = all().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let half = f64::midpoint(least, worst.1);
        let waited: Vec<usize> = all()
            .filter(|(_, delay)| *delay > half)
            .map(|(p, _)| p)
            .collect();
        let stands = worst.1 - least >= LONG && waited.len() >= MANY;
        stands.then_some((sender, least, worst, waited))
    })?;
    let half = f64::midpoint(least, worst.1);
    let cited = [waited.first(), Some(&worst.0), waited.last()];
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "A queue stood in front of a link: what {sender} sent was under way for {} at the quickest and for {} at the \
             slowest, {} packets for more than {}, and not one was lost for want of room, so no sender slowed down.",
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
