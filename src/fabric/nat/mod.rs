//! NAT gateways: what a host behind one sends to the internet gets another source, and what comes back finds its way.
//!
//! Observed on: AWS NAT gateways (350 s idle, then a RST to the host that goes on; 55,000 connections for each
//! destination), Azure's outbound rules and Google's Cloud NAT (ports by host; silence). Deciding only: the joints with
//! a packet's way are in `crossing`. Not here: the internet gateway, which keeps no state (see `routes`); ICMP echo,
//! jumbo frames and the clamping of segment sizes.

mod attempts;
mod crossing;
mod insertion;
mod metric;
mod ports;
mod table;

pub use metric::{NatCounters, NatMetric, Volume};

use super::balancer::Reset;
use super::config::{Config, GatewayId, NatTimeouts, OnMissingFlow, PortId, Protocol};
use super::flow_table::Key;
use super::record::{Answer, FlowState, MappingId, MappingRecord, Reason, Tuple};
use crate::packet::{Headers, TCP, UDP, tcp};
use attempts::Attempts;
use insertion::{Confirmed, Turn, Unconfirmed};
use ports::Ports;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use table::{Facing, Mapping, Mappings};

/// All gateways.
pub struct Gateways {
    states: Vec<State>,
    by_address: FxHashMap<Ipv4Addr, GatewayId>,
    /// By port; empty when there is no gateway.
    hosts: Vec<Option<GatewayId>>,
    mappings: Mappings,
    attempts: Attempts,
    farewells: VecDeque<ExpiryResets>,
}

struct State {
    timeouts: NatTimeouts,
    on_missing_flow: OnMissingFlow,
    reset_at_expiry: bool,
    ports: Ports,
    insertion_delay: Duration,
    clash_resolve: bool,
    /// What waits to be inserted, in that order.
    unconfirmed: VecDeque<Unconfirmed>,
    /// How the last one ended that waited.
    confirmed: Option<Result<Confirmed, Reason>>,
    counters: NatCounters,
}

impl State {
    /// One port more may be in use.
    fn count_ports(&mut self) {
        self.counters.most_ports = self.counters.most_ports.max(self.ports.used());
    }
}

/// What becomes of a packet at a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The host's end becomes this one: its source on the way out, its destination on the way back.
    Translate(MappingId, SocketAddrV4),
    /// This is its host's end from now on, as soon as an entry says so: it waits for that until then.
    Wait(Turn),
    /// RST to its sender.
    Reset(Answer, Option<MappingId>),
    /// Gone.
    Drop(Reason, Option<MappingId>),
}

/// RSTs for a connection that has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ExpiryResets {
    mapping: MappingId,
    inside: Reset,
    outside: Reset,
}

impl Gateways {
    /// Without mappings.
    pub fn new(config: &Config) -> Self {
        let ids = || (0u16..).map(GatewayId).zip(&config.nat_gateways);
        let states = ids()
            .map(|(id, gateway)| {
                let ports = Ports::new(config, id, gateway);
                State {
                    timeouts: gateway.timeouts,
                    on_missing_flow: gateway.on_missing_flow,
                    reset_at_expiry: gateway.reset_at_expiry,
                    insertion_delay: gateway.insertion_delay,
                    clash_resolve: gateway.clash_resolve,
                    unconfirmed: VecDeque::new(),
                    confirmed: None,
                    counters: NatCounters {
                        allocated: ports.allocated(),
                        ..NatCounters::default()
                    },
                    ports,
                }
            })
            .collect();
        let addresses = ids().flat_map(|(id, gateway)| {
            let addresses = gateway.addresses.iter();
            addresses.map(move |address| (*address, id))
        });
        let hosts = match config.nat_gateways.is_empty() {
            true => Vec::new(),
            false => config.ports.iter().map(|port| port.nat).collect(),
        };
        Self {
            states,
            by_address: addresses.collect(),
            hosts,
            mappings: Mappings::default(),
            attempts: Attempts::default(),
            farewells: VecDeque::new(),
        }
    }

    /// The gateway that a host is behind.
    pub fn of(&self, host: PortId) -> Option<GatewayId> {
        self.hosts.get(host.0 as usize).copied().flatten()
    }

    /// The gateway that has an address.
    pub fn at(&self, address: Ipv4Addr) -> Option<GatewayId> {
        match self.by_address.is_empty() {
            true => None,
            false => self.by_address.get(&address).copied(),
        }
    }

