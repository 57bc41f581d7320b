//! Super-packets and packets that are too large.

use super::*;
use hairpin::packet::icmp::Message;

#[test]
fn a_super_packet_crosses_plain_links_whole() {
    let mut net = Net::new(one_target());
    net.connect(CLIENT, end(CLIENT_IP, C), end(FRONT_A, 80), 1);
    let carried = net.metric("ProcessedPackets");
    let (vnet, bytes) = super_packet(10_000, 1448);
    let came = net.send_frame(CLIENT, vnet, bytes);
    assert_eq!(came.len(), 1);
    assert_eq!(came[0].vnet, vnet);
    assert_eq!(net.metric("ProcessedPackets") - carried, 7);
}

#[test]
fn links_act_on_the_packets_of_the_wire() {
    let mut config = one_target();
    config.ports[WEB1.0 as usize].down.loss = 0.5;
    let mut net = Net::new(config);
    // Some of the handshake may be lost; the flow is there from the first SYN.
    net.send(
        CLIENT,
        segment(end(CLIENT_IP, C), end(FRONT_A, 80), SYN, 1, 0).bytes(),
    );
    let before = net.fabric.totals().received;
    let (vnet, bytes) = super_packet(64 * 1000, 1000);
    let came = net.send_frame(CLIENT, vnet, bytes);
    assert_eq!(net.fabric.totals().received - before, 64);
    assert!((10..54).contains(&came.len()), "{}", came.len());
    assert!(came.iter().all(|one| one.vnet == VnetHeader::default()));
    let seqs: Vec<u32> = came.iter().map(|one| one.headers().seq).collect();
    assert!(seqs.is_sorted() && seqs.iter().all(|seq| (seq - 2) % 1000 == 0));
}

#[test]
fn too_large_with_df_is_answered_and_without_is_dropped() {
    let mut net = with_up(Link {
        mtu: Some(1000),
        ..Link::default()
    });
    let mut bytes = numbered(1400);
    assert_eq!(net.dropped(CLIENT, bytes.clone()), Reason::LinkMtu);
    bytes[6] |= 0x40;
    fill_ip_checksum(&mut bytes);
    let came = net.send(CLIENT, bytes.clone());
    assert_eq!(came[0].to, CLIENT);
    assert_eq!(came[0].bytes[20..22], [3, 4]);
    assert_eq!(came[0].bytes[26..28], 1000u16.to_be_bytes());
    assert_eq!(came[0].bytes.len(), 576);
    assert_eq!(came[0].bytes[28..576], bytes[..548]);
    assert_eq!(net.send(CLIENT, numbered(972)).len(), 1);
}

#[test]
fn what_is_too_large_behind_the_translation_is_quoted_as_it_was_sent() {
    let mut config = one_target();
    config.ports[WEB1.0 as usize].down.mtu = Some(1000);
    let mut net = Net::new(config);
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    net.connect(CLIENT, client, front, 1);
    let (vnet, bytes) = super_packet(4000, 1448);
    let came = net.send_frame(CLIENT, vnet, bytes);
    assert_eq!(came.len(), 3);
    for one in &came {
        assert_eq!(one.to, CLIENT);
        let headers = one.headers();
        let quote = hairpin::packet::quote::Quote::read(&one.bytes, &headers).expect("a quote");
        assert_eq!((quote.from, quote.to), (client, front));
    }
    let says = |one: &Delivery| Message::read(&one.bytes, &one.headers()).expect("a message");
    let said: Vec<Marked> = came.iter().map(|one| Marked::Icmp(says(one))).collect();
    let marks = net.fabric.marks().iter();
    assert_eq!(marks.map(|mark| mark.what).collect::<Vec<_>>(), said);
    let fates = net.fabric.records().into_iter().filter(|record| {
        record.fate == Fate::Answered(Answer::FragmentationNeeded)
            && record.after.to == end(WEB1_IP, 80)
    });
    assert_eq!(fates.count(), 3);
    // Smaller segments fit, and go as one.
    let (vnet, bytes) = super_packet(4000, 900);
    assert_eq!(net.send_frame(CLIENT, vnet, bytes).len(), 1);
}

