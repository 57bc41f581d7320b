//! The emulated network between the hosts: routes, links, internet gateway, NAT gateways, load balancers. Pure: it has no
//! clock and does no I/O. Give it a packet and the time, it hands the outcome to an [`Output`].
//!
//! Not here: TUN devices, threads, sockets (`world` drives this), names of YAML (`plan` lowers to [`Config`]).
//!
//! The way of a packet is in `way`, top to bottom. Deciding is apart from acting: `routes`, `balancer` and
//! `link` only say what is to become of a packet.

pub mod change;
pub mod config;
mod fate;
pub mod faults;
pub mod guard;
pub mod meter;
pub mod metric;
pub mod nat;
pub mod record;
pub mod targets;

mod balancer;
mod checkpoints;
mod conversation;
mod crossing;
mod edge;
mod endpoints;
mod flow_table;
mod fragments;
mod icmp;
mod injection;
mod kernels;
mod ledger;
mod link;
mod listener;
mod moment;
mod noting;
mod passage;
mod port_pool;
mod proxy_header;
mod quoted;
pub mod random;
mod recycle;
mod renumbering;
mod reply;
mod resolver;
mod routes;
mod service_proxy;
mod shifting;
mod short_way;
mod shorthand;
mod telling;
mod way;

use crate::packet::VnetHeader;
use balancer::Balancers;
use config::{BalancerId, GroupId, PortId, StandIns, ZonalId};
use conversation::Conversations;
use endpoints::Endpoints;
use faults::Faults;
use flow_table::Side;
use fragments::Fragments;
use guard::Watch;
use ledger::Ledger;
use link::{Links, Waiting};
use moment::nanos;
use nat::Gateways;
use record::{Listing, Party};
use recycle::Recycle;
use resolver::Resolver;
use routes::Routes;
use rustc_hash::FxHashMap;
use service_proxy::ServiceProxies;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use targets::{Probe, Standing};

pub use balancer::{Assigned, Behind, Loan, PairStanding, Place};
pub use config::Config;
pub use crossing::Leaving;
pub use endpoints::EndpointReading;
pub use injection::Stray;
pub use ledger::Latest;
pub use meter::Meter;
pub use metric::Metric;
pub use resolver::host_address;
pub use service_proxy::ProxyCounters;

/// Buffers of delayed packets kept for the next ones.
const SPARE_BUFFERS: usize = 256;

/// A packet as a device gave it.
pub struct Frame<'a> {
    /// What the kernel left undone.
    pub header: VnetHeader,
    /// The IP packet. The fabric rewrites it in place; its contents afterwards are of no use.
    pub packet: &'a mut [u8],
}

/// Where packets leave the fabric.
pub trait Output {
    /// Hands a packet to a host's device. False: the device refused it, and the packet is lost. Whoever gathers packets
    /// says true, and tells [`Fabric::refused`] of those that the device refuses later.
    fn deliver(&mut self, to: PortId, header: &VnetHeader, packet: &[u8]) -> bool;

    /// The same for a packet in two pieces, which IPv6 packets are: their headers are written last.
    fn deliver_pieces(
        &mut self,
        to: PortId,
        header: &VnetHeader,
        head: &[u8],
        body: &[u8],
    ) -> bool {
        self.deliver(to, header, &[head, body].concat())
    }

    /// A host's packet has come in: its number, and the bytes as the host wrote them. For captures.
    fn entered(&mut self, _id: u64, _from: PortId, _header: &VnetHeader, _packet: &[u8]) {}

    /// What the packet is that is handed out next: for captures, and for [`Fabric::refused`].
    fn leaving(&mut self, _packet: Leaving) {}
}

