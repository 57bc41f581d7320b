//! The cases of a lab side by side: what each came to, held against the one promise.

use super::{case_anchor, mark};
use crate::report::tally::Tally;
use crate::report::told::result_word;
use crate::report::{Claimed, Record, Truth, kind_word, machine_word};
use serde::Serialize;

/// Values told of one claim.
const VALUES: usize = 4;

#[derive(Serialize)]
pub(super) struct Sides {
    /// What the lab promises, a column each.
    promises: Vec<String>,
    rows: Vec<Side>,
}

#[derive(Serialize)]
struct Side {
    id: String,
    name: String,
    kind: &'static str,
    word: &'static str,
    state: &'static str,
    mark: &'static str,
    cells: Vec<Cell>,
    findings: Vec<String>,
}

#[derive(Serialize)]
struct Cell {
    /// For colours: a promise kept is `holds`, one broken `fails`.
    state: &'static str,
    mark: &'static str,
    word: &'static str,
    values: Vec<String>,
}

impl Sides {
    /// None of a lab that promises nothing or has one case.
    pub(super) fn new(tallies: &[Tally]) -> Option<Self> {
        let records: Vec<&Record> = tallies.iter().map(Tally::shown).collect();
        let widest = records.iter().max_by_key(|record| record.works.len())?;
        let title = |claim: &Claimed| claim.claim.clone().unwrap_or_else(|| claim.that.clone());
        let promises: Vec<String> = widest.works.iter().map(title).collect();
        (!promises.is_empty() && records.len() > 1).then(|| Self {
            rows: records.iter().map(|record| Side::new(record)).collect(),
            promises,
        })
    }
}

impl Side {
    fn new(record: &Record) -> Self {
        Self {
            id: case_anchor(record),
            name: record.case.clone(),
            kind: kind_word(record.kind),
            word: result_word(record),
            state: machine_word(record.verdict),
            mark: mark(record.verdict),
            cells: record.works.iter().map(Cell::new).collect(),
            findings: record.findings.iter().map(|f| f.kind.clone()).collect(),
        }
    }
}

impl Cell {
    fn new(claim: &Claimed) -> Self {
        let (state, mark, word) = match claim.verdict {
            Truth::Holds => ("holds", "\u{2713}", "kept"),
            Truth::Fails => ("fails", "\u{2717}", "broken"),
            Truth::Inconclusive => ("inconclusive", "?", "cannot be told"),
        };
        let values = claim.values.iter();
        let values = values.map(|(name, value)| format!("{name} = {value}"));
        Self {
            state,
            mark,
            word,
            values: values.take(VALUES).collect(),
        }
    }
}
