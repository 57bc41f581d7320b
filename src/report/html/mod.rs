//! One page, complete in itself: it asks for nothing outside of its file, needs no script, and can be printed.
//!
//! Here is what the page says, as values for its template (`page.html`), which escapes all of them; the drawings are
//! made here as SVG. Not here: what any of it means (see `verdict`).

mod case;
mod charts;
mod heading;
mod ladder;
mod quantities;
mod sides;
mod tables;
mod topology;

use super::tally::{Tally, by_lab};
use super::told;
use super::wrap::count;
use super::{Record, Report, Word};
use crate::plan::Kind;
use crate::verdict::pages;
use case::Case;
use heading::Heading;
use minijinja::value::Serde;
use minijinja::{Environment, Value};
use serde::Serialize;
use sides::Sides;
use std::collections::BTreeSet;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");

/// The document.
pub fn html(report: &Report) -> String {
    let mut environment = Environment::new();
    environment
        .add_template("page.html", PAGE)
        .expect("the template is part of the program and tested");
    let template = environment
        .get_template("page.html")
        .expect("it has just been added");
    let page = template
        .render(Serde(Page::new(report)))
        .expect("the template asks for nothing that a page has not");
    // The template engine takes the last line feed away.
    page + "\n"
}

/// Everything on the page.
#[derive(Serialize)]
struct Page {
    style: Value,
    tool: String,
    title: String,
    headline: String,
    kernels: String,
    /// What is left out of a page of many cases; may be empty.
    brief: String,
    missing: Vec<String>,
    /// `Shard 1 of 5`, of a part's own report.
    part: Option<String>,
    labs: Vec<Lab>,
    /// Cases that did not come out as claimed.
    bad: Vec<Chip>,
    /// Manual pages of the findings met.
    pages: Vec<Manual>,
}

/// A lab, its cases side by side.
#[derive(Serialize)]
struct Lab {
    id: String,
    name: String,
    title: String,
    file: String,
    seconds: String,
    story: Vec<Paragraph>,
    sources: Vec<Source>,
    /// What breaks: each fault with the mechanisms found in it.
    breaks: Vec<Broken>,
    /// What mends it: each fix with what it changes.
    mends: Vec<Mended>,
    /// By kind: faults, fixes, partial, controls.
    columns: Vec<Vec<Chip>>,
    sides: Option<Sides>,
    topology: Option<Value>,
    configured: String,
    cases: Vec<Case>,
}

#[derive(Serialize)]
struct Paragraph {
    /// It is drawn with letters, so its lines stay as they are.
    drawn: bool,
    text: String,
}

#[derive(Serialize)]
struct Source {
    text: String,
    /// It leads somewhere.
    link: bool,
}

/// A case in few words.
#[derive(Serialize)]
struct Chip {
    #[serde(flatten)]
    heading: Heading,
    lab: String,
    why: String,
    rate: String,
}

