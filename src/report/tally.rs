//! Runs of the same case together: how often it held, how sure that is, how long it took.

use super::{Record, Report, Word};
use crate::verdict::Ruling;
use std::collections::BTreeMap;

/// z of a two-sided 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// Wilson's 95 % score interval for `k` successes out of `n`: sound near 0 and 1 and for few tries, where the
/// textbook interval has no width. `(0, 1)` for no tries.
pub fn wilson(k: u64, n: u64) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (k, n) = (k.min(n) as f64, n as f64);
    let (p, zz) = (k / n, Z * Z);
    let centre = (p + zz / (2.0 * n)) / (1.0 + zz / n);
    let half = Z / (1.0 + zz / n) * (p * (1.0 - p) / n + zz / (4.0 * n * n)).sqrt();
    // At the ends the formula gives 0 and 1 up to rounding; print them as such.
    let low = if k == 0.0 {
        0.0
    } else {
        (centre - half).max(0.0)
    };
    let high = if k == n {
        1.0
    } else {
        (centre + half).min(1.0)
    };
    (low, high)
}

/// One case's runs; never empty.
#[derive(Clone, Debug)]
pub struct Tally<'a> {
    /// In the order of the report.
    pub runs: Vec<&'a Record>,
}

/// A distribution, by nearest rank.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    /// Smallest.
    pub min: f64,
    /// Median.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// Largest.
    pub max: f64,
}

impl<'a> Tally<'a> {
    /// The run to tell of: the first that did not hold, else the first.
    pub fn shown(&self) -> &'a Record {
        self.failed().unwrap_or(self.runs[0])
    }

    /// The first run that did not hold; one that was interrupted only where there is no other.
    pub fn failed(&self) -> Option<&'a Record> {
        let mut bad = self.runs.iter().filter(|run| run.is_amiss());
        let told = bad.clone().find(|run| run.verdict != Word::Interrupted);
        told.or_else(|| bad.next()).copied()
    }

    /// Runs that were made; an interrupt takes the others, and what was done by hand is none.
    pub fn made(&self) -> usize {
        let none = [Word::Interrupted, Word::ByHand];
        let made = self.runs.iter();
        made.filter(|run| !none.contains(&run.verdict)).count()
    }

    /// Runs that held.
    pub fn held(&self) -> usize {
        self.runs.iter().filter(|run| run.holds()).count()
    }

    /// What the case came to over all runs: the worst of them.
    pub fn word(&self) -> Word {
        let severity = |word: Word| match word {
            Word::ByHand => 0,
            Word::Ruled(Ruling::Holds) => 1,
            Word::Interrupted => 2,
            Word::Ruled(Ruling::Inconclusive) => 3,
            Word::Ruled(Ruling::Fails) => 4,
            Word::Failure => 5,
        };
        let words = self.runs.iter().map(|run| run.verdict);
        words
            .max_by_key(|word| severity(*word))
            .unwrap_or(Word::Failure)
    }

    /// `10 of 11 runs held, 90.9 % (95 % interval 62.3 to 98.4 %)`; none of a single run.
    pub fn rate(&self) -> Option<String> {
        let (held, runs) = (self.held(), self.made());
        let (low, high) = wilson(held as u64, runs as u64);
        (runs > 1).then(|| {
            format!(
                "{held} of {runs} runs held, {:.1} % (95 % interval {:.1} to {:.1} %)",
                100.0 * held as f64 / runs as f64,
                100.0 * low,
                100.0 * high
            )
        })
    }

    /// Seconds from the first step to the last, over the runs that have evidence; none when none has.
    pub fn seconds(&self) -> Option<Times> {
        times(self.runs.iter().filter_map(|run| run.seconds).collect())
    }

    /// Milliseconds that each step took over the runs in which it ended without error, in the order of the steps.
    pub fn steps(&self) -> Vec<(&'a str, Times)> {
        let mut names: Vec<&str> = Vec::new();
        let mut taken: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for step in self.runs.iter().flat_map(|run| &run.steps) {
            if !names.contains(&step.name.as_str()) {
                names.push(&step.name);
            }
            if step.ok {
                taken.entry(&step.name).or_default().push(step.ms);
            }
        }
        let told = |name: &'a str| Some((name, times(taken.remove(name)?)?));
        names.into_iter().filter_map(told).collect()
    }
}

fn times(mut list: Vec<f64>) -> Option<Times> {
    list.sort_by(f64::total_cmp);
    let rank = |share: f64| {
        let place = (share * list.len() as f64).ceil() as usize;
        list.get(place.max(1) - 1).copied()
    };
    Some(Times {
        min: *list.first()?,
        p50: rank(0.5)?,
        p90: rank(0.9)?,
        max: *list.last()?,
    })
}

/// By lab and case, in order of first appearance.
pub fn tallies(report: &Report) -> Vec<Tally<'_>> {
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut tallies: Vec<Tally> = Vec::new();
    for record in &report.cases {
        let key = (record.lab.as_str(), record.case.as_str());
        let place = *places.entry(key).or_insert_with(|| {
            tallies.push(Tally { runs: Vec::new() });
            tallies.len() - 1
        });
        tallies[place].runs.push(record);
    }
    tallies
}

/// The same, lab by lab.
pub fn by_lab(report: &Report) -> Vec<(&str, Vec<Tally<'_>>)> {
    let mut labs: Vec<(&str, Vec<Tally>)> = Vec::new();
    for tally in tallies(report) {
        let lab = tally.runs[0].lab.as_str();
        match labs.last_mut() {
            Some((last, cases)) if *last == lab => cases.push(tally),
            Some(_) | None => labs.push((lab, vec![tally])),
        }
    }
    labs
}
