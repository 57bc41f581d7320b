//! `delayed-ack`: one end holds a small segment back until the one before it is acknowledged, and the other acknowledges that
//! only when its timer is over.
//!
//! Observed on: Linux (40 ms at least), Windows and BSD (200 and 100 ms). Nagle's algorithm (RFC 896) and the delayed ACK
//! (RFC 1122 section 4.2.3.2), each sensible alone. Not this: a program that writes the second piece later of its own accord,
//! which does so at no fixed moment after an acknowledgement; and one that writes on and on, whose small pieces are held back as
//! well, but nobody waits for them.

use super::{cite, count, counters, distinct, lapse, name_all};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered, is_pure_ack};

pub(super) const KIND: &str = "delayed-ack";

/// Shortest timer of an acknowledgement, ms: Linux has 40, on a clock of 4.
const TIMER: f64 = 35.0;
/// What was held back follows the acknowledgement within this, ms.
const AT_ONCE: f64 = 2.0;
/// Once or twice may be chance.
const OFTEN: usize = 3;

/// Passages of a wait: the segment, its acknowledgement, and the next segment.
struct Wait {
    first: usize,
    ack: usize,
    second: usize,
    ms: f64,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let connections: Vec<(usize, Vec<Wait>)> = (0..trace.evidence.connections.len())
        .map(|connection| (connection, waits(trace, connection)))
        .filter(|(_, waits)| waits.len() >= OFTEN)
        .collect();
    let all = || connections.iter().flat_map(|(_, waits)| waits);
    let first = all().next()?;
    let ms: f64 = all().map(|wait| wait.ms).sum();
    let shortest = all().map(|wait| wait.ms).fold(f64::INFINITY, f64::min);
    let names: Vec<usize> = connections
        .iter()
        .map(|(connection, _)| *connection)
        .collect();
    let (writer, reader) = (
        trace.sent(first.first).sender.as_str(),
        trace.sent(first.ack).sender.as_str(),
    );
    let readers = distinct(all().map(|wait| trace.sent(wait.ack).sender.as_str()));
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} over {}, {writer} held a small segment back until the one before it was acknowledged (Nagle's algorithm), and \
             {reader} waited {} or more before it did, for an answer that could carry it (delayed ACK): {} in all.",
            count(all().count(), "time"),
            name_all(trace, &names),
            lapse(shortest),
            lapse(ms),
        ),
        packets: cite(
            trace,
            all().flat_map(|wait| [wait.first, wait.ack, wait.second]),
        ),
        connections: names,
        counters: counters(trace.evidence, readers, &["TcpExtDelayedACKs"]),
        values: Vec::new(),
    })
}

/// Three packets in a row: data, the acknowledgement of just that after a timer, and at once the next data, which is answered.
fn waits(trace: &Trace, connection: usize) -> Vec<Wait> {
    let own: Vec<usize> = trace.by_connection[connection]
        .iter()
        .copied()
        .filter(|p| !trace.passages[*p].behind)
        .collect();
    let three = own.windows(3).enumerate().filter_map(|(place, three)| {
        let (first, ack, second) = (three[0], three[1], three[2]);
        let [before, answer, after] = [first, ack, second].map(|p| &trace.passages[p]);
        let end = before.seq.at + trace.sent(first).len;
        let came = trace.ended(first);
        let ms = trace.sent(ack).t - came.t;
        let held = trace.sent(second).t - trace.ended(ack).t;
        let in_turn = before.toward_target == after.toward_target
            && before.toward_target != answer.toward_target;
        // Whoever writes on without an answer does not wait for one.
        let mut later = own[place + 3..].iter().copied();
        let next = later.find(|p| trace.sent(*p).len > 0);
        let answered =
            next.is_some_and(|p| trace.passages[p].toward_target == answer.toward_target);
        let so = in_turn
            && answered
            && trace.sent(first).len > 0
            && trace.sent(second).len > 0
            && delivered(came)
            && is_pure_ack(trace.sent(ack))
            && answer.ack.at == end
            && after.seq.at == end
            && ms >= TIMER
            && (0.0..AT_ONCE).contains(&held);
        so.then_some(Wait {
            first,
            ack,
            second,
            ms,
        })
    });
    three.collect()
}
