//! What is told in rows: the network's record, metrics, the kernels' counters. Here what a table is, and their order.

mod boxes;
mod connections;
mod kernels;
mod metrics;

use super::quantities::Clock;
use crate::report::{Network, Record};
use boxes::{gateways, legs, links, mappings, queues, refusals};
use connections::{lookups, names, paths};
use kernels::{conntrack, counters, icmp, kernel_drops, stuck};
use metrics::metrics;
use minijinja::Value;
use serde::Serialize;

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
        queues(network),
        icmp(network),
        conntrack(network),
        kernel_drops(network),
        stuck(network),
    ];
    let tables = tables.into_iter().flatten();
    tables.filter(|table| !(brief && table.folded)).collect()
}
