//! Numbers that change between a host and its link: sequence numbers, with SACK blocks or without, and timestamps.

use super::*;
use etherparse::{PacketBuilder, TcpHeader, TcpOptionElement};

const WEB: &str = WEB1_PUBLIC;

/// A network whose client has this between itself and its link.
fn with_numbers(sequence: Option<RandomizedSequence>, timestamp_offset: u32) -> Net {
    let mut config = one_target();
    let client = &mut config.ports[CLIENT.0 as usize];
    for link in [&mut client.up, &mut client.down] {
        link.numbers = Numbers {
            sequence,
            timestamp_offset,
        };
    }
    Net::new(config)
}

fn number(delivery: &Delivery, at: usize) -> u32 {
    u32::from_be_bytes(delivery.bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The only packet that comes of this one.
fn across(net: &mut Net, from: PortId, bytes: Vec<u8>) -> Delivery {
    let mut came = net.send(from, bytes);
    assert_eq!(came.len(), 1);
    came.remove(0)
}

fn to_web(port: u16, flags: u8, seq: u32, ack: u32) -> Vec<u8> {
    segment(end(CLIENT_IP, port), end(WEB, 80), flags, seq, ack).bytes()
}

/// What web1 says to the client's port, with an option.
fn from_web(port: u16, seq: u32, ack: u32, option: TcpOptionElement) -> Vec<u8> {
    let mut tcp = TcpHeader::new(80, port, seq, 64_240);
    (tcp.ack, tcp.acknowledgment_number) = (true, ack);
    tcp.set_options(&[option]).expect("it fits");
    let mut bytes = Vec::new();
    PacketBuilder::ipv4(ip(WEB1_IP).octets(), ip(CLIENT_IP).octets(), 64)
        .tcp_header(tcp)
        .write(&mut bytes, &[])
        .expect("into memory");
    bytes
}

fn sack(left: u32, right: u32) -> TcpOptionElement {
    TcpOptionElement::SelectiveAcknowledgement((left, right), [None; 3])
}

#[test]
fn each_end_hears_of_its_own_numbers_and_the_books_have_those_outside() {
    for randomized in [RandomizedSequence::HeaderOnly, RandomizedSequence::WithSack] {
        let mut net = with_numbers(Some(randomized), 0);
        let syn = across(&mut net, CLIENT, to_web(C, SYN, 1000, 0)).headers();
        assert_ne!(syn.seq, 1000);
        assert_eq!(syn.ack, 0);
        let answer = segment(
            end(WEB1_IP, 80),
            end(CLIENT_IP, C),
            SYN | ACK,
            5000,
            syn.seq.wrapping_add(1),
        );
        let answer = across(&mut net, WEB1, answer.bytes()).headers();
        assert_eq!(answer.ack, 1001);
        assert_ne!(answer.seq, 5000);
        let (_, bytes) = unfinished(segment(
            end(CLIENT_IP, C),
            end(WEB, 80),
            ACK,
            1001,
            answer.seq.wrapping_add(1),
        ));
        let header = VnetHeader {
            flags: NEEDS_CSUM,
            csum_start: 20,
            csum_offset: 16,
            ..VnetHeader::default()
        };
        let ack = net.send_frame(CLIENT, header, bytes).remove(0).headers();
        assert_eq!((ack.seq, ack.ack), (syn.seq.wrapping_add(1), 5001));
        let told: Vec<(u32, u32)> = net
            .fabric
            .records()
            .iter()
            .map(|r| (r.seq, r.ack))
            .collect();
        let outside = syn.seq.wrapping_add(1);
        assert_eq!(told, [(syn.seq, 0), (5000, outside), (outside, 5001)]);
        let other = across(&mut net, CLIENT, to_web(C + 1, SYN, 1000, 0)).headers();
        assert_ne!(other.seq, syn.seq, "each connection has numbers of its own");
    }
}

#[test]
fn blocks_of_sack_are_moved_or_forgotten() {
    let block = 20 + 20 + 2;
    for (randomized, moved) in [
        (RandomizedSequence::WithSack, true),
        (RandomizedSequence::HeaderOnly, false),
    ] {
        let mut net = with_numbers(Some(randomized), 0);
        let syn = across(&mut net, CLIENT, to_web(C, SYN, 1000, 0)).headers();
        let ahead = syn.seq.wrapping_sub(1000);
        let outside = |inside: u32| inside.wrapping_add(ahead);
        let option = sack(outside(3000), outside(4000));
        let said = across(&mut net, WEB1, from_web(C, 5001, outside(1001), option));
        assert_eq!(said.headers().ack, 1001);
        // As they stand at the sender's edge, from the acknowledgement on.
        let marks = net.fabric.marks();
        assert!(
            matches!(marks, [Mark { packet: 1, what: Marked::Sack(sack) }] if *sack.blocks() == [(1999, 2999)]),
            "{marks:?}"
        );
        let inside = (number(&said, block), number(&said, block + 4));
        let told = impaired(&net);
        if moved {
            assert_eq!(inside, (3000, 4000));
            assert_eq!(told, []);
        } else {
            assert_eq!(inside, (outside(3000), outside(4000)));
            let what = Impaired::UntranslatedSack(ahead);
            assert_eq!(told, [(1, Stage::Down(CLIENT), what)]);
        }
    }
}

#[test]
fn an_error_quotes_what_its_host_sent() {
    let mut net = with_numbers(Some(RandomizedSequence::WithSack), 0);
    let syn = across(&mut net, CLIENT, to_web(C, SYN, 1000, 0));
    let error = port_unreachable(WEB1_IP, CLIENT_IP, &syn.bytes);
    let came = across(&mut net, WEB1, error);
    // Headers of IP and ICMP, the quoted packet's IP header, its ports.
    assert_eq!(number(&came, 20 + 8 + 20 + 4), 1000);
}

#[test]
fn timestamps_count_from_another_moment_and_what_they_are_answered_with_does_not() {
    let value = 20 + 20 + 2;
    for offset in [-3_600_000_i32, 7] {
        let offset = offset.cast_unsigned();
        let mut net = with_numbers(None, offset);
        let stamped = |ack: bool| {
            let mut tcp = TcpHeader::new(C, 80, 1000, 64_240);
            (tcp.syn, tcp.ack) = (!ack, ack);
            tcp.set_options(&[TcpOptionElement::Timestamp(100, 50)])
                .expect("it fits");
            let mut bytes = Vec::new();
            PacketBuilder::ipv4(ip(CLIENT_IP).octets(), ip(WEB).octets(), 64)
                .tcp_header(tcp)
                .write(&mut bytes, &[])
                .expect("into memory");
            bytes
        };
        for ack in [false, true] {
            let came = across(&mut net, CLIENT, stamped(ack));
            let stamps = (number(&came, value), number(&came, value + 4));
            assert_eq!(stamps, (offset.wrapping_add(100), 50));
            assert_eq!(came.headers().seq, 1000);
        }
        let echo = TcpOptionElement::Timestamp(900, offset.wrapping_add(100));
        let back = across(&mut net, WEB1, from_web(C, 5001, 1001, echo));
        assert_eq!((number(&back, value), number(&back, value + 4)), (900, 100));
    }
}
