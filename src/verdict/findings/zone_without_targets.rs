//! `zone-without-targets`: an address of a balancer has no target in its zone and may use no other.
//!
//! Observed on: AWS Application Load Balancers whose target group has cross-zone load balancing off, reached at all their
//! addresses by a Network Load Balancer in front of them: that address answers 503, and a retry at another one may help. HTTP
//! listeners of AWS Classic Load Balancers, in a zone without a healthy instance, while clients keep its address. AWS
//! Network Load Balancers: the address leaves the name, and whoever is in that zone is served in another. Not this: no targets
//! anywhere, a 503 that a target said, a zone of a balancer of these two kinds whose targets
//! are unhealthy.

use super::own_answers::{self, is_classic};
use super::{CITED, answered, cite, count, join, of_zone};
use crate::evidence::{Answer, BalancerEvidence, Evidence, ZoneEvidence};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, during};
use std::collections::BTreeSet;

pub(super) const KIND: &str = "zone-without-targets";

const HEALTHY: &str = "HealthyHostCount";

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let evidence = trace.evidence;
    let balancers = evidence.load_balancers.iter();
    balancers
        .flat_map(|(name, balancer)| match balancer.kind.as_str() {
            "application" | "classic" => refusing(evidence, name, balancer),
            "network" => unnamed(trace, name, balancer),
            _ => Vec::new(),
        })
        .collect()
}

fn has_targets(balancer: &BalancerEvidence, zone: &ZoneEvidence) -> bool {
    let reaches = zone.reach.values().any(|targets| *targets > 0);
    reaches && !(is_classic(balancer) && zone.metrics.get(HEALTHY) == Some(&0))
}

/// Its addresses that have targets.
fn others(name: &str, balancer: &BalancerEvidence) -> Vec<String> {
    let zones = balancer.zones.iter();
    zones
        .filter(|(_, zone)| has_targets(balancer, zone))
        .map(|(zone, _)| format!("{name}/{zone}"))
        .collect()
}

/// Addresses of a balancer that answered 503.
fn refusing(evidence: &Evidence, name: &str, balancer: &BalancerEvidence) -> Vec<Finding> {
    let others = others(name, balancer);
    let metric = own_answers::metric(balancer, 503);
    let refused = |zone: &ZoneEvidence| zone.metrics.get(&metric).copied().unwrap_or(0);
    let zones = balancer.zones.iter();
    zones
        .filter(|(_, zone)| !others.is_empty() && !has_targets(balancer, zone) && refused(zone) > 0)
        .filter_map(|(zone, at)| {
            let place = format!("{name}/{zone}");
            let mut answers = answers(evidence, &place);
            let refused = refused_at(evidence, &place);
            // It may have had some before, or have them again, and then what it says is what they said. Of what only programs
            // asked nobody knows the status.
            if is_classic(balancer) || !refused.is_empty() {
                let meanwhile =
                    |t: f64| refused.iter().any(|answer| during(answer, t));
                answers.retain(|packet| meanwhile(evidence.packets[*packet].t));
            }
            if answers.is_empty() {
                return None;
            }
            let groups: Vec<String> = at.reach.keys().cloned().collect();
            let answered = format!(
                "{place} answered {} with 503 by itself:",
                count(answers.len(), "request")
            );
            let others = join(&others);
            Some(Finding {
                kind: KIND.into(),
                summary: match is_classic(balancer) {
                    true => format!(
                        "{answered} it may send to instances in zone {zone} only, cross-zone load balancing is off, and none is in \
                         service there. {others} had instances."
                    ),
                    false => format!(
                        "{answered} of target group {} it may send to targets in zone {zone} only, cross-zone load balancing is \
                         off, and none is there. {others} had targets.",
                        join(&groups)
                    ),
                },
                packets: answers.into_iter().take(CITED).collect(),
                connections: connections(evidence, &place),
                counters: Vec::new(),
                values: Vec::new(),
            })
        })
        .collect()
}

