//! Tests of the packet module, with `etherparse` as the oracle.

use super::answer::{IcmpError, icmp_error, may_be_answered, reset};
use super::ends::Ends;
use super::plain::{self, Plain};
use super::print::{Flags, Line};
use super::rewrite::{fill_checksums, finish_checksum, rewrite};
use super::segment::segment;
use super::vnet::{GSO_TCPV4, GSO_UDP_L4, NEEDS_CSUM};
use super::*;
use etherparse::{NetHeaders, PacketBuilder, PacketHeaders, TransportHeader};
use proptest::prelude::*;
use std::net::{Ipv4Addr, SocketAddrV4};

fn tcp(from: SocketAddrV4, to: SocketAddrV4, seq: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 64)
        .tcp(from.port(), to.port(), seq, 500)
        .ack(77)
        .psh()
        .fin()
        .cwr()
        .write(&mut bytes, payload)
        .expect("into memory");
    bytes
}

fn udp(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 64)
        .udp(from.port(), to.port())
        .write(&mut bytes, payload)
        .expect("into memory");
    bytes
}

fn parse(bytes: &[u8]) -> Headers {
    Headers::parse(&VnetHeader::default(), bytes).expect("well-formed")
}

/// Puts the pseudo-header sum where a kernel leaves it, as `etherparse` adds it up.
fn make_partial(bytes: &mut [u8]) -> VnetHeader {
    let headers = parse(bytes);
    let offset = checksum::field_offset(headers.protocol).expect("TCP or UDP");
    let mut words = Vec::new();
    words.extend(headers.source().octets());
    words.extend(headers.destination().octets());
    words.extend([0, headers.protocol]);
    words.extend(((headers.total_len - headers.transport) as u16).to_be_bytes());
    let sum = !u16::from_be(
        etherparse::checksum::Sum16BitWords::new()
            .add_slice(&words)
            .ones_complement(),
    );
    put16(bytes, headers.transport + offset, sum);
    VnetHeader {
        flags: NEEDS_CSUM,
        csum_start: headers.transport as u16,
        csum_offset: offset as u16,
        ..VnetHeader::default()
    }
}

/// The transport and IPv4 sums that `etherparse` computes.
fn right_sums(bytes: &[u8]) -> (u16, u16) {
    let parsed = PacketHeaders::from_ip_slice(bytes).expect("etherparse takes it");
    let Some(NetHeaders::Ipv4(ip, _)) = &parsed.net else {
        panic!("not IPv4")
    };
    let payload = parsed.payload.slice();
    let sum = match &parsed.transport {
        Some(TransportHeader::Tcp(tcp)) => tcp.calc_checksum_ipv4(ip, payload).expect("short"),
        Some(TransportHeader::Udp(udp)) => udp.calc_checksum_ipv4(ip, payload).expect("short"),
        other => panic!("neither TCP nor UDP: {other:?}"),
    };
    (sum, ip.calc_header_checksum())
}

fn sums(bytes: &[u8], headers: &Headers) -> (u16, u16) {
    let field = headers.transport + checksum::field_offset(headers.protocol).expect("has one");
    (be16(bytes, field), be16(bytes, 10))
}

