//! What GitHub Actions shows beside the lab: annotations at its lines.

use super::tally::tallies;
use super::told;
use super::{Report, Word, machine_word};
use crate::diag::github::{data, property};
use std::fmt::Write;

/// One `::error` line for each case that did not come out as claimed, one `::notice` for each that did so only when it
/// was run again, alone; nothing of the others. Of several runs of a case only the first failure: GitHub shows ten
/// annotations of a step, and `--repeat` could fill them with one case. `place` gives a lab's file the name under which
/// GitHub has it.
pub fn github(report: &Report, place: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    for tally in tallies(report) {
        let record = tally.shown();
        // All of them together, below: GitHub shows ten annotations of a step.
        if record.verdict == Word::Interrupted {
            continue;
        }
        let (level, title, words) = match (tally.failed(), &record.retried) {
            (Some(_), _) => ("error", machine_word(record.verdict), told::message(&tally)),
            (None, Some(first)) => (
                "notice",
                "held at the second try",
                format!("run again, alone, because at first {first}"),
            ),
            (None, None) => continue,
        };
        writeln!(
            text,
            "::{level} file={},line={},title={}::{}",
            property(&place(&record.file)),
            record.line,
            property(&format!("{}: {title}", record.name())),
            data(&words)
        )
        .expect("a string takes everything");
    }
    if let Some(sentence) = report.interrupted() {
        text.push_str(&format!("::error title=hairpin::{}\n", data(&sentence)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Outcome, tests};

    #[test]
    fn annotations_stand_at_the_line_of_the_case() {
        let mut again = tests::fix();
        again.retried = Some("this cannot be told: 50 %".into());
        let report = |outcomes: &[Outcome]| github(&Report::new(outcomes, None), str::to_owned);
        let file =
            "file=labs/nlb/source-port-collision.yaml,line=44,title=nlb/source-port-collision";
        assert_eq!(
            report(&[tests::fault(), again.clone(), tests::failed()]),
            format!(
                "::error {file}/another-source-port%3A fails::this does not hold: the second connection opens with one \
                 SYN\n::notice {file}/cross-zone-off%3A held at the second try::run again, alone, because at first this \
                 cannot be told: 50 %25\n"
            )
        );
        assert_eq!(report(&[tests::fault(), tests::fix()]), "");
    }
}
