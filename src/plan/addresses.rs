//! Which address everything has.
//!
//! Fixed ones are honoured. The rest is given out in the order of the lab, so that the same lab always has the
//! same addresses:
//!
//! | what | from | then |
//! |---|---|---|
//! | host on the internet | 198.51.100.10 .. 198.51.100.254 (RFC 5737) | 198.18.0.0/16 (RFC 2544) |
//! | host in zone number i | 10.0.(16 i).10 .. within 10.0.(16 i + 14).0 | - |
//! | private zonal address in zone i | 10.0.(16 i + 15).10 .. 10.0.(16 i + 15).254 | - |
//! | secondary zonal address | the same, after all others | - |
//! | private address of a NAT gateway | the same, after these | - |
//! | interface of an endpoint | the same, after all of these | - |
//! | public zonal address | 203.0.113.10 .. 203.0.113.127 (RFC 5737) | 198.19.0.0/17 |
//! | public address of a host | 203.0.113.128 .. 203.0.113.254 | 198.19.128.0/17 |
//! | public address of a NAT gateway | 192.0.2.10 .. 192.0.2.254 (RFC 5737) | - |
//! | resolver, in zones | 10.0.0.2 (AWS: base plus two) | 169.254.169.253, which it always has |
//! | resolver, on the internet | 198.51.100.2 | .. 198.51.100.9 |
//! | host behind another | see `segments` | - |
//!
//! | IPv6 | see `ipv6` | - |
//!
//! 10.0.0.0/16 in /20 subnets by zone is what AWS makes of a default VPC. Addresses that end in 0 or 255 are left
//! out: they are legal, and read like networks.

use super::attributes::SECONDARY_IPS;
use super::hosts::Hosts;
use super::segments::{self, Segments};
use super::{HostId, Sink, ipv6, vpcs};
use crate::diag::codes::plan as code;
use crate::diag::{Diagnostic, Span, Spanned};
use crate::fabric::config::{LINK_LOCAL_RESOLVER, StandIns};
use crate::fabric::guard::rules::Cidr;
use crate::spec::{Balancer, Body, Ipv6, PublicAddress};
use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

/// AWS: the network's base plus two.
const VPC_RESOLVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// AWS: secondary addresses of a balancer in a subnet.
const MOST_SECONDARY: usize = 7;

/// Subnets of a zone in 10.0.0.0/16: no more zones than that.
pub(super) const MOST_ZONES: usize = 16;

/// A host's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HostAddresses {
    /// On its device.
    pub(super) private: Ipv4Addr,
    /// 1:1 at the internet gateway.
    pub(super) public: Option<Ipv4Addr>,
    /// On its device besides.
    pub(super) ipv6: Option<Ipv6Addr>,
}

/// A zonal address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ZonalAddresses {
    /// Inside the VPC.
    pub(super) private: Ipv4Addr,
    /// For the internet; none for an internal balancer.
    pub(super) public: Option<Ipv4Addr>,
    /// Of a dualstack balancer.
    pub(super) ipv6: Option<Ipv6Addr>,
}

/// Everything's addresses.
#[derive(Debug)]
pub(super) struct Addresses {
    /// By host number.
    pub(super) hosts: Vec<HostAddresses>,
    /// By balancer and its zones, in the order of the lab.
    pub(super) balancers: Vec<Vec<ZonalAddresses>>,
    /// Secondary ones, by balancer and its zones: inside the VPC, and none for clients.
    pub(super) secondary: Vec<Vec<Vec<Ipv4Addr>>>,
    /// By NAT gateway: inside the VPC, and on the internet.
    pub(super) gateways: Vec<(Ipv4Addr, Vec<Ipv4Addr>)>,
    /// By endpoint and its zones, in the order of the lab.
    pub(super) endpoints: Vec<Vec<Ipv4Addr>>,
    /// By balancer: why it cannot be set up.
    pub(super) failures: Vec<Option<String>>,
    /// The resolver's for hosts in zones and for those on the internet.
    pub(super) resolver: (Ipv4Addr, Ipv4Addr),
    /// Every IPv6 address of the above.
    pub(super) stand_ins: StandIns,
    /// Hosts behind others.
    pub(super) segments: Segments,
}

impl Addresses {
    /// What stands for a host's IPv6 address.
    pub(super) fn of_ipv6(&self, host: &super::Host) -> Option<Ipv4Addr> {
        self.stand_ins.stand_in(host.ipv6?)
    }
}

