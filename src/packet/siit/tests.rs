//! Translation against `etherparse` as the oracle.

use super::*;
use crate::packet::TCP;
use crate::packet::answer::{IcmpError, icmp_error};
use crate::packet::quote::Quote;
use crate::packet::rewrite::{finish_checksum, rewrite};
use crate::packet::segment::segment;
use crate::packet::vnet::{GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM};
use crate::packet::{be32, icmp as v4icmp};
use etherparse::{NetHeaders, PacketBuilder, PacketHeaders, TransportHeader};
use proptest::prelude::*;
use std::net::{SocketAddrV4, SocketAddrV6};

fn tcp(from: SocketAddrV6, to: SocketAddrV6, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ipv6(from.ip().octets(), to.ip().octets(), 64)
        .tcp(from.port(), to.port(), 9, 500)
        .ack(77)
        .psh()
        .write(&mut bytes, payload)
        .expect("into memory");
    bytes
}

fn udp(from: SocketAddrV6, to: SocketAddrV6, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ipv6(from.ip().octets(), to.ip().octets(), 64)
        .udp(from.port(), to.port())
        .write(&mut bytes, payload)
        .expect("into memory");
    bytes
}

fn ping(from: Ipv6Addr, to: Ipv6Addr, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ipv6(from.octets(), to.octets(), 64)
        .icmpv6_echo_request(7, 8)
        .write(&mut bytes, payload)
        .expect("into memory");
    bytes
}

/// Leaves the sum to a device, as a kernel does.
fn make_partial(bytes: &mut [u8], gso_type: u8, gso_size: u16) -> VnetHeader {
    let (offset, protocol) = match bytes[6] {
        TCP => (16, TCP),
        _ => (6, UDP),
    };
    let mut words = bytes[8..40].to_vec();
    words.extend(((bytes.len() - 40) as u32).to_be_bytes());
    words.extend([0, 0, 0, protocol]);
    let sum = etherparse::checksum::Sum16BitWords::new().add_slice(&words);
    put16(bytes, 40 + offset, !u16::from_be(sum.ones_complement()));
    VnetHeader {
        flags: NEEDS_CSUM,
        gso_type,
        hdr_len: 60,
        gso_size,
        csum_start: 40,
        csum_offset: offset as u16,
    }
}

/// The transport sum as it stands and as `etherparse` computes it.
fn transport_sums(bytes: &[u8]) -> (u16, u16) {
    let parsed = PacketHeaders::from_ip_slice(bytes).expect("etherparse takes it");
    let payload = parsed.payload.slice();
    match (&parsed.net, &parsed.transport) {
        (Some(NetHeaders::Ipv4(ip, _)), Some(TransportHeader::Tcp(tcp))) => {
            assert_eq!(ip.header_checksum, ip.calc_header_checksum());
            (
                tcp.checksum,
                tcp.calc_checksum_ipv4(ip, payload).expect("short"),
            )
        }
        (Some(NetHeaders::Ipv4(ip, _)), Some(TransportHeader::Udp(udp))) => {
            assert_eq!(ip.header_checksum, ip.calc_header_checksum());
            (
                udp.checksum,
                udp.calc_checksum_ipv4(ip, payload).expect("short"),
            )
        }
        (Some(NetHeaders::Ipv4(..)), Some(TransportHeader::Icmpv4(icmp))) => {
            (icmp.checksum, icmp.icmp_type.calc_checksum(payload))
        }
        (Some(NetHeaders::Ipv6(ip, _)), Some(TransportHeader::Tcp(tcp))) => (
            tcp.checksum,
            tcp.calc_checksum_ipv6(ip, payload).expect("short"),
        ),
        (Some(NetHeaders::Ipv6(ip, _)), Some(TransportHeader::Udp(udp))) => (
            udp.checksum,
            udp.calc_checksum_ipv6(ip, payload).expect("short"),
        ),
        (Some(NetHeaders::Ipv6(ip, _)), Some(TransportHeader::Icmpv6(icmp))) => {
            let made = icmp
                .icmp_type
                .calc_checksum(ip.source, ip.destination, payload);
            (icmp.checksum, made.expect("short"))
        }
        other => panic!("unexpected: {other:?}"),
    }
}

fn enters(bytes: &mut [u8], vnet: &mut VnetHeader, map: &mut StandIns) -> (usize, Headers) {
    let start = enter(vnet, bytes, map).expect("well-formed");
    let headers = Headers::parse(vnet, &bytes[start..]).expect("a right IPv4 packet");
    (start, headers)
}

