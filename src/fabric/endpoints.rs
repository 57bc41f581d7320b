//! VPC endpoints: which balancer each of their network interfaces leads to, and what they count.
//!
//! Observed on: AWS PrivateLink. A service may have several balancers; an interface takes one that has an address in
//! its own zone, at random, with its first connection, and stays with it. What arrives there bears the client's own
//! address only until the balancer sends it on: a target sees the balancer's, whatever its group preserves. Not
//! documented: what becomes of an interface whose balancer is gone (here it stays with it all the same).
//!
//! Not here: where an endpoint's addresses are reached from (see `routes`).

use super::config::{BalancerId, Config, EndpointId, EndpointPlace, ZonalId};
use super::random;
use super::record::Party;
use crate::packet::Headers;

/// All endpoints of a network.
pub struct Endpoints {
    /// By endpoint and interface.
    interfaces: Vec<Vec<Interface>>,
}

#[derive(Clone, Default)]
struct Interface {
    chosen: Option<(BalancerId, ZonalId)>,
    bytes: u64,
    resets: u64,
}

/// What one interface came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointReading {
    /// Which.
    pub place: EndpointPlace,
    /// The zonal address it leads to; none before its first packet.
    pub leads_to: Option<(BalancerId, ZonalId)>,
    /// Passed between clients and service, both directions, IP headers included.
    pub bytes: u64,
    /// RST packets that came from the service.
    pub resets: u64,
}

impl Endpoints {
    /// Endpoints that have chosen nothing yet.
    pub fn new(config: &Config) -> Self {
        let interfaces = config
            .endpoints
            .iter()
            .map(|endpoint| vec![Interface::default(); endpoint.zonal.len()])
            .collect();
        Self { interfaces }
    }

    fn interface(&mut self, (endpoint, zonal): EndpointPlace) -> &mut Interface {
        &mut self.interfaces[usize::from(endpoint.0)][usize::from(zonal.0)]
    }

    /// The zonal address that an interface leads to; none: no balancer of its service is in its zone now.
    pub fn behind(
        &mut self,
        config: &Config,
        place: EndpointPlace,
    ) -> Option<(BalancerId, ZonalId)> {
        if let Some(chosen) = self.interface(place).chosen {
            return Some(chosen);
        }
        let candidates = candidates(config, place);
        let (endpoint, zonal) = place;
        let words = [u64::from(endpoint.0), u64::from(zonal.0)];
        let chosen = match candidates.len() {
            0 => None,
            many => Some(candidates[random::pick(random::hash(config.seed, &words), many)]),
        };
        self.interface(place).chosen = chosen;
        chosen
    }

    /// A packet of a flow passes an interface, sent by this side.
    pub fn carried(&mut self, place: EndpointPlace, sender: Party, headers: &Headers) {
        let interface = self.interface(place);
        interface.bytes += headers.wire_bytes() as u64;
        match sender {
            Party::Client => {}
            Party::Server | Party::Fabric => interface.resets += u64::from(headers.is_reset()),
        }
    }

    /// The balancer behind an interface sends a client a RST of its own.
    pub fn answered_with_reset(&mut self, place: EndpointPlace) {
        self.interface(place).resets += 1;
    }

    /// What every interface came to.
    pub fn readings(&self) -> Vec<EndpointReading> {
        let all = (0..).map(EndpointId).zip(&self.interfaces);
        all.flat_map(|(endpoint, interfaces)| {
            let zonal = (0..).map(ZonalId).zip(interfaces);
            zonal.map(move |(zonal, interface)| EndpointReading {
                place: (endpoint, zonal),
                leads_to: interface.chosen,
                bytes: interface.bytes,
                resets: interface.resets,
            })
        })
        .collect()
    }
}

/// Zonal addresses of the service's balancers in the interface's own zone.
fn candidates(config: &Config, (endpoint, zonal): EndpointPlace) -> Vec<(BalancerId, ZonalId)> {
    let endpoint = &config.endpoints[usize::from(endpoint.0)];
    let zone = &endpoint.zonal[usize::from(zonal.0)].zone;
    let of_balancer = |&id: &BalancerId| {
        let balancer = &config.balancers[usize::from(id.0)];
        let there = (0..).map(ZonalId).zip(&balancer.zonal);
        there
            .filter(|(_, zonal)| balancer.failure.is_none() && zonal.enabled && zonal.zone == *zone)
            .map(move |(zonal, _)| (id, zonal))
            .collect::<Vec<_>>()
    };
    endpoint.balancers.iter().flat_map(of_balancer).collect()
}
