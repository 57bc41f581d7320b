//! A run that was split, and reports that become one again.

use super::{Record, Report};
use crate::report::Word;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The most parts that a run is split into.
pub const MOST_SHARDS: u32 = 4096;

/// A part of a run that was split.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Shard {
    /// From 1 to `of`.
    pub number: u32,
    /// How many there are, at most 4096.
    pub of: u32,
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shard {} of {}", self.number, self.of)
    }
}

impl Report {
    /// Several reports as one. What is in two of them word by word is taken once; another run of a case that is there
    /// already counts as a further one. A run that was interrupted gives way to one of another report.
    pub fn merge(reports: Vec<Report>) -> Self {
        let mut shards: Vec<Shard> = reports.iter().flat_map(|r| r.shards.clone()).collect();
        shards.sort();
        shards.dedup();
        let key = |record: &Record| (record.lab.clone(), record.case.clone());
        // What one report was interrupted in, another may have.
        let mut made: BTreeMap<(String, String), BTreeSet<usize>> = BTreeMap::new();
        for (number, report) in reports.iter().enumerate() {
            for record in report
                .cases
                .iter()
                .filter(|r| r.verdict != Word::Interrupted)
            {
                made.entry(key(record)).or_default().insert(number);
            }
        }
        let made_elsewhere = |number: usize, record: &Record| {
            let reports = made.get(&key(record));
            reports.is_some_and(|reports| reports.iter().any(|other| *other != number))
        };
        let mut cases: Vec<Record> = Vec::new();
        let mut runs: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
        let reports = reports.into_iter().enumerate();
        let records = reports.flat_map(|(number, report)| {
            let records = report.cases.into_iter();
            records.map(move |record| (number, record))
        });
        for (number, mut record) in records {
            if record.verdict == Word::Interrupted && made_elsewhere(number, &record) {
                continue;
            }
            let key = key(&record);
            let others = runs.entry(key).or_default();
            if others.iter().any(|other| cases[*other] == record) {
                continue;
            }
            let taken = |attempt| others.iter().any(|other| cases[*other].attempt == attempt);
            while taken(record.attempt) {
                record.attempt += 1;
            }
            others.push(cases.len());
            cases.push(record);
        }
        Self::of(cases, shards)
    }

    /// Which part of a split run it is, where it is the report of one.
    pub fn part(&self) -> Option<Shard> {
        self.shards.first().copied().filter(|_| self.alone)
    }

    /// Parts of a split run that should be in here and are not.
    pub fn missing(&self) -> Vec<Shard> {
        if self.alone {
            return Vec::new();
        }
        let of: BTreeSet<u32> = self.shards.iter().map(|s| s.of).collect();
        of.into_iter()
            .flat_map(|of| (1..=of).map(move |number| Shard { number, of }))
            .filter(|shard| !self.shards.contains(shard))
            .collect()
    }
}
