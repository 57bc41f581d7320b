//! PROXY protocol headers that balancers put before what clients say, in streams they do not terminate.
//!
//! Observed on: a Network Load Balancer terminates no TCP, and yet its targets read bytes that no client sent. So it
//! makes a segment of its own at the first sequence number of the client's stream and moves everything behind it:
//! the client's numbers forward, the target's acknowledgements back. `header_placement` says when: with the client's
//! first payload (the default), or with its first ACK already, which servers that speak first need.
//!
//! What AWS does when that segment is lost is not documented. Here it is sent again in front of whatever the client
//! sends again from the beginning of its stream, and by a timer (RFC 6298: a second, doubled each time), for the case
//! that both sides wait. While the target has not acknowledged the whole header, the client is told that nothing of
//! its own has come; the window it is told of then is larger than the target's by at most the header.
//!
//! Deciding only: which numbers move, and by how much. The bytes are moved by `packet::stream`.

use super::record::FlowId;
use crate::packet::{Headers, proxy_protocol, stream, tcp};
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

/// When a balancer sends the header (`proxy_protocol_v2.client_to_server.header_placement`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// Before the first payload of the client.
    #[default]
    OnFirstAckWithPayload,
    /// As soon as the client's side of the handshake is complete.
    OnFirstAck,
}

/// Retransmission timeout before anything was measured: RFC 6298 rule 2.1.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Times the header is sent again by the timer.
const RETRIES: u32 = 6;
/// Acknowledgements this far into the stream are past all doubt whether they mean the header. Numbers come round after
/// 4 GiB; then being near the beginning means nothing any more.
const FAR: u32 = 1 << 24;

/// What happens to a segment of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Toward {
    /// The header goes before it.
    pub header_first: bool,
    /// Its sequence number moves forward by this.
    pub by: u32,
}

/// How a target's acknowledgements become the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Back {
    /// First sequence number of the client's stream.
    first: u32,
    /// Length of the header.
    len: u32,
    /// Numbers near `first` mean the header.
    near: bool,
}

impl Back {
    /// The number in the client's own count.
    pub fn map(&self, number: u32) -> u32 {
        let moved = number.wrapping_sub(self.len);
        let offset = number.wrapping_sub(self.first);
        if self.near && offset < self.len {
            self.first
        } else {
            moved
        }
    }
}

/// The headers of living and past connections; empty in a network without PROXY protocol.
#[derive(Default)]
pub struct ProxyHeaders {
    by_flow: FxHashMap<FlowId, Header>,
    /// When a header that was not acknowledged is sent again; with how often it was.
    retries: BinaryHeap<Reverse<(Duration, FlowId, u32)>>,
}

struct Header {
    /// The client as the balancer sees it, and where it was received.
    ends: (SocketAddrV4, SocketAddrV4),
    /// Empty until it is sent.
    bytes: Box<[u8]>,
    placement: Placement,
    /// Of the SYN that the stream began with.
    isn: u32,
    stage: Stage,
    /// See [`FAR`].
    near: bool,
}

enum Stage {
    /// Nothing was put into the stream yet.
    Waiting,
    /// Sent; the segment that carries it, looking like the latest of the client's.
    Sent { segment: Vec<u8> },
    /// The target has all of it.
    Acknowledged,
}

impl Header {
    fn len(&self) -> u32 {
        self.bytes.len() as u32
    }

    fn first(&self) -> u32 {
        self.isn.wrapping_add(1)
    }
}

impl ProxyHeaders {
    /// A new flow is to carry a header.
    pub fn begin(
        &mut self,
        flow: FlowId,
        isn: u32,
        placement: Placement,
        client: SocketAddrV4,
        listener: SocketAddrV4,
    ) {
        let header = Header {
            ends: (client, listener),
            bytes: Box::default(),
            placement,
            isn,
            stage: Stage::Waiting,
            near: true,
        };
        self.by_flow.insert(flow, header);
    }

    /// True when no flow ever carried one.
    pub fn is_empty(&self) -> bool {
        self.by_flow.is_empty()
    }

    /// True for a flow that carries one, or is going to.
    pub fn has(&self, flow: FlowId) -> bool {
        self.by_flow.contains_key(&flow)
    }