#[derive(Serialize)]
struct Broken {
    id: String,
    name: String,
    shows: String,
    /// Kind, and its summary where no fault before has told of that mechanism.
    findings: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Mended {
    id: String,
    name: String,
    shows: String,
    changes: Vec<Setting>,
}

#[derive(Serialize)]
struct Manual {
    kind: String,
    text: &'static str,
}

/// Said on a page on which not all is told at length.
const BRIEF: &str = "So that a page with so many cases opens at once, those that came out as claimed are told in short: \
                     without the tables of all metrics, of counters that any traffic moves, and of what kernels \
                     dropped, and fixes and controls without their packets. A report of one lab has all of it.";

/// Cases on one page, all of which are told at length.
const AT_LENGTH: usize = 100;

impl Page {
    fn new(report: &Report) -> Self {
        let cases: usize = by_lab(report)
            .iter()
            .map(|(_, tallies)| tallies.len())
            .sum();
        let brief = cases > AT_LENGTH;
        let labs: Vec<Lab> = by_lab(report)
            .iter()
            .map(|(name, tallies)| Lab::new(name, tallies, brief))
            .collect();
        let kernels: BTreeSet<&str> = report
            .cases
            .iter()
            .filter_map(|c| c.kernel.as_deref())
            .collect();
        let kinds: BTreeSet<&str> = report
            .cases
            .iter()
            .flat_map(|case| {
                case.findings
                    .iter()
                    .map(|f| f.kind.as_str())
                    .chain(case.missing_finds.iter().map(String::as_str))
            })
            .collect();
        let manual = |kind: &&str| {
            Some(Manual {
                kind: (*kind).to_owned(),
                text: pages::page(kind)?,
            })
        };
        let bad = by_lab(report)
            .iter()
            .flat_map(|(_, tallies)| {
                tallies
                    .iter()
                    .filter(|t| {
                        t.failed()
                            .is_some_and(|run| run.verdict != Word::Interrupted)
                    })
                    .map(Chip::new)
                    .collect::<Vec<_>>()
            })
            .collect();
        let title = match labs.as_slice() {
            [lab] => lab.name.clone(),
            _ => format!("{}, {}", count(labs.len(), "lab"), count(cases, "case")),
        };
        Self {
            style: Value::from_safe_string(STYLE.to_owned()),
            tool: report.tool.clone(),
            part: report.part().map(|shard| shard.to_string()),
            title,
            headline: headline(report),
            kernels: kernels.into_iter().collect::<Vec<_>>().join(", "),
            brief: if brief {
                BRIEF.to_owned()
            } else {
                String::new()
            },
            missing: report
                .missing()
                .iter()
                .map(|shard| format!("{shard} is missing."))
                .chain(report.interrupted())
                .collect(),
            labs,
            bad,
            pages: kinds.iter().filter_map(manual).collect(),
        }
    }
}

/// `3 faults reproduced, 5 fixes hold, 1 fails`
fn headline(report: &Report) -> String {
    let held = |kind: Kind| {
        report
            .cases
            .iter()
            .filter(|c| c.holds() && c.kind == kind)
            .count()
    };
    let mut parts = Vec::new();
    let mut part = |n: usize, one: &str, many: &str| match n {
        0 => {}
        1 => parts.push(format!("1 {one}")),
        n => parts.push(format!("{n} {many}")),
    };
    part(held(Kind::Fault), "fault reproduced", "faults reproduced");
    part(held(Kind::Fix), "fix holds", "fixes hold");
    part(
        held(Kind::Partial),
        "partial as claimed",
        "partial as claimed",
    );
    part(held(Kind::Control), "control holds", "controls hold");
    let summary = report.summary;
    part(summary.fails, "fails", "fail");
    part(summary.inconclusive, "inconclusive", "inconclusive");
    part(summary.errors, "could not run", "could not run");
    part(summary.interrupted, "interrupted", "interrupted");
    part(summary.by_hand, "by hand", "by hand");
    if parts.is_empty() {
        parts.push("nothing was run".to_owned());
    }
    parts.join(", ")
}

impl Lab {
    fn new(name: &str, tallies: &[Tally], brief: bool) -> Self {
        // The story stands at the first run of a case.
        let first = tallies[0].runs[0];
        let topology = tallies
            .iter()
            .find_map(|tally| tally.runs.iter().find_map(|run| run.topology.as_ref()));
        let configured = told::configured(&tallies[0]);
        let of_kind = |kind: Kind| {
            tallies
                .iter()
                .filter(move |tally| tally.runs[0].kind == kind)
        };
        let seconds = tallies.iter().flat_map(|tally| &tally.runs);
        let seconds: f64 = seconds.filter_map(|run| run.seconds).sum();
        Self {
            id: anchor(name),
            name: name.to_owned(),
            title: first.title.clone(),
            file: first.file.clone(),
            seconds: format!("{seconds:.1} s"),
            story: paragraphs(&first.story),
            sources: first.sources.iter().map(|text| Source::new(text)).collect(),
            breaks: breaks(of_kind(Kind::Fault).map(Tally::shown)),
            mends: of_kind(Kind::Fix)
                .filter(|tally| tally.failed().is_none())
                .map(|tally| Mended::new(tally.shown()))
                .collect(),
            columns: [Kind::Fault, Kind::Fix, Kind::Partial, Kind::Control]
                .map(|kind| of_kind(kind).map(Chip::new).collect())
                .into(),
            sides: Sides::new(tallies),
            topology: topology.map(|drawing| Value::from_safe_string(topology::svg(drawing))),
            configured: configured.to_owned(),
            cases: tallies
                .iter()
                .map(|tally| Case::new(tally, (topology, configured), brief))
                .collect(),
        }
    }
}

impl Source {
    fn new(text: &str) -> Self {
        // No other scheme may be followed from a page that a stranger's lab made.
        let link = text.starts_with("https://") || text.starts_with("http://");
        Self {
            text: text.to_owned(),
            link: link && !text.contains(char::is_whitespace),
        }
    }
}

impl Chip {
    fn new(tally: &Tally) -> Self {
        let record = tally.shown();
        Self {
            heading: Heading::new(record),
            lab: record.lab.clone(),
            why: if !record.is_amiss() {
                String::new()
            } else {
                told::message(tally)
            },
            rate: if tally.made() > 1 {
                format!("{}/{}", tally.held(), tally.made())
            } else {
                String::new()
            },
        }
    }
}

/// The faults, each mechanism explained once.
fn breaks<'a>(records: impl Iterator<Item = &'a Record>) -> Vec<Broken> {
    let mut told: BTreeSet<&str> = BTreeSet::new();
    records
        .map(|record| {
            let findings = record.findings.iter();
            let findings = findings.enumerate().map(|(i, f)| {
                let new = i == 0 && told.insert(&f.kind);
                let summary = if new { f.summary.as_str() } else { "" };
                (f.kind.clone(), summary.to_owned())
            });
            Broken {
                id: case_anchor(record),
                name: record.case.clone(),
                shows: record.shows.clone(),
                findings: findings.collect(),
            }
        })
        .collect()
}

