//! Outcomes made by hand: a fault that shows, a fix that holds and one that does not, a machine that fails.

use crate::evidence::{
    Carried, Connection, GatewayEvidence, Icmp, Listing, Lookup, Mapping, OnLinks, Packet, Pair,
    Queued, Refusal, Socket, StepResult,
};
use crate::plan::{Change, Kind};
use crate::report::plan::Drawing;
use crate::report::{CaseInfo, Outcome};
use crate::verdict::kit::{flagship, harmless};
use crate::verdict::{ClaimTruth, ClaimVerdict, Ruling, Verdict, findings};
use serde_json::{Value, json as value};

const ONE_SYN: (&str, &str) = (
    "the second connection opens with one SYN",
    "new.ok && new.syns == 1",
);

const LIVES: (&str, &str) = ("the first connection lives on", "again.ok");

pub(in crate::report) fn claim(
    (words, that): (&str, &str),
    truth: ClaimTruth,
    values: &[(&str, Value)],
) -> ClaimVerdict {
    ClaimVerdict {
        claim: (!words.is_empty()).then(|| words.to_owned()),
        that: that.into(),
        line: 40,
        truth,
        why: String::new(),
        parts: Vec::new(),
        values: values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    }
}

pub(in crate::report) fn info(name: &str, kind: Kind) -> CaseInfo {
    CaseInfo {
        file: "labs/nlb/source-port-collision.yaml".into(),
        lab: "nlb/source-port-collision".into(),
        title: "Two load-balancer addresses, one target, one source port".into(),
        name: name.into(),
        kind,
        shows: String::new(),
        line: 44,
        changes: Vec::new(),
        seed: 1,
        story: String::new(),
        sources: Vec::new(),
        topology: Drawing::default(),
        configured: "LOAD BALANCERS\n  front: network".into(),
        fixes: Vec::new(),
    }
}

pub(in crate::report) fn verdict(
    ruling: Ruling,
    works: Vec<ClaimVerdict>,
    expect: Vec<ClaimVerdict>,
) -> Verdict {
    Verdict {
        ruling,
        reason: String::new(),
        works,
        expect,
        findings: Vec::new(),
        cited: Vec::new(),
        missing_finds: Vec::new(),
        unwanted_finds: Vec::new(),
    }
}

/// The flagship as deployed: reproduced.
pub(in crate::report) fn fault() -> Outcome {
    let evidence = flagship().evidence;
    let works = vec![
        claim(
            ONE_SYN,
            ClaimTruth::False,
            &[("new.ok", value!(true)), ("new.syns", value!(2))],
        ),
        claim(LIVES, ClaimTruth::False, &[("again.ok", value!(false))]),
    ];
    let expect = vec![claim(
        ("nobody tells the first", "again.error == \"deadline\""),
        ClaimTruth::True,
        &[("again.error", value!("deadline"))],
    )];
    let findings = findings::recognise(&evidence);
    let case = CaseInfo {
        shows: "the second connection silently kills the first".into(),
        ..info("as-deployed", Kind::Fault)
    };
    Outcome {
        verdict: Some(Verdict {
            findings,
            ..verdict(Ruling::Holds, works, expect)
        }),
        evidence: Some(evidence),
        ..Outcome::of(case, 1)
    }
}

/// A fix that holds.
pub(in crate::report) fn fix() -> Outcome {
    let works = vec![
        claim(
            ONE_SYN,
            ClaimTruth::True,
            &[("new.ok", value!(true)), ("new.syns", value!(1))],
        ),
        claim(LIVES, ClaimTruth::True, &[("again.ok", value!(true))]),
    ];
    let change = Change {
        path: "load_balancers.front.attributes.load_balancing.cross_zone.enabled".into(),
        before: Some("true".into()),
        after: Some("false".into()),
    };
    let mut evidence = harmless().evidence;
    evidence.seconds = 0.1;
    let case = CaseInfo {
        changes: vec![change],
        ..info("cross-zone-off", Kind::Fix)
    };
    Outcome {
        evidence: Some(evidence),
        verdict: Some(verdict(Ruling::Holds, works, Vec::new())),
        ..Outcome::of(case, 1)
    }
}

/// A fix that does not.
pub(in crate::report) fn failed() -> Outcome {
    let mut outcome = Outcome {
        case: info("another-source-port", Kind::Fix),
        saved: Some("out/x".into()),
        capture: None,
        ..fault()
    };
    let verdict = outcome.verdict.as_mut().expect("a verdict");
    verdict.ruling = Ruling::Fails;
    verdict.reason = "this does not hold: the second connection opens with one SYN".into();
    verdict.unwanted_finds = vec!["flow-collision".into()];
    verdict.missing_finds = vec!["loopback".into()];
    outcome
}

