//! Flows: which target, which way back, what is refused.

use crate::kit::*;
use hairpin::fabric::config::*;
use hairpin::fabric::record::*;
use std::collections::HashSet;
use std::time::Duration;

const C: u16 = 40_000;

#[test]
fn a_client_sees_only_the_zonal_address_and_a_target_only_the_client() {
    let mut net = Net::new(one_target());
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    let arrived = net.connect(CLIENT, client, front, 100);
    assert_eq!(arrived.port, WEB1);
    assert_eq!((arrived.from, arrived.to), (client, end(WEB1_IP, 80)));
    let flow = &net.fabric.flows()[0];
    assert_eq!(flow.state, FlowState::Established);
    assert_eq!(
        (flow.client_side.from, flow.client_side.to),
        (client, front)
    );
    assert_eq!(
        (flow.target_side.from, flow.target_side.to),
        (client, end(WEB1_IP, 80))
    );
    assert_eq!(net.conversation(client, front).flow, Some(FlowId(0)));
    assert_eq!(net.conversation(client, front).syns, 1);
}

#[test]
fn a_target_may_listen_on_another_port() {
    let mut config = one_target();
    config.groups[0].targets[0].port = Some(8080);
    let mut net = Net::new(config);
    let arrived = net.connect(CLIENT, end(CLIENT_IP, C), end(FRONT_A, 80), 1);
    assert_eq!(arrived.to, end(WEB1_IP, 8080));
}

#[test]
fn the_hash_spreads_flows_and_a_syn_sent_again_stays() {
    let mut net = Net::new(config());
    let mut ports = Vec::new();
    for n in 0..400 {
        let (source, front) = (end(CLIENT_IP, 20_000 + n), end(FRONT_A, 80));
        let first = net.syn(CLIENT, source, front, u32::from(n) * 7);
        let again = net.syn(CLIENT, source, front, u32::from(n) * 7);
        assert_eq!(first, again);
        ports.push(first.port);
    }
    let at_web1 = ports.iter().filter(|&&port| port == WEB1).count();
    assert!((140..260).contains(&at_web1), "{at_web1}");
    assert_eq!(net.fabric.flows().len(), 400);
    assert_eq!(
        net.conversation(end(CLIENT_IP, 20_000), end(FRONT_A, 80))
            .syns,
        2
    );
}

#[test]
fn the_sequence_number_is_part_of_the_hash() {
    let mut seen = HashSet::new();
    for isn in 0..64 {
        let mut net = Net::new(config());
        seen.insert(
            net.syn(CLIENT, end(CLIENT_IP, C), end(FRONT_A, 80), isn)
                .port,
        );
    }
    assert_eq!(seen, HashSet::from([WEB1, WEB2]));
}

#[test]
fn a_preferred_target_is_chosen_whatever_the_hash_says() {
    let mut config = config();
    config.balancers[0].prefer = vec![(ZonalId(0), vec![7, 1]), (ZonalId(1), vec![0, 1])];
    let mut net = Net::new(config);
    for n in 0..20 {
        let source = end(CLIENT_IP, 20_000 + n);
        assert_eq!(net.syn(CLIENT, source, end(FRONT_A, 80), 1).port, WEB2);
        assert_eq!(net.syn(CLIENT, source, end(FRONT_B, 80), 1).port, WEB1);
    }
}

