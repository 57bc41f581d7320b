//! Client connections as evidence: what the client's socket, the fabric and the server know of each, put together.

use super::books::Books;
use super::client::{self, Client, End};
use super::datagrams::Datagrams;
use super::server::{self, Header, Served};
use super::sightings::{self, Arrival, Sightings, Way};
use super::story::Story;
use super::{nat, pairs};
use crate::evidence::{Connection, Flow, Packet, Pair};
use crate::fabric::config::Protocol;
use crate::fabric::record::{Conversation, Ended, Party, Tuple};
use crate::plan::{Attachment, Plan};
use crate::world::proc;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub(super) async fn connections(
    story: &Story,
    books: &Books,
    flows: &[Flow],
    pairs: &[Pair],
    sockets: &[Vec<proc::TcpSocket>],
    sightings: &Sightings,
    packets: &[Packet],
) -> Vec<Connection> {
    let mut attempts: HashMap<Tuple, Vec<&Conversation>> = HashMap::new();
    for conversation in &books.conversations {
        attempts
            .entry(conversation.tuple)
            .or_default()
            .push(conversation);
    }
    let written = nat::as_written(&books.mappings);
    let mappings = nat::ByInside::new(&books.mappings);
    let by_isn = sightings::by_isn(&books.conversations);
    let latest: HashMap<Tuple, usize> = books
        .flows
        .iter()
        .enumerate()
        .filter(|(_, flow)| flow.client_side.protocol == Protocol::Udp)
        .map(|(number, flow)| {
            let shown = flow.client_side;
            (*written.get(&shown).unwrap_or(&shown), number)
        })
        .collect();
    let mut served = Vec::with_capacity(story.servers.len());
    for server in &story.servers {
        served.push(ByEnds::new(server.served()).await);
    }
    let states: Vec<States> = sockets.iter().map(|list| states(list)).collect();
    let clients = story.clients();
    let ends = client::examine(&clients).await;
    let start = story.world.driver().start_time();
    let found = pairs::Index::new(pairs);
    let datagrams = Datagrams::new(packets);
    clients
        .iter()
        .zip(ends)
        .map(|(client, end)| {
            let began = client.began.into_std().saturating_duration_since(start);
            let way = way(story, client, sightings);
            // What its router made of its own end, the fabric knows; its sequence number tells whose it is.
            let joined = way.and_then(|way| {
                let to = books.stand_ins.inside(client.to.address)?;
                let mut same = by_isn.get(&way.isn)?.iter();
                same.find(|c| c.tuple.to == to && c.opened >= began)
                    .copied()
            });
            let own = client.local.filter(|_| way.is_none()).and_then(|local| {
                let tuple = tuple(books, client, local)?;
                attempts
                    .get(&tuple)?
                    .iter()
                    .find(|conversation| conversation.opened >= began)
                    .copied()
            });
            let conversation = joined.or(own);
            let way = way.or_else(|| match conversation {
                None if !client.udp => {
                    let began = story.millis(client.began);
                    sightings.way_inside(&story.plan, client.from, client.local?, began)
                }
                None | Some(_) => None,
            });
            let lead = match client.udp {
                true => datagrams.lead(story, client),
                false => None,
            };
            let flow = match client.udp {
                false => conversation
                    .and_then(|conversation| conversation.flow)
                    .map(|flow| flow.0 as usize),
                // Its datagrams may have made several, one after the other.
                true => lead.as_ref().and_then(|lead| lead.flow).or_else(|| {
                    let tuple = tuple(books, client, client.local?)?;
                    latest.get(&tuple).copied()
                }),
            };
            let of_datagrams = lead.as_ref().and_then(|lead| lead.entered);
            let entered = joined
                .map(|joined| joined.tuple)
                .or_else(|| tuple(books, client, of_datagrams?));
            let own = || tuple(books, client, client.local?);
            let mapping = entered
                .or_else(own)
                .and_then(|inside| mappings.since(&inside, began));
            let outside = mapping.map(|mapping| mapping.outside);
            let left_as = outside.or(entered).map(|tuple| tuple.from.into());
            let pair = found.of_client(story, client, left_as);
            let ended = conversation.and_then(|conversation| {
                let of_target = pair.and_then(|pair| {
                    let pair = &pairs[pair];
                    let behind = Tuple {
                        protocol: Protocol::Tcp,
                        from: pair.seen_as.parse().ok()?,
                        to: pair.target_address.parse().ok()?,
                    };
                    let mut attempts = attempts.get(&behind)?.iter();
                    attempts.find_map(|attempt| attempt.ended)
                });
                let proxied = pairs::proxied(&story.plan, client.to.address).is_some();
                ender(conversation, of_target, proxied)
            });
            let ended = ended.or_else(|| match (conversation, way) {
                (None, Some(_)) => {
                    let began = story.millis(client.began);
                    let own = (client.from, client.local?);
                    sightings.ender(&story.plan, own, client.to.address, began)
                }
                (_, _) => None,
            });
            let arrival = match (way, conversation) {
                (Some(way), _) => sightings.arrival(way.isn),
                (None, Some(conversation)) => sightings.arrival(conversation.isn),
                (None, None) => lead.as_ref().and_then(|lead| lead.arrival),
            };
            let own_end = entered.map(|tuple| SocketAddr::from(tuple.from));
            let leads = Leads {
                left_as: own_end.filter(|end| Some(*end) != client.local),
                crossed: conversation.is_some() || of_datagrams.is_some(),
                way,
                arrival,
                flow,
                pair,
                ended,
                translated: outside.map(|outside| books.end(outside.from)),
            };
            connection(
                story,
                client,
                end,
                conversation,
                leads,
                flows,
                pairs,
                &states,
                &served,
            )
        })
        .collect()
}

