//! What is drawn: connects of loads, states of targets, metrics by minute.

use super::quantities::{Clock, percent};
use crate::evidence::Datapoint;
use crate::report::metrics::{Statistic, figure};
use crate::report::record::OverTime;
use crate::report::{Stepped, Targeted};
use minijinja::Value;
use serde::Serialize;
use serde_json::Value as Json;

#[derive(Serialize)]
pub(super) struct Load {
    name: String,
    summary: String,
    by_target: Vec<(String, String)>,
    /// By error word, by status of HTTP answers.
    errors: Vec<(String, String)>,
    status: Vec<(String, String)>,
    /// Upper bound, count, share of the largest in percent.
    bars: Vec<(String, u64, String)>,
    /// What it is about, and the picture.
    charts: Vec<(&'static str, Value)>,
}

#[derive(Serialize)]
pub(super) struct Target {
    name: String,
    /// Share of the width, state, words; the latter empty before the first.
    states: Vec<(String, String, String)>,
}

/// How the connects of a load went; none of another step.
pub(super) fn load(step: &Stepped) -> Option<Load> {
    let number = |name: &str| step.fields.get(name).and_then(Json::as_i64);
    let attempts = number("attempts")?;
    let connected = number("connected").unwrap_or(0);
    let quantiles = step.fields.get("connect_ms")?;
    let quantile = |name: &str| quantiles.get(name).and_then(Json::as_f64).unwrap_or(0.0);
    let histogram: Vec<(f64, u64)> = step
        .fields
        .get("connect_histogram")
        .and_then(|list| serde_json::from_value(list.clone()).ok())
        .unwrap_or_default();
    let tally = |name: &str| -> Vec<(String, String)> {
        let counts = step.fields.get(name).and_then(Json::as_object);
        let counts = counts.into_iter().flatten();
        counts
            .filter(|(_, n)| n.as_i64() != Some(0))
            .map(|(what, n)| (what.clone(), n.to_string()))
            .collect()
    };
    let chart = |name: &str, title: &'static str| {
        let over: OverTime = serde_json::from_value(step.fields.get(name)?.clone()).ok()?;
        Some((title, Value::from_safe_string(over_time(&over, title))))
    };
    let charts: Vec<_> = [
        chart(
            "connect_over_time",
            "connect(2) by the time when it was called",
        ),
        chart(
            "answer_over_time",
            "HTTP answers by the time when they were asked for",
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    // The picture over time has the same counts at its right.
    let histogram = if charts.is_empty() {
        histogram
    } else {
        Vec::new()
    };
    Some(Load {
        name: step.name.clone(),
        summary: how_many(connected, attempts, quantile),
        by_target: tally("by_target"),
        errors: tally("errors"),
        status: tally("status"),
        bars: bars(&histogram),
        charts,
    })
}

/// How many connected, and how long that took.
fn how_many(connected: i64, attempts: i64, quantile: impl Fn(&str) -> f64) -> String {
    if connected == 0 {
        return format!("0 of {attempts} connected");
    }
    format!(
        "{connected} of {attempts} connected; connect(2) took {:.1} ms at least, {:.1} p50, {:.1} p90, {:.1} p99, {:.1} at most",
        quantile("min"),
        quantile("p50"),
        quantile("p90"),
        quantile("p99"),
        quantile("max")
    )
}

/// Upper bound, count, and share of the width, which is the longest one's.
fn bars(histogram: &[(f64, u64)]) -> Vec<(String, u64, String)> {
    let most = histogram.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
    let width = |n: u64| percent(100.0 * n as f64 / most as f64);
    let bars = histogram.iter();
    bars.map(|(bound, n)| (bound.to_string(), *n, width(*n)))
        .collect()
}

/// Of a cell of the chart.
const CELL: (usize, usize) = (11, 15);
/// Left of the cells.
const LEFT: usize = 92;
/// Right of them, for the sum of a row.
const RIGHT: usize = 56;

/// A column a span of time, a row a span of durations, the darker the more; what failed is a row of its own.
fn over_time(over: &OverTime, title: &str) -> String {
    let powers = || over.took.iter().map(|(_, power, _)| *power);
    let (low, high) = (powers().min().unwrap_or(0), powers().max().unwrap_or(-1));
    let top = usize::from(!over.failed.is_empty());
    let rows = (high - low + 1).max(0) as usize + top;
    let (width, height) = (LEFT + CELL.0 * over.columns + RIGHT, CELL.1 * rows + 22);
    let failed: usize = over.failed.iter().map(|(_, n)| *n).sum();
    let took: usize = over.took.iter().map(|(_, _, n)| *n).sum();
    let mut out = format!(
        "<svg class=\"times\" role=\"img\" aria-label=\"{title}: {took} ended well, {failed} failed\" width=\"{width}\" \
         height=\"{height}\" viewBox=\"0 0 {width} {height}\">"
    );
    let right = LEFT + CELL.0 * over.columns;
    let mut label = |row: usize, text: &str, sum: usize| {
        let y = CELL.1 * row + 11;
        out.push_str(&format!(
            "<text x=\"{}\" y=\"{y}\">{text}</text><text class=\"first\" x=\"{}\" y=\"{y}\">{sum}</text>",
            LEFT - 6,
            right + 6
        ));
    };
    if top > 0 {
        label(0, "failed", failed);
    }
    let row_of = |power: i32| top + (high - power) as usize;
    for power in low..=high {
        let of_row = over.took.iter().filter(|(_, one, _)| *one == power);
        let sum = of_row.map(|(_, _, n)| *n).sum();
        label(
            row_of(power),
            &format!("to {} ms", f64::from(power).exp2()),
            sum,
        );
    }
    let most = over.took.iter().map(|(_, _, n)| *n).max().unwrap_or(1);
    let mut cell = |column: usize, row: usize, n: usize, most: usize, class: &str| {
        let (x, y) = (LEFT + CELL.0 * column, CELL.1 * row + 1);
        let opacity = 0.3 + 0.7 * n as f64 / most.max(1) as f64;
        out.push_str(&format!(
            "<rect{class} x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" fill-opacity=\"{opacity:.2}\"><title>{n}</title></rect>",
            CELL.0 - 1,
            CELL.1 - 2
        ));
    };
    let worst = over.failed.iter().map(|(_, n)| *n).max().unwrap_or(1);
    for (column, n) in &over.failed {
        cell(*column, 0, *n, worst, " class=\"no\"");
    }
    for (column, power, n) in &over.took {
        cell(*column, row_of(*power), *n, most, "");
    }
    out.push_str(&format!(
        "<text class=\"first\" x=\"{LEFT}\" y=\"{y}\">{:.0} ms</text><text x=\"{right}\" y=\"{y}\">{:.0} ms</text></svg>",
        over.begin,
        over.end,
        y = height - 6
    ));
    out
}

/// The states of a target as a strip, with a gap before the first of one that came later; none of one that kept its first.
pub(super) fn strip(target: &Targeted, end: f64, clock: Clock) -> Option<Target> {
    if target.states.len() < 2 {
        return None;
    }
    let first = target.states.first()?.at;
    let begin = target.states.iter().map(|s| s.at).fold(0.0, f64::min);
    let whole = (end - begin).max(1e-3);
    let gap = (
        percent(100.0 * (first - begin) / whole),
        String::new(),
        String::new(),
    );
    let ends = target.states.iter().skip(1).map(|s| s.at).chain([end]);
    let states = target.states.iter().zip(ends).map(|(state, until)| {
        let reason = if state.reason.is_empty() {
            String::new()
        } else {
            format!(" ({})", state.reason)
        };
        let words = format!("{}{reason} from {}", state.state, clock.both(state.at));
        (
            percent(100.0 * (until - state.at) / whole),
            state.state.clone(),
            words,
        )
    });
    Some(Target {
        name: format!("{}/{}", target.group, target.target),
        states: (first > begin)
            .then_some(gap)
            .into_iter()
            .chain(states)
            .collect(),
    })
}

/// Data points whose figures are told; of more there are bars alone.
const FIGURES: usize = 8;

/// A bar for each minute from the first data point to the last; nothing of one that has a single one.
pub(super) fn minutes(points: &[Datapoint], statistic: Statistic) -> Value {
    if points.len() < 2 {
        return Value::from("");
    }
    let values = points.iter().map(|point| statistic.value(point.statistics));
    let values: Vec<f64> = values.collect();
    let most = values.iter().copied().fold(1e-9, f64::max);
    let minute = |point: &Datapoint| minute(&point.timestamp);
    let first = minute(&points[0]);
    let places: Vec<usize> = points
        .iter()
        .map(|p| minute(p) - first.min(minute(p)))
        .collect();
    let words: Vec<String> = values.iter().map(|value| figure(*value)).collect();
    let width = 10 * (places.iter().max().copied().unwrap_or(0) + 1).min(120);
    let mut out = format!(
        "<svg class=\"minutes\" role=\"img\" aria-label=\"{}\" width=\"{width}\" height=\"18\" viewBox=\"0 0 {width} 18\">",
        words.join(", "),
    );
    for (place, value) in places.iter().zip(&values) {
        let height = (16.0 * value / most).clamp(1.0, 16.0);
        let (x, y) = (10 * place + 1, 17.0 - height);
        out.push_str(&format!(
            "<rect x=\"{x}\" y=\"{y:.1}\" width=\"8\" height=\"{height:.1}\"/>"
        ));
    }
    out.push_str("</svg>");
    if words.len() <= FIGURES {
        out.push_str(&format!(" {}", words.join(" ")));
    }
    Value::from_safe_string(out)
}

/// The minute of a timestamp `2026-01-01T00:05:00Z` within its month; 0 of what is none.
fn minute(timestamp: &str) -> usize {
    let part = |range: std::ops::Range<usize>| {
        let digits = timestamp.get(range).and_then(|text| text.parse().ok());
        digits.unwrap_or(0usize)
    };
    (part(8..10) * 24 + part(11..13)) * 60 + part(14..16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Stated;

    #[test]
    fn the_states_of_a_target_stand_where_it_had_them() {
        let told = |states: &[(f64, &str)]| {
            let states = states.iter().map(|(at, state)| Stated {
                at: *at,
                state: (*state).to_owned(),
                reason: String::new(),
            });
            let target = Targeted {
                group: "web".into(),
                target: "web1".into(),
                states: states.collect(),
            };
            let strip = strip(&target, 1000.0, Clock(1.0))?;
            let parts = strip.states.into_iter();
            Some(
                parts
                    .map(|(width, state, _)| (width, state))
                    .collect::<Vec<_>>(),
            )
        };
        let part = |width: &str, state: &str| (width.to_owned(), state.to_owned());
        assert_eq!(told(&[(0.0, "healthy")]), None);
        assert_eq!(
            told(&[(-250.0, "initial"), (0.0, "healthy")]),
            Some(vec![part("20.00", "initial"), part("80.00", "healthy")])
        );
        // Registered in the middle of the story.
        assert_eq!(
            told(&[(500.0, "initial"), (750.0, "healthy")]),
            Some(vec![
                part("50.00", ""),
                part("25.00", "initial"),
                part("25.00", "healthy")
            ])
        );
    }
}
