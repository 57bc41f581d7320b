//! Bytes that a balancer puts before what a client says, in a stream it does not terminate.

use crate::kit::*;
use etherparse::{PacketBuilder, TcpHeader, TcpOptionElement};
use hairpin::fabric::Config;
use hairpin::fabric::config::*;
use hairpin::packet::VnetHeader;
use hairpin::packet::proxy_protocol::{self, Beginning};
use hairpin::packet::quote::Quote;
use hairpin::packet::vnet::{GSO_TCPV4, NEEDS_CSUM};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::net::SocketAddrV4;

/// What the balancer writes: see `packet::proxy_protocol`.
const LEN: u32 = 100;
const ISN: u32 = 5_000;
const PORT: u16 = 40_000;

fn with(placement: Placement) -> Config {
    let mut config = one_target();
    config.groups[0].proxy_protocol = Some(placement);
    config
}

fn client() -> SocketAddrV4 {
    end(CLIENT_IP, PORT)
}

fn front() -> SocketAddrV4 {
    end(FRONT_A, 80)
}

fn web() -> SocketAddrV4 {
    end(WEB1_IP, 80)
}

/// What the client's stream begins with at the target.
fn header() -> Vec<u8> {
    let listener = end(FRONT_A_PRIVATE, 80);
    proxy_protocol::proxy(client().into(), listener.into(), None)
}

/// A segment with options.
struct Rich<'a> {
    from: SocketAddrV4,
    to: SocketAddrV4,
    flags: u8,
    seq: u32,
    ack: u32,
    options: &'a [TcpOptionElement],
    payload: &'a [u8],
}

impl Rich<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut tcp = TcpHeader::new(self.from.port(), self.to.port(), self.seq, 64_240);
        tcp.acknowledgment_number = self.ack;
        tcp.fin = self.flags & FIN != 0;
        tcp.rst = self.flags & RST != 0;
        tcp.psh = self.flags & PSH != 0;
        tcp.ack = self.flags & ACK != 0;
        tcp.set_options(self.options).expect("room for options");
        let mut bytes = Vec::new();
        PacketBuilder::ipv4(self.from.ip().octets(), self.to.ip().octets(), 64)
            .tcp_header(tcp)
            .write(&mut bytes, self.payload)
            .expect("into memory");
        bytes
    }
}

fn payload(delivery: &Delivery) -> &[u8] {
    &delivery.bytes[delivery.headers().payload..]
}

/// SACK blocks of a packet.
fn blocks(delivery: &Delivery) -> Vec<(u32, u32)> {
    let parsed = etherparse::PacketHeaders::from_ip_slice(&delivery.bytes).expect("a packet");
    let Some(etherparse::TransportHeader::Tcp(tcp)) = parsed.transport else {
        panic!("not TCP")
    };
    tcp.options_iterator()
        .filter_map(|option| match option.expect("well-formed options") {
            TcpOptionElement::SelectiveAcknowledgement(first, more) => {
                Some(std::iter::once(first).chain(more.into_iter().flatten()))
            }
            _ => None,
        })
        .flatten()
        .collect()
}

fn from_client(net: &mut Net, flags: u8, offset: u32, len: usize) -> Vec<Delivery> {
    let seq = (ISN + 1).wrapping_add(offset);
    let one = segment(client(), front(), flags, seq, 9001).with_payload(len);
    net.send(CLIENT, one.bytes())
}

/// The target acknowledges this many bytes of its stream; gives what the client is told.
fn acknowledge(net: &mut Net, bytes: u32) -> u32 {
    let one = segment(web(), client(), ACK, 9001, (ISN + 1).wrapping_add(bytes));
    let told = net.forward(WEB1, one).headers().ack;
    told.wrapping_sub(ISN + 1)
}