/// What a server accepted, with the bytes delivered on each connection, by the server's and the client's end.
struct ByEnds(HashMap<(SocketAddr, SocketAddr), Vec<Delivered>>);

/// A connection that a server accepted, and the bytes delivered on it.
type Delivered = (Arc<Served>, u64);

impl ByEnds {
    async fn new(list: Vec<Arc<Served>>) -> Self {
        let delivered = server::delivered(&list).await;
        let mut by_ends: HashMap<_, Vec<_>> = HashMap::with_capacity(list.len());
        for (served, delivered) in list.into_iter().zip(delivered) {
            let same = by_ends.entry((served.local, served.peer)).or_default();
            same.push((served, delivered));
        }
        Self(by_ends)
    }

    /// In the order they were accepted.
    fn between(&self, own: SocketAddr, peer: SocketAddr) -> &[(Arc<Served>, u64)] {
        self.0.get(&(own, peer)).map_or(&[], Vec::as_slice)
    }
}

/// States of a host's sockets by their own and their other end.
type States = HashMap<(SocketAddr, SocketAddr), &'static str>;

fn states(sockets: &[proc::TcpSocket]) -> States {
    let by_ends = sockets
        .iter()
        .map(|socket| ((socket.local, socket.remote), socket.state));
    // The first of several counts.
    by_ends.rev().collect()
}

/// What a client's packets bear.
fn tuple(books: &Books, client: &Client, local: SocketAddr) -> Option<Tuple> {
    Some(Tuple {
        protocol: if client.udp {
            Protocol::Udp
        } else {
            Protocol::Tcp
        },
        from: books.stand_ins.inside(local)?,
        to: books.stand_ins.inside(client.to.address)?,
    })
}

/// How the connection of a client inside another host travelled there; none for a client on the fabric.
fn way(story: &Story, client: &Client, sightings: &Sightings) -> Option<Way> {
    let inside = client.from.0 as usize >= story.plan.on_fabric();
    if !inside || client.udp {
        return None;
    }
    let began = story.millis(client.began);
    sightings.way(client.from, client.local?, client.to.address, began)
}

/// Where a client's connection went, and who ended it.
struct Leads {
    /// Its own end as it came to the network, where its router made another one of it.
    left_as: Option<SocketAddr>,
    /// It came to the network.
    crossed: bool,
    /// Inside the host that its client is inside of.
    way: Option<Way>,
    /// At the server, when that is inside a host.
    arrival: Option<Arrival>,
    /// The balancer's flow.
    flow: Option<usize>,
    /// The proxy's connection to a target.
    pair: Option<usize>,
    ended: Option<Party>,
    /// `address:port` that a NAT gateway shows instead of the client's.
    translated: Option<String>,
}

