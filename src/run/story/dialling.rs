//! How a client opens a connection: the address it takes, and the seat of its socket.

use super::{Story, locked};
use crate::plan::{Dial, Endpoint, HostId};
use crate::run::Sockets;
use crate::run::client::Client;
use crate::run::client::names::Asking;
use crate::run::word::Fault;
use crate::world::annex::{self, Seat};
use crate::world::socket::ClientOptions;
use nix::errno::Errno;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

impl Story {
    /// Opens a connection, or fails to. Finding the address has the same limit again: no client's connect timeout
    /// covers getaddrinfo.
    pub async fn open(
        &self,
        number: usize,
        dial: &Dial,
        options: ClientOptions,
        limit: Duration,
        seat: Option<Seat>,
    ) -> Client {
        let began = Instant::now();
        let (to, lookup) = match &dial.name {
            None => (Ok(self.next_endpoint(dial)), None),
            Some(name) => {
                let client = Asking {
                    host: self.world.host(dial.from),
                    cache: self.plan.hosts[dial.from.0 as usize].dns_cache,
                    ttl: self.plan.fabric.resolver.ttl,
                };
                self.names().resolve(client, dial, name, limit).await
            }
        };
        let to = to.and_then(|to| self.make_way(dial.from, to));
        let client = match to {
            Ok(to) => {
                let namespace = &self.world.host(dial.from).namespace;
                Client::open(number, dial.from, namespace, to, options, limit, seat).await
            }
            Err(fault) => {
                let label = dial.name.clone().unwrap_or_default();
                Client::lost(number, dial.from, label, began, fault)
            }
        };
        client.found_by(lookup)
    }

    /// A host that dials an address of its own goes by `lo`.
    fn make_way(&self, from: HostId, to: Endpoint) -> Result<Endpoint, Fault> {
        if !self.plan.hosts[from.0 as usize].has(to.address.ip()) {
            return Ok(to);
        }
        match self.world.host(from).reach_itself() {
            Ok(()) => Ok(to),
            Err(error) => {
                tracing::debug!(%error, "a host does not reach itself");
                Err(error.errno.unwrap_or(Errno::ENETDOWN).into())
            }
        }
    }

    /// A seat for the socket of a load, where this case has them.
    pub fn seat(&self) -> Option<Seat> {
        match self.sockets {
            Sockets::Here => None,
            Sockets::Annexed => annex::seat(),
        }
    }

    /// Where the next connection of a client goes: several destinations without one name are taken in turn.
    fn next_endpoint(&self, dial: &Dial) -> Endpoint {
        if let [only] = &dial.to[..] {
            return only.clone();
        }
        let list = dial
            .to
            .iter()
            .map(|to| to.label.as_str())
            .collect::<Vec<_>>()
            .join(" ");
        let mut turns = locked(&self.memory.turns);
        let turn = turns.entry((dial.from, list)).or_default();
        *turn += 1;
        dial.to[(*turn - 1) % dial.to.len()].clone()
    }

    /// Registers a connection and gives its index.
    pub fn add(&self, client: Client) -> usize {
        let mut clients = locked(&self.memory.clients);
        clients.push(Arc::new(client));
        clients.len() - 1
    }
}
