//! CloudWatch's metrics: those that tell of trouble, and all.

use super::{Table, heads};
use crate::evidence::MetricEvidence;
use crate::report::Record;
use crate::report::html::charts::minutes;
use crate::report::metrics::{Statistic, figure};
use minijinja::Value;

/// Parts of the names of metrics that count trouble.
const TROUBLE: [&str; 14] = [
    "Reset",
    "Error",
    "Rejected",
    "Unhealthy",
    "UnHealthy",
    "Blocked",
    "HTTPCode_ELB",
    "_5XX",
    "Spillover",
    "SurgeQueue",
    "Failed",
    "Timeout",
    "Drop",
    "dropped",
];

/// Those that count trouble or say how many are well; and all of them.
pub(super) fn metrics(record: &Record) -> (Option<Table>, Option<Table>) {
    let shown = |metric: &&MetricEvidence| {
        metric.dimension("AvailabilityZone").is_none() && metric.statistics.maximum > 0.0
    };
    let telling = |metric: &&MetricEvidence| {
        let name = metric.metric_name.as_str();
        TROUBLE.iter().any(|part| name.contains(part)) || changes(metric, "HostCount")
    };
    let shown: Vec<&MetricEvidence> = record.metrics.iter().filter(shown).collect();
    let some: Vec<&MetricEvidence> = shown.iter().copied().filter(|m| telling(m)).collect();
    let table = |title, list: &[&MetricEvidence]| {
        let head = heads(&[
            "of",
            "metric",
            "statistic",
            "#over the whole case",
            "unit",
            "the same by minute of cloud time",
        ]);
        Table::of(title, head, list.iter().map(|m| metric(m)).collect())
    };
    let all = table("All CloudWatch metrics, of all zones together", &shown);
    (
        table("CloudWatch metrics that tell of trouble", &some),
        all.map(Table::folded),
    )
}

/// A level that was not always the same.
fn changes(metric: &MetricEvidence, name: &str) -> bool {
    let values = metric.datapoints.iter().map(|point| point.statistics.sum);
    let values: Vec<f64> = values.collect();
    metric.metric_name.contains(name) && values.iter().any(|value| *value != values[0])
}

fn metric(metric: &MetricEvidence) -> Vec<Value> {
    // `net/front/0123456789abcdef`; of a classic balancer the name alone.
    let name = |dimension: &str| {
        let value = metric.dimension(dimension)?;
        Some(value.split('/').nth(1).unwrap_or(value).to_owned())
    };
    let named = metric.dimensions.iter();
    let of: Vec<String> = named
        .filter_map(|dimension| name(&dimension.name))
        .collect();
    let statistic = Statistic::of(metric);
    vec![
        of.join(", ").into(),
        metric.metric_name.clone().into(),
        statistic.name().into(),
        figure(statistic.value(metric.statistics)).into(),
        metric.unit.clone().into(),
        minutes(&metric.datapoints, statistic),
    ]
}
