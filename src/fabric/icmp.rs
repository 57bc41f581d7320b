//! ICMP on its way: errors about balanced packets by the packet they quote, everything else by address.
//!
//! What becomes of the quoted packet's ends is decided in `quoted`.

use super::balancer::Arrival;
use super::config::PortId;
use super::guard::Gate;
use super::passage::Transient;
use super::record::{Fate, Party, Reason};
use super::routes::Course;
use super::{Fabric, Output, quoted};
use crate::packet::icmp::{DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED};
use crate::packet::quote::Quote;
use crate::packet::rewrite::rewrite;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

impl Fabric {
    /// ICMP: errors about balanced packets by the packet they quote; everything else by address.
    pub(super) fn error_message(
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
            .and_then(|quote| quoted::toward_client(&self.balancers, &quote));
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
            let about_mtu = transient.packet.get(transient.headers.transport + 1)
                == Some(&FRAGMENTATION_NEEDED);
            if !self.balancers.passes_error(new.flow, about_mtu) {
                transient.passage.flow = Some(new.flow);
                return self.finish(transient, Fate::Dropped(Reason::IcmpUnsupported));
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
                        quote_crosswise(transient, &quote, source, destination);
                    }
                    return self.direct(at, from, transient, (source, destination), port, out);
                }
                Ok(Course::Balancer {
                    kernel: Some(kernel),
                    balancer,
                    ..
                }) if quote.is_some_and(|quote| self.is_of_kernel(balancer, kernel, &quote)) => {
                    return self.reach_kernel(at, transient, kernel, out);
                }
                Ok(Course::Secondary {
                    kernel, balancer, ..
                }) => {
                    if quote.is_some_and(|quote| self.is_of_kernel(balancer, kernel, &quote)) {
                        return self.reach_kernel(at, transient, kernel, out);
                    }
                    return self.finish(transient, Fate::Dropped(Reason::IcmpUnrelated));
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
                    let arrival = Arrival::direct(source, (balancer, zonal), transient.passage.id);
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
                self.pass_error(at, transient, &quote, &new, out);
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

    /// An ICMP error about a flow, to the end that is meant.
    fn pass_error(
        &mut self,
        at: Duration,
        transient: &mut Transient<'_>,
        quote: &Quote,
        new: &quoted::Translated,
        out: &mut impl Output,
    ) {
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

    /// An ICMP error for a balancer, as the target of the flow it is about gets it; none: it is about no flow.
    fn offer_error(
        &mut self,
        at: Duration,
        from: PortId,
        transient: &Transient<'_>,
        arrival: Arrival,
        about: Option<&Quote>,
    ) -> Result<Option<quoted::Translated>, Reason> {
        self.toward_balancer(at, from, transient, arrival)?;
        let translated = about.and_then(|quote| quoted::toward_target(&self.balancers, quote));
        if translated.is_none() {
            let mut gate = Gate::of(&mut self.watch, &self.stand_ins);
            self.balancers
                .message(gate.as_mut(), at, &transient.headers, arrival)?;
        }
        Ok(translated)
    }
}

/// Changes a quoted packet's ends where the internet gateway changes those of the error about it. That packet went the
/// other way, so they change crosswise.
fn quote_crosswise(
    transient: &mut Transient<'_>,
    quote: &Quote,
    source: Ipv4Addr,
    destination: Ipv4Addr,
) {
    let headers = &transient.headers;
    let cross = |end: SocketAddrV4, old: Ipv4Addr, new: Ipv4Addr| {
        SocketAddrV4::new(if *end.ip() == old { new } else { *end.ip() }, end.port())
    };
    let quoted_from = cross(quote.from, headers.destination(), destination);
    let quoted_to = cross(quote.to, headers.source(), source);
    quote.rewrite(transient.packet, headers, quoted_from, quoted_to);
}
