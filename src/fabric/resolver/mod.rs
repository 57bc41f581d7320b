//! The resolver: which addresses a name has, for this host at this moment.
//!
//! Observed on: Route 53 Resolver, which every host of a VPC finds at the network's base plus two and at
//! 169.254.169.253; neither security groups nor network ACLs stand before it. A load balancer's name has the address
//! of each enabled zone that is fit for traffic; when none is, it fails open and has them all. A zone that a zonal
//! shift leaves counts as unfit, so a shift has no effect on a balancer that fails open. Not documented: in which
//! order addresses come (here each answer to a host begins one address further), and what a zonal name says while
//! its zone is out (here its one address: a record without an alternative fails open).
//!
//! An internet-facing balancer's name has public addresses inside of its VPC as well: only the names of hosts have
//! other answers there. Whoever has no way to the internet dials them in vain.
//!
//! An endpoint's names are public ones with private addresses: everybody is told them, and whoever is in another VPC
//! finds no way there.
//!
//! Not here: bytes of messages (see `wire`), and what makes a zone unfit (see `targets`).

pub mod wire;

use super::config::{
    Balancer, BalancerId, ClientRouting, Config, EndpointId, EndpointPlace, Port, PortId, ZonalId,
};
use super::random;
use rustc_hash::FxHashMap;
use std::net::{IpAddr, Ipv4Addr};
use wire::{Answer, Message, Wants};

/// Of 100 answers with partial affinity, so many have only the asking host's zone.
const PARTIAL_AFFINITY: usize = 85;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Owner {
    Host(PortId),
    Balancer(BalancerId),
    Zonal(BalancerId, ZonalId),
    Endpoint(EndpointId),
    EndpointZonal(EndpointPlace),
}

/// The names of a network.
pub struct Resolver {
    names: FxHashMap<Vec<u8>, Owner>,
    /// Answers given so far, by who asked and for what.
    given: FxHashMap<(PortId, Owner, Wants), u64>,
}

impl Resolver {
    /// Collects every name of the configuration.
    pub fn new(config: &Config) -> Self {
        let mut names = FxHashMap::default();
        let mut add = |name: &str, owner| {
            names.insert(name.to_ascii_lowercase().into_bytes(), owner);
        };
        for (id, port) in (0..).zip(&config.ports) {
            // The kernel of a zonal address (`front/a`) is no host, and has the name `a.front` below.
            if !port.name.contains('/') {
                add(&port.name, Owner::Host(PortId(id)));
            }
        }
        for (id, balancer) in (0..).zip(&config.balancers) {
            let id = BalancerId(id);
            add(&balancer.name, Owner::Balancer(id));
            for (zonal, place) in (0..).zip(&balancer.zonal) {
                let name = format!("{}.{}", place.zone, balancer.name);
                add(&name, Owner::Zonal(id, ZonalId(zonal)));
            }
        }
        for (id, endpoint) in (0..).map(EndpointId).zip(&config.endpoints) {
            add(&endpoint.name, Owner::Endpoint(id));
            for (zonal, interface) in (0..).map(ZonalId).zip(&endpoint.zonal) {
                let name = format!("{}.{}", interface.zone, endpoint.name);
                add(&name, Owner::EndpointZonal((id, zonal)));
            }
        }
        Self {
            names,
            given: FxHashMap::default(),
        }
    }

    /// Answers a message of a host; none: it is not to be answered. `fit` says whether a zone is fit for traffic.
    pub fn ask(
        &mut self,
        config: &Config,
        asker: PortId,
        message: &[u8],
        fit: impl Fn(BalancerId, ZonalId) -> bool,
    ) -> Option<Vec<u8>> {
        match wire::read(message) {
            Message::Silence => None,
            Message::Refused(answer) => Some(answer),
            Message::Question(question) => {
                let owner = question.name.as_ref().and_then(|name| self.names.get(name));
                let answer = match owner {
                    None => Answer::NoName,
                    Some(&owner) => self.answer(config, asker, owner, question.wants, fit),
                };
                let ttl = u32::try_from(config.resolver.ttl.as_secs()).unwrap_or(u32::MAX);
                Some(question.answer(&answer, ttl))
            }
        }
    }

    /// How many such answers this host had before.
    fn turn(&mut self, asker: PortId, owner: Owner, wants: Wants) -> u64 {
        let given = self.given.entry((asker, owner, wants)).or_default();
        *given += 1;
        *given - 1
    }

