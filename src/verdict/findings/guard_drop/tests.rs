use super::{NETWORK_ACL, SECURITY_GROUP};
use crate::evidence::Refusal;
use crate::verdict::Finding;
use crate::verdict::findings::recognise;
use crate::verdict::kit::{Kit, OLD, flagship, harmless};

fn of_kind(kit: &Kit, kind: &str) -> Vec<Finding> {
    let mut found = recognise(&kit.evidence);
    found.retain(|finding| finding.kind == kind);
    found
}

fn summary(kit: &Kit, kind: &str) -> String {
    let found = of_kind(kit, kind);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].summary.clone()
}

/// The last packet was refused.
fn refuse(kit: &mut Kit, refusal: Refusal, reason: &str) {
    let packet = kit.evidence.packets.last().expect("a packet");
    let refusal = Refusal {
        packet: packet.id,
        protocol: "tcp".into(),
        from: packet.from_after.clone(),
        to: packet.to_after.clone(),
        flags: packet.flags.clone(),
        ..refusal
    };
    kit.evidence.refusals.push(refusal);
    kit.dropped(reason);
}

fn at_web1(direction: &str, groups: &[&str]) -> Refusal {
    Refusal {
        guards: groups.iter().map(|group| (*group).into()).collect(),
        interface: "web1".into(),
        direction: direction.into(),
        ..Refusal::default()
    }
}

fn unanswered(kit: &mut Kit, name: &str, port: u16) -> usize {
    let connection = kit.connect(name, port, "front/a", "web1");
    kit.of(connection).error = "deadline".into();
    kit.of(connection).ms = 1000.0;
    connection
}

#[test]
fn a_clients_syn_that_the_targets_group_does_not_know() {
    let mut kit = Kit::new();
    let visit = unanswered(&mut kit, "visit", 40000);
    for _ in 0..2 {
        kit.up(visit, "S", OLD.client, 0, 0);
        refuse(
            &mut kit,
            at_web1("ingress", &["web"]),
            "security-group-ingress",
        );
    }
    assert_eq!(
        summary(&kit, SECURITY_GROUP),
        "2 SYNs of \"visit\" were dropped: security group web of web1 has no ingress rule for tcp/80 from 198.51.100.7. \
         That is the client's own address, which the load balancer preserves."
    );
    let finding = &of_kind(&kit, SECURITY_GROUP)[0];
    assert_eq!(
        (&finding.packets, &finding.connections),
        (&vec![0, 1], &vec![visit])
    );
    assert!(of_kind(&kit, NETWORK_ACL).is_empty());
    // The cause comes before the symptom.
    let kinds: Vec<String> = recognise(&kit.evidence)
        .into_iter()
        .map(|f| f.kind)
        .collect();
    assert_eq!(kinds, [SECURITY_GROUP, "syn-unanswered"]);
}

#[test]
fn several_groups_of_one_interface_and_packets_without_connection() {
    let mut kit = Kit::new();
    kit.evidence.refusals.push(Refusal {
        packet: 7,
        protocol: "icmp".into(),
        from: "10.0.1.10:0".into(),
        to: "10.0.2.10:0".into(),
        ..at_web1("egress", &["web", "ssh"])
    });
    assert_eq!(
        summary(&kit, SECURITY_GROUP),
        "1 packet was dropped: security groups web and ssh of web1 have no egress rule for icmp to 10.0.2.10."
    );
}

