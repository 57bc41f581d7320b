//! Each rule of judging, kind by kind.

use super::*;
use crate::diag::{Diagnostics, Span, Spanned};
use crate::evidence::{Conntrack, Detail, HostEvidence, StepResult};
use crate::expr::{Shape, Type, compile};
use crate::fabric;
use crate::plan::{Step, Verb};
use std::sync::Arc;
use std::time::Duration;

/// Step `good` is ok and took 5 ms, step `bad` is not; `lost` is in the shape and not in the evidence.
fn shape() -> Shape {
    let fields = [
        ("ok", Type::Bool),
        ("ms", Type::Millis),
        ("lost", Type::Int),
        ("stdout", Type::Text),
    ];
    let fields = fields.map(|(name, ty)| (name.to_string(), ty));
    let result = Type::Record(Arc::new(fields.into()));
    Shape {
        roots: ["good", "bad"]
            .map(|name| (name.to_string(), result.clone()))
            .into(),
    }
}

fn claims(texts: &[&str]) -> Vec<Claim> {
    let claim = |text: &&str| Claim {
        words: Some(format!("claim {text}")),
        that: text.to_string(),
        span: Span::default(),
        line: 7,
        expr: compile(
            &Spanned::new(text.to_string(), Span::default()),
            &shape(),
            &mut Diagnostics::default(),
        )
        .expect("a sound expression"),
    };
    texts.iter().map(claim).collect()
}

fn plan(kind: Kind, works: &[&str], expect: &[&str]) -> Plan {
    let step = |name: &str| Step {
        name: name.into(),
        named: true,
        label: String::new(),
        line: 1,
        background: false,
        verb: Verb::Wait {
            lapse: Duration::ZERO,
        },
    };
    Plan {
        file: String::new(),
        lab: String::new(),
        title: String::new(),
        story: String::new(),
        sources: Vec::new(),
        opt_in: None,
        case: String::new(),
        kind,
        shows: String::new(),
        line: 1,
        changes: Vec::new(),
        works: claims(works),
        expect: claims(expect),
        finds: Vec::new(),
        may_find: Vec::new(),
        fault_finds: Vec::new(),
        fixes: Vec::new(),
        ip_groups: Vec::new(),
        warnings: Default::default(),
        seed: 1,
        time_scale: 1.0,
        hosts: Vec::new(),
        groups: Vec::new(),
        aliases: Vec::new(),
        services: Vec::new(),
        kube_proxy: None,
        steps: vec![step("good"), step("bad")],
        shape: shape(),
        fabric: fabric::Config::default(),
        settles: Vec::new(),
    }
}

fn evidence(lag_ms: f64) -> Evidence {
    let step = |name: &str, ok| StepResult {
        name: name.into(),
        ok,
        ms: 5.0,
        ..StepResult::default()
    };
    Evidence {
        lag_ms,
        // In another order than the plan's: results go by their names.
        steps: vec![step("bad", false), step("good", true)],
        ..Evidence::default()
    }
}

fn finding(kind: &str) -> Finding {
    Finding {
        kind: kind.into(),
        ..Finding::default()
    }
}

fn ruling(kind: Kind, works: &[&str], expect: &[&str]) -> Ruling {
    judge_with(&plan(kind, works, expect), &evidence(0.0), Vec::new()).ruling
}

const TRUE: &str = "good.ok";
const FALSE: &str = "bad.ok";
const UNKNOWN: &str = "good.lost == 0";

#[test]
fn a_fault_breaks_the_promise_and_holds_its_own_claims() {
    use Ruling::{Fails, Holds, Inconclusive};
    for (works, expect, ruled) in [
        (&[FALSE][..], &[][..], Holds),
        (&[TRUE, FALSE], &[TRUE], Holds),
        (&[UNKNOWN, FALSE], &[TRUE], Holds),
        (&[TRUE], &[TRUE], Fails),
        (&[FALSE], &[FALSE], Fails),
        (&[FALSE], &[TRUE, UNKNOWN], Inconclusive),
        (&[FALSE], &[UNKNOWN, FALSE], Fails),
        // Unknown is not broken.
        (&[UNKNOWN], &[TRUE], Inconclusive),
        (&[UNKNOWN, TRUE], &[], Inconclusive),
    ] {
        assert_eq!(
            ruling(Kind::Fault, works, expect),
            ruled,
            "{works:?} {expect:?}"
        );
    }
}

