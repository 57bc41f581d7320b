//! Two flows that a target cannot tell apart, under each policy; and source ports from a pool, where it cannot happen.

use crate::kit::*;
use hairpin::fabric::change::Change;
use hairpin::fabric::config::*;
use hairpin::fabric::record::*;
use hairpin::packet::Headers;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};

const C: u16 = 40_000;

fn with_policy(policy: OnCollision) -> Config {
    let mut config = one_target();
    config.balancers[0].on_collision = policy;
    config
}

/// What the client gets when the target sends this.
fn from_target(net: &mut Net, flags: u8, seq: u32, ack: u32) -> Headers {
    let (web, client) = (end(WEB1_IP, 80), end(CLIENT_IP, C));
    net.forward(WEB1, segment(web, client, flags, seq, ack))
        .headers()
}

/// The published story, step by step: challenge ACK by the wrong address, RST, second SYN.
#[test]
fn the_newest_syn_takes_the_way_back() {
    let mut net = Net::new(one_target());
    let (client, a, b) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(FRONT_B, 80));
    net.connect(CLIENT, client, a, 1);
    let seen = net.syn(CLIENT, client, b, 5000);
    assert_eq!((seen.from, seen.to), (client, end(WEB1_IP, 80)));
    let lost = net.fabric.flows()[0].displaced.expect("displaced");
    assert_eq!((lost.by, lost.was), (FlowId(1), FlowState::Established));

    let challenge = from_target(&mut net, ACK, 9001, 2);
    assert_eq!(challenge.from, b);
    assert_eq!(net.fabric.flows()[1].state, FlowState::SynSent);
    net.forward(CLIENT, segment(client, b, RST, 2, 0));
    assert_eq!(net.fabric.flows()[1].state, FlowState::Closed);
    assert_eq!(net.fabric.flows()[0].state, FlowState::Established);
    assert!(net.conversation(client, b).ended.is_some());

    net.syn(CLIENT, client, b, 5000);
    assert_eq!(net.fabric.flows()[1].state, FlowState::SynSent);
    assert_eq!(net.conversation(client, b).ended, None);
    assert_eq!(net.conversation(client, b).syns, 2);
    assert_eq!(from_target(&mut net, SYN | ACK, 7000, 5001).from, b);
    assert_eq!(net.fabric.flows()[1].state, FlowState::Established);
    assert_eq!(net.fabric.flows().len(), 2);
    assert_eq!(net.metric("ActiveFlowCount"), 2);

    // The old connection still sends to the target and never hears of it.
    let stray = net.forward(
        CLIENT,
        segment(client, a, ACK | PSH, 2, 9001).with_payload(5),
    );
    assert_eq!(stray.headers().to, end(WEB1_IP, 80));
    assert_eq!(from_target(&mut net, RST, 9001, 0).from, b);
    assert_eq!(net.conversation(client, a).ended, None);
    assert_eq!(
        net.conversation(client, b).ended.expect("ended").by,
        Party::Server
    );
}

/// A busy old connection: the target's RST for its data reaches the newcomer before its second SYN is answered.
#[test]
fn a_syn_ack_revives_a_flow_that_a_stray_reset_had_closed() {
    let mut net = Net::new(one_target());
    let (client, a, b) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(FRONT_B, 80));
    net.connect(CLIENT, client, a, 1);
    net.syn(CLIENT, client, b, 5000);
    from_target(&mut net, RST, 9001, 0);
    assert_eq!(net.fabric.flows()[1].state, FlowState::Closed);
    from_target(&mut net, SYN | ACK, 7000, 4000);
    assert_eq!(net.fabric.flows()[1].state, FlowState::Closed);
    from_target(&mut net, SYN | ACK, 7000, 5001);
    assert_eq!(net.fabric.flows()[1].state, FlowState::Established);
    assert_eq!(net.conversation(client, b).ended, None);
}

