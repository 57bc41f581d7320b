//! When flows are to be looked at: one moment for each flow that may expire. Packets do not move it: when it comes, the
//! flow is looked at and perhaps put back, so a flow costs one look per idle period, whatever its traffic.
//!
//! What comes later is kept by span, in lists through four bytes of each flow; only for the flows of a span that has come the
//! moments themselves are kept, in their order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Nanoseconds of a span, as a power of two: 67 ms.
const SPAN: u32 = 26;
/// The end of a list.
const END: u32 = u32::MAX;

/// A moment at which a flow is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(Rust, packed(4))]
struct Check {
    /// Nanoseconds.
    at: u64,
    flow: u32,
}

/// The flows to be looked at within a span.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// Nanoseconds.
    first_at: u64,
    head: u32,
}

/// The moments of all flows.
#[derive(Default)]
pub struct Checks {
    /// By flow: who is behind it in its span's list.
    next: Vec<u32>,
    later: BTreeMap<u64, Span>,
    soon: BinaryHeap<Reverse<Check>>,
}

impl Checks {
    /// Makes room for so many flows more, and no more.
    pub fn reserve(&mut self, more: usize) {
        self.next.reserve_exact(more);
    }

    /// A flow is to be looked at, for which no moment is set. `at`: nanoseconds.
    pub fn set(&mut self, flow: u32, at: u64) {
        let place = flow as usize;
        if place >= self.next.len() {
            self.next.resize(place + 1, END);
        }
        let span = self.later.entry(at >> SPAN).or_insert(Span {
            first_at: at,
            head: END,
        });
        span.first_at = span.first_at.min(at);
        self.next[place] = std::mem::replace(&mut span.head, flow);
    }

    /// The next moment, in nanoseconds.
    pub fn first(&self) -> Option<u64> {
        let soon = self.soon.peek().map(|Reverse(check)| check.at);
        let later = self.later.values().next().map(|span| span.first_at);
        soon.into_iter().chain(later).min()
    }

    /// The next flow whose moment, as `limit` tells it, has come: for it none is set any more. What `limit` says may grow
    /// between two calls, and never falls.
    pub fn due(&mut self, now: u64, limit: impl Fn(u32) -> u64) -> Option<u32> {
        self.open_spans(now, &limit);
        while let Some(&Reverse(Check { at, flow })) = self.soon.peek()
            && at <= now
        {
            self.soon.pop();
            let moved = limit(flow);
            if moved <= at {
                return Some(flow);
            }
            self.set(flow, moved);
            self.open_spans(now, &limit);
        }
        None
    }

    /// Sorts the flows of spans in which something is due.
    #[inline]
    fn open_spans(&mut self, now: u64, limit: &impl Fn(u32) -> u64) {
        while let Some(entry) = self.later.first_entry()
            && entry.get().first_at <= now
        {
            let span = *entry.key();
            let mut flow = entry.remove().head;
            while flow != END {
                let behind = self.next[flow as usize];
                let at = limit(flow);
                if at >> SPAN <= span {
                    self.soon.push(Reverse(Check { at, flow }));
                } else {
                    self.set(flow, at);
                }
                flow = behind;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Flows begin, their limits grow, time passes: what is due comes when it is due, in order, and once.
        #[test]
        fn everything_is_due_once(steps in prop::collection::vec((0..3_u8, 0..30_usize, 0..1_u64 << 30), 0..200)) {
            let (mut checks, mut now) = (Checks::default(), 0);
            let mut limits: Vec<Option<u64>> = Vec::new();
            for (what, which, long) in steps {
                match what {
                    0 => {
                        checks.set(limits.len() as u32, now + long);
                        limits.push(Some(now + long));
                    }
                    1 if which < limits.len() => {
                        limits[which] = limits[which].map(|at| at + long);
                    }
                    _ => now += long,
                }
                let told = limits.clone();
                let mut before = (0, 0);
                while let Some(flow) = checks.due(now, |flow| told[flow as usize].unwrap_or(0)) {
                    let at = limits[flow as usize].take();
                    prop_assert!(at.is_some_and(|at| at <= now));
                    prop_assert!((at.unwrap_or(0), flow) > before || before == (0, 0));
                    before = (at.unwrap_or(0), flow);
                }
                let next = limits.iter().flatten().min();
                prop_assert!(next.is_none_or(|next| *next > now));
                // It may ask to be called in vain, and not too late.
                prop_assert_eq!(checks.first().is_some(), next.is_some());
                prop_assert!(next.is_none_or(|next| checks.first().is_some_and(|first| first <= *next)));
            }
        }
    }
}
