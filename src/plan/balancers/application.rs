//! Application balancers: their attributes and listeners.
//!
//! Source: the Application Load Balancer guide (attributes). Not here: the groups behind them, and groups whose target is
//! one (see `groups`).

use super::{WEIGHTS, only_of_network};
use crate::diag::codes::http as code;
use crate::diag::{Diagnostic, Span};
use crate::fabric::config::{Application, ForwardedFor, Kind};
use crate::plan::Sink;
use crate::plan::attributes::{
    self, APPLICATION_IDLE, CLIENT_KEEP_ALIVE, CROSS_ZONE, FORWARDED_FOR, FORWARDED_FOR_PORT,
    Holder,
};
use crate::plan::clock::Clock;
use crate::plan::groups::{Carries, Group};
use crate::spec;
use std::time::Duration;

/// AWS's default, cloud seconds.
const IDLE_SECONDS: u64 = 60;
/// AWS's default, cloud seconds.
const CLIENT_KEEP_ALIVE_SECONDS: u64 = 3600;
/// AWS: a connection to a target must stand within this.
const CONNECT: Duration = Duration::from_secs(10);

/// What is special about an application balancer. Everything it cannot have is told.
pub(in crate::plan) fn resolve(section: &spec::Balancer, clock: Clock, sink: &mut Sink) -> Kind {
    foreign_words(section, sink);
    let written = attributes::check(Holder::Application, &section.attributes, sink);
    if let Some(value) = written.text(CROSS_ZONE)
        && value.value == "false"
    {
        sink.push(
            Diagnostic::new(
                code::CROSS_ZONE_IS_ON,
                value.span,
                "cross-zone load balancing of an application balancer is always on",
            )
            .help(format!(
                "remove it; a target group can be without: `attributes: {{ {CROSS_ZONE}: false }}`"
            )),
        );
    }
    let idle = written.number(APPLICATION_IDLE);
    let keep = written.number(CLIENT_KEEP_ALIVE);
    let keep = keep.map_or(CLIENT_KEEP_ALIVE_SECONDS, |seconds| seconds.value);
    Kind::Application(Application {
        idle_timeout: clock.idle(idle.as_ref(), (IDLE_SECONDS, section.span), sink),
        client_keep_alive: clock.cloud(Duration::from_secs(keep)),
        connect_timeout: clock.cloud(CONNECT),
        forwarded_for: match written.text(FORWARDED_FOR).map(|mode| mode.value.as_str()) {
            Some("preserve") => ForwardedFor::Preserve,
            Some("remove") => ForwardedFor::Remove,
            Some(_) | None if written.flag(FORWARDED_FOR_PORT, false) => {
                ForwardedFor::AppendWithPort
            }
            Some(_) | None => ForwardedFor::Append,
        },
    })
}

/// What it does not have that network balancers have. Of weights it has its own.
fn foreign_words(section: &spec::Balancer, sink: &mut Sink) {
    let foreign = only_of_network(section).into_iter();
    for (name, span) in foreign.filter(|(name, _)| *name != WEIGHTS) {
        sink.push(
            Diagnostic::new(
                code::NOT_OF_APPLICATION,
                span,
                format!("`{name}` of an application balancer"),
            )
            .label("it makes no flows, and this release emulates no more of it")
            .also(section.kind.span, "the kind of balancer")
            .help("remove it, or make the balancer a network balancer"),
        );
    }
}

/// HTTP listeners belong to application balancers, and those have no others.
pub(in crate::plan) fn check_listener(
    section: &spec::Balancer,
    listener: &spec::Listener,
    sink: &mut Sink,
) {
    let https = Carries::under_tls(&listener.protocol);
    let http = Carries::of(&listener.protocol) == Carries::Http;
    if http == section.is_application() && !https {
        return;
    }
    let kind = &section.kind;
    let help = match (section.is_application(), https) {
        (true, _) => {
            "remove `protocol`: it is HTTP, the only one emulated for application balancers"
        }
        (false, true) => "write `protocol: TLS`, or `type: classic` for the balancer",
        (false, false) => "write `type: application` for the balancer, or `protocol: TCP`",
    };
    let title = match section.is_application() && https {
        true => "HTTPS listeners of application balancers are not emulated yet".to_owned(),
        false => format!(
            "no {} balancer has {} listeners",
            kind.value, listener.protocol.value
        ),
    };
    sink.push(
        Diagnostic::new(code::LISTENER_PROTOCOL, listener.protocol.span, title)
            .also(kind.span, "the kind of balancer")
            .help(help),
    );
}

/// An `alb` group is for TCP listeners of network balancers.
pub(in crate::plan) fn check_group(
    section: &spec::Balancer,
    listener: &spec::Listener,
    named: Span,
    group: &Group<'_>,
    sink: &mut Sink,
) {
    if group.inner.is_none() || (!section.is_application() && listener.protocol.value == "TCP") {
        return;
    }
    sink.push(
        Diagnostic::new(
            code::FIXED_FOR_BALANCERS,
            named,
            format!(
                "`{}` is for TCP listeners of network balancers",
                group.name.value
            ),
        )
        .also(group.name.span, "its target is an application balancer")
        .help("use another target group"),
    );
}
