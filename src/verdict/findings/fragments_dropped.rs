//! `fragments-dropped`: a host let the first fragment of a datagram or segment pass, and not those behind it, which have no ports.
//!
//! Observed on: stateless filters that let in by ports, or drop fragments outright; many firewalls by default (RFC 8900). Not this: a
//! whole packet that is dropped; a fragment that a link lost; a filter behind connection tracking, which sees no fragments.

use super::{cite_records, count, counters, distinct, join, name_all};
use crate::verdict::Finding;
use crate::verdict::trace::{Journey, Trace, came, is_later_fragment};
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
    let ended = |journey: &Journey| &packets[journey.ended()];
    let parts = journeys.iter().filter_map(|journey| {
        let began = &packets[journey.sent()];
        let whole = (journey.connection?, journey.toward_target, began.ip_id);
        Some((journey, whole, is_later_fragment(began)))
    });
    let parts: Vec<(&Journey, Whole, bool)> = parts.collect();
    // One that is longer at its end goes on as a whole packet: a host on the way had all the fragments.
    let firsts = parts.iter().filter(|(_, _, later)| !later);
    let firsts: HashMap<Whole, &str> = firsts
        .filter(|(journey, ..)| ended(journey).len == packets[journey.sent()].len)
        .map(|(journey, whole, _)| (*whole, ended(journey).receiver.as_str()))
        .collect();
    let mut kept: BTreeMap<&str, Kept> = BTreeMap::new();
    for (journey, whole, _) in parts.iter().filter(|(_, _, later)| *later) {
        let last = ended(journey);
        let (host, end) = (last.receiver.as_str(), firsts.get(whole).copied());
        if let (true, Some(end)) = (came(last) && evidence.hosts.contains_key(host), end)
            && end != host
            && evidence.hosts.contains_key(end)
        {
            let kept = kept.entry(host).or_default();
            kept.wholes.push(*whole);
            kept.ends.push(end);
            kept.lost.push(journey.ended());
        }
    }
    let ends = distinct(kept.values().flat_map(|kept| kept.ends.iter().copied()));
    let wholes = distinct(kept.values().flat_map(|kept| kept.wholes.iter().copied()));
    let sentences: Vec<String> = kept
        .iter()
        .map(|(host, kept)| tell(trace, host, kept))
        .collect();
    let cited: Vec<usize> = kept.into_values().flat_map(|kept| kept.lost).collect();
    if cited.is_empty() {
        return None;
    }
    let connections = distinct(wholes.iter().map(|(connection, _, _)| *connection));
    Some(Finding {
        kind: KIND.into(),
        summary: sentences.join(" "),
        packets: cite_records(cited),
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
        "{host} let the first fragment of {} of {} pass and kept {} behind, which {} no ports: {} {} for the rest (30 s in Linux), \
         {} nothing, and {} nobody in time.",
        count(wholes.len(), "packet"),
        name_all(trace, &connections),
        match kept.lost.len() {
            1 => "the fragment".to_owned(),
            n => format!("the {n} fragments"),
        },
        if kept.lost.len() == 1 { "has" } else { "have" },
        join(&ends),
        verb("waits", ends.len()),
        verb("delivers", ends.len()),
        verb("tells", ends.len()),
    )
}

/// The verb of one, or of several without its "s".
fn verb(of_one: &str, subjects: usize) -> &str {
    match subjects {
        1 => of_one,
        _ => of_one.trim_end_matches('s'),
    }
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
        // Behind a host that had all of them the first goes on as a whole packet.
        let mut whole = without_ports(true);
        let first = whole.evidence.packets.iter_mut();
        let mut first = first.filter(|packet| packet.sender == "web2");
        first.next().expect("the first, from web2").len = 2984;
        assert!(super::find(&Trace::new(&whole.evidence)).is_none());
        // Those of another packet of the same two hosts say nothing of this one.
        for packet in &mut kit.evidence.packets {
            if packet.len != 1472 {
                packet.ip_id = 8;
            }
        }
        assert!(super::find(&Trace::new(&kit.evidence)).is_none());
    }
}
