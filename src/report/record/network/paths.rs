//! Where connections went, and the names that led them there.

use super::merged;
use crate::evidence::{Connection, Evidence, Lookup, connections_of_pairs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Connections of one step by one way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Taken {
    /// The step that opened them.
    pub step: String,
    /// The client, or how many.
    pub from: String,
    /// What was dialled: `front/a`, `web1`.
    pub via: String,
    /// The host they were sent to; empty: to none.
    pub target: String,
    /// Further hosts that got requests over them, by name: a balancer of HTTP gives each request a target.
    #[serde(default)]
    pub others: Vec<String>,
    /// How many.
    pub connections: usize,
    /// Of those, came to stand.
    pub stood: usize,
    /// Needed more than one SYN.
    pub retried: usize,
    /// By error word of connect(2).
    pub errors: BTreeMap<String, usize>,
    /// HTTP answers by status.
    pub status: BTreeMap<String, usize>,
}

impl Taken {
    /// Whom they reached: `web1`, `web1, web2`, `nobody`.
    pub fn reached(&self) -> String {
        let all = std::iter::once(&self.target).chain(&self.others);
        let all: Vec<&str> = all
            .map(String::as_str)
            .filter(|name| !name.is_empty())
            .collect();
        match all.is_empty() {
            true => "nobody".to_owned(),
            false => all.join(", "),
        }
    }
}

/// The same question with the same answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// The client.
    pub from: String,
    /// The name.
    pub name: String,
    /// The answer's addresses, in the order of the first such answer.
    pub addresses: Vec<String>,
    /// `no-address` when there are none.
    pub error: String,
    /// How often.
    pub times: usize,
    /// When first, ms.
    pub first: f64,
    /// When last, ms.
    pub last: f64,
    /// How long it may be kept, real ms.
    pub keep_ms: f64,
    /// Connections that took their address from it.
    pub used: usize,
    /// When the last of those was begun, ms.
    pub last_used: Option<f64>,
}

/// A balancer's name from a moment on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Named {
    /// The balancer.
    pub name: String,
    /// From when on, ms.
    pub at: f64,
    /// Zones whose addresses it had.
    pub zones: Vec<String>,
}

/// Connections told of one by one elsewhere.
const FEW: usize = 4;

pub(super) fn paths(evidence: &Evidence) -> Vec<Taken> {
    if evidence.connections.len() <= FEW {
        return Vec::new();
    }
    let mut status: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    let loads = evidence.steps.iter().filter_map(|step| step.detail.load());
    for answer in loads.flat_map(|load| &load.answers) {
        let answers = status.entry(answer.connection).or_default();
        answers.push(answer.status);
    }
    let step = |c: &Connection| {
        let step = evidence.steps.get(c.step);
        step.map_or(String::new(), |step| step.name.clone())
    };
    // By connection.
    let mut led: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for (pair, owner) in evidence.pairs.iter().zip(connections_of_pairs(evidence)) {
        if let Some(connection) = owner {
            led.entry(connection).or_default().insert(&pair.target);
        }
    }
    let mut hosts: BTreeMap<(String, String, String), Vec<&str>> = BTreeMap::new();
    let mut others: BTreeMap<(String, String, String), BTreeSet<&str>> = BTreeMap::new();
    let mut list = merged(
        evidence.connections.iter().enumerate(),
        |(_, c)| (c.step, c.via.clone(), c.target.clone()),
        |(_, c)| Taken {
            step: step(c),
            via: c.via.clone(),
            target: c.target.clone(),
            ..Taken::default()
        },
        |taken, (i, c)| {
            taken.connections += 1;
            taken.stood += usize::from(c.error.is_empty());
            taken.retried += usize::from(c.error.is_empty() && c.syns > 1);
            if !c.error.is_empty() {
                *taken.errors.entry(c.error.clone()).or_default() += 1;
            }
            for status in status.get(i).into_iter().flatten() {
                *taken.status.entry(status.to_string()).or_default() += 1;
            }
            let key = (taken.step.clone(), taken.via.clone(), taken.target.clone());
            if let Some(targets) = led.get(i) {
                let more = targets.iter().filter(|target| **target != c.target);
                others.entry(key.clone()).or_default().extend(more);
            }
            let from = hosts.entry(key).or_default();
            if !from.contains(&c.from.as_str()) {
                from.push(&c.from);
            }
        },
    );
    for taken in &mut list {
        let key = (taken.step.clone(), taken.via.clone(), taken.target.clone());
        let more = others.remove(&key).into_iter().flatten();
        taken.others = more.map(str::to_owned).collect();
        taken.from = match hosts.get(&key).map(Vec::as_slice) {
            Some([one]) => (*one).to_owned(),
            Some(more) => format!("{} hosts", more.len()),
            None => String::new(),
        };
    }
    list
}

pub(super) fn lookups(evidence: &Evidence) -> Vec<Asked> {
    // By lookup: how many connections used it, and when the last of them was begun.
    let mut users: HashMap<usize, (usize, f64)> = HashMap::new();
    for connection in &evidence.connections {
        if let Some(lookup) = connection.lookup {
            let (number, last) = users.entry(lookup).or_insert((0, f64::NEG_INFINITY));
            *number += 1;
            *last = last.max(connection.at);
        }
    }
    let key = |(_, l): &(usize, &Lookup)| {
        let mut addresses = l.addresses.clone();
        addresses.sort();
        (l.from.clone(), l.name.clone(), addresses, l.error.clone())
    };
    merged(
        evidence.lookups.iter().enumerate(),
        key,
        |(_, l)| Asked {
            from: l.from.clone(),
            name: l.name.clone(),
            addresses: l.addresses.clone(),
            error: l.error.clone(),
            first: l.at,
            keep_ms: l.keep_ms,
            ..Asked::default()
        },
        |asked, (i, l)| {
            asked.times += 1;
            asked.last = l.at;
            if let Some((number, last)) = users.get(i) {
                asked.used += number;
                asked.last_used = Some(asked.last_used.map_or(*last, |before| before.max(*last)));
            }
        },
    )
}

pub(super) fn names(evidence: &Evidence) -> Vec<Named> {
    let changed = evidence
        .load_balancers
        .iter()
        .filter(|(_, balancer)| balancer.dns.len() > 1);
    let told = changed.flat_map(|(name, balancer)| {
        balancer.dns.iter().map(|listing| Named {
            name: name.clone(),
            at: listing.at,
            zones: listing.zones.clone(),
        })
    });
    told.collect()
}