#[test]
fn a_fix_and_a_control_keep_the_promise_and_hold_their_own_claims() {
    use Ruling::{Fails, Holds, Inconclusive};
    for kind in [Kind::Fix, Kind::Control] {
        for (works, expect, ruled) in [
            (&[TRUE][..], &[][..], Holds),
            (&[TRUE, TRUE], &[TRUE], Holds),
            (&[TRUE, FALSE], &[TRUE], Fails),
            (&[TRUE], &[FALSE], Fails),
            (&[UNKNOWN], &[TRUE], Inconclusive),
            (&[TRUE], &[UNKNOWN], Inconclusive),
            (&[UNKNOWN, FALSE], &[], Fails),
        ] {
            assert_eq!(
                ruling(kind, works, expect),
                ruled,
                "{kind:?} {works:?} {expect:?}"
            );
        }
    }
}

#[test]
fn a_partial_is_judged_on_its_own_claims_only() {
    use Ruling::{Fails, Holds, Inconclusive};
    for (works, expect, ruled) in [
        (&[FALSE][..], &[TRUE][..], Holds),
        (&[UNKNOWN], &[TRUE], Holds),
        (&[TRUE], &[FALSE], Fails),
        (&[TRUE], &[UNKNOWN], Inconclusive),
    ] {
        assert_eq!(
            ruling(Kind::Partial, works, expect),
            ruled,
            "{works:?} {expect:?}"
        );
    }
}

#[test]
fn a_fault_shows_what_it_finds() {
    let mut plan = plan(Kind::Fault, &[FALSE], &[]);
    plan.finds = vec!["loopback".into(), "flow-collision".into()];
    let verdict = judge_with(&plan, &evidence(0.0), vec![finding("loopback")]);
    assert_eq!(verdict.ruling, Ruling::Fails);
    assert_eq!(verdict.missing_finds, ["flow-collision"]);
    assert!(
        verdict.reason.contains("flow-collision"),
        "{}",
        verdict.reason
    );
    let both = vec![
        finding("flow-collision"),
        finding("loopback"),
        finding("challenge-ack"),
    ];
    assert_eq!(
        judge_with(&plan, &evidence(0.0), both).ruling,
        Ruling::Holds
    );
}

#[test]
fn a_fix_shows_nothing_that_a_fault_finds() {
    for (kind, ruled) in [
        (Kind::Fix, Ruling::Fails),
        (Kind::Control, Ruling::Fails),
        (Kind::Partial, Ruling::Holds),
    ] {
        let mut plan = plan(kind, &[TRUE], &[]);
        plan.fault_finds = vec!["loopback".into()];
        let verdict = judge_with(&plan, &evidence(0.0), vec![finding("loopback")]);
        assert_eq!(verdict.ruling, ruled, "{kind:?}");
        assert_eq!(verdict.unwanted_finds.is_empty(), ruled == Ruling::Holds);
        let other = vec![finding("challenge-ack")];
        assert_eq!(
            judge_with(&plan, &evidence(0.0), other).ruling,
            Ruling::Holds
        );
    }
}

#[test]
fn a_late_machine_makes_a_missed_time_inconclusive() {
    let late = |text: &str, lag_ms| {
        judge_with(
            &plan(Kind::Control, &[text], &[]),
            &evidence(lag_ms),
            Vec::new(),
        )
        .ruling
    };
    assert_eq!(late("good.ms < 1", LAG_LIMIT_MS), Ruling::Fails);
    assert_eq!(late("good.ms < 1", 3.1), Ruling::Inconclusive);
    assert_eq!(late("good.ms < 10", 3.1), Ruling::Holds);
    assert_eq!(late(FALSE, 3.1), Ruling::Fails);
    // Missed by more than all the lateness together, or by something that is no time.
    assert_eq!(late("good.ms > 100", 3.1), Ruling::Fails);
    assert_eq!(late("good.ms > 100", 10.0), Ruling::Inconclusive);
    assert_eq!(late("good.ms < 1 && bad.ok", 3.1), Ruling::Fails);
    // Nor does a missed time break a promise.
    let fault = judge_with(
        &plan(Kind::Fault, &["good.ms < 1"], &[]),
        &evidence(3.1),
        Vec::new(),
    );
    assert_eq!(fault.ruling, Ruling::Inconclusive);
}

