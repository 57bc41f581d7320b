//! `judge` and `explain` over saved evidence.

use super::common::{can_run_labs, everything};
use super::*;

/// A desk with `kept/` from a run, and that run's report.
fn recorded(name: &str) -> Option<(Desk, Value)> {
    if !can_run_labs() {
        return None;
    }
    let desk = Desk::new(name);
    let output = desk.hairpin(&["run", "quick", "--evidence", "kept", "--format", "json"]);
    assert_eq!(status(&output), 1, "{}", everything(&output));
    let report = json(&out(&output));
    Some((desk, report))
}

#[test]
fn evidence_judged_again_says_the_same() {
    let Some((desk, first)) = recorded("same") else {
        return;
    };
    let output = desk.hairpin(&["judge", "kept", "--report", "json=-"]);
    assert_eq!(status(&output), 1, "{}", everything(&output));
    let second = json(&out(&output));
    assert_eq!(first, second, "not one value of the report differs");
    assert!(err(&output).contains("1 FAILED"), "the table is beside it");
    let one = desk.hairpin(&["judge", "kept/quick/good"]);
    assert_eq!(status(&one), 0, "{}", everything(&one));
}

#[test]
fn metrics_are_shown_as_cloudwatch_has_them() {
    let Some((desk, report)) = recorded("metrics") else {
        return;
    };
    let output = desk.hairpin(&["metrics", "kept"]);
    assert_eq!(status(&output), 0, "{}", everything(&output));
    let text = out(&output);
    let row = |name: &str| -> Vec<&str> {
        let line = text
            .lines()
            .find(|line| line.trim_start().starts_with(name));
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
            .split_whitespace()
            .collect()
    };
    assert_eq!(row("front "), ["front", "statistic", "all", "zones", "a"]);
    assert_eq!(row("NewFlowCount "), ["NewFlowCount", "Sum", "1", "1"]);
    assert_eq!(row("ProcessedPackets")[1..], ["Sum", "3", "3"]);
    assert!(
        !text.contains("SecurityGroupBlocked"),
        "what is nothing is reported only where AWS says so"
    );
    let output = desk.hairpin(&["metrics", "kept/quick/good", "--format", "json"]);
    let list = json(&out(&output));
    let metrics = list[0]["metrics"].as_array().expect("a list");
    assert_eq!(Some(metrics), report["cases"][0]["metrics"].as_array());
    let first = &metrics[0];
    assert_eq!(first["Namespace"], "AWS/NetworkELB");
    assert_eq!(first["Dimensions"][0]["Name"], "LoadBalancer");
    assert_eq!(first["Statistics"]["SampleCount"], 1);
    assert_eq!(first["Datapoints"][0]["Timestamp"], "2026-01-01T00:00:00Z");
}

#[test]
fn expectations_written_since_are_judged_against_the_record() {
    let Some((desk, _)) = recorded("since") else {
        return;
    };
    desk.file("later.yaml", &LAB.replace("== 7", "== 1"));
    let output = desk.hairpin(&["judge", "kept", "--lab", "later.yaml"]);
    assert_eq!(status(&output), 0, "{}", everything(&output));
    desk.file(
        "broken.yaml",
        &LAB.replace("kind: control\n    expect", "kind: countrol\n    expect"),
    );
    let output = desk.hairpin(&["judge", "kept", "--lab", "broken.yaml"]);
    mistake(&output, &["broken.yaml:17:", "1 problem in `broken.yaml`"]);
    // The results are those of the steps that had their names, wherever these stand now; a new one has none.
    let earlier = LAB.replacen("steps:\n", "steps:\n  - wait: { for: 1ms, as: pause }\n", 1);
    desk.file("longer.yaml", &earlier);
    let output = desk.hairpin(&["judge", "kept", "--lab", "longer.yaml"]);
    mistake(&output, &["no step `pause`"]);
    let unnamed = LAB.replace("== 7", "== 1");
    let unnamed = unnamed.replacen("steps:\n", "steps:\n  - wait: 1ms\n", 1);
    desk.file("moved.yaml", &unnamed);
    let output = desk.hairpin(&["judge", "kept", "--lab", "moved.yaml"]);
    assert_eq!(status(&output), 0, "{}", everything(&output));
    // What is recorded shows nothing of other settings.
    let unsaid = "the record is of other settings";
    assert!(!err(&output).contains(unsaid), "{}", everything(&output));
    let moved = LAB.replace("zone: a", "mtu: 1400, zone: a");
    assert_ne!(moved, LAB);
    desk.file("faster.yaml", &moved);
    let output = desk.hairpin(&["judge", "kept", "--lab", "faster.yaml"]);
    let told = err(&output);
    assert!(
        told.contains("case `good`: the record is of other settings than the lab has now: `hosts."),
        "{told}"
    );
    desk.file("short.yaml", LAB.split("  bad:").next().expect("text"));
    let output = desk.hairpin(&["judge", "kept", "--lab", "short.yaml"]);
    mistake(&output, &["`short.yaml` has no case `bad`"]);
    mistake(
        &desk.hairpin(&["judge", "kept", "--lab", "no.yaml"]),
        &["cannot read `no.yaml`"],
    );
}

