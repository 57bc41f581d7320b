//! Packets that devices inside hosts saw.

use super::*;

/// A lab in which `shell` is a pod on `n1`, and `pod` one on `n2`.
pub fn cluster() -> Kit {
    let mut kit = Kit::new();
    for (name, address, inside) in [
        ("n1", "10.0.0.10", ""),
        ("n2", "10.0.2.10", ""),
        ("shell", "10.0.0.11", "n1"),
        ("pod", "10.0.2.11", "n2"),
        ("neighbour", "10.0.0.12", "n1"),
    ] {
        let host = crate::evidence::HostEvidence {
            address: address.into(),
            inside: inside.into(),
            ..Default::default()
        };
        kit.evidence.hosts.insert(name.into(), host);
    }
    kit
}

/// The last packet was seen before and after on devices inside hosts, or was seen there alone.
pub fn seen(kit: &mut Kit, place: &str, sender: &str, receiver: &str, ends: (&str, &str)) -> i64 {
    let packets = &mut kit.evidence.packets;
    let mut packet = packets.last().expect("a packet").clone();
    packet.id = 1000 + packets.len() as i64;
    packet.t += 0.02;
    (packet.sender, packet.receiver) = (sender.into(), receiver.into());
    (packet.from, packet.to) = (ends.0.into(), ends.1.into());
    (packet.from_after, packet.to_after) = (ends.0.into(), ends.1.into());
    (packet.seen_at, packet.fate) = (place.into(), "seen".into());
    (packet.flow, packet.follows) = (None, None);
    packets.push(packet);
    packets[packets.len() - 1].id
}

#[test]
fn a_packet_is_drawn_through_nodes_and_pods() {
    let mut kit = cluster();
    let c = kit.connect_from("shell", "order", 40000, "front/a", "n2");
    kit.of(c).seen_as = "10.0.1.5:3024".into();
    kit.of(c).target_address = "10.0.2.10:31468".into();
    let local = "10.0.0.11:40000";
    for (flags, seq, ack) in [("S", OLD.client, 0), (".", OLD.client + 1, OLD.server + 1)] {
        let at = kit.up(c, flags, seq, ack, 0);
        kit.evidence.packets[at].sender = "n1".into();
        let id = kit.evidence.packets[at].id;
        let first = seen(
            &mut kit,
            "n1 eni1",
            "shell",
            "n1",
            (local, "203.0.113.10:80"),
        );
        kit.evidence.packets[at].follows = Some(first);
        kit.evidence.packets[at + 1].t -= 0.04;
        seen(
            &mut kit,
            "n2 eni1",
            "n2",
            "pod",
            ("10.0.2.10:7777", "10.0.2.11:80"),
        );
        kit.evidence.packets[at + 2].follows = Some(id);
        if flags == "S" {
            let at = kit.down(c, "S.", OLD.server, OLD.client + 1, 0);
            kit.evidence.packets[at].receiver = "n1".into();
        }
    }
    let text = ladder(&kit.evidence, &[c], 100);
    assert_eq!(
        text,
        r#"
          order 10.0.0.11:40000 -> 203.0.113.10:80 (front/a),
                at n2 10.0.1.5:3024 -> 10.0.2.10:31468, at pod 10.0.2.10:7777 -> 10.0.2.11:80
                shell                                       n1       front/a      n2         pod
                                                                       .10
    -0.02 order |-- SYN seq 0 -------------------------------+----------o----------o--------->|
     0.10 order |                        SYN-ACK seq 0 ack 1 |<---------o----------|          |
     0.18 order |-- ACK seq 1 ack 1 -------------------------+----------o----------o--------->|
"#[1..]
    );
}

