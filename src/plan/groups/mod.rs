//! Target groups: targets resolved, preservation decided.
//!
//! `checks` are their health checks, `targets` what becomes of targets later, `algorithm` how they are chosen, `inner` an
//! application balancer as a target, `instances` those of classic balancers. Not here: who forwards to a group (see
//! `balancers`).

mod algorithm;
mod checks;
mod inner;
pub(super) mod instances;
mod targets;

pub(super) use inner::{Inner, all_zonal_names};

use super::attributes::{
    self, CROSS_ZONE, Checked, HEADER_PLACEMENT, Holder, PRESERVE_CLIENT_IP, PROXY_PROTOCOL,
};
use super::clock::Clock;
use super::hosts::{Draft, Hosts};
use super::profile::is_of_2020;
use super::{HostId, Sink};
use crate::diag::codes::{plan as code, proxy};
use crate::diag::{Diagnostic, Span, Spanned};
use crate::fabric::config::{GroupAttributes, GroupEmulate, HealthCheck, Placement};
use crate::spec::{self, Body};
use std::collections::HashMap;

/// A target group, resolved.
#[derive(Debug)]
pub(super) struct Group<'a> {
    /// Its name.
    pub(super) name: &'a Spanned<String>,
    /// The balancer whose instances these are; none: a target group of the lab.
    pub(super) owner: Option<usize>,
    /// The application balancer that is its target; it has no others then.
    pub(super) inner: Option<Inner>,
    /// Toward the targets.
    pub(super) protocol: Carries,
    /// It has its targets' IPv6 addresses.
    pub(super) ipv6: bool,
    /// Targets see the client's address.
    pub(super) preserve_client_ip: bool,
    /// Targets read a PROXY protocol header before what the client says.
    pub(super) proxy_protocol: Option<Placement>,
    /// Its own word on cross-zone; none: the balancer's.
    pub(super) cross_zone: Option<bool>,
    /// How targets are checked, in real time.
    pub(super) health_check: Option<HealthCheck>,
    /// In real time.
    pub(super) attributes: GroupAttributes,
    /// In real time.
    pub(super) emulate: GroupEmulate,
    /// Of targets that have none of their own.
    pub(super) port: Option<u16>,
    /// In order, groups of hosts expanded; those that the story registers follow.
    pub(super) targets: Vec<Target>,
    /// Names registered that are no hosts.
    pub(super) unknown: Vec<&'a str>,
}

/// A registered target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// Which host.
    pub(super) host: HostId,
    /// Its own port, else the group's; none: the listener's.
    pub(super) port: Option<u16>,
    /// Where it is registered.
    pub(super) span: Span,
    /// From the beginning, not by a step.
    pub(super) registered: bool,
}

/// All target groups, found by name.
#[derive(Debug)]
pub(super) struct Groups<'a> {
    /// In the order of the lab.
    pub(super) list: Vec<Group<'a>>,
    by_name: HashMap<&'a str, usize>,
}

impl Groups<'_> {
    /// The number of a group, or the problem.
    pub(super) fn resolve(&self, name: &Spanned<String>, sink: &mut Sink) -> Option<usize> {
        let found = self.by_name.get(name.value.as_str()).copied();
        if found.is_none() {
            let help = sink.help(&name.value, self.by_name_in_order());
            sink.push(
                Diagnostic::new(
                    code::UNKNOWN_GROUP,
                    name.span,
                    format!("there is no target group `{}`", name.value),
                )
                .label("not under `target_groups`")
                .help(help),
            );
        }
        found
    }

    fn by_name_in_order(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|group| group.name.value.as_str())
    }
}

