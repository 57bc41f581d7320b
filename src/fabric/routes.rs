//! Who has which address, and what the internet gateway does to those that cross it. NAT gateways are in `nat`.
//!
//! Observed on: an AWS internet gateway translates one to one between a private address and a public one, keeps no
//! state, and lets nothing private pass; IPv6 passes it as it is. Hosts inside the zones reach each other directly.

use super::config::{
    BalancerId, Config, EndpointId, EndpointPlace, GatewayId, KERNEL_PORTS, LINK_LOCAL_RESOLVER,
    Port, PortId, VpcId, Vpcs, ZonalId, is_stand_in,
};
use super::record::Reason;
use rustc_hash::FxHashMap;
use std::net::Ipv4Addr;

/// What has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A host, by the address on its device.
    Host(PortId),
    /// A host, by its address at the internet gateway.
    PublicHost(PortId),
    /// A balancer, by an address inside the zones, which may have a kernel of its own.
    Zonal(BalancerId, ZonalId, Option<PortId>),
    /// A balancer, by an address that only targets and its own kernel know.
    Secondary(BalancerId, ZonalId, PortId),
    /// A balancer, by an address on the internet.
    PublicZonal(BalancerId, ZonalId),
    /// A VPC endpoint, by the address of one of its interfaces.
    Endpoint(EndpointPlace),
    /// The resolver; true: by its address on the internet.
    Resolver(bool),
    /// A NAT gateway, by an address on the internet.
    Gateway(GatewayId),
    /// A balancer, by an IPv6 address.
    Ipv6Zonal {
        /// Which.
        balancer: BalancerId,
        /// At which of its addresses.
        zonal: ZonalId,
        /// The kernel that has this address too.
        kernel: Option<PortId>,
        /// The internet may reach it.
        from_internet: bool,
    },
}

/// Where a packet goes, and as whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// To a host, with these addresses.
    Host {
        /// Source behind the gateway.
        source: Ipv4Addr,
        /// Destination behind the gateway: the address on the host's device.
        destination: Ipv4Addr,
        /// The host.
        port: PortId,
    },
    /// To a balancer that is no proxy, which sees this source.
    Balancer {
        /// Source behind the gateway.
        source: Ipv4Addr,
        /// Which balancer.
        balancer: BalancerId,
        /// At which of its addresses.
        zonal: ZonalId,
        /// The kernel that has this address too.
        kernel: Option<PortId>,
    },
    /// To the kernel of a zonal address, by an address at which nobody listens.
    Secondary {
        /// Source behind the gateway.
        source: Ipv4Addr,
        /// Whose.
        balancer: BalancerId,
        /// Which.
        zonal: ZonalId,
        /// The kernel.
        kernel: PortId,
    },
    /// To a balancer behind a VPC endpoint, which sees the source as it is.
    Endpoint(EndpointPlace),
    /// To the resolver.
    Resolver,
    /// To a NAT gateway, which sees this source.
    Gateway {
        /// Source behind the internet gateway.
        source: Ipv4Addr,
        /// Which one.
        gateway: GatewayId,
    },
}

/// The addresses of this world.
pub struct Routes {
    places: FxHashMap<Ipv4Addr, Holder>,
    /// By port.
    hosts: Vec<Host>,
    /// Whose kernel each port behind the hosts' is.
    kernels: Vec<(BalancerId, ZonalId)>,
    vpcs: Vpcs,
    /// By endpoint.
    endpoints: Vec<VpcId>,
}

struct Host {
    address: Ipv4Addr,
    addresses: Vec<Ipv4Addr>,
    routed: Vec<Ipv4Addr>,
    source_check: bool,
    ipv6: Option<Ipv4Addr>,
    public_address: Option<Ipv4Addr>,
    internet: bool,
    /// It is behind a NAT gateway.
    translated: bool,
}

