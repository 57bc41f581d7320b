//! Security groups and network ACLs: who gets through, who does not, and where it ends.

use crate::kit::*;
use hairpin::fabric::config::*;
use hairpin::fabric::guard::rules::*;
use hairpin::fabric::record::*;
use hairpin::packet::{TCP, UDP};
use std::time::Duration;

const C: u16 = 40_000;
const ANY: &str = "0.0.0.0/0";
const CLIENTS: &str = "198.51.100.0/24";
const VPC: &str = "10.0.0.0/16";
const ELSEWHERE: &str = "192.0.2.0/24";
/// The ports that answers go to.
const EPHEMERAL: (u16, u16) = (1024, 65_535);

const WEB_SG: SecurityGroupId = SecurityGroupId(0);
const FRONT_SG: SecurityGroupId = SecurityGroupId(1);
const A: usize = 0;
const B: usize = 1;

fn cidr(text: &str) -> Cidr {
    let (address, prefix) = text.split_once('/').expect("a range");
    Cidr {
        address: ip(address),
        prefix: prefix.parse().expect("a prefix"),
    }
}

fn tcp(first: u16, last: u16) -> Traffic {
    Traffic::Tcp(Ports { first, last })
}

fn rule(traffic: Traffic, range: &str) -> Rule {
    Rule {
        traffic,
        peer: Peer::Range(cidr(range)),
    }
}

fn allow(number: u16, (first, last): (u16, u16), range: &str) -> AclRule {
    AclRule {
        number,
        allow: true,
        traffic: tcp(first, last),
        range: cidr(range),
    }
}

fn group(name: &str, ingress: Vec<Rule>, egress: Vec<Rule>, members: &[&str]) -> SecurityGroup {
    SecurityGroup {
        name: name.to_owned(),
        ingress,
        egress,
        members: members.iter().map(|address| ip(address)).collect(),
        balancers: Vec::new(),
    }
}

/// The zones as subnets, and nothing that refuses: web1 and `inside` in a, web2 in b, one zonal address in each.
fn open(mut config: Config) -> Config {
    let place = |subnet| HostInterface {
        groups: Vec::new(),
        subnet,
    };
    let (a, b) = (Some(SubnetId(0)), Some(SubnetId(1)));
    let subnet = |name: &str| Subnet {
        name: name.to_owned(),
        acl: None,
    };
    let out = || vec![rule(Traffic::All, ANY)];
    let mut front = group(
        "front-sg",
        vec![],
        out(),
        &[FRONT_A_PRIVATE, FRONT_B_PRIVATE],
    );
    front.balancers = vec![FRONT];
    config.guards = Guards {
        security_groups: vec![group("web-sg", vec![], out(), &[WEB1_IP, WEB2_IP]), front],
        subnets: vec![subnet("a"), subnet("b")],
        ports: vec![place(None), place(a), place(b), place(a)],
        endpoints: Vec::new(),
        balancers: vec![BalancerInterfaces {
            spare_private_link: false,
            groups: Vec::new(),
            subnets: vec![SubnetId(0), SubnetId(1)],
        }],
        tracking: Tracking::default(),
    };
    config
}

/// web1 is in the security group `web-sg`, which lets these in.
fn web(ingress: Vec<Rule>) -> impl FnOnce(&mut Guards) {
    |guards| {
        guards.ports[WEB1.0 as usize].groups = vec![WEB_SG];
        guards.security_groups[0].ingress = ingress;
    }
}

/// The balancer is in `front-sg`.
fn front(ingress: Vec<Rule>, egress: Vec<Rule>) -> impl FnOnce(&mut Guards) {
    |guards| {
        guards.balancers[0].groups = vec![FRONT_SG];
        guards.security_groups[1].ingress = ingress;
        guards.security_groups[1].egress = egress;
    }
}

fn acl(subnet: usize, inbound: Vec<AclRule>, outbound: Vec<AclRule>) -> impl FnOnce(&mut Guards) {
    move |guards| guards.subnets[subnet].acl = Some(NetworkAcl { inbound, outbound })
}

/// How far a handshake gets.
#[derive(Debug, PartialEq, Eq)]
enum Reach {
    /// It stands.
    Open,
    /// The SYN dies.
    Syn(Reason),
    /// The SYN arrives, the SYN-ACK dies.
    SynAck(Reason),
}
use Reach::{Open, Syn, SynAck};

