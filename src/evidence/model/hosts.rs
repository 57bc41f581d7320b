//! What hosts know: counters, sockets, what their kernels dropped and what their programs served.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A host's record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HostEvidence {
    /// On eth0.
    pub address: String,
    /// On eth0 besides; empty: none.
    #[serde(default)]
    pub ipv6: String,
    /// The host that it is inside of, a node or a router; empty: it is on the network itself.
    #[serde(default)]
    pub inside: String,
    /// Kernel counters by nstat's flat names, as deltas over the steps.
    pub counters: BTreeMap<Cow<'static, str>, i64>,
    /// What its kernel's connection tracking counted.
    #[serde(default)]
    pub conntrack: Conntrack,
    /// What its service proxy did; none where it has none that is emulated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_proxy: Option<ServiceProxy>,
    /// Packets that its kernel dropped, by the kernel's own reasons (`NO_SOCKET`), as deltas over the steps; none
    /// where the kernel cannot be asked, see [`Evidence::no_kernel_drops`](super::Evidence::no_kernel_drops).
    #[serde(default)]
    pub kernel_drops: Option<BTreeMap<String, i64>>,
    /// TCP sockets after the last step (those that listen are `listeners`).
    pub sockets: Vec<Socket>,
    /// Listening TCP sockets after the last step; none where no claim of the case asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listeners: Option<Vec<Listener>>,
    /// Packets that the fabric delivered to it, or to the host that it is inside of and for it, with its own address as source.
    pub self_sourced: i64,
    /// Clients whose connections began without the PROXY protocol header that a server here expected, `address:port` as
    /// the server saw them.
    #[serde(default)]
    pub broken_headers: Vec<String>,
    /// HTTP requests served, since the first step.
    pub requests: Vec<Request>,
}

/// Connection tracking of a host's kernel.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Conntrack {
    /// By the words of `conntrack -S`, as deltas over the steps; and `entries`, how many there are after the last step.
    pub counters: BTreeMap<String, i64>,
    /// Why they are not known; empty when they are.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unknown: String,
}

/// A node's service proxy, since the lab came up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceProxy {
    /// Entries after the last step.
    pub entries: i64,
    /// Connections that were given an endpoint.
    pub connections: i64,
    /// Of these, on a port whose entry was ended for it.
    pub rescheduled: i64,
    /// SYNs that were dropped together with the old entry of their port.
    pub port_reuse_drops: i64,
    /// Packets that were dropped because their entry's endpoint is gone.
    pub no_destination_drops: i64,
    /// SYNs that were sent again and went to another endpoint than before.
    pub moved_syns: i64,
}

/// A kernel socket.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Socket {
    /// `ESTABLISHED`, `TIME_WAIT`, ...
    pub state: String,
    /// `address:port`
    pub local: String,
    /// `address:port`
    pub remote: String,
    /// Bytes written and not acknowledged, those not sent yet included.
    #[serde(default)]
    pub send_queue: i64,
    /// Bytes received and not read.
    #[serde(default)]
    pub recv_queue: i64,
    /// What it waits for, in the words of `ss`: `on` (to send again), `keepalive`, `timewait`, `persist` (to probe a
    /// closed window); empty: nothing.
    #[serde(default)]
    pub timer: String,
    /// How long still, ms; in steps of 10 where the kernel has no inet_diag.
    #[serde(default)]
    pub timer_ms: i64,
    /// How often it has sent again what was not acknowledged, without an answer since.
    #[serde(default)]
    pub retransmits: i64,
    /// What the kernel knows besides (tcp_info). None in TIME_WAIT, and where the kernel has no inet_diag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_info: Option<TcpInfo>,
}

/// A listening TCP socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// `address:port`
    pub local: String,
    /// Connections that wait to be accepted.
    pub waiting: i64,
    /// The `listen(2)` backlog in force: so many may wait, and one more. None where the kernel has no inet_diag.
    pub backlog: Option<i64>,
}

/// Of `struct tcp_info` what explains a connection; of its whole life where nothing else is said.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TcpInfo {
    /// Smoothed round-trip time, ms.
    pub rtt_ms: f64,
    /// After how long it would send again, ms.
    pub rto_ms: f64,
    /// Congestion window, segments.
    pub cwnd: i64,
    /// Segments under way at this moment.
    pub unacked: i64,
    /// Of these, taken for lost.
    pub lost: i64,
    /// Segments sent again.
    pub resent: i64,
    /// Bytes that the other side acknowledged.
    pub bytes_acked: i64,
    /// Bytes that came, in order.
    pub bytes_received: i64,
    /// Bytes written and not sent yet, not once.
    #[serde(default)]
    pub bytes_not_sent: i64,
    /// Segments sent, and those that came.
    pub segments_out: i64,
    /// See `segments_out`.
    pub segments_in: i64,
    /// By how many bits it shifts the windows that the other side tells of (RFC 7323): 0 where the two did not agree to.
    #[serde(default)]
    pub send_scale: i64,
    /// By how many bits the other side must shift its own.
    #[serde(default)]
    pub receive_scale: i64,
}

/// A served request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Request {
    /// Host header.
    pub host: String,
    /// Request target.
    pub path: String,
    /// Answer.
    pub status: i64,
    /// Who asked, `address:port`: as a PROXY protocol header told, else as the server sees it.
    #[serde(default)]
    pub client: String,
    /// X-Forwarded-For; empty without one.
    #[serde(default)]
    pub forwarded_for: String,
    /// A load balancer's health check asked.
    #[serde(default)]
    pub probe: bool,
    /// The answer said that the connection ends with it (`Connection: close`).
    #[serde(default)]
    pub closes: bool,
}
