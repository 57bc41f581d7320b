//! Ladders whose ways only the record tells: what elements make themselves, balancers one behind the other, endpoints.

use crate::evidence::{BalancerEvidence, EndpointEvidence, Pair};
use crate::verdict::kit::{Kit, NEW, OLD};
use crate::verdict::ladder::ladder;

/// The rows of a ladder: no head, no remarks.
fn rows(text: &str) -> Vec<&str> {
    let lines = text.lines();
    lines
        .filter(|line| line.trim_start().starts_with(|c: char| c.is_ascii_digit()))
        .filter(|line| line.contains(" seq ") || line.contains(" bytes "))
        .collect()
}

#[test]
fn what_a_balancer_makes_begins_at_it_toward_either_end() {
    let mut kit = Kit::new();
    let session = kit.connect("session", 40000, "front/a", "web1");
    kit.handshake(session, OLD);
    kit.down(session, "P.", OLD.server + 1, OLD.client + 1, 64);
    kit.untranslated();
    kit.evidence.packets[3].fate = "answered: reset, expired flow".into();
    kit.evidence.packets[3].receiver = String::new();
    for up in [true, false] {
        let made = match up {
            true => kit.up(session, "R", OLD.client + 1, 0, 0),
            false => kit.down(session, "R", OLD.server + 1, 0, 0),
        };
        let packet = &mut kit.evidence.packets[made];
        packet.sender = "front".into();
        packet.from = packet.from_after.clone();
        packet.to = packet.to_after.clone();
    }
    let text = ladder(&kit.evidence, &[session], 80);
    assert_eq!(
        rows(&text)[3..],
        [
            "     0.30 session |                     PSH-ACK seq 1:65 ack 1 x----------|",
            "     0.40 session |                                  RST seq 1 |--------->|",
            "     0.50 session |<- RST seq 1 -------------------------------|          |",
        ],
        "{text}"
    );
    assert_eq!(text.matches("^ made by the balancer").count(), 2, "{text}");
    // The client's own RST with the same numbers goes all the way, and has no maker but it.
    kit.evidence.packets.truncate(3);
    kit.up(session, "R", OLD.client + 1, 0, 0);
    let text = ladder(&kit.evidence, &[session], 80);
    let row = "     0.60 session |-- RST seq 1 -------------------------------o--------->|";
    assert_eq!(rows(&text)[3], row, "{text}");
    assert!(!text.contains("made by"), "{text}");
}

/// `front/a` sends to the application balancer `app`, whose address in the zone asks `web1`.
fn one_behind_the_other() -> (Kit, usize) {
    let mut kit = Kit::new();
    let app = BalancerEvidence {
        addresses: [("a".to_owned(), "10.0.1.5".to_owned())].into(),
        ..BalancerEvidence::default()
    };
    kit.evidence.load_balancers.insert("app".into(), app);
    let get = kit.connect("get", 40000, "front/a", "web1");
    let client = kit.of(get).local.clone();
    let flow = kit.flow(get);
    (flow.target, flow.target_address) = ("app/a".into(), "10.0.1.5:80".into());
    kit.of(get).target = "app/a".into();
    kit.of(get).target_address = "10.0.1.5:80".into();
    kit.evidence.pairs.push(Pair {
        via: "app/a".into(),
        port: 80,
        target: "web1".into(),
        client,
        seen_as: "10.0.1.5:57344".into(),
        target_address: "10.0.1.10:80".into(),
        opened: 0.4,
        ..Pair::default()
    });
    kit.handshake(get, OLD);
    for (up, flags, seq, ack) in [(true, "S", 0, 0), (false, "S.", 0, 1)] {
        let made = match up {
            true => kit.up(get, flags, NEW.client + seq, ack, 0),
            false => kit.down(get, flags, NEW.server + seq, NEW.client + ack, 0),
        };
        let packet = &mut kit.evidence.packets[made];
        let ends = ["10.0.1.5:57344", "10.0.1.10:80"].map(str::to_owned);
        let hosts = ["app/a", "web1"].map(str::to_owned);
        let ([from, to], [sender, receiver]) = match up {
            true => (ends, hosts),
            false => {
                let ([a, b], [x, y]) = (ends, hosts);
                ([b, a], [y, x])
            }
        };
        (packet.from, packet.to) = (from.clone(), to.clone());
        (packet.from_after, packet.to_after) = (from, to);
        (packet.sender, packet.receiver) = (sender, receiver);
        packet.flow = None;
    }
    (kit, get)
}

const BOTH_BALANCERS: [&str; 5] = [
    "     0.00 get   |-- SYN seq 0 ----------------------o--------->|          |",
    "     0.10 get   |<- SYN-ACK seq 0 ack 1 ------------o----------|          |",
    "     0.20 get   |-- ACK seq 1 ack 1 ----------------o--------->|          |",
    "     0.30 app/a |                         SYN seq 0 |          |--------->|",
    "     0.40 app/a |               SYN-ACK seq 0 ack 1 |          |<---------|",
];

#[test]
fn of_two_balancers_one_behind_the_other_both_have_lanes_and_each_connection_its_own() {
    let (kit, get) = one_behind_the_other();
    let text = ladder(&kit.evidence, &[get], 80);
    for part in [
        "get   198.51.100.7:40000 -> 203.0.113.10:80 (front/a),\n",
        "at app/a 198.51.100.7:40000 -> 10.0.1.5:80\n",
        "app/a 10.0.1.5:57344 -> 10.0.1.10:80, to web1 for get\n",
    ] {
        assert!(text.contains(part), "no {part:?}\n{text}");
    }
    assert_eq!(rows(&text), BOTH_BALANCERS, "{text}");
    assert!(!text.contains("made by"), "{text}");
}