/// Gives everything an address.
pub(super) fn give_out(body: &Body, hosts: &Hosts<'_>, sink: &mut Sink) -> Addresses {
    let zones: HashMap<&str, usize> = body
        .zones
        .iter()
        .enumerate()
        .map(|(number, zone)| (zone.value.as_str(), number))
        .collect();
    let segments = segments::resolve(hosts, sink);
    let mut book = Book::default();
    reserve_hosts(body, &mut book, sink);
    let failures = reserve_balancers(body, &mut book, sink);
    let mut pools = Pools::new(body.zones.len(), &vpcs::ranges(body));
    let mut ipv6 = ipv6::Pools::new(body, sink);
    let hosts = (0..)
        .map(HostId)
        .zip(&hosts.list)
        .map(|(id, host)| {
            let section = host.section;
            let zone = section
                .zone
                .as_ref()
                .map(|zone| zones.get(zone.value.as_str()).copied().unwrap_or(0))
                .map(|zone| (vpcs::number(body, section.vpc.as_ref()), zone));
            HostAddresses {
                private: match (segments.address(id), &section.address) {
                    (Some(inside), _) => inside,
                    (None, Some(fixed)) => fixed.value,
                    (None, None) => pools.host(zone).next(&book, host.key.span, sink),
                },
                public: match section.public_address.as_ref().map(|public| public.value) {
                    None | Some(PublicAddress::None) => None,
                    Some(PublicAddress::Fixed(fixed)) => Some(fixed),
                    Some(PublicAddress::Auto) => {
                        Some(pools.host_public.next(&book, host.key.span, sink))
                    }
                },
                ipv6: section.ipv6.as_ref().map(|wanted| match wanted.value {
                    Ipv6::Fixed(fixed) => ipv6.known(fixed),
                    Ipv6::Auto => ipv6.host(zone.map(|(_, zone)| zone)),
                }),
            }
        })
        .collect();
    let balancers = body
        .load_balancers
        .iter()
        .map(|(name, balancer)| {
            balancer
                .zones
                .iter()
                .map(|(zone, fixed)| {
                    let number = zones.get(zone.value.as_str()).copied().unwrap_or(0);
                    let vpc = vpcs::number(body, balancer.vpc.as_ref());
                    let fixed = fixed.as_ref().map(|fixed| fixed.value);
                    let ipv6 = is_dualstack(balancer).then(|| ipv6.zonal(number));
                    if faces_internet(balancer) {
                        ZonalAddresses {
                            private: pools.zonal(vpc, number).next(&book, name.span, sink),
                            public: Some(fixed.unwrap_or_else(|| {
                                pools.zonal_public.next(&book, name.span, sink)
                            })),
                            ipv6,
                        }
                    } else {
                        ZonalAddresses {
                            private: fixed.unwrap_or_else(|| {
                                pools.zonal(vpc, number).next(&book, name.span, sink)
                            }),
                            public: None,
                            ipv6,
                        }
                    }
                })
                .collect()
        })
        .collect();
    // After all others, so that a balancer without them has the same addresses as ever.
    let secondary = body.load_balancers.iter().map(|(name, balancer)| {
        let count = secondary_count(balancer);
        let zones = balancer.zones.iter().map(|(zone, _)| {
            let number = zones.get(zone.value.as_str()).copied().unwrap_or(0);
            let vpc = vpcs::number(body, balancer.vpc.as_ref());
            (0..count)
                .map(|_| pools.zonal(vpc, number).next(&book, name.span, sink))
                .collect()
        });
        zones.collect()
    });
    let secondary = secondary.collect();
    let gateways = body.nat_gateways.iter().map(|(name, gateway)| {
        let count = gateway.addresses.value;
        let mut next = || pools.gateways.next(&book, name.span, sink);
        let public = (0..count).map(|_| next()).collect();
        let zone = zones.get(gateway.zone.value.as_str()).copied().unwrap_or(0);
        let vpc = vpcs::number(body, gateway.vpc.as_ref());
        let private = pools.zonal(vpc, zone).next(&book, name.span, sink);
        (private, public)
    });
    let gateways = gateways.collect();
    let endpoints = body.endpoints.iter().map(|(name, section)| {
        let vpc = vpcs::number(body, section.vpc.as_ref());
        let zones = section.zones.iter().map(|zone| {
            let number = zones.get(zone.value.as_str()).copied().unwrap_or(0);
            pools.zonal(vpc, number).next(&book, name.span, sink)
        });
        zones.collect()
    });
    Addresses {
        gateways,
        endpoints: endpoints.collect(),
        secondary,
        hosts,
        balancers,
        failures,
        resolver: resolver(&book),
        stand_ins: ipv6.stand_ins,
        segments,
    }
}