#[test]
fn the_header_goes_with_the_first_payload() {
    let mut net = Net::new(with(Placement::OnFirstAckWithPayload));
    net.connect(CLIENT, client(), front(), ISN);
    // Nothing of the handshake is touched, and a pure ACK (a keepalive, too) waits.
    assert_eq!(from_client(&mut net, ACK, 0, 0)[0].headers().seq, ISN + 1);
    assert_eq!(
        from_client(&mut net, ACK, u32::MAX, 0)[0].headers().seq,
        ISN
    );
    assert_eq!(acknowledge(&mut net, 0), 0);

    let came = from_client(&mut net, ACK | PSH, 0, 30);
    assert_eq!(came.len(), 2);
    let (first, second) = (came[0].headers(), came[1].headers());
    assert_eq!((first.from, first.to), (second.from, second.to));
    assert_eq!((first.seq, first.ack), (ISN + 1, 9001));
    assert_eq!(payload(&came[0]), header());
    assert_eq!(second.seq, ISN + 1 + LEN);
    assert_eq!(payload(&came[1]).len(), 30);

    // Acknowledgements of the header are none of the client's.
    assert_eq!(acknowledge(&mut net, 0), 0);
    assert_eq!(acknowledge(&mut net, LEN / 2), 0);
    assert_eq!(acknowledge(&mut net, LEN), 0);
    assert_eq!(acknowledge(&mut net, LEN + 30), 30);
    // From now on everything moves, and the header is not said twice.
    let came = from_client(&mut net, ACK, 30, 10);
    assert_eq!(came.len(), 1);
    assert_eq!(came[0].headers().seq, ISN + 1 + LEN + 30);
    let came = from_client(&mut net, FIN | ACK, 40, 0);
    assert_eq!(came[0].headers().seq, ISN + 1 + LEN + 40);
    assert_eq!(acknowledge(&mut net, LEN + 41), 41);
}

#[test]
fn or_with_the_first_ack() {
    let mut net = Net::new(with(Placement::OnFirstAck));
    let arrived = net.syn(CLIENT, client(), front(), ISN);
    net.accept(arrived, ISN);
    let came = from_client(&mut net, ACK, 0, 0);
    assert_eq!(payload(&came[0]), header());
    assert_eq!(came[1].headers().seq, ISN + 1 + LEN);
    // The server speaks first; the client has said nothing yet.
    assert_eq!(acknowledge(&mut net, LEN), 0);
}

#[test]
fn a_group_without_it_is_left_alone() {
    let mut net = Net::new(one_target());
    net.connect(CLIENT, client(), front(), ISN);
    let came = from_client(&mut net, ACK | PSH, 0, 30);
    assert_eq!((came.len(), came[0].headers().seq), (1, ISN + 1));
}

#[test]
fn without_preservation_the_header_names_the_client_all_the_same() {
    let mut config = with(Placement::OnFirstAckWithPayload);
    config.groups[0].preserve_client_ip = false;
    let mut net = Net::new(config);
    net.connect(CLIENT, client(), front(), ISN);
    let came = from_client(&mut net, ACK | PSH, 0, 30);
    assert_eq!(came[0].headers().source(), ip(FRONT_A_PRIVATE));
    let Beginning::Header(told) = proxy_protocol::read(payload(&came[0])) else {
        panic!("no header")
    };
    assert_eq!(told.client, Some(client().into()));
}

#[test]
fn a_lost_header_is_said_again_with_the_clients_retransmission() {
    let mut net = Net::new(with(Placement::OnFirstAckWithPayload));
    net.connect(CLIENT, client(), front(), ISN);
    from_client(&mut net, ACK | PSH, 0, 30);
    from_client(&mut net, ACK | PSH, 30, 30);
    // Only the second segment arrived: the target still waits for the beginning, and says so.
    assert_eq!(acknowledge(&mut net, 0), 0);
    let came = from_client(&mut net, ACK | PSH, 0, 30);
    assert_eq!(payload(&came[0]), header());
    assert_eq!(came[1].headers().seq, ISN + 1 + LEN);
    assert_eq!(acknowledge(&mut net, LEN + 60), 60);
    assert_eq!(from_client(&mut net, ACK | PSH, 0, 30).len(), 1);
}

