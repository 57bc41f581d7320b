//! Packets of flows that stand, which go the short way (see `short_way`): found by one look-up, counted like all others.

use super::super::config::{PortId, Protocol};
use super::super::flow_table::{Guess, Key, Side};
use super::super::record::FlowId;
use super::Balancers;
use crate::packet::ends::Ends;
use crate::packet::plain::Plain;
use crate::packet::{TCP, tcp};

/// How a packet goes on.
pub struct Onward {
    /// Its flow.
    pub flow: FlowId,
    /// Where it goes.
    pub to: PortId,
    /// With which ends.
    pub ends: Ends,
}

impl Balancers {
    /// See [`super::super::flow_table::FlowTable::foresee`].
    pub fn foresee<'a>(&mut self, packets: impl Iterator<Item = (Side, &'a [u8])>) {
        self.table.foresee(packets);
    }

    /// See [`super::super::flow_table::FlowTable::next_guess`].
    #[inline]
    pub fn next_guess(&mut self) -> Guess {
        self.table.next_guess()
    }

    /// A packet that this side sends from a port travels on its flow, if it has one and the way is known.
    #[inline(always)]
    pub fn carry(
        &mut self,
        epoch: u32,
        now: u64,
        from: PortId,
        by: Side,
        packet: &Plain,
        guess: Guess,
    ) -> Option<Onward> {
        let protocol = match packet.protocol {
            TCP => Protocol::Tcp,
            _ => Protocol::Udp,
        };
        let key = Key::of(protocol, packet.ends);
        let flow = self.table.find_guessed(by, key, guess)?;
        let entry = self.table.entry_mut(flow);
        let to = entry.way(epoch, from, by)?;
        entry.touch(now);
        if protocol == Protocol::Tcp {
            // No mark counts in plain packets, and nothing was put into streams that have a way.
            let end = packet.seq.wrapping_add(packet.payload_len());
            entry.progress(
                by,
                end,
                (packet.flags & tcp::ACK != 0).then_some(packet.ack),
            );
        }
        let ends = entry.ends_beyond(by);
        let (node, family) = (entry.node, entry.family());
        let (packets, bytes) = packet.on_wire();
        self.meter
            .carried(node, family, (packets.into(), bytes.into()));
        Some(Onward { flow, to, ends })
    }

    /// See [`super::super::flow_table::Entry::remember_way`].
    pub fn remember_way(
        &mut self,
        epoch: u32,
        flow: FlowId,
        (from, to): (PortId, PortId),
        by: Side,
    ) {
        self.table.entry_mut(flow).remember_way(epoch, from, to, by);
    }
}
