//! Where a packet's way meets a NAT gateway: on the way out before it is routed, on the way back when it comes to one
//! of the gateway's addresses; ICMP errors by the packet they quote.

use super::super::config::{GatewayId, PortId, Protocol};
use super::super::flow_table::Key;
use super::super::link::Waiting;
use super::super::passage::{Passage, Transient, tuple};
use super::super::quoted::quoted_protocol;
use super::super::record::{Fate, FlowState, MappingId, Party, Reason, Tuple};
use super::super::{Fabric, Output};
use super::insertion::{Claim, Confirmed};
use super::{ExpiryResets, Reset, Verdict};
use crate::packet::answer::unasked_reset;
use crate::packet::quote::Quote;
use crate::packet::rewrite::rewrite;
use crate::packet::{Headers, VnetHeader};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

impl Fabric {
    /// The gateway by which this packet leaves for the internet.
    fn leaves_by(&self, from: PortId, headers: &Headers) -> Option<GatewayId> {
        let gateway = self.gateways.of(from)?;
        let leaves = self.routes.is_own(from, headers.source())
            && self.routes.is_outside(headers.destination());
        leaves.then_some(gateway)
    }

    /// Through the gateway of the host that sends, where it has one and the packet leaves for the internet. False: this
    /// was the packet's end.
    pub(in super::super) fn outward(
        &mut self,
        at: Duration,
        from: PortId,
        transient: &mut Transient<'_>,
        out: &mut impl Output,
    ) -> bool {
        let Some(gateway) = self.leaves_by(from, &transient.headers) else {
            return true;
        };
        match self.gateways.outward(at, gateway, from, &transient.headers) {
            Verdict::Translate(mapping, source) => {
                transient.passage.mapping = Some(mapping);
                let headers = &mut transient.headers;
                let to = headers.to;
                rewrite(transient.packet, headers, source, to);
                return true;
            }
            Verdict::Wait(turn) => {
                let headers = &mut transient.headers;
                let (inside, to) = (headers.from, headers.to);
                rewrite(transient.packet, headers, turn.outside, to);
                let held = self.hold(turn.due, Waiting::Insertion(gateway), transient);
                self.gateways.wait(gateway, turn, (from, inside), held);
            }
            Verdict::Reset(answer, mapping) => {
                (transient.passage.mapping, transient.passage.gateway) = (mapping, Some(gateway));
                self.reset(at, transient, answer, out);
            }
            Verdict::Drop(reason, mapping) => {
                self.end_at_gateway(transient, gateway, mapping, reason);
            }
        }
        false
    }

    /// From a gateway's address to the host behind it that the packet is for. None: this was the packet's end.
    pub(in super::super) fn homeward(
        &mut self,
        at: Duration,
        gateway: GatewayId,
        transient: &mut Transient<'_>,
    ) -> Option<PortId> {
        match self.gateways.inward(at, gateway, &transient.headers) {
            Verdict::Translate(mapping, inside) => {
                transient.passage.mapping = Some(mapping);
                let headers = &mut transient.headers;
                let from = headers.from;
                rewrite(transient.packet, headers, from, inside);
                Some(self.gateways.mappings.get(mapping).host)
            }
            Verdict::Drop(reason, mapping) => {
                self.end_at_gateway(transient, gateway, mapping, reason);
                None
            }
            Verdict::Reset(..) | Verdict::Wait(..) => {
                unreachable!("what comes from outside is neither answered nor given a port")
            }
        }
    }

    /// A packet's entry is to be inserted into the table now. It goes on, or ends here.
    pub(in super::super) fn confirm(
        &mut self,
        at: Duration,
        gateway: GatewayId,
        claim: Claim,
        transient: &mut Transient<'_>,
        out: &mut impl Output,
    ) {
        let source = transient.headers.from;
        match self
            .gateways
            .confirm(at, gateway, claim, &transient.headers)
        {
            Ok(Confirmed { mapping, outside }) => {
                transient.passage.mapping = Some(mapping);
                if outside != source {
                    let headers = &mut transient.headers;
                    let to = headers.to;
                    rewrite(transient.packet, headers, outside, to);
                }
                self.past_gateway(at, claim.host, transient, out);
            }
            Err(reason) => self.end_at_gateway(transient, gateway, None, reason),
        }
    }

    fn end_at_gateway(
        &mut self,
        transient: &mut Transient<'_>,
        gateway: GatewayId,
        mapping: Option<MappingId>,
        reason: Reason,
    ) {
        (transient.passage.mapping, transient.passage.gateway) = (mapping, Some(gateway));
        self.finish(transient, Fate::Dropped(reason));
    }

