//! `syn-unanswered`: connections whose SYNs never brought a SYN-ACK home, and where each SYN or its answer went.
//!
//! The plain symptom; what causes it is often a finding of its own.

mod end;

use super::{cite, count, counters, distinct, join, lapse, name_all, quoted};
use crate::evidence::Packet;
use crate::verdict::Finding;
use crate::verdict::trace::{Journey, Trace, delivered, drop_reason, is_syn, is_syn_ack, left};
use end::{Answers, End, end_of, sentence};
use std::collections::BTreeMap;

pub(super) const KIND: &str = "syn-unanswered";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let connections = &trace.evidence.connections;
    let gave_up = |c: &usize| {
        let connection = &connections[*c];
        // One that waited in vain for the address of a name has sent no SYN.
        let dialled = !connection.remote.is_empty();
        dialled && matches!(connection.error.as_str(), "deadline" | "timeout")
    };
    let unanswered: Vec<usize> = (0..connections.len())
        .filter(|c| gave_up(c) && !answered(trace, *c))
        .collect();
    let first = *unanswered.first()?;
    let mut ends: BTreeMap<End, usize> = BTreeMap::new();
    let answers = Answers::new(trace);
    let mut withheld = 0;
    for connection in &unanswered {
        for syn in trace.syns(*connection) {
            if !left(trace.ended(syn)) {
                withheld += 1;
                continue;
            }
            *ends
                .entry(end_of(trace, *connection, syn, &answers))
                .or_default() += 1;
        }
    }
    let mut ends: Vec<(End, usize)> = ends.into_iter().collect();
    ends.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let total: usize = ends.iter().map(|(_, n)| n).sum();
    let mut text = head(trace, first, &unanswered);
    match ends.as_slice() {
        [] => text.push_str(&no_record(trace, &unanswered)),
        [(end, n)] => text.push_str(&format!(
            " {}",
            sentence(end, if *n == 1 { "The SYN" } else { "All" })
        )),
        many => {
            for (end, n) in many {
                text.push_str(&format!(" {}", sentence(end, &format!("{n} of {total}"))));
            }
        }
    }
    if withheld > 0 {
        text.push_str(&format!(
            " {} withheld at the client: the kernel that it emulates would not have sent {} yet.",
            if withheld == 1 {
                "1 more was".to_owned()
            } else {
                format!("{withheld} more were")
            },
            if withheld == 1 { "it" } else { "them" },
        ));
    }
    let syns = unanswered
        .iter()
        .take(8)
        .flat_map(|c| trace.syns(*c).take(4))
        .collect::<Vec<_>>();
    let targets = unanswered.iter().map(|c| connections[*c].target.as_str());
    let inside = ends.iter().filter_map(|(end, _)| {
        if let End::Silence(_, Some(inside)) = end {
            Some(inside.as_str())
        } else {
            None
        }
    });
    let witnesses = distinct(targets.chain(inside));
    Some(Finding {
        kind: KIND.into(),
        summary: text,
        packets: cite(trace, syns),
        connections: unanswered,
        counters: counters(
            trace.evidence,
            witnesses,
            &[
                "TcpExtTCPACKSkippedChallenge",
                "TcpExtListenDrops",
                "IpInAddrErrors",
            ],
        ),
        values: Vec::new(),
    })
}

/// A SYN-ACK was delivered to it under its own addresses.
fn answered(trace: &Trace, connection: usize) -> bool {
    trace.by_connection[connection].iter().any(|p| {
        let passage = &trace.passages[*p];
        let own = passage.ack.of == Some(connection);
        !passage.toward_target && is_syn_ack(trace.sent(*p)) && own && delivered(trace.ended(*p))
    })
}

fn head(trace: &Trace, first: usize, unanswered: &[usize]) -> String {
    let connections = &trace.evidence.connections;
    let syns: i64 = unanswered.iter().map(|c| connections[*c].syns).sum();
    let syns = count(syns.unsigned_abs() as usize, "SYN");
    let c = &connections[first];
    if unanswered.len() == 1 {
        return format!(
            "{} sent {syns} to {} ({}) and had no SYN-ACK when it gave up after {} ({}).",
            quoted(trace, first),
            c.remote,
            c.via,
            lapse(c.ms),
            c.error
        );
    }
    format!(
        "{} connections ({}) sent {syns} and had no SYN-ACK when they gave up.",
        unanswered.len(),
        name_all(trace, unanswered),
    )
}