/// Resolves every target group.
pub(super) fn resolve<'a>(
    body: &'a Body,
    hosts: &Hosts<'_>,
    clock: Clock,
    sink: &mut Sink,
) -> Groups<'a> {
    let mut list = Vec::with_capacity(body.target_groups.len());
    let mut by_name = HashMap::new();
    let old = is_of_2020(body);
    for (name, group) in &body.target_groups {
        by_name.entry(name.value.as_str()).or_insert(list.len());
        let attributes = attributes::check(Holder::Group, &group.attributes, sink);
        let protocol = Carries::of(&group.protocol);
        let outer = inner::is_outer(group);
        list.push(Group {
            name,
            owner: None,
            inner: inner::inner(body, name, group, sink),
            protocol,
            ipv6: group.ip_address_type.value == "ipv6",
            preserve_client_ip: preserves(group, protocol, &attributes, sink),
            proxy_protocol: proxy_protocol(protocol, &attributes, sink),
            cross_zone: match attributes.text(CROSS_ZONE).map(|v| v.value.as_str()) {
                Some("true") => Some(true),
                Some("false") => Some(false),
                Some(_) | None => None,
            },
            health_check: checks::resolve(group, clock, sink),
            attributes: GroupAttributes {
                algorithm: algorithm::algorithm(group, sink),
                ..targets::attributes(protocol, &attributes, old, clock, sink)
            },
            emulate: targets::emulate(&group.emulate, clock),
            port: group.port.as_ref().map(|port| port.value),
            targets: registered(
                group
                    .targets
                    .iter()
                    .filter(|_| !outer)
                    .map(|(name, port)| (name, port.as_ref())),
                group.port.as_ref(),
                hosts,
                sink,
            ),
            unknown: group
                .targets
                .iter()
                .filter(|_| !outer)
                .map(|(name, _)| name.value.as_str())
                .filter(|name| hosts.all(name).is_none())
                .collect(),
        });
    }
    let mut groups = Groups { list, by_name };
    instances::add(body, &mut groups, hosts, clock, sink);
    targets::add_registered(body, &mut groups, hosts);
    for group in &groups.list {
        targets::check_family(group, hosts, sink);
    }
    groups
}

/// What a listener takes, or a group is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carries {
    /// `TCP`
    Tcp,
    /// `TLS`: TCP, ended by the balancer.
    Tls,
    /// `UDP`
    Udp,
    /// `TCP_UDP`: both, on one port.
    Both,
    /// `HTTP`, and `HTTPS` of listeners: requests.
    Http,
}

impl Carries {
    /// The word of a lab. The readers let no other words through.
    pub(super) fn of(word: &Spanned<String>) -> Self {
        match word.value.as_str() {
            "TLS" => Self::Tls,
            "UDP" => Self::Udp,
            "TCP_UDP" => Self::Both,
            "HTTP" | "HTTPS" => Self::Http,
            _ => Self::Tcp,
        }
    }

    /// True of `HTTPS`: requests that come under TLS.
    pub(super) fn under_tls(word: &Spanned<String>) -> bool {
        word.value == "HTTPS"
    }

    /// AWS's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Udp => "UDP",
            Self::Both => "TCP_UDP",
            Self::Http => "HTTP",
        }
    }
}

/// Defaults of AWS: instance targets over TCP keep the client's address, ip targets do not; over UDP it is
/// always kept and cannot be switched off.
fn preserves(
    group: &spec::TargetGroup,
    protocol: Carries,
    attributes: &Checked<'_>,
    sink: &mut Sink,
) -> bool {
    match protocol {
        Carries::Tcp | Carries::Tls => {
            attributes.flag(PRESERVE_CLIENT_IP, group.target_type.value != "ip")
        }
        // It says so in a header.
        Carries::Http => false,
        Carries::Udp | Carries::Both => {
            if let Some(value) = attributes.text(PRESERVE_CLIENT_IP)
                && value.value == "false"
            {
                sink.push(
                    Diagnostic::new(
                        code::ATTRIBUTE_FIXED,
                        value.span,
                        "client IP preservation cannot be switched off over UDP",
                    )
                    .also(group.protocol.span, "the group's protocol")
                    .help("remove the attribute, or use TCP"),
                );
            }
            true
        }
    }
}

