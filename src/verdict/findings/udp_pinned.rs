//! `udp-pinned`: all datagrams of a balancer came through one source port, so one target got them all.
//!
//! Observed on: AWS Network Load Balancers, which choose by addresses and ports; a new flow from the same port, after
//! the old one was idle for too long, goes the same way. Not this: one target that is the only one in use, or in reach.

use super::{cite, connections_of};
use crate::evidence::{Evidence, Flow, GroupEvidence, TargetEvidence};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered};

pub(super) const KIND: &str = "udp-pinned";

/// Fewer datagrams than this could as well have been meant for one target.
const MANY: usize = 20;

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let evidence = trace.evidence;
    let mut findings = Vec::new();
    for (name, group) in &evidence.target_groups {
        let is_of = |flow: &Flow| flow.group == *name && flow.protocol == "udp";
        let flows = || evidence.flows.iter().filter(|flow| is_of(flow));
        let Some(first) = flows().next() else {
            continue;
        };
        let pinned = flows().all(|flow| flow.client == first.client && flow.target == first.target);
        let others = others(evidence, name, group, first);
        if !pinned || others == 0 {
            continue;
        }
        let datagrams: Vec<usize> = (0..trace.passages.len())
            .filter(|p| {
                let ended = trace.ended(*p);
                let flow = ended.flow.and_then(|flow| evidence.flows.get(flow));
                flow.is_some_and(is_of) && delivered(ended) && ended.receiver == first.target
            })
            .collect();
        if datagrams.len() < MANY {
            continue;
        }
        let connections = connections_of(trace, datagrams.iter().copied());
        let again = if flows().nth(1).is_some() {
            format!(
                ", in {} flows one after the other, for the choice is made by the same ports",
                flows().count()
            )
        } else {
            String::new()
        };
        findings.push(Finding {
            kind: KIND.into(),
            summary: format!(
                "All {} datagrams came from {} and went to {}{again}. The other {} of {name} got none.",
                datagrams.len(),
                first.client,
                first.target,
                match others {
                    1 => "target".to_owned(),
                    others => format!("{others} targets"),
                }
            ),
            packets: cite(trace, datagrams),
            connections,
            counters: Vec::new(),
            values: Vec::new(),
        });
    }
    findings
}

/// How many other targets the flow could have had.
fn others(evidence: &Evidence, name: &str, group: &GroupEvidence, flow: &Flow) -> usize {
    let reach = flow.via.split_once('/').and_then(|(balancer, zone)| {
        let balancer = evidence.load_balancers.get(balancer)?;
        balancer.zones.get(zone)?.reach.get(name).copied()
    });
    if reach.is_some_and(|targets| targets < 2) {
        return 0;
    }
    let others = group
        .targets
        .iter()
        .filter(|(name, _)| **name != flow.target);
    others
        .filter(|(_, target)| is_in_use(target, flow.opened))
        .count()
}

/// It got new flows at that time, as far as is known.
fn is_in_use(target: &TargetEvidence, at: f64) -> bool {
    let before = target.transitions.iter().rfind(|came| came.at <= at);
    let state = before.map_or(&target.state, |came| &came.state);
    matches!(state.as_str(), "" | "healthy" | "unavailable")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::kit::Kit;

    fn datagrams(kit: &mut Kit, connection: usize, count: usize) {
        for _ in 0..count {
            kit.up(connection, "", 0, 0, 100);
            kit.evidence.packets.last_mut().expect("a packet").protocol = "udp".into();
        }
    }

    fn socket(kit: &mut Kit, port: u16, target: &str) -> usize {
        let connection = kit.connect("syslog", port, "front/a", target);
        kit.of(connection).protocol = "udp".into();
        kit.flow(connection).protocol = "udp".into();
        connection
    }

    #[test]
    fn many_datagrams_of_one_port_are_pinned_and_those_of_two_are_not() {
        let mut kit = Kit::new();
        let group = kit.evidence.target_groups.entry("web".into()).or_default();
        for target in ["web1", "web2"] {
            group.targets.insert(target.into(), Default::default());
        }
        let one = socket(&mut kit, 514, "web1");
        datagrams(&mut kit, one, MANY - 1);
        assert!(find(&Trace::new(&kit.evidence)).is_empty());
        datagrams(&mut kit, one, 1);
        let found = find(&Trace::new(&kit.evidence));
        assert_eq!(found.len(), 1);
        assert!(found[0].summary.starts_with("All 20 datagrams came from "));
        // One that is not in use, or not in reach, would have got none from any port.
        let other = |kit: &mut Kit, state: &str| {
            let group = kit.evidence.target_groups.get_mut("web");
            let targets = &mut group.expect("the group").targets;
            targets.get_mut("web2").expect("the other").state = state.into();
        };
        other(&mut kit, "unhealthy");
        assert!(find(&Trace::new(&kit.evidence)).is_empty());
        other(&mut kit, "healthy");
        let front = kit.evidence.load_balancers.get_mut("front");
        let zones = &mut front.expect("a balancer of the kit").zones;
        zones
            .entry("a".into())
            .or_default()
            .reach
            .insert("web".into(), 1);
        assert!(find(&Trace::new(&kit.evidence)).is_empty());
        kit.evidence
            .load_balancers
            .get_mut("front")
            .expect("it")
            .zones
            .clear();
        assert_eq!(find(&Trace::new(&kit.evidence)).len(), 1);
        let other = socket(&mut kit, 515, "web2");
        datagrams(&mut kit, other, 1);
        assert!(find(&Trace::new(&kit.evidence)).is_empty());
    }
}
