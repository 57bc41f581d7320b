//! Load balancers: listeners matched with groups, zones, the emulator's knobs.

use super::addresses::faces_internet;
use super::attributes::{self, CLIENT_ROUTING, CROSS_ZONE, DENY_IPV6, Holder, TCP_IDLE};
use super::clock::Clock;
use super::forward::{self, Share, used};
use super::groups::{Carries, Group, Groups};
use super::hosts::{Hosts, known_zone};
use super::{Sink, application, classic, ipv6, zones};
use crate::diag::codes::{health, plan as code, proxy};
use crate::diag::{Diagnostic, Span, Spanned};
use crate::fabric::config::{
    ClientRouting, KERNEL_PORTS, Kind, OnCollision, OnMissingFlow, OnZoneDisabled, Protocol,
    ZonalId,
};
use crate::spec::{self, Body};
use std::collections::HashSet;
use std::time::Duration;

/// AWS: 55,000 connections for each zonal address and target when the client's address is not preserved.
const SNAT_PORTS: u16 = 55_000;
/// Source ports below those of a zonal address's own kernel.
const SHARED_PORTS: u16 = *KERNEL_PORTS.start() - 1024;
/// More than any lab opens.
const FLOW_CAPACITY: usize = 1_000_000;
/// AWS: idle limit of a TCP flow, cloud seconds.
const TCP_IDLE_SECONDS: u64 = 350;
/// AWS: idle limit of a UDP flow, cloud seconds; fixed.
const UDP_IDLE_SECONDS: u64 = 120;
/// AWS: a target must answer a new request within this time, else there is no way back; fixed.
const HALF_OPEN: Duration = Duration::from_secs(30);

/// A balancer, resolved; its addresses are elsewhere.
#[derive(Debug)]
pub(super) struct Balancer<'a> {
    /// Its name.
    pub(super) name: &'a Spanned<String>,
    /// Its zones in order.
    pub(super) zones: Vec<&'a str>,
    /// By zone: it is enabled now, and not only at another moment of the story.
    pub(super) enabled: Vec<bool>,
    /// The zone that a zonal shift leaves.
    pub(super) shifted: Option<&'a str>,
    /// By port; one that takes both protocols is two.
    pub(super) listeners: Vec<Listener>,
    /// The story waits until its targets' states have settled.
    pub(super) settles: bool,
    /// All zones and groups it names are there; else what it lacks is an echo of that.
    pub(super) complete: bool,
    /// Its zonal addresses have a kernel of their own.
    pub(super) kernels: bool,
    /// What it does with connections.
    pub(super) kind: Kind,
    /// See [`crate::fabric::config::Balancer::prefer`].
    pub(super) prefer: Vec<(ZonalId, Vec<usize>)>,
    /// See [`crate::fabric::config::Balancer::ipv6_from_internet`].
    pub(super) ipv6_from_internet: bool,
    /// Knob.
    pub(super) on_collision: OnCollision,
    /// Knob.
    pub(super) on_missing_flow: OnMissingFlow,
    /// Knob.
    pub(super) snat_ports: u16,
    /// Knob.
    pub(super) flow_capacity: usize,
    /// Real time.
    pub(super) half_open: Duration,
    /// Knob; real time.
    pub(super) flow_reuse: Duration,
    /// Which of its addresses a host is told.
    pub(super) client_routing: ClientRouting,
    /// Knob.
    pub(super) on_zone_disabled: OnZoneDisabled,
}

/// A listener, resolved.
#[derive(Clone, Debug)]
pub(super) struct Listener {
    /// 1..=65535
    pub(super) port: u16,
    /// Toward the clients.
    pub(super) protocol: Protocol,
    /// At least one.
    pub(super) forward: Vec<Share>,
    /// Of a classic balancer: the port of its instances.
    pub(super) instance_port: Option<u16>,
    /// Real time.
    pub(super) idle_timeout: Duration,
    /// TLS ends here.
    pub(super) terminates: bool,
}

