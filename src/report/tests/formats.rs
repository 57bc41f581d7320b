//! Reports of every format from the same outcomes, and what is put together of several.

use super::*;
use crate::report;

/// All kinds of outcomes, one of them after a second try.
fn mixed() -> Report {
    let retried = Outcome {
        case: info("one-address", Kind::Control),
        retried: Some("this cannot be told: it opens at once".into()),
        ..fix()
    };
    let mut doubtful = fix();
    doubtful.case.name = "doubtful".into();
    let verdict = doubtful.verdict.as_mut().expect("a verdict");
    verdict.ruling = Ruling::Inconclusive;
    verdict.reason = "this cannot be told: it opens at once".into();
    doubtful.retried = Some("this cannot be told: it opens at all".into());
    Report::new(
        &[fault(), fix(), failed(), retried, doubtful, broken()],
        None,
    )
}

/// Times of the ladder aside, the same for ever.
fn without_ladders(mut report: Report) -> Report {
    for case in &mut report.cases {
        case.ladder = None;
    }
    report
}

#[test]
fn junit_is_red_where_something_was_not_shown() {
    insta::assert_snapshot!(junit(&without_ladders(mixed())));
}

#[test]
fn junit_has_what_schemas_allow_and_no_more() {
    let text = junit(&mixed());
    let allowed: &[(&str, &[&str])] = &[
        (
            "testsuites",
            &["name", "tests", "failures", "errors", "time"],
        ),
        (
            "testsuite",
            &["name", "tests", "skipped", "errors", "failures", "time"],
        ),
        ("properties", &[]),
        ("property", &["name", "value"]),
        ("testcase", &["name", "classname", "time"]),
        ("failure", &["message", "type"]),
        ("error", &["message", "type"]),
        ("flakyError", &["message", "type"]),
        ("system-out", &[]),
    ];
    for tag in text.split('<').skip(2).filter(|tag| !tag.starts_with('/')) {
        let tag = tag.split('>').next().unwrap_or_default();
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        let found = allowed.iter().find(|(known, _)| *known == name);
        let (_, attributes) = found.unwrap_or_else(|| panic!("<{tag}>"));
        for attribute in tag.split("=\"").filter_map(|part| part.rsplit_once(' ')) {
            let known =
                attributes.contains(&attribute.1) || !tag.contains(&format!(" {}=\"", attribute.1));
            assert!(known, "{} in <{tag}>", attribute.1);
        }
    }
    assert_eq!(text.matches("<failure ").count(), 1);
    assert_eq!(text.matches("<error ").count(), 2);
    assert_eq!(text.matches("<flakyError ").count(), 1);
}

#[test]
fn tap_says_ok_only_where_it_is() {
    insta::assert_snapshot!(tap(&mixed()));
}

#[test]
fn markdown_unfolds_what_failed() {
    insta::assert_snapshot!(markdown(&without_ladders(mixed())));
}

#[test]
fn a_lab_cannot_write_markdown_or_directives() {
    let mut outcome = failed();
    outcome.case.lab = "x|<b>`*".into();
    outcome.case.name = "a # SKIP".into();
    let report = Report::new(&[outcome], None);
    let table = markdown(&report);
    let row = table
        .lines()
        .find(|line| line.contains("a \\# SKIP"))
        .expect("a row");
    assert!(row.starts_with("| x\\|&lt;b&gt;\\`\\* |"), "{row}");
    assert!(tap(&report).contains("not ok 1 - x|<b>`*/a \\# SKIP (fix fails)\n"));
}

#[test]
fn what_is_written_for_machines_reads_back_the_same() {
    let report = mixed();
    assert_eq!(Report::read(&json(&report)), Ok(report.clone()));
    assert!(Report::read("{}").is_err_and(|why| why.contains("version")));
    assert!(Report::read("{\"version\": 99}").is_err_and(|why| why.contains("99")));
    damaged_numbers_are_refused(&json(&report));
}

