//! The typed mirror of what parts networks: security groups and network ACLs with their rules, VPCs, peerings.

use crate::diag::{Span, Spanned};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// `security_groups.X`
#[derive(Clone, Debug)]
pub struct SecurityGroup {
    /// The item's place.
    pub span: Span,
    /// `ingress:` by rule name.
    pub ingress: Vec<(Spanned<String>, Spanned<GuardRule>)>,
    /// `egress:` by rule name; none: everything is let out.
    pub egress: Option<Vec<(Spanned<String>, Spanned<GuardRule>)>>,
}

/// `network_acls.X`
#[derive(Clone, Debug)]
pub struct NetworkAcl {
    /// The item's place.
    pub span: Span,
    /// `inbound:` by number.
    pub inbound: Vec<(Spanned<u16>, Spanned<GuardRule>)>,
    /// `outbound:` by number.
    pub outbound: Vec<(Spanned<u16>, Spanned<GuardRule>)>,
}

/// `tcp/80 from 10.0.0.0/8`, `deny udp to 192.0.2.7`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardRule {
    /// False after `deny`.
    pub allow: bool,
    /// Which packets.
    pub traffic: Traffic,
    /// Whose, after `from` or `to`.
    pub peer: Peer,
}

/// Protocol and destination ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// `all`
    All,
    /// `icmp`
    Icmp,
    /// `tcp`, `tcp/80`, `tcp/1024-65535`: lowest and highest port.
    Tcp(u16, u16),
    /// `udp`, `udp/53`
    Udp(u16, u16),
}

/// The far end of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Nothing was written.
    Anyone,
    /// `10.0.0.0/8`, or one address.
    Range(AddressRange),
    /// `::/0`, or one address.
    Ipv6Range(Ipv6Range),
    /// A security group by name.
    Group(String),
}

/// `vpcs.X`
#[derive(Clone, Debug, Default)]
pub struct Vpc {
    /// `cidr:`; none: given out.
    pub cidr: Option<Spanned<AddressRange>>,
}

/// `peerings.X`
#[derive(Clone, Debug, Default)]
pub struct Peering {
    /// `between:`
    pub between: Vec<Spanned<String>>,
}

/// `endpoint_services.X`
#[derive(Clone, Debug, Default)]
pub struct EndpointService {
    /// The item's place.
    pub span: Span,
    /// `load_balancer:`
    pub load_balancer: Option<Spanned<String>>,
    /// `load_balancers:`
    pub load_balancers: Vec<Spanned<String>>,
}

impl EndpointService {
    /// All that it names.
    pub fn named(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.load_balancer.iter().chain(&self.load_balancers)
    }
}

/// `endpoints.X`
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `vpc:`; none: the default one.
    pub vpc: Option<Spanned<String>>,
    /// In order of writing.
    pub zones: Vec<Spanned<String>>,
    /// `service:`
    pub service: Spanned<String>,
}

/// `10.0.0.0/8`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    /// The first address.
    pub address: Ipv4Addr,
    /// 0..=32
    pub prefix: u8,
}

/// `2001:db8::/32`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6Range {
    /// The first address.
    pub address: Ipv6Addr,
    /// 0..=128
    pub prefix: u8,
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}
