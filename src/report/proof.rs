//! What the fixes of a lab are worth against a finding of one of its faults: pure, over the runs of that lab.
//!
//! A fix is proven where it held in every run and none of them still shows the finding. What was not run, did not hold
//! or held beside the finding is told as well: a fix that nobody tried is no fix. Not here: whether a case holds (see
//! `verdict`).

use super::Outcome;
use super::words::{in_short, machine_word};
use super::wrap::count;
use crate::plan::Fix;
use serde::{Deserialize, Serialize};

/// A fix that a lab offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// The case.
    pub case: String,
    /// What it shows, else what it changes.
    pub title: String,
}

/// A fix, and what it is worth against one finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedy {
    /// The case.
    pub case: String,
    /// What it shows, else what it changes.
    pub title: String,
    /// What it is worth.
    pub proof: Proof,
    /// Why it is not proven, or in how many runs it is; empty where one run proved it.
    pub why: String,
}

/// What a fix is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// It held, and the finding is gone.
    Proven,
    /// It held, and the finding is still there.
    StillFound,
    /// It did not hold, or not in each run.
    NotHeld,
    /// It was left out of this run.
    NotRun,
}

/// One run of a case, as far as it matters here.
pub(super) struct Run<'a> {
    pub(super) case: &'a str,
    pub(super) holds: bool,
    /// Why not.
    pub(super) why: String,
    /// What was found in it.
    pub(super) kinds: Vec<&'a str>,
}

impl Offered {
    /// Of a plan.
    pub(super) fn new(fix: &Fix) -> Self {
        let title = match fix.shows.as_str() {
            "" => in_short(&fix.changes),
            shows => shows.to_owned(),
        };
        Self {
            case: fix.case.clone(),
            title,
        }
    }
}

impl<'a> From<&'a Outcome> for Run<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        let verdict = outcome.verdict.as_ref();
        let reason = verdict.map_or("", |verdict| verdict.reason.as_str());
        let why = outcome.failure.as_deref().unwrap_or(reason);
        let findings = verdict.map_or(&[][..], |verdict| &verdict.findings);
        Self {
            case: &outcome.case.name,
            holds: outcome.holds(),
            why: format!("{}: {why}", machine_word(outcome.word())),
            kinds: findings.iter().map(|f| f.kind.as_str()).collect(),
        }
    }
}

/// What each of the fixes is worth against findings of `kind`, after these runs of the same lab.
pub(super) fn remedies(fixes: &[Offered], runs: &[Run], kind: &str) -> Vec<Remedy> {
    let worth = |fix: &Offered| {
        let own: Vec<&Run> = runs.iter().filter(|run| run.case == fix.case).collect();
        let (proof, why) = weigh(&own, kind);
        Remedy {
            case: fix.case.clone(),
            title: fix.title.clone(),
            proof,
            why,
        }
    };
    fixes.iter().map(worth).collect()
}

fn weigh(runs: &[&Run], kind: &str) -> (Proof, String) {
    let all = runs.len();
    let held = runs.iter().filter(|run| run.holds).count();
    let shown = runs.iter().filter(|run| run.kinds.contains(&kind)).count();
    match runs {
        [] => (Proof::NotRun, "not run".to_owned()),
        [one] if !one.holds => (Proof::NotHeld, one.why.clone()),
        _ if held < all => (
            Proof::NotHeld,
            format!("held in {held} of {}", count(all, "run")),
        ),
        [_] if shown > 0 => (Proof::StillFound, "held, and it is still found".to_owned()),
        _ if shown > 0 => (
            Proof::StillFound,
            format!(
                "held, and it is still found in {shown} of {}",
                count(all, "run")
            ),
        ),
        [_] => (Proof::Proven, String::new()),
        _ => (Proof::Proven, format!("in {}", count(all, "run"))),
    }
}

/// In sentences: what is proven, and what is not.
pub(super) fn sentences(remedies: &[Remedy]) -> Vec<String> {
    let named = |remedy: &Remedy| match (remedy.title.as_str(), remedy.why.as_str()) {
        ("", "") => remedy.case.clone(),
        (title, "") => format!("{} ({title})", remedy.case),
        ("", why) => format!("{} [{why}]", remedy.case),
        (title, why) => format!("{} ({title}) [{why}]", remedy.case),
    };
    let list = |proven: bool| {
        let some = remedies
            .iter()
            .filter(|remedy| (remedy.proof == Proof::Proven) == proven);
        some.map(named).collect::<Vec<_>>().join(", ")
    };
    let (proven, open) = (list(true), list(false));
    let mut out = Vec::new();
    if !proven.is_empty() {
        out.push(format!("Proven here: {proven} held without it."));
    }
    if !open.is_empty() {
        out.push(format!("Not proven here: {open}."));
    }
    out
}

