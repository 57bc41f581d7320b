//! Every lab through the built binary.

mod common;

use common::{can_run_labs, everything, hairpin, run};
use std::collections::BTreeSet;

#[test]
fn every_lab_holds() {
    if !can_run_labs() {
        return;
    }
    let (output, report) = run(&[]);
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
    assert_eq!(ran, listed(), "every case of every lab was run, once");
    for case in cases {
        assert_eq!(case["verdict"], "holds", "{case}");
        assert!(
            case["expect"]
                .as_array()
                .is_some_and(|list| list.iter().all(|claim| claim["verdict"] == "holds")),
            "{case}"
        );
    }
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
    for lab in labs.as_array().expect("labs") {
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