/// No packet of theirs was recorded.
fn no_record(trace: &Trace, unanswered: &[usize]) -> String {
    let sent: i64 = unanswered
        .iter()
        .map(|c| trace.evidence.connections[*c].syns)
        .sum();
    if sent == 0 {
        " No SYN of theirs ever reached the network.".into()
    } else if let Some(text) = seen_on_devices(trace, unanswered) {
        text
    } else {
        format!(
            " Where they went is not recorded ({} packets were cut).",
            trace.evidence.packets_cut
        )
    }
}

/// Under their own addresses their SYNs were seen on devices only: how far the first one of a connection got that any was seen of, and
/// the answer to it.
fn seen_on_devices(trace: &Trace, unanswered: &[usize]) -> Option<String> {
    let packets = &trace.evidence.packets;
    let journeys = trace.journeys();
    let own = journeys.iter().filter(|journey| {
        let whose = journey.connection;
        whose.is_some_and(|whose| unanswered.contains(&whose))
    });
    let own: Vec<&Journey> = own.collect();
    let began = |journey: &Journey| &packets[journey.sent()];
    let came_to = |journey: &Journey| packets[journey.ended()].receiver.as_str();
    let mut syns = own.iter().filter(|one| is_syn(began(one)));
    // One that came to the network under other addresses got furthest.
    let syn = syns.clone().find(|one| one.passage.is_some());
    let syn = syn.or_else(|| syns.next())?;
    let connection = syn.connection?;
    let answer = own
        .iter()
        .find(|one| one.connection == Some(connection) && is_syn_ack(began(one)));
    if syn.passage.is_some() {
        return Some(by_way_of(trace, connection, syn, answer.copied()));
    }
    let sender = trace.evidence.hosts.get(&began(syn).sender)?;
    let around = match sender.inside.as_str() {
        "" => began(syn).seen_by(),
        router => router,
    };
    let last = came_to(syn);
    let text = format!(
        " None came to the network: they were seen inside {around} only. The first of {}",
        quoted(trace, connection)
    );
    Some(match answer {
        Some(answer) => format!(
            "{text} came to {last}, and the SYN-ACK to it got no further than {}.",
            came_to(answer)
        ),
        None if last == around => format!("{text} came to {around} and went no further."),
        None => format!("{text} came to {last}, and no answer came from it."),
    })
}

/// How far a SYN got that hosts passed on to other addresses than those that its connection bears.
fn by_way_of(trace: &Trace, connection: usize, syn: &Journey, answer: Option<&Journey>) -> String {
    let last = |journey: &Journey| &trace.evidence.packets[journey.ended()];
    let died = |packet: &Packet| drop_reason(packet).unwrap_or(&packet.fate).to_owned();
    let hosts = distinct(syn.passed_on(trace.evidence).map(str::to_owned));
    let (there, back) = (last(syn), answer.map(last));
    let end = match back {
        None if there.receiver.is_empty() => {
            format!("died on the way to {}: {}", there.to_after, died(there))
        }
        None => format!("came to {}, and no answer came from it", there.receiver),
        Some(back) if back.receiver.is_empty() => {
            format!(
                "was answered; its SYN-ACK died on the way back: {}",
                died(back)
            )
        }
        Some(back) => format!(
            "came to {}, and the SYN-ACK to it got no further than {}",
            there.receiver, back.receiver
        ),
    };
    format!(
        " The first of {} that came to the network went by way of {}, and {end}.",
        quoted(trace, connection),
        join(&hosts)
    )
}

#[cfg(test)]
mod tests {
    use super::super::stories::nodes::{CLIENT, Node};
    use super::find;
    use crate::evidence::Packet;
    use crate::verdict::kit::{Kit, OLD};
    use crate::verdict::trace::Trace;

