//! NAT gateways: what the internet sees of hosts behind one, which port a connection gets, and what becomes of what has
//! expired.

use crate::kit::*;
use etherparse::{Icmpv4Type, PacketBuilder, icmpv4};
use hairpin::fabric::config::*;
use hairpin::fabric::nat::NatCounters;
use hairpin::fabric::record::*;
use hairpin::packet::VnetHeader;
use hairpin::packet::quote::Quote;
use proptest::prelude::*;
use std::collections::HashSet;
use std::net::SocketAddrV4;
use std::time::Duration;

/// Hosts behind the gateway, besides those of [`config`].
const APP: PortId = PortId(4);
const OTHER: PortId = PortId(5);
const APP_IP: &str = "10.0.3.10";
const OTHER_IP: &str = "10.0.3.11";
const EGRESS: &str = "192.0.2.10";
const EGRESS_2: &str = "192.0.2.11";

fn timeouts() -> NatTimeouts {
    NatTimeouts {
        established: IDLE,
        transitory: ms(30_000),
        closed: Duration::ZERO,
        datagram: ms(60_000),
    }
}

fn gateway() -> NatGateway {
    NatGateway {
        name: "egress".to_owned(),
        zone: "a".to_owned(),
        profile: NatProfile::Aws,
        private: ip("10.0.1.6"),
        addresses: vec![ip(EGRESS)],
        allocation: Allocation::PerDestination(55_000),
        port_order: PortOrder::Sequential,
        timeouts: timeouts(),
        on_missing_flow: OnMissingFlow::Reset,
        reset_at_expiry: false,
    }
}

/// [`one_target`] with two more hosts, behind this gateway.
fn behind(gateway: NatGateway) -> Config {
    let mut config = one_target();
    for (name, address) in [("app", APP_IP), ("other", OTHER_IP)] {
        config.ports.push(Port {
            name: name.to_owned(),
            address: ip(address),
            public_address: None,
            nat: Some(GatewayId(0)),
            ..config.ports[INSIDE.0 as usize].clone()
        });
    }
    config.nat_gateways = vec![gateway];
    config
}

fn net() -> Net {
    Net::new(behind(gateway()))
}

fn app(port: u16) -> SocketAddrV4 {
    end(APP_IP, port)
}

fn service() -> SocketAddrV4 {
    end(CLIENT_IP, 443)
}

fn counters(net: &Net) -> NatCounters {
    net.fabric.nat_counters()[0]
}

fn close(net: &mut Net, from: PortId, source: SocketAddrV4, at: Arrived) {
    net.forward(from, segment(source, at.to, FIN | ACK, 101, 9001));
    net.forward(at.port, segment(at.to, at.from, FIN | ACK, 9001, 102));
    net.forward(from, segment(source, at.to, ACK, 102, 9002));
}

#[test]
fn the_internet_sees_the_gateways_address_and_answers_come_back() {
    let mut net = net();
    let at = net.connect(APP, app(40000), service(), 100);
    assert_eq!(at.from, end(EGRESS, 1024));
    assert_eq!((at.to, at.port), (service(), CLIENT));
    let mapping = &net.fabric.mappings()[0];
    assert_eq!(
        (mapping.inside.from, mapping.outside.from),
        (app(40000), end(EGRESS, 1024))
    );
    assert_eq!(mapping.state, FlowState::Established);
    let conversation = net.conversation(app(40000), service());
    assert_eq!((conversation.syns, conversation.ended), (1, None));
    close(&mut net, APP, app(40000), at);
    let ended = net
        .conversation(app(40000), service())
        .ended
        .expect("an end");
    assert_eq!((ended.by, ended.reset), (Party::Client, false));
    assert_eq!(net.fabric.mappings()[0].state, FlowState::Closed);
}

#[test]
fn inside_the_vpc_nothing_is_translated() {
    let mut net = net();
    let at = net.connect(APP, app(40000), end(WEB2_IP, 80), 100);
    assert_eq!(at.from, app(40000));
    let at = net.connect(APP, app(40001), end(FRONT_A_PRIVATE, 80), 100);
    assert_eq!(at.from, app(40001));
    assert!(net.fabric.mappings().is_empty());
}