fn leaves(bytes: &mut [u8], vnet: &VnetHeader, map: &StandIns) -> (Vec<u8>, VnetHeader) {
    let headers = Headers::parse(vnet, bytes).expect("a right IPv4 packet");
    let mut scratch = Vec::new();
    let gone = leave(vnet, bytes, &headers, map, &mut scratch).expect("stands for one");
    ([gone.head(), gone.body].concat(), gone.vnet)
}

fn end() -> impl Strategy<Value = SocketAddrV6> {
    let octets = prop::sample::select(vec![0u8, 1, 0x20, 0xfd, 254, 255]);
    let address = prop_oneof![any::<[u8; 16]>(), prop::array::uniform16(octets)];
    let port = prop_oneof![any::<u16>(), Just(0), Just(0xffff)];
    (address, port).prop_map(|(ip, port)| SocketAddrV6::new(Ipv6Addr::from(ip), port, 0, 0))
}

fn socket() -> impl Strategy<Value = SocketAddrV4> {
    let first = 1u8..240;
    (first, any::<[u8; 3]>(), any::<u16>())
        .prop_map(|(a, [b, c, d], port)| SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn in_and_out_again_is_the_identity_and_right_in_between(
        (from, to) in (end(), end()),
        payload in prop::collection::vec(any::<u8>(), 0..64),
        (kind, partial) in (0..3, any::<bool>()),
    ) {
        let mut bytes = match kind {
            0 => tcp(from, to, &payload),
            1 => udp(from, to, &payload),
            _ => ping(*from.ip(), *to.ip(), &payload),
        };
        let partial = partial && kind < 2;
        let mut vnet = if partial { make_partial(&mut bytes, 0, 0) } else { VnetHeader::default() };
        let (original, original_vnet) = (bytes.clone(), vnet);
        let mut map = StandIns::default();
        let (start, mut headers) = enters(&mut bytes, &mut vnet, &mut map);
        prop_assert_eq!(headers.partial, partial);
        prop_assert_eq!(map.real(headers.source()), Some(*from.ip()));
        prop_assert_eq!(map.real(headers.destination()), Some(*to.ip()));

        let mut whole = bytes[start..].to_vec();
        finish_checksum(&mut whole, &mut headers);
        let (is, right) = transport_sums(&whole);
        prop_assert_eq!(is, right);

        let (again, left) = leaves(&mut bytes[start..], &vnet, &map);
        prop_assert_eq!(&again, &original);
        prop_assert_eq!(left, VnetHeader { hdr_len: left.hdr_len, ..original_vnet });
    }

    /// What a balancer does for the other family: from IPv6 to IPv4, and the answer back.
    #[test]
    fn between_the_families_every_sum_is_right(
        (from, to) in (end(), end()),
        (new_from, new_to) in (socket(), socket()),
        payload in prop::collection::vec(any::<u8>(), 0..64),
        (is_udp, partial) in (any::<bool>(), any::<bool>()),
    ) {
        let mut bytes = if is_udp { udp(from, to, &payload) } else { tcp(from, to, &payload) };
        let mut vnet = if partial {
            make_partial(&mut bytes, 0, 0)
        } else {
            VnetHeader::default()
        };
        let original = bytes.clone();
        let mut map = StandIns::default();
        let (start, mut headers) = enters(&mut bytes, &mut vnet, &mut map);
        let bytes = &mut bytes[start..];
        let (before_from, before_to) = (headers.from, headers.to);
        rewrite(bytes, &mut headers, new_from, new_to);

        let (mut finished, mut copy) = (bytes.to_vec(), headers);
        finish_checksum(&mut finished, &mut copy);
        let (is, right) = transport_sums(&finished);
        prop_assert_eq!(is, right);

        rewrite(bytes, &mut headers, before_from, before_to);
        let (again, _) = leaves(bytes, &vnet, &map);
        prop_assert_eq!(&again, &original);

        // The finished one becomes a right IPv6 packet as well.
        let headers = &mut Headers::parse(&VnetHeader::default(), &finished).expect("right");
        rewrite(&mut finished, headers, before_to, before_from);
        let (out, _) = leaves(&mut finished, &VnetHeader::default(), &map);
        let (is, right) = transport_sums(&out);
        prop_assert_eq!(is, right);
    }

    #[test]
    fn no_bytes_at_all_make_it_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
        next in prop::sample::select(vec![0u8, 6, 17, 43, 44, 58, 59, 60]),
        vnet in any::<[u8; 10]>(),
        plausible: bool,
    ) {
        if plausible && bytes.len() >= 48 {
            bytes[0] = 0x60;
            let len = (bytes.len() - 40) as u16;
            put16(&mut bytes, 4, len);
            bytes[6] = next;
            // Errors quote packets; make that likely too.
            if next == ICMPV6 && bytes.len() >= 100 {
                bytes[40] &= 3;
                bytes[48] = 0x60;
            }
        }
        let mut vnet = VnetHeader::read(&vnet).expect("ten bytes");
        if plausible {
            vnet.flags &= !NEEDS_CSUM;
            vnet.gso_type = 0;
        }
        let mut map = StandIns::default();
        if let Ok(start) = enter(&mut vnet, &mut bytes, &mut map)
            && let Ok(headers) = Headers::parse(&vnet, &bytes[start..])
        {
            let mut scratch = Vec::new();
            leave(&vnet, &mut bytes[start..], &headers, &map, &mut scratch);
        }
    }
}

