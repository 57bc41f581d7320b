//! What holds whatever comes in.

use crate::kit::*;
use hairpin::fabric::config::*;
use hairpin::fabric::record::*;
use hairpin::fabric::{Config, Fabric, Frame};
use hairpin::packet::VnetHeader;
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Something that happens to the network.
#[derive(Clone, Debug)]
pub enum Event {
    /// The client sends a segment.
    Client {
        port: u16,
        zonal: bool,
        flags: u8,
        isn: u32,
        len: usize,
    },
    /// A target sends one to the client.
    Target {
        which: bool,
        port: u16,
        flags: u8,
        ack: u32,
    },
    /// Another host sends a datagram somewhere.
    Datagram { to: usize, len: usize },
    /// Time passes.
    Pass(u64),
}

/// Few ports and sequence numbers, so that things meet.
pub fn event() -> impl Strategy<Value = Event> {
    let flags = prop::sample::select(vec![
        SYN,
        SYN,
        SYN | ACK,
        ACK,
        ACK | PSH,
        FIN | ACK,
        RST,
        0,
        0xff,
    ]);
    prop_oneof![
        4 => (1u16..5, any::<bool>(), flags.clone(), 0u32..3, 0usize..1200).prop_map(
            |(port, zonal, flags, isn, len)| Event::Client { port, zonal, flags, isn, len }
        ),
        3 => (any::<bool>(), 1u16..5, flags, 0u32..4).prop_map(
            |(which, port, flags, ack)| Event::Target { which, port, flags, ack }
        ),
        1 => (0usize..6, 0usize..1200).prop_map(|(to, len)| Event::Datagram { to, len }),
        2 => (0u64..2000).prop_map(Event::Pass),
    ]
}

fn policy() -> impl Strategy<Value = OnCollision> {
    prop::sample::select(vec![
        OnCollision::Newest,
        OnCollision::KeepOld,
        OnCollision::Random,
        OnCollision::PortRewrite,
    ])
}

/// A network with short timers, small tables and bad links.
pub fn rough(seed: u64, on_collision: OnCollision, preserve: bool, links: bool) -> Config {
    let mut config = config();
    config.seed = seed;
    config.groups[0].preserve_client_ip = preserve;
    let balancer = &mut config.balancers[0];
    balancer.on_collision = on_collision;
    balancer.snat_ports = 2;
    balancer.flow_capacity = 6;
    for listener in &mut balancer.listeners {
        listener.idle_timeout = ms(3000);
    }
    if links {
        let link = Link {
            delay: ms(300),
            jitter: ms(500),
            loss: 0.1,
            duplicate: 0.1,
            reorder: 0.1,
            // What leaves is verified.
            corrupt: 0.0,
            rate: Some(100_000),
            mtu: Some(1000),
            fragments: true,
            queue: Some(2),
            numbers: Numbers::default(),
        };
        config.ports[0].up = link.clone();
        config.ports[0].down = link.clone();
        config.ports[1].down = link;
    }
    config
}

pub fn play(net: &mut Net, event: &Event) {
    match *event {
        Event::Client {
            port,
            zonal,
            flags,
            isn,
            len,
        } => {
            let front = end(if zonal { FRONT_A } else { FRONT_B }, 80);
            let bytes = segment(end(CLIENT_IP, port), front, flags, isn, 1)
                .with_payload(len)
                .bytes();
            net.send(CLIENT, bytes);
        }
        Event::Target {
            which,
            port,
            flags,
            ack,
        } => {
            let (from, address) = if which {
                (WEB1, WEB1_IP)
            } else {
                (WEB2, WEB2_IP)
            };
            // Half of them answer whatever flow is open; the others go where no flow may be.
            let flows = net.fabric.flows();
            let to = match flows.get(usize::from(port) % flows.len().max(1)) {
                Some(flow) if port % 2 == 0 => flow.target_side.from,
                Some(_) | None => end(CLIENT_IP, port),
            };
            net.send(
                from,
                segment(end(address, 80), to, flags, 9000, ack).bytes(),
            );
        }
        Event::Datagram { to, len } => {
            let to = [
                CLIENT_IP,
                WEB1_IP,
                WEB1_PUBLIC,
                FRONT_A,
                FRONT_A_PRIVATE,
                "192.0.2.1",
            ][to];
            net.send(INSIDE, datagram(end(INSIDE_IP, 5), end(to, 53), len));
        }
        Event::Pass(time) => {
            net.pass(ms(time));
        }
    }
}