#[test]
fn so_they_have_when_a_program_dialled() {
    let (mut kit, _) = one_behind_the_other();
    kit.evidence.connections.clear();
    kit.evidence.steps.clear();
    // Its name is a letter longer.
    let text = ladder(&kit.evidence, &[], 81);
    let name = "client 198.51.100.7:40000 -> 203.0.113.10:80 (front/a),\n";
    assert!(text.contains(name), "{text}");
    let arrow = |row: &str| row.split_once('|').map(|(_, arrow)| arrow.to_owned());
    let told: Vec<_> = rows(&text).into_iter().map(arrow).collect();
    assert_eq!(told, BOTH_BALANCERS.map(arrow), "{text}");
    // Dialled itself, the application balancer ends the client's connection, and no other stands before it.
    let mut kit = Kit::new();
    let get = kit.proxied("get", 40001, "front/a", "web1");
    kit.handshake(get, OLD);
    kit.evidence.connections.clear();
    kit.evidence.steps.clear();
    let text = ladder(&kit.evidence, &[], 83);
    assert!(text.contains("(front/a)"), "{text}");
    assert!(!text.contains(" by front/a"), "{text}");
}

/// `ep/a` leads to `front/a`.
fn endpoint() -> (Kit, usize) {
    let mut kit = Kit::new();
    let endpoint = EndpointEvidence {
        leads_to: [("a".to_owned(), "front/a".to_owned())].into(),
        addresses: [("a".to_owned(), "10.1.15.10".to_owned())].into(),
        ..EndpointEvidence::default()
    };
    kit.evidence.endpoints.insert("ep".into(), endpoint);
    let visit = kit.connect("visit", 40000, "front/a", "web1");
    kit.flow(visit).endpoint = "ep/a".into();
    kit.of(visit).via = "ep/a".into();
    kit.of(visit).remote = "10.1.15.10:80".into();
    (kit, visit)
}

#[test]
fn an_endpoint_and_the_balancer_behind_it_stand_in_their_lanes() {
    let (mut kit, visit) = endpoint();
    kit.handshake(visit, OLD);
    let text = ladder(&kit.evidence, &[visit], 80);
    assert!(text.contains("(ep/a by front/a)"), "{text}");
    assert_eq!(
        rows(&text),
        [
            "     0.00 visit |-- SYN seq 0 ----------------------+----------o--------->|",
            "     0.10 visit |<- SYN-ACK seq 0 ack 1 ------------+----------o----------|",
            "     0.20 visit |-- ACK seq 1 ack 1 ----------------+----------o--------->|",
        ],
        "{text}"
    );
}

#[test]
fn what_has_no_port_left_dies_at_the_balancer_and_what_has_no_balancer_at_the_endpoint() {
    let (mut kit, visit) = endpoint();
    kit.evidence.flows.clear();
    let c = kit.of(visit);
    (c.flow, c.target) = (None, String::new());
    for reason in [
        "port-allocation",
        "endpoint-without-service",
        "security-group-egress",
    ] {
        kit.up(visit, "S", NEW.client, 0, 0);
        kit.dropped(reason).untranslated();
    }
    let text = ladder(&kit.evidence, &[visit], 80);
    assert_eq!(
        rows(&text),
        [
            "     0.00 visit |-- SYN seq 0 ---------------------------------+----------x",
            "     0.10 visit |-- SYN seq 0 ---------------------------------x          |",
            "     0.20 visit |-- SYN seq 0 ---------x                       |          |",
        ],
        "{text}"
    );
}

#[test]
fn what_comes_to_nobody_says_what_it_is() {
    let mut kit = Kit::new();
    let lost = kit.connect("lost", 40000, "web1", "web1");
    let c = kit.of(lost);
    (c.target, c.via, c.remote) = (String::new(), "10.9.9.9".into(), "10.9.9.9:80".into());
    kit.up(lost, "S", NEW.client, 0, 0);
    kit.dropped("no-route").untranslated();
    let text = ladder(&kit.evidence, &[lost], 80);
    assert!(text.contains("|-- SYN seq 0 ---"), "{text}");
    // Whoever was dialled has a lane, though it got nothing.
    kit.of(lost).via = "web1".into();
    let text = ladder(&kit.evidence, &[lost], 80);
    let row = "     0.00 lost |-- SYN seq 0 ---------------x                             |";
    assert_eq!(rows(&text), [row], "{text}");
    assert!(text.contains("web1"), "{text}");
}

#[test]
fn what_the_network_says_of_a_packet_comes_from_the_way_and_is_no_balancers() {
    let mut kit = Kit::new();
    let visit = kit.connect("visit", 40000, "front/a", "web1");
    kit.handshake(visit, OLD);
    let large = kit.down(visit, ".", OLD.server + 1, OLD.client + 1, 1448);
    let packet = &mut kit.evidence.packets[large];
    packet.fate = "answered: ICMP, fragmentation needed".into();
    packet.receiver = String::new();
    let told = kit.down(visit, "", 0, 0, 548);
    let packet = &mut kit.evidence.packets[told];
    (packet.sender, packet.receiver) = ("front".into(), "web1".into());
    packet.protocol = "icmp".into();
    (packet.from, packet.to) = ("192.0.0.8:0".into(), "10.0.1.10:0".into());
    (packet.from_after, packet.to_after) = (packet.from.clone(), packet.to.clone());
    let text = ladder(&kit.evidence, &[visit], 80);
    assert_eq!(
        rows(&text)[3..],
        [
            "     0.30 visit |                      x-- ACK seq 1:1449 .. --o----------|",
            "     0.40 visit |                       -- icmp 548 bytes -----o--------->|",
        ],
        "{text}"
    );
    assert!(text.contains("^ made by the network on the way"), "{text}");
    assert!(!text.contains("192.0.0.8"), "{text}");
}
