//! CloudWatch metrics as a table: a row for each metric that was reported, a column for all zones and for each.

use super::Outcome;
use crate::evidence::{Evidence, MetricEvidence, MetricStatistics};
use crate::fabric::config::NatProfile;
use crate::fabric::metric::{Measure, Metric, Namespace, TABLE};
use crate::report::wrap::wrap;
use serde_json::{Value, json};

/// Columns of what is said under the tables.
const WIDTH: usize = 76;

/// Which of a metric's statistics tells most.
#[derive(Clone, Copy)]
pub(super) enum Statistic {
    Sum,
    Average,
    Minimum,
    Maximum,
}

impl Statistic {
    /// "The most useful statistic" of AWS's page; of levels the extreme, which a story of seconds is about, except for
    /// hosts of classic balancers, where the page has the average.
    pub(super) fn of(metric: &MetricEvidence) -> Self {
        let name = metric.metric_name.as_str();
        if metric.namespace == Namespace::Classic.name() && name.ends_with("HostCount") {
            return Self::Average;
        }
        let vendors = [NatProfile::Aws, NatProfile::Azure, NatProfile::Google];
        let mut gateways = vendors.iter().flat_map(|vendor| vendor.metrics());
        if gateways.any(|metric| metric.name == name && metric.is_level) {
            return Self::Maximum;
        }
        let row = TABLE.iter().find(|row| row.name == name);
        match row.map(|row| (row.metric, row.measure)) {
            Some((Metric::ZonalHealthStatus, _)) => Self::Minimum,
            // AWS's page has no Sum of it.
            Some((Metric::RejectedFlowCount, _)) => Self::Maximum,
            Some((_, Measure::Level | Measure::Peak)) => Self::Maximum,
            Some((_, Measure::Time)) => Self::Average,
            Some((_, Measure::Sum)) | None => Self::Sum,
        }
    }

    /// As CloudWatch calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sum => "Sum",
            Self::Average => "Average",
            Self::Minimum => "Minimum",
            Self::Maximum => "Maximum",
        }
    }

    /// Over the whole case, or in one of its periods.
    pub(super) fn value(self, of: MetricStatistics) -> f64 {
        match self {
            Self::Sum => of.sum,
            Self::Average => of.average,
            Self::Minimum => of.minimum,
            Self::Maximum => of.maximum,
        }
    }
}

/// Under the tables: what a value is of.
const MEANING: &str = "Each value is the statistic beside it over the whole case: of a Sum what came together, of a Maximum or \
                       Minimum the extreme of any minute, of an Average the mean over the case's time or of all that was \
                       measured.";
/// Under tables of balancers, besides.
const ZONES: &str =
    " All zones: of the metric without the AvailabilityZone dimension, as CloudWatch has it.";

/// The tables of a case, a balancer or target group each; empty when nothing was reported.
pub fn table(evidence: &Evidence) -> String {
    let mut out = String::new();
    for (balancer, record) in &evidence.load_balancers {
        let own = |metric: &&MetricEvidence| balancer_of(metric) == Some(balancer);
        let metrics: Vec<&MetricEvidence> = evidence.metrics.iter().filter(own).collect();
        let mut groups: Vec<Option<&str>> = vec![None];
        for metric in &metrics {
            let group = name_of(metric, "TargetGroup");
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        let zones: Vec<&str> = record.zones.keys().map(String::as_str).collect();
        for group in groups {
            let of_group = |metric: &&&MetricEvidence| name_of(metric, "TargetGroup") == group;
            let metrics: Vec<&MetricEvidence> = metrics.iter().filter(of_group).copied().collect();
            if metrics.is_empty() {
                continue;
            }
            let title = match group {
                None => balancer.clone(),
                Some(group) => format!("{balancer}, target group {group}"),
            };
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(&one(&title, &metrics, &zones));
        }
    }
    for gateway in evidence.nat_gateways.keys() {
        let own = |metric: &&MetricEvidence| {
            let names = GATEWAYS.iter().filter_map(|name| name_of(metric, name));
            names.into_iter().any(|name| name == gateway)
        };
        let metrics: Vec<&MetricEvidence> = evidence.metrics.iter().filter(own).collect();
        if metrics.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&one(gateway, &metrics, &[]));
    }
    if !out.is_empty() {
        out.push('\n');
        let zones = match evidence
            .metrics
            .iter()
            .any(|one| balancer_of(one).is_some())
        {
            true => ZONES,
            false => "",
        };
        for line in wrap(&format!("{MEANING}{zones}"), WIDTH) {
            out.push_str(&format!("{line}\n"));
        }
    }
    out
}

