//! When the header goes, what it says, and that it is said again where it may have been lost.

use super::*;
use hairpin::packet::proxy_protocol::Beginning;

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
fn a_syn_takes_no_payload_past_the_header() {
    let mut net = Net::new(with(Placement::OnFirstAckWithPayload));
    // TCP Fast Open: the first bytes of the stream would be the client's own.
    let syn = segment(client(), front(), SYN, ISN, 0).with_payload(30);
    let came = net.send(CLIENT, syn.bytes());
    assert_eq!((came.len(), came[0].to), (1, WEB1));
    let headers = came[0].headers();
    assert_eq!((headers.flags, headers.seq), (SYN, ISN));
    assert_eq!(payload(&came[0]), b"");
    let arrived = Arrived {
        port: WEB1,
        from: headers.from,
        to: headers.to,
    };
    net.accept(arrived, ISN);
    let came = from_client(&mut net, ACK | PSH, 0, 30);
    assert_eq!(payload(&came[0]), header());
    assert_eq!(payload(&came[1]).len(), 30);
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
