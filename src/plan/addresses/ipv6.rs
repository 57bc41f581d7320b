//! IPv6 addresses: who has which.
//!
//! Fixed ones are honoured; the rest is given out in the order of the lab, from the prefix that AWS uses in its own
//! examples of a VPC (all of it in 2001:db8::/32, RFC 3849):
//!
//! | what | from |
//! |---|---|
//! | host on the internet | 2001:db8::10 .. |
//! | host in zone number i | 2001:db8:1234:1a0i::10 .. |
//! | zonal address in zone number i | 2001:db8:1234:1a0i::f:10 .. |

use crate::diag::codes::{ipv6 as code, plan};
use crate::diag::{Diagnostic, Span, Spanned};
use crate::fabric::config::StandIns;
use crate::plan::Sink;
use crate::spec::{self, Body, Ipv6};
use std::collections::HashMap;
use std::net::Ipv6Addr;

/// RFC 8200 section 5.
const SMALLEST_MTU: u16 = 1280;

/// What is left to be given out.
#[derive(Debug)]
pub(super) struct Pools {
    taken: HashMap<Ipv6Addr, (Span, String)>,
    /// Addresses given, by the prefix they are from.
    given: HashMap<u128, u128>,
    /// Everything given or fixed.
    pub(super) stand_ins: StandIns,
}

impl Pools {
    /// With what the lab fixes taken already.
    pub(super) fn new(body: &Body, sink: &mut Sink) -> Self {
        let mut pools = Self {
            taken: HashMap::new(),
            given: HashMap::new(),
            stand_ins: StandIns::default(),
        };
        for (name, host) in &body.hosts {
            check_mtu(host, sink);
            if let Some(Spanned {
                value: Ipv6::Fixed(address),
                span,
            }) = host.ipv6
            {
                pools.reserve(address, span, &name.value, sink);
                one_for_many(host, span, sink);
            }
        }
        pools
    }

    fn reserve(&mut self, address: Ipv6Addr, span: Span, host: &str, sink: &mut Sink) {
        if address.segments()[0] & 0xe000 != 0x2000 {
            sink.push(
                Diagnostic::new(
                    code::ADDRESS_UNUSABLE,
                    span,
                    format!("{address} cannot be an address here"),
                )
                .label("not global unicast (2000::/3)")
                .help("use one of 2001:db8::/32, which is for documentation"),
            );
        }
        match self.taken.get(&address) {
            None => {
                self.taken.insert(address, (span, format!("host `{host}`")));
            }
            Some((first, owner)) => sink.push(
                Diagnostic::new(
                    plan::ADDRESS_TAKEN,
                    span,
                    format!("{address} is taken already"),
                )
                .label(format!("also wanted by host `{host}`"))
                .also(*first, format!("{owner} has it"))
                .help("choose another address, or write `auto` and one is given out"),
            ),
        }
    }

    /// A fixed address.
    pub(super) fn known(&mut self, address: Ipv6Addr) -> Ipv6Addr {
        self.stand_ins.give(address);
        address
    }

    /// The next one for a host in a zone, or on the internet.
    pub(super) fn host(&mut self, zone: Option<usize>) -> Ipv6Addr {
        let first = match zone {
            None => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10),
            Some(zone) => subnet(zone, 0x10),
        };
        self.next(first)
    }

    /// The next zonal address in a zone.
    pub(super) fn zonal(&mut self, zone: usize) -> Ipv6Addr {
        self.next(subnet(zone, 0xf_0010))
    }

    fn next(&mut self, first: Ipv6Addr) -> Ipv6Addr {
        let given = self.given.entry(first.to_bits()).or_default();
        loop {
            let address = Ipv6Addr::from_bits(first.to_bits() + *given);
            *given += 1;
            if !self.taken.contains_key(&address) {
                self.stand_ins.give(address);
                return address;
            }
        }
    }
}

fn subnet(zone: usize, host: u32) -> Ipv6Addr {
    let zone = u16::try_from(zone).unwrap_or(0xff).min(0xff);
    let (high, low) = ((host >> 16) as u16, host as u16);
    Ipv6Addr::new(0x2001, 0xdb8, 0x1234, 0x1a00 + zone, 0, 0, high, low)
}

fn one_for_many(host: &spec::Host, span: Span, sink: &mut Sink) {
    if let Some(count) = host.count.as_ref().filter(|count| count.value > 1) {
        sink.push(
            Diagnostic::new(
                plan::ONE_ADDRESS_FOR_MANY,
                span,
                format!("one address for {} hosts", count.value),
            )
            .label("each of them needs its own")
            .also(count.span, "so many hosts")
            .help("write `ipv6: auto` (each gets one), or write the hosts one by one"),
        );
    }
}

fn check_mtu(host: &spec::Host, sink: &mut Sink) {
    let Some(ipv6) = &host.ipv6 else { return };
    let mut said = Vec::new();
    for mtu in [&host.mtu, &host.up.mtu, &host.down.mtu]
        .into_iter()
        .flatten()
    {
        if mtu.value < SMALLEST_MTU && !said.contains(&mtu.span) {
            said.push(mtu.span);
            sink.push(
                Diagnostic::new(
                    code::MTU_TOO_SMALL,
                    mtu.span,
                    format!("IPv6 does not work with an MTU of {}", mtu.value),
                )
                .label(format!("at least {SMALLEST_MTU}"))
                .also(ipv6.span, "this host has IPv6")
                .help(format!("write {SMALLEST_MTU} or more, or remove `ipv6`")),
            );
        }
    }
}
