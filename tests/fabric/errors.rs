//! ICMP: what a balancer takes, and quotes that were translated on their way.

use crate::kit::*;
use etherparse::PacketBuilder;
use hairpin::fabric::config::OnTargetError;
use hairpin::fabric::record::*;
use hairpin::packet::Headers;
use hairpin::packet::quote::Quote;

const C: u16 = 40_000;

/// An ICMP message of `from` about (or with) some bytes.
fn icmp(from: &str, to: &str, kind: u8, code: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Next-hop MTU, where there is one; elsewhere the field is unused and etherparse takes it for zero.
    let rest = if code == 4 { [0, 0, 5, 0xdc] } else { [0; 4] };
    PacketBuilder::ipv4(ip(from).octets(), ip(to).octets(), 64)
        .icmpv4_raw(kind, code, rest)
        .write(&mut bytes, payload)
        .expect("into memory");
    bytes
}

fn quote(delivery: &Delivery) -> (Headers, Quote) {
    let headers = delivery.headers();
    let quote = Quote::read(&delivery.bytes, &headers).expect("a quote");
    (headers, quote)
}

/// The quoted packet itself must still verify: all its sums were kept right.
fn verify_quoted(delivery: &Delivery) {
    verify(&Default::default(), &delivery.bytes[28..]);
}

#[test]
fn an_error_of_a_target_reaches_the_client_as_of_the_zonal_address() {
    let mut config = one_target();
    config.groups[0].preserve_client_ip = false;
    for config in [one_target(), config] {
        let mut net = Net::new(config);
        let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 53));
        let came = net.send(CLIENT, datagram(client, front, 30)).remove(0);
        let peer = came.headers().from.ip().to_string();
        let came = net.send(WEB1, icmp(WEB1_IP, &peer, 3, 4, &came.bytes));
        assert_eq!(came[0].to, CLIENT);
        let (outer, quoted) = quote(&came[0]);
        assert_eq!(
            (outer.source(), outer.destination()),
            (ip(FRONT_A), ip(CLIENT_IP))
        );
        assert_eq!((quoted.from, quoted.to), (client, front));
        verify_quoted(&came[0]);
        let record = net.fabric.records()[1];
        assert_eq!(record.flow, Some(FlowId(0)));
        // As its sender wrote it.
        let [mark] = net.fabric.marks() else {
            panic!("one mark")
        };
        let Marked::Icmp(message) = mark.what else {
            panic!("an ICMP message")
        };
        assert_eq!(mark.packet, record.id);
        assert_eq!((message.kind, message.mtu), ((3, 4), 1500));
        let about = message.about.expect("it quotes a packet");
        assert_eq!((*about.0.ip(), about.1), (ip(&peer), end(WEB1_IP, 53)));
    }
}

/// What a firewall's `reject` says is for the balancer alone: the client hears nothing and times out.
#[test]
fn a_target_that_rejects_is_silent_to_clients_unless_the_lab_wants_it_heard() {
    let heard = |policy| {
        let mut config = one_target();
        config.balancers[0].on_target_error = policy;
        let mut net = Net::new(config);
        let syn = segment(end(CLIENT_IP, C), end(FRONT_A, 80), SYN, 1, 0);
        let came = net.forward(CLIENT, syn);
        let mut heard = |code| {
            let error = icmp(WEB1_IP, CLIENT_IP, 3, code, &came.bytes);
            let came = net.send(WEB1, error);
            if came.is_empty() {
                assert_eq!(net.last_fate(), Fate::Dropped(Reason::IcmpUnsupported));
                let flow = net.fabric.records().last().map(|record| record.flow);
                assert_eq!(flow, Some(Some(FlowId(0))));
            }
            !came.is_empty()
        };
        // A host, a port, a packet too large, an administrator.
        [heard(1), heard(3), heard(4), heard(13)]
    };
    assert_eq!(heard(OnTargetError::Mtu), [false, false, true, false]);
    assert_eq!(heard(OnTargetError::Pass), [true; 4]);
    assert_eq!(heard(OnTargetError::Drop), [false; 4]);
}

