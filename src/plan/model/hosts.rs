//! A host as it will be built: its addresses, how it hangs on the network, and what runs on it.

use super::{App, HostId};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A namespace with a kernel stack.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Where its eth0 leads.
    pub attachment: Attachment,
    /// Bridges in its namespace, for the hosts behind it.
    pub bridges: Vec<Bridge>,
    /// On eth0; on the fabric and by a routed veth, /32.
    pub address: Ipv4Addr,
    /// Further ones on eth0, /32.
    pub addresses: Vec<Ipv4Addr>,
    /// 1:1 at the internet gateway.
    pub public_address: Option<Ipv4Addr>,
    /// On eth0 besides, /128; none: its kernel has no IPv6.
    pub ipv6: Option<Ipv6Addr>,
    /// None: on the internet.
    pub zone: Option<String>,
    /// Of eth0, bytes.
    pub mtu: u16,
    /// Written in order, before anything runs: dotted name, value.
    pub sysctls: Vec<(String, String)>,
    /// Of a node: what stands for kube-proxy's rules and the VPC CNI's, as `nft` text; loaded before all others.
    pub rules: Option<String>,
    /// Loaded with `nft -f`; names of hosts already replaced by addresses.
    pub nft: Option<String>,
    /// Loaded with `iptables-restore`.
    pub iptables: Option<String>,
    /// Shell text, run after the rules and before the servers.
    pub setup: Option<String>,
    /// What listens.
    pub servers: Vec<Server>,
    /// How long its clients keep the addresses of a name.
    pub dns_cache: DnsCache,
}

impl Host {
    /// True when others than its neighbours inside the same host know its address.
    pub fn is_known_everywhere(&self) -> bool {
        match &self.attachment {
            Attachment::Fabric => true,
            Attachment::Inside(veth) => veth.wiring == Wiring::Routed,
        }
    }

    /// The first address on its device, of each family.
    pub fn first_addresses(&self) -> Vec<IpAddr> {
        let ipv6 = self.ipv6.map(IpAddr::from);
        std::iter::once(self.address.into()).chain(ipv6).collect()
    }

    /// True for the addresses on its device.
    pub fn has(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => address == self.address || self.addresses.contains(&address),
            IpAddr::V6(address) => Some(address) == self.ipv6,
        }
    }
}

/// The file below /proc/sys of a setting by its name, and the other way round: as in sysctl(8), dots and slashes change places, so
/// that `net.ipv4.conf.eth0/100.rp_filter` is of the device `eth0.100`.
pub fn sysctl_file(name: &str) -> String {
    let other = |letter| match letter {
        '.' => '/',
        '/' => '.',
        same => same,
    };
    name.chars().map(other).collect()
}

/// Where a host's `eth0` leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// It is a TUN, and the fabric sees every packet.
    Fabric,
    /// It is a veth, and its other end is in the namespace of a host on the fabric.
    Inside(Veth),
}

/// The way from a host into the one it is inside of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Veth {
    /// In whose namespace the other end is; it forwards.
    pub parent: HostId,
    /// What the other end is called there, at most 15 bytes; different for each of a parent.
    pub name: String,
    /// What the other end is there.
    pub wiring: Wiring,
}

/// What the other end of a [`Veth`] is in the parent's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wiring {
    /// A port of a bridge.
    Bridged {
        /// The bridge's name: one of the parent's `bridges`.
        bridge: String,
        /// Of the segment's network, 1..=30.
        prefix: u8,
        /// The host's default route.
        gateway: Ipv4Addr,
    },
    /// By itself, with a route to the host's one address, as the VPC CNI attaches pods ("Proposal: CNI plugin for
    /// Kubernetes networking over AWS VPC"): the pod has a /32, and its default route leads to 169.254.1.1, a neighbour
    /// that it knows by a static entry.
    Routed,
}

/// A bridge in a host's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// `lan0`
    pub name: String,
    /// The host's own address on it.
    pub address: Ipv4Addr,
    /// Of the segment's network, 1..=30.
    pub prefix: u8,
}

/// What a client does with the resolver's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DnsCache {
    /// Keeps it for its time to live.
    #[default]
    Ttl,
    /// Keeps it for ever, as a JVM with `networkaddress.cache.ttl=-1`.
    Forever,
    /// Asks anew for each connection.
    None,
}

/// A listening workload.
#[derive(Clone, Debug)]
pub struct Server {
    /// 1..=65535
    pub port: u16,
    /// Datagram socket rather than stream.
    pub udp: bool,
    /// What it does.
    pub app: App,
    /// It reads a PROXY protocol header first, and closes connections that have none.
    pub proxy_protocol: bool,
}
