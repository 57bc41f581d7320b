//! Lifelines: who stands in which lane. Not here: from where to where a packet went (`arrows`).

use super::model::{Lane, Role};
use crate::evidence::{Connection, Packet};
use crate::verdict::trace::{Journey, Trace, ip};

/// The lifelines of a ladder, from left to right.
pub struct Lanes {
    list: Vec<Line>,
}

/// A lifeline, and for whom it stands: for itself, or for several of one role that there is no room for beside each other.
struct Line {
    shown: Lane,
    of: Vec<Lane>,
}

/// Lifelines in one ladder.
const LANES: usize = 7;
/// Connections in one ladder, however few their ends.
const CONNECTIONS: usize = 12;

/// Chosen connections, each with the hosts and NAT gateways that its drawn packets came to.
pub struct Chosen<'e> {
    /// In the order of choice.
    pub connections: Vec<usize>,
    /// Of how many of them every packet is drawn; of the others, behind these, what findings cite.
    pub whole: usize,
    hosts: Vec<Vec<&'e str>>,
    gateways: Vec<Vec<&'e str>>,
}

impl<'e> Chosen<'e> {
    /// From all packets of a case.
    pub fn new(trace: &Trace<'e>, journeys: &[Journey], connections: Vec<usize>) -> Self {
        let mut chosen = Self {
            whole: connections.len(),
            hosts: vec![Vec::new(); connections.len()],
            gateways: vec![Vec::new(); connections.len()],
            connections,
        };
        for journey in journeys {
            if let Some(place) = chosen.place(journey.connection) {
                chosen.meet(trace, journey, place);
            }
        }
        chosen
    }