fn socket() -> impl Strategy<Value = SocketAddrV4> {
    // The words that ones' complement arithmetic trips over come up often.
    let octets = prop::sample::select(vec![0u8, 1, 10, 127, 254, 255]);
    let address = prop_oneof![any::<[u8; 4]>(), prop::array::uniform4(octets),];
    let port = prop_oneof![
        any::<u16>(),
        prop::sample::select(vec![0u16, 1, 0xfffe, 0xffff])
    ];
    (address, port).prop_map(|(address, port)| SocketAddrV4::new(Ipv4Addr::from(address), port))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Incremental = full = finished partial, whatever changes.
    #[test]
    fn all_three_forms_give_the_same_sum(
        (from, to, new_from, new_to) in (socket(), socket(), socket(), socket()),
        payload in prop::collection::vec(any::<u8>(), 0..64),
        is_udp: bool,
    ) {
        let mut full = if is_udp { udp(from, to, &payload) } else { tcp(from, to, 9, &payload) };
        let mut partial = full.clone();

        let mut headers = parse(&full);
        rewrite(&mut full, &mut headers, new_from, new_to);
        prop_assert_eq!(sums(&full, &headers), right_sums(&full));
        prop_assert_eq!((headers.from, headers.to), (new_from, new_to));
        prop_assert_eq!(parse(&full), headers);

        let vnet = make_partial(&mut partial);
        let mut headers = Headers::parse(&vnet, &partial).expect("well-formed");
        prop_assert!(headers.partial);
        rewrite(&mut partial, &mut headers, new_from, new_to);
        finish_checksum(&mut partial, &mut headers);
        prop_assert_eq!(&partial, &full);

        let mut computed = full.clone();
        fill_checksums(&mut computed, &headers);
        prop_assert_eq!(&computed, &full);
    }

    #[test]
    fn a_rewrite_undone_is_the_identity(
        (from, to, new_from, new_to) in (socket(), socket(), socket(), socket()),
        payload in prop::collection::vec(any::<u8>(), 0..64),
        (is_udp, partial) in (any::<bool>(), any::<bool>()),
    ) {
        let mut bytes = if is_udp { udp(from, to, &payload) } else { tcp(from, to, 9, &payload) };
        let vnet = if partial { make_partial(&mut bytes) } else { VnetHeader::default() };
        let original = bytes.clone();
        let mut headers = Headers::parse(&vnet, &bytes).expect("well-formed");
        rewrite(&mut bytes, &mut headers, new_from, new_to);
        rewrite(&mut bytes, &mut headers, from, to);
        prop_assert_eq!(bytes, original);
    }

    /// What is read of a plain packet and written into it is what is read and written of any.
    #[test]
    fn a_plain_packet_is_a_packet(
        (from, to, new_from, new_to) in (socket(), socket(), socket(), socket()),
        payload in prop::collection::vec(any::<u8>(), 0..64),
        (is_udp, partial, gso, ttl) in (any::<bool>(), any::<bool>(), any::<bool>(), any::<u8>()),
        wrong_sum in prop::option::weighted(0.2, 1..=u8::MAX),
        damage in prop::option::weighted(0.5, (0..40_usize, any::<u8>())),
    ) {
        let mut bytes = if is_udp { udp(from, to, &payload) } else { tcp(from, to, 9, &payload) };
        let mut vnet = if partial { make_partial(&mut bytes) } else { VnetHeader::default() };
        if gso {
            vnet.gso_type = if is_udp { GSO_UDP_L4 } else { GSO_TCPV4 };
            vnet.gso_size = 10;
        }
        if !is_udp {
            bytes[33] &= !plain::CONTROL;
        }
        bytes[8] = ttl;
        if let Some((at, byte)) = damage.filter(|(at, _)| *at < bytes.len()) {
            bytes[at] = byte;
        }
        // What stands for IPv6 is longer on a wire; damage can make an address one of those.
        let written = [12, 16].map(|at| Ipv4Addr::from([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
        let others = [*new_from.ip(), *new_to.ip()];
        prop_assume!(!written.iter().chain(&others).any(|address| stand_in::is_stand_in(*address)));
        if let Ok(mut ip) = Ipv4Packet::new_checked(&mut bytes[..]) {
            ip.fill_checksum();
        }
        if let Some(wrong) = wrong_sum {
            bytes[11] ^= wrong;
            prop_assert!(Plain::read(&vnet, &bytes).is_none());
            return Ok(());
        }
        let plain = Plain::read(&vnet, &bytes);
        let headers = Headers::parse(&vnet, &bytes);
        prop_assert!(plain.is_some() || damage.is_some() || (gso && !partial) || ttl < 2);
        if let Some(plain) = plain {
            let mut headers = headers.expect("a packet");
            prop_assert_eq!(plain.headers(), headers);
            let on_wire = (headers.wire_packets() as u32, headers.wire_bytes() as u32);
            prop_assert_eq!(plain.on_wire(), on_wire);
            prop_assert_eq!(plain.payload_len() as usize, headers.payload_len());
            let mut other = bytes.clone();
            plain.send_on(&mut bytes, Ends::new(new_from, new_to));
            Ipv4Packet::new_checked(&mut other[..]).expect("a packet").decrement_time_to_live();
            rewrite(&mut other, &mut headers, new_from, new_to);
            prop_assert_eq!(bytes, other);
        }
    }

    /// A super-packet cut up carries the same stream, each part a right packet.
    #[test]
    fn segments_carry_the_whole_payload(
        payload in prop::collection::vec(any::<u8>(), 1..6000),
        gso_size in 1u16..1500,
        seq: u32,
        is_udp: bool,
    ) {
        let (from, to) = ("10.0.0.1:5".parse().unwrap(), "10.0.0.2:80".parse().unwrap());
        let mut bytes = if is_udp { udp(from, to, &payload) } else { tcp(from, to, seq, &payload) };
        let mut vnet = make_partial(&mut bytes);
        vnet.gso_type = if is_udp { GSO_UDP_L4 } else { GSO_TCPV4 };
        vnet.gso_size = gso_size;
        let headers = Headers::parse(&vnet, &bytes).expect("well-formed");
        let mut parts = Vec::new();
        segment(&bytes, &headers, &mut Vec::new(), |part, part_headers| {
            assert_eq!(parse(part), part_headers);
            parts.push((part.to_vec(), part_headers));
        });
        prop_assert_eq!(parts.len(), headers.wire_packets());
        let wire: usize = parts.iter().map(|(part, _)| part.len()).sum();
        prop_assert_eq!(wire, headers.wire_bytes());
        prop_assert_eq!(parts.iter().map(|(part, _)| part.len()).max(), Some(headers.wire_len()));
        let mut stream = Vec::new();
        let first_id = be16(&bytes, 4);
        for (index, (part, part_headers)) in parts.iter().enumerate() {
            prop_assert_eq!(sums(part, part_headers), right_sums(part));
            prop_assert_eq!(be16(part, 4), first_id.wrapping_add(index as u16));
            if is_udp {
                prop_assert_eq!(usize::from(be16(part, 24)), part.len() - 20);
            } else {
                let last = index + 1 == parts.len();
                prop_assert_eq!(part_headers.seq, seq.wrapping_add(stream.len() as u32));
                prop_assert_eq!(part_headers.flags & (tcp::PSH | tcp::FIN) != 0, last);
                prop_assert_eq!(part_headers.flags & tcp::CWR != 0, index == 0);
                prop_assert_eq!(part_headers.flags & tcp::ACK, tcp::ACK);
            }
            stream.extend_from_slice(&part[part_headers.payload..]);
        }
        prop_assert_eq!(stream, payload);
    }

    #[test]
    fn any_bytes_are_a_packet_or_a_reason(
        vnet in prop::array::uniform10(any::<u8>()),
        mut bytes in prop::collection::vec(any::<u8>(), 0..100),
        honest: bool,
    ) {
        let vnet = VnetHeader::read(&vnet).expect("ten bytes");
        let len = bytes.len() as u16;
        if honest && bytes.len() >= 24 {
            bytes[0] = 0x45 + bytes[0] % 2;
            put16(&mut bytes, 2, len);
            Ipv4Packet::new_checked(&mut bytes[..]).expect("honest").fill_checksum();
        }
        let _ = Line(&bytes).to_string();
        for vnet in [vnet, VnetHeader::default()] {
            if let Some(plain) = Plain::read(&vnet, &bytes) {
                prop_assert_eq!(Ok(plain.headers()), Headers::parse(&vnet, &bytes));
            }
            if let Ok(headers) = Headers::parse(&vnet, &bytes) {
                prop_assert!(headers.payload <= headers.total_len);
                let _ = reset(&bytes, &headers);
                let _ = may_be_answered(&bytes, &headers);
                let _ = icmp_error(IcmpError::TimeExceeded, Ipv4Addr::LOCALHOST, &bytes, &headers);
                if let Some(quote) = quote::Quote::read(&bytes, &headers) {
                    quote.rewrite(&mut bytes.clone(), &headers, quote.to, quote.from);
                }
                segment(&bytes, &headers, &mut Vec::new(), |_, _| {});
            }
        }
    }
}

#[test]
fn udp_zero_is_none_and_a_computed_zero_is_all_ones() {
    let (from, to) = (
        "10.0.0.1:5".parse().unwrap(),
        "10.0.0.2:80".parse().unwrap(),
    );
    let mut bytes = udp(from, to, b"abc");
    put16(&mut bytes, 26, 0);
    let mut headers = parse(&bytes);
    rewrite(&mut bytes, &mut headers, to, from);
    assert_eq!(be16(&bytes, 26), 0);

    // Change the source port until the sum would be zero.
    let mut zeros = 0;
    for port in 0..=u16::MAX {
        let mut bytes = udp(from, to, b"abc");
        let mut headers = parse(&bytes);
        rewrite(
            &mut bytes,
            &mut headers,
            SocketAddrV4::new(*from.ip(), port),
            to,
        );
        assert_ne!(be16(&bytes, 26), 0);
        zeros += u32::from(be16(&bytes, 26) == 0xffff);
    }
    assert!(zeros >= 1);
}

#[test]
fn what_is_wrong_has_a_name() {
    let good = tcp(
        "10.0.0.1:5".parse().unwrap(),
        "10.0.0.2:80".parse().unwrap(),
        1,
        b"abc",
    );
    let with = |change: fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        Headers::parse(&VnetHeader::default(), &bytes).map(|_| ())
    };
    assert_eq!(with(|_| ()), Ok(()));
    assert_eq!(with(|b| b.clear()), Err(Malformed::Truncated));
    assert_eq!(with(|b| b[0] = 0x65), Err(Malformed::NotIpv4));
    assert_eq!(with(|b| b[0] = 0x44), Err(Malformed::Length));
    assert_eq!(with(|b| b.truncate(42)), Err(Malformed::Truncated));
    assert_eq!(with(|b| b[8] -= 1), Err(Malformed::Checksum));
    assert_eq!(with(|b| b[32] = 0x40), Err(Malformed::Length));
    assert_eq!(with(|b| b[32] = 0xf0), Err(Malformed::Length));
}

#[test]
fn offload_that_does_not_fit_is_refused() {
    let mut bytes = tcp(
        "10.0.0.1:5".parse().unwrap(),
        "10.0.0.2:80".parse().unwrap(),
        1,
        b"abc",
    );
    let good = VnetHeader {
        gso_type: GSO_TCPV4,
        gso_size: 2,
        ..make_partial(&mut bytes)
    };
    assert!(Headers::parse(&good, &bytes).is_ok());
    for bad in [
        VnetHeader {
            gso_size: 0,
            ..good
        },
        VnetHeader {
            gso_type: GSO_UDP_L4,
            ..good
        },
        VnetHeader {
            gso_type: 3,
            ..good
        },
        VnetHeader { flags: 0, ..good },
        VnetHeader {
            csum_start: 0,
            ..good
        },
        VnetHeader {
            csum_start: 400,
            ..good
        },
        VnetHeader {
            csum_offset: 400,
            ..good
        },
    ] {
        assert_eq!(
            Headers::parse(&bad, &bytes),
            Err(Malformed::Offload),
            "{bad:?}"
        );
    }
}

/// RFC 9293 section 3.10.7.1, both forms.
#[test]
fn a_reset_is_acceptable_to_its_receiver() {
    let bytes = tcp(
        "10.0.0.1:5".parse().unwrap(),
        "10.0.0.2:80".parse().unwrap(),
        1000,
        b"abc",
    );
    let rst = reset(&bytes, &parse(&bytes)).expect("an answer");
    assert_eq!(
        Line(&rst).to_string(),
        "10.0.0.2.80 > 10.0.0.1.5: Flags [R], seq 77, win 0, length 0"
    );
    assert_eq!(sums(&rst, &parse(&rst)), right_sums(&rst));
    assert_eq!(reset(&rst, &parse(&rst)), None);

    let mut syn = tcp(
        "10.0.0.1:5".parse().unwrap(),
        "10.0.0.2:80".parse().unwrap(),
        1000,
        b"",
    );
    syn[33] = tcp::SYN;
    let rst = reset(&syn, &parse(&syn)).expect("an answer");
    assert_eq!(
        Line(&rst).to_string(),
        "10.0.0.2.80 > 10.0.0.1.5: Flags [R.], seq 0, ack 1001, win 0, length 0"
    );
}

#[test]
fn an_icmp_error_quotes_what_fits() {
    let about = |len| {
        let payload = vec![1; len];
        let bytes = udp(
            "10.0.0.1:5".parse().unwrap(),
            "10.0.0.2:80".parse().unwrap(),
            &payload,
        );
        let error = IcmpError::FragmentationNeeded(1400);
        let made = icmp_error(error, Ipv4Addr::new(192, 0, 0, 8), &bytes, &parse(&bytes));
        (bytes, made)
    };
    for (len, size) in [(0, 56), (10, 66), (2000, 576)] {
        let (bytes, made) = about(len);
        assert_eq!(made.len(), size);
        let message = IcmpPacket::new_checked(&made[20..]).expect("ICMP");
        assert!(message.verify_checksum());
        assert_eq!(
            (
                message.message_type(),
                message.code(),
                message.next_hop_mtu()
            ),
            (3, 4, 1400)
        );
        assert_eq!(message.payload(), &bytes[..size - 28]);
        assert!(!may_be_answered(&made, &parse(&made)));
        assert!(may_be_answered(&bytes, &parse(&bytes)));
    }
    let (_, made) = about(0);
    assert_eq!(
        Line(&made).to_string(),
        "192.0.0.8 > 10.0.0.1: ICMP type 3 code 4, length 28"
    );
}

#[test]
fn nobody_and_everybody_are_not_answered() {
    for (from, to) in [
        ("0.0.0.0:5", "10.0.0.2:80"),
        ("127.0.0.1:5", "10.0.0.2:80"),
        ("10.0.0.1:5", "224.0.0.1:80"),
        ("10.0.0.1:5", "255.255.255.255:80"),
    ] {
        let bytes = udp(from.parse().unwrap(), to.parse().unwrap(), b"");
        assert!(!may_be_answered(&bytes, &parse(&bytes)), "{from} {to}");
    }
}

#[test]
fn lines_read_as_tcpdump_writes_them() {
    let bytes = tcp(
        "10.0.0.1:5".parse().unwrap(),
        "10.0.0.2:80".parse().unwrap(),
        1000,
        b"abc",
    );
    assert_eq!(
        Line(&bytes).to_string(),
        "10.0.0.1.5 > 10.0.0.2.80: Flags [FP.W], seq 1000:1003, ack 77, win 500, length 3"
    );
    let bytes = udp(
        "10.0.0.1:5".parse().unwrap(),
        "10.0.0.2:80".parse().unwrap(),
        b"abc",
    );
    assert_eq!(
        Line(&bytes).to_string(),
        "10.0.0.1.5 > 10.0.0.2.80: UDP, length 3"
    );
    assert_eq!(Line(b"abc").to_string(), "3 bytes: not IPv4");
    let flags: Vec<String> = [0, 0x02, 0x12, 0x10, 0x11, 0x18, 0x04, 0x14]
        .map(|flags| Flags(flags).to_string())
        .into();
    assert_eq!(flags, ["none", "S", "S.", ".", "F.", "P.", "R", "R."]);
}

/// A golden packet: the bytes of RFC 1071's method worked by hand for this header.
#[test]
fn the_example_of_the_textbook() {
    let header: [u8; 20] = [
        0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0x00,
        0x01, 0xc0, 0xa8, 0x00, 0xc7,
    ];
    let mut bytes = header.to_vec();
    bytes.resize(0x73, 0);
    let mut ip = Ipv4Packet::new_checked(bytes).expect("well-formed");
    assert!(ip.verify_checksum());
    ip.fill_checksum();
    assert_eq!(ip.header_checksum(), 0xb861);
    ip.decrement_time_to_live();
    assert!(ip.verify_checksum());
    assert_eq!(ip.time_to_live(), 0x3f);
}