/// Addresses of a network balancer that are not in its name, where clients of their zones asked for it.
fn unnamed(trace: &Trace, name: &str, balancer: &BalancerEvidence) -> Vec<Finding> {
    let others = others(name, balancer);
    let zones = balancer.zones.iter();
    zones
        .filter(|(_, zone)| !others.is_empty() && !zone.reach.is_empty() && !has_targets(balancer, zone))
        .filter_map(|(zone, at)| {
            let went = went_elsewhere(trace.evidence, name, balancer, zone);
            let first = trace.evidence.connections.get(*went.first()?)?;
            let place = format!("{name}/{zone}");
            let groups: Vec<String> = at.reach.keys().cloned().collect();
            Some(Finding {
                kind: KIND.into(),
                summary: format!(
                    "{place} is not in the name: of target group {} it may send to targets in zone {zone} only, cross-zone load \
                     balancing is off, and none is there. {} of {}, which is in zone {zone}, went to another zone; {} had targets.",
                    join(&groups),
                    count(went.len(), "connection"),
                    first.from,
                    join(&others),
                ),
                packets: cite(trace, went.iter().filter_map(|c| trace.syns(*c).next())),
                connections: went,
                counters: Vec::new(),
                values: vec![(
                    of_zone(name, zone, "in_dns"),
                    at.in_dns.into(),
                )],
            })
        })
        .collect()
}

/// Connections of the first client in a zone that asked for the balancer's name while this had no address there.
fn went_elsewhere(
    evidence: &Evidence,
    name: &str,
    balancer: &BalancerEvidence,
    zone: &str,
) -> Vec<usize> {
    let in_zone = |host: &str| {
        let mut interfaces = evidence.interfaces.iter();
        interfaces.any(|one| one.name == host && one.zone == zone)
    };
    let unnamed = |at: f64| {
        let listing = balancer.dns.iter().rfind(|listing| listing.at <= at);
        listing.is_some_and(|listing| listing.zones.iter().all(|named| named != zone))
    };
    let went: Vec<usize> = (0..evidence.connections.len())
        .filter(|index| {
            let c = &evidence.connections[*index];
            let asked = c.lookup.and_then(|lookup| evidence.lookups.get(lookup));
            let by_name = asked.is_some_and(|asked| asked.name == name && unnamed(asked.at));
            by_name && in_zone(&c.from) && c.via != format!("{name}/{zone}")
        })
        .collect();
    let of_first =
        |index: &usize| evidence.connections[*index].from == evidence.connections[went[0]].from;
    went.iter().copied().filter(of_first).collect()
}

/// What the address said to clients, which are hosts: health checks of another balancer come from a zonal address. One of
/// its own answers is a packet.
fn answers(evidence: &Evidence, place: &str) -> Vec<usize> {
    let packets = evidence.packets.iter().enumerate();
    packets
        .filter(|(_, packet)| packet.sender == place && packet.len > 0 && !packet.probe)
        .filter(|(_, packet)| !packet.receiver.contains('/'))
        .map(|(record, _)| record)
        .collect()
}

/// Answers of 503 on clients' connections that ended there, directly or through a network balancer.
fn refused_at<'e>(evidence: &'e Evidence, place: &str) -> Vec<&'e Answer> {
    let ended_there = |answer: &&Answer| {
        let connection = evidence.connections.get(answer.connection);
        connection.is_some_and(|one| one.target == place || one.via == place)
    };
    let refused = answered(evidence).filter(|answer| answer.status == 503);
    refused.filter(ended_there).collect()
}

