//! Listeners: one for each protocol, with the idle limit of its flows and groups that it may forward to.

use super::forward::Share;
use crate::diag::codes::{plan as code, proxy, targets};
use crate::diag::{Diagnostic, Span, Spanned};
use crate::fabric::config::Protocol;
use crate::plan::Sink;
use crate::plan::attributes::{self, Holder, TCP_IDLE};
use crate::plan::clock::Clock;
use crate::plan::groups::{Carries, Group, Groups};
use crate::plan::profile::is_of_2020;
use crate::spec::{self, Body};
use std::time::Duration;

/// AWS: idle limit of a TCP flow, cloud seconds.
const TCP_IDLE_SECONDS: u64 = 350;

/// AWS: idle limit of a UDP flow, cloud seconds; fixed.
const UDP_IDLE_SECONDS: u64 = 120;

/// A listener, resolved.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Listener {
    /// 1..=65535
    pub(in crate::plan) port: u16,
    /// Toward the clients.
    pub(in crate::plan) protocol: Protocol,
    /// At least one.
    pub(in crate::plan) forward: Vec<Share>,
    /// Of a classic balancer: the port of its instances.
    pub(in crate::plan) instance_port: Option<u16>,
    /// Real time.
    pub(in crate::plan) idle_timeout: Duration,
    /// TLS ends here.
    pub(in crate::plan) terminates: bool,
    /// Requests end here.
    pub(in crate::plan) http: bool,
    /// They come under TLS.
    pub(in crate::plan) https: bool,
}

/// A listener, as one for each protocol it takes; none when no group of it is there.
pub(super) fn listener(
    port: &Spanned<u16>,
    section: &spec::Listener,
    shares: &[Share],
    groups: &Groups<'_>,
    clock: Clock,
    sink: &mut Sink,
) -> Vec<Listener> {
    let listens = Carries::of(&section.protocol);
    let idle = idle_timeouts(section, listens, clock, sink);
    if shares.is_empty() {
        return Vec::new();
    }
    for share in shares {
        let group = &groups.list[share.group];
        protocols_match(listens, share.span, group, sink);
        if listens == Carries::Tls && group.protocol != Carries::Tls && group.attributes.stickiness
        {
            sink.push(sticky_behind_tls(port, share.span, group));
        }
        if listens == Carries::Tls && group.preserve_client_ip {
            sink.push(preserves_over_tls(share.span, group));
        }
    }
    idle.into_iter()
        .map(|(protocol, idle_timeout)| Listener {
            port: port.value,
            protocol,
            forward: shares.to_vec(),
            instance_port: None,
            idle_timeout,
            terminates: listens == Carries::Tls,
            http: listens == Carries::Http,
            https: false,
        })
        .collect()
}

fn sticky_behind_tls(port: &Spanned<u16>, named: Span, group: &Group<'_>) -> Diagnostic {
    Diagnostic::new(
        targets::STICKY_OVER_TLS,
        named,
        format!(
            "`{}` is sticky, and this is a TLS listener",
            group.name.value
        ),
    )
    .label("AWS refuses this")
    .also(port.span, "the listener")
    .help("remove `stickiness.enabled` from the group, or use a TCP listener")
}

fn preserves_over_tls(named: Span, group: &Group<'_>) -> Diagnostic {
    Diagnostic::new(
        proxy::PRESERVATION_OVER_TLS,
        named,
        format!(
            "`{}` preserves the client's address, which is not emulated behind a TLS listener",
            group.name.value
        ),
    )
    .also(group.name.span, "on by default for instance targets")
    .help("write `attributes: { preserve_client_ip.enabled: false }` or `target_type: ip` for the group")
}

