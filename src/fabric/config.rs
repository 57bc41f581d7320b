//! What the fabric is made of: plain data, lowered from a plan, with every name resolved.
//!
//! Not here: behaviour (see the elements) and anything about the machine (see `world`).
//! All durations are real time: whoever lowers a plan has already divided cloud time by `time_scale`.

mod endpoints;
mod groups;
pub mod ids;
mod kinds;
mod nat;
mod service_proxy;

pub use endpoints::{Endpoint, EndpointId, EndpointPlace, EndpointZonal};
pub use groups::{
    Algorithm, CheckProtocol, Consensus, GroupAttributes, GroupEmulate, HealthCheck,
    OnDrainingFailure, Target, TargetGroup, TerminationReset, Threshold,
};
pub use nat::{Allocation, GatewayId, NatGateway, NatProfile, NatTimeouts, PortOrder};
pub use service_proxy::{
    Endpoint as ServiceEndpoint, Ipvs, IpvsTimeouts, ProxyMode, ServiceProxy, VirtualService,
};

use super::guard::rules::Guards;
pub use super::proxy_header::Placement;
pub use ids::{BalancerId, GroupId, PortId, ZonalId};
pub use kinds::{
    Application, Classic, ForwardedFor, Kind, OnBackendReset, OnDeregister, Stickiness,
};
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::time::Duration;

pub use crate::packet::stand_in::{StandIns, is_stand_in};

/// Everything the fabric knows about its world.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Fixes the flow hash and every random choice of links.
    pub seed: u64,
    /// The hosts, in plan order, then the zonal addresses that have a kernel; `PortId(n)` is `ports[n]`.
    pub ports: Vec<Port>,
    /// The load balancers.
    pub balancers: Vec<Balancer>,
    /// The VPC endpoints.
    pub endpoints: Vec<Endpoint>,
    /// The target groups.
    pub groups: Vec<TargetGroup>,
    /// The NAT gateways.
    pub nat_gateways: Vec<NatGateway>,
    /// What may refuse packets.
    pub guards: Guards,
    /// Who is in which VPC.
    pub vpcs: Vpcs,
    /// Every IPv6 address of the lab and the IPv4 address that stands for it here; empty: a lab without IPv6.
    pub stand_ins: StandIns,
    /// How many packet records are kept; later ones are counted, not kept.
    pub record_limit: usize,
    /// One minute of the cloud's time, over which metrics are collected. Zero: a minute.
    pub metric_period: Duration,
    /// Who knows the names.
    pub resolver: Resolver,
    /// What turns services into pods on nodes, where their kernels do not.
    pub service_proxy: Option<Box<ServiceProxy>>,
}

/// A VPC; 0 is the default one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VpcId(pub u16);

/// Who is in which VPC, and which of them are peered. The default: everything is in one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vpcs {
    /// By port.
    pub ports: Vec<VpcId>,
    /// By balancer.
    pub balancers: Vec<VpcId>,
    /// Pairs that reach each other. It leads no further: what is peered with one does not reach the other.
    pub peered: Vec<(VpcId, VpcId)>,
}

impl Vpcs {
    /// The VPC of a port.
    pub fn of(&self, port: PortId) -> VpcId {
        self.ports.get(port.0 as usize).copied().unwrap_or_default()
    }

    /// The VPC of a balancer.
    pub fn of_balancer(&self, balancer: BalancerId) -> VpcId {
        let vpc = self.balancers.get(balancer.0 as usize);
        vpc.copied().unwrap_or_default()
    }

    /// True when there is a way between two VPCs.
    pub fn reach(&self, one: VpcId, other: VpcId) -> bool {
        one == other
            || self
                .peered
                .iter()
                .any(|&pair| pair == (one, other) || pair == (other, one))
    }
}

/// Where hosts inside the zones find the resolver besides [`Resolver::private`] (AWS: everywhere the same).
pub const LINK_LOCAL_RESOLVER: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);

/// The resolver.
#[derive(Clone, Debug)]
pub struct Resolver {
    /// Its address inside the zones (AWS: the network's base plus two).
    pub private: Ipv4Addr,
    /// Its address for hosts on the internet.
    pub public: Ipv4Addr,
    /// How long an answer may be kept (AWS: 60 s), already scaled. Messages carry its whole seconds.
    pub ttl: Duration,
}

impl Default for Resolver {
    fn default() -> Self {
        Self {
            private: Ipv4Addr::new(10, 0, 0, 2),
            public: Ipv4Addr::new(198, 51, 100, 2),
            ttl: Duration::from_secs(60),
        }
    }
}