    /// A client's segment, as it arrived, on its way to the target. `endpoint`: the id of the VPC endpoint it came by.
    /// `real`: an end as hosts know it.
    pub fn toward_target(
        &mut self,
        now: Duration,
        flow: FlowId,
        headers: &Headers,
        endpoint: Option<&str>,
        real: impl Fn(SocketAddrV4) -> SocketAddr,
    ) -> Toward {
        let Some(header) = self.by_flow.get_mut(&flow) else {
            return Toward::default();
        };
        // A SYN begins a stream, so it stands before any header.
        if headers.flags & tcp::SYN != 0 {
            return Toward::default();
        }
        let ends = headers.is_ending();
        let speaks = headers.payload_len() > 0;
        let header_first = match &header.stage {
            Stage::Waiting => {
                let due = match header.placement {
                    Placement::OnFirstAckWithPayload => speaks,
                    Placement::OnFirstAck => headers.flags & tcp::ACK != 0,
                };
                if !due || headers.is_reset() || headers.flags & tcp::ACK == 0 {
                    return Toward::default();
                }
                let (client, listener) = header.ends;
                let told = proxy_protocol::proxy(real(client), real(listener), endpoint);
                header.bytes = told.into();
                header.stage = Stage::Sent {
                    segment: Vec::new(),
                };
                self.retries.push(Reverse((now + FIRST_RETRY, flow, 0)));
                true
            }
            // The target may lack the header. In front of a RST it makes the number the one expected (RFC 5961).
            Stage::Sent { .. } => headers.seq == header.first() && (speaks || ends),
            Stage::Acknowledged => false,
        };
        let by = header.len();
        Toward { header_first, by }
    }

    /// Makes the segment that carries the header, after the client's latest one as the target gets it: its
    /// acknowledgement and its timestamp are then never older than what the target has seen.
    pub fn remember(&mut self, flow: FlowId, packet: &[u8], headers: &Headers) {
        let Some(header) = self.by_flow.get_mut(&flow) else {
            return;
        };
        let first = header.first();
        if let Stage::Sent { segment } = &mut header.stage
            && headers.flags & tcp::ACK != 0
        {
            *segment = stream::carrying(packet, headers, first, &header.bytes);
        }
    }

    /// A target's segment, on its way to the client. `isn`: of the flow's latest SYN.
    pub fn toward_client(&mut self, flow: FlowId, isn: u32, headers: &Headers) -> Option<Back> {
        let header = self.by_flow.get_mut(&flow)?;
        if headers.flags & tcp::SYN != 0 {
            // The target takes another SYN on the same addresses: a new stream, which needs its own header.
            if headers.ack == isn.wrapping_add(1) && header.isn != isn {
                header.isn = isn;
                header.stage = Stage::Waiting;
                header.near = true;
            }
            return None;
        }
        if headers.flags & tcp::ACK == 0 || matches!(header.stage, Stage::Waiting) {
            return None;
        }
        let offset = headers.ack.wrapping_sub(header.first());
        let ahead = offset < 1 << 31;
        if header.near && ahead && offset >= header.len() {
            header.stage = Stage::Acknowledged;
            header.near = offset < FAR;
        }
        // A number before the stream's beginning belongs to another connection that looks the same at the target.
        if header.near && !ahead {
            return None;
        }
        Some(Back {
            first: header.first(),
            len: header.len(),
            near: header.near,
        })
    }

    /// How far the client's numbers are moved at the target now.
    pub fn shift(&self, flow: FlowId) -> u32 {
        match self.by_flow.get(&flow) {
            Some(header) if !matches!(header.stage, Stage::Waiting) => header.len(),
            Some(_) | None => 0,
        }
    }

    /// The segment that carries a flow's header; none when it is not to be sent.
    pub fn segment(&self, flow: FlowId) -> Option<Vec<u8>> {
        match &self.by_flow.get(&flow)?.stage {
            Stage::Sent { segment } => Some(segment.clone()),
            Stage::Waiting | Stage::Acknowledged => None,
        }
    }

    /// When [`ProxyHeaders::next_retry`] may have something to say.
    pub fn next_check(&self) -> Option<Duration> {
        self.retries.peek().map(|&Reverse((at, ..))| at)
    }

    /// The next header to be sent again; `is_live` says whether its flow still matters.
    pub fn next_retry(
        &mut self,
        now: Duration,
        is_live: impl Fn(FlowId) -> bool,
    ) -> Option<FlowId> {
        while let Some(&Reverse((at, flow, times))) = self.retries.peek()
            && at <= now
        {
            self.retries.pop();
            let lacking = self
                .by_flow
                .get(&flow)
                .is_some_and(|header| matches!(header.stage, Stage::Sent { .. }));
            if !lacking || !is_live(flow) {
                continue;
            }
            if times + 1 < RETRIES {
                let next = at + FIRST_RETRY * 2_u32.pow(times + 1);
                self.retries.push(Reverse((next, flow, times + 1)));
            }
            return Some(flow);
        }
        None
    }
}