#[test]
fn an_error_of_a_client_reaches_the_target_that_is_meant() {
    let mut net = Net::new(one_target());
    let (client, front, web) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(WEB1_IP, 80));
    net.connect(CLIENT, client, front, 1);
    let data = segment(web, client, ACK, 9001, 2).with_payload(1400);
    let data = net.forward(WEB1, data);
    // Path MTU discovery across the balancer, cut to what the RFC guarantees: header and eight bytes.
    let came = net.send(CLIENT, icmp(CLIENT_IP, FRONT_A, 3, 4, &data.bytes[..28]));
    assert_eq!(came[0].to, WEB1);
    let (outer, quoted) = quote(&came[0]);
    assert_eq!(
        (outer.source(), outer.destination()),
        (ip(CLIENT_IP), ip(WEB1_IP))
    );
    assert_eq!((quoted.from, quoted.to), (web, client));
    let came = net.send(CLIENT, icmp(CLIENT_IP, FRONT_A, 3, 4, &data.bytes));
    verify_quoted(&came[0]);
}

#[test]
fn a_balancer_takes_type_3_only_and_only_about_its_flows() {
    let mut net = Net::new(one_target());
    let stranger = segment(end(FRONT_A, 80), end(CLIENT_IP, 9), ACK, 1, 1).bytes();
    let about_nothing = icmp(CLIENT_IP, FRONT_A, 3, 3, &stranger);
    assert_eq!(net.dropped(CLIENT, about_nothing), Reason::IcmpUnrelated);
    let echo = icmp(CLIENT_IP, FRONT_A, 8, 0, b"ping");
    assert_eq!(net.dropped(CLIENT, echo), Reason::IcmpUnsupported);
    net.connect(CLIENT, end(CLIENT_IP, C), end(FRONT_A, 80), 1);
    let known = segment(end(FRONT_A, 80), end(CLIENT_IP, C), ACK, 1, 1).bytes();
    let exceeded = icmp(CLIENT_IP, FRONT_A, 11, 0, &known);
    assert_eq!(net.dropped(CLIENT, exceeded), Reason::IcmpUnsupported);
    let cut = icmp(CLIENT_IP, FRONT_A, 3, 3, &known[..24]);
    assert_eq!(net.dropped(CLIENT, cut), Reason::IcmpUnrelated);
}

#[test]
fn the_gateway_translates_quotes_of_every_error() {
    let mut net = Net::new(config());
    let (client, public, private) = (end(CLIENT_IP, C), end(WEB1_PUBLIC, 9), end(WEB1_IP, 9));
    let there = net.send(CLIENT, datagram(client, public, 20)).remove(0);
    for kind in [3, 11] {
        let came = net.send(WEB1, icmp(WEB1_IP, CLIENT_IP, kind, 0, &there.bytes));
        let (outer, quoted) = quote(&came[0]);
        assert_eq!((came[0].to, outer.source()), (CLIENT, ip(WEB1_PUBLIC)));
        assert_eq!((quoted.from, quoted.to), (client, public));
        verify_quoted(&came[0]);
    }
    let back = net.send(WEB1, datagram(private, client, 20)).remove(0);
    let came = net.send(CLIENT, icmp(CLIENT_IP, WEB1_PUBLIC, 3, 3, &back.bytes));
    let (outer, quoted) = quote(&came[0]);
    assert_eq!((came[0].to, outer.destination()), (WEB1, ip(WEB1_IP)));
    assert_eq!((quoted.from, quoted.to), (private, client));
}

#[test]
fn an_echo_crosses_the_gateway() {
    let mut net = Net::new(config());
    let came = net.send(CLIENT, icmp(CLIENT_IP, WEB1_PUBLIC, 8, 0, b"ping"));
    assert_eq!(
        (came[0].to, came[0].headers().destination()),
        (WEB1, ip(WEB1_IP))
    );
}

#[test]
fn an_error_is_never_answered_by_an_error() {
    let mut net = Net::new(config());
    let quoted = datagram(end(WEB2_IP, 1), end(INSIDE_IP, 2), 8);
    for (kind, answered) in [(3, false), (11, false), (8, true)] {
        let mut bytes = icmp(INSIDE_IP, WEB2_IP, kind, 0, &quoted);
        bytes[8] = 1;
        fill_ip_checksum(&mut bytes);
        let came = net.send(INSIDE, bytes);
        assert_eq!(!came.is_empty(), answered, "type {kind}");
    }
    let dropped = &net.fabric.totals().dropped;
    assert_eq!(dropped.get(&Reason::TtlExceeded), Some(&2));
}

#[test]
fn an_expired_flow_takes_no_errors() {
    let mut net = Net::new(one_target());
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 53));
    let came = net.send(CLIENT, datagram(client, front, 30)).remove(0);
    net.pass(IDLE);
    let late = icmp(CLIENT_IP, FRONT_A, 3, 3, &datagram(front, client, 3));
    assert_eq!(net.dropped(CLIENT, late), Reason::IcmpUnrelated);
    assert_eq!(came.to, WEB1);
}
