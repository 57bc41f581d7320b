//! What the kernels of hosts counted and dropped, and sockets that wait.

use super::{Head, Table, heads};
use crate::report::Network;
use crate::report::nearest::is_dull;
use crate::report::wrap::tallied;
use minijinja::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Hosts that have a column each; the counters of more stand in rows.
const COLUMNS: usize = 6;

type Counters = BTreeMap<String, BTreeMap<String, i64>>;

/// Those that tell something, and those that traffic itself moves.
pub(super) fn counters(all: &Counters) -> (Option<Table>, Option<Table>) {
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

pub(super) fn icmp(network: &Network) -> Option<Table> {
    let rows = network.icmp.iter();
    let rows = rows.map(|(words, n)| vec![words.clone(), n.to_string()]);
    let title = "ICMP messages seen inside hosts";
    Some(Table::new(title, &["message", "#packets"], rows.collect())?.cut(network, "icmp"))
}

pub(super) fn kernel_drops(network: &Network) -> Option<Table> {
    let title = "What the kernels dropped, by their own reasons";
    let rows = network.kernel_drops.iter();
    let rows = rows.map(|(host, drops)| vec![host.clone(), tallied(drops)]);
    let table = Table::new(title, &["host", "reasons"], rows.collect())?;
    let purged = match network.purged.is_empty() {
        true => String::new(),
        false => format!(
            " Not among them, since it is no loss on the way: packets given back, unread, with the sockets that held them \
             (QUEUE_PURGE): {}.",
            tallied(&network.purged)
        ),
    };
    let remark = format!(
        "Kernels give packets back in this way too when they are done with them (NOT_SPECIFIED): what a fault has and its \
         fix has not is what counts.{purged}"
    );
    Some(table.remark(remark).folded())
}

pub(super) fn conntrack(network: &Network) -> Option<Table> {
    let rows = network.conntrack.iter();
    let rows = rows.map(|(host, told)| vec![host.clone(), tallied(told)]);
    let table = Table::new(
        "Troubles of connection tracking",
        &["host", "counters"],
        rows.collect(),
    )?;
    Some(table.remark("How much they changed over the steps, in the words of `conntrack -S`."))
}

pub(super) fn stuck(network: &Network) -> Option<Table> {
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
