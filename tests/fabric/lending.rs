//! Source ports of a TLS listener's second connections.

use crate::kit::*;
use hairpin::fabric::config::*;
use hairpin::fabric::record::*;
use hairpin::fabric::{Loan, Place};
use std::time::Duration;

const C: u16 = 40_000;
const KERNEL_A: PortId = PortId(4);
const KEPT: Duration = Duration::from_secs(60);

/// One port for each zonal address and target, which rests for a minute.
fn net() -> Net {
    let mut config = one_target();
    config.balancers[0].listeners[0].terminates = true;
    config.balancers[0].snat_ports = 1;
    config.balancers[0].port_reuse = KEPT;
    let mut config = with_kernels(config);
    for kernel in 4..6 {
        config.ports[kernel].terminates = true;
    }
    Net::new(config)
}

fn visit(net: &mut Net, port: u16) {
    let syn = segment(end(CLIENT_IP, port), end(FRONT_A, 80), SYN, 1, 0);
    assert_eq!(net.forward(CLIENT, syn).to, KERNEL_A);
}

fn refused(net: &mut Net, port: u16) {
    let syn = segment(end(CLIENT_IP, port), end(FRONT_A, 80), SYN, 1, 0);
    assert_eq!(net.dropped(CLIENT, syn.bytes()), Reason::PortAllocation);
}

/// What the kernel is told of a client's second connection.
fn behind(net: &mut Net, port: u16) -> Option<Loan> {
    let (listener, client) = (end(FRONT_A_PRIVATE, 80), end(CLIENT_IP, port));
    let behind = net
        .fabric
        .behind(net.now, listener, client)
        .expect("a flow");
    assert_eq!((behind.group, behind.target), (GroupId(0), 0));
    behind.loan
}

#[test]
fn a_client_for_whose_target_no_port_is_left_is_dropped_and_counted() {
    let mut net = net();
    visit(&mut net, C);
    refused(&mut net, C + 1);
    assert_eq!(net.metric("PortAllocationErrorCount"), 1);
    // Another address has ports of its own.
    let syn = segment(end(CLIENT_IP, C), end(FRONT_B, 80), SYN, 1, 0);
    assert_eq!(net.forward(CLIENT, syn).to, PortId(5));
    let loan = behind(&mut net, C).expect("lent with the SYN");
    assert_eq!(loan.source, end(FRONT_A_PRIVATE, 1024));
    assert_eq!(loan.target, end(WEB1_IP, 80));
}

#[test]
fn a_port_comes_back_with_its_connection_and_rests() {
    let mut net = net();
    visit(&mut net, C);
    let loan = behind(&mut net, C).expect("lent with the SYN");
    // The client is gone, and the second connection is not.
    net.send(
        CLIENT,
        segment(end(CLIENT_IP, C), end(FRONT_A, 80), RST, 2, 0).bytes(),
    );
    net.pass(KEPT);
    refused(&mut net, C + 1);
    net.fabric.give_back(loan);
    refused(&mut net, C + 1);
    net.pass(KEPT);
    visit(&mut net, C + 1);
}

#[test]
fn a_client_that_never_gets_so_far_leaves_its_port() {
    let mut net = net();
    visit(&mut net, C);
    net.send(
        CLIENT,
        segment(end(CLIENT_IP, C), end(FRONT_A, 80), RST, 2, 0).bytes(),
    );
    net.pass(KEPT);
    visit(&mut net, C + 1);
    // Who asks all the same gets none that another has.
    assert_eq!(behind(&mut net, C), None);
}

#[test]
fn what_a_kernel_may_not_have_is_exchanged() {
    let mut net = net();
    let place = Place {
        balancer: BalancerId(0),
        zonal: ZonalId(0),
        port: 80,
    };
    let target = end(WEB1_IP, 80);
    let loan = net
        .fabric
        .lend(net.now, place, target)
        .expect("one is free");
    assert_eq!(net.fabric.lend(net.now, place, target), None);
    net.fabric.give_back(loan);
    net.pass(KEPT);
    assert_eq!(net.fabric.lend(net.now, place, target), Some(loan));
}

#[test]
fn a_targets_answers_come_to_the_kernel_on_lent_ports_and_nobody_calls_there() {
    let mut net = net();
    visit(&mut net, C);
    let loan = behind(&mut net, C).expect("lent with the SYN");
    let syn = segment(loan.source, loan.target, SYN, 1, 0);
    assert_eq!(net.forward(KERNEL_A, syn).to, WEB1);
    let answer = segment(loan.target, loan.source, SYN | ACK, 9, 2);
    assert_eq!(net.forward(WEB1, answer).to, KERNEL_A);
    let call = segment(end(WEB1_IP, 9), loan.source, SYN, 9, 0);
    assert_eq!(net.dropped(WEB1, call.bytes()), Reason::NoListener);
}