fn addresses() -> (SocketAddrV6, SocketAddrV6) {
    (
        "[2001:db8::1]:40000".parse().expect("an end"),
        "[2001:db8:1::2]:80".parse().expect("an end"),
    )
}

#[test]
fn super_packets_keep_their_offloads_and_are_cut_into_right_ones() {
    let (from, to) = addresses();
    let payload: Vec<u8> = (0..5000u32).map(|n| n as u8).collect();
    for (gso_type, mut bytes) in [
        (GSO_TCPV6, tcp(from, to, &payload)),
        (GSO_UDP_L4, udp(from, to, &payload)),
    ] {
        let mut vnet = make_partial(&mut bytes, gso_type, 1400);
        let original = bytes.clone();
        let mut map = StandIns::default();
        let (start, headers) = enters(&mut bytes, &mut vnet, &mut map);
        let inside = if gso_type == GSO_TCPV6 {
            GSO_TCPV4
        } else {
            gso_type
        };
        assert_eq!(
            (vnet.gso_type, vnet.gso_size, vnet.csum_start),
            (inside, 1400, 20)
        );
        assert_eq!(headers.wire_packets(), 4);
        let mut stream = Vec::new();
        segment(&bytes[start..], &headers, &mut Vec::new(), |part, _| {
            let (out, _) = leaves(part, &VnetHeader::default(), &map);
            let (is, right) = transport_sums(&out);
            assert_eq!(is, right);
            let behind = if gso_type == GSO_TCPV6 { 60 } else { 48 };
            stream.extend_from_slice(&out[behind..]);
        });
        assert_eq!(stream, payload);
        let (again, left) = leaves(&mut bytes[start..], &vnet, &map);
        assert_eq!(again, original);
        assert_eq!(
            (left.gso_type, left.csum_start, left.flags),
            (gso_type, 40, NEEDS_CSUM)
        );
    }
}

#[test]
fn a_four_type_offload_on_six_is_refused() {
    let (from, to) = addresses();
    let mut bytes = tcp(from, to, &[0; 3000]);
    let mut vnet = make_partial(&mut bytes, GSO_TCPV4, 1400);
    let entered = enter(&mut vnet, &mut bytes, &mut StandIns::default());
    assert_eq!(entered, Err(Malformed::Offload));
}

#[test]
fn extension_headers_are_walked() {
    let (from, to) = addresses();
    let plain = tcp(from, to, b"hello");
    // Hop-by-hop options with padding, then a fragment header, then destination options.
    let options = [TCP, 0, 1, 4, 0, 0, 0, 0];
    let mut bytes = plain[..40].to_vec();
    bytes[6] = 0;
    bytes.extend([60, 0, 1, 4, 0, 0, 0, 0]);
    bytes.extend(options);
    bytes.extend(&plain[40..]);
    let len = (bytes.len() - 40) as u16;
    put16(&mut bytes, 4, len);
    let mut map = StandIns::default();
    let mut vnet = VnetHeader::default();
    let (start, headers) = enters(&mut bytes, &mut vnet, &mut map);
    assert!(headers.has_ports());
    assert_eq!(headers.to.port(), 80);
    let (again, _) = leaves(&mut bytes[start..], &vnet, &map);
    assert_eq!(again, plain, "options go, the rest stays");

    let mut routed = plain[..40].to_vec();
    routed[6] = 43;
    routed.extend([TCP, 0, 4, 1, 0, 0, 0, 0]);
    routed.extend(&plain[40..]);
    let len = (routed.len() - 40) as u16;
    put16(&mut routed, 4, len);
    assert_eq!(
        enter(&mut vnet, &mut routed, &mut map),
        Err(Malformed::Untranslatable)
    );
}

