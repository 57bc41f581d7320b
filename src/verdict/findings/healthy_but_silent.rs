//! `healthy-but-silent`: a target passes every health check and answers no client.
//!
//! Observed on: servers that accept and hang, behind a check that asks for less than clients do (TCP, or a page that needs
//! nothing). Whatever goes by health sees nothing: DNS, routing, alarms on unhealthy hosts. Not this: a target that nobody
//! checks, one whose answer was lost on the way, a client that asks for nothing, one that has had an answer before.

use super::{cite, count, item};
use crate::evidence::{Connection, Detail, Evidence, Flow, StepResult, TargetEvidence};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;
use std::cell::LazyCell;
use std::collections::{BTreeMap, HashSet};

pub(super) const KIND: &str = "healthy-but-silent";

const DEADLINE: &str = "deadline";

/// What came of connections to one target of a group.
#[derive(Default)]
struct Served {
    /// Connections that asked and waited in vain.
    waited: Vec<usize>,
    /// The passages of what they asked.
    requests: Vec<usize>,
    /// Connections that had an answer.
    answered: usize,
}

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let evidence = trace.evidence;
    let patience = patience(evidence);
    let astray = LazyCell::new(|| astray(trace));
    let mut served: BTreeMap<(&str, &str), Served> = BTreeMap::new();
    for (index, connection) in evidence.connections.iter().enumerate() {
        let Some(flow) = flow(evidence, connection) else {
            continue;
        };
        let of = served.entry((&flow.group, &flow.target)).or_default();
        of.answered += usize::from(connection.received > 0);
        if let Some(request) = unanswered(trace, index, &patience)
            && !astray.contains(&index)
        {
            of.waited.push(index);
            of.requests.push(request);
        }
    }
    let told = |(key, of): (&(&str, &str), &Served)| tell(trace, *key, of, &served);
    served.iter().filter_map(told).collect()
}

fn tell(
    trace: &Trace,
    (group, name): (&str, &str),
    of: &Served,
    served: &BTreeMap<(&str, &str), Served>,
) -> Option<Finding> {
    let target = trace.evidence.target_groups.get(group)?.targets.get(name)?;
    if of.waited.is_empty() || of.answered > 0 || !passes(target) {
        return None;
    }
    let others = served
        .iter()
        .filter(|((its, target), _)| *its == group && *target != name);
    let elsewhere = match others.map(|(_, other)| other.answered).sum() {
        0 => String::new(),
        n => format!(" The group's other targets answered {n}."),
    };
    let path = item(&format!("{}.targets", item("target_groups", group)), name);
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{name} took {} and what was asked over {}, and said nothing before its clients gave up. It is healthy: \
             all of its {} were passed, which ask for less.{elsewhere}",
            count(of.waited.len(), "connection"),
            if of.waited.len() == 1 { "it" } else { "them" },
            count(usize::try_from(target.checks).unwrap_or(0), "health check"),
        ),
        packets: cite(trace, of.requests.iter().copied()),
        connections: of.waited.clone(),
        counters: Vec::new(),
        values: vec![
            (format!("{path}.state"), target.state.as_str().into()),
            (format!("{path}.failed_checks"), target.failed_checks.into()),
        ],
    })
}

/// Checked, and never found wanting.
fn passes(target: &TargetEvidence) -> bool {
    target.state == "healthy" && target.checks > 0 && target.failed_checks == 0
}

/// The flow of a connection that came to stand.
fn flow<'a>(evidence: &'a Evidence, connection: &Connection) -> Option<&'a Flow> {
    let stood = connection.protocol == "tcp" && connection.error.is_empty();
    evidence.flows.get(connection.flow.filter(|_| stood)?)
}

/// Connections whose targets spoke, also where nobody on the way knew whose words they were.
fn astray(trace: &Trace) -> HashSet<usize> {
    let journeys = trace.journeys().iter();
    let spoke = journeys.filter(|journey| {
        let sent = &trace.evidence.packets[journey.sent()];
        !journey.toward_target && sent.len > 0
    });
    spoke.filter_map(|journey| journey.connection).collect()
}

/// From when to when steps waited for an answer that did not come in time.
fn patience(evidence: &Evidence) -> Vec<(f64, f64)> {
    let gave_up = |step: &&StepResult| match &step.detail {
        Detail::Load(load) => load.errors.get(DEADLINE).is_some_and(|n| *n > 0),
        Detail::TransferAll { errors, .. } => errors.get(DEADLINE).is_some_and(|n| *n > 0),
        Detail::Transfer { received, .. } => step.error == DEADLINE && *received == 0,
        Detail::Plain
        | Detail::Connect { .. }
        | Detail::Drop { .. }
        | Detail::Refused { .. }
        | Detail::Endpoints { .. }
        | Detail::Run { .. } => false,
    };
    let steps = evidence.steps.iter().filter(gave_up);
    steps.map(|step| (step.at, step.at + step.ms)).collect()
}

/// The passage of the request, if all that a client asked came to the target's program, which said nothing while the client
/// waited.
fn unanswered(trace: &Trace, connection: usize, patience: &[(f64, f64)]) -> Option<usize> {
    let c = &trace.evidence.connections[connection];
    if c.sent == 0 || c.received > 0 || c.delivered != c.sent {
        return None;
    }
    let spoke = |toward_target: bool| {
        let passages = trace.by_connection[connection].iter().copied();
        passages.filter(move |p| {
            trace.passages[*p].toward_target == toward_target && trace.sent(*p).len > 0
        })
    };
    if spoke(false).next().is_some() {
        return None;
    }
    let request = spoke(true).next_back()?;
    let t = trace.sent(request).t;
    let in_time = |(from, to): &&(f64, f64)| (*from..=*to).contains(&t);
    patience.iter().find(in_time).map(|_| request)
}

#[cfg(test)]
mod tests {
    use super::super::stories::nodes::{CLIENT, Node};
    use super::find;
    use crate::evidence::{Detail, GroupEvidence, StepResult, TargetEvidence};
    use crate::verdict::trace::Trace;

    /// A request came to the pod, and the client gave up; the node passes its checks.
    fn asked() -> Node {
        let mut node = Node::serving();
        node.toward(20.0, "P.", (1, 64), ("web1", CLIENT));
        let own = node.kit.of(0);
        (own.sent, own.delivered) = (64, 64);
        node.kit.evidence.steps.push(StepResult {
            error: "deadline".into(),
            ms: 5000.0,
            detail: Detail::Transfer {
                sent: 0,
                received: 0,
                unacked: 0,
                text: String::new(),
                text_cut: 0,
            },
            ..StepResult::default()
        });
        let target = TargetEvidence {
            state: "healthy".into(),
            checks: 3,
            ..TargetEvidence::default()
        };
        let group = GroupEvidence {
            targets: [("n1".to_owned(), target)].into(),
            ..GroupEvidence::default()
        };
        node.kit.evidence.target_groups.insert("web".into(), group);
        node
    }

    #[test]
    fn a_target_whose_answer_left_under_another_address_was_not_silent() {
        let silent = asked();
        assert_eq!(find(&Trace::new(&silent.kit.evidence)).len(), 1);
        let mut spoke = asked();
        spoke.back(3000.0, "P.", (1, 64), "10.0.1.10:80");
        assert!(find(&Trace::new(&spoke.kit.evidence)).is_empty());
    }
}
