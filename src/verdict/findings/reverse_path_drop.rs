//! `reverse-path-drop`: a host's kernel dropped packets because the way back to their source is another device.
//!
//! Strict reverse path filtering (`rp_filter=1`, RFC 3704 section 2.2): before any rule of the firewall looks at it, and
//! without a word to anybody. The counter counts exactly that, so it is enough.
//! Observed on: Kubernetes nodes to which a client-preserving balancer sends a pod of their own back; hosts with two
//! interfaces and one default route.

use super::{cite, count, counters, distinct, join, name_all};
use crate::evidence::{HostEvidence, Packet};
use crate::verdict::Finding;
use crate::verdict::trace::{Journey, Trace, delivered, ip, is_at, is_syn, is_syn_ack};
use std::collections::HashSet;

pub(super) const KIND: &str = "reverse-path-drop";
const COUNTER: &str = "TcpExtIPReversePathFilter";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let dropped = |host: &HostEvidence| {
        let counted = host.counters.get(COUNTER).copied();
        counted.filter(|count| *count > 0)
    };
    let hosts: Vec<(&str, i64)> = trace
        .evidence
        .hosts
        .iter()
        .filter_map(|(name, host)| Some((name.as_str(), dropped(host)?)))
        .collect();
    if hosts.is_empty() {
        return None;
    }
    let passages: Vec<usize> = (0..trace.passages.len())
        .filter(|passage| {
            hosts
                .iter()
                .any(|(host, _)| is_own_guest(trace, *passage, host))
        })
        .collect();
    let mut died = Vec::new();
    let mut sentences = Vec::new();
    for (host, dropped) in &hosts {
        let own = passages.iter().copied();
        let own: Vec<usize> = own
            .filter(|passage| trace.ended(*passage).receiver == *host)
            .collect();
        let syns = match own.is_empty() {
            true => died_at(trace, host, *dropped),
            false => Vec::new(),
        };
        sentences.push(tell(trace, host, *dropped, &own, &syns));
        died.extend(syns);
    }
    let passages = [passages, died].concat();
    let connections = distinct(
        passages
            .iter()
            .filter_map(|p| trace.passages[*p].connection),
    );
    Some(Finding {
        kind: KIND.into(),
        summary: sentences.join(" "),
        packets: cite(trace, passages),
        connections,
        counters: counters(
            trace.evidence,
            hosts.iter().map(|(host, _)| *host),
            &[COUNTER],
        ),
        values: Vec::new(),
    })
}

/// It left a host and came back to it, from an address that leads inside of it and is not its own.
fn is_own_guest(trace: &Trace, passage: usize, host: &str) -> bool {
    let packet = trace.ended(passage);
    let home = packet.sender == host && packet.receiver == host && delivered(packet);
    home && !is_loopback(trace, packet, host)
}

/// It comes from the host's own address, which no counter of its namespace tells (see `loopback`).
fn is_loopback(trace: &Trace, packet: &Packet, host: &str) -> bool {
    let record = trace.evidence.hosts.get(host);
    record.is_some_and(|record| is_at(record, &packet.from_after))
}

/// SYNs that came to a host and that it neither answered nor passed on, as passages: the packets that it dropped, where there are
/// as many. Else nobody can tell which it dropped.
fn died_at(trace: &Trace, host: &str, dropped: i64) -> Vec<usize> {
    let packets = &trace.evidence.packets;
    let journeys = trace.journeys();
    let began = |journey: &Journey| &packets[journey.sent()];
    let answered: HashSet<Option<usize>> = journeys
        .iter()
        .filter(|journey| is_syn_ack(began(journey)) && began(journey).sender == host)
        .map(|journey| journey.connection)
        .collect();
    let died = journeys.iter().filter(|journey| {
        let ended = &packets[journey.ended()];
        let here = ended.receiver == host && delivered(ended) && !is_loopback(trace, ended, host);
        is_syn(began(journey)) && here && !answered.contains(&journey.connection)
    });
    let died: Vec<usize> = died.filter_map(|journey| journey.passage).collect();
    if usize::try_from(dropped).is_ok_and(|dropped| dropped == died.len()) {
        died
    } else {
        Vec::new()
    }
}

fn tell(trace: &Trace, host: &str, dropped: i64, own: &[usize], syns: &[usize]) -> String {
    let dropped = count(dropped.unsigned_abs() as usize, "packet");
    let what = format!(
        "{host} dropped {dropped} on arrival: to it, the way to their source leads through another device (rp_filter)."
    );
    if let (true, false) = (own.is_empty(), syns.is_empty()) {
        let whose = distinct(syns.iter().filter_map(|p| trace.passages[*p].connection));
        let syns = if syns.len() == 1 {
            "It was a SYN"
        } else {
            "They were SYNs"
        };
        return format!("{what} {syns} of {}.", name_all(trace, &whose));
    }
    if own.is_empty() {
        return what;
    }
    let sources: Vec<String> = distinct(own.iter().map(|p| ip(&trace.ended(*p).from_after)))
        .into_iter()
        .map(str::to_owned)
        .collect();
    let connections = distinct(own.iter().filter_map(|p| trace.passages[*p].connection));
    let whose = match connections.is_empty() {
        true => String::new(),
        false => format!(" of {}", name_all(trace, &connections)),
    };
    format!(
        "{what} Packets{whose} from {} had left {host} itself and came back by the network.",
        join(&sources)
    )
}

