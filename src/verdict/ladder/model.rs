//! A ladder as plain data: the same for a terminal and for a picture.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::notes::Weight;

/// Chosen connections, packet by packet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ladder {
    /// The connections; `connection` of a packet's row is an index into them.
    pub tuples: Vec<Tuple>,
    /// The lifelines, from left to right: clients and what they are inside of, NAT gateways, interfaces of endpoints,
    /// addresses of balancers, targets.
    pub lanes: Vec<Lane>,
    /// From top to bottom; empty when there is no packet to show.
    pub rows: Vec<Row>,
    /// Connections asked for and not drawn whole, for want of room.
    pub left_out: usize,
}

/// What a connection is called.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tuple {
    /// As the lab names it: `old`, `staff #12`.
    pub name: String,
    /// `198.51.100.7:40000 -> 203.0.113.10:80`, by the client's kernel.
    pub at_client: String,
    /// `front/a`, `ep/a by front/a`; empty where the target itself was dialled, or an address.
    pub via: String,
    /// The target's host; empty when it was sent to none.
    pub target: String,
    /// The same by the target's kernel; none when it is no different.
    pub at_target: Option<String>,
    /// The same by whoever else sees it as something else, from the client to the target: behind a router, behind a NAT
    /// gateway, in a pod.
    #[serde(default)]
    pub legs: Vec<Leg>,
    /// It is a proxy's own connection to a target, and these are the connections that it serves.
    #[serde(default)]
    pub serves: Vec<String>,
    /// Of all its packets only those are drawn that a finding cites.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_part: bool,
}

/// A connection as one place on its way sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Leg {
    /// `at n1`, `behind egress`
    pub place: String,
    /// `198.51.100.7:40000 -> 10.0.1.10:80`
    pub ends: String,
}

/// A lifeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lane {
    /// Whose it is.
    pub role: Role,
    /// `client`, `front/a`, `web1`; `5 more` where it stands for several.
    pub name: String,
    /// As far as it is one; may be empty.
    pub address: String,
    /// The names of several that there is no room for beside each other; else empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stands_for: Vec<String>,
}

/// What stands at a lifeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A host that dials.
    Client,
    /// A host that others are inside of: a router, a bridge's host, a node.
    Router,
    /// A NAT gateway.
    Gateway,
    /// A VPC endpoint's interface in a zone.
    Endpoint,
    /// A balancer's address in a zone.
    Zonal,
    /// A host that is dialled.
    Target,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Row {
    /// A packet.
    Packet(PacketRow),
    /// Packets that are left out.
    More {
        /// How many.
        count: usize,
        /// When the first was sent, ms.
        begin: f64,
        /// When the last was.
        end: f64,
    },
}

/// A packet's row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PacketRow {
    /// Its numbers, as captures and the evidence have them (`packets[].id`): one for each place on this part of its way.
    #[serde(default)]
    pub packets: Vec<i64>,
    /// When it was sent, ms since the first step began: the clock of steps and findings. Of a further part of a way, when that
    /// began, and never before the part ahead of it: devices inside hosts and the network have a clock each.
    pub time: f64,
    /// Index into `tuples` of the connection whose addresses it bears.
    pub connection: Option<usize>,
    /// Of a proxy's own connection that serves several: for which of them it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves: Option<String>,
    /// Where it was seen and under which addresses, for every place on this part of its way.
    #[serde(default)]
    pub way: Vec<String>,
    /// `PSH-ACK seq 1:65 ack 1`
    pub words: String,
    /// Where it went.
    pub arrow: Arrow,
    /// The remark on it.
    pub note: Option<String>,
    /// How much it tells.
    pub weight: Weight,
    /// A finding cites it: it is never left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cited: bool,
}

/// A packet's way, or the part of it that goes one direction; numbers are indexes into `lanes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Arrow {
    /// Where it began.
    pub from: usize,
    /// The network made it on the way: it began short of there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub midway: bool,
    /// Where it was bound for.
    pub to: usize,
    /// What it passed on the way there, in order.
    #[serde(default)]
    pub through: Vec<Through>,
    /// Where it came to its end; none: it arrived.
    pub stop: Option<Stop>,
}

/// Something that passes a packet on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Through {
    /// Where.
    pub lane: usize,
    /// The packet leaves it under other addresses than it came with.
    pub translated: bool,
}

/// The end of a packet that did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stop {
    /// Where.
    pub place: Place,
    /// A link still has it; else it was dropped or answered there.
    pub held: bool,
}

/// Where a packet came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// It never left the host: short of everything else.
    Start,
    /// Where it was bound for: what would have passed it on.
    End,
    /// On the last part of the way.
    Way,
}
