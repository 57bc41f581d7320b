//! Every lab through the built binary.

#[path = "gallery/audit.rs"]
mod audit;
mod common;

use common::{Scratch, can_run_labs, everything, hairpin, run};
use std::collections::BTreeSet;

#[test]
fn every_lab_holds() {
    if !can_run_labs() {
        return;
    }
    let kept = Scratch::new("evidence");
    let (output, report) = run(&["--evidence", &kept.0.display().to_string()]);
    assert_eq!(output.status.code(), Some(0), "{}", everything(&output));
    let cases = report["cases"].as_array().expect("cases");
    let ran: BTreeSet<String> = cases
        .iter()
        .map(|case| {
            format!(
                "{}/{}",
                case["lab"].as_str().expect("lab"),
                case["case"].as_str().expect("case")
            )
        })
        .collect();
    assert_eq!(
        ran,
        listed(),
        "every case of every lab that needs no asking was run, once"
    );
    for case in cases {
        assert_eq!(case["verdict"], "holds", "{case}");
        assert!(
            case["expect"]
                .as_array()
                .is_some_and(|list| list.iter().all(|claim| claim["verdict"] == "holds")),
            "{case}"
        );
    }
    let folders = audit::cases(&kept.0);
    assert_eq!(folders.len(), cases.len());
    let complaints: Vec<String> = folders
        .iter()
        .flat_map(|one| audit::complaints(one))
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let intruders: Vec<String> = cases.iter().flat_map(intruders).collect();
    assert!(intruders.is_empty(), "{}", intruders.join("\n"));
}

/// Mechanisms that a control is there to show: with nobody healthy left, failing open is what keeps everything going.
const SHOWN: [(&str, &str, &str); 1] =
    [("nlb/unhealthy-target-reset", "the-last-one", "fail-open")];

/// What was found in a case where nothing is wrong.
fn intruders(case: &serde_json::Value) -> Vec<String> {
    let findings = case["findings"].as_array().expect("findings");
    findings
        .iter()
        .map(|finding| finding["kind"].as_str().expect("a kind"))
        .filter(|kind| {
            let shown = |(lab, name, what): &(&str, &str, &str)| {
                case["lab"] == *lab && case["case"] == *name && kind == what
            };
            case["kind"] == "control" && !SHOWN.iter().any(shown)
        })
        .map(|kind| format!("{} {}: {kind}", case["lab"], case["case"]))
        .collect()
}

#[test]
fn every_lab_has_a_fault_a_fix_and_a_control() {
    let output = hairpin()
        .args(["list", "--format", "json"])
        .output()
        .expect("the binary starts");
    let labs: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for lab in labs.as_array().expect("labs") {
        let kinds: BTreeSet<&str> = lab["cases"]
            .as_array()
            .expect("cases")
            .iter()
            .filter_map(|case| case["kind"].as_str())
            .collect();
        for kind in ["fault", "fix", "control"] {
            assert!(kinds.contains(kind), "{} has no {kind}", lab["lab"]);
        }
    }
}

fn listed() -> BTreeSet<String> {
    let output = hairpin()
        .args(["list", "--format", "json"])
        .output()
        .expect("the binary starts");
    let labs: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut all = BTreeSet::new();
    let labs = labs.as_array().expect("labs");
    for lab in labs.iter().filter(|lab| lab["opt_in"].is_null()) {
        for case in lab["cases"].as_array().expect("cases") {
            all.insert(format!(
                "{}/{}",
                lab["lab"].as_str().expect("lab"),
                case["case"].as_str().expect("case")
            ));
        }
    }
    all
}
