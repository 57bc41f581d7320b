//! What hosts do by themselves: kernels, programs, and hosts that are gone.

use super::{shown, talking};
use crate::evidence::{Conntrack, HostEvidence, StepResult};
use crate::verdict::Finding;
use crate::verdict::findings::{
    asymmetric_path, delayed_ack, icmp_rate_limit, ignored_reset, self_connect, unread_close,
    vanished_peer, zero_window,
};
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
fn a_host_without_power_is_told_from_one_without_a_link() {
    let head = |faults: &[(f64, &str)]| {
        let mut kit = cut_off(true);
        for (at, label) in faults {
            kit.evidence.steps.push(StepResult {
                at: *at,
                label: (*label).into(),
                ..StepResult::default()
            });
        }
        let found = told(&kit, vanished_peer::KIND).expect("the finding");
        let (head, _) = found.summary.split_once(',').expect("two halves");
        head.to_owned()
    };
    assert_eq!(head(&[(1.0, "power off web1")]), "The power of web1 is off");
    let others = [
        &[(1.0, "power off web")][..],
        &[(1.0, "power off web1-2")],
        &[(1.0, "power off client")],
        &[(1.0, "link down web1")],
        &[(1.0, "power off web1"), (2.0, "link down web1")],
        &[(9e9, "power off web1")],
    ];
    for faults in others {
        assert_eq!(head(faults), "The link of web1 is down", "{faults:?}");
    }
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
    // The other end is heard again.
    let mut heard = cut_off(true);
    heard.down(0, "P.", OLD.server + 65, OLD.client + 65, 64);
    let mut idle = talking().0;
    for _ in 0..3 {
        by_a_rule.up(0, "P.", OLD.client + 65, OLD.server + 65, 64);
        by_a_rule.dropped("drop-rule");
        idle.up(0, ".", OLD.client + 64, OLD.server + 65, 0);
        idle.dropped("link-down");
    }
    for kit in [once, by_a_rule, healed, heard, idle] {
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
    // Answers to questions of its own, which came when nobody waited any more.
    let mut late = kept_back(true);
    for connection in &mut late.evidence.connections {
        connection.target = "web2".into();
    }
    assert!(told(&late, icmp_rate_limit::KIND).is_none());
}

/// Each request in two pieces, the second behind an acknowledgement that takes its time; or behind one that comes at once.
pub(super) fn held_back(happened: bool) -> Kit {
    let (mut kit, talk) = talking();
    for turn in 0..4 {
        let (asked, told) = (OLD.client + 65 + 128 * turn, OLD.server + 65 + 128 * turn);
        kit.up(talk, "P.", asked, told, 64);
        kit.now += if happened { 41.0 } else { 1.0 };
        kit.down(talk, ".", told, asked + 64, 0);
        kit.up(talk, "P.", asked + 64, told, 64);
        kit.down(talk, "P.", told, asked + 128, 128);
    }
    kit
}

#[test]
fn waits_for_an_acknowledgement_are_told_with_their_number_and_sum() {
    let found = told(&held_back(true), delayed_ack::KIND).expect("the finding");
    assert_eq!(
        found.summary,
        "4 times over \"talk\", client held a small segment back until the one before it was acknowledged (Nagle's algorithm), \
         and web1 waited 41.1 ms or more before it did, for an answer that could carry it (delayed ACK): 164.4 ms in all."
    );
}

#[test]
fn a_program_that_takes_its_time_is_no_delayed_ack() {
    let (mut kit, talk) = talking();
    for turn in 0..4 {
        let asked = OLD.client + 65 + 64 * turn;
        kit.up(talk, "P.", asked, OLD.server + 65, 64);
        kit.now += 41.0;
        kit.down(talk, ".", OLD.server + 65, asked + 64, 0);
        kit.now += 9.0;
    }
    assert!(told(&kit, delayed_ack::KIND).is_none());
    // A stream of small pieces is held back as well, and nobody waits.
    let mut stream = held_back(true);
    let packets = &mut stream.evidence.packets;
    packets.retain(|packet| packet.sender == "client" || packet.len == 0);
    assert!(told(&stream, delayed_ack::KIND).is_none());
    // Who writes on later, and is answered then, was not held back.
    let (mut later, talk) = talking();
    for turn in 0..4 {
        let (asked, told) = (OLD.client + 65 + 128 * turn, OLD.server + 65 + 128 * turn);
        later.up(talk, "P.", asked, told, 64);
        later.now += 41.0;
        later.down(talk, ".", told, asked + 64, 0);
        later.now += 9.0;
        later.up(talk, "P.", asked + 64, told, 64);
        later.down(talk, "P.", told, asked + 128, 128);
    }
    assert!(told(&later, delayed_ack::KIND).is_none());
    // Twice is chance.
    let mut twice = held_back(true);
    twice.evidence.packets.truncate(7 + 8);
    assert!(told(&twice, delayed_ack::KIND).is_none());
}

/// A RST with a number that is 100 off; or with the very one.
pub(super) fn not_believed(happened: bool) -> Kit {
    let (mut kit, talk) = talking();
    if happened {
        kit.down(talk, "R", OLD.server + 165, 0, 0);
        kit.up(talk, ".", OLD.client + 65, OLD.server + 65, 0);
        kit.counter("client", "TcpExtTCPChallengeACK", 1);
    } else {
        kit.down(talk, "R", OLD.server + 65, 0, 0);
        kit.of(talk).client_state = String::new();
        kit.of(talk).server_state = String::new();
    }
    kit
}

/// A program does not read, its window closes, and the client asks whether it still is; or it asks the same way whether anybody is
/// there (keepalive).
pub(super) fn unread(happened: bool) -> Kit {
    let (mut kit, talk) = talking();
    kit.up(talk, "P.", OLD.client + 65, OLD.server + 65, 1448);
    for _ in 0..2 {
        let answer = kit.down(talk, ".", OLD.server + 65, OLD.client + 1513, 0);
        if happened {
            kit.evidence.packets[answer].window = 0;
        }
        kit.now += 200.0;
        kit.up(talk, ".", OLD.client + 1512, OLD.server + 65, 0);
    }
    kit
}

#[test]
fn a_closed_window_is_told_with_its_probes_and_when_it_opened() {
    let mut kit = unread(true);
    let found = told(&kit, zero_window::KIND).expect("the finding");
    assert_eq!(
        found.summary,
        "web1 closed its window on \"talk\" (win 0): its kernel is full of what its program does not read. client has more to say \
         and asked 2 times whether it is still closed (window probes), and web1 has not opened it again: the last question came after 400.3 ms."
    );
    kit.down(0, ".", OLD.server + 65, OLD.client + 1513, 0);
    let found = told(&kit, zero_window::KIND).expect("the finding");
    assert!(
        found
            .summary
            .contains("(window probes), until web1 opened it again after 400."),
        "{}",
        found.summary
    );
    assert_eq!(found.packets.len(), 4);
}

#[test]
fn a_window_that_opens_before_anybody_asks_is_no_stall() {
    let (mut kit, talk) = talking();
    kit.up(talk, "P.", OLD.client + 65, OLD.server + 65, 1448);
    let answer = kit.down(talk, ".", OLD.server + 65, OLD.client + 1513, 0);
    kit.evidence.packets[answer].window = 0;
    kit.down(talk, ".", OLD.server + 65, OLD.client + 1513, 0);
    kit.now += 200.0;
    kit.up(talk, ".", OLD.client + 1512, OLD.server + 65, 0);
    assert!(told(&kit, zero_window::KIND).is_none());
    // Nor is one whose news were lost.
    let (mut kit, talk) = talking();
    kit.up(talk, "P.", OLD.client + 65, OLD.server + 65, 1448);
    let answer = kit.down(talk, ".", OLD.server + 65, OLD.client + 1513, 0);
    kit.evidence.packets[answer].window = 0;
    kit.dropped("link-loss");
    kit.now += 200.0;
    kit.up(talk, ".", OLD.client + 1512, OLD.server + 65, 0);
    assert!(told(&kit, zero_window::KIND).is_none());
}

#[test]
fn a_rst_that_is_not_believed_is_told_with_its_distance() {
    let mut kit = not_believed(true);
    for counter in ["TcpExtTCPChallengeACK", "TcpEstabResets"] {
        kit.counter("client", counter, 1);
    }
    let found = told(&kit, ignored_reset::KIND).expect("the finding");
    // Of resets that were believed, so of another connection.
    let counters: Vec<&str> = found.counters.iter().map(|one| one.1.as_str()).collect();
    assert_eq!(counters, ["TcpExtTCPChallengeACK"]);
    assert!(
        found.summary.starts_with(
            "client did not believe a RST to \"talk\": its number was 100 off the one that was expected next. It was inside the \
             window"
        ),
        "{}",
        found.summary
    );
    assert_eq!(found.packets, [7, 8]);
    let (mut kit, talk) = talking();
    kit.down(talk, "R", OLD.server + 65 + 1_000_000_000, 0, 0);
    let found = told(&kit, ignored_reset::KIND).expect("the finding");
    assert!(
        found.summary.contains("number was 1000000000 off")
            && found.summary.contains("dropped without an answer"),
        "{}",
        found.summary
    );
}

#[test]
fn a_rst_that_is_lost_or_comes_to_a_closed_socket_is_not_ignored() {
    let (mut lost, talk) = talking();
    lost.down(talk, "R", OLD.server + 165, 0, 0);
    lost.dropped("link-loss");
    let mut closing = not_believed(true);
    closing.of(0).client_state = "FIN_WAIT2".into();
    for kit in [lost, closing] {
        assert!(told(&kit, ignored_reset::KIND).is_none());
    }
}

/// A server answers half of what it has to say, and resets with a request unread; or closes in order and resets what comes later.
pub(super) fn closed_unread(happened: bool) -> Kit {
    let (mut kit, talk) = talking();
    kit.up(talk, "P.", OLD.client + 65, OLD.server + 65, 1448);
    kit.down(talk, "P.", OLD.server + 65, OLD.client + 1513, 1000);
    if happened {
        kit.down(talk, "R.", OLD.server + 1065, OLD.client + 1513, 0);
    } else {
        kit.down(talk, "F.", OLD.server + 1065, OLD.client + 1513, 0);
        kit.up(talk, "P.", OLD.client + 1513, OLD.server + 1065, 64);
        kit.down(talk, "R", OLD.server + 1066, 0, 0);
    }
    kit.counter("web1", "TcpExtTCPAbortOnClose", 1);
    kit.of(talk).client_state = String::new();
    kit.of(talk).server_state = String::new();
    kit
}

#[test]
fn a_close_with_something_unread_is_told_with_what_was_sent() {
    let mut kit = closed_unread(true);
    let found = told(&kit, unread_close::KIND).expect("the finding");
    assert!(
        found
            .summary
            .contains("its kernel sent RST instead of FIN. web1 had sent 1064 bytes over \"talk\""),
        "{}",
        found.summary
    );
    assert_eq!(found.packets, [9]);
    // A program that wanted a reset is not counted there.
    kit.counter("web1", "TcpExtTCPAbortOnClose", 0);
    assert!(told(&kit, unread_close::KIND).is_none());
}

#[test]
fn a_reset_with_nothing_unread_or_without_an_ack_is_no_unread_close() {
    let mut unheard = Kit::new();
    let visit = unheard.connect("visit", 40001, "front/a", "web1");
    unheard.handshake(visit, OLD);
    unheard.down(visit, "R.", OLD.server + 1, OLD.client + 1, 0);
    unheard.counter("web1", "TcpExtTCPAbortOnClose", 1);
    assert!(told(&unheard, unread_close::KIND).is_none());
    let mut bare = closed_unread(true);
    bare.evidence.packets[9].flags = "R".into();
    assert!(told(&bare, unread_close::KIND).is_none());
}

#[test]
fn a_client_that_resets_is_no_unread_close_of_the_server() {
    let (mut kit, talk) = talking();
    kit.up(talk, "R.", OLD.client + 65, OLD.server + 65, 0);
    kit.counter("web1", "TcpExtTCPAbortOnClose", 1);
    assert!(told(&kit, unread_close::KIND).is_none());
}

/// A firewall on the client's segment has what the client says, and not the answers; or these as well.
pub(super) fn one_direction(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let (client, web) = ("198.51.100.7:40001", "10.0.1.10:80");
    let visit = kit.connect("visit", 40001, "web1", "web1");
    kit.of(visit).remote = web.into();
    let address = "192.168.1.2".to_owned();
    let conntrack = Conntrack {
        counters: [("invalid".to_owned(), 2)].into(),
        ..Conntrack::default()
    };
    let firewall = HostEvidence {
        address,
        conntrack,
        ..HostEvidence::default()
    };
    kit.evidence.hosts.insert("firewall".into(), firewall);
    let mut see = |t: f64, sender: &str, receiver: &str, answer: bool, flags: &str| {
        let (from, to) = if answer { (web, client) } else { (client, web) };
        let packet = kit.apart(t, (sender, from), (receiver, to), flags);
        packet.seen_at = "router veth1".into();
        packet.fate = "seen".into();
    };
    see(1.0, "client", "firewall", false, "S");
    see(1.1, "firewall", "router", false, "S");
    if happened {
        see(1.2, "router", "client", true, "S.");
    } else {
        see(1.2, "router", "firewall", true, "S.");
        see(1.3, "firewall", "client", true, "S.");
    }
    see(1.4, "client", "firewall", false, ".");
    see(1.5, "client", "firewall", false, "P.");
    kit
}

#[test]
fn half_of_a_conversation_is_told_with_what_was_invalid() {
    let found = told(&one_direction(true), asymmetric_path::KIND).expect("the finding");
    assert_eq!(
        found.summary,
        "firewall sees one direction of \"visit\" only: what client says goes through it, and the answers take another way. Its \
         connection tracking called 2 packets invalid, and 2 packets did not come out again."
    );
    assert_eq!(found.packets, [3, 4]);
}

#[test]
fn a_filter_that_calls_nothing_invalid_or_passes_it_on_is_no_obstacle() {
    let mut without = one_direction(true);
    let firewall = without.evidence.hosts.get_mut("firewall");
    firewall.expect("a host").conntrack.counters.clear();
    let mut passed = one_direction(true);
    for at in [3, 4] {
        let mut packet = passed.evidence.packets[at].clone();
        packet.t += 0.05;
        (packet.sender, packet.receiver) = ("firewall".into(), "router".into());
        passed.evidence.packets.push(packet);
    }
    // One that was refused from the beginning: there is no way back at all.
    let mut refused = one_direction(true);
    refused.evidence.packets.truncate(1);
    // And one that nobody answered.
    let mut unanswered = one_direction(true);
    unanswered.evidence.packets.remove(2);
    for kit in [without, passed, refused, unanswered] {
        assert!(told(&kit, asymmetric_path::KIND).is_none());
    }
}
