//! Splitting a super-packet into the packets a wire would carry, as a network card does (TSO, USO).
//!
//! As Linux `tcp_gso_segment` and `__udp_gso_segment` do it: the IP identification counts up, PSH and FIN go with
//! the last segment, CWR with the first, every checksum is finished.

use super::rewrite::{fill_checksums, finish_checksum};
use super::{Headers, Ipv4Packet, TcpPacket, UDP, UdpPacket, put16, tcp};

/// Calls `each` with every wire packet in turn; `scratch` is where they are built. A packet that is no
/// super-packet is passed on whole, with its checksum finished. `headers` must be this packet's.
pub fn segment(
    packet: &[u8],
    headers: &Headers,
    scratch: &mut Vec<u8>,
    mut each: impl FnMut(&mut [u8], Headers),
) {
    let Some(size) = headers.gso_size.map(usize::from) else {
        let mut whole = *headers;
        scratch.clear();
        scratch.extend_from_slice(&packet[..headers.total_len]);
        finish_checksum(scratch, &mut whole);
        each(scratch, whole);
        return;
    };
    let (head, rest) = packet[..headers.total_len].split_at(headers.payload);
    let count = headers.wire_packets();
    for index in 0..count {
        let start = index * size;
        let chunk = &rest[start..(start + size).min(rest.len())];
        scratch.clear();
        scratch.extend_from_slice(head);
        scratch.extend_from_slice(chunk);
        let part = Headers {
            total_len: scratch.len(),
            partial: false,
            gso_size: None,
            ..number(scratch, headers, index, start, index + 1 == count)
        };
        fill_checksums(scratch, &part);
        each(scratch, part);
    }
}

/// Lengths, identification, sequence number and flags of one segment.
fn number(part: &mut [u8], whole: &Headers, index: usize, start: usize, last: bool) -> Headers {
    let mut headers = *whole;
    let len = part.len() as u16;
    // The header still has the length of the whole, which no checked view of a part would accept.
    put16(part, 2, len);
    if let Ok(mut ip) = Ipv4Packet::new_checked(&mut *part) {
        let identification = ip.identification().wrapping_add(index as u16);
        ip.set_identification(identification);
    }
    let segment = &mut part[whole.transport..];
    if whole.protocol == UDP {
        let length = segment.len() as u16;
        if let Ok(mut udp) = UdpPacket::new_checked(segment) {
            udp.set_length(length);
        }
    } else if let Ok(mut view) = TcpPacket::new_checked(segment) {
        headers.seq = whole.seq.wrapping_add(start as u32);
        if !last {
            headers.flags &= !(tcp::PSH | tcp::FIN);
        }
        if index > 0 {
            headers.flags &= !tcp::CWR;
        }
        view.set_sequence_number(headers.seq);
        view.set_flags(headers.flags);
    }
    headers
}
