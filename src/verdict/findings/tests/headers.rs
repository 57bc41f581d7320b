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

#[test]
fn a_server_that_waits_for_a_header_and_a_client_that_waits_for_it_stall() {
    let mut kit = Kit::new();
    let visit = kit.connect("visit", 40000, "front/a", "web1");
    kit.handshake(visit, OLD);
    kit.in_vain("receive over visit");
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
    // Nobody wants to hear anything.
    kit.of(visit).header = "awaited".into();
    kit.evidence.steps.pop();
    assert_eq!(recognise(&kit.evidence), []);
}
