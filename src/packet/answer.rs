//! Packets the network itself makes: RST segments, ICMP errors, datagrams, and segments that a story injects.

use super::rewrite::fill_checksums;
use super::stand_in::is_stand_in;
use super::{Headers, ICMP, IcmpPacket, Ipv4Packet, TCP, UDP, VnetHeader, icmp, put16, put32, tcp};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Largest ICMP error: RFC 1812 section 4.3.2.3.
pub const ICMP_ERROR_MAX: usize = 576;

/// TTL of what the network makes.
const TTL: u8 = 64;

/// The RST that answers a segment, RFC 9293 section 3.10.7.1. With ACK the sequence number is SEG.ACK, which is
/// the sender's RCV.NXT and so passes the exact check of RFC 5961 section 3.2. None: the segment is no TCP, or is
/// itself a RST, which is never answered. The packet must be whole.
pub fn reset(packet: &[u8], headers: &Headers) -> Option<[u8; 40]> {
    if headers.protocol != TCP || !headers.has_ports() || headers.is_reset() {
        return None;
    }
    let segment =
        tcp::TcpPacket::new_checked(&packet[headers.transport..headers.total_len]).ok()?;
    let mut answer = [0; 40];
    ip_header(&mut answer, headers.destination(), headers.source(), TCP);
    put16(&mut answer, 20, headers.to.port());
    put16(&mut answer, 22, headers.from.port());
    answer[32] = 5 << 4;
    if headers.flags & tcp::ACK != 0 {
        put32(&mut answer, 24, headers.ack);
        answer[33] = tcp::RST;
    } else {
        put32(
            &mut answer,
            28,
            headers.seq.wrapping_add(segment.segment_len()),
        );
        answer[33] = tcp::RST | tcp::ACK;
    }
    let made = Headers::parse(&VnetHeader::default(), &answer).ok()?;
    fill_checksums(&mut answer, &made);
    Some(answer)
}

/// A RST that answers nothing. Its receiver takes it when `seq` is what it expects next; one that still waits for the
/// answer to its SYN, when `ack` acknowledges that (RFC 9293 section 3.10.7.3).
pub fn unasked_reset(from: SocketAddrV4, to: SocketAddrV4, seq: u32, ack: Option<u32>) -> [u8; 40] {
    let mut packet = [0; 40];
    ip_header(&mut packet, *from.ip(), *to.ip(), TCP);
    put16(&mut packet, 20, from.port());
    put16(&mut packet, 22, to.port());
    put32(&mut packet, 24, seq);
    put32(&mut packet, 28, ack.unwrap_or(0));
    packet[32] = 5 << 4;
    packet[33] = tcp::RST | if ack.is_some() { tcp::ACK } else { 0 };
    if let Ok(made) = Headers::parse(&VnetHeader::default(), &packet) {
        fill_checksums(&mut packet, &made);
    }
    packet
}

/// A segment with ACK and PSH, its sequence and acknowledgement number, and `length` bytes of payload that are all 0.
pub fn stray(from: SocketAddrV4, to: SocketAddrV4, (seq, ack): (u32, u32), length: u16) -> Vec<u8> {
    let mut packet = vec![0; 40 + usize::from(length)];
    ip_header(&mut packet, *from.ip(), *to.ip(), TCP);
    put16(&mut packet, 20, from.port());
    put16(&mut packet, 22, to.port());
    put32(&mut packet, 24, seq);
    put32(&mut packet, 28, ack);
    packet[32] = 5 << 4;
    packet[33] = tcp::ACK | tcp::PSH;
    // A full window, unscaled.
    put16(&mut packet, 34, u16::MAX);
    if let Ok(made) = Headers::parse(&VnetHeader::default(), &packet) {
        fill_checksums(&mut packet, &made);
    }
    packet
}

/// A UDP datagram. The payload must fit into a packet.
pub fn datagram(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    let start = super::ipv4::MIN_HEADER_LEN;
    let mut packet = vec![0; start + super::udp::HEADER_LEN + payload.len()];
    ip_header(&mut packet, *from.ip(), *to.ip(), UDP);
    put16(&mut packet, start, from.port());
    put16(&mut packet, start + 2, to.port());
    put16(
        &mut packet,
        start + 4,
        (super::udp::HEADER_LEN + payload.len()) as u16,
    );
    packet[start + super::udp::HEADER_LEN..].copy_from_slice(payload);
    if let Ok(made) = Headers::parse(&VnetHeader::default(), &packet) {
        fill_checksums(&mut packet, &made);
    }
    packet
}

/// Which ICMP error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpError {
    /// Type 3 code 4 with the next-hop MTU (RFC 1191).
    FragmentationNeeded(u16),
    /// Type 11 code 0.
    TimeExceeded,
}

/// An ICMP error from `source` to the sender of `packet`, quoting as much of it as fits.
pub fn icmp_error(error: IcmpError, source: Ipv4Addr, packet: &[u8], headers: &Headers) -> Vec<u8> {
    let quoted = headers
        .total_len
        .min(ICMP_ERROR_MAX - super::ipv4::MIN_HEADER_LEN - icmp::HEADER_LEN);
    let mut answer = vec![0; super::ipv4::MIN_HEADER_LEN + icmp::HEADER_LEN + quoted];
    ip_header(&mut answer, source, headers.source(), ICMP);
    let message = &mut answer[super::ipv4::MIN_HEADER_LEN..];
    match error {
        IcmpError::FragmentationNeeded(mtu) => {
            message[0] = icmp::DESTINATION_UNREACHABLE;
            message[1] = icmp::FRAGMENTATION_NEEDED;
            put16(message, 6, mtu);
        }
        IcmpError::TimeExceeded => message[0] = icmp::TIME_EXCEEDED,
    }
    message[icmp::HEADER_LEN..].copy_from_slice(&packet[..quoted]);
    if let Ok(mut message) = IcmpPacket::new_checked(message) {
        message.fill_checksum();
    }
    answer
}

/// RFC 1122 section 3.2.2: no ICMP error about an ICMP error, a later fragment, a packet to many, or from nobody. Later fragments
/// of IPv6 are no exception (RFC 4443 section 2.4).
pub fn may_be_answered(packet: &[u8], headers: &Headers) -> bool {
    let about_error = headers.protocol == ICMP
        && IcmpPacket::new_checked(&packet[headers.transport..headers.total_len])
            .is_ok_and(|message| message.is_error());
    let (source, destination) = (headers.source(), headers.destination());
    let later_fragment = !is_stand_in(source)
        && Ipv4Packet::new_checked(packet).is_ok_and(|ip| ip.fragment_offset() != 0);
    let to_many = destination.is_multicast() || destination.is_broadcast();
    let from_nobody = source.is_unspecified()
        || source.is_loopback()
        || source.is_multicast()
        || source.is_broadcast();
    !(about_error || later_fragment || to_many || from_nobody)
}

/// A header of 20 bytes with DF and a right checksum; the total length is that of the buffer.
fn ip_header(packet: &mut [u8], source: Ipv4Addr, destination: Ipv4Addr, protocol: u8) {
    let len = packet.len() as u16;
    packet[0] = 0x45;
    put16(packet, 2, len);
    packet[6] = 0x40;
    packet[8] = TTL;
    packet[9] = protocol;
    if let Ok(mut ip) = Ipv4Packet::new_checked(packet) {
        ip.set_source_address(source);
        ip.set_destination_address(destination);
        ip.fill_checksum();
    }
}
