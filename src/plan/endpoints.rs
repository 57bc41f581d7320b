//! Endpoint services and VPC endpoints: which balancers are behind them, and where they are.

use super::attributes::ENFORCE_ON_PRIVATE_LINK;
use super::hosts::known_zone;
use super::{Sink, vpcs};
use crate::diag::codes::private_link as code;
use crate::diag::{Diagnostic, Span, Spanned};
use crate::fabric::config::{self, BalancerId, VpcId};
use crate::fabric::random;
use crate::spec::{self, Body, EndpointService};
use std::collections::HashMap;
use std::net::Ipv4Addr;

/// An endpoint, resolved; its addresses are elsewhere.
#[derive(Debug)]
pub(super) struct Endpoint<'a> {
    /// Its name.
    pub(super) name: &'a Spanned<String>,
    /// Its zones in order.
    pub(super) zones: Vec<&'a str>,
    /// Balancers of its service, by number; empty when the service is not there, which has been said.
    pub(super) balancers: Vec<usize>,
}

impl Endpoint<'_> {
    /// Dialled in a zone where it is not.
    pub(super) fn not_in_zone(&self, zone: &str, to: Span) -> Diagnostic {
        let name = &self.name.value;
        let known: Vec<String> = self
            .zones
            .iter()
            .map(|zone| format!("`{name}/{zone}`"))
            .collect();
        Diagnostic::new(
            code::ENDPOINT_NOT_IN_ZONE,
            to,
            format!("`{name}` has no interface in zone `{zone}`"),
        )
        .also(self.name.span, "the endpoint")
        .help(format!("its interfaces are {}", known.join(", ")))
    }

    /// Dialled by a client that is out there.
    pub(super) fn dialled_from_internet(&self, client: &str, to: Span) -> Diagnostic {
        Diagnostic::new(
            code::ENDPOINT_FROM_INTERNET,
            to,
            format!("`{}` has private addresses only", self.name.value),
        )
        .label(format!("`{client}` is on the internet and cannot reach it"))
        .also(self.name.span, "the endpoint")
        .help("give the client a `zone:` and the endpoint's `vpc:`")
    }
}

/// Resolves every endpoint, and says what is wrong with them and with their services.
pub(super) fn resolve<'a>(body: &'a Body, sink: &mut Sink) -> Vec<Endpoint<'a>> {
    services(body, sink);
    for (name, section) in &body.load_balancers {
        enforced_without_groups(name, section, sink);
    }
    body.endpoints
        .iter()
        .map(|(name, section)| {
            if let Some(vpc) = &section.vpc {
                vpcs::known(vpc, body, sink);
            }
            let service = service(section, body, sink);
            let balancers = service.map_or(Vec::new(), |service| numbers(service, body));
            for zone in &section.zones {
                if known_zone(zone, body, sink) && !balancers.is_empty() {
                    served(zone, section, &balancers, body, sink);
                }
            }
            Endpoint {
                name,
                zones: section.zones.iter().map(|z| z.value.as_str()).collect(),
                balancers,
            }
        })
        .collect()
}

fn services(body: &Body, sink: &mut Sink) {
    let mut taken: HashMap<&str, &Spanned<String>> = HashMap::new();
    for (name, service) in &body.endpoint_services {
        let (one, many) = (&service.load_balancer, service.load_balancers.first());
        let problem = match (one, many) {
            (None, None) => Some((name.span, "has no load balancer")),
            (Some(_), Some(many)) => Some((many.span, "names its load balancers twice over")),
            (Some(_), None) | (None, Some(_)) => None,
        };
        if let Some((span, problem)) = problem {
            sink.push(
                Diagnostic::new(
                    code::SERVICE_BALANCERS,
                    span,
                    format!("the endpoint service `{}` {problem}", name.value),
                )
                .help("write `load_balancer: front`, or `load_balancers: [front, back]`"),
            );
        }
        for balancer in service.named() {
            let mut all = body.load_balancers.iter();
            let known = all.find(|(known, _)| known.value == balancer.value);
            let Some((_, section)) = known else {
                sink.push(unknown_balancer(balancer, body, sink));
                continue;
            };
            if section.kind.value != "network" {
                sink.push(
                    Diagnostic::new(
                        code::NOT_A_NETWORK_BALANCER,
                        balancer.span,
                        format!("`{}` is no Network Load Balancer", balancer.value),
                    )
                    .also(section.kind.span, "its type")
                    .help("offer a Network Load Balancer; it may have the other one as a target"),
                );
            } else if let Some(first) = taken.insert(&balancer.value, balancer) {
                sink.push(
                    Diagnostic::new(
                        code::BALANCER_OF_TWO_SERVICES,
                        balancer.span,
                        format!("`{}` is behind an endpoint service already", balancer.value),
                    )
                    .also(first.span, "here")
                    .help("a service may have several load balancers, a load balancer has one service"),
                );
            }
        }
    }
}

