//! What hosts do by themselves: kernels, programs, and hosts that are gone.

use super::{shown, talking};
use crate::verdict::Finding;
use crate::verdict::findings::{icmp_rate_limit, self_connect, vanished_peer};
use crate::verdict::kit::{Kit, OLD};

/// What is found of a kind.
fn told(kit: &Kit, kind: &str) -> Option<Finding> {
    shown(kit).into_iter().find(|finding| finding.kind == kind)
}

/// A client says the same again and again to a host without a link; or its kernel has given up.
pub(super) fn cut_off(happened: bool) -> Kit {
    let (mut kit, talk) = talking();
    for wait in [0.0, 206.0, 212.0, 436.0] {
        kit.now += wait;
        kit.up(talk, "P.", OLD.client + 65, OLD.server + 65, 64);
        kit.dropped("link-down");
    }
    if !happened {
        kit.of(talk).client_state = String::new();
        kit.of(talk).ended = "timeout".into();
        kit.of(talk).server_state = String::new();
    }
    kit
}

#[test]
fn who_says_the_same_to_nobody_is_told_how_often_and_how_long() {
    let kit = cut_off(true);
    let found = told(&kit, vanished_peer::KIND).expect("the finding");
    assert_eq!(
        found.summary,
        "The link of web1 is down, and nobody says so: no FIN, no RST, no ICMP. client sent what it has to say over \"talk\" 4 \
         times in 854.3 ms, none of it arrived, and its kernel has not given up."
    );
    assert_eq!(found.packets, [7, 8, 9, 10]);
}

#[test]
fn a_server_says_the_same_to_a_client_that_is_gone() {
    let (mut kit, talk) = talking();
    for _ in 0..3 {
        kit.now += 200.0;
        kit.down(talk, "P.", OLD.server + 65, OLD.client + 65, 64);
        kit.dropped("link-down");
    }
    let found = told(&kit, vanished_peer::KIND).expect("the finding");
    assert!(
        found.summary.starts_with("The link of client is down"),
        "{}",
        found.summary
    );
}

#[test]
fn one_loss_another_loss_and_an_answer_are_no_vanished_peer() {
    let mut once = talking().0;
    once.up(0, "P.", OLD.client + 65, OLD.server + 65, 64);
    once.dropped("link-down");
    // Two segments, each lost once: nothing was said again.
    once.up(0, "P.", OLD.client + 129, OLD.server + 65, 64);
    once.dropped("link-down");
    let mut by_a_rule = talking().0;
    let mut healed = cut_off(true);
    healed.up(0, "P.", OLD.client + 65, OLD.server + 65, 64);
    healed.down(0, ".", OLD.server + 65, OLD.client + 129, 0);
    let mut idle = talking().0;
    for _ in 0..3 {
        by_a_rule.up(0, "P.", OLD.client + 65, OLD.server + 65, 64);
        by_a_rule.dropped("drop-rule");
        idle.up(0, ".", OLD.client + 64, OLD.server + 65, 0);
        idle.dropped("link-down");
    }
    for kit in [once, by_a_rule, healed, idle] {
        assert!(told(&kit, vanished_peer::KIND).is_none());
    }
}

/// A client's port is the port that it dialled on itself; or another one.
pub(super) fn both_ends(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let probe = kit.connect_from("client", "probe", 40010, "client", "client");
    let port = if happened { 40010 } else { 40011 };
    kit.of(probe).remote = format!("198.51.100.7:{port}");
    kit
}

#[test]
fn a_connection_to_itself_is_told_with_its_port() {
    let mut kit = both_ends(true);
    let found = told(&kit, self_connect::KIND).expect("the finding");
    assert!(
        found.summary.starts_with(
            "\"probe\" leads to itself: the kernel of client took the port that was dialled for the source port too \
             (198.51.100.7:40010)"
        ),
        "{}",
        found.summary
    );
    kit.of(0).error = "refused".into();
    assert!(told(&kit, self_connect::KIND).is_none());
    // A datagram to oneself needs no other end.
    let mut datagram = both_ends(true);
    datagram.of(0).protocol = "udp".into();
    assert!(told(&datagram, self_connect::KIND).is_none());
}

/// Datagrams come to a port without a program, and the kernel tells one sender in three; or each.
pub(super) fn kept_back(happened: bool) -> Kit {
    let mut kit = Kit::new();
    for port in 40001..=40003 {
        let probe = kit.connect("probe", port, "web1", "web1");
        kit.of(probe).protocol = "udp".into();
        kit.of(probe).server_state = String::new();
        kit.of(probe).client_state = String::new();
        let sent = kit.up(probe, "", 0, 0, 64);
        kit.evidence.packets[sent].protocol = "udp".into();
    }
    let kept = if happened { 2 } else { 0 };
    kit.counter("web1", "UdpNoPorts", 3);
    kit.counter("web1", "IcmpOutDestUnreachs", 3 - kept);
    kit.counter("web1", "IcmpOutRateLimitHost", kept);
    kit
}

#[test]
fn messages_that_were_kept_back_are_told_with_those_that_were_not() {
    let found = told(&kept_back(true), icmp_rate_limit::KIND).expect("the finding");
    assert_eq!(
        found.summary,
        "web1 has no program at the port of 3 datagrams, told 1 of their senders so (ICMP, port unreachable), and kept 2 \
         messages to itself: the others waited for an answer, or for an error, and got neither."
    );
    assert_eq!(found.connections, [0, 1, 2]);
}

#[test]
fn messages_of_another_kind_that_were_kept_back_are_not_told() {
    let mut kit = kept_back(true);
    kit.counter("web1", "UdpNoPorts", 0);
    assert!(told(&kit, icmp_rate_limit::KIND).is_none());
}
