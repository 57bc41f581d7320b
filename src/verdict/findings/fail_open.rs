//! `fail-open`: too few targets were healthy, so a balancer sent new flows, or requests, to unhealthy ones as well.
//!
//! Observed on: AWS Network Load Balancers, which count them in `UnhealthyRoutingFlowCount`, and AWS Application Load Balancers, which do so in
//! `UnhealthyRoutingRequestCount`.

use super::{cite, count, item};
use crate::evidence::{Evidence, Flow};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;
use std::collections::HashSet;

pub(super) const KIND: &str = "fail-open";

const METRIC: &str = "UnhealthyRoutingFlowCount";
/// Of application balancers, which have no flows.
const OF_REQUESTS: &str = "UnhealthyRoutingRequestCount";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let evidence = trace.evidence;
    let mut sentences = Vec::new();
    let mut values = Vec::new();
    let mut astray = HashSet::new();
    let balancers = evidence.load_balancers.iter();
    let counts =
        balancers.flat_map(|one| [(one, METRIC, "new flow"), (one, OF_REQUESTS, "request")]);
    for ((name, balancer), metric, what) in counts {
        let flows = balancer.metrics.get(metric).copied().unwrap_or(0);
        let Some(counted) = usize::try_from(flows).ok().filter(|flows| *flows > 0) else {
            continue;
        };
        let known = match metric {
            METRIC => to_unhealthy(evidence, name),
            _ => Vec::new(),
        };
        let of_them = match known.len().min(counted) {
            0 => String::new(),
            some => format!(", {some} of them to targets that were unhealthy"),
        };
        sentences.push(format!(
            "{name} ({metric} {counted}) had too few healthy targets and failed open: {} went to any of them{of_them}.",
            count(counted, what),
        ));
        let path = item("load_balancers", name);
        values.push((format!("{path}.metrics.{metric}"), flows.into()));
        astray.extend(known);
    }
    let flows = evidence.connections.iter().enumerate();
    let connections: Vec<usize> = flows
        .filter(|(_, connection)| connection.flow.is_some_and(|flow| astray.contains(&flow)))
        .map(|(index, _)| index)
        .collect();
    let first = connections.iter().filter_map(|one| trace.syns(*one).next());
    (!sentences.is_empty()).then(|| Finding {
        kind: KIND.into(),
        summary: sentences.join(" "),
        packets: cite(trace, first),
        connections: connections.clone(),
        counters: Vec::new(),
        values,
    })
}

/// Flows of a balancer to targets that were unhealthy when they were opened.
fn to_unhealthy(evidence: &Evidence, balancer: &str) -> Vec<usize> {
    let flows = evidence.flows.iter().enumerate();
    flows
        .filter(|(_, flow)| flow.balancer == balancer && was_unhealthy(evidence, flow))
        .map(|(index, _)| index)
        .collect()
}

fn was_unhealthy(evidence: &Evidence, flow: &Flow) -> bool {
    let group = evidence.target_groups.get(&flow.group);
    group
        .and_then(|group| group.targets.get(&flow.target))
        .is_some_and(|target| {
            let before = target.transitions.iter().rev();
            let state = before.clone().find(|came| came.at <= flow.opened);
            let state = state.map_or(&target.state, |came| &came.state);
            state.starts_with("unhealthy")
        })
}

#[cfg(test)]
mod tests {
    use super::super::recognise;
    use crate::evidence::{GroupEvidence, TargetEvidence, Transition};
    use crate::verdict::kit::{Kit, harmless};

    #[test]
    fn it_speaks_of_the_metric_and_of_where_the_flows_went() {
        let mut kit = Kit::new();
        let one = kit.connect("one", 40000, "front/a", "web1");
        kit.up(one, "S", 1000, 0, 0);
        // This target was healthy when its first flow was opened, and was not when the second was.
        kit.connect("early", 40001, "front/a", "web2");
        kit.now = 50.0;
        kit.connect("two", 40002, "front/a", "web2");
        let front = kit.evidence.load_balancers.get_mut("front");
        let metrics = &mut front.expect("a balancer").metrics;
        metrics.insert(super::METRIC.into(), 2);
        let mut group = GroupEvidence::default();
        let came = |at, state: &str| Transition {
            at,
            state: state.into(),
            ..Transition::default()
        };
        for (name, states) in [
            ("web1", vec![came(-10.0, "unhealthy")]),
            (
                "web2",
                vec![came(-10.0, "healthy"), came(20.0, "unhealthy.draining")],
            ),
        ] {
            let target = TargetEvidence {
                state: "unhealthy".into(),
                transitions: states,
                ..TargetEvidence::default()
            };
            group.targets.insert(name.into(), target);
        }
        kit.evidence.target_groups.insert("web".into(), group);
        let found = recognise(&kit.evidence);
        let found = found.iter().find(|f| f.kind == super::KIND);
        let found = found.expect("the finding");
        assert_eq!(found.packets, [0]);
        assert_eq!(found.connections, [0, 2]);
        assert_eq!(
            found.values,
            [(
                "load_balancers.front.metrics.UnhealthyRoutingFlowCount".to_owned(),
                2.into()
            )]
        );
        assert_eq!(
            found.summary,
            "front (UnhealthyRoutingFlowCount 2) had too few healthy targets and failed open: 2 new flows went to any \
             of them, 2 of them to targets that were unhealthy."
        );
    }

    #[test]
    fn requests_of_an_application_balancer_are_told_by_their_own_metric() {
        let mut kit = Kit::new();
        let front = kit.evidence.load_balancers.get_mut("front");
        let metrics = &mut front.expect("a balancer").metrics;
        metrics.insert(super::OF_REQUESTS.into(), 3);
        let found = recognise(&kit.evidence);
        let found = found.iter().find(|f| f.kind == super::KIND);
        assert_eq!(
            found.expect("the finding").summary,
            "front (UnhealthyRoutingRequestCount 3) had too few healthy targets and failed open: 3 requests went to any of them."
        );
    }

    #[test]
    fn it_is_silent_where_nothing_failed_open() {
        let found = recognise(&harmless().evidence);
        assert!(found.iter().all(|f| f.kind != super::KIND));
    }
}
