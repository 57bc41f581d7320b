//! Many runs of the same cases: how often each held, and how sure that is.

use super::{Outcome, kind_word, text::summary_word, wrap::count};
use std::collections::BTreeMap;

/// z of a two-sided 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// Wilson's 95 % score interval for `k` successes out of `n`: sound near 0 and 1 and for few tries, where the
/// textbook interval has no width. `(0, 1)` for no tries.
pub fn wilson(k: u64, n: u64) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (k, n) = (k.min(n) as f64, n as f64);
    let (p, zz) = (k / n, Z * Z);
    let centre = (p + zz / (2.0 * n)) / (1.0 + zz / n);
    let half = Z / (1.0 + zz / n) * (p * (1.0 - p) / n + zz / (4.0 * n * n)).sqrt();
    // At the ends the formula gives 0 and 1 up to rounding; print them as such.
    let low = if k == 0.0 {
        0.0
    } else {
        (centre - half).max(0.0)
    };
    let high = if k == n {
        1.0
    } else {
        (centre + half).min(1.0)
    };
    (low, high)
}

/// One case's runs together.
struct Tally<'a> {
    first: &'a Outcome,
    runs: u64,
    held: u64,
    failed: Option<&'a Outcome>,
}

/// The pass rate of every case over its runs, one line a case, and for those that did not always hold the first
/// run that did not: its seed, its reason, its evidence.
pub fn repeat(outcomes: &[Outcome]) -> String {
    let tallies = tally(outcomes);
    let name = |tally: &Tally| format!("{} {}", tally.first.case.lab, tally.first.case.name);
    let width = tallies
        .iter()
        .map(|t| name(t).chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for tally in &tallies {
        let (low, high) = wilson(tally.held, tally.runs);
        text.push_str(&format!(
            "{:<width$}  {:<7}  {:>4}/{:<4}  {:>5.1} %  95 % interval {:.1} to {:.1} %\n",
            name(tally),
            kind_word(tally.first.case.kind),
            tally.held,
            tally.runs,
            100.0 * tally.held as f64 / tally.runs.max(1) as f64,
            100.0 * low,
            100.0 * high,
        ));
        if let Some(failed) = tally.failed {
            text.push_str(&first_failure(failed));
        }
    }
    let shaky = tallies.iter().filter(|t| t.held < t.runs).count();
    text.push_str(&format!(
        "{}, {}",
        count(tallies.len(), "case"),
        count(outcomes.len(), "run")
    ));
    text.push_str(&match shaky {
        0 => ": every run held.\n".to_owned(),
        n => format!(": {} did not always hold.\n", count(n, "case")),
    });
    text
}

fn first_failure(failed: &Outcome) -> String {
    let why = match (&failed.failure, &failed.verdict) {
        (Some(failure), _) => failure.as_str(),
        (None, Some(verdict)) => verdict.reason.as_str(),
        (None, None) => "it has no verdict",
    };
    let mut text = format!(
        "    first {} in run {}, seed {}: {why}\n",
        summary_word(failed.word()),
        failed.attempt,
        failed.case.seed
    );
    if let Some(saved) = &failed.saved {
        text.push_str(&format!("    its evidence: {saved}\n"));
    }
    text
}

/// By lab and case, in order of first appearance.
fn tally(outcomes: &[Outcome]) -> Vec<Tally<'_>> {
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut tallies: Vec<Tally> = Vec::new();
    for outcome in outcomes {
        let key = (outcome.case.lab.as_str(), outcome.case.name.as_str());
        let place = *places.entry(key).or_insert_with(|| {
            tallies.push(Tally {
                first: outcome,
                runs: 0,
                held: 0,
                failed: None,
            });
            tallies.len() - 1
        });
        let tally = &mut tallies[place];
        tally.runs += 1;
        tally.held += u64::from(outcome.holds());
        if !outcome.holds() && tally.failed.is_none() {
            tally.failed = Some(outcome);
        }
    }
    tallies
}
