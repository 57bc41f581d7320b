//! A packet's way through the fabric: host's edge, up link, hop, translation, down link, host.
//!
//! Links are crossed in `crossing`, answers made in `reply`. There and here every function ends in exactly one of:
//! the next function, a hold in a link, or [`Fabric::finish`], which writes the packet's fate into the books.

use super::balancer::{Arrival, Decision};
use super::config::{BalancerId, EndpointPlace, GatewayId, PortId, Protocol, is_stand_in};
use super::conversation::reversed;
use super::flow_table::TERMINATED;
use super::link::Stage;
use super::record::{Ended, Fate, FlowId, MappingId, Party, Reason, Tuple};
use super::routes::{Course, is_kernel_port};
use super::{Fabric, Output, icmp};
use crate::packet::answer::IcmpError;
use crate::packet::icmp::DESTINATION_UNREACHABLE;
use crate::packet::quote::Quote;
use crate::packet::rewrite::rewrite;
use crate::packet::{Headers, ICMP, Ipv4Packet, Malformed, TCP, VnetHeader, tcp};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// A SYN sent again sooner than this does not come from a kernel before 5.6 (commit 9603d47bad46).
const CLASSIC_RESEND: Duration = Duration::from_millis(900);

/// What is known of a packet from its entry to its end.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    /// Its number.
    pub id: u64,
    /// Who sent it; none: the fabric.
    pub sender: Option<PortId>,
    /// Its ends when it entered.
    pub before: Tuple,
    /// The flow it belongs to.
    pub flow: Option<FlowId>,
    /// The NAT gateway's mapping by which it goes.
    pub mapping: Option<MappingId>,
    /// The NAT gateway at which it ended, or that made it.
    pub gateway: Option<GatewayId>,
    /// It has waited in a link.
    pub held: bool,
    /// It belongs to a health check.
    pub probe: bool,
    /// Its sequence number was moved forward by this.
    pub shifted: u32,
}

/// A packet on its way.
pub(super) struct Transient<'a> {
    pub(super) passage: Passage,
    pub(super) vnet: VnetHeader,
    pub(super) headers: Headers,
    pub(super) packet: &'a mut [u8],
}

/// The ends of a packet. Its protocol means something only for TCP and UDP.
pub(super) fn tuple(headers: &Headers) -> Tuple {
    Tuple {
        protocol: match headers.protocol {
            TCP => Protocol::Tcp,
            _ => Protocol::Udp,
        },
        from: headers.from,
        to: headers.to,
    }
}