/// A host as the fabric sees it.
#[derive(Clone, Debug)]
pub struct Port {
    /// The host's name, for events.
    pub name: String,
    /// The address on its device.
    pub address: Ipv4Addr,
    /// Further addresses on its device.
    pub addresses: Vec<Ipv4Addr>,
    /// Further addresses of its interface that its kernel passes on to what is inside the host: its pods'.
    pub routed: Vec<Ipv4Addr>,
    /// What it sends under any other address is dropped (AWS: the source/destination check of an instance).
    pub source_check: bool,
    /// Its 1:1 address at the internet gateway, when it has one.
    pub public_address: Option<Ipv4Addr>,
    /// What stands for its IPv6 address, when it has one. IPv6 has no gateway that translates: it is reached under it
    /// from everywhere.
    pub ipv6: Option<Ipv4Addr>,
    /// True for a host out on the internet (no zone): private addresses are not routed to or from it.
    pub internet: bool,
    /// Its zone's name; none on the internet.
    pub zone: Option<String>,
    /// From the host toward the fabric.
    pub up: Link,
    /// From the fabric toward the host.
    pub down: Link,
    /// Kernel behaviour of other releases, emulated at this edge.
    pub quirks: Quirks,
    /// A zonal address's kernel at which clients' connections end, because it terminates TLS or is a proxy: not all that
    /// it sends belongs to health checks.
    pub terminates: bool,
    /// The NAT gateway by which it reaches the internet, when it has no public address.
    pub nat: Option<GatewayId>,
}

impl Port {
    /// True for a port of this zonal address's kernel that no health check has.
    pub fn is_backend_port(&self, port: u16) -> bool {
        self.terminates && BACKEND_PORTS.contains(&port)
    }
}

impl Port {
    /// True when packets of this host can leave for the internet, and answers come back.
    pub fn reaches_internet(&self) -> bool {
        self.internet || self.public_address.is_some() || self.nat.is_some()
    }
}

/// Impairments of one direction of a host's link. The default does nothing and costs nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    /// Added to every packet.
    pub delay: Duration,
    /// Added on top: uniform in 0..=jitter. Order is kept, but for what `reorder` says.
    pub jitter: Duration,
    /// Share of wire packets lost, 0.0..=1.0.
    pub loss: f64,
    /// Share of wire packets that arrive twice, 0.0..=1.0. Each of the two is delayed, lost and so on by itself.
    pub duplicate: f64,
    /// Share of wire packets that wait for `rate` only, 0.0..=1.0, and so overtake those that wait for `delay` too.
    pub reorder: f64,
    /// Share of wire packets in which one bit is flipped, 0.0..=1.0.
    pub corrupt: f64,
    /// Bits per second (layer 3); none: no limit.
    pub rate: Option<u64>,
    /// Largest IP packet the wire carries, bytes; larger ones with DF are answered with ICMP type 3 code 4.
    pub mtu: Option<u16>,
    /// Larger packets without DF are cut into fragments, as a router does; else they are dropped. IPv6 has no such packets.
    pub fragments: bool,
    /// Packets that may wait for `rate`; more are dropped (tail drop). None: 1000.
    pub queue: Option<usize>,
    /// What changes between it and its host.
    pub numbers: Numbers,
}

/// Numbers of TCP that are others inside a host than on its link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Both directions' initial sequence numbers are replaced by others; none: they are not.
    pub sequence: Option<RandomizedSequence>,
    /// By how many ticks the host's timestamps (RFC 7323) are ahead on the link, around the end of 32 bits.
    pub timestamp_offset: u32,
}

/// What a firewall that randomizes sequence numbers does to those that are not in the fixed part of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RandomizedSequence {
    /// SACK blocks stay as they were.
    HeaderOnly,
    /// SACK blocks are moved with the acknowledgement number.
    WithSack,
}

/// Behaviour of kernels other than the one this runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// Linux before 5.6 waited a full second before it re-sent a SYN that was answered by a suspicious ACK
    /// (commit 9603d47bad46). Emulated: a SYN re-sent less than 0.9 s after the one before, same tuple and
    /// same ISN, never leaves the host.
    pub syn_resend_classic: bool,
    /// Linux before 4.12 with `net.ipv4.tcp_tw_recycle=1` dropped SYNs whose timestamp was older than the last
    /// one it remembered of their address (commit 4396e46187ca removed it).
    pub tcp_tw_recycle: bool,
}

