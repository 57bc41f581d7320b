//! Markdown, as GitHub shows it under a step: what did not come out as claimed unfolded, then every lab with its
//! cases side by side.

use super::proof;
use super::tally::{Tally, by_lab};
use super::told;
use super::words::{result_word, sort_word};
use super::{Report, Word};
use crate::plan::Kind;
use crate::report::wrap::count;
use crate::verdict::Ruling;

/// Cases told at length. GitHub takes 1 MiB of a step, and nobody reads more.
const UNFOLDED: usize = 20;

/// The document.
pub fn markdown(report: &Report) -> String {
    let labs = by_lab(report);
    let tallies: Vec<&Tally> = labs.iter().flat_map(|(_, cases)| cases).collect();
    let told = |tally: &&Tally| !is_good(tally) && tally.word() != Word::Interrupted;
    let bad: Vec<&Tally> = tallies.iter().copied().filter(told).collect();
    let mut out = format!("## {}\n\n", headline(&tallies));
    for shard in report.missing() {
        out.push_str(&format!("**{shard} is missing.**\n\n"));
    }
    if let Some(shard) = report.part() {
        out.push_str(&format!("{shard}.\n\n"));
    }
    if let Some(sentence) = report.interrupted() {
        out.push_str(&format!("**{sentence}**\n\n"));
    }
    for tally in bad.iter().take(UNFOLDED) {
        out.push_str(&unfolded(tally));
    }
    if bad.len() > UNFOLDED {
        out.push_str(&format!(
            "... and {} more, see the table.\n\n",
            bad.len() - UNFOLDED
        ));
    }
    out.push_str(&table(&labs));
    out.push_str(&clocks(&labs));
    out.push_str(&proven(&labs));
    out.push_str(&remarks(&tallies));
    out
}

fn is_good(tally: &Tally) -> bool {
    !tally.word().is_amiss()
}

/// `hairpin: 34 labs, 310 cases, all as claimed`
fn headline(tallies: &[&Tally]) -> String {
    let mut labs: Vec<&str> = tallies
        .iter()
        .map(|tally| tally.shown().lab.as_str())
        .collect();
    labs.dedup();
    let came_to = |word: Word| tallies.iter().filter(|tally| tally.word() == word).count();
    let mut parts = Vec::new();
    for (word, text) in [
        (Word::Ruled(Ruling::Fails), "fail"),
        (Word::Ruled(Ruling::Inconclusive), "inconclusive"),
        (Word::Failure, "could not run"),
        (Word::Interrupted, "interrupted"),
        (Word::ByHand, "by hand, of which nothing is claimed"),
    ] {
        let n = came_to(word);
        if n > 0 {
            parts.push(format!("{n} {text}"));
        }
    }
    let rest = if parts.is_empty() {
        "all as claimed".to_owned()
    } else {
        parts.join(", ")
    };
    format!(
        "hairpin: {}, {}: {rest}",
        count(labs.len(), "lab"),
        count(tallies.len(), "case")
    )
}

/// A case that did not come out as claimed.
fn unfolded(tally: &Tally) -> String {
    let record = tally.shown();
    let mut out = format!(
        "### {} {} `{}`: {}\n\n{}\n\n",
        mark(tally),
        sort_word(record.kind, record.verdict),
        record.name().replace('`', "'"),
        result_word(record.verdict, record.kind),
        escaped(&told::message(tally))
    );
    out.push_str(&fenced(&told::failure(record)));
    for finding in &record.findings {
        out.push_str(&format!(
            "- **{}**: {}\n",
            escaped(&finding.kind),
            escaped(&finding.summary)
        ));
        for sentence in proof::sentences(&finding.fixes) {
            out.push_str(&format!("  {}\n", escaped(&sentence)));
        }
    }
    if let Some(ladder) = &record.ladder {
        out.push_str("\n<details><summary>packet by packet</summary>\n\n");
        out.push_str(&fenced(&crate::verdict::ladder::text(ladder, 110)));
        out.push_str("</details>\n");
    }
    out.push('\n');
    out
}

/// A block of text as it is, whatever it holds.
fn fenced(text: &str) -> String {
    let mut fence = String::from("```");
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}text\n{}\n{fence}\n\n", text.trim_end())
}