/// Those connections.
fn connections(evidence: &Evidence, place: &str) -> Vec<usize> {
    let refused = refused_at(evidence, place).into_iter();
    let connections: BTreeSet<usize> = refused.map(|answer| answer.connection).collect();
    connections.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{HEALTHY, KIND};
    use crate::evidence::{
        Answer, BalancerEvidence, Detail, Interface, Listing, Load, Lookup, Packet, ZoneEvidence,
    };
    use crate::verdict::findings::recognise;
    use crate::verdict::kit::Kit;

    /// An application balancer, by zone: how many targets each address may send to, and how often it said 503, to whom.
    fn told(kind: &str, zones: &[(&str, i64, i64)], to: &str) -> Option<String> {
        let mut kit = Kit::new();
        for (zone, _, refused) in zones {
            for _ in 0..*refused {
                kit.evidence.packets.push(Packet {
                    sender: format!("app/{zone}"),
                    receiver: to.to_owned(),
                    len: 107,
                    ..Packet::default()
                });
            }
        }
        let zones = zones.iter().map(|(zone, targets, refused)| {
            let at = ZoneEvidence {
                reach: [("web".to_owned(), *targets)].into(),
                metrics: [("HTTPCode_ELB_503_Count".to_owned(), *refused)].into(),
                ..ZoneEvidence::default()
            };
            ((*zone).to_owned(), at)
        });
        let balancer = BalancerEvidence {
            kind: kind.to_owned(),
            zones: zones.collect(),
            ..BalancerEvidence::default()
        };
        kit.evidence.load_balancers.insert("app".into(), balancer);
        let found = recognise(&kit.evidence);
        let found = found.into_iter().find(|finding| finding.kind == KIND);
        found.map(|finding| finding.summary)
    }

    #[test]
    fn one_address_answers_for_want_of_targets_that_another_one_has() {
        let said = told("application", &[("a", 2, 0), ("b", 0, 31)], "client");
        assert_eq!(
            said.expect("the finding"),
            "app/b answered 31 requests with 503 by itself: of target group web it may send to targets in zone b only, \
             cross-zone load balancing is off, and none is there. app/a had targets."
        );
    }

    #[test]
    fn no_targets_at_all_503_of_targets_health_checks_and_zones_without_requests_are_something_else()
     {
        for (kind, zones, to) in [
            ("application", [("a", 0, 9), ("b", 0, 9)], "client"),
            ("application", [("a", 2, 9), ("b", 2, 9)], "client"),
            ("application", [("a", 2, 0), ("b", 0, 0)], "client"),
            ("application", [("a", 2, 0), ("b", 0, 31)], "front/b"),
            ("network", [("a", 2, 0), ("b", 0, 31)], "client"),
        ] {
            assert_eq!(told(kind, &zones, to), None);
        }
    }

    /// A client's requests at zone b, as the client knows them by time and status, and answers that left the address at these times.
    fn asked(answers: &[(f64, i64)], left: &[f64]) -> Kit {
        let mut kit = Kit::new();
        let one = kit.connect("call", 40000, "front/b", "web1");
        let answers = answers.iter().map(|(at, status)| Answer {
            connection: one,
            at: *at,
            ms: 2.0,
            status: *status,
        });
        kit.evidence.steps[0].detail = Detail::Load(Load {
            connections: vec![one],
            answers: answers.collect(),
            ..Load::default()
        });
        for t in left {
            kit.evidence.packets.push(Packet {
                t: *t,
                sender: "front/b".into(),
                receiver: "client".into(),
                len: 107,
                ..Packet::default()
            });
        }
        kit
    }

    /// The same of a classic balancer: so many registered and healthy instances there, and the status. An earlier answer went by.
    fn told_of_classic(registered: i64, healthy: i64, status: i64) -> Option<String> {
        let mut kit = asked(&[(10.0, status)], &[5.0, 11.0]);
        let front = kit.evidence.load_balancers.get_mut("front");
        let front = front.expect("a balancer of the kit");
        front.kind = "classic".into();
        for (zone, registered, healthy) in [("a", 1, 1), ("b", registered, healthy)] {
            let own = ("HTTPCode_ELB_5XX".to_owned(), i64::from(zone == "b"));
            let at = ZoneEvidence {
                reach: [("front".to_owned(), registered)].into(),
                metrics: [own, (HEALTHY.to_owned(), healthy)].into(),
                ..ZoneEvidence::default()
            };
            front.zones.insert(zone.into(), at);
        }
        let found = recognise(&kit.evidence);
        let found = found.into_iter().find(|finding| finding.kind == KIND);
        found.map(|finding| finding.summary)
    }

    #[test]
    fn an_address_of_a_classic_balancer_has_no_instance_in_service() {
        for (registered, healthy) in [(0, 0), (1, 0)] {
            assert_eq!(
                told_of_classic(registered, healthy, 503).expect("the finding"),
                "front/b answered 1 request with 503 by itself: it may send to instances in zone b only, cross-zone load balancing \
                 is off, and none is in service there. front/a had instances."
            );
        }
        // A spillover, and an answer of another kind.
        assert_eq!(told_of_classic(1, 1, 503), None);
        assert_eq!(told_of_classic(0, 0, 504), None);
    }

    #[test]
    fn what_an_address_said_while_it_had_targets_is_not_counted() {
        let mut kit = asked(&[(10.0, 200), (50.0, 503)], &[11.0, 51.0]);
        let front = kit.evidence.load_balancers.get_mut("front");
        let front = front.expect("a balancer of the kit");
        front.kind = "application".into();
        for (zone, targets) in [("a", 2), ("b", 0)] {
            let at = ZoneEvidence {
                reach: [("web".to_owned(), targets)].into(),
                metrics: [("HTTPCode_ELB_503_Count".to_owned(), i64::from(zone == "b"))].into(),
                ..ZoneEvidence::default()
            };
            front.zones.insert(zone.into(), at);
        }
        let found = recognise(&kit.evidence);
        let found = found.into_iter().find(|finding| finding.kind == KIND);
        let found = found.expect("the finding");
        assert!(
            found
                .summary
                .starts_with("front/b answered 1 request with 503"),
            "{}",
            found.summary
        );
        assert_eq!(found.packets, [1]);
    }

    /// A client in a zone goes by the name of a network balancer to zone a; zone b has so many targets, and is in the name
    /// or not.
    fn went(home: &str, targets: i64, named: bool) -> Option<String> {
        let mut kit = Kit::new();
        let one = kit.connect("call", 40000, "front/a", "web1");
        kit.of(one).lookup = Some(0);
        kit.evidence.lookups.push(Lookup {
            from: "client".into(),
            name: "front".into(),
            ..Lookup::default()
        });
        kit.evidence.interfaces.push(Interface {
            name: "client".into(),
            zone: home.into(),
            ..Interface::default()
        });
        let front = kit.evidence.load_balancers.get_mut("front");
        let front = front.expect("a balancer of the kit");
        front.kind = "network".into();
        let zones: &[&str] = if named { &["a", "b"] } else { &["a"] };
        front.dns.push(Listing {
            at: -5.0,
            zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
        });
        for (zone, targets, in_dns) in [("a", 2, true), ("b", targets, named)] {
            let at = ZoneEvidence {
                in_dns,
                reach: [("web".to_owned(), targets)].into(),
                ..ZoneEvidence::default()
            };
            front.zones.insert(zone.into(), at);
        }
        let found = recognise(&kit.evidence);
        let found = found.into_iter().find(|finding| finding.kind == KIND);
        found.map(|finding| finding.summary)
    }

    #[test]
    fn clients_in_a_zone_without_targets_go_elsewhere() {
        assert_eq!(
            went("b", 0, false).expect("the finding"),
            "front/b is not in the name: of target group web it may send to targets in zone b only, cross-zone load balancing \
             is off, and none is there. 1 connection of client, which is in zone b, went to another zone; front/a had targets."
        );
    }

    #[test]
    fn clients_of_another_zone_unhealthy_targets_and_a_zone_in_the_name_are_something_else() {
        for (home, targets, named) in [
            ("a", 0, false),
            ("", 0, false),
            ("b", 1, false),
            ("b", 0, true),
        ] {
            assert_eq!(went(home, targets, named), None);
        }
    }
}
