//! How targets of a group are chosen, and which attributes fit its protocol.
//!
//! Sources: the Application Load Balancer guide (target groups); the elbv2 API (`TargetGroupAttribute`).

use super::Carries;
use crate::diag::codes::http as code;
use crate::diag::{Diagnostic, Spanned};
use crate::fabric::config::Algorithm;
use crate::plan::Sink;
use crate::plan::attributes::{
    ALGORITHM, COOKIE_DURATION, DEREGISTRATION_TERMINATION, HEADER_PLACEMENT, PRESERVE_CLIENT_IP,
    PROXY_PROTOCOL, STICKINESS_TYPE, UNHEALTHY_DRAINING, UNHEALTHY_TERMINATION,
};
use crate::spec;

/// elbv2 API, `TargetGroupAttribute`: what network balancers alone have, of groups that application balancers have too.
const OF_NETWORK: [&str; 6] = [
    DEREGISTRATION_TERMINATION,
    PRESERVE_CLIENT_IP,
    PROXY_PROTOCOL,
    HEADER_PLACEMENT,
    UNHEALTHY_TERMINATION,
    UNHEALTHY_DRAINING,
];

/// The same: what application balancers alone have.
const OF_APPLICATION: [&str; 2] = [ALGORITHM, COOKIE_DURATION];

/// How targets of a group are chosen. What does not fit its protocol is told.
pub(super) fn algorithm(group: &spec::TargetGroup, sink: &mut Sink) -> Algorithm {
    let http = Carries::of(&group.protocol) == Carries::Http;
    for (name, value) in &group.attributes {
        let known = match name.value.as_str() {
            STICKINESS_TYPE => {
                sticky_by(group, value, http, sink);
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

/// HTTP groups know a client by a cookie, and others by its address.
fn sticky_by(group: &spec::TargetGroup, by: &Spanned<String>, http: bool, sink: &mut Sink) {
    let own = if http { "lb_cookie" } else { "source_ip" };
    let told = match by.value.as_str() {
        "app_cookie" if http => Diagnostic::new(
            code::STICKY_OVER_HTTP,
            by.span,
            "stickiness by an application's own cookie is not emulated",
        )
        .help(format!("write `{own}`, the balancer's own")),
        word @ ("source_ip" | "lb_cookie" | "app_cookie") if word != own => Diagnostic::new(
            code::ATTRIBUTE_OF_OTHERS,
            by.span,
            format!("no {} group is sticky by `{word}`", group.protocol.value),
        )
        .also(group.protocol.span, "the group's protocol")
        .help(format!("write `{own}`")),
        // What is no word at all is told by the reader of attributes.
        _ => return,
    };
    sink.push(told);
}

/// False for attributes of groups of the other kind.
fn fits(name: &str, http: bool) -> bool {
    match http {
        true => !OF_NETWORK.contains(&name),
        false => !OF_APPLICATION.contains(&name),
    }
}
