//! What links did to packets.

use super::shown;
use crate::evidence::{Icmp, LinkDid, LinkEffect, OnLinks, Packet};
use crate::verdict::Finding;
use crate::verdict::findings::{
    delivered_twice, needless_retransmission, pmtu_black_hole, standing_queue, undetected_damage,
    untranslated_sack,
};
use crate::verdict::kit::{Kit, NEW, OLD};

/// The last packet was so long in links, and so long of that in a queue, ms.
fn delayed(kit: &mut Kit, delayed_ms: f64, queued_ms: f64) {
    let packet = kit.evidence.packets.last_mut().expect("a packet");
    packet.links = Some(Box::new(OnLinks {
        delayed_ms,
        queued_ms,
        ..OnLinks::default()
    }));
}

/// What a link did to the last packet.
fn on_link(kit: &mut Kit, what: LinkDid) {
    let packet = kit.evidence.packets.last_mut().expect("a packet");
    let effect = LinkEffect {
        host: "client".into(),
        direction: "up".into(),
        what,
    };
    packet.links = Some(Box::new(OnLinks {
        effects: vec![effect],
        ..OnLinks::default()
    }));
}

/// What is found of a kind.
fn told(kit: &Kit, kind: &str) -> Vec<Finding> {
    let mut found = shown(kit);
    found.retain(|finding| finding.kind == kind);
    found
}

fn standing() -> (Kit, usize) {
    let mut kit = Kit::new();
    let x = kit.connect("x", 40001, "front/a", "web1");
    kit.handshake(x, NEW);
    (kit, x)
}

/// The same bytes are refused for their size again and again; or come in smaller packets.
pub(in super::super) fn too_large(happened: bool) -> Kit {
    let (mut kit, x) = standing();
    for pause in [0.0, 200.0, 400.0] {
        kit.now += pause;
        let len = if happened || pause == 0.0 { 1448 } else { 1000 };
        kit.down(x, ".", NEW.server + 1, NEW.client + 1, len);
        if len == 1448 {
            refused(&mut kit);
        }
    }
    kit
}

/// The last packet was too large, and its sender is told.
fn refused(kit: &mut Kit) {
    let packet = kit.evidence.packets.last_mut().expect("a packet");
    packet.fate = "answered: ICMP, fragmentation needed".into();
    packet.receiver = String::new();
}

#[test]
fn what_a_sender_was_told_is_told_of_the_packets_that_are_named() {
    let mut kit = too_large(true);
    let y = kit.connect("y", 40002, "front/b", "web2");
    kit.handshake(y, OLD);
    for _ in 0..4 {
        kit.now += 200.0;
        kit.down(y, ".", OLD.server + 1, OLD.client + 1, 1448);
        refused(&mut kit);
    }
    let found = told(&kit, pmtu_black_hole::KIND);
    let summary = &found[0].summary;
    assert!(
        summary.starts_with("web1 sent the same 1448 bytes of \"x\" 3 times over"),
        "{summary}"
    );
    assert!(summary.contains("it was told so 3 times"), "{summary}");
    assert!(
        summary.ends_with("It went no better with \"y\"."),
        "{summary}"
    );
}

#[test]
fn a_filter_is_suspected_only_where_no_message_came() {
    let mut kit = too_large(true);
    let summary = |kit: &Kit| told(kit, pmtu_black_hole::KIND).remove(0).summary;
    assert!(summary(&kit).contains("a filter on its machine"));
    kit.counter("web1", "IcmpInDestUnreachs", 3);
    assert!(!summary(&kit).contains("filter"));
}

#[test]
fn who_speaks_ipv6_is_told_by_icmpv6() {
    let mut kit = too_large(true);
    for packet in &mut kit.evidence.packets {
        if packet.fate == "answered: ICMP, fragmentation needed" {
            packet.fate = "answered: ICMPv6, packet too big".into();
        }
    }
    kit.counter("web1", "Icmp6InPktTooBigs", 3);
    let found = told(&kit, pmtu_black_hole::KIND).remove(0);
    assert!(
        found.summary.contains("it was told so 3 times by ICMPv6"),
        "{}",
        found.summary
    );
    let counted = ("web1".to_owned(), "Icmp6InPktTooBigs".to_owned(), 3);
    assert!(found.counters.contains(&counted), "{:?}", found.counters);
}

