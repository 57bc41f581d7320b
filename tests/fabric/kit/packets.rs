//! Packets to send.

use super::ip;
use etherparse::{Icmpv4Type, PacketBuilder, TcpHeader, icmpv4};
use std::net::SocketAddrV4;

pub use hairpin::packet::tcp::{ACK, FIN, PSH, RST, SYN};

/// A TCP segment; DF is set, as Linux does.
#[derive(Clone, Copy)]
pub struct Segment {
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    pub flags: u8,
    pub seq: u32,
    pub ack: u32,
    pub len: usize,
}

pub fn segment(from: SocketAddrV4, to: SocketAddrV4, flags: u8, seq: u32, ack: u32) -> Segment {
    Segment {
        from,
        to,
        flags,
        seq,
        ack,
        len: 0,
    }
}

impl Segment {
    pub fn with_payload(self, len: usize) -> Self {
        Self { len, ..self }
    }

    pub fn bytes(self) -> Vec<u8> {
        let mut tcp = TcpHeader::new(self.from.port(), self.to.port(), self.seq, 64_240);
        tcp.acknowledgment_number = self.ack;
        tcp.fin = self.flags & FIN != 0;
        tcp.syn = self.flags & SYN != 0;
        tcp.rst = self.flags & RST != 0;
        tcp.psh = self.flags & PSH != 0;
        tcp.ack = self.flags & ACK != 0;
        let payload: Vec<u8> = (0..self.len).map(|n| n as u8).collect();
        let mut bytes = Vec::new();
        PacketBuilder::ipv4(self.from.ip().octets(), self.to.ip().octets(), 64)
            .tcp_header(tcp)
            .write(&mut bytes, &payload)
            .expect("into memory");
        bytes
    }
}

/// A segment without DF.
pub fn may_be_cut(segment: Segment) -> Vec<u8> {
    let mut bytes = segment.bytes();
    bytes[6] &= !0x40;
    fill_ip_checksum(&mut bytes);
    bytes
}

pub fn fill_ip_checksum(bytes: &mut [u8]) {
    hairpin::packet::Ipv4Packet::new_checked(bytes)
        .expect("well-formed")
        .fill_checksum();
}

/// A datagram without DF.
pub fn datagram(from: SocketAddrV4, to: SocketAddrV4, len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 64)
        .udp(from.port(), to.port())
        .write(&mut bytes, &vec![7; len])
        .expect("into memory");
    bytes[6] = 0;
    fill_ip_checksum(&mut bytes);
    bytes
}

/// A fragment of a packet without options, from an offset in units of eight bytes on: 64 bytes, or all when no more follow.
pub fn part(whole: &[u8], identification: u16, offset: u16, more: bool) -> Vec<u8> {
    let from = 20 + 8 * usize::from(offset);
    let until = if more { from + 64 } else { whole.len() };
    let mut bytes = whole[..20].to_vec();
    bytes.extend_from_slice(&whole[from..until.min(whole.len())]);
    let len = bytes.len() as u16;
    bytes[2..4].copy_from_slice(&len.to_be_bytes());
    bytes[4..6].copy_from_slice(&identification.to_be_bytes());
    bytes[6..8].copy_from_slice(&(offset | u16::from(more) << 13).to_be_bytes());
    fill_ip_checksum(&mut bytes);
    bytes
}

/// The ICMP error "port unreachable" (type 3 code 3) about a packet of 28 bytes or more, of which it quotes the first 28.
pub fn port_unreachable(from: &str, to: &str, about: &[u8]) -> Vec<u8> {
    let kind = Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::Port);
    let mut bytes = Vec::new();
    PacketBuilder::ipv4(ip(from).octets(), ip(to).octets(), 64)
        .icmpv4(kind)
        .write(&mut bytes, &about[..28])
        .expect("into memory");
    bytes
}