/// Dimensions that name a NAT gateway, by vendor.
const GATEWAYS: [&str; 3] = ["NatGatewayId", "ResourceId", "gateway_name"];

/// The balancer that a metric is of: a classic one's name stands alone.
fn balancer_of(metric: &MetricEvidence) -> Option<&str> {
    metric
        .dimension("LoadBalancerName")
        .or_else(|| name_of(metric, "LoadBalancer"))
}

/// `front` of `net/front/0123456789abcdef`.
fn name_of<'a>(metric: &'a MetricEvidence, dimension: &str) -> Option<&'a str> {
    metric.dimension(dimension)?.split('/').nth(1)
}

fn one(title: &str, metrics: &[&MetricEvidence], zones: &[&str]) -> String {
    let mut names: Vec<(&str, Statistic)> = Vec::new();
    for metric in metrics {
        let name = metric.metric_name.as_str();
        if names.iter().all(|(known, _)| *known != name) {
            names.push((name, Statistic::of(metric)));
        }
    }
    let at = |name: &str, zone: Option<&str>| {
        metrics
            .iter()
            .find(|metric| {
                metric.metric_name == name && metric.dimension("AvailabilityZone") == zone
            })
            .map_or("-".to_owned(), |metric| {
                figure(Statistic::of(metric).value(metric.statistics))
            })
    };
    let whole = if zones.is_empty() {
        "value"
    } else {
        "all zones"
    };
    let mut head = vec![title.to_owned(), "statistic".to_owned(), whole.to_owned()];
    head.extend(zones.iter().map(|zone| (*zone).to_owned()));
    let mut rows = vec![head];
    for (name, statistic) in names {
        let mut row = vec![name.to_owned(), statistic.name().to_owned(), at(name, None)];
        row.extend(zones.iter().map(|zone| at(name, Some(zone))));
        rows.push(row);
    }
    let widths: Vec<usize> = (0..zones.len() + 3)
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for row in rows {
        let mut line = format!(
            "{:<w$}  {:<v$}",
            row[0],
            row[1],
            w = widths[0],
            v = widths[1]
        );
        for (cell, width) in row.iter().zip(&widths).skip(2) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Whole where it is whole; of fractions at least the first two digits that are not 0.
pub(super) fn figure(value: f64) -> String {
    if value.fract() == 0.0 {
        return format!("{value:.0}");
    }
    let zeros = (-value.abs().log10()).floor();
    // A double has no more digits than this.
    let places = if zeros > 0.0 {
        zeros.min(15.0) as usize + 2
    } else {
        1
    };
    format!("{value:.places$}")
}

/// What a NAT gateway counts when it cannot do as it should.
const GATEWAY_TROUBLES: [&str; 4] = [
    "ErrorPortAllocation",
    "IdleTimeoutCount",
    "SnatConnectionCount.Failed",
    "dropped_sent_packets_count.OUT_OF_RESOURCES",
];

/// What went wrong by the balancers' and gateways' own count, for one line: `front TCP_ELB_Reset_Count 2`.
pub(super) fn troubles(evidence: &Evidence) -> Vec<String> {
    let telling = [
        Metric::TcpElbResetCount,
        Metric::TcpTargetResetCount,
        Metric::TcpClientResetCount,
        Metric::RejectedFlowCount,
        Metric::PortAllocationErrorCount,
        Metric::UnhealthyRoutingFlowCount,
        Metric::SecurityGroupBlockedInboundTcp,
        Metric::SecurityGroupBlockedInboundUdp,
        Metric::SecurityGroupBlockedInboundIcmp,
        Metric::SecurityGroupBlockedOutboundTcp,
        Metric::SecurityGroupBlockedOutboundUdp,
        Metric::SecurityGroupBlockedOutboundIcmp,
        Metric::ClientTlsNegotiationErrorCount,
        Metric::TargetTlsNegotiationErrorCount,
        Metric::BackendConnectionErrors,
        Metric::SurgeQueueLength,
        Metric::SpilloverCount,
        Metric::UnhealthyRoutingRequestCount,
        Metric::TargetConnectionErrorCount,
        Metric::HttpCodeElb4xx,
        Metric::HttpCodeElb500,
        Metric::HttpCodeElb502,
        Metric::HttpCodeElb503,
        Metric::HttpCodeElb504,
        Metric::HttpCodeTarget5xx,
    ];
    let gateways = evidence.nat_gateways.iter();
    let gateways = gateways.flat_map(|(name, record)| {
        GATEWAY_TROUBLES.iter().filter_map(move |metric| {
            let value = record.metrics.get(*metric).filter(|value| **value > 0)?;
            Some(format!("{name} {metric} {value}"))
        })
    });
    let balancers = evidence.load_balancers.iter();
    balancers
        .flat_map(|(balancer, record)| {
            telling.iter().filter_map(move |metric| {
                let name = metric.row().name;
                let value = record.metrics.get(name).filter(|value| **value > 0)?;
                Some(format!("{balancer} {name} {value}"))
            })
        })
        .chain(gateways)
        .collect()
}

/// Several cases, for people.
pub fn metrics(outcomes: &[Outcome]) -> String {
    let mut out = String::new();
    for outcome in outcomes {
        let Some(evidence) = &outcome.evidence else {
            continue;
        };
        let tables = table(evidence);
        out.push_str(&format!("{}/{}\n", outcome.case.lab, outcome.case.name));
        if tables.is_empty() {
            out.push_str("  no traffic, so CloudWatch would have nothing\n");
        }
        for line in tables.lines() {
            out.push_str(format!("  {line}").trim_end());
            out.push('\n');
        }
        out.push('\n');
    }
    out
}

/// Several cases, for machines: each with its metrics as `GetMetricStatistics` names their parts.
pub fn metrics_json(outcomes: &[Outcome]) -> String {
    let cases: Vec<Value> = outcomes
        .iter()
        .filter_map(|outcome| {
            let metrics = &outcome.evidence.as_ref()?.metrics;
            let (lab, case) = (&outcome.case.lab, &outcome.case.name);
            Some(json!({ "lab": lab, "case": case, "metrics": metrics }))
        })
        .collect();
    let mut text =
        serde_json::to_string_pretty(&cases).expect("maps with text keys always serialise");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{BalancerEvidence, Dimension, ZoneEvidence};

    fn metric(
        name: &str,
        dimensions: &[(&str, &str)],
        average: f64,
        maximum: f64,
    ) -> MetricEvidence {
        let dimension = |(name, value): &(&str, &str)| Dimension {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        };
        MetricEvidence {
            namespace: "AWS/ELB".into(),
            metric_name: name.into(),
            dimensions: dimensions.iter().map(dimension).collect(),
            statistics: MetricStatistics {
                sum: maximum,
                average,
                maximum,
                ..MetricStatistics::default()
            },
            ..MetricEvidence::default()
        }
    }

    #[test]
    fn a_classic_balancer_has_a_table_by_its_name_alone() {
        let front = [("LoadBalancerName", "front")];
        let zone = [("LoadBalancerName", "front"), ("AvailabilityZone", "a")];
        let balancer = BalancerEvidence {
            zones: [("a".to_owned(), ZoneEvidence::default())].into(),
            metrics: [("SpilloverCount".to_owned(), 10)].into(),
            ..BalancerEvidence::default()
        };
        let evidence = Evidence {
            load_balancers: [("front".to_owned(), balancer)].into(),
            metrics: vec![
                metric("HealthyHostCount", &front, 0.25, 1.0),
                metric("SpilloverCount", &front, 5.0, 10.0),
                metric("SpilloverCount", &zone, 5.0, 10.0),
                metric("SurgeQueueLength", &front, 40.0, 100.0),
                metric("Latency", &front, 0.000_312, 0.002),
            ],
            ..Evidence::default()
        };
        let table = table(&evidence);
        let rows: Vec<&str> = table.lines().take(5).collect();
        assert_eq!(
            rows,
            [
                "front             statistic  all zones   a",
                "HealthyHostCount  Average          0.2   -",
                "SpilloverCount    Sum               10  10",
                "SurgeQueueLength  Maximum          100   -",
                "Latency           Average      0.00031   -",
            ]
        );
        assert_eq!(troubles(&evidence), ["front SpilloverCount 10"]);
    }
}