/// Whether a PROXY protocol header goes before what clients say, and when. Over UDP a Network Load Balancer writes one
/// as well, but how (before which datagrams) is not documented.
fn proxy_protocol(
    protocol: Carries,
    attributes: &Checked<'_>,
    sink: &mut Sink,
) -> Option<Placement> {
    if !attributes.flag(PROXY_PROTOCOL, false) {
        return None;
    }
    match protocol {
        Carries::Http => None,
        Carries::Tcp | Carries::Tls => Some(
            match attributes.text(HEADER_PLACEMENT).map(|v| v.value.as_str()) {
                Some("on_first_ack") => Placement::OnFirstAck,
                Some(_) | None => Placement::OnFirstAckWithPayload,
            },
        ),
        Carries::Udp | Carries::Both => {
            if let Some(value) = attributes.text(PROXY_PROTOCOL) {
                sink.push(
                    Diagnostic::new(
                        proxy::PROXY_PROTOCOL_OVER_UDP,
                        value.span,
                        "the PROXY protocol is not emulated over UDP",
                    )
                    .label("which datagrams carry the header is not documented")
                    .help("remove the attribute, or make the group TCP"),
                );
            }
            None
        }
    }
}

/// Targets as written, each with its own port; `port` is that of all others.
fn registered<'a>(
    written: impl Iterator<Item = (&'a Spanned<String>, Option<&'a Spanned<u16>>)>,
    port: Option<&Spanned<u16>>,
    hosts: &Hosts<'_>,
    sink: &mut Sink,
) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut first: HashMap<(HostId, Option<u16>), &Spanned<String>> = HashMap::new();
    let common = port.map(|port| port.value);
    for (name, own_port) in written {
        let port = own_port.map(|port| port.value).or(common);
        for host in known_targets(name, hosts, sink) {
            if hosts.get(host).section.zone.is_none() {
                sink.push(without_zone(name, hosts.get(host)));
            }
            if let Some(earlier) = first.insert((host, port), name) {
                // The same word twice in one list is the readers' business.
                if earlier.value == name.value {
                    continue;
                }
                sink.push(
                    Diagnostic::new(
                        code::TARGET_TWICE,
                        name.span,
                        format!("`{}` is registered twice", hosts.get(host).name),
                    )
                    .also(earlier.span, "here already")
                    .help("name each target once; one host on two ports takes `{ web1: { port: 80 } }`"),
                );
                continue;
            }
            targets.push(Target {
                host,
                port,
                span: name.span,
                registered: true,
            });
        }
    }
    targets
}

fn known_targets(name: &Spanned<String>, hosts: &Hosts<'_>, sink: &mut Sink) -> Vec<HostId> {
    match hosts.all(&name.value) {
        Some(found) => found.to_vec(),
        None => {
            let help = sink.help(&name.value, hosts.names());
            sink.push(
                Diagnostic::new(
                    code::UNKNOWN_TARGET,
                    name.span,
                    format!("target `{}` is no host", name.value),
                )
                .label("not under `hosts`")
                .help(help),
            );
            Vec::new()
        }
    }
}

fn without_zone(name: &Spanned<String>, host: &Draft<'_>) -> Diagnostic {
    let (place, help) = match host.section.behind {
        None => (
            "out on the internet",
            format!("give it a zone: `{}: {{ zone: a, ... }}`", host.name),
        ),
        Some(_) => (
            "behind another host",
            "register that host, and let it pass connections on".to_owned(),
        ),
    };
    Diagnostic::new(
        code::TARGET_WITHOUT_ZONE,
        name.span,
        format!("target `{}` is {place}", host.name),
    )
    .label("a target is in a zone of the VPC")
    .help(help)
}

/// Groups whose targets are registered by address.
pub(super) fn by_address(body: &Body) -> Vec<String> {
    let groups = body.target_groups.iter();
    groups
        .filter(|(_, group)| group.target_type.value == "ip")
        .map(|(name, _)| name.value.clone())
        .collect()
}
