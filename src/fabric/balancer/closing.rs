//! A flow's life after its opening, as the packets show it: it stands, it ends, and what hangs on its being alive.

use super::super::config::Protocol;
use super::super::flow_table::{CLIENT_FIN, Side, SourcePort, TARGET_FIN};
use super::super::record::{FlowId, FlowState};
use super::Balancers;
use crate::packet::{Headers, TCP, tcp};
use std::time::Duration;

impl Balancers {
    /// True when a target's packet shows that the flow stands: for UDP any, for TCP the SYN-ACK for its latest SYN.
    /// That also revives a flow closed by a RST which the client meant for another connection, unless the client has
    /// begun another flow with the same addresses and ports since.
    #[inline]
    pub(super) fn accepts(&mut self, flow: FlowId, headers: &Headers) -> bool {
        let entry = self.table.entry(flow);
        let (state, closed_by_reset) = (entry.state(), !entry.has(CLIENT_FIN | TARGET_FIN));
        let answered = match entry.protocol {
            Protocol::Udp => true,
            Protocol::Tcp => {
                headers.flags & (tcp::SYN | tcp::ACK | tcp::RST) == tcp::SYN | tcp::ACK
                    && headers.ack == entry.isn().wrapping_add(1)
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

    /// Takes note of what the two ends expect next: what was sent to them, and what they acknowledge.
    #[inline]
    pub(super) fn track(&mut self, flow: FlowId, headers: &Headers, by: Side) {
        if headers.protocol != TCP || headers.is_reset() {
            return;
        }
        // In the client's numbers, whatever was put before its stream.
        let ack = match by {
            Side::Client => headers.ack,
            Side::Target => headers.ack.wrapping_sub(self.proxy_headers.shift(flow)),
        };
        let entry = self.table.entry_mut(flow);
        let marks =
            u32::from(headers.flags & tcp::SYN != 0) + u32::from(headers.flags & tcp::FIN != 0);
        let end = headers
            .seq
            .wrapping_add(headers.payload_len() as u32)
            .wrapping_add(marks);
        if headers.flags & tcp::SYN != 0 {
            entry.begin(by, end);
        }
        entry.progress(by, end, (headers.flags & tcp::ACK != 0).then_some(ack));
    }

    /// Takes note of a FIN or RST.
    #[inline]
    pub(super) fn finish(&mut self, now: Duration, flow: FlowId, headers: &Headers, by: Side) {
        if !headers.is_ending() {
            return;
        }
        if headers.is_reset() {
            self.going_on.remove(&flow);
        }
        let entry = self.table.entry_mut(flow);
        if !entry.is_live() {
            return;
        }
        if headers.flags & tcp::FIN != 0 {
            match by {
                Side::Client => entry.mark(CLIENT_FIN),
                Side::Target => entry.mark(TARGET_FIN),
            }
        }
        let over = headers.is_reset() || entry.has(CLIENT_FIN | TARGET_FIN);
        let state = if over {
            FlowState::Closed
        } else {
            FlowState::Closing
        };
        self.enter(now, flow, state);
    }

    /// A RST that its receiver does not believe ends nothing (RFC 9293 section 3.10.7.4: its number must be the one expected), and who
    /// is wrongly said to have sent it knows of none: where both ends go on after it, the flow is alive. After one that was true
    /// neither does but for what was under way then.
    #[inline]
    pub(super) fn goes_on(&mut self, now: Duration, flow: FlowId, headers: &Headers, by: Side) {
        let entry = self.table.entry(flow);
        let closed_by_reset =
            entry.state() == FlowState::Closed && !entry.has(CLIENT_FIN | TARGET_FIN);
        let marks = headers.flags & (tcp::SYN | tcp::ACK | tcp::RST);
        if !closed_by_reset || marks != tcp::ACK {
            return;
        }
        let half_closed = entry.has(CLIENT_FIN) || entry.has(TARGET_FIN);
        match self.going_on.get(&flow) {
            Some(other) if *other == by.other() => {
                self.going_on.remove(&flow);
                if self.table.is_latest(flow) && self.keep_port(flow) {
                    let state = match half_closed {
                        true => FlowState::Closing,
                        false => FlowState::Established,
                    };
                    self.enter(now, flow, state);
                }
            }
            Some(_) | None => {
                self.going_on.insert(flow, by);
            }
        }
    }

    /// Changes a flow's state, and what hangs on its being alive: the count and its source port.
    pub(super) fn enter(&mut self, now: Duration, flow: FlowId, state: FlowState) {
        let was_live = self.table.entry(flow).is_live();
        self.table.set_state(flow, state);
        let entry = self.table.entry_mut(flow);
        let (node, is_live) = (entry.node, entry.is_live());
        let family = entry.family();
        if !is_live && entry.source_port == SourcePort::Taken {
            entry.source_port = SourcePort::Returned;
            let source = entry.source();
            self.pools
                .rest(now, *source.ip(), entry.target(), source.port());
        }
        if !is_live {
            self.end_loan(now, flow);
        }
        let group = self.table.group(flow);
        match (was_live, is_live) {
            (true, false) => self.meter.ended(node, group, family),
            (false, true) => self.meter.active(node, group, family),
            (true, true) | (false, false) => {}
        }
    }
}