#[test]
fn a_lab_given_picks_its_own_cases() {
    let Some((desk, _)) = recorded("picks") else {
        return;
    };
    desk.file("other.yaml", &LAB.replace("bad:", "worse:"));
    desk.hairpin(&["run", "other.yaml", "--evidence", "kept"]);
    let output = desk.hairpin(&["judge", "kept", "--lab", "quick.yaml", "--report", "json=-"]);
    assert_eq!(verdicts(&json(&out(&output))), ["good holds", "bad fails"]);
}

#[test]
fn lateness_makes_a_missed_time_inconclusive_and_that_is_status_1() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("late");
    desk.file(
        "quick.yaml",
        &LAB.replace("hello.syns == 7", "hello.ms < 0.000001"),
    );
    let output = desk.hairpin(&["run", "quick/bad", "--evidence", "kept"]);
    assert_eq!(status(&output), 1, "{}", everything(&output));
    let file = "kept/quick/bad/evidence.json";
    let mut evidence = json(&desk.read(file));
    // The machine's timers were a second late, says the record now.
    evidence["lag_ms"] = serde_json::json!(1000.0);
    desk.file(file, &evidence.to_string());
    let output = desk.hairpin(&["judge", "kept", "--report", "json=-"]);
    assert_eq!(verdicts(&json(&out(&output))), ["bad inconclusive"]);
    assert_eq!(status(&output), 1, "{}", everything(&output));
}

#[test]
fn evidence_that_was_changed_by_hand_is_refused_with_the_place() {
    let Some((desk, _)) = recorded("changed") else {
        return;
    };
    let file = "kept/quick/good/evidence.json";
    let mut evidence = json(&desk.read(file));
    evidence["connections"][0]["flow"] = serde_json::json!(3);
    desk.file(file, &evidence.to_string());
    let told = [file, "`connections[0].flow` is 3", "number 0"];
    for command in ["judge", "explain", "metrics"] {
        mistake(&desk.hairpin(&[command, "kept/quick/good"]), &told);
    }
    let report = ["report", "kept/quick/good", "--report", "json=-"];
    mistake(&desk.hairpin(&report), &told);
    // The other case is judged.
    let output = desk.hairpin(&["judge", "kept"]);
    assert_eq!(status(&output), 2, "{}", everything(&output));
    assert!(err(&output).contains("1 case left out, 1 other judged"));
}

#[test]
fn what_is_no_evidence_is_refused_in_words() {
    let desk = Desk::new("garbage");
    desk.file("broken/case.json", "junk");
    desk.file("empty/readme", "");
    for command in ["judge", "explain"] {
        mistake(
            &desk.hairpin(&[command, "broken"]),
            &["broken/case.json is not what hairpin wrote"],
        );
        mistake(
            &desk.hairpin(&[command, "empty"]),
            &["no saved case", "hairpin run --evidence"],
        );
    }
    mistake(
        &desk.hairpin(&["judge", "nowhere"]),
        &["nowhere", "No such file"],
    );
    mistake(
        &desk.hairpin(&["judge", "quick.yaml"]),
        &["Not a directory"],
    );
    mistake(&desk.hairpin(&["judge"]), &["<DIR>"]);
    mistake(
        &desk.hairpin(&["explain", "quick.yaml"]),
        &["is a lab", "hairpin run quick.yaml --explain"],
    );
}

/// One folder that a full disk left half, one whose lab is no lab any more, and one that is whole.
#[test]
fn a_damaged_folder_is_told_and_the_others_are_judged() {
    let Some((desk, _)) = recorded("damaged") else {
        return;
    };
    let evidence = desk.read("kept/quick/bad/evidence.json");
    desk.file(
        "kept/quick/bad/evidence.json",
        &evidence[..evidence.len() / 2],
    );
    let output = desk.hairpin(&["judge", "kept", "--report", "json=-"]);
    assert_eq!(status(&output), 2, "{}", everything(&output));
    assert_eq!(verdicts(&json(&out(&output))), ["good holds"]);
    for part in [
        "bad/evidence.json is not what hairpin wrote there",
        "1 case left out, 1 other judged",
    ] {
        assert!(err(&output).contains(part), "{}", everything(&output));
    }
    for command in ["explain", "metrics"] {
        let output = desk.hairpin(&[command, "kept"]);
        assert_eq!(status(&output), 2, "{}", everything(&output));
        assert!(!out(&output).is_empty(), "the whole one is told");
    }
    // A report that says nothing of it would be taken for the whole.
    mistake(
        &desk.hairpin(&["report", "kept", "--report", "json=-"]),
        &["bad/evidence.json is not what hairpin wrote there"],
    );
    desk.file("kept/quick/bad/evidence.json", &evidence);
    desk.file("kept/quick/bad/lab.yaml", "title: no lab");
    let output = desk.hairpin(&["judge", "kept", "--report", "json=-"]);
    assert_eq!(status(&output), 2, "{}", everything(&output));
    assert_eq!(verdicts(&json(&out(&output))), ["good holds"]);
    assert!(
        err(&output).contains("kept/quick/bad: "),
        "{}",
        err(&output)
    );
}

#[test]
fn a_saved_case_is_explained() {
    let Some((desk, _)) = recorded("explained") else {
        return;
    };
    let output = desk.hairpin(&["explain", "kept/quick/good"]);
    assert_eq!(status(&output), 0, "{}", everything(&output));
    assert!(out(&output).contains("SYN seq 0"), "the ladder");
    assert_eq!(status(&desk.hairpin(&["explain", "kept"])), 1, "as judged");
}