    /// Every mapping ever made; [`MappingId`] is the index.
    pub fn records(&self) -> Vec<MappingRecord> {
        self.mappings.records()
    }

    /// What each gateway counted.
    pub fn counters(&self) -> Vec<NatCounters> {
        self.states.iter().map(|state| state.counters).collect()
    }

    /// Counting begins anew; connections stay.
    pub fn restart_counters(&mut self) {
        for state in &mut self.states {
            state.counters = NatCounters {
                active: state.counters.active,
                most_active: state.counters.active,
                most_ports: state.ports.used(),
                allocated: state.counters.allocated,
                ..NatCounters::default()
            };
        }
    }

    /// A connection as the host behind a gateway writes it, by how its destination sees it; any other as it is.
    pub fn as_written(&self, tuple: Tuple) -> Tuple {
        if self.at(*tuple.from.ip()).is_none() {
            return tuple;
        }
        let key = Key::new(tuple.protocol, tuple.to, tuple.from);
        match self.mappings.by_outside(key) {
            Some(id) => Tuple {
                from: self.mappings.get(id).inside,
                ..tuple
            },
            None => tuple,
        }
    }

    /// When [`Gateways::advance`] has something to do.
    pub fn next_check(&self) -> Option<Duration> {
        self.mappings.next_check()
    }

    /// Lets time pass: mappings expire, ports become free.
    pub fn advance(&mut self, now: Duration) {
        while let Some(id) = self.mappings.due(now) {
            let mapping = self.mappings.get(id);
            let over = match mapping.state {
                FlowState::Expired => continue,
                FlowState::Closed if !mapping.holds_port => continue,
                FlowState::Closed => true,
                FlowState::SynSent | FlowState::Established | FlowState::Closing => false,
            };
            let limit = self.limit(mapping);
            if limit > now {
                self.mappings.check(limit, id);
            } else if over {
                self.release(id);
            } else {
                self.expire(id);
            }
        }
    }

    /// A packet of a host behind a gateway, for the internet.
    fn outward(
        &mut self,
        now: Duration,
        gateway: GatewayId,
        host: PortId,
        headers: &Headers,
    ) -> Verdict {
        self.state(gateway).counters.from_source.add(headers);
        let verdict = self.leave(now, gateway, host, headers);
        let counters = &mut self.state(gateway).counters;
        match verdict {
            Verdict::Translate(..) => counters.to_destination.add(headers),
            Verdict::Drop(..) => counters.dropped_sent += 1,
            Verdict::Reset(..) | Verdict::Wait(..) => {}
        }
        verdict
    }

    fn leave(
        &mut self,
        now: Duration,
        gateway: GatewayId,
        host: PortId,
        headers: &Headers,
    ) -> Verdict {
        let protocol = match carried_protocol(headers) {
            Ok(protocol) => protocol,
            Err(reason) => return Verdict::Drop(reason, None),
        };
        let key = Key::new(protocol, headers.from, headers.to);
        let known = self.mappings.by_inside(key);
        if let Some(id) = known.filter(|id| self.mappings.get(*id).gateway == gateway)
            && self.continues(now, id, headers)
        {
            self.carry(now, id, headers, Facing::Inside);
            return Verdict::Translate(id, self.mappings.get(id).outside);
        }
        if protocol == Protocol::Tcp && !headers.is_opening() {
            return self.missing(gateway, known, headers);
        }
        let state = &mut self.states[usize::from(gateway.0)];
        if headers.fragment
            && let Some(turn) = state.turn_of_datagram(headers)
        {
            return Verdict::Wait(turn);
        }
        let tried = Tuple {
            protocol,
            from: headers.from,
            to: headers.to,
        };
        if !self.attempts.knows(&tried, headers) {
            state.counters.tried += 1;
            state.counters.attempts += u64::from(protocol == Protocol::Tcp);
        }
        let Some(outside) = state.ports.take(protocol, host, headers.from, headers.to) else {
            let reason = self.refuse(gateway, tried, headers);
            return Verdict::Drop(reason, None);
        };
        if !state.insertion_delay.is_zero() {
            // Chosen, and nobody else is kept from choosing it: only an entry does that.
            state.ports.release(protocol, outside, headers.to);
            let due = now.saturating_add(state.insertion_delay);
            self.attempts.wait(tried, headers);
            return Verdict::Wait(Turn::last(due, outside));
        }
        self.attempts.succeed(&tried);
        let id = self.insert(now, (gateway, host), tried, outside, headers);
        Verdict::Translate(id, outside)
    }

