//! `undetected-target`: clients were sent to a target that did not answer, while the balancer still took it for healthy.
//!
//! Observed on: every balancer that goes by health checks: between the end of a target and the check that decides lie as many
//! intervals as the threshold has failures. Not this: a target that stays healthy, was found unhealthy before, or
//! lets others in; a group in which no target does.

use super::{cite, cloud, count, item, lapse, name_all, of_each_target};
use crate::evidence::TargetEvidence;
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, is_syn_ack};

pub(super) const KIND: &str = "undetected-target";

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    of_each_target(trace, of_target)
}

fn of_target(trace: &Trace, group: &str, name: &str, target: &TargetEvidence) -> Option<Finding> {
    let evidence = trace.evidence;
    let noticed = noticed(target)?;
    let connections = &evidence.connections;
    let sent_there = |c: usize| {
        let flow = connections[c]
            .flow
            .and_then(|flow| evidence.flows.get(flow));
        flow.is_some_and(|flow| flow.group == group && flow.target == name)
            && connections[c].at < noticed
    };
    let all: Vec<usize> = (0..connections.len()).filter(|c| sent_there(*c)).collect();
    let lost = |c: &usize| {
        matches!(
            connections[*c].error.as_str(),
            "deadline" | "timeout" | "refused"
        ) && !is_answered(trace, *c)
    };
    let lost: Vec<usize> = all.iter().copied().filter(lost).collect();
    let first = connections[*lost.first()?].at;
    // Who lets others in is not dead.
    let lives = |c: &usize| connections[*c].error.is_empty() && connections[*c].at >= first;
    if all.iter().any(lives) {
        return None;
    }
    let meanwhile =
        |c: usize| connections[c].error.is_empty() && (first..noticed).contains(&connections[c].at);
    let others = (0..connections.len()).filter(|c| meanwhile(*c)).count();
    // Where nobody gets in anywhere, it is not this target.
    if others == 0 {
        return None;
    }
    let syns: Vec<usize> = lost.iter().flat_map(|c| trace.syns(*c)).collect();
    let state = format!(
        "{}.state",
        item(&format!("{}.targets", item("target_groups", group)), name)
    );
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} {} sent to {name}, which did not let {} in, while it was healthy to the balancer: health checks found it \
             unhealthy {}{} after the first of them. {}, and {} got in elsewhere meanwhile.",
            name_all(trace, &lost),
            if lost.len() == 1 { "was" } else { "were" },
            if lost.len() == 1 { "it" } else { "them" },
            lapse(noticed - first),
            cloud(evidence, noticed - first),
            match syns.len() - lost.len().min(syns.len()) {
                0 => "None of them sent its SYN again".to_owned(),
                again => format!(
                    "They sent {} again, to the same target",
                    count(again, "SYN")
                ),
            },
            count(others, "other connection"),
        ),
        packets: cite(trace, syns),
        connections: lost,
        counters: Vec::new(),
        values: vec![(state, target.state.as_str().into())],
    })
}

/// When health checks found a target unhealthy that had been healthy.
fn noticed(target: &TargetEvidence) -> Option<f64> {
    let mut was_healthy = false;
    for transition in &target.transitions {
        match transition.state.as_str() {
            "healthy" => was_healthy = true,
            "unhealthy" if was_healthy && transition.at > 0.0 => return Some(transition.at),
            _ => {}
        }
    }
    None
}

/// The target's kernel answered the SYN with a SYN-ACK.
fn is_answered(trace: &Trace, connection: usize) -> bool {
    let mut passages = trace.by_connection[connection].iter();
    passages.any(|p| !trace.passages[*p].toward_target && is_syn_ack(trace.sent(*p)))
}
