//! Ports that are chosen before their entries are in the table: who clashes, who does not, and what becomes of them.

use super::*;
use proptest::prelude::*;

const GAP: Duration = Duration::from_millis(20);

fn late(order: PortOrder) -> Net {
    let mut config = behind(gateway());
    config.nat_gateways[0].port_order = order;
    config.nat_gateways[0].insertion_delay = GAP;
    Net::new(config)
}

fn other(port: u16) -> SocketAddrV4 {
    end(OTHER_IP, port)
}

fn syn(from: SocketAddrV4, isn: u32) -> Segment {
    segment(from, service(), SYN, isn, 0)
}

/// The sources of what came to the internet while this time passed, each with when.
fn sources(net: &mut Net, time: Duration) -> Vec<(Duration, SocketAddrV4)> {
    let came = net.pass(time).into_iter();
    came.map(|(at, one)| {
        assert_eq!(one.to, CLIENT);
        (at, one.headers().from)
    })
    .collect()
}

fn last(net: &Net) -> PacketRecord {
    *net.fabric.records().last().expect("a record")
}

#[test]
fn a_first_packet_waits_until_its_entry_is_in_the_table_and_what_follows_does_not() {
    let mut net = late(PortOrder::Sequential);
    assert!(net.send(APP, syn(app(40000), 100).bytes()).is_empty());
    assert_eq!(net.last_fate(), Fate::Held);
    assert!(net.fabric.mappings().is_empty(), "no entry yet");
    assert_eq!(net.fabric.totals().held, 1);
    assert_eq!(net.fabric.next_deadline(), Some(GAP));
    assert_eq!(sources(&mut net, GAP), [(GAP, end(EGRESS, 1024))]);
    assert_eq!(net.fabric.totals().held, 0);
    let answer = segment(service(), end(EGRESS, 1024), SYN | ACK, 9000, 101);
    assert_eq!(net.forward(CLIENT, answer).headers().to, app(40000));
    net.forward(APP, segment(app(40000), service(), ACK, 101, 9001));
    let seen = counters(&net);
    assert_eq!((seen.made, seen.established, seen.insert_failed), (1, 1, 0));
}

#[test]
fn of_two_that_choose_one_port_at_once_the_second_is_dropped_and_gets_another_when_it_is_sent_again()
 {
    for (order, first, second) in [
        (PortOrder::Sequential, 1024, 1025),
        (PortOrder::Preserve, 40000, 40001),
    ] {
        let mut net = late(order);
        net.send(APP, syn(app(40000), 100).bytes());
        net.pass(ms(5));
        net.send(OTHER, syn(other(40000), 200).bytes());
        assert_eq!(
            sources(&mut net, ms(1000)),
            [(GAP, end(EGRESS, first))],
            "{order:?}"
        );
        let record = last(&net);
        assert_eq!(record.fate, Fate::Dropped(Reason::InsertFailed));
        assert_eq!(record.at, GAP + ms(5), "at the insertion, not before");
        assert_eq!(record.gateway, Some(GatewayId(0)));
        assert_eq!(record.mapping, None);
        assert_eq!(
            (record.before.from, record.after.from),
            (other(40000), end(EGRESS, first)),
            "with the source that it had been given"
        );
        let seen = counters(&net);
        assert_eq!(
            (seen.insert_failed, seen.dropped_sent, seen.made),
            (1, 1, 1)
        );
        assert_eq!(seen.port_errors, 0);
        net.send(OTHER, syn(other(40000), 200).bytes());
        let came = sources(&mut net, GAP);
        assert_eq!(came[0].1, end(EGRESS, second), "{order:?}");
        let seen = counters(&net);
        assert_eq!(
            (seen.insert_failed, seen.made, seen.attempts, seen.tried),
            (1, 2, 2, 2),
            "a SYN sent again is no other connection"
        );
    }
}

#[test]
fn what_comes_after_the_insertion_chooses_another_port() {
    let mut net = late(PortOrder::Sequential);
    net.send(APP, syn(app(40000), 100).bytes());
    net.pass(GAP);
    net.send(OTHER, syn(other(40000), 200).bytes());
    assert_eq!(sources(&mut net, GAP), [(2 * GAP, end(EGRESS, 1025))]);
    assert_eq!(counters(&net).insert_failed, 0);
}

#[test]
fn other_destinations_other_protocols_and_other_ports_clash_with_nothing() {
    let mut net = late(PortOrder::Preserve);
    net.send(APP, syn(app(40000), 100).bytes());
    net.send(OTHER, syn(other(40001), 100).bytes());
    let elsewhere = segment(other(40000), end(CLIENT_IP, 444), SYN, 100, 0);
    net.send(OTHER, elsewhere.bytes());
    net.send(OTHER, datagram(other(40000), service(), 10));
    assert_eq!(sources(&mut net, GAP).len(), 4);
    assert_eq!(counters(&net).insert_failed, 0);
}

#[test]
fn random_ports_do_not_meet() {
    let mut net = late(PortOrder::Random);
    net.send(APP, syn(app(40000), 100).bytes());
    net.send(OTHER, syn(other(40000), 200).bytes());
    assert_eq!(sources(&mut net, GAP).len(), 2);
}

