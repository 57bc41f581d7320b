//! Many runs of the same cases: how often each held, how sure that is, how long it took.

use super::tally::{Tally, tallies};
use super::text::summary_word;
use super::words::result_word;
use super::words::sort_word;
use super::wrap::count;
use super::{Record, Report, Word};

/// The pass rate of every case over its runs, one line a case, and for those that did not always hold the first
/// run that did not: its seed, its reason, its evidence.
pub fn repeat(report: &Report) -> String {
    let tallies = tallies(report);
    let name = |tally: &Tally| format!("{} {}", tally.runs[0].lab, tally.runs[0].case);
    let width = tallies
        .iter()
        .map(|t| name(t).chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for tally in &tallies {
        text.push_str(&format!(
            "{:<width$}  {:<7}  {}\n",
            name(tally),
            sort_word(tally.runs[0].kind, tally.runs[0].verdict),
            figures(tally)
        ));
        if let Some(failed) = tally.failed() {
            text.push_str(&match failed.verdict {
                Word::Interrupted => format!("    {}\n", failed.why()),
                Word::Ruled(_) | Word::Failure | Word::ByHand => first_failure(failed),
            });
        }
    }
    let shaky = |tally: &&Tally| {
        let failed = tally.failed();
        failed.is_some_and(|run| run.verdict != Word::Interrupted)
    };
    let shaky = tallies.iter().filter(shaky).count();
    let runs = tallies.iter().map(Tally::made).sum();
    text.push_str(&format!(
        "{}, {}",
        count(tallies.len(), "case"),
        count(runs, "run")
    ));
    text.push_str(&match shaky {
        // By hand, or interrupted.
        0 if runs == 0 => ".\n".to_owned(),
        0 => ": every run held.\n".to_owned(),
        n => format!(": {} did not always hold.\n", count(n, "case")),
    });
    if let Some(sentence) = report.interrupted() {
        text.push_str(&format!("{sentence}\n"));
    }
    text
}

/// `10/11     90.9 %  95 % interval 62.3 to 98.4 %  seconds 2.0 min, 2.1 p50, 2.3 p90, 2.4 max`; of a single run, which has no
/// rate, what it came to.
fn figures(tally: &Tally) -> String {
    let (held, runs) = (tally.held(), tally.made());
    if let [only] = tally.runs.as_slice() {
        let word = result_word(only.verdict, only.kind);
        let seconds = only
            .seconds
            .map_or(String::new(), |s| format!("{s:>8.2} s"));
        return format!("{word:<13}{seconds}").trim_end().to_owned();
    }
    if runs == 0 {
        return "interrupted".to_owned();
    }
    let (low, high) = super::wilson(held as u64, runs as u64);
    let seconds = tally.seconds().map_or(String::new(), |times| {
        format!(
            "  seconds {:.2} min, {:.2} p50, {:.2} p90, {:.2} max",
            times.min, times.p50, times.p90, times.max
        )
    });
    format!(
        "{held:>4}/{runs:<4}  {:>5.1} %  95 % interval {:.1} to {:.1} %{seconds}",
        100.0 * held as f64 / runs.max(1) as f64,
        100.0 * low,
        100.0 * high,
    )
}

fn first_failure(failed: &Record) -> String {
    let why = if failed.why().is_empty() {
        "it has no verdict"
    } else {
        failed.why()
    };
    let mut text = format!(
        "    first {} in run {}, seed {}: {why}\n",
        summary_word(failed.verdict),
        failed.attempt,
        failed.seed
    );
    if let Some(saved) = &failed.evidence {
        text.push_str(&format!("    its evidence: {saved}\n"));
    }
    text
}
