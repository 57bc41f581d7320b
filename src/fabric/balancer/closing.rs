//! A flow's life after its opening, as the packets show it: it stands, it ends, and what hangs on its being alive.

use super::super::config::Protocol;
use super::super::flow_table::SourcePort;
use super::super::record::{FlowId, FlowState};
use super::{Balancers, Side};
use crate::packet::{Headers, tcp};

impl Balancers {
    /// True when a target's packet shows that the flow stands: for UDP any, for TCP the SYN-ACK for its latest SYN.
    /// That also revives a flow closed by a RST which the client meant for another connection, unless the client has
    /// begun another flow with the same addresses and ports since.
    pub(super) fn accepts(&mut self, flow: FlowId, headers: &Headers) -> bool {
        let entry = self.table.entry(flow);
        let (state, closed_by_reset) = (entry.state, !(entry.client_fin && entry.target_fin));
        let answered = match entry.protocol {
            Protocol::Udp => true,
            Protocol::Tcp => {
                headers.flags & (tcp::SYN | tcp::ACK | tcp::RST) == tcp::SYN | tcp::ACK
                    && headers.ack == entry.isn.wrapping_add(1)
            }
        };
        match state {
            FlowState::SynSent => answered,
            FlowState::Closed => {
                answered && closed_by_reset && self.table.is_latest(flow) && self.keep_port(flow)
            }
            FlowState::Established | FlowState::Closing | FlowState::Expired => false,
        }
    }

    /// Takes note of a FIN or RST.
    pub(super) fn finish(&mut self, flow: FlowId, headers: &Headers, by: Side) {
        if !headers.is_ending() {
            return;
        }
        let entry = self.table.entry_mut(flow);
        if !entry.is_live() {
            return;
        }
        if headers.flags & tcp::FIN != 0 {
            match by {
                Side::Client => entry.client_fin = true,
                Side::Target => entry.target_fin = true,
            }
        }
        let over = headers.is_reset() || (entry.client_fin && entry.target_fin);
        let state = if over {
            FlowState::Closed
        } else {
            FlowState::Closing
        };
        self.enter(flow, state);
    }

    /// Changes a flow's state, and what hangs on its being alive: the count and its source port.
    pub(super) fn enter(&mut self, flow: FlowId, state: FlowState) {
        let was_live = self.table.entry(flow).is_live();
        self.table.set_state(flow, state);
        let entry = self.table.entry_mut(flow);
        let (node, is_live) = (entry.node, entry.is_live());
        let family = entry.protocol.into();
        if !is_live && entry.source_port == SourcePort::Taken {
            entry.source_port = SourcePort::Returned;
            self.pools
                .release(*entry.source.ip(), entry.target, entry.source.port());
        }
        let group = self.table.group(flow);
        match (was_live, is_live) {
            (true, false) => self.meter.ended(node, group, family),
            (false, true) => self.meter.active(node, group, family),
            (true, true) | (false, false) => {}
        }
    }
}
