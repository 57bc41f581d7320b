//! The Test Anything Protocol: a line a case, and under one that did not come out as claimed a YAML block.
//!
//! Only what versions 13 and 14 have in common, under the number of the older: harnesses of version 14 read it as
//! theirs, while those of version 13, such as the one that comes with Perl (`prove`, up to 3.44 at least), call a
//! higher number an error. YAML in the block is what they all read: a map, with texts in double quotes or as lines.

use super::tally::{Tally, tallies};
use super::told;
use super::words::{machine_word, result_word, sort_word};
use super::{Report, Word};
use crate::verdict::Ruling;

/// The whole stream.
pub fn tap(report: &Report) -> String {
    let tallies = tallies(report);
    let missing = report.missing();
    let mut out = format!("TAP version 13\n1..{}\n", tallies.len() + missing.len());
    for (i, tally) in tallies.iter().enumerate() {
        let shown = tally.shown();
        let held = !tally.word().is_amiss();
        out.push_str(&format!(
            "{} {} - {} ({} {})\n",
            if held { "ok" } else { "not ok" },
            i + 1,
            described(&shown.name()),
            sort_word(shown.kind, shown.verdict),
            result_word(shown.verdict, shown.kind)
        ));
        let remark = shown.retried.is_some() || tally.runs.len() > 1;
        if !held || remark {
            diagnostics(tally, held, &mut out);
        }
    }
    for (i, shard) in missing.iter().enumerate() {
        out.push_str(&format!(
            "not ok {} - shard {} of {} is missing\n",
            tallies.len() + i + 1,
            shard.number,
            shard.of
        ));
    }
    out
}

/// Without what would begin a directive.
fn described(text: &str) -> String {
    text.replace('\\', "\\\\").replace('#', "\\#")
}

fn diagnostics(tally: &Tally, held: bool, out: &mut String) {
    let shown = tally.shown();
    out.push_str("  ---\n");
    let mut entry = |name: &str, text: &str| {
        out.push_str(&format!("  {name}: {}\n", quoted(text)));
    };
    if !held {
        entry("message", &told::message(tally));
        entry(
            "severity",
            if tally.word() == Word::Ruled(Ruling::Fails) {
                "fail"
            } else {
                "error"
            },
        );
    }
    entry("verdict", machine_word(tally.word()));
    entry("file", &shown.file);
    entry("line", &shown.line.to_string());
    entry("seed", &shown.seed.to_string());
    if let Some(rate) = tally.rate() {
        entry("runs", &rate);
    }
    if let Some(why) = &shown.retried {
        entry(
            "retried",
            &format!("run again, alone, because at first {why}"),
        );
    }
    if let Some(evidence) = &shown.evidence {
        entry("evidence", evidence);
    }
    if !held {
        out.push_str("  detail: |\n");
        let detail = told::failure(shown);
        // An empty line would end it for simple readers.
        for line in detail.lines().filter(|line| !line.trim().is_empty()) {
            out.push_str(&format!("    {line}\n"));
        }
    }
    out.push_str("  ...\n");
}

/// A text of YAML in double quotes, on one line.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            other if other.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