#[test]
fn what_never_comes_to_the_network_is_drawn_as_it_was_seen() {
    let mut kit = cluster();
    let c = kit.connect_from("shell", "visit", 40000, "n1", "neighbour");
    let (local, dialled, server) = ("10.0.0.11:40000", "10.0.0.10:80", "10.0.0.12:8080");
    kit.of(c).remote = dialled.into();
    kit.of(c).via = "n1".into();
    (kit.of(c).seen_as, kit.of(c).target_address) = (local.into(), server.into());
    let link = |kit: &mut Kit, first: bool, flags: &str, seq: i64, ack: i64, way: [&str; 5]| {
        if first {
            kit.up(c, flags, seq, ack, 0);
        } else {
            let last = kit.evidence.packets.last().expect("a packet").clone();
            kit.evidence.packets.push(last);
        }
        let template = kit.evidence.packets.len() - 1;
        let id = seen(kit, way[0], way[1], way[2], (way[3], way[4]));
        let before = template
            .checked_sub(1)
            .map(|at| kit.evidence.packets[at].id);
        kit.evidence.packets.remove(template);
        let packet = kit.evidence.packets.last_mut().expect("a packet");
        packet.follows = before.filter(|_| !first);
        id
    };
    let (out, into) = ("n1 eni1", "n1 eni2");
    let isn = OLD.client;
    link(
        &mut kit,
        true,
        "S",
        isn,
        0,
        [out, "shell", "n1", local, dialled],
    );
    link(
        &mut kit,
        false,
        "S",
        isn,
        0,
        [into, "n1", "neighbour", local, server],
    );
    link(
        &mut kit,
        true,
        "S.",
        99,
        isn + 1,
        [into, "neighbour", "n1", server, local],
    );
    link(
        &mut kit,
        false,
        "S.",
        99,
        isn + 1,
        [out, "n1", "shell", server, local],
    );
    link(
        &mut kit,
        true,
        "R",
        isn + 1,
        0,
        [out, "shell", "n1", local, server],
    );
    link(
        &mut kit,
        false,
        "R",
        isn + 1,
        0,
        [into, "n1", "neighbour", local, server],
    );
    let text = ladder(&kit.evidence, &[c], 100);
    assert_eq!(
        text,
        r#"
          visit 10.0.0.11:40000 -> 10.0.0.10:80 (n1),
                at neighbour 10.0.0.11:40000 -> 10.0.0.12:8080
                shell                                                        neighbour       n1
     0.02 visit |-- SYN seq 0 ---------------------------------------------------|----------->|
     0.04 visit |                                                   .. SYN seq 0 |<-----------|
     0.12 visit |                                            SYN-ACK seq 0 ack 1 |----------->|
     0.14 visit |<- .. SYN-ACK seq 0 ack 1 --------------------------------------|------------|
                |   ^ comes from 10.0.0.12:8080, not from 10.0.0.10:80 that shell dialled: nothing
                |     translated it back                                         |            |
     0.22 visit |-- RST seq 1 ---------------------------------------------------|----------->|
     0.24 visit |                                                   .. RST seq 1 |<-----------|
                |   ^ shell resets it: it never dialled 10.0.0.12:8080           |            |
"#[1..]
    );
}

/// A packet that turns has a row for each part of its way, and another may pass between them.
#[test]
fn rows_are_in_the_order_of_time_where_a_way_has_several_parts() {
    let mut kit = cluster();
    let ends = ("10.0.0.11:40000", "10.0.0.12:8080");
    let slow = kit.connect_from("shell", "slow", 40000, "neighbour", "neighbour");
    (kit.of(slow).seen_as, kit.of(slow).target_address) = (ends.0.into(), ends.1.into());
    kit.of(slow).remote = ends.1.into();
    kit.up(slow, "S", OLD.client, 0, 0);
    let first = seen(&mut kit, "n1 eni1", "shell", "n1", ends);
    let second = seen(&mut kit, "n1 eni2", "n1", "neighbour", ends);
    kit.evidence.packets.remove(0);
    let packets = &mut kit.evidence.packets;
    (packets[1].follows, packets[1].t) = (Some(first), 5.0);
    // By the other clock the third part is before the second.
    let mut third = packets[1].clone();
    (third.id, third.follows, third.t) = (second + 1, Some(second), 4.9);
    (third.sender, third.receiver) = ("neighbour".into(), "n1".into());
    packets.push(third);
    kit.now = 1.0;
    let other = kit.connect("other", 41000, "front/a", "web1");
    kit.handshake(other, NEW);
    let drawn = rows(&kit.evidence, &[slow, other]);
    let told: Vec<(f64, &str)> = drawn
        .rows
        .iter()
        .filter_map(|row| match row {
            Row::Packet(row) => Some((row.time, row.words.as_str())),
            Row::More { .. } => None,
        })
        .collect();
    assert_eq!(
        told,
        [
            (0.02, "SYN seq 0"),
            (1.0, "SYN seq 0"),
            (1.1, "SYN-ACK seq 0 ack 1"),
            (1.2000000000000002, "ACK seq 1 ack 1"),
            (5.0, ".. SYN seq 0"),
            (5.0, ".. SYN seq 0"),
        ]
    );
}
