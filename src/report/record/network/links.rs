//! What links did to packets, besides carrying, delaying and losing them.

use crate::evidence::{Evidence, LinkDid};
use std::collections::BTreeMap;

/// Packets that waited in a link's queue.
const QUEUED: &str = "waited in its queue";

/// How long the one that waited longest did.
const LONGEST: &str = "longest wait there, ms";

pub(super) fn links(evidence: &Evidence) -> BTreeMap<String, BTreeMap<String, i64>> {
    let mut links: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    let told = evidence.packets.iter().filter_map(|p| p.links.as_deref());
    for effect in told.flat_map(|links| &links.effects) {
        let what = match effect.what {
            LinkDid::Damaged { .. } => "damaged",
            LinkDid::Copied { .. } => "copies made",
            LinkDid::Overtook { .. } => "overtook others",
        };
        let link = links.entry(effect.link()).or_default();
        *link.entry(what.to_owned()).or_default() += 1;
    }
    let told = evidence.packets.iter().filter_map(|p| p.links.as_deref());
    for wait in told.flat_map(|links| &links.queues) {
        let link = links.entry(wait.link()).or_default();
        *link.entry(QUEUED.to_owned()).or_default() += 1;
        let longest = link.entry(LONGEST.to_owned()).or_default();
        *longest = (*longest).max(wait.ms.round() as i64);
    }
    links
}
