//! The load balancers: which flow a packet belongs to, what becomes of it, what is counted.
//!
//! Observed on: AWS Network Load Balancer. It terminates nothing. It changes the destination (and, without client
//! IP preservation, the source) of what clients send, and undoes that for what targets send. It does not look
//! whether two flows get the same addresses and ports at a target: that is the failure this project is about.
//!
//! Of balancers that are proxies only the choice of targets is made here (see `proxying`), and what they count is counted.
//!
//! Deciding only: no packet is changed and no answer is made here. `now` must not run backwards.

mod carrying;
mod closing;
mod guarded;
mod health;
mod lending;
mod opening;
mod proxying;
mod stray;
mod termination;

use super::config::{
    Balancer, BalancerId, Config, EndpointPlace, GroupId, OnCollision, OnMissingFlow, OnNoTarget,
    OnTargetError, OnZoneDisabled, Protocol, SourceAddress, SourcePortOrder, ZonalId,
};
use super::flow_table::{ANSWERED, AT_KERNEL, FlowTable, Key, Side};
use super::guard::Gate;
use super::guard::rules::Direction;
use super::listener::Listening;
use super::meter::Meter;
use super::metric::{Family, Metric};
use super::moment::nanos;
use super::port_pool::{PortPools, Terms};
use super::proxy_header::ProxyHeaders;
use super::record::{Answer, FlowId, FlowState, Reason};
use super::targets::Targets;
use crate::packet::{Headers, TCP, UDP};
use health::Refused;
use lending::Loans;
use opening::Caller;
use rustc_hash::FxHashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use termination::Terminations;

pub use carrying::Onward;
pub use lending::{Behind, Loan, PairStanding};
pub use proxying::{Assigned, Place};
pub use termination::{Farewell, Reset};

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
    targets: Targets,
    /// Seldom more than none.
    refused: Vec<Refused>,
    terminations: Terminations,
    table: FlowTable,
    pools: PortPools,
    loans: Loans,
    meter: Meter,
    proxy_headers: ProxyHeaders,
    /// How often [`Balancers::listen`] worked.
    works: u64,
    /// Flows that were closed by a RST, and the end that has gone on since. Seldom any.
    going_on: FxHashMap<FlowId, Side>,
    /// Whose turn is next, for each place and group of a proxy.
    turns: FxHashMap<(Place, GroupId), usize>,
    /// How many requests came to each place of a proxy.
    draws: FxHashMap<Place, u64>,
}

struct State {
    listeners: Vec<Listening>,
    /// Own addresses toward targets, of either family.
    zonal: Vec<(Ipv4Addr, Option<Ipv4Addr>)>,
    /// By zonal address.
    secondary: Vec<Vec<Ipv4Addr>>,
    on_collision: OnCollision,
    on_missing_flow: OnMissingFlow,
    on_no_target: OnNoTarget,
    on_target_error: OnTargetError,
    port_order: SourcePortOrder,
    source_address: SourceAddress,
    source_ports: Terms,
    flow_capacity: u64,
    half_open: Duration,
    flow_reuse: Duration,
    on_zone_disabled: OnZoneDisabled,
    /// Zonal addresses that are gone now; seldom more than none.
    disabled: Vec<ZonalId>,
}

impl State {
    fn new(balancer: &Balancer) -> Self {
        Self {
            listeners: Vec::new(),
            zonal: balancer.zonal.iter().map(|z| (z.private, z.ipv6)).collect(),
            secondary: balancer.zonal.iter().map(|z| z.secondary.clone()).collect(),
            on_collision: balancer.on_collision,
            on_missing_flow: balancer.on_missing_flow,
            on_no_target: balancer.on_no_target,
            on_target_error: balancer.on_target_error,
            port_order: balancer.port_order,
            source_address: balancer.source_address,
            source_ports: Terms {
                size: balancer.snat_ports,
                reuse: balancer.port_reuse,
            },
            flow_capacity: balancer.flow_capacity as u64,
            half_open: balancer.half_open,
            flow_reuse: balancer.flow_reuse,
            on_zone_disabled: balancer.on_zone_disabled,
            disabled: (0..)
                .map(ZonalId)
                .zip(&balancer.zonal)
                .filter(|(_, zonal)| !zonal.enabled)
                .map(|(id, _)| id)
                .collect(),
        }
    }
}

impl Balancers {
    /// Balancers without any flow.
    pub fn new(config: &Config) -> Self {
        let balancers = config.balancers.iter().map(State::new).collect();
        let mut all = Self {
            seed: config.seed,
            balancers,
            targets: Targets::new(config),
            refused: Vec::new(),
            terminations: Terminations::default(),
            table: FlowTable::default(),
            pools: PortPools::new(config.seed),
            loans: Loans::default(),
            meter: Meter::new(config),
            proxy_headers: ProxyHeaders::default(),
            works: 0,
            going_on: FxHashMap::default(),
            turns: FxHashMap::default(),
            draws: FxHashMap::default(),
        };
        all.listen(config);
        all
    }

