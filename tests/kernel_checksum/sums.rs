//! The checksums in a packet, and those that `etherparse` computes.

use etherparse::{NetHeaders, PacketHeaders, TransportHeader};
use hairpin::packet::TCP;
use hairpin::packet::checksum::field_offset;

pub fn offset(protocol: u8) -> usize {
    field_offset(protocol).expect("TCP or UDP")
}

pub fn ip_sum(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[10], bytes[11]])
}

fn transport_field(bytes: &[u8]) -> usize {
    usize::from(bytes[0] & 0x0f) * 4 + offset(bytes[9])
}

pub fn transport_sum(bytes: &[u8]) -> u16 {
    let field = transport_field(bytes);
    u16::from_be_bytes([bytes[field], bytes[field + 1]])
}

pub fn without_transport_sum(bytes: &[u8]) -> Vec<u8> {
    let field = transport_field(bytes);
    let mut rest = bytes.to_vec();
    rest[field..field + 2].fill(0);
    rest
}

/// Linux writes a computed zero as all ones for TCP too (`skb_checksum_help`), and as zero when it segments: to a
/// receiver both are right. For UDP they differ (RFC 768).
pub fn same_sum(received: u16, right: u16, protocol: u8) -> bool {
    let one_zero = |sum: u16| if sum == 0 { 0xffff } else { sum };
    received == right || protocol == TCP && one_zero(received) == one_zero(right)
}

/// The IPv4 and transport sums that `etherparse` computes.
pub fn right_sums(bytes: &[u8]) -> (u16, u16) {
    let parsed = PacketHeaders::from_ip_slice(bytes).expect("etherparse takes it");
    let Some(NetHeaders::Ipv4(ip, _)) = &parsed.net else {
        panic!("not IPv4: {bytes:02x?}")
    };
    let payload = parsed.payload.slice();
    let sum = match &parsed.transport {
        Some(TransportHeader::Tcp(tcp)) => tcp.calc_checksum_ipv4(ip, payload).expect("short"),
        Some(TransportHeader::Udp(udp)) => udp.calc_checksum_ipv4(ip, payload).expect("short"),
        other => panic!("neither TCP nor UDP: {other:?}"),
    };
    (ip.calc_header_checksum(), sum)
}
