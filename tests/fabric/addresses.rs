//! Further addresses of hosts, and balancers that could not be set up because of them.

use crate::ipv6::{CLIENT6, FRONT_A6, SIX, dualstack, end6, seen, tcp as packet};
use crate::kit::*;
use hairpin::fabric::Stray;
use hairpin::fabric::config::Link;
use hairpin::fabric::record::*;
use std::net::{SocketAddr, SocketAddrV4};

const SECOND: &str = "10.0.2.77";

#[test]
fn a_host_is_reached_and_answers_by_each_of_its_addresses() {
    let mut config = config();
    config.ports[WEB2.0 as usize].addresses = vec![ip(SECOND)];
    let mut net = Net::new(config);
    let (inside, second) = (end(INSIDE_IP, 40_000), end(SECOND, 80));
    let arrived = net.connect(INSIDE, inside, second, 1);
    assert_eq!((arrived.port, arrived.to), (WEB2, second));
    // It may call by it as well, and keeps it.
    let arrived = net.syn(WEB2, end(SECOND, 5000), end(INSIDE_IP, 80), 7);
    assert_eq!((arrived.port, arrived.from), (INSIDE, end(SECOND, 5000)));
    // Through a balancer too.
    let arrived = net.syn(WEB2, end(SECOND, 5001), end(FRONT_A_PRIVATE, 80), 7);
    assert_eq!(arrived.from, end(SECOND, 5001));
    // Somebody else may not.
    let stolen = segment(end(SECOND, 5002), end(INSIDE_IP, 80), SYN, 1, 0);
    assert_eq!(net.dropped(WEB1, stolen.bytes()), Reason::SpoofedSource);
}

#[test]
fn only_the_main_address_has_a_public_one() {
    let mut config = config();
    config.ports[INSIDE.0 as usize].addresses = vec![ip(SECOND)];
    let mut net = Net::new(config);
    let client = end(CLIENT_IP, 80);
    let arrived = net.syn(INSIDE, end(INSIDE_IP, 5000), client, 1);
    assert_eq!(arrived.from, end(INSIDE_PUBLIC, 5000));
    let second = segment(end(SECOND, 5000), client, SYN, 1, 0);
    assert_eq!(net.dropped(INSIDE, second.bytes()), Reason::NotRoutable);
}

#[test]
fn of_a_balancer_that_failed_nothing_is_there() {
    let mut config = one_target();
    config.balancers[0].failure = Some("somebody has its address".to_owned());
    let mut net = Net::new(config);
    for address in [FRONT_A, FRONT_B] {
        let syn = segment(end(CLIENT_IP, 40_000), end(address, 80), SYN, 1, 0);
        assert_eq!(net.dropped(CLIENT, syn.bytes()), Reason::NoRoute);
    }
    let syn = segment(end(INSIDE_IP, 40_000), end(FRONT_A_PRIVATE, 80), SYN, 1, 0);
    assert_eq!(net.dropped(INSIDE, syn.bytes()), Reason::NoRoute);
}

/// Addresses of what is inside a host belong to its interface: as senders, as receivers and as targets. They are no
/// addresses of its own, so a packet from one of them that comes back is none from itself.
#[test]
fn what_is_inside_a_host_is_reached_through_it() {
    let mut config = one_target();
    config.ports[WEB1.0 as usize].routed = vec![ip(SECOND)];
    config.groups[0].targets[0].address = ip(SECOND);
    let mut net = Net::new(config);
    let pod = end(SECOND, 80);
    let arrived = net.connect(INSIDE, end(INSIDE_IP, 40_000), pod, 1);
    assert_eq!((arrived.port, arrived.to), (WEB1, pod));
    // As a target its answers find their way back.
    let arrived = net.connect(CLIENT, end(CLIENT_IP, 40_000), end(FRONT_A, 80), 1);
    assert_eq!((arrived.port, arrived.to), (WEB1, pod));
    // A client itself, it may be sent back to the host it is inside of.
    let arrived = net.syn(WEB1, end(SECOND, 5000), end(FRONT_A_PRIVATE, 80), 7);
    assert_eq!((arrived.port, arrived.from), (WEB1, end(SECOND, 5000)));
    assert_eq!(net.fabric.self_sourced(WEB1), 0);
    let stolen = segment(end(SECOND, 5002), end(INSIDE_IP, 80), SYN, 1, 0);
    assert_eq!(net.dropped(WEB2, stolen.bytes()), Reason::SpoofedSource);
}