/// A row a lab, a column a kind of case.
fn table(labs: &[(&str, Vec<Tally>)]) -> String {
    let mut out = String::from(
        "| lab | faults | fixes | partial | controls | seconds |\n|---|---|---|---|---|--:|\n",
    );
    for (lab, tallies) in labs {
        let cell = |kind: Kind| {
            let of_kind = tallies.iter().filter(|tally| tally.shown().kind == kind);
            let cases: Vec<String> = of_kind.map(entry).collect();
            cases.join("<br>")
        };
        let seconds = tallies.iter().flat_map(|tally| &tally.runs);
        let seconds: f64 = seconds.filter_map(|run| run.seconds).sum();
        out.push_str(&format!(
            "| {} | {} | {} | {} | {} | {seconds:.1} |\n",
            escaped(lab),
            cell(Kind::Fault),
            cell(Kind::Fix),
            cell(Kind::Partial),
            cell(Kind::Control)
        ));
    }
    out
}

/// Under the table: which labs have two clocks.
fn clocks(labs: &[(&str, Vec<Tally>)]) -> String {
    let scaled = labs.iter().filter_map(|(lab, tallies)| {
        let scale = tallies.iter().find_map(|tally| tally.shown().time_scale);
        let scale = scale.filter(|scale| *scale != 1.0)?;
        Some(format!("{} ({scale} times)", escaped(lab)))
    });
    let scaled: Vec<String> = scaled.collect();
    match scaled.as_slice() {
        [] => String::new(),
        some => format!(
            "\nSeconds are real ones. Cloud time runs faster in {}.\n",
            some.join(", ")
        ),
    }
}

/// What the fixes of each lab are worth against what was found in its faults.
fn proven(labs: &[(&str, Vec<Tally>)]) -> String {
    let mut out = String::new();
    for (_, tallies) in labs {
        let faults = tallies.iter().map(|tally| tally.shown());
        let faults = faults.filter(|record| record.kind == Kind::Fault);
        let mut told: Vec<(&str, String)> = Vec::new();
        let found = faults.flat_map(|record| record.findings.iter().map(move |one| (record, one)));
        for (record, finding) in found {
            for sentence in proof::sentences(&finding.fixes) {
                // Said of a fault before it.
                let said = (finding.kind.as_str(), sentence);
                if told.contains(&said) {
                    continue;
                }
                let sentence = &said.1;
                out.push_str(&format!(
                    "- {} **{}**: {}\n",
                    escaped(&record.name()),
                    escaped(&finding.kind),
                    escaped(sentence)
                ));
                told.push(said);
            }
        }
    }
    match out.as_str() {
        "" => out,
        _ => format!(
            "\n<details><summary>which fix is proven against which finding</summary>\n\n{out}\n</details>\n"
        ),
    }
}

/// A case in its cell; what did not hold stands out.
fn entry(tally: &Tally) -> String {
    let name = escaped(&tally.shown().case);
    let rate = if tally.runs.len() > 1 {
        format!(" {}/{}", tally.held(), tally.runs.len())
    } else {
        String::new()
    };
    let mark = mark(tally);
    if is_good(tally) {
        format!("{mark} {name}{rate}")
    } else {
        format!("{mark} **{name}**{rate}")
    }
}

fn mark(tally: &Tally) -> &'static str {
    match tally.word() {
        Word::Ruled(Ruling::Holds) => "\u{2705}",
        Word::Ruled(Ruling::Fails) => "\u{274c}",
        Word::Ruled(Ruling::Inconclusive) => "\u{2753}",
        Word::Failure => "\u{26a0}\u{fe0f}",
        Word::Interrupted => "\u{1f6d1}",
        Word::ByHand => "\u{270b}",
    }
}

/// What else a reader should know of cases: pass rates, second tries.
fn remarks(tallies: &[&Tally]) -> String {
    let mut out = String::new();
    for tally in tallies {
        let record = tally.shown();
        let name = escaped(&record.name());
        if let Some(rate) = tally.rate() {
            let times = tally.seconds().map_or(String::new(), |t| {
                format!(
                    "; seconds {:.2} min, {:.2} p50, {:.2} p90, {:.2} max",
                    t.min, t.p50, t.p90, t.max
                )
            });
            out.push_str(&format!("- {name}: {rate}{times}\n"));
        }
        if let Some(why) = &record.retried {
            out.push_str(&format!(
                "- {name} was run again, alone, because at first {}\n",
                escaped(why)
            ));
        }
    }
    if out.is_empty() {
        out
    } else {
        format!("\n{out}")
    }
}

/// Text on one line, with nothing in it that Markdown or HTML would take for its own.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                out.push('\\');
                out.push(letter);
            }
            other if other.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}
