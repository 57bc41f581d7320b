//! What a refusal leaves behind: its record, counters, and no flow; and what guards do to packets that no host began.

use super::*;
use hairpin::fabric::change::Change;
use hairpin::packet::{TCP, answer};
use std::net::SocketAddrV4;

#[test]
fn a_refusal_says_who_and_how_it_saw_the_packet() {
    let mut config = open(one_target());
    web(vec![])(&mut config.guards);
    let mut net = Net::new(config);
    handshake(&mut net, CLIENT, CLIENT_IP, (FRONT_A, 80));
    assert_eq!(
        net.fabric.refusals(),
        [Refusal {
            packet: 0,
            guard: GuardKind::SecurityGroup(Interface::Host(WEB1)),
            names: ["web-sg".to_owned()].into(),
            direction: Direction::In,
            view: View {
                protocol: TCP,
                from: end(CLIENT_IP, C),
                to: end(WEB1_IP, 80),
            },
            flags: SYN,
            probe: false,
            only_ipv4: false,
        }]
    );
    let mut config = open(one_target());
    let deny = AclRule {
        allow: false,
        ..allow(90, EPHEMERAL, CLIENTS)
    };
    acl(A, vec![allow(100, (80, 80), ANY)], vec![deny])(&mut config.guards);
    let mut net = Net::new(config);
    handshake(&mut net, CLIENT, CLIENT_IP, (FRONT_A, 80));
    let refusal = &net.fabric.refusals()[0];
    let by = GuardKind::NetworkAcl {
        subnet: SubnetId(0),
        rule: Some(90),
    };
    assert_eq!((refusal.guard, refusal.direction), (by, Direction::Out));
    assert_eq!(refusal.view.to, end(CLIENT_IP, C));
}

/// AWS: neither security groups nor network ACLs filter what goes to the resolver of the VPC, nor its answers. One on the
/// internet is a server like others.
#[test]
fn no_guard_keeps_names_from_a_host() {
    let mut config = open(config());
    web(vec![])(&mut config.guards);
    config.guards.security_groups[0].egress = vec![];
    acl(A, vec![], vec![])(&mut config.guards);
    let mut net = Net::new(config);
    let question = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x05front\0\0\x01\0\x01";
    for (resolver, port, refused) in [
        ("10.0.0.2", 53, false),
        ("169.254.169.253", 53, false),
        ("10.0.0.2", 54, true),
        ("198.51.100.2", 53, true),
        (WEB2_IP, 53, true),
    ] {
        let packet = answer::datagram(end(WEB1_IP, C), end(resolver, port), question);
        let before = net.fabric.records().len();
        let delivered = net.send(WEB1, packet);
        let fate = net.fabric.records()[before].fate;
        if refused {
            assert_eq!(
                fate,
                Fate::Dropped(Reason::SecurityGroupEgress),
                "{resolver}"
            );
            continue;
        }
        assert_eq!(fate, Fate::Answered(Answer::Name), "{resolver}");
        assert_eq!((delivered.len(), delivered[0].to), (1, WEB1), "{resolver}");
    }
}

#[test]
fn a_refusal_says_who_it_was_then() {
    let mut config = open(config());
    web(vec![])(&mut config.guards);
    let mut net = Net::new(config.clone());
    let refused = |net: &mut Net| {
        let syn = segment(end(WEB2_IP, C), end(WEB1_IP, 80), SYN, 1, 0);
        net.dropped(WEB2, syn.bytes())
    };
    for name in ["web-sg", "replacement"] {
        config.guards.security_groups[0].name = name.to_owned();
        net.apply(Change::Configure(Box::new(config.clone())));
        assert_eq!(refused(&mut net), Reason::SecurityGroupIngress);
        assert_eq!(refused(&mut net), Reason::SecurityGroupIngress);
    }
    let refusals = net.fabric.refusals().iter();
    let names: Vec<&str> = refusals.map(|refusal| refusal.names[0].as_str()).collect();
    assert_eq!(names, ["web-sg", "web-sg", "replacement", "replacement"]);
}

#[test]
fn what_the_balancers_groups_block_is_counted_and_makes_no_flow() {
    let mut config = open(one_target());
    front(vec![rule(tcp(443, 443), ANY)], vec![])(&mut config.guards);
    let mut net = Net::new(config);
    let front = end(FRONT_A, 80);
    let syn = segment(end(CLIENT_IP, C), front, SYN, 1, 0);
    assert_eq!(
        net.dropped(CLIENT, syn.bytes()),
        Reason::SecurityGroupIngress
    );
    // A stray segment of no flow is dropped as silently, and is no flow that was blocked.
    let stray = segment(end(CLIENT_IP, C), front, ACK, 2, 2);
    assert_eq!(
        net.dropped(CLIENT, stray.bytes()),
        Reason::SecurityGroupIngress
    );
    let question = datagram(end(CLIENT_IP, C), end(FRONT_A, 53), 20);
    assert_eq!(net.dropped(CLIENT, question), Reason::SecurityGroupIngress);
    let counted =
        |net: &Net, name: &str| net.metric(&format!("SecurityGroupBlockedFlowCount_{name}"));
    assert_eq!(counted(&net, "Inbound_TCP"), 1);
    assert_eq!(counted(&net, "Inbound_UDP"), 1);
    assert_eq!(counted(&net, "Inbound_ICMP"), 0);
    assert_eq!(counted(&net, "Outbound_TCP"), 0);
    for other in [
        "NewFlowCount",
        "RejectedFlowCount",
        "ProcessedPackets",
        "TCP_ELB_Reset_Count",
    ] {
        assert_eq!(net.metric(other), 0, "{other}");
    }
    assert!(net.fabric.flows().is_empty());

    let mut config = open(one_target());
    front_out_of_reach(&mut config.guards);
    let mut net = Net::new(config);
    let syn = segment(end(CLIENT_IP, C), front, SYN, 1, 0);
    assert_eq!(
        net.dropped(CLIENT, syn.bytes()),
        Reason::SecurityGroupEgress
    );
    assert_eq!(counted(&net, "Outbound_TCP"), 1);
    assert_eq!(net.metric("NewFlowCount"), 0);
}

