//! `to:` - from text to the addresses a kernel dials.
//!
//! `balancer[/zone][:port]`, `host[/public][:port]`, `address:port`. Everybody dials the public address of an
//! internet-facing balancer, as its name has it, and in vain without a way to the internet (in a zone with neither a
//! public address nor a NAT gateway); which address of a host a client dials follows from where it stands. Over IPv6 there is
//! one address for all.
//!
//! `text` takes a destination apart, `places`, `services` and `literal` find what it names, `ipv4` and `ipv6` the address
//! that a client dials there.

mod ipv4;
mod ipv6;
mod literal;
mod places;
mod services;
pub(super) mod text;

use super::addresses::Addresses;
use super::balancers::Balancer;
use super::endpoints::Endpoint as PrivateEndpoint;
use super::hosts::Hosts;
use super::kubernetes::Cluster;
use super::network::Network;
use super::{Dial, Endpoint, HostId, Sink};
use crate::diag::codes::{kubernetes, plan as code};
use crate::diag::{Diagnostic, Span, Spanned};
use crate::spec::ServePort;
use literal::address_place;
use services::CLUSTER_IP;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use text::{Family, Parts, Wanted};

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

/// A service that is called like what it leads to, as usual in clusters, where they are never asked for in one place.
fn service_like(
    name: &str,
    service: Span,
    cluster: &Cluster,
    host: &Spanned<String>,
) -> Diagnostic {
    let (what, one) = match (cluster.is_node(name), cluster.node_of(&host.value)) {
        (true, _) => ("node", "a node's"),
        (false, Some(_)) => ("pods", "that of pods"),
        (false, None) => ("host", "a host's"),
    };
    Diagnostic::new(
        kubernetes::SERVICE_NAME_OF_HOST,
        service,
        format!("the service `{name}` brings a load balancer, and its name is also {one}"),
    )
    .label("`to:` and names of senders could not tell the two apart")
    .also(host.span, format!("the {what}"))
    .help(match what {
        "pods" => format!("call the pods `{name}-pod`, and write `selector: {name}-pod`"),
        _ => "rename one of the two".to_owned(),
    })
}

impl<'a> Destinations<'a> {
    /// Checks that a name is one destination, and makes them ready to be found.
    pub(super) fn new(network: &'a Network<'a>, cluster: &Cluster, sink: &mut Sink) -> Self {
        let Network {
            drafts: hosts,
            balancers,
            endpoints,
            addresses,
            ..
        } = network;
        let mut balancer_by_name = HashMap::new();
        for (index, balancer) in balancers.iter().enumerate() {
            let name = balancer.name.value.as_str();
            balancer_by_name.entry(name).or_insert(index);
            if let Some(host) = hosts.all(name).and_then(|all| all.first()) {
                let host = &hosts.get(*host).key;
                sink.push(match cluster.service(name) {
                    Some(_) => service_like(name, balancer.name.span, cluster, host),
                    None => Diagnostic::new(
                        code::DESTINATION_NAME_TWICE,
                        balancer.name.span,
                        format!("`{name}` is a load balancer and a host"),
                    )
                    .label("`to:` could not tell them apart")
                    .also(host.span, "the host")
                    .help("rename one of the two"),
                });
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
        // One is enough: pods of a group may be on different nodes.
        let mut clients = from.iter();
        if let Some(warning) = clients.find_map(|client| self.in_vain(*client, &place, wanted)) {
            sink.warn(warning);
        }
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
                    // Most often the other clients of a group stand where this one stands.
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
        let mut known: Vec<&str> = self
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
            .chain(self.hosts.names())
            .collect();
        let mut seen = HashSet::new();
        known.retain(|name| seen.insert(*name));
        let short = parts.name.split('.').next().unwrap_or_default();
        let help = match self.hosts.cluster.service(short) {
            Some(_) => {
                format!("write `{short}/{CLUSTER_IP}`; whole names are for the programs in pods")
            }
            None => sink.help(parts.name, known),
        };
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

    /// The host on the fabric that a client's packets go out by: its router, its node, or itself.
    pub(super) fn exit(&self, client: HostId) -> HostId {
        let router = self.addresses.segments.router(client);
        router.or(self.hosts.node_of(client)).unwrap_or(client)
    }

    /// Where a client stands: where its exit does, under whose address it goes out.
    pub(super) fn side(&self, client: HostId) -> Side {
        let exit = self.exit(client);
        let addresses = self.addresses.hosts[exit.0 as usize];
        let section = self.hosts.get(exit).section;
        match (
            &section.zone,
            addresses.public.is_some() || section.nat.is_some(),
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
}
