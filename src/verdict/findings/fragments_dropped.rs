//! `fragments-dropped`: a host let the first fragment of a datagram or segment pass, and not those behind it, which have no ports.
//!
//! Observed on: stateless filters that let in by ports, or drop fragments outright; many firewalls by default (RFC 8900). Not this: a
//! whole packet that is dropped; a fragment that a link lost; a filter behind connection tracking, which sees no fragments.

use super::{CITED, count, counters, distinct, join, name_all};
use crate::verdict::Finding;
use crate::verdict::trace::{Journey, Trace, is_later_fragment};
use std::collections::{BTreeMap, HashMap};

pub(super) const KIND: &str = "fragments-dropped";

/// What travels in fragments: its connection, from the client's side or not, and IPv4's identification.
type Whole = (usize, bool, i64);

/// A host that kept fragments.
#[derive(Default)]
struct Kept<'a> {
    wholes: Vec<Whole>,
    /// Where the first fragments got to.
    ends: Vec<&'a str>,
    /// Records of those behind.
    lost: Vec<usize>,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let evidence = trace.evidence;
    let packets = &evidence.packets;
    if !packets.iter().any(is_later_fragment) {
        return None;
    }
    let journeys = trace.journeys();
    let ended = |journey: &Journey| &packets[journey.stretches[journey.stretches.len() - 1].ended];
    let parts = journeys.iter().filter_map(|journey| {
        let began = &packets[journey.stretches[0].sent];
        let whole = (journey.connection?, journey.toward_target, began.ip_id);
        Some((journey, whole, is_later_fragment(began)))
    });
    let parts: Vec<(&Journey, Whole, bool)> = parts.collect();
    let firsts = parts.iter().filter(|(_, _, later)| !later);
    let firsts: HashMap<Whole, &str> = firsts
        .map(|(journey, whole, _)| (*whole, ended(journey).receiver.as_str()))
        .collect();
    let mut kept: BTreeMap<&str, Kept> = BTreeMap::new();
    for (journey, whole, _) in parts.iter().filter(|(_, _, later)| *later) {
        let last = ended(journey);
        let (host, end) = (last.receiver.as_str(), firsts.get(whole).copied());
        let came = last.fate == "seen" || last.fate == "forwarded";
        if let (true, Some(end)) = (came && evidence.hosts.contains_key(host), end)
            && end != host
            && evidence.hosts.contains_key(end)
        {
            let kept = kept.entry(host).or_default();
            kept.wholes.push(*whole);
            kept.ends.push(end);
            kept.lost
                .push(journey.stretches[journey.stretches.len() - 1].ended);
        }
    }
    let ends = distinct(kept.values().flat_map(|kept| kept.ends.iter().copied()));
    let wholes = distinct(kept.values().flat_map(|kept| kept.wholes.iter().copied()));
    let sentences: Vec<String> = kept
        .iter()
        .map(|(host, kept)| tell(trace, host, kept))
        .collect();
    let mut cited: Vec<usize> = kept.into_values().flat_map(|kept| kept.lost).collect();
    if cited.is_empty() {
        return None;
    }
    cited.sort_unstable();
    cited.truncate(CITED);
    let connections = distinct(wholes.iter().map(|(connection, _, _)| *connection));
    Some(Finding {
        kind: KIND.into(),
        summary: sentences.join(" "),
        packets: cited,
        connections,
        counters: counters(
            evidence,
            ends,
            &[
                "IpReasmReqds",
                "IpReasmOKs",
                "IpReasmFails",
                "IpReasmTimeout",
            ],
        ),
        values: Vec::new(),
    })
}

fn tell(trace: &Trace, host: &str, kept: &Kept<'_>) -> String {
    let wholes = distinct(kept.wholes.iter().copied());
    let connections = distinct(wholes.iter().map(|(connection, _, _)| *connection));
    let ends: Vec<String> = distinct(kept.ends.iter().map(|end| (*end).to_owned()));
    format!(
        "{host} let the first fragment of {} of {} pass and kept the {} behind, which {} no ports: {} waits for the rest (30 s in \
         Linux), delivers nothing, and tells nobody in time.",
        count(wholes.len(), "packet"),
        name_all(trace, &connections),
        count(kept.lost.len(), "fragment"),
        if kept.lost.len() == 1 { "has" } else { "have" },
        join(&ends),
    )
}

#[cfg(test)]
mod tests {
    use crate::verdict::findings::stories::ways::without_ports;
    use crate::verdict::trace::Trace;

    #[test]
    fn who_kept_fragments_and_who_waits_for_them() {
        let mut kit = without_ports(true);
        let found = super::find(&Trace::new(&kit.evidence)).expect("a finding");
        assert_eq!(
            found.summary,
            "web2 let the first fragment of 1 packet of \"ask\" pass and kept the 2 fragments behind, which have no ports: web1 waits for \
             the rest (30 s in Linux), delivers nothing, and tells nobody in time."
        );
        assert_eq!(found.packets.len(), 2);
        // Those of another packet of the same two hosts say nothing of this one.
        for packet in &mut kit.evidence.packets {
            if packet.len != 1472 {
                packet.ip_id = 8;
            }
        }
        assert!(super::find(&Trace::new(&kit.evidence)).is_none());
    }
}
