//! What the fabric does to bytes: there and back is the same, whatever form the checksum has.

use crate::kit::*;
use hairpin::packet::checksum::{fold, pseudo_header};
use hairpin::packet::vnet::NEEDS_CSUM;
use hairpin::packet::{Headers, TcpPacket, VnetHeader};
use proptest::prelude::*;

/// The same packet as a kernel hands it to a device that finishes checksums.
pub fn make_partial(bytes: &mut [u8]) -> VnetHeader {
    let headers = Headers::parse(&VnetHeader::default(), bytes).expect("well-formed");
    let (field, offset) = match headers.protocol {
        6 => (headers.transport + 16, 16),
        _ => (headers.transport + 6, 6),
    };
    let len = headers.total_len - headers.transport;
    let sum = fold(pseudo_header(
        headers.source(),
        headers.destination(),
        headers.protocol,
        len,
    ));
    bytes[field..field + 2].copy_from_slice(&sum.to_be_bytes());
    VnetHeader {
        flags: NEEDS_CSUM,
        csum_start: headers.transport as u16,
        csum_offset: offset,
        ..VnetHeader::default()
    }
}

/// All but TTL and IPv4 checksum, which every hop changes.
fn beyond_the_hop(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[8] = 0;
    bytes[10..12].fill(0);
    bytes
}

proptest! {
    /// A target that sends a packet back with its ends exchanged: the client gets what the client sent.
    #[test]
    fn translation_and_back_is_the_identity(
        port in 1u16..,
        isn: u32,
        len in 0usize..1400,
        preserve: bool,
        partial: bool,
        udp: bool,
    ) {
        let mut config = one_target();
        config.groups[0].preserve_client_ip = preserve;
        let mut net = Net::new(config);
        let client = end(CLIENT_IP, port);
        let front = end(FRONT_A, if udp { 53 } else { 80 });
        if !udp {
            net.connect(CLIENT, client, front, isn);
        }
        let make = |from, to| if udp {
            datagram(from, to, len)
        } else {
            segment(from, to, ACK | PSH, isn.wrapping_add(1), 9001).with_payload(len).bytes()
        };
        let mut sent = make(client, front);
        let vnet = if partial { make_partial(&mut sent) } else { VnetHeader::default() };
        let there = net.send_frame(CLIENT, vnet, sent).remove(0);
        prop_assert_eq!(there.vnet, vnet);
        let seen = there.headers();
        let mut answer = make(seen.to, seen.from);
        let vnet = if partial { make_partial(&mut answer) } else { VnetHeader::default() };
        let back = net.send_frame(there.to, vnet, answer).remove(0);
        let mut expected = make(front, client);
        if partial {
            make_partial(&mut expected);
        }
        prop_assert_eq!(beyond_the_hop(&back.bytes), beyond_the_hop(&expected));
    }
}

#[test]
fn a_datagram_without_checksum_stays_without() {
    let mut net = Net::new(one_target());
    let mut bytes = datagram(end(CLIENT_IP, 9), end(FRONT_A, 53), 30);
    bytes[26..28].fill(0);
    let came = net.send(CLIENT, bytes);
    assert_eq!(came[0].bytes[26..28], [0, 0]);
}

#[test]
fn bytes_behind_the_packet_are_left_behind() {
    let mut net = Net::new(one_target());
    let mut bytes = segment(end(CLIENT_IP, 9), end(FRONT_A, 80), SYN, 1, 0).bytes();
    bytes.extend([0xee; 6]);
    let came = net.send(CLIENT, bytes);
    assert_eq!(came[0].bytes.len(), 40);
    assert!(TcpPacket::new_checked(&came[0].bytes[20..]).is_ok());
}
