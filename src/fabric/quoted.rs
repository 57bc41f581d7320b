//! ICMP errors about packets that were translated on their way: the quoted packet must be translated back, else
//! the one who is to learn from it does not recognise it.
//!
//! Observed on: a Network Load Balancer takes ICMP type 3 and nothing else; an internet gateway translates the
//! addresses of every error. Whether AWS translates ports inside the quote is not documented; without that path
//! MTU discovery could not work through a balancer. That is all it needs: clients of targets that reject by ICMP time out, as
//! far as is known, so that other errors of targets do not get to them, unless a lab wants it (`on_target_error`).

use super::balancer::Balancers;
use super::config::Protocol;
use super::flow_table::{Key, Side};
use super::record::{FlowId, FlowState};
use crate::packet::quote::Quote;
use crate::packet::{TCP, UDP};
use std::net::{Ipv4Addr, SocketAddrV4};

/// An ICMP error, translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translated {
    /// The flow it is about.
    pub flow: FlowId,
    /// New source of the error.
    pub from: Ipv4Addr,
    /// New destination of the error.
    pub to: Ipv4Addr,
    /// New source of the quoted packet.
    pub quoted_from: SocketAddrV4,
    /// New destination of the quoted packet.
    pub quoted_to: SocketAddrV4,
    /// The quoted packet's sequence number was moved forward by this.
    pub shifted: u32,
}

/// About a packet that a target, or a router on the way to it, got from a client: goes to that client.
pub fn toward_client(balancers: &Balancers, quote: &Quote) -> Option<Translated> {
    let key = Key::new(quoted_protocol(quote)?, quote.to, quote.from);
    let flow = balancers.table().find(Side::Target, key)?;
    let entry = balancers.table().entry(flow);
    (entry.state() != FlowState::Expired).then_some(Translated {
        flow,
        from: *entry.zonal().ip(),
        to: *entry.client().ip(),
        quoted_from: entry.client(),
        quoted_to: entry.zonal(),
        shifted: balancers.proxy_headers().shift(flow),
    })
}

/// About a packet that a client got from a zonal address: goes to the target that sent it.
pub fn toward_target(balancers: &Balancers, quote: &Quote) -> Option<Translated> {
    let key = Key::new(quoted_protocol(quote)?, quote.to, quote.from);
    let flow = balancers.table().find(Side::Client, key)?;
    let entry = balancers.table().entry(flow);
    (entry.state() != FlowState::Expired).then_some(Translated {
        flow,
        from: *entry.source().ip(),
        to: *entry.target().ip(),
        quoted_from: entry.target(),
        quoted_to: entry.source(),
        shifted: 0,
    })
}

/// The transport of a quoted packet, when its ports are there.
pub fn quoted_protocol(quote: &Quote) -> Option<Protocol> {
    match quote.protocol {
        _ if !quote.has_ports() => None,
        TCP => Some(Protocol::Tcp),
        UDP => Some(Protocol::Udp),
        _ => None,
    }
}
