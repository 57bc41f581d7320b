//! NAT gateways and their mappings.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A NAT gateway's record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GatewayEvidence {
    /// `aws`, `azure`, `google`
    pub profile: String,
    /// Its public addresses.
    pub addresses: Vec<String>,
    /// The hosts behind it, in order.
    pub hosts: Vec<String>,
    /// By its vendor's names; dense over what that vendor publishes.
    pub metrics: BTreeMap<String, i64>,
    /// Connections through it at one time toward one destination, at most: what its addresses' ports, or one host's,
    /// are enough for.
    pub ports: i64,
    /// Mappings made during the steps.
    pub mappings: i64,
    /// Entries that could not be inserted: another one had become the same since their port was chosen.
    #[serde(default)]
    pub insert_failed: i64,
    /// Datagrams that went by the entry that their socket had got since their own port was chosen.
    #[serde(default)]
    pub clash_resolve: i64,
}

/// A NAT gateway's mapping.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Mapping {
    /// `tcp`, `udp`
    pub protocol: String,
    /// The gateway's name.
    pub gateway: String,
    /// The host behind it.
    pub host: String,
    /// `address:port` of the host.
    pub inside: String,
    /// `address:port` the destination sees instead.
    pub outside: String,
    /// `address:port` of the destination.
    pub remote: String,
    /// First packet.
    pub opened: f64,
    /// Last packet in either direction.
    pub last: f64,
    /// Silence after which it was forgotten, ms; 0: it was not.
    #[serde(default)]
    pub forgotten_after: f64,
    /// `syn-sent`, `established`, `closing`, `closed`, `expired`
    pub state: String,
}
