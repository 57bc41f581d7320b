//! `hairpin-bypass`: the answer to a SYN took a shorter way home than the SYN had come, past whatever would have
//! translated it back. The client gets a SYN-ACK from an address it never dialled, and resets it.
//!
//! Seen on the devices of hosts inside another host, since the fabric sees at most the SYN.
//! Observed on: Docker's bridge with a published port and no userland proxy, without br_netfilter; a Kubernetes node that
//! is chosen by a client-preserving balancer for a pod of its own.

use super::{CITED, count, counters, distinct, hosts_at, join, name_all};
use crate::evidence::Packet;
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, is_reset, is_syn, is_syn_ack, next};
use std::collections::{HashMap, HashSet};

pub(super) const KIND: &str = "hairpin-bypass";

/// So many clients have sentences of their own.
const TOLD: usize = 3;

/// A SYN, the answer from elsewhere, and what the client said to it: indexes of packets.
struct Bypass {
    syn: usize,
    answer: usize,
    reset: usize,
}

/// One client's, by one way.
struct Group<'a> {
    /// Its SYNs went out to the network.
    crossed: bool,
    client: &'a str,
    found: Vec<&'a Bypass>,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let evidence = trace.evidence;
    let found = bypasses(&evidence.packets);
    if found.is_empty() {
        return None;
    }
    let groups = groups(trace, &found);
    let mut sentences: Vec<String> = groups.iter().take(TOLD).map(|g| tell(trace, g)).collect();
    if groups.len() > TOLD {
        let others: usize = groups.iter().skip(TOLD).map(|g| g.found.len()).sum();
        sentences.push(format!("So it was with {} more.", count(others, "SYN")));
    }
    // Of each client some, rather than all of the first.
    let mut cited: Vec<&Bypass> = Vec::new();
    for turn in 0..found.len().min(CITED) {
        cited.extend(groups.iter().filter_map(|group| group.found.get(turn)));
    }
    let mut packets: Vec<usize> = cited
        .into_iter()
        .flat_map(|bypass| [bypass.syn, bypass.answer, bypass.reset])
        .take(CITED)
        .collect();
    packets.sort_unstable();
    packets.dedup();
    let servers = found
        .iter()
        .map(|bypass| evidence.packets[bypass.answer].from.as_str());
    let servers = hosts_at(evidence, servers);
    let clients = distinct(groups.iter().map(|group| group.client));
    let mut numbers = counters(evidence, clients, &["TcpOutRsts"]);
    numbers.extend(counters(evidence, servers, &["TcpExtEmbryonicRsts"]));
    Some(Finding {
        kind: KIND.into(),
        summary: sentences.join(" "),
        packets,
        connections: connections(trace, found.iter()),
        counters: numbers,
        values: Vec::new(),
    })
}

/// By client and way, in the order of their first SYNs.
fn groups<'a>(trace: &Trace<'a>, found: &'a [Bypass]) -> Vec<Group<'a>> {
    let packets = &trace.evidence.packets;
    let sent = (0..trace.passages.len()).map(|passage| trace.sent(passage));
    let crossed: HashSet<i64> = sent.filter(|p| is_syn(p)).map(|p| p.seq).collect();
    let mut groups: Vec<Group> = Vec::new();
    for bypass in found {
        let syn = &packets[bypass.syn];
        // By its sequence number, which no translation changes.
        let (client, crossed) = (syn.sender.as_str(), crossed.contains(&syn.seq));
        let mut known = groups.iter_mut();
        match known.find(|g| g.client == client && g.crossed == crossed) {
            Some(group) => group.found.push(bypass),
            None => groups.push(Group {
                crossed,
                client,
                found: vec![bypass],
            }),
        }
    }
    groups
}

