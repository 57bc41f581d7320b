//! Connections that end on one side only, and flows that are forgotten.

use super::{closed_by_the_target, kinds, the};
use crate::evidence::{HostEvidence, Icmp, Packet};
use crate::verdict::kit::{Kit, OLD, harmless, old_is_up};

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
fn a_client_that_has_acknowledged_the_servers_fin_is_not_stale_whatever_its_socket_was() {
    let mut kit = harmless();
    kit.of(0).client_state = "FIN_WAIT2".into();
    kit.of(0).server_state = String::new();
    kit.down(0, "F.", OLD.server + 65, OLD.client + 66, 0);
    assert_eq!(kinds(&kit), ["stale-connection"]);
    kit.up(0, ".", OLD.client + 66, OLD.server + 65, 0);
    assert_eq!(kinds(&kit), ["stale-connection"]);
    kit.up(0, ".", OLD.client + 66, OLD.server + 66, 0);
    assert_eq!(kinds(&kit), [""; 0]);
}

#[test]
fn the_host_whose_socket_it_is_is_named_and_not_the_target_that_passes_it_on() {
    let behind = |client: &str, server: &str| {
        let mut kit = harmless();
        kit.of(0).server = "pod1".into();
        (kit.of(0).client_state, kit.of(0).server_state) = (client.into(), server.into());
        the(&kit, "stale-connection").summary
    };
    let standing = behind("", "ESTABLISHED");
    assert!(standing.contains("still stands at pod1"), "{standing}");
    let gone = behind("ESTABLISHED", "");
    assert!(gone.contains("gone at pod1"), "{gone}");
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

/// "one" is refused, and nothing but an ICMP error of web1 to somebody, at some time, is there to tell why.
fn rejected(receiver: &str, t: f64) -> Kit {
    let mut kit = Kit::new();
    let one = kit.connect("one", 40001, "front/a", "web1");
    kit.up(one, "S", 1, 0, 0);
    kit.of(one).error = "refused".into();
    kit.evidence.packets.push(Packet {
        id: 7,
        t,
        sender: "web1".into(),
        receiver: receiver.into(),
        protocol: "icmp".into(),
        from: "10.0.1.10".into(),
        to: "198.51.100.7".into(),
        fate: "forwarded".into(),
        ..Packet::default()
    });
    kit
}

#[test]
fn an_icmp_error_is_no_rst() {
    let mut kit = rejected("client", 0.2);
    let told = the(&kit, "refused");
    assert_eq!(
        told.summary,
        "\"one\" met an ICMP error in answer to the SYN, and no RST: web1 rejects what is for 10.0.1.10:80, as a firewall \
         does, whatever listens there."
    );
    assert_eq!(told.packets, [1]);
    // Beside one for which nothing listens.
    kit.now = 100.0;
    let two = kit.connect("two", 40002, "front/a", "web1");
    kit.up(two, "S", 1, 0, 0);
    kit.down(two, "R.", 0, 2, 0);
    kit.of(two).error = "refused".into();
    let told = the(&kit, "refused").summary;
    let first = "\"two\" met RST in answer to the SYN: web1 has nothing that listens on 10.0.1.10:80. \"one\" met an";
    assert!(told.starts_with(first), "{told}");
}

#[test]
fn who_refused_is_the_last_on_the_way() {
    let mut kit = Kit::new();
    let one = kit.connect("one", 40001, "front/a", "web1");
    kit.up(one, "S", 1, 0, 0);
    // web1 sends on to the pod inside it, and its answer, which has another source from then on.
    kit.evidence.packets.push(Packet {
        id: 70,
        t: kit.now,
        seen_at: "web1 veth1".into(),
        sender: "pod".into(),
        receiver: "web1".into(),
        protocol: "tcp".into(),
        flags: "R.".into(),
        from: "10.0.1.30:8080".into(),
        to: "198.51.100.7:40001".into(),
        fate: "forwarded".into(),
        ..Packet::default()
    });
    let answer = kit.down(one, "R.", 0, 2, 0);
    kit.evidence.packets[answer].follows = Some(70);
    kit.of(one).error = "refused".into();
    kit.evidence
        .hosts
        .insert("pod".into(), HostEvidence::default());
    let told = the(&kit, "refused").summary;
    let who =
        "\"one\" met RST in answer to the SYN: pod has nothing that listens on 10.0.1.30:8080.";
    assert_eq!(told, who);
}

/// A client behind a router is refused by its neighbour there; `answer`: what a device inside the router saw of it.
fn refused_by_a_neighbour(answer: Packet) -> Kit {
    let mut kit = Kit::new();
    let one = kit.connect("one", 40001, "front/a", "web1");
    let c = kit.of(one);
    (c.flow, c.error) = (None, "refused".into());
    (c.from, c.target) = ("desk".into(), "printer".into());
    (c.local, c.remote) = ("192.168.1.3:40001".into(), "192.168.1.2:80".into());
    c.target_address = c.remote.clone();
    let seen = |id: i64, sender: &str, receiver: &str, device: &str| Packet {
        id,
        t: 0.1 * id as f64,
        seen_at: format!("router {device}"),
        sender: sender.into(),
        receiver: receiver.into(),
        protocol: "tcp".into(),
        flags: "S".into(),
        from: "192.168.1.3:40001".into(),
        to: "192.168.1.2:80".into(),
        from_after: "192.168.1.3:40001".into(),
        to_after: "192.168.1.2:80".into(),
        fate: "seen".into(),
        ..Packet::default()
    };
    let syn = seen(1, "desk", "router", "veth2");
    let goes_on = Packet {
        follows: Some(1),
        ..seen(2, "router", "printer", "veth1")
    };
    let answer = Packet {
        from: answer.from.clone(),
        to: "192.168.1.3:40001".into(),
        from_after: answer.from.clone(),
        to_after: "192.168.1.3:40001".into(),
        protocol: answer.protocol.clone(),
        flags: answer.flags.clone(),
        icmp: answer.icmp.clone(),
        ..seen(3, "printer", "router", "veth1")
    };
    kit.evidence.packets.extend([syn, goes_on, answer]);
    for host in ["desk", "printer", "router"] {
        kit.evidence
            .hosts
            .insert(host.into(), HostEvidence::default());
    }
    kit
}

#[test]
fn who_refused_behind_a_router_was_seen_there() {
    let by_reset = refused_by_a_neighbour(Packet {
        protocol: "tcp".into(),
        flags: "R.".into(),
        from: "192.168.1.2:80".into(),
        ..Packet::default()
    });
    let told = the(&by_reset, "refused");
    assert_eq!(
        told.summary,
        "\"one\" met RST in answer to the SYN: printer has nothing that listens on 192.168.1.2:80."
    );
    assert_eq!(told.packets, [2]);
    let error = |from: &str| {
        refused_by_a_neighbour(Packet {
            protocol: "icmp".into(),
            from: "192.168.1.2:0".into(),
            icmp: Some(Box::new(Icmp {
                says: "port unreachable".into(),
                from: from.into(),
                to: "192.168.1.2:80".into(),
                ..Icmp::default()
            })),
            ..Packet::default()
        })
    };
    let told = the(&error("192.168.1.3:40001"), "refused");
    let who = "\"one\" met an ICMP error in answer to the SYN, and no RST: printer rejects";
    assert!(told.summary.starts_with(who), "{}", told.summary);
    assert_eq!(told.packets, [2]);
    // One about another connection is none.
    let mut unseen = error("192.168.1.3:40002");
    unseen.counter("printer", "TcpOutRsts", 1);
    let told = the(&unseen, "refused");
    assert!(
        told.summary.ends_with("which the network did not see."),
        "{}",
        told.summary
    );
    let counted = ("printer".to_owned(), "TcpOutRsts".to_owned(), 1);
    assert_eq!(told.counters, [counted]);
}

#[test]
fn who_refused_unseen_is_not_guessed() {
    let mut about_another = rejected("client", 0.2);
    let other = about_another.connect("other", 40002, "front/a", "web1");
    about_another.evidence.packets[1].flow = about_another.of(other).flow;
    // The client had given up 1 ms after it began.
    let mut just_late = rejected("client", 6.0);
    just_late.of(0).ms = 1.0;
    let to_another = rejected("web2", 0.2);
    let late = rejected("client", 80.0);
    for kit in [about_another, just_late, to_another, late] {
        let refused = the(&kit, "refused");
        assert_eq!(
            refused.summary,
            "\"one\" was refused by 10.0.1.10:80: with RST or with an ICMP error, which the network did not see."
        );
        assert_eq!(refused.packets, [0; 0]);
    }
}

#[test]
fn each_half_open_connection_is_told_with_the_server_at_which_it_stands() {
    let mut kit = harmless();
    let ids = 0..kit.evidence.connections.len();
    for connection in ids {
        kit.of(connection).client_state = String::new();
    }
    assert_eq!(
        the(&kit, "stale-connection").summary,
        "\"old\" still stands at web1, \"new\" at web2, and the client has no socket for them."
    );
}

#[test]
fn an_expired_flow_speaks_only_when_somebody_does() {
    let (mut kit, old) = old_is_up();
    kit.evidence.time_scale = 100.0;
    kit.flow(old).state = "expired".into();
    kit.flow(old).forgotten_after = 3500.0;
    assert_eq!(kinds(&kit), [""; 0]);
    kit.now = 4000.0;
    kit.up(old, "P.", OLD.client + 65, OLD.server + 65, 64);
    let packet = kit.evidence.packets.last_mut().expect("a packet");
    packet.fate = "answered: reset, expired flow".into();
    packet.receiver = String::new();
    let summary = the(&kit, "idle-expiry").summary;
    assert_eq!(
        summary,
        "The balancer forgot \"old\" after 3.50 s (350 s of the cloud's time) of silence. client was the first to \
         speak again, after 4.00 s (400 s of the cloud's time): it was answered with RST. The other end was told nothing."
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
            "client was the first to speak again, after 4.00 s: it was answered with RST. When web1 spoke, it was answered with RST."
        ),
        "{summary}"
    );
    let dropped = "dropped: expired-flow";
    let summary = both_ends_speak(dropped, reset);
    assert!(
        summary.ends_with(
            "client was the first to speak again, after 4.00 s: it was dropped without a word. When web1 spoke, it was answered with \
             RST."
        ),
        "{summary}"
    );
}
