//! Pairs: a client's connection to a balancer that ends it (a proxy, a TLS listener) and the one to a target that it led to.

use super::Evidence;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A client's connection to a proxying balancer, and one to a target that what came over it went to. Bytes are payload.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Pair {
    /// The balancer's name.
    pub balancer: String,
    /// `chat/a`
    pub via: String,
    /// The listener's.
    pub port: i64,
    /// What the balancer reads of what it carries: `TCP`, `TLS`, `HTTP`.
    pub protocol: String,
    /// The target's host name.
    pub target: String,
    /// `address:port` of the client, as the balancer sees it.
    pub client: String,
    /// `address:port` of the balancer toward the target.
    pub seen_as: String,
    /// `address:port` of the target.
    pub target_address: String,
    /// When the connection to the target stood.
    pub opened: f64,
    /// When requests of this client came over it again after one of another client.
    #[serde(default)]
    pub resumed: Vec<f64>,
    /// What was carried: behind TLS without its records, of HTTP with the heads that each side has, of this client's requests
    /// only, though others may use the same connection to the target.
    #[serde(flatten)]
    pub bytes: Carried,
    /// When it gave the connection to the target up, or saw it end; none: it did not. Of a TLS listener, when both ends had
    /// ended or one had broken off.
    pub target_closed: Option<f64>,
    /// When the client's connection had ended as well.
    pub closed: Option<f64>,
    /// Why: `finished`, `client-reset`, `target-reset`, `client-broke-off` and `target-broke-off` (in another way,
    /// behind TLS: a close without its alert, a failed handshake, an error), `idle`, `out-of-service`; empty while it is open.
    pub why: String,
}

/// Bytes between a client and a target, as the proxy between them counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Carried {
    /// Bytes the balancer's program took from the client.
    pub from_client: i64,
    /// Bytes of them that it gave to its kernel for the target.
    pub to_target: i64,
    /// Bytes it took from the target.
    pub from_target: i64,
    /// Bytes of them that it gave to its kernel for the client.
    pub to_client: i64,
}

impl std::ops::AddAssign for Carried {
    fn add_assign(&mut self, other: Self) {
        self.from_client += other.from_client;
        self.to_target += other.to_target;
        self.from_target += other.from_target;
        self.to_client += other.to_client;
    }
}

/// A request that a balancer which speaks HTTP answered by itself, whoever asked: the line of an application balancer's access
/// log that has an `elb_status_code` and no `target_status_code`. Requests that were not whole are not among them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OwnAnswer {
    /// `app/a`
    pub via: String,
    /// The listener's.
    pub port: i64,
    /// `address:port` of the client, as the balancer sees it.
    pub client: String,
    /// When the request had come.
    pub at: f64,
    /// From then to the answer, ms.
    pub ms: f64,
    /// What it said.
    pub status: i64,
}

/// For each of [`Evidence::pairs`] the number of the client's connection; none when it is not known. What a client's end
/// leads to is its connection's until another connection of that end begins, also where a balancer before the proxy passed
/// it on.
pub fn connections_of_pairs(evidence: &Evidence) -> Vec<Option<usize>> {
    let connections = evidence.connections.iter().enumerate();
    let first: HashMap<usize, usize> = connections
        .filter_map(|(number, connection)| Some((connection.pair?, number)))
        .collect();
    if evidence.pairs.is_empty() {
        return Vec::new();
    }
    let passed_on = passed_on(evidence);
    let mut owner: HashMap<(&str, i64, &str), usize> = HashMap::new();
    let pairs = evidence.pairs.iter().enumerate();
    pairs
        .map(|(number, pair)| {
            let end = (pair.via.as_str(), pair.port, pair.client.as_str());
            if let Some(connection) = first.get(&number) {
                owner.insert(end, *connection);
            }
            let own = owner.get(&end).copied();
            let mut before = passed_on.get(&(end.0, end.2)).into_iter().flatten();
            own.or_else(|| {
                let begun = |(at, _): &&(f64, usize)| *at <= pair.opened;
                before.rfind(begun).map(|(_, number)| *number)
            })
        })
        .collect()
}

/// Connections that a balancer passed on to a proxy's address, each with when it began, by that address and the client's
/// end as the proxy sees it, in order.
fn passed_on(evidence: &Evidence) -> HashMap<(&str, &str), Vec<(f64, usize)>> {
    let mut list: HashMap<(&str, &str), Vec<(f64, usize)>> = HashMap::new();
    let all = evidence.connections.iter().enumerate();
    for (number, connection) in all.filter(|(_, one)| !one.proxied && one.flow.is_some()) {
        let end = (connection.target.as_str(), connection.seen_as.as_str());
        list.entry(end).or_default().push((connection.at, number));
    }
    for same in list.values_mut() {
        same.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    list
}
