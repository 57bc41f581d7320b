//! `gateway-timeout`: a balancer said 504 because a target did not answer in time, or could not be connected to.
//!
//! Observed on: AWS Application Load Balancers ("HTTP 504: Gateway timeout"): 10 s for a connection, the idle timeout for an
//! answer; HTTP listeners of AWS Classic Load Balancers, which say it of an instance that closes, too. Not this: a 504 that the target said and the balancer passed on.

use super::cite;
use super::failed_requests::{alike, failed, head, values, why};
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