#[test]
fn parts_of_a_run_make_the_whole() {
    let whole = mixed();
    let part = |number: u32| {
        let cases = whole.cases.iter().zip(0u32..);
        let mine = cases
            .filter(|(_, i)| i % 2 + 1 == number)
            .map(|(case, _)| case.clone());
        Report::of(mine.collect(), vec![Shard { number, of: 2 }])
    };
    let merged = Report::merge(vec![part(2), part(1)]);
    assert_eq!(merged.missing(), []);
    assert_eq!(
        (&merged.cases, merged.summary),
        (&whole.cases, whole.summary)
    );
    assert_eq!(part(1).missing(), [Shard { number: 2, of: 2 }]);
    for page in [
        junit(&part(1)),
        tap(&part(1)),
        html(&part(1)),
        markdown(&part(1)),
    ] {
        assert!(
            page.to_lowercase().contains("shard 2 of 2 is missing"),
            "{page}"
        );
    }
    assert!(junit(&part(1)).contains("type=\"missing\""));
    // Where it was run, nobody misses the others.
    let alone = Report {
        alone: true,
        ..part(1)
    };
    assert_eq!(Report::read(&json(&alone)), Ok(part(1)));
    for page in [junit(&alone), tap(&alone), html(&alone), markdown(&alone)] {
        assert!(!page.contains("missing."), "{page}");
        assert!(!page.contains("type=\"missing\""), "{page}");
        assert!(!page.contains("is missing"), "{page}");
    }
    assert!(html(&alone).contains("Shard 1 of 2, hairpin"));
    assert!(markdown(&alone).contains("\nShard 1 of 2.\n"));
    assert!(!junit(&merged).contains("missing\"") && !tap(&merged).contains("shard"));
    // The same file twice is no second run; another run is.
    assert_eq!(Report::merge(vec![part(1), part(1)]).cases, part(1).cases);
    let mut again = part(1);
    again.cases.iter_mut().for_each(|case| case.seed += 1);
    let twice = Report::merge(vec![part(1), again]);
    assert_eq!(tallies(&twice).len(), part(1).cases.len());
    for tally in tallies(&twice) {
        let attempts: Vec<u32> = tally.runs.iter().map(|run| run.attempt).collect();
        assert_eq!(attempts, [1, 2], "each run has its number");
    }
}

#[test]
fn times_are_told_by_nearest_rank() {
    let runs = (1..=11).map(|attempt| {
        let mut outcome = Outcome { attempt, ..fix() };
        outcome.evidence.as_mut().expect("evidence").seconds = f64::from(attempt);
        outcome
    });
    let report = Report::new(&runs.collect::<Vec<_>>(), None);
    let times = tallies(&report)[0].seconds();
    let wanted = Times {
        min: 1.0,
        p50: 6.0,
        p90: 10.0,
        max: 11.0,
    };
    assert_eq!(times, Some(wanted));
}

#[test]
fn steps_that_failed_are_not_timed() {
    let runs = (1..=3).map(|attempt| {
        let mut outcome = Outcome { attempt, ..fix() };
        let evidence = outcome.evidence.as_mut().expect("evidence");
        let step = &mut evidence.steps[0];
        (step.name, step.ok, step.ms) = ("hello".into(), attempt < 3, f64::from(attempt));
        outcome
    });
    let report = Report::new(&runs.collect::<Vec<_>>(), None);
    let steps = tallies(&report)[0].steps();
    let hello = steps
        .iter()
        .find(|(name, _)| *name == "hello")
        .expect("a step");
    assert_eq!((hello.1.min, hello.1.max), (1.0, 2.0));
}

#[test]
fn the_nearest_evidence_is_the_false_part_and_its_packets() {
    let mut outcome = failed();
    let verdict = outcome.verdict.as_mut().expect("a verdict");
    verdict.works[0].parts = vec![
        ("new.ok".into(), ClaimTruth::True),
        ("new.syns == 1".into(), ClaimTruth::False),
    ];
    let nearest = nearest(&outcome);
    assert_eq!(nearest.claims[0], "false: new.syns == 1, and new.syns is 2");
    assert_eq!(nearest.connections, [1]);
    assert!(
        nearest.packets[0].starts_with("\"new\" 198.51.100.7:40000 -> 203.0.113.11:80, "),
        "{nearest:?}"
    );
    assert_eq!(nearest.packets.len(), 7, "{nearest:?}");
    assert_eq!(report::nearest(&fix()), Nearest::default());
}

#[test]
fn a_second_try_is_told_in_every_format() {
    let mut outcomes = [fix(), fix()];
    for (outcome, first) in outcomes.iter_mut().zip(["the bird sings", "the cat purrs"]) {
        outcome.retried = Some(first.into());
    }
    outcomes[1].case.name = "never-told".into();
    let verdict = outcomes[1].verdict.as_mut().expect("a verdict");
    verdict.ruling = Ruling::Inconclusive;
    verdict.reason = "the dog barks".into();
    let report = Report::new(&outcomes, None);
    let explained = Style {
        explain: true,
        ..Style::default()
    };
    let formats = [
        ("text", text(&outcomes, &explained)),
        ("HTML", html(&report)),
        ("JSON", json(&report)),
        ("JUnit", junit(&report)),
        ("TAP", tap(&report)),
        ("Markdown", markdown(&report)),
        ("GitHub", github(&report, str::to_owned)),
    ];
    for (format, text) in formats {
        for part in ["the bird sings", "the cat purrs", "the dog barks"] {
            assert!(text.contains(part), "no {part:?} in {format}\n{text}");
        }
    }
    let short = text(&outcomes, &Style::default());
    assert_eq!(short.matches("second try, alone: ").count(), 2, "{short}");
}

