//! `zone-blind-answers`: a balancer's name is answered alike in all zones, and connections leave a zone that has an address.
//!
//! Observed on: AWS Network Load Balancers whose `dns_record.client_routing_policy` is `any_availability_zone`, the default:
//! what leaves its zone waits longer and is charged for. Not this: a zone whose address is not in the name, a client that is in
//! no zone, answers that favour its zone most of the time, one answer that a client keeps and takes all addresses of.

use super::{cite, count, join};
use crate::evidence::Evidence;
use crate::verdict::Finding;
use crate::verdict::trace::Trace;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const KIND: &str = "zone-blind-answers";

/// Fewer answers than this tell no policy, for one that favours a zone in 85 of 100 gives all addresses now and then; and fewer
/// connections are not worth a word.
const MANY: usize = 20;

/// What a host did with a balancer's name.
#[derive(Default)]
struct Client<'a> {
    /// Answers it used.
    lookups: BTreeSet<usize>,
    /// Connections that stayed in its zone.
    stayed: usize,
    /// Connections that left it.
    left: Vec<usize>,
    /// Where those went, and how many.
    to: BTreeMap<&'a str, usize>,
}

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let evidence = trace.evidence;
    let zones = zones(evidence);
    let mut clients: BTreeMap<(&str, &str), Client> = BTreeMap::new();
    for (index, connection) in evidence.connections.iter().enumerate() {
        let (Some(lookup), Some(home)) = (connection.lookup, zones.get(&*connection.from)) else {
            continue;
        };
        let Some((name, zone)) = connection.via.split_once('/') else {
            continue;
        };
        let client = clients.entry((&connection.from, name)).or_default();
        client.lookups.insert(lookup);
        if zone == *home {
            client.stayed += 1;
        } else {
            client.left.push(index);
            *client.to.entry(&connection.via).or_default() += 1;
        }
    }
    clients
        .into_iter()
        .filter(|(_, client)| client.left.len() >= MANY && client.lookups.len() >= MANY)
        .filter_map(|((host, name), client)| tell(trace, host, zones[host], name, &client))
        .collect()
}

fn tell(trace: &Trace, host: &str, home: &str, name: &str, client: &Client) -> Option<Finding> {
    let evidence = trace.evidence;
    let balancer = evidence.load_balancers.get(name)?;
    let place = format!("{name}/{home}");
    let own = evidence.interfaces.iter().find(|one| one.name == place)?;
    // An answer with the zone's address alone is a favour; one without it says that there is none to go to.
    let blind = client.lookups.iter().all(|lookup| {
        let answer = evidence.lookups.get(*lookup);
        answer.is_some_and(|answer| {
            answer.addresses.len() > 1 && own.addresses.iter().any(|a| answer.addresses.contains(a))
        })
    });
    if balancer.kind != "network" || !blind {
        return None;
    }
    let to: Vec<String> = client
        .to
        .iter()
        .map(|(via, n)| format!("{n} to {via}"))
        .collect();
    let syns = client.left.iter().filter_map(|c| trace.syns(*c).next());
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} of {host}, in zone {home}, went by the name of {name} to another zone, {}; {} stayed. {place} was there for \
             them: each of {} had its address and others beside it, as if {host} were in no zone.",
            count(client.left.len(), "connection"),
            join(&to),
            client.stayed,
            count(client.lookups.len(), "answer"),
        ),
        packets: cite(trace, syns),
        connections: client.left.clone(),
        counters: Vec::new(),
        values: Vec::new(),
    })
}

/// Of hosts that are in one.
fn zones(evidence: &Evidence) -> BTreeMap<&str, &str> {
    let interfaces = evidence.interfaces.iter();
    interfaces
        .filter(|one| !one.zone.is_empty() && evidence.hosts.contains_key(&one.name))
        .map(|one| (one.name.as_str(), one.zone.as_str()))
        .collect()
}
