//! Lifelines and arrows: who stands in which lane, and from where to where a packet went.

use super::model::{Arrow, Lane, Place, Role, Stop, Through};
use crate::evidence::{Connection, Packet};
use crate::verdict::trace::{Journey, Stretch, Trace, delivered, drop_reason};

/// The lifelines of a ladder, from left to right.
pub struct Lanes {
    list: Vec<Lane>,
}

/// Lifelines in one ladder.
const LANES: usize = 7;
/// Connections in one ladder, however few their ends.
const CONNECTIONS: usize = 12;

/// Chosen connections, each with the hosts and NAT gateways that its packets came to.
pub struct Chosen<'e> {
    /// In the order of choice.
    pub connections: Vec<usize>,
    hosts: Vec<Vec<&'e str>>,
    gateways: Vec<Vec<&'e str>>,
}

impl<'e> Chosen<'e> {
    /// From all packets of a case.
    pub fn new(trace: &Trace<'e>, journeys: &[Journey], connections: Vec<usize>) -> Self {
        let mut chosen = Self {
            hosts: vec![Vec::new(); connections.len()],
            gateways: vec![Vec::new(); connections.len()],
            connections,
        };
        for journey in journeys {
            let place = chosen.connections.iter();
            let Some(place) = place.clone().position(|c| Some(*c) == journey.connection) else {
                continue;
            };
            for stretch in &journey.stretches {
                let packets = &trace.evidence.packets;
                let (sent, ended) = (&packets[stretch.sent], &packets[stretch.ended]);
                for name in [&sent.sender, &ended.receiver] {
                    note(&mut chosen.hosts[place], name);
                }
                if let Some(gateway) = gateway(trace, sent, ended) {
                    note(&mut chosen.gateways[place], gateway);
                }
            }
        }
        chosen
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
        self.connections.truncate(count.max(1));
        all - self.connections.len()
    }

