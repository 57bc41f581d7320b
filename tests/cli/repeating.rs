//! `run --repeat`: pass rates, and the evidence of the first failure.

use super::common::{can_run_labs, everything};
use super::*;

#[test]
fn pass_rates_come_with_an_interval_and_the_first_failing_seed() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("repeat");
    let output = desk.hairpin(&["run", "quick.yaml", "--repeat", "10", "--seed", "40"]);
    assert_eq!(status(&output), 1, "{}", everything(&output));
    let text = out(&output);
    // Wilson's score interval for 10 of 10 and 0 of 10.
    assert!(text.contains("10/10"), "{text}");
    assert!(text.contains("72.2 to 100.0 %"), "{text}");
    assert!(text.contains("0.0 to 27.8 %"), "{text}");
    assert!(text.contains("run 1, seed 40"), "{text}");
    assert!(text.contains("evidence/quick/bad"), "{text}");
    assert!(desk.has("evidence/quick/bad/evidence.json"));
    assert!(!desk.has("evidence/quick/good"), "only failures are kept");
    let again = desk.hairpin(&["judge", "evidence", "--report", "json=judged.json"]);
    assert_eq!(status(&again), 1, "{}", everything(&again));
    let judged = json(&desk.read("judged.json"));
    assert_eq!(verdicts(&judged), ["bad fails"]);
    assert_eq!(
        judged["cases"][0]["seed"], 40,
        "of the first failure, not of the last"
    );
}

#[test]
fn repeats_that_hold_leave_nothing() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("steady");
    let output = desk.hairpin(&["run", "quick/good", "--repeat", "3"]);
    assert_eq!(status(&output), 0, "{}", everything(&output));
    assert!(out(&output).contains("every run held"));
    assert!(!desk.has("evidence"));
}

#[test]
fn a_named_folder_takes_the_first_failure() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("named");
    let output = desk.hairpin(&[
        "run",
        "quick",
        "--repeat",
        "4",
        "--evidence",
        "kept",
        "--report",
        "json=report.json",
    ]);
    assert_eq!(status(&output), 1, "{}", everything(&output));
    assert!(desk.has("kept/quick/bad/case.json"));
    assert!(!desk.has("evidence"));
    let report = json(&desk.read("report.json"));
    let cases = report["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 8, "every run of every case");
    let kept: Vec<&Value> = cases
        .iter()
        .filter(|case| !case["evidence"].is_null())
        .collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["attempt"], 1);
}

#[test]
fn evidence_that_cannot_be_kept_does_not_change_the_verdict() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("unkept");
    desk.file("evidence", "a file in the way");
    let output = desk.hairpin(&["run", "quick/bad", "--repeat", "2"]);
    assert_eq!(status(&output), 3, "{}", everything(&output));
    assert!(out(&output).contains("0/2"), "{}", out(&output));
    assert!(err(&output).contains("the evidence is not kept"));
}
