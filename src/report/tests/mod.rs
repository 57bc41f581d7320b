//! Reports of hand-made outcomes, read by eye.

mod claims;
mod endings;
mod formats;
mod outcomes;

pub(super) use outcomes::{broken, failed, fault, fix, interrupted, recorded};

use super::*;
use crate::evidence::{
    Carried, Detail, Icmp, InstanceEvidence, Load, Lookup, Packet, Pair, StepResult, Transition,
};
use crate::verdict::ClaimTruth;
use outcomes::{claim, info};
use serde_json::{Value, json as value};

#[test]
fn the_text_tells_what_boxes_and_kernels_have_on_record() {
    let style = Style {
        explain: true,
        width: 400,
        ..Style::default()
    };
    let all = text(&[recorded()], &style);
    for part in [
        "staff: client by front/a to web1: 5 connections, 3 stood, deadline 2\n",
        "lookups   client asked for front at 0.0 ms: 203.0.113.10, 203.0.113.11 (may be kept 600 ms; 5 connections used \
         it, the last begun at 40.0 ms)\n",
        "names     front from -5.0 ms on: zones a, b\n",
        "refused   security group locked at web1, ingress: no rule allows tcp 198.51.100.7 > 10.0.1.10:80 [S]: 2 \
         packets\n",
        "network ACL of zone b's subnet, outbound: rule 50 denies",
        "the network answered 1 packet by itself: reset, expired flow\n",
        "44000 bytes from the client and 4000 on to the target",
        "the target's side over at 285.0 ms, the client's open\n",
        "room for 8 connections at a time toward one destination; 0 mappings made\n",
        "10.0.1.10:41000 is 192.0.2.10:1024 toward",
        "kernel    web1 dropped NO_SOCKET 3\n",
        "          web1 gave 2 packets back, unread, with the sockets that held them: no loss on the way\n",
        "clock     cloud time runs 100 times faster: 1 s here is 100 s of the cloud's time.",
        "links     client's link (up): 2 packets waited in its queue, the longest 41.2 ms\n",
        "icmp      router to client, on router veth1: fragmentation needed (MTU 1300), about 10.0.1.7:4000 > 10.0.1.10:80: \
         1 packet\n",
        "64 bytes not acknowledged, sent again 5 times without an answer, timer on in 3300 ms\n",
    ] {
        assert!(all.contains(part), "no {part:?} in\n{all}");
    }
    let mut bad = recorded();
    bad.verdict.as_mut().expect("a verdict").ruling = Ruling::Fails;
    let short = text(&[bad], &Style::default());
    assert!(
        short.contains("refused   ") && !short.contains("lookups   "),
        "{short}"
    );
}

#[test]
fn where_connections_went_has_all_hosts_that_got_their_requests() {
    let mut outcome = recorded();
    let evidence = outcome.evidence.as_mut().expect("evidence");
    let staff = evidence.connections.len() - 5;
    for (number, at, target) in [
        (staff, 0, "web1"),
        (staff + 3, 3, "web5"),
        (staff + 4, 4, ""),
    ] {
        let connection = &mut evidence.connections[number];
        connection.target = target.into();
        connection.pair = Some(evidence.pairs.len() + at);
    }
    // One end of a client, again and again; and one that is behind something, as the proxy sees it.
    for (via, client, target) in [
        ("front/a", "198.51.100.7:40000", "web1"),
        ("front/a", "198.51.100.7:40000", "web2"),
        ("front/b", "198.51.100.7:40000", "web3"),
        ("front/a", "198.51.100.7:40000", "web5"),
        ("front/a", "192.0.2.1:1024", "web4"),
    ] {
        evidence.pairs.push(Pair {
            via: via.into(),
            client: client.into(),
            target: target.into(),
            ..Pair::default()
        });
    }
    let style = Style {
        explain: true,
        width: 400,
        ..Style::default()
    };
    let all = text(&[outcome], &style);
    for to in [
        "web1, web2: 3 connections",
        "web5: 1 connection",
        "web4: 1 connection",
    ] {
        let part = format!("staff: client by front/a to {to}");
        assert!(all.contains(&part), "no {part:?} in\n{all}");
    }
}

