//! Flows: what a balancer that passes packets on remembers of a connection. Not here: those of proxies (`pairs`).

use serde::{Deserialize, Serialize};

/// A balancer's flow.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Flow {
    /// `tcp`, `udp`
    pub protocol: String,
    /// The balancer's name.
    pub balancer: String,
    /// `front/a`
    pub via: String,
    /// The endpoint's interface that it came by, `ep/a`; empty: by none.
    #[serde(default)]
    pub endpoint: String,
    /// The target group's name.
    pub group: String,
    /// The target's host name.
    pub target: String,
    /// `address:port` of the client.
    pub client: String,
    /// `address:port` the client dialled.
    pub listener: String,
    /// `address:port` the target sees as the client.
    pub seen_as: String,
    /// `address:port` of the target.
    pub target_address: String,
    /// First packet.
    pub opened: f64,
    /// Last packet.
    pub last: f64,
    /// Silence after which it was forgotten, ms; 0: it was not.
    #[serde(default)]
    pub forgotten_after: f64,
    /// `syn-sent`, `established`, `closing`, `closed`, `expired`
    pub state: String,
    /// The balancer ended it by itself.
    #[serde(default)]
    pub terminated: bool,
    /// The flow that has its way back now; none: it has it itself.
    pub displaced: Option<Displaced>,
}

/// A flow lost its way back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Displaced {
    /// When.
    pub at: f64,
    /// Index of the newcomer in [`Evidence::flows`](super::Evidence::flows).
    pub by: usize,
    /// The loser's state then, as in [`Flow::state`].
    pub was: String,
}
