//! NAT gateways and their mappings.

use super::{SINGLE, address, merged};
use crate::evidence::{Evidence, Mapping};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A NAT gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gateway {
    /// Its name.
    pub name: String,
    /// `aws`, ...
    pub profile: String,
    /// Its public addresses.
    pub addresses: Vec<String>,
    /// The hosts behind it.
    pub hosts: Vec<String>,
    /// Connections at one time toward one destination, at most.
    pub ports: i64,
    /// Mappings made during the steps.
    pub mappings: i64,
    /// Entries that could not be inserted: another one had become the same since their port was chosen.
    pub insert_failed: i64,
    /// Datagrams that went by the entry that their socket had got since their own port was chosen.
    pub clash_resolve: i64,
}

/// A NAT gateway's mapping, or several that are alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mapped {
    /// How many.
    pub connections: usize,
    /// The gateway.
    pub gateway: String,
    /// The host behind it.
    pub host: String,
    /// `address:port` of the host; of several its address.
    pub inside: String,
    /// `address:port` that the destination sees; of several the address.
    pub outside: String,
    /// `address:port` of the destination.
    pub remote: String,
    /// First packet (of the first), ms.
    pub opened: f64,
    /// Last packet (of the last), ms.
    pub last: f64,
    /// `established`, ...
    pub state: String,
}

pub(super) fn gateways(evidence: &Evidence) -> Vec<Gateway> {
    let gateways = evidence.nat_gateways.iter();
    gateways
        .map(|(name, gateway)| Gateway {
            name: name.clone(),
            profile: gateway.profile.clone(),
            addresses: gateway.addresses.clone(),
            hosts: gateway.hosts.clone(),
            ports: gateway.ports,
            mappings: gateway.mappings,
            insert_failed: gateway.insert_failed,
            clash_resolve: gateway.clash_resolve,
        })
        .collect()
}

pub(super) fn mappings(list: &[Mapping]) -> Vec<Mapped> {
    let one = |m: &Mapping| Mapped {
        connections: 1,
        gateway: m.gateway.clone(),
        host: m.host.clone(),
        inside: m.inside.clone(),
        outside: m.outside.clone(),
        remote: m.remote.clone(),
        opened: m.opened,
        last: m.last,
        state: m.state.clone(),
    };
    if list.len() <= SINGLE {
        return list.iter().map(one).collect();
    }
    let key = |m: &&Mapping| {
        let ends = (address(&m.inside), address(&m.outside), m.remote.clone());
        (m.gateway.clone(), m.host.clone(), ends, m.state.clone())
    };
    let new = |m: &&Mapping| Mapped {
        connections: 0,
        inside: address(&m.inside),
        outside: address(&m.outside),
        ..one(m)
    };
    merged(list, key, new, |mapped, m| {
        mapped.connections += 1;
        mapped.last = mapped.last.max(m.last);
    })
}