#[test]
fn a_syn_sent_again_before_the_insertion_clashes_with_itself() {
    let mut net = late(PortOrder::Random);
    net.send(APP, syn(app(40000), 100).bytes());
    net.send(APP, syn(app(40000), 100).bytes());
    assert_eq!(sources(&mut net, GAP).len(), 1);
    let seen = counters(&net);
    assert_eq!((seen.insert_failed, seen.made, seen.active), (1, 1, 1));
    assert_eq!(
        (seen.attempts, seen.tried),
        (1, 1),
        "and is no other connection"
    );
    // Nor is it remembered for the next one that begins with the same number.
    net.pass(ms(60_000));
    assert_eq!(counters(&net).active, 0, "expired");
    net.send(APP, syn(app(40000), 100).bytes());
    assert_eq!(counters(&net).attempts, 2);
}

#[test]
fn no_more_ports_are_in_use_than_may_be_however_many_were_chosen() {
    let mut config = behind(gateway());
    config.nat_gateways[0].port_order = PortOrder::Preserve;
    config.nat_gateways[0].allocation = Allocation::PerDestination(4);
    config.nat_gateways[0].insertion_delay = GAP;
    let mut net = Net::new(config);
    let all = || (0..8).map(|one| syn(app(40000 + one), 100).bytes());
    for packet in all() {
        net.send(APP, packet);
    }
    assert_eq!(sources(&mut net, GAP).len(), 4);
    assert_eq!(last(&net).fate, Fate::Dropped(Reason::PortAllocation));
    let seen = counters(&net);
    assert_eq!((seen.made, seen.active, seen.most_ports), (4, 4, 4));
    assert_eq!(
        (seen.port_errors, seen.failed, seen.insert_failed),
        (4, 4, 0)
    );
    assert_eq!((seen.tried, seen.dropped_sent), (8, 4));
    // Sent again they are the same attempts, which failed before.
    for packet in all().skip(4) {
        assert_eq!(net.dropped(APP, packet), Reason::PortAllocation);
    }
    let seen = counters(&net);
    assert_eq!((seen.port_errors, seen.failed, seen.tried), (8, 4, 8));
}

#[test]
fn an_attempt_that_waited_and_clashed_may_find_no_port_later() {
    let mut config = behind(gateway());
    config.nat_gateways[0].port_order = PortOrder::Preserve;
    config.nat_gateways[0].allocation = Allocation::PerDestination(1);
    config.nat_gateways[0].insertion_delay = GAP;
    let mut net = Net::new(config);
    net.send(APP, syn(app(40000), 100).bytes());
    net.send(OTHER, syn(other(40000), 200).bytes());
    net.pass(GAP);
    let seen = counters(&net);
    assert_eq!(
        (seen.insert_failed, seen.failed),
        (1, 0),
        "its port is taken"
    );
    for _ in 0..2 {
        let again = syn(other(40000), 200).bytes();
        assert_eq!(net.dropped(OTHER, again), Reason::PortAllocation);
    }
    let seen = counters(&net);
    assert_eq!((seen.port_errors, seen.failed, seen.tried), (2, 1, 2));
}

#[test]
fn datagrams_of_one_socket_share_an_entry_or_lose_the_later_ones() {
    for (order, resolves) in [
        (PortOrder::Preserve, true),
        (PortOrder::Random, true),
        (PortOrder::Preserve, false),
        (PortOrder::Random, false),
    ] {
        let mut config = behind(gateway());
        config.nat_gateways[0].port_order = order;
        config.nat_gateways[0].insertion_delay = GAP;
        config.nat_gateways[0].clash_resolve = resolves;
        let mut net = Net::new(config);
        for _ in 0..2 {
            net.send(APP, datagram(app(40000), service(), 10));
        }
        let came = sources(&mut net, GAP);
        let seen = counters(&net);
        assert_eq!(net.fabric.mappings().len(), 1);
        if resolves {
            assert_eq!(came.len(), 2);
            assert_eq!(came[0].1, came[1].1, "one socket, one source");
            assert_eq!((seen.clash_resolve, seen.insert_failed), (1, 0));
        } else {
            assert_eq!(came.len(), 1);
            assert_eq!((seen.clash_resolve, seen.insert_failed), (0, 1));
            assert_eq!(last(&net).fate, Fate::Dropped(Reason::InsertFailed));
        }
        // By now there is an entry.
        let third = net.send(APP, datagram(app(40000), service(), 10));
        assert_eq!(third[0].headers().from, came[0].1);
    }
}

#[test]
fn datagrams_of_two_sockets_are_not_resolved() {
    let mut net = late(PortOrder::Preserve);
    net.send(APP, datagram(app(40000), service(), 10));
    net.send(OTHER, datagram(other(40000), service(), 10));
    assert_eq!(sources(&mut net, GAP).len(), 1);
    let seen = counters(&net);
    assert_eq!((seen.clash_resolve, seen.insert_failed), (0, 1));
}

