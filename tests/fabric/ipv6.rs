//! IPv6 and dualstack balancers: what a target sees, what crosses the gateway, and packets that change their family.

use crate::kit::*;
use etherparse::{NetHeaders, PacketBuilder, PacketHeaders, TcpHeader, TransportHeader};
use hairpin::fabric::Config;
use hairpin::fabric::config::*;
use hairpin::fabric::record::*;
use hairpin::packet::VnetHeader;
use hairpin::packet::vnet::{GSO_TCPV4, GSO_TCPV6, NEEDS_CSUM};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

pub(crate) const CLIENT6: &str = "2001:db8::1";
pub(crate) const WEB1_6: &str = "2001:db8:a::10";
pub(crate) const FRONT_A6: &str = "2001:db8:a::f";
/// Listens for the group of IPv6 targets; 80 for that of IPv4 targets.
pub(crate) const SIX: u16 = 443;

fn ip6(text: &str) -> Ipv6Addr {
    text.parse().expect("an address")
}

pub(crate) fn end6(address: &str, port: u16) -> SocketAddr {
    SocketAddr::V6(SocketAddrV6::new(ip6(address), port, 0, 0))
}

pub(crate) fn end4(address: &str, port: u16) -> SocketAddr {
    SocketAddr::V4(end(address, port))
}

/// [`one_target`] as a dualstack balancer, with a second listener for the same target's IPv6 address.
pub(crate) fn dualstack() -> Config {
    let mut config = one_target();
    let mut stand_ins = StandIns::default();
    config.ports[0].ipv6 = Some(stand_ins.give(ip6(CLIENT6)));
    let web1 = stand_ins.give(ip6(WEB1_6));
    config.ports[1].ipv6 = Some(web1);
    config.balancers[0].zonal[0].ipv6 = Some(stand_ins.give(ip6(FRONT_A6)));
    config.balancers[0].ipv6_from_internet = true;
    let listener = Listener {
        port: SIX,
        forward: vec![Forward {
            group: GroupId(1),
            weight: 1,
            cross_zone: true,
        }],
        ..config.balancers[0].listeners[0].clone()
    };
    config.balancers[0].listeners.push(listener);
    let mut group = config.groups[0].clone();
    group.targets.truncate(1);
    group.targets[0].address = web1;
    config.groups.push(group);
    config.stand_ins = stand_ins;
    config
}

pub(crate) fn tcp(from: SocketAddr, to: SocketAddr, flags: u8, isn: u32, len: usize) -> Vec<u8> {
    let mut tcp = TcpHeader::new(from.port(), to.port(), isn, 64_240);
    tcp.syn = flags & SYN != 0;
    tcp.ack = flags & ACK != 0;
    tcp.acknowledgment_number = if tcp.ack { isn + 1 } else { 0 };
    let builder = match (from, to) {
        (SocketAddr::V6(from), SocketAddr::V6(to)) => {
            PacketBuilder::ipv6(from.ip().octets(), to.ip().octets(), 64)
        }
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 64)
        }
        other => panic!("two families: {other:?}"),
    };
    let payload: Vec<u8> = (0..len).map(|n| n as u8).collect();
    let mut bytes = Vec::new();
    let builder = builder.tcp_header(tcp);
    builder.write(&mut bytes, &payload).expect("into memory");
    bytes
}

/// Ends and payload of a TCP packet, by `etherparse`.
pub(crate) fn seen(delivery: &Delivery) -> (SocketAddr, SocketAddr, Vec<u8>) {
    let parsed = PacketHeaders::from_ip_slice(&delivery.bytes).expect("a packet");
    let Some(TransportHeader::Tcp(tcp)) = &parsed.transport else {
        panic!("not TCP: {parsed:?}")
    };
    let (from, to) = match &parsed.net {
        Some(NetHeaders::Ipv4(ip, _)) => (
            std::net::IpAddr::from(ip.source),
            std::net::IpAddr::from(ip.destination),
        ),
        Some(NetHeaders::Ipv6(ip, _)) => (ip.source.into(), ip.destination.into()),
        other => panic!("not IP: {other:?}"),
    };
    (
        SocketAddr::new(from, tcp.source_port),
        SocketAddr::new(to, tcp.destination_port),
        parsed.payload.slice().to_vec(),
    )
}

/// Sends a SYN to the balancer and the target's answer back; gives the client as the target saw it.
fn handshake(net: &mut Net, client: SocketAddr, front: SocketAddr) -> (SocketAddr, SocketAddr) {
    let came = net.send(CLIENT, tcp(client, front, SYN, 1, 0));
    assert_eq!((came.len(), came[0].to), (1, WEB1));
    let (from, to, _) = seen(&came[0]);
    let back = net.send(WEB1, tcp(to, from, SYN | ACK, 1, 0));
    assert_eq!((back.len(), back[0].to), (1, CLIENT));
    let (answered_by, answered, _) = seen(&back[0]);
    assert_eq!((answered_by, answered), (front, client));
    (from, to)
}