/// A segment that a story injects comes to the client as the last one did, from another place in the stream.
#[test]
fn an_injected_segment_goes_the_way_of_the_last_one() {
    let mut net = Net::new(one_target());
    let (client, front) = (end(CLIENT_IP, 40_000), end(FRONT_A, 80));
    assert!(
        inject(&mut net, client, &[]).is_none(),
        "nothing has come yet"
    );
    let arrived = net.connect(CLIENT, client, front, 1);
    // A server that has said nothing yet goes on behind its SYN-ACK, which takes a number.
    let came = inject(&mut net, client, &[]).expect("a packet");
    assert_eq!((came.headers().seq, came.headers().ack), (9101, 2));
    net.forward(WEB1, segment(arrived.to, arrived.from, ACK, 9001, 2));
    let came = inject(&mut net, client, &[]).expect("a packet");
    let headers = came.headers();
    assert_eq!((headers.from, headers.to), (front, client));
    assert_eq!((headers.seq, headers.ack), (9101, 2));
    // A RST with the very next number.
    let (now, out) = (net.now, &mut net.out);
    assert!(
        net.fabric
            .inject(now, (client.into(), &[]), 0, Stray::Reset, out)
    );
    let came = net.out.delivered.pop().expect("a packet");
    let headers = came.headers();
    assert!(headers.is_reset());
    assert_eq!((headers.seq, headers.payload_len()), (9102, 0));
    // Their sender did not send them.
    let records = net.fabric.records();
    let injected: Vec<u64> = net.fabric.marks().iter().map(|mark| mark.packet).collect();
    let latest = records.last().expect("a record").id;
    assert_eq!(injected.len(), 3);
    assert_eq!(injected.last(), Some(&latest));
    assert!(
        !injected.contains(&(latest - 2)),
        "the segment between them is the server's own"
    );
    // As does a FIN.
    net.forward(WEB1, segment(arrived.to, arrived.from, FIN | ACK, 9001, 2));
    let came = inject(&mut net, client, &[]).expect("a packet");
    assert_eq!(came.headers().seq, 9102);
}

/// A client's port may have a connection to somebody else, too, of which something came last.
#[test]
fn a_segment_is_injected_into_no_other_connection_of_the_port() {
    let mut net = Net::new(one_target());
    let (client, front) = (end(CLIENT_IP, 40_000), end(FRONT_A, 80));
    net.connect(CLIENT, client, front, 1);
    let other = end(INSIDE_PUBLIC, 80);
    let answer = segment(end(INSIDE_IP, 80), client, SYN | ACK, 5000, 2);
    let came = net.forward(INSIDE, answer);
    assert_eq!(came.headers().from, other);
    for (others, from, seq) in [(other, front, 9101), (front, other, 5101)] {
        let came = inject(&mut net, client, &[others.into()]).expect("a packet");
        assert_eq!((came.headers().from, came.headers().seq), (from, seq));
    }
    assert!(inject(&mut net, client, &[front.into(), other.into()]).is_none());
}

/// The mark is kept with its record, and the last place in the books is one.
#[test]
fn an_injected_segment_is_marked_where_it_has_a_record() {
    let books = |limit| {
        let mut config = one_target();
        config.record_limit = limit;
        let mut net = Net::new(config);
        let (client, front) = (end(CLIENT_IP, 40_000), end(FRONT_A, 80));
        net.connect(CLIENT, client, front, 1);
        inject(&mut net, client, &[]).expect("a packet");
        (net.fabric.records().len(), net.fabric.marks().len())
    };
    let (all, _) = books(100);
    assert_eq!(books(all), (all, 1));
    assert_eq!(books(all - 1), (all - 1, 0));
}