#[test]
fn the_verdict_tells_claims_values_and_the_reason() {
    let verdict = judge_with(
        &plan(Kind::Fix, &[UNKNOWN], &[FALSE]),
        &evidence(0.0),
        Vec::new(),
    );
    assert_eq!(verdict.reason, "this does not hold: claim bad.ok");
    let [works] = &verdict.works[..] else {
        panic!("one entry")
    };
    assert_eq!((works.truth, works.line), (ClaimTruth::Unknown, 7));
    assert_eq!(works.why, "there is no `good.lost` in the evidence");
    assert_eq!(works.values, [("good.lost".to_string(), Value::Null)]);
    assert_eq!(
        verdict.expect[0].values,
        [("bad.ok".to_string(), Value::Bool(false))]
    );
    let verdict = judge_with(
        &plan(Kind::Control, &[TRUE], &[]),
        &evidence(0.0),
        Vec::new(),
    );
    assert_eq!(verdict.reason, "");
}

#[test]
fn what_connection_tracking_does_not_tell_is_told_with_the_reason() {
    let host = |unknown: &str| HostEvidence {
        conntrack: Conntrack {
            unknown: unknown.to_owned(),
            ..Conntrack::default()
        },
        ..HostEvidence::default()
    };
    let evidence = Evidence {
        hosts: [
            ("n1".to_owned(), host("the module is not there")),
            ("n-2".to_owned(), host("nor here")),
            ("n3".to_owned(), host("")),
        ]
        .into(),
        ..Evidence::default()
    };
    let told = |path: &str| lacking(format!("no value for `{path}`"), &evidence);
    assert_eq!(
        told("hosts.n1.conntrack.drop"),
        "no value for `hosts.n1.conntrack.drop`: the module is not there"
    );
    assert!(told("hosts[\"n-2\"].conntrack.drop").ends_with(": nor here"));
    assert!(told("hosts.n3.conntrack.chaintoolong").ends_with('`'));
    assert!(told("hosts.n1.counters.TcpOutRsts").ends_with('`'));
    assert!(
        told("hosts.n3.listeners")
            .ends_with(": no claim asked for listening sockets when this was recorded")
    );
}

#[test]
fn cited_packets_have_the_numbers_that_captures_have() {
    let packet = |id| Packet {
        id,
        ..Packet::default()
    };
    let recorded = Evidence {
        packets: [3, 7, 7, 9].map(packet).into(),
        ..evidence(0.0)
    };
    let found = Finding {
        packets: vec![1, 2, 3],
        ..finding("loopback")
    };
    let verdict = judge_with(&plan(Kind::Fault, &[FALSE], &[]), &recorded, vec![found]);
    assert_eq!(verdict.cited, [[7, 9]]);
}

#[test]
fn what_may_be_in_output_that_was_cut_is_inconclusive() {
    let said = |stdout_cut| {
        let mut evidence = evidence(0.0);
        evidence.steps[1].detail = Detail::Run {
            exit_code: 0,
            stdout: "begun\n".into(),
            stdout_cut,
            stderr: String::new(),
            stderr_cut: 0,
        };
        evidence
    };
    let ruled = |claim, cut| judge_with(&plan(Kind::Control, &[claim], &[]), &said(cut), vec![]);
    let [there, later] = ["begun", "READY"].map(|word| format!("good.stdout.contains('{word}')"));
    assert_eq!(ruled(&there, 0).ruling, Ruling::Holds);
    assert_eq!(ruled(&there, 9).ruling, Ruling::Holds);
    assert_eq!(ruled(&later, 0).ruling, Ruling::Fails);
    let doubtful = ruled(&later, 9);
    assert_eq!(doubtful.ruling, Ruling::Inconclusive);
    let why = "only the first 6 bytes were kept, 9 more were not";
    assert!(doubtful.reason.contains(why), "{}", doubtful.reason);
    let shown = [("good.stdout".to_owned(), "begun\n... 9 more bytes".into())];
    assert_eq!(doubtful.works[0].values, shown);
}
