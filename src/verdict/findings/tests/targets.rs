//! Flows that a balancer ends by itself: where the finding must speak, and what it must not be taken for.

use super::*;
use crate::verdict::kit::{Kit, OLD};

fn of_kind(kit: &Kit, kind: &str) -> Vec<Finding> {
    let all = recognise(&kit.evidence);
    all.into_iter().filter(|f| f.kind == kind).collect()
}

/// A connection that has talked; time is 20 ms.
fn talking() -> (Kit, usize) {
    let mut kit = Kit::new();
    let one = kit.connect("talk", 40000, "front/a", "web1");
    kit.handshake(one, OLD);
    kit.exchange(one, OLD);
    kit.now = 20.0;
    (kit, one)
}

fn answered(kit: &mut Kit, one: usize, how: &str) {
    kit.up(one, "P.", OLD.client + 65, OLD.server + 65, 64);
    let packet = kit.evidence.packets.last_mut().expect("a packet");
    packet.fate = format!("answered: reset, {how}");
    packet.receiver = String::new();
}

#[test]
fn a_terminated_flow_is_told_with_who_was_reset() {
    let (mut kit, one) = talking();
    assert_eq!(of_kind(&kit, "draining-terminated"), []);
    kit.flow(one).terminated = true;
    kit.flow(one).state = "closed".into();
    kit.down(one, "R", OLD.server + 65, 0, 0);
    let packet = kit.evidence.packets.last_mut().expect("a packet");
    packet.sender = "front".into();
    let found = of_kind(&kit, "draining-terminated");
    assert_eq!(
        found[0].summary,
        "The balancer ended \"talk\" to web1, which gets no more traffic. It sent RST to client."
    );
    assert_eq!(
        (found[0].packets.len(), &found[0].connections),
        (1, &vec![0])
    );
}

#[test]
fn a_terminated_flow_that_nobody_was_told_of_is_no_idle_expiry() {
    let (mut kit, one) = talking();
    kit.flow(one).terminated = true;
    answered(&mut kit, one, "terminated flow");
    kit.up(one, "R", OLD.client + 129, 0, 0);
    kit.dropped("expired-flow");
    let found = of_kind(&kit, "draining-terminated");
    assert!(
        found[0]
            .summary
            .ends_with("Nobody was told; who spoke next was answered with RST.")
    );
    assert_eq!(of_kind(&kit, "idle-expiry"), []);
}