#[test]
fn what_the_target_sees_is_as_the_documentation_says() {
    let six = end6(CLIENT6, 40_000);
    let four = end4(CLIENT_IP, 40_000);
    for preserve in [true, false] {
        let mut config = dualstack();
        for group in &mut config.groups {
            group.preserve_client_ip = preserve;
        }
        let mut net = Net::new(config);
        // IPv4 to IPv4.
        let (from, to) = handshake(&mut net, four, end4(FRONT_A, 80));
        assert_eq!(to, end4(WEB1_IP, 80));
        match preserve {
            true => assert_eq!(from, four),
            false => assert_eq!(from.ip().to_string(), FRONT_A_PRIVATE),
        }
        // IPv6 to IPv4: the balancer's address whatever the attribute says.
        let (from, to) = handshake(&mut net, six, end6(FRONT_A6, 80));
        assert_eq!(to, end4(WEB1_IP, 80));
        assert_eq!(from.ip().to_string(), FRONT_A_PRIVATE);
        // IPv4 to IPv6.
        let (from, to) = handshake(&mut net, four, end4(FRONT_A, SIX));
        assert_eq!(to, end6(WEB1_6, SIX));
        assert_eq!(from.ip().to_string(), FRONT_A6);
        // IPv6 to IPv6.
        let (from, to) = handshake(&mut net, six, end6(FRONT_A6, SIX));
        assert_eq!(to, end6(WEB1_6, SIX));
        match preserve {
            true => assert_eq!(from, six),
            false => assert_eq!(from.ip().to_string(), FRONT_A6),
        }
        assert_eq!(net.metric("NewFlowCount"), 4);
        let flows = net.fabric.flows();
        let map = net.fabric.stand_ins();
        assert_eq!(map.end(flows[1].client_side.from), six);
        assert_eq!(map.end(flows[3].target_side.to), end6(WEB1_6, SIX));
    }
}

#[test]
fn super_packets_change_their_family_whole() {
    let mut net = Net::new(dualstack());
    let (six, front) = (end6(CLIENT6, 40_000), end6(FRONT_A6, 80));
    let (from, to) = handshake(&mut net, six, front);
    let mut bytes = tcp(six, front, ACK, 2, 20_000);
    let partial = |bytes: &mut [u8], transport: usize, gso_type| {
        let addresses = match transport {
            40 => &bytes[8..40],
            _ => &bytes[12..20],
        };
        let mut words = addresses.to_vec();
        words.extend(((bytes.len() - transport) as u32).to_be_bytes());
        words.extend([0, 6]);
        let sum = etherparse::checksum::Sum16BitWords::new().add_slice(&words);
        let sum = !u16::from_be(sum.ones_complement());
        bytes[transport + 16..transport + 18].copy_from_slice(&sum.to_be_bytes());
        VnetHeader {
            flags: NEEDS_CSUM,
            gso_type,
            hdr_len: transport as u16 + 20,
            gso_size: 1400,
            csum_start: transport as u16,
            csum_offset: 16,
        }
    };
    let vnet = partial(&mut bytes, 40, GSO_TCPV6);
    let came = net.send_frame(CLIENT, vnet, bytes);
    assert_eq!(came.len(), 1);
    assert_eq!(
        (came[0].vnet.gso_type, came[0].vnet.gso_size),
        (GSO_TCPV4, 1400)
    );
    assert_eq!(came[0].vnet.csum_start, 20);
    let payload: Vec<u8> = (0..20_000).map(|n| n as u8).collect();
    assert_eq!(seen(&came[0]), (from, to, payload.clone()));

    let mut bytes = tcp(to, from, ACK, 2, 20_000);
    let vnet = partial(&mut bytes, 20, GSO_TCPV4);
    let came = net.send_frame(WEB1, vnet, bytes);
    assert_eq!(
        (came[0].vnet.gso_type, came[0].vnet.csum_start),
        (GSO_TCPV6, 40)
    );
    assert_eq!(seen(&came[0]), (front, six, payload));
}

#[test]
fn hosts_reach_each_other_and_the_internet_without_translation() {
    let mut net = Net::new(dualstack());
    let (six, web) = (end6(CLIENT6, 40_000), end6(WEB1_6, 80));
    for (sender, from, to) in [(CLIENT, six, web), (WEB1, web, six)] {
        let came = net.send(sender, tcp(from, to, SYN, 1, 0));
        let (seen_from, seen_to, _) = seen(&came[0]);
        assert_eq!((seen_from, seen_to), (from, to));
        assert_eq!(came[0].bytes[7], 63, "one hop");
    }
}

