//! PROXY protocol headers: unread, unexpected, awaited.

use crate::verdict::findings::recognise;
use crate::verdict::findings::stories::behind_a_header;
use crate::verdict::kit::{Kit, OLD};

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
fn a_connection_that_was_for_a_balancer_and_did_not_pass_it_is_told_as_that() {
    let mut kit = Kit::new();
    let visit = kit.connect("visit", 40000, "front/a", "web1");
    kit.handshake(visit, OLD);
    kit.exchange(visit, OLD);
    kit.of(visit).header = "broken".into();
    let client = kit.of(visit).seen_as.clone();
    let web = kit.evidence.hosts.get_mut("web1").expect("a host");
    web.broken_headers.push(client);
    let past = "never came to front";
    assert!(!recognise(&kit.evidence)[0].summary.contains(past));
    kit.of(visit).flow = None;
    assert!(recognise(&kit.evidence)[0].summary.contains(past));
    kit.of(visit).remote = "10.0.1.10:80".into();
    assert!(!recognise(&kit.evidence)[0].summary.contains(past));
}

/// A connection on which nobody has said anything, to a server that greets once it has its header.
fn unspoken() -> (Kit, usize) {
    let mut kit = Kit::new();
    let visit = kit.connect("visit", 40000, "front/a", "web1");
    kit.handshake(visit, OLD);
    let connection = kit.of(visit);
    (connection.header, connection.speaks_first) = ("awaited".into(), true);
    (kit, visit)
}

fn kinds(kit: &Kit) -> Vec<String> {
    let found = recognise(&kit.evidence).into_iter();
    found.map(|finding| finding.kind).collect()
}

const STALL: [&str; 1] = ["proxy-protocol-stall"];

#[test]
fn a_server_that_waits_for_a_header_and_a_client_that_waits_for_it_stall() {
    let (kit, _) = unspoken();
    assert_eq!(kinds(&kit), STALL);
    let found = &recognise(&kit.evidence)[0];
    assert_eq!(found.packets, [1], "the SYN-ACK, after which nothing came");
    assert_eq!(
        found.summary,
        "\"visit\" stood and nobody spoke for 2.10 s: web1 reads a PROXY protocol header before it says anything, and the \
         balancer has sent none, for the client has said nothing yet."
    );
    for header in ["read", "not-expected", "broken", ""] {
        let (mut kit, visit) = unspoken();
        kit.of(visit).header = header.into();
        assert_eq!(kinds(&kit), [""; 0], "{header}");
    }
    let (mut kit, visit) = unspoken();
    kit.of(visit).speaks_first = false;
    assert_eq!(kinds(&kit), [""; 0], "it waits for its clients anyway");
    let (mut kit, visit) = unspoken();
    kit.of(visit).flow = None;
    assert_eq!(kinds(&kit), [""; 0], "no balancer is to send a header");
}

#[test]
fn who_has_spoken_or_has_only_just_come_does_not_stall() {
    let (mut kit, visit) = unspoken();
    kit.up(visit, "P.", OLD.client + 1, OLD.server + 1, 10);
    assert_eq!(kinds(&kit), [""; 0], "packets say so");
    let (mut kit, visit) = unspoken();
    kit.of(visit).sent = 10;
    assert_eq!(kinds(&kit), [""; 0], "the client's socket does");
    for (after, expected) in [(99.0, &[][..]), (101.0, &STALL[..])] {
        let (mut kit, visit) = unspoken();
        kit.now += after;
        kit.up(visit, "F.", OLD.client + 1, OLD.server + 1, 0);
        assert_eq!(kinds(&kit), expected, "the client left after {after} ms");
    }
    let (mut kit, _) = unspoken();
    kit.evidence.seconds = 0.05;
    assert_eq!(kinds(&kit), [""; 0], "the record ends too soon");
}
