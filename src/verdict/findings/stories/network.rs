//! What packets, sockets and counters of kernels tell.

use super::{shown, talking};
use crate::evidence::{Connection, GatewayEvidence, Packet, Refusal, TargetEvidence, Transition};
use crate::verdict::findings::outlives_rule::KIND;
use crate::verdict::findings::{accept_queue_reset, undetected_target};
use crate::verdict::kit::{Kit, NEW, OLD, flagship, harmless};

/// One 4-tuple twice at one target; or at two.
pub(super) fn collision(happened: bool) -> Kit {
    if happened { flagship() } else { harmless() }
}

/// A SYN is answered in the numbers of another connection; or of its own.
pub(super) fn challenge(happened: bool) -> Kit {
    if happened {
        return flagship();
    }
    let mut kit = Kit::new();
    let new = kit.connect("new", 40000, "front/a", "web1");
    kit.up(new, "S", NEW.client, 0, 0);
    kit.now += 1000.0;
    kit.handshake(new, NEW);
    kit.of(new).syns = 2;
    kit
}

/// A target comes back to itself from its own address; or from the balancer's.
pub(super) fn home(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let visit = kit.connect_from("web1", "visit", 40000, "front/a", "web1");
    if happened {
        kit.up(visit, "S", NEW.client, 0, 0);
        kit.of(visit).error = "timeout".into();
        kit.of(visit).client_state = String::new();
        let web = kit.evidence.hosts.get_mut("web1").expect("a host");
        web.self_sourced = 1;
    } else {
        kit.of(visit).seen_as = "10.0.1.5:1024".into();
        kit.flow(visit).seen_as = "10.0.1.5:1024".into();
        kit.handshake(visit, NEW);
    }
    kit
}

/// A SYN-ACK from an address that nobody dialled, on a veth of `docker`; or from the one that was.
pub(super) fn bypass(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let (client, dialled) = ("172.17.0.2:41000", "192.0.2.10:80");
    let server = if happened { "172.17.0.3:8080" } else { dialled };
    for (from, to, flags, seq, ack) in [
        (client, dialled, "S", 1000, 0),
        (server, client, "S.", 7000, 1001),
        (client, server, "R", 1001, 0),
    ] {
        let inward = to == client;
        kit.evidence.packets.push(Packet {
            id: kit.evidence.packets.len() as i64,
            sender: if inward { "docker" } else { "shell" }.into(),
            receiver: if inward { "shell" } else { "docker" }.into(),
            seen_at: "docker veth1".into(),
            protocol: "tcp".into(),
            from: from.into(),
            to: to.into(),
            flags: flags.into(),
            seq,
            ack,
            fate: "seen".into(),
            ..Packet::default()
        });
    }
    kit
}

/// The kernel counted what the reverse path filter dropped; or nothing.
pub(super) fn reverse_path(happened: bool) -> Kit {
    let mut kit = Kit::new();
    kit.counter("web1", "TcpExtIPReversePathFilter", i64::from(happened) * 3);
    kit
}

/// A segment far off its stream comes from an address that nobody dialled and is reset; or from the one that was.
pub(super) fn invalid(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let (pod, server) = ("10.0.0.11:40000", "10.0.16.11:80");
    let dialled = if happened { "10.100.0.10:80" } else { server };
    kit.evidence.connections.push(Connection {
        protocol: "tcp".into(),
        from: "client".into(),
        local: pod.into(),
        remote: dialled.into(),
        ..Connection::default()
    });
    for (from, to, flags, seq, ack, len) in [
        (pod, server, "S", 1000, 0, 0),
        (server, pod, "S.", 7000, 1001, 0),
        (server, pod, "P.", 7001, 1065, 64),
        (server, pod, "P.", 1_000_007_065, 1065, 1),
        (pod, server, "R", 1065, 0, 0),
    ] {
        kit.evidence.packets.push(Packet {
            id: kit.evidence.packets.len() as i64,
            sender: "n1".into(),
            receiver: "n2".into(),
            protocol: "tcp".into(),
            from: from.into(),
            to: to.into(),
            from_after: from.into(),
            to_after: to.into(),
            flags: flags.into(),
            seq,
            ack,
            len,
            fate: "forwarded".into(),
            ..Packet::default()
        });
    }
    kit
}