/// The protocols of a listener, each with the idle limit of its flows.
fn idle_timeouts(
    section: &spec::Listener,
    listens: Carries,
    clock: Clock,
    sink: &mut Sink,
) -> Vec<(Protocol, Duration)> {
    let attributes = attributes::check(Holder::Listener, &section.attributes, sink);
    let written = attributes.number(TCP_IDLE);
    let (tcp_default, udp_default) = (
        (TCP_IDLE_SECONDS, section.span),
        (UDP_IDLE_SECONDS, section.span),
    );
    let tcp = |sink: &mut Sink| {
        let idle = clock.idle(written.as_ref(), tcp_default, sink);
        (Protocol::Tcp, idle)
    };
    let udp = |sink: &mut Sink| (Protocol::Udp, clock.idle(None, udp_default, sink));
    match (listens, &written) {
        // An application balancer's is in its attributes.
        (Carries::Http, _) => vec![(Protocol::Tcp, Duration::ZERO)],
        (Carries::Tcp, _) => vec![tcp(sink)],
        (Carries::Tls, None) => {
            vec![(Protocol::Tcp, clock.idle(None, tcp_default, sink))]
        }
        (Carries::Tls, Some(seconds)) => {
            sink.push(
                Diagnostic::new(
                    code::ATTRIBUTE_FIXED,
                    seconds.span,
                    format!("the idle timeout of TLS listeners is {TCP_IDLE_SECONDS} s and cannot be changed"),
                )
                .also(section.protocol.span, "the listener's protocol")
                .help("remove the attribute"),
            );
            vec![tcp(sink)]
        }
        (Carries::Both, _) => vec![tcp(sink), udp(sink)],
        (Carries::Udp, None) => vec![udp(sink)],
        (Carries::Udp, Some(seconds)) => {
            sink.push(
                Diagnostic::new(
                    code::ATTRIBUTE_FIXED,
                    seconds.span,
                    format!("the idle timeout of UDP flows is {UDP_IDLE_SECONDS} s and cannot be changed"),
                )
                .also(section.protocol.span, "the listener's protocol")
                .help("remove the attribute"),
            );
            vec![udp(sink)]
        }
    }
}

/// AWS's table: the protocols of target groups that each listener protocol forwards to.
pub(super) fn may_forward(listens: Carries, group: Carries) -> bool {
    match (listens, group) {
        (Carries::Tcp, Carries::Tcp | Carries::Both)
        | (Carries::Tls, Carries::Tcp | Carries::Tls)
        | (Carries::Udp, Carries::Udp | Carries::Both)
        | (Carries::Both, Carries::Both)
        | (Carries::Http, Carries::Http) => true,
        (Carries::Tcp, Carries::Udp | Carries::Tls | Carries::Http)
        | (Carries::Tls, Carries::Udp | Carries::Both | Carries::Http)
        | (Carries::Udp, Carries::Tcp | Carries::Tls | Carries::Http)
        | (Carries::Both, Carries::Tcp | Carries::Tls | Carries::Udp | Carries::Http)
        | (Carries::Http, Carries::Tcp | Carries::Tls | Carries::Udp | Carries::Both) => false,
    }
}

fn protocols_match(listens: Carries, named: Span, group: &Group<'_>, sink: &mut Sink) {
    if may_forward(listens, group.protocol) {
        return;
    }
    sink.push(
        Diagnostic::new(
            code::PROTOCOLS_DIFFER,
            named,
            format!(
                "{} {} listener cannot forward to the {} group `{}`",
                if listens == Carries::Http { "an" } else { "a" },
                listens.name(),
                group.protocol.name(),
                group.name.value
            ),
        )
        .also(group.name.span, "this group")
        .help(match (listens, group.protocol) {
            // Each of the two has its own kind of balancer.
            (Carries::Http, _) | (_, Carries::Http) => {
                format!("write `protocol: {}` for the group", listens.name())
            }
            (_, protocol) => format!(
                "write `{{ protocol: {}, target_group: {} }}`, or change the group's protocol",
                protocol.name(),
                group.name.value
            ),
        }),
    );
}

/// AWS: the idle timeout of TCP listeners can be changed since September 2024.
pub(super) fn idle_is_fixed(body: &Body, listener: &spec::Listener, sink: &mut Sink) {
    let mut attributes = listener.attributes.iter();
    if is_of_2020(body)
        && let Some((name, _)) = attributes.find(|(name, _)| name.value == TCP_IDLE)
    {
        sink.push(
            Diagnostic::new(
                code::ATTRIBUTE_FIXED,
                name.span,
                format!("the idle timeout is {TCP_IDLE_SECONDS} s under `aws-2020` and cannot be changed"),
            )
            .also(body.profile.span, "the profile")
            .help("remove the attribute, or the profile: listeners have it since September 2024"),
        );
    }
}
