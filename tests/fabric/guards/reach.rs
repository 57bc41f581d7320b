//! Who gets through, who does not, and where it ends.

use super::*;

/// A client out on the internet, the balancer's address in zone a, and web1 in zone a (so the balancer and its target
/// are in one subnet) or, from zone b's address, in another.
#[test]
fn who_reaches_a_target_through_the_balancer() {
    use Reason::*;
    let tcp80 = || tcp(80, 80);
    let both = |one: Setup, other: Setup| -> Setup {
        Box::new(move |guards| {
            one(guards);
            other(guards);
        })
    };
    let from_front = Rule {
        traffic: tcp80(),
        peer: Peer::Group(FRONT_SG),
    };
    // What, whether the client's address is preserved, the zonal address dialled, how far it gets.
    let table: Vec<(&str, bool, &str, Setup, Reach)> = vec![
        ("nothing guarded", true, FRONT_A, setup(|_| {}), Open),
        (
            "preserved, the group knows the clients",
            true,
            FRONT_A,
            setup(web(vec![rule(tcp80(), CLIENTS)])),
            Open,
        ),
        (
            "preserved, the group knows the VPC only",
            true,
            FRONT_A,
            setup(web(vec![rule(tcp80(), VPC)])),
            Syn(SecurityGroupIngress),
        ),
        (
            "not preserved, the group knows the VPC only",
            false,
            FRONT_A,
            setup(web(vec![rule(tcp80(), VPC)])),
            Open,
        ),
        (
            "not preserved, the group knows the clients only",
            false,
            FRONT_A,
            setup(web(vec![rule(tcp80(), CLIENTS)])),
            Syn(SecurityGroupIngress),
        ),
        (
            "another port",
            true,
            FRONT_A,
            setup(web(vec![rule(tcp(443, 443), ANY)])),
            Syn(SecurityGroupIngress),
        ),
        (
            "another protocol",
            true,
            FRONT_A,
            setup(web(vec![rule(Traffic::Udp(Ports::ALL), ANY)])),
            Syn(SecurityGroupIngress),
        ),
        (
            "preserved, the balancer's group is named",
            true,
            FRONT_A,
            both(
                setup(web(vec![from_front])),
                setup(front(
                    vec![rule(Traffic::All, ANY)],
                    vec![rule(Traffic::All, ANY)],
                )),
            ),
            Open,
        ),
        (
            "not preserved, the balancer's group is named",
            false,
            FRONT_B,
            setup(web(vec![from_front])),
            Open,
        ),
        (
            "the balancer lets nobody in",
            true,
            FRONT_A,
            setup(front(vec![], vec![rule(Traffic::All, ANY)])),
            Syn(SecurityGroupIngress),
        ),
        (
            "the balancer lets nothing out",
            true,
            FRONT_A,
            setup(front(vec![rule(tcp80(), CLIENTS)], vec![])),
            Syn(SecurityGroupEgress),
        ),
        (
            "the balancer lets out what goes to its targets",
            true,
            FRONT_A,
            setup(front(
                vec![rule(tcp80(), CLIENTS)],
                vec![Rule {
                    traffic: tcp80(),
                    peer: Peer::Group(WEB_SG),
                }],
            )),
            Open,
        ),
        (
            "an answer needs no rule of a security group",
            true,
            FRONT_A,
            setup(|guards: &mut Guards| {
                web(vec![rule(tcp(80, 80), CLIENTS)])(guards);
                guards.security_groups[0].egress = vec![];
            }),
            Open,
        ),
        (
            "one subnet, its ACL without ephemeral ports: the answer dies on its way to the client",
            true,
            FRONT_A,
            setup(acl(
                A,
                vec![allow(100, (80, 80), ANY)],
                vec![allow(100, (80, 80), ANY)],
            )),
            SynAck(NetworkAclOutbound),
        ),
        (
            "one subnet, its ACL with them",
            true,
            FRONT_A,
            setup(acl(
                A,
                vec![allow(100, (80, 80), ANY)],
                vec![allow(100, EPHEMERAL, ANY)],
            )),
            Open,
        ),
        (
            "two subnets, the target's ACL without ephemeral ports out",
            true,
            FRONT_B,
            setup(acl(A, vec![allow(100, (80, 80), ANY)], vec![])),
            SynAck(NetworkAclOutbound),
        ),
        (
            "two subnets, the target's ACL knows the VPC, and the client's address is preserved",
            true,
            FRONT_B,
            setup(acl(
                A,
                vec![allow(100, (80, 80), VPC)],
                vec![allow(100, EPHEMERAL, VPC)],
            )),
            Syn(NetworkAclInbound),
        ),
        (
            "two subnets, the same, not preserved",
            false,
            FRONT_B,
            setup(acl(
                A,
                vec![allow(100, (80, 80), VPC)],
                vec![allow(100, EPHEMERAL, VPC)],
            )),
            Open,
        ),
        (
            "two subnets, the balancer's ACL knows no clients",
            true,
            FRONT_B,
            setup(acl(B, vec![allow(100, (80, 80), ELSEWHERE)], vec![])),
            Syn(NetworkAclInbound),
        ),
        (
            "two subnets, the balancer's ACL lets nothing out to the target",
            true,
            FRONT_B,
            setup(acl(
                B,
                vec![allow(100, (80, 80), ANY)],
                vec![allow(100, EPHEMERAL, ANY)],
            )),
            Syn(NetworkAclOutbound),
        ),
        (
            "two subnets, the balancer's ACL lets the target's answer not in",
            true,
            FRONT_B,
            setup(acl(
                B,
                vec![allow(100, (80, 80), ANY)],
                vec![allow(100, (80, 80), VPC), allow(110, EPHEMERAL, ANY)],
            )),
            SynAck(NetworkAclInbound),
        ),
        (
            "two subnets, the balancer's ACL lets the answer in and not on",
            true,
            FRONT_B,
            setup(acl(
                B,
                vec![allow(100, (80, 80), ANY), allow(110, EPHEMERAL, VPC)],
                vec![allow(100, (80, 80), VPC)],
            )),
            SynAck(NetworkAclOutbound),
        ),
        (
            "two subnets, the table of AWS for a balancer's subnet",
            true,
            FRONT_B,
            setup(acl(
                B,
                vec![allow(100, (80, 80), CLIENTS), allow(110, EPHEMERAL, VPC)],
                vec![allow(100, EPHEMERAL, CLIENTS), allow(110, (80, 80), VPC)],
            )),
            Open,
        ),
    ];
    for (what, preserved, dialled, guard, expected) in table {
        let mut config = open(one_target());
        config.groups[0].preserve_client_ip = preserved;
        guard(&mut config.guards);
        let mut net = Net::new(config);
        let reach = handshake(&mut net, CLIENT, CLIENT_IP, (dialled, 80));
        assert_eq!(reach, expected, "{what}");
        let refusals = net.fabric.refusals().len();
        assert_eq!(refusals, usize::from(reach != Open), "{what}");
    }
}

