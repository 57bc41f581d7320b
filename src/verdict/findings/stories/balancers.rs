//! What balancers, their targets and their names tell.

use super::{recognise, talking};
use crate::evidence::{
    Detail, GroupEvidence, Listing, Lookup, Packet, Pair, Request, StepResult, TargetEvidence,
    Transition, ZoneEvidence,
};
use crate::verdict::findings::client_closed_request;
use crate::verdict::kit::{Kit, OLD, carried};

/// The balancer failed; or is being set up.
pub(super) fn not_provisioned(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    front.state = if happened { "failed" } else { "provisioning" }.into();
    kit
}

/// The call is refused for the target's VPC; or for something else.
pub(super) fn not_registered(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let refused = Detail::Refused {
        group: "web".into(),
        targets: vec!["web1".into()],
    };
    kit.evidence.steps.push(StepResult {
        name: "join".into(),
        error: "refused".into(),
        detail: if happened { refused } else { Detail::Plain },
        ..StepResult::default()
    });
    kit
}

fn target(zone: &str, state: &str, reason: &str) -> TargetEvidence {
    TargetEvidence {
        zone: zone.into(),
        state: state.into(),
        reason: reason.into(),
        ..TargetEvidence::default()
    }
}

/// A target in a zone that is not enabled; or in one that is, and not needed yet.
pub(super) fn not_in_use(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let zone = if happened { "b" } else { "a" };
    let group = GroupEvidence {
        targets: [("web2".to_owned(), target(zone, "unused", "Target.NotInUse"))].into(),
        zones: vec!["a".into()],
        ..GroupEvidence::default()
    };
    kit.evidence.target_groups.insert("web".into(), group);
    kit
}

/// 503 of a zone without targets, while another has some; or with none anywhere.
pub(super) fn empty_zone(happened: bool) -> Kit {
    let mut kit = Kit::new();
    kit.evidence.packets.push(Packet {
        sender: "front/b".into(),
        receiver: "client".into(),
        len: 107,
        ..Packet::default()
    });
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    front.kind = "application".into();
    for (zone, targets) in [("a", i64::from(happened)), ("b", 0)] {
        let at = ZoneEvidence {
            reach: [("web".to_owned(), targets)].into(),
            metrics: [("HTTPCode_ELB_503_Count".to_owned(), 1)].into(),
            ..ZoneEvidence::default()
        };
        front.zones.insert(zone.into(), at);
    }
    kit
}

/// A client dials an address that has left the name since it asked; or before it asked.
pub(super) fn old_answer(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let late = kit.connect("late", 40000, "front/a", "web1");
    kit.of(late).at = 510.0;
    kit.of(late).error = "unreachable".into();
    kit.of(late).lookup = Some(0);
    kit.evidence.lookups.push(Lookup {
        from: "client".into(),
        name: "front".into(),
        at: if happened { 10.0 } else { 400.0 },
        ..Lookup::default()
    });
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    let listing = |at, zones: &[&str]| Listing {
        at,
        zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
    };
    front.dns = vec![listing(-5.0, &["a", "b"]), listing(300.0, &["b"])];
    kit
}

/// A proxy acknowledges what it no longer passes on; or passes all of it on.
pub(super) fn swallowed(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let talk = kit.proxied("talk", 40001, "front/a", "web1");
    kit.up(talk, "S", 100, 0, 0);
    kit.down(talk, "S.", 500, 101, 0);
    kit.up(talk, "P.", 101, 501, 200);
    kit.down(talk, ".", 501, 301, 0);
    kit.now = 10.0;
    let pair = &mut kit.evidence.pairs[0];
    pair.bytes = carried(400, if happened { 200 } else { 400 });
    pair.target_closed = Some(10.0);
    kit.up(talk, "P.", 301, 501, 200);
    kit.down(talk, ".", 501, 501, 0);
    kit
}

/// Its next segment is answered by the balancer.
fn answered(how: &str) -> Kit {
    let (mut kit, one) = talking();
    kit.up(one, "P.", OLD.client + 65, OLD.server + 65, 64);
    let packet = kit.evidence.packets.last_mut().expect("a packet");
    packet.fate = format!("answered: reset, {how}");
    packet.receiver = String::new();
    kit
}

/// The balancer ends a flow and says so; or the target ends it.
pub(super) fn terminated(happened: bool) -> Kit {
    let (mut kit, one) = talking();
    kit.flow(one).terminated = happened;
    kit.flow(one).state = "closed".into();
    kit.down(one, "R", OLD.server + 65, 0, 0);
    let packet = kit.evidence.packets.last_mut().expect("a packet");
    packet.sender = if happened { "front" } else { "web1" }.into();
    kit
}

