//! Client connections as evidence: what the client's socket, the fabric and the server know of each, put together.
//!
//! `leads` follows a connection through the network, `direct` says where one goes that meets no balancer, `servers` what
//! the other end knows.

mod direct;
mod leads;
mod servers;

use super::datagrams::Datagrams;
use super::sightings::{self, Arrival, Sightings};
use super::{nat, pairs};
use crate::evidence::{Connection, Flow, Packet, Pair};
use crate::fabric::config::Protocol;
use crate::fabric::record::{Conversation, Party, Tuple};
use crate::plan::HostId;
use crate::run::books::Books;
use crate::run::client::{self, Client, End};
use crate::run::story::Story;
use crate::world::tcp_sockets::TcpSocket;
use leads::Leads;
use servers::{ByEnds, header_word};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// Everything that is known of connections, ready to be asked for one.
pub(super) struct Known<'a> {
    story: &'a Story,
    /// By name.
    hosts: HashMap<&'a str, usize>,
    books: &'a Books,
    flows: &'a [Flow],
    pairs: &'a [Pair],
    sightings: &'a Sightings,
    /// What was tried, by what the clients' packets bear.
    attempts: HashMap<Tuple, Vec<&'a Conversation>>,
    by_isn: HashMap<u32, Vec<&'a Conversation>>,
    /// The latest flow of datagrams, by what the client wrote.
    latest: HashMap<Tuple, usize>,
    mappings: nat::ByInside<'a>,
    found: pairs::Index<'a>,
    datagrams: Datagrams<'a>,
    /// By host.
    states: Vec<States>,
}

/// States of a host's sockets by their own and their other end.
type States = HashMap<(SocketAddr, SocketAddr), &'static str>;

/// Whom a connection reached: the host, the client's `address:port` as it sees it, and its own.
#[derive(Clone, Debug, Default)]
struct Reached {
    target: String,
    seen_as: String,
    address: String,
}

impl<'a> Known<'a> {
    pub(super) fn new(
        story: &'a Story,
        books: &'a Books,
        flows: &'a [Flow],
        pairs: &'a [Pair],
        sockets: &[&[TcpSocket]],
        sightings: &'a Sightings,
        packets: &'a [Packet],
    ) -> Self {
        let mut attempts: HashMap<Tuple, Vec<&Conversation>> = HashMap::new();
        for conversation in &books.conversations {
            let same = attempts.entry(conversation.tuple).or_default();
            same.push(conversation);
        }
        let written = nat::as_written(&books.mappings);
        let flows_made = books.flows.iter().enumerate();
        let of_datagrams =
            flows_made.filter(|(_, flow)| flow.client_side.protocol == Protocol::Udp);
        let hosts = story.plan.hosts.iter().enumerate();
        Self {
            story,
            hosts: hosts
                .map(|(number, host)| (host.name.as_str(), number))
                .collect(),
            books,
            flows,
            pairs,
            sightings,
            attempts,
            by_isn: sightings::by_isn(&books.conversations),
            latest: of_datagrams
                .map(|(number, flow)| {
                    let shown = flow.client_side;
                    (*written.get(&shown).unwrap_or(&shown), number)
                })
                .collect(),
            mappings: nat::ByInside::new(&books.mappings),
            found: pairs::Index::new(pairs),
            datagrams: Datagrams::new(packets),
            states: sockets.iter().map(|list| states(list)).collect(),
        }
    }

    /// All client connections, in the story's order.
    pub(super) async fn connections(&self) -> Vec<Connection> {
        let mut served = Vec::with_capacity(self.story.servers.len());
        for server in self.story.servers.iter() {
            served.push(ByEnds::new(server.served()).await);
        }
        let clients = self.story.clients();
        let ends = client::examine(&clients).await;
        let owners = owners(&clients);
        clients
            .iter()
            .zip(ends)
            .enumerate()
            .map(|(number, (client, end))| {
                let own = owners.get(&ends_of(client)) == Some(&number);
                self.connection(client, end, own, &served)
            })
            .collect()
    }

    /// Whom a connection reached; nobody when its packets went nowhere.
    fn reached(&self, client: &Client, leads: &Leads<'_>, proxied: bool) -> Reached {
        let plan = &self.story.plan;
        if proxied {
            let pair = leads.pair.map(|pair| &self.pairs[pair]);
            return pair.map_or_else(Reached::default, |pair| Reached {
                target: pair.target.clone(),
                seen_as: pair.seen_as.clone(),
                address: pair.target_address.clone(),
            });
        }
        match (leads.flow.map(|flow| &self.flows[flow]), leads.arrival) {
            (Some(flow), _) => Reached {
                target: flow.target.clone(),
                seen_as: flow.seen_as.clone(),
                address: flow.target_address.clone(),
            },
            // It never met the fabric, whatever was dialled.
            (None, Some(arrival)) if !leads.crossed => Reached {
                target: plan.hosts[arrival.host.0 as usize].name.clone(),
                seen_as: arrival.from.to_string(),
                address: arrival.to.to_string(),
            },
            // What a host sends to itself never meets the fabric.
            (None, _)
                if leads.conversation.is_some()
                    || client.udp
                    || direct::own_or_inside(plan, client) =>
            {
                direct::reached(plan, client, leads.left_as, leads.translated.clone())
            }
            (None, _) => Reached::default(),
        }
    }