/// RFC 9293 section 3.10.7.4: outside the window it is dropped, inside it is answered with a challenge ACK.
#[test]
fn a_reset_after_which_both_ends_go_on_has_ended_nothing() {
    let mut config = one_target();
    config.groups[0].preserve_client_ip = false;
    config.balancers[0].snat_ports = 1;
    for by_client in [true, false] {
        let mut net = Net::new(config.clone());
        let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
        let arrived = net.connect(CLIENT, client, front, 1);
        let up = |net: &mut Net, flags| net.forward(CLIENT, segment(client, front, flags, 2, 9001));
        let down = |net: &mut Net, flags| {
            net.forward(WEB1, segment(arrived.to, arrived.from, flags, 9001, 2))
        };
        let state = |net: &Net| net.fabric.flows()[0].state;
        match by_client {
            true => up(&mut net, RST),
            false => down(&mut net, RST),
        };
        assert_eq!(state(&net), FlowState::Closed);
        // Of one end alone it says nothing, however often: it may not have heard of it, and is reset soon.
        for _ in 0..2 {
            down(&mut net, ACK);
            assert_eq!(state(&net), FlowState::Closed);
        }
        match by_client {
            true => up(&mut net, RST),
            false => down(&mut net, RST),
        };
        up(&mut net, ACK | PSH);
        assert_eq!(state(&net), FlowState::Closed);
        down(&mut net, ACK);
        assert_eq!(state(&net), FlowState::Established);
        // Its port is its own again.
        let other = segment(end(CLIENT_IP, 2), front, SYN, 1, 0);
        assert_eq!(net.dropped(CLIENT, other.bytes()), Reason::PortAllocation);
        // Whoever closes has not reset it before.
        match by_client {
            true => up(&mut net, FIN | ACK),
            false => down(&mut net, FIN | ACK),
        };
        let ended = net.conversation(client, front).ended.expect("ended");
        assert!(!ended.reset);
        assert_eq!(ended.by == Party::Client, by_client);
    }
}

#[test]
fn a_syn_sent_again_takes_the_way_back_again() {
    let mut net = Net::new(one_target());
    let (client, a, b) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(FRONT_B, 80));
    net.syn(CLIENT, client, a, 1);
    net.syn(CLIENT, client, b, 5000);
    net.syn(CLIENT, client, a, 1);
    assert_eq!(from_target(&mut net, SYN | ACK, 7000, 2).from, a);
    assert!(net.fabric.flows()[0].displaced.is_none());
    assert_eq!(
        net.fabric.flows()[1].displaced.expect("displaced").by,
        FlowId(0)
    );
}

#[test]
fn two_balancers_with_one_target_collide_likewise() {
    let mut config = one_target();
    let mut other = config.balancers[0].clone();
    other.name = "other".to_owned();
    other.listeners[0].port = 443;
    config.groups.push(config.groups[0].clone());
    config.groups[1].targets[0].port = Some(80);
    other.listeners[0].forward[0].group = GroupId(1);
    for (index, zonal) in other.zonal.iter_mut().enumerate() {
        zonal.public = Some(ip(&format!("203.0.113.{}", 64 + index)));
        zonal.private = ip(&format!("10.0.{}.6", 1 + index));
    }
    config.balancers.push(other);
    let mut net = Net::new(config);
    let client = end(CLIENT_IP, C);
    net.connect(CLIENT, client, end(FRONT_A, 80), 1);
    net.syn(CLIENT, client, end("203.0.113.64", 443), 5000);
    assert_eq!(
        from_target(&mut net, ACK, 9001, 2).from,
        end("203.0.113.64", 443)
    );
    assert_eq!(
        net.fabric.flows()[0].displaced.expect("displaced").by,
        FlowId(1)
    );
    assert_eq!(net.fabric.flows()[1].balancer, BalancerId(1));
}

#[test]
fn keep_old_leaves_the_newcomer_without_answer_until_the_old_flow_is_over() {
    let mut net = Net::new(with_policy(OnCollision::KeepOld));
    let (client, a, b) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(FRONT_B, 80));
    net.connect(CLIENT, client, a, 1);
    for _ in 0..3 {
        net.syn(CLIENT, client, b, 5000);
        assert_eq!(from_target(&mut net, ACK, 9001, 2).from, a);
    }
    assert!(net.fabric.flows()[0].displaced.is_none());
    assert_eq!(net.fabric.flows()[1].state, FlowState::SynSent);
    net.forward(CLIENT, segment(client, a, RST, 2, 0));
    net.syn(CLIENT, client, b, 5000);
    assert_eq!(from_target(&mut net, SYN | ACK, 7000, 5001).from, b);
    assert_eq!(
        net.fabric.flows()[0].displaced.expect("displaced").was,
        FlowState::Closed
    );
}