#[cfg(test)]
mod tests {
    use super::{COUNTER, KIND, find};
    use crate::evidence::{Evidence, HostEvidence, Packet};
    use crate::verdict::kit::{Kit, OLD};
    use crate::verdict::trace::Trace;

    fn node(counter: i64) -> Evidence {
        let mut evidence = Evidence::default();
        let mut host = HostEvidence {
            address: "10.0.0.10".into(),
            ..HostEvidence::default()
        };
        host.counters.insert(COUNTER.into(), counter);
        evidence.hosts.insert("n1".into(), host);
        evidence
    }

    fn syn(evidence: &mut Evidence, from: &str) {
        evidence.packets.push(Packet {
            sender: "n1".into(),
            receiver: "n1".into(),
            protocol: "tcp".into(),
            from: from.into(),
            to: "10.0.15.10:80".into(),
            from_after: from.into(),
            to_after: "10.0.0.10:31468".into(),
            flags: "S".into(),
            fate: "forwarded".into(),
            ..Packet::default()
        });
    }

    #[test]
    fn a_pods_syn_that_comes_back_to_its_node() {
        let mut evidence = node(1);
        syn(&mut evidence, "10.0.0.11:40000");
        let found = find(&Trace::new(&evidence)).expect("a finding");
        assert_eq!(found.kind, KIND);
        assert_eq!(found.packets, [0]);
        assert!(
            found.summary.contains("n1 dropped 1 packet"),
            "{}",
            found.summary
        );
        assert!(
            found.summary.contains("from 10.0.0.11"),
            "{}",
            found.summary
        );
    }

    #[test]
    fn the_counter_is_enough_for_what_another_sent() {
        let found = find(&Trace::new(&node(3))).expect("a finding");
        assert!(found.packets.is_empty());
        assert!(!found.summary.contains("came back"), "{}", found.summary);
    }

    /// As many SYNs as were dropped came to it, were not answered, and went no further.
    #[test]
    fn syns_of_others_that_went_no_further_are_told_when_they_are_as_many() {
        let mut kit = Kit::new();
        let visit = kit.connect("visit", 40000, "web1", "web1");
        kit.up(visit, "S", OLD.client, 0, 0);
        kit.now += 1000.0;
        kit.up(visit, "S", OLD.client, 0, 0);
        kit.counter("web1", COUNTER, 2);
        let found = find(&Trace::new(&kit.evidence)).expect("a finding");
        assert_eq!(found.packets, [0, 1]);
        assert!(
            found.summary.ends_with("They were SYNs of \"visit\"."),
            "{}",
            found.summary
        );
        kit.counter("web1", COUNTER, 3);
        let found = find(&Trace::new(&kit.evidence)).expect("a finding");
        assert!(found.packets.is_empty());
        // What it answered it had let in.
        kit.counter("web1", COUNTER, 2);
        kit.down(visit, "S.", OLD.server, OLD.client + 1, 0);
        let found = find(&Trace::new(&kit.evidence)).expect("a finding");
        assert!(found.packets.is_empty());
    }

    /// What came back to one host says nothing of what another dropped.
    #[test]
    fn each_host_is_told_of_by_itself() {
        let mut kit = Kit::new();
        let visit = kit.connect("visit", 40000, "web1", "web1");
        kit.up(visit, "S", OLD.client, 0, 0);
        kit.counter("web1", COUNTER, 1);
        let node = node(1);
        kit.evidence.hosts.extend(node.hosts);
        syn(&mut kit.evidence, "10.0.0.11:40000");
        let found = find(&Trace::new(&kit.evidence)).expect("a finding");
        assert_eq!(found.packets, [0, 1]);
        let (n1, web1) = found.summary.split_once(" web1 dropped").expect("both");
        assert!(n1.ends_with("came back by the network."), "{n1}");
        assert!(web1.ends_with("It was a SYN of \"visit\"."), "{web1}");
    }

    #[test]
    fn silent_when_the_node_lets_it_in() {
        let mut evidence = node(0);
        syn(&mut evidence, "10.0.0.11:40000");
        assert!(find(&Trace::new(&evidence)).is_none());
    }

    /// A loopback moves no counter of the namespace; where another packet does, its SYNs are not cited.
    #[test]
    fn a_loopback_is_another_thing() {
        let mut evidence = node(1);
        syn(&mut evidence, "10.0.0.10:40000");
        let found = find(&Trace::new(&evidence)).expect("a finding");
        assert!(found.packets.is_empty());
    }
}
