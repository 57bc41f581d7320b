//! Classic balancers: their words, their attributes and knobs.
//!
//! Source: the Classic Load Balancer guide (listeners, connection draining, idle timeout, proxy protocol). Not here: their
//! instances (see `groups`).

use super::forward::Share;
use super::{Listener, only_of_network};
use crate::diag::codes::classic as code;
use crate::diag::{Diagnostic, Spanned};
use crate::fabric::config::{
    Classic, GroupId, Kind, OnBackendReset, OnDeregister, Protocol, Stickiness,
};
use crate::plan::Sink;
use crate::plan::attributes::{
    self, CLASSIC_DRAINING, CLASSIC_DRAINING_TIMEOUT, CLASSIC_IDLE, CLASSIC_PROXY_PROTOCOL,
    Checked, Holder,
};
use crate::plan::clock::Clock;
use crate::plan::groups::{Carries, Groups};
use crate::spec;
use std::time::Duration;

/// AWS's default, cloud seconds.
const IDLE_SECONDS: u64 = 60;
/// AWS: connections that wait for an instance; more are closed.
const SURGE_QUEUE: usize = 1024;
/// Undocumented: cloud time between two attempts to connect to an instance. A kernel sends its SYN again after as much.
const RETRY: Duration = Duration::from_secs(1);

/// What is special about a classic balancer, and its listeners.
pub(in crate::plan) fn resolve(
    number: usize,
    section: &spec::Balancer,
    groups: &Groups<'_>,
    clock: Clock,
    sink: &mut Sink,
) -> (Kind, Vec<Listener>) {
    foreign_words(section, sink);
    let attributes = attributes::check(Holder::Classic, &section.attributes, sink);
    let idle = attributes.number(CLASSIC_IDLE);
    let idle_timeout = clock.idle(idle.as_ref(), (IDLE_SECONDS, section.span), sink);
    if let Some(timeout) = attributes.number(CLASSIC_DRAINING_TIMEOUT)
        && !attributes.flag(CLASSIC_DRAINING, false)
    {
        sink.push(
            Diagnostic::new(
                code::DRAINING_IS_OFF,
                timeout.span,
                "connection draining has a timeout, and is not enabled",
            )
            .help(format!(
                "add `{CLASSIC_DRAINING}: true`, or remove the timeout"
            )),
        );
    }
    let mut lists = groups.list.iter();
    let group = lists
        .position(|group| group.owner == Some(number))
        .expect("every classic balancer has its group");
    let emulate = &section.emulate;
    let word = |knob: &Option<Spanned<String>>| knob.as_ref().map(|word| word.value.clone());
    let kind = Kind::Classic(Classic {
        group: GroupId(u16::try_from(group).expect("the number of groups is limited")),
        idle_timeout,
        draining: attributes.flag(CLASSIC_DRAINING, false),
        proxy_protocol: attributes.flag(CLASSIC_PROXY_PROTOCOL, false),
        on_deregister: match word(&emulate.on_deregister).as_deref() {
            Some("reset") => OnDeregister::Reset,
            Some("blackhole") => OnDeregister::Blackhole,
            Some("drain") => OnDeregister::Drain,
            Some(_) | None => OnDeregister::Close,
        },
        on_backend_reset: match word(&emulate.on_backend_reset).as_deref() {
            Some("ignore") => OnBackendReset::Ignore,
            Some(_) | None => OnBackendReset::Propagate,
        },
        surge_queue: emulate
            .surge_queue
            .as_ref()
            .and_then(|most| usize::try_from(most.value).ok())
            .unwrap_or(SURGE_QUEUE),
        stickiness: stickiness(section, &attributes, clock, sink),
        retry: clock.cloud(RETRY),
    });
    of_tcp_listeners(section, &attributes, sink);
    let cross_zone = attributes.flag(attributes::CLASSIC_CROSS_ZONE, false);
    let listeners = section.listeners.iter().filter_map(|(port, listener)| {
        let instance_port = instance_port(listener, sink)?;
        Some(Listener {
            port: port.value,
            protocol: Protocol::Tcp,
            forward: vec![Share::only(group, cross_zone, listener.span)],
            instance_port: Some(instance_port),
            idle_timeout,
            terminates: false,
            http: is_http(listener),
            https: Carries::under_tls(&listener.protocol),
        })
    });
    (kind, listeners.collect())
}

/// Cookies are of HTTP.
fn stickiness(
    section: &spec::Balancer,
    attributes: &Checked<'_>,
    clock: Clock,
    sink: &mut Sink,
) -> Option<Stickiness> {
    let seconds = attributes.number(attributes::COOKIE_STICKINESS)?;
    if !section.listeners.iter().any(|(_, one)| is_http(one)) {
        sink.push(
            Diagnostic::new(
                code::STICKY_OVER_TCP,
                seconds.span,
                "sticky sessions of a balancer that has no HTTP listener",
            )
            .also(section.kind.span, "it passes bytes on, and sees no cookies")
            .help(
                "make a listener HTTP: `80: { protocol: HTTP, instance_port: 80 }`, or remove it",
            ),
        );
    }
    let lasts = Some(seconds.value).filter(|seconds| *seconds > 0);
    Some(Stickiness {
        expires: lasts.map(|seconds| clock.cloud(Duration::from_secs(seconds))),
    })
}

