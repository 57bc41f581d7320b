//! NAT gateways as the fabric takes them: vendors' defaults are values already, cloud time is real time.

use super::OnMissingFlow;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Index into [`super::Config::nat_gateways`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GatewayId(pub u16);

/// Whose gateway it behaves like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NatProfile {
    /// A NAT gateway.
    #[default]
    Aws,
    /// The outbound rules of a standard load balancer.
    Azure,
    /// Cloud NAT.
    Google,
}

/// A NAT gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatGateway {
    /// Its name in the lab.
    pub name: String,
    /// Its zone's name.
    pub zone: String,
    /// Whose counters it has.
    pub profile: NatProfile,
    /// Its address inside the VPC, which the internet gateway translates to the first of `addresses`.
    pub private: Ipv4Addr,
    /// As whom the internet sees the hosts behind it; at least one.
    pub addresses: Vec<Ipv4Addr>,
    /// Which ports a new connection may get.
    pub allocation: Allocation,
    /// Which of the free ones it gets.
    pub port_order: PortOrder,
    /// How long what is kept, already scaled.
    pub timeouts: NatTimeouts,
    /// The answer to a segment from inside that belongs to no mapping.
    pub on_missing_flow: OnMissingFlow,
    /// Both ends of an established connection are reset at the moment it has been idle for too long (Azure:
    /// `enableTcpReset`).
    pub reset_at_expiry: bool,
    /// From the choice of a new connection's port to the insertion of its entry into the table; its first packet waits for
    /// that. Linux chooses in the hook of NAT and inserts behind the last hook (`__nf_conntrack_confirm`). Zero: both are one.
    pub insertion_delay: Duration,
    /// A datagram whose socket has got an entry since its port was chosen goes by that entry (Linux since 4.19 where both
    /// chose the same port, counted as `clash_resolve`); else it is dropped.
    pub clash_resolve: bool,
}

/// Who may use which of a gateway's ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocation {
    /// All hosts share them: this many at a time for each gateway address, destination address, port and protocol
    /// (AWS: 55,000).
    PerDestination(u16),
    /// Each host has so many of its own, and uses each once for each destination (Azure, Google).
    PerHost(u16),
}

/// In which order free ports are given out. No vendor documents it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortOrder {
    /// From a random one upwards.
    #[default]
    Random,
    /// The lowest one.
    Sequential,
    /// The client's own, or the next one upwards.
    Preserve,
}

/// How long mappings are kept without a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatTimeouts {
    /// An established TCP connection.
    pub established: Duration,
    /// A SYN without an answer.
    pub transitory: Duration,
    /// After both FINs or a RST: for so long its port is not given to another.
    pub closed: Duration,
    /// Datagrams.
    pub datagram: Duration,
}
