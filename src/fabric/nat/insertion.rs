//! First packets between the choice of their port and the insertion of their entry into the table.
//!
//! What has been chosen keeps nobody from choosing the same: only the table is asked. So two first packets may choose one port
//! toward one destination, and the entry that comes second cannot be inserted. Observed on: Linux, which chooses in the hook of
//! NAT (`nf_nat_setup_info`) and inserts behind the last hook (`__nf_conntrack_confirm`), where it drops the packet of
//! an entry that clashes, as `insert_failed` and `drop`. Datagrams of one socket it resolves (`clash_resolve`): since 4.19
//! (commit ed07d9a021df) those with the same port, since 5.7 (commit 6a757c07e51f) those with another as well, which keep it
//! there; here they get the first one's.

use super::super::config::{GatewayId, PortId, Protocol};
use super::super::flow_table::Key;
use super::super::link::Held;
use super::super::record::{FlowState, MappingId, Reason, Tuple};
use super::table::{Facing, Mapping};
use super::{Gateways, carried_protocol, opening};
use crate::packet::Headers;
use std::net::SocketAddrV4;
use std::time::Duration;

/// A first packet, with the source that was chosen for it.
pub struct Unconfirmed {
    /// Who sent it.
    pub host: PortId,
    /// Its source as the host wrote it.
    pub inside: SocketAddrV4,
    /// The packet.
    pub held: Held,
}

/// The entry by which a packet goes that has waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Confirmed {
    /// Its own, or the one that its socket has got meanwhile.
    pub(super) mapping: MappingId,
    /// The packet's source by that.
    pub(super) outside: SocketAddrV4,
}

impl Gateways {
    /// A first packet waits for its entry. They come in the order of their times: each waits equally long.
    pub(super) fn wait(&mut self, gateway: GatewayId, waits: Unconfirmed) {
        self.state(gateway).unconfirmed.push_back(waits);
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
        (host, inside): (PortId, SocketAddrV4),
        headers: &Headers,
    ) -> Result<Confirmed, Reason> {
        let confirmed = self.insert_chosen(now, gateway, (host, inside), headers);
        let counters = &mut self.state(gateway).counters;
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
            if protocol == Protocol::Udp && state.clash_resolve {
                state.counters.clash_resolve += 1;
                self.carry(now, mapping, headers, Facing::Inside);
                let outside = self.mappings.get(mapping).outside;
                return Ok(Confirmed { mapping, outside });
            }
        } else if state.ports.retake(protocol, outside, remote) {
            self.refused.remove(&tried);
            let mapping = self.insert(now, (gateway, host), tried, outside, headers);
            return Ok(Confirmed { mapping, outside });
        }
        self.state(gateway).counters.insert_failed += 1;
        self.refused.insert(tried, opening(headers));
        Err(Reason::InsertFailed)
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