#[test]
fn another_seed_chooses_otherwise() {
    let choices = |seed| {
        let mut config = config();
        config.seed = seed;
        let mut net = Net::new(config);
        (0..64)
            .map(|n| {
                net.syn(CLIENT, end(CLIENT_IP, 20_000 + n), end(FRONT_A, 80), 5)
                    .port
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(choices(1), choices(1));
    assert_ne!(choices(1), choices(2));
}

#[test]
fn without_cross_zone_each_zonal_address_has_its_own_targets() {
    let mut config = one_target();
    config.balancers[0].listeners[0].forward[0].cross_zone = false;
    let mut net = Net::new(config);
    for n in 0..20 {
        let a = net.syn(CLIENT, end(CLIENT_IP, 20_000 + n), end(FRONT_A, 80), 5);
        let b = net.syn(CLIENT, end(CLIENT_IP, 20_000 + n), end(FRONT_B, 80), 5);
        // web1 is preferred at b too, and not eligible there.
        assert_eq!((a.port, b.port), (WEB1, WEB2));
    }
}

#[test]
fn a_target_without_zone_is_reached_across_zones_only() {
    let mut config = config();
    config.groups[0].targets[0].zone = None;
    config.groups[0].targets.truncate(1);
    let mut net = Net::new(config.clone());
    assert_eq!(
        net.syn(CLIENT, end(CLIENT_IP, C), end(FRONT_A, 80), 1).port,
        WEB1
    );
    config.balancers[0].listeners[0].forward[0].cross_zone = false;
    let mut net = Net::new(config);
    let syn = segment(end(CLIENT_IP, C), end(FRONT_A, 80), SYN, 1, 0);
    assert_eq!(net.dropped(CLIENT, syn.bytes()), Reason::NoTarget);
    assert_eq!(net.metric("RejectedFlowCount"), 1);
    assert!(net.fabric.flows().is_empty());
}

#[test]
fn a_syn_without_a_target_may_be_told_so() {
    let mut config = config();
    config.groups[0].targets.clear();
    config.balancers[0].on_no_target = OnNoTarget::Reset;
    let mut net = Net::new(config);
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    let (answer, rst) = net.reset(CLIENT, segment(client, front, SYN, 7, 0));
    assert_eq!(answer, Answer::ResetNoTarget);
    assert_eq!((rst.flags, rst.seq, rst.ack), (RST | ACK, 0, 8));
    assert_eq!(net.metric("RejectedFlowCount"), 1);
    assert_eq!(net.metric("TCP_ELB_Reset_Count"), 1);
    let bytes = datagram(client, end(FRONT_A, 53), 4);
    assert_eq!(net.dropped(CLIENT, bytes), Reason::NoTarget);
    assert!(net.fabric.flows().is_empty());
}

#[test]
fn a_port_without_listener_is_silent() {
    let mut net = Net::new(config());
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 81));
    for flags in [SYN, ACK, FIN | ACK, RST] {
        let bytes = segment(client, front, flags, 1, 1).bytes();
        assert_eq!(net.dropped(CLIENT, bytes), Reason::NoListener);
    }
    let bytes = datagram(client, end(FRONT_A, 80), 4);
    assert_eq!(net.dropped(CLIENT, bytes), Reason::NoListener);
    assert_eq!(net.metric("TCP_ELB_Reset_Count"), 0);
}

#[test]
fn a_segment_of_no_flow_is_reset_with_an_acceptable_sequence_number() {
    let mut net = Net::new(config());
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    let (answer, rst) = net.reset(
        CLIENT,
        segment(client, front, ACK | PSH, 500, 777).with_payload(10),
    );
    assert_eq!(answer, Answer::ResetNoFlow);
    // RFC 9293 3.10.7.1: SEG.ACK, and no ACK of its own.
    assert_eq!((rst.flags, rst.seq), (RST, 777));
    let (_, rst) = net.reset(CLIENT, segment(client, front, FIN, 500, 0).with_payload(10));
    assert_eq!((rst.flags, rst.seq, rst.ack), (RST | ACK, 0, 511));
    assert_eq!(net.metric("TCP_ELB_Reset_Count"), 2);
    assert_eq!(net.fabric.totals().originated, 2);
    assert_eq!(net.fabric.totals().answered, 2);
}

#[test]
fn a_reset_of_no_flow_is_never_answered() {
    let mut net = Net::new(config());
    let rst = segment(end(CLIENT_IP, C), end(FRONT_A, 80), RST | ACK, 5, 5);
    assert_eq!(net.dropped(CLIENT, rst.bytes()), Reason::MissingFlow);
}

#[test]
fn a_balancer_may_be_told_to_stay_silent() {
    let mut config = config();
    config.balancers[0].on_missing_flow = OnMissingFlow::Drop;
    let mut net = Net::new(config);
    let data = segment(end(CLIENT_IP, C), end(FRONT_A, 80), ACK, 5, 5);
    assert_eq!(net.dropped(CLIENT, data.bytes()), Reason::MissingFlow);
    assert_eq!(net.metric("TCP_ELB_Reset_Count"), 0);
}

#[test]
fn flows_close_by_two_fins_or_one_reset_and_keep_translating() {
    let mut net = Net::new(one_target());
    let (client, front, web) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(WEB1_IP, 80));
    net.connect(CLIENT, client, front, 1);
    let state = |net: &Net| net.fabric.flows()[0].state;
    net.forward(CLIENT, segment(client, front, FIN | ACK, 2, 9001));
    assert_eq!(state(&net), FlowState::Closing);
    assert_eq!(net.metric("ActiveFlowCount"), 1);
    net.forward(WEB1, segment(web, client, FIN | ACK, 9001, 3));
    assert_eq!(state(&net), FlowState::Closed);
    assert_eq!(net.metric("ActiveFlowCount"), 0);
    let last = net.forward(CLIENT, segment(client, front, ACK, 3, 9002));
    assert_eq!(last.headers().to, web);
    let late = net.forward(WEB1, segment(web, client, FIN | ACK, 9001, 3));
    assert_eq!(late.headers().from, front);
    net.forward(WEB1, segment(web, client, SYN | ACK, 9000, 2));
    let ended = net.conversation(client, front).ended.expect("an end");
    assert_eq!((ended.reset, ended.by), (false, Party::Client));

    net.connect(CLIENT, end(CLIENT_IP, C + 1), front, 1);
    net.forward(WEB1, segment(web, end(CLIENT_IP, C + 1), RST, 9001, 0));
    assert_eq!(net.fabric.flows()[1].state, FlowState::Closed);
    let ended = net
        .conversation(end(CLIENT_IP, C + 1), front)
        .ended
        .expect("an end");
    assert_eq!((ended.reset, ended.by), (true, Party::Server));
    assert_eq!(net.metric("TCP_Target_Reset_Count"), 1);
    assert_eq!(net.metric("TCP_Client_Reset_Count"), 0);
}

