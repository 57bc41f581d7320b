//! Connections that no step opened but a program of the lab did, as far as their packets tell: where a case has no
//! other, these are what a ladder can draw.

use super::choice::CONNECTIONS;
use crate::evidence::{Connection, Detail, Evidence, Packet, StepResult};
use crate::verdict::trace::{Trace, delivered, ip, is_syn};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A record in which such connections are connections of their own, each with a name.
pub(super) struct Told {
    pub evidence: Evidence,
    /// Those that are worth a ladder where there is nothing else.
    pub first: Range<usize>,
}

/// With the first that programs opened where there is `nothing` else, and those that `strays` belong to: cited packets,
/// of health checks for instance, that are of no step's connection. None when packets tell of none.
pub(super) fn told(trace: &Trace, nothing: bool, strays: &[usize]) -> Option<Told> {
    let mut opened: Vec<Connection> = match nothing {
        true => opened(trace),
        false => Vec::new(),
    };
    let first = opened.len();
    let mut evidence = Cow::Borrowed(trace.evidence);
    for stray in strays {
        let packet = &trace.evidence.packets[*stray];
        if opened.iter().any(|known| is_of(packet, known)) {
            continue;
        }
        let Some(owner) = owner(trace.evidence, packet) else {
            continue;
        };
        if packet.probe {
            // A trace leaves out health checks.
            let packets = evidence.to_mut().packets.iter_mut();
            let own = packets.filter(|packet| is_of(packet, &owner));
            own.for_each(|packet| packet.probe = false);
        }
        opened.push(owner);
    }
    if opened.is_empty() {
        return None;
    }
    let mut evidence = evidence.into_owned();
    // By the record as it is: there health checks are told apart.
    let names = names(trace.evidence, &opened);
    let begin = evidence.connections.len();
    for (mut connection, name) in opened.into_iter().zip(names) {
        connection.step = evidence.steps.len();
        evidence.steps.push(StepResult {
            name,
            at: connection.at,
            ..StepResult::default()
        });
        evidence.connections.push(connection);
    }
    Some(Told {
        evidence,
        first: begin..begin + first,
    })
}

/// The connection that a packet belongs to, by the first packet between the same two ends.
fn owner(evidence: &Evidence, packet: &Packet) -> Option<Connection> {
    let sent = evidence.packets.iter().find(|one| {
        let back = (&one.from, &one.to) == (&packet.to_after, &packet.from_after);
        let there = (&one.from, &one.to) == (&packet.from, &packet.to);
        one.protocol == packet.protocol && (there || back)
    })?;
    let records = evidence.packets.iter();
    let ended = records.rev().find(|one| one.id == sent.id)?;
    match packet.probe && evidence.hosts.contains_key(&sent.sender) {
        true => Some(checked(evidence, sent)),
        false => Some(connection(evidence, sent, ended)),
    }
}

/// A health check's connection of which the record begins with the target's answer.
fn checked(evidence: &Evidence, answer: &Packet) -> Connection {
    let mut checks = evidence.packets.iter().filter(|packet| packet.probe);
    let asks = checks.find(|packet| ip(&packet.from) == ip(&answer.to));
    Connection {
        protocol: answer.protocol.clone(),
        from: asks.map_or(String::new(), |packet| packet.sender.clone()),
        local: answer.to.clone(),
        remote: answer.from.clone(),
        via: answer.sender.clone(),
        target: answer.sender.clone(),
        at: answer.t,
        ..Connection::default()
    }
}

/// It is between the ends of the connection, one way or the other.
fn is_of(packet: &Packet, connection: &Connection) -> bool {
    let ends = (&connection.local, &connection.remote);
    packet.protocol == connection.protocol
        && ((&packet.from, &packet.to) == ends || (&packet.to_after, &packet.from_after) == ends)
}

/// The first that hosts opened, in order.
fn opened(trace: &Trace) -> Vec<Connection> {
    let mut known: HashSet<(&str, &str, &str)> = HashSet::new();
    let mut list = Vec::new();
    for passage in trace.passages.iter().filter(|p| p.connection.is_none()) {
        let packets = &trace.evidence.packets;
        let (sent, ended) = (&packets[passage.sent], &packets[passage.ended]);
        let own = trace.evidence.hosts.contains_key(&sent.sender);
        let opens = match sent.protocol.as_str() {
            "tcp" => is_syn(sent),
            // A program asks for a name before it opens what matters.
            "udp" => !ended.fate.starts_with("answered: name"),
            _ => false,
        };
        let answers = (
            sent.protocol.as_str(),
            ended.to_after.as_str(),
            ended.from_after.as_str(),
        );
        let tuple = (sent.protocol.as_str(), sent.from.as_str(), sent.to.as_str());
        if !own || !opens || known.contains(&answers) || !known.insert(tuple) {
            continue;
        }
        list.push(connection(trace.evidence, sent, ended));
        if list.len() == CONNECTIONS {
            break;
        }
    }
    list
}

