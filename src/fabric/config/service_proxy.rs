//! What turns a service's address into a pod's on the nodes of a cluster, where the fabric does it. Nodes in kube-proxy's
//! iptables mode have real rules instead, and nothing of this.

use super::{PortId, Protocol};
use std::net::SocketAddrV4;
use std::time::Duration;

/// The service proxies of all nodes: each has a table of its own, and all know the same services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceProxy {
    /// Of which kind they are.
    pub mode: ProxyMode,
    /// The nodes.
    pub nodes: Vec<PortId>,
    /// In order of the lab. The same ones throughout, with the same endpoints.
    pub services: Vec<VirtualService>,
}

/// A kind of service proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyMode {
    /// kube-proxy's mode `ipvs`.
    Ipvs(Ipvs),
    /// A dataplane in eBPF that stands for kube-proxy (Calico's).
    Ebpf {
        /// A SYN that is sent again goes to the endpoint of the first one (Calico: since felix #2675).
        pin_syn: bool,
    },
}

/// The kernel's settings of IPVS, under their names in `/proc/sys/net/ipv4/vs`
/// (Documentation/networking/ipvs-sysctl.rst), and its timeouts, already scaled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipvs {
    /// 0: a SYN on a port that has an entry goes to that entry's server. 1: one in TIME_WAIT or CLOSE is scheduled anew.
    /// Bit 2: one in FIN_WAIT too, where no packet of the server has been seen.
    pub conn_reuse_mode: u16,
    /// Entries whose server is gone end with their next packet, rather than take it silently.
    pub expire_nodest_conn: bool,
    /// Connections have entries in connection tracking as well.
    pub conntrack: bool,
    /// Linux 5.9 or later. Before (until commit f0a5e4d7a594), a SYN whose old entry is in connection tracking was
    /// dropped after the entry was ended; and entries of a server that is gone waited for their next packet (until commit
    /// 04231e52d355).
    pub since_5_9: bool,
    /// How long entries are kept without a packet.
    pub timeouts: IpvsTimeouts,
}

/// After so long without a packet an entry ends, by its state (`tcp_timeouts` in ip_vs_proto_tcp.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpvsTimeouts {
    /// `ipvsadm --set`, first figure. 900 s.
    pub established: Duration,
    /// `ipvsadm --set`, second figure. 120 s.
    pub fin_wait: Duration,
    /// `ipvsadm --set`, third figure. 300 s.
    pub udp: Duration,
    /// 120 s.
    pub syn_sent: Duration,
    /// 60 s.
    pub syn_recv: Duration,
    /// 120 s.
    pub time_wait: Duration,
    /// 10 s.
    pub close: Duration,
    /// 60 s.
    pub close_wait: Duration,
    /// 30 s.
    pub last_ack: Duration,
}

/// A port of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualService {
    /// `default/web`
    pub name: String,
    /// Transport.
    pub protocol: Protocol,
    /// Within the cluster.
    pub at: SocketAddrV4,
    /// All that it may ever have.
    pub endpoints: Vec<Endpoint>,
}

/// A pod behind a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The pod's name.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddrV4,
}