pub(in crate::report) fn broken() -> Outcome {
    Outcome {
        case: CaseInfo {
            lab: "nlb/loopback-timeout".into(),
            ..info("as-deployed", Kind::Fault)
        },
        evidence: None,
        verdict: None,
        failure: Some("cannot open /dev/net/tun in the namespace of web1: EACCES".into()),
        ..fault()
    }
}

/// A case that the user did not wait for.
pub(in crate::report) fn interrupted() -> Outcome {
    Outcome {
        case: info("client-ip-not-preserved", Kind::Fix),
        evidence: None,
        verdict: None,
        failure: Some("interrupted before it was over".into()),
        interrupted: true,
        ..fault()
    }
}

/// A case in which every box of the network and every kernel has something on record.
pub(in crate::report) fn recorded() -> Outcome {
    let mut outcome = fault();
    let evidence = outcome.evidence.as_mut().expect("evidence");
    evidence.time_scale = 100.0;
    let first = evidence.connections[0].clone();
    evidence.steps.push(StepResult {
        name: "staff".into(),
        ..StepResult::default()
    });
    let staff = evidence.steps.len() - 1;
    evidence.connections.extend((0..5).map(|i| Connection {
        step: staff,
        lookup: Some(0),
        at: 10.0 * f64::from(i),
        error: if i > 2 {
            "deadline".into()
        } else {
            String::new()
        },
        ..first.clone()
    }));
    evidence.lookups.push(Lookup {
        from: "client".into(),
        name: "front".into(),
        addresses: vec!["203.0.113.10".into(), "203.0.113.11".into()],
        keep_ms: 600.0,
        ..Lookup::default()
    });
    let front = evidence.load_balancers.get_mut("front");
    front.expect("a balancer").dns = [(-5.0, &["a", "b"][..]), (300.0, &["b"])]
        .map(|(at, zones)| Listing {
            at,
            zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
        })
        .into();
    let refused = Refusal {
        guards: vec!["locked".into()],
        interface: "web1".into(),
        direction: "ingress".into(),
        protocol: "tcp".into(),
        from: "198.51.100.7:40001".into(),
        to: "10.0.1.10:80".into(),
        flags: "S".into(),
        ..Refusal::default()
    };
    evidence.refusals = vec![
        refused.clone(),
        Refusal {
            from: "198.51.100.7:40002".into(),
            ..refused
        },
        Refusal {
            guards: vec!["b".into()],
            direction: "outbound".into(),
            protocol: "tcp".into(),
            rule: Some(50),
            ..Refusal::default()
        },
    ];
    evidence.packets.push(Packet {
        fate: "answered: reset, expired flow".into(),
        ..Packet::default()
    });
    for ms in [12.3, 41.2] {
        evidence.packets.push(Packet {
            links: Some(Box::new(OnLinks {
                queues: vec![Queued {
                    host: "client".into(),
                    direction: "up".into(),
                    ms,
                }],
                ..OnLinks::default()
            })),
            ..Packet::default()
        });
    }
    evidence.packets.push(Packet {
        protocol: "icmp".into(),
        sender: "router".into(),
        receiver: "client".into(),
        seen_at: "router veth1".into(),
        icmp: Some(Box::new(Icmp {
            says: "fragmentation needed".into(),
            mtu: 1300,
            from: "10.0.1.7:4000".into(),
            to: "10.0.1.10:80".into(),
        })),
        ..Packet::default()
    });
    evidence.pairs.push(Pair {
        via: "chat/a".into(),
        bytes: Carried {
            from_client: 44_000,
            to_target: 4_000,
            ..Carried::default()
        },
        target_closed: Some(285.0),
        ..Pair::default()
    });
    let gateway = GatewayEvidence {
        ports: 8,
        ..GatewayEvidence::default()
    };
    evidence.nat_gateways.insert("egress".into(), gateway);
    evidence.mappings.push(Mapping {
        inside: "10.0.1.10:41000".into(),
        outside: "192.0.2.10:1024".into(),
        ..Mapping::default()
    });
    let web1 = evidence.hosts.get_mut("web1").expect("a host");
    web1.kernel_drops = Some([("NO_SOCKET".to_owned(), 3), ("QUEUE_PURGE".to_owned(), 2)].into());
    web1.counters.insert("TcpInSegs".into(), 9);
    web1.sockets.push(Socket {
        state: "ESTABLISHED".into(),
        send_queue: 64,
        retransmits: 5,
        timer: "on".into(),
        timer_ms: 3_300,
        ..Socket::default()
    });
    outcome
}
