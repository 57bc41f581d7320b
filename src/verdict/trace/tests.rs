//! Whose packet, whose numbers: on hand-made evidence.

use super::*;
use crate::verdict::kit::{Kit, NEW, OLD, flagship, harmless};

#[test]
fn a_challenge_is_told_with_its_owner_its_reset_and_the_second_syn() {
    let kit = flagship();
    let trace = Trace::new(&kit.evidence);
    let [challenge] = trace.challenges.as_slice() else {
        panic!("one challenge")
    };
    assert_eq!(
        (
            challenge.connection,
            challenge.owner,
            challenge.delivered_to
        ),
        (1, Some(0), Some(1))
    );
    assert_eq!(challenge.host, "web1");
    let ack = &trace.passages[challenge.ack];
    assert_eq!(
        (ack.seq, ack.ack),
        (
            Place {
                of: Some(0),
                at: 65
            },
            Place {
                of: Some(0),
                at: 65
            }
        )
    );
    let rst = &trace.passages[challenge.rst.expect("a RST")];
    assert_eq!(
        (rst.connection, rst.seq),
        (
            Some(1),
            Place {
                of: Some(0),
                at: 65
            }
        )
    );
    assert!(challenge.again.is_some());
}

#[test]
fn numbers_follow_each_connection_over_the_wrap_of_the_sequence_space() {
    let kit = flagship();
    let trace = Trace::new(&kit.evidence);
    // The old one's server numbers wrap: its initial number is 96 below 2^32.
    let echo = trace.by_connection[0]
        .iter()
        .find(|p| trace.sent(**p).flags == "P." && !trace.passages[**p].toward_target)
        .expect("the echo");
    assert_eq!(trace.passages[*echo].seq, Place { of: Some(0), at: 1 });
    // The new socket answers the old one's bytes in its own numbers, and under its own address.
    let stray = trace.passages.last().expect("a packet");
    assert_eq!(
        (stray.connection, stray.seq.of, stray.ack.of),
        (Some(1), Some(1), Some(1))
    );
}

/// A load in the background ends after the steps beside it, and its connections are behind theirs then, however early they were.
#[test]
fn a_packet_is_of_the_latest_user_of_its_ends_whatever_the_order_of_the_connections() {
    let mut kit = Kit::new();
    kit.now = 900.0;
    let late = kit.connect("late", 40000, "front/a", "web1");
    kit.now = 100.0;
    let early = kit.connect("load", 40000, "front/a", "web1");
    kit.handshake(early, OLD);
    kit.now = 900.0;
    kit.handshake(late, NEW);
    let trace = Trace::new(&kit.evidence);
    assert_eq!(trace.by_connection[early], [0, 1, 2]);
    assert_eq!(trace.by_connection[late], [3, 4, 5]);
    let ends = &kit.evidence.connections[late].local;
    assert!(trace.opened_at(ends).eq([early, late]));
}

#[test]
fn data_in_a_syn_is_acknowledged_with_it() {
    for taken in [0, 5] {
        let mut kit = Kit::new();
        let one = kit.connect("one", 40000, "front/a", "web1");
        kit.up(one, "S", OLD.client, 0, 5);
        kit.down(one, "S.", OLD.server, OLD.client + 1 + taken, 0);
        kit.up(one, ".", OLD.client + 1 + taken, OLD.server + 1, 0);
        kit.down(one, ".", OLD.server + 1, OLD.client + 6, 0);
        assert!(
            Trace::new(&kit.evidence).challenges.is_empty(),
            "{taken} of 5"
        );
    }
    // What is beyond it is another connection's.
    let mut kit = Kit::new();
    let one = kit.connect("one", 40000, "front/a", "web1");
    kit.up(one, "S", OLD.client, 0, 5);
    kit.down(one, ".", NEW.server, OLD.client + 7, 0);
    assert_eq!(Trace::new(&kit.evidence).challenges.len(), 1);
}

