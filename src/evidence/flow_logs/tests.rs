//! Each rule of flow logs on a few packets.

use super::*;
use crate::evidence::{BalancerEvidence, Interface};

const CLIENT: &str = "198.51.100.9:40000";
const FRONT: &str = "203.0.113.1:80";
const WEB: &str = "10.0.1.10:80";

fn interface(name: &str, address: &str, public: &str) -> Interface {
    let all = [address, public];
    Interface {
        name: name.into(),
        id: format!("eni-{name}"),
        address: address.into(),
        public_address: public.into(),
        addresses: all
            .iter()
            .filter(|a| !a.is_empty())
            .map(|a| (*a).into())
            .collect(),
        ..Interface::default()
    }
}

/// A client on the internet, a target, and a balancer with one preserved flow between them.
fn evidence() -> Evidence {
    Evidence {
        time_scale: 1.0,
        interfaces: vec![
            interface("web", "10.0.1.10", "203.0.113.10"),
            interface("app", "10.0.1.20", ""),
            interface("front/a", "10.0.1.5", "203.0.113.1"),
        ],
        load_balancers: [("front".to_string(), BalancerEvidence::default())].into(),
        flows: vec![Flow {
            balancer: "front".into(),
            endpoint: String::new(),
            via: "front/a".into(),
            client: CLIENT.into(),
            listener: FRONT.into(),
            seen_as: CLIENT.into(),
            target_address: WEB.into(),
            ..Flow::default()
        }],
        ..Evidence::default()
    }
}

fn packet(id: i64, sender: &str, from: &str, to: &str, flags: &str) -> Packet {
    Packet {
        id,
        sender: sender.into(),
        from: from.into(),
        to: to.into(),
        from_after: from.into(),
        to_after: to.into(),
        protocol: "tcp".into(),
        flags: flags.into(),
        wire_packets: 1,
        wire_bytes: 40,
        fate: "forwarded".into(),
        ..Packet::default()
    }
}

fn to_target(id: i64, flags: &str) -> Packet {
    Packet {
        receiver: "web".into(),
        from_after: CLIENT.into(),
        to_after: WEB.into(),
        flow: Some(0),
        ..packet(id, "client", CLIENT, FRONT, flags)
    }
}

fn to_client(id: i64, flags: &str) -> Packet {
    Packet {
        receiver: "client".into(),
        from_after: FRONT.into(),
        to_after: CLIENT.into(),
        flow: Some(0),
        ..packet(id, "web", WEB, CLIENT, flags)
    }
}

/// `front/a ingress 198.51.100.9:40000 > 10.0.1.5:80 ACCEPT`
fn told(evidence: &Evidence) -> Vec<String> {
    flow_logs(evidence)
        .iter()
        .map(|log| {
            format!(
                "{} {} {}:{} > {}:{} {}",
                log.interface,
                log.flow_direction,
                log.srcaddr,
                log.srcport,
                log.dstaddr,
                log.dstport,
                log.action
            )
        })
        .collect()
}

#[test]
fn a_balanced_packet_is_seen_three_times_and_its_answer_too() {
    let mut evidence = evidence();
    evidence.packets = vec![to_target(0, "S"), to_client(1, "S.")];
    assert_eq!(
        told(&evidence),
        [
            "front/a ingress 198.51.100.9:40000 > 10.0.1.5:80 ACCEPT",
            "front/a egress 10.0.1.5:40000 > 10.0.1.10:80 ACCEPT",
            "web ingress 198.51.100.9:40000 > 10.0.1.10:80 ACCEPT",
            "web egress 10.0.1.10:80 > 198.51.100.9:40000 ACCEPT",
            "front/a ingress 10.0.1.10:80 > 10.0.1.5:40000 ACCEPT",
            "front/a egress 10.0.1.5:80 > 198.51.100.9:40000 ACCEPT",
        ]
    );
    let logs = flow_logs(&evidence);
    let packet_says: Vec<(&str, &str)> = logs
        .iter()
        .map(|log| (log.pkt_srcaddr.as_str(), log.pkt_dstaddr.as_str()))
        .collect();
    assert_eq!(packet_says[1], ("198.51.100.9", "10.0.1.10"));
    assert_eq!(packet_says[4], ("10.0.1.10", "198.51.100.9"));
    let paths: Vec<&str> = logs.iter().map(|log| log.traffic_path.as_str()).collect();
    assert_eq!(paths, ["-", "1", "-", "1", "-", "8"]);
    let flags: Vec<i64> = logs.iter().map(|log| log.tcp_flags).collect();
    assert_eq!(flags, [2, 2, 2, 18, 18, 18]);
}