pub(super) fn forgotten(happened: bool) -> Kit {
    answered(if happened { "expired flow" } else { "no flow" })
}

pub(super) fn turned_away(happened: bool) -> Kit {
    answered(if happened {
        "unhealthy target"
    } else {
        "no flow"
    })
}

/// New flows go to targets that are unhealthy; or an old flow's target has become so.
pub(super) fn none_healthy(happened: bool) -> Kit {
    let mut kit = Kit::new();
    kit.connect("one", 40000, "front/a", "web1");
    let group = kit.evidence.target_groups.entry("web".into()).or_default();
    let reason = "Target.FailedHealthChecks";
    let web = target("a", "unhealthy", reason);
    group.targets.insert("web1".into(), web);
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    let metric = "UnhealthyRoutingFlowCount";
    front.metrics.insert(metric.into(), i64::from(happened));
    kit
}

/// A check is answered with 404 and another name well; or both alike.
pub(super) fn other_name(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let web = kit.evidence.hosts.get_mut("web1").expect("a host");
    let request = |host: &str, status, probe| Request {
        host: host.into(),
        path: "/".into(),
        status,
        probe,
        ..Request::default()
    };
    web.requests = vec![
        request("10.0.15.10:80", 404, true),
        request("shop.example", if happened { 200 } else { 404 }, false),
    ];
    let group = kit.evidence.target_groups.entry("web".into()).or_default();
    let reason = "Target.ResponseCodeMismatch";
    group
        .targets
        .insert("web1".into(), target("a", "unhealthy", reason));
    kit
}

/// A header that nobody reads; or that is read.
pub(super) fn unread_header(happened: bool) -> Kit {
    behind_a_header(if happened { "not-expected" } else { "read" })
}

