//! `security-group-drop`, `network-acl-drop`: packets that a guard refused, and the rule that is missing.
//!
//! Observed on: an AWS VPC. Neither RST nor ICMP: a refused client waits as if nobody were there.

use super::{cite_records, count, first_few, join, name_all, states};
use crate::evidence::{Packet, Refusal};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, accepts, ip, opens};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};

pub(super) const SECURITY_GROUP: &str = "security-group-drop";
pub(super) const NETWORK_ACL: &str = "network-acl-drop";

/// Sentences of one finding, at most.
const TOLD: usize = 4;

/// Both kinds.
pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let refusals = &trace.evidence.refusals;
    if refusals.is_empty() {
        return Vec::new();
    }
    let books = Books::new(trace);
    let of = |acl: bool| {
        let one = |refusal: &&Refusal| refusal.interface.is_empty() == acl;
        refusals.iter().filter(one).collect::<Vec<_>>()
    };
    let kinds = [(SECURITY_GROUP, of(false)), (NETWORK_ACL, of(true))];
    kinds
        .into_iter()
        .filter(|(_, refusals)| !refusals.is_empty())
        .map(|(kind, refusals)| books.finding(kind, &refusals))
        .collect()
}

/// What a packet's number leads to.
struct Books<'a, 'b> {
    trace: &'b Trace<'a>,
    /// Its first record.
    records: HashMap<i64, usize>,
    /// Its connection, and whether it goes toward the target.
    connections: HashMap<i64, (usize, bool)>,
}

/// Refusals that differ in nothing that a rule could tell apart.
#[derive(PartialEq)]
struct Alike<'a> {
    guards: &'a [String],
    interface: &'a str,
    direction: &'a str,
    rule: Option<i64>,
    protocol: &'a str,
    /// The port that a rule would have to name; none for ports that the kernel chose.
    port: Option<&'a str>,
    peer: &'a str,
}

impl<'a, 'b> Books<'a, 'b> {
    fn new(trace: &'b Trace<'a>) -> Self {
        let mut records = HashMap::new();
        for (i, packet) in trace.evidence.packets.iter().enumerate() {
            records.entry(packet.id).or_insert(i);
        }
        let connections = trace.passages.iter().filter_map(|passage| {
            let packet = &trace.evidence.packets[passage.sent];
            Some((packet.id, (passage.connection?, passage.toward_target)))
        });
        Self {
            trace,
            records,
            connections: connections.collect(),
        }
    }