fn unknown_balancer(balancer: &Spanned<String>, body: &Body, sink: &Sink) -> Diagnostic {
    let known = body.load_balancers.iter();
    let help = sink.help(&balancer.value, known.map(|(name, _)| name.value.as_str()));
    Diagnostic::new(
        code::UNKNOWN_BALANCER,
        balancer.span,
        format!("there is no load balancer `{}`", balancer.value),
    )
    .label("not under `load_balancers`")
    .help(help)
}

fn enforced_without_groups(name: &Spanned<String>, section: &spec::Balancer, sink: &mut Sink) {
    let mut attributes = section.attributes.iter();
    let written = attributes.find(|(name, _)| name.value == ENFORCE_ON_PRIVATE_LINK);
    if let Some((attribute, _)) = written
        && section.security_groups.is_empty()
    {
        sink.push(
            Diagnostic::new(
                code::ENFORCED_WITHOUT_GROUPS,
                attribute.span,
                format!("`{}` has no security groups", name.value),
            )
            .label("whose rules would be enforced or not")
            .help("add `security_groups`, or take the attribute away"),
        );
    }
}

fn service<'a>(
    section: &spec::Endpoint,
    body: &'a Body,
    sink: &mut Sink,
) -> Option<&'a EndpointService> {
    let name = &section.service;
    let mut all = body.endpoint_services.iter();
    let found = all.find(|(known, _)| known.value == name.value);
    if found.is_none() {
        let known = body.endpoint_services.iter();
        let help = sink.help(&name.value, known.map(|(name, _)| name.value.as_str()));
        sink.push(
            Diagnostic::new(
                code::UNKNOWN_SERVICE,
                name.span,
                format!("there is no endpoint service `{}`", name.value),
            )
            .label("not under `endpoint_services`")
            .help(help),
        );
    }
    found.map(|(_, service)| service)
}

/// The balancers of a service that are there.
fn numbers(service: &EndpointService, body: &Body) -> Vec<usize> {
    let place = |name: &Spanned<String>| {
        let mut all = body.load_balancers.iter();
        all.position(|(known, _)| known.value == name.value)
    };
    service.named().filter_map(place).collect()
}

/// AWS: an endpoint can be in the zones of its service only.
fn served(
    zone: &Spanned<String>,
    section: &spec::Endpoint,
    balancers: &[usize],
    body: &Body,
    sink: &mut Sink,
) {
    let zones = || {
        let all = balancers.iter().map(|number| &body.load_balancers[*number]);
        all.flat_map(|(_, balancer)| balancer.zones.iter().map(|(zone, _)| &zone.value))
    };
    if !zones().any(|there| *there == zone.value) {
        let mut there: Vec<&str> = zones().map(String::as_str).collect();
        there.sort_unstable();
        there.dedup();
        sink.push(
            Diagnostic::new(
                code::SERVICE_NOT_IN_ZONE,
                zone.span,
                format!(
                    "`{}` is not in zone `{}`",
                    section.service.value, zone.value
                ),
            )
            .label("no load balancer of the service has an address there")
            .help(format!("its zones: {}", there.join(", "))),
        );
    }
}

/// Names, zones and addresses as the fabric takes them.
pub(super) fn lower(
    body: &Body,
    endpoints: &[Endpoint<'_>],
    addresses: &[Vec<Ipv4Addr>],
) -> Vec<config::Endpoint> {
    let all = body.endpoints.iter().zip(endpoints).zip(addresses);
    all.map(
        |(((name, section), endpoint), addresses)| config::Endpoint {
            name: name.value.clone(),
            id: id(&name.value),
            service: section.service.value.clone(),
            vpc: VpcId(u16::try_from(vpcs::number(body, section.vpc.as_ref())).unwrap_or(u16::MAX)),
            balancers: endpoint
                .balancers
                .iter()
                .map(|number| BalancerId(u16::try_from(*number).unwrap_or(u16::MAX)))
                .collect(),
            zonal: endpoint
                .zones
                .iter()
                .zip(addresses)
                .map(|(zone, address)| config::EndpointZonal {
                    zone: (*zone).to_owned(),
                    address: *address,
                })
                .collect(),
        },
    )
    .collect()
}

/// `vpce-0` and sixteen hexadecimal digits, always the same for a name.
fn id(name: &str) -> String {
    let words: Vec<u64> = name.bytes().map(u64::from).collect();
    format!("vpce-0{:016x}", random::hash(0, &words))
}