/// Resolves every balancer.
pub(super) fn resolve<'a>(
    body: &'a Body,
    hosts: &Hosts<'_>,
    groups: &Groups<'_>,
    clock: Clock,
    sink: &mut Sink,
) -> Vec<Balancer<'a>> {
    body.load_balancers
        .iter()
        .enumerate()
        .map(|(number, (name, section))| {
            let (is_classic, is_application) = (classic::is(section), application::is(section));
            let none = Vec::new();
            let others = is_classic || is_application;
            let written = if others { &none } else { &section.attributes };
            let attributes = attributes::check(Holder::Balancer, written, sink);
            // AWS: that of an application balancer is always on.
            let cross_zone = attributes.flag(CROSS_ZONE, is_application);
            let mut zones_known = true;
            for (zone, _) in &section.zones {
                known_zone(zone, body, sink);
                zones_known &= body.zones.iter().any(|known| known.value == zone.value);
            }
            let mut listeners = Vec::with_capacity(section.listeners.len());
            let mut groups_known = true;
            let mut kind = Kind::Network;
            if is_classic {
                (kind, listeners) = classic::resolve(number, section, groups, clock, sink);
                groups_known = listeners.len() == section.listeners.len();
            } else {
                classic::only_of_classic(section, sink);
            }
            if is_application {
                kind = application::resolve(section, clock, sink);
            }
            for (port, listens) in section.listeners.iter().filter(|_| !is_classic) {
                if listens.instance_port.is_some() {
                    // Its group is not there, and that has been said.
                    groups_known = false;
                    continue;
                }
                idle_is_fixed(body, listens, sink);
                let shares = forward::resolve(listens, groups, cross_zone, body, sink);
                ipv6::check_listener(section, listens, sink);
                application::check_listener(section, listens, sink);
                let all = listener(port, listens, &shares, groups, clock, sink);
                for share in &shares {
                    let group = &groups.list[share.group];
                    ipv6::check_group(section, share.span, group, sink);
                    application::check_group(section, listens, share.span, group, sink);
                }
                groups_known &= !all.is_empty();
                listeners.extend(all);
            }
            let emulate = &section.emulate;
            let kernels = has_kernels(&kind, &listeners, groups);
            zones::may_shift(&attributes, &listeners, groups, body, sink);
            room_for_checks(section, kernels, sink);
            Balancer {
                name,
                kind,
                kernels,
                zones: section
                    .zones
                    .iter()
                    .map(|(z, _)| z.value.as_str())
                    .collect(),
                enabled: section
                    .zones
                    .iter()
                    .map(|(zone, _)| !section.disabled.contains(&zone.value))
                    .collect(),
                shifted: match others {
                    true => None,
                    false => zones::shifted(name, section, &attributes, sink),
                },
                prefer: prefer(name, section, &listeners, groups, hosts, sink),
                complete: zones_known && groups_known,
                listeners,
                settles: section.start.value != "cold",
                on_collision: match word(emulate.on_collision.as_ref()) {
                    Some("keep-old") => OnCollision::KeepOld,
                    Some("port-rewrite") => OnCollision::PortRewrite,
                    Some(_) | None => OnCollision::Newest,
                },
                on_missing_flow: match word(emulate.on_missing_flow.as_ref()) {
                    Some("drop") => OnMissingFlow::Drop,
                    Some(_) | None => OnMissingFlow::Reset,
                },
                snat_ports: emulate
                    .snat_ports
                    .as_ref()
                    .and_then(|ports| u16::try_from(ports.value).ok())
                    .unwrap_or(SNAT_PORTS),
                flow_capacity: emulate
                    .flow_capacity
                    .as_ref()
                    .and_then(|flows| usize::try_from(flows.value).ok())
                    .unwrap_or(FLOW_CAPACITY),
                half_open: clock.cloud(HALF_OPEN),
                flow_reuse: emulate
                    .flow_reuse
                    .as_ref()
                    .map_or(Duration::ZERO, |time| clock.cloud(time.value)),
                on_zone_disabled: match word(emulate.on_zone_disabled.as_ref()) {
                    Some("keep") => OnZoneDisabled::Keep,
                    Some(_) | None => OnZoneDisabled::Drop,
                },
                ipv6_from_internet: !attributes.flag(DENY_IPV6, !faces_internet(section)),
                client_routing: match attributes.text(CLIENT_ROUTING).map(|v| v.value.as_str()) {
                    Some("partial_availability_zone_affinity") => ClientRouting::Partial,
                    Some("availability_zone_affinity") => ClientRouting::Affinity,
                    Some(_) | None => ClientRouting::Any,
                },
            }
        })
        .collect()
}

/// True when a balancer's zonal addresses have a kernel of their own.
fn has_kernels(kind: &Kind, listeners: &[Listener], groups: &Groups<'_>) -> bool {
    let needed = |listener: &Listener| {
        let mut shares = listener.forward.iter();
        listener.terminates || shares.any(|share| groups.list[share.group].health_check.is_some())
    };
    kind.is_proxy() || listeners.iter().any(needed)
}