#[test]
fn without_a_gateway_there_is_no_way_out() {
    let mut config = behind(gateway());
    config.ports[APP.0 as usize].nat = None;
    let syn = segment(app(40000), service(), SYN, 1, 0);
    assert_eq!(
        Net::new(config).dropped(APP, syn.bytes()),
        Reason::NotRoutable
    );
}

#[test]
fn a_host_with_a_public_address_is_reached_and_answers_through_the_gateway() {
    let mut net = net();
    let to = end(INSIDE_PUBLIC, 80);
    let came = net
        .forward(APP, segment(app(40000), to, SYN, 100, 0))
        .headers();
    assert_eq!(
        (came.from, came.to),
        (end(EGRESS, 1024), end(INSIDE_IP, 80))
    );
    let reply = segment(end(INSIDE_IP, 80), end(EGRESS, 1024), SYN | ACK, 9000, 101);
    let came = net.forward(INSIDE, reply).headers();
    assert_eq!((came.from, came.to), (to, app(40000)));
}

#[test]
fn a_balancer_sees_the_gateway_as_the_client() {
    let mut net = net();
    let at = net.connect(APP, app(40000), end(FRONT_A, 80), 100);
    assert_eq!((at.from, at.to), (end(EGRESS, 1024), end(WEB1_IP, 80)));
    let conversation = net.conversation(app(40000), end(FRONT_A, 80));
    assert_eq!(conversation.flow, Some(FlowId(0)));
    net.forward(WEB1, segment(at.to, at.from, RST, 9001, 0));
    let ended = net
        .conversation(app(40000), end(FRONT_A, 80))
        .ended
        .expect("an end");
    assert_eq!((ended.by, ended.reset), (Party::Server, true));
}

#[test]
fn a_balancers_own_reset_comes_home() {
    let mut net = net();
    net.connect(APP, app(40000), end(FRONT_A, 80), 100);
    // The gateway keeps the mapping, the balancer forgets: of two limits the shorter one.
    let mut config = behind(gateway());
    config.balancers[0].listeners[0].idle_timeout = ms(1000);
    let mut net = Net::new(config);
    net.connect(APP, app(40000), end(FRONT_A, 80), 100);
    net.pass(ms(2000));
    let data = segment(app(40000), end(FRONT_A, 80), ACK | PSH, 101, 9001).with_payload(5);
    let (answer, headers) = net.reset(APP, data);
    assert_eq!(answer, Answer::ResetExpired);
    assert_eq!(headers.seq, 9001);
    let ended = net
        .conversation(app(40000), end(FRONT_A, 80))
        .ended
        .expect("an end");
    assert_eq!(ended.by, Party::Fabric);
    assert_eq!(net.metric("TCP_ELB_Reset_Count"), 1);
    assert_eq!(counters(&net).idle, 0);
}

#[test]
fn one_port_serves_several_destinations_and_so_feeds_collisions() {
    let mut net = net();
    let old = net.connect(APP, app(40000), end(FRONT_A, 80), 100);
    let new = net.syn(OTHER, end(OTHER_IP, 50000), end(FRONT_B, 80), 200);
    assert_eq!(old.from, end(EGRESS, 1024));
    assert_eq!(
        (new.from, new.to),
        (old.from, old.to),
        "one 4-tuple at the target"
    );
    let flows = net.fabric.flows();
    assert_eq!(flows[0].displaced.expect("displaced").by, FlowId(1));
}

#[test]
fn ports_run_out_for_one_destination_only() {
    let mut config = behind(gateway());
    config.nat_gateways[0].allocation = Allocation::PerDestination(2);
    let mut net = Net::new(config);
    let first = net.connect(APP, app(40000), service(), 100);
    net.connect(OTHER, end(OTHER_IP, 40000), service(), 100);
    let third = segment(app(40001), service(), SYN, 7, 0);
    assert_eq!(net.dropped(APP, third.bytes()), Reason::PortAllocation);
    assert_eq!(net.dropped(APP, third.bytes()), Reason::PortAllocation);
    let seen = counters(&net);
    assert_eq!(
        (seen.port_errors, seen.dropped_sent, seen.active),
        (2, 2, 2)
    );
    assert_eq!((seen.attempts, seen.established), (4, 2));
    let record = *net.fabric.records().last().expect("a record");
    assert_eq!((record.gateway, record.mapping), (Some(GatewayId(0)), None));
    // Those that stand go on; another port, and another protocol, have their own.
    net.forward(APP, segment(app(40000), service(), ACK, 101, 9001));
    net.connect(APP, app(40001), end(CLIENT_IP, 444), 7);
    net.send(APP, datagram(app(40001), service(), 10));
    assert_eq!(net.fabric.mappings().len(), 4);
    close(&mut net, APP, app(40000), first);
    net.connect(APP, app(40001), service(), 7);
}

