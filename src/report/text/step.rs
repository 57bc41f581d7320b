//! What one step came to, for people who do it by hand.

use super::Style;
use super::block::{named, result};
use crate::evidence::{Connection, Detail, Evidence, StepResult};
use crate::report::last_words;
use crate::report::words::times;
use crate::report::wrap::{count, wrap};
use crate::verdict::ladder::ladder;

/// Columns before what belongs to a step.
const INDENT: usize = 2;
/// Connections told of one by one.
const CONNECTIONS: usize = 8;

/// A step's line, what became of its connections, what its program printed; with `explain` the ladder of its connections.
pub fn step(evidence: &Evidence, number: usize, style: &Style) -> String {
    let Some(step) = evidence.steps.get(number) else {
        return String::new();
    };
    let word = if step.ok { "ok" } else { step.error.as_str() };
    let mut lines = vec![(
        0,
        format!(
            "{}: {word} after {:.1} ms{}",
            named(step),
            step.ms,
            result(&step.detail)
        ),
    )];
    let own = own(evidence, number);
    let told = own.iter().take(CONNECTIONS);
    lines.extend(told.map(|one| (INDENT, connection(&evidence.connections[*one]))));
    if own.len() > CONNECTIONS {
        let rest = count(own.len() - CONNECTIONS, "connection");
        lines.push((INDENT, format!("... and {rest} more")));
    }
    lines.extend(further(step).into_iter().map(|line| (INDENT, line)));
    let wrapped = lines.iter().flat_map(|(indent, line)| {
        let indent = *indent;
        let parts = wrap(line, style.width - indent).into_iter();
        parts.map(move |part| format!("{:indent$}{part}\n", ""))
    });
    let mut out: String = wrapped.collect();
    if style.explain {
        let connections = match own.is_empty() {
            true => over(evidence, step),
            false => own.into_iter().take(CONNECTIONS / 2).collect(),
        };
        if !connections.is_empty() {
            out.push('\n');
            out.push_str(&ladder(evidence, &connections, style.width));
            out.push('\n');
        }
    }
    out
}

/// The connections that a step opened.
fn own(evidence: &Evidence, number: usize) -> Vec<usize> {
    let all = evidence.connections.iter().enumerate();
    all.filter(|(_, one)| one.step == number)
        .map(|(place, _)| place)
        .collect()
}

/// The connections of the step over which another one moved bytes.
fn over(evidence: &Evidence, step: &StepResult) -> Vec<usize> {
    step.over.map_or(Vec::new(), |number| {
        own(evidence, number)
            .into_iter()
            .take(CONNECTIONS / 2)
            .collect()
    })
}

/// `198.51.100.10:40000 -> front/a -> web1, 1 SYN, open`
fn connection(one: &Connection) -> String {
    let mut words = vec![one.local.clone(), one.via.clone(), one.target.clone()];
    words.retain(|word| !word.is_empty());
    words.dedup();
    let mut parts = vec![words.join(" -> ")];
    if one.protocol == "tcp" {
        parts.push(count(one.syns.max(0) as usize, "SYN"));
    }
    if !one.error.is_empty() {
        parts.push(one.error.clone());
    }
    match (one.ended.as_str(), one.ended_by.as_str()) {
        ("", _) => {}
        (ended, "") => parts.push(ended.to_owned()),
        (ended, by) => parts.push(format!("{ended}, ended by the {by}")),
    }
    if one.unacked > 0 {
        parts.push(format!("{} bytes not acknowledged", one.unacked));
    }
    parts.join(", ")
}

/// What a load's clients met, what a program printed.
fn further(step: &StepResult) -> Vec<String> {
    match &step.detail {
        Detail::Load(load) => {
            let targets = load.by_target.iter().filter(|(_, number)| **number > 0);
            let targets: Vec<String> = targets
                .map(|(name, number)| format!("{name} {number}"))
                .collect();
            let status = load
                .status
                .iter()
                .map(|(code, number)| format!("status {code} {}", times(*number)));
            let errors = load.errors.iter().filter(|(_, number)| **number > 0);
            let errors = errors.map(|(word, number)| format!("{word} {}", times(*number)));
            let met: Vec<String> = status.chain(errors).collect();
            let mut lines = Vec::new();
            if !targets.is_empty() {
                lines.push(format!("went to {}", targets.join(", ")));
            }
            if !met.is_empty() {
                lines.push(format!("met {}", met.join(", ")));
            }
            lines
        }
        Detail::Run {
            stdout,
            stdout_cut,
            stderr,
            stderr_cut,
            ..
        } => {
            let both = [(stdout, *stdout_cut), (stderr, *stderr_cut)];
            let printed = both.iter().flat_map(|(text, cut)| {
                let lines = text.lines().map(|line| format!("| {line}"));
                lines.chain(last_words::missing(*cut))
            });
            printed.collect()
        }
        Detail::Plain
        | Detail::Connect { .. }
        | Detail::Transfer { .. }
        | Detail::TransferAll { .. }
        | Detail::Drop { .. }
        | Detail::Refused { .. }
        | Detail::Endpoints { .. } => Vec::new(),
    }
}
