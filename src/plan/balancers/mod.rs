//! Load balancers: listeners matched with groups, zones, the emulator's knobs.
//!
//! Here what all kinds have in common; what only some have is in `application`, `classic` and `dualstack`. `listeners` and
//! `forward` say what goes where, `preferences` and `zonal_shift` what a lab may wish, `quotas` how much
//! of it, `service` whether targets serve it.
//! Not here: addresses (see `addresses`) and targets (see `groups`).

pub(super) mod application;
pub(super) mod classic;
mod dualstack;
pub(super) mod forward;
mod listeners;
mod preferences;
pub(super) mod quotas;
mod service;
mod zonal_shift;

pub(super) use listeners::Listener;
pub(super) use service::served;

use super::Sink;
use super::attributes::{self, CLIENT_ROUTING, CROSS_ZONE, Checked, DENY_IPV6, Holder};
use super::clock::Clock;
use super::groups::Groups;
use super::hosts::{Hosts, known_zone};
use crate::diag::codes::health;
use crate::diag::{Diagnostic, Span, Spanned};
use crate::fabric::config::{
    ClientRouting, KERNEL_PORTS, Kind, OnCollision, OnMissingFlow, OnNoTarget, OnTargetError,
    OnZoneDisabled, SourceAddress, SourcePortOrder, ZonalId,
};
use crate::spec::{self, Body};
use listeners::{idle_is_fixed, listener};
use preferences::prefer;
use std::time::Duration;

/// AWS: 55,000 connections for each zonal address and target when the client's address is not preserved.
const SNAT_PORTS: u16 = 55_000;

/// AWS: about 55,000 connections a minute to each target, as many as there are ports.
const PORT_REUSE: Duration = Duration::from_secs(60);

/// Source ports below those of a zonal address's own kernel.
const SHARED_PORTS: u16 = *KERNEL_PORTS.start() - 1024;

/// More than any lab opens.
const FLOW_CAPACITY: usize = 1_000_000;

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
    pub(super) on_no_target: OnNoTarget,
    pub(super) on_target_error: OnTargetError,
    pub(super) port_order: SourcePortOrder,
    pub(super) source_address: SourceAddress,
    /// Knob.
    pub(super) snat_ports: u16,
    /// Knob; real time.
    pub(super) port_reuse: Duration,
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
            let scene = Scene {
                body,
                hosts,
                groups,
                clock,
            };
            scene.balancer(number, name, section, sink)
        })
        .collect()
}

/// What a balancer is resolved against.
struct Scene<'a, 's> {
    body: &'a Body,
    hosts: &'s Hosts<'s>,
    groups: &'s Groups<'s>,
    clock: Clock,
}

/// What a balancer does with connections, its listeners, and whether all groups they name are there.
type Listening = (Kind, Vec<Listener>, bool);

