//! Packets of flows that stand go a short way: nobody may notice it, and it allocates nothing.

use crate::allocations;
use crate::kit::*;
use crate::properties::{Event, event, play, rough};
use hairpin::fabric::change::Change;
use hairpin::fabric::config::*;
use hairpin::fabric::faults::{DropRule, End};
use hairpin::fabric::{Config, Fabric, Frame, Output};
use hairpin::packet::vnet::{GSO_TCPV4, GSO_UDP_L4, NEEDS_CSUM};
use hairpin::packet::{VnetHeader, checksum};
use proptest::prelude::*;
use std::time::Duration;

/// A network where every packet goes the whole way: a rule is in force, for nobody's packets.
fn without_short_way(config: Config) -> Net {
    let mut net = Net::new(config);
    net.apply(Change::Drop(Box::new(DropRule {
        from: Some(End::Hosts(Vec::new())),
        to: None,
        flags: None,
        length: None,
        window: None,
        nth: 1,
        count: None,
    })));
    net
}

/// Something done to a network that may matter to flows that stand.
fn change(number: u8, config: &mut Config) -> Option<Change> {
    let (group, host) = (GroupId(0), WEB1);
    Some(match number {
        0 => Change::Deregister { group, target: 0 },
        1 => Change::Register { group, target: 0 },
        2 => Change::LinkDown(host),
        3 => Change::LinkUp(host),
        4 => {
            let zonal = &mut config.balancers[0].zonal[0];
            zonal.enabled = !zonal.enabled;
            Change::Configure(Box::new(config.clone()))
        }
        5 => {
            let down = &mut config.ports[WEB1.0 as usize].down;
            down.delay = if down.delay.is_zero() { ms(7) } else { ms(0) };
            Change::Configure(Box::new(config.clone()))
        }
        6 => {
            let attributes = &mut config.groups[0].attributes;
            attributes.terminate_deregistered = !attributes.terminate_deregistered;
            Change::Configure(Box::new(config.clone()))
        }
        7 => {
            let numbers = &mut config.ports[WEB1.0 as usize].down.numbers;
            numbers.sequence = match numbers.sequence {
                None => Some(RandomizedSequence::HeaderOnly),
                Some(_) => None,
            };
            config.ports[WEB1.0 as usize].up.numbers = config.ports[WEB1.0 as usize].down.numbers;
            Change::Configure(Box::new(config.clone()))
        }
        _ => return None,
    })
}

/// Everything that can be seen of a network.
fn told(net: &Net) -> String {
    let fabric = &net.fabric;
    format!(
        "{:#?} {:#?} {:#?} {:#?} {:#?} {:#?} {:#?} {:#?}",
        fabric.records(),
        fabric.marks(),
        fabric.impairments(),
        fabric.latest(),
        fabric.flows(),
        fabric.conversations(),
        fabric.totals(),
        fabric.meter().readings(net.now),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_short_way_and_the_whole_one_are_the_same(
        seed: u64,
        preserve: bool,
        events in prop::collection::vec((talk(), any::<u8>()), 0..100),
    ) {
        let config = rough(seed, OnCollision::Newest, preserve, false);
        let (mut short, mut whole) = (Net::new(config.clone()), without_short_way(config.clone()));
        for net in [&mut short, &mut whole] {
            for port in 2..4 {
                net.connect(CLIENT, end(CLIENT_IP, port), end(FRONT_A, 80), 1);
            }
        }
        let mut config = config;
        for (event, number) in &events {
            for net in [&mut short, &mut whole] {
                play(net, event);
            }
            if let Some(change) = change(number / 4, &mut config) {
                let came = [&mut short, &mut whole].map(|net| format!("{:?}", net.apply(change.clone())));
                prop_assert_eq!(&came[0], &came[1]);
            }
        }
        prop_assert_eq!(told(&short), told(&whole));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// What kernels leave undone, in both protocols: finished sums, sums to be finished, super-packets, and such as fit no
    /// packet. Some are foreseen, and some take the way back from another flow when others have been foreseen.
    #[test]
    fn both_ways_carry_the_same_frames(
        preserve: bool,
        frames in prop::collection::vec(
            (0..6_u8, 0..1500_usize, 0..4_u8, 0..600_u16, any::<u16>()),
            1..60,
        ),
    ) {
        let mut config = one_target();
        config.groups[0].preserve_client_ip = preserve;
        let mut nets = [Net::new(config.clone()), Net::new(config.clone())];
        let client = end(CLIENT_IP, 2);
        let fronts = [end(FRONT_A, 80), end(FRONT_B, 80), end(FRONT_A, 53)];
        let seen = [0, 1].map(|net| {
            let net = &mut nets[net];
            let tcp = [0, 1].map(|front| net.connect(CLIENT, client, fronts[front], 1).from);
            let udp = net.send(CLIENT, datagram(client, fronts[2], 9))[0].headers();
            [tcp[0], tcp[1], udp.from]
        });
        prop_assert_eq!(seen[0], seen[1]);
        let frames: Vec<_> = frames
            .into_iter()
            .map(|(kind, len, undone, size, number)| {
                let flow = usize::from(kind % 3);
                let answers = kind >= 3;
                let target = end(WEB1_IP, fronts[flow].port());
                let (port, from, to) = match answers {
                    true => (WEB1, target, seen[0][flow]),
                    false => (CLIENT, client, fronts[flow]),
                };
                let flags = if number % 8 == 0 && !answers { SYN } else { ACK };
                let mut bytes = match flow {
                    2 => datagram(from, to, len),
                    _ => segment(from, to, flags, number.into(), 5).with_payload(len).bytes(),
                };
                let (sum, gso_type) = if flow == 2 { (6, GSO_UDP_L4) } else { (16, GSO_TCPV4) };
                let mut vnet = VnetHeader::default();
                if undone > 0 {
                    let (protocol, length) = (bytes[9], bytes.len() - 20);
                    let pseudo = checksum::pseudo_header(*from.ip(), *to.ip(), protocol, length);
                    let place = 20 + sum..22 + sum;
                    bytes[place].copy_from_slice(&checksum::fold(pseudo).to_be_bytes());
                    vnet = VnetHeader {
                        flags: NEEDS_CSUM,
                        gso_type: if undone > 1 { gso_type } else { 0 },
                        gso_size: size,
                        csum_start: 20,
                        csum_offset: if undone > 2 { 6 } else { sum as u16 },
                        ..vnet
                    };
                }
                (port, vnet, bytes)
            })
            .collect();
        for (number, some) in frames.chunks(9).enumerate() {
            if number % 3 > 0 {
                let packets = some.iter().map(|(port, _, bytes)| (*port, &bytes[..]));
                nets[0].fabric.foresee(packets);
            }
            for (port, vnet, bytes) in some {
                // Nothing but that every flow has to look for its way again. A rule would cut super-packets.
                nets[1].apply(Change::Configure(Box::new(config.clone())));
                let came = [0, 1].map(|net| {
                    let came = nets[net].send_frame(*port, *vnet, bytes.clone());
                    format!("{came:?}")
                });
                prop_assert_eq!(&came[0], &came[1]);
            }
        }
        prop_assert_eq!(told(&nets[0]), told(&nets[1]));
    }
}

/// Mostly what is said on connections that stand.
fn talk() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (2u16..4, 0usize..1200).prop_map(|(port, len)| Event::Client {
            port,
            zonal: true,
            flags: ACK | PSH,
            isn: 2,
            len,
        }),
        3 => (any::<bool>(), 0u16..4).prop_map(|(which, port)| Event::Target {
            which,
            port: port * 2,
            flags: ACK,
            ack: 3,
        }),
        2 => event(),
    ]
}

