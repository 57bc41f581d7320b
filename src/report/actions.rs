//! What GitHub Actions shows beside the lab: annotations at its lines.

use super::tally::tallies;
use super::told;
use super::{Report, machine_word};
use std::fmt::Write;

/// One `::error` line for each case that did not come out as claimed; nothing when all did. Of several runs of a case
/// only the first failure: GitHub shows ten annotations of a step, and `--repeat` could fill them with one case.
pub fn github(report: &Report) -> String {
    let mut text = String::new();
    for tally in tallies(report) {
        let Some(record) = tally.failed() else {
            continue;
        };
        let title = format!("{}: {}", record.name(), machine_word(record.verdict));
        writeln!(
            text,
            "::error file={},line={},title={}::{}",
            property(&record.file),
            record.line,
            property(&title),
            message(&told::message(&tally))
        )
        .expect("a string takes everything");
    }
    text
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