#[test]
fn more_addresses_are_more_ports() {
    let mut config = behind(gateway());
    config.nat_gateways[0].allocation = Allocation::PerDestination(2);
    config.nat_gateways[0].addresses = vec![ip(EGRESS), ip(EGRESS_2)];
    let mut net = Net::new(config);
    let seen: HashSet<SocketAddrV4> = (0..4)
        .map(|n| net.connect(APP, app(40000 + n), service(), 100).from)
        .collect();
    assert_eq!(seen.len(), 4);
    assert_eq!(
        seen.iter().filter(|end| *end.ip() == ip(EGRESS_2)).count(),
        2
    );
    let fifth = segment(app(40009), service(), SYN, 7, 0);
    assert_eq!(net.dropped(APP, fifth.bytes()), Reason::PortAllocation);
}

#[test]
fn hosts_with_ports_of_their_own_do_not_take_each_others() {
    let mut config = behind(gateway());
    config.nat_gateways[0].allocation = Allocation::PerHost(2);
    let mut net = Net::new(config);
    let of_app: Vec<u16> = (0..2)
        .map(|n| net.connect(APP, app(40000 + n), service(), 100).from.port())
        .collect();
    assert_eq!(of_app, [1024, 1025]);
    let third = segment(app(40002), service(), SYN, 7, 0);
    assert_eq!(net.dropped(APP, third.bytes()), Reason::PortAllocation);
    let other = net.connect(OTHER, end(OTHER_IP, 40000), service(), 100);
    assert_eq!(other.from.port(), 1026);
    assert_eq!(counters(&net).allocated, 4);
    // Its own ones serve another destination as well.
    net.connect(APP, app(40003), end(CLIENT_IP, 444), 100);
}

#[test]
fn a_client_keeps_its_port_where_the_gateway_preserves_it() {
    let mut config = behind(gateway());
    config.nat_gateways[0].port_order = PortOrder::Preserve;
    let mut net = Net::new(config);
    assert_eq!(
        net.connect(APP, app(40000), service(), 1).from.port(),
        40000
    );
    let other = net.connect(OTHER, end(OTHER_IP, 40000), service(), 1);
    assert_eq!(other.from.port(), 40001, "taken toward this destination");
    let other = net.connect(OTHER, end(OTHER_IP, 40001), end(CLIENT_IP, 444), 1);
    assert_eq!(other.from.port(), 40001);
}

#[test]
fn who_speaks_after_expiry_is_reset_and_the_other_side_is_not_told() {
    let mut net = net();
    let at = net.connect(APP, app(40000), service(), 100);
    assert!(net.pass(IDLE - ms(1)).is_empty());
    net.forward(APP, segment(app(40000), service(), ACK, 100, 9001));
    assert!(
        net.pass(IDLE - ms(1)).is_empty(),
        "a keepalive starts the clock again"
    );
    assert_eq!(counters(&net).idle, 0);
    assert!(net.pass(ms(1)).is_empty(), "nobody is told");
    let seen = counters(&net);
    assert_eq!((seen.idle, seen.active, seen.most_active), (1, 0, 1));
    let outside = segment(at.to, at.from, ACK | PSH, 9001, 101).with_payload(9);
    assert_eq!(net.dropped(CLIENT, outside.bytes()), Reason::ExpiredFlow);
    let inside = segment(app(40000), service(), ACK | PSH, 101, 9001).with_payload(9);
    let (answer, headers) = net.reset(APP, inside);
    assert_eq!((answer, headers.seq), (Answer::ResetExpired, 9001));
    let rst = segment(app(40000), service(), RST, 110, 0);
    assert_eq!(net.dropped(APP, rst.bytes()), Reason::ExpiredFlow);
    assert_eq!(net.fabric.mappings()[0].state, FlowState::Expired);
    // A SYN makes a mapping of its own.
    net.connect(APP, app(40000), service(), 500);
    assert_eq!(net.fabric.mappings().len(), 2);
}