#[test]
fn an_ack_for_the_old_one_between_syn_and_syn_ack_is_no_challenge_once_the_syn_is_answered() {
    let mut kit = Kit::new();
    let old = kit.connect("old", 40000, "front/a", "web1");
    kit.handshake(old, OLD);
    let new = kit.connect("new", 40000, "front/b", "web1");
    kit.up(new, "S", NEW.client, 0, 0);
    kit.down(new, "S.", NEW.server, NEW.client + 1, 0);
    kit.down(new, ".", OLD.server + 1, OLD.client + 1, 0);
    assert!(Trace::new(&kit.evidence).challenges.is_empty());
    assert!(Trace::new(&harmless().evidence).challenges.is_empty());
}

#[test]
fn an_ack_for_bytes_sent_after_the_syn_is_no_challenge() {
    let mut kit = Kit::new();
    let old = kit.connect("old", 40000, "front/a", "web1");
    kit.handshake(old, OLD);
    let new = kit.connect("new", 40000, "front/b", "web1");
    // The target was not willing to challenge (tcp_invalid_ratelimit).
    kit.up(new, "S", NEW.client, 0, 0);
    kit.exchange(old, OLD);
    assert!(Trace::new(&kit.evidence).challenges.is_empty());
}

#[test]
fn a_held_packet_is_one_passage_and_a_probe_is_none() {
    let mut kit = harmless();
    let mut first = kit.evidence.packets[0].clone();
    first.fate = "held".into();
    first.receiver = String::new();
    kit.evidence.packets.insert(0, first.clone());
    kit.evidence.packets.push(Packet {
        probe: true,
        ..first
    });
    let records = kit.evidence.packets.len();
    let trace = Trace::new(&kit.evidence);
    assert_eq!(trace.passages.len(), records - 2);
    assert_eq!((trace.passages[0].sent, trace.passages[0].ended), (0, 1));
}

#[test]
fn an_empty_case_has_an_empty_trace() {
    let evidence = Evidence::default();
    let trace = Trace::new(&evidence);
    assert!(trace.passages.is_empty() && trace.challenges.is_empty());
    assert_eq!(trace.name(7), "connection 7");
}

/// Those of a load are listed when it has ended, behind others that were started later.
#[test]
fn a_packet_of_ends_used_twice_is_of_the_connection_started_last_before_it() {
    let (local, remote) = ("10.0.0.51:4000", "10.0.0.9:80");
    let connection = |at| Connection {
        from: "pod".into(),
        protocol: "tcp".into(),
        local: local.into(),
        remote: remote.into(),
        at,
        ..Connection::default()
    };
    let seen = |id, t| Packet {
        id,
        t,
        sender: "pod".into(),
        receiver: "node".into(),
        seen_at: "node veth1".into(),
        protocol: "tcp".into(),
        from: local.into(),
        to: remote.into(),
        from_after: local.into(),
        to_after: remote.into(),
        flags: "S".into(),
        ..Packet::default()
    };
    let evidence = Evidence {
        connections: vec![connection(100.0), connection(0.0)],
        packets: vec![seen(0, 0.5), seen(1, 100.5)],
        ..Evidence::default()
    };
    let trace = Trace::new(&evidence);
    let journeys = trace.journeys();
    let whose: Vec<_> = journeys.iter().map(|journey| journey.connection).collect();
    assert_eq!(whose, [Some(1), Some(0)]);
}

/// A pod's SYN to a service, translated, before its port is used again and comes to the same target.
#[test]
fn a_packet_is_of_no_connection_that_begins_later() {
    let mut kit = Kit::new();
    kit.now = 600.0;
    let later = kit.connect("later", 40000, "front/a", "web1");
    let (local, target) = ("198.51.100.7:40000", "10.0.1.10:80");
    kit.apart(100.0, ("client", local), ("web1", target), "S");
    let again = kit.apart(600.1, ("client", local), ("web1", target), "S");
    again.seq = 1;
    let trace = Trace::new(&kit.evidence);
    assert_eq!(trace.passages[0].connection, None);
    assert_eq!(trace.by_connection[later], [1]);
}