impl Mended {
    fn new(record: &Record) -> Self {
        Self {
            id: case_anchor(record),
            name: record.case.clone(),
            shows: record.shows.clone(),
            changes: changes(record),
        }
    }
}

/// One setting that a case changes.
#[derive(Serialize)]
struct Setting {
    path: String,
    before: String,
    after: String,
    /// Of texts of several lines: the lines that go and come, with a sign before them; else empty.
    lines: Vec<String>,
}

fn changes(record: &Record) -> Vec<Setting> {
    let or = |text: &Option<String>, none: &str| text.clone().unwrap_or_else(|| none.to_owned());
    let changes = record.set.iter();
    changes
        .map(|c| Setting {
            path: c.path.clone(),
            before: or(&c.before, "(not set)"),
            after: or(&c.after, "(removed)"),
            lines: differing(c.before.as_deref(), c.after.as_deref()),
        })
        .collect()
}

/// What differs between two texts, one of which has several lines.
fn differing(before: Option<&str>, after: Option<&str>) -> Vec<String> {
    // Compact YAML has such a text in double quotes, in which it writes as JSON does.
    let text = |compact: Option<&str>| compact.and_then(|text| serde_json::from_str(text).ok());
    let (before, after): (Option<String>, Option<String>) = (text(before), text(after));
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    if !before.trim_end().contains('\n') && !after.trim_end().contains('\n') {
        return Vec::new();
    }
    let only = |sign: char, of: &str, other: &str| {
        let new = of
            .lines()
            .filter(|line| !other.lines().any(|o| o.trim() == line.trim()));
        new.map(|line| format!("{sign} {}", line.trim()))
            .collect::<Vec<_>>()
    };
    [only('-', &before, &after), only('+', &after, &before)].concat()
}

/// The story's paragraphs; one whose lines are indented is a drawing.
fn paragraphs(story: &str) -> Vec<Paragraph> {
    let mut list: Vec<Paragraph> = Vec::new();
    for block in story.split("\n\n").filter(|block| !block.trim().is_empty()) {
        let drawn = block.lines().any(|line| line.starts_with("  "));
        let text = if drawn {
            block.trim_matches('\n').to_owned()
        } else {
            block.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        list.push(Paragraph { drawn, text });
    }
    list
}

/// A name as the end of a link within the page.
fn anchor(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    name.chars().map(plain).collect()
}

fn case_anchor(record: &Record) -> String {
    format!("{}.{}", anchor(&record.lab), anchor(&record.case))
}

/// Text within SVG.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other if other.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests;