    /// Takes over what another configuration says. New flows follow it; those there are keep their target, their
    /// source and their idle limit.
    pub fn configure(&mut self, now: Duration, old: &Config, new: &Config) {
        for (state, balancer) in self.balancers.iter_mut().zip(&new.balancers) {
            *state = State::new(balancer);
        }
        self.schedule_weightless(now, old, new);
        self.targets.configure(new);
        self.listen(new);
    }

    /// The flows.
    pub fn table(&self) -> &FlowTable {
        &self.table
    }

    /// The flows, to be told which attempts they are of.
    pub fn table_mut(&mut self) -> &mut FlowTable {
        &mut self.table
    }

    /// The counters.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The counters, for what is counted elsewhere.
    pub fn meter_mut(&mut self) -> &mut Meter {
        &mut self.meter
    }

    /// What balancers put into streams.
    pub fn proxy_headers(&self) -> &ProxyHeaders {
        &self.proxy_headers
    }

    /// The same, as packets go by.
    pub fn proxy_headers_mut(&mut self) -> &mut ProxyHeaders {
        &mut self.proxy_headers
    }

    /// The next flow whose PROXY protocol header is to be sent again.
    pub fn next_header_retry(&mut self, now: Duration) -> Option<FlowId> {
        let table = &self.table;
        self.proxy_headers
            .next_retry(now, |flow| table.entry(flow).is_live())
    }

    fn state(&self, balancer: BalancerId) -> &State {
        &self.balancers[balancer.0 as usize]
    }

    /// The flow on whose way back a packet travels.
    pub fn way_back(&self, headers: &Headers) -> Option<FlowId> {
        let protocol = flow_protocol(headers)?;
        self.table
            .find(Side::Target, Key::new(protocol, headers.from, headers.to))
    }

    /// Counts a failed TLS handshake of a zonal address.
    pub fn handshake_failed(&mut self, balancer: BalancerId, zonal: ZonalId, metric: Metric) {
        let node = self.meter.node(balancer, zonal);
        self.meter.add(node, metric, 1);
    }

    /// True when a balancer listens there.
    pub fn listens(&self, balancer: BalancerId, port: u16, protocol: Protocol) -> bool {
        let mut listeners = self.state(balancer).listeners.iter();
        listeners.any(|other| other.port == port && other.protocol == protocol)
    }

    /// Counts a packet of a health check: CloudWatch has them in `ProcessedPackets` and in nothing else.
    pub fn checked(&mut self, balancer: BalancerId, zonal: ZonalId, headers: &Headers) {
        let node = self.meter.node(balancer, zonal);
        self.meter.checked(node, headers);
    }

    /// A packet for a zonal address.
    pub fn toward_target(
        &mut self,
        now: Duration,
        headers: &Headers,
        at: Arrival,
        mut gate: Option<Gate<'_>>,
    ) -> Decision {
        let Some(protocol) = flow_protocol(headers) else {
            return Decision::dropped(Reason::ProtocolUnsupported);
        };
        let known = self
            .table
            .find(Side::Client, Key::new(protocol, headers.from, headers.to));
        if let Some(gone) = self.gone(at.balancer, at.zonal, known, headers) {
            return gone;
        }
        if let Some(flow) = known
            && self.continues(now, flow, headers)
        {
            if let Some(refusal) = self.refuse(now, flow, headers) {
                return refusal;
            }
            return self.forward_to_target(now, flow, headers);
        }
        let ends = (
            SocketAddrV4::new(at.source, headers.from.port()),
            headers.to,
        );
        if let Err(reason) = self.asked(gate.as_mut(), now, headers, at, Direction::In, ends) {
            return Decision::dropped(reason);
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
            let caller = Caller {
                protocol,
                at,
                listener,
            };
            match self.open(now, headers, caller, gate.as_mut()) {
                Ok(flow) => self.forward_to_target(now, flow, headers),
                Err(reason) => self.turn_away(at, headers, reason),
            }
        } else {
            let node = self.meter.node(at.balancer, at.zonal);
            self.stray(at.balancer, node, headers, known)
        }
    }

    /// A packet of a target, found by its way back.
    pub fn toward_client(&mut self, now: Duration, flow: FlowId, headers: &Headers) -> Decision {
        let balancer = self.table.entry(flow).balancer;
        if !self.state(balancer).disabled.is_empty() {
            let (_, zonal) = self.table.place(flow);
            if let Some(gone) = self.gone(balancer, zonal, Some(flow), headers) {
                return gone;
            }
        }
        let entry = self.table.entry(flow);
        let node = entry.node;
        if self.table.is_unanswered(now, flow) {
            return Decision::Drop {
                reason: Reason::HalfOpen,
                flow: Some(flow),
            };
        }
        if entry.state() == FlowState::Expired {
            return match entry.has(AT_KERNEL) {
                true => self.judge_stray(balancer, headers, Some(flow)),
                false => self.stray(balancer, node, headers, Some(flow)),
            };
        }
        self.table.entry_mut(flow).mark(ANSWERED);
        self.forward_to_client(now, flow, headers)
    }