/// A zonal address with a kernel of its own shares its ports with it.
fn room_for_checks(section: &spec::Balancer, kernels: bool, sink: &mut Sink) {
    let Some(ports) = &section.emulate.snat_ports else {
        return;
    };
    if ports.value > u32::from(SHARED_PORTS) && kernels {
        sink.push(
            Diagnostic::new(
                health::SNAT_PORTS_OF_CHECKS,
                ports.span,
                format!("health checks leave {SHARED_PORTS} source ports for flows"),
            )
            .label("the checks need the rest")
            .help(format!("at most {SHARED_PORTS}; AWS has about 55000")),
        );
    }
}

/// The readers let no other words through.
fn word(knob: Option<&Spanned<String>>) -> Option<&str> {
    knob.map(|word| word.value.as_str())
}

/// A listener, as one for each protocol it takes; none when no group of it is there.
fn listener(
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
        })
        .collect()
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
    // A default that scaling makes short is the lab's choice of `time_scale`, and as wrong.
    let or = |seconds| Spanned::new(seconds, section.span);
    let tcp = |sink: &mut Sink| {
        let seconds = written.clone().unwrap_or_else(|| or(TCP_IDLE_SECONDS));
        (Protocol::Tcp, clock.idle(&seconds, sink))
    };
    let udp = |sink: &mut Sink| (Protocol::Udp, clock.idle(&or(UDP_IDLE_SECONDS), sink));
    match (listens, &written) {
        // An application balancer's is in its attributes.
        (Carries::Http, _) => vec![(Protocol::Tcp, Duration::ZERO)],
        (Carries::Tcp, _) => vec![tcp(sink)],
        (Carries::Tls, None) => {
            vec![(Protocol::Tcp, clock.idle(&or(TCP_IDLE_SECONDS), sink))]
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
fn may_forward(listens: Carries, group: Carries) -> bool {
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
                "a {} listener cannot forward to the {} group `{}`",
                listens.name(),
                group.protocol.name(),
                group.name.value
            ),
        )
        .also(group.name.span, "this group")
        .help(format!(
            "write `{{ protocol: {}, target_group: {} }}`, or change the group's protocol",
            group.protocol.name(),
            group.name.value
        )),
    );
}

