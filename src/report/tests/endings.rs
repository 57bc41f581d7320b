//! What reports tell of runs that came to a bad end: interrupts, programs that failed.

use super::*;
use crate::report;

#[test]
fn every_report_says_that_it_was_interrupted() {
    let outcomes = [fault(), interrupted()];
    let report = Report::new(&outcomes, None);
    assert_eq!(
        value!(report.summary),
        value!({ "cases": 2, "holds": 1, "fails": 0, "inconclusive": 0, "errors": 0, "interrupted": 1, "by_hand": 0 })
    );
    let sentence = "Interrupted: 1 of 2 cases not run, or not as often as asked for.";
    for page in [
        html(&report),
        markdown(&report),
        github(&report, str::to_owned),
        report::repeat(&report),
    ] {
        assert!(page.contains(sentence), "{page}");
    }
    assert!(!markdown(&report).contains("all as claimed"));
    let xml = junit(&report);
    assert!(
        xml.contains("errors=\"1\"") && xml.contains("type=\"interrupted\""),
        "{xml}"
    );
    let stream = tap(&report);
    assert!(
        stream.contains("1..2\n") && stream.contains("not ok 2 - "),
        "{stream}"
    );
    let table = text(&outcomes, &Style::default());
    assert!(
        table.ends_with("1 lab, 2 cases: 1 fault reproduced, 1 interrupted.\n"),
        "{table}"
    );
    let read = Report::read(&json(&report)).expect("its own report");
    assert_eq!(read, report);
    // The same case from another report makes it whole.
    let other = Outcome {
        case: interrupted().case,
        ..fix()
    };
    let whole = Report::merge(vec![report.clone(), Report::new(&[other], None)]);
    assert_eq!((whole.cases.len(), whole.interrupted()), (2, None));
    let twice = Report::merge(vec![report.clone(), report]);
    assert_eq!((twice.cases.len(), twice.summary.interrupted), (2, 1));
}

#[test]
fn what_a_program_that_failed_said_at_last_is_told() {
    let mut outcomes = [fix(), failed()];
    for outcome in &mut outcomes {
        let evidence = outcome.evidence.as_mut().expect("evidence");
        let lines = |n: usize| {
            (1..=n)
                .map(|i| format!("line {i} <of many>\n"))
                .collect::<String>()
        };
        for (name, exit_code, stderr) in
            [("good", 0, ""), ("bad", 127, "sh: 1: ping: not found\n\n")]
        {
            evidence.steps.push(StepResult {
                name: name.into(),
                label: format!("run on client: {name}"),
                ok: exit_code == 0,
                error: if exit_code == 0 { "" } else { "failed" }.into(),
                detail: Detail::Run {
                    exit_code,
                    stdout: lines(9),
                    stdout_cut: 0,
                    stderr: stderr.into(),
                    stderr_cut: 0,
                },
                ..evidence.steps[0].clone()
            });
        }
    }
    let report = Report::new(&outcomes, None);
    let style = Style {
        explain: true,
        width: 160,
        ..Style::default()
    };
    let line = "stderr: sh: 1: ping: not found";
    let pages = [
        ("HTML", html(&report)),
        ("JUnit", junit(&report)),
        ("text", text(&outcomes, &style)),
    ];
    for (format, page) in &pages {
        assert!(
            page.matches(line).count() >= 2,
            "of both cases in {format}\n{page}"
        );
        assert!(!page.contains("line 9"), "{format}");
    }
    assert!(
        pages[0].1.contains("exit status 127, which is the shell"),
        "{}",
        pages[0].1
    );
    // Where only what failed is told, of what failed.
    let short = text(&outcomes, &Style::default());
    for page in [short, markdown(&report), tap(&report)] {
        assert!(
            page.contains("\"bad\" failed, and its program said:") && page.contains(line),
            "{page}"
        );
    }
    // What it wrote to its output where it wrote no errors, the end of it.
    let steps = &mut outcomes[1].evidence.as_mut().expect("evidence").steps;
    let Some(Detail::Run {
        stdout_cut, stderr, ..
    }) = steps.last_mut().map(|step| &mut step.detail)
    else {
        panic!("it is a run")
    };
    stderr.clear();
    *stdout_cut = 4464;
    let page = markdown(&Report::new(&outcomes, None));
    assert!(
        page.contains("stdout: line 5 <of many>\n") && !page.contains("line 4"),
        "{page}"
    );
    assert!(
        page.contains("stdout: ... 4464 more bytes, which were not kept"),
        "{page}"
    );
}

#[test]
fn an_interrupted_run_is_none_of_the_runs_that_rates_count() {
    let cut = Outcome {
        case: fix().case,
        attempt: 3,
        ..interrupted()
    };
    let second = Outcome {
        attempt: 2,
        ..fix()
    };
    let report = Report::new(&[fix(), second, cut], None);
    let rates = report::repeat(&report);
    assert!(
        rates.contains(" 2/2 ")
            && rates.contains("\n1 case, 2 runs: every run held.\nInterrupted: "),
        "{rates}"
    );
    let page = markdown(&report);
    assert!(
        page.contains("2 of 2 runs held") && page.contains("1 case: 1 interrupted"),
        "{page}"
    );
}