#[test]
fn silence_where_the_vendor_is_silent() {
    let mut config = behind(gateway());
    config.nat_gateways[0].on_missing_flow = OnMissingFlow::Drop;
    let mut net = Net::new(config);
    net.connect(APP, app(40000), service(), 100);
    net.pass(IDLE);
    let data = segment(app(40000), service(), ACK, 101, 9001);
    assert_eq!(net.dropped(APP, data.bytes()), Reason::ExpiredFlow);
    let stray = segment(app(40001), service(), ACK, 101, 9001);
    assert_eq!(net.dropped(APP, stray.bytes()), Reason::MissingFlow);
}

#[test]
fn both_ends_are_reset_at_the_moment_of_expiry_where_that_is_asked_for() {
    let mut config = behind(gateway());
    config.nat_gateways[0].reset_at_expiry = true;
    let mut net = Net::new(config);
    let at = net.connect(APP, app(40000), service(), 100);
    net.forward(
        APP,
        segment(app(40000), service(), ACK | PSH, 101, 9001).with_payload(10),
    );
    net.forward(CLIENT, segment(at.to, at.from, ACK, 9001, 111));
    let half_open = segment(app(40001), service(), SYN, 7, 0);
    net.forward(APP, half_open);
    let came = net.pass(IDLE);
    let resets: Vec<_> = came
        .iter()
        .map(|(when, one)| {
            let headers = one.headers();
            assert!(headers.is_reset());
            (*when, one.to, headers.from, headers.to, headers.seq)
        })
        .collect();
    assert_eq!(
        resets,
        [
            (IDLE, APP, service(), app(40000), 9001),
            (IDLE, CLIENT, at.from, service(), 111)
        ]
    );
    let ended = net
        .conversation(app(40000), service())
        .ended
        .expect("an end");
    assert_eq!((ended.by, ended.reset), (Party::Fabric, true));
}

#[test]
fn a_syn_without_answer_and_datagrams_have_limits_of_their_own() {
    let mut net = net();
    net.forward(APP, segment(app(40000), service(), SYN, 7, 0));
    net.send(APP, datagram(app(40000), end(CLIENT_IP, 53), 10));
    assert_eq!(net.fabric.mappings().len(), 2);
    net.pass(ms(30_000));
    let states =
        |net: &Net| -> Vec<FlowState> { net.fabric.mappings().iter().map(|m| m.state).collect() };
    assert_eq!(states(&net), [FlowState::Expired, FlowState::SynSent]);
    net.pass(ms(30_000));
    assert_eq!(states(&net), [FlowState::Expired, FlowState::Expired]);
    assert_eq!(counters(&net).idle, 0, "they were never established");
}

#[test]
fn a_closed_connections_port_is_kept_for_as_long_as_it_is_to_be() {
    let mut config = behind(gateway());
    config.nat_gateways[0].allocation = Allocation::PerDestination(1);
    config.nat_gateways[0].timeouts.closed = ms(120_000);
    let mut net = Net::new(config);
    let at = net.connect(APP, app(40000), service(), 100);
    close(&mut net, APP, app(40000), at);
    let next = segment(app(40001), service(), SYN, 7, 0);
    net.pass(ms(119_999));
    assert_eq!(net.dropped(APP, next.bytes()), Reason::PortAllocation);
    net.pass(ms(1));
    assert_eq!(net.connect(APP, app(40001), service(), 7).from.port(), 1024);
}

#[test]
fn a_syn_that_comes_again_after_a_reset_keeps_its_port() {
    let mut net = net();
    let first = net.syn(APP, app(40000), service(), 100);
    // A challenge ACK, which the client answers with RST, and its SYN once more.
    net.forward(CLIENT, segment(first.to, first.from, ACK, 5000, 77));
    net.forward(APP, segment(app(40000), service(), RST, 77, 0));
    let again = net.connect(APP, app(40000), service(), 100);
    assert_eq!(again, first);
    assert_eq!(net.fabric.mappings().len(), 1);
    assert_eq!(counters(&net).active, 1);
}