/// A message about `x` comes to a host inside `web1`.
fn message_to(kit: &mut Kit, host: &str) {
    let refused = kit.evidence.packets.last().expect("a packet");
    let message = Icmp {
        says: "fragmentation needed".into(),
        mtu: 1400,
        from: refused.from.clone(),
        to: refused.to.clone(),
    };
    let seen = Packet {
        sender: "web1".into(),
        receiver: host.into(),
        seen_at: "web1 veth2".into(),
        protocol: "icmp".into(),
        fate: "seen".into(),
        icmp: Some(Box::new(message)),
        ..refused.clone()
    };
    kit.evidence.packets.push(seen);
}

#[test]
fn whom_the_messages_came_to_instead_is_told() {
    let mut kit = too_large(true);
    // Who answered the SYN, inside web1; of the parts of larger packets nobody knows whose they are.
    let seen = |packet: &Packet| Packet {
        id: packet.id + 1000,
        sender: "m1".into(),
        receiver: "web1".into(),
        seen_at: "web1 veth1".into(),
        fate: "seen".into(),
        ..packet.clone()
    };
    let answers = kit.evidence.packets.iter().filter(|p| p.flags == "S.");
    let inside: Vec<Packet> = answers.map(seen).collect();
    for packet in &mut kit.evidence.packets {
        packet.follows = (packet.flags == "S.").then_some(packet.id + 1000);
    }
    message_to(&mut kit, "m3");
    kit.evidence.packets.extend(inside);
    let summary = |kit: &Kit| told(kit, pmtu_black_hole::KIND).remove(0).summary;
    let summed = summary(&kit);
    assert!(
        summed.starts_with("m1 sent the same 1448 bytes"),
        "{summed}"
    );
    let astray =
        "ICMP said so 3 times, and the messages came to m3 instead, which has no such connection";
    assert!(summed.contains(astray), "{summed}");
    let to_all = kit.evidence.packets.iter().find(|p| p.receiver == "m3");
    let to_sender = Packet {
        receiver: "m1".into(),
        ..to_all.expect("a message").clone()
    };
    kit.evidence.packets.push(to_sender);
    assert!(!summary(&kit).contains("instead"), "{}", summary(&kit));
}

/// A damaged segment is delivered, and the kernel finds nothing wrong; or does.
pub(in super::super) fn damaged(happened: bool) -> Kit {
    let (mut kit, x) = standing();
    kit.up(x, "P.", NEW.client + 1, NEW.server + 1, 64);
    on_link(&mut kit, DAMAGED);
    kit.counter("web1", "TcpInSegs", 3);
    kit.counter("web1", "TcpInCsumErrors", i64::from(!happened));
    kit
}

const DAMAGED: LinkDid = LinkDid::Damaged { byte: Some(7) };

/// Three datagrams, the last of them damaged; so many are read.
fn damaged_datagram(read: i64) -> Kit {
    let (mut kit, x) = standing();
    for _ in 0..3 {
        kit.up(x, "", 0, 0, 64);
        let packet = kit.evidence.packets.last_mut().expect("a packet");
        packet.protocol = "udp".into();
    }
    on_link(&mut kit, DAMAGED);
    kit.counter("web1", "UdpInDatagrams", read);
    kit
}

#[test]
fn a_damaged_segment_that_a_filter_took_went_to_no_program() {
    let mut kit = damaged(true);
    kit.counter("web1", "TcpInSegs", 2);
    assert_eq!(told(&kit, undetected_damage::KIND).len(), 0);
    // One of the host to itself does not stand for it.
    kit.counter("web1", "TcpInSegs", 4);
    assert_eq!(told(&kit, undetected_damage::KIND).len(), 0);
}

#[test]
fn a_super_packet_is_one_segment_to_a_kernel() {
    let (mut kit, x) = standing();
    kit.up(x, ".", NEW.client + 1, NEW.server + 1, 14_480);
    kit.evidence
        .packets
        .last_mut()
        .expect("a packet")
        .wire_packets = 10;
    kit.up(x, "P.", NEW.client + 14_481, NEW.server + 1, 64);
    on_link(&mut kit, DAMAGED);
    kit.counter("web1", "TcpInSegs", 4);
    assert_eq!(told(&kit, undetected_damage::KIND).len(), 1);
}

#[test]
fn a_damaged_datagram_is_taken_when_it_is_read() {
    let found = told(&damaged_datagram(3), undetected_damage::KIND);
    assert!(
        found[0].summary.starts_with("1 datagram came to web1"),
        "{}",
        found[0].summary
    );
    assert_eq!(told(&damaged_datagram(2), undetected_damage::KIND).len(), 0);
    let mut found_out = damaged_datagram(2);
    found_out.counter("web1", "UdpInCsumErrors", 1);
    assert_eq!(told(&found_out, undetected_damage::KIND).len(), 0);
}

