//! Which port a connection gets, when there is none, and who shares one.

use super::*;
use std::collections::HashSet;

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
    assert_eq!(
        (seen.attempts, seen.established),
        (3, 2),
        "a SYN sent again is no other connection"
    );
    assert_eq!((seen.tried, seen.failed, seen.made), (3, 1, 2));
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
fn a_port_is_in_use_for_as_long_as_it_is_kept_and_counts_once_for_all_its_destinations() {
    let mut config = behind(gateway());
    config.nat_gateways[0].timeouts.closed = ms(120_000);
    let mut net = Net::new(config);
    let used = |net: &Net| {
        let counters = counters(net);
        (counters.active, counters.most_ports)
    };
    let at = net.connect(APP, app(40000), service(), 100);
    net.connect(APP, app(40000), end(CLIENT_IP, 8443), 100);
    assert_eq!(used(&net), (2, 1), "one port for both");
    net.connect(APP, app(40001), service(), 100);
    assert_eq!(used(&net), (3, 2));
    close(&mut net, APP, app(40000), at);
    net.fabric.restart_meter(ms(0));
    net.connect(APP, app(40002), service(), 100);
    assert_eq!(used(&net), (3, 3), "that of the closed one is not free");
    net.pass(ms(120_000));
    net.fabric.restart_meter(ms(120_000));
    assert_eq!(used(&net), (3, 3), "its other connection has it");
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
fn a_connection_that_is_taken_up_again_needs_a_port_that_the_gateway_may_use() {
    let mut config = behind(gateway());
    config.nat_gateways[0].port_order = PortOrder::Preserve;
    config.nat_gateways[0].allocation = Allocation::PerDestination(1);
    let mut net = Net::new(config);
    let first = segment(app(40000), service(), SYN, 100, 0);
    net.forward(APP, first);
    net.forward(APP, segment(app(40000), service(), RST, 101, 0));
    net.connect(OTHER, end(OTHER_IP, 40001), service(), 200);
    assert_eq!(net.dropped(APP, first.bytes()), Reason::PortAllocation);
    assert_eq!((counters(&net).active, counters(&net).port_errors), (1, 1));
}
