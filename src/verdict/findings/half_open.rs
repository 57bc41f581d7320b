//! `half-open`: a target's first answer came after the limit, and the balancer had no way back for it.
//!
//! Observed on: AWS Network Load Balancers, which want an answer to a new request within 30 seconds.

use super::{cite, cloud, connections_of, count, distinct, dropped, join, lapse, name_all};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;

pub(super) const KIND: &str = "half-open";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let dropped = dropped(trace, "half-open");
    let first = *dropped.first()?;
    let connections = connections_of(trace, dropped.iter().copied());
    let after = trace
        .sent(first)
        .flow
        .and_then(|flow| trace.evidence.flows.get(flow))
        .map(|flow| {
            let ms = trace.sent(first).t - flow.opened;
            let cloud = cloud(trace.evidence, ms);
            format!(" {} after the question{cloud}", lapse(ms))
        })
        .unwrap_or_default();
    let who = join(&distinct(
        dropped.iter().map(|p| trace.sent(*p).sender.clone()),
    ));
    let whose = if connections.is_empty() {
        String::new()
    } else {
        format!(" to {}", name_all(trace, &connections))
    };
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{who} answered{whose}{after}. The balancer sets up no way back for an answer that late: it dropped {} \
             without a word.",
            count(dropped.len(), "packet")
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
    fn it_says_who_answered_and_how_late() {
        let mut kit = Kit::new();
        let x = kit.connect("x", 40001, "front/a", "web1");
        kit.up(x, "S", 1, 0, 0);
        assert!(find(&Trace::new(&kit.evidence)).is_none());
        kit.now += 40_000.0;
        kit.down(x, "S.", 9, 2, 0);
        kit.dropped("half-open");
        let found = find(&Trace::new(&kit.evidence)).expect("a finding");
        assert!(
            found
                .summary
                .starts_with("web1 answered to \"x\" 40.00 s after the question."),
            "{}",
            found.summary
        );
        assert_eq!(found.connections, [x]);
    }
}
