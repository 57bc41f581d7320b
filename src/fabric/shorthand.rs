//! Records in shorthand: of a packet that went the short way only what its flow does not tell is written down. Nearly all
//! packets go that way, and a record takes a third of the memory, and so of the time, that a whole one takes.

use super::balancer::Onward;
use super::config::{PortId, Protocol};
use super::flow_table::{FlowTable, Side};
use super::record::{Fate, FlowId, PacketRecord, Reason, Tuple};
use crate::packet::ends::Ends;
use crate::packet::plain::Plain;
use crate::packet::{TCP, UDP};
use std::time::Duration;

/// A packet that went the short way.
pub struct Carried {
    /// Its number.
    pub id: u64,
    /// Who sent it.
    pub from: PortId,
    /// Of which side.
    pub by: Side,
    /// As it came.
    pub plain: Plain,
    /// How it went on.
    pub onward: Onward,
    /// Its receiver's device took it.
    pub taken: bool,
}

/// A record in shorthand.
#[derive(Clone, Copy)]
pub struct Shorthand {
    /// Nanoseconds.
    at: u64,
    id: u64,
    flow: FlowId,
    seq: u32,
    ack: u32,
    from: u16,
    to: u16,
    identification: u16,
    window: u16,
    payload_len: u16,
    wire_packets: u16,
    /// Bytes in front of the payload.
    header_len: u8,
    flags: u8,
    by: Side,
    taken: bool,
}

const _: () = assert!(size_of::<Shorthand>() == 48, "a third of a whole record");

impl Shorthand {
    /// Of a packet that came now, in nanoseconds. None: of a port whose number is too large for it.
    #[inline]
    pub fn new(now: u64, carried: &Carried) -> Option<Self> {
        let Carried {
            id,
            from,
            by,
            plain,
            onward,
            taken,
        } = carried;
        let (wire_packets, _) = plain.on_wire();
        Some(Self {
            at: now,
            id: *id,
            flow: onward.flow,
            seq: plain.seq,
            ack: plain.ack,
            from: from.0.try_into().ok()?,
            to: onward.to.0.try_into().ok()?,
            identification: plain.identification,
            window: plain.window,
            payload_len: plain.payload_len().try_into().ok()?,
            wire_packets: wire_packets.try_into().ok()?,
            header_len: plain.header_len().try_into().ok()?,
            flags: plain.flags,
            by: *by,
            taken: *taken,
        })
    }

    /// It was made before that moment.
    pub fn is_before(&self, at: Duration) -> bool {
        Duration::from_nanos(self.at) < at
    }

    /// The device refused the packet after all. False: this is another packet's record.
    pub fn refuse(&mut self, id: u64) -> bool {
        let found = self.id == id;
        self.taken &= !found;
        found
    }

    /// The record, with what its flow tells.
    pub fn told(&self, table: &FlowTable) -> PacketRecord {
        let entry = table.entry(self.flow);
        let protocol = entry.protocol;
        let (before, after) = (entry.ends_before(self.by), entry.ends_beyond(self.by));
        let tuple = |ends: Ends| Tuple {
            protocol,
            from: ends.from(),
            to: ends.to(),
        };
        let payload = u32::from(self.payload_len);
        let wire_packets = u32::from(self.wire_packets);
        PacketRecord {
            at: Duration::from_nanos(self.at),
            id: self.id,
            sender: Some(PortId(self.from.into())),
            protocol: match protocol {
                Protocol::Tcp => TCP,
                Protocol::Udp => UDP,
            },
            identification: self.identification,
            before: tuple(before),
            after: tuple(after),
            flow: Some(self.flow),
            mapping: None,
            gateway: None,
            flags: self.flags,
            seq: self.seq,
            ack: self.ack,
            payload,
            window: self.window,
            wire_packets,
            wire_bytes: payload + wire_packets * u32::from(self.header_len),
            fate: match self.taken {
                true => Fate::Forwarded(PortId(self.to.into())),
                false => Fate::Dropped(Reason::DeviceRefused),
            },
            probe: false,
        }
    }
}