/// Transport protocols a listener can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP, protocol number 6.
    Tcp,
    /// UDP, protocol number 17.
    Udp,
}

/// A load balancer.
#[derive(Clone, Debug)]
pub struct Balancer {
    /// Its name in the lab.
    pub name: String,
    /// What it does with connections. What is about flows below is of a network balancer alone.
    pub kind: Kind,
    /// Why it could not be set up (AWS: its state is `failed`): nothing of it is there then. None: it is active.
    pub failure: Option<String>,
    /// One per enabled zone.
    pub zonal: Vec<Zonal>,
    /// The internet reaches its IPv6 addresses (AWS: `ipv6.deny_all_igw_traffic` is false).
    pub ipv6_from_internet: bool,
    /// What it listens on.
    pub listeners: Vec<Listener>,
    /// Targets to choose wherever they are eligible, by zonal address; empty: the flow hash decides.
    pub prefer: Vec<(ZonalId, Vec<usize>)>,
    /// Two flows that a target cannot tell apart.
    pub on_collision: OnCollision,
    /// A segment that belongs to no flow.
    pub on_missing_flow: OnMissingFlow,
    /// A SYN for which there is no target.
    pub on_no_target: OnNoTarget,
    /// An ICMP error of a target about what a client sent.
    pub on_target_error: OnTargetError,
    /// Source ports for each (zonal address, target) when the client's address is not preserved. AWS: 55,000.
    pub snat_ports: u16,
    /// From the end of a flow to when another may have such a port toward the same target, already scaled. AWS: about
    /// 55,000 connections a minute.
    pub port_reuse: Duration,
    /// Which of these ports a flow gets.
    pub port_order: SourcePortOrder,
    /// Which address it has the port of, where there are secondary ones.
    pub source_address: SourceAddress,
    /// Flows the table holds; a SYN above that is dropped.
    pub flow_capacity: usize,
    /// How long a target may take for its first answer; after that there is no way back (AWS: 30 s), already scaled.
    pub half_open: Duration,
    /// How long after FIN or RST a SYN from the same port still goes the old flow's way, already scaled.
    pub flow_reuse: Duration,
    /// Which of its addresses a host is told.
    pub client_routing: ClientRouting,
    /// What becomes of flows when their zone is disabled.
    pub on_zone_disabled: OnZoneDisabled,
}

/// What becomes of the flows of a zone that is disabled. AWS documents only that no traffic is routed to it any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnZoneDisabled {
    /// Its address is gone, and so are they, without a word.
    #[default]
    Drop,
    /// They go on to their end.
    Keep,
}

/// AWS: `dns_record.client_routing_policy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientRouting {
    /// Any zone.
    #[default]
    Any,
    /// In 85 of 100 answers only the asking host's zone.
    Partial,
    /// Only the asking host's zone, as long as it is listed.
    Affinity,
}

impl Balancer {
    /// True when one of its addresses may send to a target of a group. AWS: a target in a zone that is not enabled
    /// gets nothing, across zones neither; across zones, one in a zone that was shifted away from gets no new flows.
    pub fn reaches(&self, zonal: ZonalId, forward: &Forward, target: &Target) -> bool {
        let own = &self.zonal[zonal.0 as usize].zone;
        match &target.zone {
            None => forward.cross_zone,
            Some(zone) if forward.cross_zone => self
                .zonal
                .iter()
                .any(|zonal| zonal.zone == *zone && zonal.enabled && !zonal.shifted),
            Some(zone) => zone == own,
        }
    }

    /// True when one of its listeners forwards to a group, with whatever weight.
    pub fn forwards_to(&self, group: GroupId) -> bool {
        self.listeners.iter().any(|one| one.forwards_to(group))
    }
}

/// One of a balancer's addresses (AWS: a load balancer node).
#[derive(Clone, Debug)]
pub struct Zonal {
    /// The zone's name.
    pub zone: String,
    /// Its address inside the VPC; also the source toward targets when the client's address is not preserved.
    pub private: Ipv4Addr,
    /// Its address for the internet; none for an internal balancer.
    pub public: Option<Ipv4Addr>,
    /// Its own kernel, from which it checks targets; none where nothing needs one.
    pub port: Option<PortId>,
    /// False: the zone is not enabled now. The address is not in DNS and takes no new flows.
    pub enabled: bool,
    /// A zonal shift leaves this zone: the address is not in DNS, and the zone's targets get no new flows.
    pub shifted: bool,
    /// What stands for its IPv6 address, on a dualstack balancer; also the source toward IPv6 targets when the
    /// client's address is not preserved.
    pub ipv6: Option<Ipv4Addr>,
    /// Further sources toward targets (AWS: `secondary_ips.auto_assigned.per_subnet`), each with as many ports. No
    /// client is told of them.
    pub secondary: Vec<Ipv4Addr>,
}

