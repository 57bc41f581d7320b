//! Requests that an application balancer could not get an answer to, or got one from a target that looks the same.

mod lasting;
mod programs;

use super::{Kit, shown};
use crate::evidence::{
    Answer, Detail, GroupEvidence, InstanceEvidence, Load, Packet, TargetEvidence, Transition,
    ZoneEvidence,
};

/// Between `front/a` and `web1`: whether the balancer sends, ms, flags, bytes, where it ended.
type Said = (bool, f64, &'static str, i64);

const SYN: Said = (true, 2.0, "S", 0);
const SYN_ACK: Said = (false, 2.1, "S.", 0);
const ACK: Said = (true, 2.2, ".", 0);
const REQUEST: Said = (true, 2.3, "P.", 100);

/// A client's request at 1 ms, answered with a status 50 ms later; so many of those were the balancer's own by its count.
fn request(status: i64, own: i64, said: &[Said]) -> Kit {
    let mut kit = Kit::new();
    let page = kit.proxied("page", 40001, "front/a", "web1");
    if !said.contains(&SYN_ACK) {
        kit.evidence.pairs.clear();
        kit.of(page).pair = None;
    }
    kit.evidence.steps[0].detail = Detail::Load(Load {
        connections: vec![page],
        answers: vec![Answer {
            connection: page,
            at: 1.0,
            ms: 50.0,
            status,
        }],
        ..Load::default()
    });
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    front.kind = "application".into();
    let zone = ZoneEvidence {
        reach: [("web".to_owned(), 1)].into(),
        metrics: [(format!("HTTPCode_ELB_{status}_Count"), own)].into(),
        ..ZoneEvidence::default()
    };
    front.zones.insert("a".into(), zone);
    for said in said {
        say(&mut kit, "10.0.1.5:40001", ("web1", "10.0.1.10:80"), *said);
    }
    kit
}

/// The next packet between an end of `front/a` and a target.
fn say(kit: &mut Kit, end: &str, target: (&str, &str), (by_node, t, flags, len): Said) {
    let node = ("front/a", end);
    let (from, to) = if by_node {
        (node, target)
    } else {
        (target, node)
    };
    let before = kit.evidence.packets.iter();
    let before = before.filter(|packet| packet.from == from.1 && packet.to == to.1);
    let sent = before.map(|packet| packet.len + i64::from(packet.flags.contains('S')));
    let seq = 1000 + sent.sum::<i64>();
    let packet = kit.apart(t, from, to, flags);
    (packet.seq, packet.len) = (seq, len);
}

/// The states of `web1` in the group, each from such a moment on.
fn states(kit: &mut Kit, states: &[(f64, &str)]) {
    let transition = |(at, state): &(f64, &str)| Transition {
        at: *at,
        state: (*state).into(),
        reason: String::new(),
    };
    let target = TargetEvidence {
        transitions: states.iter().map(transition).collect(),
        ..TargetEvidence::default()
    };
    let group = GroupEvidence {
        targets: [("web1".to_owned(), target)].into(),
        ..GroupEvidence::default()
    };
    kit.evidence.target_groups.insert("web".into(), group);
}

/// The target resets instead of answering; or says 502 itself.
pub(super) fn no_answer(happened: bool) -> Kit {
    match happened {
        true => request(502, 1, &[SYN, SYN_ACK, ACK, REQUEST, (false, 40.0, "R", 0)]),
        false => said_502(0),
    }
}

fn said_502(own: i64) -> Kit {
    let said = [SYN, SYN_ACK, ACK, REQUEST, (false, 40.0, "P.", 90)];
    request(502, own, &said)
}

/// The target says nothing in time; or says 504 itself.
pub(super) fn no_answer_in_time(happened: bool) -> Kit {
    let said = [SYN, SYN_ACK, ACK, REQUEST, (false, 49.0, "P.", 90)];
    match happened {
        true => request(504, 1, &said[..4]),
        false => request(504, 0, &said),
    }
}

/// Nobody is registered when the request comes; or the target is, and says 503.
pub(super) fn nobody_registered(happened: bool) -> Kit {
    let mut kit = request(503, i64::from(happened), &[]);
    let registered: &[(f64, &str)] = &[(-5.0, "healthy"), (60.0, "unused")];
    let gone: &[(f64, &str)] = &[(-5.0, "healthy"), (0.5, "unused"), (60.0, "healthy")];
    states(&mut kit, if happened { gone } else { registered });
    kit
}

#[test]
fn a_target_that_answers_when_the_balancer_has_given_up_is_too_late() {
    let said = [
        SYN,
        SYN_ACK,
        ACK,
        REQUEST,
        (true, 49.0, "F.", 0),
        (false, 49.2, "P.", 90),
        (false, 49.3, "F.", 0),
    ];
    let told = told(&request(504, 1, &said), "gateway-timeout").expect("the finding");
    assert!(told.contains("the idle timeout ran out"), "{told}");
}

/// What is said of a story.
fn told(kit: &Kit, kind: &str) -> Option<String> {
    let found = shown(kit).into_iter().find(|finding| finding.kind == kind);
    found.map(|finding| finding.summary)
}

#[test]
fn packets_say_why_there_is_no_answer() {
    let fin = (false, 40.0, "F.", 0);
    let hangs_up = (true, 41.0, "F.", 0);
    let connected = [SYN, SYN_ACK, ACK, REQUEST];
    let after = |said: &[Said]| [&connected[..], said].concat();
    let ways: [(i64, Vec<Said>, &str); 7] = [
        (
            502,
            vec![SYN, (false, 2.1, "R.", 0)],
            "web1 refused the connection of front/a: RST in answer to the SYN, nothing listens there.",
        ),
        (
            502,
            after(&[fin]),
            "web1 closed the connection with the request of front/a on it: FIN at most 37.7 ms after the request, and no whole \
             answer.",
        ),
        (
            502,
            after(&[(false, 30.0, "P.", 20), fin, hangs_up]),
            "web1 closed the connection with the request of front/a on it: FIN at most 37.7 ms after the request, and no whole \
             answer.",
        ),
        (
            502,
            after(&[(false, 40.0, "P.", 90), hangs_up, (false, 42.0, "F.", 0)]),
            "web1 answered front/a with something that is no HTTP, and front/a closed the connection.",
        ),
        (
            504,
            vec![SYN],
            "web1 did not answer the SYN of front/a: the connect timeout ran out, after 49.0 ms.",
        ),
        (
            504,
            after(&[(false, 2.4, ".", 0)]),
            "web1 had the request of front/a and did not answer it: the idle timeout ran out, after 48.7 ms.",
        ),
        (
            504,
            after(&[(true, 30.0, "P.", 1000), (false, 30.1, ".", 0)]),
            "web1 had the request of front/a and did not answer it: the idle timeout ran out, after 21.0 ms.",
        ),
    ];
    for (status, said, why) in ways {
        let kind = if status == 502 {
            "bad-gateway"
        } else {
            "gateway-timeout"
        };
        let summary = told(&request(status, 1, &said), kind).unwrap_or_default();
        let head = format!("front/a answered 1 request with {status} by itself.");
        assert_eq!(summary, format!("{head} {why}"), "{said:?}");
    }
}

#[test]
fn a_deregistration_that_ends_is_a_reason_and_a_balancer_that_hangs_up_without_one_is_none() {
    let said = [SYN, SYN_ACK, ACK, REQUEST, (true, 41.0, "F.", 0)];
    let mut kit = request(502, 1, &said);
    assert_eq!(told(&kit, "bad-gateway"), None);
    states(
        &mut kit,
        &[(-5.0, "healthy"), (1.5, "draining"), (40.5, "unused")],
    );
    assert_eq!(
        told(&kit, "bad-gateway").expect("the finding"),
        "front/a answered 1 request with 502 by itself. The deregistration delay of web1 was over while front/a waited for its \
         answer."
    );
}

#[test]
fn an_icmp_error_is_told_from_a_refusal() {
    let mut kit = request(502, 1, &[SYN]);
    assert_eq!(told(&kit, "bad-gateway"), None);
    kit.evidence.packets.push(Packet {
        id: 1,
        t: 2.2,
        sender: "web1".into(),
        receiver: "front/a".into(),
        protocol: "icmp".into(),
        from: "10.0.1.10".into(),
        to: "10.0.1.5".into(),
        fate: "forwarded".into(),
        ..Packet::default()
    });
    assert_eq!(
        told(&kit, "bad-gateway").expect("the finding"),
        "front/a answered 1 request with 502 by itself. An ICMP error answered the SYN of front/a to web1: no way leads there."
    );
}

#[test]
fn targets_have_names_over_ipv6_too() {
    let ends = [
        ("10.0.1.5:40001", "[2001:db8:0:1::5]:40001"),
        ("10.0.1.10:80", "[2001:db8:0:1::10]:80"),
    ];
    for (status, said, why) in [
        (
            502,
            &[SYN, (false, 2.1, "R.", 0)][..],
            "web1 refused the connection of front/a: RST",
        ),
        (504, &[SYN], "web1 did not answer the SYN of front/a"),
    ] {
        let mut kit = request(status, 1, said);
        let web = kit.evidence.hosts.get_mut("web1").expect("web1");
        web.ipv6 = "2001:db8:0:1::10".into();
        for packet in &mut kit.evidence.packets {
            for (ipv4, ipv6) in ends {
                let all = [
                    &mut packet.from,
                    &mut packet.to,
                    &mut packet.from_after,
                    &mut packet.to_after,
                ];
                for end in all.into_iter().filter(|end| *end == ipv4) {
                    *end = ipv6.into();
                }
            }
        }
        let kind = ["gateway-timeout", "bad-gateway"][usize::from(status == 502)];
        let summary = told(&kit, kind).unwrap_or_default();
        assert!(summary.contains(why), "{summary:?}");
    }
}

/// A network balancer's clients, and a SYN or a RST outside of any request, are somebody else's.
#[test]
fn other_balancers_other_times_and_answers_of_targets_are_something_else() {
    let refused = [SYN, (false, 2.1, "R.", 0)];
    let mut network = request(502, 1, &refused);
    let front = network.evidence.load_balancers.get_mut("front");
    front.expect("front").kind = "network".into();
    let before = [(true, -9.0, "S", 0), (false, -8.9, "R.", 0)];
    for kit in [
        network,
        request(502, 1, &before),
        request(502, 0, &refused),
        request(200, 0, &refused),
        said_502(0),
    ] {
        assert_eq!(told(&kit, "bad-gateway"), None);
    }
}

#[test]
fn a_zone_without_targets_is_not_a_group_without_any() {
    let mut kit = nobody_registered(true);
    states(&mut kit, &[(-5.0, "healthy")]);
    assert_eq!(told(&kit, "no-registered-target"), None);
    kit.evidence.target_groups.clear();
    assert_eq!(
        told(&kit, "no-registered-target").expect("the finding"),
        "front/a answered 1 request with 503 by itself: no target of web was registered, so there was nobody to ask."
    );
}

#[test]
fn an_empty_group_has_nobody_whatever_other_ports_of_the_balancer_have() {
    let mut kit = nobody_registered(true);
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    front.listeners = [(80, vec!["web".into()]), (81, vec!["empty".into()])].into();
    let zone = front.zones.get_mut("a").expect("a zone");
    zone.reach.insert("empty".into(), 0);
    let told_of = |kit: &Kit| told(kit, "no-registered-target");
    let web = "no target of web was registered";
    assert!(told_of(&kit).is_some_and(|told| told.contains(web)));
    // One of two with weights is asked about, and no other will do.
    let both = vec!["web".into(), "full".into()];
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    let alone = front.listeners.insert(80, both).expect("one group");
    let full = kit.evidence.target_groups["web"].clone();
    kit.evidence.target_groups.insert("full".into(), full);
    let full = kit.evidence.target_groups.get_mut("full").expect("a group");
    full.targets
        .get_mut("web1")
        .expect("a target")
        .transitions
        .truncate(1);
    assert!(told_of(&kit).is_some_and(|told| told.contains(web)));
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    front.listeners.insert(80, alone);
    // The one that has a target is not asked about.
    states(&mut kit, &[(-5.0, "healthy")]);
    assert_eq!(told_of(&kit), None);
    for connection in &mut kit.evidence.connections {
        connection.remote = connection.remote.replace(":80", ":81");
    }
    let empty = "no target of empty was registered";
    assert!(told_of(&kit).is_some_and(|told| told.contains(empty)));
    // The same through a network balancer, which has dialled the other.
    for connection in &mut kit.evidence.connections {
        connection.remote = "203.0.113.99:80".into();
        connection.target = std::mem::replace(&mut connection.via, "net/a".into());
        connection.target_address = "10.0.1.5:81".into();
    }
    assert!(told_of(&kit).is_some_and(|told| told.contains(empty)));
}

#[test]
fn an_attempt_without_a_pair_is_on_the_ladder_of_the_request_that_it_was_for() {
    let kit = request(502, 1, &[SYN, (false, 2.1, "R.", 0)]);
    let ladder = crate::verdict::ladder::ladder(&kit.evidence, &[], 100);
    for part in ["to web1 for page", "SYN seq", "RST-ACK seq"] {
        assert!(ladder.contains(part), "no {part:?} in\n{ladder}");
    }
    let kit = request(200, 0, &[SYN, (false, 2.1, "R.", 0)]);
    let ladder = crate::verdict::ladder::ladder(&kit.evidence, &[], 100);
    assert!(!ladder.contains("web1 for"), "{ladder}");
}

/// The same at an HTTP listener of a classic balancer; so many answers were of instances.
fn of_classic(status: i64, own: i64, of_instances: i64, said: &[Said]) -> Kit {
    let mut kit = request(status, own, said);
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    front.kind = "classic".into();
    let zone = front.zones.get_mut("a").expect("a zone");
    zone.metrics = [
        ("HTTPCode_ELB_5XX".to_owned(), own),
        ("HTTPCode_Backend_5XX".to_owned(), of_instances),
    ]
    .into();
    kit
}

#[test]
fn a_target_that_is_draining_is_not_registered_any_more() {
    let mut kit = nobody_registered(true);
    states(&mut kit, &[(-5.0, "healthy"), (0.5, "draining")]);
    assert!(told(&kit, "no-registered-target").is_some());
    states(&mut kit, &[(-5.0, "healthy"), (0.5, "unhealthy")]);
    assert_eq!(told(&kit, "no-registered-target"), None);
}

#[test]
fn a_classic_balancer_has_other_statuses_for_the_same() {
    let fin = (false, 40.0, "F.", 0);
    let hangs_up = (true, 41.0, "F.", 0);
    let connected = [SYN, SYN_ACK, ACK, REQUEST];
    let after = |said: &[Said]| [&connected[..], said].concat();
    let ways: [(i64, Vec<Said>, &str); 5] = [
        (
            504,
            vec![SYN, (false, 2.1, "R.", 0)],
            "front/a had no connection to web1, and tried again until the idle timeout ran out, after 49.0 ms.",
        ),
        (
            504,
            after(&[fin, hangs_up]),
            "web1 closed the connection with the request of front/a on it: FIN at most 37.7 ms after the request, and no whole \
             answer.",
        ),
        (
            504,
            after(&[(false, 40.0, "R", 0)]),
            "web1 reset the connection with the request of front/a on it: RST at most 37.7 ms after the request.",
        ),
        (
            504,
            after(&[]),
            "web1 had the request of front/a and did not answer it: the idle timeout ran out, after 48.7 ms.",
        ),
        (
            502,
            after(&[(false, 30.0, "P.", 20), fin, hangs_up]),
            "web1 answered front/a with something that is no HTTP, and front/a closed the connection.",
        ),
    ];
    for (status, said, why) in ways {
        let kind = if status == 502 {
            "bad-gateway"
        } else {
            "gateway-timeout"
        };
        let head = format!("front/a answered 1 request with {status} by itself.");
        let summary = told(&of_classic(status, 1, 0, &said), kind).unwrap_or_default();
        assert_eq!(summary, format!("{head} {why}"), "{said:?}");
        // Nothing of it is the balancer's own, by its count.
        assert_eq!(told(&of_classic(status, 0, 1, &said), kind), None);
    }
}

#[test]
fn what_a_classic_balancer_and_its_instances_say_is_told_apart_and_bytes_are_no_requests() {
    let said = [SYN, SYN_ACK, ACK, REQUEST, (false, 40.0, "P.", 90)];
    let hung_up = [&said[..], &[(false, 41.0, "F.", 0)]].concat();
    // Both have said a 5XX, and this instance has said something.
    assert_eq!(
        told(&of_classic(504, 1, 1, &hung_up), "gateway-timeout"),
        None
    );
    let mut bytes = of_classic(504, 1, 0, &hung_up);
    assert!(told(&bytes, "gateway-timeout").is_some());
    bytes.evidence.pairs[0].protocol = "TCP".into();
    assert_eq!(told(&bytes, "gateway-timeout"), None);
}

#[test]
fn a_classic_balancer_without_an_instance_in_service_has_nobody_to_ask() {
    let with = |states: &[(f64, &str)]| {
        let mut kit = of_classic(503, 1, 0, &[]);
        let transition = |(at, state): &(f64, &str)| Transition {
            at: *at,
            state: (*state).into(),
            reason: String::new(),
        };
        let instance = InstanceEvidence {
            transitions: states.iter().map(transition).collect(),
            ..InstanceEvidence::default()
        };
        let front = kit.evidence.load_balancers.get_mut("front").expect("front");
        front.instances = [("web1".to_owned(), instance)].into();
        told(&kit, "no-registered-target")
    };
    assert_eq!(
        with(&[(-5.0, "InService"), (0.5, "OutOfService")]).expect("the finding"),
        "front/a answered 1 request with 503 by itself: no instance of front was in service, so there was nobody to ask."
    );
    assert_eq!(with(&[(-5.0, "InService"), (60.0, "OutOfService")]), None);
}

#[test]
fn a_request_that_spills_over_is_told_by_its_answer() {
    let mut kit = of_classic(503, 1, 0, &[]);
    let instance = InstanceEvidence {
        transitions: vec![Transition {
            at: -5.0,
            state: "InService".into(),
            reason: String::new(),
        }],
        ..InstanceEvidence::default()
    };
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    front.instances = [("web1".to_owned(), instance)].into();
    assert_eq!(told(&kit, "spillover"), None);
    let front = kit.evidence.load_balancers.get_mut("front").expect("front");
    front.metrics = [
        ("SpilloverCount".to_owned(), 1),
        ("SurgeQueueLength".to_owned(), 30),
    ]
    .into();
    assert_eq!(
        told(&kit, "spillover").expect("the finding"),
        "front had no connection to an instance for 30 requests, which waited for one: it answered 1 more with 503 by itself \
         (SpilloverCount). It concerns \"page #1\"."
    );
}
