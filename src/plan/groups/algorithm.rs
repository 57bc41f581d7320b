//! How targets of a group are chosen, and which attributes fit its protocol.
//!
//! Source: the Application Load Balancer guide (target groups).

use super::Carries;
use crate::diag::Diagnostic;
use crate::diag::codes::http as code;
use crate::fabric::config::Algorithm;
use crate::plan::Sink;
use crate::plan::attributes::{self, STICKINESS};
use crate::spec;

const ALGORITHM: &str = "load_balancing.algorithm.type";

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

/// False for attributes of groups of the other kind (elbv2 API, `TargetGroupAttribute`).
fn fits(name: &str, http: bool) -> bool {
    let of_network = [
        "deregistration_delay.connection_termination.enabled",
        attributes::PRESERVE_CLIENT_IP,
        attributes::PROXY_PROTOCOL,
        attributes::HEADER_PLACEMENT,
        attributes::UNHEALTHY_TERMINATION,
        "target_health_state.unhealthy.draining_interval_seconds",
        "stickiness.type",
    ];
    match http {
        true => !of_network.contains(&name),
        false => name != ALGORITHM,
    }
}