/// Who sent the first FIN or RST. Of a connection that ends at a proxy it is the server when the server had ended the other
/// one before, else the proxy itself.
fn ender(conversation: &Conversation, of_target: Option<Ended>, proxied: bool) -> Option<Party> {
    let ended = conversation.ended?;
    if !proxied || ended.by != Party::Server {
        return Some(ended.by);
    }
    let before = of_target.filter(|other| other.by == Party::Server && other.at <= ended.at);
    Some(before.map_or(Party::Fabric, |other| other.by))
}

#[expect(clippy::too_many_arguments)]
fn connection(
    story: &Story,
    client: &Client,
    end: End,
    conversation: Option<&Conversation>,
    Leads {
        left_as,
        crossed,
        way,
        arrival,
        flow,
        pair,
        ended,
        translated,
    }: Leads,
    flows: &[Flow],
    pairs: &[Pair],
    states: &[States],
    served: &[ByEnds],
) -> Connection {
    let plan = &story.plan;
    let carried = pair.map(|pair| &pairs[pair]);
    let proxied = pairs::proxied(plan, client.to.address).is_some();
    let (target, seen_as, target_address) = match flow.map(|flow| &flows[flow]) {
        _ if proxied => carried.map_or_else(Default::default, |pair| {
            (
                pair.target.clone(),
                pair.seen_as.clone(),
                pair.target_address.clone(),
            )
        }),
        // It never met the fabric, whatever was dialled.
        None if let (false, Some(arrival)) = (crossed, arrival) => (
            plan.hosts[arrival.host.0 as usize].name.clone(),
            arrival.from.to_string(),
            arrival.to.to_string(),
        ),
        Some(flow) => (
            flow.target.clone(),
            flow.seen_as.clone(),
            flow.target_address.clone(),
        ),
        // What a host sends to itself never meets the fabric.
        None if conversation.is_some() || client.udp || own_or_inside(plan, client) => {
            direct(plan, client, left_as, translated)
        }
        None => Default::default(),
    };
    // Whose socket is at the other end: the target's, or one inside of it that it passed the SYN on to.
    let (server, seen, at) = match arrival {
        Some(Arrival { host, from, to }) => {
            (Some(host.0 as usize), Some(from.into()), Some(to.into()))
        }
        None => (
            plan.hosts.iter().position(|host| host.name == target),
            seen_as.parse::<SocketAddr>().ok(),
            target_address.parse::<SocketAddr>().ok(),
        ),
    };
    let stood = client.began + client.took;
    // Two connections may show one tuple to a server: ours is the one accepted nearest to when it came to stand.
    let accepted = server.and_then(|server| {
        let same = served[server].between(at?, seen?);
        let same = same.iter().filter(|_| client.fault.is_none());
        same.min_by_key(|(served, _)| {
            if served.accepted > stood {
                served.accepted - stood
            } else {
                stood - served.accepted
            }
        })
    });
    let acknowledged = end.info.bytes_acked.saturating_sub(1).min(end.sent);
    let unknown = match (proxied, carried) {
        // A real program does not say what it read.
        (true, Some(pair)) => {
            let carried = pair.bytes.map_or(0, |bytes| bytes.to_target);
            acknowledged.min(carried.cast_unsigned())
        }
        (true, None) => 0,
        (false, _) => acknowledged,
    };
    let delivered = accepted.map_or(unknown, |(_, delivered)| *delivered);
    let state_of = |host: Option<usize>, local: Option<SocketAddr>, remote: Option<SocketAddr>| {
        let state = host.and_then(|host| states[host].get(&(local?, remote?)));
        state.map_or(String::new(), |state| (*state).to_owned())
    };
    Connection {
        step: client.step,
        protocol: if client.udp { "udp" } else { "tcp" }.to_owned(),
        from: plan.hosts[client.from.0 as usize].name.clone(),
        via: client.to.label.clone(),
        local: client
            .local
            .map_or(String::new(), |local| local.to_string()),
        left_as: left_as.map_or(String::new(), |end| end.to_string()),
        lookup: client.lookup,
        remote: match client.to.address.port() {
            0 => String::new(),
            _ => client.to.address.to_string(),
        },
        target,
        seen_as,
        target_address,
        flow,
        proxied,
        pair,
        error: client.fault.word.to_owned(),
        errno: client.fault.errno,
        at: story.millis(client.began),
        ms: client.took.as_secs_f64() * 1e3,
        syns: match (way, conversation) {
            (Some(way), _) => way.syns,
            (None, Some(conversation)) => i64::from(conversation.syns),
            (None, None) => 0,
        },
        sent: end.sent as i64,
        received: end.received as i64,
        delivered: delivered as i64,
        lost: acknowledged.saturating_sub(delivered) as i64,
        unacked: end.info.unacked as i64,
        ended: end.ended.to_owned(),
        ended_by: ended.map_or(String::new(), |by| {
            match by {
                Party::Client => "client",
                Party::Server => "server",
                Party::Fabric => "fabric",
            }
            .to_owned()
        }),
        client_state: state_of(
            Some(client.from.0 as usize),
            client.local,
            Some(client.to.address),
        ),
        server_state: state_of(server, at, seen),
        told: accepted
            .and_then(|(served, _)| served.told.get())
            .map_or(String::new(), ToString::to_string),
        header: accepted
            .map_or("", |(served, _)| header_word(served))
            .to_owned(),
        server_error: accepted.map_or(String::new(), |(served, _)| served.fault().word.to_owned()),
    }
}

