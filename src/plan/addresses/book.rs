//! Addresses that the lab fixes: who has which, and whether he may. Not here: those given out (see `pools`).

use crate::diag::codes::plan as code;
use crate::diag::{Diagnostic, Span, Spanned};
use crate::plan::Sink;
use crate::plan::balancers::faces_internet;
use crate::plan::vpcs::is_private;
use crate::spec::{Body, PublicAddress};
use std::collections::HashMap;
use std::net::Ipv4Addr;

/// Fixed addresses: who has which.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) taken: HashMap<Ipv4Addr, Taken>,
}

/// A fixed address.
#[derive(Debug)]
pub(super) struct Taken {
    /// Where it is written.
    span: Span,
    /// Who has it, for messages.
    owner: String,
    /// A host has it, so a balancer that wants it fails instead of being wrong.
    by_host: Option<Use>,
}

/// What a host has an address for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Use {
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

pub(super) fn reserve_hosts(body: &Body, book: &mut Book, sink: &mut Sink) {
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
pub(super) fn reserve_balancers(
    body: &Body,
    book: &mut Book,
    sink: &mut Sink,
) -> Vec<Option<String>> {
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