#[test]
fn fragments_come_out_as_they_went_in() {
    let (from, to) = addresses();
    let whole = udp(from, to, &[7; 64]);
    for (offset, more, part) in [(0u16, 1, &whole[40..80]), (40, 0, &whole[80..])] {
        let mut bytes = whole[..40].to_vec();
        bytes[6] = FRAGMENT;
        bytes.extend([UDP, 0]);
        bytes.extend((offset | more).to_be_bytes());
        bytes.extend(0x1234u32.to_be_bytes());
        bytes.extend(part);
        let len = (bytes.len() - 40) as u16;
        put16(&mut bytes, 4, len);
        let original = bytes.clone();
        let (mut map, mut vnet) = (StandIns::default(), VnetHeader::default());
        let (start, headers) = enters(&mut bytes, &mut vnet, &mut map);
        assert!(headers.fragment);
        assert_eq!(headers.has_ports(), offset == 0);
        let (again, _) = leaves(&mut bytes[start..], &vnet, &map);
        assert_eq!(again, original);
    }
}

#[test]
fn too_big_is_told_in_the_size_of_each_family() {
    let (from, to) = addresses();
    let mut sent = tcp(from, to, &[1; 1400]);
    let as_sent = sent.clone();
    let (mut map, mut vnet) = (StandIns::default(), VnetHeader::default());
    let (start, headers) = enters(&mut sent, &mut vnet, &mut map);
    let router = map.give(ROUTER_OF_TEST);
    let error = IcmpError::FragmentationNeeded(1380);
    let mut error = icmp_error(error, router, &sent[start..], &headers);
    let (out, _) = leaves(&mut error, &VnetHeader::default(), &map);
    let (is, right) = transport_sums(&out);
    assert_eq!(is, right);
    assert_eq!(
        (out[6], out[40], out[41], be32(&out, 44)),
        (ICMPV6, 2, 0, 1400)
    );
    assert!(out.len() <= 1280);
    // The sender finds its own packet in it, flow label apart.
    assert_eq!(out[48..], as_sent[..out.len() - 48]);

    // And the same way back: a host says so about a packet that it got.
    let mut back = out.clone();
    let mut vnet = VnetHeader::default();
    let start = enter(&mut vnet, &mut back, &mut map).expect("an error with a quote");
    let headers = Headers::parse(&vnet, &back[start..]).expect("a right IPv4 packet");
    let message = &back[start + headers.transport..];
    assert_eq!((message[0], message[1]), (3, v4icmp::FRAGMENTATION_NEEDED));
    assert_eq!(be16(message, 6), 1380);
    let quote = Quote::read(&back[start..], &headers).expect("a quote");
    assert_eq!(map.end(quote.from), from.into());
    assert_eq!(map.end(quote.to), to.into());
    let (again, _) = leaves(&mut back[start..], &vnet, &map);
    assert_eq!(again, out);
}

const ROUTER_OF_TEST: Ipv6Addr = crate::packet::stand_in::ROUTER;

#[test]
fn neighbour_discovery_has_no_counterpart() {
    let (from, to) = addresses();
    let mut bytes = ping(*from.ip(), *to.ip(), &[0; 20]);
    for kind in [133, 134, 135, 136, 137, 143] {
        bytes[40] = kind;
        let entered = enter(
            &mut VnetHeader::default(),
            &mut bytes.clone(),
            &mut StandIns::default(),
        );
        assert_eq!(entered, Err(Malformed::Untranslatable));
    }
}

#[test]
fn a_datagram_without_sum_gets_one_on_its_way_out() {
    let (from, to) = addresses();
    let mut bytes = udp(from, to, b"odd");
    let (mut map, mut vnet) = (StandIns::default(), VnetHeader::default());
    let (start, _) = enters(&mut bytes, &mut vnet, &mut map);
    put16(&mut bytes[start..], 26, 0);
    let (out, _) = leaves(&mut bytes[start..], &vnet, &map);
    let (is, right) = transport_sums(&out);
    assert_eq!(is, right);
    let mut without = out;
    put16(&mut without, 46, 0);
    assert_eq!(
        enter(&mut vnet, &mut without, &mut map),
        Err(Malformed::Checksum)
    );
}
