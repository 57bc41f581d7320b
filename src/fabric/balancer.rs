//! The Network Load Balancers: which flow a packet belongs to, what becomes of it, what is counted.
//!
//! Observed on: AWS Network Load Balancer. It terminates nothing. It changes the destination (and, without client
//! IP preservation, the source) of what clients send, and undoes that for what targets send. It does not look
//! whether two flows get the same addresses and ports at a target: that is the failure this project is about.
//!
//! Deciding only: no packet is changed and no answer is made here. `now` must not run backwards.

use super::config::{BalancerId, Config, OnCollision, OnMissingFlow, Protocol, ZonalId};
use super::counters::BalancerCounters;
use super::flow_table::{FlowTable, Key, NewFlow, SourcePort};
use super::listener::Listening;
use super::port_pool::{FIRST_PORT, PortPools};
use super::random;
use super::record::{Answer, FlowId, FlowRecord, FlowState, Reason, Tuple};
use crate::packet::{Headers, TCP, UDP, tcp};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// What a balancer does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Send it on, with these ends.
    Forward {
        /// The flow it travels on.
        flow: FlowId,
        /// Its new source.
        from: SocketAddrV4,
        /// Its new destination.
        to: SocketAddrV4,
    },
    /// Answer with a RST.
    Reset {
        /// Why.
        answer: Answer,
        /// The flow it belonged to.
        flow: Option<FlowId>,
    },
    /// Say nothing.
    Drop {
        /// Why.
        reason: Reason,
        /// The flow it belonged to.
        flow: Option<FlowId>,
    },
}

/// All balancers of a network; they share one flow table, because a target cannot tell them apart.
pub struct Balancers {
    seed: u64,
    balancers: Vec<State>,
    table: FlowTable,
    pools: PortPools,
}

struct State {
    listeners: Vec<Listening>,
    private: Vec<Ipv4Addr>,
    on_collision: OnCollision,
    on_missing_flow: OnMissingFlow,
    snat_ports: u16,
    flow_capacity: u64,
    counters: BalancerCounters,
}

impl Balancers {
    /// Balancers without any flow.
    pub fn new(config: &Config) -> Self {
        let balancers = config
            .balancers
            .iter()
            .map(|balancer| State {
                listeners: balancer
                    .listeners
                    .iter()
                    .map(|listener| Listening::new(config, balancer, listener))
                    .collect(),
                private: balancer.zonal.iter().map(|zonal| zonal.private).collect(),
                on_collision: balancer.on_collision,
                on_missing_flow: balancer.on_missing_flow,
                snat_ports: balancer.snat_ports,
                flow_capacity: balancer.flow_capacity as u64,
                counters: BalancerCounters::default(),
            })
            .collect();
        Self {
            seed: config.seed,
            balancers,
            table: FlowTable::default(),
            pools: PortPools::new(config.seed),
        }
    }

    /// The flows.
    pub fn table(&self) -> &FlowTable {
        &self.table
    }

    /// One balancer's counters.
    pub fn counters(&self, balancer: BalancerId) -> &BalancerCounters {
        &self.state(balancer).counters
    }

    fn state(&self, balancer: BalancerId) -> &State {
        &self.balancers[balancer.0 as usize]
    }

    fn count(&mut self, balancer: BalancerId) -> &mut BalancerCounters {
        &mut self.balancers[balancer.0 as usize].counters
    }

    /// The flow on whose way back a packet travels.
    pub fn way_back(&self, headers: &Headers) -> Option<FlowId> {
        let protocol = protocol(headers)?;
        self.table
            .by_target(Key::new(protocol, headers.from, headers.to))
    }

    /// A packet for a zonal address.
    pub fn toward_target(&mut self, now: Duration, headers: &Headers, at: Arrival) -> Decision {
        let Some(protocol) = protocol(headers) else {
            return Decision::dropped(Reason::ProtocolUnsupported);
        };
        let known = self
            .table
            .by_client(Key::new(protocol, headers.from, headers.to));
        if let Some(flow) = known
            && self.continues(now, flow, headers)
        {
            return self.forward_to_target(now, flow, headers);
        }
        let listener = self
            .state(at.balancer)
            .listeners
            .iter()
            .position(|other| other.port == headers.to.port() && other.protocol == protocol);
        let Some(listener) = listener else {
            return Decision::dropped(Reason::NoListener);
        };
        if headers.is_opening() || protocol == Protocol::Udp {
            match self.open(now, headers, protocol, at, listener) {
                Ok(flow) => self.forward_to_target(now, flow, headers),
                Err(reason) => Decision::dropped(reason),
            }
        } else {
            self.stray(at.balancer, headers, known)
        }
    }

    /// A packet of a target, found by its way back.
    pub fn toward_client(&mut self, now: Duration, flow: FlowId, headers: &Headers) -> Decision {
        let entry = self.table.entry(flow);
        let balancer = entry.balancer;
        if entry.state == FlowState::Expired {
            return self.stray(balancer, headers, Some(flow));
        }
        let (from, to) = (entry.zonal, entry.client);
        self.table.touch(now, flow);
        if self.accepts(flow, headers) {
            self.enter(flow, FlowState::Established);
        }
        self.finish(flow, headers, Side::Target);
        let counters = self.count(balancer);
        counters.carried(headers);
        if headers.is_reset() {
            counters.tcp_target_reset_count += 1;
        }
        Decision::Forward { flow, from, to }
    }

