//! `bad-gateway`: an application balancer said 502 because a target refused, broke off, or said what it could not read.
//!
//! Observed on: AWS Application Load Balancers ("HTTP 502: Bad gateway"). Not this: a 502 that the target said and the
//! balancer passed on; a target that closed an idle connection just before a request came (`keep-alive-race`).

use super::failed_requests::{Alike, How, alike, failed, head, values};
use super::{cite, lapse};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;

pub(super) const KIND: &str = "bad-gateway";

const STATUS: i64 = 502;

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let failed = failed(trace, STATUS);
    if failed.is_empty() {
        return None;
    }
    let sentences: Vec<String> = alike(&failed).iter().map(why).collect();
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

fn why(alike: &Alike) -> String {
    let Alike { node, target, .. } = alike;
    let (each, after) = (alike.each(), lapse(alike.longest));
    match alike.how {
        How::Refused => format!(
            "{target} refused the connection of {node}{each}: RST in answer to the SYN, nothing listens there."
        ),
        How::Unreachable => {
            format!(
                "An ICMP error answered the SYN of {node} to {target}{each}: no way leads there."
            )
        }
        How::HungUp => format!(
            "{target} closed the connection with the request of {node} on it{each}: FIN at most {after} after the request, and no \
             whole answer."
        ),
        How::Reset => format!(
            "{target} reset the connection with the request of {node} on it{each}: RST at most {after} after the request."
        ),
        How::Unreadable => format!(
            "{target} answered {node} with something that is no HTTP{each}, and {node} closed the connection."
        ),
        How::Deregistered => format!(
            "The deregistration delay of {target} was over while {node} waited for its answer{each}."
        ),
        How::Unconnected | How::Silent => unreachable!("answered with 504"),
    }
}
