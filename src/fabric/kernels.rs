//! Packets to and from the kernels of zonal addresses: of proxies, whose connections end there, and of health checks.
//!
//! Not here: everything that goes through a balancer (see `way`).

use super::balancer::Arrival;
use super::config::{BalancerId, PortId, Protocol};
use super::flow_table::Side;
use super::passage::Transient;
use super::record::{Fate, Reason};
use super::routes::is_kernel_port;
use super::{Fabric, Output};
use crate::packet::quote::Quote;
use crate::packet::{Headers, ICMP, TCP};
use std::time::Duration;

impl Fabric {
    /// Whether a packet may come to a proxy's kernel, when it is for one: listeners, and what answers the kernel's own
    /// sockets.
    pub(super) fn reach_proxy(
        &mut self,
        to: PortId,
        transient: &mut Transient<'_>,
    ) -> Result<(), Reason> {
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
                let known = listens || self.is_of_sockets(to, headers);
                known.then_some(()).ok_or(Reason::NoListener)
            }
            ICMP => Ok(()),
            _ => Err(Reason::ProtocolUnsupported),
        }
    }

    /// A target's answer to the kernel of a zonal address.
    pub(super) fn offer_kernel(
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

    /// To a zonal address's own kernel. What listeners get never goes this way: that kernel knows nothing of flows
    /// and would reset them.
    pub(super) fn reach_kernel(
        &mut self,
        at: Duration,
        transient: &mut Transient<'_>,
        kernel: PortId,
        out: &mut impl Output,
    ) {
        if self.is_of_terminator(kernel, transient.headers.to.port()) {
            self.balancers.hear_target(&transient.headers);
            self.note(transient, None);
            return self.come_to(at, kernel, transient, None, out);
        }
        transient.passage.probe = true;
        if let Some((balancer, zonal)) = self.routes.kernel_of(kernel) {
            self.balancers.checked(balancer, zonal, &transient.headers);
        }
        self.come_to(at, kernel, transient, None, out);
    }

    /// True when a packet for a zonal address is a target's answer to a socket of that address's own kernel.
    pub(super) fn answers_kernel(
        &self,
        from: PortId,
        balancer: BalancerId,
        kernel: PortId,
        headers: &Headers,
    ) -> bool {
        let port = headers.to.port();
        self.side(from) == Side::Target
            && headers.protocol == TCP
            && self.is_of_sockets(kernel, headers)
            && !self.balancers.listens(balancer, port, Protocol::Tcp)
    }

    /// True for a packet to a port that a socket of a zonal address's own kernel may have without listening there. Nobody
    /// opens a connection to those from which it connects to targets.
    fn is_of_sockets(&self, kernel: PortId, headers: &Headers) -> bool {
        let port = headers.to.port();
        let connects = self.config.ports[kernel.0 as usize].is_backend_port(port);
        is_kernel_port(port) || (connects && !headers.is_opening())
    }

    /// True for a port of a kernel that clients' connections end at, at which it listens or from which it connects to
    /// targets.
    pub(super) fn is_of_terminator(&self, kernel: PortId, port: u16) -> bool {
        let section = &self.config.ports[kernel.0 as usize];
        section.terminates && (section.is_backend_port(port) || !is_kernel_port(port))
    }

    /// True when the packet that an ICMP error quotes came from this zonal address's own kernel.
    pub(super) fn is_of_kernel(&self, balancer: BalancerId, kernel: PortId, quote: &Quote) -> bool {
        let port = quote.from.port();
        let connects = self.config.ports[kernel.0 as usize].is_backend_port(port);
        quote.protocol == TCP
            && (is_kernel_port(port) || connects)
            && !self.balancers.listens(balancer, port, Protocol::Tcp)
    }
}
