//! What becomes of connections that stand, at targets and through names.

use super::{shown, talking};
use crate::evidence::{
    Answer, Detail, GroupEvidence, Interface, Load, Lookup, Packet, Request, StepResult,
    TargetEvidence, Transition,
};
use crate::verdict::Finding;
use crate::verdict::findings::{
    healthy_but_silent, keepalive_in_vain, outlives_draining, unshared_connections,
    zone_blind_answers,
};
use crate::verdict::kit::{Kit, OLD};

/// What is found of a kind.
fn told(kit: &Kit, kind: &str) -> Option<Finding> {
    shown(kit).into_iter().find(|finding| finding.kind == kind)
}

/// Keepalives cross an idle connection that the balancer closes; or the first would have come later.
pub(in super::super) fn kept_in_vain(happened: bool) -> Kit {
    let mut kit = idle();
    if happened {
        keepalive(&mut kit, 1000.0);
        keepalive(&mut kit, 2000.0);
    }
    close(&mut kit, 3000.0);
    kit
}

/// A connection to a proxy that has carried 64 bytes.
fn idle() -> Kit {
    let mut kit = Kit::new();
    let session = kit.proxied("session", 40001, "front/a", "web1");
    kit.handshake(session, OLD);
    kit.exchange(session, OLD);
    kit
}

fn keepalive(kit: &mut Kit, at: f64) {
    kit.now = at;
    kit.up(0, ".", OLD.client + 64, OLD.server + 65, 0);
    kit.down(0, ".", OLD.server + 65, OLD.client + 65, 0);
}

/// The balancer's idle timeout is over.
fn close(kit: &mut Kit, at: f64) {
    kit.now = at;
    let pair = &mut kit.evidence.pairs[0];
    (pair.target_closed, pair.closed) = (Some(at), Some(at));
    pair.why = "idle".into();
    kit.down(0, "F.", OLD.server + 65, OLD.client + 65, 0);
}

#[test]
fn keepalives_are_told_with_their_number_and_the_silence() {
    let mut kit = kept_in_vain(true);
    kit.evidence.time_scale = 20.0;
    let found = told(&kit, keepalive_in_vain::KIND).expect("the finding");
    assert_eq!(
        found.summary,
        "front/a closed \"session\", over which no byte had come for 3.00 s (60 s of the cloud's time). client had sent 2 \
         keepalives in that time, and the balancer's kernel acknowledged each: its program, which counts the time, hears of none."
    );
    assert_eq!(found.packets, [7, 8, 9, 10]);
}

#[test]
fn keepalives_before_the_last_byte_after_the_end_or_lost_are_not_in_vain() {
    let mut before = idle();
    keepalive(&mut before, 1000.0);
    before.up(0, "P.", OLD.client + 65, OLD.server + 65, 1);
    close(&mut before, 3000.0);
    let mut after = idle();
    close(&mut after, 3000.0);
    keepalive(&mut after, 3500.0);
    let mut lost = idle();
    lost.now = 1000.0;
    lost.up(0, ".", OLD.client + 64, OLD.server + 65, 0);
    lost.dropped("link-loss");
    close(&mut lost, 3000.0);
    let mut left = kept_in_vain(true);
    left.evidence.pairs[0].why = "client-reset".into();
    let mut an_ack = idle();
    an_ack.up(0, ".", OLD.client + 65, OLD.server + 65, 0);
    an_ack.down(0, ".", OLD.server + 65, OLD.client + 65, 0);
    close(&mut an_ack, 3000.0);
    for kit in [before, after, lost, left, an_ack] {
        assert!(told(&kit, keepalive_in_vain::KIND).is_none());
    }
}

/// A target that has been unused for a while answers; or one that still drains.
pub(in super::super) fn talked_on(happened: bool) -> Kit {
    let mut kit = deregistered("Target.NotRegistered");
    kit.now = if happened { 4000.0 } else { 2000.0 };
    said_more(&mut kit);
    kit
}

