//! Connections through proxies, both sides of each.

use super::{SINGLE, address, merged};
use crate::evidence::{Carried, Pair};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A client's connection to a proxying balancer and that to the target; or several that are alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Leg {
    /// How many.
    pub connections: usize,
    /// `address:port` of the client; of several its address or how many.
    pub client: String,
    /// `chat/a`
    pub via: String,
    /// What the balancer reads of it: `TCP`, `TLS`, `HTTP`.
    pub protocol: String,
    /// `address:port` of the balancer toward the target; of several empty.
    pub seen_as: String,
    /// The target's host.
    pub target: String,
    /// `address:port` of the target.
    pub target_address: String,
    /// When the (first) connection to the target stood, ms.
    pub opened: f64,
    /// What was carried.
    #[serde(flatten)]
    pub bytes: Carried,
    /// When the connection to the target was over, ms; of several none.
    pub target_closed: Option<f64>,
    /// When the client's connection had ended as well, ms; of several none.
    pub closed: Option<f64>,
    /// Why; empty while it is open.
    pub why: String,
}

pub(super) fn legs(pairs: &[Pair]) -> Vec<Leg> {
    let one = |p: &Pair| Leg {
        connections: 1,
        client: p.client.clone(),
        via: p.via.clone(),
        protocol: p.protocol.clone(),
        seen_as: p.seen_as.clone(),
        target: p.target.clone(),
        target_address: p.target_address.clone(),
        opened: p.opened,
        bytes: p.bytes,
        target_closed: p.target_closed,
        closed: p.closed,
        why: p.why.clone(),
    };
    if pairs.len() <= SINGLE {
        return pairs.iter().map(one).collect();
    }
    let key = |p: &&Pair| {
        let bytes = p.bytes;
        let swallowed = (
            bytes.from_client != bytes.to_target,
            bytes.from_target != bytes.to_client,
        );
        (
            p.via.clone(),
            p.protocol.clone(),
            p.target.clone(),
            p.why.clone(),
            swallowed,
        )
    };
    let new = |p: &&Pair| Leg {
        connections: 0,
        client: address(&p.client),
        seen_as: String::new(),
        bytes: Carried::default(),
        target_closed: None,
        closed: None,
        ..one(p)
    };
    merged(pairs, key, new, |leg, p| {
        leg.connections += 1;
        leg.bytes += p.bytes;
        if address(&p.client) != leg.client {
            leg.client = "several clients".to_owned();
        }
    })
}