impl<'a> Scene<'a, '_> {
    fn balancer(
        &self,
        number: usize,
        name: &'a Spanned<String>,
        section: &'a spec::Balancer,
        sink: &mut Sink,
    ) -> Balancer<'a> {
        let others = section.is_classic() || section.is_application();
        let none = Vec::new();
        let written = if others { &none } else { &section.attributes };
        let attributes = attributes::check(Holder::Balancer, written, sink);
        let zones_known = self.zones_known(section, sink);
        let (kind, listeners, groups_known) = self.listening(number, section, &attributes, sink);
        let kernels = has_kernels(&kind, &listeners, self.groups);
        zonal_shift::may_shift(&attributes, &listeners, self.groups, self.body, sink);
        room_for_checks(section, kernels, sink);
        let emulate = &section.emulate;
        let zones = section.zones.iter();
        Balancer {
            name,
            kind,
            kernels,
            enabled: zones
                .clone()
                .map(|(zone, _)| !section.disabled.contains(&zone.value))
                .collect(),
            zones: zones.map(|(zone, _)| zone.value.as_str()).collect(),
            shifted: match others {
                true => None,
                false => zonal_shift::shifted(name, section, &attributes, self.body, sink),
            },
            prefer: prefer(name, section, &listeners, self.groups, self.hosts, sink),
            complete: zones_known && groups_known,
            listeners,
            settles: section.start.value != "cold",
            on_collision: match word(emulate.on_collision.as_ref()) {
                Some("keep-old") => OnCollision::KeepOld,
                Some("random") => OnCollision::Random,
                Some("port-rewrite") => OnCollision::PortRewrite,
                Some(_) | None => OnCollision::Newest,
            },
            on_missing_flow: match word(emulate.on_missing_flow.as_ref()) {
                Some("drop") => OnMissingFlow::Drop,
                Some(_) | None => OnMissingFlow::Reset,
            },
            on_no_target: match word(emulate.on_no_target.as_ref()) {
                Some("reset") => OnNoTarget::Reset,
                Some(_) | None => OnNoTarget::Drop,
            },
            on_target_error: match word(emulate.on_target_error.as_ref()) {
                Some("pass") => OnTargetError::Pass,
                Some("drop") => OnTargetError::Drop,
                Some(_) | None => OnTargetError::Mtu,
            },
            port_order: match word(emulate.port_order.as_ref()) {
                Some("random") => SourcePortOrder::Random,
                Some("sequential") => SourcePortOrder::Sequential,
                Some("preserve") => SourcePortOrder::Preserve,
                Some(_) | None => SourcePortOrder::Upwards,
            },
            source_address: match word(emulate.source_address.as_ref()) {
                Some("spread") => SourceAddress::Spread,
                Some(_) | None => SourceAddress::First,
            },
            snat_ports: emulate
                .snat_ports
                .as_ref()
                .and_then(|ports| u16::try_from(ports.value).ok())
                .unwrap_or(SNAT_PORTS),
            port_reuse: self.clock.cloud(
                emulate
                    .port_reuse
                    .as_ref()
                    .map_or(PORT_REUSE, |time| time.value),
            ),
            flow_capacity: emulate
                .flow_capacity
                .as_ref()
                .and_then(|flows| usize::try_from(flows.value).ok())
                .unwrap_or(FLOW_CAPACITY),
            half_open: self.clock.cloud(HALF_OPEN),
            flow_reuse: emulate
                .flow_reuse
                .as_ref()
                .map_or(Duration::ZERO, |time| self.clock.cloud(time.value)),
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
    }

    fn zones_known(&self, section: &spec::Balancer, sink: &mut Sink) -> bool {
        let mut all = true;
        for (zone, _) in &section.zones {
            known_zone(zone, self.body, sink);
            all &= self
                .body
                .zones
                .iter()
                .any(|known| known.value == zone.value);
        }
        all
    }

    fn listening(
        &self,
        number: usize,
        section: &spec::Balancer,
        attributes: &Checked<'_>,
        sink: &mut Sink,
    ) -> Listening {
        if section.is_classic() {
            let (kind, listeners) =
                classic::resolve(number, section, self.groups, self.clock, sink);
            let groups_known = listeners.len() == section.listeners.len();
            return (kind, listeners, groups_known);
        }
        classic::only_of_classic(section, sink);
        let is_application = section.is_application();
        let kind = if is_application {
            application::resolve(section, self.clock, sink)
        } else {
            Kind::Network
        };
        // AWS: that of an application balancer is always on.
        let cross_zone = attributes.flag(CROSS_ZONE, is_application);
        let mut listeners = Vec::with_capacity(section.listeners.len());
        let mut groups_known = true;
        for (port, listens) in &section.listeners {
            let all = self.listener(port, listens, section, cross_zone, sink);
            groups_known &= !all.is_empty();
            listeners.extend(all);
        }
        (kind, listeners, groups_known)
    }

    /// One port of a balancer that is no classic one; empty when no group of it is there.
    fn listener(
        &self,
        port: &Spanned<u16>,
        listens: &spec::Listener,
        section: &spec::Balancer,
        cross_zone: bool,
        sink: &mut Sink,
    ) -> Vec<Listener> {
        if listens.instance_port.is_some() {
            // Its group is not there, and that has been said.
            return Vec::new();
        }
        idle_is_fixed(self.body, listens, sink);
        let shares = forward::resolve(listens, self.groups, cross_zone, self.body, sink);
        dualstack::check_listener(section, listens, sink);
        application::check_listener(section, listens, sink);
        let all = listener(port, listens, &shares, self.groups, self.clock, sink);
        for share in &shares {
            let group = &self.groups.list[share.group];
            dualstack::check_group(section, share.span, group, sink);
            application::check_group(section, listens, share.span, group, sink);
        }
        all
    }
}

/// True unless the balancer is internal.
pub(super) fn faces_internet(balancer: &spec::Balancer) -> bool {
    balancer.scheme.value != "internal"
}

/// True for a balancer with IPv6 addresses.
pub(super) fn is_dualstack(balancer: &spec::Balancer) -> bool {
    balancer.ip_address_type.value == "dualstack"
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

/// The word of a listener with several target groups.
const WEIGHTS: &str = "target_groups";

/// What classic balancers do not have, and application balancers for the most part, and where a balancer has it written.
fn only_of_network(section: &spec::Balancer) -> Vec<(&'static str, Span)> {
    fn place<T>(word: Option<&Spanned<T>>) -> Option<Span> {
        word.map(|word| word.span)
    }
    let (knobs, family) = (&section.emulate, &section.ip_address_type);
    let dualstack = Some(family).filter(|family| family.value != "ipv4");
    let own = [
        ("ip_address_type", place(dualstack)),
        ("zonal_shift", place(section.zonal_shift.as_ref())),
        ("emulate.on_collision", place(knobs.on_collision.as_ref())),
        (
            "emulate.on_missing_flow",
            place(knobs.on_missing_flow.as_ref()),
        ),
        ("emulate.on_no_target", place(knobs.on_no_target.as_ref())),
        (
            "emulate.on_target_error",
            place(knobs.on_target_error.as_ref()),
        ),
        ("emulate.port_order", place(knobs.port_order.as_ref())),
        (
            "emulate.source_address",
            place(knobs.source_address.as_ref()),
        ),
        (
            "emulate.on_zone_disabled",
            place(knobs.on_zone_disabled.as_ref()),
        ),
        ("emulate.snat_ports", place(knobs.snat_ports.as_ref())),
        ("emulate.port_reuse", place(knobs.port_reuse.as_ref())),
        ("emulate.flow_capacity", place(knobs.flow_capacity.as_ref())),
        ("emulate.flow_reuse", place(knobs.flow_reuse.as_ref())),
    ];
    let of_listeners = section.listeners.iter().flat_map(|(_, listener)| {
        let groups = listener.target_groups.first();
        let attributes = listener.attributes.first();
        [
            (WEIGHTS, groups.map(|(name, _)| name.span)),
            (
                "attributes of a listener",
                attributes.map(|(name, _)| name.span),
            ),
        ]
    });
    own.into_iter()
        .chain(of_listeners)
        .filter_map(|(name, place)| Some((name, place?)))
        .collect()
}