    /// An attempt finds no port.
    fn refuse(&mut self, gateway: GatewayId, tried: Tuple, headers: &Headers) -> Reason {
        let first = self.attempts.refuse(tried, headers);
        let counters = &mut self.state(gateway).counters;
        counters.port_errors += 1;
        counters.failed += u64::from(first);
        Reason::PortAllocation
    }

    /// A packet for one of the gateways' addresses.
    fn inward(&mut self, now: Duration, gateway: GatewayId, headers: &Headers) -> Verdict {
        self.state(gateway).counters.from_destination.add(headers);
        let verdict = self.come_back(now, headers);
        let counters = &mut self.state(gateway).counters;
        match verdict {
            Verdict::Translate(..) => counters.to_source.add(headers),
            Verdict::Drop(..) | Verdict::Reset(..) | Verdict::Wait(..) => {
                counters.dropped_received += 1;
            }
        }
        verdict
    }

    fn come_back(&mut self, now: Duration, headers: &Headers) -> Verdict {
        let protocol = match carried_protocol(headers) {
            Ok(protocol) => protocol,
            Err(reason) => return Verdict::Drop(reason, None),
        };
        let key = Key::new(protocol, headers.from, headers.to);
        let Some(id) = self.mappings.by_outside(key) else {
            return Verdict::Drop(Reason::MissingFlow, None);
        };
        if self.mappings.get(id).state == FlowState::Expired {
            return Verdict::Drop(Reason::ExpiredFlow, Some(id));
        }
        self.carry(now, id, headers, Facing::Outside);
        Verdict::Translate(id, self.mappings.get(id).inside)
    }

    /// A segment that belongs to no mapping. A RST is never answered.
    fn missing(
        &mut self,
        gateway: GatewayId,
        known: Option<MappingId>,
        headers: &Headers,
    ) -> Verdict {
        let expired = known.filter(|id| self.mappings.get(*id).state == FlowState::Expired);
        let silent =
            headers.is_reset() || self.state(gateway).on_missing_flow == OnMissingFlow::Drop;
        match (expired, silent) {
            (Some(_), true) => Verdict::Drop(Reason::ExpiredFlow, expired),
            (None, true) => Verdict::Drop(Reason::MissingFlow, None),
            (Some(_), false) => Verdict::Reset(Answer::ResetExpired, expired),
            (None, false) => Verdict::Reset(Answer::ResetNoFlow, None),
        }
    }

    /// True when a host's packet travels by the mapping that has its tuple. A SYN may revive it: after a RST of the
    /// host's own, which was the answer to a challenge ACK, or while nobody else can have its port.
    fn continues(&mut self, now: Duration, id: MappingId, headers: &Headers) -> bool {
        let mapping = self.mappings.get(id);
        match mapping.state {
            FlowState::Expired => return false,
            FlowState::Closed if !headers.is_opening() => return self.mappings.has_way_back(id),
            FlowState::Closed => {}
            FlowState::SynSent | FlowState::Established | FlowState::Closing => {
                if headers.is_opening() {
                    self.mappings.get_mut(id).isn = headers.seq;
                }
                return true;
            }
        }
        if !mapping.holds_port {
            let (gateway, protocol) = (mapping.gateway, mapping.protocol);
            let (outside, remote) = (mapping.outside, mapping.remote);
            let again = mapping.isn == headers.seq && self.mappings.has_way_back(id);
            let state = self.state(gateway);
            if !again || state.ports.retake(protocol, outside, remote).is_err() {
                return false;
            }
            state.count_ports();
        }
        let mapping = self.mappings.get_mut(id);
        mapping.holds_port = true;
        (mapping.state, mapping.forgotten_after) = (FlowState::SynSent, None);
        mapping.isn = headers.seq;
        mapping.fins = [false; 2];
        mapping.last = now;
        self.count_active(id, true);
        self.mappings.check(self.limit(self.mappings.get(id)), id);
        true
    }

    /// A packet travels by a mapping.
    fn carry(&mut self, now: Duration, id: MappingId, headers: &Headers, by: Facing) {
        let mapping = self.mappings.get_mut(id);
        mapping.last = mapping.last.max(now);
        mapping.track(headers, by);
        let gateway = mapping.gateway;
        let answers = by == Facing::Outside && mapping.state == FlowState::SynSent;
        let accepts = mapping.protocol == Protocol::Udp || headers.flags & tcp::SYN != 0;
        if answers && accepts {
            mapping.state = FlowState::Established;
            let established = u64::from(mapping.protocol == Protocol::Tcp);
            self.state(gateway).counters.established += established;
        }
        if headers.is_ending() {
            self.finish(now, id, headers, by);
        }
    }