/// Counters that can be told from the records and flows must agree with them.
fn audit(net: &Net) {
    net.check();
    let live = |flow: &&FlowRecord| match flow.state {
        FlowState::SynSent | FlowState::Established | FlowState::Closing => true,
        FlowState::Closed | FlowState::Expired => false,
    };
    let flows = net.fabric.flows();
    let active = flows.iter().filter(live).count() as u64;
    assert_eq!(net.metric("ActiveFlowCount"), active);
    assert!(active <= 6);
    assert_eq!(net.metric("NewFlowCount"), flows.len() as u64);
    let mut clients = HashSet::new();
    for flow in flows.iter().filter(live) {
        assert!(
            clients.insert(flow.client_side),
            "two living flows of one client's tuple"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_packet_has_one_fate(
        seed: u64,
        on_collision in policy(),
        preserve: bool,
        links: bool,
        events in prop::collection::vec(event(), 0..120),
    ) {
        let mut net = Net::new(rough(seed, on_collision, preserve, links));
        for event in &events {
            play(&mut net, event);
            audit(&net);
        }
        // Links drain; afterwards nothing is held, and every packet number has one record that is not Held.
        net.pass(Duration::from_secs(100));
        prop_assert_eq!(net.fabric.totals().held, 0);
        let mut ends = HashMap::new();
        for record in net.fabric.records() {
            let count: &mut u32 = ends.entry(record.id).or_default();
            *count += u32::from(record.fate != Fate::Held);
        }
        prop_assert!(ends.values().all(|&count| count == 1));
        let totals = net.fabric.totals();
        prop_assert_eq!(ends.len() as u64, totals.received + totals.originated);
    }

    #[test]
    fn the_same_seed_decides_the_same(
        seed: u64,
        on_collision in policy(),
        preserve: bool,
        events in prop::collection::vec(event(), 0..80),
    ) {
        let run = || {
            let mut net = Net::new(rough(seed, on_collision, preserve, true));
            for event in &events {
                play(&mut net, event);
            }
            format!("{:?} {:?} {:?}", net.fabric.records(), net.fabric.flows(), net.fabric.conversations())
        };
        prop_assert_eq!(run(), run());
    }

    /// Who may share a target-side tuple, and who loses it, is what the policies differ in.
    #[test]
    fn policies_keep_their_promise(
        on_collision in policy(),
        events in prop::collection::vec(event(), 0..120),
    ) {
        let mut net = Net::new(rough(1, on_collision, true, false));
        for event in &events {
            play(&mut net, event);
            let flows = net.fabric.flows();
            for (index, flow) in flows.iter().enumerate() {
                let live = !matches!(flow.state, FlowState::Closed | FlowState::Expired);
                if let Some(lost) = flow.displaced {
                    prop_assert!(lost.by.0 as usize != index);
                    prop_assert_eq!(flows[lost.by.0 as usize].target_side, flow.target_side);
                    let taken_alive = !matches!(lost.was, FlowState::Closed | FlowState::Expired);
                    prop_assert!(matches!(on_collision, OnCollision::Newest | OnCollision::Random) || !taken_alive);
                }
                // A living flow has its target-side tuple to itself.
                if on_collision == OnCollision::PortRewrite && live && flow.displaced.is_none() {
                    let same = flows.iter().filter(|other| {
                        other.target_side == flow.target_side
                            && other.displaced.is_none()
                            && !matches!(other.state, FlowState::Closed | FlowState::Expired)
                    });
                    prop_assert_eq!(same.count(), 1);
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_counted_and_never_a_panic(
        frames in prop::collection::vec(
            (0u32..4, prop::array::uniform10(any::<u8>()), prop::collection::vec(any::<u8>(), 0..120)),
            0..40,
        ),
    ) {
        let mut net = Net::new(rough(1, OnCollision::Newest, true, true));
        net.out.unverified = true;
        for (port, vnet, bytes) in frames {
            net.send_frame(PortId(port), VnetHeader::read(&vnet).expect("ten bytes"), bytes);
        }
        net.pass(Duration::from_secs(100));
    }

    /// The same with headers that pass the first checks: right version, lengths, source and checksum.
    #[test]
    fn almost_right_bytes_are_counted_and_never_a_panic(
        frames in prop::collection::vec(
            (
                (0u32..4, prop::sample::select(vec![1u8, 6, 17, 47]), 0usize..6, 0u8..4, any::<u16>()),
                (any::<bool>(), 0u8..6, 0u16..80, 0u16..80, 0u16..30),
                prop::collection::vec(any::<u8>(), 0..100),
            ),
            0..60,
        ),
        preserve: bool,
    ) {
        let mut net = Net::new(rough(1, OnCollision::Newest, preserve, true));
        net.out.unverified = true;
        let sources = [CLIENT_IP, WEB1_IP, WEB2_IP, INSIDE_IP];
        let targets = [CLIENT_IP, WEB1_IP, WEB1_PUBLIC, FRONT_A, FRONT_A_PRIVATE, WEB2_IP];
        for ((port, protocol, to, ttl, fragment), (flag, gso_type, gso_size, start, offset), payload) in frames {
            let mut bytes = vec![0x45, 0, 0, 0, 0, 0, 0, 0, ttl, protocol, 0, 0];
            bytes.extend(ip(sources[port as usize]).octets());
            bytes.extend(ip(targets[to]).octets());
            bytes.extend(payload);
            let len = bytes.len() as u16;
            bytes[2..4].copy_from_slice(&len.to_be_bytes());
            if fragment % 4 == 0 {
                bytes[6..8].copy_from_slice(&fragment.to_be_bytes());
            }
            if bytes.len() > 32 {
                bytes[32] = bytes[32] % 32 + 0x50;
                bytes[22] = 0;
                bytes[23] = 80;
            }
            fill_ip_checksum(&mut bytes);
            let vnet = VnetHeader {
                flags: u8::from(flag),
                gso_type,
                hdr_len: 0,
                gso_size,
                csum_start: if start < 60 { 20 } else { start },
                csum_offset: if offset < 20 { 16 } else { offset },
            };
            net.send_frame(PortId(port), vnet, bytes);
        }
        net.pass(Duration::from_secs(100));
        let totals = net.fabric.totals();
        prop_assert_eq!(totals.held, 0);
    }
}

#[test]
fn the_way_of_established_packets_does_not_depend_on_how_many_flows_there_are() {
    // Not a benchmark: only that nothing on the path walks over all flows.
    let mut config = one_target();
    config.record_limit = 0;
    let mut fabric = Fabric::new(config);
    let mut out = Outbox {
        unverified: true,
        refuse: true,
        ..Outbox::default()
    };
    let template = segment(end(CLIENT_IP, 1), end(FRONT_A, 80), SYN, 1, 0);
    let mut send = |fabric: &mut Fabric, port: u16, zonal: &str, flags| {
        let source = end(CLIENT_IP, port);
        let mut bytes = hairpin_segment(template, source, zonal, flags);
        let frame = Frame {
            header: VnetHeader::default(),
            packet: &mut bytes,
        };
        fabric.receive(Duration::from_millis(1), CLIENT, frame, &mut out);
    };
    let start = std::time::Instant::now();
    for port in 1..=u16::MAX {
        send(&mut fabric, port, FRONT_A, SYN);
        send(&mut fabric, port, FRONT_B, SYN);
    }
    for port in 1..=u16::MAX {
        send(&mut fabric, port, FRONT_A, ACK);
    }
    assert_eq!(fabric.flows().len(), 2 * usize::from(u16::MAX));
    // 200,000 packets; a walk over 100,000 flows for each would take minutes.
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
}

fn hairpin_segment(
    template: Segment,
    from: std::net::SocketAddrV4,
    zonal: &str,
    flags: u8,
) -> Vec<u8> {
    Segment {
        from,
        to: end(zonal, 80),
        flags,
        ..template
    }
    .bytes()
}