#[test]
fn what_goes_nowhere_has_a_reason() {
    let mut net = Net::new(dualstack());
    let six = end6(CLIENT6, 40_000);
    let nowhere = end6("2001:db8::dead", 80);
    assert_eq!(
        net.dropped(CLIENT, tcp(six, nowhere, SYN, 1, 0)),
        Reason::NoRoute
    );
    // The books know whom it was for.
    let to = net.fabric.records()[0].before.to;
    assert_eq!(net.fabric.stand_ins().end(to), nowhere);
    assert_eq!(
        net.dropped(CLIENT, tcp(nowhere, six, SYN, 1, 0)),
        Reason::SpoofedSource
    );
    assert_eq!(
        net.dropped(CLIENT, tcp(six, end6(FRONT_A6, 81), SYN, 1, 0)),
        Reason::NoListener
    );
    // A stand-in is no address of IPv4.
    let stand_in = net.fabric.config().ports[1].ipv6.expect("it has one");
    let four = end4(CLIENT_IP, 40_000);
    let to = SocketAddr::from((stand_in, 80));
    assert_eq!(
        net.dropped(CLIENT, tcp(four, to, SYN, 1, 0)),
        Reason::NoRoute
    );
    // A host without IPv6 has none to send.
    let mut ping = Vec::new();
    PacketBuilder::ipv6(ip6(CLIENT6).octets(), ip6(FRONT_A6).octets(), 64)
        .icmpv6_echo_request(1, 1)
        .write(&mut ping, &[])
        .expect("into memory");
    assert_eq!(net.dropped(WEB2, ping.clone()), Reason::SpoofedSource);
    assert_eq!(net.dropped(CLIENT, ping), Reason::IcmpUnsupported);
    // In a network without IPv6 nothing of it is known.
    let mut net = Net::new(config());
    assert_eq!(
        net.dropped(CLIENT, tcp(six, nowhere, SYN, 1, 0)),
        Reason::NotIpv4
    );
}

#[test]
fn what_has_no_counterpart_in_the_other_family_is_dropped_as_that() {
    let mut config = dualstack();
    for listener in &mut config.balancers[0].listeners {
        listener.forward[0].group = GroupId(1);
    }
    let mut net = Net::new(config);
    // A router solicitation (RFC 4861) is of IPv6 alone.
    let mut solicitation = Vec::new();
    PacketBuilder::ipv6(ip6(CLIENT6).octets(), ip6(FRONT_A6).octets(), 255)
        .icmpv6_raw(133, 0, [0; 4])
        .write(&mut solicitation, &[])
        .expect("into memory");
    assert_eq!(net.dropped(CLIENT, solicitation), Reason::Untranslatable);
    // UDP over IPv6 must have a sum, and nobody who sees the first fragment alone can make one.
    let whole = datagram(end(CLIENT_IP, 40_000), end(FRONT_A, 53), 152);
    let mut first = part(&whole, 7, 0, true);
    first[26..28].copy_from_slice(&[0, 0]);
    assert_eq!(net.dropped(CLIENT, first), Reason::Untranslatable);
}

#[test]
fn an_internal_balancer_keeps_the_internet_out() {
    let mut config = dualstack();
    config.balancers[0].ipv6_from_internet = false;
    let mut net = Net::new(config);
    let front = end6(FRONT_A6, SIX);
    let from_internet = tcp(end6(CLIENT6, 40_000), front, SYN, 1, 0);
    assert_eq!(net.dropped(CLIENT, from_internet), Reason::NotRoutable);
    let came = net.send(WEB1, tcp(end6(WEB1_6, 40_000), front, SYN, 1, 0));
    assert_eq!(came.len(), 1, "it reaches itself from inside");
    assert_eq!(net.fabric.self_sourced(WEB1), 1);
}

#[test]
fn a_segment_without_flow_is_reset_over_ipv6() {
    let mut net = Net::new(dualstack());
    let (six, front) = (end6(CLIENT6, 40_000), end6(FRONT_A6, SIX));
    let came = net.send(CLIENT, tcp(six, front, ACK, 5, 10));
    assert_eq!((came.len(), came[0].to), (1, CLIENT));
    let (from, to, _) = seen(&came[0]);
    assert_eq!((from, to), (front, six));
    assert_eq!(came[0].bytes.len(), 60);
    assert_eq!(came[0].bytes[40 + 13], RST);
}