fn handshake(net: &mut Net, from: PortId, source: &str, to: (&str, u16)) -> Reach {
    let (source, to) = (end(source, C), end(to.0, to.1));
    let came = net.send(from, segment(source, to, SYN, 100, 0).bytes());
    let Some(syn) = came.first() else {
        return match net.last_fate() {
            Fate::Dropped(reason) => Syn(reason),
            other => panic!("{other:?}"),
        };
    };
    let headers = syn.headers();
    let reply = segment(headers.to, headers.from, SYN | ACK, 9000, 101);
    let came = net.send(syn.to, reply.bytes());
    let Some(answer) = came.first() else {
        return match net.last_fate() {
            Fate::Dropped(reason) => SynAck(reason),
            other => panic!("{other:?}"),
        };
    };
    assert_eq!((answer.to, answer.headers().from), (from, to));
    net.forward(from, segment(source, to, ACK, 101, 9001));
    Open
}

type Setup = Box<dyn FnOnce(&mut Guards)>;

fn setup(steps: impl FnOnce(&mut Guards) + 'static) -> Setup {
    Box::new(steps)
}

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
            direction: Direction::In,
            view: View {
                protocol: TCP,
                from: end(CLIENT_IP, C),
                to: end(WEB1_IP, 80),
            },
            flags: SYN,
            probe: false,
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
    let refusal = net.fabric.refusals()[0];
    let by = GuardKind::NetworkAcl {
        subnet: SubnetId(0),
        rule: Some(90),
    };
    assert_eq!((refusal.guard, refusal.direction), (by, Direction::Out));
    assert_eq!(refusal.view.to, end(CLIENT_IP, C));
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
fn a_security_group_forgets_after_a_while() {
    // web1 asks web2 by UDP, and may be answered only because it asked.
    let ask = datagram(end(WEB1_IP, 5000), end(WEB2_IP, 53), 4);
    let answer = || datagram(end(WEB2_IP, 53), end(WEB1_IP, 5000), 4);
    let mut config = open(config());
    web(vec![])(&mut config.guards);
    config.guards.security_groups[0].egress = vec![rule(Traffic::Udp(Ports::ALL), VPC)];
    let mut net = Net::new(config);
    net.send(WEB1, ask.clone());
    net.now += Duration::from_secs(29);
    assert_eq!(net.send(WEB2, answer()).len(), 1);
    // It went to and fro: a stream.
    net.now += Duration::from_secs(179);
    assert_eq!(net.send(WEB2, answer()).len(), 1);
    net.now += Duration::from_secs(180);
    assert_eq!(net.dropped(WEB2, answer()), Reason::SecurityGroupIngress);
    net.send(WEB1, ask);
    net.now += Duration::from_secs(30);
    let (view, fate) = (net.dropped(WEB2, answer()), net.fabric.refusals().len());
    assert_eq!((view, fate), (Reason::SecurityGroupIngress, 2));
    assert_eq!(net.fabric.refusals()[0].view.protocol, UDP);
}

#[test]
fn a_connection_that_is_over_is_asked_for_again() {
    let mut config = open(config());
    web(vec![])(&mut config.guards);
    let mut net = Net::new(config);
    // web1 may call out; when its connection is over, nobody may use its ports to come in.
    let (web1, web2) = (end(WEB1_IP, 80), end(WEB2_IP, C));
    net.connect(WEB1, web1, web2, 1);
    net.forward(WEB1, segment(web1, web2, FIN | ACK, 2, 9001));
    net.forward(WEB2, segment(web2, web1, FIN | ACK, 9001, 3));
    net.forward(WEB1, segment(web1, web2, ACK, 3, 9002));
    let back = segment(web2, web1, SYN, 77, 0);
    assert_eq!(
        net.dropped(WEB2, back.bytes()),
        Reason::SecurityGroupIngress
    );
}

#[test]
fn an_error_about_a_known_connection_comes_through() {
    let mut config = open(one_target());
    web(vec![rule(tcp(80, 80), CLIENTS)])(&mut config.guards);
    config.guards.security_groups[0].egress = vec![];
    let mut net = Net::new(config);
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    let arrived = net.syn(CLIENT, client, front, 1);
    // "Port unreachable" of the target, about the client's SYN as the target got it.
    let syn = segment(arrived.from, arrived.to, SYN, 1, 0).bytes();
    let error = unreachable(WEB1_IP, CLIENT_IP, &syn);
    let came = net.send(WEB1, error);
    assert_eq!(came.len(), 1, "{:?}", net.last_fate());
    assert_eq!(came[0].to, CLIENT);
    // About a connection that nobody knows.
    let other = segment(end(CLIENT_IP, 1), end(WEB1_IP, 80), SYN, 1, 0).bytes();
    let error = unreachable(WEB1_IP, CLIENT_IP, &other);
    assert_eq!(net.dropped(WEB1, error), Reason::SecurityGroupEgress);
}

