//! The judging rules: claims and findings against the kind of the case.
//!
//! A fault must break the promise, and for sure: an unknown value never counts as broken. A fix must keep it.
//! What cannot be told makes a case inconclusive only where nothing told already fails it.

use super::{ClaimTruth, ClaimVerdict, Finding, Ruling, Verdict, findings, value};
use crate::evidence::{Evidence, Packet};
use crate::expr::Truth;
use crate::plan::{Claim, Kind, Plan};
use serde_json::Value;
use std::collections::BTreeSet;

/// Worst timer lateness in ms up to which a time-bound claim that is false counts as false. The shortest delay that
/// labs prove, a challenge ACK's way there and back, is 8 ms; an idle machine wakes within 2 ms.
const LAG_LIMIT_MS: f64 = 3.0;

/// Wake-ups that may all have been that late, one after the other: two handshakes through client, fabric and target,
/// with their programs, are eighteen. What is missed by more than that is missed.
const LATE_WAKE_UPS: f64 = 20.0;

/// The verdict of a case on its evidence.
pub fn judge(plan: &Plan, evidence: &Evidence) -> Verdict {
    judge_with(plan, evidence, findings::recognise(evidence))
}

/// The same with the findings already recognised.
pub fn judge_with(plan: &Plan, evidence: &Evidence, findings: Vec<Finding>) -> Verdict {
    let claims = plan.works.iter().chain(&plan.expect);
    let roots = value(plan, evidence, &findings, claims);
    let told = |claims: &[Claim]| {
        claims
            .iter()
            .map(|c| tell(c, &roots, evidence))
            .collect::<Vec<_>>()
    };
    let works = told(&plan.works);
    let expect = told(&plan.expect);

    let shown: BTreeSet<&str> = findings.iter().map(|f| f.kind.as_str()).collect();
    let missing_finds: Vec<String> = plan
        .finds
        .iter()
        .filter(|kind| !shown.contains(kind.as_str()))
        .cloned()
        .collect();
    let unwanted_finds: Vec<String> = match plan.kind {
        Kind::Fix | Kind::Control => plan
            .fault_finds
            .iter()
            .filter(|kind| shown.contains(kind.as_str()))
            .cloned()
            .collect(),
        Kind::Fault | Kind::Partial => Vec::new(),
    };

    let (ruling, reason) = rule(plan.kind, &works, &expect, &missing_finds, &unwanted_finds);
    Verdict {
        ruling,
        reason,
        works,
        expect,
        cited: findings
            .iter()
            .map(|f| numbers(f, &evidence.packets))
            .collect(),
        findings,
        missing_finds,
        unwanted_finds,
    }
}

/// Of the packets that a finding cites. A packet that was held has two records and one number.
fn numbers(finding: &Finding, packets: &[Packet]) -> Vec<i64> {
    let mut numbers: Vec<i64> = finding.packets.iter().map(|p| packets[*p].id).collect();
    numbers.dedup();
    numbers
}

/// One claim against the roots.
fn tell(claim: &Claim, roots: &Value, evidence: &Evidence) -> ClaimVerdict {
    let lag_ms = evidence.lag_ms;
    let (truth, why) = match claim.expr.eval(roots) {
        Truth::True => (ClaimTruth::True, String::new()),
        Truth::False if lag_ms > LAG_LIMIT_MS && is_excused(claim, roots, lag_ms) => (
            ClaimTruth::Unknown,
            format!("it is about time, and timers of this machine were up to {lag_ms:.1} ms late"),
        ),
        Truth::False => (ClaimTruth::False, String::new()),
        Truth::Unknown(why) => (ClaimTruth::Unknown, lacking(why, evidence)),
    };
    let parts = claim.expr.parts(roots).into_iter();
    let mut parts: Vec<(String, ClaimTruth)> =
        parts.map(|(that, truth)| (that, word(&truth))).collect();
    if parts.len() == 1 {
        parts.clear();
    }
    ClaimVerdict {
        claim: claim.words.clone(),
        that: claim.that.clone(),
        line: claim.line,
        truth,
        why,
        parts,
        values: claim.expr.values(roots),
    }
}

/// Why something is unknown, with why a host's evidence lacks it, where it is for want of that.
fn lacking(why: String, evidence: &Evidence) -> String {
    let concerns = |name: &str, what: &str| {
        let paths = [
            format!("hosts.{name}.{what}"),
            format!("hosts[\"{name}\"].{what}"),
        ];
        paths.iter().any(|path| why.contains(path))
    };
    let mut hosts = evidence.hosts.iter();
    let reason = hosts.find_map(|(name, host)| {
        let unknown = &host.conntrack.unknown;
        if !unknown.is_empty() && concerns(name, "conntrack") {
            return Some(unknown.as_str());
        }
        (host.listeners.is_none() && concerns(name, "listeners"))
            .then_some("no claim asked for listening sockets when this was recorded")
    });
    match reason {
        Some(reason) => format!("{why}: {reason}"),
        None => why,
    }
}

fn word(truth: &Truth) -> ClaimTruth {
    match truth {
        Truth::True => ClaimTruth::True,
        Truth::False => ClaimTruth::False,
        Truth::Unknown(_) => ClaimTruth::Unknown,
    }
}

/// True when a claim about time is missed by no more than a late machine explains.
fn is_excused(claim: &Claim, roots: &Value, lag_ms: f64) -> bool {
    match claim.expr.eval_within(roots, lag_ms * LATE_WAKE_UPS) {
        Truth::Unknown(_) => claim.expr.is_time_bound(),
        Truth::True | Truth::False => false,
    }
}

/// The ruling and its reason.
fn rule(
    kind: Kind,
    works: &[ClaimVerdict],
    expect: &[ClaimVerdict],
    missing_finds: &[String],
    unwanted_finds: &[String],
) -> (Ruling, String) {
    let required = match kind {
        Kind::Fault | Kind::Partial => Vec::from_iter(expect),
        Kind::Fix | Kind::Control => works.iter().chain(expect).collect(),
    };
    let first = |truth| required.iter().find(|claim| claim.truth == truth);

    if let Some(claim) = first(ClaimTruth::False) {
        return (
            Ruling::Fails,
            format!("this does not hold: {}", title(claim)),
        );
    }
    if let Some(kind) = missing_finds.first() {
        return (
            Ruling::Fails,
            format!("the evidence does not show `{kind}`"),
        );
    }
    if let Some(kind) = unwanted_finds.first() {
        return (
            Ruling::Fails,
            format!("the evidence still shows `{kind}`, which the lab's fault names"),
        );
    }
    let broken = works.iter().any(|claim| claim.truth == ClaimTruth::False);
    let doubtful = works
        .iter()
        .find(|claim| claim.truth == ClaimTruth::Unknown);
    if kind == Kind::Fault && !broken {
        return match doubtful {
            Some(claim) => (Ruling::Inconclusive, doubt(claim)),
            None => (
                Ruling::Fails,
                "nothing of what works promises is broken".into(),
            ),
        };
    }
    match first(ClaimTruth::Unknown) {
        Some(claim) => (Ruling::Inconclusive, doubt(claim)),
        None => (Ruling::Holds, String::new()),
    }
}

fn doubt(claim: &ClaimVerdict) -> String {
    format!("this cannot be told: {} ({})", title(claim), claim.why)
}

fn title(claim: &ClaimVerdict) -> &str {
    claim.claim.as_deref().unwrap_or(&claim.that)
}

#[cfg(test)]
mod tests;