/// A SYN that was dropped for `reason`, and came to stand the second time.
fn dropped_once(reason: &str) -> Kit {
    let mut kit = Kit::new();
    let x = kit.connect("x", 40001, "front/a", "web1");
    kit.up(x, "S", 1, 0, 0);
    kit.dropped(reason);
    kit
}

pub(super) fn no_port(happened: bool) -> Kit {
    dropped_once(if happened {
        "port-allocation"
    } else {
        "missing-flow"
    })
}

/// A SYN whose entry was the second one; or there was no port for it.
pub(super) fn chosen_twice(happened: bool) -> Kit {
    dropped_once(if happened {
        "insert-failed"
    } else {
        "missing-flow"
    })
}

pub(super) fn no_room(happened: bool) -> Kit {
    dropped_once(if happened {
        "flow-table-full"
    } else {
        "no-target"
    })
}

pub(super) fn nobody_listens(happened: bool) -> Kit {
    dropped_once(if happened { "no-listener" } else { "no-target" })
}

pub(super) fn older_timestamp(happened: bool) -> Kit {
    dropped_once(if happened { "tw-recycle" } else { "link-loss" })
}

pub(super) fn old_entry(happened: bool) -> Kit {
    dropped_once(if happened {
        "ipvs-port-reuse"
    } else {
        "link-loss"
    })
}

/// A node drops what its client says, again and again; or once.
pub(super) fn kept_entry(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let x = kit.connect("x", 40001, "front/a", "web1");
    kit.handshake(x, OLD);
    for _ in 0..if happened { 3 } else { 1 } {
        kit.now += 200.0;
        kit.up(x, "P.", OLD.client + 1, OLD.server + 1, 64);
        kit.dropped("ipvs-no-destination");
    }
    kit
}

/// A guard refuses a SYN; or the network loses it.
fn guarded(happened: bool, interface: &str, direction: &str) -> Kit {
    let reason = if interface.is_empty() {
        "network-acl-inbound"
    } else {
        "security-group-ingress"
    };
    let mut kit = dropped_once(if happened { reason } else { "link-loss" });
    if happened {
        let packet = &kit.evidence.packets[0];
        kit.evidence.refusals.push(Refusal {
            packet: packet.id,
            guards: vec!["locked".into()],
            interface: interface.into(),
            direction: direction.into(),
            protocol: "tcp".into(),
            from: packet.from.clone(),
            to: packet.to.clone(),
            flags: "S".into(),
            ..Refusal::default()
        });
    }
    kit
}

pub(super) fn by_group(happened: bool) -> Kit {
    guarded(happened, "web1", "ingress")
}

/// A target is silent before it is found unhealthy; or it is found so before anybody comes.
pub(super) fn not_noticed(happened: bool) -> Kit {
    let mut kit = Kit::new();
    kit.now = 1000.0;
    let early = kit.connect("early", 40001, "front/a", "web1");
    kit.up(early, "S", 1, 0, 0);
    kit.dropped("link-down");
    let beside = kit.connect("beside", 40003, "front/a", "web2");
    kit.handshake(beside, OLD);
    kit.now += 1000.0;
    kit.up(early, "S", 1, 0, 0);
    kit.dropped("link-down");
    kit.of(early).error = "deadline".into();
    kit.of(early).client_state = String::new();
    kit.of(early).server_state = String::new();
    let transition = |at, state: &str| Transition {
        at,
        state: state.into(),
        ..Transition::default()
    };
    let unhealthy = if happened { 4000.0 } else { 500.0 };
    let group = kit.evidence.target_groups.entry("web".into()).or_default();
    let target = TargetEvidence {
        state: "unhealthy".into(),
        transitions: vec![
            transition(-5.0, "healthy"),
            transition(unhealthy, "unhealthy"),
        ],
        ..TargetEvidence::default()
    };
    group.targets.insert("web1".into(), target);
    kit
}