/// Ports that sockets of a zonal address's own kernel have by themselves. Everything below is the fabric's, for flows whose
/// client address is not preserved, and that it lends to a kernel which clients' connections end at; a listener in this
/// range keeps its port.
pub const KERNEL_PORTS: RangeInclusive<u16> = 57_344..=u16::MAX;

/// Ports from which a kernel that clients' connections end at connects to targets, but for those of its listeners; its health
/// checks use the rest of [`KERNEL_PORTS`]. Of a balancer that is a proxy all of them, toward each target: AWS names no limit.
pub const BACKEND_PORTS: RangeInclusive<u16> = 1024..=61_439;

/// A balancer's listener.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Port, 1..=65535.
    pub port: u16,
    /// Transport protocol.
    pub protocol: Protocol,
    /// Where it forwards: at least one group.
    pub forward: Vec<Forward>,
    /// One client address stays with one of the groups (AWS: `TargetGroupStickinessConfig`).
    pub group_stickiness: bool,
    /// Idle limit of a flow (AWS: 350 s for TCP, 120 s for UDP), already scaled.
    pub idle_timeout: Duration,
    /// It ends TLS itself: its flows go to the kernel of the zonal address, which every zonal address then has, and
    /// from there a second connection leads to the target.
    pub terminates: bool,
    /// Requests end here: it speaks HTTP to clients and to targets. Of proxies alone.
    pub http: bool,
    /// They come under TLS, which ends here as well.
    pub https: bool,
    /// Of a classic balancer: the port of its instances.
    pub instance_port: Option<u16>,
}

impl Listener {
    /// The port at which a target gets this listener's connections.
    pub fn port_at(&self, target: &Target) -> u16 {
        target.port.or(self.instance_port).unwrap_or(self.port)
    }

    /// True when it forwards to a group, with whatever weight.
    pub fn forwards_to(&self, group: GroupId) -> bool {
        self.forward.iter().any(|forward| forward.group == group)
    }
}

/// A target group of a listener's action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Which.
    pub group: GroupId,
    /// Its share of new flows among its listener's groups, 0..=999.
    pub weight: u16,
    /// Cross-zone as resolved from balancer and target group: every zonal address reaches every zone's targets.
    pub cross_zone: bool,
}

/// What happens when a SYN would make a second flow with the same addresses and ports at the target.
/// AWS documents only that it breaks; the default is what the published traces show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnCollision {
    /// The newest SYN takes the way back.
    #[default]
    Newest,
    /// The way back stays with the flow that has it, until that flow is closed or expired.
    KeepOld,
    /// One of these two, as the lot falls for the newcomer: AWS leaves open which connection gets the answers.
    Random,
    /// The newcomer gets another source port, as an ordinary NAT does.
    PortRewrite,
}

/// What happens to a SYN for which there is no target. AWS documents that the flow is rejected and counted, not what its
/// client is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnNoTarget {
    /// Silence.
    #[default]
    Drop,
    /// RST.
    Reset,
}

/// Which ICMP errors of targets get to clients. AWS documents which errors a balancer takes, not what it does with those of
/// targets; clients of rejecting targets are known to time out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnTargetError {
    /// Those without which path MTU discovery could not work: "fragmentation needed".
    #[default]
    Mtu,
    /// All.
    Pass,
    /// None.
    Drop,
}

/// In which order free source ports are given out. AWS does not document it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourcePortOrder {
    /// From a random one upwards, so that a port comes back as late as possible.
    #[default]
    Upwards,
    /// A random one.
    Random,
    /// The lowest one.
    Sequential,
    /// The client's own, or the next one upwards.
    Preserve,
}

/// Which of the addresses of a zonal address a flow has its source port of. AWS documents that all are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceAddress {
    /// The first one that has a port left.
    #[default]
    First,
    /// Any of them, and the others when it has no port left.
    Spread,
}

/// What happens to a segment that belongs to no flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMissingFlow {
    /// RST to its sender, as AWS documents.
    #[default]
    Reset,
    /// Silence.
    Drop,
}