#[test]
fn instances_stand_with_the_targets() {
    let mut outcome = recorded();
    let evidence = outcome.evidence.as_mut().expect("evidence");
    let front = evidence.load_balancers.get_mut("front");
    let state = |state: &str, reason_code: &str, description: &str| InstanceEvidence {
        state: state.into(),
        reason_code: reason_code.into(),
        description: description.into(),
        transitions: vec![Transition {
            at: -5.0,
            state: state.into(),
            reason: reason_code.into(),
        }],
        ..InstanceEvidence::default()
    };
    front.expect("a balancer").instances = [
        ("blue".to_owned(), state("InService", "N/A", "N/A")),
        (
            "green".to_owned(),
            state("OutOfService", "ELB", "It comes."),
        ),
    ]
    .into();
    let style = Style {
        explain: true,
        width: 400,
        ..Style::default()
    };
    let told = text(std::slice::from_ref(&outcome), &style);
    for line in [
        "front/blue InService\n",
        "front/green OutOfService ELB: It comes.\n",
    ] {
        assert!(told.contains(line), "no {line:?} in\n{told}");
    }
    let all = json(&Report::new(&[outcome], None));
    let report: Value = serde_json::from_str(&all).expect("JSON");
    let case = &report["cases"][0];
    let states = &case["target_health"]["front"]["InstanceStates"];
    assert_eq!(states[1]["ReasonCode"], "ELB");
    let targets = case["targets"].as_array().expect("targets");
    let green = targets.iter().find(|one| one["target"] == "green");
    assert_eq!(green.expect("green")["states"][0]["state"], "OutOfService");
}

#[test]
fn what_is_alike_stands_once_and_lists_end() {
    let mut outcome = recorded();
    let evidence = outcome.evidence.as_mut().expect("evidence");
    let pair = |i: u16| Pair {
        via: "app/a".into(),
        client: format!("198.51.100.7:{}", 40_000 + i),
        why: "finished".into(),
        bytes: Carried {
            from_client: 10,
            to_target: 10,
            ..Carried::default()
        },
        ..Pair::default()
    };
    evidence.pairs = (0..30).map(pair).collect();
    evidence.lookups = (0..25)
        .map(|i| Lookup {
            from: format!("desk-{i}"),
            ..Lookup::default()
        })
        .collect();
    let message = |i: u16| Packet {
        seen_at: format!("router veth{i}"),
        icmp: Some(Box::new(Icmp {
            says: "port unreachable".into(),
            from: format!("198.51.100.7:{}", 40_000 + i),
            ..Icmp::default()
        })),
        ..Packet::default()
    };
    evidence.packets = (0..30).map(message).collect();
    let network = Network::of(evidence);
    assert_eq!(network.icmp.len(), 20);
    assert_eq!(network.left_out.get("icmp"), Some(&10));
    assert_eq!(network.legs.len(), 1);
    let leg = &network.legs[0];
    assert_eq!(
        (leg.connections, leg.bytes.from_client, leg.client.as_str()),
        (30, 300, "198.51.100.7")
    );
    assert_eq!(network.lookups.len(), 20);
    assert_eq!(network.left_out.get("lookups"), Some(&5));
}

#[test]
fn the_table_tells_at_a_glance() {
    let control = Outcome {
        case: info("one-address", Kind::Control),
        ..fix()
    };
    let partial = Outcome {
        case: info("another-target", Kind::Partial),
        ..fix()
    };
    let style = Style {
        wall: Some(6.24),
        ..Style::default()
    };
    assert_eq!(
        text(&[fault(), fix(), partial, control], &style),
        "\
nlb/source-port-collision  Two load-balancer addresses, one target, one source port
  fault    as-deployed     reproduced    flow-collision challenge-ack stale-connection         2.1 s
  fix      cross-zone-off  holds         cross_zone.enabled: false                             0.1 s
  partial  another-target  as claimed                                                          0.1 s
  control  one-address     holds                                                               0.1 s

1 lab, 4 cases: 1 fault reproduced, 1 fix holds, 1 partial as claimed, 1 control holds. 6.2 s
"
    );
}

#[test]
fn a_narrow_table_counts_the_findings_that_do_not_fit() {
    let long = Outcome {
        case: info("with-a-name-that-leaves-no-room", Kind::Fault),
        ..fault()
    };
    let narrow = text(&[long], &Style::default());
    assert!(
        narrow.contains("reproduced    flow-collision challenge-ack +1 "),
        "{narrow}"
    );
}

#[test]
fn a_wide_terminal_also_sees_what_broke() {
    let wide = text(
        &[fault()],
        &Style {
            width: 140,
            ..Style::default()
        },
    );
    let row = wide.lines().nth(1).expect("a row");
    assert!(
        row.contains("stale-connection  new.syns 2, again.ok false"),
        "{row}"
    );
    assert!(row.chars().count() <= 140);
}

