//! Bytes of packets, and only bytes: checked views of IPv4, IPv6, TCP, UDP and ICMP, rewriting with right checksums,
//! building answers, splitting super-packets, cutting fragments, shifting streams, PROXY protocol headers, one-line printing.
//!
//! Not here: hosts, flows, decisions (see `fabric`). This module imports nothing of ours. Input from outside goes
//! through `new_checked` or [`Headers::parse`]; after that no getter can panic.

pub mod answer;
pub mod checksum;
pub mod ends;
pub mod fragment;
pub mod headers;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod plain;
pub mod print;
pub mod proxy_protocol;
pub mod quote;
pub mod rewrite;
pub mod segment;
pub mod siit;
pub mod stand_in;
pub mod stream;
pub mod tcp;
pub mod udp;
pub mod vnet;

#[cfg(test)]
mod tests;

pub use headers::Headers;
pub use icmp::IcmpPacket;
pub use ipv4::Ipv4Packet;
pub use ipv6::Ipv6Packet;
pub use stand_in::StandIns;
pub use tcp::TcpPacket;
pub use udp::UdpPacket;
pub use vnet::VnetHeader;

/// Protocol number of ICMP.
pub const ICMP: u8 = 1;
/// Protocol number of TCP.
pub const TCP: u8 = 6;
/// Protocol number of UDP.
pub const UDP: u8 = 17;

/// Why bytes are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The version field is not 4.
    #[error("not IPv4")]
    NotIpv4,
    /// The version field is not 6.
    #[error("not IPv6")]
    NotIpv6,
    /// IPv6 that has no counterpart in IPv4: link-local business, unfinished routing headers, fragments of ICMPv6.
    #[error("IPv6 that cannot be translated")]
    Untranslatable,
    /// Fewer bytes than a header or its length field promises.
    #[error("truncated")]
    Truncated,
    /// A length field that cannot be true.
    #[error("impossible length field")]
    Length,
    /// The IPv4 header checksum is wrong.
    #[error("bad IPv4 header checksum")]
    Checksum,
    /// The virtio-net header asks for what this packet cannot have.
    #[error("virtio-net header does not fit the packet")]
    Offload,
}

/// Two bytes, big endian. For offsets that a length check has covered.
#[inline]
fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// Four bytes, big endian. For offsets that a length check has covered.
#[inline]
fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Writes two bytes, big endian. For offsets that a length check has covered.
#[inline]
fn put16(bytes: &mut [u8], at: usize, value: u16) {
    let [one, other] = value.to_be_bytes();
    bytes[at + 1] = other;
    bytes[at] = one;
}

/// Writes four bytes, big endian. For offsets that a length check has covered.
#[inline]
fn put32(bytes: &mut [u8], at: usize, value: u32) {
    put16(bytes, at + 2, value as u16);
    put16(bytes, at, (value >> 16) as u16);
}
