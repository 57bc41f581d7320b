//! `to:` - from text to the addresses a kernel dials.
//!
//! `balancer[/zone][:port]`, `host[/public][:port]`, `address:port`. Which of its addresses a client dials follows
//! from where it stands: one that can reach the internet (it is out there, has a public address, or a NAT gateway) dials the
//! public address of an internet-facing balancer; any other client dials the private one, as the split answers of
//! a VPC's resolver would have it. Over IPv6 there is one address for all.

use super::addresses::Addresses;
use super::balancers::Balancer;
use super::destination_text::{Family, Parts, Wanted};
use super::endpoints::Endpoint as PrivateEndpoint;
use super::hosts::Hosts;
use super::literal::address_place;
use super::service_places::CLUSTER_IP;
use super::{Dial, Endpoint, HostId, Sink};
use crate::diag::codes::{plan as code, segments};
use crate::diag::{Diagnostic, Spanned};
use crate::fabric::config::Protocol;
use crate::spec::ServePort;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};

/// Everything a destination can name.
#[derive(Debug)]
pub(super) struct Destinations<'a> {
    pub(super) hosts: &'a Hosts<'a>,
    pub(super) balancers: &'a [Balancer<'a>],
    pub(super) addresses: &'a Addresses,
    balancer_by_name: HashMap<&'a str, usize>,
    pub(super) endpoints: &'a [PrivateEndpoint<'a>],
}

/// A destination's text, taken apart and found.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Zonal addresses of a balancer by index.
    Zonal {
        balancer: usize,
        zones: Vec<usize>,
        /// No zone is written: the resolver knows.
        by_name: bool,
        port: ServePort,
    },
    /// Interfaces of a VPC endpoint by index.
    Endpoint {
        endpoint: usize,
        zones: Vec<usize>,
        /// No zone is written: the resolver knows.
        by_name: bool,
        port: ServePort,
    },
    /// Hosts; the public address on request.
    Hosts {
        hosts: Vec<HostId>,
        public: bool,
        port: ServePort,
    },
    /// A service's address within its cluster.
    Service {
        address: SocketAddrV4,
        name: String,
        udp: bool,
    },
    /// As written, and whether over UDP.
    Address(SocketAddr, bool),
}

/// Where a client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Out there.
    Internet,
    /// In a zone, with a public address or behind a NAT gateway.
    Both,
    /// In a zone without one.
    Vpc,
}

impl Place {
    fn is_udp(&self) -> bool {
        match self {
            Self::Zonal { port, .. } | Self::Endpoint { port, .. } | Self::Hosts { port, .. } => {
                port.udp
            }
            Self::Service { udp, .. } => *udp,
            Self::Address(_, udp) => *udp,
        }
    }
}

