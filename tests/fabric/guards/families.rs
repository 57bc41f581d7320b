//! A rule's range is of one family: whom it lets in over the other one.

use super::*;
use crate::ipv6::{CLIENT6, FRONT_A6, SIX, WEB1_6, dualstack, end4, end6, seen, tcp as packet};
use hairpin::fabric::change::Change;

const ANY6: &str = "::/0";

/// The fate of the client's packet.
fn fate(net: &mut Net, bytes: Vec<u8>) -> Fate {
    net.send(CLIENT, bytes);
    net.last_fate()
}

/// The client's SYNs to one target: over IPv4 by the balancer, over IPv6 by the balancer and without it.
fn syns() -> [Vec<u8>; 3] {
    let (four, six) = (end4(CLIENT_IP, C), end6(CLIENT6, C));
    [
        packet(four, end4(FRONT_A, 80), SYN, 1, 0),
        packet(six, end6(FRONT_A6, SIX), SYN, 1, 0),
        packet(six, end6(WEB1_6, 80), SYN, 1, 0),
    ]
}

/// The last refusal is one of IPv6 for want of a rule that is not of IPv4.
fn only_ipv4(net: &Net) -> bool {
    net.fabric.refusals().last().expect("a refusal").only_ipv4
}

/// A rule for other packets, and one that denies, are of no help over any family.
#[test]
fn what_no_rule_is_for_is_not_refused_for_its_family() {
    let syn = || syns()[2].clone();
    let mut config = open(dualstack());
    web(vec![rule(tcp(81, 81), ANY)])(&mut config.guards);
    let mut net = Net::new(config);
    let refused = Fate::Dropped(Reason::SecurityGroupIngress);
    assert_eq!(fate(&mut net, syn()), refused);
    assert!(!only_ipv4(&net));
    let denied = AclRule {
        allow: false,
        ..allow(10, (0, u16::MAX), ANY)
    };
    for rules in [vec![denied], vec![allow(10, (81, 90), ANY)], vec![]] {
        let mut config = open(dualstack());
        acl(A, rules, vec![])(&mut config.guards);
        let mut net = Net::new(config);
        let refused = Fate::Dropped(Reason::NetworkAclInbound);
        assert_eq!(fate(&mut net, syn()), refused);
        assert!(!only_ipv4(&net));
    }
}

#[test]
fn a_range_lets_in_its_own_family_only() {
    let let_in = Fate::Forwarded(WEB1);
    // Whether it lets in over IPv4, over IPv6.
    for (range, four, six) in [
        (ANY, true, false),
        (CLIENTS, true, false),
        ("0.0.0.0/1", false, false),
        ("128.0.0.0/1", true, false),
        // What stands for IPv6 addresses inside.
        ("240.0.0.0/8", false, false),
        (ANY6, false, true),
        ("2001:db8::/48", false, true),
        ("2001:db8::1/128", false, true),
        ("2001:db8::2/128", false, false),
        ("2001:db8:1::/48", false, false),
        ("8000::/1", false, false),
    ] {
        let wanted = [four, six, six];
        let ports = Ports::ALL;
        let mut config = open(dualstack());
        web(vec![rule(Traffic::Tcp(ports), range)])(&mut config.guards);
        let mut net = Net::new(config);
        for (syn, wanted) in syns().into_iter().zip(wanted) {
            let refused = Fate::Dropped(Reason::SecurityGroupIngress);
            let six = syn[0] >> 4 == 6;
            let wanted = if wanted { let_in } else { refused };
            assert_eq!(fate(&mut net, syn), wanted, "security group, {range}");
            if wanted == refused {
                let of_ipv4 = !range.contains(':');
                assert_eq!(only_ipv4(&net), six && of_ipv4, "security group, {range}");
            }
        }
        let mut config = open(dualstack());
        acl(A, vec![allow(10, (0, u16::MAX), range)], vec![])(&mut config.guards);
        let mut net = Net::new(config);
        for (syn, wanted) in syns().into_iter().zip(wanted) {
            let refused = Fate::Dropped(Reason::NetworkAclInbound);
            let six = syn[0] >> 4 == 6;
            let wanted = if wanted { let_in } else { refused };
            assert_eq!(fate(&mut net, syn), wanted, "network ACL, {range}");
            if wanted == refused {
                let of_ipv4 = !range.contains(':');
                assert_eq!(only_ipv4(&net), six && of_ipv4, "network ACL, {range}");
            }
        }
    }
}