#[test]
fn fragments_of_one_datagram_are_one_entry() {
    let whole = datagram(app(40000), service(), 152);
    let parts = [(0, true), (8, true), (16, false)];
    for order in [PortOrder::Random, PortOrder::Preserve] {
        for resolves in [true, false] {
            for apart in [Duration::ZERO, ms(7), GAP / 2, GAP] {
                let mut config = behind(gateway());
                config.nat_gateways[0].port_order = order;
                config.nat_gateways[0].insertion_delay = GAP;
                config.nat_gateways[0].clash_resolve = resolves;
                let mut net = Net::new(config);
                let mut came = Vec::new();
                for (offset, more) in parts {
                    came.extend(net.send(APP, part(&whole, 7, offset, more)));
                    came.extend(net.pass(apart).into_iter().map(|(_, one)| one));
                }
                came.extend(net.pass(GAP).into_iter().map(|(_, one)| one));
                let what = format!("{order:?} {resolves} {apart:?}");
                let offset = |one: &Delivery| u16::from_be_bytes([one.bytes[6], one.bytes[7]]);
                let offsets: Vec<u16> = came.iter().map(|one| offset(one) & 0x1fff).collect();
                assert_eq!(offsets, [0, 8, 16], "all, in their order: {what}");
                assert!(came.iter().all(|one| one.headers().source() == ip(EGRESS)));
                let seen = counters(&net);
                assert_eq!((seen.clash_resolve, seen.insert_failed), (0, 0), "{what}");
                assert_eq!((seen.tried, seen.made), (1, 1));
                assert_eq!((seen.to_destination.packets, seen.dropped_sent), (3, 0));
            }
        }
    }
}

#[test]
fn a_datagram_in_fragments_clashes_once_and_is_dropped_whole() {
    for resolves in [true, false] {
        let mut config = behind(gateway());
        config.nat_gateways[0].insertion_delay = GAP;
        config.nat_gateways[0].clash_resolve = resolves;
        let mut net = Net::new(config);
        net.send(APP, datagram(app(40000), service(), 10));
        let whole = datagram(app(40000), service(), 88);
        net.send(APP, part(&whole, 7, 0, true));
        // Another datagram does not come between them.
        net.send(OTHER, datagram(other(40000), end(CLIENT_IP, 444), 10));
        net.send(APP, part(&whole, 7, 8, false));
        let came = sources(&mut net, GAP).len();
        let seen = counters(&net);
        let expected = if resolves { (4, 1, 0, 0) } else { (2, 0, 1, 2) };
        assert_eq!(
            (
                came,
                seen.clash_resolve,
                seen.insert_failed,
                seen.dropped_sent
            ),
            expected
        );
    }
}

#[test]
fn fragments_of_two_datagrams_are_two_entries() {
    let mut net = late(PortOrder::Random);
    let whole = datagram(app(40000), service(), 88);
    for (identification, offset) in [(7, 0), (8, 0), (7, 8), (8, 8)] {
        net.send(APP, part(&whole, identification, offset, offset == 0));
    }
    assert_eq!(sources(&mut net, GAP).len(), 4);
    let seen = counters(&net);
    assert_eq!(
        (seen.clash_resolve, seen.made),
        (1, 1),
        "one of each clashed"
    );
}

#[test]
fn a_reset_mapping_and_its_free_port_do_not_stand_in_the_way() {
    let mut net = late(PortOrder::Sequential);
    net.send(APP, syn(app(40000), 100).bytes());
    net.pass(GAP);
    net.forward(APP, segment(app(40000), service(), RST, 101, 0));
    net.send(APP, syn(app(40000), 300).bytes());
    assert_eq!(sources(&mut net, GAP)[0].1, end(EGRESS, 1024));
    assert_eq!(counters(&net).insert_failed, 0);
}

proptest! {
    /// Where no two first packets wait at once, the gap is nothing but a delay: the same ends, the same ports.
    #[test]
    fn alone_in_the_gap_nobody_notices_it(
        order in prop::sample::select(vec![PortOrder::Random, PortOrder::Sequential, PortOrder::Preserve]),
        packets in prop::collection::vec((any::<bool>(), 1024u16..1028, 1u16..3, any::<bool>()), 1..40),
    ) {
        let tables: Vec<Vec<(Tuple, Tuple)>> = [Duration::ZERO, GAP].iter().map(|gap| {
            let mut config = behind(gateway());
            config.nat_gateways[0].port_order = order;
            config.nat_gateways[0].insertion_delay = *gap;
            let mut net = Net::new(config);
            for (second, port, to, udp) in &packets {
                let (host, from) = if *second { (OTHER, other(*port)) } else { (APP, app(*port)) };
                let to = end(CLIENT_IP, *to);
                let bytes = if *udp { datagram(from, to, 10) } else { segment(from, to, SYN, 7, 0).bytes() };
                net.send(host, bytes);
                net.pass(GAP);
            }
            let seen = counters(&net);
            assert_eq!((seen.insert_failed, seen.clash_resolve), (0, 0));
            net.fabric.mappings().iter().map(|one| (one.inside, one.outside)).collect()
        }).collect();
        prop_assert_eq!(&tables[0], &tables[1]);
    }
}