#[test]
fn packets_of_an_interval_add_up_and_flags_are_ored() {
    let mut evidence = evidence();
    for (id, flags) in [(0, "S"), (1, "."), (2, "P."), (3, "F.")] {
        evidence.packets.push(Packet {
            t: id as f64 * 20_000.0,
            wire_packets: id + 1,
            wire_bytes: 100,
            ..to_target(id, flags)
        });
    }
    let logs = flow_logs(&evidence);
    let of_web: Vec<&FlowLog> = logs.iter().filter(|log| log.interface == "web").collect();
    let figures = |log: &FlowLog| (log.packets, log.bytes, log.tcp_flags, log.end - log.start);
    assert_eq!(figures(of_web[0]), (6, 300, 2, 40));
    assert_eq!(figures(of_web[1]), (4, 100, 1, 0));
    assert_eq!(of_web[1].start - of_web[0].start, 60);
    evidence.time_scale = 100.0;
    assert_eq!(
        told(&evidence).len(),
        12,
        "each packet in an interval of its own"
    );
}

#[test]
fn what_comes_on_an_expired_flow_is_refused_and_the_reset_goes_out() {
    let mut evidence = evidence();
    evidence.packets = vec![
        Packet {
            fate: "answered: reset, expired flow".into(),
            flow: Some(0),
            ..packet(0, "client", CLIENT, FRONT, "P.")
        },
        Packet {
            receiver: "client".into(),
            flow: Some(0),
            ..packet(1, "front", FRONT, CLIENT, "R")
        },
        Packet {
            fate: "dropped: no-listener".into(),
            ..packet(2, "client", CLIENT, "203.0.113.1:81", "S")
        },
        Packet {
            fate: "dropped: link-loss".into(),
            ..packet(3, "client", CLIENT, FRONT, "S")
        },
    ];
    assert_eq!(
        told(&evidence),
        [
            "front/a ingress 198.51.100.9:40000 > 10.0.1.5:80 REJECT",
            "front/a egress 10.0.1.5:80 > 198.51.100.9:40000 ACCEPT",
            "front/a ingress 198.51.100.9:40000 > 10.0.1.5:81 ACCEPT",
        ]
    );
}

#[test]
fn a_public_address_is_seen_by_others_only() {
    let mut evidence = evidence();
    evidence.packets = vec![Packet {
        receiver: "web".into(),
        to_after: WEB.into(),
        ..packet(0, "client", CLIENT, "203.0.113.10:80", "S")
    }];
    let logs = flow_logs(&evidence);
    assert_eq!(
        told(&evidence),
        ["web ingress 198.51.100.9:40000 > 10.0.1.10:80 ACCEPT"]
    );
    assert_eq!(logs[0].pkt_dstaddr, "10.0.1.10");
    evidence.packets = vec![Packet {
        receiver: "web".into(),
        ..packet(0, "app", "10.0.1.20:9", WEB, "S")
    }];
    assert_eq!(
        told(&evidence),
        [
            "app egress 10.0.1.20:9 > 10.0.1.10:80 ACCEPT",
            "web ingress 10.0.1.20:9 > 10.0.1.10:80 ACCEPT",
        ]
    );
    assert_eq!(flow_logs(&evidence)[0].traffic_path, "1");
}

#[test]
fn a_delayed_packet_counts_once_at_each_interface() {
    let mut evidence = evidence();
    let waiting = Packet {
        fate: "held".into(),
        receiver: String::new(),
        ..to_target(0, "S")
    };
    let arrived = Packet {
        t: 70_000.0,
        ..to_target(0, "S")
    };
    evidence.packets = vec![waiting, arrived];
    let logs = flow_logs(&evidence);
    assert_eq!(logs.iter().map(|log| log.packets).sum::<i64>(), 3);
    evidence.packets.pop();
    let seen = told(&evidence);
    assert_eq!(seen.len(), 2, "still on its way to the target: {seen:?}");
}