/// `secondary_ips.auto_assigned.per_subnet`; a value that is none has been reported where attributes are checked.
fn secondary_count(balancer: &Balancer) -> usize {
    let written = balancer
        .attributes
        .iter()
        .find(|(name, _)| name.value == SECONDARY_IPS);
    written
        .and_then(|(_, count)| count.value.parse().ok())
        .filter(|count| *count <= MOST_SECONDARY)
        .unwrap_or(0)
}

/// Where the resolver is. A lab may have given its usual places to somebody else.
fn resolver(book: &Book) -> (Ipv4Addr, Ipv4Addr) {
    let free = |address: &Ipv4Addr| !book.taken.contains_key(address);
    let public = (2..10).map(|last| Ipv4Addr::new(198, 51, 100, last));
    (
        Some(VPC_RESOLVER)
            .filter(free)
            .unwrap_or(LINK_LOCAL_RESOLVER),
        public.clone().find(free).unwrap_or(LINK_LOCAL_RESOLVER),
    )
}

/// True unless the balancer is internal.
pub(super) fn faces_internet(balancer: &Balancer) -> bool {
    balancer.scheme.value != "internal"
}

/// True for a balancer with IPv6 addresses.
pub(super) fn is_dualstack(balancer: &Balancer) -> bool {
    balancer.ip_address_type.value == "dualstack"
}

/// True for addresses that the internet does not route (RFC 1918, RFC 6598).
pub(super) fn is_private(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    address.is_private() || (a == 100 && (64..128).contains(&b))
}

/// Fixed addresses: who has which.
#[derive(Debug, Default)]
struct Book {
    taken: HashMap<Ipv4Addr, Taken>,
}

/// A fixed address.
#[derive(Debug)]
struct Taken {
    /// Where it is written.
    span: Span,
    /// Who has it, for messages.
    owner: String,
    /// A host has it, so a balancer that wants it fails instead of being wrong.
    by_host: Option<Use>,
}

/// What a host has an address for.
#[derive(Clone, Copy, Debug)]
enum Use {
    Primary,
    Secondary,
    Public,
}

impl Book {
    fn reserve(
        &mut self,
        address: &Spanned<Ipv4Addr>,
        owner: String,
        by_host: Option<Use>,
        sink: &mut Sink,
    ) {
        match self.taken.get(&address.value) {
            None => {
                let span = address.span;
                let taken = Taken {
                    span,
                    owner,
                    by_host,
                };
                self.taken.insert(address.value, taken);
            }
            Some(Taken {
                span, owner: first, ..
            }) => sink.push(
                Diagnostic::new(
                    code::ADDRESS_TAKEN,
                    address.span,
                    format!("{} is taken already", address.value),
                )
                .label(format!("also wanted by {owner}"))
                .also(*span, format!("{first} has it"))
                .help("choose another address, or leave it out and one is given out"),
            ),
        }
    }
}

fn reserve_hosts(body: &Body, book: &mut Book, sink: &mut Sink) {
    // Addresses behind a host are known only there.
    let on_fabric = body.hosts.iter().filter(|(_, host)| host.behind.is_none());
    for (name, host) in on_fabric {
        if let Some(address) = &host.address {
            if usable(address, sink) {
                check_side(address, host.zone.is_some(), &name.value, sink);
            }
            let owner = format!("host `{}`", name.value);
            book.reserve(address, owner, Some(Use::Primary), sink);
        }
        for address in &host.addresses {
            if usable(address, sink) {
                check_side(address, host.zone.is_some(), &name.value, sink);
            }
            let owner = format!("host `{}`", name.value);
            book.reserve(address, owner, Some(Use::Secondary), sink);
        }
        if let Some(Spanned {
            value: PublicAddress::Fixed(address),
            span,
        }) = host.public_address
        {
            let address = Spanned::new(address, span);
            if usable(&address, sink) {
                check_public(&address, sink);
            }
            let owner = format!("host `{}`", name.value);
            book.reserve(&address, owner, Some(Use::Public), sink);
        }
    }
}