/// The flagship as deployed, of a lab that offers two fixes.
fn fault_with_fixes() -> Outcome {
    let mut fault = fault();
    fault.case.fixes = ["cross-zone-off", "another-port"]
        .map(|case| Fix {
            case: case.into(),
            shows: format!("why {case}"),
            changes: Vec::new(),
            settles: true,
        })
        .into();
    fault
}

#[test]
fn every_report_says_which_fixes_are_proven() {
    let outcomes = [fault_with_fixes(), fix()];
    let report = Report::new(&outcomes, None);
    let told = value!(report.cases[0].findings[0].fixes);
    assert_eq!(
        told,
        value!([
            { "case": "cross-zone-off", "title": "why cross-zone-off", "proof": "proven", "why": "" },
            { "case": "another-port", "title": "why another-port", "proof": "not-run", "why": "not run" },
        ])
    );
    assert!(report.cases[1].fixes.is_empty() && report.cases[1].findings.is_empty());
    let proven = "Proven here: cross-zone-off (why cross-zone-off) held without it.";
    let open = "Not proven here: another-port (why another-port) [not run].";
    for page in [html(&report), junit(&report)] {
        assert!(page.contains(proven) && page.contains(open), "{page}");
    }
    assert!(markdown(&report).contains(proven));
    let short = text(&outcomes, &Style::default());
    let kinds = "flow-collision, challenge-ack, stale-connection";
    for line in [
        format!("\n  proven    against {kinds}: cross-zone-off\n"),
        format!("\n  unproven  against {kinds}: another-port [not run]\n"),
    ] {
        assert!(short.contains(&line), "{short}");
    }
    let style = Style {
        explain: true,
        width: 200,
        ..Style::default()
    };
    let long = text(&outcomes, &style);
    assert!(long.contains(proven) && !long.contains("  proven  "));
}

#[test]
fn markdown_tells_of_every_fault_what_a_fix_is_worth_to_it() {
    let mut apart = fault_with_fixes();
    apart
        .case
        .fixes
        .iter_mut()
        .for_each(|fix| fix.settles = false);
    let mut settled = fault_with_fixes();
    settled.case.name = "as-deployed-too".into();
    let page = markdown(&Report::new(&[apart, settled, fix()], None));
    for sentence in [
        "without this fault's own settings: cross-zone-off",
        "Proven here: cross-zone-off",
    ] {
        let told = page.matches(sentence).count();
        assert_eq!(told, 3, "once for each finding: {sentence}\n{page}");
    }
}

#[test]
fn what_one_part_did_not_run_another_one_proves() {
    let part = |outcome: Outcome| Report::new(&[outcome], None);
    let proof = |report: &Report| report.cases[0].findings[0].fixes[0].proof;
    let alone = part(fault_with_fixes());
    assert_eq!(proof(&alone), Proof::NotRun);
    let read = Report::read(&json(&alone)).expect("its own report");
    assert_eq!(
        proof(&Report::merge(vec![read, part(fix())])),
        Proof::Proven
    );
    // Another lab's case of the same name.
    let mut other = fix();
    other.case.lab = "nlb/z".into();
    assert_eq!(
        proof(&Report::merge(vec![alone, part(other)])),
        Proof::NotRun
    );
}