    fn packet(&self, refusal: &Refusal) -> Option<&'a Packet> {
        let record = self.records.get(&refusal.packet)?;
        Some(&self.trace.evidence.packets[*record])
    }

    fn finding(&self, kind: &str, refusals: &[&'a Refusal]) -> Finding {
        let mut told: Vec<(Alike<'a>, Vec<&'a Refusal>)> = Vec::new();
        for refusal in refusals {
            let alike = self.alike(refusal);
            match told.iter_mut().find(|(other, _)| *other == alike) {
                Some((_, list)) => list.push(refusal),
                None => told.push((alike, vec![refusal])),
            }
        }
        let mut sentences: Vec<String> = told
            .iter()
            .take(TOLD)
            .map(|(alike, list)| self.tell(alike, list))
            .collect();
        if told.len() > TOLD {
            sentences.push(format!("And {} more.", count(told.len() - TOLD, "rule")));
        }
        let records = refusals.iter();
        let records = records.filter_map(|refusal| self.records.get(&refusal.packet).copied());
        Finding {
            kind: kind.into(),
            summary: sentences.join(" "),
            packets: cite_records(records),
            connections: self.connections(refusals),
            counters: Vec::new(),
            values: self.unchecked(refusals),
        }
    }

    /// What became of the targets whose health checks were refused. The checks themselves may be from before the record.
    fn unchecked(&self, refusals: &[&Refusal]) -> Vec<(String, Value)> {
        let evidence = self.trace.evidence;
        let checks = refusals.iter().filter(|refusal| refusal.probe);
        let ends: HashSet<&str> = checks
            .flat_map(|check| [ip(&check.to), ip(&check.from)])
            .collect();
        let hosts = evidence.hosts.iter();
        hosts
            .filter(|(_, host)| {
                let own = [host.address.as_str(), host.ipv6.as_str()];
                own.into_iter().any(|own| ends.contains(own))
            })
            .flat_map(|(name, _)| states(evidence, name))
            .collect()
    }

    fn connections(&self, refusals: &[&Refusal]) -> Vec<usize> {
        let mut connections: Vec<usize> = refusals
            .iter()
            .filter_map(|refusal| Some(self.connections.get(&refusal.packet)?.0))
            .collect();
        connections.sort_unstable();
        connections.dedup();
        connections
    }

    fn alike(&self, refusal: &'a Refusal) -> Alike<'a> {
        let inward = matches!(refusal.direction.as_str(), "ingress" | "inbound");
        let peer = if inward { &refusal.from } else { &refusal.to };
        let (_, port) = refusal.to.rsplit_once(':').unwrap_or(("", ""));
        Alike {
            guards: &refusal.guards,
            interface: &refusal.interface,
            direction: &refusal.direction,
            rule: refusal.rule,
            protocol: &refusal.protocol,
            port: (!self.answers(refusal)).then_some(port),
            peer: ip(peer),
        }
    }

    /// It goes back to whoever began the connection. Of one without a name, ports tell: servers have low ones.
    fn answers(&self, refusal: &Refusal) -> bool {
        let port = |end: &str| {
            let (_, port) = end.rsplit_once(':')?;
            port.parse::<u16>().ok()
        };
        match self.connections.get(&refusal.packet) {
            Some((_, toward_target)) => !toward_target,
            None if refusal.flags.contains('S') => refusal.flags.contains('.'),
            None => port(&refusal.from) < port(&refusal.to),
        }
    }

    fn tell(&self, alike: &Alike<'_>, list: &[&Refusal]) -> String {
        let inward = matches!(alike.direction, "ingress" | "inbound");
        let whose = format!("{} {}", if inward { "from" } else { "to" }, alike.peer);
        let traffic = match (alike.protocol, alike.port) {
            ("tcp" | "udp", Some(port)) => format!("{}/{port}", alike.protocol),
            ("tcp" | "udp", None) => format!("{}/{}", alike.protocol, ports(list)),
            (protocol, _) => protocol.to_owned(),
        };
        let what = self.what(list);
        if alike.interface.is_empty() {
            let zone = alike.guards.first().map_or("", String::as_str);
            let family = match alike.rule {
                Some(_) => "",
                None => of_one_family(list),
            };
            let by = match alike.rule {
                Some(rule) => format!("rule {rule} denies"),
                None => format!("no {} rule allows", alike.direction),
            };
            let classic = if list.iter().any(|refusal| accepts(&refusal.flags)) {
                " The SYN arrived, its answer did not: a network ACL keeps no state, so answers need a rule of their own, to any port that a client may have (1024-65535)."
            } else {
                ""
            };
            return format!(
                "The network ACL of zone {zone} dropped {what}: {by} {traffic} {whose}.{family}{classic}"
            );
        }
        let groups = match alike.guards {
            [one] => format!("security group {one} of {} has", alike.interface),
            many => format!("security groups {} of {} have", join(many), alike.interface),
        };
        let were = if list.len() == 1 { "was" } else { "were" };
        format!(
            "{} {were} dropped: {groups} no {} rule for {traffic} {whose}.{}{}",
            capital(&what),
            alike.direction,
            of_one_family(list),
            self.preserved(list)
        )
    }

    /// `3 SYNs of "visit"`
    fn what(&self, list: &[&Refusal]) -> String {
        let noun = if list.iter().all(|refusal| opens(&refusal.flags)) {
            "SYN"
        } else if list.iter().all(|refusal| accepts(&refusal.flags)) {
            "SYN-ACK"
        } else {
            "packet"
        };
        let connections = self.connections(list);
        let probes = list.iter().any(|refusal| refusal.probe);
        let whose = match (connections.as_slice(), probes) {
            ([], false) => String::new(),
            ([], true) => " of health checks".to_owned(),
            (connections, false) => format!(" of {}", name_all(self.trace, connections)),
            (connections, true) => format!(
                " of {} and of health checks",
                name_all(self.trace, connections)
            ),
        };
        format!("{}{whose}", count(list.len(), noun))
    }

    /// A rule for the balancer does not help where the target sees the client.
    fn preserved(&self, list: &[&Refusal]) -> &'static str {
        let through = list.iter().any(|refusal| {
            let flow = self.packet(refusal).and_then(|packet| packet.flow);
            flow.and_then(|flow| self.trace.evidence.flows.get(flow))
                .is_some_and(|flow| {
                    refusal.from == flow.client
                        && flow.seen_as == flow.client
                        && flow.target == refusal.interface
                })
        });
        if through {
            " That is the client's own address, which the load balancer preserves."
        } else {
            ""
        }
    }
}

/// What is forgotten where IPv6 comes to what had IPv4 only.
fn of_one_family(list: &[&Refusal]) -> &'static str {
    if list.iter().any(|refusal| refusal.only_ipv4) {
        " A rule for a range of IPv4, 0.0.0.0/0 too, is for nobody over IPv6."
    } else {
        ""
    }
}

/// The ports that packets were for: `40000`, or a few of them and how many more.
fn ports(list: &[&Refusal]) -> String {
    let port = |refusal: &&Refusal| refusal.to.rsplit_once(':')?.1.parse::<u16>().ok();
    let all: BTreeSet<u16> = list.iter().filter_map(port).collect();
    let all: Vec<String> = all.into_iter().map(|port| port.to_string()).collect();
    first_few(&all)
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

#[cfg(test)]
mod tests;