#[test]
fn nobody_gets_in_uninvited() {
    let mut net = net();
    let syn = segment(end(CLIENT_IP, 40000), end(EGRESS, 1024), SYN, 7, 0);
    assert_eq!(net.dropped(CLIENT, syn.bytes()), Reason::MissingFlow);
    net.connect(APP, app(40000), service(), 100);
    let elsewhere = segment(end(CLIENT_IP, 444), end(EGRESS, 1024), ACK, 7, 0);
    assert_eq!(net.dropped(CLIENT, elsewhere.bytes()), Reason::MissingFlow);
    assert_eq!(counters(&net).dropped_received, 2);
}

#[test]
fn fragments_and_other_protocols_do_not_pass() {
    let mut net = net();
    let mut fragment = datagram(app(40000), service(), 64);
    fragment[6] = 0x20;
    fill_ip_checksum(&mut fragment);
    assert_eq!(net.dropped(APP, fragment), Reason::Fragment);
    assert_eq!(counters(&net).dropped_sent, 1);
}

/// An ICMP error of `from`, about a packet it got.
fn unreachable(from: &str, to: SocketAddrV4, about: &[u8]) -> Vec<u8> {
    let kind = Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::Port);
    let mut bytes = Vec::new();
    PacketBuilder::ipv4(ip(from).octets(), to.ip().octets(), 64)
        .icmpv4(kind)
        .write(&mut bytes, &about[..28])
        .expect("into memory");
    bytes
}

#[test]
fn icmp_errors_follow_the_packet_they_quote_both_ways() {
    let mut net = net();
    let out = net.forward_datagram(APP, app(40000), service());
    let error = unreachable(CLIENT_IP, end(EGRESS, 0), &out.bytes);
    let came = net.send(CLIENT, error).remove(0);
    assert_eq!((came.to, came.headers().destination()), (APP, ip(APP_IP)));
    let quote = Quote::read(&came.bytes, &came.headers()).expect("a quote");
    assert_eq!((quote.from, quote.to), (app(40000), service()));
    // The other way: the host has closed its socket when the answer comes.
    let back = net
        .send(CLIENT, datagram(service(), end(EGRESS, 1024), 20))
        .remove(0);
    let error = unreachable(APP_IP, service(), &back.bytes);
    let came = net.send(APP, error).remove(0);
    assert_eq!((came.to, came.headers().source()), (CLIENT, ip(EGRESS)));
    let quote = Quote::read(&came.bytes, &came.headers()).expect("a quote");
    assert_eq!((quote.from, quote.to), (service(), end(EGRESS, 1024)));
    // About something that never was.
    let error = unreachable(
        CLIENT_IP,
        end(EGRESS, 0),
        &datagram(end(EGRESS, 9), service(), 20),
    );
    assert_eq!(net.dropped(CLIENT, error), Reason::IcmpUnrelated);
}

#[test]
fn errors_about_what_a_target_got_come_home_through_balancer_and_gateway() {
    let mut net = net();
    let at = net.connect(APP, app(40000), end(FRONT_A, 80), 100);
    let data = net.forward(APP, segment(app(40000), end(FRONT_A, 80), ACK, 101, 9001));
    let came = net
        .send(at.port, unreachable(WEB1_IP, at.from, &data.bytes))
        .remove(0);
    assert_eq!(came.to, APP);
    assert_eq!(
        (came.headers().source(), came.headers().destination()),
        (ip(FRONT_A), ip(APP_IP))
    );
    let quote = Quote::read(&came.bytes, &came.headers()).expect("a quote");
    assert_eq!((quote.from, quote.to), (app(40000), end(FRONT_A, 80)));
}

impl Net {
    fn forward_datagram(
        &mut self,
        from: PortId,
        source: SocketAddrV4,
        to: SocketAddrV4,
    ) -> Delivery {
        self.send_frame(from, VnetHeader::default(), datagram(source, to, 20))
            .remove(0)
    }
}