struct Nowhere(u64);

impl Output for Nowhere {
    fn deliver(&mut self, _: PortId, _: &VnetHeader, _: &[u8]) -> bool {
        self.0 += 1;
        true
    }
}

/// Allocations while both sides of a connection send a thousand packets, after as many to warm up.
fn allocations_on(mut config: Config, links: Link) -> u64 {
    config.record_limit = 0;
    let mut net = Net::new(config.clone());
    let client = end(CLIENT_IP, 40_000);
    let arrived = net.connect(CLIENT, client, end(FRONT_A, 80), 1);
    config.ports[CLIENT.0 as usize].up = links.clone();
    config.ports[CLIENT.0 as usize].down = links;
    net.apply(Change::Configure(Box::new(config)));
    let toward_target = segment(client, end(FRONT_A, 80), ACK | PSH, 2, 9001).with_payload(100);
    let toward_client = segment(arrived.to, arrived.from, ACK | PSH, 9001, 2).with_payload(100);
    let mut packets = [
        (CLIENT, toward_target.bytes()),
        (arrived.port, toward_client.bytes()),
    ];
    let pristine = packets.clone();
    let mut out = Nowhere(0);
    let mut talk = |fabric: &mut Fabric, from: u64| {
        for moment in from..from + 1000 {
            let now = net.now + Duration::from_micros(10 * moment);
            fabric.foresee(packets.iter().map(|(port, bytes)| (*port, &bytes[..])));
            for ((port, bytes), (_, good)) in packets.iter_mut().zip(&pristine) {
                bytes.copy_from_slice(good);
                let header = VnetHeader::default();
                fabric.receive(
                    now,
                    *port,
                    Frame {
                        header,
                        packet: bytes,
                    },
                    &mut out,
                );
            }
        }
    };
    talk(&mut net.fabric, 0);
    let before = allocations::of_this_thread();
    talk(&mut net.fabric, 1000);
    let made = allocations::of_this_thread() - before;
    assert!(out.0 >= 3900, "{} were delivered", out.0);
    made
}

#[test]
fn a_packet_allocates_nothing() {
    assert_eq!(allocations_on(one_target(), Link::default()), 0);
    let mut translated = one_target();
    translated.groups[0].preserve_client_ip = false;
    assert_eq!(allocations_on(translated, Link::default()), 0);
}

#[test]
fn a_packet_that_waits_in_links_allocates_nothing() {
    let links = Link {
        delay: Duration::from_micros(200),
        rate: Some(1_000_000_000),
        ..Link::default()
    };
    assert_eq!(allocations_on(one_target(), links), 0);
}
