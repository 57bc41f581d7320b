//! Security groups and network ACLs. Here the network with its guards, and how far a handshake gets in it.

mod families;
mod outcome;
mod reach;
mod tracking;

use crate::kit::*;
use hairpin::fabric::config::*;
use hairpin::fabric::guard::rules::*;
use hairpin::fabric::record::*;
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

fn range(text: &str) -> Range {
    let (address, prefix) = text.split_once('/').expect("a range");
    match address.parse() {
        Ok(address) => Range::Ipv6(Ipv6Cidr {
            address,
            prefix: prefix.parse().expect("a prefix"),
        }),
        Err(_) => Range::Ipv4(cidr(text)),
    }
}

fn rule(traffic: Traffic, range: &str) -> Rule {
    Rule {
        traffic,
        peer: Peer::Range(self::range(range)),
    }
}

fn allow(number: u16, (first, last): (u16, u16), range: &str) -> AclRule {
    AclRule {
        number,
        allow: true,
        traffic: tcp(first, last),
        range: self::range(range),
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
