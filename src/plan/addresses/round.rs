//! The round in which every address is given out that the lab does not fix: hosts first, then what stands in their zones.

use super::book::Book;
use super::pools::Pools;
use super::{HostAddresses, ZonalAddresses, ipv6};
use crate::diag::{Span, Spanned};
use crate::fabric::config::StandIns;
use crate::plan::attributes::SECONDARY_IPS;
use crate::plan::balancers::{faces_internet, is_dualstack};
use crate::plan::hosts::Hosts;
use crate::plan::segments::Segments;
use crate::plan::{HostId, Sink, vpcs};
use crate::spec::{Balancer, Body, Host, Ipv6, PublicAddress};
use std::collections::HashMap;
use std::net::Ipv4Addr;

/// AWS: secondary addresses of a balancer in a subnet.
const MOST_SECONDARY: usize = 7;

/// What is left to give.
pub(super) struct Round<'a> {
    body: &'a Body,
    book: &'a Book,
    /// Their numbers, by name.
    zones: HashMap<&'a str, usize>,
    pools: Pools,
    ipv6: ipv6::Pools,
}

impl<'a> Round<'a> {
    pub(super) fn new(body: &'a Body, book: &'a Book, sink: &mut Sink) -> Self {
        let zones = body.zones.iter().enumerate();
        Self {
            body,
            book,
            zones: zones
                .map(|(number, zone)| (zone.value.as_str(), number))
                .collect(),
            pools: Pools::new(body.zones.len(), &vpcs::ranges(body)),
            ipv6: ipv6::Pools::new(body, sink),
        }
    }

    /// By host number.
    pub(super) fn hosts(
        &mut self,
        hosts: &Hosts<'_>,
        segments: &Segments,
        sink: &mut Sink,
    ) -> Vec<HostAddresses> {
        (0..)
            .map(HostId)
            .zip(&hosts.list)
            .map(|(id, host)| self.host(host.section, host.key.span, segments.address(id), sink))
            .collect()
    }

    /// A host's; `inside` is the one that it has behind another host.
    fn host(
        &mut self,
        section: &Host,
        span: Span,
        inside: Option<Ipv4Addr>,
        sink: &mut Sink,
    ) -> HostAddresses {
        let zone = section.zone.as_ref().map(|zone| {
            let vpc = vpcs::number(self.body, section.vpc.as_ref());
            (vpc, self.zone(zone))
        });
        HostAddresses {
            private: match (inside, &section.address) {
                (Some(inside), _) => inside,
                (None, Some(fixed)) => fixed.value,
                (None, None) => self.pools.host(zone).next(self.book, span, sink),
            },
            public: match section.public_address.as_ref().map(|public| public.value) {
                None | Some(PublicAddress::None) => None,
                Some(PublicAddress::Fixed(fixed)) => Some(fixed),
                Some(PublicAddress::Auto) => {
                    Some(self.pools.host_public.next(self.book, span, sink))
                }
            },
            ipv6: section.ipv6.as_ref().map(|wanted| match wanted.value {
                Ipv6::Fixed(fixed) => self.ipv6.known(fixed),
                Ipv6::Auto => self.ipv6.host(zone.map(|(_, zone)| zone)),
            }),
        }
    }

    /// By balancer and its zones.
    pub(super) fn balancers(&mut self, sink: &mut Sink) -> Vec<Vec<ZonalAddresses>> {
        let balancers = self.body.load_balancers.iter();
        balancers
            .map(|(name, balancer)| {
                let zones = balancer.zones.iter();
                zones
                    .map(|(zone, fixed)| {
                        let fixed = fixed.as_ref().map(|fixed| fixed.value);
                        self.zonal_of_balancer(balancer, zone, fixed, name.span, sink)
                    })
                    .collect()
            })
            .collect()
    }

    /// A fixed one is the public address of an internet-facing balancer, and the private one of any other.
    fn zonal_of_balancer(
        &mut self,
        balancer: &Balancer,
        zone: &Spanned<String>,
        fixed: Option<Ipv4Addr>,
        span: Span,
        sink: &mut Sink,
    ) -> ZonalAddresses {
        let number = self.zone(zone);
        let ipv6 = is_dualstack(balancer).then(|| self.ipv6.zonal(number));
        let (private, public) = if faces_internet(balancer) {
            let private = self.zonal(balancer.vpc.as_ref(), zone, span, sink);
            let public =
                fixed.unwrap_or_else(|| self.pools.zonal_public.next(self.book, span, sink));
            (private, Some(public))
        } else {
            let private =
                fixed.unwrap_or_else(|| self.zonal(balancer.vpc.as_ref(), zone, span, sink));
            (private, None)
        };
        ZonalAddresses {
            private,
            public,
            ipv6,
        }
    }

    /// By balancer and its zones.
    pub(super) fn secondary(&mut self, sink: &mut Sink) -> Vec<Vec<Vec<Ipv4Addr>>> {
        let balancers = self.body.load_balancers.iter();
        balancers
            .map(|(name, balancer)| {
                let count = secondary_count(balancer);
                let zones = balancer.zones.iter();
                zones
                    .map(|(zone, _)| {
                        (0..count)
                            .map(|_| self.zonal(balancer.vpc.as_ref(), zone, name.span, sink))
                            .collect()
                    })
                    .collect()
            })
            .collect()
    }

    /// By NAT gateway: the private one, and the public ones.
    pub(super) fn gateways(&mut self, sink: &mut Sink) -> Vec<(Ipv4Addr, Vec<Ipv4Addr>)> {
        let gateways = self.body.nat_gateways.iter();
        gateways
            .map(|(name, gateway)| {
                let public = (0..gateway.addresses.value)
                    .map(|_| self.pools.gateways.next(self.book, name.span, sink))
                    .collect();
                let private = self.zonal(gateway.vpc.as_ref(), &gateway.zone, name.span, sink);
                (private, public)
            })
            .collect()
    }

    /// By endpoint and its zones.
    pub(super) fn endpoints(&mut self, sink: &mut Sink) -> Vec<Vec<Ipv4Addr>> {
        let endpoints = self.body.endpoints.iter();
        endpoints
            .map(|(name, section)| {
                let zones = section.zones.iter();
                zones
                    .map(|zone| self.zonal(section.vpc.as_ref(), zone, name.span, sink))
                    .collect()
            })
            .collect()
    }

    /// What stands for the IPv6 addresses given out.
    pub(super) fn stand_ins(self) -> StandIns {
        self.ipv6.stand_ins
    }

    /// The next one of a VPC for what is no host, in a zone.
    fn zonal(
        &mut self,
        vpc: Option<&Spanned<String>>,
        zone: &Spanned<String>,
        span: Span,
        sink: &mut Sink,
    ) -> Ipv4Addr {
        let (vpc, zone) = (vpcs::number(self.body, vpc), self.zone(zone));
        self.pools.zonal(vpc, zone).next(self.book, span, sink)
    }

    /// The number of a zone; of one that is not there, which has been said, any.
    fn zone(&self, zone: &Spanned<String>) -> usize {
        self.zones.get(zone.value.as_str()).copied().unwrap_or(0)
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