    /// With the connections of what findings cite and is not drawn yet.
    pub fn cite<'j>(&mut self, trace: &Trace<'e>, cited: impl Iterator<Item = &'j Journey>) {
        for journey in cited {
            let Some(connection) = journey.connection else {
                continue;
            };
            let place = self.place(journey.connection).unwrap_or_else(|| {
                self.connections.push(connection);
                self.hosts.push(Vec::new());
                self.gateways.push(Vec::new());
                self.connections.len() - 1
            });
            self.meet(trace, journey, place);
        }
    }

    /// Which of the chosen it is.
    pub fn place(&self, connection: Option<usize>) -> Option<usize> {
        let connection = connection?;
        self.connections.iter().position(|one| *one == connection)
    }

    /// Where a packet of one came to.
    fn meet(&mut self, trace: &Trace<'e>, journey: &Journey, place: usize) {
        for stretch in &journey.stretches {
            let packets = &trace.evidence.packets;
            let (sent, ended) = (&packets[stretch.sent], &packets[stretch.ended]);
            for name in [&sent.sender, &ended.receiver] {
                note(&mut self.hosts[place], name);
            }
            if let Some(gateway) = gateway(trace, sent, ended) {
                note(&mut self.gateways[place], gateway);
            }
        }
    }

    /// Leaves out the last connections until the rest have few enough ends to be drawn beside each other, and says how
    /// many that were.
    pub fn fit(&mut self, trace: &Trace<'e>) -> usize {
        let all = self.connections.len();
        let mut count = all.min(CONNECTIONS);
        while count > 0 && self.lanes(trace, count).len() > LANES {
            count -= 1;
        }
        // One that needs more than there is room for is drawn all the same.
        self.whole = count.max(1).min(all);
        self.connections.truncate(self.whole);
        self.hosts.truncate(self.whole);
        self.gateways.truncate(self.whole);
        all - self.whole
    }

    /// The lifelines for the first `count` connections, each once.
    fn lanes(&self, trace: &Trace<'e>, count: usize) -> Vec<Lane> {
        let mut list: Vec<Lane> = Vec::new();
        self.clients(trace, count, &mut list);
        self.gateways(trace, count, &mut list);
        self.endpoints(trace, count, &mut list);
        self.zonal(trace, count, &mut list);
        self.targets(trace, count, &mut list);
        list
    }

    fn first(
        &self,
        trace: &Trace<'e>,
        count: usize,
    ) -> impl Iterator<Item = &'e Connection> + Clone {
        let all = &trace.evidence.connections;
        self.connections[..count].iter().map(move |c| &all[*c])
    }

    /// Hosts inside of another that packets of the first `count` connections were seen at.
    fn touched(
        &self,
        trace: &Trace<'e>,
        count: usize,
        home: &'e str,
    ) -> impl Iterator<Item = &'e str> {
        let all = self.hosts[..count].iter().flatten().copied();
        all.filter(move |name| inside(trace, name) == Some(home))
    }

    /// Clients, and the hosts that they are inside of behind them.
    fn clients(&self, trace: &Trace<'e>, count: usize, list: &mut Vec<Lane>) {
        // A health check has none.
        let connections = || {
            let all = self.first(trace, count);
            all.filter(|c| !is_zonal(trace, &c.from))
        };
        let mut homes: Vec<&str> = Vec::new();
        for client in connections() {
            note(
                &mut homes,
                inside(trace, &client.from).unwrap_or(&client.from),
            );
        }
        for home in homes {
            let own = connections().filter(|c| inside(trace, &c.from).unwrap_or(&c.from) == home);
            for client in own.clone().filter(|c| c.from != home) {
                add(list, host(trace, Role::Client, &client.from));
            }
            for guest in self.touched(trace, count, home) {
                if !list.iter().any(|lane| lane.name == guest) {
                    add(list, host(trace, Role::Target, guest));
                }
            }
            let dials = own.clone().any(|c| c.from == home);
            let role = if dials { Role::Client } else { Role::Router };
            add(list, host(trace, role, home));
        }
    }

    fn gateways(&self, trace: &Trace<'e>, count: usize, list: &mut Vec<Lane>) {
        for gateway in self.gateways[..count].iter().flatten() {
            let evidence = trace.evidence.nat_gateways.get(*gateway);
            let address = evidence.and_then(|gateway| gateway.addresses.first());
            add(
                list,
                Lane {
                    role: Role::Gateway,
                    name: (*gateway).to_owned(),
                    address: address.cloned().unwrap_or_default(),
                    stands_for: Vec::new(),
                },
            );
        }
    }

    /// Interfaces of VPC endpoints, by name.
    fn endpoints(&self, trace: &Trace<'e>, count: usize, list: &mut Vec<Lane>) {
        let dialled = self.first(trace, count).filter(|c| endpoint(trace, c));
        let lanes = dialled.map(|c| Lane {
            role: Role::Endpoint,
            name: c.via.clone(),
            address: ip(&c.remote).to_owned(),
            stands_for: Vec::new(),
        });
        by_name(lanes.collect(), list);
    }

    /// Balancers' addresses: those that clients come to, then those that these send to, each by name.
    fn zonal(&self, trace: &Trace<'e>, count: usize, list: &mut Vec<Lane>) {
        let lane = |name: &str, address: &str| Lane {
            role: Role::Zonal,
            name: name.to_owned(),
            address: address.to_owned(),
            stands_for: Vec::new(),
        };
        let front = self.first(trace, count).filter_map(|c| {
            let name = zonal_of(trace, c)?;
            let dialled = !endpoint(trace, c);
            let known = || zonal_address(trace, name).unwrap_or_default();
            Some(lane(name, if dialled { ip(&c.remote) } else { known() }))
        });
        by_name(front.collect(), list);
        let behind = self
            .first(trace, count)
            .filter(|c| is_zonal(trace, &c.target));
        let behind = behind.map(|c| lane(&c.target, ip(&c.target_address)));
        by_name(behind.collect(), list);
        let checking = self.first(trace, count);
        let checking = checking.filter(|c| is_zonal(trace, &c.from));
        by_name(
            checking.map(|c| lane(&c.from, ip(&c.local))).collect(),
            list,
        );
    }

    /// Targets and what else saw the packets, and the hosts that they are inside of before them.
    fn targets(&self, trace: &Trace<'e>, count: usize, list: &mut Vec<Lane>) {
        for (connection, hosts) in self.connections[..count].iter().zip(&self.hosts) {
            let further = hosts.iter().copied().filter(|name| has_inside(trace, name));
            for name in further.chain(led_to(trace, *connection)) {
                let home = inside(trace, name).unwrap_or(name);
                let complex = has_inside(trace, home);
                let stands = list.iter().any(|lane| lane.name == home);
                // A host that dials itself stands at both ends, unless there is more to be seen inside of it.
                if !stands || (!complex && !list.iter().any(|lane| is_end(lane, home))) {
                    let router = complex && self.touched(trace, count, home).next().is_some();
                    let role = if router { Role::Router } else { Role::Target };
                    add(list, host(trace, role, home));
                }
                if !complex {
                    continue;
                }
                for guest in self.touched(trace, count, home) {
                    if !list.iter().any(|lane| lane.name == guest) {
                        add(list, host(trace, Role::Target, guest));
                    }
                }
            }
        }
    }
}

