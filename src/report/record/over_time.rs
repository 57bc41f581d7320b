//! How long things took, over the time when they were begun: counts in a grid, whose size does not grow with the load.

use crate::evidence::{Evidence, Load};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Spans of time.
const COLUMNS: usize = 48;
/// Of fewer a grid tells nothing.
const LEAST: usize = 10;
/// Powers of two that durations can have, in ms: from 1/8 ms to 35 years.
const POWERS: RangeInclusive<i32> = -3..=40;
/// More than one load can have.
const MOST: usize = u32::MAX as usize;
/// From here on an HTTP status is a failure.
const BAD_STATUS: i64 = 400;

/// The grid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::report) struct OverTime {
    /// Where the first column begins, ms.
    pub begin: f64,
    /// Where the last one ends, ms.
    pub end: f64,
    /// How many there are.
    pub columns: usize,
    /// Column, power of two of the upper bound in ms, count.
    pub took: Vec<(usize, i32, usize)>,
    /// Column and count of those that failed.
    pub failed: Vec<(usize, usize)>,
}

impl OverTime {
    /// connect(2) of a load.
    pub(super) fn of_connects(load: &Load, evidence: &Evidence) -> Option<Self> {
        let connections = load
            .connections
            .iter()
            .filter_map(|c| evidence.connections.get(*c));
        Self::of(connections.map(|c| (c.at, c.error.is_empty().then_some(c.ms))))
    }

    /// Its HTTP answers.
    pub(super) fn of_answers(load: &Load) -> Option<Self> {
        let answers = load.answers.iter();
        Self::of(
            answers.map(|answer| (answer.at, (answer.status < BAD_STATUS).then_some(answer.ms))),
        )
    }

    /// True of what this program can have made.
    pub(super) fn is_bounded(&self) -> bool {
        let cells = self.took.iter().map(|(column, _, n)| (*column, *n));
        let mut cells = cells.chain(self.failed.iter().copied());
        let mut powers = self.took.iter().map(|(_, power, _)| power);
        self.columns == COLUMNS
            && powers.all(|power| POWERS.contains(power))
            && cells.all(|(column, n)| column < COLUMNS && n <= MOST)
    }

    /// Of moments and durations, none for what failed.
    fn of(list: impl Iterator<Item = (f64, Option<f64>)>) -> Option<Self> {
        let list: Vec<(f64, Option<f64>)> = list.collect();
        if list.len() < LEAST {
            return None;
        }
        let begin = list.iter().map(|(at, _)| *at).fold(f64::INFINITY, f64::min);
        let end = list.iter().map(|(at, _)| *at).fold(begin, f64::max);
        let span = (end - begin).max(1e-3);
        let column = |at: f64| {
            let place = (at - begin) / span * COLUMNS as f64;
            (place as usize).min(COLUMNS - 1)
        };
        let mut took: BTreeMap<(usize, i32), usize> = BTreeMap::new();
        let mut failed: BTreeMap<usize, usize> = BTreeMap::new();
        for (at, ms) in list {
            match ms {
                Some(ms) => *took.entry((column(at), power(ms))).or_default() += 1,
                None => *failed.entry(column(at)).or_default() += 1,
            }
        }
        let took = took.into_iter();
        Some(Self {
            begin,
            end,
            columns: COLUMNS,
            took: took
                .map(|((column, power), n)| (column, power, n))
                .collect(),
            failed: failed.into_iter().collect(),
        })
    }
}

/// The power of two, in ms, that bounds a duration; 1/8 ms at least.
pub(super) fn power(ms: f64) -> i32 {
    ms.max(0.125).log2().ceil() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_and_what_took_long_stand_where_they_began() {
        let moments = (0..48).map(|i| (f64::from(i), if i == 47 { None } else { Some(3.0) }));
        let grid = OverTime::of(moments.chain([(0.0, Some(1_000.0))])).expect("a grid");
        assert_eq!((grid.begin, grid.end, grid.columns), (0.0, 47.0, COLUMNS));
        assert_eq!(grid.failed, [(47, 1)]);
        assert_eq!(&grid.took[..2], [(0, 2, 1), (0, 10, 1)]);
        let all: usize = grid.took.iter().map(|(_, _, n)| n).sum();
        assert_eq!(all, 48);
        assert_eq!(OverTime::of((0..9).map(|i| (f64::from(i), None))), None);
    }
}
