//! What is kept of a flow: an [`Entry`], which is all that the packet path touches, and beside it what changes seldom.

use super::super::config::{BalancerId, EndpointPlace, GroupId, PortId, Protocol, ZonalId};
use super::super::meter::NodeId;
use super::super::metric::Family;
use super::super::moment::nanos;
use super::super::record::{FlowState, Party};
use super::Key;
use crate::packet::ends::Ends;
use crate::packet::tcp;
use std::net::SocketAddrV4;
use std::time::Duration;

/// A flow's client has sent FIN.
pub const CLIENT_FIN: u8 = 1;
/// A flow's target has sent FIN.
pub const TARGET_FIN: u8 = 2;
/// A flow's target has answered in time: there is a way back.
pub const ANSWERED: u8 = 4;

/// A flow ends at a kernel of the balancer, which terminates TLS.
pub const AT_KERNEL: u8 = 8;

/// By side: what it sends may go the [`Shortcut`].
const HAS_WAY: [u8; 2] = [16, 32];

/// The balancer has ended a flow by itself.
pub(super) const ENDED: u8 = 64;

/// A flow was closed before it expired.
pub(super) const WAS_CLOSED: u8 = 128;

/// An end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who opened it.
    Client = 0,
    /// Whom the balancer chose.
    Target = 1,
}

impl Side {
    /// The other end.
    #[inline]
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Target,
            Self::Target => Self::Client,
        }
    }
}

impl From<Side> for Party {
    fn from(side: Side) -> Self {
        match side {
            Side::Client => Self::Client,
            Side::Target => Self::Server,
        }
    }
}

/// The ports between which a flow's packets travel, when nothing on their way had anything to say of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shortcut {
    /// Of all that could have had a say: a number that changes with it.
    epoch: u32,
    /// By side.
    ports: [u16; 2],
}

/// What the packet path needs of a flow: one cache line.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub struct Entry {
    /// By side, as it writes them: from the client to what it dialled, and from the target to the client as it sees it.
    pub(super) ends: [Ends; 2],
    /// Last packet in either direction, nanoseconds.
    pub(super) last: u64,
    /// Number of what it has in common with others.
    pub(super) common: u32,
    /// Sequence number of the latest SYN.
    pub(super) isn: u32,
    /// Where it is counted.
    pub node: NodeId,
    /// By side: the sequence number that it expects next, as far as the packets show, without what was put before the
    /// client's stream; the client's is 0 before the SYN-ACK.
    expected: [u32; 2],
    /// Whose flow.
    pub balancer: BalancerId,
    /// Transport.
    pub protocol: Protocol,
    /// As the packets show it. Unlike the record's, this becomes `Expired` even after `Closed`.
    pub(super) state: FlowState,
    /// [`CLIENT_FIN`], [`TARGET_FIN`], [`ANSWERED`], [`AT_KERNEL`], [`ENDED`], [`WAS_CLOSED`], and which directions have a
    /// way.
    marks: u8,
    /// Where `source`'s port came from.
    pub source_port: SourcePort,
    way: Shortcut,
}

/// What is asked seldom.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed(4))]
pub(super) struct Rest {
    /// Nanoseconds.
    pub(super) opened: u64,
    /// The latest connection attempt that flows with this client's side tell; [`NO_ATTEMPT`]: none.
    pub(super) attempt: u32,
}

/// No attempt has this number.
pub(super) const NO_ATTEMPT: u32 = u32::MAX;

const _: () = assert!(size_of::<Rest>() == 12, "little beside a cache line");

/// Where the source port that a target sees came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourcePort {
    /// It is the client's, or was found free on a collision.
    Own,
    /// From a pool, and not given back.
    Taken,
    /// From a pool, and given back when the flow was over.
    Returned,
}

impl Entry {
    /// A flow that begins now.
    pub(super) fn new(now: u64, new: &NewFlow, common: u32) -> Self {
        Self {
            ends: [
                Ends::new(new.client, new.zonal),
                Ends::new(new.target, new.source),
            ],
            last: now,
            common,
            isn: new.isn,
            node: new.node,
            expected: [0; 2],
            balancer: new.balancer,
            protocol: new.protocol,
            state: FlowState::SynSent,
            marks: 0,
            source_port: new.source_port,
            way: Shortcut::default(),
        }
    }

    /// The client, as it writes itself.
    pub fn client(&self) -> SocketAddrV4 {
        self.ends[0].from()
    }

    /// What the client dialled.
    pub fn zonal(&self) -> SocketAddrV4 {
        self.ends[0].to()
    }

    /// The client as the target sees it.
    pub fn source(&self) -> SocketAddrV4 {
        self.ends[1].to()
    }

    /// The target.
    pub fn target(&self) -> SocketAddrV4 {
        self.ends[1].from()
    }

    /// As the packets show it.
    pub fn state(&self) -> FlowState {
        self.state
    }

