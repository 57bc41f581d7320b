//! `tcp_tw_recycle`: what a kernel before 4.12 remembered of an address, and whose SYNs it dropped for it.

use crate::kit::*;
use etherparse::{PacketBuilder, TcpHeader, TcpOptionElement};
use hairpin::fabric::Config;
use hairpin::fabric::record::*;
use std::net::SocketAddrV4;
use std::time::Duration;

fn recycling() -> Config {
    let mut config = config();
    config.ports[1].quirks.tcp_tw_recycle = true;
    config
}

/// A segment with a timestamp.
fn stamped(from: SocketAddrV4, to: SocketAddrV4, flags: u8, value: u32) -> Vec<u8> {
    let mut tcp = TcpHeader::new(from.port(), to.port(), 1, 64_240);
    tcp.syn = flags & SYN != 0;
    tcp.ack = flags & ACK != 0;
    tcp.fin = flags & FIN != 0;
    tcp.set_options(&[
        TcpOptionElement::Noop,
        TcpOptionElement::Noop,
        TcpOptionElement::Timestamp(value, 0),
    ])
    .expect("room for options");
    let mut bytes = Vec::new();
    PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 64)
        .tcp_header(tcp)
        .write(&mut bytes, &[])
        .expect("into memory");
    bytes
}

/// The port of an inside host, and what it dials.
fn ends(port: u16) -> (SocketAddrV4, SocketAddrV4) {
    (end(INSIDE_IP, port), end(WEB1_IP, 80))
}

/// A connection of the inside host to web1, ended by one of them first.
fn visit(net: &mut Net, port: u16, value: u32, host_first: bool) {
    let (client, web) = ends(port);
    assert_eq!(net.send(INSIDE, stamped(client, web, SYN, value)).len(), 1);
    net.send(WEB1, stamped(web, client, SYN | ACK, 5));
    let client_fin = stamped(client, web, FIN | ACK, value);
    let host_fin = stamped(web, client, FIN | ACK, 5);
    if host_first {
        net.send(WEB1, host_fin);
        net.send(INSIDE, client_fin);
    } else {
        net.send(INSIDE, client_fin);
        net.send(WEB1, host_fin);
    }
}

/// True when a SYN gets in.
fn gets_in(net: &mut Net, port: u16, value: u32) -> bool {
    let (client, web) = ends(port);
    match net.send(INSIDE, stamped(client, web, SYN, value)).len() {
        1 => true,
        _ => {
            assert_eq!(net.last_fate(), Fate::Dropped(Reason::TwRecycle));
            false
        }
    }
}

#[test]
fn an_older_timestamp_of_a_remembered_address_is_dropped_for_a_minute() {
    let mut net = Net::new(recycling());
    visit(&mut net, 1, 1000, true);
    assert!(gets_in(&mut net, 2, 1000));
    assert!(gets_in(&mut net, 3, 999), "one tick is forgiven");
    assert!(!gets_in(&mut net, 4, 998));
    assert!(!gets_in(&mut net, 4, 998), "sent again, dropped again");
    net.pass(Duration::from_millis(59_999));
    assert!(!gets_in(&mut net, 5, 900));
    net.pass(Duration::from_millis(1));
    assert!(gets_in(&mut net, 6, 900));
}

#[test]
fn only_a_connection_that_the_host_closed_first_is_remembered() {
    let mut net = Net::new(recycling());
    visit(&mut net, 1, 1000, false);
    assert!(gets_in(&mut net, 2, 500));
}

#[test]
fn what_is_remembered_goes_forward_only_around_the_end_of_the_numbers() {
    let mut net = Net::new(recycling());
    visit(&mut net, 1, u32::MAX, true);
    assert!(gets_in(&mut net, 2, 10), "ahead, past the end");
    visit(&mut net, 3, 10, true);
    assert!(!gets_in(&mut net, 4, u32::MAX));
}

#[test]
fn a_syn_without_timestamp_of_a_remembered_address_is_dropped() {
    let mut net = Net::new(recycling());
    let (client, web) = ends(7);
    net.forward(INSIDE, segment(client, web, SYN, 1, 0));
    visit(&mut net, 1, 1000, true);
    let syn = segment(ends(8).0, web, SYN, 1, 0).bytes();
    assert_eq!(net.dropped(INSIDE, syn), Reason::TwRecycle);
}

#[test]
fn other_addresses_and_other_hosts_are_not_concerned() {
    let mut net = Net::new(recycling());
    visit(&mut net, 1, 1000, true);
    let other = stamped(end(WEB2_IP, 1), end(WEB1_IP, 80), SYN, 1);
    assert_eq!(net.send(WEB2, other).len(), 1);
    let elsewhere = stamped(end(INSIDE_IP, 9), end(WEB2_IP, 80), SYN, 1);
    assert_eq!(net.send(INSIDE, elsewhere).len(), 1);
    let mut net = Net::new(config());
    visit(&mut net, 1, 1000, true);
    assert!(gets_in(&mut net, 2, 1), "no quirk");
}
