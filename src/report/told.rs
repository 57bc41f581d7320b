//! A run in words, line by line: what JUnit and TAP carry beside a result.

use super::Record;
use super::last_words;
use super::proof;
use super::tally::Tally;
use super::words::{
    CLAIM, CLAIMED, PROMISE, clock, machine_word, of_machine, promised, result_word, sort_word,
    valued,
};
use crate::report::record::{Claimed, Truth};
use crate::verdict::ladder;

/// Columns of the ladder.
const WIDTH: usize = 110;

/// The boxes of the network as a case has them; its first run tells of them.
pub(super) fn configured<'a>(tally: &Tally<'a>) -> &'a str {
    let mut told = tally.runs.iter().map(|run| run.configured.as_str());
    told.find(|text| !text.is_empty()).unwrap_or_default()
}

/// One sentence, why a case did not hold; of several runs also how often it did, and whether it was a second try.
pub(super) fn message(tally: &Tally) -> String {
    let shown = tally.shown();
    match tally.rate() {
        None => match &shown.retried {
            None => shown.why().to_owned(),
            Some(first) => format!(
                "{}; this was the second try, alone, because at first {first}",
                shown.why()
            ),
        },
        Some(rate) => format!(
            "{rate}; the first that did not is run {}, seed {}: {}",
            shown.attempt,
            shown.seed,
            shown.why()
        ),
    }
}

/// Why it did not come out as claimed: the claims with their values, what is nearest, how to look closer.
pub(super) fn failure(record: &Record) -> String {
    let mut out = format!("{}:{}: {}\n", record.file, record.line, record.why());
    if let Some(first) = &record.retried {
        out.push_str(&format!("run again, alone: because at first {first}\n"));
    }
    if let Some(clock) = record.time_scale.and_then(clock) {
        out.push_str(&format!("clock: {clock}\n"));
    }
    for claim in record.broken_promise() {
        out.push_str(&claim_text(claim, PROMISE));
    }
    for claim in record.untrue() {
        out.push_str(&claim_text(claim, CLAIM));
    }
    for missing in &record.missing_finds {
        out.push_str(&format!(
            "not found: {missing} (hairpin explain {missing} tells how it shows)\n"
        ));
    }
    for unwanted in &record.unwanted_finds {
        let kind = sort_word(record.kind, record.verdict);
        out.push_str(&format!(
            "found, and a {kind} must not show it: {unwanted}\n"
        ));
    }
    if !record.nearest.is_empty() {
        out.push_str("nearest:\n");
        for line in &record.nearest {
            out.push_str(&format!("  {line}\n"));
        }
    }
    if let Some(evidence) = &record.evidence {
        out.push_str(&format!("evidence: hairpin explain {evidence}\n"));
    }
    if let Some(capture) = &record.capture {
        out.push_str(&format!("capture: {}\n", capture.file));
    }
    if let Some(again) = record.again() {
        out.push_str(&format!("again: {again}\n"));
    }
    out
}

/// A claim and what it came to, with the values met.
fn claim_text(claim: &Claimed, [holds, fails, unknown]: [&str; 3]) -> String {
    let word = match claim.verdict {
        Truth::Holds => holds,
        Truth::Fails => fails,
        Truth::Inconclusive => unknown,
    };
    let words = claim
        .claim
        .as_ref()
        .map_or(String::new(), |words| format!("{words}: "));
    let mut out = format!("{word}: {words}{}\n", claim.that);
    for (name, value) in &claim.values {
        out.push_str(&format!("  {}\n", valued(name, value)));
    }
    if !claim.why.is_empty() {
        out.push_str(&format!("  {}\n", claim.why));
    }
    out
}

/// Everything about a case for one who has only the text: what it changes, its claims, its findings, the ladder.
pub(super) fn explanation(record: &Record) -> String {
    let mut out = format!(
        "{} {} ({}): {}\n",
        sort_word(record.kind, record.verdict),
        record.name(),
        record.title,
        result_word(record.verdict, record.kind)
    );
    let mut line = |label: &str, text: &str| {
        if !text.is_empty() {
            out.push_str(&format!("{label}: {text}\n"));
        }
    };
    line("file", &format!("{}:{}", record.file, record.line));
    line("shows", &record.shows);
    for change in &record.set {
        let before = change.before.as_deref().unwrap_or("(not set)");
        let after = change.after.as_deref().unwrap_or("(removed)");
        line("changes", &format!("{}: {before} -> {after}", change.path));
    }
    line("seed", &record.seed.to_string());
    line("verdict", machine_word(record.verdict));
    if let Some(why) = &record.retried {
        line("run again, alone", &format!("because at first {why}"));
    }
    if let Some(kernel) = &record.kernel {
        line("kernel", kernel);
    }
    if let Some(tcp) = of_machine(&record.tcp) {
        line("TCP of this machine", &tcp);
    }
    if let (Some(scale), Some(lag)) = (record.time_scale, record.lag_ms) {
        line("time_scale", &scale.to_string());
        line("clock", &clock(scale).unwrap_or_default());
        line("timers at most late", &format!("{lag:.1} ms"));
    }
    for (label, meaning, claims, came_to) in [
        ("works", promised(record.kind), &record.works, PROMISE),
        ("expect", CLAIMED, &record.expect, CLAIM),
    ] {
        if !claims.is_empty() {
            out.push_str(&format!("{label}, {meaning}\n"));
        }
        for claim in claims {
            out.push_str(&claim_text(claim, came_to));
        }
    }
    for step in &record.steps {
        let said = last_words::told(step);
        if !said.is_empty() {
            out.push_str(&format!("step {}: {}\n", step.name, step.error));
        }
        for line in said {
            out.push_str(&format!("  {line}\n"));
        }
    }
    for finding in &record.findings {
        out.push_str(&format!("{}: {}\n", finding.kind, finding.summary));
        for sentence in proof::sentences(&finding.fixes) {
            out.push_str(&format!("  {sentence}\n"));
        }
    }
    if let Some(ladder) = &record.ladder {
        out.push('\n');
        out.push_str(&ladder::text(ladder, WIDTH));
    }
    out
}
