//! Each mechanism where it must speak and where it must stay silent.

use super::*;
use crate::verdict::kit::{Kit, NEW, OLD, flagship, harmless};

fn kinds(kit: &Kit) -> Vec<String> {
    recognise(&kit.evidence)
        .into_iter()
        .map(|f| f.kind)
        .collect()
}

fn the(kit: &Kit, kind: &str) -> Finding {
    let mut of_kind: Vec<Finding> = recognise(&kit.evidence)
        .into_iter()
        .filter(|f| f.kind == kind)
        .collect();
    assert_eq!(of_kind.len(), 1, "one {kind} in {:?}", kinds(kit));
    of_kind.remove(0)
}

/// Client and balancer as in the flagship, `old` alive and idle; time is 20 ms.
fn old_is_up() -> (Kit, usize) {
    let mut kit = Kit::new();
    let old = kit.connect("old", 40000, "front/a", "web1");
    kit.handshake(old, OLD);
    kit.exchange(old, OLD);
    kit.now = 20.0;
    (kit, old)
}

/// The target closes first; its socket is left in TIME_WAIT, the client's is gone.
fn closed_by_the_target() -> (Kit, usize) {
    let (mut kit, old) = old_is_up();
    kit.down(old, "F.", OLD.server + 65, OLD.client + 65, 0);
    kit.up(old, "F.", OLD.client + 65, OLD.server + 66, 0);
    kit.down(old, ".", OLD.server + 66, OLD.client + 66, 0);
    kit.of(old).client_state = String::new();
    kit.of(old).server_state = "TIME_WAIT".into();
    kit.of(old).ended = "eof".into();
    kit.flow(old).state = "closed".into();
    (kit, old)
}

#[test]
fn the_flagship_shows_collision_challenge_and_stale_connection_in_this_order() {
    let kit = flagship();
    assert_eq!(
        kinds(&kit),
        ["flow-collision", "challenge-ack", "stale-connection"]
    );
    let collision = the(&kit, "flow-collision");
    assert_eq!(
        collision.summary,
        "To web1, \"old\" (by front/a) and \"new\" (by front/b) are one and the same 4-tuple, 198.51.100.7:40000 -> \
         10.0.1.10:80. At 20.0 ms the SYN of \"new\" took over the answers on it from \"old\", which was established. \"new\" \
         was established after 2 SYNs and 8.9 ms. For \"old\" the server's program met \"reset\", while its client is \
         ESTABLISHED."
    );
    assert_eq!(collision.connections, [0, 1]);
    assert_eq!(collision.packets, [7, 8, 9, 10]);
    assert!(
        collision
            .counters
            .contains(&("web1".into(), "TcpExtTCPSYNChallenge".into(), 1))
    );
    let challenge = the(&kit, "challenge-ack");
    assert_eq!(
        challenge.summary,
        "web1 answered the SYN of \"new\" at 20.0 ms with a challenge ACK (RFC 5961 section 4) in the numbers of \
         \"old\" (ack 65), which it still had on this 4-tuple. The client, which never sent that, answered with RST, \
         seq 65 as acknowledged, and so ended \"old\" at web1; the SYN came again 8.4 ms after the \
         first."
    );
    assert!(
        challenge
            .counters
            .contains(&("client".into(), "TcpOutRsts".into(), 1))
    );
    let stale = the(&kit, "stale-connection");
    assert_eq!(
        stale.summary,
        "\"old\" is ESTABLISHED at client and gone at web1, where its 4-tuple has become that of \"new\"; the \
         server's program met \"reset\". Nobody told the client: 64 bytes are not acknowledged; the last segment was sent 4 times."
    );
    assert_eq!(stale.connections, [0]);
}

#[test]
fn two_connections_to_two_targets_show_nothing() {
    assert_eq!(kinds(&harmless()), [""; 0]);
    assert_eq!(recognise(&Evidence::default()), []);
}

#[test]
fn a_flow_displaced_after_its_end_is_no_collision_when_the_syn_is_accepted() {
    let (mut kit, old) = closed_by_the_target();
    let new = kit.connect("new", 40000, "front/b", "web1");
    kit.displace(old, new, "closed");
    kit.handshake(new, NEW);
    kit.of(old).server_state = "ESTABLISHED".into();
    assert_eq!(kinds(&kit), [""; 0]);
}