#[test]
fn a_closed_tuple_makes_a_new_flow_and_an_open_one_does_not() {
    let mut net = Net::new(one_target());
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    net.connect(CLIENT, client, front, 1);
    // The target's kernel is to decide about a SYN on a living flow.
    net.syn(CLIENT, client, front, 5000);
    assert_eq!(net.fabric.flows().len(), 1);
    assert_eq!(net.conversation(client, front).isn, 5000);
    assert_eq!(net.conversation(client, front).flow, Some(FlowId(0)));
    assert_eq!(net.fabric.conversations().len(), 2);
    // A RST in answer to the target's challenge, and the same SYN once more: still this flow.
    net.forward(CLIENT, segment(client, front, RST, 2, 0));
    net.syn(CLIENT, client, front, 5000);
    assert_eq!(net.fabric.flows().len(), 1);
    net.forward(CLIENT, segment(client, front, RST, 2, 0));
    net.syn(CLIENT, client, front, 9000);
    assert_eq!(net.fabric.flows().len(), 2);
    assert_eq!(net.metric("NewFlowCount_TCP"), 2);
    assert_eq!(
        net.fabric.flows()[0].displaced.expect("displaced").was,
        FlowState::Closed
    );
}

#[test]
fn a_closed_flow_is_not_revived_into_a_full_table() {
    let mut config = one_target();
    config.balancers[0].flow_capacity = 1;
    let (first, second) = (end(CLIENT_IP, 1), end(CLIENT_IP, 2));
    let (front, web) = (end(FRONT_A, 80), end(WEB1_IP, 80));
    for by_target in [false, true] {
        let mut net = Net::new(config.clone());
        net.forward(CLIENT, segment(first, front, SYN, 5, 0));
        net.forward(CLIENT, segment(first, front, RST, 6, 0));
        net.connect(CLIENT, second, front, 1);
        if by_target {
            net.forward(WEB1, segment(web, first, SYN | ACK, 9000, 6));
            assert_eq!(net.metric("RejectedFlowCount"), 0);
        } else {
            let again = segment(first, front, SYN, 5, 0);
            assert_eq!(net.dropped(CLIENT, again.bytes()), Reason::FlowTableFull);
            assert_eq!(net.metric("RejectedFlowCount"), 1);
        }
        assert_eq!(net.metric("ActiveFlowCount"), 1);
        assert_eq!(net.fabric.flows()[0].state, FlowState::Closed);
    }
}

