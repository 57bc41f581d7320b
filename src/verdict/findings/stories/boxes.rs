//! What boxes on the way do to connections that go through them.

use super::shown;
use crate::evidence::{Detail, ServiceEndpoint, Socket, StepResult, TcpInfo};
use crate::verdict::Finding;
use crate::verdict::findings::{moved_flow, window_scale_mismatch};
use crate::verdict::kit::{Kit, OLD};

const CLIENT: &str = "198.51.100.7:40001";
const SERVICE: &str = "203.0.113.80:80";

fn told(kit: &Kit, kind: &str) -> Option<Finding> {
    let mut found = shown(kit).into_iter();
    found.find(|finding| finding.kind == kind)
}

/// web1 comes to a service, or is taken out of it.
pub(in crate::verdict::findings) fn endpoint(kit: &mut Kit, at: f64, there: bool) {
    kit.evidence.steps.push(StepResult {
        name: format!("step {}", kit.evidence.steps.len() + 1),
        ok: true,
        at,
        detail: Detail::Endpoints {
            there,
            endpoints: vec![ServiceEndpoint {
                service: "default/shop".into(),
                cluster: "172.20.0.100:80".into(),
                endpoint: "10.0.1.10:80".into(),
            }],
            cleared: 0,
        },
        ..StepResult::default()
    });
}

/// web2 answers under the address of web1, which is in the service no more; or still.
pub(super) fn inherited(happened: bool) -> Kit {
    let mut kit = Kit::new();
    endpoint(&mut kit, 0.0, !happened);
    kit.now = 600.0;
    let x = kit.connect("x", 40001, "web1", "web1");
    let own = kit.of(x);
    own.remote = "172.20.0.100:80".into();
    own.target = "web2".into();
    kit.handshake(x, OLD);
    kit
}

/// A connection's handshake with web1, behind a router that spreads.
fn spread() -> Kit {
    let mut kit = Kit::new();
    let visit = kit.connect("visit", 40001, SERVICE, "web1");
    let own = kit.of(visit);
    (own.remote, own.flow) = (SERVICE.into(), None);
    own.target.clear();
    own.seen_as.clear();
    own.target_address.clear();
    for (t, sender, receiver, flags) in [
        (1.0, "client", "web1", "S"),
        (1.1, "web1", "client", "S."),
        (1.2, "client", "web1", "."),
    ] {
        said(&mut kit, t, (sender, receiver), flags, (0, 0));
    }
    kit
}

fn said(
    kit: &mut Kit,
    t: f64,
    (sender, receiver): (&str, &str),
    flags: &str,
    (seq, ack): (i64, i64),
) {
    let (from, to) = match sender {
        "client" => (CLIENT, SERVICE),
        _ => (SERVICE, CLIENT),
    };
    let packet = kit.apart(t, (sender, from), (receiver, to), flags);
    (packet.seq, packet.ack) = (seq, ack);
}

/// What the client says comes to a server that resets it, and which is not the one that answered its SYN; or the same.
pub(in crate::verdict::findings) fn elsewhere(happened: bool) -> Kit {
    let mut kit = spread();
    let server = if happened { "web2" } else { "web1" };
    said(
        &mut kit,
        200.0,
        ("client", server),
        "P.",
        (OLD.client + 1, OLD.server + 1),
    );
    said(
        &mut kit,
        200.1,
        (server, "client"),
        "R",
        (OLD.server + 1, 0),
    );
    // Another client, which web1 serves still.
    let other = kit.connect("other", 40002, "web1", "web1");
    kit.now = 300.0;
    kit.handshake(other, OLD);
    kit
}

/// The client's SYN comes to web1, and when it is sent again to web2, which resets what answers web1; or to web1 again.
pub(in crate::verdict::findings) fn opened_twice(happened: bool) -> Kit {
    let mut kit = spread();
    kit.evidence.packets.truncate(1);
    kit.evidence.packets[0].seq = OLD.client;
    let then = if happened { "web2" } else { "web1" };
    let to_web1 = (OLD.client + 1, OLD.server + 1);
    said(&mut kit, 1001.0, ("client", then), "S", (OLD.client, 0));
    said(
        &mut kit,
        1100.0,
        ("web1", "client"),
        "S.",
        (OLD.server, OLD.client + 1),
    );
    said(&mut kit, 1100.1, ("client", then), ".", to_web1);
    if happened {
        said(
            &mut kit,
            1100.2,
            ("web2", "client"),
            "R",
            (OLD.server + 1, 0),
        );
    }
    kit
}

