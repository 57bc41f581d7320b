//! Balancers of both families: what their listeners may be, and to which groups they may forward.

use super::is_dualstack;
use crate::diag::codes::{ipv6 as code, proxy};
use crate::diag::{Diagnostic, Span};
use crate::plan::Sink;
use crate::plan::groups::{Carries, Group};
use crate::spec;

/// What a listener of one family or two may be.
pub(super) fn check_listener(
    balancer: &spec::Balancer,
    listener: &spec::Listener,
    sink: &mut Sink,
) {
    if is_dualstack(balancer) && Carries::of(&listener.protocol) == Carries::Tls {
        sink.push(
            Diagnostic::new(
                proxy::TLS_OVER_IPV6,
                listener.protocol.span,
                "a TLS listener of a dualstack balancer is not emulated",
            )
            .also(balancer.ip_address_type.span, "dualstack")
            .help(
                "remove `ip_address_type`, or make it a TCP listener before targets that speak TLS",
            ),
        );
    }
}

/// What a listener of one family or two may forward to, and where it says so.
pub(super) fn check_group(
    balancer: &spec::Balancer,
    span: Span,
    group: &Group<'_>,
    sink: &mut Sink,
) {
    let name = &group.name.value;
    if group.ipv6 && !is_dualstack(balancer) {
        sink.push(
            Diagnostic::new(
                code::GROUP_WITHOUT_DUALSTACK,
                span,
                format!("group `{name}` has IPv6 targets, and this balancer has no IPv6 addresses"),
            )
            .label("needs a dualstack balancer")
            .also(group.name.span, "this group")
            .help("add `ip_address_type: dualstack` to the balancer"),
        );
    } else if !group.ipv6
        && is_dualstack(balancer)
        && matches!(group.protocol, Carries::Udp | Carries::Both)
    {
        sink.push(
            Diagnostic::new(
                code::UDP_NEEDS_IPV6,
                span,
                format!("a UDP listener of a dualstack balancer cannot forward to the IPv4 targets of `{name}`"),
            )
            .also(balancer.ip_address_type.span, "dualstack")
            .also(group.name.span, "this group")
            .help("add `ip_address_type: ipv6` to the group, and `ipv6: auto` to its targets"),
        );
    }
}
