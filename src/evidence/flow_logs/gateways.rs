//! At the interface of a NAT gateway: a packet comes from a host for the internet and leaves as the gateway's own, and the
//! other way round.
//!
//! Source: "Flow log record examples", traffic through a NAT gateway. What nobody behind the gateway has asked for is
//! accepted by its interface all the same, and dropped by the gateway.

use super::reading::{End, end};
use super::{Book, Sighting};
use crate::evidence::{Mapping, Packet};

impl<'a> Book<'a> {
    /// The mapping by which a packet went.
    pub(super) fn mapping(&self, packet: &Packet) -> Option<&'a Mapping> {
        let mapping = packet.mapping?;
        self.evidence.mappings.get(mapping)
    }

    /// True for a packet of a host behind a gateway that goes by it, or would have.
    pub(super) fn is_outward(&self, sent: &Packet, ended: &Packet) -> bool {
        match self.mapping(ended) {
            Some(mapping) => sent.from == mapping.inside,
            None => {
                let gateway = self.evidence.nat_gateways.get(&ended.gateway);
                gateway.is_some_and(|gateway| gateway.hosts.contains(&sent.sender))
            }
        }
    }

    /// At the gateway's interface, coming and going.
    pub(super) fn translated(
        &self,
        sent: &'a Packet,
        ended: &'a Packet,
        way: &mut Vec<(f64, Sighting<'a>)>,
    ) {
        let mapping = self.mapping(ended);
        let name = mapping.map_or(&ended.gateway, |mapping| &mapping.gateway);
        if name.is_empty() {
            return;
        }
        let Some(&interface) = self.by_name.get(format!("nat/{name}").as_str()) else {
            return;
        };
        let private = self.evidence.interfaces[interface].address.as_str();
        let outside = mapping.map(|mapping| (private, end(&mapping.outside).1));
        let (from, to) = (end(&sent.from), end(&sent.to));
        let ends_here = !ended.gateway.is_empty();
        let made_here = ends_here && sent.sender == ended.gateway;
        let (came, left): ((End<'_>, End<'_>), Option<(End<'_>, End<'_>)>) =
            if self.is_outward(sent, ended) {
                let remote = mapping.map_or(to, |mapping| end(&mapping.remote));
                ((from, to), outside.map(|outside| (outside, remote)))
            } else {
                let remote = mapping.map_or(from, |mapping| end(&mapping.remote));
                let inside = mapping.map(|mapping| (remote, end(&mapping.inside)));
                ((remote, outside.unwrap_or((private, to.1))), inside)
            };
        if !made_here {
            way.push((ended.t, Sighting::coming(interface, came.0, came.1)));
        }
        if let Some((from, to)) = left.filter(|_| made_here || !ends_here) {
            way.push((ended.t, Sighting::leaving(interface, from, to)));
        }
    }
}
