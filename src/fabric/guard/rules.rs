//! What guards are made of: plain data, lowered from a plan, with every name resolved.

use crate::fabric::config::ids::BalancerId;
use crate::packet::stand_in::{StandIns, is_stand_in};
use crate::packet::{ICMP, TCP, UDP};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4};
use std::time::Duration;

/// Index into [`Guards::security_groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecurityGroupId(pub u16);

/// Index into [`Guards::subnets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubnetId(pub u16);

/// Everything that may refuse a packet by its addresses and ports. The default guards nothing and costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guards {
    /// The security groups.
    pub security_groups: Vec<SecurityGroup>,
    /// The subnets, each with its network ACL, when it has one that refuses anything.
    pub subnets: Vec<Subnet>,
    /// The interfaces of the hosts, by port; those that are missing at the end are unguarded.
    pub ports: Vec<HostInterface>,
    /// The interfaces of the load balancers, by balancer.
    pub balancers: Vec<BalancerInterfaces>,
    /// The subnets of the endpoints' interfaces, by endpoint.
    pub endpoints: Vec<Vec<SubnetId>>,
    /// How long a security group remembers.
    pub tracking: Tracking,
}

impl Guards {
    /// True when nothing can ever be refused.
    pub fn is_empty(&self) -> bool {
        let bare = |interface: &HostInterface| interface.groups.is_empty();
        self.subnets.iter().all(|subnet| subnet.acl.is_none())
            && self.ports.iter().all(bare)
            && self
                .balancers
                .iter()
                .all(|balancer| balancer.groups.is_empty())
    }
}

/// A network interface: where it is, and what stands before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostInterface {
    /// Its security groups; empty: it is unguarded.
    pub groups: Vec<SecurityGroupId>,
    /// The subnet it is in; none out on the internet.
    pub subnet: Option<SubnetId>,
}

/// The interfaces of one load balancer: alike but for their subnets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BalancerInterfaces {
    /// Its security groups; empty: it is unguarded.
    pub groups: Vec<SecurityGroupId>,
    /// By zonal address.
    pub subnets: Vec<SubnetId>,
    /// Inbound rules are not for what comes by a VPC endpoint (AWS:
    /// `EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic` is `off`).
    pub spare_private_link: bool,
}

/// A security group: what it lets in, what it lets out, and who has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityGroup {
    /// Its name in the lab.
    pub name: String,
    /// Whom it lets in; everything else is refused.
    pub ingress: Vec<Rule>,
    /// What it lets out; everything else is refused.
    pub egress: Vec<Rule>,
    /// Private addresses of the interfaces that have it, load balancers' included, and the stand-ins of their IPv6 ones.
    pub members: Vec<Ipv4Addr>,
    /// The load balancers that have it: what came through one of them counts as coming from the group, whoever's
    /// address it bears (AWS: works with client IP preservation on).
    pub balancers: Vec<BalancerId>,
}

impl SecurityGroup {
    /// Its rules for one direction.
    pub fn rules(&self, direction: Direction) -> &[Rule] {
        match direction {
            Direction::In => &self.ingress,
            Direction::Out => &self.egress,
        }
    }
}

/// A rule of a security group. It can only allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which packets.
    pub traffic: Traffic,
    /// From or to whom.
    pub peer: Peer,
}

/// The far end that a rule of a security group means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// By address.
    Range(Range),
    /// Whoever has this security group.
    Group(SecurityGroupId),
}

/// A subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subnet {
    /// The name of its zone, with its VPC's name before it when that has one.
    pub name: String,
    /// None: everything passes.
    pub acl: Option<NetworkAcl>,
}

/// A network ACL: ordered rules, the first that fits decides, and what none fits is refused (rule `*`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkAcl {
    /// For what comes into the subnet, in the order of their numbers.
    pub inbound: Vec<AclRule>,
    /// For what leaves it.
    pub outbound: Vec<AclRule>,
}

impl NetworkAcl {
    /// Its rules for one direction.
    pub fn rules(&self, direction: Direction) -> &[AclRule] {
        match direction {
            Direction::In => &self.inbound,
            Direction::Out => &self.outbound,
        }
    }
}

/// A rule of a network ACL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AclRule {
    /// Its place: 1..=32766.
    pub number: u16,
    /// Allow rather than deny.
    pub allow: bool,
    /// Which packets.
    pub traffic: Traffic,
    /// The far end: source inbound, destination outbound.
    pub range: Range,
}

/// Protocol and destination ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Everything.
    All,
    /// Every ICMP message, those of ICMPv6 over IPv6.
    Icmp,
    /// TCP to these ports.
    Tcp(Ports),
    /// UDP to these ports.
    Udp(Ports),
}

/// Ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Lowest.
    pub first: u16,
    /// Highest.
    pub last: u16,
}