#[test]
fn a_flow_displaced_after_its_end_is_a_collision_when_time_wait_challenges_the_syn() {
    let (mut kit, old) = closed_by_the_target();
    let new = kit.connect("new", 40000, "front/b", "web1");
    kit.displace(old, new, "closed");
    kit.up(new, "S", NEW.client, 0, 0);
    kit.down(new, ".", OLD.server + 66, OLD.client + 66, 0);
    kit.up(new, "R", OLD.client + 66, 0, 0);
    kit.now += 8.0;
    kit.handshake(new, NEW);
    kit.counter("web1", "TcpExtPAWSTimewait", 1);
    assert_eq!(kinds(&kit), ["flow-collision", "challenge-ack"]);
    assert!(
        the(&kit, "flow-collision")
            .summary
            .contains("was closed, but web1 still remembered it")
    );
    assert!(
        the(&kit, "challenge-ack")
            .summary
            .contains("still held in TIME_WAIT")
    );
}

#[test]
fn the_same_client_tuple_again_is_no_collision() {
    let (mut kit, old) = old_is_up();
    let new = kit.connect("again", 40000, "front/a", "web1");
    kit.displace(old, new, "established");
    kit.handshake(new, NEW);
    assert_eq!(kinds(&kit), [""; 0]);
}

#[test]
fn a_balancer_that_keeps_the_way_back_makes_the_newcomer_hang() {
    let (mut kit, old) = old_is_up();
    let new = kit.connect("new", 40000, "front/b", "web1");
    for _ in 0..3 {
        kit.up(new, "S", NEW.client, 0, 0);
        kit.down(old, ".", OLD.server + 65, OLD.client + 65, 0);
        kit.now += 1000.0;
    }
    kit.flow(new).state = "syn-sent".into();
    kit.flow(old).last = kit.now;
    let connection = kit.of(new);
    (connection.error, connection.syns, connection.ms) = ("deadline".into(), 3, 3000.0);
    (connection.client_state, connection.server_state) = (String::new(), "ESTABLISHED".into());
    assert_eq!(
        kinds(&kit),
        ["flow-collision", "challenge-ack", "syn-unanswered"]
    );
    let collision = the(&kit, "flow-collision");
    assert!(
        collision.summary.contains("The balancer kept to \"old\""),
        "{}",
        collision.summary
    );
    assert_eq!(collision.connections, [0, 1]);
    let challenge = the(&kit, "challenge-ack");
    assert!(
        challenge
            .summary
            .contains("delivered to \"old\" (from 203.0.113.10:80)"),
        "{}",
        challenge.summary
    );
    assert_eq!(
        the(&kit, "syn-unanswered").summary,
        "\"new\" sent 3 SYNs to 203.0.113.11:80 (front/b) and had no SYN-ACK when it gave up after 3.00 s \
         (deadline). All reached web1, which answered with a challenge ACK, delivered from 203.0.113.10:80."
    );
}

#[test]
fn a_direct_connection_first_then_the_balancers() {
    let mut kit = Kit::new();
    let old = kit.connect("direct", 40000, "web1", "web1");
    kit.handshake(old, OLD);
    kit.exchange(old, OLD);
    kit.now = 20.0;
    let new = kit.connect("balanced", 40000, "front/a", "web1");
    kit.up(new, "S", NEW.client, 0, 0);
    kit.down(new, ".", OLD.server + 65, OLD.client + 65, 0);
    kit.up(new, "R", OLD.client + 65, 0, 0);
    kit.now += 8.0;
    kit.handshake(new, NEW);
    kit.of(new).syns = 2;
    assert_eq!(
        kinds(&kit),
        ["flow-collision", "challenge-ack", "stale-connection"]
    );
    let collision = the(&kit, "flow-collision");
    assert!(
        collision.summary.contains("goes past the balancer"),
        "{}",
        collision.summary
    );
    assert_eq!(collision.connections, [0, 1]);
    assert_eq!(the(&kit, "stale-connection").connections, [0]);
}

#[test]
fn the_balancers_first_then_a_direct_connection() {
    let (mut kit, old) = old_is_up();
    let new = kit.connect("direct", 40000, "web1", "web1");
    for _ in 0..2 {
        kit.up(new, "S", NEW.client, 0, 0);
        // The balancer's table translates what web1 sends: it comes from an address that is not dialled.
        kit.down(old, ".", OLD.server + 65, OLD.client + 65, 0);
        kit.now += 1000.0;
    }
    let connection = kit.of(new);
    (connection.error, connection.syns) = ("deadline".into(), 2);
    (connection.client_state, connection.server_state) = (String::new(), "ESTABLISHED".into());
    assert_eq!(
        kinds(&kit),
        ["flow-collision", "challenge-ack", "syn-unanswered"]
    );
    let summary = the(&kit, "flow-collision").summary;
    assert!(
        summary.contains("the answer to the newcomer's SYN came from 203.0.113.10:80"),
        "{summary}"
    );
}

