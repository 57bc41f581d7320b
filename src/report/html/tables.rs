//! What is told in rows: the network's record, metrics, the kernels' counters.

use super::charts::minutes;
use crate::evidence::{Carried, MetricEvidence};
use crate::report::nearest::is_dull;
use crate::report::wrap::tallied;
use crate::report::{Leg, Mapped, Network, Record, Refused, Taken};
use minijinja::Value;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Hosts that have a column each; the counters of more stand in rows.
const COLUMNS: usize = 6;

/// A table with its heading.
#[derive(Serialize)]
pub(super) struct Table {
    title: &'static str,
    /// Under the title; may be empty.
    remark: String,
    /// To be unfolded by who wants it.
    folded: bool,
    head: Vec<Head>,
    rows: Vec<Vec<Value>>,
}

/// A column's heading.
#[derive(Clone, Serialize)]
struct Head {
    text: String,
    /// Figures, which stand at the right.
    figures: bool,
}

/// Headings from words; those that begin with `#` are of figures.
fn heads(words: &[&str]) -> Vec<Head> {
    let head = |word: &&str| Head {
        text: word.trim_start_matches('#').to_owned(),
        figures: word.starts_with('#'),
    };
    words.iter().map(head).collect()
}

impl Table {
    /// Without the columns that are empty throughout; none when there is no row.
    fn new(title: &'static str, words: &[&str], rows: Vec<Vec<String>>) -> Option<Self> {
        let cells = |row: Vec<String>| row.into_iter().map(Value::from).collect();
        Self::of(title, heads(words), rows.into_iter().map(cells).collect())
    }

    fn of(title: &'static str, head: Vec<Head>, rows: Vec<Vec<Value>>) -> Option<Self> {
        if rows.is_empty() {
            return None;
        }
        let full = |column: usize| rows.iter().any(|row| row[column].as_str() != Some(""));
        let kept: Vec<usize> = (0..head.len()).filter(|column| full(*column)).collect();
        Some(Self {
            title,
            remark: String::new(),
            folded: false,
            head: kept.iter().map(|column| head[*column].clone()).collect(),
            rows: rows
                .iter()
                .map(|row| kept.iter().map(|column| row[*column].clone()).collect())
                .collect(),
        })
    }

    fn folded(self) -> Self {
        Self {
            folded: true,
            ..self
        }
    }

    fn remark(self, remark: impl Into<String>) -> Self {
        Self {
            remark: remark.into(),
            ..self
        }
    }

    /// Says how many entries are not there.
    fn cut(self, network: &Network, list: &str) -> Self {
        match network.left_out.get(list) {
            Some(more) => {
                let remark = format!("{} {more} more entries are not shown.", self.remark);
                self.remark(remark.trim_start())
            }
            None => self,
        }
    }
}

/// All of them, in the order of the page; in short, those that are not folded.
pub(super) fn tables(record: &Record, brief: bool) -> Vec<Table> {
    let network = &record.network;
    let clock = Clock(record.time_scale.unwrap_or(1.0));
    let (telling, all) = metrics(record);
    let (counted, rest) = counters(&record.counters);
    let tables = [
        paths(network),
        lookups(network, clock),
        names(network, clock),
        refusals(network),
        legs(network),
        gateways(network),
        mappings(network),
        telling,
        counted,
        all,
        rest,
        links(network),
        kernel_drops(network),
        stuck(network),
    ];
    let tables = tables.into_iter().flatten();
    tables.filter(|table| !(brief && table.folded)).collect()
}

/// Both clocks: cloud time runs this many times as fast.
#[derive(Clone, Copy)]
pub(super) struct Clock(pub(super) f64);

impl Clock {
    /// `285 s` of the cloud's time; empty where both clocks are the same.
    pub(super) fn cloud(self, ms: f64) -> String {
        if self.0 == 1.0 {
            return String::new();
        }
        let seconds = ms * self.0 / 1e3;
        if seconds.abs() < 10.0 {
            format!("{seconds:.1} s")
        } else {
            format!("{seconds:.0} s")
        }
    }

    /// `600 ms (60 s of cloud time)`
    pub(super) fn both(self, ms: f64) -> String {
        let cloud = self.cloud(ms);
        if cloud.is_empty() {
            format!("{ms:.0} ms")
        } else {
            format!("{ms:.0} ms ({cloud} of cloud time)")
        }
    }
}

fn or_nobody(target: &str) -> String {
    if target.is_empty() {
        "nobody".to_owned()
    } else {
        target.to_owned()
    }
}

/// Empty for none, so that a column of nothing but that is left away.
fn some(n: usize) -> String {
    if n == 0 { String::new() } else { n.to_string() }
}