/// `web1` drains from 1000 ms on and is unused from 3000 on, for a reason.
fn deregistered(reason: &str) -> Kit {
    let (mut kit, _) = talking();
    let transition = |at, state: &str, reason: &str| Transition {
        at,
        state: state.into(),
        reason: reason.into(),
    };
    let target = TargetEvidence {
        state: "unused".into(),
        reason: reason.into(),
        transitions: vec![
            transition(-5.0, "healthy", ""),
            transition(1000.0, "draining", "Target.DeregistrationInProgress"),
            transition(3000.0, "unused", reason),
        ],
        ..TargetEvidence::default()
    };
    let group = GroupEvidence {
        targets: [("web1".to_owned(), target)].into(),
        ..GroupEvidence::default()
    };
    kit.evidence.target_groups.insert("web".into(), group);
    kit
}

fn said_more(kit: &mut Kit) {
    kit.up(0, "P.", OLD.client + 65, OLD.server + 65, 64);
    kit.down(0, "P.", OLD.server + 65, OLD.client + 129, 64);
}

#[test]
fn who_came_while_the_target_drained_is_told_as_well() {
    let mut kit = talked_on(true);
    let summary = |kit: &Kit| told(kit, outlives_draining::KIND).map(|found| found.summary);
    assert_eq!(
        summary(&kit).expect("the finding"),
        "web1 was deregistered from web and drained for 2.00 s. 1.00 s after that it still answered \"talk\": the balancer keeps \
         what connections have, and ends none."
    );
    kit.evidence.time_scale = 20.0;
    let scaled = summary(&kit).expect("the finding");
    assert!(
        scaled.contains(
            "drained for 2.00 s (40 s of the cloud's time). 1.00 s (20 s of the cloud's time) after that it"
        ),
        "{scaled}"
    );
    kit.now = 2000.0;
    kit.connect("late", 40002, "front/a", "web1");
    let summary = summary(&kit).expect("the finding");
    assert!(
        summary.ends_with(" 1 new connection came to it while it drained."),
        "{summary}"
    );
}

#[test]
fn an_answer_that_does_not_arrive_or_only_acknowledges_outlives_nothing() {
    let mut lost = talked_on(true);
    lost.dropped("link-loss");
    let mut acknowledged = deregistered("Target.NotRegistered");
    acknowledged.up(0, "P.", OLD.client + 65, OLD.server + 65, 64);
    acknowledged.down(0, ".", OLD.server + 65, OLD.client + 129, 0);
    let mut not_in_use = deregistered("Target.NotInUse");
    said_more(&mut not_in_use);
    for kit in [lost, acknowledged, not_in_use] {
        assert!(told(&kit, outlives_draining::KIND).is_none());
    }
}

/// A target that passes its checks says nothing; or one that nobody checks.
pub(in super::super) fn nothing_said(happened: bool) -> Kit {
    let (mut kit, ask) = asked();
    checked(&mut kit, if happened { 3 } else { 0 }, 0);
    gave_up(&mut kit, ask);
    kit
}

/// A request came to `web1`.
fn asked() -> (Kit, usize) {
    let mut kit = Kit::new();
    let ask = kit.connect("ask", 40000, "front/a", "web1");
    kit.handshake(ask, OLD);
    kit.now = 10.0;
    kit.up(ask, "P.", OLD.client + 1, OLD.server + 1, 64);
    kit.down(ask, ".", OLD.server + 1, OLD.client + 65, 0);
    (kit.of(ask).sent, kit.of(ask).delivered) = (64, 64);
    (kit, ask)
}

fn checked(kit: &mut Kit, checks: i64, failed_checks: i64) {
    let target = TargetEvidence {
        state: "healthy".into(),
        checks,
        failed_checks,
        ..TargetEvidence::default()
    };
    let group = GroupEvidence {
        targets: [("web1".to_owned(), target)].into(),
        ..GroupEvidence::default()
    };
    kit.evidence.target_groups.insert("web".into(), group);
}

/// The client waited for two seconds.
fn gave_up(kit: &mut Kit, connection: usize) {
    let received = kit.of(connection).received;
    kit.evidence.steps.push(StepResult {
        name: "answer".into(),
        error: "deadline".into(),
        at: 9.0,
        ms: 2000.0,
        detail: Detail::Transfer {
            sent: 64,
            received,
            unacked: 0,
            text: String::new(),
            text_cut: 0,
        },
        ..StepResult::default()
    });
}

