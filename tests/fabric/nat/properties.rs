//! What holds whatever comes to a gateway.

use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

/// What may happen around a gateway.
#[derive(Clone, Debug)]
enum Event {
    /// A host behind it sends a segment to one of a few destinations.
    Out {
        other: bool,
        port: u16,
        to: u16,
        flags: u8,
        isn: u32,
    },
    /// The destination sends one to some port of the gateway.
    Back {
        port: u16,
        from: u16,
        flags: u8,
        second: bool,
    },
    /// Time passes.
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let flags = prop::sample::select(vec![SYN, SYN, SYN | ACK, ACK, FIN | ACK, RST, 0]);
    prop_oneof![
        4 => (any::<bool>(), 1u16..4, 1u16..3, flags.clone(), 0u32..3)
            .prop_map(|(other, port, to, flags, isn)| Event::Out { other, port, to, flags, isn }),
        3 => (1024u16..1030, 1u16..3, flags, any::<bool>())
            .prop_map(|(port, from, flags, second)| Event::Back { port, from, flags, second }),
        2 => (0u64..2000).prop_map(Event::Pass),
    ]
}

fn any_gateway() -> impl Strategy<Value = NatGateway> {
    let orders = vec![
        PortOrder::Random,
        PortOrder::Sequential,
        PortOrder::Preserve,
    ];
    let allocations = vec![
        Allocation::PerDestination(2),
        Allocation::PerDestination(55_000),
        Allocation::PerHost(2),
    ];
    let closed = vec![Duration::ZERO, ms(700)];
    let gaps = vec![Duration::ZERO, ms(400)];
    (
        prop::sample::select(orders),
        prop::sample::select(allocations),
        prop::sample::select(closed),
        any::<bool>(),
        any::<bool>(),
        (prop::sample::select(gaps), any::<bool>()),
    )
        .prop_map(
            |(port_order, allocation, closed, reset_at_expiry, two, gap)| NatGateway {
                insertion_delay: gap.0,
                clash_resolve: gap.1,
                addresses: [EGRESS, EGRESS_2]
                    .iter()
                    .take(1 + usize::from(two))
                    .map(|a| ip(a))
                    .collect(),
                port_order,
                allocation,
                reset_at_expiry,
                timeouts: NatTimeouts {
                    established: ms(3000),
                    transitory: ms(1000),
                    closed,
                    datagram: ms(1000),
                },
                ..gateway()
            },
        )
}

proptest! {
    /// No two living mappings show a destination one source; nothing private gets out; what comes back is what went.
    #[test]
    fn mappings_are_one_to_one(gateway in any_gateway(), events in prop::collection::vec(event(), 1..120)) {
        let most = match gateway.allocation {
            Allocation::PerDestination(most) => most,
            // Of each of two hosts.
            Allocation::PerHost(size) => 2 * size,
        };
        let mut net = Net::new(behind(gateway));
        for event in events {
            let came = match event {
                Event::Out { other, port, to, flags, isn } => {
                    let (host, address) = if other { (OTHER, OTHER_IP) } else { (APP, APP_IP) };
                    net.send(host, segment(end(address, port), end(CLIENT_IP, to), flags, isn, 0).bytes())
                }
                Event::Back { port, from, flags, second } => {
                    let to = end(if second { EGRESS_2 } else { EGRESS }, port);
                    net.send(CLIENT, segment(end(CLIENT_IP, from), to, flags, 9000, 1).bytes())
                }
                Event::Pass(time) => net.pass(ms(time)).into_iter().map(|(_, one)| one).collect(),
            };
            let mappings = net.fabric.mappings();
            for one in &came {
                let headers = one.headers();
                if one.to == CLIENT {
                    prop_assert!(headers.source() == ip(EGRESS) || headers.source() == ip(EGRESS_2));
                } else {
                    let known = mappings.iter().any(|m| m.inside.from == headers.to && m.inside.to == headers.from);
                    prop_assert!(known || headers.is_reset(), "{headers:?}");
                    prop_assert_eq!(headers.source(), ip(CLIENT_IP));
                }
            }
            let living = mappings.iter().filter(|m| !matches!(m.state, FlowState::Closed | FlowState::Expired));
            let outside: Vec<Tuple> = living.map(|m| m.outside).collect();
            let different: HashSet<Tuple> = outside.iter().copied().collect();
            prop_assert_eq!(outside.len(), different.len());
            for one in &outside {
                let alike = |other: &&Tuple| (other.from.ip(), other.to) == (one.from.ip(), one.to);
                let in_use = outside.iter().filter(alike).count();
                prop_assert!(in_use <= usize::from(most), "{in_use} of {most}");
            }
            prop_assert_eq!(counters(&net).active, outside.len() as u64);
        }
    }

    /// Whatever port the gateway chose, an answer to it comes to the very end that asked.
    #[test]
    fn the_way_back_restores_what_the_way_out_changed(gateway in any_gateway(), port in 1u16.., to in 1u16..) {
        let gateway = NatGateway { insertion_delay: Duration::ZERO, ..gateway };
        let mut net = Net::new(behind(gateway));
        let at = net.connect(APP, app(port), end(CLIENT_IP, to), 100);
        prop_assert_ne!(at.from, app(port));
        let came = net.forward(CLIENT, segment(at.to, at.from, ACK | PSH, 9001, 101).with_payload(100));
        prop_assert_eq!((came.to, came.headers().to), (APP, app(port)));
        prop_assert_eq!(came.headers().from, end(CLIENT_IP, to));
    }
}
