//! Every lab through the built binary.

#[path = "gallery/audit.rs"]
mod audit;
mod common;
#[path = "gallery/matrix.rs"]
mod matrix;
#[path = "schema/validator.rs"]
mod validator;

use common::{Scratch, can_run_labs, everything, hairpin, run};
use std::collections::BTreeSet;

#[test]
fn every_lab_holds() {
    if !can_run_labs() {
        return;
    }
    let kept = Scratch::new("evidence");
    let (output, report) = run(&["--evidence", &kept.0.display().to_string()]);
    let cases = report["cases"].as_array().expect("cases");
    let differences = matrix::differences(&matrix::named(), cases).join("\n");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{differences}\n{}",
        everything(&output)
    );
    assert!(differences.is_empty(), "{differences}");
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
    let schema = serde_json::from_str(&hairpin::report::schema()).expect("the schema is JSON");
    if let Err(breach) = validator::Validator::met(&report, &schema) {
        panic!("the report is not as its schema says: {breach}");
    }
    let folders = audit::cases(&kept.0);
    assert_eq!(folders.len(), cases.len());
    let complaints: Vec<String> = folders
        .iter()
        .flat_map(|one| audit::complaints(one))
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let bare: Vec<String> = cases.iter().flat_map(without_witness).collect();
    assert!(bare.is_empty(), "{}", bare.join("\n"));
    let undrawn: Vec<String> = cases.iter().flat_map(undrawn).collect();
    assert!(undrawn.is_empty(), "{}", undrawn.join("\n"));
}

/// Packets that findings cite and the case's ladder has no row of.
fn undrawn(case: &serde_json::Value) -> Vec<String> {
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let rows = list(&case["ladder"]["rows"]);
    let drawn = rows.iter().flat_map(|row| list(&row["packet"]["packets"]));
    let drawn: BTreeSet<i64> = drawn.filter_map(|number| number.as_i64()).collect();
    let of_finding = |finding: &serde_json::Value| {
        let cited = list(&finding["packets"]);
        let numbers = cited
            .iter()
            .map(|number| number.as_i64().expect("a number"));
        let missing: Vec<i64> = numbers.filter(|number| !drawn.contains(number)).collect();
        (!missing.is_empty()).then(|| {
            let (lab, name, kind) = (&case["lab"], &case["case"], &finding["kind"]);
            format!("{lab} {name}: {kind} cites {missing:?}, and the ladder has no such rows")
        })
    };
    list(&case["findings"])
        .iter()
        .filter_map(of_finding)
        .collect()
}

/// Findings that cite nothing of the evidence.
fn without_witness(case: &serde_json::Value) -> Vec<String> {
    let cited = |finding: &&serde_json::Value| {
        let any = |part: &str| match &finding[part] {
            serde_json::Value::Array(list) => !list.is_empty(),
            serde_json::Value::Object(map) => !map.is_empty(),
            _ => false,
        };
        ["packets", "connections", "counters", "values"]
            .into_iter()
            .any(any)
    };
    let findings = case["findings"].as_array().expect("findings").iter();
    let bare = findings.filter(|finding| !cited(finding));
    bare.map(|finding| format!("{} {}: {finding}", case["lab"], case["case"]))
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

/// `docs/claims.md` names labs and cases: `lab` (`case`, `case`).
#[test]
fn claims_lead_to_cases() {
    let there: BTreeSet<(String, String)> =
        matrix::named().into_iter().map(|(key, _)| key).collect();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/claims.md");
    let text = std::fs::read_to_string(path).expect("the claims");
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let (mut named, mut shown) = (0, BTreeSet::new());
    for row in rows {
        let cell = row
            .trim_end_matches(" |")
            .rsplit(" | ")
            .next()
            .expect("a cell");
        let mut lab = None;
        for word in cell.split('`').skip(1).step_by(2) {
            let is_lab = word.contains('/');
            let known = match (is_lab, lab) {
                (true, _) => there.iter().any(|(lab, _)| lab == word),
                (false, Some(lab)) => there.contains(&(String::from(lab), word.to_owned())),
                (false, None) => false,
            };
            assert!(known, "`{word}` in: {row}");
            if is_lab {
                lab = Some(word);
                shown.insert(word);
            }
            named += 1;
        }
    }
    assert!(named > 80, "{named}");
    let labs: BTreeSet<&str> = there.iter().map(|(lab, _)| lab.as_str()).collect();
    let missing: Vec<&&str> = labs.difference(&shown).collect();
    assert!(missing.is_empty(), "claims of no document: {missing:?}");
}
