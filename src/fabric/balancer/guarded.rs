//! A balancer's own security groups. They are asked where a flow begins; what follows is tracked by the flow, so
//! it passes whatever becomes of the rules.
//!
//! Observed on: AWS Network Load Balancers with security groups. Inbound rules are for clients, outbound rules for
//! targets; what they block is dropped without a word and shows in these counters only.

use super::super::guard::rules::{Direction, View};
use super::super::guard::{AtGuard, Gate};
use super::super::record::Reason;
use super::{Arrival, Balancers};
use crate::packet::{Headers, TCP};
use std::net::SocketAddrV4;
use std::time::Duration;

impl Balancers {
    /// Whether a new flow may come in, or go out to its target, with these ends.
    pub(super) fn asked(
        &mut self,
        gate: Option<&mut Gate<'_>>,
        now: Duration,
        headers: &Headers,
        at: Arrival,
        direction: Direction,
        (from, to): (SocketAddrV4, SocketAddrV4),
    ) -> Result<(), Reason> {
        let Some(gate) = gate else { return Ok(()) };
        if at.endpoint.is_some()
            && direction == Direction::In
            && !gate.watch.judges_private_link(at.balancer)
        {
            return Ok(());
        }
        let crossing = AtGuard {
            at: now,
            packet: at.packet,
            view: View {
                protocol: headers.protocol,
                from,
                to,
            },
            headers,
            probe: false,
            stand_ins: gate.stand_ins,
        };
        let answer = gate
            .watch
            .balancer(at.balancer, at.zonal, direction, &crossing);
        // Counted are flows and messages, not what strays.
        if answer.is_err() && (headers.protocol != TCP || headers.is_opening()) {
            let node = self.meter.node(at.balancer, at.zonal);
            self.meter.blocked(node, direction, headers.protocol);
        }
        answer
    }

    /// An ICMP message for the balancer, about no flow of its.
    pub fn message(
        &mut self,
        gate: Option<&mut Gate<'_>>,
        now: Duration,
        headers: &Headers,
        at: Arrival,
    ) -> Result<(), Reason> {
        let from = SocketAddrV4::new(at.source, 0);
        let ends = (from, headers.to);
        self.asked(gate, now, headers, at, Direction::In, ends)
    }
}