/// ICMP type 3 code 3 with the head of a packet.
fn unreachable(from: &str, to: &str, about: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let kind = etherparse::Icmpv4Type::DestinationUnreachable(
        etherparse::icmpv4::DestUnreachableHeader::Port,
    );
    etherparse::PacketBuilder::ipv4(ip(from).octets(), ip(to).octets(), 64)
        .icmpv4(kind)
        .write(&mut bytes, &about[..28])
        .expect("into memory");
    bytes
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

#[test]
fn ranges_know_their_addresses() {
    for (range, inside, outside) in [
        ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
        ("198.51.100.7/32", "198.51.100.7", "198.51.100.8"),
        ("128.0.0.0/1", "255.255.255.255", "127.255.255.255"),
    ] {
        assert!(cidr(range).contains(ip(inside)), "{range}");
        assert!(!cidr(range).contains(ip(outside)), "{range}");
    }
    assert!(Cidr::ANYWHERE.contains(ip("255.255.255.255")));
    assert!(cidr("10.0.0.0/8").overlaps(cidr("10.1.0.0/16")));
    assert!(cidr("10.1.0.0/16").overlaps(cidr("10.0.0.0/8")));
    assert!(!cidr("10.1.0.0/16").overlaps(cidr("10.2.0.0/16")));
}

/// web1 and web2 talk directly; then the rule that let web2 in is taken away.
fn after_the_rule_is_gone(ingress: &str, egress: Vec<Rule>) -> Fate {
    use hairpin::fabric::change::Change;
    let mut config = open(config());
    web(vec![rule(tcp(80, 80), ingress)])(&mut config.guards);
    config.guards.security_groups[0].egress = egress;
    let mut net = Net::new(config.clone());
    let (web2, web1) = (end(WEB2_IP, C), end(WEB1_IP, 80));
    net.connect(WEB2, web2, web1, 1);
    config.guards.security_groups[0].ingress.clear();
    let change = Change::Configure(Box::new(config));
    net.fabric.apply(net.now, change, &mut net.out);
    let newcomer = segment(end(WEB2_IP, C + 1), web1, SYN, 1, 0);
    assert_eq!(
        net.dropped(WEB2, newcomer.bytes()),
        Reason::SecurityGroupIngress
    );
    net.send(
        WEB2,
        segment(web2, web1, ACK, 2, 9001).with_payload(10).bytes(),
    );
    net.last_fate()
}

#[test]
fn taking_a_rule_away_leaves_what_is_tracked_and_cuts_what_is_not() {
    let everything = || vec![rule(Traffic::All, ANY)];
    let cut = Fate::Dropped(Reason::SecurityGroupIngress);
    assert_eq!(
        after_the_rule_is_gone(VPC, everything()),
        Fate::Forwarded(WEB1)
    );
    // Allowed for everyone, and every answer too: not tracked.
    assert_eq!(after_the_rule_is_gone(ANY, everything()), cut);
    // For everyone, but not every answer: tracked.
    let some = vec![rule(Traffic::All, VPC)];
    assert_eq!(after_the_rule_is_gone(ANY, some), Fate::Forwarded(WEB1));
}

#[test]
fn what_comes_through_a_balancer_is_always_tracked() {
    use hairpin::fabric::change::Change;
    let mut config = open(one_target());
    web(vec![rule(tcp(80, 80), ANY)])(&mut config.guards);
    let mut net = Net::new(config.clone());
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    net.connect(CLIENT, client, front, 1);
    config.guards.security_groups[0].ingress.clear();
    net.fabric
        .apply(net.now, Change::Configure(Box::new(config)), &mut net.out);
    net.forward(
        CLIENT,
        segment(client, front, ACK, 2, 9001).with_payload(10),
    );
    let newcomer = segment(end(CLIENT_IP, C + 1), front, SYN, 1, 0);
    assert_eq!(
        net.dropped(CLIENT, newcomer.bytes()),
        Reason::SecurityGroupIngress
    );
}
