//! NAT gateways: who is behind which, the vendors' settings and their defaults.
//!
//! Sources: "NAT gateways" and "NAT gateway basics" of the VPC user guide; "Source Network Address Translation for
//! outbound connections" and "TCP reset and idle timeout" of Azure Load Balancer; "Cloud NAT addresses and ports" and
//! "Tune NAT configuration" of Google Cloud.

use super::clock::Clock;
use super::hosts::known_zone;
use super::{Sink, vpcs};
use crate::diag::codes::nat as code;
use crate::diag::{Diagnostic, Spanned};
use crate::fabric::config::{
    Allocation, GatewayId, NatGateway, NatProfile, NatTimeouts, OnMissingFlow, PortOrder,
};
use crate::spec::{self, Body, PublicAddress};
use std::net::Ipv4Addr;
use std::time::Duration;

/// AWS: connections at a time for each address and destination.
const AWS_PORTS: u16 = 55_000;
/// AWS: one primary and seven secondary addresses.
const AWS_ADDRESSES: u32 = 8;
/// AWS: fixed, of every protocol.
const AWS_IDLE: u64 = 350;
/// Azure: 4 minutes unless written.
const AZURE_IDLE: u64 = 240;
/// Google: of established TCP connections unless written.
const GOOGLE_IDLE: u64 = 1200;
/// Azure: a SYN without an answer.
const AZURE_HALF_OPEN: Duration = Duration::from_secs(30);
/// Azure: from FIN to when a port may be used again.
const AZURE_REUSE: Duration = Duration::from_secs(240);
/// Azure: default ports of each host for each address, by how many hosts there are at most.
const AZURE_BLOCKS: &[(usize, u32)] = &[
    (50, 1024),
    (100, 512),
    (200, 256),
    (400, 128),
    (800, 64),
    (1000, 32),
];
/// Ports of one address: 1024 to 65535.
const PORTS: u32 = 64_512;
/// Azure: of these, so many are given out.
const AZURE_PORTS: u32 = 64_000;

const IDLE_MINUTES: &str = "idleTimeoutInMinutes";
const TCP_RESET: &str = "enableTcpReset";
const OUTBOUND_PORTS: &str = "allocatedOutboundPorts";
const MIN_PORTS: &str = "minPortsPerVm";
const ESTABLISHED: &str = "tcpEstablishedIdleTimeoutSec";
const TRANSITORY: &str = "tcpTransitoryIdleTimeoutSec";
const TIME_WAIT: &str = "tcpTimeWaitTimeoutSec";
const UDP_IDLE: &str = "udpIdleTimeoutSec";

/// What a setting takes.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Bool,
    /// A whole number in steps.
    Number {
        min: u64,
        max: u64,
        step: u64,
    },
}

const SECONDS: Kind = Kind::Number {
    min: 1,
    max: 86_400,
    step: 1,
};

/// The settings of each vendor.
static SETTINGS: &[(&str, &str, Kind)] = &[
    (
        "azure",
        IDLE_MINUTES,
        Kind::Number {
            min: 4,
            max: 100,
            step: 1,
        },
    ),
    ("azure", TCP_RESET, Kind::Bool),
    (
        "azure",
        OUTBOUND_PORTS,
        Kind::Number {
            min: 8,
            max: 64_000,
            step: 8,
        },
    ),
    (
        "google",
        MIN_PORTS,
        Kind::Number {
            min: 2,
            max: 64_512,
            step: 1,
        },
    ),
    ("google", ESTABLISHED, SECONDS),
    ("google", TRANSITORY, SECONDS),
    ("google", TIME_WAIT, SECONDS),
    ("google", UDP_IDLE, SECONDS),
];

/// Who is behind which gateway, by name; none: that has been said, or there is none.
pub(super) fn behind(body: &Body, host: &spec::Host) -> Option<GatewayId> {
    let named = host.nat.as_ref()?;
    let place = body
        .nat_gateways
        .iter()
        .position(|(name, _)| name.value == named.value)?;
    u16::try_from(place).ok().map(GatewayId)
}

/// Whose it is. The readers let no other words through.
pub(super) fn profile(section: &spec::NatGateway) -> NatProfile {
    match section.profile.value.as_str() {
        "azure" => NatProfile::Azure,
        "google" => NatProfile::Google,
        _ => NatProfile::Aws,
    }
}

