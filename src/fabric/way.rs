//! A packet's way through the fabric: host's edge, up link, hop, translation, down link, host.
//!
//! Links are crossed in `crossing`, answers made in `reply`, ICMP is in `icmp`, kernels of zonal addresses in
//! `kernels`. There and here every function ends in exactly one of:
//! the next function, a hold in a link, or [`Fabric::finish`], which writes the packet's fate into the books.

use super::balancer::{Arrival, Decision};
use super::config::{BalancerId, EndpointPlace, GatewayId, Numbers, PortId, Protocol, is_stand_in};
use super::conversation::reversed;
use super::flow_table::{AT_KERNEL, Key, Side};
use super::guard::Gate;
use super::link::Stage;
use super::passage::{Passage, Transient, tuple};
use super::record::{Answer, Fate, FlowId, Party, Reason, Tuple};
use super::routes::Course;
use super::service_proxy::Treatment;
use super::{Fabric, Output};
use crate::packet::answer::IcmpError;
use crate::packet::rewrite::rewrite;
use crate::packet::{Headers, ICMP, Ipv4Packet, Malformed, TCP, VnetHeader, tcp};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// A SYN sent again sooner than this does not come from a kernel before 5.6 (commit 9603d47bad46).
const CLASSIC_RESEND: Duration = Duration::from_millis(900);

impl Fabric {
    /// At the host's edge: is it a packet, and may this host send it?
    #[inline(never)]
    pub(super) fn enter(
        &mut self,
        (id, from): (u64, PortId),
        mut vnet: VnetHeader,
        mut packet: &mut [u8],
        out: &mut impl Output,
    ) {
        self.catch_up(out);
        let mut headers = Headers::unknown(packet.len());
        let mut parsed = headers.read(&vnet, packet);
        let is_ipv6 = packet.first().is_some_and(|first| first >> 4 == 6);
        if is_ipv6 {
            let read = self.read_ipv6(&mut vnet, &mut packet);
            parsed = read.map(|read| headers = read);
        }
        if parsed.is_err() {
            headers = Headers::unknown(packet.len());
        } else if self.links.get(Stage::Up(from)).numbers() != Numbers::default() {
            self.renumber_outward(from, id, &mut headers, packet);
        }
        if parsed.is_ok() {
            self.mark(id, packet, &headers);
        }
        let served = match parsed {
            Ok(_) => self.leave_node(from, packet, &mut headers),
            Err(_) => Treatment::Pass,
        };
        let passage = Passage {
            probe: self.routes.kernel_of(from).is_some()
                && !self.is_of_terminator(from, headers.from.port()),
            ..Passage::new(id, Some(from), tuple(&headers))
        };
        let refused = match parsed {
            Err(Malformed::NotIpv4 | Malformed::NotIpv6) => Some(Reason::NotIpv4),
            Err(Malformed::Untranslatable) => Some(Reason::Untranslatable),
            Err(
                Malformed::Truncated | Malformed::Length | Malformed::Checksum | Malformed::Offload,
            ) => Some(Reason::Malformed),
            Ok(_) if !self.routes.may_send(from, headers.source()) => Some(Reason::SpoofedSource),
            // No address that any host can have; here it would be taken for another's.
            Ok(_) if !is_ipv6 && is_stand_in(headers.destination()) => Some(Reason::NoRoute),
            Ok(_) if passage.probe => None,
            Ok(_) => match served {
                Treatment::Drop(reason) => Some(reason),
                // Where it was for is nobody whom an attempt could be noted of.
                Treatment::Refuse => None,
                Treatment::Pass | Treatment::To(_) | Treatment::From(_) => {
                    self.leave_host(from, &passage.before, &headers)
                }
            },
        }
        .or_else(|| self.faults.is_down(from).then_some(Reason::LinkDown));
        let mut transient = Transient {
            passage,
            vnet,
            headers,
            packet: &mut packet[..headers.total_len],
        };
        match refused {
            Some(reason) => self.finish(&transient, Fate::Dropped(reason)),
            None if served == Treatment::Refuse && transient.headers.protocol == TCP => {
                self.reset(self.now, &mut transient, Answer::ResetNoEntry, out);
            }
            None => self.through(self.now, Stage::Up(from), &mut transient, out),
        }
    }

