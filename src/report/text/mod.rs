//! The report for people: a table that tells at a glance which fault was reproduced and which fixes hold, and under
//! a case that did not come out as claimed (or under each, with `explain`) what it changed, its claims with their
//! values, its findings as sentences, and the packet ladder.

mod block;
mod network;
mod step;

pub use step::step;

use super::nearest::nearest;
use super::proof::{self, Offered, Run};
use super::words::in_short;
use super::words::sort_word;
use super::wrap::{count, cut, length, wrap};
use super::{Outcome, Word};
use crate::plan::Kind;
use crate::verdict::findings::KINDS;
use crate::verdict::{ClaimTruth, Ruling, Verdict};
use anstyle::{AnsiColor, Effects};
use serde_json::Value;

/// How to write it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Style {
    /// With terminal colours.
    pub colour: bool,
    /// Columns of a line, 60 or more; sentences wrap, the ladder fits itself in.
    pub width: usize,
    /// Everything about every case, also about those that came out as claimed.
    pub explain: bool,
    /// How long the whole run took, seconds, when it is known.
    pub wall: Option<f64>,
}

impl Default for Style {
    /// Plain, 100 columns, short.
    fn default() -> Self {
        Self {
            colour: false,
            width: 100,
            explain: false,
            wall: None,
        }
    }
}

/// All outcomes, grouped by lab in the order of first appearance, its cases in the order of the file, and a summary
/// line. What was interrupted is in that line only.
pub fn text(outcomes: &[Outcome], style: &Style) -> String {
    let style = &Style {
        width: style.width.max(60),
        ..*style
    };
    let mut labs: Vec<(&str, Vec<&Outcome>)> = Vec::new();
    let over = outcomes.iter().filter(|outcome| !outcome.interrupted);
    for outcome in over {
        match labs.iter_mut().find(|(lab, _)| *lab == outcome.case.lab) {
            Some((_, cases)) => cases.push(outcome),
            None => labs.push((&outcome.case.lab, vec![outcome])),
        }
    }
    let mut out = String::new();
    let several = labs.len() > 1;
    for (lab, mut cases) in labs {
        cases.sort_by_key(|outcome| (outcome.case.line, outcome.attempt));
        let title = cut(
            &cases[0].case.title,
            style.width.saturating_sub(length(lab) + 2),
        );
        out.push_str(&paint(lab, anstyle::Style::new().bold(), style));
        if !title.is_empty() {
            out.push_str("  ");
            out.push_str(&title);
        }
        out.push('\n');
        let runs: Vec<Run> = cases.iter().map(|outcome| Run::from(*outcome)).collect();
        let names = cases.iter().map(|o| length(&o.case.name));
        let name_width = names.max().unwrap_or(0).clamp(10, 40);
        for outcome in &cases {
            out.push_str(&row(outcome, name_width, style));
            if style.explain || outcome.is_amiss() {
                out.push_str(&block::block(outcome, &runs, style));
            } else {
                out.push_str(&block::waited(outcome, style));
            }
        }
        if !style.explain {
            out.push_str(&closing(&cases, &runs, style));
        }
        if !out.ends_with("\n\n") {
            out.push('\n');
        }
    }
    if several {
        out.push_str(&unmet(outcomes, style));
    }
    out.push_str(&summary(outcomes, style));
    out
}

/// What did not come out as claimed, once more: who ran many labs looks at the end, and a log may be cut above.
fn unmet(outcomes: &[Outcome], style: &Style) -> String {
    let mut out = String::new();
    let unmet = |outcome: &&Outcome| outcome.is_amiss() && !outcome.interrupted;
    for outcome in outcomes.iter().filter(unmet) {
        let word = paint(
            summary_word(outcome.word()),
            colour_of(outcome.word()),
            style,
        );
        out.push_str(&format!(
            "{word}  {}/{}\n",
            outcome.case.lab, outcome.case.name
        ));
        let told = detail(outcome, usize::MAX);
        let nearest = nearest(outcome).lines();
        for sentence in std::iter::once(&told).chain(&nearest) {
            for line in wrap(sentence, style.width - 2) {
                out.push_str(&format!("  {line}\n"));
            }
        }
        out.push('\n');
    }
    out
}