#[test]
fn a_target_that_lets_somebody_in_or_an_outage_of_all_is_not_undetected() {
    let speaks = |kit: &Kit| {
        let mut found = shown(kit).into_iter();
        found.find(|one| one.kind == undetected_target::KIND)
    };
    let of = |kit: &Kit, name: &str| {
        let mut steps = kit.evidence.steps.iter();
        steps.position(|step| step.name == name).expect("a step")
    };
    let mut lives = not_noticed(true);
    let late = lives.connect("late", 40004, "front/a", "web1");
    lives.handshake(late, OLD);
    assert!(speaks(&lives).is_none(), "it lets others in");
    let mut nobody = not_noticed(true);
    let beside = of(&nobody, "beside");
    nobody.of(beside).error = "deadline".into();
    assert!(speaks(&nobody).is_none(), "nobody gets in anywhere");
    let mut answered = not_noticed(true);
    let early = of(&answered, "early");
    answered.down(early, "S.", 9, 2, 0);
    assert!(speaks(&answered).is_none(), "it has answered");
    // Who is sent there although it was noticed is another matter.
    let mut later = not_noticed(true);
    later.now = 6000.0;
    let sent = later.connect("sent", 40005, "front/a", "web1");
    later.of(sent).error = "deadline".into();
    assert_eq!(speaks(&later).expect("of the first").connections, [early]);
}

/// A new connection is refused, and an older one of the same client talks on; or says nothing any more.
pub(super) fn revoked(happened: bool) -> Kit {
    let (mut kit, talk) = talking();
    let again = kit.connect("again", 40002, "front/a", "web1");
    kit.up(again, "S", 1, 0, 0);
    kit.dropped("security-group-ingress");
    kit.of(again).error = "deadline".into();
    kit.of(again).client_state = String::new();
    kit.of(again).server_state = String::new();
    let packet = kit.evidence.packets.last().expect("the SYN");
    let refusal = Refusal {
        packet: packet.id,
        guards: vec!["database".into()],
        interface: "web1".into(),
        direction: "ingress".into(),
        protocol: "tcp".into(),
        from: packet.from.clone(),
        to: "10.0.1.10:80".into(),
        flags: "S".into(),
        ..Refusal::default()
    };
    kit.evidence.refusals.push(refusal);
    if happened {
        kit.up(talk, "P.", OLD.client + 65, OLD.server + 65, 64);
        kit.down(talk, "P.", OLD.server + 65, OLD.client + 129, 64);
    }
    kit
}

#[test]
fn an_old_connection_of_another_address_outlives_no_rule() {
    let mut kit = revoked(true);
    let speaks = |kit: &Kit| shown(kit).iter().any(|one| one.kind == KIND);
    assert!(speaks(&kit));
    kit.evidence.refusals[0].from = "198.51.100.99:40002".into();
    assert!(!speaks(&kit), "another address");
    kit = revoked(true);
    kit.evidence.refusals[0].to = "10.0.1.10:81".into();
    assert!(!speaks(&kit), "another port");
    kit = revoked(true);
    let talk = 0;
    kit.of(talk).at = 5000.0;
    assert!(!speaks(&kit), "opened after the rule was gone");
    kit = revoked(true);
    let answer = kit.evidence.packets.len() - 1;
    kit.evidence.packets.remove(answer - 1);
    assert!(!speaks(&kit), "the server alone talks on");
    kit = revoked(true);
    kit.evidence.refusals[0].interface = String::new();
    kit.evidence.refusals[0].direction = "inbound".into();
    assert!(!speaks(&kit), "a network ACL");
}

pub(super) fn by_acl(happened: bool) -> Kit {
    guarded(happened, "", "inbound")
}

/// An answer so late that nothing waits for it; or in time.
pub(super) fn late_answer(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let x = kit.connect("x", 40001, "front/a", "web1");
    kit.up(x, "S", 1, 0, 0);
    kit.now += 40_000.0;
    kit.down(x, "S.", 9, 2, 0);
    if happened {
        kit.dropped("half-open");
    }
    kit
}

/// All datagrams come from one port; or from two.
pub(super) fn one_port(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let group = kit.evidence.target_groups.entry("web".into()).or_default();
    for name in ["web1", "web2"] {
        group.targets.insert(name.into(), TargetEvidence::default());
    }
    let ports = [(514, "web1"), (515, "web2")];
    for (port, at) in &ports[..2 - usize::from(happened)] {
        let connection = kit.connect("syslog", *port, "front/a", at);
        kit.of(connection).protocol = "udp".into();
        kit.flow(connection).protocol = "udp".into();
        for _ in 0..30 {
            kit.up(connection, "", 0, 0, 100);
            kit.evidence.packets.last_mut().expect("a packet").protocol = "udp".into();
        }
    }
    kit
}