    /// What a node's service proxy makes of what leaves the node: its headers then are those of the wire.
    fn leave_node(&mut self, from: PortId, packet: &mut [u8], headers: &mut Headers) -> Treatment {
        let proxy = self.config.service_proxy.as_deref();
        let treatment = self.service_proxies.leaves(self.now, from, headers, proxy);
        if let Treatment::To(pod) = treatment {
            let source = headers.from;
            rewrite(packet, headers, source, pod);
        }
        treatment
    }

    /// The kernel that a quirk stands for, and the count of SYNs that left their client.
    fn leave_host(&mut self, from: PortId, before: &Tuple, headers: &Headers) -> Option<Reason> {
        if headers.flags & tcp::FIN != 0
            && let Some(Some(recycle)) = self.recycle.get_mut(from.0 as usize)
        {
            recycle.sends(reversed(before), headers);
        }
        if !headers.is_opening() {
            return None;
        }
        let flows = self.balancers.table();
        let classic = self.config.ports[from.0 as usize].quirks.syn_resend_classic;
        let too_soon = || {
            self.conversations
                .since_same_syn(flows, self.now, before, headers.seq)
                .is_some_and(|since| since < CLASSIC_RESEND)
        };
        if classic && too_soon() {
            return Some(Reason::KernelQuirk);
        }
        self.conversations
            .syn(flows, self.now, *before, headers.seq);
        None
    }

    /// One hop further, then the decision.
    pub(super) fn hop(
        &mut self,
        at: Duration,
        from: PortId,
        transient: &mut Transient<'_>,
        out: &mut impl Output,
    ) {
        let ip = Ipv4Packet::new_checked(&mut *transient.packet);
        match ip {
            Ok(mut ip) if ip.time_to_live() > 1 => ip.decrement_time_to_live(),
            Ok(_) | Err(_) => {
                let error = (IcmpError::TimeExceeded, None);
                return self.complain(at, transient, error, Reason::TtlExceeded, out);
            }
        }
        if transient.headers.fragment {
            self.fragments.recognise(at, &mut transient.headers);
            // So the record has the same ports before and after.
            transient.passage.before = tuple(&transient.headers);
        }
        if self
            .faults
            .takes_early(&transient.passage, &transient.headers)
        {
            return self.finish(transient, Fate::Dropped(Reason::DropRule));
        }
        if let Err(reason) = self.leaves_interface(at, from, transient) {
            return self.finish(transient, Fate::Dropped(reason));
        }
        if transient.headers.protocol == ICMP {
            self.error_message(at, from, transient, out);
        } else {
            self.decide(at, from, transient, out);
        }
    }

    /// Packets of targets by their way back, before any routing; then the NAT gateway of their sender; then balancers; then
    /// the internet gateway; then hosts.
    pub(super) fn decide(
        &mut self,
        at: Duration,
        from: PortId,
        transient: &mut Transient<'_>,
        out: &mut impl Output,
    ) {
        let way_back = if self.side(from) == Side::Target {
            let headers = &transient.headers;
            let found = self.balancers.way_back(headers);
            found.or_else(|| self.way_back_of_part(at, headers))
        } else {
            None
        };
        if way_back.is_none() && !self.outward(at, from, transient, out) {
            return;
        }
        if let Some(flow) = way_back {
            if transient.headers.is_untraceable() {
                return self.finish(transient, Fate::Dropped(Reason::Fragment));
            }
            if let Err(reason) = self.back_to_balancer(at, from, transient, flow) {
                transient.passage.flow = Some(flow);
                return self.finish(transient, Fate::Dropped(reason));
            }
            let decision = self.balancers.toward_client(at, flow, &transient.headers);
            self.carry_out(at, transient, decision, Party::Server, out);
        } else {
            self.past_gateway(at, from, transient, out);
        }
    }

    /// The way back of the packet that a later fragment of TCP is of. Those of UDP know their ports themselves.
    fn way_back_of_part(&self, at: Duration, headers: &Headers) -> Option<FlowId> {
        if !headers.fragment || headers.protocol != TCP || headers.has_ports() {
            return None;
        }
        let (from, to) = self.fragments.ends(at, headers)?;
        let key = Key::new(Protocol::Tcp, from, to);
        self.balancers.table().find(Side::Target, key)
    }

    /// A packet that no way back was set up for goes where its destination leads, with the source that the network sees.
    pub(super) fn past_gateway(
        &mut self,
        at: Duration,
        from: PortId,
        transient: &mut Transient<'_>,
        out: &mut impl Output,
    ) {
        if let Some(decision) = self.by_course(at, from, transient, out) {
            self.carry_out(at, transient, decision, Party::Client, out);
        }
    }