#[test]
fn what_was_done_by_hand_has_no_verdict_in_any_report() {
    let mut by_hand = Outcome {
        by_hand: true,
        ..fix()
    };
    by_hand.case = info("as-deployed", Kind::Control);
    by_hand.verdict = Some(Verdict {
        works: Vec::new(),
        ..by_hand.verdict.clone().expect("a verdict")
    });
    let told = text(std::slice::from_ref(&by_hand), &Style::default());
    assert!(told.contains("  by hand  as-deployed  no claim "), "{told}");
    let explained = Style {
        explain: true,
        ..Style::default()
    };
    // Nor is there a command that does it again.
    let again = "hairpin run";
    let whole = text(std::slice::from_ref(&by_hand), &explained);
    assert!(whole.contains("up ") && !whole.contains(again), "{whole}");
    let alone = Report::new(std::slice::from_ref(&by_hand), None);
    for told in [junit(&alone), markdown(&alone), html(&alone)] {
        assert!(!told.contains(again), "{told}");
    }
    assert!(text(&[fix()], &explained).contains(again));
    let summary = "1 lab, 1 case: 1 by hand, of which nothing is claimed.";
    assert!(told.contains(summary), "{told}");
    // No run of these is one that could have held.
    let rates = report::repeat(&Report::new(std::slice::from_ref(&by_hand), None));
    assert!(rates.ends_with("1 case, 0 runs.\n"), "{rates}");
    let report = Report::new(&[by_hand.clone(), fix()], None);
    let for_machines = json(&report);
    for part in ["\"verdict\": \"by-hand\"", "\"by_hand\": 1", "\"holds\": 1"] {
        assert!(for_machines.contains(part), "{for_machines}");
    }
    let read = Report::read(&for_machines).expect("what was written");
    for one in [&report, &read] {
        let all = [
            ("junit", junit(one)),
            ("tap", tap(one)),
            ("markdown", markdown(one)),
            ("html", html(one)),
            ("repeat", repeat(one)),
            ("github", github(one, str::to_owned)),
        ];
        for (format, told) in all {
            for wrong in ["control holds", "controls hold", "(control holds)"] {
                assert!(!told.contains(wrong), "{format}: {told}");
            }
            assert!(!told.contains("::error"), "{format}: {told}");
        }
    }
    let for_ci = junit(&report);
    assert!(for_ci.contains("<skipped"), "{for_ci}");
    // Schemas know the number at a suite only.
    let root = for_ci
        .split_once("<testsuites")
        .and_then(|(_, rest)| rest.split_once('>'));
    let (root, suites) = root.expect("a root");
    assert!(!root.contains("skipped"), "{root}");
    assert!(suites.contains(" skipped=\"1\""), "{suites}");
    // It is no run of the case, whatever that comes to.
    let mut run = fix();
    run.case.name = "as-deployed".into();
    let merged = Report::new(&[by_hand, run], None);
    let tallies = crate::report::tally::tallies(&merged);
    assert_eq!((tallies[0].made(), tallies[0].held()), (1, 1));
    assert_eq!(tallies[0].word(), Word::Ruled(Ruling::Holds));
}

#[test]
fn a_wait_in_vain_is_told_unless_a_claim_asks_for_it() {
    let mut waits = fix();
    let evidence = waits.evidence.as_mut().expect("evidence");
    evidence.steps.push(StepResult {
        name: "forgotten".into(),
        label: "wait until hosts.client.sockets.size() == 0".into(),
        error: "deadline".into(),
        ms: 10_000.0,
        ..StepResult::default()
    });
    let told = |outcome: &Outcome| text(std::slice::from_ref(outcome), &Style::default());
    let sentence = "in vain   forgotten ended at its limit, after 10.0 s:";
    assert!(told(&waits).contains(sentence), "{}", told(&waits));
    assert!(json(&Report::new(&[waits.clone()], None)).contains("\"waited\": ["));
    assert!(html(&Report::new(&[waits.clone()], None)).contains("<b>In vain:</b> forgotten ended"));
    // One that came true in time, another kind of step, and one that a claim asks for.
    let step = |outcome: &mut Outcome, change: fn(&mut StepResult)| {
        let evidence = outcome.evidence.as_mut().expect("evidence");
        change(evidence.steps.last_mut().expect("a step"));
    };
    let mut other = waits.clone();
    step(&mut other, |step| step.error = String::new());
    assert!(!told(&other).contains("in vain"), "{}", told(&other));
    let mut other = waits.clone();
    step(&mut other, |step| step.label = "exchange over old".into());
    assert!(!told(&other).contains("in vain"), "{}", told(&other));
    let verdict = waits.verdict.as_mut().expect("a verdict");
    verdict.expect.push(claim(
        ("nothing comes", "forgotten.error == \"deadline\""),
        ClaimTruth::True,
        &[("forgotten.error", value!("deadline"))],
    ));
    assert!(!told(&waits).contains("in vain"), "{}", told(&waits));
}
