//! What the fixes of a lab are worth against a finding of one of its faults: pure, over the runs of that lab.
//!
//! A fix is proven where it held in every run and none of them still shows the finding, and where it settles all that
//! sets the fault apart from the lab as written: its run then is the fault's own, with the fix. A fix that leaves some
//! of that out held as another case, which is told as that. What was not run, did not hold or held beside the finding
//! is told as well: a fix that nobody tried is no fix. Not here: whether a case holds (see `verdict`).

use super::Outcome;
use super::words::{in_short, machine_word};
use super::wrap::count;
use crate::plan::Fix;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fix that a lab offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Offered {
    /// The case.
    pub case: String,
    /// What it shows, else what it changes.
    pub title: String,
    /// It settles all that sets the fault apart from the lab as written.
    pub settles: bool,
}

/// A fix, and what it is worth against one finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// It held, and the finding is gone.
    Proven,
    /// It held, and the finding is gone, but not all of the fault's own settings were in force.
    AnotherCase,
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
            settles: fix.settles,
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
        let (proof, why) = match weigh(&own, kind) {
            (Proof::Proven, why) if !fix.settles => (Proof::AnotherCase, why),
            weighed => weighed,
        };
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
    let list = |worth: Worth| {
        let some = remedies
            .iter()
            .filter(|remedy| Worth::of(remedy.proof) == worth);
        some.map(named).collect::<Vec<_>>().join(", ")
    };
    let mut out = Vec::new();
    for worth in WORTHS {
        let cases = list(worth);
        if !cases.is_empty() {
            out.push(match worth {
                Worth::Proven => format!("Proven here: {cases} held without it."),
                Worth::Apart => {
                    format!("Held without it, but without this fault's own settings: {cases}.")
                }
                Worth::Unproven => format!("Not proven here: {cases}."),
            });
        }
    }
    out
}

/// What a fix is worth, as far as lists tell it apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    Proven,
    Apart,
    Unproven,
}

const WORTHS: [Worth; 3] = [Worth::Proven, Worth::Apart, Worth::Unproven];

impl Worth {
    fn of(proof: Proof) -> Self {
        match proof {
            Proof::Proven => Self::Proven,
            Proof::AnotherCase => Self::Apart,
            Proof::StillFound | Proof::NotHeld | Proof::NotRun => Self::Unproven,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Apart => "apart",
            Self::Unproven => "unproven",
        }
    }
}

/// For a table: findings with the same fixes together, in lines `proven`, `apart` and `unproven`. Each kind of finding
/// comes with what is offered against one fault that shows it; a fix is told by the best that it is worth.
pub(super) fn closing(found: &[(&str, &[Offered])], runs: &[Run]) -> Vec<(&'static str, String)> {
    let mut kinds: Vec<(&str, Vec<Remedy>)> = Vec::new();
    for (kind, fixes) in found {
        let place = kinds.iter().position(|(known, _)| known == kind);
        let place = place.unwrap_or_else(|| {
            kinds.push((kind, Vec::new()));
            kinds.len() - 1
        });
        let known = &mut kinds[place].1;
        for remedy in remedies(fixes, runs, kind) {
            match known.iter_mut().find(|other| other.case == remedy.case) {
                Some(other) if Worth::of(remedy.proof) < Worth::of(other.proof) => *other = remedy,
                Some(_) => {}
                None => known.push(remedy),
            }
        }
    }
    let mut lines: Vec<(Worth, String, Vec<&str>)> = Vec::new();
    for (kind, remedies) in &kinds {
        for worth in WORTHS {
            let some = remedies
                .iter()
                .filter(|remedy| Worth::of(remedy.proof) == worth);
            let named = some.map(|remedy| match remedy.proof {
                Proof::Proven | Proof::AnotherCase => remedy.case.clone(),
                Proof::StillFound | Proof::NotHeld => {
                    format!("{} [{}]", remedy.case, remedy.why)
                }
                Proof::NotRun => format!("{} [not run]", remedy.case),
            });
            let cases = named.collect::<Vec<_>>().join(", ");
            if cases.is_empty() {
                continue;
            }
            let same = |line: &&mut (Worth, String, Vec<&str>)| line.0 == worth && line.1 == cases;
            match lines.iter_mut().find(same) {
                Some((_, _, kinds)) => kinds.push(kind),
                None => lines.push((worth, cases, vec![kind])),
            }
        }
    }
    lines.sort_by_key(|(worth, ..)| *worth);
    let told = |(worth, cases, kinds): (Worth, String, Vec<&str>)| {
        let kinds = kinds.join(", ");
        let line = match worth {
            Worth::Proven | Worth::Unproven => format!("against {kinds}: {cases}"),
            Worth::Apart => {
                format!("held without {kinds}, but without the fault's own settings: {cases}")
            }
        };
        (worth.word(), line)
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
            settles: true,
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
    fn what_leaves_the_faults_settings_out_is_another_case() {
        let mut fixes = offered(&["off", "later"]);
        fixes[0].settles = false;
        let runs = [run("off", true, &[])];
        let told = remedies(&fixes, &runs, "refused");
        assert_eq!(told[0].proof, Proof::AnotherCase);
        assert_eq!(
            sentences(&told),
            [
                "Held without it, but without this fault's own settings: off (what off does).",
                "Not proven here: later (what later does) [not run].",
            ]
        );
        // What did not hold proves nothing either way.
        let failed = [run("off", false, &[])];
        assert_eq!(
            remedies(&fixes, &failed, "refused")[0].proof,
            Proof::NotHeld
        );
        // Another fault of the lab may show the same, and be settled by it.
        let settled = offered(&["off"]);
        let apart = ("refused", &fixes[..1]);
        assert_eq!(
            closing(
                &[apart, ("lost-syn", &settled), ("refused", &settled)],
                &runs
            ),
            [("proven", "against refused, lost-syn: off".to_owned())]
        );
        assert_eq!(
            closing(&[apart], &runs),
            [(
                "apart",
                "held without refused, but without the fault's own settings: off".to_owned()
            )]
        );
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
        let found = ["flow-collision", "challenge-ack", "stale-connection"];
        let found = found.map(|kind| (kind, fixes.as_slice()));
        assert_eq!(
            closing(&found, &runs),
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
