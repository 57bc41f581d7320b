//! Packets as the fabric and devices saw them, and those that guards refused.

use super::OnLinks;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// One packet's passage through the fabric.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Packet {
    /// Counts packets; two records of one delayed packet share it.
    pub id: i64,
    /// When it entered (second record of a delayed one: when it left).
    pub t: f64,
    /// Sending host, or the balancer's name, or `fabric`.
    pub sender: String,
    /// Receiving host; empty when it reached none.
    pub receiver: String,
    /// The host and the device there that saw it, as `docker veth1`: the fabric did not, or saw it elsewhere on its way;
    /// empty: the fabric saw it.
    #[serde(default)]
    pub seen_at: String,
    /// `tcp`, `udp`, `icmp`, else the protocol's number; only the first two have ports.
    pub protocol: String,
    /// IPv4's identification field, which nothing on a packet's way changes; 0 for many that are no part of a stream.
    #[serde(default)]
    pub ip_id: i64,
    /// [`Packet::id`] of the same packet at the place before, where that was seen too: on a device, or by the fabric.
    #[serde(default)]
    pub follows: Option<i64>,
    /// Source as sent.
    pub from: String,
    /// Destination as sent.
    pub to: String,
    /// Source as delivered.
    pub from_after: String,
    /// Destination as delivered.
    pub to_after: String,
    /// As tcpdump writes them: `S`, `S.`, `.`, `P.`, `F.`, `R`, `R.`
    pub flags: String,
    /// Sequence number, absolute.
    pub seq: i64,
    /// Acknowledgement number, absolute; 0 without ACK.
    pub ack: i64,
    /// Payload bytes.
    pub len: i64,
    /// Window field.
    pub window: i64,
    /// Packets that it is on a wire: a kernel hands over several at once, on devices inside a host too.
    #[serde(default)]
    pub wire_packets: i64,
    /// Their bytes, IP and transport headers included.
    #[serde(default)]
    pub wire_bytes: i64,
    /// `forwarded`, `held`, `answered: ...`, `dropped: reason`; `seen` on a device
    pub fate: String,
    /// Index into [`Evidence::flows`](super::Evidence::flows).
    pub flow: Option<usize>,
    /// Index into [`Evidence::mappings`](super::Evidence::mappings).
    #[serde(default)]
    pub mapping: Option<usize>,
    /// The NAT gateway that dropped, answered or made it; empty: none.
    #[serde(default)]
    pub gateway: String,
    /// A health probe.
    pub probe: bool,
    /// What an ICMP message says, told with its first record; none of other packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp: Option<Box<Icmp>>,
    /// SACK blocks (RFC 2018), told with its first record; each from its first number to that behind its last, counted from
    /// `ack`: what came twice (RFC 2883) may lie before that. None: there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sack: Option<Box<[[i64; 2]]>>,
    /// A step put it there, told with its first record: its sender did not send it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub injected: bool,
    /// What links did to it, told with its last record; none: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Box<OnLinks>>,
}

impl Packet {
    /// The host on whose device it was seen; empty: the fabric saw it.
    pub fn seen_by(&self) -> &str {
        self.seen_at.split(' ').next().unwrap_or_default()
    }
}

/// Each packet once, in the order of sending: indexes of its first record, how it was sent, and of its last, how it ended. The
/// same unless something held it.
pub fn from_sending_to_end(packets: &[Packet]) -> Vec<(usize, usize)> {
    let mut ways: Vec<(usize, usize)> = Vec::with_capacity(packets.len());
    let mut held: FxHashMap<i64, usize> = FxHashMap::default();
    for (record, packet) in packets.iter().enumerate() {
        let way = match held.get(&packet.id) {
            Some(way) => *way,
            None => {
                ways.push((record, record));
                ways.len() - 1
            }
        };
        ways[way].1 = record;
        if packet.fate == "held" {
            held.insert(packet.id, way);
        } else {
            held.remove(&packet.id);
        }
    }
    ways
}

/// An ICMP message (RFC 792), as it was sent or as a device saw it; balancers and gateways translate what it quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Icmp {
    /// `port unreachable`, `fragmentation needed` (over IPv6 `packet too big`), ...; `type 3 code 7` of those that have no name here.
    pub says: String,
    /// MTU of the next hop, bytes, where it says that a packet was too large; else 0.
    pub mtu: i64,
    /// Source of the packet it is about, as quoted: an address, with the port where it has one. Empty: it is no error.
    pub from: String,
    /// Its destination.
    pub to: String,
}

impl Icmp {
    /// It says that a packet was too large for a link (RFC 1191 section 4, RFC 4443 section 3.2).
    pub fn is_of_size(&self) -> bool {
        ["fragmentation needed", "packet too big"].contains(&self.says.as_str())
    }

    /// `fragmentation needed (MTU 1400)`
    pub fn words(&self) -> String {
        match self.mtu {
            0 => self.says.clone(),
            mtu => format!("{} (MTU {mtu})", self.says),
        }
    }
}

/// A security group or network ACL refused a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// [`Packet::id`]
    pub packet: i64,
    /// Security groups of the interface, by name; or the one subnet whose network ACL it is, by zone.
    pub guards: Vec<String>,
    /// Whose interface: `web1`, `front/a`; empty for a network ACL.
    pub interface: String,
    /// `ingress`, `egress` of security groups; `inbound`, `outbound` of a network ACL.
    pub direction: String,
    /// The number of the network ACL's rule that denied it; none: no rule fits.
    pub rule: Option<i64>,
    /// `tcp`, `udp`, `icmp`, else the protocol's number.
    pub protocol: String,
    /// Source, `address:port`, as the guard saw it.
    pub from: String,
    /// Destination as the guard saw it.
    pub to: String,
    /// As in [`Packet::flags`].
    #[serde(default)]
    pub flags: String,
    /// It belongs to a health check.
    #[serde(default)]
    pub probe: bool,
    /// It is IPv6, and a rule would allow it but for its range, which is of IPv4.
    #[serde(default)]
    pub only_ipv4: bool,
}
