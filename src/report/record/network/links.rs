//! What links did to packets, besides carrying, delaying and losing them, and who waited in their queues.

use crate::evidence::{Evidence, LinkDid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who waited in a link's queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Queue {
    /// How many packets.
    pub packets: i64,
    /// How long the one that waited longest did, ms.
    pub longest_ms: f64,
}

pub(super) fn links(evidence: &Evidence) -> BTreeMap<String, BTreeMap<String, i64>> {
    let mut links: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    let told = evidence.packets.iter().filter_map(|p| p.links.as_deref());
    for effect in told.flat_map(|links| &links.effects) {
        let what = match effect.what {
            LinkDid::Damaged { .. } => "damaged",
            LinkDid::Copied { .. } => "copies made",
            LinkDid::UntranslatedSack { .. } => "SACK blocks left",
            LinkDid::Overtook { .. } => "overtook others",
        };
        let link = links.entry(effect.link()).or_default();
        *link.entry(what.to_owned()).or_default() += 1;
    }
    links
}

pub(super) fn queues(evidence: &Evidence) -> BTreeMap<String, Queue> {
    let mut queues: BTreeMap<String, Queue> = BTreeMap::new();
    let told = evidence.packets.iter().filter_map(|p| p.links.as_deref());
    for wait in told.flat_map(|links| &links.queues) {
        let queue = queues.entry(wait.link()).or_default();
        queue.packets += 1;
        queue.longest_ms = queue.longest_ms.max(wait.ms);
    }
    queues
}
