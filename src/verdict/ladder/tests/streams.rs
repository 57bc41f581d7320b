//! What a segment is in the light of those before it.

use crate::evidence::{Packet, StepResult};
use crate::plan::vocabulary::{HEAL, POWER_OFF};
use crate::verdict::kit::{Kit, OLD};
use crate::verdict::ladder::{ladder, rows};

const C: i64 = OLD.client;
const S: i64 = OLD.server;

/// A direct connection that has not begun.
fn dialling() -> (Kit, usize) {
    let mut kit = Kit::new();
    let talk = kit.connect("talk", 40000, "web1", "web1");
    (kit, talk)
}

fn talking() -> (Kit, usize) {
    let (mut kit, talk) = dialling();
    kit.handshake(talk, OLD);
    (kit, talk)
}

fn told(kit: &Kit) -> String {
    ladder(&kit.evidence, &[0], 110)
}

#[test]
fn what_opens_and_closes_may_come_again_too() {
    let (mut kit, talk) = dialling();
    kit.up(talk, "S", C, 0, 0);
    kit.down(talk, "S.", S, C + 1, 0);
    kit.dropped("link-loss");
    kit.now += 1000.0;
    kit.down(talk, "S.", S, C + 1, 0);
    kit.up(talk, ".", C + 1, S + 1, 0);
    kit.up(talk, "F.", C + 1, S + 1, 0);
    kit.dropped("link-loss");
    kit.now += 200.0;
    kit.up(talk, "F.", C + 1, S + 1, 0);
    let text = told(&kit);
    for note in [
        "^ the same SYN-ACK again, 1000.1 ms later",
        "^ the same FIN again, 200.1 ms later",
    ] {
        assert_eq!(text.matches(note).count(), 1, "{note}\n{text}");
    }
    assert_eq!(text.matches("again").count(), 2, "{text}");
}

#[test]
fn bytes_come_again_however_they_are_cut() {
    let (mut kit, talk) = talking();
    let large = kit.up(talk, ".", C + 1, S + 1, 4344);
    kit.evidence.packets[large].wire_packets = 3;
    kit.now += 50.0;
    kit.up(talk, ".", C + 1449, S + 1, 1448);
    kit.now += 100.0;
    // All of it, in one: its first byte was sent once so far.
    kit.up(talk, ".", C + 1, S + 1, 4344);
    kit.now += 25.0;
    kit.up(talk, ".", C + 2897, S + 1, 1448);
    // Nothing of it was sent before.
    kit.up(talk, "P.", C + 4345, S + 1, 10);
    let text = told(&kit);
    assert!(
        text.contains("ACK seq 1:4345 ack 1, 3 segments -"),
        "{text}"
    );
    for after in ["50.1", "150.2", "25.1"] {
        let note = format!("^ the same bytes again, {after} ms later");
        assert!(text.contains(&note), "{note}\n{text}");
    }
    assert_eq!(text.matches("again").count(), 3, "{text}");
}

#[test]
fn what_is_too_large_once_more_says_so() {
    let (mut kit, talk) = talking();
    for _ in 0..2 {
        let large = kit.up(talk, ".", C + 1, S + 1, 1448);
        kit.evidence.packets[large].fate = "answered: ICMP, fragmentation needed".into();
    }
    let text = ladder(&kit.evidence, &[talk], 140);
    let again = "fragmentation needed; the same bytes again";
    assert_eq!(text.matches(again).count(), 1, "{text}");
}

#[test]
fn a_keepalive_is_no_acknowledgement() {
    let (mut kit, talk) = talking();
    kit.exchange(talk, OLD);
    for _ in 0..2 {
        kit.now += 1000.0;
        kit.up(talk, ".", C + 64, S + 65, 0);
        kit.down(talk, ".", S + 65, C + 65, 0);
    }
    let text = told(&kit);
    let note = "^ keepalive probe: is the other end still there?";
    assert_eq!(text.matches(note).count(), 2, "{text}");
    assert!(!text.contains("duplicate"), "{text}");
    // What is not acknowledged is sent again, and not asked about.
    let (mut kit, talk) = talking();
    kit.up(talk, "P.", C + 1, S + 1, 64);
    kit.up(talk, ".", C + 64, S + 1, 0);
    assert!(!told(&kit).contains("keepalive"));
}