/// AWS: a balancer whose address is assigned elsewhere cannot be set up, and its state is `failed`. That is for
/// addresses of hosts; two balancers with one address are a mistake of the lab.
fn reserve_balancers(body: &Body, book: &mut Book, sink: &mut Sink) -> Vec<Option<String>> {
    let mut failures = vec![None; body.load_balancers.len()];
    for ((name, balancer), failure) in body.load_balancers.iter().zip(&mut failures) {
        for (zone, address) in &balancer.zones {
            let Some(address) = address else { continue };
            if usable(address, sink) {
                if faces_internet(balancer) {
                    check_public(address, sink);
                } else {
                    check_private(address, "an internal balancer's zonal address", sink);
                }
            }
            let clash = book.taken.get(&address.value);
            if let Some((taken, by_host)) = clash.and_then(|taken| Some((taken, taken.by_host?))) {
                let what = match by_host {
                    Use::Primary => "the address",
                    Use::Secondary => "a secondary address",
                    Use::Public => "the public address",
                };
                let host = taken.owner.trim_start_matches("host ").replace('`', "");
                failure.get_or_insert(format!("{} is {what} of {host}", address.value));
                continue;
            }
            let owner = format!("`{}/{}`", name.value, zone.value);
            book.reserve(address, owner, None, sink);
        }
    }
    failures
}

/// Only unicast addresses that a device can have.
fn usable(address: &Spanned<Ipv4Addr>, sink: &mut Sink) -> bool {
    let [first, second, ..] = address.value.octets();
    let reason = match first {
        0 => "0.0.0.0/8 means this network",
        127 => "127.0.0.0/8 never leaves a host",
        169 if second == 254 => "169.254.0.0/16 is link-local and not routed",
        224..=239 => "224.0.0.0/4 is multicast",
        240..=255 => "240.0.0.0/4 is reserved",
        _ => return true,
    };
    sink.push(
        Diagnostic::new(
            code::ADDRESS_UNUSABLE,
            address.span,
            format!("{} cannot be an address here", address.value),
        )
        .label(reason)
        .help("use 10.0.0.0/8, or a documentation range such as 192.0.2.0/24"),
    );
    false
}

fn check_side(address: &Spanned<Ipv4Addr>, in_a_zone: bool, host: &str, sink: &mut Sink) {
    if in_a_zone {
        check_private(address, "the address of a host in a zone", sink);
    } else if is_private(address.value) {
        sink.push(
            Diagnostic::new(
                code::ADDRESS_NOT_PUBLIC,
                address.span,
                format!(
                    "{} is private, and `{host}` is on the internet",
                    address.value
                ),
            )
            .label("the internet routes no private address")
            .help("give the host a `zone:`, or an address such as 198.51.100.7"),
        );
    }
}

fn check_private(address: &Spanned<Ipv4Addr>, what: &str, sink: &mut Sink) {
    if !is_private(address.value) {
        sink.push(
            Diagnostic::new(
                code::ADDRESS_NOT_PRIVATE,
                address.span,
                format!("{} is not private", address.value),
            )
            .label(format!("{what} is one of its VPC"))
            .help("use an address of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16; the public one of a host is its `public_address`"),
        );
    }
}

fn check_public(address: &Spanned<Ipv4Addr>, sink: &mut Sink) {
    if is_private(address.value) {
        sink.push(
            Diagnostic::new(
                code::ADDRESS_NOT_PUBLIC,
                address.span,
                format!("{} is private", address.value),
            )
            .label("the internet cannot reach it")
            .help("use a documentation range such as 203.0.113.0/24"),
        );
    }
}

/// A range, and one for the overflow.
#[derive(Debug)]
struct Pool {
    next: u32,
    last: u32,
    overflow: Option<(u32, u32)>,
    what: &'static str,
    complained: bool,
}

impl Pool {
    fn new(what: &'static str, first: [u8; 4], last: [u8; 4]) -> Self {
        Self {
            next: u32::from_be_bytes(first),
            last: u32::from_be_bytes(last),
            overflow: None,
            what,
            complained: false,
        }
    }

    fn then(mut self, first: [u8; 4], last: [u8; 4]) -> Self {
        self.overflow = Some((u32::from_be_bytes(first), u32::from_be_bytes(last)));
        self
    }