    /// Forgets what is left of a flow that is over, for a connection that goes to its target directly and looks
    /// the same there; else the target's answers would take the old way back.
    pub fn make_way(&mut self, headers: &Headers) {
        if let Some(protocol) = protocol(headers) {
            self.table
                .free_way_back(Key::new(protocol, headers.to, headers.from));
        }
    }

    /// When [`Balancers::expire`] may have something to do.
    pub fn next_check(&self) -> Option<Duration> {
        self.table.next_check()
    }

    /// Ends flows that have been idle too long. Nobody is told.
    pub fn expire(&mut self, now: Duration) {
        while let Some(flow) = self.table.next_idle(now) {
            self.enter(flow, FlowState::Expired);
        }
    }

    /// True when a client's packet travels on the flow that has its tuple. A SYN may revive it, and asks for its
    /// way back.
    fn continues(&mut self, now: Duration, flow: FlowId, headers: &Headers) -> bool {
        let entry = self.table.entry(flow);
        if entry.state == FlowState::Expired {
            return false;
        }
        if !headers.is_opening() {
            return true;
        }
        let closed = entry.state == FlowState::Closed;
        if closed && (entry.isn != headers.seq || !self.reopen(flow)) {
            return false;
        }
        // An attempt with another sequence number on a living flow goes where the flow goes: the target's kernel
        // knows the connection and decides.
        self.table.entry_mut(flow).isn = headers.seq;
        self.claim(now, flow);
        true
    }

    /// The client sends the same SYN again after a RST of its own, which was the answer to a challenge ACK. False
    /// when the flow's source port has gone to another flow since.
    fn reopen(&mut self, flow: FlowId) -> bool {
        if !self.keep_port(flow) {
            return false;
        }
        self.enter(flow, FlowState::SynSent);
        let entry = self.table.entry_mut(flow);
        entry.client_fin = false;
        entry.target_fin = false;
        true
    }

    /// Takes the port of a flow that was over out of its pool again.
    fn keep_port(&mut self, flow: FlowId) -> bool {
        let entry = self.table.entry_mut(flow);
        match entry.source_port {
            SourcePort::Own | SourcePort::Taken => true,
            SourcePort::Returned => {
                let (zonal, port) = (*entry.source.ip(), entry.source.port());
                let free = self.pools.retake(zonal, entry.target, port);
                if free {
                    entry.source_port = SourcePort::Taken;
                }
                free
            }
        }
    }