#[test]
fn duplicate_acks_are_counted_and_say_what_is_missing() {
    let (mut kit, talk) = talking();
    for segment in 0..5 {
        kit.up(talk, ".", C + 1 + 1000 * segment, S + 1, 1000);
    }
    kit.down(talk, ".", S + 1, C + 1001, 0);
    for _ in 0..2 {
        kit.down(talk, ".", S + 1, C + 1001, 0);
    }
    // Another window: an update.
    let update = kit.down(talk, ".", S + 1, C + 1001, 0);
    kit.evidence.packets[update].window = 60000;
    // Data that says the same is an answer.
    let answer = kit.down(talk, "P.", S + 1, C + 1001, 10);
    kit.evidence.packets[answer].window = 60000;
    let third = kit.down(talk, ".", S + 11, C + 1001, 0);
    kit.evidence.packets[third].window = 60000;
    kit.down(talk, ".", S + 11, C + 5001, 0);
    // Nothing is under way.
    kit.down(talk, ".", S + 11, C + 5001, 0);
    let text = told(&kit);
    for count in 1..4 {
        let note = format!("^ duplicate ACK {count}: 1001 is still missing");
        assert_eq!(text.matches(&note).count(), 1, "{note}\n{text}");
    }
    assert_eq!(text.matches("duplicate").count(), 3, "{text}");
}

#[test]
fn a_window_is_closed_and_opened() {
    let (mut kit, talk) = talking();
    kit.up(talk, "P.", C + 1, S + 1, 1000);
    let full = kit.down(talk, ".", S + 1, C + 1001, 0);
    kit.evidence.packets[full].window = 0;
    kit.up(talk, ".", C + 1000, S + 1, 0);
    kit.dropped("link-loss");
    kit.up(talk, ".", C + 1000, S + 1, 0);
    let still = kit.down(talk, ".", S + 1, C + 1001, 0);
    kit.evidence.packets[still].window = 0;
    kit.down(talk, ".", S + 1, C + 1001, 0);
    let text = told(&kit);
    for note in [
        "^ zero window: its buffer is full",
        "^ dropped: link-loss; window probe: is it still closed?",
        "^ window probe: is it still closed?",
        "^ window update: there is room again",
    ] {
        assert_eq!(text.matches(note).count(), 1, "{note}\n{text}");
    }
    assert!(!text.contains("keepalive"), "{text}");
}

#[test]
fn syns_that_cross_are_one_connection_with_numbers_of_both() {
    let (mut kit, talk) = dialling();
    let syn = kit.up(talk, "S", C, 0, 0);
    kit.down(talk, "S", S, 0, 0);
    // It takes longer than until the other one.
    let arrives = kit.evidence.packets[syn].clone();
    (
        kit.evidence.packets[syn].fate,
        kit.evidence.packets[syn].receiver,
    ) = ("held".into(), String::new());
    kit.evidence.packets.push(Packet { t: 0.15, ..arrives });
    kit.up(talk, "S.", C, S + 1, 0);
    kit.down(talk, "S.", S, C + 1, 0);
    let text = told(&kit);
    assert!(text.contains("|<- SYN seq 0 ---"), "{text}");
    let crosses = "^ the SYNs cross: both ends dial each other";
    assert!(text.contains(crosses), "{text}");
    assert_eq!(text.matches("SYN-ACK seq 0 ack 1 -").count(), 2, "{text}");
    assert!(!text.contains("absolute"), "{text}");
    // One that had come before is another attempt.
    kit.evidence.packets[2].t = 0.05;
    assert!(!told(&kit).contains(crosses));
}

#[test]
fn what_is_said_of_congestion_is_told_where_both_agreed_on_ecn() {
    for (answer, remarks) in [("S.E", 1), ("S.", 0), ("S.EW", 0)] {
        let (mut kit, talk) = dialling();
        kit.up(talk, "SEW", C, 0, 0);
        kit.down(talk, answer, S, C + 1, 0);
        kit.up(talk, ".", C + 1, S + 1, 0);
        kit.up(talk, ".", C + 1, S + 1, 1000);
        kit.up(talk, ".", C + 1001, S + 1, 1000);
        kit.down(talk, ".E", S + 1, C + 1001, 0);
        kit.down(talk, ".E", S + 1, C + 2001, 0);
        kit.up(talk, "P.W", C + 2001, S + 1, 1000);
        let text = told(&kit);
        for note in [
            "^ ECE: a packet came to it with the mark of congestion",
            "^ CWR: it has been told of congestion, and sends less",
        ] {
            assert_eq!(
                text.matches(note).count(),
                remarks,
                "{answer} {note}\n{text}"
            );
        }
    }
}

