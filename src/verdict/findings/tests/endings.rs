//! Connections that end on one side only, and flows that are forgotten.

use super::{closed_by_the_target, kinds, the};
use crate::verdict::kit::{OLD, harmless, old_is_up};

#[test]
fn a_connection_reset_at_the_server_alone_is_stale() {
    let mut kit = harmless();
    kit.of(0).server_state = String::new();
    assert_eq!(kinds(&kit), ["stale-connection"]);
    assert!(
        the(&kit, "stale-connection")
            .summary
            .starts_with("\"old\" is ESTABLISHED at client and gone at web1.")
    );
}

#[test]
fn a_connection_that_the_balancer_itself_answers_is_not_stale() {
    let mut kit = harmless();
    kit.of(0).server_state = String::new();
    for packet in &mut kit.evidence.packets {
        if packet.flow == Some(0) && packet.receiver == "web1" {
            packet.receiver = "front/a".into();
        }
    }
    assert_eq!(kinds(&kit), [""; 0]);
}

#[test]
fn a_server_that_nobody_told_is_stale_until_the_goodbye_arrives() {
    let mut kit = harmless();
    kit.of(0).client_state = String::new();
    kit.up(0, "R.", OLD.client + 65, OLD.server + 65, 0);
    kit.dropped("link-loss");
    assert!(
        the(&kit, "stale-connection")
            .summary
            .contains("still stands at web1")
    );
    kit.up(0, "R.", OLD.client + 65, OLD.server + 65, 0);
    assert_eq!(kinds(&kit), [""; 0]);
}

#[test]
fn what_was_closed_properly_or_never_stood_is_not_stale() {
    let (kit, _) = closed_by_the_target();
    assert_eq!(kinds(&kit), [""; 0]);
    let mut kit = harmless();
    kit.of(1).error = "refused".into();
    kit.of(1).client_state = String::new();
    assert_eq!(kinds(&kit), ["refused"]);
}

#[test]
fn an_expired_flow_speaks_only_when_somebody_does() {
    let (mut kit, old) = old_is_up();
    kit.evidence.time_scale = 100.0;
    kit.flow(old).state = "expired".into();
    assert_eq!(kinds(&kit), [""; 0]);
    kit.now = 4000.0;
    kit.up(old, "P.", OLD.client + 65, OLD.server + 65, 64);
    let packet = kit.evidence.packets.last_mut().expect("a packet");
    packet.fate = "answered: reset, expired flow".into();
    packet.receiver = String::new();
    let summary = the(&kit, "idle-expiry").summary;
    assert_eq!(
        summary,
        "The balancer forgot \"old\" after 4.00 s of silence (400 s of the cloud's time). client was the first to \
         speak again: it was answered with RST. The other end was told nothing."
    );
}

/// The old connection, each end of which speaks after its flow was forgotten.
fn both_ends_speak(client: &str, server: &str) -> String {
    let (mut kit, old) = old_is_up();
    kit.flow(old).state = "expired".into();
    kit.now = 4000.0;
    kit.up(old, "P.", OLD.client + 65, OLD.server + 65, 64);
    kit.evidence.packets.last_mut().expect("a packet").fate = client.into();
    kit.now = 5000.0;
    kit.down(old, "P.", OLD.server + 65, OLD.client + 65, 64);
    kit.evidence.packets.last_mut().expect("a packet").fate = server.into();
    the(&kit, "idle-expiry").summary
}

#[test]
fn of_an_expired_flow_each_end_is_told_when_it_speaks() {
    let reset = "answered: reset, expired flow";
    let summary = both_ends_speak(reset, reset);
    assert!(
        summary.ends_with(
            "client was the first to speak again: it was answered with RST. When web1 spoke, it was answered with RST."
        ),
        "{summary}"
    );
    let dropped = "dropped: expired-flow";
    let summary = both_ends_speak(dropped, reset);
    assert!(
        summary.ends_with(
            "client was the first to speak again: it was dropped without a word. When web1 spoke, it was answered with \
             RST."
        ),
        "{summary}"
    );
}
