//! A new flow: which target, whether there is room, which source port. And a SYN on a flow that exists already.

use super::super::config::{
    BalancerId, OnCollision, Protocol, SourceAddress, SourcePortOrder, ZonalId, is_stand_in,
};
use super::super::flow_table::{AT_KERNEL, CLIENT_FIN, Key, NewFlow, SourcePort, TARGET_FIN};
use super::super::guard::Gate;
use super::super::guard::rules::Direction;
use super::super::listener::{Candidate, Chosen, Opening};
use super::super::meter::NodeId;
use super::super::metric::Metric;
use super::super::port_pool::FIRST_PORT;
use super::super::random;
use super::super::record::{FlowId, FlowState, Reason};
use super::{Arrival, Balancers};
use crate::packet::Headers;
use std::net::SocketAddrV4;
use std::time::Duration;

/// Who opens a flow, and at which listener.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    /// Transport.
    pub(super) protocol: Protocol,
    /// Where it meets the balancer.
    pub(super) at: Arrival,
    /// Its place among the balancer's listeners.
    pub(super) listener: usize,
}

/// Where a new flow leads.
struct Leads {
    chosen: Chosen,
    target: Candidate,
    node: NodeId,
}

impl Balancers {
    /// Makes a flow: target, capacity, source port, in this order; nothing is kept of a refused one.
    pub(super) fn open(
        &mut self,
        now: Duration,
        headers: &Headers,
        caller: Caller,
        gate: Option<&mut Gate<'_>>,
    ) -> Result<FlowId, Reason> {
        let Caller { protocol, at, .. } = caller;
        let opening = Opening {
            from: SocketAddrV4::new(at.source, headers.from.port()),
            to: headers.to,
            isn: headers.seq,
        };
        let leads = self.choose(caller, opening)?;
        let Leads {
            chosen,
            target,
            node,
        } = leads;
        let ends = (opening.from, target.address);
        self.asked(gate, now, headers, at, Direction::Out, ends)?;
        let state = self.state(at.balancer);
        let listening = &state.listeners[caller.listener];
        let (idle, half_open) = (listening.idle, state.half_open);
        let terminates = listening.terminates;
        let listener = if is_stand_in(*headers.to.ip()) {
            headers.to
        } else {
            let private = state.zonal[at.zonal.0 as usize].0;
            SocketAddrV4::new(private, headers.to.port())
        };
        let loan = match terminates {
            true => {
                let client = Some(opening.from);
                self.lend(now, at.balancer, at.zonal, client, target.address)
            }
            false => None,
        };
        let source = match terminates {
            true => loan.map(|_| (opening.from, SourcePort::Own)),
            false => self.source(now, caller, opening, &leads),
        };
        let Some((source, source_port)) = source else {
            self.meter.add(node, Metric::PortAllocationErrorCount, 1);
            return Err(Reason::PortAllocation);
        };
        let new = NewFlow {
            protocol,
            balancer: at.balancer,
            at: at.zonal,
            endpoint: at.endpoint,
            group: chosen.group,
            target_index: target.index,
            node,
            client: headers.from,
            zonal: headers.to,
            source,
            // A connection that ends here is this very address's own; the target gets another one.
            target: if terminates { listener } else { target.address },
            isn: opening.isn,
            idle,
            half_open,
            source_port,
        };
        let flow = self.table.insert(now, new);
        if let Some(loan) = loan {
            self.table.entry_mut(flow).mark(AT_KERNEL);
            self.loans.begin(flow, loan);
        }
        let family = self.table.entry(flow).family();
        self.meter
            .opened(node, chosen.group, family, chosen.fail_open);
        if let Some(placement) = chosen.proxy_protocol
            && protocol == Protocol::Tcp
            && !terminates
        {
            let (isn, from) = (opening.isn, opening.from);
            self.proxy_headers
                .begin(flow, isn, placement, from, listener);
        }
        self.claim(now, flow);
        Ok(flow)
    }