    /// `own`: a socket between its ends is its own, and not that of a later one.
    fn connection(&self, client: &Client, end: End, own: bool, served: &[ByEnds]) -> Connection {
        let (story, plan) = (self.story, &self.story.plan);
        let leads = self.leads(client);
        let proxied = pairs::proxied(plan, client.to.address).is_some();
        let reached = self.reached(client, &leads, proxied);
        // Whose socket is at the other end: the target's, or one inside of it that it passed the SYN on to.
        let (server, seen, at) = match leads.arrival {
            Some(Arrival { host, from, to }) => {
                (Some(host.0 as usize), Some(from.into()), Some(to.into()))
            }
            None => (
                self.hosts.get(reached.target.as_str()).copied(),
                reached.seen_as.parse::<SocketAddr>().ok(),
                reached.address.parse::<SocketAddr>().ok(),
            ),
        };
        let accepted = server.and_then(|server| served[server].accepted(client, at?, seen?));
        let acknowledged = end.info.bytes_acked.saturating_sub(1).min(end.sent);
        let delivered = match accepted {
            Some((_, delivered)) => *delivered,
            None => self.passed_on(acknowledged, leads.pair, proxied),
        };
        let host = Some(client.from.0 as usize).filter(|_| own);
        let server_name = server.map(|server| plan.hosts[server].name.as_str());
        let client_state = self.state(host, client.local, Some(client.to.address));
        // A server has a socket between two ends once: it is not this connection's where a later one was accepted there.
        let latest = server.and_then(|server| served[server].latest(at?, seen?));
        let is_anothers = latest.is_some_and(|latest| match accepted {
            Some((ours, _)) => !Arc::ptr_eq(ours, latest),
            None => !own && latest.accepted > client.began + client.took,
        });
        let server_state = match is_anothers {
            true => String::new(),
            false => self.state(server, at, seen),
        };
        // Who sends or believes a RST or FIN is not ESTABLISHED afterwards.
        let both_stand = [&client_state, &server_state]
            .iter()
            .all(|state| *state == "ESTABLISHED");
        let ended_by = leads.ended.filter(|_| !both_stand);
        Connection {
            server: server_name
                .filter(|name| *name != reached.target)
                .unwrap_or_default()
                .to_owned(),
            step: client.step,
            protocol: if client.udp { "udp" } else { "tcp" }.to_owned(),
            from: plan.hosts[client.from.0 as usize].name.clone(),
            via: client.to.label.clone(),
            local: text(client.local),
            left_as: text(leads.left_as),
            lookup: client.lookup,
            remote: text(Some(client.to.address).filter(|to| to.port() != 0)),
            target: reached.target,
            seen_as: reached.seen_as,
            target_address: reached.address,
            flow: leads.flow,
            proxied,
            pair: leads.pair,
            error: client.fault.word.to_owned(),
            errno: client.fault.errno,
            at: story.millis(client.began),
            ms: client.took.as_secs_f64() * 1e3,
            syns: match (leads.way, leads.conversation) {
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
            ended_by: ended_by.map_or("", party_word).to_owned(),
            client_state,
            server_state,
            told: text(accepted.and_then(|(served, _)| served.told.get().copied())),
            header: accepted
                .map_or("", |(served, _)| header_word(served))
                .to_owned(),
            speaks_first: accepted.is_some_and(|(served, _)| served.speaks_first),
            server_error: accepted
                .map_or("", |(served, _)| served.fault().word)
                .to_owned(),
        }
    }

    /// Of what the client's kernel saw acknowledged, the bytes that reached a real program, which does not say what it
    /// read: of a proxied connection those that the proxy gave on, unless it rewrites them (HTTP); else all.
    fn passed_on(&self, acknowledged: u64, pair: Option<usize>, proxied: bool) -> u64 {
        match (proxied, pair.map(|pair| &self.pairs[pair])) {
            (true, Some(pair)) if pair.protocol != "HTTP" => {
                acknowledged.min(pair.bytes.to_target.cast_unsigned())
            }
            (true, None) => 0,
            (true, Some(_)) | (false, _) => acknowledged,
        }
    }

    /// The state of a host's socket; empty when it has none between these ends.
    fn state(
        &self,
        host: Option<usize>,
        local: Option<SocketAddr>,
        remote: Option<SocketAddr>,
    ) -> String {
        let state = host.and_then(|host| self.states.get(host)?.get(&(local?, remote?)));
        state.copied().unwrap_or_default().to_owned()
    }
}

/// A client's host, whether it speaks UDP, and the two ends of its connection.
type EndsOf = (HostId, bool, Option<SocketAddr>, SocketAddr);

fn ends_of(client: &Client) -> EndsOf {
    (client.from, client.udp, client.local, client.to.address)
}

/// Of several connections between the same two ends the latest, whose the socket is: a port comes back when the one before is
/// closed, or out of its TIME_WAIT. One that was refused the port for that has none.
fn owners(clients: &[Arc<Client>]) -> HashMap<EndsOf, usize> {
    let mut owners: HashMap<EndsOf, usize> = HashMap::new();
    for (number, client) in clients.iter().enumerate() {
        if client.fault.word == "no-port" {
            continue;
        }
        let owner = owners.entry(ends_of(client)).or_insert(number);
        if client.began >= clients[*owner].began {
            *owner = number;
        }
    }
    owners
}

fn states(sockets: &[TcpSocket]) -> States {
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

/// `address:port`, or nothing.
fn text(end: Option<SocketAddr>) -> String {
    end.map_or(String::new(), |end| end.to_string())
}

fn party_word(party: Party) -> &'static str {
    match party {
        Party::Client => "client",
        Party::Server => "server",
        Party::Fabric => "fabric",
    }
}