#[test]
fn tap_and_markdown_keep_what_a_lab_says_within_its_marks() {
    let mut outcome = failed();
    outcome.verdict.as_mut().expect("a verdict").reason = "it says \"no\\\" ```".into();
    let report = Report::new(&[outcome], None);
    let stream = tap(&report);
    assert!(
        stream.contains(r#"  message: "it says \"no\\\" ```""#),
        "{stream}"
    );
    // A fence ends with one that is as long.
    assert!(
        markdown(&report).contains("\n````text\n"),
        "{}",
        markdown(&report)
    );
}

#[test]
fn the_nearest_counters_and_values_are_those_of_the_claim() {
    let mut outcome = failed();
    let evidence = outcome.evidence.as_mut().expect("evidence");
    let count = |n: i64| [("TcpExtListenDrops".into(), n)].into();
    evidence.hosts.get_mut("client").expect("a host").counters = count(7);
    evidence.hosts.get_mut("web1").expect("a host").counters = count(8);
    outcome.verdict.as_mut().expect("a verdict").works = vec![claim(
        ("", "hosts.web1.counters.TcpExtListenDrops == 0"),
        ClaimTruth::False,
        &[
            ("hosts.web1.counters.TcpExtListen", value!(3)),
            ("hosts.web1.counters.TcpExtListenDrops", value!(8)),
        ],
    )];
    let nearest = nearest(&outcome);
    let that = "hosts.web1.counters.TcpExtListenDrops";
    assert_eq!(
        nearest.claims,
        [format!("false: {that} == 0, and {that} is 8")]
    );
    assert!(
        nearest
            .instead
            .contains(&"web1's kernel counted TcpExtListenDrops 8".to_owned()),
        "{nearest:?}"
    );
}

#[test]
fn who_speaks_plainly_to_a_server_of_tls_is_told_so() {
    let mut outcome = failed();
    let evidence = outcome.evidence.as_mut().expect("evidence");
    evidence.connections[0].target = "web1".into();
    evidence.connections[0].server_error = "reset".into();
    let told = |outcome: &Outcome| {
        let lines = nearest(outcome).instead;
        lines
            .iter()
            .any(|line| line.contains("web1's server speaks TLS"))
    };
    assert!(!told(&outcome));
    let evidence = outcome.evidence.as_mut().expect("evidence");
    evidence.connections[0].server_error = "tls".into();
    assert!(told(&outcome));
}

#[test]
fn of_a_fault_that_does_as_claimed_a_broken_promise_is_not_near() {
    let mut outcome = fault();
    let verdict = outcome.verdict.as_mut().expect("a verdict");
    verdict.ruling = Ruling::Fails;
    verdict.expect[0].truth = ClaimTruth::False;
    let nearest = nearest(&outcome);
    assert_eq!(nearest.claims.len(), 1, "{nearest:?}");
    assert!(nearest.claims[0].contains("again.error"), "{nearest:?}");
}

#[test]
fn of_several_runs_the_first_failure_and_the_worst_word_count() {
    let mut runs = [fix(), failed(), failed(), fix()];
    for (attempt, run) in (1..).zip(&mut runs) {
        run.attempt = attempt;
        run.case.name = "one".into();
        run.case.seed = [1, 1, 10, 2][attempt as usize - 1];
    }
    runs[3].verdict.as_mut().expect("a verdict").ruling = Ruling::Inconclusive;
    let report = Report::new(&runs, None);
    let tally = &tallies(&report)[0];
    assert_eq!((tally.shown().attempt, tally.held()), (2, 1));
    assert_eq!(tally.word(), Word::Ruled(Ruling::Fails));
    assert!(
        junit(&report).contains("1 of 4 runs held") && junit(&report).contains("run 2, seed 1")
    );
    assert!(
        junit(&report).contains(r#"name="seed" value="1, 2, 10""#),
        "in the order of numbers: {}",
        junit(&report)
    );
}

/// Numbers of a file that would take memory or overflow.
fn damaged_numbers_are_refused(report: &str) {
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = serde_json::from_str(report).expect("JSON");
        change(&mut value);
        Report::read(&value.to_string())
    };
    let grid = |columns: usize, cell: (usize, i32, usize)| {
        with(&|report| {
            let mut cases = report["cases"].as_array_mut().expect("cases").iter_mut();
            let steps = cases.find_map(|case| case.get_mut("steps")?.get_mut(0));
            steps.expect("a step")["connect_over_time"] = serde_json::json!({
                "begin": 0.0, "end": 1.0, "columns": columns, "took": [cell], "failed": [[0, 1]],
            });
        })
    };
    assert!(grid(48, (47, 3, 1)).is_ok());
    for (columns, cell) in [
        (usize::MAX, (0, 3, 1)),
        (48, (48, 3, 1)),
        (48, (0, i32::MAX, 1)),
        (48, (0, i32::MIN, 1)),
        (48, (0, 3, usize::MAX)),
    ] {
        let why = grid(columns, cell).expect_err("refused");
        assert!(why.contains("connect_over_time"), "{why}");
    }
    for (number, of) in [(1, u32::MAX), (0, 3), (4, 3)] {
        let shards = serde_json::json!([{ "number": number, "of": of }]);
        let why = with(&|report| report["shards"] = shards.clone()).expect_err("refused");
        assert!(why.contains(&format!("no part {number} of {of}")), "{why}");
    }
}