#[test]
fn what_a_guard_refuses_is_rejected_there_and_comes_no_further() {
    let refusal = |interface: &str, direction: &str, from: &str, to: &str| Refusal {
        interface: interface.into(),
        direction: direction.into(),
        from: from.into(),
        to: to.into(),
        ..Refusal::default()
    };
    let dropped = |packet, reason: &str| Packet {
        receiver: String::new(),
        fate: format!("dropped: {reason}"),
        ..packet
    };
    let balancer = [
        "front/a ingress 198.51.100.9:40000 > 10.0.1.5:80 ACCEPT",
        "front/a egress 10.0.1.5:40000 > 10.0.1.10:80 ACCEPT",
    ];
    let mut evidence = evidence();
    let mut case = |packet: Packet, refusal: Refusal| {
        evidence.packets = vec![packet];
        evidence.refusals = vec![refusal];
        told(&evidence)
    };
    let seen = case(
        dropped(to_target(0, "S"), "security-group-ingress"),
        refusal("web", "ingress", CLIENT, WEB),
    );
    let rejected = "web ingress 198.51.100.9:40000 > 10.0.1.10:80 REJECT";
    assert_eq!(seen, [balancer[0], balancer[1], rejected]);
    let seen = case(
        dropped(to_target(0, "S"), "network-acl-inbound"),
        refusal("", "inbound", CLIENT, WEB),
    );
    assert_eq!(seen, [balancer[0], balancer[1], rejected]);
    let seen = case(
        dropped(to_target(0, "S"), "network-acl-outbound"),
        refusal("", "outbound", CLIENT, WEB),
    );
    let rejected = "front/a egress 10.0.1.5:40000 > 10.0.1.10:80 REJECT";
    assert_eq!(seen, [balancer[0], rejected]);
    // The target's answer, at the border of its own subnet and at the balancer's.
    let answer = || Packet {
        from_after: WEB.into(),
        to_after: CLIENT.into(),
        ..to_client(0, "S.")
    };
    let seen = case(
        dropped(answer(), "network-acl-inbound"),
        refusal("", "inbound", WEB, CLIENT),
    );
    assert_eq!(
        seen,
        [
            "web egress 10.0.1.10:80 > 198.51.100.9:40000 ACCEPT",
            "front/a ingress 10.0.1.10:80 > 10.0.1.5:40000 REJECT",
        ]
    );
    let seen = case(
        dropped(answer(), "network-acl-outbound"),
        refusal("", "outbound", WEB, CLIENT),
    );
    assert_eq!(
        seen,
        ["web egress 10.0.1.10:80 > 198.51.100.9:40000 REJECT"]
    );
    // The balancer's own groups, before there is a flow.
    let seen = case(
        dropped(
            packet(0, "client", CLIENT, FRONT, "S"),
            "security-group-ingress",
        ),
        refusal("front/a", "ingress", CLIENT, FRONT),
    );
    assert_eq!(
        seen,
        ["front/a ingress 198.51.100.9:40000 > 10.0.1.5:80 REJECT"]
    );
}

#[test]
fn the_resolver_and_what_is_no_packet_are_left_out() {
    let mut evidence = evidence();
    let udp = |packet| Packet {
        protocol: "udp".into(),
        ..packet
    };
    evidence.packets = vec![
        Packet {
            fate: "answered: name".into(),
            ..udp(packet(0, "app", "10.0.1.20:5", "10.0.0.2:53", ""))
        },
        Packet {
            receiver: "app".into(),
            ..udp(packet(1, "fabric", "10.0.0.2:53", "10.0.1.20:5", ""))
        },
        Packet {
            fate: "dropped: malformed".into(),
            ..packet(2, "app", "0.0.0.0:0", "0.0.0.0:0", "")
        },
    ];
    assert_eq!(told(&evidence), [""; 0]);
}