fn paths(network: &Network) -> Option<Table> {
    let row = |taken: &Taken| {
        vec![
            taken.step.clone(),
            taken.from.clone(),
            taken.via.clone(),
            or_nobody(&taken.target),
            taken.connections.to_string(),
            taken.stood.to_string(),
            some(taken.retried),
            tallied(&taken.errors),
            tallied(&taken.status),
        ]
    };
    let rows = network.paths.iter().map(row).collect();
    let head = [
        "step",
        "from",
        "dialled",
        "reached",
        "#connections",
        "#established",
        "#with more than one SYN",
        "failed with",
        "HTTP answers",
    ];
    Some(Table::new("Where the connections went", &head, rows)?.cut(network, "paths"))
}

fn lookups(network: &Network, clock: Clock) -> Option<Table> {
    let asked = network.lookups.iter().map(|asked| {
        let answer = if asked.addresses.is_empty() {
            asked.error.clone()
        } else {
            asked.addresses.join(", ")
        };
        let keep = if asked.keep_ms == 0.0 {
            String::new()
        } else {
            clock.both(asked.keep_ms)
        };
        let last_used = asked.last_used.map(|at| format!("{at:.1}"));
        let last = if asked.times > 1 {
            format!("{:.1}", asked.last)
        } else {
            String::new()
        };
        vec![
            asked.from.clone(),
            asked.name.clone(),
            asked.times.to_string(),
            format!("{:.1}", asked.first),
            last,
            answer,
            keep,
            asked.used.to_string(),
            last_used.unwrap_or_default(),
        ]
    });
    let head = [
        "who",
        "asked for",
        "#times",
        "#at ms",
        "#last at ms",
        "answer",
        "may be kept",
        "#connections that used it",
        "#last of them at ms",
    ];
    Some(Table::new("Names asked for", &head, asked.collect())?.cut(network, "lookups"))
}

fn names(network: &Network, clock: Clock) -> Option<Table> {
    let named = network.names.iter().map(|named| {
        let zones = if named.zones.is_empty() {
            "no zone".to_owned()
        } else {
            named.zones.join(", ")
        };
        vec![
            named.name.clone(),
            format!("{:.1}", named.at),
            clock.cloud(named.at),
            zones,
        ]
    });
    let head = [
        "name",
        "#from ms on",
        "#of cloud time",
        "zones in the answer",
    ];
    Some(Table::new("What the names said", &head, named.collect())?.cut(network, "names"))
}

fn refusals(network: &Network) -> Option<Table> {
    let row = |refused: &Refused| {
        let why = match refused.rule {
            Some(rule) => format!("rule {rule} denies it"),
            None => "no rule allows it".to_owned(),
        };
        let whose = if refused.probe {
            "health check"
        } else {
            "the story"
        };
        vec![
            refused.guard.clone(),
            refused.direction.clone(),
            why,
            format!("{} {}", refused.protocol, refused.flags),
            refused.from.clone(),
            refused.to.clone(),
            whose.to_owned(),
            refused.packets.to_string(),
        ]
    };
    let head = [
        "refused by",
        "direction",
        "why",
        "packet",
        "from",
        "to",
        "of",
        "#packets",
    ];
    let rows = network.refusals.iter().map(row).collect();
    Some(Table::new("Refused by guards", &head, rows)?.cut(network, "refusals"))
}

fn legs(network: &Network) -> Option<Table> {
    let row = |leg: &Leg| {
        let ends = match (leg.closed, leg.target_closed) {
            (Some(at), _) => format!("{} at {at:.1} ms", leg.why),
            (None, Some(at)) => format!("target's side over at {at:.1} ms, client's side open"),
            (None, None) if leg.why.is_empty() => "open".to_owned(),
            (None, None) => leg.why.clone(),
        };
        let bytes = |of: fn(Carried) -> i64| leg.bytes.map_or(String::new(), |b| of(b).to_string());
        vec![
            leg.client.clone(),
            leg.via.clone(),
            leg.seen_as.clone(),
            format!("{} {}", leg.target, leg.target_address),
            if leg.connections > 1 {
                leg.connections.to_string()
            } else {
                String::new()
            },
            format!("{:.1}", leg.opened),
            bytes(|bytes| bytes.from_client),
            bytes(|bytes| bytes.to_target),
            bytes(|bytes| bytes.from_target),
            bytes(|bytes| bytes.to_client),
            ends,
        ]
    };
    let head = [
        "client",
        "balancer",
        "balancer toward the target",
        "target",
        "#pairs",
        "#from ms on",
        "#bytes taken from the client",
        "#given on",
        "#taken from the target",
        "#given back",
        "ended",
    ];
    let rows = network.legs.iter().map(row).collect();
    let table = Table::new("Proxied connections, both sides", &head, rows)?;
    Some(
        table
            .remark(
                "The balancer is a proxy: it ends the client's connection and has another one to the target. What it took \
                 it has acknowledged, whether it gave it on or not.",
            )
            .cut(network, "legs"),
    )
}