/// What its first packet tells of it.
pub(in crate::verdict) fn connection(
    evidence: &Evidence,
    sent: &Packet,
    ended: &Packet,
) -> Connection {
    let base = Connection {
        protocol: sent.protocol.clone(),
        from: sent.sender.clone(),
        local: sent.from.clone(),
        remote: sent.to.clone(),
        at: sent.t,
        ..Connection::default()
    };
    let at_host = evidence.hosts.contains_key(&ended.receiver);
    let flow = ended.flow.and_then(|flow| evidence.flows.get(flow));
    // A balancer's own kernel got it: it is a proxy's, or a TLS listener's. Where another balancer passed it on to that
    // one, the flow tells.
    let passed_on = flow.is_some_and(|flow| flow.target == ended.receiver);
    if delivered(ended) && !at_host && !passed_on {
        let pairs = evidence.pairs.iter();
        let own = |pair: &crate::evidence::Pair| {
            pair.via == ended.receiver && pair.client == ended.from_after && pair.opened >= sent.t
        };
        let pair = pairs.clone().position(own);
        let led_to = pair.map(|pair| &evidence.pairs[pair]);
        return Connection {
            via: ended.receiver.clone(),
            target: led_to.map_or(String::new(), |pair| pair.target.clone()),
            seen_as: led_to.map_or(String::new(), |pair| pair.seen_as.clone()),
            target_address: led_to.map_or(String::new(), |pair| pair.target_address.clone()),
            flow: ended.flow,
            proxied: true,
            pair,
            ..base
        };
    }
    match flow {
        Some(flow) => Connection {
            via: match flow.endpoint.is_empty() {
                true => flow.via.clone(),
                false => flow.endpoint.clone(),
            },
            target: flow.target.clone(),
            seen_as: flow.seen_as.clone(),
            target_address: flow.target_address.clone(),
            flow: ended.flow,
            ..base
        },
        None if at_host => Connection {
            via: ended.receiver.clone(),
            target: ended.receiver.clone(),
            seen_as: ended.from_after.clone(),
            target_address: ended.to_after.clone(),
            ..base
        },
        None => base,
    }
}

/// The program that ran on its host at the time, else the host; of what no host opened, a balancer's health check, or the
/// balancer that tried to reach a target for somebody.
pub(in crate::verdict) fn opener<'a>(
    evidence: &'a Evidence,
    connection: &'a Connection,
) -> &'a str {
    if !evidence.hosts.contains_key(&connection.from) {
        let mut own = evidence.packets.iter().filter(|p| is_of(p, connection));
        return match own.any(|packet| packet.probe) {
            true => "check",
            false => &connection.from,
        };
    }
    let steps = &evidence.steps;
    let host = format!(" {}", connection.from);
    let mut runs = steps.iter().filter(|step| {
        let is_run = matches!(step.detail, Detail::Run { .. });
        let named = !step.name.contains(' ');
        is_run && named && step.at <= connection.at && step.label.ends_with(&host)
    });
    runs.next_back()
        .map_or(connection.from.as_str(), |step| &step.name)
}

/// By who opened them; numbered where there are several.
fn names(evidence: &Evidence, connections: &[Connection]) -> Vec<String> {
    let mut count: HashMap<&str, usize> = HashMap::new();
    for connection in connections {
        *count.entry(opener(evidence, connection)).or_default() += 1;
    }
    let mut next: HashMap<&str, usize> = HashMap::new();
    let named = connections.iter().map(|connection| {
        let name = opener(evidence, connection);
        let number = next.entry(name).or_default();
        *number += 1;
        match count[name] {
            1 => name.to_owned(),
            _ => format!("{name} #{number}"),
        }
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use crate::evidence::{Detail, StepResult};
    use crate::verdict::kit::{Kit, OLD, harmless};
    use crate::verdict::ladder::{Row, ladder, rows};

    #[test]
    fn what_only_programs_opened_is_drawn_by_its_packets() {
        let mut kit = harmless();
        kit.evidence.connections.clear();
        kit.evidence.steps = vec![StepResult {
            name: "fetch".into(),
            label: "run on client".into(),
            detail: Detail::Run {
                exit_code: 0,
                stdout: String::new(),
                stdout_cut: 0,
                stderr: String::new(),
                stderr_cut: 0,
            },
            ..StepResult::default()
        }];
        let text = ladder(&kit.evidence, &[], 100);
        for part in [
            "fetch #1 198.51.100.7:40000 -> 203.0.113.10:80 (front/a),\n",
            "at web1 198.51.100.7:40000 -> 10.0.1.10:80\n",
            "fetch #2 198.51.100.7:",
            "0.00 fetch #1 |-- SYN seq 0 ---",
        ] {
            assert!(text.contains(part), "no {part:?}\n{text}");
        }
        // Of a proxy's client the balancer's end, and what it opened for it.
        let mut kit = Kit::new();
        let get = kit.proxied("get", 40001, "front/a", "web1");
        kit.handshake(get, OLD);
        kit.evidence.connections.clear();
        kit.evidence.steps.clear();
        let drawn = rows(&kit.evidence, &[]);
        assert_eq!(drawn.tuples[0].via, "front/a");
        let lanes: Vec<&str> = drawn.lanes.iter().map(|lane| lane.name.as_str()).collect();
        for row in &drawn.rows {
            let Row::Packet(row) = row else {
                panic!("it is short")
            };
            assert_ne!(lanes[row.arrow.to], "web1", "{row:?}");
        }
        // Health checks are nobody's.
        kit.evidence
            .packets
            .iter_mut()
            .for_each(|packet| packet.probe = true);
        assert!(rows(&kit.evidence, &[]).rows.is_empty());
    }
}