#[test]
fn a_hop_limit_that_runs_out_is_told_in_its_own_words() {
    let mut net = Net::new(dualstack());
    let (six, front) = (end6(CLIENT6, 40_000), end6(FRONT_A6, SIX));
    let mut bytes = tcp(six, front, SYN, 1, 0);
    bytes[7] = 1;
    let came = net.send(CLIENT, bytes);
    assert_eq!((came.len(), came[0].to), (1, CLIENT));
    assert_eq!(came[0].bytes[40..42], [3, 0]);
    let records = net.fabric.records();
    assert_eq!(records[0].fate, Fate::Answered(Answer::HopLimitExceeded));
}

/// A link carries what a wire carries: the IPv6 header counts, and the sender learns the link's own size.
#[test]
fn a_small_link_is_answered_with_packet_too_big() {
    for (is_six, port, limit, told) in [
        // Toward an IPv6 target the wire's size; an IPv4 client must send 20 bytes less.
        (true, SIX, 1400, 1400),
        (false, SIX, 1400, 1380),
        // Toward an IPv4 target an IPv6 client may send 20 bytes more.
        (true, 80, 1400, 1420),
        (false, 80, 1400, 1400),
    ] {
        let mut config = dualstack();
        config.ports[1].down.mtu = Some(limit);
        let mut net = Net::new(config);
        let (client, front) = match is_six {
            true => (end6(CLIENT6, 40_000), end6(FRONT_A6, port)),
            false => (end4(CLIENT_IP, 40_000), end4(FRONT_A, port)),
        };
        handshake(&mut net, client, front);
        let header = if is_six { 60 } else { 40 };
        let fits = tcp(client, front, ACK, 2, told - header);
        assert_eq!(net.send(CLIENT, fits)[0].to, WEB1, "{client} {port}");
        let too_big = tcp(client, front, ACK, 2, told - header + 1);
        let came = net.send(CLIENT, too_big.clone());
        let answer = match is_six {
            true => Answer::PacketTooBig,
            false => Answer::FragmentationNeeded,
        };
        let records = net.fabric.records();
        assert!(records.iter().any(|it| it.fate == Fate::Answered(answer)));
        assert_eq!((came.len(), came[0].to), (1, CLIENT));
        let bytes = &came[0].bytes;
        let (kind, mtu, quoted) = match is_six {
            true => (
                bytes[40],
                u32::from_be_bytes([bytes[44], bytes[45], bytes[46], bytes[47]]),
                48,
            ),
            false => (
                bytes[20],
                u32::from(u16::from_be_bytes([bytes[26], bytes[27]])),
                28,
            ),
        };
        assert_eq!((kind, mtu as usize), (if is_six { 2 } else { 3 }, told));
        let ports = if is_six { 40 } else { 20 };
        assert_eq!(
            bytes[quoted + ports..quoted + ports + 8],
            too_big[ports..ports + 8],
            "its own segment"
        );
    }
}

#[test]
fn a_hop_limit_that_runs_out_is_answered() {
    let mut net = Net::new(dualstack());
    let mut bytes = tcp(end6(CLIENT6, 40_000), end6(FRONT_A6, SIX), SYN, 1, 0);
    bytes[7] = 1;
    let came = net.send(CLIENT, bytes);
    assert_eq!((came.len(), came[0].to), (1, CLIENT));
    assert_eq!(came[0].bytes[40..42], [3, 0]);
}

/// A target says that nobody listens: the client of the other family hears it about its own packet.
#[test]
fn an_error_changes_its_family_with_its_flow() {
    let mut config = dualstack();
    config.balancers[0].listeners[1].forward[0].group = GroupId(1);
    config.balancers[0].on_target_error = OnTargetError::Pass;
    let mut net = Net::new(config);
    let (client, front) = (end(CLIENT_IP, 40_000), end(FRONT_A, 53));
    let came = net.send(CLIENT, datagram(client, front, 30)).remove(0);
    assert_eq!(came.bytes[0] >> 4, 6);
    let seen_as = Ipv6Addr::from(<[u8; 16]>::try_from(&came.bytes[8..24]).expect("16 bytes"));
    assert_eq!(seen_as, ip6(FRONT_A6));
    let mut error = Vec::new();
    PacketBuilder::ipv6(ip6(WEB1_6).octets(), seen_as.octets(), 64)
        .icmpv6_raw(1, 4, [0; 4])
        .write(&mut error, &came.bytes)
        .expect("into memory");
    let came = net.send(WEB1, error);
    assert_eq!((came.len(), came[0].to), (1, CLIENT));
    let bytes = &came[0].bytes;
    assert_eq!((bytes[0] >> 4, bytes[20], bytes[21]), (4, 3, 3));
    verify(&VnetHeader::default(), &bytes[28..]);
    assert_eq!(bytes[28 + 12..28 + 16], client.ip().octets());
    assert_eq!(bytes[28 + 16..28 + 20], front.ip().octets());
}