    /// ICMP on its way out: an error about a packet that came by a mapping. False: this was the packet's end.
    pub(in super::super) fn error_outward(
        &mut self,
        from: PortId,
        transient: &mut Transient<'_>,
    ) -> bool {
        let Some(gateway) = self.leaves_by(from, &transient.headers) else {
            return true;
        };
        let Some(quote) = Quote::read(transient.packet, &transient.headers) else {
            self.end_at_gateway(transient, gateway, None, Reason::IcmpUnsupported);
            return false;
        };
        let key = quoted_protocol(&quote).map(|protocol| Key::new(protocol, quote.to, quote.from));
        let found = key.and_then(|key| self.gateways.mappings.by_inside(key));
        let Some(mapping) = found.filter(|id| self.is_kept(*id)) else {
            self.end_at_gateway(transient, gateway, None, Reason::IcmpUnrelated);
            return false;
        };
        let outside = self.gateways.mappings.get(mapping).outside;
        transient.passage.mapping = Some(mapping);
        let headers = &mut transient.headers;
        quote.rewrite(transient.packet, headers, quote.from, outside);
        let to = headers.to;
        rewrite(transient.packet, headers, bare(*outside.ip()), to);
        true
    }

    /// An ICMP error for one of a gateway's addresses, about a packet that left by a mapping. `source`: as whom the
    /// internet sees its sender. None: this was the packet's end.
    pub(in super::super) fn error_homeward(
        &mut self,
        gateway: GatewayId,
        source: Ipv4Addr,
        transient: &mut Transient<'_>,
    ) -> Option<(PortId, Ipv4Addr)> {
        let Some(quote) = Quote::read(transient.packet, &transient.headers) else {
            self.end_at_gateway(transient, gateway, None, Reason::IcmpUnsupported);
            return None;
        };
        // What a host with a public address quotes is addressed to its own.
        let own = transient.headers.source();
        let remote = match *quote.to.ip() == own {
            true => SocketAddrV4::new(source, quote.to.port()),
            false => quote.to,
        };
        let key = quoted_protocol(&quote).map(|protocol| Key::new(protocol, remote, quote.from));
        let found = key.and_then(|key| self.gateways.mappings.by_outside(key));
        let Some(mapping) = found.filter(|id| self.is_kept(*id)) else {
            self.end_at_gateway(transient, gateway, None, Reason::IcmpUnrelated);
            return None;
        };
        let found = self.gateways.mappings.get(mapping);
        let (inside, host) = (found.inside, found.host);
        transient.passage.mapping = Some(mapping);
        let headers = &mut transient.headers;
        quote.rewrite(transient.packet, headers, inside, remote);
        let from = headers.from;
        rewrite(transient.packet, headers, from, bare(*inside.ip()));
        Some((host, *inside.ip()))
    }

    fn is_kept(&self, mapping: MappingId) -> bool {
        self.gateways.mappings.get(mapping).state != FlowState::Expired
    }

    /// As whom the internet sees the host of a packet that goes by a mapping.
    pub(in super::super) fn outside_of(&self, passage: &Passage) -> Option<Ipv4Addr> {
        let mapping = self.gateways.mappings.get(passage.mapping?);
        Some(*mapping.outside.ip())
    }

    /// Tells both ends of connections that have expired, where a gateway does that.
    pub(in super::super) fn bid_gateway_farewells(&mut self, at: Duration, out: &mut impl Output) {
        while let Some(farewell) = self.gateways.farewells.pop_front() {
            let ExpiryResets {
                mapping,
                inside,
                outside,
            } = farewell;
            let client_side = Tuple {
                protocol: Protocol::Tcp,
                from: inside.to,
                to: inside.from,
            };
            self.end_conversation(&client_side, true, Party::Fabric);
            self.send_gateway_reset(at, mapping, inside, true, out);
            self.send_gateway_reset(at, mapping, outside, false, out);
        }
    }

    fn send_gateway_reset(
        &mut self,
        at: Duration,
        mapping: MappingId,
        reset: Reset,
        homeward: bool,
        out: &mut impl Output,
    ) {
        let mut packet = unasked_reset(reset.from, reset.to, reset.seq, reset.ack);
        let vnet = VnetHeader::default();
        let Ok(headers) = Headers::parse(&vnet, &packet) else {
            return;
        };
        let (host, gateway) = {
            let mapping = self.gateways.mappings.get(mapping);
            (mapping.host, mapping.gateway)
        };
        let mut transient = Transient {
            passage: Passage {
                mapping: Some(mapping),
                gateway: Some(gateway),
                ..Passage::new(self.ledger.originated(), None, tuple(&headers))
            },
            vnet,
            headers,
            packet: &mut packet,
        };
        if homeward {
            self.come_to(at, host, &mut transient, None, out);
        } else {
            self.decide(at, host, &mut transient, out);
        }
    }
}

fn bare(address: Ipv4Addr) -> SocketAddrV4 {
    SocketAddrV4::new(address, 0)
}
