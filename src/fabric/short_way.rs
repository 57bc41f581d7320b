//! The short way of a packet: its flow stands, another packet of the flow went the whole way before it, nothing on that
//! way had anything to say of it, and nothing has changed there since.
//!
//! The whole way (see `way`) asks links, faults, guards, gateways, routes and the health of targets at every packet.
//! Where all of them let a packet pass as it is, the flow remembers the ports, together with the fabric's *epoch*, a
//! number that changes with everything that could make one of them answer otherwise. What is done on the short way is
//! done by the same functions as on the whole one; only the questions are left out. Observed on: the kernel's flowtable
//! (`nft add flowtable`), and every load balancer with a fast path.

use super::config::{PortId, is_stand_in};
use super::flow_table::{AT_KERNEL, Guess, Side};
use super::link::Stage;
use super::passage::Transient;
use super::record::{FlowId, Party};
use super::shorthand::Carried;
use super::{Fabric, Leaving, Output};
use crate::packet::plain::{CONTROL, Plain};
use crate::packet::{TCP, UDP, VnetHeader};
use std::time::Duration;

impl Fabric {
    /// Lets a packet go the short way. False: it has none, and nothing was done.
    #[inline(always)]
    pub(super) fn takes_short_way(
        &mut self,
        (id, from, guess): (u64, PortId, Guess),
        now: u64,
        vnet: &VnetHeader,
        packet: &mut [u8],
        out: &mut impl Output,
    ) -> bool {
        if !self.links.get(Stage::Up(from)).is_plain() {
            return false;
        }
        let Some(plain) = Plain::read(vnet, packet) else {
            return false;
        };
        let by = self.side(from);
        // Neither end stands for an IPv6 address, so nothing that is counted hangs on them.
        let Some(onward) = self
            .balancers
            .carry(self.epoch, now, from, by, &plain, guess)
        else {
            return false;
        };
        plain.send_on(packet, onward.ends);
        out.leaving(Leaving {
            id,
            at: Duration::from_nanos(now),
            from_host: true,
            self_sourced: None,
        });
        let taken = out.deliver(onward.to, vnet, packet);
        self.ledger.carried(
            now,
            Carried {
                id,
                from,
                by,
                plain,
                onward,
                taken,
            },
        );
        self.rest(now);
        true
    }

    /// A packet of a flow has come as far as its receiver's link, and passed. When nothing had anything to say of it, the
    /// next ones of its kind need not ask.
    pub(super) fn remember_way(
        &mut self,
        to: PortId,
        transient: &Transient<'_>,
        flow: FlowId,
        by: Party,
    ) {
        let by = match by {
            Party::Client => Side::Client,
            Party::Server => Side::Target,
            Party::Fabric => return,
        };
        let Transient {
            passage, headers, ..
        } = transient;
        let carries = (headers.protocol == TCP || headers.protocol == UDP)
            && headers.flags & CONTROL == 0
            && !headers.fragment;
        let untouched = passage.mapping.is_none()
            && passage.gateway.is_none()
            && !passage.probe
            && !passage.held
            && passage.shifted == 0;
        let (Some(from), true, true) = (passage.sender, carries, untouched) else {
            return;
        };
        let between = self.watch.is_none()
            && self.faults.is_quiet()
            && self.links.get(Stage::Up(from)).is_plain()
            && self.links.get(Stage::Down(to)).is_plain();
        let usual = !self.routes.is_own(to, headers.source())
            && [
                passage.before.from,
                passage.before.to,
                headers.from,
                headers.to,
            ]
            .iter()
            .all(|end| !is_stand_in(*end.ip()));
        let table = self.balancers.table();
        let of_flow = !table.entry(flow).has(AT_KERNEL)
            && table.endpoint(flow).is_none()
            && !self.balancers.proxy_headers().has(flow)
            && self.side(from) == by;
        if between && usual && of_flow {
            self.balancers
                .remember_way(self.epoch, flow, (from, to), by);
        }
    }
}
