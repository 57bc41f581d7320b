//! Service proxies of nodes: what turns a service into a pod at a node's edge, and what becomes of old entries, of those whose pod
//! is gone, and of SYNs that are sent again.

use crate::kit::*;
use hairpin::fabric::change::Change;
use hairpin::fabric::config::*;
use hairpin::fabric::record::*;
use hairpin::fabric::{Config, ProxyCounters};
use std::net::SocketAddrV4;
use std::time::Duration;

/// The node. Behind the service are web1 and web2.
const NODE: PortId = INSIDE;
const SERVICE: &str = "172.20.0.100";

fn service() -> SocketAddrV4 {
    end(SERVICE, 80)
}

fn web(number: usize) -> SocketAddrV4 {
    end([WEB1_IP, WEB2_IP][number], 80)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn with(mode: ProxyMode) -> Net {
    let endpoint = |number: usize| ServiceEndpoint {
        name: format!("web-{number}"),
        address: web(number),
    };
    let of = |protocol| VirtualService {
        name: "default/shop".into(),
        protocol,
        at: service(),
        endpoints: vec![endpoint(0), endpoint(1)],
    };
    Net::new(Config {
        service_proxy: Some(Box::new(ServiceProxy {
            mode,
            nodes: vec![NODE],
            services: vec![of(Protocol::Tcp), of(Protocol::Udp)],
        })),
        ..config()
    })
}

/// As a kernel has it that nobody has set anything in, but for `conntrack`, which kube-proxy sets.
fn knobs() -> Ipvs {
    Ipvs {
        conn_reuse_mode: 1,
        expire_nodest_conn: false,
        conntrack: true,
        since_5_9: false,
        timeouts: IpvsTimeouts {
            established: seconds(900),
            fin_wait: seconds(120),
            udp: seconds(300),
            syn_sent: seconds(120),
            syn_recv: seconds(60),
            time_wait: seconds(120),
            close: seconds(10),
            close_wait: seconds(60),
            last_ack: seconds(30),
        },
    }
}

fn ipvs(change: impl FnOnce(&mut Ipvs)) -> Net {
    let mut own = knobs();
    change(&mut own);
    with(ProxyMode::Ipvs(own))
}

fn counters(net: &Net) -> ProxyCounters {
    let told = net.fabric.service_proxy(NODE, net.now);
    told.expect("a node with a service proxy")
}

fn own(port: u16) -> SocketAddrV4 {
    end(INSIDE_IP, port)
}

/// The client says something to the service. To which of the two it came.
fn say(net: &mut Net, port: u16, flags: u8, seq: u32) -> usize {
    let said = segment(own(port), service(), flags, seq, 1);
    let came = net.forward(NODE, said);
    let headers = came.headers();
    assert_eq!(headers.from, own(port));
    let number = [WEB1, WEB2].iter().position(|host| *host == came.to);
    let number = number.expect("one of the two");
    assert_eq!(headers.to, web(number));
    number
}

/// A pod answers, and the client hears the service.
fn answer(net: &mut Net, number: usize, port: u16, flags: u8) {
    let said = segment(web(number), own(port), flags, 5000, 2);
    let came = net.forward([WEB1, WEB2][number], said);
    assert_eq!(came.to, NODE);
    let headers = came.headers();
    assert_eq!((headers.from, headers.to), (service(), own(port)));
}

/// A connection from one end to the other. Who served it.
fn visit(net: &mut Net, port: u16) -> usize {
    let number = say(net, port, SYN, 1);
    answer(net, number, port, SYN | ACK);
    assert_eq!(say(net, port, ACK, 2), number);
    answer(net, number, port, FIN | ACK);
    assert_eq!(say(net, port, FIN | ACK, 2), number);
    answer(net, number, port, ACK);
    number
}

fn dropped(net: &mut Net, port: u16, flags: u8) -> Reason {
    net.dropped(NODE, segment(own(port), service(), flags, 100, 1).bytes())
}

fn take_out(net: &mut Net, endpoint: usize, there: bool) {
    for service in [0, 1] {
        net.apply(Change::Endpoint {
            service,
            endpoint,
            there,
        });
    }
}

#[test]
fn connections_are_given_out_in_turn_and_keep_their_pod() {
    let mut net = ipvs(|_| {});
    let served = [1, 2, 3, 4].map(|port| visit(&mut net, port));
    assert_eq!(served, [0, 1, 0, 1]);
    assert_eq!((counters(&net).connections, counters(&net).entries), (4, 4));
    net.pass(seconds(119));
    assert_eq!(counters(&net).entries, 4, "in TIME_WAIT");
    net.pass(seconds(1));
    assert_eq!(counters(&net).entries, 0);
    // The books have what was on the wire.
    let records = net.fabric.records();
    assert!(records.iter().all(|record| record.before.to != service()));
    net.check();
}

#[test]
fn a_port_that_comes_back_costs_a_syn_before_5_9() {
    let mut net = ipvs(|_| {});
    visit(&mut net, 1);
    assert_eq!(dropped(&mut net, 1, SYN), Reason::IpvsPortReuse);
    // Sent again it finds nothing, and the next one in turn has it.
    assert_eq!(say(&mut net, 1, SYN, 100), 1);
    let told = counters(&net);
    assert_eq!((told.port_reuse_drops, told.connections), (1, 2));
    // Nobody's attempt is noted of the one that was dropped.
    assert_eq!(net.fabric.conversations().len(), 2);
}

#[test]
fn it_costs_none_since_5_9_or_without_conntrack_or_in_mode_0_or_later() {
    let since: fn(&mut Ipvs) = |knobs| knobs.since_5_9 = true;
    for (change, to, rescheduled) in [
        (since, 1, 1),
        (|knobs| knobs.conntrack = false, 1, 1),
        (|knobs| knobs.conn_reuse_mode = 0, 0, 0),
    ] {
        let mut net = ipvs(change);
        visit(&mut net, 1);
        assert_eq!(say(&mut net, 1, SYN, 100), to);
        assert_eq!(counters(&net).rescheduled, rescheduled);
    }
    let mut net = ipvs(|_| {});
    visit(&mut net, 1);
    net.pass(seconds(120));
    assert_eq!(say(&mut net, 1, SYN, 100), 1);
    assert_eq!(counters(&net).rescheduled, 0);
}

#[test]
fn an_entry_in_use_is_nobodys_port_to_reuse() {
    let mut net = ipvs(|_| {});
    let number = say(&mut net, 1, SYN, 1);
    answer(&mut net, number, 1, SYN | ACK);
    say(&mut net, 1, ACK, 2);
    assert_eq!(say(&mut net, 1, SYN, 900), number);
    // FIN_WAIT is reused by bit 2 only, and only where nothing of the pod has come by.
    answer(&mut net, number, 1, FIN | ACK);
    assert_eq!(say(&mut net, 1, SYN, 901), number);
    let mut direct = ipvs(|knobs| (knobs.conn_reuse_mode, knobs.since_5_9) = (2, true));
    let first = say(&mut direct, 1, SYN, 1);
    assert_eq!(say(&mut direct, 1, ACK, 2), first);
    assert_eq!(say(&mut direct, 1, FIN | ACK, 2), first);
    assert_ne!(say(&mut direct, 1, SYN, 900), first);
}

#[test]
fn packets_for_a_pod_that_is_gone_are_dropped_until_the_entry_ends() {
    let mut net = ipvs(|_| {});
    let number = say(&mut net, 1, SYN, 1);
    answer(&mut net, number, 1, SYN | ACK);
    say(&mut net, 1, ACK, 2);
    take_out(&mut net, number, false);
    for _ in 0..8 {
        net.pass(seconds(100));
        assert_eq!(dropped(&mut net, 1, ACK), Reason::IpvsNoDestination);
    }
    net.pass(seconds(100));
    // 900 s after the last packet that passed, the node has no such connection.
    let (why, reset) = net.reset(NODE, segment(own(1), service(), ACK, 2, 1));
    assert_eq!((why, reset.from), (Answer::ResetNoEntry, service()));
    assert_eq!(counters(&net).no_destination_drops, 8);
    // A RST is answered with nothing.
    assert_eq!(dropped(&mut net, 1, RST), Reason::MissingFlow);
    assert_eq!(say(&mut net, 2, SYN, 1), 1 - number);
    net.check();
}

#[test]
fn a_pod_that_is_put_back_goes_on() {
    let mut net = ipvs(|_| {});
    let number = say(&mut net, 1, SYN, 1);
    answer(&mut net, number, 1, SYN | ACK);
    take_out(&mut net, number, false);
    assert_eq!(dropped(&mut net, 1, ACK), Reason::IpvsNoDestination);
    take_out(&mut net, number, true);
    assert_eq!(say(&mut net, 1, ACK, 2), number);
}

#[test]
fn expire_nodest_conn_ends_the_entry_with_its_next_packet_or_at_once() {
    for since_5_9 in [false, true] {
        let mut net = ipvs(|knobs| {
            (knobs.expire_nodest_conn, knobs.since_5_9) = (true, since_5_9);
        });
        let number = say(&mut net, 1, SYN, 1);
        answer(&mut net, number, 1, SYN | ACK);
        say(&mut net, 1, ACK, 2);
        take_out(&mut net, number, false);
        if !since_5_9 {
            assert_eq!(dropped(&mut net, 1, ACK), Reason::IpvsNoDestination);
        }
        assert_eq!(counters(&net).entries, 0);
        let (why, _) = net.reset(NODE, segment(own(1), service(), ACK, 2, 1));
        assert_eq!(why, Answer::ResetNoEntry);
    }
}

#[test]
fn a_service_without_pods_refuses() {
    let mut net = ipvs(|_| {});
    take_out(&mut net, 0, false);
    take_out(&mut net, 1, false);
    let (why, _) = net.reset(NODE, segment(own(1), service(), SYN, 1, 0));
    assert_eq!(why, Answer::ResetNoEntry);
}

#[test]
fn only_nodes_know_services_and_only_their_own_entries() {
    let mut net = ipvs(|_| {});
    let stranger = segment(web(0), service(), SYN, 1, 0);
    assert_eq!(net.dropped(WEB1, stranger.bytes()), Reason::NoRoute);
    // A pod that was never asked is heard under its own address.
    let came = net.forward(WEB1, segment(web(0), own(9), SYN | ACK, 1, 1));
    assert_eq!(came.headers().from, web(0));
}

#[test]
fn datagrams_keep_their_pod_for_their_own_time() {
    let mut net = ipvs(|_| {});
    let ask = |net: &mut Net| net.send(NODE, datagram(own(1), service(), 10))[0].to;
    assert_eq!([ask(&mut net), ask(&mut net)], [WEB1, WEB1]);
    net.pass(seconds(299));
    assert_eq!(ask(&mut net), WEB1);
    net.pass(seconds(300));
    assert_eq!(ask(&mut net), WEB2);
}

/// How many of 40 SYNs that are sent again come to another pod, and whether what follows goes where the last one went.
fn sent_again(pin_syn: bool) -> usize {
    let mut net = with(ProxyMode::Ebpf { pin_syn });
    let mut moved = 0;
    for port in 1..=40 {
        let first = say(&mut net, port, SYN, 1);
        let then = say(&mut net, port, SYN, 1);
        assert_eq!(say(&mut net, port, ACK, 2), then);
        // The first one is heard as well.
        answer(&mut net, first, port, SYN | ACK);
        answer(&mut net, then, port, SYN | ACK);
        moved += usize::from(first != then);
    }
    let told = counters(&net);
    assert_eq!((told.moved_syns, told.connections), (moved as u64, 40));
    moved
}

#[test]
fn by_ebpf_a_repeated_syn_goes_anywhere_unless_it_is_pinned() {
    let moved = sent_again(false);
    assert!((8..=32).contains(&moved), "{moved} of 40");
    assert_eq!(sent_again(true), 0);
}

#[test]
fn a_pinned_syn_follows_no_connection_that_is_over() {
    let mut net = with(ProxyMode::Ebpf { pin_syn: true });
    let served: Vec<usize> = (0..20).map(|_| visit(&mut net, 1)).collect();
    assert!(served.contains(&0) && served.contains(&1), "{served:?}");
    assert_eq!(counters(&net).connections, 20);
}
