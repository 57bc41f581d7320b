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
use super::passage::{Passage, Transient};
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
        if let Some(from) = untouched(transient)
            && self.is_silent((from, to), transient, (flow, by))
        {
            self.balancers
                .remember_way(self.epoch, flow, (from, to), by);
        }
    }

    /// True when no part of the network has anything to say of packets of this kind until the epoch changes. All parts are
    /// named: a new one does not compile before it is decided what it is to packets that go the short way.
    fn is_silent(
        &mut self,
        (from, to): (PortId, PortId),
        transient: &Transient<'_>,
        (flow, by): (FlowId, Side),
    ) -> bool {
        let Self {
            // Elements that look at every packet: only where they are at rest.
            watch,
            faults,
            links,
            // Those that look at addresses, or at what a flow has.
            routes,
            sides,
            balancers,
            // Those that a packet shows to have met it, or that are met by fragments, by ICMP and by what begins or ends a
            // connection (see `untouched`); an endpoint's flows are told from others below.
            gateways: _,
            resolver: _,
            fragments: _,
            recycle: _,
            conversations: _,
            endpoints: _,
            // At the edge of nodes: what is for a service, or comes from one, is on no balancer's flow. A service's address is no
            // balancer's, and a pod's answer to one comes from the pod itself.
            service_proxies: _,
            // What all of them are made of, names, and what is said of them: nothing a packet meets.
            config: _,
            stand_ins: _,
            listings: _,
            noted: _,
            // Books: they are kept on the short way, too (see `shorthand`).
            ledger: _,
            self_sourced: _,
            // Time, and what is kept for speed.
            arrivals: _,
            sequence: _,
            epoch: _,
            quiet_until: _,
            settled: _,
            scratch: _,
            spare: _,
            now: _,
        } = self;
        let Transient {
            passage, headers, ..
        } = transient;
        let between = watch.is_none()
            && faults.is_quiet()
            && links.get(Stage::Up(from)).is_plain()
            && links.get(Stage::Down(to)).is_plain();
        let usual = !routes.is_own(to, headers.source())
            && [
                passage.before.from,
                passage.before.to,
                headers.from,
                headers.to,
            ]
            .iter()
            .all(|end| !is_stand_in(*end.ip()));
        let table = balancers.table();
        let of_flow = !table.entry(flow).has(AT_KERNEL)
            && table.endpoint(flow).is_none()
            && !balancers.proxy_headers().has(flow)
            && sides[from.0 as usize] == by;
        between && usual && of_flow
    }
}

/// The sender of a packet whose likes may go the short way: it carries data of TCP or UDP, and nothing has been done to it that is
/// not done there. Everything that is known of a passage is named: what is new must be decided here.
#[inline]
fn untouched(transient: &Transient<'_>) -> Option<PortId> {
    let Passage {
        sender,
        mapping: None,
        gateway: None,
        probe: false,
        held: false,
        shifted: 0,
        id: _,
        before: _,
        flow: _,
    } = transient.passage
    else {
        return None;
    };
    let headers = &transient.headers;
    let carries = (headers.protocol == TCP || headers.protocol == UDP)
        && headers.flags & CONTROL == 0
        && !headers.fragment;
    sender.filter(|_| carries)
}
