//! What the fixes of its lab are worth, on record for each finding of a fault.

use super::Record;
use crate::plan::Kind;
use crate::report::proof::{Remedy, Run, remedies};
use crate::report::words::result_word;
use std::collections::BTreeMap;

impl<'a> From<&'a Record> for Run<'a> {
    fn from(record: &'a Record) -> Self {
        Self {
            case: &record.case,
            holds: record.holds(),
            why: format!(
                "{}: {}",
                result_word(record.verdict, record.kind),
                record.why()
            ),
            kinds: record.findings.iter().map(|f| f.kind.as_str()).collect(),
        }
    }
}

/// Says of every finding of every fault what the fixes of its lab are worth.
pub(super) fn prove(cases: &mut [Record]) {
    let mut labs: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, record) in cases.iter().enumerate() {
        labs.entry(record.lab.clone()).or_default().push(place);
    }
    for places in labs.values() {
        let runs: Vec<Run> = places.iter().map(|one| Run::from(&cases[*one])).collect();
        let told = |place: &usize| {
            let record = &cases[*place];
            let findings = record.findings.iter();
            findings
                .map(|finding| remedies(&record.fixes, &runs, &finding.kind))
                .collect::<Vec<_>>()
        };
        let faults = places.iter().filter(|one| cases[**one].kind == Kind::Fault);
        let all: Vec<(usize, Vec<Vec<Remedy>>)> =
            faults.map(|place| (*place, told(place))).collect();
        for (place, told) in all {
            for (finding, remedies) in cases[place].findings.iter_mut().zip(told) {
                finding.fixes = remedies;
            }
        }
    }
}