fn tell(trace: &Trace, group: &Group) -> String {
    let packets = &trace.evidence.packets;
    let connections = connections(trace, group.found.iter().copied());
    let answers = || group.found.iter().map(|bypass| &packets[bypass.answer]);
    format!(
        "{} of {} from {} to {} {} answered from {}, an address that was never dialled; {} reset the answer each time. \
         {} The answer passed {} with that source.",
        count(group.found.len(), "SYN"),
        match connections.is_empty() {
            true => "a program".to_owned(),
            false => name_all(trace, &connections),
        },
        group.client,
        some(
            group
                .found
                .iter()
                .map(|bypass| packets[bypass.syn].to.as_str())
        ),
        if group.found.len() == 1 {
            "was"
        } else {
            "were"
        },
        some(answers().map(|answer| answer.from.as_str())),
        group.client,
        route(group.crossed),
        some(answers().map(|answer| answer.seen_at.as_str())),
    )
}

/// Those that the SYNs opened.
fn connections<'a>(trace: &Trace, found: impl Iterator<Item = &'a Bypass>) -> Vec<usize> {
    let packets = &trace.evidence.packets;
    let opened = found.filter_map(|bypass| opened(trace, &packets[bypass.syn]));
    let mut connections: Vec<usize> = opened.collect();
    connections.sort_unstable();
    connections.dedup();
    connections
}

/// Up to three of these, without those that are there twice.
fn some<'a>(ends: impl Iterator<Item = &'a str>) -> String {
    let all = distinct(ends);
    let mut names: Vec<String> = all.iter().take(3).map(|end| (*end).to_owned()).collect();
    if all.len() > names.len() {
        names.push(format!("{} more", all.len() - names.len()));
    }
    join(&names)
}

/// Every SYN that was answered from elsewhere and whose answer was reset, in order.
fn bypasses(packets: &[Packet]) -> Vec<Bypass> {
    // By the client and its own end: the latest SYN, and the answer to it from elsewhere.
    let mut syns: HashMap<(&str, &str), usize> = HashMap::new();
    let mut astray: HashMap<(&str, &str), (usize, usize)> = HashMap::new();
    let mut found = Vec::new();
    let seen = packets.iter().enumerate();
    for (i, packet) in seen.filter(|(_, packet)| !packet.seen_at.is_empty()) {
        if is_syn(packet) {
            syns.insert((&packet.sender, &packet.from), i);
        } else if is_syn_ack(packet) {
            let client = (packet.receiver.as_str(), packet.to.as_str());
            let Some(syn) = syns.get(&client) else {
                continue;
            };
            let asked = &packets[*syn];
            if packet.ack == next(asked.seq) && packet.from != asked.to {
                astray.insert(client, (*syn, i));
            }
        } else if is_reset(packet) {
            let client = (packet.sender.as_str(), packet.from.as_str());
            let Some((syn, answer)) = astray.get(&client).copied() else {
                continue;
            };
            let refused = &packets[answer];
            if packet.to == refused.from && packet.seq == refused.ack {
                astray.remove(&client);
                found.push(Bypass {
                    syn,
                    answer,
                    reset: i,
                });
            }
        }
    }
    found
}

/// The client's connection that a SYN opened.
fn opened(trace: &Trace, syn: &Packet) -> Option<usize> {
    trace.opened_at(&syn.from).rfind(|number| {
        let c = &trace.evidence.connections[*number];
        c.from == syn.sender && c.remote == syn.to && c.at <= syn.t + 1.0
    })
}

fn route(crossed: bool) -> &'static str {
    match crossed {
        true => {
            "The SYN went out to the network and came back; the answer took the short way inside the host, past whatever had \
             translated the address that was dialled."
        }
        false => "Neither the SYN nor the answer ever left the host that both are inside of.",
    }
}

#[cfg(test)]
mod tests {
    use super::{KIND, find};
    use crate::evidence::Packet;
    use crate::verdict::kit::Kit;
    use crate::verdict::trace::Trace;

    const CLIENT: &str = "172.17.0.2:41000";
    const DIALLED: &str = "192.0.2.10:80";
    const SERVER: &str = "172.17.0.3:8080";