#[test]
fn a_wire_of_the_internet_cuts_what_may_be_cut() {
    let mut net = with_up(Link {
        mtu: Some(1000),
        fragments: true,
        ..Link::default()
    });
    let whole = numbered(2500);
    let came = net.send(CLIENT, whole.clone());
    let sizes: Vec<usize> = came.iter().map(|one| one.bytes.len()).collect();
    // 976 bytes behind the header are a multiple of eight.
    let behind = whole.len() - 20;
    let last = behind - 2 * 976;
    assert_eq!(sizes, [996, 996, 20 + last]);
    let mut together = Vec::new();
    for (number, one) in came.iter().enumerate() {
        let ip = etherparse::Ipv4HeaderSlice::from_slice(&one.bytes).expect("a header");
        assert_eq!(ip.header_checksum(), ip.to_header().calc_header_checksum());
        assert_eq!(
            usize::from(ip.fragments_offset().value()) * 8,
            together.len()
        );
        assert_eq!(ip.more_fragments(), number < 2);
        together.extend_from_slice(&one.bytes[20..]);
    }
    // But for the sum, which knows the addresses.
    assert_eq!(together[..6], whole[20..26]);
    assert!(together[8..] == whole[28..]);
    // Who says DF is answered.
    let mut bytes = numbered(2500);
    bytes[6] |= 0x40;
    fill_ip_checksum(&mut bytes);
    let came = net.send(CLIENT, bytes);
    assert_eq!((came[0].to, &came[0].bytes[20..22]), (CLIENT, &[3, 4][..]));
}

#[test]
fn only_the_first_fragment_of_a_segment_has_its_numbers() {
    let mut net = with_up(Link {
        mtu: Some(1000),
        fragments: true,
        ..Link::default()
    });
    let whole = segment(end(CLIENT_IP, C), end(INSIDE_IP, 80), ACK | PSH, 500, 9001);
    net.send(CLIENT, may_be_cut(whole.with_payload(2480)));
    let records: Vec<_> = net.fabric.records().into_iter().collect();
    let told: Vec<_> = records
        .iter()
        .map(|record| {
            let numbers = (record.seq, record.ack, record.window, record.flags);
            (numbers, record.payload, record.wire_bytes)
        })
        .collect();
    let none = (0, 0, 0, 0);
    // 2,500 bytes behind the header are 976 twice and the rest; 20 of the first are of the header of TCP.
    assert_eq!(
        told,
        [
            ((500, 9001, 64_240, ACK | PSH), 956, 996),
            (none, 976, 996),
            (none, 548, 568)
        ]
    );
}

#[test]
fn a_part_of_ipv6_that_is_too_large_is_answered_and_quoted_as_a_part() {
    use crate::ipv6::{CLIENT6, WEB1_6, dualstack};
    let address = |text: &str| text.parse::<std::net::Ipv6Addr>().expect("an address");
    let mut config = dualstack();
    config.ports[WEB1.0 as usize].down = Link {
        mtu: Some(1280),
        fragments: true,
        ..Link::default()
    };
    let mut net = Net::new(config);
    net.out.unverified = true;
    let part = |net: &mut Net, offset: u16, more: bool, len: usize| {
        let mut bytes = vec![0x60, 0, 0, 0, 0, 0, 44, 64];
        bytes[4..6].copy_from_slice(&(8 + len as u16).to_be_bytes());
        bytes.extend(address(CLIENT6).octets());
        bytes.extend(address(WEB1_6).octets());
        bytes.extend([17, 0]);
        bytes.extend((offset | u16::from(more)).to_be_bytes());
        bytes.extend(0xbeef_u32.to_be_bytes());
        // The header of UDP in the first one, and anything else in the others.
        bytes.extend([0x9c, 0x40, 0, 53, 0x0b, 0xc0, 0x12, 0x34]);
        bytes.extend(vec![7; len - 8]);
        (net.send(CLIENT, bytes.clone()), bytes)
    };
    for (offset, more) in [(0, true), (1400, true), (2800, false)] {
        let (came, sent) = part(&mut net, offset, more, 1400);
        let [error] = came.as_slice() else {
            panic!("{offset}: {came:?}")
        };
        assert_eq!(error.to, CLIENT);
        let said = &error.bytes;
        assert_eq!((said[6], said[40], said[41]), (58, 2, 0), "{offset}");
        assert_eq!(said[44..48], 1280_u32.to_be_bytes());
        // With one hop less only where it was taken off.
        let quoted = &said[48..];
        assert_eq!(quoted[..7], sent[..7]);
        assert_eq!(quoted[8..], sent[8..quoted.len()], "{offset}");
    }
    // As large as it says.
    let (came, _) = part(&mut net, 0, true, 1232);
    assert_eq!((came.len(), came[0].to), (1, WEB1));
    assert_eq!(came[0].bytes.len(), 1280);
    // And what its receiver complains about is a part again: here, that the others did not come.
    let (later, sent) = part(&mut net, 1232, true, 1232);
    let mut error = Vec::new();
    let (from, to) = (address(WEB1_6).octets(), address(CLIENT6).octets());
    etherparse::PacketBuilder::ipv6(from, to, 64)
        .icmpv6_raw(3, 1, [0; 4])
        .write(&mut error, &later[0].bytes[..100])
        .expect("into memory");
    let came = net.send(WEB1, error);
    assert_eq!(came[0].to, CLIENT);
    assert_eq!(came[0].bytes[48..55], sent[..7]);
    assert_eq!(came[0].bytes[56..148], sent[8..100]);
}
