//! The ranges that addresses are given out of, in order. Not here: which of them an address comes from (see `round`).

use super::book::Book;
use crate::diag::codes::plan as code;
use crate::diag::{Diagnostic, Span};
use crate::fabric::guard::rules::Cidr;
use crate::plan::Sink;
use crate::plan::hosts::MOST_ZONES;
use crate::plan::vpcs::SUBNET_BITS;
use std::net::Ipv4Addr;

/// A range, and one for the overflow.
#[derive(Debug)]
pub(super) struct Pool {
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
    pub(super) fn next(&mut self, book: &Book, span: Span, sink: &mut Sink) -> Ipv4Addr {
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
pub(super) struct Pools {
    internet: Pool,
    pub(super) host_public: Pool,
    pub(super) zonal_public: Pool,
    pub(super) gateways: Pool,
    /// By VPC and zone: for hosts, for zonal addresses.
    zones: Vec<Vec<(Pool, Pool)>>,
}

/// The subnets of a VPC that is not the default one: sixteen alike, in the order of the zones. The last part of
/// each is for load balancers; the first addresses are AWS's own.
fn subnets(vpc: Cidr, zones: usize) -> Vec<(Pool, Pool)> {
    let size = 1u32 << (32 - u32::from(vpc.prefix.clamp(16, 24))) >> SUBNET_BITS;
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
    pub(super) fn new(zones: usize, vpcs: &[Cidr]) -> Self {
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
    pub(super) fn host(&mut self, zone: Option<(usize, usize)>) -> &mut Pool {
        match zone {
            None => &mut self.internet,
            Some((vpc, number)) => {
                let last = self.zones[vpc].len() - 1;
                &mut self.zones[vpc][number.min(last)].0
            }
        }
    }

    pub(super) fn zonal(&mut self, vpc: usize, zone: usize) -> &mut Pool {
        let last = self.zones[vpc].len() - 1;
        &mut self.zones[vpc][zone.min(last)].1
    }
}
