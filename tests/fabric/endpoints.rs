//! VPC endpoints: whom they lead where, as whom, and who may come.

use crate::kit::*;
use hairpin::fabric::Config;
use hairpin::fabric::config::*;
use hairpin::fabric::guard::rules::*;
use hairpin::fabric::record::*;
use hairpin::packet::proxy_protocol;
use std::collections::BTreeSet;

const EP_A: &str = "10.1.15.10";
const EP_B: &str = "10.1.31.10";

/// `inside` is a consumer in VPC 1, with an endpoint in both zones; everything else is in the default VPC.
fn linked() -> Config {
    let mut config = one_target();
    config.vpcs = Vpcs {
        ports: vec![VpcId(0), VpcId(0), VpcId(0), VpcId(1)],
        balancers: vec![VpcId(0)],
        peered: Vec::new(),
    };
    config.endpoints = vec![Endpoint {
        name: "ep".to_owned(),
        id: "vpce-0123".to_owned(),
        service: "orders".to_owned(),
        vpc: VpcId(1),
        balancers: vec![FRONT],
        zonal: [("a", EP_A), ("b", EP_B)]
            .map(|(zone, address)| EndpointZonal {
                zone: zone.to_owned(),
                address: ip(address),
            })
            .into(),
    }];
    config
}

fn dial(net: &mut Net, from: PortId, source: &str, port: u16, to: &str) -> Fate {
    let syn = segment(end(source, port), end(to, 80), SYN, 1, 0);
    net.send(from, syn.bytes());
    net.last_fate()
}

#[test]
fn a_target_sees_the_zonal_address_and_the_client_the_endpoint() {
    let mut net = Net::new(linked());
    for (to, front) in [(EP_A, FRONT_A_PRIVATE), (EP_B, FRONT_B_PRIVATE)] {
        // The group preserves the client's address, and that has no effect.
        let syn = segment(end(INSIDE_IP, 40_000), end(to, 80), SYN, 1, 0);
        let delivered = net.send(INSIDE, syn.bytes());
        assert_eq!(delivered[0].to, WEB1);
        let seen = delivered[0].headers();
        assert_eq!(seen.from.ip(), &ip(front));
        let answer = segment(seen.to, seen.from, SYN | ACK, 9, 2);
        let delivered = net.send(WEB1, answer.bytes());
        assert_eq!(delivered[0].to, INSIDE);
        let told = delivered[0].headers();
        assert_eq!((told.from, told.to), (end(to, 80), end(INSIDE_IP, 40_000)));
    }
    let flows = net.fabric.flows();
    let ways: Vec<_> = flows
        .iter()
        .map(|flow| (flow.endpoint, flow.zonal))
        .collect();
    let by = |zonal| (Some((EndpointId(0), ZonalId(zonal))), ZonalId(zonal));
    assert_eq!(ways, [by(0), by(1)]);
    let readings = net.fabric.endpoint_readings();
    assert_eq!(readings[0].leads_to, Some((FRONT, ZonalId(0))));
    assert_eq!((readings[0].bytes, readings[0].resets), (80, 0));
}

#[test]
fn only_its_own_vpc_and_what_is_peered_with_it_has_a_way_there() {
    let cut = Fate::Dropped(Reason::NotRoutable);
    let mut net = Net::new(linked());
    assert_eq!(dial(&mut net, CLIENT, CLIENT_IP, 40_000, EP_A), cut);
    assert_eq!(dial(&mut net, WEB2, WEB2_IP, 40_000, EP_A), cut);
    // The consumer's VPC has no way to the balancer itself.
    assert_eq!(
        dial(&mut net, INSIDE, INSIDE_IP, 40_001, FRONT_A_PRIVATE),
        cut
    );
    let mut peered = linked();
    peered.vpcs.peered = vec![(VpcId(0), VpcId(1))];
    let mut net = Net::new(peered);
    assert_eq!(
        dial(&mut net, WEB2, WEB2_IP, 40_000, EP_A),
        Fate::Forwarded(WEB1)
    );
}

#[test]
fn a_full_pool_drops_the_next_syn_and_a_closed_connection_makes_room() {
    let mut config = linked();
    config.balancers[0].snat_ports = 3;
    let mut net = Net::new(config);
    for port in 40_000..40_003 {
        assert_eq!(
            dial(&mut net, INSIDE, INSIDE_IP, port, EP_A),
            Fate::Forwarded(WEB1)
        );
    }
    let full = Fate::Dropped(Reason::PortAllocation);
    assert_eq!(dial(&mut net, INSIDE, INSIDE_IP, 40_003, EP_A), full);
    // Another zonal address has a pool of its own.
    assert_eq!(
        dial(&mut net, INSIDE, INSIDE_IP, 40_003, EP_B),
        Fate::Forwarded(WEB1)
    );
    let end = segment(end(INSIDE_IP, 40_000), end(EP_A, 80), RST, 2, 0);
    net.send(INSIDE, end.bytes());
    assert_eq!(
        dial(&mut net, INSIDE, INSIDE_IP, 40_004, EP_A),
        Fate::Forwarded(WEB1)
    );
}