#[test]
fn a_lost_header_that_nobody_misses_aloud_is_said_again_by_a_timer() {
    let mut net = Net::new(with(Placement::OnFirstAck));
    net.connect_quietly();
    let came = net.pass(ms(4000));
    let at: Vec<u64> = came.iter().map(|(at, _)| at.as_millis() as u64).collect();
    assert_eq!(at, [1000, 3000]);
    assert_eq!(payload(&came[1].1), header());
    assert_eq!(acknowledge(&mut net, LEN), 0);
    assert!(net.pass(ms(60_000)).is_empty());
}

#[test]
fn the_timer_gives_up() {
    let mut net = Net::new(with(Placement::OnFirstAck));
    net.connect_quietly();
    assert_eq!(net.pass(ms(300_000)).len(), 6);
}

impl Net {
    /// A handshake whose last ACK the header follows.
    fn connect_quietly(&mut self) {
        let arrived = self.syn(CLIENT, client(), front(), ISN);
        self.accept(arrived, ISN);
        assert_eq!(from_client(self, ACK, 0, 0).len(), 2);
    }
}

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
fn another_stream_on_the_same_addresses_gets_its_own_header() {
    let mut net = Net::new(with(Placement::OnFirstAckWithPayload));
    net.connect(CLIENT, client(), front(), ISN);
    from_client(&mut net, ACK | PSH, 0, 30);
    acknowledge(&mut net, LEN + 30);
    // The client's machine starts anew; the target challenges its SYN in the numbers of the old stream.
    let other = 700_000;
    net.forward(CLIENT, segment(client(), front(), SYN, other, 0));
    assert_eq!(acknowledge(&mut net, LEN + 30), 30);
    let reset = segment(client(), front(), RST, ISN + 31, 0);
    assert_eq!(net.forward(CLIENT, reset).headers().seq, ISN + 31 + LEN);
    // Now the target takes it.
    net.forward(CLIENT, segment(client(), front(), SYN, other, 0));
    let reply = segment(web(), client(), SYN | ACK, 12_000, other + 1);
    assert_eq!(net.forward(WEB1, reply).headers().ack, other + 1);
    let first = segment(client(), front(), ACK | PSH, other + 1, 12_001).with_payload(8);
    let came = net.send(CLIENT, first.bytes());
    assert_eq!((came.len(), came[0].headers().seq), (2, other + 1));
    assert_eq!(came[1].headers().seq, other + 1 + LEN);
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

/// A target's side of a stream: what has come, by its place.
#[derive(Default)]
struct Reassembly(BTreeMap<u32, u8>);

impl Reassembly {
    fn take(&mut self, offset: u32, bytes: &[u8]) {
        for (place, byte) in (offset..).zip(bytes) {
            let old = self.0.insert(place, *byte);
            assert!(old.is_none_or(|old| old == *byte), "place {place} changed");
        }
    }

    /// Bytes without a gap.
    fn next(&self) -> u32 {
        let gap = (0..).zip(self.0.keys()).find(|(place, key)| place != *key);
        gap.map_or(self.0.len() as u32, |(place, _)| place)
    }

    /// Islands beyond the first gap, at most three.
    fn islands(&self) -> Vec<(u32, u32)> {
        let mut list: Vec<(u32, u32)> = Vec::new();
        for (place, _) in self.0.range(self.next()..) {
            match list.last_mut() {
                Some((_, right)) if *right == *place => *right += 1,
                Some(_) | None => list.push((*place, *place + 1)),
            }
        }
        list.truncate(3);
        list
    }
}

#[derive(Clone, Debug)]
enum Event {
    /// The client sends some of its stream, perhaps again; bits say which of the resulting packets are lost.
    Send { at: u32, len: u32, lost: u8 },
    /// The target acknowledges what it has.
    Acknowledge,
    /// Time for the timer.
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0u32..900, 1u32..400, any::<u8>())
            .prop_map(|(at, len, lost)| Event::Send { at, len, lost }),
        3 => Just(Event::Acknowledge),
        1 => (0u64..1500).prop_map(Event::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// However the stream is cut, lost and sent again: the target reads the header and then the client's bytes, and
    /// the client is never told of a byte that has not come, nor of one that it did not send.
    #[test]
    fn the_target_reads_the_header_and_then_the_clients_bytes(
        isn in prop_oneof![any::<u32>(), Just(u32::MAX - 50), Just(u32::MAX)],
        early in any::<bool>(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let stream: Vec<u8> = (0..1300u32).map(|n| (n % 251) as u8).collect();
        let placement = if early { Placement::OnFirstAck } else { Placement::OnFirstAckWithPayload };
        let mut net = Net::new(with(placement));
        let first = isn.wrapping_add(1);
        let arrived = net.syn(CLIENT, client(), front(), isn);
        net.accept(arrived, isn);
        let mut target = Reassembly::default();
        let receive = |target: &mut Reassembly, came: Vec<Delivery>, lost: u8| {
            for (number, one) in came.iter().enumerate().filter(|(_, one)| one.to == WEB1) {
                if lost >> number & 1 == 0 {
                    let place = one.headers().seq.wrapping_sub(first);
                    target.take(place, payload(one));
                }
            }
        };
        let send = |net: &mut Net, at: u32, len: u32| {
            let end = (at + len).min(stream.len() as u32);
            net.send(CLIENT, Rich {
                from: client(),
                to: front(),
                flags: ACK,
                seq: first.wrapping_add(at),
                ack: 9001,
                options: &[],
                payload: &stream[at as usize..end as usize],
            }.bytes())
        };
        let mut told = 0;
        let ask = |net: &mut Net, target: &Reassembly| -> Result<u32, TestCaseError> {
            let islands = target.islands();
            let at = |(left, right): (u32, u32)| (first.wrapping_add(left), first.wrapping_add(right));
            let mut options = Vec::new();
            if let [one, more @ ..] = &islands[..] {
                let more = [0, 1, 2].map(|n| more.get(n).copied().map(at));
                options.push(TcpOptionElement::SelectiveAcknowledgement(at(*one), more));
            }
            let came = net.send(WEB1, Rich {
                from: web(),
                to: client(),
                flags: ACK,
                seq: 9001,
                ack: first.wrapping_add(target.next()),
                options: &options,
                payload: &[],
            }.bytes()).remove(0);
            let ack = came.headers().ack.wrapping_sub(first);
            let has = |place: u32| target.0.contains_key(&(place + LEN));
            prop_assert!((0..ack).all(has), "{ack} bytes acknowledged that have not come");
            for (left, right) in blocks(&came) {
                let (left, right) = (left.wrapping_sub(first), right.wrapping_sub(first));
                prop_assert!(left < right && (left..right).all(has), "block {left}..{right}");
            }
            Ok(ack)
        };
        let came = send(&mut net, 0, 0);
        receive(&mut target, came, 1);
        for event in events {
            match event {
                // A client sends nothing that was acknowledged.
                Event::Send { at, len, lost } => {
                    let came = send(&mut net, at.max(told), len);
                    receive(&mut target, came, lost);
                }
                Event::Acknowledge => told = told.max(ask(&mut net, &target)?),
                Event::Pass(time) => {
                    let came = net.pass(ms(time)).into_iter().map(|(_, one)| one).collect();
                    receive(&mut target, came, 0);
                }
            }
        }
        // A client goes on from what was acknowledged until all of it is.
        for _ in 0..20 {
            let came = send(&mut net, told, 400);
            receive(&mut target, came, 0);
            told = told.max(ask(&mut net, &target)?);
        }
        prop_assert_eq!(told, stream.len() as u32);
        let read: Vec<u8> = target.0.values().copied().collect();
        prop_assert_eq!(read, [header(), stream].concat());
    }
}
