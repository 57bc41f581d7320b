//! What the fabric says by itself: RSTs of balancers and NAT gateways, ICMP errors of the router it is, the resolver's answers.

use super::balancer::Farewell;
use super::config::{PortId, is_stand_in};
use super::link::Stage;
use super::passage::{Passage, Transient, tuple};
use super::record::{Answer, Fate, Party, Reason};
use super::routes::Course;
use super::targets::zone_in_dns;
use super::{Fabric, Output};
use crate::packet::answer::{
    IcmpError, datagram, icmp_error, may_be_answered, reset, unasked_reset,
};
use crate::packet::rewrite::{finish_checksum, rewrite};
use crate::packet::stand_in::ROUTER as ROUTER_IPV6;
use crate::packet::{Headers, UDP, VnetHeader, stream};
use std::net::Ipv4Addr;
use std::time::Duration;

/// The fabric's own address as a router: the IPv4 dummy address of RFC 7600 section 4.8.
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);
/// Where a resolver listens.
pub(super) const DNS: u16 = 53;

impl Fabric {
    /// Answers a segment with a RST.
    pub(super) fn reset(
        &mut self,
        at: Duration,
        transient: &mut Transient<'_>,
        answer: Answer,
        out: &mut impl Output,
    ) {
        self.finish(transient, Fate::Answered(answer));
        let passage = transient.passage;
        let client_side = match passage.flow {
            Some(flow) => self.balancers.table().client_side(flow),
            None => passage.before,
        };
        let client_side = self.gateways.as_written(client_side);
        self.end_conversation(&client_side, true, Party::Fabric);
        if let Some(place) = self.routes.endpoint_at(transient.headers.destination()) {
            self.endpoints.answered_with_reset(place);
        }
        if let Some(mut made) = reset(transient.packet, &transient.headers) {
            self.originate(at, (passage, None), &mut made, out);
        }
    }

    /// Answers a question about a name.
    pub(super) fn resolve(
        &mut self,
        at: Duration,
        from: PortId,
        transient: &mut Transient<'_>,
        out: &mut impl Output,
    ) {
        let headers = &transient.headers;
        let asks = headers.protocol == UDP
            && headers.has_ports()
            && !headers.fragment
            && headers.gso_size.is_none()
            && headers.to.port() == DNS;
        if !asks {
            return self.finish(transient, Fate::Dropped(Reason::NoService));
        }
        let message = &transient.packet[headers.payload..headers.total_len];
        let answer = self
            .resolver
            .ask(&self.config, from, message, |balancer, zonal| {
                zone_in_dns(&self.config, self.balancers.targets(), balancer, zonal)
            });
        let Some(answer) = answer else {
            return self.finish(transient, Fate::Dropped(Reason::Malformed));
        };
        let mut made = datagram(headers.to, headers.from, &answer);
        let passage = transient.passage;
        self.finish(transient, Fate::Answered(Answer::Name));
        self.originate(at, (passage, None), &mut made, out);
    }

    /// Answers a packet with an ICMP error, or drops it when that is not allowed. With the error goes the host before whose link the
    /// packet was refused; none: it had not left its sender's place yet.
    pub(super) fn complain(
        &mut self,
        at: Duration,
        transient: &mut Transient<'_>,
        (error, beyond): (IcmpError, Option<PortId>),
        reason: Reason,
        out: &mut impl Output,
    ) {
        let passage = transient.passage;
        let answerable =
            passage.sender.is_some() && may_be_answered(transient.packet, &transient.headers);
        if !answerable {
            return self.finish(transient, Fate::Dropped(reason));
        }
        // Each is told in the family that it speaks, whatever the packet was translated to.
        let answer = match (error, is_stand_in(*passage.before.from.ip())) {
            (IcmpError::FragmentationNeeded(_), false) => Answer::FragmentationNeeded,
            (IcmpError::FragmentationNeeded(_), true) => Answer::PacketTooBig,
            (IcmpError::TimeExceeded, false) => Answer::TtlExceeded,
            (IcmpError::TimeExceeded, true) => Answer::HopLimitExceeded,
        };
        self.finish(transient, Fate::Answered(answer));
        // Its sender must recognise it, so it is quoted as it was before any translation.
        let Transient {
            headers, packet, ..
        } = transient;
        finish_checksum(packet, headers);
        if passage.shifted != 0 {
            stream::advance(packet, headers, passage.shifted.wrapping_neg());
        }
        rewrite(packet, headers, passage.before.from, passage.before.to);
        let router = match is_stand_in(headers.source()) {
            true => self.stand_ins.stand_in(ROUTER_IPV6).unwrap_or(ROUTER),
            false => ROUTER,
        };
        let mut made = icmp_error(error, router, packet, headers);
        self.originate(at, (passage, beyond), &mut made, out);
    }