#[test]
fn by_lot_a_newcomer_wins_or_not_and_its_repetitions_with_it() {
    let mut won = 0;
    for isn in 0..200 {
        let mut net = Net::new(with_policy(OnCollision::Random));
        let (client, a, b) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(FRONT_B, 80));
        net.connect(CLIENT, client, a, 1);
        net.syn(CLIENT, client, b, 5000 + isn);
        let first = from_target(&mut net, ACK, 9001, 2).from;
        net.syn(CLIENT, client, b, 5000 + isn);
        assert_eq!(from_target(&mut net, ACK, 9001, 2).from, first);
        won += usize::from(first == b);
    }
    // The seed is fixed; five standard deviations of seven, for any other one.
    assert!((65..=135).contains(&won), "{won}");
}

#[test]
fn port_rewrite_lets_both_live() {
    let mut net = Net::new(with_policy(OnCollision::PortRewrite));
    let (client, a, b) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(FRONT_B, 80));
    let old = net.connect(CLIENT, client, a, 1);
    let new = net.connect(CLIENT, client, b, 5000);
    assert_eq!(old.from, client);
    assert_eq!(new.from.ip(), client.ip());
    assert_ne!(new.from.port(), C);
    assert_eq!(net.syn(CLIENT, client, b, 5000).from, new.from);
    assert_eq!(from_target(&mut net, ACK, 9001, 2).from, a);
    assert!(
        net.fabric
            .flows()
            .iter()
            .all(|flow| flow.displaced.is_none())
    );
}

#[test]
fn what_a_closed_flow_held_is_had_for_nothing_under_every_policy() {
    for policy in [
        OnCollision::Newest,
        OnCollision::KeepOld,
        OnCollision::Random,
        OnCollision::PortRewrite,
    ] {
        let mut net = Net::new(with_policy(policy));
        let (client, a, b) = (end(CLIENT_IP, C), end(FRONT_A, 80), end(FRONT_B, 80));
        net.connect(CLIENT, client, a, 1);
        from_target(&mut net, FIN | ACK, 9001, 2);
        net.forward(CLIENT, segment(client, a, FIN | ACK, 2, 9002));
        let new = net.connect(CLIENT, client, b, 5000);
        assert_eq!(new.from, client, "{policy:?}");
        let lost = net.fabric.flows()[0].displaced.expect("displaced");
        assert_eq!((lost.by, lost.was), (FlowId(1), FlowState::Closed));
    }
}

#[test]
fn without_preservation_nothing_collides() {
    let mut config = one_target();
    config.groups[0].preserve_client_ip = false;
    let mut net = Net::new(config);
    let client = end(CLIENT_IP, C);
    let old = net.connect(CLIENT, client, end(FRONT_A, 80), 1);
    let new = net.connect(CLIENT, client, end(FRONT_B, 80), 5000);
    assert_eq!(*old.from.ip(), ip(FRONT_A_PRIVATE));
    assert_eq!(*new.from.ip(), ip(FRONT_B_PRIVATE));
    assert!(old.from.port() >= 1024);
    assert!(
        net.fabric
            .flows()
            .iter()
            .all(|flow| flow.displaced.is_none())
    );
}

#[test]
fn source_ports_run_out_by_target_and_come_back_when_a_flow_is_over() {
    let mut config = config();
    config.groups[0].preserve_client_ip = false;
    config.balancers[0].snat_ports = 10;
    config.balancers[0].prefer = vec![(ZonalId(0), vec![0]), (ZonalId(1), vec![1])];
    let mut net = Net::new(config);
    let front = end(FRONT_A, 80);
    for n in 0..10 {
        net.connect(CLIENT, end(CLIENT_IP, C + n), front, 1);
    }
    let eleventh = segment(end(CLIENT_IP, C + 10), front, SYN, 1, 0);
    assert_eq!(
        net.dropped(CLIENT, eleventh.bytes()),
        Reason::PortAllocation
    );
    assert_eq!(net.metric("PortAllocationErrorCount"), 1);
    assert_eq!(net.metric("NewFlowCount"), 10);
    // Another zonal address, another target: another pool.
    net.connect(CLIENT, end(CLIENT_IP, C + 10), end(FRONT_B, 80), 1);
    net.forward(CLIENT, segment(end(CLIENT_IP, C + 3), front, RST, 2, 0));
    let again = net.connect(CLIENT, end(CLIENT_IP, C + 10), front, 1);
    let freed = &net.fabric.flows()[3];
    assert_eq!(again.from, freed.target_side.from);
    assert_eq!(freed.displaced.expect("displaced").was, FlowState::Closed);
}