/// What the lab's fixes are worth against what was found in its faults.
fn closing(cases: &[&Outcome], runs: &[Run], style: &Style) -> String {
    let faults = cases.iter().filter(|one| one.case.kind == Kind::Fault);
    let faults: Vec<(&Outcome, Vec<Offered>)> = faults
        .map(|fault| (*fault, fault.case.fixes.iter().map(Offered::new).collect()))
        .collect();
    let mut found: Vec<(&str, &[Offered])> = Vec::new();
    for (fault, fixes) in &faults {
        let findings = fault.verdict.iter().flat_map(|verdict| &verdict.findings);
        found.extend(findings.map(|finding| (finding.kind.as_str(), fixes.as_slice())));
    }
    found.sort_by_key(|(kind, _)| KINDS.iter().position(|known| known == kind));
    let mut out = String::new();
    for (word, line) in proof::closing(&found, runs) {
        for (i, line) in wrap(&line, style.width - 12).iter().enumerate() {
            let word = if i == 0 { word } else { "" };
            out.push_str(&format!("  {word:<8}  {line}\n"));
        }
    }
    out
}

/// One line: labs, cases, what became of them.
pub fn summary(outcomes: &[Outcome], style: &Style) -> String {
    let mut labs: Vec<&str> = outcomes.iter().map(|o| o.case.lab.as_str()).collect();
    labs.sort_unstable();
    labs.dedup();
    let held = |kind: Kind| {
        outcomes
            .iter()
            .filter(|o| o.holds() && o.case.kind == kind)
            .count()
    };
    let came_to = |word: Word| outcomes.iter().filter(|o| o.word() == word).count();
    let mut parts = Vec::new();
    let mut part = |n: usize, words: String| {
        if n > 0 {
            parts.push(words);
        }
    };
    let kinds = [
        (Kind::Fault, "fault reproduced", "faults reproduced"),
        (Kind::Fix, "fix holds", "fixes hold"),
        (Kind::Partial, "partial as claimed", "partial as claimed"),
        (Kind::Control, "control holds", "controls hold"),
    ];
    for (kind, one, many) in kinds {
        let n = held(kind);
        part(n, format!("{n} {}", if n == 1 { one } else { many }));
    }
    for (word, words) in [
        (Word::Ruled(Ruling::Fails), "FAILED"),
        (Word::Ruled(Ruling::Inconclusive), "inconclusive"),
        (Word::Failure, "could not run"),
        (Word::Interrupted, "interrupted"),
        (Word::ByHand, "by hand, of which nothing is claimed"),
    ] {
        let n = came_to(word);
        part(n, paint(&format!("{n} {words}"), colour_of(word), style));
    }
    let parts = if parts.is_empty() {
        "nothing was run".to_owned()
    } else {
        parts.join(", ")
    };
    let wall = style.wall.map(|s| format!(" {s:.1} s")).unwrap_or_default();
    format!(
        "{}, {}: {parts}.{wall}\n",
        count(labs.len(), "lab"),
        count(outcomes.len(), "case")
    )
}

/// The word for a case in the table; a fault that holds is one reproduced.
fn table_word(kind: Kind, word: Word) -> &'static str {
    match (word, kind) {
        (Word::Ruled(Ruling::Holds), Kind::Fault) => "reproduced",
        (Word::Ruled(Ruling::Holds), Kind::Fix | Kind::Control) => "holds",
        (Word::Ruled(Ruling::Holds), Kind::Partial) => "as claimed",
        (
            Word::Ruled(Ruling::Fails | Ruling::Inconclusive)
            | Word::Failure
            | Word::Interrupted
            | Word::ByHand,
            _,
        ) => summary_word(word),
    }
}

/// The word for an outcome whatever its kind.
pub(super) fn summary_word(word: Word) -> &'static str {
    match word {
        Word::Ruled(Ruling::Holds) => "holds",
        Word::Ruled(Ruling::Fails) => "FAILED",
        Word::Ruled(Ruling::Inconclusive) => "inconclusive",
        Word::Failure => "ERROR",
        Word::Interrupted => "interrupted",
        Word::ByHand => "no claim",
    }
}