#[test]
fn the_table_has_a_capacity_and_closed_flows_do_not_count() {
    let mut config = one_target();
    config.balancers[0].flow_capacity = 2;
    let mut net = Net::new(config);
    let front = end(FRONT_A, 80);
    net.connect(CLIENT, end(CLIENT_IP, 1), front, 1);
    net.connect(CLIENT, end(CLIENT_IP, 2), front, 1);
    let third = segment(end(CLIENT_IP, 3), front, SYN, 1, 0);
    assert_eq!(net.dropped(CLIENT, third.bytes()), Reason::FlowTableFull);
    assert_eq!(net.metric("RejectedFlowCount"), 1);
    net.forward(CLIENT, segment(end(CLIENT_IP, 1), front, RST, 2, 0));
    net.connect(CLIENT, end(CLIENT_IP, 3), front, 1);
    assert_eq!(net.metric("ActiveFlowCount"), 2);
}

#[test]
fn datagrams_make_flows_too() {
    let mut net = Net::new(config());
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 53));
    let came = net.send(CLIENT, datagram(client, front, 30));
    let seen = came[0].headers();
    assert_eq!(net.fabric.flows()[0].state, FlowState::SynSent);
    let back = net.send(came[0].to, datagram(seen.to, seen.from, 99));
    assert_eq!(back[0].to, CLIENT);
    assert_eq!(back[0].headers().from, front);
    assert_eq!(net.fabric.flows()[0].state, FlowState::Established);
    assert_eq!(net.metric("NewFlowCount_UDP"), 1);
    assert_eq!(net.metric("ProcessedPackets"), 2);
    assert_eq!(net.metric("ProcessedBytes"), 58 + 127);
}

#[test]
fn fragments_of_a_datagram_follow_the_first_one() {
    let mut net = Net::new(config());
    let whole = datagram(end(CLIENT_IP, C), end(FRONT_A, 53), 152);
    let early = part(&whole, 7, 8, false);
    assert_eq!(net.dropped(CLIENT, early), Reason::Fragment);
    let first = net.send(CLIENT, part(&whole, 7, 0, true));
    let target = first[0].to;
    let seen = first[0].headers();
    assert_ne!(seen.to, end(FRONT_A, 53));
    let middle = net.send(CLIENT, part(&whole, 7, 8, true));
    let last = net.send(CLIENT, part(&whole, 7, 16, false));
    for later in [&middle[0], &last[0]] {
        assert_eq!(later.to, target);
        let ends = (later.headers().source(), later.headers().destination());
        assert_eq!(ends, (seen.source(), seen.destination()));
    }
    let payload = |bytes: &[u8]| bytes[20..].to_vec();
    assert_eq!(
        payload(&last[0].bytes),
        payload(&part(&whole, 7, 16, false)),
        "its bytes stay"
    );
    let other = part(&whole, 8, 8, false);
    assert_eq!(
        net.dropped(CLIENT, other),
        Reason::Fragment,
        "of another datagram"
    );
    assert_eq!(net.metric("NewFlowCount_UDP"), 1);
    assert_eq!(net.metric("ProcessedPackets"), 3);
    // All of it is written down with its ports, as it came and as it went on.
    let records = net.fabric.records().into_iter();
    let carried: Vec<_> = records
        .filter(|one| one.fate == Fate::Forwarded(target))
        .collect();
    assert_eq!(carried.len(), 3);
    for one in carried {
        assert_eq!(
            (one.before.from, one.before.to),
            (end(CLIENT_IP, C), end(FRONT_A, 53))
        );
        assert_eq!((one.after.from, one.after.to), (seen.from, seen.to));
    }
    // The answer's as well.
    let answer = datagram(seen.to, seen.from, 152);
    for (offset, more) in [(0, true), (8, false)] {
        let back = net.send(target, part(&answer, 9, offset, more));
        assert_eq!(back[0].to, CLIENT);
        assert_eq!(back[0].headers().source(), ip(FRONT_A));
    }
    net.pass(Duration::from_secs(31));
    let late = part(&whole, 7, 16, false);
    assert_eq!(
        net.dropped(CLIENT, late),
        Reason::Fragment,
        "nobody waits for so long"
    );
}