#[test]
fn a_syn_ack_under_another_address_is_a_collision_too() {
    let (mut kit, old) = closed_by_the_target();
    let new = kit.connect("direct", 40000, "web1", "web1");
    kit.up(new, "S", NEW.client, 0, 0);
    kit.down(old, "S.", NEW.server, NEW.client + 1, 0);
    let connection = kit.of(new);
    (connection.error, connection.client_state) = ("deadline".into(), String::new());
    assert_eq!(kinds(&kit), ["flow-collision", "syn-unanswered"]);
    let summary = the(&kit, "syn-unanswered").summary;
    assert!(
        summary.contains("its SYN-ACK was delivered from 203.0.113.10:80"),
        "{summary}"
    );
}

#[test]
fn many_collisions_are_one_finding_with_counts() {
    let mut kit = Kit::new();
    for i in 0..40 {
        let port = 40000 + i;
        let old = kit.connect("old", port, "front/a", "web1");
        kit.handshake(old, OLD);
        kit.exchange(old, OLD);
        let new = kit.connect("new", port, "front/b", "web1");
        kit.collide(old, new);
    }
    let collision = the(&kit, "flow-collision");
    assert!(
        collision.summary.starts_with(
            "40 times a SYN took over the answers on another flow's 4-tuple (40 established). front/a and front/b lead to web1 \
             with the client's own port. Of 40 newcomers 40 were established, 40 of them only after more than one SYN. \
             The first: To web1, "
        ),
        "{}",
        collision.summary
    );
    assert_eq!(collision.connections.len(), 80);
    assert!(collision.packets.len() <= CITED);
    let stale = the(&kit, "stale-connection");
    assert!(
        stale
            .summary
            .starts_with("40 of 80 connections are alive at the client only"),
        "{}",
        stale.summary
    );
    let challenge = the(&kit, "challenge-ack");
    assert!(
        challenge.summary.contains("40 SYNs with challenge ACKs"),
        "{}",
        challenge.summary
    );
}

#[test]
fn a_flow_without_a_named_connection_collides_all_the_same() {
    let mut kit = flagship();
    kit.evidence.connections.clear();
    kit.evidence.steps.clear();
    let summary = the(&kit, "flow-collision").summary;
    assert!(
        summary.starts_with("To web1, a connection of 198.51.100.7:40000 (by front/a) and"),
        "{summary}"
    );
    // No connection is known, so only the counter can tell of the challenge.
    assert!(
        the(&kit, "challenge-ack")
            .summary
            .starts_with("By its own count web1 challenged a SYN once")
    );
}

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
fn a_target_that_dials_its_own_balancer_meets_itself() {
    let mut kit = Kit::new();
    let visit = kit.connect_from("web1", "visit", 40000, "front/a", "web1");
    for _ in 0..2 {
        kit.up(visit, "S", NEW.client, 0, 0);
    }
    let connection = kit.of(visit);
    (connection.error, connection.syns) = ("timeout".into(), 2);
    (connection.client_state, connection.server_state) = (String::new(), String::new());
    kit.evidence
        .hosts
        .get_mut("web1")
        .expect("web1")
        .self_sourced = 2;
    assert_eq!(kinds(&kit), ["loopback", "syn-unanswered"]);
    let summary = the(&kit, "loopback").summary;
    assert!(
        summary.contains("2 SYNs of \"visit\" to 203.0.113.10:80 came back to it"),
        "{summary}"
    );
    assert!(summary.contains("martian"), "{summary}");
    kit.counter("web1", "TcpExtEmbryonicRsts", 2);
    assert!(the(&kit, "loopback").summary.contains("accept_local"));
    assert!(
        the(&kit, "syn-unanswered")
            .summary
            .contains("All came back to web1 itself")
    );
}

