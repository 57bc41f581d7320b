//! The numbers of TCP that change at a host's edge: a firewall there that randomizes sequence numbers, and a kernel whose
//! timestamps count from another moment.
//!
//! It stands between the host and its link: links, boxes and books of the network know the numbers outside, the host alone
//! those inside. By how much they differ is a hash of the connection's ends, so that nothing is kept and a connection that was
//! there before is renumbered as well. Observed on: Cisco PIX, ASA and FWSM, which randomize the initial sequence number
//! of both directions (`set connection random-sequence-number`); FWSM left the SACK blocks (RFC 2018) as they were.

use super::Fabric;
use super::config::{PortId, RandomizedSequence};
use super::link::Stage;
use super::passage::Transient;
use super::random;
use super::record::Impaired;
use crate::packet::quote::Quote;
use crate::packet::{Headers, TCP, stream, tcp};
use std::net::SocketAddrV4;

/// By how much the numbers outside are ahead of those inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ahead {
    /// Of the host's own sequence numbers.
    own: u32,
    /// Of the other end's.
    peer: u32,
}

impl Fabric {
    /// A host sent this: from the numbers inside to those outside.
    pub(super) fn renumber_outward(
        &mut self,
        from: PortId,
        id: u64,
        headers: &mut Headers,
        packet: &mut [u8],
    ) {
        let stage = Stage::Up(from);
        let numbers = self.links.get(stage).numbers();
        if headers.protocol != TCP || !headers.has_ports() {
            if numbers.sequence.is_some()
                && let Some(quote) = Quote::read(packet, headers)
            {
                let ahead = self.ahead(from, quote.to, quote.from);
                quote_back(&quote, packet, headers, ahead.peer.wrapping_neg());
            }
            return;
        }
        stream::advance_timestamps(packet, headers, numbers.timestamp_offset, 0);
        let Some(randomized) = numbers.sequence else {
            return;
        };
        let ahead = self.ahead(from, headers.from, headers.to);
        stream::advance(packet, headers, ahead.own);
        if headers.flags & tcp::ACK != 0 {
            let by = ahead.peer;
            let left = acknowledge(randomized, packet, headers, by);
            if left {
                self.impaired(id, stage, Impaired::UntranslatedSack(by));
            }
        }
    }

    /// A host gets this: from the numbers outside to those inside. The books go by its headers, which stay as they are.
    pub(super) fn renumber_inward(&mut self, to: PortId, transient: &mut Transient<'_>) {
        let stage = Stage::Down(to);
        let numbers = self.links.get(stage).numbers();
        let mut headers = transient.headers;
        let packet = &mut *transient.packet;
        if headers.protocol != TCP || !headers.has_ports() {
            if numbers.sequence.is_some()
                && let Some(quote) = Quote::read(packet, &headers)
            {
                let ahead = self.ahead(to, quote.from, quote.to);
                quote_back(&quote, packet, &headers, ahead.own);
            }
            return;
        }
        let acknowledges = headers.flags & tcp::ACK != 0;
        if acknowledges {
            let by = numbers.timestamp_offset.wrapping_neg();
            stream::advance_timestamps(packet, &headers, 0, by);
        }
        let Some(randomized) = numbers.sequence else {
            return;
        };
        let ahead = self.ahead(to, headers.to, headers.from);
        stream::advance(packet, &mut headers, ahead.peer);
        if acknowledges {
            let by = ahead.own;
            let left = acknowledge(randomized, packet, &mut headers, by);
            if left {
                self.impaired(transient.passage.id, stage, Impaired::UntranslatedSack(by));
            }
        }
    }

    /// Of a connection of this host. Never 0: a firewall that changes nothing is none.
    fn ahead(&self, host: PortId, own: SocketAddrV4, peer: SocketAddrV4) -> Ahead {
        let end = |end: SocketAddrV4| u64::from(end.ip().to_bits()) << 16 | u64::from(end.port());
        let words = [u64::from(host.0), end(own), end(peer)];
        let hash = random::hash(self.config.seed, &words);
        Ahead {
            own: hash as u32 | 1,
            peer: (hash >> 32) as u32 | 1,
        }
    }
}

/// Moves an acknowledgement number back, and SACK blocks where they are not forgotten. True: there are some, and they were.
fn acknowledge(
    randomized: RandomizedSequence,
    packet: &mut [u8],
    headers: &mut Headers,
    by: u32,
) -> bool {
    match randomized {
        RandomizedSequence::WithSack => {
            stream::acknowledge(packet, headers, |number| number.wrapping_sub(by));
            false
        }
        RandomizedSequence::HeaderOnly => {
            stream::acknowledge_header(packet, headers, headers.ack.wrapping_sub(by));
            stream::has_sack(packet, headers)
        }
    }
}

/// What an ICMP error quotes is the packet as it was outside.
fn quote_back(quote: &Quote, packet: &mut [u8], headers: &Headers, by: u32) {
    quote.retreat(packet, headers, by);
    quote.rewrite(packet, headers, quote.from, quote.to);
}
