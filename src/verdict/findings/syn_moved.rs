//! `syn-moved`: a SYN that was sent again came to another server than the first time, and so two servers answer one client.
//!
//! The client takes the answer that comes first. Where what follows goes to the other server, that one resets it: it has a half-open
//! connection with another number. Observed on: Calico's eBPF dataplane before felix #2675; any balancer that has no entry for
//! a SYN that was not answered yet. Not this: a segment that goes astray later (see `moved_flow`); a SYN behind a RST of the same attempt, which
//! ends what balancers remember of it; an attempt that never stands, for the same reason.

use super::{CITED, count, distinct, join, lapse, name_all, quoted};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, by_address, ip, is_reset, is_syn};
use std::collections::{BTreeMap, HashMap, HashSet};

pub(super) const KIND: &str = "syn-moved";

/// Where a connection's SYN came to, the first time and another.
struct Moved<'a> {
    connection: usize,
    first: (&'a str, f64),
    then: (&'a str, f64),
    /// Records: both SYNs, and the RST of the second server if there is one.
    packets: Vec<usize>,
    reset: bool,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let moved = moved(trace);
    let first = moved.first()?;
    let connections: Vec<usize> = moved.iter().map(|one| one.connection).collect();
    let reset: Vec<&Moved> = moved.iter().filter(|one| one.reset).collect();
    let consequence = match reset.first() {
        None => " Nobody was reset for it.".to_owned(),
        Some(one) => format!(
            " {} of them took the answer of the server before and {} reset by the one after, {} first: it had sent another number.",
            reset.len(),
            if reset.len() == 1 { "was" } else { "were" },
            quoted(trace, one.connection),
        ),
    };
    let mut packets: Vec<usize> = reset
        .iter()
        .copied()
        .chain(moved.iter().filter(|one| !one.reset))
        .flat_map(|one| one.packets.iter().copied())
        .take(CITED)
        .collect();
    packets.sort_unstable();
    let servers = distinct(moved.iter().map(|one| one.then.0.to_owned()));
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "The SYN of {} ({}) was sent again and came to another server than before ({}): nothing on the way remembers a SYN that is not \
             answered yet. That of {} came to {}, and {} later to {}.{consequence}",
            count(moved.len(), "connection"),
            name_all(trace, &connections),
            join(&servers),
            quoted(trace, first.connection),
            first.first.0,
            lapse(first.then.1 - first.first.1),
            first.then.0,
        ),
        packets,
        connections,
        counters: super::counters(
            trace.evidence,
            servers.iter().map(String::as_str),
            &["TcpOutRsts"],
        ),
        values: Vec::new(),
    })
}

/// Connections whose SYN came to this host, by [`syns`].
pub(super) fn asked<'a>(trace: &Trace<'a>) -> HashSet<(usize, &'a str)> {
    let all = syns(trace).into_iter();
    all.flat_map(|(connection, came)| came.into_iter().map(move |syn| (connection, syn.host)))
        .collect()
}

/// A SYN that came to a host.
struct Came<'a> {
    host: &'a str,
    t: f64,
    seq: i64,
    /// Its record.
    sent: usize,
    /// Hosts that passed it on.
    by: Vec<&'a str>,
}

impl Came<'_> {
    /// Neither of the two hosts passes on what comes to the other: a SYN that died in a router on the way came to no server.
    fn is_elsewhere(&self, other: &Came<'_>) -> bool {
        self.host != other.host && !self.by.contains(&other.host) && !other.by.contains(&self.host)
    }
}

/// By connection, where its SYNs came to.
fn syns<'a>(trace: &Trace<'a>) -> BTreeMap<usize, Vec<Came<'a>>> {
    let packets = &trace.evidence.packets;
    let named = by_address(trace.evidence);
    let mut all: BTreeMap<usize, Vec<Came<'a>>> = BTreeMap::new();
    for journey in trace.journeys() {
        let Some(connection) = journey.connection.filter(|c| is_direct(trace, *c)) else {
            continue;
        };
        let (sent, ended) = (journey.sent(), journey.ended());
        // What was not seen at a pod's own device came to its node for it.
        let end = ip(&packets[ended].to_after);
        let host = named.get(end).copied();
        let host = host.unwrap_or(packets[ended].receiver.as_str());
        if journey.toward_target
            && is_syn(&packets[sent])
            && !packets[ended].receiver.is_empty()
            && trace.evidence.hosts.contains_key(host)
        {
            all.entry(connection).or_default().push(Came {
                host,
                t: packets[sent].t,
                seq: packets[sent].seq,
                sent,
                by: journey.passed_on(trace.evidence).collect(),
            });
        }
    }
    all
}

/// One stream from end to end: no proxy in between, whose targets may change.
pub(super) fn is_direct(trace: &Trace, connection: usize) -> bool {
    let c = &trace.evidence.connections[connection];
    c.protocol == "tcp" && !c.proxied && c.pair.is_none()
}

