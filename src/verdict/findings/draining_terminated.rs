//! `draining-terminated`: a balancer ended connections by itself, because their target was deregistered and its delay
//! was over, or because their target group lost its weight.
//!
//! Observed on: AWS Network Load Balancers with `deregistration_delay.connection_termination.enabled`.

use super::outlives_draining::delay;
use super::{cite, cloud, count, distinct, join, lapse, name_all};
use crate::evidence::{Evidence, Flow};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, answer};

pub(super) const KIND: &str = "draining-terminated";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let evidence = trace.evidence;
    let flows = || evidence.flows.iter().filter(|flow| flow.terminated);
    flows().next()?;
    let terminated = |flow: Option<usize>| {
        flow.and_then(|flow| evidence.flows.get(flow))
            .filter(|flow| flow.terminated)
    };
    let connections: Vec<usize> = (0..evidence.connections.len())
        .filter(|c| terminated(evidence.connections[*c].flow).is_some())
        .collect();
    let told: Vec<usize> = (0..trace.passages.len())
        .filter(|p| {
            let packet = trace.sent(*p);
            let by_balancer =
                terminated(packet.flow).is_some_and(|flow| packet.sender == flow.balancer);
            (by_balancer && packet.flags.contains('R'))
                || answer(trace.ended(*p)) == Some("reset, terminated flow")
        })
        .collect();
    let targets = distinct(flows().map(|flow| flow.target.clone()));
    let whom = distinct(
        told.iter()
            .map(|p| trace.ended(*p).receiver.clone())
            .filter(|receiver| !receiver.is_empty()),
    );
    let names = if connections.is_empty() {
        count(flows().count(), "flow")
    } else {
        name_all(trace, &connections)
    };
    let told_text = if whom.is_empty() {
        "Nobody was told; who spoke next was answered with RST.".to_owned()
    } else {
        format!("It sent RST to {}.", join(&whom))
    };
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "The balancer ended {names} to {}, which gets no more traffic.{} {told_text}",
            join(&targets),
            flows()
                .find_map(|flow| why(evidence, flow))
                .unwrap_or_default()
        ),
        packets: cite(trace, told),
        connections,
        counters: Vec::new(),
        values: Vec::new(),
    })
}

/// The delay that was over; none: the target was not deregistered.
fn why(evidence: &Evidence, flow: &Flow) -> Option<String> {
    let group = evidence.target_groups.get(&flow.group)?;
    let (draining, unused) = delay(group.targets.get(&flow.target)?)?;
    Some(format!(
        " {} had been deregistered from {}, and its deregistration delay was over after {}{}: with \
         deregistration_delay.connection_termination.enabled that is the end of its connections.",
        flow.target,
        flow.group,
        lapse(unused - draining),
        cloud(evidence, unused - draining),
    ))
}