impl Routes {
    /// Collects every address of the configuration.
    pub fn new(config: &Config) -> Self {
        let mut places = FxHashMap::default();
        // First, so that a host that a lab gave one of these addresses keeps it.
        places.insert(config.resolver.private, Holder::Resolver(false));
        places.insert(LINK_LOCAL_RESOLVER, Holder::Resolver(false));
        places.insert(config.resolver.public, Holder::Resolver(true));
        for (id, gateway) in (0u16..).map(GatewayId).zip(&config.nat_gateways) {
            let addresses = gateway.addresses.iter();
            places.extend(addresses.map(|address| (*address, Holder::Gateway(id))));
        }
        let kernels = add_zonal(config, &mut places);
        for (id, endpoint) in (0..).map(EndpointId).zip(&config.endpoints) {
            for (zonal, interface) in (0..).map(ZonalId).zip(&endpoint.zonal) {
                places.insert(interface.address, Holder::Endpoint((id, zonal)));
            }
        }
        add_hosts(config, &kernels, &mut places);
        let host = |port: &Port| Host {
            address: port.address,
            addresses: port.addresses.clone(),
            routed: port.routed.clone(),
            source_check: port.source_check,
            ipv6: port.ipv6,
            public_address: port.public_address,
            internet: port.internet,
            translated: port.nat.is_some(),
        };
        Self {
            vpcs: config.vpcs.clone(),
            endpoints: config.endpoints.iter().map(|one| one.vpc).collect(),
            places,
            hosts: config.ports.iter().map(host).collect(),
            kernels,
        }
    }

    /// True when a balancer has a way to a host.
    pub fn leads(&self, balancer: BalancerId, to: PortId) -> bool {
        let vpcs = &self.vpcs;
        vpcs.reach(vpcs.of_balancer(balancer), vpcs.of(to))
    }

    /// Whose zonal address a port is the kernel of; none: it is a host.
    pub fn kernel_of(&self, port: PortId) -> Option<(BalancerId, ZonalId)> {
        let hosts = self.hosts.len() - self.kernels.len();
        let behind = (port.0 as usize).checked_sub(hosts)?;
        Some(self.kernels[behind])
    }

    /// The host with this address on its device.
    pub fn host(&self, address: Ipv4Addr) -> Option<PortId> {
        match self.places.get(&address)? {
            Holder::Host(port) => Some(*port),
            Holder::PublicHost(_)
            | Holder::Zonal(..)
            | Holder::PublicZonal(..)
            | Holder::Secondary(..)
            | Holder::Endpoint(_)
            | Holder::Resolver(_)
            | Holder::Gateway(_)
            | Holder::Ipv6Zonal { .. } => None,
        }
    }

    /// The kernel that has a zonal address.
    pub fn kernel_at(&self, address: Ipv4Addr) -> Option<PortId> {
        match self.places.get(&address)? {
            Holder::Zonal(_, _, kernel) | Holder::Ipv6Zonal { kernel, .. } => *kernel,
            Holder::Host(_)
            | Holder::PublicHost(_)
            | Holder::PublicZonal(..)
            | Holder::Secondary(..)
            | Holder::Endpoint(_)
            | Holder::Resolver(_)
            | Holder::Gateway(_) => None,
        }
    }

    /// The endpoint's interface that has this address.
    pub fn endpoint_at(&self, address: Ipv4Addr) -> Option<EndpointPlace> {
        match self.places.get(&address)? {
            Holder::Endpoint(place) => Some(*place),
            Holder::Host(_)
            | Holder::PublicHost(_)
            | Holder::Zonal(..)
            | Holder::PublicZonal(..)
            | Holder::Secondary(..)
            | Holder::Resolver(_)
            | Holder::Gateway(_)
            | Holder::Ipv6Zonal { .. } => None,
        }
    }

    /// True for the addresses by which hosts inside the zones reach the resolver.
    pub fn is_resolver(&self, address: Ipv4Addr) -> bool {
        matches!(self.places.get(&address), Some(Holder::Resolver(false)))
    }

    /// True for the addresses on a host's device.
    #[inline]
    pub fn is_own(&self, port: PortId, address: Ipv4Addr) -> bool {
        let host = &self.hosts[port.0 as usize];
        address == host.address || Some(address) == host.ipv6 || host.addresses.contains(&address)
    }

    /// The addresses on a host's device.
    pub fn own(&self, port: PortId) -> impl Iterator<Item = Ipv4Addr> {
        let host = &self.hosts[port.0 as usize];
        let further = host.ipv6.iter().chain(&host.addresses);
        std::iter::once(host.address).chain(further.copied())
    }

    /// True for a packet that carries an address of the host as source, or of a host inside it to which it goes.
    pub fn comes_home(&self, port: PortId, source: Ipv4Addr, destination: Ipv4Addr) -> bool {
        let routed = &self.hosts[port.0 as usize].routed;
        self.is_own(port, source) || source == destination && routed.contains(&source)
    }

