//! What the boxes of the network and the kernels of the hosts have on record, as far as a reader needs it: what is
//! alike stands once, with how often it was met.
//!
//! No mirror of the evidence: entries that are alike are one, long lists are cut, and the words stay as they are when the
//! evidence changes.

mod kernels;
mod links;
mod nat;
mod paths;
mod proxies;
mod refusals;

pub use nat::{Gateway, Mapped};
pub use paths::{Asked, Named, Taken};
pub use proxies::Leg;
pub use refusals::Refused;

use crate::evidence::Evidence;
use kernels::{conntrack, icmp, kernel_drops, purged, stuck};
pub use links::Queue;
use links::{links, queues};
use nat::{gateways, mappings};
use paths::{lookups, names, paths};
use proxies::legs;
use refusals::{answered, refusals};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Entries of one list.
const ENTRIES: usize = 20;

/// Proxied connections and mappings that stand each by itself; of more those stand together that are alike.
const SINGLE: usize = 12;

/// The network's side of a case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Network {
    /// Where the clients' connections went, when there are more than a few.
    pub paths: Vec<Taken>,
    /// What clients asked the resolver.
    pub lookups: Vec<Asked>,
    /// What names of balancers said that did not always say the same.
    pub names: Vec<Named>,
    /// What security groups and network ACLs refused.
    pub refusals: Vec<Refused>,
    /// Packets that a box answered by itself, by its words for it; the resolver's answers left out.
    pub answered: BTreeMap<String, i64>,
    /// Connections of proxying balancers to targets, each with the client's that led to it.
    pub legs: Vec<Leg>,
    /// NAT gateways.
    pub gateways: Vec<Gateway>,
    /// What they translated.
    pub mappings: Vec<Mapped>,
    /// What links did to packets besides carrying, delaying and losing them, by link and by what it was: `damaged`,
    /// `copies made`, `overtook others`.
    pub links: BTreeMap<String, BTreeMap<String, i64>>,
    /// Who waited in the queues of links, by link.
    pub queues: BTreeMap<String, Queue>,
    /// ICMP messages seen on devices inside hosts, in words, and how many.
    pub icmp: BTreeMap<String, i64>,
    /// What kernels dropped, by host and by the kernel's own reason; not what they only gave back.
    pub kernel_drops: BTreeMap<String, BTreeMap<String, i64>>,
    /// Troubles of connection tracking, by host and in the words of `conntrack -S`.
    pub conntrack: BTreeMap<String, BTreeMap<String, i64>>,
    /// Packets that a socket or device still held when it was closed, by host: no loss on the way.
    pub purged: BTreeMap<String, i64>,
    /// Why that is not known; empty when it is.
    pub no_kernel_drops: String,
    /// Sockets with something unread, not acknowledged, or sent again, in words.
    pub stuck: Vec<String>,
    /// Entries that are not in a list, by the list's name.
    pub left_out: BTreeMap<String, usize>,
}

impl Network {
    /// Of a case.
    pub(crate) fn of(evidence: &Evidence) -> Self {
        let mut network = Self {
            paths: paths(evidence),
            lookups: lookups(evidence),
            names: names(evidence),
            refusals: refusals(&evidence.refusals),
            answered: answered(evidence),
            legs: legs(&evidence.pairs),
            gateways: gateways(evidence),
            mappings: mappings(&evidence.mappings),
            links: links(evidence),
            queues: queues(evidence),
            icmp: icmp(evidence),
            kernel_drops: kernel_drops(evidence),
            conntrack: conntrack(evidence),
            purged: purged(evidence),
            no_kernel_drops: evidence.no_kernel_drops.clone(),
            stuck: stuck(evidence),
            left_out: BTreeMap::new(),
        };
        let Self {
            paths,
            lookups,
            names,
            refusals,
            legs,
            mappings,
            stuck,
            left_out,
            answered: _,
            gateways: _,
            links: _,
            queues: _,
            icmp,
            kernel_drops: _,
            conntrack: _,
            purged: _,
            no_kernel_drops: _,
        } = &mut network;
        shorten("paths", paths, left_out);
        shorten("lookups", lookups, left_out);
        shorten("names", names, left_out);
        shorten("refusals", refusals, left_out);
        shorten("legs", legs, left_out);
        shorten("mappings", mappings, left_out);
        shorten("stuck", stuck, left_out);
        while icmp.len() > ENTRIES {
            icmp.pop_last();
            *left_out.entry("icmp".to_owned()).or_default() += 1;
        }
        network
    }
}

fn shorten<T>(name: &str, list: &mut Vec<T>, left_out: &mut BTreeMap<String, usize>) {
    if list.len() > ENTRIES {
        left_out.insert(name.to_owned(), list.len() - ENTRIES);
        list.truncate(ENTRIES);
    }
}

/// Entries that have the same key become one, in the order of the first of each.
fn merged<T, K: Ord, U>(
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> K,
    new: impl Fn(&T) -> U,
    mut add: impl FnMut(&mut U, &T),
) -> Vec<U> {
    let mut places: BTreeMap<K, usize> = BTreeMap::new();
    let mut list: Vec<U> = Vec::new();
    for item in items {
        let place = *places.entry(key(&item)).or_insert_with(|| {
            list.push(new(&item));
            list.len() - 1
        });
        add(&mut list[place], &item);
    }
    list
}

/// The address of an end.
fn address(end: &str) -> String {
    end.rsplit_once(':')
        .map_or(end.to_owned(), |(address, _)| address.to_owned())
}