/// A RST that is due for another one's segment has the number before it.
#[test]
fn an_injected_segment_is_marked_whatever_was_due() {
    let mut config = one_target();
    config.ports[WEB2.0 as usize].up.delay = ms(10);
    let mut net = Net::new(config);
    let (client, front) = (end(CLIENT_IP, 40_000), end(FRONT_A, 80));
    net.connect(CLIENT, client, front, 1);
    let of_no_flow = segment(end(WEB2_IP, 40_000), end(FRONT_A_PRIVATE, 80), ACK, 2, 9001);
    assert!(net.send(WEB2, of_no_flow.bytes()).is_empty());
    net.now += ms(10);
    inject(&mut net, client, &[]).expect("a packet");
    let (records, marks) = (net.fabric.records(), net.fabric.marks());
    let resets = records.iter().filter(|one| one.flags & RST != 0);
    assert_eq!(resets.count(), 1, "it was due");
    let marked = records.iter().find(|one| one.id == marks[0].packet);
    assert_eq!(marked.expect("a record").payload, 1);
}

/// Where a link cut the last one its end is that of its last fragment.
#[test]
fn a_segment_is_injected_behind_all_fragments() {
    let mut config = one_target();
    config.ports[CLIENT.0 as usize].down = Link {
        mtu: Some(1000),
        fragments: true,
        ..Link::default()
    };
    let mut net = Net::new(config);
    let (client, front) = (end(CLIENT_IP, 40_000), end(FRONT_A, 80));
    let arrived = net.connect(CLIENT, client, front, 1);
    for (seq, length) in [(9001, 2480), (11_481, 1500)] {
        let answer = segment(arrived.to, arrived.from, ACK, seq, 2).with_payload(length);
        assert!(net.send(WEB1, may_be_cut(answer)).len() > 1);
    }
    let came = inject(&mut net, client, &[]).expect("a packet");
    assert_eq!((came.headers().seq, came.headers().ack), (13_081, 2));
}

/// What did not come to stand has no stream.
#[test]
fn nothing_is_injected_behind_a_syn_ack_that_was_lost() {
    let mut config = one_target();
    config.ports[CLIENT.0 as usize].down.loss = 1.0;
    let mut net = Net::new(config);
    let (client, front) = (end(CLIENT_IP, 40_000), end(FRONT_A, 80));
    let arrived = net.syn(CLIENT, client, front, 1);
    let back = segment(arrived.to, arrived.from, SYN | ACK, 9000, 2);
    assert_eq!(net.dropped(WEB1, back.bytes()), Reason::LinkLoss);
    let (now, out) = (net.now, &mut net.out);
    let stray = Stray::Payload(1);
    assert!(!net.fabric.inject(now, (client.into(), &[]), 0, stray, out));
}

/// The same over IPv6, to a target of either family.
#[test]
fn a_segment_is_injected_over_ipv6() {
    for port in [80, SIX] {
        let mut net = Net::new(dualstack());
        let (client, front) = (end6(CLIENT6, 40_000), end6(FRONT_A6, port));
        let came = net.send(CLIENT, packet(client, front, SYN, 1, 0));
        let (from, to, _) = seen(&came[0]);
        net.send(WEB1, packet(to, from, SYN | ACK, 9000, 0));
        let (now, out) = (net.now, &mut net.out);
        let stray = Stray::Payload(3);
        assert!(
            net.fabric.inject(now, (client, &[]), 100, stray, out),
            "{port}"
        );
        let came = net.out.delivered.pop().expect("a packet");
        assert_eq!(came.to, CLIENT);
        assert_eq!(seen(&came), (front, client, vec![0; 3]), "{port}");
        assert_eq!(came.bytes[44..48], 9101u32.to_be_bytes());
        let nobody = end6("2001:db8::dead", 1);
        let out = &mut net.out;
        assert!(!net.fabric.inject(now, (nobody, &[]), 0, stray, out));
    }
}

/// A byte, 100 bytes after the end of what came last.
fn inject(net: &mut Net, client: SocketAddrV4, others: &[SocketAddr]) -> Option<Delivery> {
    let ends = (client.into(), others);
    net.fabric
        .inject(net.now, ends, 100, Stray::Payload(1), &mut net.out);
    net.out.delivered.pop()
}
