//! `fail-open`: too few targets were healthy, so a balancer sent new flows to unhealthy ones as well.
//!
//! Observed on: AWS Network Load Balancers, which count them in `UnhealthyRoutingFlowCount`.

use super::count;
use crate::evidence::Evidence;
use crate::verdict::Finding;
use crate::verdict::trace::Trace;

pub(super) const KIND: &str = "fail-open";

const METRIC: &str = "UnhealthyRoutingFlowCount";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let balancers = trace.evidence.load_balancers.iter();
    let open: Vec<String> = balancers
        .filter_map(|(name, balancer)| {
            let flows = balancer.metrics.get(METRIC).copied().unwrap_or(0);
            let flows = usize::try_from(flows).ok().filter(|flows| *flows > 0)?;
            Some(format!(
                "{name} ({METRIC} {flows}) had too few healthy targets and failed open: {} went to any of them{}.",
                count(flows, "new flow"),
                unhealthy(trace.evidence, name)
            ))
        })
        .collect();
    (!open.is_empty()).then(|| Finding {
        kind: KIND.into(),
        summary: open.join(" "),
        packets: Vec::new(),
        connections: Vec::new(),
        counters: Vec::new(),
    })
}

/// `, 12 of them to targets that are unhealthy`, of the flows that are known.
fn unhealthy(evidence: &Evidence, balancer: &str) -> String {
    let state = |group: &str, target: &str| {
        let group = evidence.target_groups.get(group)?;
        group.targets.get(target).map(|target| &target.state)
    };
    let flows = evidence.flows.iter().filter(|flow| {
        flow.balancer == balancer
            && state(&flow.group, &flow.target).is_some_and(|state| state.starts_with("unhealthy"))
    });
    match flows.count() {
        0 => String::new(),
        some => format!(", {some} of them to targets that are unhealthy"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::recognise;
    use crate::evidence::{GroupEvidence, TargetEvidence};
    use crate::verdict::kit::{Kit, harmless};

    #[test]
    fn it_speaks_of_the_metric_and_of_where_the_flows_went() {
        let mut kit = Kit::new();
        kit.connect("one", 40000, "front/a", "web1");
        kit.connect("two", 40001, "front/a", "web2");
        let front = kit.evidence.load_balancers.get_mut("front");
        let metrics = &mut front.expect("a balancer").metrics;
        metrics.insert(super::METRIC.into(), 2);
        let mut group = GroupEvidence::default();
        for (name, state) in [("web1", "unhealthy"), ("web2", "unhealthy.draining")] {
            let target = TargetEvidence {
                state: state.into(),
                ..TargetEvidence::default()
            };
            group.targets.insert(name.into(), target);
        }
        kit.evidence.target_groups.insert("web".into(), group);
        let found = recognise(&kit.evidence);
        let found = found.iter().find(|f| f.kind == super::KIND);
        assert_eq!(
            found.expect("the finding").summary,
            "front (UnhealthyRoutingFlowCount 2) had too few healthy targets and failed open: 2 new flows went to any \
             of them, 2 of them to targets that are unhealthy."
        );
    }

    #[test]
    fn it_is_silent_where_nothing_failed_open() {
        let found = recognise(&harmless().evidence);
        assert!(found.iter().all(|f| f.kind != super::KIND));
    }
}