    /// True for an address on the internet, to which there is a way: that of a NAT gateway, from a host behind one.
    pub fn is_outside(&self, address: Ipv4Addr) -> bool {
        match self.places.get(&address) {
            Some(Holder::Host(port)) => {
                self.hosts[port.0 as usize].internet && !is_stand_in(address)
            }
            Some(Holder::PublicHost(_) | Holder::PublicZonal(..) | Holder::Gateway(_)) => true,
            Some(Holder::Resolver(public)) => *public,
            Some(
                Holder::Zonal(..)
                | Holder::Secondary(..)
                | Holder::Endpoint(_)
                | Holder::Ipv6Zonal { .. },
            )
            | None => false,
        }
    }

    /// True for the addresses that a host may send from: those of its interface, unless that is not checked.
    pub fn may_send(&self, port: PortId, address: Ipv4Addr) -> bool {
        let host = &self.hosts[port.0 as usize];
        self.is_own(port, address) || host.routed.contains(&address) || !host.source_check
    }

    /// As whom the internet sees a host that sends from this address, which may be another's where that is not checked: the
    /// internet gateway goes by the address alone.
    fn outside(&self, sender: &Host, source: Ipv4Addr) -> Result<Ipv4Addr, Reason> {
        match self.places.get(&source) {
            Some(Holder::Host(owner)) if !sender.source_check => {
                self.hosts[owner.0 as usize].outside(source)
            }
            Some(_) | None => sender.outside(source),
        }
    }

    /// Where a packet of `sender` to `destination` goes, when its source is the main address.
    pub fn course(&self, sender: PortId, destination: Ipv4Addr) -> Result<Course, Reason> {
        let source = self.hosts[sender.0 as usize].address;
        self.course_from(sender, source, destination)
    }

    /// Where a packet of `sender`, from one of its addresses to `destination`, goes.
    pub fn course_from(
        &self,
        sender: PortId,
        source: Ipv4Addr,
        destination: Ipv4Addr,
    ) -> Result<Course, Reason> {
        let place = *self.places.get(&destination).ok_or(Reason::NoRoute)?;
        let own = self.vpcs.of(sender);
        let reach = |vpc| self.vpcs.reach(own, vpc);
        let sender = &self.hosts[sender.0 as usize];
        match place {
            // No address of IPv6 is private and none is translated.
            Holder::Host(port) if is_stand_in(destination) => Ok(Course::Host {
                source: sender.over_ipv6()?,
                destination,
                port,
            }),
            Holder::Ipv6Zonal { from_internet, .. } if sender.internet && !from_internet => {
                Err(Reason::NotRoutable)
            }
            Holder::Ipv6Zonal {
                balancer,
                zonal,
                kernel,
                from_internet: _,
            } => Ok(Course::Balancer {
                source: sender.over_ipv6()?,
                balancer,
                zonal,
                kernel,
            }),
            Holder::Host(port) => {
                let host = &self.hosts[port.0 as usize];
                if !sender.internet && !host.internet && !reach(self.vpcs.of(port)) {
                    return Err(Reason::NotRoutable);
                }
                let source = match (sender.internet, host.internet) {
                    (true, true) | (false, false) => source,
                    (false, true) => self.outside(sender, source)?,
                    (true, false) => return Err(Reason::NotRoutable),
                };
                Ok(Course::Host {
                    source,
                    destination,
                    port,
                })
            }
            Holder::PublicHost(port) => Ok(Course::Host {
                source: self.outside(sender, source)?,
                destination: self.hosts[port.0 as usize].address,
                port,
            }),
            Holder::Zonal(..) | Holder::Secondary(..) if sender.internet => {
                Err(Reason::NotRoutable)
            }
            Holder::Zonal(balancer, ..) | Holder::Secondary(balancer, ..)
                if !reach(self.vpcs.of_balancer(balancer)) =>
            {
                Err(Reason::NotRoutable)
            }
            Holder::Secondary(balancer, zonal, kernel) => Ok(Course::Secondary {
                source,
                balancer,
                zonal,
                kernel,
            }),
            Holder::Zonal(balancer, zonal, kernel) => Ok(Course::Balancer {
                source,
                balancer,
                zonal,
                kernel,
            }),
            Holder::PublicZonal(balancer, zonal) => Ok(Course::Balancer {
                source: self.outside(sender, source)?,
                balancer,
                zonal,
                kernel: None,
            }),
            Holder::Endpoint((endpoint, _))
                if sender.internet || !reach(self.endpoints[usize::from(endpoint.0)]) =>
            {
                Err(Reason::NotRoutable)
            }
            Holder::Endpoint(place) => Ok(Course::Endpoint(place)),
            Holder::Resolver(public) if sender.internet != public => {
                // The internet's resolver is out there: reached as the internet is.
                if sender.internet {
                    return Err(Reason::NotRoutable);
                }
                self.outside(sender, source).map(|_| Course::Resolver)
            }
            Holder::Resolver(_) => Ok(Course::Resolver),
            Holder::Gateway(gateway) => Ok(Course::Gateway {
                source: self.outside(sender, source)?,
                gateway,
            }),
        }
    }
}