/// A connection whose first payload the balancer's header precedes.
pub(in crate::verdict::findings) fn behind_a_header(header: &str) -> Kit {
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

/// Both ends wait for the other to speak; or the server has its header and is only slow.
pub(super) fn awaited_header(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let visit = kit.connect("visit", 40000, "front/a", "web1");
    kit.handshake(visit, OLD);
    kit.of(visit).header = if happened { "awaited" } else { "read" }.into();
    kit.of(visit).speaks_first = true;
    kit
}

/// A classic balancer turns a client away; or keeps it waiting.
pub(super) fn spilled(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let x = kit.proxied("x", 40001, "front/a", "web1");
    kit.evidence.pairs.clear();
    kit.of(x).pair = None;
    kit.handshake(x, OLD);
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    front.kind = "classic".into();
    front.metrics.insert("SurgeQueueLength".into(), 100);
    if happened {
        front.metrics.insert("SpilloverCount".into(), 1);
        kit.down(x, "R", OLD.server + 1, 0, 0);
        let connection = kit.of(x);
        (connection.ended, connection.ended_by) = ("reset".into(), "fabric".into());
    }
    kit
}

/// A request crosses the FIN of its target; or the balancer knew of the FIN.
pub(super) fn crossed(happened: bool) -> Kit {
    kept(if happened { 0 } else { 1 }, true, 1)
}

/// An application balancer's connection to `web1`: a request, its answer, 4 s of silence, the target's FIN, another
/// request that acknowledges so much of the FIN, and RST. `opened`: by the balancer; else by `web1`.
fn kept(acknowledged: i64, opened: bool, failed: i64) -> Kit {
    let mut kit = Kit::new();
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    front.kind = "application".into();
    let metric = "HTTPCode_ELB_502_Count";
    front.metrics.insert(metric.into(), failed);
    let (front, web) = (("front/a", "10.0.1.5:57344"), ("web1", "10.0.1.10:80"));
    let (first, second) = if opened { (front, web) } else { (web, front) };
    for (from, to, t, flags, seq, ack, len) in [
        (first, second, 0.0, "S", 0, 0, 0),
        (second, first, 0.1, "S.", 4_294_967_295, 1, 0),
        (first, second, 0.2, ".", 1, 0, 0),
        (front, web, 0.3, "P.", 1, 0, 100),
        (web, front, 0.5, "P.", 0, 101, 90),
        (web, front, 4000.5, "F.", 90, 101, 0),
        (front, web, 4001.0, "P.", 101, 90 + acknowledged, 100),
        (web, front, 4001.1, "R", 90 + acknowledged, 0, 0),
    ] {
        let packet = kit.apart(t, from, to, flags);
        (packet.seq, packet.ack, packet.len) = (seq, ack, len);
    }
    kit
}

#[test]
fn races_of_several_targets_are_told_of_each() {
    let mut kit = kept(0, true, 2);
    let ends = [
        ("10.0.1.5:57344", "10.0.2.5:57344"),
        ("10.0.1.10:80", "10.0.2.10:80"),
    ];
    let names = [("front/a", "front/b"), ("web1", "web2")];
    let again: Vec<Packet> = kit.evidence.packets.to_vec();
    for mut packet in again {
        let of = |text: &mut String, pairs: &[(&str, &str)]| {
            let other = pairs.iter().find(|(one, _)| text == one);
            *text = other.expect("an end of the kit").1.into();
        };
        for end in [
            &mut packet.from,
            &mut packet.to,
            &mut packet.from_after,
            &mut packet.to_after,
        ] {
            of(end, &ends);
        }
        for name in [&mut packet.sender, &mut packet.receiver] {
            of(name, &names);
        }
        packet.id = kit.evidence.packets.len() as i64;
        kit.evidence.packets.push(packet);
    }
    let summary = &recognise(&kit.evidence)[0].summary;
    let begin = "web1 and web2 closed, 2 times, an idle connection to front/a and front/b, the first after 4.00 s of silence, and \
                 2 requests crossed the FIN: the first was sent 0.5 ms after it.";
    assert!(summary.starts_with(begin), "{summary}");
}

#[test]
fn the_client_that_asked_is_named_whichever_connection_its_request_went_over() {
    let mut kit = kept(0, true, 1);
    let page = kit.proxied("page", 40001, "front/a", "web2");
    let raced = Pair {
        target: "web1".into(),
        seen_as: "10.0.1.5:57344".into(),
        target_address: "10.0.1.10:80".into(),
        ..kit.evidence.pairs[0].clone()
    };
    kit.evidence.pairs.push(raced);
    let found = recognise(&kit.evidence).into_iter();
    let race = found.into_iter().find(|f| f.kind == "keep-alive-race");
    assert_eq!(race.expect("the finding").connections, [page]);
}

#[test]
fn a_request_that_crosses_a_fin_is_told_with_both() {
    let kit = kept(0, true, 1);
    let found = recognise(&kit.evidence);
    assert_eq!(found[0].packets, [5, 6, 7]);
    assert_eq!(
        found[0].summary,
        "web1 closed an idle connection to front/a after 4.00 s of silence, and 1 request crossed the FIN: the first \
         was sent 0.5 ms after it. Instead of an answer the balancer heard the FIN, and the client got 502. The RST, with \
         which the kernel there answered what was for no connection of it any more, came 0.6 ms after the FIN."
    );
    let mut classic = kept(0, true, 0);
    let front = classic.evidence.load_balancers.get_mut("front");
    let front = front.expect("front");
    front.kind = "classic".into();
    assert_eq!(recognise(&classic.evidence), []);
    let front = classic.evidence.load_balancers.get_mut("front");
    let metrics = &mut front.expect("front").metrics;
    metrics.insert("HTTPCode_ELB_5XX".into(), 1);
    let found = recognise(&classic.evidence);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].summary.contains("and the client got 504. "),
        "{}",
        found[0].summary
    );
    // A client that leaves before its answer; a request that was repeated, and nobody noticed.
    for other in [kept(0, false, 1), kept(0, true, 0)] {
        assert_eq!(recognise(&other.evidence), []);
    }
}

/// A client asks an application balancer, and closes a second later; or it has its answer by then.
pub(super) fn impatient(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let balancer = kit.evidence.load_balancers.get_mut("front").expect("front");
    balancer.kind = "application".into();
    let zone = balancer.zones.entry("a".into()).or_default();
    zone.metrics.insert("HTTPCode_ELB_4XX_Count".into(), 1);
    let client = ("client", "198.51.100.7:40000");
    let front = ("front/a", "203.0.113.10:80");
    let answer = (front, client, 900.0, "P.", 0, 101, 90);
    let mut said = vec![
        (client, front, 0.0, "S", 0, 0, 0),
        (front, client, 0.1, "S.", 4_294_967_295, 1, 0),
        (client, front, 0.2, ".", 1, 0, 0),
        (client, front, 0.3, "P.", 1, 0, 100),
        (client, front, 1000.3, "F.", 101, 0, 0),
    ];
    if !happened {
        said.insert(4, answer);
    }
    for (from, to, t, flags, seq, ack, len) in said {
        let packet = kit.apart(t, from, to, flags);
        (packet.seq, packet.ack, packet.len) = (seq, ack, len);
    }
    kit
}