    #[test]
    fn a_rejection_that_the_client_never_hears_of_is_told() {
        let mut kit = Kit::new();
        let x = kit.connect("x", 40001, "front/a", "web1");
        kit.of(x).error = "deadline".into();
        kit.up(x, "S", OLD.client, 0, 0);
        let error = kit.down(x, "", 0, 0, 0);
        kit.evidence.packets[error].protocol = "icmp".into();
        kit.dropped("icmp-unsupported");
        let told = find(&Trace::new(&kit.evidence)).expect("it shows").summary;
        let rejected = "The SYN reached web1, which sent an ICMP error that died on the way back: icmp-unsupported.";
        assert!(told.ends_with(rejected), "{told}");
    }

    #[test]
    fn the_host_behind_a_router_that_a_syn_came_to_is_told() {
        let mut kit = Kit::new();
        let x = kit.connect("x", 40001, "front/a", "web1");
        kit.of(x).error = "deadline".into();
        let syn = kit.up(x, "S", OLD.client, 0, 0);
        let inside = Packet {
            id: 1000,
            sender: "web1".into(),
            receiver: "old".into(),
            seen_at: "web1 veth1".into(),
            fate: "seen".into(),
            follows: Some(kit.evidence.packets[syn].id),
            ..kit.evidence.packets[syn].clone()
        };
        let told = |kit: &Kit| find(&Trace::new(&kit.evidence)).expect("it shows").summary;
        let by_web1 = "The SYN reached web1, and no answer came from it.";
        assert!(told(&kit).ends_with(by_web1), "{}", told(&kit));
        kit.evidence.packets.push(inside);
        let by_old = "The SYN reached old by way of web1, and no answer came from it.";
        assert!(told(&kit).ends_with(by_old), "{}", told(&kit));
        // It left that one again, and nobody saw where it went.
        let passed_on = Packet {
            id: 1001,
            sender: "old".into(),
            receiver: "web1".into(),
            follows: Some(1000),
            ..kit.evidence.packets[kit.evidence.packets.len() - 1].clone()
        };
        kit.evidence.packets.push(passed_on);
        assert!(told(&kit).ends_with(by_web1), "{}", told(&kit));
    }

    /// Hosts behind one router, of which the network sees nothing.
    #[test]
    fn how_far_a_syn_and_its_answer_got_inside_a_router_is_told() {
        let mut kit = Kit::new();
        let x = kit.connect("x", 40001, "web1", "web1");
        kit.of(x).error = "deadline".into();
        let client = |kit: &mut Kit, inside: &str| {
            let client = kit.evidence.hosts.get_mut("client").expect("the client");
            client.inside = inside.into();
        };
        client(&mut kit, "router");
        let syn = kit.up(x, "S", OLD.client, 0, 0);
        let told = |kit: &Kit| find(&Trace::new(&kit.evidence)).expect("it shows").summary;
        let seen = |packet: &mut Packet, to: &str| {
            (packet.seen_at, packet.fate) = ("router veth1".into(), "seen".into());
            packet.receiver = to.into();
        };
        seen(&mut kit.evidence.packets[syn], "router");
        let inside = "None came to the network: they were seen inside router only. The first of \"x\" came to";
        let text = told(&kit);
        assert!(
            text.ends_with(&format!("{inside} router and went no further.")),
            "{text}"
        );
        // A host that is inside of no other one is named by its device.
        client(&mut kit, "");
        let text = told(&kit);
        assert!(text.contains("inside router only"), "{text}");
        client(&mut kit, "router");
        seen(&mut kit.evidence.packets[syn], "web1");
        let text = told(&kit);
        assert!(
            text.ends_with(&format!("{inside} web1, and no answer came from it.")),
            "{text}"
        );
        let answer = kit.down(x, "S.", OLD.server, OLD.client + 1, 0);
        seen(&mut kit.evidence.packets[answer], "fw-b");
        let text = told(&kit);
        assert!(
            text.ends_with(&format!(
                "{inside} web1, and the SYN-ACK to it got no further than fw-b."
            )),
            "{text}"
        );
    }