/// Adds the zonal addresses of balancers, and gives whose each kernel is, in the order of their ports, which are the last.
fn add_zonal(
    config: &Config,
    places: &mut FxHashMap<Ipv4Addr, Holder>,
) -> Vec<(BalancerId, ZonalId)> {
    let mut kernels = Vec::new();
    for (index, balancer) in config.balancers.iter().enumerate() {
        let id = BalancerId(index as u16);
        if balancer.failure.is_some() {
            continue;
        }
        for (index, zonal) in balancer.zonal.iter().enumerate() {
            let zone = ZonalId(index as u8);
            kernels.extend(zonal.port.map(|port| (port, (id, zone))));
            if balancer.kind.is_proxy() {
                // Its kernels are hosts.
                continue;
            }
            places.insert(zonal.private, Holder::Zonal(id, zone, zonal.port));
            if let Some(kernel) = zonal.port {
                let secondary = zonal.secondary.iter();
                places.extend(secondary.map(|own| (*own, Holder::Secondary(id, zone, kernel))));
            }
            if let Some(public) = zonal.public {
                places.insert(public, Holder::PublicZonal(id, zone));
            }
            if let Some(ipv6) = zonal.ipv6 {
                let place = Holder::Ipv6Zonal {
                    balancer: id,
                    zonal: zone,
                    kernel: zonal.port,
                    from_internet: balancer.ipv6_from_internet,
                };
                places.insert(ipv6, place);
            }
        }
    }
    kernels.sort_unstable();
    kernels.into_iter().map(|(_, place)| place).collect()
}

/// Adds the addresses of hosts; of kernels only a proxy's have some of their own.
fn add_hosts(
    config: &Config,
    kernels: &[(BalancerId, ZonalId)],
    places: &mut FxHashMap<Ipv4Addr, Holder>,
) {
    let first_kernel = config.ports.len() - kernels.len();
    for (index, port) in config.ports.iter().enumerate() {
        let id = PortId(index as u32);
        let kernel = index.checked_sub(first_kernel);
        let of_proxy = kernel.is_some_and(|kernel| {
            let (balancer, _) = kernels[kernel];
            config.balancers[balancer.0 as usize].kind.is_proxy()
        });
        if let Some(public) = port.public_address {
            places.insert(public, Holder::PublicHost(id));
        }
        if kernel.is_none() || of_proxy {
            let own = port.addresses.iter().chain([&port.address]);
            for &address in own.chain(&port.routed) {
                places.insert(address, Holder::Host(id));
            }
            if let Some(ipv6) = port.ipv6 {
                places.insert(ipv6, Holder::Host(id));
            }
        }
    }
}

/// True for a port that a socket of a zonal address's own kernel has.
pub fn is_kernel_port(port: u16) -> bool {
    KERNEL_PORTS.contains(&port)
}

impl Host {
    /// Its IPv6 address.
    fn over_ipv6(&self) -> Result<Ipv4Addr, Reason> {
        self.ipv6.ok_or(Reason::NotRoutable)
    }

    /// As whom the internet sees this host, when it sends from this address. Only the main one has a public address; one
    /// that is not the host's own is its NAT gateway's.
    fn outside(&self, source: Ipv4Addr) -> Result<Ipv4Addr, Reason> {
        let is_own = || source == self.address || self.addresses.contains(&source);
        if self.internet || (self.translated && !is_own()) {
            return Ok(source);
        }
        self.public_address
            .filter(|_| source == self.address)
            .ok_or(Reason::NotRoutable)
    }
}
