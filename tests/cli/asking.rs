//! What can be asked without privilege: help, `check`, `plan`, `list`, `explain`, `schema`, `completions`, `doctor`.

use super::common::{can_run_labs, everything};
use super::*;
use hairpin::diag::codes;
use hairpin::verdict::findings::KINDS;
use std::path::Path;

const COMMANDS: [&str; 20] = [
    "run",
    "up",
    "down",
    "ps",
    "exec",
    "shell",
    "do",
    "capture",
    "new",
    "clean",
    "check",
    "plan",
    "list",
    "explain",
    "judge",
    "metrics",
    "report",
    "doctor",
    "schema",
    "completions",
];

#[test]
fn every_help_text_is_the_reviewed_one() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
    let bless = std::env::var_os("BLESS").is_some();
    let mut failures = Vec::new();
    for command in [&["hairpin"], &COMMANDS[..]].concat() {
        let arguments: &[&str] = match command {
            "hairpin" => &["--help"],
            one => &[one, "--help"],
        };
        let output = ask(arguments);
        assert_eq!(status(&output), 0);
        let text = out(&output);
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
        assert!(
            command == "hairpin" || text.contains("Examples:"),
            "{command} has no examples"
        );
        let file = folder.join(format!("{command}-help.txt"));
        if bless {
            std::fs::write(&file, &text).expect("a writable folder");
        } else if std::fs::read_to_string(&file).unwrap_or_default() != text {
            failures.push(format!(
                "{command} --help is new (BLESS=1 accepts it):\n{text}"
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    mistake(&ask(&[]), &["Usage: hairpin", "Exit status:"]);
    assert!(out(&ask(&["--version"])).starts_with("hairpin "));
}

#[test]
fn check_reports_every_problem_of_every_file() {
    let desk = Desk::new("check");
    desk.file("labs/one.yaml", "title: One\n");
    desk.file("labs/deep/two.yml", "title: [\n");
    desk.file("labs/fine.yaml", LAB);
    let output = desk.hairpin(&["check"]);
    assert_eq!(status(&output), 2);
    for word in [
        "error[HP0101]: the lab needs `steps`",
        "error[HP0101]: the lab needs `cases`",
        "labs/one.yaml:1:1",
        "labs/deep/two.yml:1:",
        "3 problems in 2 of 3 labs",
    ] {
        assert!(
            out(&output).contains(word),
            "no `{word}` in {}",
            out(&output)
        );
    }
    let output = desk.hairpin(&["check", "labs/one.yaml", "labs/deep", "--format", "json"]);
    assert_eq!(status(&output), 2);
    let problems: Vec<Value> = out(&output).lines().map(json).collect();
    assert_eq!(problems.len(), 3);
    for problem in &problems {
        assert!(
            problem["code"]
                .as_str()
                .is_some_and(|code| code.starts_with("HP"))
        );
        assert!(
            problem["line"].is_u64()
                && problem["message"].is_string()
                && problem["file"].is_string()
        );
    }
    let output = desk.hairpin(&["check", "labs", "--format", "github"]);
    assert_eq!(status(&output), 2);
    assert!(
        out(&output)
            .lines()
            .all(|line| line.starts_with("::error file=labs/"))
    );
    assert_eq!(out(&output).lines().count(), 3);
    let fine = desk.hairpin(&["check", "quick.yaml"]);
    assert_eq!(
        (status(&fine), out(&fine).as_str()),
        (0, "1 lab, 2 cases: no problem\n")
    );
    let doubtful = include_str!("../diagnostics/hp0407-in-vain.yaml");
    desk.file("doubtful.yaml", doubtful);
    let doubtful = desk.hairpin(&["check", "doubtful.yaml"]);
    assert_eq!(status(&doubtful), 0);
    let text = out(&doubtful);
    assert!(text.contains("warning[HP0407]: `client` has"), "{text}");
    assert!(
        text.ends_with("1 lab, 4 cases: no problem, 6 warnings\n"),
        "{text}"
    );
    let github = desk.hairpin(&["check", "doubtful.yaml", "--format", "github"]);
    assert!(out(&github).starts_with("::warning file=doubtful.yaml,line=16,"));
    mistake(
        &desk.hairpin(&["check", "quick/godo"]),
        &["did you mean `good`?"],
    );
    mistake(&desk.hairpin(&["check", "nowhere.yaml"]), &["nowhere.yaml"]);
    mistake(
        &desk.hairpin(&["check", "quick", "--format", "xml"]),
        &["human, json, github"],
    );
}

#[test]
fn every_lab_has_plans_and_drawings() {
    let listed = json(&out(&ask(&["list", "--format", "json"])));
    for lab in listed.as_array().expect("labs") {
        let name = lab["lab"].as_str().expect("a name");
        let last = lab["cases"]
            .as_array()
            .and_then(|cases| cases.last())
            .expect("cases");
        let case = format!("{name}/{}", last["case"].as_str().expect("a name"));
        let text = ask(&["plan", &case]);
        assert_eq!(status(&text), 0, "{}", everything(&text));
        assert!(out(&text).starts_with(&case), "{}", out(&text));
        assert!(out(&text).contains("KERNEL OPERATIONS"));
        assert!(out(&ask(&["plan", &case, "--graph", "dot"])).starts_with("digraph"));
        assert!(out(&ask(&["plan", name, "--graph", "mermaid"])).starts_with("flowchart"));
    }
    mistake(&ask(&["plan", "nlb"]), &["`nlb` is a folder of labs"]);
    mistake(&ask(&["plan"]), &["<LAB|CASE>"]);
    let desk = Desk::new("plan");
    mistake(
        &desk.hairpin(&["plan", "quick/godo"]),
        &["did you mean `good`?"],
    );
    assert!(out(&desk.hairpin(&["plan", "quick", "--case", "bad"])).starts_with("quick/bad"));
}

#[test]
fn list_names_labs_cases_and_what_is_broken() {
    let desk = Desk::new("list");
    desk.file("wrong.yaml", "title: [\n");
    let output = desk.hairpin(&["list", "quick.yaml", "wrong.yaml"]);
    assert_eq!(status(&output), 2);
    assert!(out(&output).contains("quick  A quick lab") && out(&output).contains("good"));
    assert!(err(&output).contains("`wrong.yaml` has 1 problem: see `hairpin check wrong.yaml`"));
    let listed = json(&out(&desk.hairpin(&["list", "quick", "--format", "json"])));
    assert_eq!(listed[0]["cases"][1]["case"], "bad");
    assert_eq!(listed[0]["file"], "quick.yaml");
}

#[test]
fn every_finding_and_every_code_has_a_page() {
    let contents = out(&ask(&["explain"]));
    let codes = codes::all().map(|rule| rule.code.to_string());
    for what in KINDS.iter().map(|kind| (*kind).to_owned()).chain(codes) {
        assert!(contents.contains(&what), "{what} is not listed");
        let page = ask(&["explain", &what]);
        assert_eq!(status(&page), 0, "{what}");
        assert!(out(&page).contains(&what), "{what}");
        assert!(out(&page).lines().count() >= 3, "{what}: {}", out(&page));
    }
    assert_eq!(
        out(&ask(&["explain", "hp0101"])),
        out(&ask(&["explain", "HP0101"]))
    );
    mistake(
        &ask(&["explain", "flow-colision"]),
        &["did you mean `flow-collision`?"],
    );
    mistake(
        &ask(&["explain", "HP9999"]),
        &["no diagnostic", "`hairpin explain` lists"],
    );
    mistake(
        &ask(&["explain", "nlb"]),
        &["`nlb` is a folder of", "labs", "hairpin run nlb --explain"],
    );
    mistake(
        &ask(&["explain", "nlb/loopback-timeout"]),
        &["hairpin run nlb/loopback-timeout --explain"],
    );
}

#[test]
fn the_schema_is_the_one_in_the_repository() {
    let schema = out(&ask(&["schema"]));
    assert!(json(&schema)["properties"]["cases"].is_object());
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/lab.json");
    let kept = std::fs::read_to_string(kept).expect("schema/lab.json");
    assert!(schema == kept, "`hairpin schema` prints something else");
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = out(&ask(&["completions", shell]));
        for word in COMMANDS {
            assert!(script.contains(word), "{shell} does not complete {word}");
        }
    }
    mistake(&ask(&["completions", "tcsh"]), &["bash", "zsh", "fish"]);
}

#[test]
fn the_doctor_says_the_same_to_people_and_machines() {
    let (text, object) = (ask(&["doctor"]), ask(&["doctor", "--format", "json"]));
    assert_eq!(status(&text), status(&object));
    let able = can_run_labs();
    assert_eq!(status(&text), if able { 0 } else { 3 });
    let object = json(&out(&object));
    assert_eq!(object["able"], able);
    for ability in object["abilities"].as_array().expect("abilities") {
        assert!(out(&text).contains(ability["name"].as_str().expect("a name")));
    }
    let words = if able {
        "This machine can run labs."
    } else {
        "This machine cannot run labs."
    };
    assert!(out(&text).contains(words));
}
