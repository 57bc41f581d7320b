//! Two connections that are one 4-tuple to the target, and those that are not.

use super::{closed_by_the_target, kinds, the};
use crate::evidence::HostEvidence;
use crate::verdict::findings::CITED;
use crate::verdict::kit::{Kit, NEW, OLD, flagship, old_is_up};

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

/// Two nodes pass a client's port on to one pod; or to a pod each.
fn by_nodes(pods: [&str; 2]) -> Kit {
    let mut kit = Kit::new();
    for (name, address) in [
        ("n1", "10.0.1.20"),
        ("n2", "10.0.2.20"),
        ("pod", "10.0.2.21"),
    ] {
        let host = HostEvidence {
            address: address.into(),
            ..HostEvidence::default()
        };
        kit.evidence.hosts.insert(name.into(), host);
    }
    let pass_on = |kit: &mut Kit, syn: usize, node: &str, pod: &str| {
        let before = kit.evidence.packets[syn].clone();
        let client = before.from_after.clone();
        let onward = kit.apart(before.t, (node, &client), ("n2", pod), "S");
        (onward.follows, onward.id, onward.seq) = (Some(before.id), 1000 + before.id, before.seq);
    };
    let old = kit.connect("old", 40000, "n1", "n1");
    kit.of(old).server = "pod".into();
    kit.handshake(old, OLD);
    pass_on(&mut kit, 0, "n1", pods[0]);
    kit.now = 20.0;
    let new = kit.connect("new", 40000, "n2", "n2");
    kit.of(new).server = "pod".into();
    let syn = kit.up(new, "S", NEW.client, 0, 0);
    pass_on(&mut kit, syn, "n2", pods[1]);
    if pods[0] == pods[1] {
        kit.down(new, ".", OLD.server + 1, OLD.client + 1, 0);
        kit.up(new, "R", OLD.client + 1, 0, 0);
        kit.now += 8.0;
        kit.up(new, "S", NEW.client, 0, 0);
        kit.of(new).syns = 2;
    }
    kit.down(new, "S.", NEW.server, NEW.client + 1, 0);
    kit.up(new, ".", NEW.client + 1, NEW.server + 1, 0);
    kit
}

#[test]
fn two_nodes_that_keep_a_clients_port_are_told_with_the_pod() {
    let kit = by_nodes(["10.0.2.21:80"; 2]);
    let collision = the(&kit, "flow-collision");
    assert!(
        collision.summary.starts_with(
            "To pod, \"old\" (by n1) and \"new\" (by n2) are one and the same 4-tuple, 198.51.100.7:40000 -> 10.0.2.21:80. n1 and \
             n2 both keep the client's address and port on the way to it, and neither knows of the other's connections."
        ),
        "{}",
        collision.summary
    );
    assert_eq!(collision.connections, [0, 1]);
    assert!(kinds(&kit).iter().any(|kind| kind == "stale-connection"));
    assert_eq!(kinds(&by_nodes(["10.0.2.21:80", "10.0.2.22:80"])), [""; 0]);
}
