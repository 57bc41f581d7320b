//! The counters of one place: events, levels with their extremes and their area over time, and peaks.

use super::super::metric::{Criterion, Measure, Metric, TABLE};

/// Seconds of the cloud's time in a window.
const WINDOW_SECONDS: f64 = 10.0;
/// In a second.
const NANOS: f64 = 1e9;
/// Metrics that are levels.
const LEVELS: usize = places(Measure::Level);
/// Metrics that are times.
const TIMES: usize = places(Measure::Time);

/// Counters of one zonal address, or of one target group there.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    /// By metric: events since the period began, or a level as it is now, or a peak's total over its ten seconds, or
    /// nanoseconds in all.
    pub(super) values: [u64; Metric::COUNT],
    levels: [Extent; LEVELS],
    times: [Taken; TIMES],
    /// A target is registered now; one was since the period began.
    registered: [bool; 2],
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

/// Times that were told since the period began.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    count: u64,
    /// Nanoseconds.
    least: u64,
    most: u64,
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
    /// Events; of a level or a peak: its value at the end; of a time: seconds in all.
    pub value: f64,
    /// Smallest.
    pub minimum: f64,
    /// Largest.
    pub maximum: f64,
    /// Over time; of a time: over those that were told.
    pub average: f64,
    /// How many were told; of anything but a time: 1, and 0 of what needs registered targets and had none.
    pub samples: u64,
}

/// Metrics of a measure before the one with this number.
const fn before(end: usize, measure: Measure) -> usize {
    let mut place = 0;
    let mut number = 0;
    while number < end {
        if TABLE[number].measure as u8 == measure as u8 {
            place += 1;
        }
        number += 1;
    }
    place
}

/// Metrics of a measure.
const fn places(measure: Measure) -> usize {
    before(Metric::COUNT, measure)
}

/// A level's place among the levels.
pub(super) const fn level(metric: Metric) -> Option<usize> {
    match metric.row().measure {
        Measure::Level => Some(before(metric as usize, Measure::Level)),
        Measure::Sum | Measure::Peak | Measure::Time => None,
    }
}

/// A time's place among the times.
const fn time(metric: Metric) -> Option<usize> {
    match metric.row().measure {
        Measure::Time => Some(before(metric as usize, Measure::Time)),
        Measure::Sum | Measure::Level | Measure::Peak => None,
    }
}

impl Cell {
    pub(super) const fn new() -> Self {
        const NEVER: Extent = Extent {
            least: 0,
            most: 0,
            area: 0,
            since: 0,
        };
        const NOTHING: Taken = Taken {
            count: 0,
            least: 0,
            most: 0,
        };
        Self {
            values: [0; Metric::COUNT],
            levels: [NEVER; LEVELS],
            times: [NOTHING; TIMES],
            registered: [false; 2],
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
        self.times = [Taken::default(); TIMES];
        self.registered[1] = self.registered[0];
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
        self.registered = other.registered;
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

    /// Whether targets are registered from now on.
    pub(super) fn register(&mut self, some: bool) {
        self.registered = [some, some || self.registered[1]];
    }

    /// There is something to report since the period began.
    pub(super) fn has_something(&self) -> bool {
        self.registered[1] || self.values.iter().any(|value| *value != 0)
    }

    /// Something took so many nanoseconds.
    pub(super) fn took(&mut self, metric: Metric, nanos: u64) {
        let Some(place) = time(metric) else {
            return;
        };
        self.values[metric as usize] += nanos;
        self.times[place].add(Taken {
            count: 1,
            least: nanos,
            most: nanos,
        });
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
                Measure::Sum | Measure::Time => self.values[number] += later.values[number],
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
        self.registered = [
            later.registered[0],
            self.registered[1] || later.registered[1],
        ];
        for (mine, later) in self.times.iter_mut().zip(&later.times) {
            mine.add(*later);
        }
    }

    pub(super) fn statistics(&self, metric: Metric, elapsed: u128) -> Statistics {
        let value = self.values[metric as usize] as f64;
        let row = metric.row();
        if row.criterion == Criterion::Registered && !self.registered[1] {
            return Statistics::default();
        }
        match row.measure {
            Measure::Sum => Statistics::of(value),
            Measure::Peak => Statistics::of(value / WINDOW_SECONDS),
            Measure::Level => {
                let extent = &self.levels[before(metric as usize, Measure::Level)];
                Statistics {
                    minimum: extent.least as f64,
                    maximum: extent.most as f64,
                    average: if elapsed == 0 {
                        value
                    } else {
                        extent.area as f64 / elapsed as f64
                    },
                    ..Statistics::of(value)
                }
            }
            Measure::Time => {
                let taken = self.times[before(metric as usize, Measure::Time)];
                Statistics {
                    value: value / NANOS,
                    minimum: taken.least as f64 / NANOS,
                    maximum: taken.most as f64 / NANOS,
                    average: value / NANOS / taken.count.max(1) as f64,
                    samples: taken.count,
                }
            }
        }
    }
}

impl Statistics {
    /// Of a single value.
    fn of(value: f64) -> Self {
        Self {
            value,
            minimum: value,
            maximum: value,
            average: value,
            samples: 1,
        }
    }
}

impl Taken {
    /// Those of later as well.
    fn add(&mut self, later: Self) {
        if later.count == 0 {
            return;
        }
        self.least = match self.count {
            0 => later.least,
            _ => self.least.min(later.least),
        };
        self.most = self.most.max(later.most);
        self.count += later.count;
    }
}