    /// The next free address. 0.0.0.0 when there is none, which has been said then.
    fn next(&mut self, book: &Book, span: Span, sink: &mut Sink) -> Ipv4Addr {
        loop {
            if self.next > self.last {
                match self.overflow.take() {
                    Some((first, last)) => (self.next, self.last) = (first, last),
                    None => {
                        self.complain(span, sink);
                        return Ipv4Addr::UNSPECIFIED;
                    }
                }
            }
            let address = Ipv4Addr::from(self.next);
            self.next += 1;
            let looks_like_a_network = matches!(address.octets()[3], 0 | 255);
            if !looks_like_a_network && !book.taken.contains_key(&address) {
                return address;
            }
        }
    }

    fn complain(&mut self, span: Span, sink: &mut Sink) {
        if !self.complained {
            self.complained = true;
            sink.push(
                Diagnostic::new(
                    code::NO_ADDRESS_LEFT,
                    span,
                    format!("no address is left for {}", self.what),
                )
                .label("not all of this can have one")
                .help("use fewer, or spread them over several zones"),
            );
        }
    }
}

#[derive(Debug)]
struct Pools {
    internet: Pool,
    host_public: Pool,
    zonal_public: Pool,
    gateways: Pool,
    /// By VPC and zone: for hosts, for zonal addresses.
    zones: Vec<Vec<(Pool, Pool)>>,
}

/// The subnets of a VPC that is not the default one: sixteen alike, in the order of the zones. The last part of
/// each is for load balancers; the first addresses are AWS's own.
fn subnets(vpc: Cidr, zones: usize) -> Vec<(Pool, Pool)> {
    let size = 1u32 << (32 - u32::from(vpc.prefix.clamp(16, 24))) >> 4;
    let (first, balancers) = match size {
        4096.. => (10, size - 246),
        256.. => (10, size - 16),
        _ => (4, size - 4),
    };
    (0u32..)
        .take(zones.clamp(1, MOST_ZONES))
        .map(|zone| {
            let base = vpc.address.to_bits().wrapping_add(zone * size);
            let at = |offset: u32| base.wrapping_add(offset).to_be_bytes();
            (
                Pool::new("hosts in this zone", at(first), at(balancers - 1)),
                Pool::new("load balancers in this zone", at(balancers), at(size - 2)),
            )
        })
        .collect()
}

impl Pools {
    fn new(zones: usize, vpcs: &[Cidr]) -> Self {
        let zone = |number: usize| {
            let third = u8::try_from(16 * number).unwrap_or(240);
            (
                Pool::new(
                    "hosts in this zone",
                    [10, 0, third, 10],
                    [10, 0, third + 14, 254],
                ),
                Pool::new(
                    "load balancers in this zone",
                    [10, 0, third + 15, 10],
                    [10, 0, third + 15, 254],
                ),
            )
        };
        Self {
            internet: Pool::new(
                "hosts on the internet",
                [198, 51, 100, 10],
                [198, 51, 100, 254],
            )
            .then([198, 18, 0, 1], [198, 18, 255, 254]),
            zonal_public: Pool::new(
                "internet-facing load balancers",
                [203, 0, 113, 10],
                [203, 0, 113, 127],
            )
            .then([198, 19, 0, 1], [198, 19, 127, 254]),
            gateways: Pool::new("NAT gateways", [192, 0, 2, 10], [192, 0, 2, 254]),
            host_public: Pool::new(
                "public addresses of hosts",
                [203, 0, 113, 128],
                [203, 0, 113, 254],
            )
            .then([198, 19, 128, 1], [198, 19, 255, 254]),
            zones: std::iter::once((0..zones.clamp(1, MOST_ZONES)).map(zone).collect())
                .chain(vpcs.iter().map(|vpc| subnets(*vpc, zones)))
                .collect(),
        }
    }

    /// In a zone of a VPC, or on the internet.
    fn host(&mut self, zone: Option<(usize, usize)>) -> &mut Pool {
        match zone {
            None => &mut self.internet,
            Some((vpc, number)) => {
                let last = self.zones[vpc].len() - 1;
                &mut self.zones[vpc][number.min(last)].0
            }
        }
    }

    fn zonal(&mut self, vpc: usize, zone: usize) -> &mut Pool {
        let last = self.zones[vpc].len() - 1;
        &mut self.zones[vpc][zone.min(last)].1
    }
}
