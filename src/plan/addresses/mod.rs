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

mod book;
mod ipv6;
mod pools;
mod round;

use super::Sink;
use super::hosts::Hosts;
use super::segments::{self, Segments};
use crate::fabric::config::{LINK_LOCAL_RESOLVER, StandIns};
use crate::spec::Body;
use book::{Book, reserve_balancers, reserve_hosts};
use round::Round;
use std::net::{Ipv4Addr, Ipv6Addr};

/// AWS: the network's base plus two.
const VPC_RESOLVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

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
    let segments = segments::resolve(hosts, sink);
    let mut book = Book::default();
    reserve_hosts(body, &mut book, sink);
    let failures = reserve_balancers(body, &mut book, sink);
    let mut round = Round::new(body, &book, sink);
    // In this order: what a lab does not have leaves the addresses of all else as they are.
    let hosts = round.hosts(hosts, &segments, sink);
    let balancers = round.balancers(sink);
    let secondary = round.secondary(sink);
    let gateways = round.gateways(sink);
    let endpoints = round.endpoints(sink);
    Addresses {
        gateways,
        endpoints,
        secondary,
        hosts,
        balancers,
        failures,
        stand_ins: round.stand_ins(),
        resolver: resolver(&book),
        segments,
    }
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