    /// Makes a flow: target, capacity, source port, in this order; nothing is kept of a refused one.
    fn open(
        &mut self,
        now: Duration,
        headers: &Headers,
        protocol: Protocol,
        at: Arrival,
        listener: usize,
    ) -> Result<FlowId, Reason> {
        let seen = SocketAddrV4::new(at.source, headers.from.port());
        let state = self.state(at.balancer);
        let listening = &state.listeners[listener];
        let isn = headers.seq;
        let (group, idle) = (listening.group, listening.idle);
        let choice = listening.choose(self.seed, at.zonal, seen, headers.to, isn);
        let full = state.counters.active_flow_count >= state.flow_capacity;
        let target = match choice {
            None => return Err(self.reject(at.balancer, protocol, Reason::NoTarget)),
            Some(_) if full => {
                return Err(self.reject(at.balancer, protocol, Reason::FlowTableFull));
            }
            Some(target) => target,
        };
        let source = if listening.preserve_client_ip {
            self.preserved(at.balancer, protocol, seen, target.address, isn)
                .map(|source| (source, SourcePort::Own))
        } else {
            let zonal = state.private[at.zonal.0 as usize];
            let size = state.snat_ports;
            self.pools
                .take(zonal, target.address, size)
                .map(|port| (SocketAddrV4::new(zonal, port), SourcePort::Taken))
        };
        let Some((source, source_port)) = source else {
            self.count(at.balancer).port_allocation_error_count += 1;
            return Err(Reason::PortAllocation);
        };
        let tuple = |from, to| Tuple { protocol, from, to };
        let record = FlowRecord {
            balancer: at.balancer,
            zonal: at.zonal,
            group,
            target: target.index,
            client_side: tuple(headers.from, headers.to),
            target_side: tuple(source, target.address),
            opened: now,
            last: now,
            displaced: None,
            state: FlowState::SynSent,
        };
        let new = NewFlow {
            protocol,
            balancer: at.balancer,
            client: headers.from,
            zonal: headers.to,
            source,
            target: target.address,
            isn,
            idle,
            source_port,
        };
        let flow = self.table.insert(now, new.into(), record);
        self.count(at.balancer).opened(protocol);
        self.claim(now, flow);
        Ok(flow)
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
            OnCollision::Newest | OnCollision::KeepOld => Some(seen),
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

    /// A SYN asks for its flow's way back. One that a flow over and done with has left is always had.
    fn claim(&mut self, now: Duration, flow: FlowId) {
        let policy = self.state(self.table.entry(flow).balancer).on_collision;
        let given = match self.table.holder(flow) {
            Some(holder) if holder == flow => false,
            Some(holder) if self.table.entry(holder).is_live() => match policy {
                OnCollision::Newest => true,
                OnCollision::KeepOld | OnCollision::PortRewrite => false,
            },
            Some(_) | None => true,
        };
        if given {
            self.table.take_way_back(now, flow);
        }
    }

    fn forward_to_target(&mut self, now: Duration, flow: FlowId, headers: &Headers) -> Decision {
        self.table.touch(now, flow);
        self.finish(flow, headers, Side::Client);
        let entry = self.table.entry(flow);
        let (balancer, from, to) = (entry.balancer, entry.source, entry.target);
        let counters = self.count(balancer);
        counters.carried(headers);
        if headers.is_reset() {
            counters.tcp_client_reset_count += 1;
        }
        Decision::Forward { flow, from, to }
    }

    /// True when a target's packet shows that the flow stands: for UDP any, for TCP the SYN-ACK for its latest SYN.
    /// That also revives a flow closed by a RST which the client meant for another connection.
    fn accepts(&mut self, flow: FlowId, headers: &Headers) -> bool {
        let entry = self.table.entry(flow);
        let (state, closed_by_reset) = (entry.state, !(entry.client_fin && entry.target_fin));
        let answered = match entry.protocol {
            Protocol::Udp => true,
            Protocol::Tcp => {
                headers.flags & (tcp::SYN | tcp::ACK | tcp::RST) == tcp::SYN | tcp::ACK
                    && headers.ack == entry.isn.wrapping_add(1)
            }
        };
        match state {
            FlowState::SynSent => answered,
            FlowState::Closed => answered && closed_by_reset && self.keep_port(flow),
            FlowState::Established | FlowState::Closing | FlowState::Expired => false,
        }
    }

    /// Takes note of a FIN or RST.
    fn finish(&mut self, flow: FlowId, headers: &Headers, by: Side) {
        if !headers.is_ending() {
            return;
        }
        let entry = self.table.entry_mut(flow);
        if !entry.is_live() {
            return;
        }
        if headers.flags & tcp::FIN != 0 {
            match by {
                Side::Client => entry.client_fin = true,
                Side::Target => entry.target_fin = true,
            }
        }
        let over = headers.is_reset() || (entry.client_fin && entry.target_fin);
        let state = if over {
            FlowState::Closed
        } else {
            FlowState::Closing
        };
        self.enter(flow, state);
    }

    /// Changes a flow's state, and what hangs on its being alive: the count and its source port.
    fn enter(&mut self, flow: FlowId, state: FlowState) {
        let was_live = self.table.entry(flow).is_live();
        self.table.set_state(flow, state);
        let entry = self.table.entry_mut(flow);
        let (balancer, protocol, is_live) = (entry.balancer, entry.protocol, entry.is_live());
        if !is_live && entry.source_port == SourcePort::Taken {
            entry.source_port = SourcePort::Returned;
            self.pools
                .release(*entry.source.ip(), entry.target, entry.source.port());
        }
        let counters = self.count(balancer);
        match (was_live, is_live) {
            (true, false) => counters.ended(protocol),
            (false, true) => counters.active(protocol),
            (true, true) | (false, false) => {}
        }
    }

    fn reject(&mut self, balancer: BalancerId, protocol: Protocol, reason: Reason) -> Reason {
        self.count(balancer).rejected(protocol);
        reason
    }

    /// A packet that belongs to no flow, or to an expired one.
    fn stray(&mut self, balancer: BalancerId, headers: &Headers, flow: Option<FlowId>) -> Decision {
        let silent = match self.state(balancer).on_missing_flow {
            OnMissingFlow::Reset => headers.protocol != TCP || headers.is_reset(),
            OnMissingFlow::Drop => true,
        };
        let (reason, answer) = match flow {
            Some(_) => (Reason::ExpiredFlow, Answer::ResetExpired),
            None => (Reason::MissingFlow, Answer::ResetNoFlow),
        };
        if silent {
            return Decision::Drop { reason, flow };
        }
        self.count(balancer).tcp_elb_reset_count += 1;
        Decision::Reset { answer, flow }
    }
}

/// Where a packet meets a balancer.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Its sender, as the balancer sees it.
    pub source: Ipv4Addr,
    /// Which balancer.
    pub balancer: BalancerId,
    /// At which of its addresses.
    pub zonal: ZonalId,
}

/// Which end of a flow.
#[derive(Clone, Copy)]
enum Side {
    Client,
    Target,
}

impl Decision {
    fn dropped(reason: Reason) -> Self {
        Self::Drop { reason, flow: None }
    }
}

/// The protocols that flows are made of, with ports in sight.
fn protocol(headers: &Headers) -> Option<Protocol> {
    match headers.protocol {
        _ if !headers.has_ports() => None,
        TCP => Some(Protocol::Tcp),
        UDP => Some(Protocol::Udp),
        _ => None,
    }
}
