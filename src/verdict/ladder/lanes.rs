//! Lifelines and arrows: who stands in which lane, and from where to where a packet went.

use super::model::{Arrow, Lane, Place, Role, Stop};
use crate::evidence::Packet;
use crate::verdict::trace::{Trace, delivered, drop_reason};

/// The lifelines of a ladder, from left to right: clients, addresses of balancers, targets.
pub struct Lanes {
    list: Vec<Lane>,
}

/// Lifelines in one ladder.
const LANES: usize = 7;
/// Connections in one ladder, however few their ends.
const CONNECTIONS: usize = 12;

impl Lanes {
    /// How many of the first connections have few enough ends to be drawn beside each other.
    pub fn fitting(trace: &Trace, chosen: &[usize]) -> usize {
        let fits = |n: &usize| ends(trace, &chosen[..*n]).len() <= LANES;
        (0..=chosen.len().min(CONNECTIONS))
            .rev()
            .find(fits)
            .unwrap_or(0)
    }

    /// Lanes for the connections' ends.
    pub fn new(trace: &Trace, chosen: &[usize]) -> Self {
        Self {
            list: ends(trace, chosen),
        }
    }

    /// Who stands where.
    pub fn told(self) -> Vec<Lane> {
        self.list
    }

    /// A packet's way.
    pub fn arrow(&self, trace: &Trace, passage: usize) -> Arrow {
        let (sent, ended) = (trace.sent(passage), trace.ended(passage));
        let toward_target = trace.passages[passage].toward_target;
        let via = self.via(sent, ended, toward_target);
        let client = self.find(toward_target, &sent.sender, &ended.receiver, true);
        let target = self.find(toward_target, &sent.sender, &ended.receiver, false);
        let made_here = !trace.evidence.hosts.contains_key(&sent.sender);
        let proxy = self.proxy(trace, passage);
        let (client, target) = match proxy {
            Some(zonal) if trace.passages[passage].behind => (zonal, target),
            Some(zonal) => (client, zonal),
            None => (client, target),
        };
        let (begin, to) = if toward_target {
            (client, target)
        } else {
            (target, client)
        };
        if proxy.is_some() {
            let stop = (!delivered(ended)).then(|| stopped(begin, None, ended));
            return Arrow {
                from: begin,
                to,
                via: None,
                stop,
            };
        }
        let from = if made_here {
            via.unwrap_or(begin)
        } else {
            begin
        };
        let stop = (!delivered(ended)).then(|| stopped(from, via, ended));
        Arrow {
            from,
            to,
            via,
            stop,
        }
    }

    /// The lane of the balancer's address at which a proxied connection ends.
    fn proxy(&self, trace: &Trace, passage: usize) -> Option<usize> {
        let connection = &trace.evidence.connections[trace.passages[passage].connection?];
        let own = |lane: &Lane| lane.role == Role::Zonal && lane.name == connection.via;
        let lanes = self.list.iter();
        lanes
            .enumerate()
            .find(|(_, lane)| connection.proxied && own(lane))
            .map(|(place, _)| place)
    }

    /// The lane of the balancer's address that translates it.
    fn via(&self, sent: &Packet, ended: &Packet, toward_target: bool) -> Option<usize> {
        let address = ip(if toward_target {
            &sent.to
        } else {
            &ended.from_after
        });
        // What a balancer makes itself toward a target bears the client's address: its own lane is the flow's.
        self.list
            .iter()
            .position(|lane| lane.role == Role::Zonal && lane.address == address)
    }

    /// The lifeline of one end of a packet.
    fn find(&self, toward_target: bool, sender: &str, receiver: &str, client: bool) -> usize {
        let name = if toward_target == client {
            sender
        } else {
            receiver
        };
        let role = if client { Role::Client } else { Role::Target };
        let named = self
            .list
            .iter()
            .position(|lane| lane.role == role && lane.name == name);
        let any = || self.list.iter().position(|lane| lane.role == role);
        // A connection that no host got has no target: it ends at the last lane there is.
        let fallback = if client {
            0
        } else {
            self.list.len().saturating_sub(1)
        };
        named.or_else(any).unwrap_or(fallback)
    }
}

/// Where a packet that was not delivered came to its end.
fn stopped(from: usize, via: Option<usize>, ended: &Packet) -> Stop {
    let held = ended.fate == "held";
    let place = match via.filter(|lane| *lane != from) {
        _ if drop_reason(ended) == Some("kernel-quirk") => Place::Start,
        Some(_) if held => Place::Past,
        Some(_) => Place::Via,
        None => Place::Way,
    };
    Stop { place, held }
}

/// The ends of connections from left to right: clients, balancers' addresses, targets, each once.
fn ends(trace: &Trace, chosen: &[usize]) -> Vec<Lane> {
    let connections = || chosen.iter().map(|c| &trace.evidence.connections[*c]);
    let host = |role, name: &str| {
        let record = trace.evidence.hosts.get(name);
        Lane {
            role,
            name: name.to_owned(),
            address: record.map_or(String::new(), |record| record.address.clone()),
        }
    };
    let clients = connections().map(|c| host(Role::Client, &c.from));
    let mut zonal: Vec<Lane> = connections()
        .filter(|c| is_zonal(trace, &c.via))
        .map(|c| Lane {
            role: Role::Zonal,
            name: c.via.clone(),
            address: ip(&c.remote).to_owned(),
        })
        .collect();
    zonal.sort_by(|a, b| a.name.cmp(&b.name));
    let targets = connections()
        .filter(|c| !c.target.is_empty())
        .map(|c| host(Role::Target, &c.target));
    let mut list: Vec<Lane> = Vec::new();
    for lane in clients.chain(zonal).chain(targets) {
        if !list.contains(&lane) {
            list.push(lane);
        }
    }
    list
}

fn is_zonal(trace: &Trace, via: &str) -> bool {
    via.split_once('/')
        .is_some_and(|(balancer, _)| trace.evidence.load_balancers.contains_key(balancer))
}

fn ip(address: &str) -> &str {
    let ip = address.rsplit_once(':').map_or(address, |(ip, _)| ip);
    ip.trim_matches(['[', ']'])
}