#[test]
fn a_host_sent_back_to_itself_from_the_balancers_address_is_no_loopback() {
    let mut kit = Kit::new();
    let visit = kit.connect_from("web1", "visit", 40000, "front/a", "web1");
    kit.of(visit).seen_as = "10.0.1.5:1024".into();
    kit.flow(visit).seen_as = "10.0.1.5:1024".into();
    kit.handshake(visit, NEW);
    assert_eq!(kinds(&kit), [""; 0]);
}

#[test]
fn a_syn_without_answer_is_told_with_its_end() {
    let mut kit = Kit::new();
    let lost = kit.connect("lost", 40001, "front/a", "web1");
    kit.up(lost, "S", 1, 0, 0);
    kit.dropped("link-loss");
    kit.up(lost, "S", 1, 0, 0);
    let connection = kit.of(lost);
    (connection.error, connection.syns, connection.ms) = ("deadline".into(), 2, 500.0);
    connection.client_state = String::new();
    assert_eq!(
        the(&kit, "syn-unanswered").summary,
        "\"lost\" sent 2 SYNs to 203.0.113.10:80 (front/a) and had no SYN-ACK when it gave up after 500.0 ms \
         (deadline). 1 of 2 died on the way: link-loss. 1 of 2 reached web1, and no answer came from it."
    );
    kit.evidence.packets.clear();
    kit.evidence.packets_cut = 2;
    assert!(
        the(&kit, "syn-unanswered")
            .summary
            .ends_with("is not recorded (2 packets were cut).")
    );
}

#[test]
fn a_syn_that_a_quirk_withholds_was_never_sent() {
    let (mut kit, old) = old_is_up();
    let new = kit.connect("new", 40000, "front/b", "web1");
    kit.displace(old, new, "established");
    kit.up(new, "S", NEW.client, 0, 0);
    kit.down(new, ".", OLD.server + 65, OLD.client + 65, 0);
    kit.up(new, "R", OLD.client + 65, 0, 0);
    kit.now += 8.0;
    kit.up(new, "S", NEW.client, 0, 0);
    kit.dropped("kernel-quirk");
    let connection = kit.of(new);
    (connection.error, connection.client_state) = ("deadline".into(), String::new());
    let summary = the(&kit, "syn-unanswered").summary;
    let end = "The SYN reached web1, which answered with a challenge ACK, delivered from 203.0.113.11:80. 1 more was \
               withheld at the client: the kernel that it emulates would not have sent it yet.";
    assert!(summary.ends_with(end), "{summary}");
    let summary = the(&kit, "challenge-ack").summary;
    assert!(
        summary.ends_with("and so ended \"old\" at web1."),
        "{summary}"
    );
}

#[test]
fn a_reset_that_comes_too_late_ends_nothing() {
    let (mut kit, old) = old_is_up();
    let new = kit.connect("new", 40000, "front/b", "web1");
    kit.displace(old, new, "established");
    kit.up(new, "S", NEW.client, 0, 0);
    kit.down(new, ".", OLD.server + 65, OLD.client + 65, 0);
    // More of the old one arrives before the RST does.
    kit.up(old, "P.", OLD.client + 65, OLD.server + 65, 100);
    kit.up(new, "R", OLD.client + 65, 0, 0);
    let summary = the(&kit, "challenge-ack").summary;
    assert!(
        summary.contains("where 165 was expected by then"),
        "{summary}"
    );
    // Out of order behind a hole, it does not count.
    kit.evidence.packets.truncate(9);
    kit.up(old, "P.", OLD.client + 165, OLD.server + 65, 100);
    kit.up(new, "R", OLD.client + 65, 0, 0);
    let summary = the(&kit, "challenge-ack").summary;
    assert!(summary.contains("and so ended \"old\""), "{summary}");
}

#[test]
fn an_answered_syn_is_not_unanswered_however_the_connection_ends() {
    let mut kit = Kit::new();
    let slow = kit.connect("slow", 40001, "front/a", "web1");
    kit.handshake(slow, OLD);
    kit.of(slow).error = "deadline".into();
    kit.of(slow).client_state = String::new();
    kit.of(slow).server_state = String::new();
    assert_eq!(kinds(&kit), [""; 0]);
}