    /// The lifelines for the first `count` connections, each once.
    fn lanes(&self, trace: &Trace<'e>, count: usize) -> Vec<Lane> {
        let mut list: Vec<Lane> = Vec::new();
        self.clients(trace, count, &mut list);
        self.gateways(trace, count, &mut list);
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
        let connections = || self.first(trace, count);
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
                },
            );
        }
    }

    /// Zonal addresses, by name.
    fn zonal(&self, trace: &Trace<'e>, count: usize, list: &mut Vec<Lane>) {
        let zonal = self.first(trace, count).filter(|c| is_zonal(trace, &c.via));
        let mut zonal: Vec<Lane> = zonal
            .map(|c| Lane {
                role: Role::Zonal,
                name: c.via.clone(),
                address: ip(&c.remote).to_owned(),
            })
            .collect();
        zonal.sort_by(|a, b| a.name.cmp(&b.name));
        zonal.into_iter().for_each(|lane| add(list, lane));
    }

    /// Targets and what else saw the packets, and the hosts that they are inside of before them.
    fn targets(&self, trace: &Trace<'e>, count: usize, list: &mut Vec<Lane>) {
        let chosen = self.connections[..count].iter().zip(&self.hosts);
        for (number, hosts) in chosen {
            let c = &trace.evidence.connections[*number];
            let further = hosts.iter().copied().filter(|name| has_inside(trace, name));
            let legs = trace.legs.iter();
            let asked = legs.filter(|leg| leg.connections.contains(number));
            for name in further
                .chain([c.target.as_str()])
                .chain(asked.map(|leg| leg.target.as_str()))
                .filter(|name| !name.is_empty())
            {
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
        Self {
            list: chosen.lanes(trace, chosen.connections.len()),
        }
    }

    /// Who stands where.
    pub fn told(self) -> Vec<Lane> {
        self.list
    }

    /// A packet's way: one arrow, or several where it turns; each with the first and last of its stretches.
    pub fn arrows(&self, trace: &Trace, journey: &Journey) -> Vec<(Arrow, usize, usize)> {
        let mut points: Vec<Point> = Vec::new();
        let mut stop = None;
        let packets = &trace.evidence.packets;
        for (number, stretch) in journey.stretches.iter().enumerate() {
            let (leg, stopped) = self.points(trace, journey, *stretch);
            stop = stopped;
            for (place, (lane, translates)) in leg.into_iter().enumerate() {
                let point = Point {
                    lane,
                    translated: translates,
                    stretch: number,
                };
                match points.last_mut() {
                    Some(last) if last.lane == lane && (place > 0 || number > 0) => {
                        let renamed = number.checked_sub(1).is_some_and(|before| {
                            let before = &packets[journey.stretches[before].ended];
                            let now = &packets[stretch.sent];
                            (&before.from_after, &before.to_after) != (&now.from, &now.to)
                        });
                        last.translated |= translates || (place == 0 && renamed);
                    }
                    Some(_) | None => points.push(point),
                }
            }
        }
        runs(&points, stop)
    }

    /// The lanes of one stretch, from its sender's to where it was bound for, each with whether it translates there.
    fn points(
        &self,
        trace: &Trace,
        journey: &Journey,
        stretch: Stretch,
    ) -> (Vec<(usize, bool)>, Option<Stop>) {
        let packets = &trace.evidence.packets;
        let (sent, ended) = (&packets[stretch.sent], &packets[stretch.ended]);
        let toward = journey.toward_target;
        let client = self.find(trace, journey, sent, ended, true);
        let target = self.find(trace, journey, sent, ended, false);
        if !sent.seen_at.is_empty() {
            let both = [&sent.sender, &sent.receiver];
            let lanes = both.map(|name| self.named(name, toward == (name == both[0])));
            let lanes = lanes.into_iter().flatten().map(|lane| (lane, false));
            return (lanes.collect(), None);
        }
        let behind = journey.passage.is_some_and(|p| trace.passages[p].behind);
        let proxy = self.proxy(trace, journey);
        let (client, target) = match proxy {
            Some(zonal) if behind => (zonal, target),
            Some(zonal) => (client, zonal),
            None => (client, target),
        };
        let (begin, goal) = if toward {
            (client, target)
        } else {
            (target, client)
        };
        let gateway = gateway(trace, sent, ended);
        let gateway =
            gateway.and_then(|name| self.list.iter().position(|lane| is_gateway(lane, name)));
        let zonal = self.via(sent, ended, toward).filter(|_| proxy.is_none());
        let mut between: Vec<usize> = gateway.into_iter().chain(zonal).collect();
        if !toward {
            between.reverse();
        }
        // What ended at the gateway came no further, what the gateway made came from there.
        let made_here = !trace.evidence.hosts.contains_key(&sent.sender) && proxy.is_none();
        if made_here && let Some(first) = between.first().copied() {
            let maker = if ended.gateway.is_empty() {
                zonal
            } else {
                gateway
            };
            let maker = maker.unwrap_or(first);
            let rest = between
                .iter()
                .skip_while(|lane| **lane != maker)
                .skip(1)
                .copied();
            let rest: Vec<usize> = rest.collect();
            return route(maker, &rest, goal, ended);
        }
        if !ended.gateway.is_empty() && !delivered(ended) {
            between.truncate(
                between
                    .iter()
                    .position(|lane| Some(*lane) == gateway)
                    .map_or(0, |at| at + 1),
            );
        }
        route(begin, &between, goal, ended)
    }

    /// The lane of the balancer's address at which a proxied connection ends.
    fn proxy(&self, trace: &Trace, journey: &Journey) -> Option<usize> {
        let connection = &trace.evidence.connections[journey.connection?];
        let own = |lane: &Lane| lane.role == Role::Zonal && lane.name == connection.via;
        self.list
            .iter()
            .position(own)
            .filter(|_| connection.proxied)
    }

    /// The lane of the balancer's address that translates it.
    fn via(&self, sent: &Packet, ended: &Packet, toward_target: bool) -> Option<usize> {
        let address = ip(if toward_target {
            &sent.to
        } else {
            &ended.from_after
        });
        // What a balancer makes itself toward a target bears the client's address: its own lane is the flow's.
        let own = |lane: &Lane| lane.role == Role::Zonal && lane.address == address;
        self.list.iter().position(own)
    }

    /// A host's lane: of two, that at the clients' end or the other.
    fn named(&self, name: &str, client: bool) -> Option<usize> {
        let own = |lane: &Lane| lane.name == name && is_host(lane);
        let first = self.list.iter().position(own);
        let last = self.list.iter().rposition(own);
        if client { first } else { last }
    }

    /// The lifeline of one end of a packet.
    fn find(
        &self,
        trace: &Trace,
        journey: &Journey,
        sent: &Packet,
        ended: &Packet,
        client: bool,
    ) -> usize {
        let name = if journey.toward_target == client {
            &sent.sender
        } else {
            &ended.receiver
        };
        let connection = journey.connection.map(|c| &trace.evidence.connections[c]);
        // What came to no host was bound for the connection's own end.
        let bound = || {
            let connection = connection?;
            let end = if client {
                &connection.from
            } else {
                &connection.target
            };
            self.named(inside(trace, end).unwrap_or(end), client)
        };
        let role = if client { Role::Client } else { Role::Target };
        let any = || self.list.iter().position(|lane| lane.role == role);
        // A connection that no host got has no target: it ends at the last lane there is.
        let fallback = if client {
            0
        } else {
            self.list.len().saturating_sub(1)
        };
        let named = self.named(name, client);
        named.or_else(bound).or_else(any).unwrap_or(fallback)
    }
}

/// A lane that a packet came to.
struct Point {
    lane: usize,
    translated: bool,
    /// The stretch that brought it there.
    stretch: usize,
}

/// From lane to lane past what translates it, and where it ends if it does not arrive.
fn route(
    begin: usize,
    between: &[usize],
    goal: usize,
    ended: &Packet,
) -> (Vec<(usize, bool)>, Option<Stop>) {
    let held = ended.fate == "held";
    let mut points = vec![(begin, false)];
    points.extend(between.iter().map(|lane| (*lane, true)));
    if delivered(ended) {
        points.push((goal, false));
        return (points, None);
    }
    let place = match between.last() {
        _ if drop_reason(ended) == Some("kernel-quirk") => Place::Start,
        Some(_) if !held => Place::End,
        Some(_) | None => Place::Way,
    };
    if place != Place::End {
        points.push((goal, false));
    }
    (points, Some(Stop { place, held }))
}

/// Cuts a way where it turns.
fn runs(points: &[Point], stop: Option<Stop>) -> Vec<(Arrow, usize, usize)> {
    let mut turns = vec![0];
    for at in 1..points.len().saturating_sub(1) {
        let rises = points[at].lane > points[at - 1].lane;
        if rises != (points[at + 1].lane > points[at].lane) {
            turns.push(at);
        }
    }
    turns.push(points.len().saturating_sub(1));
    let last = turns.len() - 2;
    let arrow = |(number, ends): (usize, &[usize])| {
        let (first, end) = (ends[0], ends[1]);
        let inner = points.get(first + 1..end).unwrap_or_default();
        let arrow = Arrow {
            from: points[first].lane,
            to: points[end].lane,
            through: inner
                .iter()
                .map(|point| Through {
                    lane: point.lane,
                    translated: point.translated,
                })
                .collect(),
            stop: stop.filter(|_| number == last),
        };
        let begins = points.get(first + 1).unwrap_or(&points[first]).stretch;
        (arrow, begins, points[end].stretch)
    };
    match points.is_empty() {
        true => Vec::new(),
        false => turns.windows(2).enumerate().map(arrow).collect(),
    }
}

/// The NAT gateway that translated, dropped, answered or made a packet.
fn gateway<'e>(trace: &Trace<'e>, sent: &'e Packet, ended: &'e Packet) -> Option<&'e str> {
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
fn inside<'e>(trace: &Trace<'e>, name: &str) -> Option<&'e str> {
    let host = trace.evidence.hosts.get(name)?;
    Some(host.inside.as_str()).filter(|home| !home.is_empty())
}

/// A host inside another one, or one that others are inside of.
pub fn has_inside(trace: &Trace, name: &str) -> bool {
    inside(trace, name).is_some() || {
        let mut all = trace.evidence.hosts.values();
        all.any(|host| host.inside == name)
    }
}

fn host(trace: &Trace, role: Role, name: &str) -> Lane {
    let record = trace.evidence.hosts.get(name);
    Lane {
        role,
        name: name.to_owned(),
        address: record.map_or(String::new(), |record| record.address.clone()),
    }
}

fn is_host(lane: &Lane) -> bool {
    matches!(lane.role, Role::Client | Role::Router | Role::Target)
}

fn is_gateway(lane: &Lane, name: &str) -> bool {
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

fn note<'e>(list: &mut Vec<&'e str>, name: &'e str) {
    if !name.is_empty() && !list.contains(&name) {
        list.push(name);
    }
}

fn is_zonal(trace: &Trace, via: &str) -> bool {
    via.split_once('/')
        .is_some_and(|(balancer, _)| trace.evidence.load_balancers.contains_key(balancer))
}

fn ip(address: &str) -> &str {
    let ip = address.rsplit_once(':').map_or(address, |(ip, _)| ip);
    ip.trim_matches(['[', ']'])
}