#[test]
fn hosts_reach_each_other_by_their_own_groups_and_subnets() {
    use Reason::*;
    let table: Vec<(&str, PortId, &str, Setup, Reach)> = vec![
        (
            "egress of the sender",
            INSIDE,
            INSIDE_IP,
            setup(|guards| {
                guards.ports[INSIDE.0 as usize].groups = vec![FRONT_SG];
                guards.security_groups[1].egress = vec![rule(tcp(443, 443), ANY)];
            }),
            Syn(SecurityGroupEgress),
        ),
        (
            "egress to a group",
            INSIDE,
            INSIDE_IP,
            setup(|guards| {
                guards.ports[INSIDE.0 as usize].groups = vec![FRONT_SG];
                guards.security_groups[1].egress = vec![Rule {
                    traffic: Traffic::All,
                    peer: Peer::Group(WEB_SG),
                }];
            }),
            Open,
        ),
        (
            "two groups of one interface count together",
            INSIDE,
            INSIDE_IP,
            setup(|guards| {
                guards.ports[WEB1.0 as usize].groups = vec![WEB_SG, FRONT_SG];
                guards.security_groups[1].ingress = vec![rule(tcp(80, 80), VPC)];
            }),
            Open,
        ),
        (
            "one subnet does not meet its ACL",
            INSIDE,
            INSIDE_IP,
            setup(acl(A, vec![], vec![])),
            Open,
        ),
        (
            "another subnet does",
            WEB2,
            WEB2_IP,
            setup(acl(A, vec![], vec![])),
            Syn(NetworkAclInbound),
        ),
        (
            "on the way out as well",
            WEB2,
            WEB2_IP,
            setup(acl(B, vec![allow(1, EPHEMERAL, ANY)], vec![])),
            Syn(NetworkAclOutbound),
        ),
        (
            "the lowest number decides",
            WEB2,
            WEB2_IP,
            setup(acl(
                A,
                vec![
                    AclRule {
                        allow: false,
                        ..allow(90, (80, 80), "10.0.2.0/24")
                    },
                    allow(100, (80, 80), ANY),
                ],
                vec![allow(100, EPHEMERAL, ANY)],
            )),
            Syn(NetworkAclInbound),
        ),
    ];
    for (what, from, address, guard, expected) in table {
        let mut config = open(config());
        guard(&mut config.guards);
        let mut net = Net::new(config);
        assert_eq!(
            handshake(&mut net, from, address, (WEB1_IP, 80)),
            expected,
            "{what}"
        );
    }
}
