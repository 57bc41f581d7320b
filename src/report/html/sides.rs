//! The cases of a lab side by side: what each came to, held against the one promise.

use super::heading::{Heading, Sign};
use crate::report::tally::Tally;
use crate::report::words;
use crate::report::{Claimed, Record};
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
    #[serde(flatten)]
    heading: Heading,
    cells: Vec<Cell>,
    findings: Vec<String>,
}

#[derive(Serialize)]
struct Cell {
    #[serde(flatten)]
    sign: Sign,
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
            heading: Heading::new(record),
            cells: record.works.iter().map(Cell::new).collect(),
            findings: record.findings.iter().map(|f| f.kind.clone()).collect(),
        }
    }
}

impl Cell {
    fn new(claim: &Claimed) -> Self {
        let values = claim.values.iter();
        let values = values.map(|(name, value)| words::valued(name, value));
        Self {
            sign: Sign::of(claim.verdict, ["kept", "broken", "cannot be told"]),
            values: values.take(VALUES).collect(),
        }
    }
}
