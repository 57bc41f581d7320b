//! What the fabric tells about its work: fates, packet records, flow records, conversations, totals.
//!
//! Plain data, copied out by `run` into evidence. Times are since the fabric started.

use super::config::{BalancerId, EndpointPlace, GatewayId, GroupId, PortId, Protocol, ZonalId};
pub use super::fate::{Answer, Fate, Reason};
use super::guard::rules::{Direction, SubnetId, View};
pub use super::link::Stage;
use crate::packet::icmp::Message;
use crate::packet::stream::Sack;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

/// A guard refused a packet: which, where and how it saw the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The packet's number, as in [`PacketRecord::id`].
    pub packet: u64,
    /// Who refused it.
    pub guard: GuardKind,
    /// What that was called, and made of, then: the security groups that the interface had, or the subnet.
    pub names: Arc<[String]>,
    /// Coming in, or going out.
    pub direction: Direction,
    /// The packet as it stood there.
    pub view: View,
    /// TCP flags byte, as in [`PacketRecord::flags`].
    pub flags: u8,
    /// It belongs to a health check.
    pub probe: bool,
    /// It is IPv6, and a rule would allow it but for its range, which is of IPv4.
    pub only_ipv4: bool,
}

/// A guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GuardKind {
    /// The security groups of an interface, together.
    SecurityGroup(Interface),
    /// The network ACL of a subnet.
    NetworkAcl {
        /// Which subnet.
        subnet: SubnetId,
        /// The number of the rule that denied it; none: no rule fits (`*`).
        rule: Option<u16>,
    },
}

/// A network interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Interface {
    /// A host's.
    Host(PortId),
    /// A load balancer's, at one zonal address.
    Zonal(BalancerId, ZonalId),
}

/// One end to end tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tuple {
    /// Transport protocol.
    pub protocol: Protocol,
    /// Sender.
    pub from: SocketAddrV4,
    /// Receiver.
    pub to: SocketAddrV4,
}

/// One packet's passage.
#[derive(Clone, Copy, Debug)]
pub struct PacketRecord {
    /// When it entered (for a held packet's second record: when it left).
    pub at: Duration,
    /// Counts packets from 0; two records of one held packet share it.
    pub id: u64,
    /// The sending host; none when the fabric made the packet.
    pub sender: Option<PortId>,
    /// IP protocol number: 6 TCP, 17 UDP, 1 ICMP ... For others than TCP and UDP the ports of both tuples are 0
    /// and their `protocol` means nothing.
    pub protocol: u8,
    /// IPv4's identification, the same at every place that a packet passes.
    pub identification: u16,
    /// Addresses as the sender wrote them.
    pub before: Tuple,
    /// Addresses as the receiver gets them; equal to `before` when nothing was translated.
    pub after: Tuple,
    /// The flow it belongs to, if any.
    pub flow: Option<FlowId>,
    /// The NAT gateway's mapping by which it was translated, if any.
    pub mapping: Option<MappingId>,
    /// The NAT gateway at which it ended, or that made it.
    pub gateway: Option<GatewayId>,
    /// TCP flags byte (RFC 9293: CWR ECE URG ACK PSH RST SYN FIN, low bit FIN); 0 for other protocols.
    pub flags: u8,
    /// TCP sequence number.
    pub seq: u32,
    /// TCP acknowledgement number.
    pub ack: u32,
    /// Payload bytes behind the transport header.
    pub payload: u32,
    /// TCP window as on the wire, unscaled.
    pub window: u16,
    /// Packets that it is on a wire; more than one for a super-packet.
    pub wire_packets: u32,
    /// Their bytes from the IP header on.
    pub wire_bytes: u32,
    /// What became of it.
    pub fate: Fate,
    /// It belongs to a health check.
    pub probe: bool,
}

/// What is to be said of a packet besides its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The packet's number, as in [`PacketRecord::id`].
    pub packet: u64,
    /// What.
    pub what: Marked,
}

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// It has these SACK blocks, as it stands at its sender's edge.
    Sack(Sack),
    /// It is this ICMP message, as it stands at its sender's edge; what it quotes may be translated on its way.
    Icmp(Message),
    /// The story put it there (see [`super::Fabric::inject`]): its sender did not send it.
    Injected,
}

/// A link did more to a packet than carry, delay or lose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impairment {
    /// The packet's number, as in [`PacketRecord::id`].
    pub packet: u64,
    /// Which link.
    pub link: Stage,
    /// What it did.
    pub what: Impaired,
}

/// What a link did to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Impaired {
    /// It flipped a bit in this byte behind the transport header, counted from 0; none: in the checksum.
    Damaged(Option<u32>),
    /// It made this packet, as the second one of the packet of that number.
    CopyOf(u64),
    /// It let the packet past so many that came before it.
    Overtook(u32),
    /// It moved the acknowledgement number back by this much, and left the SACK blocks where they were.
    UntranslatedSack(u32),
    /// It kept the packet waiting so long, more than 0, until those before it were sent at its rate.
    Queued(Duration),
}