#[test]
fn a_pool_in_use_follows_a_change_of_its_size() {
    let mut config = one_target();
    config.groups[0].preserve_client_ip = false;
    config.balancers[0].snat_ports = 1;
    let mut net = Net::new(config.clone());
    let front = end(FRONT_A, 80);
    net.connect(CLIENT, end(CLIENT_IP, C), front, 1);
    let refused = |net: &mut Net, port| {
        let syn = segment(end(CLIENT_IP, port), front, SYN, 1, 0);
        assert_eq!(net.dropped(CLIENT, syn.bytes()), Reason::PortAllocation);
    };
    refused(&mut net, C + 1);
    config.balancers[0].snat_ports = 2;
    net.apply(Change::Configure(Box::new(config.clone())));
    net.connect(CLIENT, end(CLIENT_IP, C + 1), front, 1);
    refused(&mut net, C + 2);
    // Who has a port keeps it, and nobody else gets one before it is given back.
    config.balancers[0].snat_ports = 1;
    net.apply(Change::Configure(Box::new(config)));
    for port in [C, C + 1] {
        refused(&mut net, C + 2);
        net.forward(CLIENT, segment(end(CLIENT_IP, port), front, RST, 2, 0));
    }
    net.connect(CLIENT, end(CLIENT_IP, C + 2), front, 1);
    refused(&mut net, C + 3);
}

#[test]
fn a_syn_after_a_reset_keeps_its_pooled_port_if_it_can() {
    let mut config = one_target();
    config.groups[0].preserve_client_ip = false;
    config.balancers[0].snat_ports = 1;
    let mut net = Net::new(config);
    let front = end(FRONT_A, 80);
    let one = net.syn(CLIENT, end(CLIENT_IP, 1), front, 1);
    net.forward(CLIENT, segment(end(CLIENT_IP, 1), front, RST, 2, 0));
    assert_eq!(net.syn(CLIENT, end(CLIENT_IP, 1), front, 1), one);
    assert_eq!(net.fabric.flows().len(), 1);
    net.forward(CLIENT, segment(end(CLIENT_IP, 1), front, RST, 2, 0));
    assert_eq!(net.syn(CLIENT, end(CLIENT_IP, 2), front, 1).from, one.from);
    let again = segment(end(CLIENT_IP, 1), front, SYN, 1, 0);
    assert_eq!(net.dropped(CLIENT, again.bytes()), Reason::PortAllocation);
}

#[test]
fn a_flow_revived_by_a_syn_ack_has_its_pooled_port_again() {
    let mut config = one_target();
    config.groups[0].preserve_client_ip = false;
    config.balancers[0].snat_ports = 1;
    let mut net = Net::new(config);
    let front = end(FRONT_A, 80);
    let one = net.syn(CLIENT, end(CLIENT_IP, 1), front, 1);
    net.forward(WEB1, segment(one.to, one.from, RST, 9000, 0));
    net.accept(one, 1);
    assert_eq!(net.fabric.flows()[0].state, FlowState::Established);
    let other = segment(end(CLIENT_IP, 2), front, SYN, 1, 0);
    assert_eq!(net.dropped(CLIENT, other.bytes()), Reason::PortAllocation);
}