    /// What the balancer decides that a packet is for. None: it was for none, and has gone its way.
    fn by_course(
        &mut self,
        at: Duration,
        from: PortId,
        transient: &mut Transient<'_>,
        out: &mut impl Output,
    ) -> Option<Decision> {
        let headers = &transient.headers;
        let course = self
            .routes
            .course_from(from, headers.source(), headers.destination());
        let offered = match course {
            Err(reason) => Err(reason),
            Ok(Course::Host {
                source,
                destination,
                port,
            }) => {
                let ends = (source, destination);
                self.direct(at, from, transient, ends, port, out);
                return None;
            }
            Ok(Course::Resolver) => {
                self.resolve(at, from, transient, out);
                return None;
            }
            Ok(Course::Gateway { source, gateway }) => {
                self.reach_gateway(at, from, transient, (source, gateway), out);
                return None;
            }
            Ok(Course::Balancer {
                source,
                balancer,
                zonal,
                kernel,
            }) => {
                let kernel =
                    kernel.filter(|kernel| self.answers_kernel(from, balancer, *kernel, headers));
                let checks = |kernel| !self.is_of_terminator(kernel, headers.to.port());
                transient.passage.probe = kernel.is_some_and(checks);
                let arrival = Arrival::direct(source, (balancer, zonal), transient.passage.id);
                if let Some(kernel) = kernel {
                    self.offer_kernel(at, from, transient, arrival, kernel, out);
                    return None;
                }
                self.offer_balancer(at, from, transient, arrival)
            }
            Ok(Course::Secondary {
                source,
                balancer,
                zonal,
                kernel,
            }) if self.answers_kernel(from, balancer, kernel, headers) => {
                let arrival = Arrival::direct(source, (balancer, zonal), transient.passage.id);
                transient.passage.probe = !self.is_of_terminator(kernel, headers.to.port());
                self.offer_kernel(at, from, transient, arrival, kernel, out);
                return None;
            }
            Ok(Course::Secondary { .. }) => Err(Reason::NoListener),
            Ok(Course::Endpoint(place)) => self
                .by_endpoint(place, transient)
                .and_then(|arrival| self.offer_balancer(at, from, transient, arrival)),
        };
        match offered {
            Ok(decision) => Some(decision),
            Err(reason) => {
                self.finish(transient, Fate::Dropped(reason));
                None
            }
        }
    }

    /// Does as a balancer decided. `party` sent the packet.
    fn carry_out(
        &mut self,
        at: Duration,
        transient: &mut Transient<'_>,
        decision: Decision,
        party: Party,
        out: &mut impl Output,
    ) {
        match decision {
            Decision::Forward { flow, from, to } => {
                transient.passage.flow = Some(flow);
                rewrite(transient.packet, &mut transient.headers, from, to);
                if !self.balancers.proxy_headers().is_empty() {
                    self.shift(at, flow, party, transient, out);
                }
                if let Some(gateway) = self.gateways.at(*to.ip())
                    && self.homeward(at, gateway, transient).is_none()
                {
                    return;
                }
                self.note(transient, Some(party));
                if !self.config.endpoints.is_empty()
                    && let Some(place) = self.balancers.table().endpoint(flow)
                {
                    self.endpoints.carried(place, party, &transient.headers);
                }
                self.toward_host(at, transient, flow, party, out);
            }
            Decision::Reset { answer, flow } => {
                transient.passage.flow = flow;
                self.reset(at, transient, answer, out);
            }
            Decision::Drop { reason, flow } => {
                transient.passage.flow = flow;
                self.finish(transient, Fate::Dropped(reason));
            }
        }
    }

    /// A packet that came to an endpoint's interface, as the balancer behind it meets it.
    pub(super) fn by_endpoint(
        &mut self,
        place: EndpointPlace,
        transient: &Transient<'_>,
    ) -> Result<Arrival, Reason> {
        let (balancer, zonal) = self
            .endpoints
            .behind(&self.config, place)
            .ok_or(Reason::EndpointWithoutService)?;
        Ok(Arrival {
            source: transient.headers.source(),
            balancer,
            zonal,
            endpoint: Some(place),
            packet: transient.passage.id,
        })
    }