#[test]
fn a_silent_target_is_told_beside_those_that_answer() {
    let mut kit = nothing_said(true);
    let other = kit.connect("other", 40001, "front/b", "web2");
    kit.of(other).received = 64;
    let found = told(&kit, healthy_but_silent::KIND).expect("the finding");
    assert_eq!(
        found.summary,
        "web1 took 1 connection and what was asked over it, and said nothing before its clients gave up. It is healthy: all of \
         its 3 health checks were passed, which ask for less. The group's other targets answered 1."
    );
    assert_eq!((found.connections, found.packets), (vec![0], vec![3]));
}

#[test]
fn a_target_that_failed_a_check_answered_once_or_lost_its_answer_is_not_silent() {
    let (mut failed, ask) = asked();
    checked(&mut failed, 3, 1);
    gave_up(&mut failed, ask);
    let mut answered = nothing_said(true);
    let other = answered.connect("other", 40001, "front/b", "web1");
    answered.of(other).received = 64;
    let (mut lost, ask) = asked();
    checked(&mut lost, 3, 0);
    lost.down(ask, "P.", OLD.server + 1, OLD.client + 65, 64);
    lost.dropped("link-loss");
    gave_up(&mut lost, ask);
    let (mut patient, _) = asked();
    checked(&mut patient, 3, 0);
    let mut unread = nothing_said(true);
    unread.of(0).delivered = 0;
    let mut later = nothing_said(true);
    later.evidence.steps[1].at = 500.0;
    for kit in [failed, answered, lost, patient, unread, later] {
        assert!(told(&kit, healthy_but_silent::KIND).is_none());
    }
}

/// Twenty connections stand at a target for requests that come one by one; or for twenty at a time.
pub(in super::super) fn one_for_each_client(happened: bool) -> Kit {
    passed_on(20, if happened { 10.0 } else { 0.0 })
}

/// Through a network balancer; a request on each, begun so long after the one before, ms.
fn passed_on(count: u16, apart: f64) -> Kit {
    let mut kit = Kit::new();
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    front.kind = "network".into();
    for port in 0..count {
        let one = kit.connect("curl", 40_000 + port, "front/a", "web1");
        kit.handshake(one, OLD);
        kit.of(one).received = 92;
    }
    answered(&mut kit, apart);
    kit
}

/// Every connection had an answer, each after 5 ms.
fn answered(kit: &mut Kit, apart: f64) {
    let connections: Vec<usize> = (0..kit.evidence.connections.len()).collect();
    let answer = |connection: &usize| Answer {
        connection: *connection,
        at: 100.0 + *connection as f64 * apart,
        ms: 5.0,
        status: 200,
    };
    let load = Load {
        answers: connections.iter().map(answer).collect(),
        connections,
        ..Load::default()
    };
    kit.evidence.steps.push(StepResult {
        name: "load".into(),
        ok: true,
        detail: Detail::Load(load),
        ..StepResult::default()
    });
}

#[test]
fn few_connections_closed_ones_and_proxies_share_enough() {
    let mut closed = passed_on(20, 10.0);
    closed.of(0).client_state = "TIME_WAIT".into();
    let mut proxy = passed_on(20, 10.0);
    let front = proxy.evidence.load_balancers.get_mut("front");
    front.expect("front").kind = "application".into();
    for kit in [passed_on(19, 10.0), closed, proxy, passed_on(20, 0.4)] {
        assert!(told(&kit, unshared_connections::KIND).is_none());
    }
    let found = told(&passed_on(30, 4.0), unshared_connections::KIND).expect("the finding");
    assert!(
        found
            .summary
            .contains("Never more than 2 requests were under way"),
        "{}",
        found.summary
    );
}

/// An application balancer makes twenty connections to a target, which closes each after its answer; the number of requests
/// that came, and who closes.
fn closed_each_time(requests: usize, closer: &str) -> Kit {
    let mut kit = Kit::new();
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    front.kind = "application".into();
    for port in 40_000..40_020 {
        kit.proxied("curl", port, "front/a", "web1");
        let (web, front) = ("10.0.1.10:80".to_owned(), format!("10.0.1.5:{port}"));
        let (from, to) = match closer {
            "web1" => (web, front),
            _ => (front, web),
        };
        kit.evidence.packets.push(Packet {
            id: i64::from(port),
            sender: closer.into(),
            protocol: "tcp".into(),
            from_after: from.clone(),
            to_after: to.clone(),
            from,
            to,
            flags: "F.".into(),
            fate: "forwarded".into(),
            ..Packet::default()
        });
    }
    let web = kit.evidence.hosts.get_mut("web1").expect("a host");
    web.requests = vec![Request::default(); requests];
    answered(&mut kit, 10.0);
    kit
}

