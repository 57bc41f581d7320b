//! What clients did: their connections, and the names they asked for. Not here: what became of a connection inside a
//! balancer (`flows`, `pairs`).

use serde::{Deserialize, Serialize};

/// One client connection, read after the last step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Connection {
    /// Index of the step that opened it.
    pub step: usize,
    /// `tcp`, `udp`
    pub protocol: String,
    /// The client.
    pub from: String,
    /// What was dialled: `front/a`, `web1`.
    pub via: String,
    /// Index into [`Evidence::lookups`](super::Evidence::lookups) of the answer it took its address from; none: it asked for no name.
    #[serde(default)]
    pub lookup: Option<usize>,
    /// `address:port`
    pub local: String,
    /// Its own end as the fabric saw it, when its router translated it; empty: as `local`, or it never came there.
    #[serde(default)]
    pub left_as: String,
    /// `address:port`; empty when there was no address.
    pub remote: String,
    /// Host that its SYN was sent to; empty when the fabric sent it nowhere.
    pub target: String,
    /// The tuple's source as the target sees it.
    pub seen_as: String,
    /// Where the SYN went at the target, `address:port`.
    pub target_address: String,
    /// Index into [`Evidence::flows`](super::Evidence::flows); none for a direct connection.
    pub flow: Option<usize>,
    /// It ends at the balancer: at a proxy, or at a listener that terminates TLS.
    #[serde(default)]
    pub proxied: bool,
    /// Index into [`Evidence::pairs`](super::Evidence::pairs) of the first connection to a target that it led to.
    #[serde(default)]
    pub pair: Option<usize>,
    /// Error word of connect(2); empty when it came to stand.
    pub error: String,
    /// errno of connect(2).
    pub errno: i64,
    /// When connect(2) was called.
    pub at: f64,
    /// How long it took.
    pub ms: f64,
    /// SYNs that left its host.
    pub syns: i64,
    /// Bytes written by the client.
    pub sent: i64,
    /// Bytes read by the client.
    pub received: i64,
    /// Bytes of it that the server's program read or could read.
    pub delivered: i64,
    /// Acknowledged to the client and never delivered.
    pub lost: i64,
    /// Written and not acknowledged.
    pub unacked: i64,
    /// `open`, `eof`, `reset`, `closed`, `timeout`, or empty when it never stood.
    pub ended: String,
    /// Who sent the first FIN or RST: `client`, `server`, `fabric`, or empty.
    pub ended_by: String,
    /// The client's TCP state after the last step: `ESTABLISHED`, ...; empty without socket.
    pub client_state: String,
    /// Host whose socket is at the other end, where that is not the target: one inside of it, or behind it, that it passed the SYN on to.
    #[serde(default)]
    pub server: String,
    /// The server's TCP state of its socket with this tuple after the last step; empty when it has none.
    pub server_state: String,
    /// The client that the server was told of by a PROXY protocol header, `address:port`; empty without one.
    #[serde(default)]
    pub told: String,
    /// What its server made of the beginning of the stream: `not-expected` (it looks for no PROXY protocol header),
    /// `awaited`, `read`, `broken` (it expected one and closed); empty when that is not known.
    #[serde(default)]
    pub header: String,
    /// Its server's program says something before it has heard anything, once it has the header that it expects. Of real
    /// programs that is not known.
    #[serde(default)]
    pub speaks_first: bool,
    /// Error word the server's program met on this connection; empty when none or unknown.
    pub server_error: String,
}

/// A client's question to the resolver.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Lookup {
    /// The client.
    pub from: String,
    /// What it asked for.
    pub name: String,
    /// When.
    pub at: f64,
    /// How long the answer took.
    pub ms: f64,
    /// The answer's addresses, in its order.
    pub addresses: Vec<String>,
    /// `no-address` when there are none.
    pub error: String,
    /// How long the answer may be kept, real ms; 0 when there are no addresses.
    #[serde(default)]
    pub keep_ms: f64,
}