#[test]
fn the_port_of_a_closed_connection_rests() {
    let mut config = linked();
    config.balancers[0].snat_ports = 1;
    config.balancers[0].port_reuse = ms(60_000);
    let mut net = Net::new(config);
    let (full, there) = (Fate::Dropped(Reason::PortAllocation), Fate::Forwarded(WEB1));
    assert_eq!(dial(&mut net, INSIDE, INSIDE_IP, 40_000, EP_A), there);
    let over = segment(end(INSIDE_IP, 40_000), end(EP_A, 80), RST, 2, 0);
    net.send(INSIDE, over.bytes());
    assert_eq!(dial(&mut net, INSIDE, INSIDE_IP, 40_001, EP_A), full);
    net.pass(ms(59_000));
    assert_eq!(dial(&mut net, INSIDE, INSIDE_IP, 40_001, EP_A), full);
    net.pass(ms(1_000));
    assert_eq!(dial(&mut net, INSIDE, INSIDE_IP, 40_001, EP_A), there);
    assert_eq!(net.metric("PortAllocationErrorCount"), 2);
    // Who comes again with the SYN of a connection that was reset has its port at once.
    let reset = segment(end(INSIDE_IP, 40_001), end(EP_A, 80), RST, 2, 0);
    net.send(INSIDE, reset.bytes());
    assert_eq!(dial(&mut net, INSIDE, INSIDE_IP, 40_001, EP_A), there);
}

#[test]
fn an_interface_stays_with_the_balancer_it_took_and_interfaces_differ() {
    let mut taken = BTreeSet::new();
    for seed in 0..20 {
        let mut config = linked();
        config.seed = seed;
        let mut other = config.balancers[0].clone();
        other.name = "back".to_owned();
        for (zonal, private) in other.zonal.iter_mut().zip(["10.0.15.20", "10.0.31.20"]) {
            zonal.private = ip(private);
            zonal.public = None;
        }
        config.balancers.push(other);
        config.vpcs.balancers.push(VpcId(0));
        config.endpoints[0].balancers.push(BalancerId(1));
        let mut net = Net::new(config);
        for port in 40_000..40_010 {
            dial(&mut net, INSIDE, INSIDE_IP, port, EP_A);
        }
        let flows = net.fabric.flows();
        let balancers: BTreeSet<_> = flows.iter().map(|flow| flow.balancer).collect();
        assert_eq!((flows.len(), balancers.len()), (10, 1));
        taken.extend(balancers);
    }
    assert_eq!(taken.len(), 2);
}

#[test]
fn a_service_that_failed_leads_nowhere() {
    let mut config = linked();
    config.balancers[0].failure = Some("taken".to_owned());
    let mut net = Net::new(config);
    assert_eq!(
        dial(&mut net, INSIDE, INSIDE_IP, 40_000, EP_A),
        Fate::Dropped(Reason::EndpointWithoutService)
    );
}

#[test]
fn the_balancers_inbound_rules_see_the_consumer_unless_they_are_switched_off() {
    let guarded = |from: &str, spare: bool| {
        let mut config = linked();
        let rule = |peer| Rule {
            traffic: Traffic::All,
            peer: Peer::Range(Range::Ipv4(Cidr {
                address: ip(peer),
                prefix: 32,
            })),
        };
        let out = Rule {
            traffic: Traffic::All,
            peer: Peer::Range(Range::Everybody),
        };
        config.guards = Guards {
            security_groups: vec![SecurityGroup {
                name: "front-sg".to_owned(),
                ingress: vec![rule(from)],
                egress: vec![out],
                ..SecurityGroup::default()
            }],
            balancers: vec![BalancerInterfaces {
                groups: vec![SecurityGroupId(0)],
                subnets: Vec::new(),
                spare_private_link: spare,
            }],
            ..Guards::default()
        };
        let mut net = Net::new(config);
        dial(&mut net, INSIDE, INSIDE_IP, 40_000, EP_A)
    };
    let refused = Fate::Dropped(Reason::SecurityGroupIngress);
    assert_eq!(guarded(INSIDE_IP, false), Fate::Forwarded(WEB1));
    assert_eq!(guarded("192.0.2.1", false), refused);
    assert_eq!(guarded(EP_A, false), refused);
    assert_eq!(guarded("192.0.2.1", true), Fate::Forwarded(WEB1));
}

#[test]
fn the_proxy_header_tells_the_consumer_and_the_endpoint() {
    let mut config = linked();
    config.groups[0].proxy_protocol = Some(Placement::OnFirstAckWithPayload);
    let mut net = Net::new(config);
    let (client, ep) = (end(INSIDE_IP, 40_000), end(EP_A, 80));
    let delivered = net.send(INSIDE, segment(client, ep, SYN, 100, 0).bytes());
    let seen = delivered[0].headers();
    net.send(
        WEB1,
        segment(seen.to, seen.from, SYN | ACK, 900, 101).bytes(),
    );
    let delivered = net.send(
        INSIDE,
        segment(client, ep, ACK, 101, 901).with_payload(5).bytes(),
    );
    let header = &delivered[0];
    let headers = header.headers();
    let listener = end(FRONT_A_PRIVATE, 80);
    assert_eq!(
        header.bytes[headers.payload..],
        proxy_protocol::proxy(client.into(), listener.into(), Some("vpce-0123"))
    );
}

#[test]
fn a_stray_segment_is_reset_from_the_endpoints_address() {
    let mut net = Net::new(linked());
    let stray = segment(end(INSIDE_IP, 40_000), end(EP_A, 80), ACK, 5, 6).with_payload(9);
    let delivered = net.send(INSIDE, stray.bytes());
    let reset = delivered[0].headers();
    assert!(reset.is_reset());
    assert_eq!(
        (reset.from, reset.to),
        (end(EP_A, 80), end(INSIDE_IP, 40_000))
    );
    assert_eq!(net.fabric.endpoint_readings()[0].resets, 1);
}
