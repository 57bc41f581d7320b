//! Splitting a super-packet into the packets a wire would carry, as a network card does (TSO, USO).
//!
//! As Linux `tcp_gso_segment` and `__udp_gso_segment` do it: the IP identification counts up, PSH and FIN go with
//! the last segment, CWR with the first, every checksum is finished.

use super::rewrite::{fill_checksums, finish_checksum};
use super::{
    Headers, Ipv4Packet, Ipv6Packet, TCP, TcpPacket, UDP, UdpPacket, VnetHeader, checksum, ipv6,
    put16, tcp, vnet,
};
use std::net::{Ipv4Addr, SocketAddrV4};

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
    if part[0] >> 4 == 6 {
        put16(part, 4, len - ipv6::HEADER_LEN as u16);
    } else {
        put16(part, 2, len);
    }
    if let Ok(mut ip) = Ipv4Packet::new_checked(&mut *part) {
        let identification = ip.identification().wrapping_add(index as u16);
        ip.set_identification(identification);
        headers.identification = identification;
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

/// Calls `each` with every packet that a wire would carry of what a device gave, of either family, checksums
/// finished, and how many these are; `scratch` is where they are built. Bytes that are no packet are passed on as they
/// are.
pub fn on_a_wire(
    vnet: &VnetHeader,
    packet: &[u8],
    scratch: &mut Vec<u8>,
    mut each: impl FnMut(&[u8], usize),
) {
    let whole = match packet.first().map(|first| first >> 4) {
        Some(6) => parse_ipv6(vnet, packet),
        Some(_) | None => Headers::parse(vnet, packet).ok(),
    };
    let Some(whole) = whole else {
        return each(packet, 1);
    };
    let count = whole.wire_packets();
    if whole.gso_size.is_none() || packet[0] >> 4 != 6 {
        return segment(packet, &whole, scratch, |part, _| each(part, count));
    }
    let source_and_destination = checksum::sum(&packet[8..ipv6::HEADER_LEN]);
    segment(packet, &whole, scratch, |part, headers| {
        if let Some(offset) = checksum::field_offset(headers.protocol) {
            let field = headers.transport + offset;
            put16(part, field, 0);
            let segment = &part[headers.transport..];
            let pseudo_header =
                source_and_destination + segment.len() as u64 + u64::from(headers.protocol);
            let sum = checksum::finished(pseudo_header, segment, headers.protocol);
            put16(part, field, sum);
        }
        each(part, count);
    });
}

/// As much of an IPv6 packet as [`segment`] asks for; none when the virtio-net header does not fit it.
fn parse_ipv6(vnet: &VnetHeader, packet: &[u8]) -> Option<Headers> {
    let ip = Ipv6Packet::new_checked(packet).ok()?;
    let upper = ip.upper().ok()?;
    let total_len = ip.total_len();
    let nowhere = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
    let mut headers = Headers {
        from: nowhere,
        to: nowhere,
        protocol: upper.protocol,
        identification: 0,
        fragment: upper.fragment.is_some(),
        transport: upper.offset,
        payload: upper.offset,
        total_len,
        flags: 0,
        seq: 0,
        ack: 0,
        window: 0,
        partial: vnet.needs_csum() && usize::from(vnet.csum_start) == upper.offset,
        gso_size: None,
    };
    let segment = &packet[upper.offset..total_len];
    match upper.protocol {
        TCP => {
            let tcp = TcpPacket::new_checked(segment).ok()?;
            headers.payload += tcp.header_len();
            headers.flags = tcp.flags();
            headers.seq = tcp.sequence_number();
        }
        UDP => {
            UdpPacket::new_checked(segment).ok()?;
            headers.payload += super::udp::HEADER_LEN;
        }
        _ => {}
    }
    let fits = match vnet.gso_type & !vnet::GSO_ECN {
        vnet::GSO_NONE => return Some(headers),
        vnet::GSO_TCPV6 => upper.protocol == TCP,
        vnet::GSO_UDP_L4 => upper.protocol == UDP,
        _ => false,
    };
    if !fits || !headers.partial || headers.fragment || vnet.gso_size == 0 {
        return None;
    }
    headers.gso_size = Some(vnet.gso_size);
    Some(headers)
}