/// The network. One owner, no lock, no clock: every call says what time it is, since the fabric started. Time that
/// runs backwards is taken as standing still.
///
/// A packet of a flow that stands meets none of these fields but those that `short_way` asks: whoever adds an element says
/// there (`is_silent`) what it is to such packets, and changes the epoch with everything that changes its mind.
pub struct Fabric {
    config: Config,
    /// Those of the configuration, and those that packets brought.
    stand_ins: StandIns,
    routes: Routes,
    links: Links,
    balancers: Balancers,
    gateways: Gateways,
    endpoints: Endpoints,
    resolver: Resolver,
    /// What names said and when, and the state of the balancers that is in it.
    listings: Vec<Listing>,
    noted: u64,
    conversations: Conversations,
    fragments: Fragments,
    ledger: Ledger,
    /// None when there is nothing to guard.
    watch: Option<Box<Watch>>,
    faults: Faults,
    /// By port: the target's, of a target of some group, whose packets may belong to a flow.
    sides: Vec<Side>,
    /// By source: packets that came to the host that has this address.
    self_sourced: FxHashMap<Ipv4Addr, u64>,
    /// By port, what a kernel with `tcp_tw_recycle` remembers; empty when no host has one.
    recycle: Vec<Option<Recycle>>,
    /// At the edge of nodes.
    service_proxies: ServiceProxies,
    /// When each packet that waits goes on; the number keeps packets of one moment in order.
    arrivals: BinaryHeap<Reverse<(Duration, u64, Waiting)>>,
    sequence: u64,
    /// Changes with everything that could change a packet's way.
    epoch: u32,
    /// Before this moment, in nanoseconds, nothing is due, unless a packet goes the whole way or somebody does something.
    quiet_until: u64,
    /// How far balancers and gateways have come.
    settled: Duration,
    /// Where super-packets are split.
    scratch: Vec<u8>,
    spare: Vec<Vec<u8>>,
    now: Duration,
}

impl Fabric {
    /// A network at rest.
    ///
    /// Panics when the configuration contradicts itself (a listener names a group that is not there).
    pub fn new(config: Config) -> Self {
        let sides = config
            .ports
            .iter()
            .map(|port| {
                let mut targets = config.groups.iter().flat_map(|group| &group.targets);
                let is_target = port.terminates
                    || targets.any(|target| {
                        target.address == port.address
                            || Some(target.address) == port.ipv6
                            || port.routed.contains(&target.address)
                    });
                if is_target {
                    Side::Target
                } else {
                    Side::Client
                }
            })
            .collect();
        let mut fabric = Self {
            stand_ins: config.stand_ins.clone(),
            routes: Routes::new(&config),
            links: Links::new(&config),
            balancers: Balancers::new(&config),
            gateways: Gateways::new(&config),
            endpoints: Endpoints::new(&config),
            resolver: Resolver::new(&config),
            listings: Vec::new(),
            noted: 0,
            conversations: Conversations::default(),
            fragments: Fragments::default(),
            ledger: Ledger::new(config.record_limit),
            watch: Watch::new(&config.guards, config.record_limit),
            faults: Faults::default(),
            sides,
            self_sourced: FxHashMap::default(),
            recycle: recycles(&config),
            service_proxies: ServiceProxies::new(&config),
            arrivals: BinaryHeap::new(),
            sequence: 0,
            epoch: 1,
            quiet_until: 0,
            settled: Duration::ZERO,
            scratch: Vec::new(),
            spare: Vec::new(),
            now: Duration::ZERO,
            config,
        };
        fabric.note_names(Duration::ZERO);
        fabric
    }

    /// Takes a packet that a host sent. What was due before is done first.
    ///
    /// Panics when the configuration has no such port.
    pub fn receive(
        &mut self,
        now: Duration,
        from: PortId,
        frame: Frame<'_>,
        out: &mut impl Output,
    ) {
        self.now = self.now.max(now);
        let nanos = nanos(self.now);
        if nanos < self.quiet_until {
            self.balancers.meter_mut().tick(nanos);
        } else {
            self.advance(now, out);
        }
        let Frame { header, packet } = frame;
        let id = self.ledger.received();
        out.entered(id, from, &header, packet);
        let guess = self.balancers.next_guess();
        if !self.takes_short_way((id, from, guess), nanos, &header, packet, out) {
            self.enter((id, from), header, packet, out);
        }
    }