/// From this moment on a balancer's name had the addresses of these zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// When.
    pub at: Duration,
    /// Whose name.
    pub balancer: BalancerId,
    /// By number, in order.
    pub zones: Vec<ZonalId>,
}

/// Index into the fabric's flow records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowId(pub u32);

/// Index into the fabric's mapping records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MappingId(pub u32);

/// A NAT gateway's mapping, living or gone.
#[derive(Clone, Debug)]
pub struct MappingRecord {
    /// Whose mapping.
    pub gateway: GatewayId,
    /// The host behind the gateway.
    pub host: PortId,
    /// As the host sends: from itself, to the destination.
    pub inside: Tuple,
    /// As the destination receives: from the gateway, to the destination.
    pub outside: Tuple,
    /// First packet.
    pub opened: Duration,
    /// Last packet in either direction.
    pub last: Duration,
    /// Silence after which it was forgotten; none: it was not.
    pub forgotten_after: Option<Duration>,
    /// How far its connection got, as seen from the packets.
    pub state: FlowState,
}

/// A balancer's flow, living or gone.
#[derive(Clone, Debug)]
pub struct FlowRecord {
    /// Whose flow.
    pub balancer: BalancerId,
    /// At which zonal address.
    pub zonal: ZonalId,
    /// The VPC endpoint's interface that it came by.
    pub endpoint: Option<EndpointPlace>,
    /// Which target group.
    pub group: GroupId,
    /// Index of the target in its group.
    pub target: usize,
    /// Client's side as the client sends: from client, to zonal address.
    pub client_side: Tuple,
    /// Target's side as the target receives: from client or zonal address, to target.
    pub target_side: Tuple,
    /// First packet.
    pub opened: Duration,
    /// Last packet in either direction.
    pub last: Duration,
    /// Silence after which it was forgotten; none: it was not, or not for its silence.
    pub forgotten_after: Option<Duration>,
    /// Who holds the way back now and since when it is not this flow.
    pub displaced: Option<Displaced>,
    /// How far its connection got, as seen from the packets.
    pub state: FlowState,
    /// The balancer ended it: its target was deregistered, or its group lost its weight.
    pub terminated: bool,
}

/// A flow lost its way back to a newer one with the same target-side tuple.
#[derive(Clone, Copy, Debug)]
pub struct Displaced {
    /// When the newcomer's SYN arrived.
    pub at: Duration,
    /// The newcomer.
    pub by: FlowId,
    /// The state of this flow then.
    pub was: FlowState,
}

/// A flow's life as its packets show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowState {
    /// A SYN went toward the target, nothing came back.
    SynSent,
    /// The target answered with SYN-ACK (or, UDP, anything).
    Established,
    /// One side sent FIN.
    Closing,
    /// Both sent FIN, or one RST.
    Closed,
    /// Idle for longer than the limit; only a tombstone is left.
    Expired,
}

/// A TCP connection attempt as seen at its client's edge of the fabric: one for each new ISN on a tuple.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// From client, to what the client dialled.
    pub tuple: Tuple,
    /// First SYN.
    pub opened: Duration,
    /// Its sequence number.
    pub isn: u32,
    /// SYNs with this ISN that left the client (those a quirk suppressed are not counted).
    pub syns: u32,
    /// The latest flow its SYN made; none for a direct connection.
    pub flow: Option<FlowId>,
    /// First FIN or RST and who sent it.
    pub ended: Option<Ended>,
}

/// The first FIN or RST of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Duration,
    /// RST rather than FIN.
    pub reset: bool,
    /// Who sent it.
    pub by: Party,
}

/// Who sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// The side that opened the connection.
    Client,
    /// The other end (the target of a balancer, or the host dialled).
    Server,
    /// The fabric itself (a balancer).
    Fabric,
}

/// Totals. `received = forwarded + answered + held + dropped` at every moment.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Packets that hosts sent. A super-packet that had to be segmented counts as its segments, and a packet that a link
    /// doubled as two.
    pub received: u64,
    /// Delivered to a host.
    pub forwarded: u64,
    /// Answered by the fabric.
    pub answered: u64,
    /// Waiting in links now.
    pub held: u64,
    /// Dropped, by reason.
    pub dropped: std::collections::BTreeMap<Reason, u64>,
    /// Packets the fabric made itself (RST, ICMP) and delivered or lost; outside the sum above.
    pub originated: u64,
    /// Records not kept because `record_limit` was reached.
    pub records_cut: u64,
    /// What links did that was not kept one by one, for the same reason.
    pub impairments_cut: u64,
}

impl Totals {
    /// Another number whenever packets have passed: of those that came, and those that the fabric made.
    pub fn passed(&self) -> u64 {
        self.received + self.originated
    }
}
