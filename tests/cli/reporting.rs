//! Reports in every format, shards, and `hairpin report`.

use super::common::{can_run_labs, everything, skip};
use super::*;
use std::process::Command;

const ALL: &str = "html=r.html,junit=r.xml,json=r.json,tap=r.tap,markdown=r.md";

#[test]
fn one_run_writes_every_report_and_each_tells_what_failed() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("reports");
    let output = desk.hairpin(&["run", "quick", "--evidence", "kept", "--report", ALL]);
    assert_eq!(status(&output), 1, "{}", everything(&output));
    for file in ["r.html", "r.xml", "r.tap", "r.md"] {
        let text = desk.read(file).replace("&#x2f;", "/");
        for part in [
            "hello.syns == 7",
            "hello.syns",
            "kept/quick/bad",
            "run quick.yaml",
        ] {
            assert!(text.contains(part), "no {part:?} in {file}\n{text}");
        }
    }
    assert!(desk.read("r.xml").contains("<failure message="));
    let page = desk.read("r.html");
    assert!(
        page.starts_with("<!doctype html>") && page.ends_with("</html>\n"),
        "{page}"
    );
    assert!(!page.contains("<script") && page.contains("<svg class=\"ladder\""));

    let again = [
        "report",
        "r.json",
        "--report",
        "html=2.html,junit=2.xml,tap=2.tap,markdown=2.md",
    ];
    let output = desk.hairpin(&again);
    assert_eq!(status(&output), 1, "{}", everything(&output));
    for (first, second) in [
        ("r.html", "2.html"),
        ("r.xml", "2.xml"),
        ("r.tap", "2.tap"),
        ("r.md", "2.md"),
    ] {
        assert_eq!(desk.read(first), desk.read(second));
    }
    let output = desk.hairpin(&["report", "kept", "--report", "html=3.html"]);
    assert_eq!(status(&output), 1, "{}", everything(&output));
    assert!(desk.read("3.html").contains("hello.syns"));
}

#[test]
fn perl_reads_the_tap() {
    let Ok(version) = Command::new("prove").arg("--version").output() else {
        return skip("prove is not here (Debian: perl), so nobody reads the TAP");
    };
    assert!(version.status.success());
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("tap");
    let prove = |lab: &str| {
        let output = desk.hairpin(&["run", lab, "--report", "tap=r.tap"]);
        assert!(status(&output) < 2, "{}", everything(&output));
        let mut command = Command::new("prove");
        command
            .current_dir(&desk.0.0)
            .args(["--exec", "cat", "r.tap"]);
        command.output().expect("prove")
    };
    let good = prove("quick/good");
    assert!(
        good.status.success() && out(&good).contains("Result: PASS"),
        "{}",
        everything(&good)
    );
    let both = prove("quick");
    assert_eq!(status(&both), 1);
    let told = everything(&both);
    assert!(
        told.contains("Failed test:  2") && told.contains("Tests: 2 Failed: 1)"),
        "{told}"
    );
    assert!(!told.contains("Parse errors"), "{told}");
}

#[test]
fn shards_are_parts_of_the_whole() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("shards");
    let parts: Vec<String> = (1..=3).map(|number| format!("{number}/3")).collect();
    let mut names = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        let report = format!("json={i}.json,junit={i}.xml,tap={i}.tap");
        let output = desk.hairpin(&["run", "quick", "--shard", part, "--report", &report]);
        assert!(status(&output) < 2, "{}", everything(&output));
        // It is red where something did not hold, not because there are others.
        for file in ["xml", "tap"] {
            let text = desk.read(&format!("{i}.{file}"));
            assert!(!text.contains("missing"), "{text}");
        }
        names.extend(verdicts(&json(&desk.read(&format!("{i}.json")))));
    }
    names.sort_unstable();
    assert_eq!(names, ["bad fails", "good holds"]);
    let merge = [
        "report",
        "--merge",
        "2.json",
        "0.json",
        "1.json",
        "--report",
        "json=all.json",
    ];
    let output = desk.hairpin(&merge);
    assert_eq!(status(&output), 1, "{}", everything(&output));
    let all = json(&desk.read("all.json"));
    assert_eq!(
        verdicts(&all),
        ["good holds", "bad fails"],
        "in the order of the lab"
    );
    assert_eq!(all["summary"]["cases"], 2);

    let some = desk.hairpin(&["report", "--merge", "0.json", "1.json"]);
    assert_eq!(status(&some), 2, "{}", everything(&some));
    assert!(
        err(&some).contains("shard 3 of 3 is missing"),
        "{}",
        everything(&some)
    );
}

#[test]
fn what_is_no_report_is_a_mistake() {
    let desk = Desk::new("no-report");
    desk.file("r.json", "{}");
    for (arguments, words) in [
        (
            &["r.json"][..],
            &["`r.json` is no report", "no `version`"][..],
        ),
        (&["quick.yaml"], &["`quick.yaml` is no report"]),
        (&["nowhere.json"], &["cannot read `nowhere.json`"]),
        (&["r.json", "s.json"], &["`--merge` makes one report"]),
        (&[], &["required"]),
    ] {
        mistake(&desk.hairpin(&[&["report"], arguments].concat()), words);
    }
}
