//! Connections that do not come to stand.

use super::{kinds, the};
use crate::evidence::Pair;
use crate::verdict::kit::{Kit, NEW, OLD, old_is_up};

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

/// A client's connection that ends at a TLS listener stands for the other one, which has the port.
#[test]
fn clients_of_a_tls_listener_fill_a_pool_with_connections_of_the_balancers_own() {
    let mut kit = Kit::new();
    for (port, state) in [
        (40001, "closed"),
        (40002, "established"),
        (40003, "established"),
    ] {
        let flow = kit.connect("one", port, "front/a", "web1");
        kit.flow(flow).state = state.into();
    }
    kit.evidence.pairs.push(Pair {
        via: "front/a".into(),
        port: 80,
        protocol: "TLS".into(),
        target: "web1".into(),
        target_address: "10.0.1.10:80".into(),
        ..Pair::default()
    });
    let x = kit.connect("x", 40004, "front/a", "web1");
    kit.flow(x).opened = f64::MAX;
    kit.up(x, "S", 1, 0, 0);
    kit.up(x, "S", 1, 0, 0);
    kit.dropped("port-allocation");
    let told = |kit: &Kit| the(kit, "port-exhaustion").summary;
    let summary = told(&kit);
    assert!(
        summary.contains("front/a had 2 connections to web1 (10.0.1.10:80) and 1 port at rest"),
        "{summary}"
    );
    kit.evidence.pairs[0].protocol = "TCP".into();
    assert!(!told(&kit).contains("When the first"), "{}", told(&kit));
}

#[test]
fn ports_at_rest_fill_a_pool_as_well() {
    let mut kit = Kit::new();
    let flows = [
        (40001, 1024, "closed"),
        (40002, 1025, "closed"),
        (40003, 1024, "established"),
    ];
    for (port, seen, state) in flows {
        let flow = kit.connect("one", port, "front/a", "web1");
        let flow = kit.flow(flow);
        flow.seen_as = format!("10.0.1.5:{seen}");
        flow.state = state.into();
    }
    let x = kit.connect("x", 40004, "front/a", "web1");
    kit.up(x, "S", 1, 0, 0);
    kit.up(x, "S", 1, 0, 0);
    kit.dropped("port-allocation");
    let summary = the(&kit, "port-exhaustion").summary;
    let told = "When the first was dropped, 10.0.1.5 had 1 connection to web1 (10.0.1.10:80) and 1 port at rest after \
                connections that were over.";
    assert!(summary.ends_with(told), "{summary}");
}