    /// The target of a new flow, if there is one and room for the flow.
    fn choose(&mut self, caller: Caller, opening: Opening) -> Result<Leads, Reason> {
        let Caller { protocol, at, .. } = caller;
        let node = self.meter.node(at.balancer, at.zonal);
        let state = self.state(at.balancer);
        let chosen = state.listeners[caller.listener].choose(self.seed, at.zonal, opening);
        let full = self.meter.alive(at.balancer) >= state.flow_capacity;
        let Some((chosen, target)) = chosen.and_then(|one| Some((one, one.target?))) else {
            return Err(self.reject(node, protocol, Reason::NoTarget));
        };
        if full {
            return Err(self.reject(node, protocol, Reason::FlowTableFull));
        }
        Ok(Leads {
            chosen,
            target,
            node,
        })
    }

    /// The client as its target sees it, and where its port is from; none when all ports are taken.
    fn source(
        &mut self,
        now: Duration,
        caller: Caller,
        opening: Opening,
        leads: &Leads,
    ) -> Option<(SocketAddrV4, SourcePort)> {
        let Caller { protocol, at, .. } = caller;
        let (seen, target) = (opening.from, leads.target.address);
        // A client of the other family has no address that its target could be shown.
        let over_ipv6 = is_stand_in(*target.ip());
        let own_family = is_stand_in(*seen.ip()) == over_ipv6;
        if leads.chosen.preserve_client_ip && own_family && at.endpoint.is_none() {
            let source = self.preserved(at.balancer, protocol, seen, target, opening.isn)?;
            return Some((source, SourcePort::Own));
        }
        let place = (at.balancer, at.zonal);
        let source = self.take_source(now, place, Some(seen), target)?;
        Some((source, SourcePort::Taken))
    }

    /// A port of the balancer's own toward a target, of the zonal address or of a secondary one beside it; none when all are
    /// taken.
    pub(super) fn take_source(
        &mut self,
        now: Duration,
        (balancer, zonal): (BalancerId, ZonalId),
        client: Option<SocketAddrV4>,
        target: SocketAddrV4,
    ) -> Option<SocketAddrV4> {
        let start = client.and_then(|client| self.first_port(balancer, client));
        let state = &self.balancers[usize::from(balancer.0)];
        let (private, ipv6) = state.zonal[usize::from(zonal.0)];
        let (own, more) = match is_stand_in(*target.ip()) {
            true => (ipv6, &[][..]),
            false => (Some(private), &state.secondary[usize::from(zonal.0)][..]),
        };
        let count = more.len() + usize::from(own.is_some());
        let first = match (state.source_address, client) {
            (SourceAddress::Spread, Some(client)) => {
                random::pick(self.of_client(client, 0), count.max(1))
            }
            (SourceAddress::First | SourceAddress::Spread, _) => 0,
        };
        let terms = state.source_ports;
        let sources = own.into_iter().chain(more.iter().copied());
        let mut sources = sources.cycle().skip(first).take(count);
        sources.find_map(|own| {
            let port = self.pools.take(now, own, target, start, terms)?;
            Some(SocketAddrV4::new(own, port))
        })
    }

    /// The source port that a client's connection is to have if it is free; none: the next one.
    pub(super) fn first_port(&self, balancer: BalancerId, client: SocketAddrV4) -> Option<u16> {
        match self.state(balancer).port_order {
            SourcePortOrder::Upwards => None,
            SourcePortOrder::Random => Some(self.of_client(client, 1) as u16),
            SourcePortOrder::Sequential => Some(FIRST_PORT),
            SourcePortOrder::Preserve => Some(client.port()),
        }
    }

    /// A random number of a client's end, one for each purpose.
    fn of_client(&self, client: SocketAddrV4, purpose: u64) -> u64 {
        let (address, port) = (client.ip().to_bits(), client.port());
        let words = [u64::from(address), u64::from(port), purpose];
        random::hash(self.seed, &words)
    }