/// A client's connection to the kernel that stands, and the second one.
fn pair(net: &mut Net) -> Loan {
    visit(net, C);
    let (listener, client) = (end(FRONT_A_PRIVATE, 80), end(CLIENT_IP, C));
    net.forward(KERNEL_A, segment(listener, client, SYN | ACK, 50, 2));
    net.forward(CLIENT, segment(client, end(FRONT_A, 80), ACK, 2, 51));
    let loan = behind(net, C).expect("lent with the SYN");
    net.forward(KERNEL_A, segment(loan.source, loan.target, SYN, 1, 0));
    net.forward(WEB1, segment(loan.target, loan.source, SYN | ACK, 9, 2));
    loan
}

fn standing(net: &Net, loan: Loan) -> (bool, bool) {
    let (listener, client) = (end(FRONT_A_PRIVATE, 80), end(CLIENT_IP, C));
    let standing = net.fabric.standing_of_pair(listener, client, loan);
    (standing.keepalives, standing.expired)
}

#[test]
fn a_keepalive_of_either_end_is_noticed_and_an_ack_is_none() {
    for of_client in [true, false] {
        let mut net = net();
        let loan = pair(&mut net);
        let say = |net: &mut Net, seq: u32, len: usize| {
            let (port, from, to, first) = match of_client {
                true => (CLIENT, end(CLIENT_IP, C), end(FRONT_A, 80), 2),
                false => (WEB1, loan.target, loan.source, 10),
            };
            net.forward(
                port,
                segment(from, to, ACK, first + seq, 51).with_payload(len),
            );
        };
        say(&mut net, 0, 0);
        say(&mut net, 0, 100);
        say(&mut net, 99, 1);
        say(&mut net, 100, 0);
        assert_eq!(standing(&net, loan), (false, false));
        say(&mut net, 99, 0);
        assert_eq!(standing(&net, loan), (true, false));
    }
}

#[test]
fn what_a_kernel_says_on_a_forgotten_connection_is_told_to_it_alone() {
    let mut net = net();
    let loan = pair(&mut net);
    net.pass(IDLE + ms(1));
    assert_eq!(standing(&net, loan), (false, true));
    let (listener, client) = (end(FRONT_A_PRIVATE, 80), end(CLIENT_IP, C));
    let late = segment(listener, client, ACK, 51, 2).with_payload(10);
    let (answer, _) = net.reset(KERNEL_A, late);
    assert_eq!(answer, Answer::ResetExpired);
    assert_eq!(net.metric("TCP_ELB_Reset_Count"), 0, "nobody was told");
    net.forward(KERNEL_A, segment(loan.source, loan.target, RST, 2, 0));
    assert_eq!(net.metric("TCP_ELB_Reset_Count"), 1);
}

#[test]
fn further_addresses_have_ports_of_their_own_and_nobody_listens_there() {
    const MORE: &str = "10.0.1.77";
    let mut config = one_target();
    config.balancers[0].listeners[0].terminates = true;
    config.balancers[0].snat_ports = 1;
    config.balancers[0].zonal[0].secondary = vec![ip(MORE)];
    let mut config = with_kernels(config);
    config.ports[4].terminates = true;
    config.ports[4].addresses = vec![ip(MORE)];
    let mut net = Net::new(config);
    visit(&mut net, C);
    visit(&mut net, C + 1);
    refused(&mut net, C + 2);
    let (first, second) = (behind(&mut net, C), behind(&mut net, C + 1));
    assert_eq!(first.expect("lent").source, end(FRONT_A_PRIVATE, 1024));
    let loan = second.expect("lent");
    assert_eq!(loan.source, end(MORE, 1024));
    net.forward(KERNEL_A, segment(loan.source, loan.target, SYN, 1, 0));
    let answer = segment(loan.target, loan.source, SYN | ACK, 9, 2);
    assert_eq!(net.forward(WEB1, answer).to, KERNEL_A);
    let call = segment(end(INSIDE_IP, 9), end(MORE, 80), SYN, 9, 0);
    assert_eq!(net.dropped(INSIDE, call.bytes()), Reason::NoListener);
}
