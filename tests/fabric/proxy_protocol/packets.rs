//! What becomes of a moved stream's packets: numbers, options, sums, and what errors quote of them.

use super::*;
use crate::translation::make_partial;
use hairpin::packet::VnetHeader;
use hairpin::packet::quote::Quote;
use hairpin::packet::vnet::{GSO_TCPV4, NEEDS_CSUM};

#[test]
fn a_reset_has_the_number_that_its_receiver_expects() {
    let mut net = Net::new(with(Placement::OnFirstAckWithPayload));
    net.connect(CLIENT, client(), front(), ISN);
    // Before the header: untouched.
    let mut early = Net::new(with(Placement::OnFirstAckWithPayload));
    early.connect(CLIENT, client(), front(), ISN);
    assert_eq!(from_client(&mut early, RST, 0, 0)[0].headers().seq, ISN + 1);
    // After it, when it may have been lost: the header first.
    from_client(&mut net, ACK | PSH, 0, 30);
    let came = from_client(&mut net, RST | ACK, 0, 0);
    assert_eq!(payload(&came[0]), header());
    assert_eq!(came[1].headers().seq, ISN + 1 + LEN);

    // A RST of the balancer answers with the number the target itself said.
    let mut net = Net::new(with(Placement::OnFirstAckWithPayload));
    net.connect(CLIENT, client(), front(), ISN);
    from_client(&mut net, ACK | PSH, 0, 30);
    acknowledge(&mut net, LEN + 30);
    net.pass(IDLE * 2);
    let late = segment(web(), client(), ACK | PSH, 9001, ISN + 1 + LEN + 30).with_payload(5);
    let (_, answer) = net.reset(WEB1, late);
    assert_eq!(answer.seq, ISN + 1 + LEN + 30);
    let late = segment(client(), front(), ACK | PSH, ISN + 31, 9001).with_payload(5);
    let (_, answer) = net.reset(CLIENT, late);
    assert_eq!(answer.seq, 9001);
}

#[test]
fn sack_blocks_move_and_what_is_the_headers_vanishes() {
    let mut net = Net::new(with(Placement::OnFirstAckWithPayload));
    net.connect(CLIENT, client(), front(), ISN);
    from_client(&mut net, ACK | PSH, 0, 30);
    let base = ISN + 1;
    let mut told = |ack: u32, first: (u32, u32), more: [Option<(u32, u32)>; 3]| {
        let at = |(left, right): (u32, u32)| (base + left, base + right);
        let options = [
            TcpOptionElement::Noop,
            TcpOptionElement::Timestamp(77, 88),
            TcpOptionElement::Noop,
            TcpOptionElement::SelectiveAcknowledgement(at(first), more.map(|m| m.map(at))),
        ];
        let bytes = Rich {
            from: web(),
            to: client(),
            flags: ACK,
            seq: 9001,
            ack: base + ack,
            options: &options,
            payload: &[],
        }
        .bytes();
        let came = net.send(WEB1, bytes).remove(0);
        let blocks: Vec<_> = blocks(&came)
            .into_iter()
            .map(|(left, right)| (left - base, right - base))
            .collect();
        (came.headers().ack - base, blocks)
    };
    // The header is missing, later bytes are there.
    assert_eq!(
        told(0, (LEN, LEN + 30), [Some((LEN + 60, LEN + 90)), None, None]),
        (0, vec![(0, 30), (60, 90)])
    );
    // A header that came twice (RFC 2883) is none of the client's business.
    assert_eq!(
        told(LEN, (0, LEN), [Some((LEN + 60, LEN + 90)), None, None]),
        (0, vec![(60, 90)])
    );
    assert_eq!(told(LEN + 30, (0, LEN), [None; 3]), (30, vec![]));
}

#[test]
fn the_header_looks_like_its_clients_own_segment() {
    let mut net = Net::new(with(Placement::OnFirstAckWithPayload));
    net.connect(CLIENT, client(), front(), ISN);
    let options = [
        TcpOptionElement::Noop,
        TcpOptionElement::Noop,
        TcpOptionElement::Timestamp(1234, 5678),
    ];
    let bytes = Rich {
        from: client(),
        to: front(),
        flags: ACK | PSH | FIN,
        seq: ISN + 1,
        ack: 9001,
        options: &options,
        payload: b"GET /",
    }
    .bytes();
    let came = net.send(CLIENT, bytes);
    let tcp = |delivery: &Delivery| delivery.bytes[20..52].to_vec();
    let (made, own) = (tcp(&came[0]), tcp(&came[1]));
    // Ports, acknowledgement, window, options; without these a kernel would drop it (RFC 7323 PAWS).
    for same in [0..4, 8..13, 14..16, 20..32] {
        assert_eq!(made[same.clone()], own[same]);
    }
    assert_eq!((made[13], own[13]), (ACK | PSH, ACK | PSH | FIN));
}

