//! `gateway-timeout`: an application balancer said 504 because a target did not answer in time, or could not be connected to.
//!
//! Observed on: AWS Application Load Balancers ("HTTP 504: Gateway timeout"): 10 s for a connection, the idle timeout for an
//! answer. Not this: a 504 that the target said and the balancer passed on.

use super::failed_requests::{Alike, How, alike, failed, head, values};
use super::{cite, cloud, lapse};
use crate::evidence::Evidence;
use crate::verdict::Finding;
use crate::verdict::trace::Trace;

pub(super) const KIND: &str = "gateway-timeout";

const STATUS: i64 = 504;

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let failed = failed(trace, STATUS);
    if failed.is_empty() {
        return None;
    }
    let sentences: Vec<String> = alike(&failed)
        .iter()
        .map(|alike| why(trace.evidence, alike))
        .collect();
    Some(Finding {
        kind: KIND.into(),
        summary: format!("{} {}", head(&failed, STATUS), sentences.join(" ")),
        packets: cite(trace, failed.iter().flat_map(|one| one.shown.clone())),
        connections: failed.iter().map(|one| one.connection).collect(),
        counters: Vec::new(),
        values: values(trace.evidence, &failed, STATUS),
    })
}

fn why(evidence: &Evidence, alike: &Alike) -> String {
    let Alike { node, target, .. } = alike;
    let each = alike.each();
    let after = format!(
        "{}{}",
        lapse(alike.shortest),
        cloud(evidence, alike.shortest)
    );
    match alike.how {
        How::Unconnected => format!(
            "{target} did not answer the SYN of {node}{each}: the connect timeout ran out, after {after}."
        ),
        How::Silent => format!(
            "{target} had the request of {node} and did not answer it{each}: the idle timeout ran out, after {after}."
        ),
        How::Refused
        | How::Unreachable
        | How::HungUp
        | How::Reset
        | How::Unreadable
        | How::Deregistered => unreachable!("answered with 502"),
    }
}