impl Lanes {
    /// Lanes for the connections' ends and all that was seen between.
    pub fn new(trace: &Trace, chosen: &Chosen) -> Self {
        let all = chosen.lanes(trace, chosen.connections.len());
        let list = match all.len() <= LANES {
            true => all.into_iter().map(Line::of_one).collect(),
            false => gathered(all, &chosen.lanes(trace, chosen.whole)),
        };
        Self { list }
    }

    /// Who stands where.
    pub fn told(self) -> Vec<Lane> {
        self.list.into_iter().map(|line| line.shown).collect()
    }

    /// The first lane of which it is true.
    pub(super) fn place(&self, own: impl Fn(&Lane) -> bool) -> Option<usize> {
        self.list.iter().position(|line| line.of.iter().any(&own))
    }

    /// The lane of a host, or of a balancer's address whose own kernel has packets; of a host's two, that at the clients'
    /// end or the other.
    pub(super) fn named(&self, name: &str, client: bool) -> Option<usize> {
        let own = |lane: &Lane| lane.name == name && (is_host(lane) || lane.role == Role::Zonal);
        let is_own = |line: &Line| line.of.iter().any(own);
        let first = self.list.iter().position(is_own);
        let last = self.list.iter().rposition(is_own);
        if client { first } else { last }
    }

    /// The lane furthest from the clients.
    pub(super) fn last(&self) -> usize {
        self.list.len().saturating_sub(1)
    }
}

impl Line {
    fn of_one(lane: Lane) -> Self {
        Self {
            shown: lane.clone(),
            of: vec![lane],
        }
    }
}

/// Those that are not `kept` stand, role by role, in one line, at the place of the first.
fn gathered(all: Vec<Lane>, kept: &[Lane]) -> Vec<Line> {
    let mut list: Vec<Line> = Vec::new();
    for lane in all {
        let own = kept.contains(&lane);
        let crowd =
            |line: &&mut Line| !own && line.shown.role == lane.role && !kept.contains(&line.shown);
        match list.iter_mut().find(crowd) {
            Some(line) => {
                line.of.push(lane);
                let names = line.of.iter().map(|lane| lane.name.clone());
                line.shown = Lane {
                    role: line.shown.role,
                    name: format!("{} more", line.of.len()),
                    address: String::new(),
                    stands_for: names.collect(),
                };
            }
            None => list.push(Line::of_one(lane)),
        }
    }
    list
}

/// The NAT gateway that translated, dropped, answered or made a packet.
pub(super) fn gateway<'e>(
    trace: &Trace<'e>,
    sent: &'e Packet,
    ended: &'e Packet,
) -> Option<&'e str> {
    if !ended.gateway.is_empty() {
        return Some(&ended.gateway);
    }
    let mapping = trace
        .evidence
        .mappings
        .get(ended.mapping.or(sent.mapping)?)?;
    Some(&mapping.gateway)
}

/// What a host is inside of.
pub(super) fn inside<'e>(trace: &Trace<'e>, name: &str) -> Option<&'e str> {
    let host = trace.evidence.hosts.get(name)?;
    Some(host.inside.as_str()).filter(|home| !home.is_empty())
}