fn colour_of(word: Word) -> anstyle::Style {
    match word {
        Word::Ruled(Ruling::Holds) => AnsiColor::Green.on_default(),
        Word::Ruled(Ruling::Fails) | Word::Failure => {
            AnsiColor::Red.on_default().effects(Effects::BOLD)
        }
        Word::Ruled(Ruling::Inconclusive) | Word::Interrupted => AnsiColor::Yellow.on_default(),
        Word::ByHand => anstyle::Style::new(),
    }
}

fn paint(text: &str, with: anstyle::Style, style: &Style) -> String {
    if style.colour {
        format!("{with}{text}{with:#}")
    } else {
        text.to_owned()
    }
}

/// A case's line in the table.
fn row(outcome: &Outcome, name_width: usize, style: &Style) -> String {
    let info = &outcome.case;
    let seconds = match &outcome.evidence {
        Some(evidence) => format!("{:>6.1} s", evidence.seconds),
        None => String::new(),
    };
    let word = table_word(info.kind, outcome.word());
    let used = 2 + 7 + 2 + name_width + 2 + 12 + 2;
    let room = style.width.saturating_sub(used + 8);
    let detail = match outcome.retried {
        Some(_) => {
            let second = "second try, alone: ";
            format!(
                "{second}{}",
                detail(outcome, room.saturating_sub(length(second)))
            )
        }
        None => detail(outcome, room),
    };
    let line = format!(
        "  {:<7}  {:<name_width$}  {}  {:<room$}{seconds}",
        sort_word(info.kind, outcome.word()),
        cut(&info.name, name_width),
        paint(&format!("{word:<12}"), colour_of(outcome.word()), style),
        detail,
    );
    format!("{}\n", line.trim_end())
}

/// What matters most about an outcome, in at most `room` characters.
fn detail(outcome: &Outcome, room: usize) -> String {
    let info = &outcome.case;
    let verdict = match (&outcome.failure, &outcome.verdict) {
        (Some(failure), _) => return cut(failure, room),
        (None, None) => return String::new(),
        (None, Some(verdict)) => verdict,
    };
    match (verdict.ruling, info.kind) {
        (Ruling::Fails | Ruling::Inconclusive, _) => cut(&verdict.reason, room),
        (Ruling::Holds, Kind::Fault) => {
            let kinds: Vec<&str> = verdict.findings.iter().map(|f| f.kind.as_str()).collect();
            let kinds = as_many(&kinds, room);
            let left = room.saturating_sub(length(&kinds) + 2);
            match broken(verdict) {
                values if kinds.is_empty() => cut(&values, room),
                values if values.is_empty() || left < 12 => kinds,
                values => format!("{kinds}  {}", cut(&values, left)),
            }
        }
        (Ruling::Holds, Kind::Fix | Kind::Partial | Kind::Control) => {
            let words = if info.shows.is_empty() {
                in_short(&info.changes)
            } else {
                info.shows.clone()
            };
            cut(&words, room)
        }
    }
}

/// As many words as fit, and how many more there are.
fn as_many(words: &[&str], room: usize) -> String {
    for n in (1..=words.len()).rev() {
        let left_out = words.len() - n;
        let more = if left_out > 0 {
            format!(" +{left_out}")
        } else {
            String::new()
        };
        let text = words[..n].join(" ") + &more;
        if length(&text) <= room {
            return text;
        }
    }
    cut(&words.join(" "), room)
}

/// The values that broke the promise: `new.syns 2, again.error deadline`.
fn broken(verdict: &Verdict) -> String {
    let mut parts: Vec<String> = Vec::new();
    for claim in verdict
        .works
        .iter()
        .filter(|c| c.truth == ClaimTruth::False)
    {
        for (name, value) in &claim.values {
            let part = format!("{name} {}", plain(value));
            // A value that is as it should be tells nothing about what broke.
            if value != &Value::Bool(true) && !parts.contains(&part) {
                parts.push(part);
            }
        }
    }
    parts.join(", ")
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "\"\"".into(),
        Value::String(text) => text.clone(),
        Value::Null => "unknown".into(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