#[test]
fn a_case_that_fails_is_explained_unasked() {
    let text = text(&[fix(), failed()], &Style::default());
    for part in [
        "  fix      another-source-port  FAILED        this does not hold: the second connection o...   2.1 s\n",
        "           reason    this does not hold: the second connection opens with one SYN\n",
        "           works     the lab's promise: a fix must keep all of it\n",
        "                     broken   the second connection opens with one SYN: new.ok && new.syns == 1\n",
        "                              new.ok = true, new.syns = 2\n",
        "           findings  flow-collision (a fix must not show it)\n",
        "                       web1 TcpExtTCPSYNChallenge 1, web1 TcpEstabResets 1\n",
        "           missing   loopback (hairpin explain loopback tells how it shows)\n",
        "        20.10 new |<- ACK seq 65 ack 65 (of old) ---",
        "           steps     at 0.0 ms old = connect client -> front/a: ok after 0.0 ms\n",
        "           evidence  hairpin explain out/x\n",
        "           again     hairpin run labs/nlb/source-port-collision.yaml --case another-source-port --seed 1 \
         --explain\n",
        "1 lab, 2 cases: 1 fix holds, 1 FAILED.\n",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    // What holds stays one line, and true claims without values.
    assert!(
        !text.contains("new.syns = 1") && !text.contains("again.error = "),
        "{text}"
    );
    for line in text.lines().filter(|line| !line.contains("hairpin run")) {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

/// What was not as claimed among many labs stands once more at the end, where a log is read first and cut last.
#[test]
fn after_many_labs_what_failed_is_told_again() {
    let mut other = fix();
    other.case.lab = "nlb/loopback-timeout".into();
    let whole = text(&[failed(), other, broken()], &Style::default());
    let end = whole.find("2 labs, ").expect("a summary");
    let again = "\
FAILED  nlb/source-port-collision/another-source-port
  this does not hold: the second connection opens with one SYN
";
    let at = whole.find(again).expect(&whole);
    let row = whole.find("  FAILED        ").expect("the table's row");
    let error = whole.rfind("\nERROR  ").expect(&whole);
    assert!(row < at && at < error && error < end, "{whole}");
    assert!(
        whole[at..error].contains("new.syns is 2"),
        "the nearest: {whole}"
    );
    let one_lab = text(&[failed(), fix()], &Style::default());
    assert!(!one_lab.contains("\nFAILED"), "{one_lab}");
    let all_well = text(&[fix()], &Style::default());
    assert!(!all_well.contains("FAILED"), "{all_well}");
}

#[test]
fn explain_tells_everything_about_every_case() {
    let text = text(
        &[fault(), fix()],
        &Style {
            explain: true,
            ..Style::default()
        },
    );
    for part in [
        "shows     the second connection silently kills the first\n",
        "changes   load_balancers.front.attributes.load_balancing.cross_zone.enabled: true ->\n",
        "again.error = \"deadline\"\n",
        "new.ok = true, new.syns = 1\n",
        "world     up 3.1 ms, timers at most 0.6 ms late, kernel 6.18.44, seed 1\n",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    assert_eq!(
        text.matches("client                ").count(),
        2,
        "two ladders"
    );
    assert!(!text.contains("\n\n\n"), "{text}");
}

#[test]
fn the_help_of_an_error_has_its_own_line() {
    let outcome = Outcome {
        failure: Some("open it: EMFILE\n  help: raise the limit".into()),
        ..broken()
    };
    let text = text(&[outcome], &Style::default());
    assert!(
        text.contains("error     open it: EMFILE\n                     help: raise the limit\n"),
        "{text}"
    );
}

#[test]
fn a_machine_that_cannot_run_it_is_no_verdict() {
    let text = text(&[broken()], &Style::default());
    assert!(
        text.contains("ERROR         cannot open /dev/net/tun in the namespace"),
        "{text}"
    );
    assert!(
        text.contains("error     cannot open /dev/net/tun in the namespace of web1: EACCES\n"),
        "{text}"
    );
    assert!(
        text.ends_with("1 lab, 1 case: 1 could not run.\n"),
        "{text}"
    );
    assert_eq!(broken().word(), Word::Failure);
    assert_eq!(
        summary(&[], &Style::default()),
        "0 labs, 0 cases: nothing was run.\n"
    );
}

#[test]
fn an_unknown_claim_says_why() {
    let mut outcome = fix();
    let verdict = outcome.verdict.as_mut().expect("a verdict");
    verdict.ruling = Ruling::Inconclusive;
    verdict.reason = "this cannot be told: it opens at once".into();
    verdict.works[0].truth = ClaimTruth::Unknown;
    verdict.works[0].why = "timers of this machine were up to 12.0 ms late".into();
    let text = text(&[outcome], &Style::default());
    assert!(text.contains("inconclusive  this cannot be told"), "{text}");
    assert!(text.contains("          unknown  the second"), "{text}");
    assert!(
        text.contains("timers of this machine were up to 12.0 ms late\n"),
        "{text}"
    );
}

#[test]
fn colours_are_only_there_when_wanted_and_change_nothing_else() {
    let outcomes = [fault(), failed(), broken()];
    let plain = text(&outcomes, &Style::default());
    let coloured = text(
        &outcomes,
        &Style {
            colour: true,
            ..Style::default()
        },
    );
    assert!(!plain.contains('\u{1b}') && coloured.contains('\u{1b}'));
    let mut stripped = String::new();
    let mut parts = coloured.split('\u{1b}');
    stripped.push_str(parts.next().unwrap_or_default());
    for part in parts {
        stripped.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    assert_eq!(stripped, plain);
}

#[test]
fn json_has_what_a_machine_asks_for() {
    let report: Value =
        serde_json::from_str(&json(&Report::new(&[fault(), failed(), broken()], None)))
            .expect("JSON");
    assert_eq!(
        report["summary"],
        value!({"cases": 3, "holds": 1, "fails": 1, "inconclusive": 0, "errors": 1, "interrupted": 0, "by_hand": 0})
    );
    // Sorted by lab: the one that could not be run comes first.
    let case = &report["cases"][2];
    let wanted = [
        "lab", "case", "kind", "verdict", "seconds", "up_ms", "works", "expect", "findings",
        "lag_ms", "file", "line", "title", "reason", "steps", "seed",
    ];
    for key in wanted {
        assert!(!case[key].is_null(), "no {key}");
    }
    assert_eq!(
        (&case["kind"], &case["verdict"]),
        (&value!("fault"), &value!("holds"))
    );
    assert_eq!(
        case["works"][0],
        value!({
            "claim": "the second connection opens with one SYN", "that": "new.ok && new.syns == 1", "line": 40,
            "verdict": "fails", "why": "", "parts": [], "values": {"new.ok": true, "new.syns": 2},
        })
    );
    assert_eq!(case["findings"][0]["kind"], "flow-collision");
    assert_eq!(case["findings"][0]["connections"], value!([0, 1]));
    assert_eq!(case["steps"][1]["name"], "new");
    assert_eq!(case["steps"][1]["syns"], 2);
    assert_eq!(case["counters"]["web1"]["TcpExtTCPSYNChallenge"], 1);
    let broken = &report["cases"][0];
    assert_eq!(broken["verdict"], "error");
    assert!(
        broken["error"]
            .as_str()
            .is_some_and(|e| e.contains("EACCES"))
    );
    assert_eq!(
        (&broken["works"], &broken["seconds"]),
        (&value!([]), &Value::Null)
    );
}

#[test]
fn wilsons_interval_is_known_at_its_ends_and_in_the_middle() {
    let close =
        |(a, b): (f64, f64), (c, d): (f64, f64)| (a - c).abs() < 5e-4 && (b - d).abs() < 5e-4;
    // Reference values: Brown, Cai, DasGupta 2001 and R's prop.test without correction.
    assert!(close(wilson(0, 10), (0.0, 0.2775)));
    assert!(close(wilson(10, 10), (0.7225, 1.0)));
    assert!(close(wilson(5, 10), (0.2366, 0.7634)));
    assert!(close(wilson(81, 263), (0.2553, 0.3662)));
    assert!(close(wilson(50, 50), (0.9287, 1.0)));
    assert_eq!(wilson(0, 0), (0.0, 1.0));
    assert_eq!(wilson(7, 3), wilson(3, 3));
}

#[test]
fn repeated_runs_are_counted_and_the_first_failure_is_named() {
    let mut outcomes: Vec<Outcome> = (1..=10)
        .map(|attempt| Outcome { attempt, ..fault() })
        .collect();
    let mut bad = Outcome {
        attempt: 11,
        ..failed()
    };
    bad.case = CaseInfo {
        seed: 11,
        ..info("as-deployed", Kind::Fault)
    };
    outcomes.push(bad);
    outcomes.extend((1..=4).map(|attempt| Outcome { attempt, ..fix() }));
    assert_eq!(
        repeat(&Report::new(&outcomes, None)),
        "\
nlb/source-port-collision as-deployed     fault      10/11     90.9 %  95 % interval 62.3 to 98.4 %  seconds 2.10 min, 2.10 p50, 2.10 p90, 2.10 max
    first FAILED in run 11, seed 11: this does not hold: the second connection opens with one SYN
    its evidence: out/x
nlb/source-port-collision cross-zone-off  fix         4/4     100.0 %  95 % interval 51.0 to 100.0 %  seconds 0.10 min, 0.10 p50, 0.10 p90, 0.10 max
2 cases, 15 runs: 1 case did not always hold.
"
    );
    assert_eq!(
        repeat(&Report::new(&[fault()], None)),
        "nlb/source-port-collision as-deployed  fault    reproduced       2.10 s\n1 case, 1 run: every run held.\n"
    );
}
