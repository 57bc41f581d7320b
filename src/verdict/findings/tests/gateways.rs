//! NAT gateways among the findings: where they are to blame, and where a balancer behind them is.

use super::*;
use crate::evidence::{GatewayEvidence, Mapping, Packet};
use crate::verdict::kit::{Kit, OLD};

/// A client behind `egress`, with a connection through a balancer that has stood and been idle.
fn idle() -> (Kit, usize) {
    let mut kit = Kit::new();
    kit.evidence.time_scale = 100.0;
    let gateway = GatewayEvidence {
        profile: "aws".into(),
        hosts: vec!["client".into()],
        ..GatewayEvidence::default()
    };
    kit.evidence.nat_gateways.insert("egress".into(), gateway);
    let old = kit.connect("old", 40000, "front/a", "web1");
    kit.handshake(old, OLD);
    kit.exchange(old, OLD);
    for packet in &mut kit.evidence.packets {
        packet.mapping = Some(0);
    }
    kit.evidence.mappings.push(Mapping {
        gateway: "egress".into(),
        forgotten_after: 3500.0,
        ..Mapping::default()
    });
    kit.now = 4000.0;
    (kit, old)
}

fn last(kit: &mut Kit) -> &mut Packet {
    let packet = kit.evidence.packets.last_mut().expect("a packet");
    packet.mapping = Some(0);
    packet.receiver = String::new();
    packet
}

fn summaries(kit: &Kit, kind: &str) -> Vec<String> {
    let all = recognise(&kit.evidence).into_iter();
    all.filter(|finding| finding.kind == kind)
        .map(|finding| finding.summary)
        .collect()
}

#[test]
fn the_gateway_that_forgot_is_named() {
    let (mut kit, old) = idle();
    assert_eq!(summaries(&kit, "idle-expiry"), [""; 0]);
    kit.up(old, "P.", OLD.client + 65, OLD.server + 65, 64);
    let packet = last(&mut kit);
    packet.fate = "answered: reset, expired flow".into();
    packet.gateway = "egress".into();
    assert_eq!(
        summaries(&kit, "idle-expiry"),
        [
            "The NAT gateway egress forgot \"old\" after 3.50 s (350 s of the cloud's time) of silence. client was the \
          first to speak again, after 4.00 s (400 s of the cloud's time): it was answered with RST. The other end was told \
          nothing."
        ]
    );
}

#[test]
fn a_balancer_that_forgot_is_not_taken_for_the_gateway_before_it() {
    let (mut kit, old) = idle();
    kit.up(old, "P.", OLD.client + 65, OLD.server + 65, 64);
    last(&mut kit).fate = "answered: reset, expired flow".into();
    let found = summaries(&kit, "idle-expiry");
    assert!(
        found[0].starts_with("The balancer forgot \"old\""),
        "{found:?}"
    );
}

#[test]
fn resets_at_the_moment_of_expiry_are_found_and_others_are_not() {
    let (mut kit, old) = idle();
    kit.down(old, "R", OLD.server + 65, 0, 0);
    let packet = kit.evidence.packets.last_mut().expect("a packet");
    packet.mapping = Some(0);
    assert_eq!(summaries(&kit, "idle-expiry"), [""; 0], "the target's own");
    let packet = kit.evidence.packets.last_mut().expect("a packet");
    (packet.sender, packet.gateway) = ("egress".into(), "egress".into());
    assert_eq!(
        summaries(&kit, "idle-expiry"),
        [
            "The NAT gateway egress had seen no packet of \"old\" for its idle timeout, and reset both ends."
        ]
    );
}

#[test]
fn whoever_had_no_port_is_named() {
    let (mut kit, _) = idle();
    let x = kit.connect("x", 40001, "front/a", "web1");
    kit.up(x, "S", 1, 0, 0);
    kit.dropped("port-allocation");
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    front.metrics.insert("PortAllocationErrorCount".into(), 1);
    let egress = kit.evidence.nat_gateways.get_mut("egress").expect("egress");
    egress.metrics.insert("ErrorPortAllocation".into(), 0);
    assert_eq!(
        summaries(&kit, "port-exhaustion"),
        [
            "front (PortAllocationErrorCount 1) had no source port left toward its target, so 1 SYN of \"x\" went nowhere."
        ]
    );
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    front.metrics.insert("PortAllocationErrorCount".into(), 0);
    let egress = kit.evidence.nat_gateways.get_mut("egress").expect("egress");
    egress.metrics.insert("ErrorPortAllocation".into(), 1);
    assert_eq!(
        summaries(&kit, "port-exhaustion"),
        [
            "egress (ErrorPortAllocation 1) had no source port left toward its destination, so 1 SYN of \"x\" went nowhere."
        ]
    );
}

#[test]
fn a_gateway_that_drops_for_other_reasons_has_ports() {
    let (mut kit, old) = idle();
    let egress = kit.evidence.nat_gateways.get_mut("egress").expect("egress");
    egress.metrics.insert("PacketsDropCount".into(), 1);
    egress.metrics.insert("ErrorPortAllocation".into(), 0);
    kit.down(old, ".", OLD.server + 65, OLD.client + 65, 0);
    last(&mut kit).gateway = "egress".into();
    kit.dropped("missing-flow");
    assert_eq!(summaries(&kit, "port-exhaustion"), [""; 0]);
    assert_eq!(summaries(&kit, "idle-expiry"), [""; 0]);
}