fn front_out_of_reach(guards: &mut Guards) {
    front(
        vec![rule(Traffic::All, ANY)],
        vec![rule(Traffic::All, ELSEWHERE)],
    )(guards);
}

#[test]
fn a_reset_of_the_balancer_needs_a_way_too() {
    let mut config = open(one_target());
    acl(A, vec![allow(100, (80, 80), ANY)], vec![])(&mut config.guards);
    let mut net = Net::new(config);
    let stray = segment(end(CLIENT_IP, C), end(FRONT_A, 80), ACK, 2, 2);
    assert!(net.send(CLIENT, stray.bytes()).is_empty());
    assert_eq!(net.metric("TCP_ELB_Reset_Count"), 1);
    assert_eq!(net.last_fate(), Fate::Dropped(Reason::NetworkAclOutbound));
}

/// Too large for the link of whoever it is for: who hears it, with a network ACL around subnet a that lets in TCP, and perhaps ICMP.
#[test]
fn the_routers_error_needs_a_way_into_the_subnet_of_whom_it_tells() {
    let heard =
        |icmp: Option<&str>, from: PortId, ends: (SocketAddrV4, SocketAddrV4), at: Place| {
            let mut config = open(one_target());
            let mut inbound = vec![allow(100, (0, u16::MAX), ANY)];
            inbound.extend(icmp.map(|from| AclRule {
                traffic: Traffic::Icmp,
                ..allow(110, (0, 0), from)
            }));
            let outbound = vec![allow(100, (0, u16::MAX), ANY)];
            acl(A, inbound, outbound)(&mut config.guards);
            match at {
                Place::Up => config.ports[from.0 as usize].up.mtu = Some(1000),
                Place::Down(to) => config.ports[to.0 as usize].down.mtu = Some(1000),
            }
            let mut net = Net::new(config);
            if from == WEB1 && *ends.1.ip() == ip(CLIENT_IP) && ends.0.port() == 80 {
                net.connect(CLIENT, ends.1, end(FRONT_A, 80), 1);
            }
            let large = segment(ends.0, ends.1, ACK, 9001, 2).with_payload(1400);
            let before = net.fabric.records().len();
            let came = net.send(from, large.bytes());
            let records = net.fabric.records();
            let fate = records[before].fate;
            assert_eq!(fate, Fate::Answered(Answer::FragmentationNeeded));
            match came.as_slice() {
                [] => {
                    assert_eq!(net.last_fate(), Fate::Dropped(Reason::NetworkAclInbound));
                    let refusals = net.fabric.refusals();
                    let refusal = refusals.last().expect("it says who");
                    let by = GuardKind::NetworkAcl {
                        subnet: SubnetId(0),
                        rule: None,
                    };
                    assert_eq!((refusal.guard, refusal.direction), (by, Direction::In));
                    assert_eq!(refusal.view.to.ip(), ends.0.ip());
                    false
                }
                [error] => {
                    assert_eq!((error.to, &error.bytes[20..22]), (from, &[3, 4][..]));
                    true
                }
                more => panic!("{more:?}"),
            }
        };
    let (client, web1) = (end(CLIENT_IP, C), end(WEB1_IP, 81));
    let (beside, elsewhere) = (end(INSIDE_IP, C), end(WEB2_IP, C));
    for (from, ends, at, outside) in [
        // From the internet, straight and through the balancer, and from another subnet.
        (WEB1, (web1, client), Place::Down(CLIENT), true),
        (WEB1, (end(WEB1_IP, 80), client), Place::Down(CLIENT), true),
        (WEB1, (web1, elsewhere), Place::Down(WEB2), true),
        // From its own: before its own link, and before a neighbour's.
        (WEB1, (web1, client), Place::Up, false),
        (WEB1, (web1, beside), Place::Down(INSIDE), false),
        // To the internet.
        (
            CLIENT,
            (client, end(WEB1_PUBLIC, 80)),
            Place::Down(WEB1),
            false,
        ),
    ] {
        let say = format!("{ends:?}");
        assert_eq!(heard(None, from, ends, at), !outside, "{say}");
        assert_eq!(heard(Some(CLIENTS), from, ends, at), !outside, "{say}");
        assert!(heard(Some(ANY), from, ends, at), "{say}");
    }
}

/// Whose link is too narrow.
#[derive(Clone, Copy)]
enum Place {
    /// The sender's.
    Up,
    /// This receiver's.
    Down(PortId),
}
