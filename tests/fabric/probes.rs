//! Health checks: packets of a zonal address's own kernel, on their way to targets and back.

use crate::kit::*;
use etherparse::PacketBuilder;
use hairpin::fabric::Config;
use hairpin::fabric::config::*;
use hairpin::fabric::metric::{Measure, TABLE};
use hairpin::fabric::record::*;
use std::net::SocketAddrV4;

/// The kernel of front/a.
const KERNEL_A: PortId = PortId(4);
/// A port of that kernel.
const OWN: u16 = 60_000;

/// [`config`] with a kernel behind both zonal addresses.
fn checked() -> Config {
    with_kernels(config())
}

fn own(port: u16) -> SocketAddrV4 {
    end(FRONT_A_PRIVATE, port)
}

#[test]
fn a_check_goes_straight_to_its_target_and_the_answer_straight_back() {
    let mut net = Net::new(checked());
    let (zonal, web) = (own(OWN), end(WEB1_IP, 80));
    let came = net.forward(KERNEL_A, segment(zonal, web, SYN, 1, 0));
    assert_eq!(came.to, WEB1);
    assert_eq!((came.headers().from, came.headers().to), (zonal, web));
    let came = net.forward(WEB1, segment(web, zonal, SYN | ACK, 9000, 2));
    assert_eq!(came.to, KERNEL_A);
    assert_eq!((came.headers().from, came.headers().to), (web, zonal));
    assert!(net.fabric.records().iter().all(|record| record.probe));
    assert!(net.fabric.flows().is_empty());
    assert!(net.fabric.conversations().is_empty());
}

#[test]
fn checks_count_as_packets_and_as_nothing_else() {
    let mut net = Net::new(checked());
    net.forward(KERNEL_A, segment(own(OWN), end(WEB1_IP, 80), SYN, 1, 0));
    net.forward(WEB1, segment(end(WEB1_IP, 80), own(OWN), RST | ACK, 0, 2));
    for row in TABLE.iter().filter(|row| row.measure == Measure::Sum) {
        let wanted = if row.name == "ProcessedPackets" { 2 } else { 0 };
        assert_eq!(net.metric(row.name), wanted, "{}", row.name);
    }
}

#[test]
fn what_a_listener_gets_never_reaches_the_kernel() {
    let mut config = checked();
    config.balancers[0].listeners[0].port = OWN;
    config.groups[0].targets[0].port = Some(80);
    let mut net = Net::new(config);
    // From outside, and from a target that is a client: the listener, though the port is one of the kernel's.
    let came = net.forward(
        CLIENT,
        segment(end(CLIENT_IP, 1), end(FRONT_A, OWN), SYN, 1, 0),
    );
    assert!(came.to == WEB1 || came.to == WEB2);
    let came = net.forward(WEB2, segment(end(WEB2_IP, 1), own(OWN), SYN, 1, 0));
    assert!(came.to == WEB1 || came.to == WEB2);
    assert!(net.fabric.records().iter().all(|record| !record.probe));
}

#[test]
fn nobody_but_a_target_reaches_the_kernel() {
    let mut net = Net::new(checked());
    for (from, source) in [(INSIDE, INSIDE_IP), (CLIENT, CLIENT_IP)] {
        let to = if from == CLIENT {
            FRONT_A
        } else {
            FRONT_A_PRIVATE
        };
        let syn = segment(end(source, 1), end(to, OWN), SYN, 1, 0).bytes();
        assert_eq!(net.dropped(from, syn), Reason::NoListener);
    }
    // Below the kernel's ports there is nobody for a target either.
    let syn = segment(end(WEB1_IP, 1), own(*KERNEL_PORTS.start() - 1), SYN, 1, 0);
    assert_eq!(net.dropped(WEB1, syn.bytes()), Reason::NoListener);
    // At the public address there is no kernel.
    let syn = segment(end(WEB1_IP, 1), end(FRONT_A, OWN), SYN, 1, 0);
    assert_eq!(net.dropped(WEB1, syn.bytes()), Reason::NoListener);
}

#[test]
fn flows_without_the_clients_address_and_checks_share_a_zonal_address() {
    let mut config = with_kernels(one_target());
    config.groups[0].preserve_client_ip = false;
    let mut net = Net::new(config);
    let (client, web) = (end(CLIENT_IP, 40_000), end(WEB1_IP, 80));
    let arrived = net.connect(CLIENT, client, end(FRONT_A, 80), 1);
    assert_eq!(*arrived.from.ip(), ip(FRONT_A_PRIVATE));
    assert!(!KERNEL_PORTS.contains(&arrived.from.port()));
    net.forward(KERNEL_A, segment(own(OWN), web, SYN, 1, 0));
    let came = net.forward(WEB1, segment(web, own(OWN), SYN | ACK, 5, 2));
    assert_eq!(came.to, KERNEL_A);
    let came = net.forward(WEB1, segment(web, arrived.from, ACK, 9001, 2));
    assert_eq!(came.to, CLIENT);
}

#[test]
fn an_icmp_error_about_a_check_reaches_the_kernel() {
    let mut net = Net::new(checked());
    let syn = net.forward(KERNEL_A, segment(own(OWN), end(WEB1_IP, 80), SYN, 1, 0));
    let mut error = Vec::new();
    PacketBuilder::ipv4(ip(WEB1_IP).octets(), ip(FRONT_A_PRIVATE).octets(), 64)
        .icmpv4_raw(3, 13, [0; 4])
        .write(&mut error, &syn.bytes)
        .expect("into memory");
    let came = net.send(WEB1, error);
    assert_eq!(came[0].to, KERNEL_A);
    assert!(net.fabric.records()[1].probe);
}

#[test]
fn the_routers_own_answer_to_a_check_is_part_of_it() {
    let mut config = checked();
    config.ports[1].down.mtu = Some(600);
    let mut net = Net::new(config);
    let big = segment(own(OWN), end(WEB1_IP, 80), ACK, 1, 1).with_payload(1000);
    let came = net.send(KERNEL_A, big.bytes());
    assert_eq!(came[0].to, KERNEL_A);
    assert!(net.fabric.records().iter().all(|record| record.probe));
}