    /// As [`FlowRecord::state`](super::FlowRecord::state).
    pub(super) fn recorded_state(&self) -> FlowState {
        match self.has(WAS_CLOSED) {
            true => FlowState::Closed,
            false => self.state,
        }
    }

    /// Sequence number of its latest SYN.
    pub fn isn(&self) -> u32 {
        self.isn
    }

    /// The ends that a packet of this side has.
    pub fn ends_before(&self, by: Side) -> Ends {
        self.ends[by as usize]
    }

    /// The ends that a packet of this side gets.
    #[inline]
    pub fn ends_beyond(&self, by: Side) -> Ends {
        self.ends[by.other() as usize].reversed()
    }

    /// What a packet of this side is found by.
    #[inline]
    pub(super) fn key(&self, by: Side) -> Key {
        Key::of(self.protocol, self.ends[by as usize])
    }

    /// True when all of these marks are set.
    pub fn has(&self, marks: u8) -> bool {
        self.marks & marks == marks
    }

    /// Sets marks.
    pub fn mark(&mut self, marks: u8) {
        self.marks |= marks;
    }

    /// Takes marks away.
    pub fn unmark(&mut self, marks: u8) {
        self.marks &= !marks;
    }

    /// Where a packet from this port, sent by this side, goes when nothing has changed since another one went there.
    #[inline]
    pub fn way(&self, epoch: u32, from: PortId, by: Side) -> Option<PortId> {
        let (sender, receiver) = (by as usize, by.other() as usize);
        let known = self.way.epoch == epoch
            && self.has(HAS_WAY[sender] | ANSWERED)
            && self.state == FlowState::Established
            && from.0 == u32::from(self.way.ports[sender]);
        known.then_some(PortId(self.way.ports[receiver].into()))
    }

    /// A packet, sent by this side, has gone from one port to the other and nothing had anything to say of it.
    pub fn remember_way(&mut self, epoch: u32, from: PortId, to: PortId, by: Side) {
        let (Ok(from), Ok(to)) = (u16::try_from(from.0), u16::try_from(to.0)) else {
            return;
        };
        let ports = match by {
            Side::Client => [from, to],
            Side::Target => [to, from],
        };
        let way = Shortcut { epoch, ports };
        if self.way != way {
            self.unmark(HAS_WAY[0] | HAS_WAY[1]);
            self.way = way;
        }
        self.mark(HAS_WAY[by as usize]);
    }

    /// A packet travels on it.
    #[inline]
    pub fn touch(&mut self, now: u64) {
        self.last = now;
    }

    /// Takes note of what the two ends expect next: what this side has sent, up to `end`, and what it acknowledges.
    #[inline]
    pub fn progress(&mut self, by: Side, end: u32, ack: Option<u32>) {
        tcp::raise(&mut self.expected[by.other() as usize], end);
        if let Some(ack) = ack {
            tcp::raise(&mut self.expected[by as usize], ack);
        }
    }

    /// What this side expects next; the client nothing, that is 0, before the SYN-ACK.
    pub fn expects(&self, side: Side) -> u32 {
        self.expected[side as usize]
    }

    /// A connection begins with these numbers: nothing before them is to be compared with.
    pub fn begin(&mut self, by: Side, end: u32) {
        self.expected[by.other() as usize] = end;
    }

    /// Since the last packet on it.
    pub fn idle_for(&self, now: Duration) -> Duration {
        Duration::from_nanos(nanos(now).saturating_sub(self.last))
    }

    /// Under which of a balancer's metrics it counts.
    pub fn family(&self) -> Family {
        if self.has(AT_KERNEL) {
            Family::Tls
        } else {
            self.protocol.into()
        }
    }

    /// Neither closed nor expired.
    pub fn is_live(&self) -> bool {
        match self.state {
            FlowState::SynSent | FlowState::Established | FlowState::Closing => true,
            FlowState::Closed | FlowState::Expired => false,
        }
    }
}

/// A flow about to be made.
pub struct NewFlow {
    /// Transport.
    pub protocol: Protocol,
    /// Whose flow.
    pub balancer: BalancerId,
    /// At which of its addresses.
    pub at: ZonalId,
    /// The VPC endpoint's interface that it came by.
    pub endpoint: Option<EndpointPlace>,
    /// The group of its target.
    pub group: GroupId,
    /// The target's place in it.
    pub target_index: usize,
    /// Where it is counted.
    pub node: NodeId,
    /// The client, as it writes itself.
    pub client: SocketAddrV4,
    /// What the client dialled.
    pub zonal: SocketAddrV4,
    /// The client as the target is to see it.
    pub source: SocketAddrV4,
    /// The target.
    pub target: SocketAddrV4,
    /// Sequence number of its SYN; 0 for UDP.
    pub isn: u32,
    /// Limit for being idle.
    pub idle: Duration,
    /// Limit for the target's first answer.
    pub half_open: Duration,
    /// Where `source`'s port came from.
    pub source_port: SourcePort,
}

const _: () = assert!(size_of::<Entry>() == 64, "one cache line a flow");