#[test]
fn a_rst_that_is_not_believed_and_the_answer_to_it_are_told() {
    let (mut kit, talk) = talking();
    kit.exchange(talk, OLD);
    kit.down(talk, "R", S + 165, 0, 0);
    kit.up(talk, ".", C + 65, S + 65, 0);
    let text = told(&kit);
    let not = "^ not believed: 100 off the number that is expected next";
    assert!(text.contains(not), "{text}");
    assert!(
        text.contains("^ challenge ACK (RFC 5961 section 3)"),
        "{text}"
    );
}

#[test]
fn sack_blocks_are_told_and_make_duplicates_whatever_the_window() {
    let (mut kit, talk) = talking();
    for segment in 0..4 {
        kit.up(talk, ".", C + 1 + 1000 * segment, S + 1, 1000);
    }
    kit.down(talk, ".", S + 1, C + 1001, 0);
    for (window, end) in [(60000, 2000), (61000, 3000)] {
        let again = kit.down(talk, ".", S + 1, C + 1001, 0);
        let packet = &mut kit.evidence.packets[again];
        (packet.window, packet.sack) = (window, Some([[1000, end]].into()));
    }
    let text = told(&kit);
    assert!(
        text.contains("ACK seq 1 ack 1001 sack 2001:4001 -"),
        "{text}"
    );
    for count in [1, 2] {
        let note = format!("^ duplicate ACK {count}: 1001 is still missing");
        assert_eq!(text.matches(&note).count(), 1, "{text}");
    }
}

#[test]
fn what_came_twice_is_told_by_the_block_that_says_so() {
    for (sack, told_twice) in [
        (vec![[-1000, 0]], Some("3001:4001")),
        (vec![[-1000, 500]], Some("3001:4501")),
        (vec![[1000, 2000], [500, 3000]], Some("5001:6001")),
        (vec![[1000, 2000], [3000, 4000]], None),
    ] {
        let (mut kit, talk) = talking();
        kit.up(talk, ".", C + 1, S + 1, 8000);
        let ack = kit.down(talk, ".", S + 1, C + 4001, 0);
        kit.evidence.packets[ack].sack = Some(sack.into());
        let text = told(&kit);
        match told_twice {
            Some(block) => {
                let note = format!("^ D-SACK (RFC 2883): {block} came twice");
                assert!(text.contains(&note), "{note}\n{text}");
            }
            None => assert!(!text.contains("twice"), "{text}"),
        }
    }
}

#[test]
fn duplicates_are_counted_anew_for_each_loss() {
    let (mut kit, talk) = talking();
    kit.up(talk, ".", C + 1, S + 1, 9000);
    for _ in 0..3 {
        kit.down(talk, ".", S + 1, C + 1001, 0);
    }
    // It moves on with word of something else.
    let twice = kit.down(talk, ".", S + 1, C + 4001, 0);
    kit.evidence.packets[twice].sack = Some([[-1000, 0]].into());
    kit.down(talk, ".", S + 1, C + 4001, 0);
    let text = told(&kit);
    for note in ["1: 1001", "2: 1001", "1: 4001"] {
        let note = format!("^ duplicate ACK {note} is still missing");
        assert_eq!(text.matches(&note).count(), 1, "{note}\n{text}");
    }
}

