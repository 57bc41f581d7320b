//! `flow-table-full`: the balancer had no room for another flow and dropped what would have made one.
//!
//! Observed on: AWS Network Load Balancers, which count them (`RejectedFlowCount`) and say nothing to the client.

use super::{cite, connections_of, count, distinct, dropped, join};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;

pub(super) const KIND: &str = "flow-table-full";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let dropped = dropped(trace, "flow-table-full");
    if dropped.is_empty() {
        return None;
    }
    let connections = connections_of(trace, dropped.iter().copied());
    let clients = join(&distinct(
        dropped.iter().map(|p| trace.sent(*p).sender.clone()),
    ));
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "The balancer's flow table was full: {} from {clients} would have made another flow and {} dropped \
             without a word.",
            count(dropped.len(), "packet"),
            if dropped.len() == 1 { "was" } else { "were" }
        ),
        packets: cite(trace, dropped),
        connections,
        counters: Vec::new(),
        values: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::kit::Kit;

    #[test]
    fn it_counts_what_found_no_room() {
        let mut kit = Kit::new();
        let x = kit.connect("x", 40001, "front/a", "web1");
        kit.up(x, "S", 1, 0, 0);
        assert!(find(&Trace::new(&kit.evidence)).is_none());
        kit.dropped("flow-table-full");
        let found = find(&Trace::new(&kit.evidence)).expect("a finding");
        assert_eq!(
            found.summary,
            "The balancer's flow table was full: 1 packet from client would have made another flow and was dropped \
             without a word."
        );
    }
}