#[test]
fn a_request_that_is_given_up_is_told_with_who_had_it() {
    let mut kit = impatient(true);
    let told = |kit: &Kit| {
        let mut found = recognise(&kit.evidence).into_iter();
        let own = found.find(|one| one.kind == client_closed_request::KIND);
        own.map(|one| one.summary)
    };
    let begin = "client gave up 1 request at front/a before there was an answer, the first 1.00 s after it had asked. ";
    let end = "front/a can tell nobody; its access log has 460, and it counts that among its own 4XX (HTTPCode_ELB_4XX_Count).";
    // Whose it is, is not on record, and so it is not known whom the balancer asked for it.
    assert_eq!(told(&kit), Some(format!("{begin}{end}")));
    // Of an earlier request of the same connection, and a SYN, with which nothing is asked.
    kit.proxied("visit", 40000, "front/a", "web1");
    let (front, web1) = (("front/a", "10.0.1.5:40000"), ("web1", "10.0.1.10:80"));
    kit.apart(0.25, front, web1, "P.").len = 100;
    kit.apart(0.5, front, web1, "S");
    let nobody = format!("{begin}No target had been asked yet. {end}");
    assert_eq!(told(&kit), Some(nobody));
    kit.apart(0.6, front, web1, "P.").len = 100;
    let asked =
        format!("{begin}web1 had been asked, and may have gone on working for nobody. {end}");
    assert_eq!(told(&kit), Some(asked));
    // A network balancer has no requests, and one that counts nothing has told the client something.
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    front.kind = "network".into();
    assert_eq!(told(&kit), None);
    let mut other = impatient(true);
    let front = other
        .evidence
        .load_balancers
        .get_mut("front")
        .expect("front");
    front.zones.clear();
    assert_eq!(told(&other), None);
}

/// [`kept`], with a client in the balancer's place and the balancer in the target's.
fn pooled(acknowledged: i64, opened: bool) -> Kit {
    let mut kit = kept(acknowledged, opened, 0);
    for packet in &mut kit.evidence.packets {
        for name in [&mut packet.sender, &mut packet.receiver] {
            *name = match name.as_str() {
                "front/a" => "client".into(),
                _ => "front/a".into(),
            };
        }
    }
    kit
}

#[test]
fn a_client_that_keeps_a_connection_longer_than_the_balancer_has_no_answer() {
    let found = recognise(&pooled(0, true).evidence);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&*found[0].kind, &*found[0].packets),
        ("keep-alive-race", &[5, 6, 7][..])
    );
    assert_eq!(
        found[0].summary,
        "front/a closed an idle connection to client after 4.00 s of silence, and 1 request crossed the FIN: the first was sent \
         0.5 ms after it. Instead of an answer client heard the FIN; the RST, with which the kernel there answered what was for \
         no connection of it any more, came 0.6 ms after the FIN. No program there has seen the request, and no log has it."
    );
    // It knew of the FIN; it is the other that asks; an answer was due.
    let mut due = pooled(0, true);
    due.evidence.packets.remove(4);
    // The program ended, and nobody's patience.
    let mut ended = pooled(0, true);
    for packet in &mut ended.evidence.packets[5..] {
        packet.t -= 3900.0;
    }
    for other in [pooled(1, true), pooled(0, false), due, ended] {
        assert_eq!(recognise(&other.evidence), []);
    }
}

#[test]
fn an_end_by_the_balancer_is_told_with_the_delay_that_was_over() {
    let mut kit = terminated(true);
    let transition = |at, state: &str, reason: &str| Transition {
        at,
        state: state.into(),
        reason: reason.into(),
    };
    let target = TargetEvidence {
        transitions: vec![
            transition(1.0, "draining", "Target.DeregistrationInProgress"),
            transition(3001.0, "unused", "Target.NotRegistered"),
        ],
        ..TargetEvidence::default()
    };
    let group = GroupEvidence {
        targets: [("web1".to_owned(), target)].into(),
        ..GroupEvidence::default()
    };
    kit.evidence.target_groups.insert("web".into(), group);
    kit.evidence.flows[0].group = "web".into();
    let found = recognise(&kit.evidence);
    let told = &found[0].summary;
    for part in [
        "deregistration delay was over after 3.00 s",
        "connection_termination.enabled",
    ] {
        assert!(told.contains(part), "{told}");
    }
    kit.evidence.target_groups.clear();
    let told = &recognise(&kit.evidence)[0].summary;
    assert!(!told.contains("delay"), "{told}");
}