fn moved<'a>(trace: &Trace<'a>) -> Vec<Moved<'a>> {
    let packets = &trace.evidence.packets;
    let all = syns(trace).into_iter();
    let stood = |c: usize| trace.evidence.connections[c].error.is_empty();
    let two = all.filter_map(|(connection, came)| {
        if !stood(connection) {
            return None;
        }
        let first = came.first()?;
        let then = came
            .iter()
            .rfind(|syn| syn.seq == first.seq && syn.is_elsewhere(first))?;
        Some(Moved {
            connection,
            first: (first.host, first.t),
            then: (then.host, then.t),
            packets: vec![first.sent, then.sent],
            reset: false,
        })
    });
    let two: Vec<Moved> = two.collect();
    if two.is_empty() {
        return two;
    }
    let mut resets: HashMap<usize, Vec<usize>> = HashMap::new();
    for journey in trace.journeys() {
        let sent = journey.sent();
        if let Some(connection) = journey.connection.filter(|_| is_reset(&packets[sent])) {
            resets.entry(connection).or_default().push(sent);
        }
    }
    let apart = |mut one: Moved<'a>| {
        let resets = resets.get(&one.connection).map_or(&[][..], Vec::as_slice);
        let between = |sent: &usize| (one.first.1..one.then.1).contains(&packets[*sent].t);
        if resets.iter().any(between) {
            return None;
        }
        let mut resets = resets.iter();
        let reset = resets.find(|sent| packets[**sent].sender == one.then.0);
        one.reset = reset.is_some();
        one.packets.extend(reset);
        Some(one)
    };
    two.into_iter().filter_map(apart).collect()
}

#[cfg(test)]
mod tests {
    use crate::verdict::findings::stories::boxes::{elsewhere, opened_twice};
    use crate::verdict::findings::{moved_flow, recognise};
    use crate::verdict::kit::Kit;

    fn told(kit: &Kit, kind: &str) -> Option<String> {
        let mut found = recognise(&kit.evidence).into_iter();
        let own = found.find(|finding| finding.kind == kind);
        own.map(|finding| finding.summary)
    }

    #[test]
    fn both_servers_are_told_and_who_was_reset() {
        let kit = opened_twice(true);
        assert_eq!(
            told(&kit, super::KIND).expect("the finding"),
            "The SYN of 1 connection (\"visit\") was sent again and came to another server than before (web2): nothing on the way \
             remembers a SYN that is not answered yet. That of \"visit\" came to web1, and 1.00 s later to web2. 1 of them took the \
             answer of the server before and was reset by the one after, \"visit\" first: it had sent another number."
        );
        // The second server knows the connection well, though not its numbers.
        assert!(told(&kit, moved_flow::KIND).is_none());
    }

    /// The first SYN died in a router, as by rp_filter, and the second one went by the same router to a server behind it.
    #[test]
    fn who_passes_a_syn_on_is_no_server() {
        let mut kit = opened_twice(true);
        let then = kit.evidence.packets.iter();
        let then = then
            .filter(|p| p.flags == "S")
            .nth(1)
            .expect("a second SYN");
        let mut on = then.clone();
        let by = |packet: &mut crate::evidence::Packet| packet.receiver = "web1".into();
        let whole = then.id;
        (on.id, on.follows, on.seen_at) = (1_000, Some(whole), "web1 veth1".into());
        on.sender = "web1".into();
        let mut packets = kit.evidence.packets.iter_mut();
        by(packets.find(|p| p.id == whole).expect("the second SYN"));
        kit.evidence.packets.push(on);
        assert!(told(&kit, super::KIND).is_none());
    }

    #[test]
    fn without_a_reset_nobody_was_harmed() {
        let mut kit = opened_twice(true);
        kit.evidence.packets.retain(|packet| packet.flags != "R");
        let told = told(&kit, super::KIND).expect("the finding");
        assert!(told.ends_with("Nobody was reset for it."), "{told}");
    }

    /// As a challenged client's, whose RST ends the flow before it sends its SYN again.
    #[test]
    fn behind_a_reset_a_syn_is_a_new_one() {
        let mut kit = opened_twice(true);
        let syns = kit.evidence.packets.iter().filter(|p| p.flags == "S");
        let first = syns.clone().next().expect("a SYN").clone();
        let mut reset = first.clone();
        (reset.id, reset.t, reset.flags) = (1_000, first.t + 1.0, "R".into());
        kit.evidence.packets.push(reset);
        assert!(told(&kit, super::KIND).is_none());
    }

    #[test]
    fn a_new_connection_on_the_same_port_may_go_elsewhere() {
        let mut kit = opened_twice(true);
        for packet in kit.evidence.packets.iter_mut().skip(1) {
            if packet.flags == "S" {
                packet.seq += 1;
            }
        }
        assert!(told(&kit, super::KIND).is_none());
        assert!(told(&elsewhere(true), super::KIND).is_none());
        let mut kit = opened_twice(true);
        kit.evidence.connections[0].error = "timeout".into();
        assert!(told(&kit, super::KIND).is_none());
    }
}
