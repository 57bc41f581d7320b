//! What is drawn with bars: connects of loads, states of targets, metrics by minute.

use crate::evidence::MetricEvidence;
use crate::report::{Stepped, Targeted};
use minijinja::Value;
use serde::Serialize;
use serde_json::Value as Json;

#[derive(Serialize)]
pub(super) struct Load {
    name: String,
    summary: String,
    by_target: Vec<(String, String)>,
    /// Upper bound, count, share of the largest in percent.
    bars: Vec<(String, u64, String)>,
}

#[derive(Serialize)]
pub(super) struct Target {
    name: String,
    /// Share of the width, state, words.
    states: Vec<(String, String, String)>,
}

#[derive(Serialize)]
pub(super) struct Metric {
    of: String,
    name: String,
    unit: String,
    sum: String,
    peak: String,
    minutes: Value,
}

/// A share for a style.
pub(super) fn percent(value: f64) -> String {
    format!("{:.2}", value.clamp(0.0, 100.0))
}

/// How the connects of a load went; none of another step.
pub(super) fn load(step: &Stepped) -> Option<Load> {
    let number = |name: &str| step.fields.get(name).and_then(Json::as_i64);
    let attempts = number("attempts")?;
    let quantiles = step.fields.get("connect_ms")?;
    let quantile = |name: &str| quantiles.get(name).and_then(Json::as_f64).unwrap_or(0.0);
    let histogram: Vec<(f64, u64)> = step
        .fields
        .get("connect_histogram")
        .and_then(|list| serde_json::from_value(list.clone()).ok())
        .unwrap_or_default();
    let most = histogram.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
    let by_target = step.fields.get("by_target").and_then(Json::as_object);
    Some(Load {
        name: step.name.clone(),
        summary: format!(
            "{} of {attempts} connected; connect(2) took {:.1} ms at least, {:.1} p50, {:.1} p90, {:.1} p99, {:.1} at most",
            number("connected").unwrap_or(0),
            quantile("min"),
            quantile("p50"),
            quantile("p90"),
            quantile("p99"),
            quantile("max")
        ),
        by_target: by_target
            .into_iter()
            .flatten()
            .filter(|(_, n)| n.as_i64() != Some(0))
            .map(|(target, n)| (target.clone(), n.to_string()))
            .collect(),
        bars: histogram
            .iter()
            .map(|(bound, n)| {
                (
                    bound.to_string(),
                    *n,
                    percent(100.0 * *n as f64 / most as f64),
                )
            })
            .collect(),
    })
}

/// The states of a target as a strip; none of one that kept its first.
pub(super) fn strip(target: &Targeted, end: f64) -> Option<Target> {
    if target.states.len() < 2 {
        return None;
    }
    let begin = target.states.iter().map(|s| s.at).fold(0.0, f64::min);
    let whole = (end - begin).max(1e-3);
    let ends = target.states.iter().skip(1).map(|s| s.at).chain([end]);
    let states = target.states.iter().zip(ends).map(|(state, until)| {
        let reason = if state.reason.is_empty() {
            String::new()
        } else {
            format!(" ({})", state.reason)
        };
        let words = format!("{}{reason} from {:.0} ms", state.state, state.at);
        (
            percent(100.0 * (until - state.at) / whole),
            state.state.clone(),
            words,
        )
    });
    Some(Target {
        name: format!("{}/{}", target.group, target.target),
        states: states.collect(),
    })
}

/// Of all zones together; none of a part.
pub(super) fn metric(metric: &MetricEvidence) -> Option<Metric> {
    if metric.dimension("AvailabilityZone").is_some() || metric.statistics.maximum <= 0.0 {
        return None;
    }
    let name = |dimension: &str| {
        let value = metric.dimension(dimension)?;
        value.split('/').nth(1).map(str::to_owned)
    };
    let mut of = name("LoadBalancer").unwrap_or_default();
    if let Some(group) = name("TargetGroup") {
        of = format!("{of}, {group}");
    }
    let sums: Vec<f64> = metric
        .datapoints
        .iter()
        .map(|point| point.statistics.sum)
        .collect();
    Some(Metric {
        of,
        name: metric.metric_name.clone(),
        unit: metric.unit.clone(),
        sum: figure(metric.statistics.sum),
        peak: figure(metric.statistics.maximum),
        minutes: Value::from_safe_string(minutes(&sums)),
    })
}

/// A bar for each minute.
fn minutes(sums: &[f64]) -> String {
    let most = sums.iter().copied().fold(1e-9, f64::max);
    let words: Vec<String> = sums.iter().map(|sum| figure(*sum)).collect();
    let mut out = format!(
        "<svg class=\"minutes\" role=\"img\" aria-label=\"by minute: {}\" width=\"{w}\" height=\"18\" viewBox=\"0 0 {w} 18\">",
        words.join(", "),
        w = 10 * sums.len().max(1)
    );
    for (i, sum) in sums.iter().enumerate() {
        let height = (16.0 * sum / most).clamp(1.0, 16.0);
        let (x, y) = (10 * i + 1, 17.0 - height);
        out.push_str(&format!(
            "<rect x=\"{x}\" y=\"{y:.1}\" width=\"8\" height=\"{height:.1}\"/>"
        ));
    }
    out.push_str("</svg>");
    out
}

fn figure(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}
