//! Reading labs: YAML text to the typed mirror of each case, or all that is wrong with it.
//!
//! `yaml` makes a tree with spans, `set` patches it for each case, `check` holds it against the `grammar`, `rules`
//! looks at fields together, `readers` type it. Values are as written; names are resolved by `plan`.

pub mod check;
mod claims;
pub mod grammar;
pub mod hand;
pub mod model;
mod moments;
pub mod node;
mod readers;
pub mod reference;
mod repair;
mod rules;
mod scalar;
mod schema;
mod set;
mod traps;
mod yaml;

#[cfg(test)]
mod tests;

pub use model::*;
pub use schema::schema;
pub use yaml::MAX_BYTES;

use crate::diag::codes::{spec as code, yaml as yaml_code};
use crate::diag::{Diagnostic, Diagnostics, Span, Spanned};
use check::At;
use grammar::{cases::CASE, cases::KINDS, file::FILE};
use node::{Entry, Node, Value};
use readers::Fields;
use rules::CaseFacts;

/// The most work that the cases of one lab may make: its values ([`Node::weight`]), times its cases and their `set`
/// entries.
const MOST_WORK: usize = 1_000_000;

/// What could be read of a file.
#[derive(Debug)]
pub struct Reading {
    /// The lab, when nothing that others refer to is missing from it. It may have problems all the same, and must
    /// then not be run; but it can be planned, to find the problems of its names too.
    pub lab: Option<Lab>,
    /// What is wrong.
    pub problems: Diagnostics,
}

/// Reads a lab. `file` is only a name, for diagnostics and reports.
///
/// # Errors
/// All that is wrong with the text.
pub fn read(text: &str, file: &str) -> Result<Lab, Diagnostics> {
    let Reading { lab, mut problems } = read_all(text, file);
    match lab {
        Some(lab) => problems.into_result(lab),
        None => {
            if problems.is_empty() {
                problems.push(Diagnostic::new(
                    yaml_code::SYNTAX,
                    Span::default(),
                    "the lab cannot be read",
                ));
            }
            Err(problems)
        }
    }
}

/// Settings that are not the same for a case of two texts of a lab, as dotted paths. Steps without a name are left out: no
/// result is theirs. Empty too where one of the texts cannot be read or has no such case.
pub fn settings_changed(before: &str, after: &str, case: &str) -> Vec<String> {
    let (Some(before), Some(after)) = (settings(before, case), settings(after, case)) else {
        return Vec::new();
    };
    let differing = set::differing(&before, &after).into_keys();
    differing
        .filter(|path| !path.starts_with("steps.#"))
        .collect()
}

/// What a case has set, as written.
fn settings(text: &str, case: &str) -> Option<Node> {
    let mut sink = Diagnostics::default();
    let root = yaml::parse(text, &mut sink)?;
    let cases = root.get("cases")?;
    let (patched, _) = set::apply(&set::body(&root), set_of(cases.entry(case)?), &mut sink);
    sink.is_empty().then_some(patched)
}

/// Reads a lab from bytes, which may be no text.
///
/// # Errors
/// All that is wrong with them. Spans are those of the text that [`String::from_utf8_lossy`] makes of the bytes.
pub fn read_bytes(bytes: &[u8], file: &str) -> Result<Lab, Diagnostics> {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return read(text, file),
        Err(error) => error,
    };
    let at = error.valid_up_to();
    let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    // The replacement character that stands for the bad byte in the lossy text.
    let span = Span {
        start: at,
        end: at + char::REPLACEMENT_CHARACTER.len_utf8(),
    };
    let mut problems = Diagnostics::default();
    problems.push(
        Diagnostic::new(
            yaml_code::NOT_UTF8,
            span,
            format!("line {line} is not UTF-8 text"),
        )
        .label(format!("byte 0x{:02x}", bytes[at]))
        .help("save the file as UTF-8"),
    );
    Err(problems)
}

/// Reads as much of a lab as there is, and all that is wrong with it.
pub fn read_all(text: &str, file: &str) -> Reading {
    let mut problems = Diagnostics::default();
    let Some(mut root) = yaml::parse(text, &mut problems) else {
        return Reading {
            lab: None,
            problems,
        };
    };
    let lab = lab(&root, text, file, &mut problems);
    if problems.is_empty() {
        let cases = root.get("cases").and_then(Node::entries).unwrap_or(&[]);
        let lab = lab.filter(|lab| lab.cases.len() == cases.len());
        return Reading { lab, problems };
    }
    if problems.is_full() {
        return Reading {
            lab: None,
            problems,
        };
    }
    if let Value::Map(entries) = &mut root.value {
        repair::section(entries, &FILE);
    }
    let mut left = problems.only(|code| code.0 < code::UNKNOWN_KEY.0);
    let repaired = self::lab(&root, text, file, &mut left);
    let lab = repaired.and_then(|lab| repair::without_doubt(lab, &root, &left));
    Reading { lab, problems }
}

