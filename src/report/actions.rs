//! What GitHub Actions shows: annotations at the lab's line, and a table for the step's summary.

use super::{Outcome, Word, kind_word, machine_word};
use crate::verdict::Ruling;
use std::fmt::Write;

/// One `::error` line for each case that did not come out as claimed; nothing when all did.
pub fn github(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes.iter().filter(|outcome| !outcome.holds()) {
        let case = &outcome.case;
        let title = format!(
            "{}/{}: {}",
            case.lab,
            case.name,
            machine_word(outcome.word())
        );
        writeln!(
            text,
            "::error file={},line={},title={}::{}",
            property(&case.file),
            case.line,
            property(&title),
            message(&why(outcome))
        )
        .expect("a string takes everything");
    }
    text
}

/// A Markdown table, one row a case.
pub fn markdown(outcomes: &[Outcome]) -> String {
    let mut text = String::from("| lab | case | kind | result | why |\n|---|---|---|---|---|\n");
    for outcome in outcomes {
        let case = &outcome.case;
        let result = match outcome.word() {
            Word::Ruled(Ruling::Holds) => "holds",
            Word::Ruled(Ruling::Fails) => "**fails**",
            Word::Ruled(Ruling::Inconclusive) => "inconclusive",
            Word::Failure => "**could not run**",
        };
        let why = why(outcome).replace('|', "\\|").replace('\n', " ");
        writeln!(
            text,
            "| {} | {} | {} | {result} | {why} |",
            case.lab,
            case.name,
            kind_word(case.kind)
        )
        .expect("a string takes everything");
    }
    text
}

fn why(outcome: &Outcome) -> String {
    match (&outcome.failure, &outcome.verdict) {
        (Some(failure), _) => failure.clone(),
        (None, Some(verdict)) => verdict.reason.clone(),
        (None, None) => String::new(),
    }
}

/// Escapes of a workflow command's message.
fn message(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Escapes of a workflow command's property.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_hide_what_would_end_them() {
        assert_eq!(property("a: 50%, b\n"), "a%3A 50%25%2C b%0A");
    }
}