/// The example of the VPC user guide: an instance, a NAT gateway's interface, a host on the internet, there and back.
#[test]
fn a_nat_gateways_interface_sees_both_of_its_sides() {
    let mut evidence = evidence();
    let gateway = Interface {
        addresses: vec!["10.0.0.220".into()],
        ..interface("nat/egress", "10.0.0.220", "192.0.2.10")
    };
    evidence.interfaces.push(gateway);
    let behind = crate::evidence::GatewayEvidence {
        hosts: vec!["app".into()],
        ..Default::default()
    };
    evidence.nat_gateways.insert("egress".into(), behind);
    evidence.mappings.push(crate::evidence::Mapping {
        gateway: "egress".into(),
        inside: "10.0.1.20:5000".into(),
        outside: "192.0.2.10:1024".into(),
        remote: "198.51.100.9:443".into(),
        ..Default::default()
    });
    let there = Packet {
        from_after: "192.0.2.10:1024".into(),
        mapping: Some(0),
        ..packet(1, "app", "10.0.1.20:5000", "198.51.100.9:443", "S")
    };
    let back = Packet {
        to_after: "10.0.1.20:5000".into(),
        receiver: "app".into(),
        fate: "forwarded".into(),
        mapping: Some(0),
        ..packet(2, "service", "198.51.100.9:443", "192.0.2.10:1024", "S.")
    };
    let uninvited = Packet {
        gateway: "egress".into(),
        fate: "dropped: missing-flow".into(),
        ..packet(3, "service", "198.51.100.9:444", "192.0.2.10:7", "S")
    };
    evidence.packets = vec![there, back, uninvited];
    let told: Vec<String> = flow_logs(&evidence)
        .iter()
        .map(|one| {
            format!(
                "{} {} {}:{} {}:{} {} {} {}",
                one.interface,
                one.flow_direction,
                one.srcaddr,
                one.srcport,
                one.dstaddr,
                one.dstport,
                one.pkt_srcaddr,
                one.pkt_dstaddr,
                one.traffic_path
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "app egress 10.0.1.20:5000 198.51.100.9:443 10.0.1.20 198.51.100.9 1",
            "nat/egress ingress 10.0.1.20:5000 10.0.0.220:443 10.0.1.20 198.51.100.9 -",
            "nat/egress egress 10.0.0.220:1024 198.51.100.9:443 10.0.0.220 198.51.100.9 8",
            "nat/egress ingress 198.51.100.9:443 10.0.0.220:1024 198.51.100.9 10.0.0.220 -",
            "nat/egress egress 10.0.0.220:443 10.0.1.20:5000 198.51.100.9 10.0.1.20 1",
            "app ingress 198.51.100.9:443 10.0.1.20:5000 198.51.100.9 10.0.1.20 -",
            "nat/egress ingress 198.51.100.9:444 10.0.0.220:7 198.51.100.9 10.0.0.220 -",
        ]
    );
}

#[test]
fn a_path_leads_to_a_peered_vpc_and_to_further_addresses_of_an_interface() {
    let mut evidence = evidence();
    let far = Interface {
        vpc_id: "vpc-far".into(),
        ..interface("far", "10.9.0.10", "")
    };
    evidence.interfaces.push(far);
    evidence.interfaces[1].addresses.push("10.0.1.21".into());
    let ways = ["10.9.0.10:80", "10.0.1.21:80", "198.51.100.9:80"];
    let packets = (1..).zip(ways);
    let packets = packets.map(|(id, to)| packet(id, "web", "10.0.1.10:4000", to, "S"));
    evidence.packets = packets.collect();
    let logs = flow_logs(&evidence);
    let left = logs.iter().filter(|one| one.interface == "web");
    let paths: Vec<&str> = left.map(|one| one.traffic_path.as_str()).collect();
    assert_eq!(paths, ["4", "1", "8"]);
}

#[test]
fn icmp_has_a_number_of_its_own_over_ipv6() {
    let mut evidence = evidence();
    let ends = [
        ("10.0.1.10:0", "198.51.100.9:0"),
        ("[2001:db8::10]:0", "[2001:db8:9::9]:0"),
    ];
    let packets = (1..).zip(ends).map(|(id, (from, to))| Packet {
        protocol: "icmp".into(),
        ..packet(id, "web", from, to, "")
    });
    evidence.packets = packets.collect();
    let logs = flow_logs(&evidence);
    let told: Vec<(&str, i64)> = logs
        .iter()
        .map(|one| (one.r#type.as_str(), one.protocol))
        .collect();
    assert_eq!(told, [("IPv4", 1), ("IPv6", 58)]);
}
