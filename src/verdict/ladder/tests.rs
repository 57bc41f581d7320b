//! Ladders of hand-made evidence, read by eye.

mod cited;
mod inside;
mod streams;

use super::*;
use crate::evidence::{Icmp, LinkDid, LinkEffect, OnLinks, Packet};
use crate::verdict::kit::{Kit, NEW, OLD, flagship, harmless};
use inside::{cluster, seen};

#[test]
fn the_flagship_reads_like_the_story_it_tells() {
    let text = ladder(&flagship().evidence, &[], 100);
    let begin = r#"
          old 198.51.100.7:40000 -> 203.0.113.10:80 (front/a),
              at web1 198.51.100.7:40000 -> 10.0.1.10:80
          new 198.51.100.7:40000 -> 203.0.113.11:80 (front/b),
              at web1 198.51.100.7:40000 -> 10.0.1.10:80
              client                                                 front/a    front/b     web1
                                                                       .10        .11
     0.00 old |-- SYN seq 0 --------------------------------------------o----------|--------->|
     0.10 old |<- SYN-ACK seq 0 ack 1 ----------------------------------o----------|----------|
     0.20 old |-- ACK seq 1 ack 1 --------------------------------------o----------|--------->|
     0.30 old |-- PSH-ACK seq 1:65 ack 1 -------------------------------o----------|--------->|
     0.40 old |<- ACK seq 1 ack 65 -------------------------------------o----------|----------|
     0.50 old |<- PSH-ACK seq 1:65 ack 65 ------------------------------o----------|----------|
     0.60 old |-- ACK seq 65 ack 65 ------------------------------------o----------|--------->|
    20.00 new |-- SYN seq 0 --------------------------------------------|----------o--------->|
    20.10 new |<- ACK seq 65 ack 65 (of old) ---------------------------|----------o----------|
              |   ^ challenge ACK (RFC 5961 section 4): web1 still has "old" on this 4-tuple  |
    20.20 new |-- RST seq 65 (of old) ----------------------------------|----------o--------->|
              |   ^ this RST ends "old" at web1                         |          |          |
    28.40 new |-- SYN seq 0 --------------------------------------------|----------o--------->|
              |   ^ the same SYN again, 8.4 ms later                    |          |          |
    28.50 new |<- SYN-ACK seq 0 ack 1 ----------------------------------|----------o----------|
"#;
    assert!(text.starts_with(&begin[1..]), "{text}");
    let end = r#"
    29.10 old |-- PSH-ACK seq 65:129 ack 65 ----------------------------o----------|--------->|
              |   ^ to web1 this 4-tuple is "new" now; what it answers goes to that one       |
    29.20 new |<- ACK seq 65 ack 65 ------------------------------------|----------o----------|
   233.30 old |-- PSH-ACK seq 65:129 ack 65 ----------------------------o----------|--------->|
              |   ^ the same bytes again, 204.2 ms later                |          |          |
"#;
    assert!(text.contains(end), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn a_challenge_that_goes_to_the_old_connection_says_so() {
    let mut kit = Kit::new();
    let old = kit.connect("old", 40000, "front/a", "web1");
    kit.handshake(old, OLD);
    let new = kit.connect("new", 40000, "front/b", "web1");
    kit.up(new, "S", NEW.client, 0, 0);
    kit.down(old, ".", OLD.server + 1, OLD.client + 1, 0);
    let text = ladder(&kit.evidence, &[old, new], 100);
    let row = "     0.40 old |<- ACK seq 1 ack 1 --------------------------------------o----------|----------|\n";
    assert!(text.contains(row), "{text}");
    assert!(
        text.contains("answers \"new\" and is delivered to \"old\""),
        "{text}"
    );
}

/// The second one's remark is made already, and so it is asked what devices inside hosts saw of it: nobody got it.
#[test]
fn several_syns_may_be_under_way_when_the_record_ends() {
    let mut kit = Kit::new();
    let visit = kit.connect("visit", 40000, "front/a", "web1");
    for _ in 0..3 {
        let syn = kit.up(visit, "S", OLD.client, 0, 0);
        let syn = &mut kit.evidence.packets[syn];
        syn.fate = "held".into();
        syn.receiver = String::new();
    }
    let text = ladder(&kit.evidence, &[visit], 100);
    assert_eq!(text.matches("still under way").count(), 1, "{text}");
    assert_eq!(text.matches("SYN seq 0").count(), 3, "{text}");
}

#[test]
fn drops_end_in_a_cross_where_they_happen() {
    let mut kit = Kit::new();
    let visit = kit.connect_from("web1", "visit", 40000, "front/a", "web1");
    kit.up(visit, "S", NEW.client, 0, 0);
    kit.up(visit, "S", NEW.client, 0, 0);
    kit.dropped("link-loss");
    kit.up(visit, "S", NEW.client, 0, 0);
    kit.dropped("link-loss").untranslated();
    kit.up(visit, "S", NEW.client, 0, 0);
    kit.dropped("no-target").untranslated();
    kit.up(visit, "S", NEW.client, 0, 0);
    kit.dropped("kernel-quirk");
    let direct = kit.connect("direct", 40000, "web1", "web1");
    kit.up(direct, "S", OLD.client, 0, 0);
    kit.dropped("no-route");
    assert_eq!(
        ladder(&kit.evidence, &[visit, direct], 90),
        r#"
          visit  10.0.1.10:40000 -> 203.0.113.10:80 (front/a),
                 at web1 10.0.1.10:40000 -> 10.0.1.10:80
          direct 198.51.100.7:40000 -> 10.0.1.10:80
                 web1                                      client     front/a     web1
                                                                        .10
     0.00 visit  |-- SYN seq 0 -------------------------------|----------o--------->|
                 |   ^ back at web1 itself, from its own address         |          |
     0.10 visit  |-- SYN seq 0 -------------------------------|----------o----x     |
                 |   ^ dropped: link-loss; the same SYN again, 0.1 ms later         |
     0.20 visit  |-- SYN seq 0 --------------x                |          |          |
                 |   ^ dropped: link-loss; the same SYN again, 0.1 ms later         |
     0.30 visit  |-- SYN seq 0 -------------------------------|----------x          |
                 |   ^ dropped: no-target; the same SYN again, 0.1 ms later         |
     0.40 visit  |-- SYN seq 0 ----x                          |          |          |
                 |   ^ withheld: the kernel emulated here would not send it yet     |
     0.50 direct |                                  SYN seq 0 |----------|x         |
                 |   ^ dropped: no-route                      |          |          |
"#[1..]
    );
}

#[test]
fn a_syn_ack_under_a_foreign_address_and_a_reset_by_the_balancer() {
    let mut kit = Kit::new();
    let old = kit.connect("old", 40000, "front/a", "web1");
    kit.handshake(old, OLD);
    let direct = kit.connect("direct", 40000, "web1", "web1");
    kit.up(direct, "S", NEW.client, 0, 0);
    kit.down(old, "S.", NEW.server, NEW.client + 1, 0);
    kit.down(old, "R", OLD.server + 1, 0, 0);
    kit.evidence.packets.last_mut().expect("a packet").sender = "front".into();
    let text = ladder(&kit.evidence, &[old, direct], 100);
    assert!(text.contains("SYN-ACK seq 0 ack 1 (of direct)"), "{text}");
    assert!(
        text.contains("answers the SYN of \"direct\", but comes from 203.0.113.10:80, to \"old\""),
        "{text}"
    );
    assert!(text.contains("|<- RST seq 1 ---"), "{text}");
    assert!(text.contains("^ made by the balancer"), "{text}");
}

#[test]
fn delays_of_links_are_told() {
    let mut kit = Kit::new();
    let far = kit.connect("far", 40000, "front/a", "web1");
    kit.up(far, "S", NEW.client, 0, 0);
    let packets = &mut kit.evidence.packets;
    let arrives = packets[0].clone();
    packets[0].fate = "held".into();
    packets[0].receiver = String::new();
    packets.push(Packet { t: 50.0, ..arrives });
    let text = ladder(&kit.evidence, &[far], 100);
    assert!(text.contains("SYN seq 0, in 50.0 ms"), "{text}");
    assert_eq!(text.lines().count(), 5);
    kit.evidence.packets[1].links = Some(Box::new(OnLinks {
        queued_ms: 37.5,
        ..OnLinks::default()
    }));
    let text = ladder(&kit.evidence, &[far], 100);
    assert!(
        text.contains("SYN seq 0, in 50.0 ms (37.5 queued)"),
        "{text}"
    );
    kit.evidence.packets.pop();
    let text = ladder(&kit.evidence, &[far], 100);
    assert!(
        text.contains("still under way when the record ends"),
        "{text}"
    );
}

#[test]
fn what_links_did_to_a_packet_is_told() {
    let mut kit = Kit::new();
    let far = kit.connect("far", 40000, "front/a", "web1");
    kit.handshake(far, NEW);
    for _ in 0..3 {
        kit.up(far, "P.", NEW.client + 1, NEW.server + 1, 64);
    }
    let count = kit.evidence.packets.len();
    let [damaged, copy] = [(count - 2, LinkDid::Damaged { byte: Some(12) }), {
        let from = kit.evidence.packets[count - 3].id;
        (count - 1, LinkDid::Copied { from })
    }];
    for (place, what) in [damaged, copy] {
        let effect = LinkEffect {
            host: "client".into(),
            direction: "up".into(),
            what,
        };
        kit.evidence.packets[place].links = Some(Box::new(OnLinks {
            effects: vec![effect],
            ..OnLinks::default()
        }));
    }
    let text = ladder(&kit.evidence, &[far], 200);
    let again = "the same bytes again, 0.1 ms later; damaged on client's link (up): a bit of byte 12 of its payload is flipped";
    assert!(text.contains(again), "{text}");
    assert!(
        text.contains("^ a copy that client's link (up) made"),
        "{text}"
    );
}

#[test]
fn long_stories_are_cut_where_nothing_happens() {
    let mut kit = flagship();
    for i in 0..2000 {
        kit.up(1, "P.", NEW.client + 65 + i * 100, NEW.server + 65, 100);
        kit.down(1, ".", NEW.server + 65, NEW.client + 165 + i * 100, 0);
    }
    for width in [70, 80, 100, 200] {
        let text = ladder(&kit.evidence, &[], width);
        assert!(text.lines().count() <= LINES + 8, "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= width),
            "{text}"
        );
        assert!(text.contains(" more, "), "{text}");
        assert!(text.contains("challenge ACK"), "{text}");
    }
    // Nothing but openings: the middle goes.
    let mut kit = Kit::new();
    let c = kit.connect("again", 40000, "front/a", "web1");
    for _ in 0..300 {
        kit.up(c, "S", NEW.client, 0, 0);
    }
    assert!(ladder(&kit.evidence, &[c], 100).contains(" more, "));
}

#[test]
fn of_many_collisions_one_pair_is_shown() {
    let mut kit = Kit::new();
    for i in 0..4 {
        let old = kit.connect("old", 40000 + i, "front/b", "web1");
        kit.handshake(old, OLD);
        kit.exchange(old, OLD);
        let new = kit.connect("new", 40000 + i, "front/a", "web1");
        kit.collide(old, new);
    }
    let findings = crate::verdict::findings::recognise(&kit.evidence);
    assert_eq!(cited(&findings), [0, 1]);
    let text = ladder(&kit.evidence, &[], 100);
    let lanes = text
        .lines()
        .find(|line| line.contains("client  "))
        .expect("a head");
    assert!(lanes.find("front/a") < lanes.find("front/b"), "{text}");
}

#[test]
fn without_findings_the_named_connections_are_shown() {
    let text = ladder(&harmless().evidence, &[], 100);
    assert!(
        text.contains(" old |--") && text.contains(" new |--") && text.contains("web2"),
        "{text}"
    );
}

#[test]
fn nothing_to_show_is_no_ladder_and_nonsense_is_no_panic() {
    assert_eq!(ladder(&Evidence::default(), &[], 100), "");
    assert_eq!(ladder(&Kit::new().evidence, &[7], 100), "");
    let mut kit = flagship();
    for connection in &mut kit.evidence.connections {
        (connection.target, connection.via, connection.step) = (String::new(), "a/b/c".into(), 99);
        connection.flow = Some(12345);
    }
    kit.evidence.hosts.clear();
    kit.evidence.load_balancers.clear();
    assert!(!ladder(&kit.evidence, &[], 0).is_empty());
    let mut kit = Kit::new();
    for i in 0..40 {
        let c = kit.connect("c", 40000 + i, "front/a", "web1");
        kit.of(c).from = format!("a-host-with-a-rather-long-name-{i}");
        kit.handshake(c, OLD);
    }
    let all: Vec<usize> = (0..40).collect();
    let text = ladder(&kit.evidence, &all, 60);
    assert!(text.ends_with("      ... 35 more connections\n"), "{text}");
}

#[test]
fn seven_lanes_fit_a_terminal() {
    let mut kit = cluster();
    for (name, inside) in [("replica-of-orders-1", "n2"), ("replica-of-orders-2", "n2")] {
        let host = crate::evidence::HostEvidence {
            inside: inside.into(),
            ..Default::default()
        };
        kit.evidence.hosts.insert(name.into(), host);
    }
    let mut all = Vec::new();
    for (number, (zone, pod)) in [
        ("front/a", "replica-of-orders-1"),
        ("front/b", "replica-of-orders-2"),
    ]
    .into_iter()
    .enumerate()
    {
        let c = kit.connect_from("shell", "orders", 40000 + number as u16, zone, "n2");
        let at = kit.up(c, "S", OLD.client, 0, 0);
        kit.evidence.packets[at].sender = "n1".into();
        let id = kit.evidence.packets[at].id;
        seen(
            &mut kit,
            "n2 eni1",
            "n2",
            pod,
            ("10.0.2.10:7777", "10.0.2.11:80"),
        );
        kit.evidence.packets[at + 1].follows = Some(id);
        all.push(c);
    }
    for width in [72, 80, 100] {
        let text = ladder(&kit.evidence, &all, width);
        assert!(
            text.lines().all(|line| line.chars().count() <= width),
            "{text}"
        );
        if width == 100 {
            let rows = r#"
                 shell                          n1     front/a  front/b    n2     rep..-1  rep..-2
                                                         .10      .11
     0.00 orders |                     SYN seq 0 |--------o--------|--------o------->|        |
     0.10 orders |                     SYN seq 0 |--------|--------o--------o--------|------->|
"#;
            assert!(text.ends_with(&rows[1..]), "{text}");
        }
    }
}

#[test]
fn a_closed_window_and_the_question_whether_it_still_is_are_told() {
    let mut kit = Kit::new();
    let talk = kit.connect("talk", 40000, "web1", "web1");
    kit.handshake(talk, OLD);
    kit.up(talk, "P.", OLD.client + 1, OLD.server + 1, 1000);
    let full = kit.down(talk, ".", OLD.server + 1, OLD.client + 1001, 0);
    kit.evidence.packets[full].window = 0;
    kit.up(talk, ".", OLD.client + 1000, OLD.server + 1, 0);
    // Of a RST a window says nothing, and after it nothing is asked.
    let reset = kit.down(talk, "R.", OLD.server + 1, OLD.client + 1001, 0);
    kit.evidence.packets[reset].window = 0;
    let text = ladder(&kit.evidence, &[talk], 100);
    assert!(text.contains("ACK seq 1 ack 1001, win 0 -"), "{text}");
    assert!(
        text.contains("^ window probe: is it still closed?"),
        "{text}"
    );
    assert_eq!(text.matches("win 0").count(), 1, "{text}");
}

#[test]
fn ecn_has_its_words() {
    let mut kit = Kit::new();
    let talk = kit.connect("talk", 40000, "web1", "web1");
    kit.up(talk, "SEW", OLD.client, 0, 0);
    kit.down(talk, "S.E", OLD.server, OLD.client + 1, 0);
    kit.up(talk, ".", OLD.client + 1, OLD.server + 1, 0);
    let text = ladder(&kit.evidence, &[talk], 100);
    assert!(text.contains("SYN-ECE-CWR seq 0 -"), "{text}");
    assert!(text.contains("SYN-ACK-ECE seq 0 ack 1 -"), "{text}");
}

#[test]
fn what_links_did_is_kept_where_words_are_cut() {
    let words = "PSH-ACK seq 842737:844185 ack 1, queued 1957.8 ms";
    let cut = |width| crate::verdict::ladder::words::shortened(words, width);
    assert_eq!(cut(60), words);
    assert_eq!(cut(46), "PSH-ACK seq 842737:844185, queued 1957.8 ms");
    assert_eq!(cut(30), "PSH-ACK, queued 1957.8 ms");
    assert_eq!(cut(20), "queued 1957.8 ms");
    assert_eq!(cut(10), "queued 1..");
}

/// An error is drawn with the connection of the packet that it quotes, and says what it is.
#[test]
fn an_icmp_error_goes_with_the_packet_that_it_quotes() {
    let mut kit = Kit::new();
    let [far, near] = [(40000, "far"), (40001, "near")].map(|(port, name)| {
        let own = kit.connect(name, port, "web1", "web1");
        kit.handshake(own, OLD);
        own
    });
    let sent = kit.down(near, ".", OLD.server + 1, OLD.client + 1, 1460);
    let answered = &mut kit.evidence.packets[sent];
    answered.fate = "answered: ICMP, fragmentation needed".into();
    answered.receiver.clear();
    let (from, to) = (answered.from.clone(), answered.to.clone());
    let own_address = |end: &str| end.split(':').next().unwrap_or_default().to_owned();
    let error = Packet {
        id: 900,
        t: kit.now,
        sender: "fabric".into(),
        receiver: "web1".into(),
        protocol: "icmp".into(),
        from: "10.0.0.1".into(),
        to: own_address(&from),
        from_after: "10.0.0.1".into(),
        to_after: own_address(&from),
        len: 548,
        fate: "forwarded".into(),
        icmp: Some(Box::new(Icmp {
            says: "fragmentation needed".into(),
            mtu: 1400,
            from,
            to,
        })),
        ..Packet::default()
    };
    kit.evidence.packets.push(error);
    let text = ladder(&kit.evidence, &[near], 120);
    assert!(
        text.contains("icmp fragmentation needed (MTU 1400)"),
        "{text}"
    );
    let note = "^ made by the network on the way, where packets of 1400 bytes pass";
    assert!(text.contains(note), "{text}");
    let other = ladder(&kit.evidence, &[far], 100);
    assert!(!other.contains("icmp"), "{other}");
    // One about a packet of the client's goes back to the client.
    let mut back = kit.evidence.packets.last().expect("the error").clone();
    let about = back.icmp.as_mut().expect("a message");
    std::mem::swap(&mut about.from, &mut about.to);
    (back.id, back.t, back.receiver) = (902, kit.now + 0.1, "client".into());
    let mut both = kit.evidence.clone();
    both.packets.push(back);
    let text = ladder(&both, &[near], 120);
    assert_eq!(text.matches("|<- icmp fragmentation").count(), 1, "{text}");
    // It is no sign that the next message between them is about the same one.
    let mut next = kit.evidence.packets.last().expect("the error").clone();
    (next.id, next.icmp) = (901, None);
    kit.evidence.packets.push(next);
    let text = ladder(&kit.evidence, &[near], 120);
    assert_eq!(text.matches("icmp").count(), 1, "{text}");
}

#[test]
fn an_icmp_message_is_called_by_its_name_where_words_are_cut() {
    let words = "icmp fragmentation needed (MTU 1400)";
    let cut = |width| crate::verdict::ladder::words::shortened(words, width);
    assert_eq!(cut(36), words);
    assert_eq!(cut(31), "fragmentation needed (MTU 1400)");
    assert_eq!(cut(24), "fragmentation needed");
    assert_eq!(cut(10), "fragment..");
}

/// The header is in the first fragment only: the others have no numbers, and are none of them the same bytes again.
#[test]
fn later_fragments_of_segments_have_no_numbers() {
    let mut kit = Kit::new();
    let far = kit.connect("far", 40000, "front/a", "web1");
    kit.handshake(far, NEW);
    kit.up(far, "P.", NEW.client + 1, NEW.server + 1, 1460);
    for _ in 0..2 {
        kit.up(far, "", 0, 0, 1480);
    }
    let text = ladder(&kit.evidence, &[far], 200);
    assert_eq!(
        text.matches("later fragment, 1480 bytes --").count(),
        2,
        "{text}"
    );
    assert!(!text.contains("again"), "{text}");
}

/// A device knows ports of the first fragment only; addresses and the identification tell whose the others are.
#[test]
fn later_fragments_of_datagrams_are_drawn_with_the_first() {
    let mut kit = Kit::new();
    let ask = kit.connect("ask", 40000, "web1", "web1");
    kit.of(ask).protocol = "udp".into();
    for len in [1472, 1480, 48] {
        let at = kit.up(ask, "", 0, 0, len);
        let packet = &mut kit.evidence.packets[at];
        (packet.protocol, packet.ip_id) = ("udp".into(), 7);
        (packet.seen_at, packet.fate) = ("web2 veth2".into(), "seen".into());
        if len != 1472 {
            packet.from = packet.from.replace(":40000", ":0");
            packet.to = packet.to.replace(":80", ":0");
        }
    }
    let text = ladder(&kit.evidence, &[ask], 200);
    for len in [1480, 48] {
        let part = format!("udp later fragment, {len} bytes");
        assert_eq!(text.matches(&part).count(), 1, "{text}");
    }
}