impl Ports {
    /// All of them.
    pub const ALL: Self = Self {
        first: 0,
        last: u16::MAX,
    };

    fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl Traffic {
    /// True for packets of this protocol to this port.
    pub fn includes(self, protocol: u8, port: u16) -> bool {
        match self {
            Traffic::All => true,
            Traffic::Icmp => protocol == ICMP,
            Traffic::Tcp(ports) => protocol == TCP && ports.contains(port),
            Traffic::Udp(ports) => protocol == UDP && ports.contains(port),
        }
    }

    /// True when every port of this protocol is included.
    pub fn includes_every_port(self, protocol: u8) -> bool {
        match self {
            Traffic::All => true,
            Traffic::Icmp => protocol == ICMP,
            Traffic::Tcp(ports) => protocol == TCP && ports == Ports::ALL,
            Traffic::Udp(ports) => protocol == UDP && ports == Ports::ALL,
        }
    }
}

/// Whom a rule means by address. A range of one family has no address of the other, as on AWS: `0.0.0.0/0` is everybody
/// over IPv4 only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Everybody, over IPv4 and over IPv6: a rule that names no range.
    Everybody,
    /// Of IPv4.
    Ipv4(Cidr),
    /// Of IPv6.
    Ipv6(Ipv6Cidr),
}

impl Range {
    /// True for the addresses of the range. A stand-in is the IPv6 address that it stands for.
    pub fn contains(self, address: Ipv4Addr, stand_ins: &StandIns) -> bool {
        match self {
            Range::Everybody => true,
            Range::Ipv4(range) => !is_stand_in(address) && range.contains(address),
            Range::Ipv6(range) => {
                let real = stand_ins.real(address);
                real.is_some_and(|real| range.contains(real))
            }
        }
    }

    /// True when all addresses of the family of this one are in the range.
    pub fn is_everybody_like(self, address: Ipv4Addr) -> bool {
        match self {
            Range::Everybody => true,
            Range::Ipv4(range) => range.prefix == 0 && !is_stand_in(address),
            Range::Ipv6(range) => range.prefix == 0 && is_stand_in(address),
        }
    }
}

/// A range of IPv6 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6Cidr {
    /// The first address; the bits behind the prefix are 0.
    pub address: Ipv6Addr,
    /// 0..=128
    pub prefix: u8,
}

impl Ipv6Cidr {
    fn contains(self, address: Ipv6Addr) -> bool {
        let free = 128 - u32::from(self.prefix);
        let mask = u128::MAX.checked_shl(free).unwrap_or(0);
        address.to_bits() & mask == self.address.to_bits()
    }
}

/// A range of IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    /// The first address; the bits behind the prefix are 0.
    pub address: Ipv4Addr,
    /// 0..=32
    pub prefix: u8,
}

impl Cidr {
    /// `0.0.0.0/0`
    pub const ANYWHERE: Self = Self {
        address: Ipv4Addr::UNSPECIFIED,
        prefix: 0,
    };

    /// The bits of an address that the prefix compares.
    pub fn mask(prefix: u8) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
    }

    /// True for the addresses of the range.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & Self::mask(self.prefix) == self.address.to_bits()
    }

    /// True when some address is in both.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }
}

/// For how long a security group remembers a connection on which nothing is sent, already scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracking {
    /// TCP (AWS: 432,000 s by default).
    pub tcp: Duration,
    /// UDP that was asked or answered once (AWS: 30 s); ICMP too.
    pub udp: Duration,
    /// UDP that went to and fro (AWS: 180 s).
    pub udp_stream: Duration,
    /// Every other protocol, known by its addresses only (AWS: 600 s).
    pub other: Duration,
}

impl Default for Tracking {
    fn default() -> Self {
        Self {
            tcp: Duration::from_secs(432_000),
            udp: Duration::from_secs(30),
            udp_stream: Duration::from_secs(180),
            other: Duration::from_secs(600),
        }
    }
}

/// A packet as an interface or a subnet's border sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// IP protocol number.
    pub protocol: u8,
    /// Source; port 0 where the protocol has none.
    pub from: SocketAddrV4,
    /// Destination.
    pub to: SocketAddrV4,
}

impl View {
    /// The end that rules are about: source of what comes in, destination of what goes out.
    pub fn far(&self, direction: Direction) -> Ipv4Addr {
        match direction {
            Direction::In => *self.from.ip(),
            Direction::Out => *self.to.ip(),
        }
    }
}

/// Seen from the interface, or from inside the subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Comes in: `ingress`, `inbound`.
    In,
    /// Goes out: `egress`, `outbound`.
    Out,
}

impl Direction {
    /// The other one.
    pub fn reverse(self) -> Self {
        match self {
            Direction::In => Direction::Out,
            Direction::Out => Direction::In,
        }
    }
}
