//! What would be built: the text of `hairpin plan`, and drawings of it ([`graph`]).
//!
//! A file for each kind of box; `operations` says what is done in each host as an operator would type it. Not here: doing it
//! (see `world`).

/// One line. Writing to a string cannot fail.
macro_rules! line {
    ($out:expr, $($text:tt)*) => {
        writeln!($out, $($text)*).expect("a string takes everything")
    };
}

mod balancers;
mod devices;
mod endpoints;
mod graph;
mod guards;
mod nat;
mod operations;
mod quantities;
mod steps;
#[cfg(test)]
mod tests;

pub use graph::{Drawing, Graph, Node, draw, graph};

use super::kind_word;
use super::wrap::{cut, wrap};
use crate::fabric::config::{Config, GroupId};
use crate::plan::{Host, Plan};
use balancers::{balancers, groups};
use operations::{operations, settings};
use std::fmt::Write;

/// Columns of the story.
const WIDTH: usize = 100;

/// Targets listed in a line, at most; the count tells of the rest.
const LISTED: usize = 12;

/// Everything that one case would build and do, for people.
pub fn plan(plan: &Plan) -> String {
    let mut out = String::new();
    head(plan, &mut out);
    changes(plan, &mut out);
    hosts(plan, &mut out);
    network(plan, &mut out);
    operations(plan, &mut out);
    steps::steps(plan, &mut out);
    claims(plan, &mut out);
    out
}

/// Hosts and the boxes of the network between them, as they stand.
pub fn standing(plan: &Plan) -> String {
    let mut out = String::new();
    hosts(plan, &mut out);
    network(plan, &mut out);
    out
}

/// The boxes of the network between the hosts, and what is set in the hosts themselves, with the settings in force.
pub(crate) fn configured(plan: &Plan) -> String {
    let mut out = String::new();
    network(plan, &mut out);
    settings(plan, &mut out);
    out.trim().to_owned()
}

fn network(plan: &Plan, out: &mut String) {
    nat::gateways(plan, out);
    balancers(plan, out);
    endpoints::endpoints(plan, out);
    groups(plan, out);
    guards::guards(plan, out);
}

fn head(plan: &Plan, out: &mut String) {
    line!(out, "{}/{}: {}", plan.lab, plan.case, kind_word(plan.kind));
    line!(out, "{}", plan.title);
    for text in wrap(&plan.shows, WIDTH) {
        line!(out, "{text}");
    }
    let clock = if plan.time_scale > 1.0 {
        format!("cloud time runs {} times faster", plan.time_scale)
    } else {
        "cloud time is real time".to_owned()
    };
    line!(out, "seed {}; {clock}", plan.seed);
}

fn changes(plan: &Plan, out: &mut String) {
    line!(out, "\nWHAT THIS CASE CHANGES");
    if plan.changes.is_empty() {
        line!(out, "  nothing");
    }
    for change in &plan.changes {
        let before = change.before.as_deref().unwrap_or("(not written)");
        let after = change.after.as_deref().unwrap_or("(removed)");
        line!(
            out,
            "  {}: {} -> {}",
            change.path,
            cut(before, WIDTH),
            cut(after, WIDTH)
        );
    }
}

/// Hosts in runs: those of one `count` are alike and stand in one line.
fn runs(plan: &Plan) -> Vec<(String, &[Host])> {
    let mut runs = Vec::new();
    let mut groups = plan.groups.iter().peekable();
    let mut next = 0;
    while next < plan.hosts.len() {
        let members = groups.next_if(|(_, members)| {
            members
                .first()
                .is_some_and(|first| first.0 as usize == next)
        });
        let (name, length) = match members {
            Some((_, members)) if members.len() > 1 => {
                let last = &plan.hosts[next + members.len() - 1].name;
                let name = format!("{} .. {last}", plan.hosts[next].name);
                (name, members.len())
            }
            Some(_) | None => (plan.hosts[next].name.clone(), 1),
        };
        runs.push((name, &plan.hosts[next..next + length]));
        next += length;
    }
    runs
}

fn hosts(plan: &Plan, out: &mut String) {
    line!(out, "\nHOSTS");
    let runs = runs(plan);
    let widest = runs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, hosts) in runs {
        let (first, last) = (&hosts[0], &hosts[hosts.len() - 1]);
        let addresses = if hosts.len() == 1 {
            first.address.to_string()
        } else {
            format!("{} .. {}", first.address, last.address)
        };
        let public = match (first.public_address, last.public_address) {
            (Some(one), Some(other)) if one == other => format!(", public {one}"),
            (Some(one), Some(other)) => format!(", public {one} .. {other}"),
            (_, _) => String::new(),
        };
        let ipv6 = match (first.ipv6, last.ipv6) {
            (Some(one), Some(other)) if one == other => format!(", {one}"),
            (Some(one), Some(other)) => format!(", {one} .. {other}"),
            (_, _) => String::new(),
        };
        let place = devices::places(plan, hosts);
        let further = match first.addresses.as_slice() {
            [] => String::new(),
            some => format!(
                ", besides {}",
                some.iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        };
        line!(
            out,
            "  {name:widest$}  {addresses}{further}{public}{ipv6}, {place}"
        );
    }
}

fn listed(names: &[String]) -> String {
    if names.len() <= LISTED {
        names.join(", ")
    } else {
        format!("{}, ... {} in all", names[..LISTED].join(", "), names.len())
    }
}

fn claims(plan: &Plan, out: &mut String) {
    for (title, claims) in [
        ("THE PROMISE", &plan.works),
        ("THIS CASE CLAIMS", &plan.expect),
    ] {
        if claims.is_empty() {
            continue;
        }
        line!(out, "\n{title}");
        for claim in claims {
            match &claim.words {
                Some(words) => line!(out, "  {words}: {}", claim.that.trim()),
                None => line!(out, "  {}", claim.that.trim()),
            }
        }
    }
    if !plan.finds.is_empty() {
        line!(out, "\nIT MUST SHOW\n  {}", plan.finds.join(", "));
    }
    if !plan.may_find.is_empty() {
        line!(out, "\nIT MAY SHOW\n  {}", plan.may_find.join(", "));
    }
}

/// Which group a listener forwards to, by name.
fn group_name(config: &Config, group: GroupId) -> &str {
    &config.groups[group.0 as usize].name
}