    /// Takes note of a FIN or RST.
    fn finish(&mut self, now: Duration, id: MappingId, headers: &Headers, by: Facing) {
        let mapping = self.mappings.get_mut(id);
        if !mapping.is_live() {
            return;
        }
        if headers.flags & tcp::FIN != 0 {
            mapping.fins[by as usize] = true;
        }
        if !headers.is_reset() && mapping.fins != [true; 2] {
            mapping.state = FlowState::Closing;
            return;
        }
        mapping.state = FlowState::Closed;
        let gateway = mapping.gateway;
        self.count_active(id, false);
        let kept = self.states[gateway.0 as usize].timeouts.closed;
        if kept.is_zero() {
            self.release(id);
        } else {
            self.mappings.check(now + kept, id);
        }
    }

    /// A mapping was idle for too long.
    fn expire(&mut self, id: MappingId) {
        let mapping = self.mappings.get(id);
        let gateway = mapping.gateway;
        let active = match mapping.state {
            FlowState::Established | FlowState::Closing => mapping.protocol == Protocol::Tcp,
            FlowState::SynSent | FlowState::Closed | FlowState::Expired => false,
        };
        let told = active && mapping.state == FlowState::Established;
        let farewell = ExpiryResets {
            mapping: id,
            inside: reset(mapping.remote, mapping.inside, mapping.inside_next),
            outside: reset(mapping.outside, mapping.remote, mapping.outside_next),
        };
        let state = self.state(gateway);
        state.counters.idle += u64::from(active);
        if told && state.reset_at_expiry {
            self.farewells.push_back(farewell);
        }
        self.count_active(id, false);
        self.release(id);
        let silence = self.lapse(self.mappings.get(id));
        let mapping = self.mappings.get_mut(id);
        (mapping.state, mapping.forgotten_after) = (FlowState::Expired, Some(silence));
    }

    fn release(&mut self, id: MappingId) {
        let mapping = self.mappings.get_mut(id);
        if std::mem::take(&mut mapping.holds_port) {
            let (gateway, protocol) = (mapping.gateway, mapping.protocol);
            let (outside, remote) = (mapping.outside, mapping.remote);
            self.state(gateway).ports.release(protocol, outside, remote);
        }
    }

    /// A TCP connection comes to life, or ends.
    fn count_active(&mut self, id: MappingId, begins: bool) {
        let mapping = self.mappings.get(id);
        if mapping.protocol == Protocol::Udp {
            return;
        }
        let counters = &mut self.states[mapping.gateway.0 as usize].counters;
        if begins {
            counters.active += 1;
            counters.most_active = counters.most_active.max(counters.active);
        } else {
            counters.active -= 1;
        }
    }

    /// When a mapping is over, or its port free, unless something happens.
    fn limit(&self, mapping: &Mapping) -> Duration {
        mapping.last.saturating_add(self.lapse(mapping))
    }

    /// For how long it may be silent, as it stands.
    fn lapse(&self, mapping: &Mapping) -> Duration {
        let timeouts = &self.states[mapping.gateway.0 as usize].timeouts;
        match (mapping.protocol, mapping.state) {
            (Protocol::Udp, _) => timeouts.datagram,
            (Protocol::Tcp, FlowState::SynSent) => timeouts.transitory,
            (Protocol::Tcp, FlowState::Established | FlowState::Closing) => timeouts.established,
            (Protocol::Tcp, FlowState::Closed | FlowState::Expired) => timeouts.closed,
        }
    }

    fn state(&mut self, gateway: GatewayId) -> &mut State {
        &mut self.states[gateway.0 as usize]
    }
}

fn reset(from: SocketAddrV4, to: SocketAddrV4, seq: u32) -> Reset {
    Reset {
        from,
        to,
        seq,
        ack: None,
    }
}

/// What a gateway carries besides ICMP errors.
fn carried_protocol(headers: &Headers) -> Result<Protocol, Reason> {
    match headers.protocol {
        _ if headers.is_untraceable() => Err(Reason::Fragment),
        TCP => Ok(Protocol::Tcp),
        UDP => Ok(Protocol::Udp),
        _ => Err(Reason::ProtocolUnsupported),
    }
}