/// The queue overflows; or a SYN is dropped for something else that counts as a listener's.
pub(super) fn full_queue(happened: bool) -> Kit {
    let mut kit = Kit::new();
    kit.counter("web1", "TcpExtListenOverflows", i64::from(happened) * 3);
    kit.counter("web1", "TcpExtListenDrops", 3);
    kit
}

/// The server's first word is RST, and nobody had accepted; or a program had, and resets.
pub(super) fn closed_queue(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let early = kit.connect("early", 40001, "front/a", "web1");
    kit.handshake(early, OLD);
    kit.down(early, "R.", OLD.server + 1, OLD.client + 1, 0);
    kit.of(early).ended = "reset".into();
    kit.of(early).client_state = String::new();
    kit.of(early).server_state = String::new();
    kit.of(early).header = if happened { "" } else { "not-expected" }.into();
    let next = kit.connect("next", 40002, "front/a", "web1");
    kit.of(next).at = kit.now + 1.0;
    kit.of(next).header = "not-expected".into();
    kit.handshake(next, OLD);
    kit.exchange(next, OLD);
    kit
}

#[test]
fn a_queue_that_nobody_is_served_from_later_and_a_reset_in_the_middle_are_no_closed_queue() {
    let speaks = |kit: &Kit| {
        let mut found = shown(kit).into_iter();
        found.any(|one| one.kind == accept_queue_reset::KIND)
    };
    let mut before = closed_queue(true);
    before.of(1).at = -1.0;
    assert!(!speaks(&before), "served before only");
    let mut middle = closed_queue(true);
    let mut packets = middle.evidence.packets.iter_mut();
    let rst = packets
        .find(|packet| packet.flags == "R.")
        .expect("the RST");
    rst.seq += 64;
    assert!(!speaks(&middle), "behind something that was said");
}

/// A connection stands at the client only; or has been closed at both.
pub(super) fn one_end_gone(happened: bool) -> Kit {
    let (mut kit, one) = talking();
    kit.of(one).server_state = String::new();
    if happened {
        kit.of(one).server_error = "reset".into();
    } else {
        kit.of(one).client_state = "TIME_WAIT".into();
    }
    kit
}

/// RST answers a SYN; or a connection that stands.
pub(super) fn refusal(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let x = kit.connect("x", 40001, "front/a", "web1");
    if happened {
        kit.up(x, "S", 1, 0, 0);
        kit.down(x, "R.", 0, 2, 0);
        kit.of(x).error = "refused".into();
    } else {
        kit.handshake(x, OLD);
        kit.down(x, "R", OLD.server + 1, 0, 0);
        kit.of(x).ended = "reset".into();
    }
    kit.of(x).client_state = String::new();
    kit.of(x).server_state = String::new();
    kit
}

/// No SYN-ACK comes home; or one does, and the client gives up over something else. Through a gateway, which is not to
/// blame.
pub(super) fn silence(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let gateway = GatewayEvidence {
        profile: "aws".into(),
        hosts: vec!["client".into()],
        ..GatewayEvidence::default()
    };
    kit.evidence.nat_gateways.insert("egress".into(), gateway);
    let x = kit.connect("x", 40001, "front/a", "web1");
    kit.up(x, "S", OLD.client, 0, 0);
    if !happened {
        kit.down(x, "S.", OLD.server, OLD.client + 1, 0);
        kit.up(x, ".", OLD.client + 1, OLD.server + 1, 0);
    }
    kit.of(x).error = "deadline".into();
    kit.of(x).client_state = String::new();
    kit.of(x).server_state = String::new();
    kit
}

/// A SYN is lost and sent again; or never sent, as an older kernel would not have.
pub(super) fn sent_again(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let x = kit.connect("x", 40001, "front/a", "web1");
    kit.up(x, "S", OLD.client, 0, 0);
    kit.dropped(if happened {
        "link-loss"
    } else {
        "kernel-quirk"
    });
    kit.now += 1000.0;
    kit.handshake(x, OLD);
    kit.of(x).syns = 2;
    kit.of(x).ms = 1000.4;
    kit
}