/// AWS: the idle timeout of TCP listeners can be changed since September 2024.
fn idle_is_fixed(body: &Body, listener: &spec::Listener, sink: &mut Sink) {
    let mut attributes = listener.attributes.iter();
    if body.profile.value == "aws-2020"
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

/// `prefer` as the fabric takes it: indexes into the targets of whichever group a flow goes to.
fn prefer(
    name: &Spanned<String>,
    section: &spec::Balancer,
    listeners: &[Listener],
    groups: &Groups<'_>,
    hosts: &Hosts<'_>,
    sink: &mut Sink,
) -> Vec<(ZonalId, Vec<usize>)> {
    let mut resolved: Vec<(ZonalId, Vec<usize>)> = Vec::new();
    for (place, wanted) in &section.emulate.prefer {
        let zonal = match place {
            None => (0..section.zones.len()).collect(),
            Some(place) => zonal_of(name, place, section, sink),
        };
        let targets: Vec<usize> = wanted
            .iter()
            .flat_map(|target| preferred(target, listeners, groups, hosts, sink))
            .collect();
        for zonal in zonal {
            if let Ok(zonal) = u8::try_from(zonal) {
                resolved.push((ZonalId(zonal), targets.clone()));
            }
        }
    }
    resolved
}

/// `front/a`, or just `a`.
fn zonal_of(
    name: &Spanned<String>,
    place: &Spanned<String>,
    section: &spec::Balancer,
    sink: &mut Sink,
) -> Vec<usize> {
    let zone = match place.value.split_once('/') {
        Some((balancer, zone)) if balancer == name.value => zone,
        Some(_) => "",
        None => place.value.as_str(),
    };
    let found: Vec<usize> = section
        .zones
        .iter()
        .position(|(enabled, _)| enabled.value == zone)
        .into_iter()
        .collect();
    if found.is_empty() {
        let names: Vec<String> = section
            .zones
            .iter()
            .map(|(zone, _)| format!("{}/{}", name.value, zone.value))
            .collect();
        let help = sink.help(&place.value, names.iter().map(String::as_str));
        sink.push(
            Diagnostic::new(
                code::PREFER_ZONAL,
                place.span,
                format!("`{}` is no address of `{}`", place.value, name.value),
            )
            .label("not one of its zones")
            .help(help),
        );
    }
    found
}

fn preferred(
    target: &Spanned<String>,
    listeners: &[Listener],
    groups: &Groups<'_>,
    hosts: &Hosts<'_>,
    sink: &mut Sink,
) -> Vec<usize> {
    let wanted: HashSet<_> = hosts
        .all(&target.value)
        .unwrap_or_default()
        .iter()
        .collect();
    let used = used(listeners);
    let mut by_group = used.iter().map(|group| {
        let targets = &groups.list[*group].targets;
        (0..targets.len())
            .filter(|index| wanted.contains(&targets[*index].host))
            .collect::<Vec<usize>>()
    });
    let first = by_group.next().unwrap_or_default();
    if by_group.any(|indexes| indexes != first) {
        sink.push(
            Diagnostic::new(
                code::PREFER_AMBIGUOUS,
                target.span,
                format!(
                    "`{}` stands at different places in the groups behind this balancer",
                    target.value
                ),
            )
            .label("cannot be preferred in one group and not in another")
            .help("register it at the same place in each group, or use one balancer a group"),
        );
    } else if first.is_empty()
        && !used.is_empty()
        && !used.iter().any(|group| {
            // Registered, but no host: that has been said.
            groups.list[*group]
                .unknown
                .iter()
                .any(|name| *name == target.value)
        })
    {
        let names: Vec<&str> = used
            .iter()
            .flat_map(|group| &groups.list[*group].targets)
            .map(|target| hosts.get(target.host).name.as_str())
            .collect();
        let help = sink.help(&target.value, names);
        sink.push(
            Diagnostic::new(
                code::PREFER_TARGET,
                target.span,
                format!("`{}` is no target of this balancer", target.value),
            )
            .label("not registered in its target groups")
            .help(help),
        );
    }
    first
}

/// A target must serve the port it gets connections on, else every client is refused for a reason that no story
/// tells. Hosts that run programs of their own or rewrite ports are trusted, and so are nodes.
pub(super) fn served(
    body: &Body,
    balancers: &[Balancer<'_>],
    groups: &Groups<'_>,
    hosts: &Hosts<'_>,
    sink: &mut Sink,
) {
    let mut checked = HashSet::new();
    let runs = runs_programs(body);
    let listeners = balancers.iter().flat_map(|balancer| &balancer.listeners);
    let forwards = listeners.flat_map(|one| one.forward.iter().map(move |share| (one, share)));
    for (listener, share) in forwards {
        let group = &groups.list[share.group];
        let takes = match listener.protocol {
            Protocol::Tcp if listener.terminates => Carries::Tls,
            Protocol::Tcp if group.protocol == Carries::Http => Carries::Http,
            Protocol::Tcp => Carries::Tcp,
            Protocol::Udp => Carries::Udp,
        };
        let port = listener.instance_port.unwrap_or(listener.port);
        let key = (share.group, port, listener.protocol);
        if !may_forward(takes, group.protocol) || !checked.insert(key) {
            continue;
        }
        for target in &group.targets {
            let host = hosts.get(target.host);
            let port = target
                .port
                .or(listener.instance_port)
                .unwrap_or(listener.port);
            let udp = listener.protocol == Protocol::Udp;
            let own_way = hosts.cluster.is_node(&host.name)
                || host.section.setup.is_some()
                || host.section.nft.is_some()
                || host.section.iptables.is_some()
                || runs.contains(host.name.as_str());
            let serves = host
                .section
                .serve
                .iter()
                .any(|(served, _)| served.value.port == port && served.value.udp == udp);
            if !serves && !own_way {
                let key = if udp {
                    format!("{port}/udp")
                } else {
                    port.to_string()
                };
                sink.push(
                    Diagnostic::new(
                        code::TARGET_SERVES_NOTHING,
                        target.span,
                        format!("target `{}` serves nothing on port {key}", host.name),
                    )
                    .label(format!("registered in `{}`", group.name.value))
                    .also(host.key.span, "this host")
                    .help(format!("add `serve: {{ {key}: echo }}` to the host, or give the target the port it serves")),
                );
            }
        }
    }
}

/// Hosts on which a `run` step may start a server.
fn runs_programs(body: &Body) -> HashSet<&str> {
    body.steps
        .iter()
        .filter_map(|step| match &step.verb {
            spec::Verb::Run { on_host, .. } => Some(on_host.value.as_str()),
            spec::Verb::Connect { .. }
            | spec::Verb::Load { .. }
            | spec::Verb::Exchange(_)
            | spec::Verb::Send(_)
            | spec::Verb::Receive(_)
            | spec::Verb::Close { .. }
            | spec::Verb::Abort { .. }
            | spec::Verb::Inject { .. }
            | spec::Verb::Shutdown { .. }
            | spec::Verb::Wait { .. }
            | spec::Verb::WaitUntil { .. }
            | spec::Verb::Stop { .. }
            | spec::Verb::Kill { .. }
            | spec::Verb::Registration { .. }
            | spec::Verb::Set { .. }
            | spec::Verb::Fault(_) => None,
        })
        .collect()
}