impl<'a> Destinations<'a> {
    /// Checks that a name is one destination, and makes them ready to be found.
    pub(super) fn new(
        hosts: &'a Hosts<'a>,
        balancers: &'a [Balancer<'a>],
        endpoints: &'a [PrivateEndpoint<'a>],
        addresses: &'a Addresses,
        sink: &mut Sink,
    ) -> Self {
        let mut balancer_by_name = HashMap::new();
        for (index, balancer) in balancers.iter().enumerate() {
            let name = balancer.name.value.as_str();
            balancer_by_name.entry(name).or_insert(index);
            if let Some(host) = hosts.all(name).and_then(|all| all.first()) {
                let host = hosts.get(*host);
                sink.push(
                    Diagnostic::new(
                        code::DESTINATION_NAME_TWICE,
                        balancer.name.span,
                        format!("`{name}` is a load balancer and a host"),
                    )
                    .label("`to:` could not tell them apart")
                    .also(host.key.span, "the host")
                    .help("rename one of the two"),
                );
            }
        }
        for endpoint in endpoints {
            let name = endpoint.name.value.as_str();
            let host = hosts.all(name).and_then(|all| all.first());
            let taken = match balancer_by_name.get(name) {
                Some(balancer) => {
                    let balancer: &Balancer<'_> = &balancers[*balancer];
                    Some((balancer.name.span, "load balancer"))
                }
                None => host.map(|host| (hosts.get(*host).key.span, "host")),
            };
            if let Some((span, what)) = taken {
                sink.push(
                    Diagnostic::new(
                        code::DESTINATION_NAME_TWICE,
                        endpoint.name.span,
                        format!("`{name}` is an endpoint and a {what}"),
                    )
                    .label("`to:` could not tell them apart")
                    .also(span, format!("the {what}"))
                    .help("rename one of the two"),
                );
            }
        }
        Self {
            endpoints,
            hosts,
            balancers,
            addresses,
            balancer_by_name,
        }
    }

    /// One dial for each client. Clients for which there is no way are left out, and reported.
    pub(super) fn dials(&self, from: &[HostId], wanted: Wanted<'_>, sink: &mut Sink) -> Vec<Dial> {
        let Some(place) = self.find(wanted, sink) else {
            return Vec::new();
        };
        let name = match &place {
            Place::Zonal {
                balancer,
                by_name: true,
                ..
            } => Some(self.balancers[*balancer].name.value.clone()),
            // Its zonal names have no address either.
            Place::Zonal {
                balancer, zones, ..
            } if self.addresses.failures[*balancer].is_some() => {
                let balancer = &self.balancers[*balancer];
                let zone = zones.first().map_or("", |zone| balancer.zones[*zone]);
                Some(format!("{zone}.{}", balancer.name.value))
            }
            Place::Endpoint {
                endpoint,
                by_name: true,
                ..
            } => Some(self.endpoints[*endpoint].name.value.clone()),
            Place::Zonal { .. }
            | Place::Endpoint { .. }
            | Place::Hosts { .. }
            | Place::Service { .. }
            | Place::Address(..) => None,
        };
        let mut dials = Vec::with_capacity(from.len());
        for client in from {
            match self.endpoints(*client, &place, wanted) {
                Ok(endpoints) => dials.push(Dial {
                    from: *client,
                    to: endpoints,
                    name: name.clone(),
                    udp: place.is_udp(),
                }),
                Err(problem) => {
                    sink.push(*problem);
                    // The other clients of a group stand where this one stands.
                    break;
                }
            }
        }
        dials
    }

    fn find(&self, wanted: Wanted<'_>, sink: &mut Sink) -> Option<Place> {
        let to = wanted.to;
        let parts = Parts::of(to, sink)?;
        if let Ok(address) = parts.name.parse::<IpAddr>() {
            return address_place(address, &parts, wanted, sink);
        }
        let service = self.hosts.cluster.service(parts.name);
        if let Some(service) = service
            && (service.balancer.is_none() || parts.sub == Some(CLUSTER_IP))
        {
            return self.service_place(service, &parts, to, sink);
        }
        if let Some(balancer) = self.balancer_by_name.get(parts.name) {
            return self.zonal_place(*balancer, &parts, to, sink);
        }
        let mut endpoints = self.endpoints.iter();
        if let Some(place) = endpoints.position(|one| one.name.value == parts.name) {
            return self.endpoint_place(place, &parts, to, sink);
        }
        if let Some(hosts) = self.hosts.all(parts.name) {
            return self.host_place(hosts, &parts, to, sink);
        }
        let known = self
            .balancers
            .iter()
            .map(|balancer| balancer.name.value.as_str())
            .chain(
                self.hosts
                    .cluster
                    .services
                    .iter()
                    .map(|service| service.name.value.as_str()),
            )
            .chain(self.endpoints.iter().map(|one| one.name.value.as_str()))
            .chain(self.hosts.names());
        let help = sink.help(parts.name, known);
        sink.push(
            Diagnostic::new(
                code::UNKNOWN_DESTINATION,
                to.span,
                format!("there is no load balancer or host `{}`", parts.name),
            )
            .label("cannot be dialled")
            .help(help),
        );
        None
    }

    fn zonal_place(
        &self,
        index: usize,
        parts: &Parts<'_>,
        to: &Spanned<String>,
        sink: &mut Sink,
    ) -> Option<Place> {
        let balancer = &self.balancers[index];
        let zones: Vec<usize> = match parts.sub {
            None => (0..balancer.zones.len()).collect(),
            Some(zone) => match balancer.zones.iter().position(|enabled| *enabled == zone) {
                Some(zone) => vec![zone],
                None => {
                    if balancer.complete {
                        sink.push(zone_not_enabled(balancer, zone, to));
                    }
                    return None;
                }
            },
        };
        if zones.is_empty() {
            return None;
        }
        let listening: Vec<ServePort> = balancer
            .listeners
            .iter()
            .map(|listener| ServePort {
                port: listener.port,
                udp: listener.protocol == Protocol::Udp,
            })
            .collect();
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

    fn endpoint_place(
        &self,
        index: usize,
        parts: &Parts<'_>,
        to: &Spanned<String>,
        sink: &mut Sink,
    ) -> Option<Place> {
        let endpoint = &self.endpoints[index];
        let zones: Vec<usize> = match parts.sub {
            None => (0..endpoint.zones.len()).collect(),
            Some(zone) => match endpoint.zones.iter().position(|known| *known == zone) {
                Some(zone) => vec![zone],
                None => {
                    sink.push(endpoint.not_in_zone(zone, to.span));
                    return None;
                }
            },
        };
        let balancers = endpoint.balancers.iter().map(|one| &self.balancers[*one]);
        let mut listening: Vec<ServePort> = balancers
            .flat_map(|balancer| &balancer.listeners)
            .map(|listener| ServePort {
                port: listener.port,
                udp: listener.protocol == Protocol::Udp,
            })
            .collect();
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

    fn host_place(
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

    /// A host behind another stands where its router does: it goes out under the router's address.
    pub(super) fn side(&self, client: HostId) -> Side {
        let router = self.addresses.segments.router(client);
        let client = router.or(self.hosts.node_of(client)).unwrap_or(client);
        let addresses = self.addresses.hosts[client.0 as usize];
        match (
            &self.hosts.get(client).section.zone,
            addresses.public.is_some() || self.hosts.get(client).section.nat.is_some(),
        ) {
            (None, _) => Side::Internet,
            (Some(_), true) => Side::Both,
            (Some(_), false) => Side::Vpc,
        }
    }

    fn endpoints(
        &self,
        client: HostId,
        place: &Place,
        wanted: Wanted<'_>,
    ) -> Result<Vec<Endpoint>, Box<Diagnostic>> {
        let to = wanted.to;
        let over_ipv6 = match place {
            Place::Address(address, _) => address.is_ipv6(),
            Place::Zonal { .. } | Place::Endpoint { .. } | Place::Hosts { .. } => {
                wanted.family() == Family::Ipv6
            }
            Place::Service { .. } => false,
        };
        if over_ipv6 {
            return self.over_ipv6(client, place, to);
        }
        match place {
            Place::Zonal {
                balancer,
                zones,
                by_name: _,
                port,
            } => zones
                .iter()
                .map(|zone| self.zonal(client, *balancer, *zone, port.port, to))
                .collect(),
            Place::Endpoint {
                endpoint,
                zones,
                by_name: _,
                port,
            } => zones
                .iter()
                .map(|zone| self.interface(client, *endpoint, *zone, port.port, to))
                .collect(),
            Place::Hosts {
                hosts,
                public,
                port,
            } => hosts
                .iter()
                .map(|host| self.host(client, *host, *public, port.port, to))
                .collect(),
            Place::Service { address, name, .. } => {
                self.service(client, *address, name, to).map(|e| vec![e])
            }
            Place::Address(SocketAddr::V4(address), _) => {
                self.address(client, *address, to).map(|e| vec![e])
            }
            // Taken care of above.
            Place::Address(SocketAddr::V6(_), _) => Ok(Vec::new()),
        }
    }

    fn zonal(
        &self,
        client: HostId,
        balancer: usize,
        zone: usize,
        port: u16,
        to: &Spanned<String>,
    ) -> Result<Endpoint, Box<Diagnostic>> {
        let section = &self.balancers[balancer];
        let addresses = self.addresses.balancers[balancer][zone];
        let address = match (self.side(client), addresses.public) {
            (Side::Internet | Side::Both, Some(public)) => public,
            (Side::Both | Side::Vpc, _) => addresses.private,
            (Side::Internet, None) => {
                return Err(Box::new(
                    Diagnostic::new(
                        code::PRIVATE_FROM_INTERNET,
                        to.span,
                        format!("`{}` is an internal load balancer", section.name.value),
                    )
                    .label(format!(
                        "`{}` is on the internet and cannot reach it",
                        self.hosts.get(client).name
                    ))
                    .also(section.name.span, "the load balancer")
                    .help("give the client a `zone:`, or remove `scheme: internal`"),
                ));
            }
        };
        Ok(Endpoint {
            label: format!("{}/{}", section.name.value, section.zones[zone]),
            address: SocketAddr::from((address, port)),
        })
    }

    fn interface(
        &self,
        client: HostId,
        endpoint: usize,
        zone: usize,
        port: u16,
        to: &Spanned<String>,
    ) -> Result<Endpoint, Box<Diagnostic>> {
        let section = &self.endpoints[endpoint];
        if self.side(client) == Side::Internet {
            let client = &self.hosts.get(client).name;
            return Err(Box::new(section.dialled_from_internet(client, to.span)));
        }
        Ok(Endpoint {
            label: format!("{}/{}", section.name.value, section.zones[zone]),
            address: SocketAddr::from((self.addresses.endpoints[endpoint][zone], port)),
        })
    }

    fn host(
        &self,
        client: HostId,
        host: HostId,
        public: bool,
        port: u16,
        to: &Spanned<String>,
    ) -> Result<Endpoint, Box<Diagnostic>> {
        let draft = self.hosts.get(host);
        let addresses = self.addresses.hosts[host.0 as usize];
        let segments = &self.addresses.segments;
        if let Some(router) = segments.router(host) {
            if client != router && segments.router(client) != Some(router) {
                return Err(Box::new(self.behind(client, host, router, to)));
            }
            return Ok(Endpoint {
                label: draft.name.clone(),
                address: SocketAddr::from((addresses.private, port)),
            });
        }
        let on_internet = draft.section.zone.is_none();
        let side = self.side(client);
        let wants_public = public || (side == Side::Internet && !on_internet);
        let label = if public {
            format!("{}/public", draft.name)
        } else {
            draft.name.clone()
        };
        let address = match (on_internet, wants_public, addresses.public) {
            (true, _, _) => addresses.private,
            (false, false, _) => addresses.private,
            (false, true, Some(public)) => public,
            (false, true, None) => return Err(Box::new(self.no_public(client, host, to))),
        };
        if side == Side::Vpc && (on_internet || wants_public) {
            return Err(Box::new(self.no_way_out(client, &label, to)));
        }
        Ok(Endpoint {
            label,
            address: SocketAddr::from((address, port)),
        })
    }

    fn behind(
        &self,
        client: HostId,
        host: HostId,
        router: HostId,
        to: &Spanned<String>,
    ) -> Diagnostic {
        let (host, router) = (self.hosts.get(host), &self.hosts.get(router).name);
        Diagnostic::new(
            segments::DIALLED_FROM_OUTSIDE,
            to.span,
            format!("`{}` is behind `{router}`", host.name),
        )
        .label(format!(
            "`{}` knows no way to its address",
            self.hosts.get(client).name
        ))
        .also(host.key.span, "the host")
        .help(format!(
            "publish a port with a `dnat` in the `nft` of `{router}`, and dial `{router}:80`"
        ))
    }

    fn no_public(&self, client: HostId, host: HostId, to: &Spanned<String>) -> Diagnostic {
        let draft = self.hosts.get(host);
        let label = if self.side(client) == Side::Internet {
            format!(
                "`{}` is on the internet, `{}` is in a zone",
                self.hosts.get(client).name,
                draft.name
            )
        } else {
            "asks for the public address".to_owned()
        };
        Diagnostic::new(
            code::NO_PUBLIC_ADDRESS,
            to.span,
            format!("host `{}` has no public address", draft.name),
        )
        .label(label)
        .also(draft.key.span, "the host")
        .help("add `public_address: auto` to it")
    }

    pub(super) fn no_way_out(
        &self,
        client: HostId,
        label: &str,
        to: &Spanned<String>,
    ) -> Diagnostic {
        let draft = self.hosts.get(client);
        Diagnostic::new(
            code::NO_WAY_TO_INTERNET,
            to.span,
            format!("`{}` has no way to the internet", draft.name),
        )
        .label(format!("`{label}` is out there"))
        .also(
            draft.key.span,
            "a host in a zone without a public address or `nat`",
        )
        .help("add `public_address: auto` to it, or put it behind a gateway: `nat: NAME`")
    }
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