    /// What a balancer does with a packet for one of its listeners.
    pub(super) fn offer_balancer(
        &mut self,
        at: Duration,
        from: PortId,
        transient: &Transient<'_>,
        arrival: Arrival,
    ) -> Result<Decision, Reason> {
        if transient.headers.is_untraceable() {
            return Err(Reason::Fragment);
        }
        self.toward_balancer(at, from, transient, arrival)?;
        let gate = Gate::of(&mut self.watch, &self.stand_ins);
        let headers = &transient.headers;
        Ok(self.balancers.toward_target(at, headers, arrival, gate))
    }

    /// From host to host, perhaps across the gateway.
    pub(super) fn direct(
        &mut self,
        at: Duration,
        from: PortId,
        transient: &mut Transient<'_>,
        (source, destination): (Ipv4Addr, Ipv4Addr),
        port: PortId,
        out: &mut impl Output,
    ) {
        let ends = (source, destination);
        if let Err(reason) = self.reach_proxy(port, transient) {
            return self.finish(transient, Fate::Dropped(reason));
        }
        if let Err(reason) = self.between_hosts(at, from, port, transient, ends) {
            return self.finish(transient, Fate::Dropped(reason));
        }
        let headers = &mut transient.headers;
        if source != headers.source() || destination != headers.destination() {
            let new_from = SocketAddrV4::new(source, headers.from.port());
            let new_to = SocketAddrV4::new(destination, headers.to.port());
            rewrite(transient.packet, headers, new_from, new_to);
        }
        if headers.is_opening() {
            self.balancers.make_way(headers);
        }
        let sender = self.routes.kernel_of(from);
        let kernel_sends = sender.is_some();
        let kernel = sender.or(self.routes.kernel_of(port));
        match kernel {
            Some((balancer, zonal)) if transient.passage.probe => {
                self.balancers.checked(balancer, zonal, headers)
            }
            Some(place) => {
                self.balancers
                    .proxied(&self.config, place, kernel_sends, headers);
                self.note(transient, None);
            }
            None => self.note(transient, None),
        }
        self.come_to(at, port, transient, None, out);
    }

    /// From a host to a NAT gateway's address, which sees this source, and on to the host behind it.
    fn reach_gateway(
        &mut self,
        at: Duration,
        from: PortId,
        transient: &mut Transient<'_>,
        (source, gateway): (Ipv4Addr, GatewayId),
        out: &mut impl Output,
    ) {
        let sent_from = transient.headers.from;
        let seen = SocketAddrV4::new(source, sent_from.port());
        let to = transient.headers.to;
        rewrite(transient.packet, &mut transient.headers, seen, to);
        if let Some(host) = self.homeward(at, gateway, transient) {
            let ends = (source, transient.headers.destination());
            self.direct(at, from, transient, ends, host, out);
        }
    }

    /// From the zonal address of a flow to whichever host has the destination address.
    pub(super) fn toward_host(
        &mut self,
        at: Duration,
        transient: &mut Transient<'_>,
        flow: FlowId,
        sender: Party,
        out: &mut impl Output,
    ) {
        let destination = transient.headers.destination();
        let kernel = || {
            let terminated = self.balancers.table().entry(flow).has(AT_KERNEL);
            terminated.then(|| self.routes.kernel_at(destination))?
        };
        let Some(port) = self.routes.host(destination).or_else(kernel) else {
            return self.finish(transient, Fate::Dropped(Reason::NoRoute));
        };
        let balancer = self.balancers.table().entry(flow).balancer;
        if sender == Party::Client && !self.routes.leads(balancer, port) {
            return self.finish(transient, Fate::Dropped(Reason::NotRoutable));
        }
        if let Err(reason) = self.beyond_flow(at, port, transient, flow) {
            return self.finish(transient, Fate::Dropped(reason));
        }
        self.remember_way(port, transient, flow, sender);
        let through = match sender {
            Party::Client => Some(balancer),
            Party::Server | Party::Fabric => None,
        };
        self.come_to(at, port, transient, through, out);
    }

    /// To a host. `through`: the balancer whose target it is.
    pub(super) fn come_to(
        &mut self,
        at: Duration,
        port: PortId,
        transient: &mut Transient<'_>,
        through: Option<BalancerId>,
        out: &mut impl Output,
    ) {
        match self.enters_interface(at, port, transient, through) {
            Ok(()) => self.through(at, Stage::Down(port), transient, out),
            Err(reason) => self.finish(transient, Fate::Dropped(reason)),
        }
    }

    /// A packet's end.
    pub(super) fn finish(&mut self, transient: &Transient<'_>, fate: Fate) {
        self.ledger
            .finished(self.now, &transient.passage, &transient.headers, fate);
    }
}