#[test]
fn a_port_without_listener_and_a_balancer_without_ports() {
    let mut kit = Kit::new();
    let x = kit.connect("x", 40001, "front/a", "web1");
    kit.up(x, "S", 1, 0, 0);
    kit.dropped("no-listener");
    kit.up(x, "S", 1, 0, 0);
    kit.dropped("port-allocation");
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    front.metrics.insert("PortAllocationErrorCount".into(), 1);
    assert_eq!(kinds(&kit), ["port-exhaustion", "no-listener"]);
    assert_eq!(
        the(&kit, "no-listener").summary,
        "1 packet of \"x\" to 203.0.113.10:80 met no listener; the balancer dropped it without a word."
    );
    assert_eq!(
        the(&kit, "port-exhaustion").summary,
        "front (PortAllocationErrorCount 1) had no source port left toward its target, so 1 SYN of \"x\" went nowhere."
    );
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

#[test]
fn findings_come_in_the_order_of_the_list_and_every_kind_has_a_page() {
    let found = kinds(&flagship());
    let places: Vec<_> = found
        .iter()
        .map(|kind| KINDS.iter().position(|k| k == kind))
        .collect();
    assert!(places.is_sorted() && places.iter().all(Option::is_some));
    for kind in KINDS {
        let page =
            crate::verdict::pages::page(kind).unwrap_or_else(|| panic!("no page for {kind}"));
        assert!(
            page.starts_with(kind),
            "{kind}: the page's first word is its name"
        );
    }
    assert_eq!(crate::verdict::pages::page("flow-colision"), None);
}

/// A connection whose first payload the balancer's header precedes.
fn behind_a_header(header: &str) -> Kit {
    let mut kit = Kit::new();
    let visit = kit.connect("visit", 40000, "front/a", "web1");
    kit.handshake(visit, OLD);
    kit.up(visit, "P.", OLD.client + 1, OLD.server + 1, 100);
    let made = kit.evidence.packets.last_mut().expect("a packet");
    made.sender = "front".into();
    (made.from, made.to) = (made.from_after.clone(), made.to_after.clone());
    kit.up(visit, "P.", OLD.client + 101, OLD.server + 1, 64);
    kit.of(visit).header = header.into();
    kit.of(visit).sent = 64;
    kit
}

#[test]
fn a_header_that_nobody_reads_is_a_mismatch() {
    let found = recognise(&behind_a_header("not-expected").evidence);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].kind, "proxy-protocol-mismatch");
    assert!(found[0].summary.contains("web1 looks for none"));
    assert_eq!((found[0].packets.len(), found[0].connections.len()), (1, 1));
}

#[test]
fn a_refused_header_is_one_without_knowing_the_server() {
    let mut kit = behind_a_header("");
    assert!(recognise(&kit.evidence).is_empty());
    let client = kit.evidence.packets[3].from_after.clone();
    let web = kit.evidence.hosts.get_mut("web1").expect("a host");
    web.requests.push(crate::evidence::Request {
        status: 400,
        client,
        ..Default::default()
    });
    assert_eq!(recognise(&kit.evidence)[0].kind, "proxy-protocol-mismatch");
}

#[test]
fn a_header_that_does_not_come_is_a_mismatch_and_one_that_is_read_is_none() {
    assert!(recognise(&behind_a_header("read").evidence).is_empty());
    let mut kit = Kit::new();
    let visit = kit.connect("visit", 40000, "front/a", "web1");
    kit.handshake(visit, OLD);
    kit.exchange(visit, OLD);
    assert!(recognise(&kit.evidence).is_empty());
    let client = kit.of(visit).seen_as.clone();
    let web = kit.evidence.hosts.get_mut("web1").expect("a host");
    web.broken_headers.push(client);
    let found = recognise(&kit.evidence);
    assert_eq!(found[0].kind, "proxy-protocol-mismatch");
    assert!(found[0].summary.contains("1 connection began without one"));
}

#[test]
fn a_server_that_waits_for_a_header_and_a_client_that_waits_for_it_stall() {
    let mut kit = Kit::new();
    let visit = kit.connect("visit", 40000, "front/a", "web1");
    kit.handshake(visit, OLD);
    for (header, sent, stalls) in [
        ("awaited", 0, true),
        ("awaited", 10, false),
        ("read", 0, false),
        ("not-expected", 0, false),
    ] {
        kit.of(visit).header = header.into();
        kit.of(visit).sent = sent;
        kit.of(visit).received = 0;
        let found = recognise(&kit.evidence);
        let kinds: Vec<&str> = found.iter().map(|f| f.kind.as_str()).collect();
        let expected: &[&str] = if stalls {
            &["proxy-protocol-stall"]
        } else {
            &[]
        };
        assert_eq!(kinds, expected, "{header}, {sent} bytes sent");
    }
}