#[test]
fn the_answer_that_a_network_acl_does_not_let_out() {
    let mut kit = Kit::new();
    let zone_a = |rule| Refusal {
        guards: vec!["a".into()],
        direction: "outbound".into(),
        rule,
        ..Refusal::default()
    };
    for (name, port) in [("one", 40000), ("two", 40001)] {
        let connection = unanswered(&mut kit, name, port);
        kit.up(connection, "S", OLD.client, 0, 0);
        kit.down(connection, "S.", OLD.server, OLD.client + 1, 0);
        refuse(&mut kit, zone_a(None), "network-acl-outbound");
    }
    assert_eq!(
        summary(&kit, NETWORK_ACL),
        "The network ACL of zone a dropped 2 SYN-ACKs of \"one\" and \"two\": no outbound rule allows tcp/40000 and 40001 to \
         198.51.100.7. The SYN arrived, its answer did not: a network ACL keeps no state, so answers need a rule of their own, to any \
         port that a client may have (1024-65535)."
    );
    assert!(of_kind(&kit, SECURITY_GROUP).is_empty());
    // A rule that denies is named.
    for refusal in &mut kit.evidence.refusals {
        refusal.rule = Some(90);
    }
    assert!(
        summary(&kit, NETWORK_ACL)
            .contains(": rule 90 denies tcp/40000 and 40001 to 198.51.100.7.")
    );
}

#[test]
fn health_checks_are_told_apart() {
    let mut kit = Kit::new();
    let probe = kit.connect("probe", 60000, "web1", "web1");
    kit.up(probe, "S", OLD.client, 0, 0);
    refuse(
        &mut kit,
        at_web1("ingress", &["web"]),
        "security-group-ingress",
    );
    kit.evidence.refusals[0].probe = true;
    // From before the first step: no record of it is kept.
    kit.evidence.packets.clear();
    kit.evidence.connections.clear();
    kit.evidence.steps.clear();
    assert_eq!(
        summary(&kit, SECURITY_GROUP),
        "1 SYN of health checks was dropped: security group web of web1 has no ingress rule for tcp/80 from 198.51.100.7."
    );
}

#[test]
fn where_nothing_is_refused_nothing_is_found() {
    let mut lost = Kit::new();
    let connection = unanswered(&mut lost, "visit", 40000);
    lost.up(connection, "S", OLD.client, 0, 0);
    lost.dropped("link-loss");
    for kit in [flagship(), harmless(), lost] {
        assert!(of_kind(&kit, SECURITY_GROUP).is_empty() && of_kind(&kit, NETWORK_ACL).is_empty());
    }
}

#[test]
fn over_ipv6_it_says_of_which_family_a_range_is() {
    let mut kit = Kit::new();
    let visit = unanswered(&mut kit, "visit", 40000);
    kit.up(visit, "S", OLD.client, 0, 0);
    refuse(
        &mut kit,
        at_web1("ingress", &["web"]),
        "security-group-ingress",
    );
    kit.evidence.refusals[0].from = "[2001:db8::10]:40000".into();
    kit.evidence.refusals[0].to = "[2001:db8:1234:1a00::10]:80".into();
    // Where no rule is of IPv4 it has nothing to do with that.
    assert!(summary(&kit, SECURITY_GROUP).ends_with(" for tcp/80 from 2001:db8::10."));
    kit.evidence.refusals[0].only_ipv4 = true;
    assert_eq!(
        summary(&kit, SECURITY_GROUP),
        "1 SYN of \"visit\" was dropped: security group web of web1 has no ingress rule for tcp/80 from 2001:db8::10. \
         A rule for a range of IPv4, 0.0.0.0/0 too, is for nobody over IPv6."
    );
    kit.evidence.refusals[0].interface = String::new();
    kit.evidence.refusals[0].guards = vec!["a".into()];
    kit.evidence.refusals[0].direction = "inbound".into();
    kit.evidence.refusals[0].only_ipv4 = false;
    assert!(summary(&kit, NETWORK_ACL).ends_with(" allows tcp/80 from 2001:db8::10."));
    kit.evidence.refusals[0].only_ipv4 = true;
    assert_eq!(
        summary(&kit, NETWORK_ACL),
        "The network ACL of zone a dropped 1 SYN of \"visit\": no inbound rule allows tcp/80 from 2001:db8::10. \
         A rule for a range of IPv4, 0.0.0.0/0 too, is for nobody over IPv6."
    );
    // Who was denied by a rule's number knows which one.
    kit.evidence.refusals[0].rule = Some(90);
    assert!(!summary(&kit, NETWORK_ACL).contains("IPv4"));
}
