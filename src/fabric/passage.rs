//! A packet on its way, and what is known of it. Not here: the way (see `way`).

use super::config::{GatewayId, PortId, Protocol};
use super::record::{FlowId, MappingId, Tuple};
use crate::packet::{Headers, TCP, VnetHeader};

/// What is known of a packet from its entry to its end.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    /// Its number.
    pub id: u64,
    /// Who sent it; none: the fabric.
    pub sender: Option<PortId>,
    /// Its ends when it entered.
    pub before: Tuple,
    /// The flow it belongs to.
    pub flow: Option<FlowId>,
    /// The NAT gateway's mapping by which it goes.
    pub mapping: Option<MappingId>,
    /// The NAT gateway at which it ended, or that made it.
    pub gateway: Option<GatewayId>,
    /// It has waited in a link, or at a NAT gateway for its entry.
    pub held: bool,
    /// It belongs to a health check.
    pub probe: bool,
    /// Its sequence number was moved forward by this.
    pub shifted: u32,
}

impl Passage {
    /// Of a packet that nothing is known of yet but its number, its sender and its ends.
    pub fn new(id: u64, sender: Option<PortId>, before: Tuple) -> Self {
        Self {
            id,
            sender,
            before,
            flow: None,
            mapping: None,
            gateway: None,
            held: false,
            probe: false,
            shifted: 0,
        }
    }
}

/// A packet on its way.
pub(super) struct Transient<'a> {
    pub(super) passage: Passage,
    pub(super) vnet: VnetHeader,
    pub(super) headers: Headers,
    pub(super) packet: &'a mut [u8],
}

/// The ends of a packet. Its protocol means something only for TCP and UDP.
pub(super) fn tuple(headers: &Headers) -> Tuple {
    Tuple {
        protocol: match headers.protocol {
            TCP => Protocol::Tcp,
            _ => Protocol::Udp,
        },
        from: headers.from,
        to: headers.to,
    }
}