fn is_http(listener: &spec::Listener) -> bool {
    Carries::of(&listener.protocol) == Carries::Http
}

/// What has no meaning where all listeners are HTTP. All of it is told.
fn of_tcp_listeners(section: &spec::Balancer, attributes: &Checked<'_>, sink: &mut Sink) {
    let mut listeners = section.listeners.iter();
    let Some((_, listener)) = listeners.next().filter(|(_, first)| is_http(first)) else {
        return;
    };
    if !listeners.all(|(_, listener)| is_http(listener)) {
        return;
    }
    let of_word = |word: &Option<Spanned<String>>, http: &[&str]| {
        let written = word.as_ref();
        let other = written.filter(|word| !http.contains(&word.value.as_str()));
        other.map(|word| word.span)
    };
    let emulate = &section.emulate;
    let header = attributes.text(CLASSIC_PROXY_PROTOCOL);
    let found = [
        (
            "emulate.on_deregister",
            of_word(&emulate.on_deregister, &["close", "drain"]),
        ),
        (
            "emulate.on_backend_reset",
            of_word(&emulate.on_backend_reset, &["propagate"]),
        ),
        (
            CLASSIC_PROXY_PROTOCOL,
            header
                .filter(|word| word.value != "false")
                .map(|word| word.span),
        ),
    ];
    for (name, span) in found {
        let Some(span) = span else { continue };
        sink.push(
            Diagnostic::new(
                code::OF_TCP_LISTENERS,
                span,
                format!("`{name}` is of TCP listeners, and this balancer has none"),
            )
            .also(listener.protocol.span, "it answers requests")
            .help("remove it, or make the listener TCP"),
        );
    }
}

fn instance_port(listener: &spec::Listener, sink: &mut Sink) -> Option<u16> {
    if !matches!(
        Carries::of(&listener.protocol),
        Carries::Tcp | Carries::Http
    ) {
        sink.push(
            Diagnostic::new(
                code::NOT_EMULATED,
                listener.protocol.span,
                format!(
                    "a {} listener of a classic balancer",
                    listener.protocol.value
                ),
            )
            .label("only TCP, HTTP and HTTPS listeners are emulated")
            .help("write `5222: 5222`, or `80: { protocol: HTTP, instance_port: 80 }`"),
        );
    }
    if listener.instance_port.is_none() && listener.target_group.is_none() {
        sink.push(
            Diagnostic::new(
                code::NO_INSTANCE_PORT,
                listener.span,
                "a listener of a classic balancer names the port of its instances",
            )
            .label("forwards to no port")
            .help("write `5222: 5222`, or `5222: { instance_port: 5222 }`"),
        );
    }
    Some(listener.instance_port.as_ref()?.value)
}

/// What only other kinds of balancer have. All of it is told.
fn foreign_words(section: &spec::Balancer, sink: &mut Sink) {
    let listeners = section.listeners.iter();
    let groups = listeners.filter_map(|(_, listener)| listener.target_group.as_ref());
    let groups = groups.map(|group| ("target_group", group.span));
    for (name, span) in only_of_network(section).into_iter().chain(groups) {
        sink.push(
            Diagnostic::new(
                code::NOT_OF_CLASSIC,
                span,
                format!("a classic balancer has no `{name}`"),
            )
            .also(section.kind.span, "the kind of balancer")
            .help(match name {
                "target_group" | "target_groups" => {
                    "name the instances: `instances: [web1]`, and their port: `80: 80`"
                }
                _ => "remove it, or make the balancer a network balancer",
            }),
        );
    }
}

/// What only classic balancers have, of another one. All of it is told.
pub(in crate::plan) fn only_of_classic(section: &spec::Balancer, sink: &mut Sink) {
    let emulate = &section.emulate;
    let mut found = vec![
        (
            "instances",
            section.instances.as_ref().map(|list| list.span),
        ),
        (
            "health_check",
            section.health_check.as_ref().map(|check| check.span),
        ),
        (
            "emulate.on_deregister",
            emulate.on_deregister.as_ref().map(|w| w.span),
        ),
        (
            "emulate.on_backend_reset",
            emulate.on_backend_reset.as_ref().map(|w| w.span),
        ),
        (
            "emulate.surge_queue",
            emulate.surge_queue.as_ref().map(|w| w.span),
        ),
    ];
    for (_, listener) in &section.listeners {
        let port = listener.instance_port.as_ref();
        found.push(("instance_port", port.map(|w| w.span)));
    }
    for (name, span) in found {
        let Some(span) = span else { continue };
        sink.push(
            Diagnostic::new(
                code::ONLY_OF_CLASSIC,
                span,
                format!("only a classic balancer has `{name}`"),
            )
            .help(match name {
                "instances" | "instance_port" => {
                    "forward to a target group: `listeners: { 80: web }`, or write `type: classic`"
                }
                "health_check" => "write it in the target group, or write `type: classic`",
                _ => "remove it, or write `type: classic`",
            }),
        );
    }
}
