//! Faults of the network: links that are down, packets dropped by rule.

use crate::kit::*;
use hairpin::fabric::change::Change;
use hairpin::fabric::config::*;
use hairpin::fabric::faults::{DropRule, End};
use hairpin::fabric::record::*;

const C: u16 = 40_000;

fn anything() -> DropRule {
    DropRule {
        from: None,
        to: None,
        flags: None,
        length: None,
        window: None,
        nth: 1,
        count: None,
    }
}

fn with(rule: DropRule) -> Net {
    let mut net = Net::new(one_target());
    apply(&mut net, Change::Drop(Box::new(rule)));
    net
}

fn apply(net: &mut Net, change: Change) {
    net.fabric.apply(net.now, change, &mut net.out);
}

fn hosts(ports: &[PortId]) -> Option<End> {
    Some(End::Hosts(ports.to_vec()))
}

#[test]
fn nothing_passes_a_link_that_is_down_and_everything_when_it_is_up_again() {
    let mut net = Net::new(one_target());
    let (client, front, web) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(WEB1_IP, 80));
    net.connect(CLIENT, client, front, 1);
    apply(&mut net, Change::LinkDown(WEB1));
    let ask = segment(client, front, ACK, 2, 9001);
    assert_eq!(net.dropped(CLIENT, ask.bytes()), Reason::LinkDown);
    let answer = segment(web, client, ACK, 9001, 2);
    assert_eq!(net.dropped(WEB1, answer.bytes()), Reason::LinkDown);
    apply(&mut net, Change::LinkUp(WEB1));
    net.forward(CLIENT, ask);
    net.forward(WEB1, answer);
}

#[test]
fn a_packet_under_way_when_the_link_goes_down_is_lost() {
    let mut config = one_target();
    config.ports[WEB1.0 as usize].down.delay = ms(10);
    let mut net = Net::new(config);
    net.send(
        CLIENT,
        segment(end(CLIENT_IP, C), end(FRONT_A, 80), SYN, 1, 0).bytes(),
    );
    apply(&mut net, Change::LinkDown(WEB1));
    assert!(net.pass(ms(10)).is_empty());
    assert_eq!(net.fabric.totals().dropped[&Reason::LinkDown], 1);
}

#[test]
fn a_rule_counts_what_matches_and_drops_from_the_nth_on() {
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    let mut net = with(DropRule {
        from: hosts(&[CLIENT]),
        to: hosts(&[WEB1]),
        length: Some(3),
        nth: 2,
        count: Some(2),
        ..anything()
    });
    net.connect(CLIENT, client, front, 1);
    let mut passed = Vec::new();
    for seq in 0..5 {
        let other = segment(client, front, ACK, 50, 9001).with_payload(4);
        net.forward(CLIENT, other);
        let packet = segment(client, front, ACK, seq, 9001).with_payload(3);
        passed.push(net.send(CLIENT, packet.bytes()).len());
    }
    assert_eq!(passed, [1, 0, 0, 1, 1]);
    assert_eq!(net.fabric.dropped_by_rule(), [2]);
    assert_eq!(net.fabric.totals().dropped[&Reason::DropRule], 2);
}

#[test]
fn a_window_is_that_of_tcp_as_on_the_wire() {
    let (client, front, web) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(WEB1_IP, 80));
    // What all segments of these tests tell of.
    for (window, dropped) in [(64_240, true), (0, false), (64_241, false)] {
        let mut net = with(DropRule {
            from: hosts(&[WEB1]),
            window: Some(window),
            ..anything()
        });
        net.forward(CLIENT, segment(client, front, SYN, 1, 0));
        let answer = segment(web, client, SYN | ACK, 9000, 2);
        let passed = net.send(WEB1, answer.bytes()).len();
        assert_eq!(passed, usize::from(!dropped), "{window}");
    }
    // A datagram has none.
    let mut net = with(DropRule {
        window: Some(0),
        ..anything()
    });
    let asked = datagram(client, front, 8);
    assert_eq!(net.dropped(CLIENT, asked), Reason::NoListener);
}

#[test]
fn what_is_dropped_before_the_balancer_makes_no_flow() {
    let syn = segment(end(CLIENT_IP, C), end(FRONT_A, 80), SYN, 1, 0);
    let to_front = |zonal| DropRule {
        to: Some(End::Balancer(FRONT, zonal)),
        ..anything()
    };
    for (zonal, dropped) in [
        (None, true),
        (Some(ZonalId(0)), true),
        (Some(ZonalId(1)), false),
    ] {
        let mut net = with(to_front(zonal));
        if dropped {
            assert_eq!(net.dropped(CLIENT, syn.bytes()), Reason::DropRule);
        } else {
            net.forward(CLIENT, syn);
        }
        assert_eq!(net.fabric.flows().is_empty(), dropped);
    }
}

#[test]
fn answers_are_dropped_by_their_sender_or_by_the_address_they_bear() {
    let (client, front, web) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(WEB1_IP, 80));
    let mask = (SYN | FIN | RST | ACK, SYN | ACK);
    for from in [
        hosts(&[WEB1]),
        Some(End::Balancer(FRONT, None)),
        hosts(&[WEB2]),
    ] {
        let other = from == hosts(&[WEB2]);
        let mut net = with(DropRule {
            from,
            to: hosts(&[CLIENT]),
            flags: Some(mask),
            ..anything()
        });
        net.forward(CLIENT, segment(client, front, SYN, 1, 0));
        let answer = segment(web, client, SYN | ACK, 9000, 2);
        if other {
            net.forward(WEB1, answer);
        } else {
            assert_eq!(net.dropped(WEB1, answer.bytes()), Reason::DropRule);
        }
        net.forward(WEB1, segment(web, client, ACK, 9001, 2));
    }
}

#[test]
fn a_rule_that_names_nobody_counts_each_packet_once_and_ends_when_told() {
    let mut net = with(DropRule {
        nth: 2,
        count: Some(1),
        ..anything()
    });
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    let syn = segment(client, front, SYN, 1, 0);
    net.forward(CLIENT, syn);
    assert_eq!(net.dropped(CLIENT, syn.bytes()), Reason::DropRule);
    net.forward(CLIENT, syn);

    let mut net = with(anything());
    assert_eq!(net.dropped(CLIENT, syn.bytes()), Reason::DropRule);
    apply(&mut net, Change::EndDrop(0));
    net.forward(CLIENT, syn);
    assert_eq!(net.fabric.dropped_by_rule(), [1]);
}

#[test]
fn a_reset_of_the_balancer_s_own_is_dropped_too() {
    let mut net = with(DropRule {
        to: hosts(&[CLIENT]),
        ..anything()
    });
    let stray = segment(end(CLIENT_IP, C), end(FRONT_A, 80), ACK, 1, 1);
    assert!(net.send(CLIENT, stray.bytes()).is_empty());
    assert_eq!(net.metric("TCP_ELB_Reset_Count"), 1);
    assert_eq!(net.fabric.dropped_by_rule(), [1]);
}