/// Every gateway, and what is wrong with it or with those behind it.
pub(super) fn resolve(
    body: &Body,
    addresses: &[(Ipv4Addr, Vec<Ipv4Addr>)],
    clock: Clock,
    sink: &mut Sink,
) -> Vec<NatGateway> {
    check_hosts(body, sink);
    let gateways = body.nat_gateways.iter().zip(addresses);
    gateways
        .map(|((name, section), addresses)| {
            known_zone(&section.zone, body, sink);
            if let Some(vpc) = &section.vpc {
                vpcs::known(vpc, body, sink);
            }
            check_settings(section, sink);
            check_clashes(section, sink);
            lower(body, name, section, addresses, clock, sink)
        })
        .collect()
}

fn lower(
    body: &Body,
    name: &Spanned<String>,
    section: &spec::NatGateway,
    (private, public): &(Ipv4Addr, Vec<Ipv4Addr>),
    clock: Clock,
    sink: &mut Sink,
) -> NatGateway {
    let emulate = &section.emulate;
    let profile = profile(section);
    let allocation = match profile {
        NatProfile::Aws => Allocation::PerDestination(aws_ports(section, sink)),
        NatProfile::Azure | NatProfile::Google => {
            Allocation::PerHost(block(body, name, section, profile, sink))
        }
    };
    let mut timeouts = timeouts(section, profile, clock, sink);
    if let Some(reuse) = &emulate.port_reuse {
        timeouts.closed = clock.cloud(reuse.value);
    }
    let missing = emulate.on_missing_flow.as_ref();
    NatGateway {
        name: name.value.clone(),
        zone: section.zone.value.clone(),
        profile,
        private: *private,
        addresses: public.clone(),
        allocation,
        port_order: match emulate
            .port_order
            .as_ref()
            .map(|order| order.value.as_str())
        {
            Some("sequential") => PortOrder::Sequential,
            Some("preserve") => PortOrder::Preserve,
            Some(_) | None => PortOrder::Random,
        },
        timeouts,
        on_missing_flow: match (missing.map(|word| word.value.as_str()), profile) {
            (Some("reset"), _) | (None, NatProfile::Aws) => OnMissingFlow::Reset,
            (Some(_), _) | (None, NatProfile::Azure | NatProfile::Google) => OnMissingFlow::Drop,
        },
        reset_at_expiry: text(section, TCP_RESET).is_some_and(|value| value.value == "true"),
        insertion_delay: emulate
            .insertion_delay
            .as_ref()
            .map_or(Duration::ZERO, |it| it.value),
        clash_resolve: emulate.clash_resolve.as_ref().is_none_or(|it| it.value),
    }
}

/// Nothing clashes where the choice of a port and the insertion of its entry are one.
fn check_clashes(section: &spec::NatGateway, sink: &mut Sink) {
    let emulate = &section.emulate;
    if let (Some(resolve), None) = (&emulate.clash_resolve, &emulate.insertion_delay) {
        sink.push(
            Diagnostic::new(
                code::NOTHING_CLASHES,
                resolve.span,
                "`clash_resolve` without `insertion_delay`",
            )
            .label("no two entries clash here")
            .help("write `insertion_delay: 50ms` beside it, or take it away"),
        );
    }
}

fn aws_ports(section: &spec::NatGateway, sink: &mut Sink) -> u16 {
    if section.addresses.value > AWS_ADDRESSES {
        sink.push(
            Diagnostic::new(
                code::TOO_MANY_ADDRESSES,
                section.addresses.span,
                format!("{} addresses of one NAT gateway", section.addresses.value),
            )
            .label(format!("AWS gives it at most {AWS_ADDRESSES}"))
            .help("use several gateways, each for some of the hosts"),
        );
    }
    let ports = section.emulate.ports.as_ref();
    ports
        .and_then(|ports| u16::try_from(ports.value).ok())
        .unwrap_or(AWS_PORTS)
}

