//! What links did to packets, besides carrying, delaying and losing them.

use crate::evidence::{Evidence, LinkDid};
use std::collections::BTreeMap;

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
    links
}