/// The hosts that a connection led to, through whatever balancers; none got it: the one that was dialled.
fn led_to<'e>(trace: &Trace<'e>, connection: usize) -> Vec<&'e str> {
    let evidence = trace.evidence;
    let own = &evidence.connections[connection];
    let legs = trace.legs.iter();
    let legs = legs.filter(|leg| leg.connections.contains(&connection));
    let behind = legs.filter_map(|leg| evidence.hosts.get_key_value(&leg.target));
    let reached = [&own.target, &own.via].map(|name| evidence.hosts.get_key_value(name));
    let reached = reached.into_iter().flatten().take(1);
    reached.chain(behind).map(|(name, _)| &**name).collect()
}

/// A host inside another one, or one that others are inside of. A packet that did not arrive came to nobody, who has no name.
pub fn has_inside(trace: &Trace, name: &str) -> bool {
    let mut all = trace.evidence.hosts.values();
    !name.is_empty() && (inside(trace, name).is_some() || all.any(|host| host.inside == name))
}

fn host(trace: &Trace, role: Role, name: &str) -> Lane {
    let record = trace.evidence.hosts.get(name);
    Lane {
        role,
        name: name.to_owned(),
        address: record.map_or(String::new(), |record| record.address.clone()),
        stands_for: Vec::new(),
    }
}

fn is_host(lane: &Lane) -> bool {
    matches!(lane.role, Role::Client | Role::Router | Role::Target)
}

pub(super) fn is_gateway(lane: &Lane, name: &str) -> bool {
    lane.role == Role::Gateway && lane.name == name
}

/// The lane at which a host is dialled.
fn is_end(lane: &Lane, name: &str) -> bool {
    matches!(lane.role, Role::Router | Role::Target) && lane.name == name
}

fn add(list: &mut Vec<Lane>, lane: Lane) {
    if !list.contains(&lane) {
        list.push(lane);
    }
}

/// In the order of their names, each once.
fn by_name(mut lanes: Vec<Lane>, list: &mut Vec<Lane>) {
    lanes.sort_by(|a, b| a.name.cmp(&b.name));
    for lane in lanes {
        let stands = |other: &Lane| other.role == lane.role && other.name == lane.name;
        if !list.iter().any(stands) {
            list.push(lane);
        }
    }
}

fn note<'e>(list: &mut Vec<&'e str>, name: &'e str) {
    if !name.is_empty() && !list.contains(&name) {
        list.push(name);
    }
}

/// `front/a` of a load balancer.
pub(super) fn is_zonal(trace: &Trace, name: &str) -> bool {
    let balancer = name.split_once('/').map(|(balancer, _)| balancer);
    balancer.is_some_and(|balancer| trace.evidence.load_balancers.contains_key(balancer))
}

/// The balancer's address that a connection came to: by its flow, by what it dialled, by where its endpoint leads.
pub(super) fn zonal_of<'e>(trace: &Trace<'e>, connection: &'e Connection) -> Option<&'e str> {
    let evidence = trace.evidence;
    if let Some(flow) = connection.flow.and_then(|flow| evidence.flows.get(flow)) {
        return Some(&flow.via);
    }
    if is_zonal(trace, &connection.via) {
        return Some(&connection.via);
    }
    let (endpoint, zone) = connection.via.split_once('/')?;
    let leads_to = &evidence.endpoints.get(endpoint)?.leads_to;
    leads_to.get(zone).map(String::as_str)
}

/// It was dialled at a VPC endpoint.
fn endpoint(trace: &Trace, connection: &Connection) -> bool {
    let name = connection.via.split_once('/').map(|(name, _)| name);
    name.is_some_and(|name| trace.evidence.endpoints.contains_key(name))
}

/// `10.0.15.10`
fn zonal_address<'e>(trace: &Trace<'e>, name: &str) -> Option<&'e str> {
    let (balancer, zone) = name.split_once('/')?;
    let balancer = trace.evidence.load_balancers.get(balancer)?;
    balancer.addresses.get(zone).map(String::as_str)
}