/// A host's own ports, all addresses together.
fn block(
    body: &Body,
    name: &Spanned<String>,
    section: &spec::NatGateway,
    profile: NatProfile,
    sink: &mut Sink,
) -> u16 {
    if let Some(ports) = &section.emulate.ports {
        let setting = match profile {
            NatProfile::Google => MIN_PORTS,
            NatProfile::Azure | NatProfile::Aws => OUTBOUND_PORTS,
        };
        sink.push(
            Diagnostic::new(
                code::PORTS_BY_HOST,
                ports.span,
                format!(
                    "hosts behind a gateway of {} have ports of their own",
                    section.profile.value
                ),
            )
            .also(section.profile.span, "the profile")
            .help(format!(
                "write `attributes: {{ {setting}: {} }}`",
                ports.value
            )),
        );
    }
    let hosts = body.hosts.iter().filter(|(_, host)| {
        let named = host.nat.as_ref();
        named.is_some_and(|named| named.value == name.value)
    });
    let hosts: usize = hosts
        .map(|(_, host)| host.count.as_ref().map_or(1, |count| count.value as usize))
        .sum();
    let addresses = section.addresses.value;
    let written = number(section, OUTBOUND_PORTS).or(number(section, MIN_PORTS));
    let size = match (&written, profile) {
        (Some(written), _) => u32::try_from(written.value).unwrap_or(PORTS),
        (None, NatProfile::Google | NatProfile::Aws) => 64,
        (None, NatProfile::Azure) => {
            let fitting = AZURE_BLOCKS.iter().find(|(most, _)| hosts <= *most);
            fitting.map_or(32, |(_, ports)| ports * addresses)
        }
    };
    let ports = match profile {
        NatProfile::Azure => AZURE_PORTS,
        NatProfile::Google | NatProfile::Aws => PORTS,
    };
    let size = size.clamp(1, ports);
    let room = usize::try_from(ports / size * addresses).unwrap_or(usize::MAX);
    if hosts > room {
        let span = written.map_or(name.span, |written| written.span);
        sink.push(
            Diagnostic::new(
                code::NO_PORTS_FOR_HOSTS,
                span,
                format!(
                    "{hosts} hosts with {size} ports each behind `{}`",
                    name.value
                ),
            )
            .label(format!("enough for {room}"))
            .help("give each host fewer ports, or the gateway more `addresses`"),
        );
    }
    u16::try_from(size).unwrap_or(u16::MAX)
}

fn timeouts(
    section: &spec::NatGateway,
    profile: NatProfile,
    clock: Clock,
    sink: &mut Sink,
) -> NatTimeouts {
    let or = |name: &str, seconds: u64| {
        number(section, name).unwrap_or_else(|| Spanned::new(seconds, section.span))
    };
    let cloud = |seconds: u64| clock.cloud(Duration::from_secs(seconds));
    match profile {
        NatProfile::Aws => {
            let idle = clock.idle(None, (AWS_IDLE, section.span), sink);
            NatTimeouts {
                established: idle,
                transitory: idle,
                closed: Duration::ZERO,
                datagram: idle,
            }
        }
        NatProfile::Azure => {
            let written = number(section, IDLE_MINUTES)
                .map(|minutes| Spanned::new(60 * minutes.value, minutes.span));
            let idle = clock.idle(written.as_ref(), (AZURE_IDLE, section.span), sink);
            NatTimeouts {
                established: idle,
                transitory: clock.cloud(AZURE_HALF_OPEN),
                closed: clock.cloud(AZURE_REUSE),
                datagram: idle,
            }
        }
        NatProfile::Google => NatTimeouts {
            established: clock.idle(
                number(section, ESTABLISHED).as_ref(),
                (GOOGLE_IDLE, section.span),
                sink,
            ),
            transitory: cloud(or(TRANSITORY, 30).value),
            closed: cloud(or(TIME_WAIT, 120).value),
            datagram: cloud(or(UDP_IDLE, 30).value),
        },
    }
}

/// A setting of the right vendor that is written, and well.
fn text<'a>(section: &'a spec::NatGateway, name: &str) -> Option<&'a Spanned<String>> {
    let (_, _, kind) = setting(section, name)?;
    let mut written = section.attributes.iter();
    let (_, value) = written.find(|(key, _)| key.value == name)?;
    is_good(*kind, &value.value).then_some(value)
}

fn number(section: &spec::NatGateway, name: &str) -> Option<Spanned<u64>> {
    let text = text(section, name)?;
    Some(Spanned::new(text.value.parse().ok()?, text.span))
}

