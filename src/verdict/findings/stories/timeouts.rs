//! Connections that a kernel gave up, or has not given up yet.

use super::{shown, talking};
use crate::evidence::Packet;
use crate::verdict::Finding;
use crate::verdict::findings::{connection_timed_out, vanished_peer};
use crate::verdict::kit::{Kit, OLD};

fn told(kit: &Kit) -> Finding {
    let found = shown(kit).into_iter();
    let mut found = found.filter(|finding| finding.kind == connection_timed_out::KIND);
    found.next().expect("the finding")
}

/// A client's kernel gives up what no answer comes to; or its program does.
pub(super) fn given_up(happened: bool) -> Kit {
    let (mut kit, talk) = talking();
    for wait in [0.0, 206.0, 212.0] {
        kit.now += wait;
        kit.up(talk, "P.", OLD.client + 65, OLD.server + 65, 64);
        kit.dropped("drop-rule");
    }
    let c = kit.of(talk);
    c.client_state = String::new();
    c.server_state = String::new();
    c.ended = if happened { "timeout" } else { "closed" }.into();
    kit
}

#[test]
fn what_a_kernel_gave_up_is_told_with_what_became_of_it() {
    let mut kit = given_up(true);
    kit.counter("client", "TcpExtTCPAbortOnTimeout", 1);
    let found = told(&kit);
    assert_eq!(
        found.summary,
        "The kernel of client gave \"talk\" up, and its program is told \"Connection timed out\" (ETIMEDOUT): client sent what it \
         has to say 3 times in 418.2 ms. None of it arrived: dropped (drop-rule)."
    );
    assert_eq!(found.packets, [7, 8, 9]);
    let counted = ("client".into(), "TcpExtTCPAbortOnTimeout".into(), 1);
    assert_eq!(found.counters, [counted]);
}

#[test]
fn keepalives_that_arrive_and_whose_answers_do_not_are_told() {
    let (mut kit, talk) = talking();
    // What it acknowledges is no question.
    kit.up(talk, ".", OLD.client + 65, OLD.server + 65, 0);
    for _ in 0..2 {
        kit.now += 1000.0;
        kit.up(talk, ".", OLD.client + 64, OLD.server + 65, 0);
        kit.down(talk, ".", OLD.server + 65, OLD.client + 65, 0);
        kit.dropped("loss");
    }
    let c = kit.of(talk);
    c.client_state = String::new();
    c.ended = "timeout".into();
    let found = told(&kit);
    let (_, said) = found.summary.split_once(": ").expect("two halves");
    assert_eq!(
        said,
        "client sent a keepalive 2 times in 1.00 s. All of it came to web1, and nothing that web1 said came back: dropped (loss)."
    );
}

/// What is said of [`given_up`] after the colon, with the packets changed that nothing came back for.
fn of_it(change: impl Fn(usize, &mut Packet), more: impl Fn(&mut Vec<Packet>)) -> String {
    let mut kit = given_up(true);
    let packets = &mut kit.evidence.packets;
    for (number, packet) in packets[7..].iter_mut().enumerate() {
        change(number, packet);
    }
    more(packets);
    let summary = told(&kit).summary;
    let (_, said) = summary.split_once("in 418.2 ms. ").expect("two halves");
    said.to_owned()
}

#[test]
fn what_was_answered_is_under_way_or_unknown_did_not_come_to_the_peer() {
    let nothing = |_: &mut Vec<Packet>| {};
    let by = |fates: [&'static str; 3]| {
        move |number: usize, packet: &mut Packet| packet.fate = fates[number].into()
    };
    assert_eq!(
        of_it(by(["answered: reset, no flow"; 3]), nothing),
        "None of it arrived: answered on the way (reset, no flow)."
    );
    let mixed = by(["dropped: loss", "answered: reset, no flow", "held"]);
    assert_eq!(
        of_it(mixed, nothing),
        "None of it arrived: dropped (loss), answered on the way (reset, no flow) and under way still when the record ended."
    );
    assert_eq!(
        of_it(by(["", "dropped: loss", "dropped: loss"]), nothing),
        "Some of it did not arrive: dropped (loss); what became of the rest is not known."
    );
    let came = |number: usize, packet: &mut Packet| {
        if number > 0 {
            (packet.fate, packet.receiver) = ("forwarded".into(), "web1".into());
        }
    };
    assert_eq!(
        of_it(came, nothing),
        "2 packets came to web1, others not: dropped (drop-rule), and nothing came back."
    );
}

/// A host on the way keeps it, or passes it on to its end.
#[test]
fn what_a_host_on_the_way_kept_came_to_that_host() {
    let to_web2 = |_: usize, packet: &mut Packet| {
        (packet.fate, packet.receiver) = ("forwarded".into(), "web2".into());
    };
    assert_eq!(
        of_it(to_web2, |_| {}),
        "All of it came to web2, and nothing came back."
    );
    let on = |packets: &mut Vec<Packet>| {
        let onward: Vec<Packet> = packets[7..].to_vec();
        packets.extend(onward.into_iter().map(|packet| Packet {
            id: 1_000 + packet.id,
            follows: Some(packet.id),
            sender: "web2".into(),
            receiver: "web1".into(),
            ..packet
        }));
    };
    assert_eq!(
        of_it(to_web2, on),
        "All of it came to web1, and nothing came back."
    );
}

#[test]
fn a_server_gives_up_too_and_what_its_router_kept_it_has_not_heard() {
    let (mut kit, talk) = talking();
    for _ in 0..2 {
        kit.now += 1000.0;
        kit.down(talk, "F.", OLD.server + 65, OLD.client + 65, 0);
        kit.dropped("loss");
        kit.up(talk, ".", OLD.client + 65, OLD.server + 65, 0);
        kit.evidence.packets.last_mut().expect("one").receiver = "web2".into();
    }
    let c = kit.of(talk);
    c.server_state = String::new();
    c.server_error = "timeout".into();
    assert_eq!(
        told(&kit).summary,
        "The kernel of web1 gave \"talk\" up, and its program is told \"Connection timed out\" (ETIMEDOUT): web1 sent its FIN 2 times \
         in 1.00 s. None of it arrived: dropped (loss), and what client said came to web2."
    );
}

#[test]
fn a_connection_both_ends_of_which_go_on_is_one() {
    let (mut kit, talk) = talking();
    for _ in 0..2 {
        kit.now += 200.0;
        kit.up(talk, "P.", OLD.client + 65, OLD.server + 65, 64);
        kit.dropped("link-down");
        kit.down(talk, "P.", OLD.server + 65, OLD.client + 65, 64);
        kit.dropped("link-down");
    }
    let told = |kit: &Kit| {
        let mut found = shown(kit).into_iter();
        let own = found.find(|finding| finding.kind == vanished_peer::KIND);
        own.expect("the finding").summary
    };
    let summary = told(&kit);
    assert!(!summary.contains("It is so"), "{summary}");
    // A proxy is what the client talks to.
    let own = kit.of(talk);
    (own.proxied, own.via) = (true, "front/a".into());
    let summary = told(&kit);
    assert!(
        summary.starts_with("The link of front/a is down"),
        "{summary}"
    );
}