    /// Has fetched from memory what packets will need that are received next, at most 64 of them. It changes nothing but the
    /// time that [`Fabric::receive`] takes when there are very many flows.
    ///
    /// Panics when the configuration has no such port.
    pub fn foresee<'a>(&mut self, packets: impl Iterator<Item = (PortId, &'a [u8])>) {
        let sides = &self.sides;
        let by_side = packets.map(|(from, packet)| (sides[from.0 as usize], packet));
        self.balancers.foresee(by_side);
    }

    /// On which side of flows a host is.
    #[inline]
    fn side(&self, from: PortId) -> Side {
        self.sides[from.0 as usize]
    }

    /// Does what is due, in the order it became due: releases packets that wait, expires idle flows.
    #[inline(never)]
    pub fn advance(&mut self, now: Duration, out: &mut impl Output) {
        self.now = self.now.max(now);
        while let Some(&Reverse((due, _, place))) = self.arrivals.peek()
            && due <= self.now
        {
            self.arrivals.pop();
            self.control(due, out);
            self.arrive(place, out);
        }
        self.control(self.now, out);
    }

    /// Everything due now is done, and nothing else is until something happens.
    #[inline]
    fn rest(&mut self, nanos: u64) {
        if self.quiet_until <= nanos {
            self.fall_asleep();
        }
    }

    #[cold]
    fn fall_asleep(&mut self) {
        let period = self.balancers.meter().period_end();
        let due = self.next_deadline().map_or(period, |due| due.min(period));
        self.quiet_until = nanos(due);
    }

    /// A packet goes the whole way: nothing is due before it, and things may be after it.
    fn catch_up(&mut self, out: &mut impl Output) {
        if self.settled < self.now {
            self.control(self.now, out);
        }
        self.wake();
    }

    /// Something happens after which things may be due that were not.
    fn wake(&mut self) {
        self.quiet_until = 0;
    }

    /// What balancers and gateways do by themselves.
    fn control(&mut self, at: Duration, out: &mut impl Output) {
        self.settled = at;
        self.balancers.advance(at, &self.config);
        if self.noted != self.balancers.works() {
            self.note_names(at);
        }
        while let Some(farewell) = self.balancers.next_farewell() {
            self.bid_farewell(at, farewell, out);
        }
        while let Some(flow) = self.balancers.next_header_retry(at) {
            self.send_proxy_header(at, flow, out);
        }
        self.gateways.advance(at);
        self.bid_gateway_farewells(at, out);
    }

    /// Writes down what balancers' names say now, where it is not what they said before.
    fn note_names(&mut self, at: Duration) {
        self.noted = self.balancers.works();
        self.epoch += 1;
        for (id, balancer) in (0..).map(BalancerId).zip(&self.config.balancers) {
            let zones = resolver::listed(balancer, |zonal| self.zone_in_dns(id, zonal));
            let mut before = self.listings.iter().rev();
            let last = before.find(|listing| listing.balancer == id);
            if last.is_none_or(|last| last.zones != zones) {
                self.listings.push(Listing {
                    at,
                    balancer: id,
                    zones,
                });
            }
        }
    }

    /// When [`Fabric::advance`] has something to do next, perhaps in vain; none: only after another packet.
    pub fn next_deadline(&self) -> Option<Duration> {
        let arrival = self.arrivals.peek().map(|&Reverse((due, ..))| due);
        let check = self.balancers.next_check();
        let expiry = self.gateways.next_check();
        arrival.into_iter().chain(check).chain(expiry).min()
    }

    /// Remembers what a capture needs besides: the latest `limit` records of those that [`Fabric::records`] has no
    /// room for, and which packets were cut from which.
    pub fn keep_latest(&mut self, limit: usize) {
        self.ledger.keep_latest(limit);
    }

    /// What balancers and gateways count begins now, with the first minute; levels stay as they are.
    pub fn restart_meter(&mut self, now: Duration) {
        self.gateways.restart_counters();
        self.balancers.meter_mut().restart(now);
        self.wake();
    }

    /// Takes the result of a health check. One of a target that is not to be checked counts for nothing. What
    /// follows from it happens with the next packet, or at [`Fabric::next_deadline`].
    ///
    /// Panics when the configuration has no such group or target.
    pub fn probe_done(&mut self, now: Duration, probe: Probe) {
        self.now = self.now.max(now);
        self.balancers.advance(self.now, &self.config);
        self.balancers.probe_done(&self.config, probe);
        self.wake();
    }

    /// Where a client's connection goes on that ends at a listener of a zonal address's own kernel: the group, the
    /// target's place in it, and its address. None when no flow of this client goes there.
    pub fn behind(
        &mut self,
        now: Duration,
        listener: SocketAddrV4,
        client: SocketAddrV4,
    ) -> Option<Behind> {
        let groups = &self.config.groups;
        self.balancers
            .behind(now, listener, client, |group, index| {
                let target = &groups[usize::from(group.0)].targets[index];
                let port = target.port.unwrap_or(listener.port());
                SocketAddrV4::new(target.address, port)
            })
    }

    /// Another port for a connection from a zonal address to a target, instead of one that its kernel does not let it have.
    /// None: all are taken.
    pub fn lend(&mut self, now: Duration, at: Place, target: SocketAddrV4) -> Option<Loan> {
        self.balancers
            .lend(now, at.balancer, at.zonal, None, target)
    }

    /// How a client's connection to a listener of a zonal address's kernel stands, and the one from a lent port.
    pub fn standing_of_pair(
        &self,
        listener: SocketAddrV4,
        client: SocketAddrV4,
        loan: Loan,
    ) -> PairStanding {
        self.balancers.standing_of_pair(listener, client, loan)
    }

    /// A connection from a lent port is over.
    pub fn give_back(&mut self, loan: Loan) {
        self.balancers.give_back(self.now, loan);
    }

    /// The target whose turn it is, for a connection of a proxy to one of the groups that its listener forwards to. None:
    /// there is nobody to choose from.
    pub fn next_target(&mut self, at: Place, group: GroupId) -> Option<Assigned> {
        self.balancers.next_target(at, group)
    }

    /// The group of the next request at a proxy's listener, drawn by the weights of its groups. None: there is no such listener, or none
    /// of its groups has any weight.
    pub fn next_group(&mut self, at: Place) -> Option<GroupId> {
        self.balancers.next_group(at)
    }

    /// All targets that a request at a proxy may go to, the one whose turn it is first. `bound`: the one that the request
    /// is for, which takes nobody's turn where it is among them.
    pub fn candidates(
        &mut self,
        at: Place,
        group: GroupId,
        bound: Option<SocketAddrV4>,
    ) -> Vec<Assigned> {
        self.balancers.candidates(at, group, bound)
    }

    /// How a target stands, as the zonal address of a proxy sees it. It may change with every change of
    /// [`Fabric::works`]. Panics when the configuration has no such group or target.
    pub fn standing(&self, at: Place, group: GroupId, target: usize) -> Standing {
        self.balancers.standing(&self.config, at, group, target)
    }

    /// Another number whenever something that decides about targets has changed: health, registrations, settings.
    pub fn works(&self) -> u64 {
        self.balancers.works()
    }

    /// Counts what a proxy did, `group` when the metric has target groups too: events of a metric that is a sum, or the
    /// change of a level.
    pub fn tell(&mut self, at: Place, group: Option<GroupId>, metric: Metric, change: i64) {
        self.balancers.tell(at, group, metric, change);
    }

    /// Counts how long something took that a proxy did, `group` as for [`Fabric::tell`].
    pub fn took(&mut self, at: Place, group: Option<GroupId>, metric: Metric, time: Duration) {
        self.balancers.took(at, group, metric, time);
    }

    /// Counts a TLS handshake that failed at a zonal address: with a client, or with a target.
    pub fn handshake_failed(&mut self, balancer: BalancerId, zonal: ZonalId, with: Party) {
        let metric = match with {
            Party::Client => Metric::ClientTlsNegotiationErrorCount,
            Party::Server | Party::Fabric => Metric::TargetTlsNegotiationErrorCount,
        };
        self.balancers.handshake_failed(balancer, zonal, metric);
    }
}

fn recycles(config: &Config) -> Vec<Option<Recycle>> {
    let mut ports = config.ports.iter();
    if !ports.any(|port| port.quirks.tcp_tw_recycle) {
        return Vec::new();
    }
    let ports = config.ports.iter();
    ports
        .map(|port| port.quirks.tcp_tw_recycle.then(Recycle::default))
        .collect()
}