#[test]
fn a_super_packet_with_an_unfinished_sum_moves_as_well() {
    let mut net = Net::new(with(Placement::OnFirstAckWithPayload));
    net.connect(CLIENT, client(), front(), ISN);
    let mut bytes = segment(client(), front(), ACK | PSH, ISN + 1, 9001)
        .with_payload(9_000)
        .bytes();
    let sum = hairpin::packet::checksum::fold(hairpin::packet::checksum::pseudo_header(
        ip(CLIENT_IP),
        ip(FRONT_A),
        6,
        9_020,
    ));
    bytes[36..38].copy_from_slice(&sum.to_be_bytes());
    let vnet = VnetHeader {
        flags: NEEDS_CSUM,
        gso_type: GSO_TCPV4,
        hdr_len: 40,
        gso_size: 1448,
        csum_start: 20,
        csum_offset: 16,
    };
    let came = net.send_frame(CLIENT, vnet, bytes);
    assert_eq!(payload(&came[0]), header());
    assert_eq!(came[1].vnet, vnet);
    assert_eq!(came[1].headers().seq, ISN + 1 + LEN);
    assert_eq!(payload(&came[1]).len(), 9_000);
}

#[test]
fn a_syn_that_loses_its_payload_has_nothing_unfinished() {
    // What is delivered is verified as a device that believes its header would finish it.
    for gso_size in [0, 10] {
        let mut net = Net::new(with(Placement::OnFirstAckWithPayload));
        let syn = segment(client(), front(), SYN, ISN, 0).with_payload(30);
        let mut bytes = syn.bytes();
        let mut vnet = make_partial(&mut bytes);
        if gso_size > 0 {
            (vnet.gso_type, vnet.gso_size) = (GSO_TCPV4, gso_size);
        }
        let came = net.send_frame(CLIENT, vnet, bytes);
        assert_eq!((came.len(), payload(&came[0])), (1, &b""[..]));
        assert_eq!(came[0].vnet, VnetHeader::default());
    }
}

#[test]
fn errors_about_moved_segments_quote_the_clients_own_numbers() {
    // A router before the target (here the link itself, then the target) finds a segment too big.
    let mut config = with(Placement::OnFirstAckWithPayload);
    config.ports[1].down.mtu = Some(600);
    let mut net = Net::new(config);
    net.connect(CLIENT, client(), front(), ISN);
    let came = from_client(&mut net, ACK | PSH, 0, 1000);
    let error = came.iter().find(|one| one.to == CLIENT).expect("an error");
    let headers = error.headers();
    let quote = Quote::read(&error.bytes, &headers).expect("a quote");
    assert_eq!((quote.from, quote.to), (client(), front()));
    assert_eq!(error.bytes[52..56], (ISN + 1).to_be_bytes());

    let mut net = Net::new(with(Placement::OnFirstAckWithPayload));
    net.connect(CLIENT, client(), front(), ISN);
    let seen = from_client(&mut net, ACK | PSH, 0, 1000).remove(1).bytes;
    let mut error = Vec::new();
    PacketBuilder::ipv4(ip(WEB1_IP).octets(), ip(CLIENT_IP).octets(), 64)
        .icmpv4_raw(3, 4, [0, 0, 2, 88])
        .write(&mut error, &seen)
        .expect("into memory");
    let came = net.send(WEB1, error).remove(0);
    assert_eq!(came.bytes[52..56], (ISN + 1).to_be_bytes());
    // All of the quoted packet is there, and its sum is right again.
    verify(&VnetHeader::default(), &came.bytes[28..]);
}

#[test]
fn a_stream_longer_than_all_numbers_is_not_mistaken_for_its_beginning() {
    let mut net = Net::new(with(Placement::OnFirstAckWithPayload));
    net.connect(CLIENT, client(), front(), ISN);
    from_client(&mut net, ACK | PSH, 0, 30);
    for bytes in [LEN + 30, 1 << 25, 1 << 31, 0xffff_ffff] {
        assert_eq!(acknowledge(&mut net, bytes), bytes - LEN);
    }
    // Once around: these numbers were the header's once.
    assert_eq!(acknowledge(&mut net, 50), 50_u32.wrapping_sub(LEN));
}