/// What may happen around a gateway.
#[derive(Clone, Debug)]
enum Event {
    /// A host behind it sends a segment to one of a few destinations.
    Out {
        other: bool,
        port: u16,
        to: u16,
        flags: u8,
        isn: u32,
    },
    /// The destination sends one to some port of the gateway.
    Back {
        port: u16,
        from: u16,
        flags: u8,
        second: bool,
    },
    /// Time passes.
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let flags = prop::sample::select(vec![SYN, SYN, SYN | ACK, ACK, FIN | ACK, RST, 0]);
    prop_oneof![
        4 => (any::<bool>(), 1u16..4, 1u16..3, flags.clone(), 0u32..3)
            .prop_map(|(other, port, to, flags, isn)| Event::Out { other, port, to, flags, isn }),
        3 => (1024u16..1030, 1u16..3, flags, any::<bool>())
            .prop_map(|(port, from, flags, second)| Event::Back { port, from, flags, second }),
        2 => (0u64..2000).prop_map(Event::Pass),
    ]
}

fn any_gateway() -> impl Strategy<Value = NatGateway> {
    let orders = vec![
        PortOrder::Random,
        PortOrder::Sequential,
        PortOrder::Preserve,
    ];
    let allocations = vec![
        Allocation::PerDestination(2),
        Allocation::PerDestination(55_000),
        Allocation::PerHost(2),
    ];
    let closed = vec![Duration::ZERO, ms(700)];
    (
        prop::sample::select(orders),
        prop::sample::select(allocations),
        prop::sample::select(closed),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(port_order, allocation, closed, reset_at_expiry, two)| NatGateway {
                addresses: [EGRESS, EGRESS_2]
                    .iter()
                    .take(1 + usize::from(two))
                    .map(|a| ip(a))
                    .collect(),
                port_order,
                allocation,
                reset_at_expiry,
                timeouts: NatTimeouts {
                    established: ms(3000),
                    transitory: ms(1000),
                    closed,
                    datagram: ms(1000),
                },
                ..gateway()
            },
        )
}

proptest! {
    /// No two living mappings show a destination one source; nothing private gets out; what comes back is what went.
    #[test]
    fn mappings_are_one_to_one(gateway in any_gateway(), events in prop::collection::vec(event(), 1..120)) {
        let mut net = Net::new(behind(gateway));
        for event in events {
            let came = match event {
                Event::Out { other, port, to, flags, isn } => {
                    let (host, address) = if other { (OTHER, OTHER_IP) } else { (APP, APP_IP) };
                    net.send(host, segment(end(address, port), end(CLIENT_IP, to), flags, isn, 0).bytes())
                }
                Event::Back { port, from, flags, second } => {
                    let to = end(if second { EGRESS_2 } else { EGRESS }, port);
                    net.send(CLIENT, segment(end(CLIENT_IP, from), to, flags, 9000, 1).bytes())
                }
                Event::Pass(time) => net.pass(ms(time)).into_iter().map(|(_, one)| one).collect(),
            };
            let mappings = net.fabric.mappings();
            for one in &came {
                let headers = one.headers();
                if one.to == CLIENT {
                    prop_assert!(headers.source() == ip(EGRESS) || headers.source() == ip(EGRESS_2));
                } else {
                    let known = mappings.iter().any(|m| m.inside.from == headers.to && m.inside.to == headers.from);
                    prop_assert!(known || headers.is_reset(), "{headers:?}");
                    prop_assert_eq!(headers.source(), ip(CLIENT_IP));
                }
            }
            let living = mappings.iter().filter(|m| !matches!(m.state, FlowState::Closed | FlowState::Expired));
            let outside: Vec<Tuple> = living.map(|m| m.outside).collect();
            let different: HashSet<Tuple> = outside.iter().copied().collect();
            prop_assert_eq!(outside.len(), different.len());
            prop_assert_eq!(counters(&net).active, outside.len() as u64);
        }
    }

    /// Whatever port the gateway chose, an answer to it comes to the very end that asked.
    #[test]
    fn the_way_back_restores_what_the_way_out_changed(gateway in any_gateway(), port in 1u16.., to in 1u16..) {
        let mut net = Net::new(behind(gateway));
        let at = net.connect(APP, app(port), end(CLIENT_IP, to), 100);
        prop_assert_ne!(at.from, app(port));
        let came = net.forward(CLIENT, segment(at.to, at.from, ACK | PSH, 9001, 101).with_payload(100));
        prop_assert_eq!((came.to, came.headers().to), (APP, app(port)));
        prop_assert_eq!(came.headers().from, end(CLIENT_IP, to));
    }
}