#[test]
fn everybody_and_a_group_are_of_both_families() {
    for peer in [Peer::Range(Range::Everybody), Peer::Group(FRONT_SG)] {
        let mut config = open(dualstack());
        let six = config.ports[0].ipv6.expect("the client has IPv6");
        let traffic = Traffic::All;
        web(vec![Rule { traffic, peer }])(&mut config.guards);
        config.guards.security_groups[1]
            .members
            .extend([six, ip(CLIENT_IP)]);
        let mut net = Net::new(config);
        for syn in syns() {
            assert_eq!(fate(&mut net, syn), Fate::Forwarded(WEB1), "{peer:?}");
        }
    }
}

/// The balancer's group sees the family of its client, the target's that of the balancer.
#[test]
fn behind_a_balancer_that_translates_rules_are_for_what_it_sends() {
    let out = || vec![rule(Traffic::All, ANY)];
    let six = end6(CLIENT6, C);
    let to_ipv4_target = || packet(six, end6(FRONT_A6, 80), SYN, 1, 0);
    let mut config = open(dualstack());
    web(vec![rule(tcp(80, 80), ANY)])(&mut config.guards);
    front(vec![rule(tcp(80, 80), ANY)], out())(&mut config.guards);
    let mut net = Net::new(config.clone());
    assert_eq!(
        net.dropped(CLIENT, to_ipv4_target()),
        Reason::SecurityGroupIngress
    );
    assert_eq!(net.metric("SecurityGroupBlockedFlowCount_Inbound_TCP"), 1);
    front(vec![rule(tcp(80, 80), ANY6)], out())(&mut config.guards);
    let mut net = Net::new(config.clone());
    let came = net.send(CLIENT, to_ipv4_target());
    let (from, to, _) = seen(&came[0]);
    assert_eq!(
        (from.ip(), to),
        (ip(FRONT_A_PRIVATE).into(), end4(WEB1_IP, 80))
    );
    // The answer goes back.
    let back = net.send(WEB1, packet(to, from, SYN | ACK, 1, 0));
    assert_eq!(back.len(), 1, "{:?}", net.last_fate());
    // Its rule for what it sends itself has to be of IPv4, for this target.
    front(
        vec![rule(tcp(80, 80), ANY6)],
        vec![rule(Traffic::All, ANY6)],
    )(&mut config.guards);
    let mut net = Net::new(config);
    assert_eq!(
        net.dropped(CLIENT, to_ipv4_target()),
        Reason::SecurityGroupEgress
    );
}

/// AWS: not tracked is what 0.0.0.0/0 or ::/0 lets in when 0.0.0.0/0 or ::/0 lets all answers out.
#[test]
fn what_is_not_tracked_is_known_by_family() {
    let cut = Fate::Dropped(Reason::SecurityGroupIngress);
    for (egress, wanted) in [(ANY6, cut), (ANY, Fate::Forwarded(WEB1))] {
        let mut config = open(dualstack());
        web(vec![rule(tcp(80, 80), ANY6)])(&mut config.guards);
        config.guards.security_groups[0].egress = vec![rule(Traffic::All, egress)];
        let mut net = Net::new(config.clone());
        let (client, web1) = (end6(CLIENT6, C), end6(WEB1_6, 80));
        net.send(CLIENT, packet(client, web1, SYN, 1, 0));
        let back = net.send(WEB1, packet(web1, client, SYN | ACK, 1, 0));
        assert_eq!(back.len(), 1, "tracked or not, it is answered");
        config.guards.security_groups[0].ingress.clear();
        let change = Change::Configure(Box::new(config));
        net.fabric.apply(net.now, change, &mut net.out);
        let later = packet(client, web1, ACK, 2, 10);
        assert_eq!(fate(&mut net, later), wanted, "{egress}");
    }
}
