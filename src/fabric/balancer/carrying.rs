//! Packets of flows that stand, which go the short way (see `short_way`): found by one look-up, counted like all others.

use super::super::config::PortId;
use super::super::flow_table::Key;
use super::super::record::{FlowId, Party};
use super::{Balancers, protocol};
use crate::packet::Headers;
use std::net::SocketAddrV4;
use std::time::Duration;

impl Balancers {
    /// The flow of a packet that this side sends from a port, and where it goes when the way there is known.
    #[inline]
    pub fn short_way(
        &self,
        epoch: u32,
        from: PortId,
        by: Party,
        headers: &Headers,
    ) -> Option<(FlowId, PortId)> {
        let key = Key::new(protocol(headers)?, headers.from, headers.to);
        let flow = match by {
            Party::Client => self.table.by_client(key)?,
            Party::Server => self.table.by_target(key)?,
            Party::Fabric => return None,
        };
        let to = self.table.entry(flow).way(epoch, from, by)?;
        Some((flow, to))
    }

    /// The ends that a packet of this side gets.
    #[inline]
    pub fn ends(&self, flow: FlowId, by: Party) -> (SocketAddrV4, SocketAddrV4) {
        let entry = self.table.entry(flow);
        match by {
            Party::Client | Party::Fabric => (entry.source, entry.target),
            Party::Server => (entry.zonal, entry.client),
        }
    }

    /// A packet of this side travels on its flow.
    #[inline]
    pub fn carry(&mut self, now: Duration, flow: FlowId, by: Party, headers: &Headers) {
        match by {
            Party::Client | Party::Fabric => self.forward_to_target(now, flow, headers),
            Party::Server => self.forward_to_client(now, flow, headers),
        };
    }

    /// See [`super::super::flow_table::Entry::remember_way`].
    pub fn remember_way(
        &mut self,
        epoch: u32,
        flow: FlowId,
        (from, to): (PortId, PortId),
        by: Party,
    ) {
        self.table.entry_mut(flow).remember_way(epoch, from, to, by);
    }
}
