//! CloudWatch metrics as a table: a row for each metric that was reported, a column for all zones and for each.

use super::Outcome;
use crate::evidence::{Evidence, MetricEvidence, MetricStatistics};
use crate::fabric::config::NatProfile;
use crate::fabric::metric::{Measure, Metric, TABLE};
use crate::report::wrap::wrap;
use serde_json::{Value, json};

/// Columns of what is said under the tables.
const WIDTH: usize = 76;

/// Which of a metric's statistics tells most.
#[derive(Clone, Copy)]
pub(super) enum Statistic {
    Sum,
    Minimum,
    Maximum,
}

impl Statistic {
    /// "The most useful statistic" of AWS's page; of levels the extreme, which a story of seconds is about.
    pub(super) fn of(name: &str) -> Self {
        let vendors = [NatProfile::Aws, NatProfile::Azure, NatProfile::Google];
        let mut gateways = vendors.iter().flat_map(|vendor| vendor.metrics());
        if gateways.any(|metric| metric.name == name && metric.is_level) {
            return Self::Maximum;
        }
        let row = TABLE.iter().find(|row| row.name == name);
        match row.map(|row| (row.metric, row.measure)) {
            Some((Metric::ZonalHealthStatus, _)) => Self::Minimum,
            Some((_, Measure::Level | Measure::Peak)) => Self::Maximum,
            Some((_, Measure::Sum)) | None => Self::Sum,
        }
    }

    /// As CloudWatch calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sum => "Sum",
            Self::Minimum => "Minimum",
            Self::Maximum => "Maximum",
        }
    }

    /// Over the whole case, or in one of its periods.
    pub(super) fn value(self, of: MetricStatistics) -> f64 {
        match self {
            Self::Sum => of.sum,
            Self::Minimum => of.minimum,
            Self::Maximum => of.maximum,
        }
    }
}

/// Under the tables: what a value is of.
const MEANING: &str = "Each value is the statistic beside it over the whole case: of a Sum what came together, of a Maximum or \
                       Minimum the extreme of any minute. All zones: of the metric without the AvailabilityZone \
                       dimension, as CloudWatch has it.\n";

/// The tables of a case, a balancer or target group each; empty when nothing was reported.
pub fn table(evidence: &Evidence) -> String {
    let mut out = String::new();
    for (balancer, record) in &evidence.load_balancers {
        let own = |metric: &&MetricEvidence| name_of(metric, "LoadBalancer") == Some(balancer);
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
        for line in wrap(MEANING, WIDTH) {
            out.push_str(&format!("{line}\n"));
        }
    }
    out
}

/// Dimensions that name a NAT gateway, by vendor.
const GATEWAYS: [&str; 3] = ["NatGatewayId", "ResourceId", "gateway_name"];

/// `front` of `net/front/0123456789abcdef`.
fn name_of<'a>(metric: &'a MetricEvidence, dimension: &str) -> Option<&'a str> {
    metric.dimension(dimension)?.split('/').nth(1)
}

fn one(title: &str, metrics: &[&MetricEvidence], zones: &[&str]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for metric in metrics {
        if !names.contains(&metric.metric_name.as_str()) {
            names.push(&metric.metric_name);
        }
    }
    let at = |name: &str, zone: Option<&str>| {
        metrics
            .iter()
            .find(|metric| {
                metric.metric_name == name && metric.dimension("AvailabilityZone") == zone
            })
            .map_or("-".to_owned(), |metric| {
                figure(Statistic::of(name).value(metric.statistics))
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
    for name in names {
        let statistic = Statistic::of(name).name().to_owned();
        let mut row = vec![name.to_owned(), statistic, at(name, None)];
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

/// Whole where it is whole.
fn figure(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
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
