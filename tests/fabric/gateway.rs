//! Routes, the internet gateway, direct connections beside balanced ones, loopback.

use crate::kit::*;
use hairpin::fabric::config::*;
use hairpin::fabric::record::*;
use std::net::SocketAddrV4;

const C: u16 = 40_000;

fn goes(
    net: &mut Net,
    from: PortId,
    source: SocketAddrV4,
    to: SocketAddrV4,
) -> (PortId, SocketAddrV4, SocketAddrV4) {
    let came = net.send(from, datagram(source, to, 8));
    assert_eq!(came.len(), 1, "{:?}", net.last_fate());
    let headers = came[0].headers();
    (came[0].to, headers.from, headers.to)
}

#[test]
fn inside_private_addresses_reach_each_other() {
    let mut net = Net::new(config());
    let (a, b) = (end(INSIDE_IP, 1), end(WEB2_IP, 2));
    assert_eq!(goes(&mut net, INSIDE, a, b), (WEB2, a, b));
}

#[test]
fn the_gateway_translates_one_to_one_both_ways() {
    let mut net = Net::new(config());
    let (client, public, private) = (end(CLIENT_IP, C), end(WEB1_PUBLIC, 9), end(WEB1_IP, 9));
    assert_eq!(
        goes(&mut net, CLIENT, client, public),
        (WEB1, client, private)
    );
    assert_eq!(
        goes(&mut net, WEB1, private, client),
        (CLIENT, public, client)
    );
}

#[test]
fn a_host_inside_reaches_anothers_public_address_as_its_own_public_self() {
    let mut net = Net::new(config());
    let came = goes(&mut net, INSIDE, end(INSIDE_IP, 1), end(WEB1_PUBLIC, 2));
    assert_eq!(came, (WEB1, end(INSIDE_PUBLIC, 1), end(WEB1_IP, 2)));
    let back = goes(&mut net, WEB1, end(WEB1_IP, 2), end(INSIDE_PUBLIC, 1));
    assert_eq!(back, (INSIDE, end(WEB1_PUBLIC, 2), end(INSIDE_IP, 1)));
}

#[test]
fn nothing_private_crosses_the_gateway() {
    let mut net = Net::new(config());
    for (from, source, to) in [
        (CLIENT, CLIENT_IP, WEB1_IP),
        (CLIENT, CLIENT_IP, FRONT_A_PRIVATE),
        (WEB2, WEB2_IP, CLIENT_IP),
        (WEB2, WEB2_IP, WEB1_PUBLIC),
        (WEB2, WEB2_IP, FRONT_A),
    ] {
        let bytes = datagram(end(source, 1), end(to, 53), 8);
        assert_eq!(
            net.dropped(from, bytes),
            Reason::NotRoutable,
            "{source} to {to}"
        );
    }
    let bytes = datagram(end(CLIENT_IP, 1), end("192.0.2.99", 53), 8);
    assert_eq!(net.dropped(CLIENT, bytes), Reason::NoRoute);
}

#[test]
fn a_host_sends_only_as_itself() {
    let mut net = Net::new(config());
    for source in [WEB1_IP, INSIDE_PUBLIC, FRONT_A] {
        let bytes = datagram(end(source, 1), end(WEB2_IP, 2), 8);
        assert_eq!(net.dropped(INSIDE, bytes), Reason::SpoofedSource);
    }
}

#[test]
fn a_host_inside_reaches_a_balancer_by_either_address() {
    let mut net = Net::new(one_target());
    let private = net.connect(INSIDE, end(INSIDE_IP, C), end(FRONT_A_PRIVATE, 80), 1);
    assert_eq!(private.from, end(INSIDE_IP, C));
    let public = net.connect(INSIDE, end(INSIDE_IP, C), end(FRONT_A, 80), 1);
    assert_eq!(public.from, end(INSIDE_PUBLIC, C));
    let flow = &net.fabric.flows()[1];
    assert_eq!(flow.client_side.from, end(INSIDE_IP, C));
    assert_eq!(flow.target_side.from, end(INSIDE_PUBLIC, C));
}

/// Direct first: the balancer's newcomer takes the answers of the direct connection.
#[test]
fn a_balanced_syn_takes_the_answers_of_a_direct_connection() {
    let mut net = Net::new(one_target());
    let (client, public, web) = (end(CLIENT_IP, C), end(WEB1_PUBLIC, 80), end(WEB1_IP, 80));
    net.connect(CLIENT, client, public, 1);
    assert!(net.fabric.flows().is_empty());
    assert_eq!(net.conversation(client, public).flow, None);
    net.syn(CLIENT, client, end(FRONT_A, 80), 5000);
    let answer = net.forward(WEB1, segment(web, client, ACK, 9001, 2));
    assert_eq!(answer.headers().from, end(FRONT_A, 80));
}