impl Fabric {
    /// At the host's edge: is it a packet, and may this host send it?
    pub(super) fn enter(
        &mut self,
        from: PortId,
        mut vnet: VnetHeader,
        mut packet: &mut [u8],
        out: &mut impl Output,
    ) {
        let id = self.ledger.received();
        out.entered(id, from, &vnet, packet);
        let mut headers = Headers::unknown(packet.len());
        let mut parsed = headers.read(&vnet, packet);
        if parsed.is_ok() && self.takes_short_way((id, from), &vnet, &mut headers, packet, out) {
            return;
        }
        self.catch_up(out);
        let is_ipv6 = packet.first().is_some_and(|first| first >> 4 == 6);
        if is_ipv6 {
            let read = self.read_ipv6(&mut vnet, &mut packet);
            parsed = read.map(|read| headers = read);
        }
        if parsed.is_err() {
            headers = Headers::unknown(packet.len());
        }
        let passage = Passage {
            id,
            sender: Some(from),
            before: tuple(&headers),
            flow: None,
            mapping: None,
            gateway: None,
            held: false,
            probe: self.routes.kernel_of(from).is_some()
                && !self.is_of_terminator(from, headers.from.port()),
            shifted: 0,
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
            Ok(_) => self.leave_host(from, &passage.before, &headers),
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
            None => self.through(self.now, Stage::Up(from), &mut transient, out),
        }
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
        let classic = self.config.ports[from.0 as usize].quirks.syn_resend_classic;
        let since = self
            .conversations
            .since_same_syn(self.now, before, headers.seq);
        if classic && since.is_some_and(|since| since < CLASSIC_RESEND) {
            return Some(Reason::KernelQuirk);
        }
        self.conversations.syn(self.now, *before, headers.seq);
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
                let error = IcmpError::TimeExceeded;
                return self.complain(at, transient, error, true, Reason::TtlExceeded, out);
            }
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
        let way_back = if self.is_target[from.0 as usize] {
            self.balancers.way_back(&transient.headers)
        } else {
            None
        };
        if way_back.is_none() && !self.outward(at, from, transient, out) {
            return;
        }
        let headers = &transient.headers;
        let (decision, party) = if let Some(flow) = way_back {
            if headers.fragment {
                return self.finish(transient, Fate::Dropped(Reason::Fragment));
            }
            if let Err(reason) = self.back_to_balancer(at, from, transient, flow) {
                transient.passage.flow = Some(flow);
                return self.finish(transient, Fate::Dropped(reason));
            }
            let decision = self.balancers.toward_client(at, flow, &transient.headers);
            (decision, Party::Server)
        } else {
            match self
                .routes
                .course_from(from, headers.source(), headers.destination())
            {
                Err(reason) => {
                    return self.finish(transient, Fate::Dropped(reason));
                }
                Ok(Course::Host {
                    source,
                    destination,
                    port,
                }) => {
                    let ends = (source, destination);
                    return self.direct(at, from, transient, ends, port, out);
                }
                Ok(Course::Resolver) => return self.resolve(at, from, transient, out),
                Ok(Course::Gateway { source, gateway }) => {
                    return self.reach_gateway(at, from, transient, (source, gateway), out);
                }
                Ok(Course::Balancer {
                    source,
                    balancer,
                    zonal,
                    kernel,
                }) => {
                    let kernel =
                        kernel.filter(|_| self.answers_probe(from, balancer, &transient.headers));
                    transient.passage.probe = kernel.is_some();
                    let arrival = Arrival {
                        source,
                        balancer,
                        zonal,
                        endpoint: None,
                        packet: transient.passage.id,
                    };
                    let offered = match kernel {
                        Some(kernel) => {
                            return self.offer_kernel(at, from, transient, arrival, kernel, out);
                        }
                        None => self.offer_balancer(at, from, transient, arrival),
                    };
                    match offered {
                        Ok(decision) => (decision, Party::Client),
                        Err(reason) => return self.finish(transient, Fate::Dropped(reason)),
                    }
                }
                Ok(Course::Endpoint(place)) => {
                    let offered = self
                        .by_endpoint(place, transient)
                        .and_then(|arrival| self.offer_balancer(at, from, transient, arrival));
                    match offered {
                        Ok(decision) => (decision, Party::Client),
                        Err(reason) => return self.finish(transient, Fate::Dropped(reason)),
                    }
                }
            }
        };
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
    fn by_endpoint(
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
    fn offer_balancer(
        &mut self,
        at: Duration,
        from: PortId,
        transient: &Transient<'_>,
        arrival: Arrival,
    ) -> Result<Decision, Reason> {
        if transient.headers.fragment {
            return Err(Reason::Fragment);
        }
        self.toward_balancer(at, from, transient, arrival)?;
        let gate = self.watch.as_deref_mut();
        let headers = &transient.headers;
        Ok(self.balancers.toward_target(at, headers, arrival, gate))
    }

    /// A target's answer to the kernel of a zonal address.
    fn offer_kernel(
        &mut self,
        at: Duration,
        from: PortId,
        transient: &mut Transient<'_>,
        arrival: Arrival,
        kernel: PortId,
        out: &mut impl Output,
    ) {
        if transient.headers.fragment {
            return self.finish(transient, Fate::Dropped(Reason::Fragment));
        }
        match self.toward_balancer(at, from, transient, arrival) {
            Ok(()) => self.reach_kernel(at, transient, kernel, out),
            Err(reason) => self.finish(transient, Fate::Dropped(reason)),
        }
    }

    /// From host to host, perhaps across the gateway.
    fn direct(
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

    /// Whether a packet may come to a proxy's kernel, when it is for one: listeners, and what answers the kernel's own
    /// sockets.
    fn reach_proxy(&mut self, to: PortId, transient: &mut Transient<'_>) -> Result<(), Reason> {
        let Some((balancer, zonal)) = self.routes.kernel_of(to) else {
            return Ok(());
        };
        let headers = &transient.headers;
        if !self.config.balancers[balancer.0 as usize].zonal[zonal.0 as usize].enabled {
            return Err(Reason::ZoneDisabled);
        }
        match headers.protocol {
            TCP if !headers.has_ports() => Err(Reason::Fragment),
            TCP => {
                let port = headers.to.port();
                // A check by another balancer is one at a listener too.
                transient.passage.probe |= !self.is_of_terminator(to, port);
                let listens = self.balancers.listens(balancer, port, Protocol::Tcp);
                let known = listens || is_kernel_port(port);
                known.then_some(()).ok_or(Reason::NoListener)
            }
            ICMP => Ok(()),
            _ => Err(Reason::ProtocolUnsupported),
        }
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

    /// True when a packet for a zonal address is a target's answer to a socket of that address's own kernel.
    fn answers_probe(&self, from: PortId, balancer: BalancerId, headers: &Headers) -> bool {
        let port = headers.to.port();
        self.is_target[from.0 as usize]
            && headers.protocol == TCP
            && is_kernel_port(port)
            && !self.balancers.listens(balancer, port, Protocol::Tcp)
    }

    /// True for a port of a kernel that clients' connections end at, at which it listens or from which it connects to
    /// targets.
    fn is_of_terminator(&self, kernel: PortId, port: u16) -> bool {
        let section = &self.config.ports[kernel.0 as usize];
        section.terminates && (section.is_backend_port(port) || !is_kernel_port(port))
    }

    /// True when the packet that an ICMP error quotes came from a zonal address's own kernel.
    fn is_of_kernel(&self, balancer: BalancerId, quote: &Quote) -> bool {
        let port = quote.from.port();
        quote.protocol == TCP
            && is_kernel_port(port)
            && !self.balancers.listens(balancer, port, Protocol::Tcp)
    }

    /// To a zonal address's own kernel. What listeners get never goes this way: that kernel knows nothing of flows
    /// and would reset them.
    fn reach_kernel(
        &mut self,
        at: Duration,
        transient: &mut Transient<'_>,
        kernel: PortId,
        out: &mut impl Output,
    ) {
        if self.is_of_terminator(kernel, transient.headers.to.port()) {
            self.note(transient, None);
            return self.come_to(at, kernel, transient, None, out);
        }
        transient.passage.probe = true;
        if let Some((balancer, zonal)) = self.routes.kernel_of(kernel) {
            self.balancers.checked(balancer, zonal, &transient.headers);
        }
        self.come_to(at, kernel, transient, None, out);
    }

    /// ICMP: errors about balanced packets by the packet they quote; everything else by address.
    fn error_message(
        &mut self,
        at: Duration,
        from: PortId,
        transient: &mut Transient<'_>,
        out: &mut impl Output,
    ) {
        let headers = &transient.headers;
        let unreachable = transient.packet[headers.transport..].first()
            == Some(&DESTINATION_UNREACHABLE)
            && headers.payload > headers.transport;
        let quote = Quote::read(transient.packet, headers);
        let mut translated = quote
            .filter(|_| unreachable)
            .and_then(|quote| icmp::toward_client(&self.balancers, &quote));
        if translated.is_none() && !self.error_outward(from, transient) {
            return;
        }
        let headers = &transient.headers;
        let quote = Quote::read(transient.packet, headers);
        let about_flow = quote.filter(|_| unreachable);
        if let Some(new) = translated {
            if let Err(reason) = self.back_to_balancer(at, from, transient, new.flow) {
                return self.finish(transient, Fate::Dropped(reason));
            }
        } else {
            match self
                .routes
                .course_from(from, headers.source(), headers.destination())
            {
                Err(reason) => {
                    return self.finish(transient, Fate::Dropped(reason));
                }
                Ok(Course::Host {
                    source,
                    destination,
                    port,
                }) => {
                    if let Some(quote) = quote {
                        // The quoted packet went the other way, so its ends change crosswise.
                        let cross = |end: SocketAddrV4, old: Ipv4Addr, new: Ipv4Addr| {
                            SocketAddrV4::new(
                                if *end.ip() == old { new } else { *end.ip() },
                                end.port(),
                            )
                        };
                        let quoted_from = cross(quote.from, headers.destination(), destination);
                        let quoted_to = cross(quote.to, headers.source(), source);
                        quote.rewrite(transient.packet, headers, quoted_from, quoted_to);
                    }
                    return self.direct(at, from, transient, (source, destination), port, out);
                }
                Ok(Course::Balancer {
                    kernel: Some(kernel),
                    balancer,
                    ..
                }) if quote.is_some_and(|quote| self.is_of_kernel(balancer, &quote)) => {
                    return self.reach_kernel(at, transient, kernel, out);
                }
                Ok(Course::Gateway { source, gateway }) => {
                    if let Some((host, inside)) = self.error_homeward(gateway, source, transient) {
                        self.direct(at, from, transient, (source, inside), host, out);
                    }
                    return;
                }
                Ok(Course::Resolver) => {
                    let fate = Fate::Dropped(Reason::IcmpUnsupported);
                    return self.finish(transient, fate);
                }
                Ok(Course::Balancer {
                    source,
                    balancer,
                    zonal,
                    ..
                }) => {
                    let arrival = Arrival {
                        source,
                        balancer,
                        zonal,
                        endpoint: None,
                        packet: transient.passage.id,
                    };
                    match self.offer_error(at, from, transient, arrival, about_flow.as_ref()) {
                        Ok(new) => translated = new,
                        Err(reason) => return self.finish(transient, Fate::Dropped(reason)),
                    }
                }
                Ok(Course::Endpoint(place)) => {
                    let offered = self.by_endpoint(place, transient).and_then(|arrival| {
                        self.offer_error(at, from, transient, arrival, about_flow.as_ref())
                    });
                    match offered {
                        Ok(new) => translated = new,
                        Err(reason) => return self.finish(transient, Fate::Dropped(reason)),
                    }
                }
            }
        }
        match (about_flow, translated) {
            (Some(quote), Some(new)) => {
                transient.passage.flow = Some(new.flow);
                let headers = &mut transient.headers;
                quote.retreat(transient.packet, headers, new.shifted);
                quote.rewrite(transient.packet, headers, new.quoted_from, new.quoted_to);
                let end = |address| SocketAddrV4::new(address, 0);
                rewrite(transient.packet, headers, end(new.from), end(new.to));
                if let Some(gateway) = self.gateways.at(new.to)
                    && self.error_homeward(gateway, new.from, transient).is_none()
                {
                    return;
                }
                self.toward_host(at, transient, new.flow, Party::Server, out);
            }
            (None, _) | (_, None) => {
                let reason = if unreachable {
                    Reason::IcmpUnrelated
                } else {
                    Reason::IcmpUnsupported
                };
                self.finish(transient, Fate::Dropped(reason));
            }
        }
    }

    /// An ICMP error for a balancer, as the target of the flow it is about gets it; none: it is about no flow.
    fn offer_error(
        &mut self,
        at: Duration,
        from: PortId,
        transient: &Transient<'_>,
        arrival: Arrival,
        about: Option<&Quote>,
    ) -> Result<Option<icmp::Translated>, Reason> {
        self.toward_balancer(at, from, transient, arrival)?;
        let translated = about.and_then(|quote| icmp::toward_target(&self.balancers, quote));
        if translated.is_none() {
            let watch = self.watch.as_deref_mut();
            self.balancers
                .message(watch, at, &transient.headers, arrival)?;
        }
        Ok(translated)
    }

    /// Tells the conversations of SYN-ACK, FIN and RST, and of the flow a SYN took. `party`: who sent it, of a
    /// packet on a flow.
    fn note(&mut self, transient: &Transient<'_>, party: Option<Party>) {
        let headers = &transient.headers;
        if headers.flags & (tcp::SYN | tcp::FIN | tcp::RST) == 0 {
            return;
        }
        let before = transient.passage.before;
        let answered = reversed(&tuple(headers));
        if headers.is_opening() {
            if let Some(flow) = transient.passage.flow {
                self.conversations.travels(&before, headers.seq, flow);
            }
        } else if headers.flags & tcp::SYN != 0 {
            self.conversations.accepted(&answered, headers.ack);
        }
        if headers.is_ending() {
            let owner = match party {
                Some(Party::Client) => Some((before, Party::Client)),
                Some(Party::Server) => Some((answered, Party::Server)),
                Some(Party::Fabric) | None => self.conversations.owner(&before, &tuple(headers)),
            };
            if let Some((tuple, by)) = owner {
                self.end_conversation(&tuple, headers.is_reset(), by);
            }
        }
    }

    pub(super) fn end_conversation(&mut self, tuple: &Tuple, reset: bool, by: Party) {
        let ended = Ended {
            at: self.now,
            reset,
            by,
        };
        self.conversations.ending(tuple, ended);
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
            let terminated = self.balancers.table().entry(flow).has(TERMINATED);
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