#[test]
fn damage_is_told_of_each_host_and_protocol() {
    let mut kit = damaged_datagram(3);
    kit.up(0, "P.", NEW.client + 1, NEW.server + 1, 64);
    on_link(&mut kit, DAMAGED);
    kit.counter("web1", "TcpInSegs", 3);
    kit.down(0, "P.", NEW.server + 1, NEW.client + 65, 64);
    on_link(&mut kit, DAMAGED);
    kit.counter("client", "TcpInSegs", 2);
    let found = told(&kit, undetected_damage::KIND);
    let told: Vec<&str> = found
        .iter()
        .filter_map(|finding| finding.summary.split_once(" damaged").map(|(what, _)| what))
        .collect();
    assert_eq!(
        told,
        [
            "1 segment came to client",
            "1 datagram came to web1",
            "1 segment came to web1"
        ]
    );
}

/// Two datagrams and a copy of the second are read; or a filter takes the copy.
pub(in super::super) fn said_twice(happened: bool) -> Kit {
    let (mut kit, x) = standing();
    for _ in 0..3 {
        kit.up(x, "", 0, 0, 64);
        let packet = kit.evidence.packets.last_mut().expect("a packet");
        packet.protocol = "udp".into();
    }
    let from = kit.evidence.packets[4].id;
    on_link(&mut kit, LinkDid::Copied { from });
    kit.counter("web1", "UdpInDatagrams", if happened { 3 } else { 2 });
    kit
}

#[test]
fn a_copy_is_told_with_its_link_and_what_it_was_made_of() {
    let found = told(&said_twice(true), delivered_twice::KIND).remove(0);
    assert_eq!(
        found.summary,
        "1 datagram to web1 came twice: client's link (up) made copies. web1's kernel gave them to the program like any other, \
         for a datagram has no number to know it by."
    );
    assert_eq!(found.packets, [4, 5]);
}

#[test]
fn copies_of_segments_lost_copies_and_what_a_program_repeats_are_not_delivered_twice() {
    let (mut segment, x) = standing();
    let first = segment.up(x, "P.", NEW.client + 1, NEW.server + 1, 64);
    segment.up(x, "P.", NEW.client + 1, NEW.server + 1, 64);
    let from = segment.evidence.packets[first].id;
    on_link(&mut segment, LinkDid::Copied { from });
    let mut lost = said_twice(false);
    lost.dropped("link-loss");
    let mut repeated = said_twice(true);
    repeated.evidence.packets[5].links = None;
    for kit in [segment, lost, repeated] {
        assert_eq!(told(&kit, delivered_twice::KIND).len(), 0);
    }
}

/// A segment is lost, what follows is acknowledged with blocks about something else, and a timeout makes good for it; or with
/// blocks that fit.
pub(in super::super) fn renumbered(happened: bool) -> Kit {
    let (mut kit, x) = standing();
    let segment = |kit: &mut Kit, number: i64| {
        kit.up(x, ".", NEW.client + 1 + number * 1448, NEW.server + 1, 1448);
    };
    segment(&mut kit, 0);
    kit.dropped("drop-rule");
    for number in 1..3 {
        segment(&mut kit, number);
        kit.down(x, ".", NEW.server + 1, NEW.client + 1, 0);
        if happened {
            on_link(&mut kit, LinkDid::UntranslatedSack { ahead: 4711 });
        }
    }
    kit.now += 230.0;
    segment(&mut kit, 0);
    kit.counter("client", "TcpExtTCPTimeouts", 1);
    kit
}

#[test]
fn what_the_wait_for_a_segment_was_is_told_with_the_box() {
    let told = |kit: &Kit| told(kit, untranslated_sack::KIND);
    let found = told(&renumbered(true)).remove(0);
    assert_eq!(
        found.summary,
        "2 acknowledgements of \"x\" came to client with SACK blocks about bytes that it never sent: the box at client's link (up) \
         moves sequence numbers, and not those in the option. The first were 4711 off. What was missing was sent again 230.3 ms after \
         the first of them, when the retransmission timer fired."
    );
    // Another connection's timer may have fired: who sends again early did not wait for one.
    let mut early = renumbered(true);
    early.counter("client", "TcpExtTCPFastRetrans", 1);
    let summary = told(&early).remove(0).summary;
    assert!(summary.ends_with("after the first of them."), "{summary}");
    let mut lost = renumbered(true);
    for packet in &mut lost.evidence.packets {
        if packet.links.is_some() {
            packet.fate = "dropped: link-loss".into();
        }
    }
    assert_eq!(told(&lost).len(), 0);
}