/// The balancer's FIN is the first, since it has read what the target said with so many of twenty answers: that the
/// connection ends with it.
fn closing_announced(answers: u16) -> Kit {
    let mut kit = closed_each_time(20, "front/a");
    let web = kit.evidence.hosts.get_mut("web1").expect("a host");
    for (port, request) in (40_000..).zip(&mut web.requests) {
        request.client = format!("10.0.1.5:{port}");
        request.closes = port < 40_000 + answers;
    }
    kit
}

#[test]
fn a_target_that_says_it_closes_has_closed_whoever_is_quicker() {
    let found = told(&closing_announced(20), unshared_connections::KIND).expect("the finding");
    assert!(
        found.summary.starts_with("web1 closed 20 connections"),
        "{}",
        found.summary
    );
    assert!(told(&closing_announced(19), unshared_connections::KIND).is_none());
}

#[test]
fn a_target_that_closes_after_each_answer_leaves_nothing_to_share() {
    let found = told(&closed_each_time(20, "web1"), unshared_connections::KIND);
    assert_eq!(
        found.expect("the finding").summary,
        "web1 closed 20 connections that front had made to it, each after a single answer, so that no other request could \
         share it. Never more than 1 request was under way at a time."
    );
    for kit in [
        closed_each_time(21, "web1"),
        closed_each_time(20, "front/a"),
    ] {
        assert!(told(&kit, unshared_connections::KIND).is_none());
    }
}

/// All answers for a name have all its addresses; or some have the address of the client's zone alone.
pub(in super::super) fn answered_alike(happened: bool) -> Kit {
    asked_for_the_name(40, usize::from(!happened), "a")
}

/// So many answers, each for a connection, the addresses by turns; so many of them favour zone a, and where the client is.
fn asked_for_the_name(count: usize, favours: usize, home: &str) -> Kit {
    let mut kit = Kit::new();
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    front.kind = "network".into();
    let addresses: Vec<String> = front.addresses.values().cloned().collect();
    let interface = |name: &str, zone: &str, address: &str| Interface {
        name: name.into(),
        zone: zone.into(),
        addresses: vec![address.into()],
        ..Interface::default()
    };
    kit.evidence.interfaces = vec![
        interface("client", home, "198.51.100.7"),
        interface("front/a", "a", &addresses[0]),
        interface("front/b", "b", &addresses[1]),
    ];
    for number in 0..count {
        let (via, target) = match number % 2 {
            0 => ("front/a", "web1"),
            _ => ("front/b", "web2"),
        };
        let port = 40_000 + u16::try_from(number).expect("a port");
        let one = kit.connect("call", port, via, target);
        kit.of(one).lookup = Some(number);
        let answer = match number < favours {
            true => addresses[..1].to_vec(),
            false => addresses.clone(),
        };
        kit.evidence.lookups.push(Lookup {
            from: "client".into(),
            name: "front".into(),
            addresses: answer,
            ..Lookup::default()
        });
    }
    kit
}

#[test]
fn what_left_its_zone_is_told_with_where_it_went() {
    let found = told(&answered_alike(true), zone_blind_answers::KIND);
    assert_eq!(
        found.expect("the finding").summary,
        "20 connections of client, in zone a, went by the name of front to another zone, 20 to front/b; 20 stayed. front/a was \
         there for them: each of 40 answers had its address and others beside it, as if client were in no zone."
    );
}

#[test]
fn a_kept_answer_a_client_without_zone_and_a_few_connections_tell_no_policy() {
    let mut kept = answered_alike(true);
    for connection in &mut kept.evidence.connections {
        connection.lookup = Some(0);
    }
    let elsewhere = asked_for_the_name(40, 0, "");
    let nobody_home = asked_for_the_name(40, 0, "c");
    for kit in [kept, elsewhere, nobody_home, asked_for_the_name(38, 0, "a")] {
        assert!(told(&kit, zone_blind_answers::KIND).is_none());
    }
}