    /// The client as its target sees it when the address is preserved; none when it must have another port and
    /// all are taken.
    fn preserved(
        &self,
        balancer: BalancerId,
        protocol: Protocol,
        seen: SocketAddrV4,
        target: SocketAddrV4,
        isn: u32,
    ) -> Option<SocketAddrV4> {
        let taken = |source| {
            self.table
                .is_way_back_taken(Key::new(protocol, target, source))
        };
        match self.state(balancer).on_collision {
            OnCollision::Newest | OnCollision::KeepOld | OnCollision::Random => Some(seen),
            OnCollision::PortRewrite if !taken(seen) => Some(seen),
            OnCollision::PortRewrite => {
                let ports = usize::from(u16::MAX - FIRST_PORT) + 1;
                let words = [
                    u64::from(seen.ip().to_bits()),
                    u64::from(seen.port()),
                    u64::from(isn),
                ];
                let start = random::pick(random::hash(self.seed, &words), ports);
                (0..ports)
                    .map(|step| FIRST_PORT + ((start + step) % ports) as u16)
                    .map(|port| SocketAddrV4::new(*seen.ip(), port))
                    .find(|&source| !taken(source))
            }
        }
    }

    /// True when a client's packet travels on the flow that has its tuple. A SYN may revive it, and asks for its
    /// way back.
    pub(super) fn continues(&mut self, now: Duration, flow: FlowId, headers: &Headers) -> bool {
        let entry = self.table.entry(flow);
        if entry.state() == FlowState::Expired {
            return false;
        }
        if !headers.is_opening() {
            return true;
        }
        let closed = entry.state() == FlowState::Closed;
        let kept = entry.isn() == headers.seq
            || entry.idle_for(now) < self.state(entry.balancer).flow_reuse;
        if closed && (!kept || !self.reopen(now, flow)) {
            return false;
        }
        // An attempt with another sequence number on a living flow goes where the flow goes: the target's kernel
        // knows the connection and decides.
        self.table.syn(flow, headers.seq);
        self.claim(now, flow);
        true
    }

    /// A SYN for a flow that is closed: the same as before, after a RST of the client's own which was the answer to
    /// a challenge ACK, or any, as long as the flow cannot be used again. False when the table is full, or the flow's
    /// source port has gone to another flow since.
    fn reopen(&mut self, now: Duration, flow: FlowId) -> bool {
        if !self.keep_port(flow) {
            return false;
        }
        self.enter(now, flow, FlowState::SynSent);
        let entry = self.table.entry_mut(flow);
        entry.unmark(CLIENT_FIN | TARGET_FIN);
        true
    }

    /// Makes room for a flow that was over and takes its port out of the pool again. False when the table is full
    /// or the port is taken.
    pub(super) fn keep_port(&mut self, flow: FlowId) -> bool {
        let balancer = self.table.entry(flow).balancer;
        if self.meter.alive(balancer) >= self.state(balancer).flow_capacity {
            return false;
        }
        let entry = self.table.entry_mut(flow);
        match entry.source_port {
            SourcePort::Own | SourcePort::Taken => true,
            SourcePort::Returned => {
                let (zonal, port) = (*entry.source().ip(), entry.source().port());
                // It had the port already: no limit is asked.
                let retaken = self.pools.retake(zonal, entry.target(), port, u16::MAX);
                let free = retaken.is_ok();
                if free {
                    entry.source_port = SourcePort::Taken;
                }
                free
            }
        }
    }

    /// As the lot falls for this flow's present attempt, and for every repetition of its SYN.
    fn lot(&self, flow: FlowId) -> bool {
        let entry = self.table.entry(flow);
        let (client, zonal) = (entry.client(), entry.zonal());
        let ends =
            [client, zonal].map(|end| u64::from(end.ip().to_bits()) << 16 | u64::from(end.port()));
        let words = [ends[0], ends[1], u64::from(entry.isn())];
        random::pick(random::hash(self.seed, &words), 2) == 0
    }

    /// A SYN asks for its flow's way back. One that a flow over and done with has left is always had.
    fn claim(&mut self, now: Duration, flow: FlowId) {
        let policy = self.state(self.table.entry(flow).balancer).on_collision;
        let given = match self.table.holder(flow) {
            Some(holder) if holder == flow => false,
            Some(holder) if self.table.entry(holder).is_live() => match policy {
                OnCollision::Newest => true,
                OnCollision::Random => self.lot(flow),
                OnCollision::KeepOld | OnCollision::PortRewrite => false,
            },
            Some(_) | None => true,
        };
        if given {
            self.table.take_way_back(now, flow);
        }
    }
}