    #[inline]
    fn forward_to_client(&mut self, now: Duration, flow: FlowId, headers: &Headers) -> Decision {
        self.table.entry_mut(flow).touch(nanos(now));
        if self.accepts(flow, headers) {
            self.enter(now, flow, FlowState::Established);
        }
        self.goes_on(now, flow, headers, Side::Target);
        self.finish(now, flow, headers, Side::Target);
        self.track(flow, headers, Side::Target);
        let entry = self.table.entry(flow);
        let (node, family) = (entry.node, entry.family());
        let (from, to) = (entry.zonal(), entry.client());
        self.meter.carried(node, family, on_wire(headers));
        if headers.is_reset() {
            // Of a terminated connection the balancer's own kernel is the other end.
            let metric = match family {
                Family::Tls => Metric::TcpElbResetCount,
                Family::Tcp | Family::Udp => Metric::TcpTargetResetCount,
            };
            self.meter.add(node, metric, 1);
        }
        Decision::Forward { flow, from, to }
    }

    /// Forgets what is left of a flow that is over, for a connection that goes to its target directly and looks
    /// the same there; else the target's answers would take the old way back.
    pub fn make_way(&mut self, headers: &Headers) {
        if let Some(protocol) = flow_protocol(headers) {
            self.table
                .free_way_back(Key::new(protocol, headers.to, headers.from));
        }
    }

    /// When [`Balancers::advance`] or [`Balancers::next_header_retry`] may have something to do.
    pub fn next_check(&self) -> Option<Duration> {
        let idle = self.table.next_check().into_iter();
        let control = self.targets.next_check().into_iter();
        let ends = self.terminations.next_check();
        let retry = self.proxy_headers.next_check();
        idle.chain(control).chain(ends).chain(retry).min()
    }

    /// Lets time pass: flows that have been idle or without an answer for too long end and nobody is told, targets
    /// change their state, and flows end whose time has come (see [`Balancers::next_farewell`]).
    pub fn advance(&mut self, now: Duration, config: &Config) {
        self.meter.roll(now);
        if self.targets.advance(now) {
            self.listen(config);
        }
        self.terminate(now, config);
        while let Some(flow) = self.table.next_idle(now) {
            self.enter(now, flow, FlowState::Expired);
        }
    }

    #[inline]
    fn forward_to_target(&mut self, now: Duration, flow: FlowId, headers: &Headers) -> Decision {
        self.table.entry_mut(flow).touch(nanos(now));
        let entry = self.table.entry(flow);
        if entry.has(AT_KERNEL) {
            let expected = entry.expects(Side::Target);
            self.loans.hear_client(flow, headers, expected);
        }
        self.goes_on(now, flow, headers, Side::Client);
        self.finish(now, flow, headers, Side::Client);
        self.track(flow, headers, Side::Client);
        let entry = self.table.entry(flow);
        let (node, family) = (entry.node, entry.family());
        let (from, to) = (entry.source(), entry.target());
        self.meter.carried(node, family, on_wire(headers));
        // Forwarded to a target, which one of a terminated connection is not.
        if headers.is_reset() && family != Family::Tls {
            self.meter.add(node, Metric::TcpClientResetCount, 1);
        }
        Decision::Forward { flow, from, to }
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
    /// The VPC endpoint's interface that it came by.
    pub endpoint: Option<EndpointPlace>,
    /// The packet's number.
    pub packet: u64,
}

impl Arrival {
    /// At an address of the balancer's own.
    pub fn direct(source: Ipv4Addr, (balancer, zonal): (BalancerId, ZonalId), packet: u64) -> Self {
        Self {
            source,
            balancer,
            zonal,
            endpoint: None,
            packet,
        }
    }
}

impl Decision {
    fn dropped(reason: Reason) -> Self {
        Self::Drop { reason, flow: None }
    }
}

/// How many packets it is on a wire, and their bytes.
fn on_wire(headers: &Headers) -> (u64, u64) {
    (headers.wire_packets() as u64, headers.wire_bytes() as u64)
}

/// The protocols that flows are made of, with ports that are known.
fn flow_protocol(headers: &Headers) -> Option<Protocol> {
    match headers.protocol {
        _ if !headers.knows_ports() => None,
        TCP => Some(Protocol::Tcp),
        UDP => Some(Protocol::Udp),
        _ => None,
    }
}