#[test]
fn a_flow_that_moved_is_told_with_both_servers() {
    let found = told(&elsewhere(true), moved_flow::KIND).expect("the finding");
    assert_eq!(
        found.summary,
        "1 connection (\"visit\") went to another server in the middle, and the one before is in service still: web2 never heard \
         of it and reset what came. web1 had 1 of them. Of \"visit\" the SYN was answered by web1, and 198.9 ms later a segment \
         came to web2."
    );
    assert_eq!(found.packets, [1, 3, 4]);
}

#[test]
fn who_gets_a_segment_and_does_not_reset_that_very_one_is_not_accused() {
    let mut kept = elsewhere(true);
    kept.evidence.packets.remove(4);
    // Nobody is served by web1 any more.
    let mut left = elsewhere(true);
    left.evidence.packets.truncate(5);
    let mut another = elsewhere(true);
    another.evidence.packets[4].seq += 1;
    let mut proxied = elsewhere(true);
    proxied.evidence.connections[0].proxied = true;
    for kit in [kept, left, another, proxied] {
        assert!(told(&kit, moved_flow::KIND).is_none());
    }
}

/// The client shifts windows by `shifts` bits, and its server tells of them in units of 128.
fn scaled(shifts: i64) -> Kit {
    let mut kit = Kit::new();
    let mail = kit.connect("mail", 40001, "web1", "web1");
    kit.handshake(mail, OLD);
    kit.exchange(mail, OLD);
    let own = kit.of(mail).clone();
    let info = |send_scale, receive_scale, bytes_not_sent| TcpInfo {
        send_scale,
        receive_scale,
        bytes_not_sent,
        ..TcpInfo::default()
    };
    for (host, local, remote, info, send_queue) in [
        (
            &own.from,
            &own.local,
            &own.remote,
            info(shifts, 7, 44_870),
            45_270,
        ),
        (
            &own.target,
            &own.target_address,
            &own.seen_as,
            info(7, 7, 0),
            0,
        ),
    ] {
        let host = kit.evidence.hosts.get_mut(host.as_str()).expect("a host");
        host.sockets.push(Socket {
            state: "ESTABLISHED".into(),
            local: local.clone(),
            remote: remote.clone(),
            send_queue,
            tcp_info: Some(info),
            ..Socket::default()
        });
    }
    kit
}

/// The client counts in bytes what its server tells of in units of 128; or both count in units.
pub(super) fn in_units(happened: bool) -> Kit {
    scaled(if happened { 0 } else { 7 })
}

#[test]
fn a_window_in_other_units_is_told_with_how_much_waits() {
    let found = told(&in_units(true), window_scale_mismatch::KIND).expect("the finding");
    assert!(
        found.summary.starts_with(
            "On \"mail\", web1 tells of its window in units of 128 bytes, and client takes them for single bytes: something in \
             between changed the window scale option on its way. client sees a window that is 128 times too small. 44870 bytes \
             wait for it"
        ),
        "{}",
        found.summary
    );
}

#[test]
fn a_window_that_is_overstated_or_of_a_proxy_is_no_reason_to_wait() {
    let mut proxied = in_units(true);
    proxied.evidence.connections[0].proxied = true;
    let mut unknown = in_units(true);
    let web1 = unknown.evidence.hosts.get_mut("web1");
    web1.expect("a host").sockets[0].tcp_info = None;
    // Not acknowledged yet, but all of it is under way.
    let mut all_sent = in_units(true);
    let client = all_sent.evidence.hosts.get_mut("client");
    let info = client.expect("a host").sockets[0].tcp_info.as_mut();
    info.expect("it is known").bytes_not_sent = 0;
    for kit in [scaled(9), proxied, unknown, all_sent] {
        assert!(told(&kit, window_scale_mismatch::KIND).is_none());
    }
}