/// Balanced first: the direct newcomer's answers go to the balanced connection, which does not know them.
#[test]
fn a_direct_syn_does_not_take_a_living_flows_way_back() {
    let mut net = Net::new(one_target());
    let (client, public, web) = (end(CLIENT_IP, C), end(WEB1_PUBLIC, 80), end(WEB1_IP, 80));
    net.connect(CLIENT, client, end(FRONT_A, 80), 1);
    net.syn(CLIENT, client, public, 5000);
    let answer = net.forward(WEB1, segment(web, client, ACK, 9001, 2));
    assert_eq!(answer.headers().from, end(FRONT_A, 80));
}

#[test]
fn a_direct_syn_is_not_in_the_way_of_a_flow_that_is_over() {
    let mut net = Net::new(one_target());
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    net.connect(CLIENT, client, front, 1);
    net.forward(CLIENT, segment(client, front, RST, 2, 0));
    net.connect(CLIENT, client, end(WEB1_PUBLIC, 80), 5000);
}

#[test]
fn direct_connections_have_conversations_with_an_end() {
    let mut net = Net::new(config());
    let (client, public, web) = (end(CLIENT_IP, C), end(WEB1_PUBLIC, 80), end(WEB1_IP, 80));
    net.connect(CLIENT, client, public, 1);
    net.syn(CLIENT, client, public, 1);
    net.forward(WEB1, segment(web, client, FIN | ACK, 9001, 2));
    net.forward(CLIENT, segment(client, public, RST, 2, 0));
    let conversation = net.conversation(client, public);
    assert_eq!(conversation.syns, 2);
    let ended = conversation.ended.expect("an end");
    assert_eq!((ended.by, ended.reset), (Party::Server, false));
}

#[test]
fn a_target_that_is_its_own_client_gets_packets_from_itself() {
    let mut config = one_target();
    let mut net = Net::new(config.clone());
    let seen = net.syn(WEB1, end(WEB1_IP, C), end(FRONT_A_PRIVATE, 80), 1);
    assert_eq!((seen.port, seen.from), (WEB1, end(WEB1_IP, C)));
    assert_eq!(net.fabric.self_sourced(WEB1), 1);
    assert_eq!(net.fabric.self_sourced(CLIENT), 0);

    config.groups[0].preserve_client_ip = false;
    let mut net = Net::new(config);
    let (client, front) = (end(WEB1_IP, C), end(FRONT_A_PRIVATE, 80));
    let seen = net.connect(WEB1, client, front, 1);
    assert_eq!(*seen.from.ip(), ip(FRONT_A_PRIVATE));
    assert_eq!(net.fabric.self_sourced(WEB1), 0);
}

#[test]
fn a_device_that_refuses_is_a_drop() {
    let mut net = Net::new(config());
    net.out.refuse = true;
    let bytes = datagram(end(INSIDE_IP, 1), end(WEB2_IP, 2), 8);
    assert_eq!(net.dropped(INSIDE, bytes), Reason::DeviceRefused);
}

#[test]
fn a_device_that_refuses_late_leaves_the_same_books() {
    for (record_limit, latest) in [(100, None), (1, None), (1, Some(100))] {
        let books = [false, true].map(|late| {
            let mut config = one_target();
            config.record_limit = record_limit;
            let mut net = Net::new(config);
            if let Some(latest) = latest {
                net.fabric.keep_latest(latest);
            }
            let along = || datagram(end(INSIDE_IP, 4), end(FRONT_A_PRIVATE, 53), 8);
            net.send(INSIDE, along());
            net.out.leaving.clear();
            net.out.refuse = !late;
            net.send(INSIDE, datagram(end(INSIDE_IP, 1), end(WEB2_IP, 2), 8));
            // By the whole way, and by the short one.
            net.send(WEB1, datagram(end(WEB1_IP, C), end(FRONT_A_PRIVATE, 53), 8));
            net.send(INSIDE, along());
            net.out.refuse = false;
            let gone = net.out.leaving.clone();
            net.send(INSIDE, along());
            if late {
                assert_eq!(net.fabric.self_sourced(WEB1), 1);
                for packet in gone.into_iter().take(3) {
                    net.fabric.refused(packet);
                }
            }
            assert_eq!(net.fabric.self_sourced(WEB1), 0);
            let (records, latest) = (net.fabric.records(), net.fabric.latest());
            let totals = net.fabric.totals();
            assert_eq!(totals.dropped[&Reason::DeviceRefused], 3);
            format!("{records:?} {latest:?} {totals:?}")
        });
        assert_eq!(books[0], books[1]);
    }
}

#[test]
fn the_ttl_runs_down_by_one_and_out() {
    let mut net = Net::new(config());
    let mut bytes = datagram(end(INSIDE_IP, 1), end(WEB2_IP, 2), 8);
    assert_eq!(net.send(INSIDE, bytes.clone())[0].bytes[8], 63);
    bytes[8] = 1;
    fill_ip_checksum(&mut bytes);
    let came = net.send(INSIDE, bytes);
    let error = came[0].headers();
    assert_eq!(came[0].to, INSIDE);
    assert_eq!(error.source(), ip("192.0.0.8"));
    assert_eq!(came[0].bytes[20..22], [11, 0]);
    let records = net.fabric.records();
    assert_eq!(records[1].fate, Fate::Answered(Answer::TtlExceeded));
    assert_eq!((records[2].sender, records[2].protocol), (None, 1));
}