#[test]
fn a_proxy_s_connection_has_one_past_whomever_it_serves() {
    let mut kit = Kit::new();
    let first = kit.proxied("first", 40000, "front/a", "web1");
    let second = kit.proxied("second", 40001, "front/a", "web1");
    let (ours, theirs) = ("10.0.1.5:40000", "10.0.1.10:80");
    let pairs = &mut kit.evidence.pairs;
    pairs[0].resumed = vec![3000.0];
    (pairs[1].opened, pairs[1].seen_as) = (2000.0, ours.into());
    kit.of(second).seen_as = ours.into();
    for connection in [first, second] {
        kit.up(connection, "S", C, 0, 0);
    }
    let (front, web) = (("front/a", ours), ("web1", theirs));
    for (t, from, to, flags, seq, ack, len) in [
        (1.0, front, web, "S", C, 0, 0),
        (1.1, web, front, "S.", S, C + 1, 0),
        (1.2, front, web, ".", C + 1, S + 1, 0),
        (1.3, front, web, "P.", C + 1, S + 1, 64),
        (2001.3, front, web, "P.", C + 1, S + 1, 64),
        (3001.3, front, web, "P.", C + 1, S + 1, 64),
    ] {
        let packet = kit.apart(t, from, to, flags);
        (packet.seq, packet.ack, packet.len) = (seq, ack, len);
    }
    let text = ladder(&kit.evidence, &[first, second], 110);
    for after in [2000, 1000] {
        let note = format!("^ the same bytes again, {after}.0 ms later");
        assert_eq!(text.matches(&note).count(), 1, "{note}\n{text}");
    }
    // Who comes back after somebody else is told once.
    let tuples = rows(&kit.evidence, &[first, second]).tuples;
    assert_eq!(tuples[2].serves, ["first", "second"]);
}

#[test]
fn what_a_step_put_there_is_not_sent_again_by_its_sender() {
    let (mut kit, talk) = talking();
    kit.exchange(talk, OLD);
    let forged = kit.down(talk, "P.", S + 65, C + 65, 10);
    kit.evidence.packets[forged].injected = true;
    kit.up(talk, ".", C + 65, S + 65, 0);
    kit.down(talk, "P.", S + 65, C + 65, 10);
    let text = told(&kit);
    assert!(text.contains("^ put there by a step"), "{text}");
    for note in ["again", "duplicate"] {
        assert!(!text.contains(note), "{note}\n{text}");
    }
}

#[test]
fn what_a_step_put_there_is_not_its_sender_s() {
    let (mut kit, talk) = talking();
    kit.exchange(talk, OLD);
    let forged = kit.down(talk, "R", S + 165, 0, 0);
    kit.evidence.packets[forged].injected = true;
    kit.up(talk, ".", C + 65, S + 65, 0);
    let text = ladder(&kit.evidence, &[talk], 140);
    let note = "^ put there by a step: web1 did not send it; not believed: 100 off the number";
    assert!(text.contains(note), "{text}");
}

#[test]
fn a_machine_without_power_says_nothing_whatever_the_emulator_has_to_drop() {
    let reset = |target: &str, drop: &str| {
        let mut kit = Kit::new();
        let alike = kit.evidence.hosts["web1"].clone();
        kit.evidence.hosts.insert("web-2".into(), alike);
        let talk = kit.connect("talk", 40000, target, target);
        kit.handshake(talk, OLD);
        kit.exchange(talk, OLD);
        kit.down(talk, "R.", S + 65, C + 65, 0);
        kit.dropped(drop);
        kit
    };
    let step = |kit: &mut Kit, at: f64, label: &str| {
        kit.evidence.steps.push(StepResult {
            label: label.into(),
            at,
            ..StepResult::default()
        });
    };
    let said = |kit: &Kit| {
        ladder(&kit.evidence, &[0], 140).contains("the emulator's way to end its sockets")
    };
    for (target, word, whole) in [
        ("web1", "web1", true),
        ("web-2", "web", true),
        ("web1", "web", false),
    ] {
        let off = format!("{POWER_OFF}{word}");
        let mut kit = reset(target, "link-down");
        assert!(!said(&kit), "its link is down");
        step(&mut kit, 0.65, &off);
        assert_eq!(said(&kit), whole, "{target} {word}");
        let mut ruled = reset(target, "drop-rule");
        step(&mut ruled, 0.65, &off);
        assert!(!said(&ruled), "a rule has dropped it");
        let mut early = reset(target, "link-down");
        step(&mut early, 5.0, &off);
        assert!(!said(&early), "before, it had power");
    }
    for (healed, off) in [
        ("web1", false),
        ("web1 and lossy", false),
        ("everything", false),
        ("lossy", true),
    ] {
        let mut kit = reset("web1", "link-down");
        step(&mut kit, 0.55, &format!("{POWER_OFF}web1"));
        step(&mut kit, 0.65, &format!("{HEAL}{healed}"));
        assert_eq!(said(&kit), off, "{healed}");
    }
}
