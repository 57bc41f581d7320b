//! The counters of one place: events, levels with their extremes and their area over time, and peaks.

use super::super::metric::{Measure, Metric, TABLE};

/// Seconds of the cloud's time in a window.
const WINDOW_SECONDS: f64 = 10.0;
/// Metrics that are levels.
const LEVELS: usize = 9;

/// Counters of one zonal address, or of one target group there.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    /// By metric: events since the period began, or a level as it is now, or a peak's total over its ten seconds.
    pub(super) values: [u64; Metric::COUNT],
    levels: [Extent; LEVELS],
    pub(super) window: Window,
}

/// How a level went since the period began.
#[derive(Clone, Copy, Debug, Default)]
struct Extent {
    least: u64,
    most: u64,
    /// Level times nanoseconds, up to `since`.
    area: u128,
    since: u64,
}

/// Traffic of the ten seconds now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    pub(super) until: u64,
    pub(super) bytes: u64,
    pub(super) packets: u64,
}

/// A metric over some time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Events; of a level or a peak: its value at the end.
    pub value: f64,
    /// Smallest.
    pub minimum: f64,
    /// Largest.
    pub maximum: f64,
    /// Over time.
    pub average: f64,
}

/// A level's place among the levels.
pub(super) const fn level(metric: Metric) -> Option<usize> {
    let mut place = 0;
    let mut number = 0;
    while number < metric as usize {
        if matches!(TABLE[number].measure, Measure::Level) {
            place += 1;
        }
        number += 1;
    }
    match metric.row().measure {
        Measure::Level => Some(place),
        Measure::Sum | Measure::Peak => None,
    }
}

const _: () = assert!(
    matches!(level(Metric::ActiveConnectionCount), Some(last) if last + 1 == LEVELS),
    "a place for every level"
);

impl Cell {
    pub(super) const fn new() -> Self {
        const NEVER: Extent = Extent {
            least: 0,
            most: 0,
            area: 0,
            since: 0,
        };
        Self {
            values: [0; Metric::COUNT],
            levels: [NEVER; LEVELS],
            window: Window {
                until: 0,
                bytes: 0,
                packets: 0,
            },
        }
    }

    /// Nothing counted from now on, levels as they are.
    pub(super) fn begin(&mut self, now: u64) {
        self.window = Window::default();
        for row in TABLE {
            match level(row.metric) {
                Some(place) => {
                    let value = self.values[row.metric as usize];
                    self.levels[place] = Extent {
                        least: value,
                        most: value,
                        area: 0,
                        since: now,
                    };
                }
                None => self.values[row.metric as usize] = 0,
            }
        }
    }

    pub(super) fn adopt_levels(&mut self, other: &Cell) {
        self.levels = other.levels;
        for row in TABLE {
            if level(row.metric).is_some() {
                self.values[row.metric as usize] = other.values[row.metric as usize];
            }
        }
    }

    pub(super) fn set(&mut self, now: u64, metric: Metric, value: u64) {
        let slot = &mut self.values[metric as usize];
        let Some(place) = level(metric) else {
            return;
        };
        let extent = &mut self.levels[place];
        extent.area += u128::from(*slot) * u128::from(now.saturating_sub(extent.since));
        extent.since = extent.since.max(now);
        extent.least = extent.least.min(value);
        extent.most = extent.most.max(value);
        *slot = value;
    }

    /// Brings areas and peaks up to a moment.
    pub(super) fn close(&mut self, now: u64) {
        self.fold();
        for row in TABLE {
            if level(row.metric).is_some() {
                self.set(now, row.metric, self.values[row.metric as usize]);
            }
        }
    }

    /// A window is over.
    pub(super) fn fold(&mut self) {
        let Window { bytes, packets, .. } = std::mem::take(&mut self.window);
        for (metric, total) in [
            (Metric::PeakBytesPerSecond, bytes),
            (Metric::PeakPacketsPerSecond, packets),
        ] {
            let peak = &mut self.values[metric as usize];
            *peak = (*peak).max(total);
        }
    }

    /// Adds what came after.
    pub(super) fn merge(&mut self, later: &Cell) {
        for row in TABLE {
            let number = row.metric as usize;
            match row.measure {
                Measure::Sum => self.values[number] += later.values[number],
                Measure::Level => self.values[number] = later.values[number],
                Measure::Peak => {
                    self.values[number] = self.values[number].max(later.values[number]);
                }
            }
        }
        for (mine, later) in self.levels.iter_mut().zip(&later.levels) {
            mine.least = mine.least.min(later.least);
            mine.most = mine.most.max(later.most);
            mine.area += later.area;
        }
    }

    pub(super) fn statistics(&self, metric: Metric, elapsed: u128) -> Statistics {
        let value = self.values[metric as usize] as f64;
        match level(metric) {
            Some(place) => {
                let extent = &self.levels[place];
                Statistics {
                    value,
                    minimum: extent.least as f64,
                    maximum: extent.most as f64,
                    average: if elapsed == 0 {
                        value
                    } else {
                        extent.area as f64 / elapsed as f64
                    },
                }
            }
            None => {
                let value = match metric.row().measure {
                    Measure::Sum | Measure::Level => value,
                    Measure::Peak => value / WINDOW_SECONDS,
                };
                Statistics {
                    value,
                    minimum: value,
                    maximum: value,
                    average: value,
                }
            }
        }
    }
}
