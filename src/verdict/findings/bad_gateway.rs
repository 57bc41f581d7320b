//! `bad-gateway`: a balancer said 502 because a target refused, broke off, or said what it could not read.
//!
//! Observed on: AWS Application Load Balancers and the HTTP listeners of Classic Load Balancers ("HTTP 502: Bad gateway"; of the
//! latter only where an answer is malformed). Not this: a 502 that the target said and the
//! balancer passed on; a target that closed an idle connection just before a request came (`keep-alive-race`).

use super::cite;
use super::failed_requests::{alike, failed, head, values, why};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;

pub(super) const KIND: &str = "bad-gateway";

const STATUS: i64 = 502;

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let failed = failed(trace, STATUS);
    if failed.is_empty() {
        return None;
    }
    let sentences: Vec<String> = alike(&failed)
        .iter()
        .map(|alike| why(trace.evidence, alike))
        .collect();
    let summary = format!("{} {}", head(&failed, STATUS), sentences.join(" "));
    Some(Finding {
        kind: KIND.into(),
        summary,
        packets: cite(trace, failed.iter().flat_map(|one| one.shown.clone())),
        connections: failed.iter().map(|one| one.connection).collect(),
        counters: Vec::new(),
        values: values(trace.evidence, &failed, STATUS),
    })
}
