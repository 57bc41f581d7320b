//! Where a client's connection went, and who ended it.

use super::{Known, tuple};
use crate::fabric::config::Protocol;
use crate::fabric::record::{Conversation, Ended, Party, Tuple};
use crate::run::client::Client;
use crate::run::collect::datagrams::Lead;
use crate::run::collect::pairs;
use crate::run::collect::sightings::{Arrival, Way};
use std::net::SocketAddr;
use std::time::Duration;

/// What the network and the devices inside hosts tell of one connection.
pub(super) struct Leads<'a> {
    /// What the fabric knows of the attempt.
    pub(super) conversation: Option<&'a Conversation>,
    /// Its own end as it came to the network, where its router made another one of it.
    pub(super) left_as: Option<SocketAddr>,
    /// It came to the network.
    pub(super) crossed: bool,
    /// Inside the host that its client is inside of.
    pub(super) way: Option<Way>,
    /// At the server, when that is inside a host.
    pub(super) arrival: Option<Arrival>,
    /// The balancer's flow.
    pub(super) flow: Option<usize>,
    /// The proxy's connection to a target.
    pub(super) pair: Option<usize>,
    /// Who sent the first FIN or RST.
    pub(super) ended: Option<Party>,
    /// `address:port` that a NAT gateway shows instead of the client's.
    pub(super) translated: Option<String>,
}

impl<'a> Known<'a> {
    pub(super) fn leads(&self, client: &Client) -> Leads<'a> {
        let start = self.story.world.driver().start_time();
        let began = client.began.into_std().saturating_duration_since(start);
        let way = self.way(client);
        let joined = way.and_then(|way| self.joined(client, way, began));
        let conversation = match way {
            Some(_) => joined,
            None => self.attempt(client, began),
        };
        let way = way.or_else(|| match conversation {
            None => self.way_inside(client),
            Some(_) => None,
        });
        let lead = match client.udp {
            true => self.datagrams.lead(self.story, client),
            false => None,
        };
        let of_datagrams = lead.and_then(|lead| lead.entered);
        let entered = joined
            .map(|joined| joined.tuple)
            .or_else(|| tuple(self.books, client, of_datagrams?));
        let inside = entered.or_else(|| tuple(self.books, client, client.local?));
        let mapping = inside.and_then(|inside| self.mappings.since(&inside, began));
        let outside = mapping.map(|mapping| mapping.outside);
        let left_as = outside.or(entered).map(|tuple| tuple.from.into());
        let pair = self.found.of_client(self.story, client, left_as);
        let own_end = entered.map(|tuple| SocketAddr::from(tuple.from));
        Leads {
            left_as: own_end.filter(|end| Some(*end) != client.local),
            crossed: conversation.is_some() || of_datagrams.is_some(),
            arrival: match (way, conversation) {
                (Some(way), _) => self.sightings.arrival(&self.story.plan, way.isn),
                (None, Some(conversation)) => {
                    self.sightings.arrival(&self.story.plan, conversation.isn)
                }
                (None, None) => lead.and_then(|lead| lead.arrival),
            },
            flow: self.flow(client, conversation, lead),
            ended: match (conversation, way) {
                (Some(conversation), _) => self.ended(client, conversation, pair),
                (None, Some(_)) => self.ended_inside(client),
                (None, None) => None,
            },
            conversation,
            way,
            pair,
            translated: outside.map(|outside| self.books.end(outside.from)),
        }
    }

    /// How the connection of a client inside another host travelled there; none for a client on the fabric.
    fn way(&self, client: &Client) -> Option<Way> {
        let plan = &self.story.plan;
        let inside = client.from.0 as usize >= plan.on_fabric();
        if !inside || client.udp {
            return None;
        }
        let began = self.story.millis(client.began);
        self.sightings
            .way(client.from, client.local?, client.to.address, began)
    }

    /// The same of a connection that stays inside the host that its client is inside of.
    fn way_inside(&self, client: &Client) -> Option<Way> {
        if client.udp {
            return None;
        }
        let began = self.story.millis(client.began);
        self.sightings
            .way_inside(&self.story.plan, client.from, client.local?, began)
    }

    /// The attempt of a client behind a router. What that made of the client's end, the fabric knows; the sequence number
    /// tells whose it is.
    fn joined(&self, client: &Client, way: Way, began: Duration) -> Option<&'a Conversation> {
        let to = self.books.stand_ins.inside(client.to.address)?;
        let mut same = self.by_isn.get(&way.isn)?.iter();
        same.find(|c| c.tuple.to == to && c.opened >= began)
            .copied()
    }

    /// The attempt of a client whose own end is what the fabric saw.
    fn attempt(&self, client: &Client, began: Duration) -> Option<&'a Conversation> {
        let tuple = tuple(self.books, client, client.local?)?;
        let mut same = self.attempts.get(&tuple)?.iter();
        same.find(|conversation| conversation.opened >= began)
            .copied()
    }

    /// The balancer's flow. A client's datagrams may have made several, one after the other: the latest.
    fn flow(
        &self,
        client: &Client,
        conversation: Option<&Conversation>,
        lead: Option<Lead>,
    ) -> Option<usize> {
        if !client.udp {
            return Some(conversation?.flow?.0 as usize);
        }
        lead.and_then(|lead| lead.flow).or_else(|| {
            let tuple = tuple(self.books, client, client.local?)?;
            self.latest.get(&tuple).copied()
        })
    }

    /// Who ended what the fabric saw.
    fn ended(
        &self,
        client: &Client,
        conversation: &Conversation,
        pair: Option<usize>,
    ) -> Option<Party> {
        let proxied = pairs::proxied(&self.story.plan, client.to.address).is_some();
        let of_target = pair.and_then(|pair| self.ended_toward_target(pair));
        ender(conversation, of_target, proxied)
    }

    /// How a proxy's connection to a target ended.
    fn ended_toward_target(&self, pair: usize) -> Option<Ended> {
        let pair = &self.pairs[pair];
        let behind = Tuple {
            protocol: Protocol::Tcp,
            from: pair.seen_as.parse().ok()?,
            to: pair.target_address.parse().ok()?,
        };
        let mut attempts = self.attempts.get(&behind)?.iter();
        attempts.find_map(|attempt| attempt.ended)
    }

    /// Who ended what only devices inside a host saw.
    fn ended_inside(&self, client: &Client) -> Option<Party> {
        let began = self.story.millis(client.began);
        let own = (client.from, client.local?);
        self.sightings
            .ender(&self.story.plan, own, client.to.address, began)
    }
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