    /// A balancer's RST crosses subnets as everything else does. The router's own error enters that of the host it tells.
    fn answer_passes(
        &mut self,
        at: Duration,
        to: PortId,
        (about, beyond): (Passage, Option<PortId>),
        transient: &Transient<'_>,
    ) -> Result<(), Reason> {
        if self.watch.is_none() {
            return Ok(());
        }
        if let Some(beyond) = beyond {
            let dialled = self.routes.endpoint_at(*about.before.to.ip());
            return self.error_enters(at, to, transient, (beyond, dialled));
        }
        if !transient.headers.is_reset() {
            return Ok(());
        }
        let endpoint = self.routes.endpoint_at(transient.headers.source());
        let place = match (about.flow, endpoint) {
            (Some(flow), _) => Some(self.balancers.table().place(flow)),
            (None, Some(endpoint)) => self.endpoints.behind(&self.config, endpoint),
            (None, None) => match self.routes.course(to, *about.before.to.ip()) {
                Ok(Course::Balancer {
                    balancer, zonal, ..
                }) => Some((balancer, zonal)),
                Ok(
                    Course::Host { .. }
                    | Course::Secondary { .. }
                    | Course::Endpoint(_)
                    | Course::Resolver
                    | Course::Gateway { .. },
                )
                | Err(_) => None,
            },
        };
        let Some(place) = place else { return Ok(()) };
        self.beyond_balancer(at, to, transient, place, endpoint)
    }

    /// Tells both ends, or one, that a balancer has ended their flow.
    pub(super) fn bid_farewell(&mut self, at: Duration, farewell: Farewell, out: &mut impl Output) {
        let client_side = self.balancers.table().client_side(farewell.flow);
        let client_side = self.gateways.as_written(client_side);
        self.end_conversation(&client_side, true, Party::Fabric);
        for reset in farewell.client.into_iter().chain(farewell.target) {
            let mut packet = unasked_reset(reset.from, reset.to, reset.seq, reset.ack);
            let vnet = VnetHeader::default();
            let Ok(headers) = Headers::parse(&vnet, &packet) else {
                continue;
            };
            let mut transient = Transient {
                passage: Passage {
                    flow: Some(farewell.flow),
                    ..Passage::new(self.ledger.originated(), None, tuple(&headers))
                },
                vnet,
                headers,
                packet: &mut packet,
            };
            if let Some(place) = self.routes.endpoint_at(transient.headers.source()) {
                self.endpoints.answered_with_reset(place);
            }
            if let Some(gateway) = self.gateways.at(*reset.to.ip())
                && self.homeward(at, gateway, &mut transient).is_none()
            {
                continue;
            }
            self.toward_host(at, &mut transient, farewell.flow, Party::Fabric, out);
        }
    }

    /// Sends a packet of the fabric's own to the sender of the one it answers. `beyond`: as of [`Fabric::complain`].
    fn originate(
        &mut self,
        at: Duration,
        (about, beyond): (Passage, Option<PortId>),
        packet: &mut [u8],
        out: &mut impl Output,
    ) {
        let vnet = VnetHeader::default();
        let (Some(to), Ok(headers)) = (about.sender, Headers::parse(&vnet, packet)) else {
            return;
        };
        let id = self.ledger.originated();
        self.mark(id, packet, &headers);
        let mut transient = Transient {
            passage: Passage {
                flow: about.flow,
                mapping: about.mapping,
                gateway: about.gateway,
                probe: about.probe,
                ..Passage::new(id, None, tuple(&headers))
            },
            vnet,
            headers,
            packet,
        };
        if let Some(gateway) = self.gateways.at(*headers.to.ip())
            && self.homeward(at, gateway, &mut transient).is_none()
        {
            return;
        }
        match self.answer_passes(at, to, (about, beyond), &transient) {
            Ok(()) => self.through(at, Stage::Down(to), &mut transient, out),
            Err(reason) => self.finish(&transient, Fate::Dropped(reason)),
        }
    }
}