fn lab(root: &Node, text: &str, file: &str, sink: &mut Diagnostics) -> Option<Lab> {
    if !matches!(root.value, Value::Map(_)) {
        sink.push(
            Diagnostic::new(
                yaml_code::NOT_A_MAP,
                root.span,
                format!("a lab is a map, not {}", root.shape()),
            )
            .help("a lab starts with `title: ...`; copy one from `labs/` to start from"),
        );
        return None;
    }
    let start = Span {
        start: root.span.start,
        end: root.span.start,
    };
    check::section(
        root,
        &FILE,
        At {
            what: "",
            span: start,
        },
        sink,
    );
    let body = set::body(root);
    rules::body(&body, sink);

    let cases = cases(root, &body, start, sink)?;
    let fields = Fields::new(root, &FILE, start);
    Some(Lab {
        file: file.to_owned(),
        text: text.to_owned(),
        title: one_line(fields.value("title")?),
        story: fields.written("story"),
        sources: fields.names("sources"),
        opt_in: fields.written("opt_in"),
        works: claims::read(root.get("works")),
        body: moments::body(&body, sink)?,
        cases,
    })
}

/// The cases that could be read. None: there are too many to look at. `start` is the lab's beginning.
fn cases(root: &Node, body: &Node, start: Span, sink: &mut Diagnostics) -> Option<Vec<Case>> {
    let written = root.get("cases").and_then(Node::entries).unwrap_or(&[]);
    if root
        .get("cases")
        .is_some_and(|cases| matches!(cases.value, Value::Map(_)))
        && written.is_empty()
    {
        let span = root.entry("cases").map_or(start, |entry| entry.key.span);
        sink.push(
            Diagnostic::new(
                code::NO_CASES,
                span,
                "the lab has no case, so there is nothing to run",
            )
            .help("add one: `cases: { as-deployed: { kind: fault } }`"),
        );
    }
    let moments = moments::count(body) + 1;
    let entries: usize = written
        .iter()
        .map(|case| set_of(case).len() + moments)
        .sum();
    if body.weight().saturating_mul(entries) > MOST_WORK {
        let span = root.entry("cases").map_or(start, |entry| entry.key.span);
        sink.push(
            Diagnostic::new(
                yaml_code::TOO_MANY_NODES,
                span,
                format!(
                    "{} cases are too many for a lab of this size",
                    written.len()
                ),
            )
            .help("a lab tells one story; put the other cases into a lab of their own"),
        );
        return None;
    }
    let cases: Vec<Case> = written
        .iter()
        .filter_map(|entry| case(entry, body, sink))
        .collect();
    // Judged together, so only when all could be read.
    if cases.len() == written.len() {
        let facts: Vec<_> = cases
            .iter()
            .zip(written)
            .map(|(case, entry)| CaseFacts::new(case, entry.value.get("set")))
            .collect();
        rules::cases(&facts, root, sink);
    }
    Some(cases)
}

/// A block scalar of one line ends with a line feed.
fn one_line(text: Spanned<String>) -> Spanned<String> {
    Spanned::new(text.value.trim().to_owned(), text.span)
}

/// The entries of a case's `set`.
fn set_of(case: &Entry) -> &[Entry] {
    case.value.get("set").and_then(Node::entries).unwrap_or(&[])
}

/// What is wrong with a patched body, and not known yet.
fn new_problems(patched: &Node, known: &Diagnostics, sink: &Diagnostics) -> Vec<Diagnostic> {
    // Nobody reads more than there are already.
    if sink.is_full() {
        return Vec::new();
    }
    let mut found = Diagnostics::default();
    for item in patched.entries().unwrap_or(&[]) {
        if let Some(field) = FILE.field(&item.key.value) {
            let at = At {
                what: &item.key.value,
                span: item.key.span,
            };
            check::value(&item.value, &field.kind, at, &mut found);
        }
    }
    rules::body(patched, &mut found);
    let new = |problem: &&Diagnostic| {
        !sink.knows(problem.code, problem.span) && !known.knows(problem.code, problem.span)
    };
    found.sorted().into_iter().filter(new).cloned().collect()
}

/// Why something is so in one case only: its only change, else its name.
pub fn reason(set: &[Patch], name: Span) -> Span {
    match set {
        [only] => only.path.span,
        [] | [_, _, ..] => name,
    }
}

/// What is said there.
pub fn only_in(case: &str) -> String {
    format!("only in case `{case}`")
}

/// One case: its patched body is checked like the lab itself, which says nothing twice.
fn case(entry: &Entry, body: &Node, sink: &mut Diagnostics) -> Option<Case> {
    let (patched, set) = set::apply(body, set_of(entry), sink);
    let place = entry
        .value
        .get("set")
        .map_or(entry.key.span, |set| set.span);
    for problem in new_problems(&patched, &Diagnostics::default(), sink) {
        let elsewhere = problem.span.start < place.start || problem.span.end > place.end;
        sink.push(if elsewhere {
            problem.also(reason(&set, entry.key.span), only_in(&entry.key.value))
        } else {
            problem
        });
    }
    let fields = Fields::new(&entry.value, &CASE, entry.key.span);
    let kind = fields.value::<String>("kind")?;
    let value = match KINDS.now.iter().position(|word| *word == kind.value)? {
        0 => Kind::Fault,
        1 => Kind::Fix,
        2 => Kind::Partial,
        _ => Kind::Control,
    };
    Some(Case {
        differs: set::differing(body, &patched),
        name: entry.key.clone(),
        kind: Spanned::new(value, kind.span),
        shows: fields.written("shows").map(one_line),
        set,
        finds: fields.names("finds"),
        may_find: fields.names("may_find"),
        expect: claims::read(fields.node("expect")),
        body: moments::body(&patched, sink)?,
    })
}