    /// On the veth of a host inside another one.
    fn seen(kit: &mut Kit, inward: bool, ends: [&str; 2], flags: &str, numbers: [i64; 2]) {
        let [sender, receiver] = match inward {
            true => ["docker", "shell"],
            false => ["shell", "docker"],
        };
        kit.now += 0.1;
        let packet = Packet {
            id: kit.evidence.packets.len() as i64,
            t: kit.now,
            sender: sender.into(),
            receiver: receiver.into(),
            seen_at: "docker veth1".into(),
            protocol: "tcp".into(),
            from: ends[0].into(),
            to: ends[1].into(),
            flags: flags.into(),
            seq: numbers[0],
            ack: numbers[1],
            fate: "seen".into(),
            ..Packet::default()
        };
        kit.evidence.packets.push(packet);
    }

    fn astray(kit: &mut Kit) {
        seen(kit, false, [CLIENT, DIALLED], "S", [1000, 0]);
        seen(kit, true, [SERVER, CLIENT], "S.", [7000, 1001]);
    }

    #[test]
    fn a_syn_ack_from_an_address_that_was_never_dialled() {
        let mut kit = Kit::new();
        astray(&mut kit);
        seen(&mut kit, false, [CLIENT, SERVER], "R", [1001, 0]);
        let found = find(&Trace::new(&kit.evidence)).expect("a finding");
        assert_eq!(found.kind, KIND);
        assert_eq!(found.packets, [0, 1, 2]);
        assert!(found.summary.contains(SERVER), "{}", found.summary);
        assert!(found.summary.contains("ever left"), "{}", found.summary);
    }

    #[test]
    fn each_client_is_told_with_its_own_way() {
        let mut kit = Kit::new();
        astray(&mut kit);
        seen(&mut kit, false, [CLIENT, SERVER], "R", [1001, 0]);
        let first = kit.evidence.packets.len();
        astray(&mut kit);
        seen(&mut kit, false, [CLIENT, SERVER], "R", [1001, 0]);
        for packet in &mut kit.evidence.packets[first..] {
            for end in [&mut packet.sender, &mut packet.receiver] {
                if end == "shell" {
                    *end = "other".into();
                }
            }
            packet.seen_at = "docker veth2".into();
        }
        let found = find(&Trace::new(&kit.evidence)).expect("a finding");
        for told in [
            "from shell to",
            "shell reset the answer",
            "passed docker veth1",
            "from other to",
            "other reset the answer",
            "passed docker veth2",
        ] {
            assert!(found.summary.contains(told), "{}", found.summary);
        }
        assert_eq!(found.packets, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn silent_without_the_reset() {
        let mut kit = Kit::new();
        astray(&mut kit);
        seen(&mut kit, false, [CLIENT, SERVER], "R", [9, 0]);
        assert!(find(&Trace::new(&kit.evidence)).is_none());
    }

    #[test]
    fn silent_when_the_answer_comes_from_where_the_syn_went() {
        let mut kit = Kit::new();
        seen(&mut kit, false, [CLIENT, DIALLED], "S", [1000, 0]);
        seen(&mut kit, true, [DIALLED, CLIENT], "S.", [7000, 1001]);
        seen(&mut kit, false, [CLIENT, DIALLED], "R", [1001, 0]);
        assert!(find(&Trace::new(&kit.evidence)).is_none());
    }

    #[test]
    fn silent_when_it_answers_another_syn() {
        let mut kit = Kit::new();
        seen(&mut kit, false, [CLIENT, DIALLED], "S", [1000, 0]);
        seen(&mut kit, true, [SERVER, CLIENT], "S.", [7000, 5]);
        seen(&mut kit, false, [CLIENT, SERVER], "R", [5, 0]);
        assert!(find(&Trace::new(&kit.evidence)).is_none());
    }

    #[test]
    fn silent_on_what_the_fabric_saw() {
        let mut kit = Kit::new();
        astray(&mut kit);
        seen(&mut kit, false, [CLIENT, SERVER], "R", [1001, 0]);
        for packet in &mut kit.evidence.packets {
            packet.seen_at = String::new();
        }
        assert!(find(&Trace::new(&kit.evidence)).is_none());
    }
}