#[test]
fn fragments_of_anything_but_datagrams_are_dropped() {
    let mut net = Net::new(config());
    net.connect(CLIENT, end(CLIENT_IP, C), end(FRONT_A, 80), 100);
    let segment = segment(end(CLIENT_IP, C), end(FRONT_A, 80), ACK, 101, 9001).with_payload(64);
    for (offset, more) in [(0, true), (1, false)] {
        let fragment = part(&segment.bytes(), 7, offset, more);
        assert_eq!(net.dropped(CLIENT, fragment), Reason::Fragment);
    }
}

#[test]
fn no_fragment_of_tcp_gets_around_the_balancer_on_its_way_back() {
    let mut net = Net::new(one_target());
    let (client, front, web) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(WEB1_IP, 80));
    net.connect(CLIENT, client, front, 1);
    let parts = [(0, true), (8, true), (16, false)];
    // web1 has a public address, by which the client is reached without the balancer.
    for (id, from, fate) in [
        (7, web, Fate::Dropped(Reason::Fragment)),
        (8, end(WEB1_IP, 81), Fate::Forwarded(CLIENT)),
        (9, web, Fate::Dropped(Reason::Fragment)),
    ] {
        let answer = segment(from, client, ACK, 9001, 2).with_payload(180);
        for (offset, more) in parts {
            net.send(WEB1, part(&answer.bytes(), id, offset, more));
            assert_eq!(net.last_fate(), fate, "{id}, {offset}");
        }
    }
    // Nobody remembers for longer than a receiver waits.
    net.now += ms(30_000);
    let answer = segment(web, client, ACK, 9001, 2).with_payload(180);
    net.send(WEB1, part(&answer.bytes(), 7, 8, true));
    assert_eq!(net.last_fate(), Fate::Forwarded(CLIENT));
}

#[test]
fn other_protocols_are_not_carried() {
    let mut net = Net::new(config());
    let mut bytes = datagram(end(CLIENT_IP, C), end(FRONT_A, 53), 64);
    bytes[9] = 47;
    fill_ip_checksum(&mut bytes);
    assert_eq!(net.dropped(CLIENT, bytes), Reason::ProtocolUnsupported);
}

#[test]
fn a_late_answer_does_not_revive_a_flow_that_its_client_has_left() {
    let mut net = Net::new(config());
    let (client, front) = (end(CLIENT_IP, 40_000), end(FRONT_A, 80));
    let first = net.syn(CLIENT, client, front, 1);
    net.forward(CLIENT, segment(client, front, RST, 2, 0));
    // Another sequence number, another target.
    let isn = (2..).find(|isn| {
        net.syn(CLIENT, client, front, *isn).port != first.port || {
            net.forward(CLIENT, segment(client, front, RST, isn + 1, 0));
            false
        }
    });
    assert!(isn.is_some());
    assert_eq!(net.metric("ActiveFlowCount"), 1);
    let late = segment(first.to, first.from, SYN | ACK, 9000, 2);
    net.send(first.port, late.bytes());
    assert_eq!(net.metric("ActiveFlowCount"), 1);
}