fn setting(
    section: &spec::NatGateway,
    name: &str,
) -> Option<&'static (&'static str, &'static str, Kind)> {
    let profile = section.profile.value.as_str();
    SETTINGS
        .iter()
        .find(|(vendor, known, _)| *vendor == profile && *known == name)
}

fn is_good(kind: Kind, text: &str) -> bool {
    match kind {
        Kind::Bool => matches!(text, "true" | "false"),
        Kind::Number { min, max, step } => text
            .parse::<u64>()
            .is_ok_and(|value| (min..=max).contains(&value) && value % step == 0),
    }
}

fn check_settings(section: &spec::NatGateway, sink: &mut Sink) {
    let profile = section.profile.value.as_str();
    for (name, value) in &section.attributes {
        let Some((_, _, kind)) = setting(section, &name.value) else {
            let other = SETTINGS.iter().find(|(_, known, _)| *known == name.value);
            let help = match other {
                Some((vendor, ..)) => format!("it is a setting of `profile: {vendor}`"),
                None if profile == "aws" => {
                    "AWS has no settings here; what it leaves open is under `emulate`".to_owned()
                }
                None => {
                    let own = SETTINGS.iter().filter(|(vendor, ..)| *vendor == profile);
                    sink.help(&name.value, own.map(|(_, name, _)| *name))
                }
            };
            sink.push(
                Diagnostic::new(
                    code::UNKNOWN_SETTING,
                    name.span,
                    format!("a NAT gateway of {profile} has no `{}`", name.value),
                )
                .help(help),
            );
            continue;
        };
        if !is_good(*kind, &value.value) {
            let wanted = match kind {
                Kind::Bool => "true or false".to_owned(),
                Kind::Number { min, max, step: 1 } => format!("{min} to {max}"),
                Kind::Number { min, max, step } => format!("{min} to {max}, in steps of {step}"),
            };
            sink.push(
                Diagnostic::new(
                    code::SETTING_VALUE,
                    value.span,
                    format!("`{}` cannot be {}", name.value, value.value),
                )
                .label(wanted.clone())
                .help(format!("write {wanted}")),
            );
        }
    }
}

fn check_hosts(body: &Body, sink: &mut Sink) {
    for (name, host) in &body.hosts {
        let Some(nat) = &host.nat else { continue };
        let found = body
            .nat_gateways
            .iter()
            .find(|(known, _)| known.value == nat.value);
        let Some((gateway, section)) = found else {
            let names = body
                .nat_gateways
                .iter()
                .map(|(name, _)| name.value.as_str());
            let help = sink.help(&nat.value, names);
            sink.push(
                Diagnostic::new(
                    code::UNKNOWN_GATEWAY,
                    nat.span,
                    format!("there is no NAT gateway `{}`", nat.value),
                )
                .label("not under `nat_gateways`")
                .help(help),
            );
            continue;
        };
        let public = host.public_address.as_ref();
        let public = public.is_some_and(|public| public.value != PublicAddress::None);
        if host.behind.is_some() || host.zone.is_none() || public {
            let why = match host.zone {
                _ if host.behind.is_some() => "leaves by the host that it is behind",
                None => "is out on the internet already",
                Some(_) => "has a public address and leaves by the internet gateway",
            };
            sink.push(
                Diagnostic::new(
                    code::NEEDS_NO_GATEWAY,
                    nat.span,
                    format!("`{}` {why}", name.value),
                )
                .help(match host.zone {
                    _ if host.behind.is_some() => "write `nat:` at that host",
                    None => "give it a `zone:`, or take the `nat:` away",
                    Some(_) => "keep one of `public_address:` and `nat:`",
                }),
            );
        }
        if vpcs::number(body, host.vpc.as_ref()) != vpcs::number(body, section.vpc.as_ref()) {
            sink.push(
                Diagnostic::new(
                    code::GATEWAY_OF_ANOTHER_VPC,
                    nat.span,
                    format!(
                        "`{}` is in another VPC than `{}`",
                        gateway.value, name.value
                    ),
                )
                .also(gateway.span, "the gateway")
                .help("use a gateway of its own VPC"),
            );
        }
    }
}