/// For a table: findings with the same fixes together, in two kinds of lines, `proven` and `unproven`.
pub(super) fn closing(
    fixes: &[Offered],
    runs: &[Run],
    kinds: &[&str],
) -> Vec<(&'static str, String)> {
    let mut lines: Vec<(&'static str, String, Vec<&str>)> = Vec::new();
    for kind in kinds {
        let remedies = remedies(fixes, runs, kind);
        let of = |proven: bool| {
            let some = remedies
                .iter()
                .filter(|remedy| (remedy.proof == Proof::Proven) == proven);
            let named = some.map(|remedy| match remedy.proof {
                Proof::Proven => remedy.case.clone(),
                Proof::StillFound | Proof::NotHeld => {
                    format!("{} [{}]", remedy.case, remedy.why)
                }
                Proof::NotRun => format!("{} [not run]", remedy.case),
            });
            named.collect::<Vec<_>>().join(", ")
        };
        for (word, cases) in [("proven", of(true)), ("unproven", of(false))] {
            if cases.is_empty() {
                continue;
            }
            let same = |line: &&mut (&str, String, Vec<&str>)| line.0 == word && line.1 == cases;
            match lines.iter_mut().find(same) {
                Some((_, _, kinds)) => kinds.push(kind),
                None => lines.push((word, cases, vec![kind])),
            }
        }
    }
    lines.sort_by_key(|(word, ..)| *word);
    let told = |(word, cases, kinds): (&'static str, String, Vec<&str>)| {
        (word, format!("against {}: {cases}", kinds.join(", ")))
    };
    lines.into_iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(case: &'static str, holds: bool, kinds: &[&'static str]) -> Run<'static> {
        Run {
            case,
            holds,
            why: "fails: this does not hold: new.ok".into(),
            kinds: kinds.to_vec(),
        }
    }

    fn offered(cases: &[&str]) -> Vec<Offered> {
        let fix = |case: &&str| Offered {
            case: (*case).to_owned(),
            title: format!("what {case} does"),
        };
        cases.iter().map(fix).collect()
    }

    /// One fix, `off`, against `flow-collision`.
    fn told(runs: &[Run]) -> (Proof, String) {
        let all = remedies(&offered(&["off"]), runs, "flow-collision");
        let [one] = all.as_slice() else {
            panic!("one fix, one remedy")
        };
        (one.proof, one.why.clone())
    }

    #[test]
    fn a_fix_that_held_without_the_finding_is_proven() {
        let fault = || run("as-deployed", true, &["flow-collision"]);
        assert_eq!(
            told(&[fault(), run("off", true, &[])]),
            (Proof::Proven, String::new())
        );
        // Something else may be at work in it.
        let other = run("off", true, &["draining-terminated"]);
        assert_eq!(told(&[fault(), other]).0, Proof::Proven);
        let twice = [run("off", true, &[]), run("off", true, &[])];
        assert_eq!(told(&twice), (Proof::Proven, "in 2 runs".into()));
    }

    #[test]
    fn what_held_beside_the_finding_proves_nothing() {
        assert_eq!(
            told(&[run("off", true, &["flow-collision"])]),
            (Proof::StillFound, "held, and it is still found".into())
        );
        let now_and_then = [
            run("off", true, &[]),
            run("off", true, &["flow-collision"]),
            run("off", true, &[]),
        ];
        assert_eq!(
            told(&now_and_then),
            (
                Proof::StillFound,
                "held, and it is still found in 1 of 3 runs".into()
            )
        );
    }

    #[test]
    fn what_did_not_hold_each_time_proves_nothing() {
        assert_eq!(
            told(&[run("off", false, &[])]),
            (Proof::NotHeld, "fails: this does not hold: new.ok".into())
        );
        let flaky = [run("off", true, &[]), run("off", false, &[])];
        assert_eq!(told(&flaky), (Proof::NotHeld, "held in 1 of 2 runs".into()));
    }

    #[test]
    fn what_was_not_run_is_said_and_proves_nothing() {
        let others = [
            run("as-deployed", true, &["flow-collision"]),
            run("control", true, &[]),
        ];
        assert_eq!(told(&others), (Proof::NotRun, "not run".into()));
        assert_eq!(told(&[]), (Proof::NotRun, "not run".into()));
    }

    #[test]
    fn it_is_told_in_sentences_and_in_lines() {
        let fixes = offered(&["off", "apart", "later"]);
        let runs = [
            run("off", true, &[]),
            run("apart", true, &["stale-connection"]),
        ];
        assert_eq!(
            sentences(&remedies(&fixes, &runs, "flow-collision")),
            [
                "Proven here: off (what off does), apart (what apart does) held without it.",
                "Not proven here: later (what later does) [not run].",
            ]
        );
        assert_eq!(
            closing(
                &fixes,
                &runs,
                &["flow-collision", "challenge-ack", "stale-connection"]
            ),
            [
                ("proven", "against flow-collision, challenge-ack: off, apart".to_owned()),
                ("proven", "against stale-connection: off".to_owned()),
                ("unproven", "against flow-collision, challenge-ack: later [not run]".to_owned()),
                (
                    "unproven",
                    "against stale-connection: apart [held, and it is still found], later [not run]".to_owned()
                ),
            ]
        );
        assert!(sentences(&[]).is_empty());
    }
}
