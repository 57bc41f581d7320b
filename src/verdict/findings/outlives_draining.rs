//! `outlives-draining`: a target that was deregistered, and whose delay is over, still serves a connection.
//!
//! Observed on: AWS Network Load Balancers without `deregistration_delay.connection_termination.enabled`, where deregistering
//! ends nothing: the flow table keeps what it has. Not this: talk within the delay, a target that is unused because its zone
//! is not enabled, a balancer that ends the connection.

use super::{cite, cloud, connections_of, count, item, lapse, name_all, of_each_target};
use crate::evidence::{Evidence, TargetEvidence};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered};

pub(super) const KIND: &str = "outlives-draining";

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    of_each_target(trace, of_target)
}

fn of_target(trace: &Trace, group: &str, name: &str, target: &TargetEvidence) -> Option<Finding> {
    let evidence = trace.evidence;
    let (draining, unused) = delay(target)?;
    let still: Vec<usize> = (0..trace.passages.len())
        .filter(|p| {
            let sent = trace.sent(*p);
            let flow = sent.flow.and_then(|flow| evidence.flows.get(flow));
            let old = flow.is_some_and(|flow| {
                let to_it = flow.group == group && flow.target == name;
                to_it && flow.protocol == "tcp" && flow.opened < unused
            });
            old && sent.sender == name
                && sent.len > 0
                && sent.t > unused
                && delivered(trace.ended(*p))
        })
        .collect();
    let last = trace.sent(*still.last()?);
    let connections = connections_of(trace, still.iter().copied());
    let newcomers = match newcomers(evidence, group, name, draining) {
        0 => String::new(),
        n => format!(
            " {} came to it while it drained.",
            count(n, "new connection")
        ),
    };
    let summary = format!(
        "{name} was deregistered from {group} and drained for {}{}. {}{} after that it still answered {}: the balancer keeps what \
         connections have, and ends none.{newcomers}",
        lapse(unused - draining),
        cloud(evidence, unused - draining),
        lapse(last.t - unused),
        cloud(evidence, last.t - unused),
        name_all(trace, &connections),
    );
    let state = format!(
        "{}.state",
        item(&format!("{}.targets", item("target_groups", group)), name)
    );
    Some(Finding {
        kind: KIND.into(),
        summary,
        packets: cite(trace, still),
        connections,
        counters: Vec::new(),
        values: vec![(state, target.state.as_str().into())],
    })
}

/// When a target that is gone for good began to drain, and when it had.
pub(super) fn delay(target: &TargetEvidence) -> Option<(f64, f64)> {
    let [.., draining, unused] = target.transitions.as_slice() else {
        return None;
    };
    let gone = draining.state == "draining"
        && unused.state == "unused"
        && unused.reason == "Target.NotRegistered";
    gone.then_some((draining.at, unused.at))
}

/// Flows to a target that were made after it began to drain.
fn newcomers(evidence: &Evidence, group: &str, name: &str, draining: f64) -> usize {
    let flows = evidence.flows.iter();
    flows
        .filter(|flow| flow.group == group && flow.target == name && flow.opened > draining)
        .count()
}
