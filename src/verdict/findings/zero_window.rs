//! `zero-window`: one end has something to say and may not, because the other's program does not read.
//!
//! Observed on: every TCP (RFC 9293 section 3.8.6.1). Linux asks after its retransmission timeout, at doubling intervals, for as long
//! as it is answered. Not this: a window that is closed for a moment and opens before anybody has asked; a keepalive, which looks
//! like a window probe where no window is closed; a window that is small.

use super::{cite, count, counters, distinct, lapse, quoted};
use crate::verdict::Finding;
use crate::verdict::trace::{Stall, Trace};

pub(super) const KIND: &str = "zero-window";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let stalls = trace.stalls();
    let first = stalls.first()?;
    let others = match stalls.len() {
        1 => String::new(),
        several => format!(" So it was {} more.", count(several - 1, "time")),
    };
    let ends = stalls.iter().flat_map(|stall| {
        [stall.closed, stall.probes[0]].map(|passage| trace.sent(passage).sender.as_str())
    });
    Some(Finding {
        kind: KIND.into(),
        summary: format!("{}{others}", tell(trace, first)),
        packets: cite(
            trace,
            stalls.iter().flat_map(|stall| {
                let probes = stall.probes.iter().copied();
                std::iter::once(stall.closed)
                    .chain(probes)
                    .chain(stall.opened)
            }),
        ),
        connections: distinct(stalls.iter().map(|stall| stall.connection)),
        counters: counters(
            trace.evidence,
            ends,
            &["TcpExtTCPToZeroWindowAdv", "TcpExtTCPWinProbe"],
        ),
        values: Vec::new(),
    })
}

fn tell(trace: &Trace, stall: &Stall) -> String {
    let closed = trace.sent(stall.closed);
    let (reader, writer) = (&closed.sender, &trace.sent(stall.probes[0]).sender);
    let (asked, since) = (count(stall.probes.len(), "time"), |passage: usize| {
        lapse(trace.sent(passage).t - closed.t)
    });
    let until = match stall.opened {
        Some(opened) => format!("until {reader} opened it again after {}", since(opened)),
        None => {
            let last = stall.probes[stall.probes.len() - 1];
            format!(
                "and {reader} has not opened it again: the last question came after {}",
                since(last)
            )
        }
    };
    format!(
        "{reader} closed its window on {} (win 0): its kernel is full of what its program does not read. {writer} has more to say \
         and asked {asked} whether it is still closed (window probes), {until}.",
        quoted(trace, stall.connection),
    )
}
