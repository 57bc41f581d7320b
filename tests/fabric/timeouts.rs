//! Idle flows, tombstones, and the kernel quirk of SYNs sent again too soon.

use crate::kit::*;
use hairpin::fabric::config::*;
use hairpin::fabric::record::*;
use std::time::Duration;

const C: u16 = 40_000;

#[test]
fn an_idle_flow_expires_silently_and_both_sides_are_reset_when_they_speak() {
    let mut net = Net::new(one_target());
    let (client, front, web) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(WEB1_IP, 80));
    net.connect(CLIENT, client, front, 1);
    assert!(net.pass(IDLE).is_empty());
    assert_eq!(net.fabric.flows()[0].state, FlowState::Expired);
    assert_eq!(net.metric("ActiveFlowCount"), 0);

    let (answer, rst) = net.reset(
        CLIENT,
        segment(client, front, ACK | PSH, 2, 9001).with_payload(3),
    );
    assert_eq!((answer, rst.seq), (Answer::ResetExpired, 9001));
    // Un-translated, this would reach the client from an address it never dialled.
    let (answer, rst) = net.reset(WEB1, segment(web, client, ACK, 9001, 2));
    assert_eq!((answer, rst.seq), (Answer::ResetExpired, 2));
    assert_eq!(net.metric("TCP_ELB_Reset_Count"), 2);
    let ended = net.conversation(client, front).ended.expect("an end");
    assert_eq!((ended.by, ended.reset), (Party::Fabric, true));
    let rst = segment(web, client, RST, 9001, 2);
    assert_eq!(net.dropped(WEB1, rst.bytes()), Reason::ExpiredFlow);
}

#[test]
fn a_silent_balancer_drops_what_comes_for_an_expired_flow() {
    let mut config = one_target();
    config.balancers[0].on_missing_flow = OnMissingFlow::Drop;
    let mut net = Net::new(config);
    let (client, front, web) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(WEB1_IP, 80));
    net.connect(CLIENT, client, front, 1);
    net.pass(IDLE);
    let late = segment(web, client, ACK, 9001, 2);
    assert_eq!(net.dropped(WEB1, late.bytes()), Reason::ExpiredFlow);
    let late = segment(client, front, ACK, 2, 9001);
    assert_eq!(net.dropped(CLIENT, late.bytes()), Reason::ExpiredFlow);
    assert_eq!(net.conversation(client, front).ended, None);
}

#[test]
fn any_packet_in_either_direction_keeps_a_flow() {
    let mut net = Net::new(one_target());
    let (client, front, web) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(WEB1_IP, 80));
    net.connect(CLIENT, client, front, 1);
    for turn in 0..6 {
        net.pass(IDLE - ms(1));
        if turn % 2 == 0 {
            net.forward(CLIENT, segment(client, front, ACK, 1, 9001));
        } else {
            net.forward(WEB1, segment(web, client, ACK, 9000, 2));
        }
    }
    assert_eq!(net.fabric.flows()[0].state, FlowState::Established);
    net.pass(IDLE);
    assert_eq!(net.fabric.flows()[0].state, FlowState::Expired);
}

#[test]
fn a_flow_expires_at_its_limit_even_when_nobody_asked_in_between() {
    let mut net = Net::new(one_target());
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    net.connect(CLIENT, client, front, 1);
    net.now += IDLE;
    let (answer, _) = net.reset(CLIENT, segment(client, front, ACK, 2, 9001));
    assert_eq!(answer, Answer::ResetExpired);
}

#[test]
fn what_became_due_is_done_in_that_order_even_by_a_late_driver() {
    let mut config = one_target();
    config.ports[CLIENT.0 as usize].up.delay = ms(1000);
    let mut net = Net::new(config);
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    net.send(CLIENT, segment(client, front, SYN, 1, 0).bytes());
    net.pass(ms(1000));
    // Sent half a second before the flow expires, and half a second too long under way.
    net.pass(IDLE - ms(500));
    net.send(CLIENT, segment(client, front, ACK, 2, 9001).bytes());
    net.now += ms(60_000);
    net.fabric.advance(net.now, &mut net.out);
    assert_eq!(net.fabric.flows()[0].state, FlowState::Expired);
    assert_eq!(net.metric("TCP_ELB_Reset_Count"), 1);
}

#[test]
fn an_expired_tuple_makes_a_new_flow() {
    let mut net = Net::new(one_target());
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    net.connect(CLIENT, client, front, 1);
    net.pass(IDLE);
    net.connect(CLIENT, client, front, 7000);
    assert_eq!(net.fabric.flows().len(), 2);
    assert_eq!(net.fabric.flows()[0].state, FlowState::Expired);
    assert_eq!(net.fabric.flows()[1].state, FlowState::Established);
}

#[test]
fn a_closed_flow_stays_closed_in_the_books_and_becomes_a_tombstone() {
    let mut net = Net::new(one_target());
    let (client, front, web) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(WEB1_IP, 80));
    net.connect(CLIENT, client, front, 1);
    net.forward(CLIENT, segment(client, front, RST, 2, 0));
    net.pass(IDLE);
    assert_eq!(net.fabric.flows()[0].state, FlowState::Closed);
    let (answer, _) = net.reset(WEB1, segment(web, client, ACK, 9001, 2));
    assert_eq!(answer, Answer::ResetExpired);
}

#[test]
fn pooled_ports_of_expired_flows_come_back() {
    let mut config = one_target();
    config.groups[0].preserve_client_ip = false;
    config.balancers[0].snat_ports = 1;
    let mut net = Net::new(config);
    let front = end(FRONT_A, 80);
    net.connect(CLIENT, end(CLIENT_IP, 1), front, 1);
    net.pass(IDLE);
    net.connect(CLIENT, end(CLIENT_IP, 2), front, 1);
    let late = segment(end(CLIENT_IP, 1), front, ACK, 2, 9001);
    net.reset(CLIENT, late);
    assert_eq!(net.fabric.flows()[1].state, FlowState::Established);
}

