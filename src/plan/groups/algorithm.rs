//! How targets of a group are chosen, and which attributes fit its protocol.
//!
//! Sources: the Application Load Balancer guide (target groups); the elbv2 API (`TargetGroupAttribute`).

use super::Carries;
use crate::diag::Diagnostic;
use crate::diag::codes::http as code;
use crate::fabric::config::Algorithm;
use crate::plan::Sink;
use crate::plan::attributes::{
    ALGORITHM, DEREGISTRATION_TERMINATION, HEADER_PLACEMENT, PRESERVE_CLIENT_IP, PROXY_PROTOCOL,
    STICKINESS, STICKINESS_TYPE, UNHEALTHY_DRAINING, UNHEALTHY_TERMINATION,
};
use crate::spec;

/// elbv2 API, `TargetGroupAttribute`: what network balancers alone have, of groups that application balancers have too.
const OF_NETWORK: [&str; 7] = [
    DEREGISTRATION_TERMINATION,
    PRESERVE_CLIENT_IP,
    PROXY_PROTOCOL,
    HEADER_PLACEMENT,
    UNHEALTHY_TERMINATION,
    UNHEALTHY_DRAINING,
    STICKINESS_TYPE,
];

/// How targets of a group are chosen. What does not fit its protocol is told.
pub(super) fn algorithm(group: &spec::TargetGroup, sink: &mut Sink) -> Algorithm {
    let http = Carries::of(&group.protocol) == Carries::Http;
    for (name, value) in &group.attributes {
        let known = match name.value.as_str() {
            STICKINESS if http && value.value != "false" => {
                sink.push(
                    Diagnostic::new(
                        code::STICKY_OVER_HTTP,
                        value.span,
                        "stickiness of an HTTP group is not emulated",
                    )
                    .label("it would need cookies")
                    .help("remove the attribute"),
                );
                continue;
            }
            name => fits(name, http),
        };
        if !known {
            sink.push(
                Diagnostic::new(
                    code::ATTRIBUTE_OF_OTHERS,
                    name.span,
                    format!("no {} group has `{}`", group.protocol.value, name.value),
                )
                .also(group.protocol.span, "the group's protocol")
                .help("remove the attribute"),
            );
        }
    }
    let mut written = group.attributes.iter();
    match written.find(|(name, _)| name.value == ALGORITHM) {
        Some((_, value)) if value.value == "least_outstanding_requests" => {
            Algorithm::LeastOutstandingRequests
        }
        Some(_) | None => Algorithm::RoundRobin,
    }
}

/// False for attributes of groups of the other kind.
fn fits(name: &str, http: bool) -> bool {
    match http {
        true => !OF_NETWORK.contains(&name),
        false => name != ALGORITHM,
    }
}