fn gateways(network: &Network) -> Option<Table> {
    let row = network.gateways.iter().map(|gateway| {
        vec![
            gateway.name.clone(),
            gateway.profile.clone(),
            gateway.addresses.join(", "),
            gateway.hosts.join(", "),
            gateway.ports.to_string(),
            gateway.mappings.to_string(),
        ]
    });
    let head = [
        "gateway",
        "as of",
        "public addresses",
        "hosts behind it",
        "#connections toward one destination at a time, at most",
        "#mappings made",
    ];
    Table::new("NAT gateways", &head, row.collect())
}

fn mappings(network: &Network) -> Option<Table> {
    let row = |mapped: &Mapped| {
        vec![
            mapped.gateway.clone(),
            mapped.host.clone(),
            mapped.inside.clone(),
            mapped.outside.clone(),
            mapped.remote.clone(),
            if mapped.connections > 1 {
                mapped.connections.to_string()
            } else {
                String::new()
            },
            format!("{:.1}", mapped.opened),
            format!("{:.1}", mapped.last),
            mapped.state.clone(),
        ]
    };
    let head = [
        "gateway",
        "host",
        "as sent",
        "as the destination sees it",
        "destination",
        "#mappings",
        "#first packet ms",
        "#last packet ms",
        "in the end",
    ];
    let rows = network.mappings.iter().map(row).collect();
    Some(Table::new("Mappings of the NAT gateways", &head, rows)?.cut(network, "mappings"))
}

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
fn metrics(record: &Record) -> (Option<Table>, Option<Table>) {
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
            "#sum",
            "#maximum",
            "unit",
            "by minute of cloud time",
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
    vec![
        of.join(", ").into(),
        metric.metric_name.clone().into(),
        figure(metric.statistics.sum).into(),
        figure(metric.statistics.maximum).into(),
        metric.unit.clone().into(),
        minutes(&metric.datapoints),
    ]
}

pub(super) fn figure(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

type Counters = BTreeMap<String, BTreeMap<String, i64>>;

/// Those that tell something, and those that traffic itself moves.
fn counters(all: &Counters) -> (Option<Table>, Option<Table>) {
    let telling = counted("Kernel counters that tell something", all, |name| {
        !is_dull(name)
    });
    let dull = counted("Other kernel counters that moved", all, is_dull);
    let remark = "How much they changed over the steps, by nstat's names.";
    (
        telling.map(|table| table.remark(remark)),
        dull.map(|table| table.remark(remark).folded()),
    )
}

/// A row a counter and a column a host, or of many hosts a row for each.
fn counted(title: &'static str, all: &Counters, wanted: impl Fn(&str) -> bool) -> Option<Table> {
    let moved = all.iter().map(|(host, counters)| {
        let counters = counters.iter().filter(|(name, _)| wanted(name));
        (host, counters.collect::<BTreeMap<_, _>>())
    });
    let moved: Vec<_> = moved.filter(|(_, counters)| !counters.is_empty()).collect();
    if moved.len() > COLUMNS {
        let rows = moved
            .iter()
            .map(|(host, counters)| {
                let words = counters.iter().map(|(name, n)| format!("{name}\u{a0}{n}"));
                vec![(*host).clone(), words.collect::<Vec<_>>().join(", ")]
            })
            .collect();
        return Table::new(title, &["host", "counters"], rows);
    }
    let names: BTreeSet<&String> = moved.iter().flat_map(|(_, c)| c.keys().copied()).collect();
    let mut head = heads(&["counter"]);
    head.extend(moved.iter().map(|(host, _)| Head {
        text: (*host).clone(),
        figures: true,
    }));
    let rows = names.into_iter().map(|name| {
        let at = |counters: &BTreeMap<&String, &i64>| {
            counters
                .get(name)
                .map_or(String::new(), ToString::to_string)
        };
        let mut row = vec![Value::from(name.clone())];
        row.extend(moved.iter().map(|(_, counters)| Value::from(at(counters))));
        row
    });
    Table::of(title, head, rows.collect())
}

fn links(network: &Network) -> Option<Table> {
    let title = "What links did to packets, besides carrying, delaying and losing them";
    let rows = network.links.iter();
    let rows = rows.map(|(link, did)| vec![link.clone(), tallied(did)]);
    Table::new(title, &["link", "packets"], rows.collect())
}

fn kernel_drops(network: &Network) -> Option<Table> {
    let title = "What the kernels dropped, by their own reasons";
    let rows = network.kernel_drops.iter();
    let rows = rows.map(|(host, drops)| vec![host.clone(), tallied(drops)]);
    let table = Table::new(title, &["host", "reasons"], rows.collect())?;
    let remark = "Kernels give packets back in this way too when they are done with them (NOT_SPECIFIED, QUEUE_PURGE): \
                  what a fault has and its fix has not is what counts.";
    Some(table.remark(remark).folded())
}

fn stuck(network: &Network) -> Option<Table> {
    let rows = network.stuck.iter().map(|line| vec![line.clone()]);
    let table = Table::new(
        "Sockets that wait for something",
        &["socket"],
        rows.collect(),
    )?;
    Some(
        table
            .remark("After the last step.")
            .cut(network, "stuck")
            .folded(),
    )
}