#[test]
fn an_idle_datagram_flow_starts_anew() {
    let mut net = Net::new(one_target());
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 53));
    let came = net.send(CLIENT, datagram(client, front, 3)).remove(0);
    net.send(WEB1, datagram(came.headers().to, client, 3));
    net.pass(IDLE);
    let late = datagram(came.headers().to, client, 3);
    assert_eq!(net.dropped(WEB1, late), Reason::ExpiredFlow);
    net.send(CLIENT, datagram(client, front, 3));
    assert_eq!(net.metric("NewFlowCount_UDP"), 2);
}

#[test]
fn an_answer_later_than_the_half_open_limit_is_not_brought_back() {
    let (client, front, web) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(WEB1_IP, 80));
    let answer = segment(web, client, SYN | ACK, 9000, 2);
    for (wait, in_time) in [(HALF_OPEN - ms(1), true), (HALF_OPEN, false)] {
        let mut net = Net::new(one_target());
        net.forward(CLIENT, segment(client, front, SYN, 1, 0));
        net.pass(wait);
        assert_eq!(net.metric("ActiveFlowCount"), u64::from(in_time));
        if in_time {
            net.forward(WEB1, answer);
            net.pass(HALF_OPEN);
            assert_eq!(net.fabric.flows()[0].state, FlowState::Established);
        } else {
            assert_eq!(net.dropped(WEB1, answer.bytes()), Reason::HalfOpen);
            assert_eq!(net.fabric.flows()[0].state, FlowState::Expired);
            assert_eq!(net.metric("TCP_ELB_Reset_Count"), 0);
        }
    }
}

#[test]
fn a_syn_sent_again_does_not_prolong_the_half_open_limit_and_makes_a_new_flow_after_it() {
    let mut net = Net::new(one_target());
    let (client, front, web) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(WEB1_IP, 80));
    let syn = segment(client, front, SYN, 1, 0);
    net.forward(CLIENT, syn);
    net.pass(HALF_OPEN - ms(1));
    net.forward(CLIENT, syn);
    net.pass(ms(1));
    assert_eq!(net.fabric.flows()[0].state, FlowState::Expired);
    net.forward(CLIENT, syn);
    net.forward(WEB1, segment(web, client, SYN | ACK, 9000, 2));
    assert_eq!(net.fabric.flows().len(), 2);
    assert_eq!(net.fabric.flows()[1].state, FlowState::Established);
}

#[test]
fn a_datagram_flow_without_an_answer_keeps_its_target_but_gets_no_way_back() {
    let mut net = Net::new(one_target());
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 53));
    let came = net.send(CLIENT, datagram(client, front, 3)).remove(0);
    net.pass(HALF_OPEN);
    let answer = datagram(came.headers().to, client, 3);
    assert_eq!(net.dropped(WEB1, answer), Reason::HalfOpen);
    net.send(CLIENT, datagram(client, front, 3));
    assert_eq!(net.metric("NewFlowCount_UDP"), 1);
}

#[test]
fn a_port_used_again_soon_after_its_connection_goes_to_the_same_target_when_told_so() {
    let web = end(WEB1_IP, 80);
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    let flows_after = |reuse, wait| {
        let mut config = one_target();
        config.balancers[0].flow_reuse = reuse;
        let mut net = Net::new(config);
        net.connect(CLIENT, client, front, 1);
        net.forward(CLIENT, segment(client, front, FIN | ACK, 2, 9001));
        net.forward(WEB1, segment(web, client, FIN | ACK, 9001, 3));
        net.pass(wait);
        net.connect(CLIENT, client, front, 7000);
        net.fabric.flows().len()
    };
    assert_eq!(flows_after(Duration::ZERO, ms(1)), 2);
    assert_eq!(flows_after(ms(60_000), ms(59_999)), 1);
    assert_eq!(flows_after(ms(60_000), ms(60_000)), 2);
}

#[test]
fn an_old_kernel_waits_a_second_before_it_sends_its_syn_again() {
    let mut config = one_target();
    config.ports[0].quirks.syn_resend_classic = true;
    let mut net = Net::new(config);
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    let syn = segment(client, front, SYN, 5, 0);
    net.forward(CLIENT, syn);
    net.now += ms(8);
    assert_eq!(net.dropped(CLIENT, syn.bytes()), Reason::KernelQuirk);
    assert_eq!(net.conversation(client, front).syns, 1);
    net.now += ms(1010);
    net.forward(CLIENT, syn);
    assert_eq!(net.conversation(client, front).syns, 2);
    net.now += ms(8);
    net.forward(CLIENT, segment(client, front, SYN, 6, 0));
    assert_eq!(net.fabric.next_deadline(), Some(HALF_OPEN));
    assert_eq!(net.fabric.conversations().len(), 2);
    assert_eq!(net.conversation(client, front).opened, ms(8 + 1010 + 8));
}

#[test]
fn time_that_runs_backwards_stands_still() {
    let mut net = Net::new(one_target());
    net.now = Duration::from_secs(5);
    net.connect(CLIENT, end(CLIENT_IP, C), end(FRONT_A, 80), 1);
    net.now = Duration::from_secs(1);
    net.forward(
        CLIENT,
        segment(end(CLIENT_IP, C), end(FRONT_A, 80), ACK, 2, 9001),
    );
    assert_eq!(net.fabric.flows()[0].last, Duration::from_secs(5));
}
