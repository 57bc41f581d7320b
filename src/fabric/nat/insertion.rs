//! First packets between the choice of their port and the insertion of their entry into the table.
//!
//! What has been chosen keeps nobody from choosing the same: only the table is asked. So two first packets may choose one port
//! toward one destination, and the entry that comes second cannot be inserted. Observed on: Linux, which chooses in the hook of
//! NAT (`nf_nat_setup_info`) and inserts behind the last hook (`__nf_conntrack_confirm`), where it drops the packet of
//! an entry that clashes, as `insert_failed` and `drop`. Datagrams of one socket it resolves (`clash_resolve`): since 4.19
//! (commit ed07d9a021df) those with the same port, later (commit 6a757c07e51f) those with another as well, which keep it
//! there; here they get the first one's. It puts fragments together before it chooses: a datagram is one entry. Here each
//! fragment stays a packet, and those that come while the first waits go as that does.

use super::super::config::{GatewayId, PortId, Protocol};
use super::super::flow_table::Key;
use super::super::link::Held;
use super::super::port_pool::Refusal;
use super::super::record::{FlowState, MappingId, Reason, Tuple};
use super::table::{Facing, Mapping};
use super::{Gateways, State, carried_protocol};
use crate::packet::Headers;
use std::net::SocketAddrV4;
use std::time::Duration;

/// A first packet, with the source that was chosen for it.
pub struct Unconfirmed {
    /// Whose entry it waits for.
    pub claim: Claim,
    /// The packet.
    pub held: Held,
}

/// Who waits for an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who sent the packet.
    pub host: PortId,
    /// Its source as the host wrote it.
    pub inside: SocketAddrV4,
    /// It is a fragment, and the packet before it in the queue is one of the same datagram, whose entry is its own.
    pub shares: bool,
}

/// When a first packet's entry is inserted, and by which source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// It waits until then.
    pub(super) due: Duration,
    /// The source that was chosen.
    pub(super) outside: SocketAddrV4,
    /// The place in the queue of the fragment of its datagram that it goes behind; else it goes to the end.
    pub(super) behind: Option<usize>,
}

/// The entry by which a packet goes that has waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Confirmed {
    /// Its own, or the one that its socket has got meanwhile.
    pub(super) mapping: MappingId,
    /// The packet's source by that.
    pub(super) outside: SocketAddrV4,
}

impl Turn {
    /// Behind all that wait.
    pub(super) fn last(due: Duration, outside: SocketAddrV4) -> Self {
        Self {
            due,
            outside,
            behind: None,
        }
    }
}

impl State {
    /// When a fragment goes of whose datagram another waits. None: none does.
    pub(super) fn turn_of_datagram(&self, headers: &Headers) -> Option<Turn> {
        let behind = self.unconfirmed.iter().rposition(|waits| {
            let other = &waits.held.headers;
            other.fragment
                && other.identification == headers.identification
                && (waits.claim.inside, other.to) == (headers.from, headers.to)
        })?;
        let held = &self.unconfirmed[behind].held;
        Some(Turn {
            due: held.due,
            outside: held.headers.from,
            behind: Some(behind),
        })
    }
}

impl Gateways {
    /// A first packet waits for its entry. They stand in the order of their times: each waits equally long, or as long as
    /// the one that it goes behind.
    pub(super) fn wait(
        &mut self,
        gateway: GatewayId,
        turn: Turn,
        (host, inside): (PortId, SocketAddrV4),
        held: Held,
    ) {
        let shares = turn.behind.is_some();
        let claim = Claim {
            host,
            inside,
            shares,
        };
        let queue = &mut self.state(gateway).unconfirmed;
        let place = turn.behind.map_or(queue.len(), |behind| behind + 1);
        queue.insert(place, Unconfirmed { claim, held });
    }

    /// The first packet that waits at a gateway waits no longer.
    pub fn next_unconfirmed(&mut self, gateway: GatewayId) -> Option<Unconfirmed> {
        self.state(gateway).unconfirmed.pop_front()
    }

    /// The entry of a packet that has waited; or why there is none.
    pub(super) fn confirm(
        &mut self,
        now: Duration,
        gateway: GatewayId,
        claim: Claim,
        headers: &Headers,
    ) -> Result<Confirmed, Reason> {
        let first = self.state(gateway).confirmed.filter(|_| claim.shares);
        let confirmed = match first {
            Some(first) => {
                if let Ok(Confirmed { mapping, .. }) = first {
                    self.carry(now, mapping, headers, Facing::Inside);
                }
                first
            }
            None => self.insert_chosen(now, gateway, (claim.host, claim.inside), headers),
        };
        let state = self.state(gateway);
        state.confirmed = Some(confirmed);
        let counters = &mut state.counters;
        match confirmed {
            Ok(_) => counters.to_destination.add(headers),
            Err(_) => counters.dropped_sent += 1,
        }
        confirmed
    }

    fn insert_chosen(
        &mut self,
        now: Duration,
        gateway: GatewayId,
        (host, inside): (PortId, SocketAddrV4),
        headers: &Headers,
    ) -> Result<Confirmed, Reason> {
        let protocol = carried_protocol(headers)?;
        let (outside, remote) = (headers.from, headers.to);
        let tried = Tuple {
            protocol,
            from: inside,
            to: remote,
        };
        let known = self.mappings.by_inside(Key::new(protocol, inside, remote));
        let same_socket = known.filter(|id| self.mappings.get(*id).holds_port);
        let state = self.state(gateway);
        if let Some(mapping) = same_socket {
            if protocol == Protocol::Tcp || !state.clash_resolve {
                state.counters.insert_failed += 1;
                return Err(Reason::InsertFailed);
            }
            state.counters.clash_resolve += 1;
            self.carry(now, mapping, headers, Facing::Inside);
            let outside = self.mappings.get(mapping).outside;
            return Ok(Confirmed { mapping, outside });
        }
        match state.ports.retake(protocol, outside, remote) {
            Ok(()) => {
                self.attempts.succeed(&tried);
                let mapping = self.insert(now, (gateway, host), tried, outside, headers);
                Ok(Confirmed { mapping, outside })
            }
            Err(Refusal::Taken) => {
                state.counters.insert_failed += 1;
                Err(Reason::InsertFailed)
            }
            // Others have got the last ports that the gateway may use.
            Err(Refusal::Full) => Err(self.refuse(gateway, tried, headers)),
        }
    }

    /// A new entry, whose port has been taken for it, and its first packet.
    pub(super) fn insert(
        &mut self,
        now: Duration,
        (gateway, host): (GatewayId, PortId),
        tried: Tuple,
        outside: SocketAddrV4,
        headers: &Headers,
    ) -> MappingId {
        let state = self.state(gateway);
        state.counters.made += 1;
        state.count_ports();
        let id = self.mappings.insert(Mapping {
            gateway,
            host,
            protocol: tried.protocol,
            inside: tried.from,
            outside,
            remote: tried.to,
            state: FlowState::SynSent,
            opened: now,
            last: now,
            forgotten_after: None,
            isn: headers.seq,
            inside_next: 0,
            outside_next: 0,
            fins: [false; 2],
            holds_port: true,
        });
        self.count_active(id, true);
        self.mappings.check(self.limit(self.mappings.get(id)), id);
        self.carry(now, id, headers, Facing::Inside);
        id
    }
}