/// A segment is overtaken and sent again; or lost and sent again.
pub(in super::super) fn overtaken(happened: bool) -> Kit {
    let (mut kit, x) = standing();
    let segment = |kit: &mut Kit, number: i64| {
        kit.up(x, ".", NEW.client + 1 + number * 1448, NEW.server + 1, 1448);
    };
    segment(&mut kit, 0);
    if !happened {
        kit.dropped("link-loss");
    }
    for number in 1..4 {
        segment(&mut kit, number);
        on_link(&mut kit, LinkDid::Overtook { packets: 1 });
    }
    segment(&mut kit, 0);
    kit.counter("client", "TcpExtTCPFastRetrans", 1);
    kit
}

#[test]
fn a_lost_answer_is_a_loss_too() {
    let mut kit = overtaken(true);
    kit.down(0, ".", NEW.server + 1, NEW.client + 1449, 0);
    assert_eq!(told(&kit, needless_retransmission::KIND).len(), 1);
    kit.dropped("link-loss");
    assert_eq!(told(&kit, needless_retransmission::KIND).len(), 0);
}

#[test]
fn what_a_checksum_refuses_is_a_loss_too() {
    let mut kit = overtaken(true);
    kit.up(0, ".", NEW.client + 1 + 4 * 1448, NEW.server + 1, 1448);
    on_link(&mut kit, DAMAGED);
    assert_eq!(told(&kit, needless_retransmission::KIND).len(), 0);
}

#[test]
fn whoever_sent_again_is_named() {
    let mut kit = overtaken(true);
    let y = kit.connect("y", 40002, "front/b", "web2");
    kit.handshake(y, OLD);
    let segment = |kit: &mut Kit, number: i64| {
        kit.down(y, ".", OLD.server + 1 + number * 1448, OLD.client + 1, 1448);
    };
    for number in 0..4 {
        segment(&mut kit, number);
        if number > 0 {
            on_link(&mut kit, LinkDid::Overtook { packets: 1 });
        }
    }
    segment(&mut kit, 0);
    kit.counter("web2", "TcpExtTCPFastRetrans", 2);
    let found = told(&kit, needless_retransmission::KIND).remove(0);
    assert!(
        found
            .summary
            .contains("client and web2 sent 2 segments again"),
        "{}",
        found.summary
    );
    let hosts: Vec<&str> = found.counters.iter().map(|(host, ..)| &**host).collect();
    assert_eq!(hosts, ["client", "web2"]);
}

/// Packets wait longer and longer; or a while.
pub(in super::super) fn queued(happened: bool) -> Kit {
    let (mut kit, x) = standing();
    let step = if happened { 8.0 } else { 0.5 };
    upload(&mut kit, x, |number| {
        let queued = number as f64 * step;
        (10.0 + queued, queued)
    });
    kit
}

/// Many packets; how long each was in links, and in a queue, ms.
fn upload(kit: &mut Kit, connection: usize, took: impl Fn(i64) -> (f64, f64)) {
    for number in 0..150 {
        let seq = NEW.client + 1 + number * 1448;
        kit.up(connection, ".", seq, NEW.server + 1, 1448);
        let (in_links, in_queue) = took(number);
        delayed(kit, in_links, in_queue);
    }
}

#[test]
fn a_way_whose_length_varies_is_no_queue() {
    let (mut jitter, x) = standing();
    upload(&mut jitter, x, |number| {
        (10.0 + (number * 7 % 150) as f64 * 8.0, 0.0)
    });
    assert_eq!(told(&jitter, standing_queue::KIND).len(), 0);
    let (mut reorder, x) = standing();
    upload(&mut reorder, x, |number| match number % 4 {
        0 => (0.0, 0.0),
        _ => (900.0, 0.0),
    });
    assert_eq!(told(&reorder, standing_queue::KIND).len(), 0);
}

#[test]
fn a_full_queue_silences_those_whose_packets_it_refused() {
    let mut kit = queued(true);
    let y = kit.connect("y", 40002, "front/b", "web2");
    kit.handshake(y, OLD);
    kit.up(y, ".", OLD.client + 1, OLD.server + 1, 1448);
    kit.dropped("link-queue");
    let found = told(&kit, standing_queue::KIND);
    assert!(
        found[0].summary.contains("what client sent to web1 waited"),
        "{}",
        found[0].summary
    );
    kit.up(0, ".", NEW.client + 1 + 150 * 1448, NEW.server + 1, 1448);
    kit.dropped("link-queue");
    assert_eq!(told(&kit, standing_queue::KIND).len(), 0);
}