fn header_word(served: &Arc<Served>) -> &'static str {
    match served.header.get() {
        Some(Header::NotExpected) => "not-expected",
        Some(Header::Read) => "read",
        Some(Header::Broken) => "broken",
        None => "awaited",
    }
}

/// True when a client dials its own host, or one of those inside the same host: that never meets the fabric.
fn own_or_inside(plan: &Plan, client: &Client) -> bool {
    let to = client.to.address.ip();
    let host = plan.host_of(to, client.from);
    host.is_some_and(|host| {
        plan.hosts[host.0 as usize].has(to) && plan.port(host) == plan.port(client.from)
    })
}

/// Target, the client's address there, and the target's own, of a connection that met no balancer's flow.
fn direct(
    plan: &Plan,
    client: &Client,
    left_as: Option<SocketAddr>,
    translated: Option<String>,
) -> (String, String, String) {
    let remote = client.to.address;
    let Some(id) = plan.host_of(remote.ip(), client.from) else {
        return Default::default();
    };
    let (host, from) = (
        &plan.hosts[id.0 as usize],
        &plan.hosts[client.from.0 as usize],
    );
    let crosses_gateway = host.zone.is_none() || !host.has(remote.ip());
    // What its NAT gateway dropped went nowhere.
    let behind = from.attachment == Attachment::Fabric
        && plan.fabric.ports[client.from.0 as usize].nat.is_some()
        && remote.is_ipv4();
    if behind && crosses_gateway && translated.is_none() {
        return Default::default();
    }
    // What leaves a router leaves as its own.
    let sender = match left_as {
        Some(_) => plan.port(client.from).0,
        None => client.from.0,
    };
    let (host, from) = (&plan.hosts[id.0 as usize], &plan.hosts[sender as usize]);
    let (source, destination) = match remote {
        SocketAddr::V6(_) => (from.ipv6.map(IpAddr::from), remote.ip()),
        SocketAddr::V4(_) => {
            // A host with a public address appears under it wherever its packet passes the internet gateway.
            let public = from.public_address.filter(|_| crosses_gateway);
            let destination = match host.has(remote.ip()) {
                true => remote.ip(),
                false => host.address.into(),
            };
            (Some(public.unwrap_or(from.address).into()), destination)
        }
    };
    let own = match (left_as.or(client.local), source) {
        (Some(local), Some(source)) => SocketAddr::new(source, local.port()).to_string(),
        (_, _) => String::new(),
    };
    let seen_as = translated.unwrap_or(own);
    let target = SocketAddr::new(destination, remote.port());
    (host.name.clone(), seen_as, target.to_string())
}