#[test]
fn secondary_addresses_lend_their_ports() {
    let mut config = one_target();
    config.groups[0].preserve_client_ip = false;
    config.balancers[0].snat_ports = 2;
    config.balancers[0].zonal[0].secondary = vec![ip("10.0.1.6"), ip("10.0.1.7")];
    let mut net = Net::new(config);
    let mut sources = BTreeMap::new();
    for port in 0..6 {
        let client = end(CLIENT_IP, 40_000 + port);
        let arrived = net.connect(CLIENT, client, end(FRONT_A, 80), 1);
        *sources.entry(arrived.from.ip().to_string()).or_insert(0) += 1;
    }
    let wanted = [(FRONT_A_PRIVATE, 2), ("10.0.1.6", 2), ("10.0.1.7", 2)];
    assert_eq!(
        sources,
        wanted.map(|(ip, count)| (ip.to_owned(), count)).into()
    );
    let more = segment(end(CLIENT_IP, 41_000), end(FRONT_A, 80), SYN, 1, 0);
    assert_eq!(net.dropped(CLIENT, more.bytes()), Reason::PortAllocation);
    // The other zone has none of its own.
    for port in 0..2 {
        net.connect(CLIENT, end(CLIENT_IP, 42_000 + port), end(FRONT_B, 80), 1);
    }
    let more = segment(end(CLIENT_IP, 43_000), end(FRONT_B, 80), SYN, 1, 0);
    assert_eq!(net.dropped(CLIENT, more.bytes()), Reason::PortAllocation);
    // A port given back is had again.
    let client = end(CLIENT_IP, 40_004);
    net.forward(
        CLIENT,
        segment(client, end(FRONT_A, 80), RST | ACK, 2, 9001),
    );
    let arrived = net.connect(CLIENT, end(CLIENT_IP, 44_000), end(FRONT_A, 80), 1);
    assert_eq!(arrived.from.ip().to_string(), "10.0.1.7");
    // Clients find no listener there.
    let more = segment(end(INSIDE_IP, 1), end("10.0.1.6", 80), SYN, 1, 0);
    assert_eq!(net.dropped(INSIDE, more.bytes()), Reason::NoRoute);
}

/// What the target sees of four clients, of whom the first two have one port.
fn sources(change: impl FnOnce(&mut Balancer)) -> Vec<SocketAddrV4> {
    let mut config = one_target();
    config.groups[0].preserve_client_ip = false;
    config.balancers[0].snat_ports = 10;
    change(&mut config.balancers[0]);
    let mut net = Net::new(config);
    let clients = [
        (CLIENT, end(CLIENT_IP, 1030)),
        (INSIDE, end(INSIDE_IP, 1030)),
        (CLIENT, end(CLIENT_IP, 1025)),
        (CLIENT, end(CLIENT_IP, 1033)),
    ];
    let mut seen = |(from, client)| net.syn(from, client, end(FRONT_A, 80), 1).from;
    clients.map(&mut seen).to_vec()
}

#[test]
fn source_ports_are_given_in_the_order_that_the_lab_wants() {
    let ports = |order| {
        let sources = sources(|front| front.port_order = order);
        sources.iter().map(SocketAddrV4::port).collect::<Vec<u16>>()
    };
    assert_eq!(ports(SourcePortOrder::Sequential), [1024, 1025, 1026, 1027]);
    assert_eq!(ports(SourcePortOrder::Preserve), [1030, 1031, 1025, 1033]);
    let in_turn = |given: &[u16]| {
        let mut pairs = given.windows(2);
        pairs.all(|pair| pair[1] == pair[0] + 1 || (pair[0], pair[1]) == (1033, 1024))
    };
    assert!(in_turn(&ports(SourcePortOrder::Upwards)));
    assert!(!in_turn(&ports(SourcePortOrder::Random)));
}

#[test]
fn flows_may_be_spread_over_all_addresses_and_none_is_turned_away_for_it() {
    let addresses = |address, ports| {
        let sources = sources(|front| {
            front.zonal[0].secondary = vec![ip("10.0.1.6"), ip("10.0.1.7")];
            (front.source_address, front.snat_ports) = (address, ports);
        });
        let all: BTreeSet<Ipv4Addr> = sources.iter().map(|source| *source.ip()).collect();
        all.len()
    };
    assert_eq!(addresses(SourceAddress::First, 10), 1);
    assert!(addresses(SourceAddress::Spread, 10) > 1);
    // Room for six.
    assert!(addresses(SourceAddress::Spread, 2) > 1);
}
