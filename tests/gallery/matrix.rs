//! Detectors against labs: each against those that were made for it, and against all others.
//!
//! `matrix.txt` says in which cases a detector must speak and in which it may; everywhere else it must be silent, in
//! controls above all. It is made of what the labs name in `finds` and `may_find`, and the run of the gallery is held
//! against it. The page of each kind lists the labs that show it. `BLESS=1 cargo test --test gallery matrix` writes matrix
//! and lists anew; read them before you commit them.

use crate::common::hairpin;
use hairpin::verdict::findings::KINDS;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{env, fs};

/// What a case names.
#[derive(Default)]
pub struct Named {
    must: BTreeSet<String>,
    may: BTreeSet<String>,
}

/// By lab and case, in the labs' order and the cases'.
pub type Matrix = Vec<((String, String), Named)>;

/// Of all labs.
pub fn named() -> Matrix {
    let output = hairpin()
        .args(["list", "--format", "json"])
        .output()
        .expect("the binary starts");
    let labs: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut matrix = Matrix::new();
    for lab in labs.as_array().expect("labs") {
        for case in lab["cases"].as_array().expect("cases") {
            let key = (text(&lab["lab"]), text(&case["case"]));
            let named = Named {
                must: words(&case["finds"]),
                may: words(&case["may_find"]),
            };
            matrix.push((key, named));
        }
    }
    matrix
}

/// Where a run of the gallery and the matrix differ: a line for each detector that spoke out of turn, or did not speak.
pub fn differences(matrix: &Matrix, cases: &[Value]) -> Vec<String> {
    let matrix: BTreeMap<&(String, String), &Named> =
        matrix.iter().map(|(key, named)| (key, named)).collect();
    let mut lines = Vec::new();
    for case in cases {
        let key = (text(&case["lab"]), text(&case["case"]));
        let named = matrix[&key];
        let findings = case["findings"].as_array().expect("findings");
        let shown: BTreeSet<String> = findings.iter().map(|f| text(&f["kind"])).collect();
        let kind = text(&case["kind"]);
        let (lab, name) = &key;
        let silent = named.must.difference(&shown);
        lines.extend(silent.map(|find| format!("{lab} {name} ({kind}): {find} is mute")));
        let awaited: BTreeSet<&String> = named.must.union(&named.may).collect();
        let intruders = shown.iter().filter(|find| !awaited.contains(find));
        lines
            .extend(intruders.map(|find| format!("{lab} {name} ({kind}): {find} was not awaited")));
    }
    lines
}

/// By detector, the cases that name it.
fn written(matrix: &Matrix) -> String {
    let mut out = String::from(
        "The cases in which a detector must speak, and those in which it may. In all others it must be silent.\n",
    );
    for kind in KINDS {
        out.push_str(&format!("\n{kind}\n"));
        for (word, of) in [
            ("must", must as fn(&Named) -> &BTreeSet<String>),
            ("may", may),
        ] {
            let mut labs: Vec<(&str, Vec<&str>)> = Vec::new();
            for ((lab, case), named) in matrix {
                if !of(named).contains(*kind) {
                    continue;
                }
                match labs.last_mut() {
                    Some((last, cases)) if *last == lab => cases.push(case),
                    Some(_) | None => labs.push((lab, vec![case])),
                }
            }
            for (lab, cases) in labs {
                out.push_str(&format!("  {word:<4}  {lab}: {}\n", cases.join(", ")));
            }
        }
    }
    out
}

fn must(named: &Named) -> &BTreeSet<String> {
    &named.must
}

fn may(named: &Named) -> &BTreeSet<String> {
    &named.may
}

fn words(list: &Value) -> BTreeSet<String> {
    list.as_array()
        .expect("a list of words")
        .iter()
        .map(text)
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

#[test]
fn the_matrix_is_checked_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gallery/matrix.txt");
    let now = written(&named());
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &now).expect("a writable folder");
    }
    let checked_in = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        checked_in == now,
        "labs name other findings than tests/gallery/matrix.txt says: BLESS=1 writes it anew\n{now}"
    );
}

/// A kind's page with the list of the labs in which it must be found.
fn with_labs(page: &str, kind: &str, matrix: &Matrix) -> String {
    let mut labs: Vec<&str> = matrix
        .iter()
        .filter(|(_, named)| named.must.contains(kind))
        .map(|((lab, _), _)| lab.as_str())
        .collect();
    labs.dedup();
    let mut list = String::from("SHOWN IN\n");
    for (i, lab) in labs.iter().enumerate() {
        let end = if i + 1 == labs.len() { "\n" } else { "," };
        let line = list.lines().last().unwrap_or_default();
        if i == 0 || line.len() + lab.len() > 96 {
            list.push_str(if i == 0 { "  " } else { "\n  " });
        } else {
            list.push(' ');
        }
        list.push_str(lab);
        list.push_str(end);
    }
    let (head, sources) = page
        .split_once("\nSOURCES\n")
        .unwrap_or_else(|| panic!("{kind} has no sources"));
    let head = head
        .split_once("\nSHOWN IN\n")
        .map_or(head, |(head, _)| head);
    format!("{head}\n{list}\nSOURCES\n{sources}")
}

#[test]
fn every_page_of_the_matrix_lists_the_labs_that_show_it() {
    let matrix = named();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/verdict/pages");
    for kind in KINDS {
        let path = folder.join(format!("{kind}.txt"));
        let page = fs::read_to_string(&path).expect("a page for every kind");
        let now = with_labs(&page, kind, &matrix);
        if env::var_os("BLESS").is_some() {
            fs::write(&path, &now).expect("a writable folder");
        } else {
            assert!(
                page == now,
                "other labs show {kind} than its page says: BLESS=1 writes it anew"
            );
        }
    }
}

#[test]
fn every_detector_of_the_matrix_has_a_lab_in_which_it_must_speak() {
    let matrix = named();
    let covered: BTreeSet<&str> = matrix
        .iter()
        .flat_map(|(_, named)| named.must.iter().map(String::as_str))
        .collect();
    let bare: Vec<&&str> = KINDS
        .iter()
        .filter(|kind| !covered.contains(*kind))
        .collect();
    assert!(bare.is_empty(), "no lab shows {bare:?}");
}

#[test]
fn a_run_is_held_against_the_matrix() {
    let named = |must: &[&str], may: &[&str]| Named {
        must: must.iter().map(|kind| (*kind).to_owned()).collect(),
        may: may.iter().map(|kind| (*kind).to_owned()).collect(),
    };
    let key = ("nlb/x".to_owned(), "as-deployed".to_owned());
    let matrix = vec![(key, named(&["loopback"], &["syn-unanswered"]))];
    let ran = |kinds: &[&str]| {
        let findings: Vec<Value> = kinds
            .iter()
            .map(|kind| serde_json::json!({ "kind": kind }))
            .collect();
        let case = serde_json::json!({
            "lab": "nlb/x", "case": "as-deployed", "kind": "fault", "findings": findings,
        });
        differences(&matrix, &[case])
    };
    assert!(ran(&["loopback"]).is_empty());
    assert!(ran(&["loopback", "syn-unanswered"]).is_empty());
    assert_eq!(
        ran(&["syn-unanswered", "refused"]),
        [
            "nlb/x as-deployed (fault): loopback is mute",
            "nlb/x as-deployed (fault): refused was not awaited",
        ]
    );
}
