//! What a destination names: which zones, interfaces or hosts, and at which port.
//!
//! Not here: the addresses that a client dials there (see `ipv4`, `ipv6`).

use super::text::Parts;
use super::{Destinations, Place};
use crate::diag::codes::plan as code;
use crate::diag::{Diagnostic, Spanned};
use crate::fabric::config::Protocol;
use crate::plan::balancers::Balancer;
use crate::plan::{HostId, Sink};
use crate::spec::ServePort;

impl<'a> Destinations<'a> {
    pub(super) fn zonal_place(
        &self,
        index: usize,
        parts: &Parts<'_>,
        to: &Spanned<String>,
        sink: &mut Sink,
    ) -> Option<Place> {
        let balancer = &self.balancers[index];
        let zones = match zones_meant(parts, &balancer.zones) {
            Ok(zones) => zones,
            Err(zone) => {
                if balancer.complete {
                    sink.push(zone_not_enabled(balancer, zone, to));
                }
                return None;
            }
        };
        if zones.is_empty() {
            return None;
        }
        let listening: Vec<ServePort> = ports(balancer).collect();
        if listening.is_empty() && !balancer.complete && parts.port.is_none() {
            return None;
        }
        let port = port_or_only(parts, &listening, "listens on", to, sink)?;
        Some(Place::Zonal {
            balancer: index,
            zones,
            by_name: parts.sub.is_none(),
            port,
        })
    }

    pub(super) fn endpoint_place(
        &self,
        index: usize,
        parts: &Parts<'_>,
        to: &Spanned<String>,
        sink: &mut Sink,
    ) -> Option<Place> {
        let endpoint = &self.endpoints[index];
        let zones = match zones_meant(parts, &endpoint.zones) {
            Ok(zones) => zones,
            Err(zone) => {
                sink.push(endpoint.not_in_zone(zone, to.span));
                return None;
            }
        };
        let balancers = endpoint.balancers.iter().map(|one| &self.balancers[*one]);
        let mut listening: Vec<ServePort> = balancers.flat_map(ports).collect();
        listening.sort_by_key(|port| (port.udp, port.port));
        listening.dedup();
        // What is missing has been said.
        if listening.is_empty() && parts.port.is_none() {
            return None;
        }
        let port = port_or_only(parts, &listening, "leads to", to, sink)?;
        Some(Place::Endpoint {
            endpoint: index,
            zones,
            by_name: parts.sub.is_none(),
            port,
        })
    }

    pub(super) fn host_place(
        &self,
        hosts: &[HostId],
        parts: &Parts<'_>,
        to: &Spanned<String>,
        sink: &mut Sink,
    ) -> Option<Place> {
        let public = match parts.sub {
            None => false,
            Some("public") => true,
            Some(other) => {
                sink.push(
                    Diagnostic::new(
                        code::DESTINATION_SYNTAX,
                        to.span,
                        format!("`{}` is a host and has no `/{other}`", parts.name),
                    )
                    .label("only load balancers have zonal addresses")
                    .help(format!(
                        "write `{0}`, or `{0}/public` for its public address",
                        parts.name
                    )),
                );
                return None;
            }
        };
        let first = self.hosts.get(*hosts.first()?);
        let serving: Vec<ServePort> = first
            .section
            .serve
            .iter()
            .map(|(port, _)| port.value)
            .collect();
        let port = port_or_only(parts, &serving, "serves", to, sink)?;
        Some(Place::Hosts {
            hosts: hosts.to_vec(),
            public,
            port,
        })
    }
}

/// The zone that is written, by its place among those known; else all of them. An error is one that is not known.
fn zones_meant<'t>(parts: &Parts<'t>, known: &[&str]) -> Result<Vec<usize>, &'t str> {
    let Some(zone) = parts.sub else {
        return Ok((0..known.len()).collect());
    };
    let place = known.iter().position(|one| *one == zone);
    place.map(|place| vec![place]).ok_or(zone)
}

/// The port that is written, else the only one: of TCP, and where there is none, of UDP.
pub(super) fn port_or_only(
    parts: &Parts<'_>,
    known: &[ServePort],
    does: &str,
    to: &Spanned<String>,
    sink: &mut Sink,
) -> Option<ServePort> {
    if parts.port.is_some() {
        return parts.port;
    }
    let of = |udp| -> Vec<ServePort> {
        let ports = known.iter().copied();
        ports.filter(|port| port.udp == udp).collect()
    };
    let tcp = of(false);
    let (ports, protocol) = if tcp.is_empty() {
        (of(true), "UDP")
    } else {
        (tcp, "TCP")
    };
    let (message, example) = match ports.as_slice() {
        [only] => return Some(*only),
        [] => (format!("`{}` {does} no port", parts.name), "80".to_owned()),
        [first, ..] => (
            format!("`{}` {does} {} {protocol} ports", parts.name, ports.len()),
            crate::units::Port {
                number: first.port,
                udp: first.udp,
            }
            .to_string(),
        ),
    };
    sink.push(
        Diagnostic::new(code::PORT_NEEDED, to.span, message)
            .label("which port?")
            .help(format!("write the port: `{}:{example}`", to.value)),
    );
    None
}

/// Where a balancer listens.
fn ports(balancer: &Balancer<'_>) -> impl Iterator<Item = ServePort> {
    balancer.listeners.iter().map(|listener| ServePort {
        port: listener.port,
        udp: listener.protocol == Protocol::Udp,
    })
}

fn zone_not_enabled(balancer: &Balancer<'_>, zone: &str, to: &Spanned<String>) -> Diagnostic {
    let known: Vec<String> = balancer
        .zones
        .iter()
        .map(|zone| format!("`{}/{zone}`", balancer.name.value))
        .collect();
    Diagnostic::new(
        code::ZONE_NOT_ENABLED,
        to.span,
        format!("`{}` has no address in zone `{zone}`", balancer.name.value),
    )
    .label("the zone is not enabled")
    .also(balancer.name.span, "the load balancer")
    .help(format!("its addresses are {}", known.join(", ")))
}
