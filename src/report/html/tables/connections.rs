//! Where connections went, and the names that led them there.

use super::Table;
use crate::report::html::quantities::Clock;
use crate::report::wrap::tallied;
use crate::report::{Network, Taken};

pub(super) fn paths(network: &Network) -> Option<Table> {
    let row = |taken: &Taken| {
        vec![
            taken.step.clone(),
            taken.from.clone(),
            taken.via.clone(),
            taken.reached(),
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

pub(super) fn lookups(network: &Network, clock: Clock) -> Option<Table> {
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

pub(super) fn names(network: &Network, clock: Clock) -> Option<Table> {
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

/// Empty for none, so that a column of nothing but that is left away.
fn some(n: usize) -> String {
    if n == 0 { String::new() } else { n.to_string() }
}