    /// A pod dials a service, and its node passes that on to a pod of another one.
    #[test]
    fn a_syn_that_its_node_translates_has_been_on_the_network() {
        let mut kit = Kit::new();
        let x = kit.connect("x", 40001, "front/a", "web1");
        let own = kit.of(x);
        (own.error, own.remote, own.flow) = ("deadline".into(), "172.20.0.80:80".into(), None);
        (own.target, own.target_address) = (String::new(), String::new());
        kit.evidence.flows.clear();
        let (local, pod) = ("198.51.100.7:40001", "10.0.1.10:80");
        let inside = kit.apart(1.0, ("client", local), ("web2", "172.20.0.80:80"), "S");
        (inside.seen_at, inside.fate) = ("web2 eni1".into(), "seen".into());
        kit.apart(1.1, ("web2", local), ("old", pod), "S").follows = Some(0);
        let last = kit.apart(1.2, ("old", local), ("web1", pod), "S");
        last.follows = Some(1);
        let told = |kit: &Kit| find(&Trace::new(&kit.evidence)).expect("it shows").summary;
        let way = " The first of \"x\" that came to the network went by way of web2 and old, and ";
        let came = format!("{way}came to web1, and no answer came from it.");
        assert!(told(&kit).ends_with(&came), "{}", told(&kit));
        let last = kit.evidence.packets.last_mut().expect("the last");
        (last.receiver, last.fate) = (String::new(), "dropped: spoofed-source".into());
        let died = format!("{way}died on the way to 10.0.1.10:80: spoofed-source.");
        assert!(told(&kit).ends_with(&died), "{}", told(&kit));
    }

    #[test]
    fn who_got_no_address_has_sent_no_syn() {
        let mut kit = Kit::new();
        let x = kit.connect("x", 40001, "front/a", "web1");
        let connection = kit.of(x);
        (connection.error, connection.remote) = ("deadline".into(), String::new());
        assert_eq!(find(&Trace::new(&kit.evidence)), None);
    }

    #[test]
    fn an_answer_that_stays_inside_its_host_is_one() {
        let mut kit = Kit::new();
        let x = kit.connect("x", 40001, "front/a", "web1");
        kit.of(x).error = "deadline".into();
        let syn = kit.up(x, "S", OLD.client, 0, 0);
        let mut answer = kit.evidence.packets[syn].clone();
        answer.id = 900;
        answer.seen_at = "web1 eni1".into();
        answer.flags = "S.".into();
        (answer.seq, answer.ack) = (OLD.server, OLD.client + 1);
        answer.from_after = "10.0.1.10:31468".into();
        answer.follows = None;
        let told = |kit: &Kit| find(&Trace::new(&kit.evidence)).expect("it shows").summary;
        let silent = "reached web1, and no answer came from it";
        assert!(told(&kit).contains(silent), "{}", told(&kit));
        kit.evidence.packets.push(answer);
        let inside = "The SYN reached web1; the SYN-ACK never left web1: it was seen inside, from 10.0.1.10:31468.";
        assert!(told(&kit).contains(inside), "{}", told(&kit));
        kit.evidence.packets.last_mut().expect("a packet").receiver = "vpc".into();
        let there = "it was seen inside, from 10.0.1.10:31468, where it came to vpc.";
        assert!(told(&kit).contains(there), "{}", told(&kit));
        // Another host's, and one to another SYN, are no answer.
        for (place, ack) in [("web2 eni1", OLD.client + 1), ("web1 eni1", OLD.client + 2)] {
            let packet = kit.evidence.packets.last_mut().expect("a packet");
            (packet.seen_at, packet.ack) = (place.into(), ack);
            assert!(told(&kit).contains(silent), "{}", told(&kit));
        }
    }

    #[test]
    fn what_a_node_passed_on_and_died_behind_it_is_no_silence_of_the_node() {
        let mut node = Node::serving();
        node.kit.evidence.packets.clear();
        node.kit.of(0).error = "deadline".into();
        node.toward(1.0, "S", (0, 0), ("web2", CLIENT));
        let behind = &mut node.kit.evidence.packets[1];
        behind.fate = "dropped: link-down".into();
        behind.seen_at.clear();
        behind.receiver.clear();
        let found = find(&Trace::new(&node.kit.evidence)).expect("the finding");
        let part = "reached n1 and died behind it, on the way to web2 (10.0.2.10:80): link-down.";
        assert!(found.summary.ends_with(part), "{}", found.summary);
    }
}