    fn answer(
        &mut self,
        config: &Config,
        asker: PortId,
        owner: Owner,
        wants: Wants,
        fit: impl Fn(BalancerId, ZonalId) -> bool,
    ) -> Answer {
        let port = &config.ports[asker.0 as usize];
        match owner {
            Owner::Host(host) => {
                let host = &config.ports[host.0 as usize];
                match (wants, host_address(port, host)) {
                    (Wants::Ipv4, None) => Answer::NoName,
                    (Wants::Ipv4, Some(address)) => Answer::Addresses(vec![address.into()]),
                    (Wants::Ipv6, _) => Answer::Addresses(real(config, host.ipv6)),
                    (Wants::Other, _) => Answer::Addresses(Vec::new()),
                }
            }
            Owner::Endpoint(id) => {
                let endpoint = &config.endpoints[usize::from(id.0)];
                let mut addresses: Vec<IpAddr> = match wants {
                    Wants::Ipv4 => endpoint.zonal.iter().map(|z| z.address.into()).collect(),
                    Wants::Ipv6 | Wants::Other => Vec::new(),
                };
                if !addresses.is_empty() {
                    let turn = self.turn(asker, owner, wants);
                    let by = (turn % addresses.len() as u64) as usize;
                    addresses.rotate_left(by);
                }
                Answer::Addresses(addresses)
            }
            Owner::EndpointZonal((id, zonal)) => {
                let endpoint = &config.endpoints[usize::from(id.0)];
                let address = endpoint.zonal[usize::from(zonal.0)].address.into();
                Answer::Addresses(match wants {
                    Wants::Ipv4 => vec![address],
                    Wants::Ipv6 | Wants::Other => Vec::new(),
                })
            }
            Owner::Zonal(id, zonal) => {
                let balancer = &config.balancers[id.0 as usize];
                if balancer.zonal[zonal.0 as usize].enabled {
                    Answer::Addresses(seen_by(config, port, balancer, &[zonal], wants))
                } else {
                    Answer::NoName
                }
            }
            Owner::Balancer(id) => {
                let balancer = &config.balancers[id.0 as usize];
                // A question for another kind of record takes no turn.
                let turn = match wants {
                    Wants::Ipv4 | Wants::Ipv6 => self.turn(asker, owner, wants),
                    Wants::Other => 0,
                };
                let mut zones = listed(balancer, |zonal| fit(id, zonal));
                if let Some(own) = own_zone(config, asker, id, balancer, &zones, turn) {
                    zones = vec![own];
                } else if !zones.is_empty() {
                    let by = (turn % zones.len() as u64) as usize;
                    zones.rotate_left(by);
                }
                Answer::Addresses(seen_by(config, port, balancer, &zones, wants))
            }
        }
    }
}

/// The zones in a balancer's DNS record.
pub fn listed(balancer: &Balancer, fit: impl Fn(ZonalId) -> bool) -> Vec<ZonalId> {
    let enabled: Vec<ZonalId> = (0..)
        .zip(&balancer.zonal)
        .filter(|(_, zonal)| zonal.enabled)
        .map(|(id, _)| ZonalId(id))
        .collect();
    let good: Vec<ZonalId> = enabled
        .iter()
        .copied()
        .filter(|&id| !balancer.zonal[id.0 as usize].shifted && fit(id))
        .collect();
    if good.is_empty() { enabled } else { good }
}

/// The asking host's zone, when the balancer's policy gives that alone and it is listed.
fn own_zone(
    config: &Config,
    asker: PortId,
    id: BalancerId,
    balancer: &Balancer,
    listed: &[ZonalId],
    turn: u64,
) -> Option<ZonalId> {
    let zone = config.ports[asker.0 as usize].zone.as_ref()?;
    let own = listed
        .iter()
        .copied()
        .find(|id| balancer.zonal[id.0 as usize].zone == *zone)?;
    let words = [u64::from(asker.0), u64::from(id.0), turn];
    let favoured = match balancer.client_routing {
        ClientRouting::Any => false,
        ClientRouting::Affinity => true,
        ClientRouting::Partial => {
            random::pick(random::hash(config.seed, &words), 100) < PARTIAL_AFFINITY
        }
    };
    favoured.then_some(own)
}

/// Zonal addresses as the name says them: public ones of an internet-facing balancer, whoever asks, and private ones of an
/// internal one, which are of no use to a host on the internet. IPv6 has one for all.
fn seen_by(
    config: &Config,
    asker: &Port,
    balancer: &Balancer,
    zones: &[ZonalId],
    wants: Wants,
) -> Vec<IpAddr> {
    let zonal = zones.iter().map(|id| &balancer.zonal[id.0 as usize]);
    match wants {
        Wants::Ipv4 => zonal
            .filter_map(|zonal| match zonal.public {
                Some(public) => Some(public.into()),
                None if asker.internet => None,
                None => Some(zonal.private.into()),
            })
            .collect(),
        Wants::Ipv6 => zonal.flat_map(|zonal| real(config, zonal.ipv6)).collect(),
        Wants::Other => Vec::new(),
    }
}

/// Who is meant by a stand-in.
fn real(config: &Config, stand_in: Option<Ipv4Addr>) -> Vec<IpAddr> {
    let real = stand_in.and_then(|address| config.stand_ins.real(address));
    real.map(IpAddr::from).into_iter().collect()
}

/// A host's address as another one dials it; none: it has none there. Of the asker it matters whether it is on the internet,
/// and whether it reaches it.
pub fn host_address(asker: &Port, host: &Port) -> Option<Ipv4Addr> {
    match (asker.internet, host.internet) {
        (true, false) => host.public_address,
        (true, true) | (false, false) => Some(host.address),
        (false, true) => asker.reaches_internet().then_some(host.address),
    }
}
