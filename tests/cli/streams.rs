//! What goes where: standard output and error, colours, GitHub Actions, readers that leave early.

use super::common::{can_run_labs, everything};
use super::*;
use std::process::Stdio;

const ESCAPE: char = '\u{1b}';

#[test]
fn a_report_on_standard_output_is_nothing_but_the_report() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("output");
    let github = [("GITHUB_ACTIONS", "true")];
    let both = desk.with(&["run", "quick", "--report", "json=-"], &github);
    assert_eq!(json(&out(&both))["summary"]["cases"], 2);
    assert!(err(&both).contains("2 cases: 1 control holds, 1 FAILED"));
    assert!(err(&both).contains("::error file=quick.yaml"));
    let alone = desk.hairpin(&["run", "quick", "--format", "json"]);
    assert_eq!(json(&out(&alone))["summary"]["cases"], 2);
    assert_eq!(err(&alone), "");
    let twice = desk.hairpin(&[
        "run",
        "quick",
        "--format",
        "json",
        "--report",
        "json=-,json=f",
    ]);
    assert_eq!(json(&out(&twice)), json(&desk.read("f")));
}

#[test]
fn output_that_cannot_be_written_is_no_success() {
    let desk = Desk::new("lost");
    let to = |arguments: &[&str], full: bool| {
        let mut command = hairpin();
        command.current_dir(&desk.0.0).args(arguments);
        command.env("XDG_RUNTIME_DIR", &desk.0.0);
        command.stderr(Stdio::piped());
        let sink =
            std::fs::File::options()
                .write(true)
                .open(if full { "/dev/full" } else { "/dev/null" });
        command.stdout(sink.expect("a device of every Linux"));
        let child = command.spawn().expect("the binary starts");
        child.wait_with_output().expect("it ends")
    };
    let mut commands = vec![
        &["schema"][..],
        &["list", "quick"],
        &["check", "quick"],
        &["plan", "quick/good"],
        &["explain"],
        &["completions", "bash"],
        &["--help"],
        &["--version"],
        &["ps", "--format", "json"],
    ];
    if can_run_labs() {
        // Up in spite of it, for all that follow.
        let up = to(&["up", "quick/good", "--name", "web"], true);
        assert_eq!(status(&up), 3, "{}", everything(&up));
        commands.push(&["ps"]);
        commands.push(&["do", "web", "wait: 0s"]);
        commands.push(&["capture", "web", "-o", "-"]);
        commands.push(&["run", "quick/good"]);
        commands.push(&["run", "quick/good", "--format", "json"]);
        commands.push(&["run", "quick/good", "--report", "json=-"]);
        commands.push(&["doctor"]);
    }
    for arguments in commands {
        let lost = to(arguments, true);
        assert_eq!(status(&lost), 3, "{arguments:?}: {}", everything(&lost));
        let said = err(&lost);
        let complaint = "error: cannot write to standard output: No space left on device";
        assert_eq!(said.matches(complaint).count(), 1, "{arguments:?}: {said}");
        let written = to(arguments, false);
        assert_eq!(
            status(&written),
            0,
            "{arguments:?}: {}",
            everything(&written)
        );
    }
    for (arguments, wanted) in [(&["new", "mine"][..], 3), (&["new", "/dev/full/a"], 2)] {
        let lost = to(arguments, true);
        assert_eq!(
            status(&lost),
            wanted,
            "{arguments:?}: {}",
            everything(&lost)
        );
    }
    if can_run_labs() {
        let lost = to(&["capture", "web", "-o", "/dev/full"], false);
        assert_eq!(status(&lost), 3, "{}", everything(&lost));
        let down = to(&["down", "web", "--explain"], true);
        assert_eq!(status(&down), 3, "{}", everything(&down));
    }
}

#[test]
fn colours_are_for_terminals_and_for_who_asks() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("colour");
    desk.file("wrong.yaml", "title: One\n");
    let coloured = |arguments: &[&str], variables: &[(&str, &str)], unset: &[&str]| {
        let mut command = hairpin();
        command.current_dir(&desk.0.0).args(arguments);
        command.envs(variables.iter().copied());
        for name in unset {
            command.env_remove(name);
        }
        everything(&command.output().expect("the binary starts")).contains(ESCAPE)
    };
    for arguments in [
        &["run", "quick.yaml", "-e"][..],
        &["run", "wrong.yaml"],
        &["run", "nowhere"],
        &["check", "wrong.yaml"],
        &["list", "quick.yaml"],
    ] {
        assert!(
            !coloured(arguments, &[], &["NO_COLOR"]),
            "a pipe: {arguments:?}"
        );
        let never = [arguments, &["--color", "never"]].concat();
        assert!(
            !coloured(&never, &[("CLICOLOR_FORCE", "1")], &["NO_COLOR"]),
            "{never:?}"
        );
        let always = [arguments, &["--color", "always"]].concat();
        assert!(
            coloured(&always, &[], &[]),
            "asked for in spite of NO_COLOR: {always:?}"
        );
    }
    assert!(coloured(
        &["list", "quick.yaml"],
        &[("HAIRPIN_COLOR", "always")],
        &[]
    ));
    assert!(!coloured(
        &["run", "quick.yaml", "--color=always", "--format=json"],
        &[],
        &[]
    ));
}

#[test]
fn reports_have_a_file_each() {
    let desk = Desk::new("reports");
    desk.file("wrong.yaml", "title: One\n");
    for (report, said) in [
        ("json=-,html=-", "two reports cannot both be written to `-`"),
        ("tap=a,json=a", "two reports cannot both be written to `a`"),
        (
            "html",
            "the file is missing: write `html=FILE`, or `html=-`",
        ),
        ("out.html", "the format is missing: write `json=out.html`"),
    ] {
        let output = desk.hairpin(&["run", "wrong.yaml", "--report", report]);
        assert_eq!(status(&output), 2);
        assert!(err(&output).contains(said), "{}", err(&output));
    }
}

#[test]
fn github_gets_an_annotation_at_the_case_and_a_summary() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("github");
    desk.file("summary.md", "before\n");
    let variables = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_STEP_SUMMARY", "summary.md"),
    ];
    let place = format!("::error file=quick.yaml,line={BAD_LINE},");
    let output = desk.with(&["run", "quick"], &variables);
    assert_eq!(status(&output), 1);
    assert!(
        out(&output).lines().any(|line| line.starts_with(&place)),
        "{}",
        out(&output)
    );
    let summary = desk.read("summary.md");
    assert!(
        summary.starts_with("before\n## hairpin: 1 lab, 2 cases: 1 fail\n"),
        "{summary}"
    );
    assert!(summary.contains("false: hello.syns == 7"), "{summary}");

    let output = desk.with(
        &["run", "quick", "--repeat", "5", "--evidence", "kept"],
        &variables,
    );
    assert_eq!(
        out(&output).matches("::error").count(),
        1,
        "one for a case, not for a run"
    );
    assert!(desk.read("summary.md").contains("0/5"));

    desk.file("wrong.yaml", "title: One\n");
    let output = desk.with(&["run", "wrong.yaml"], &variables);
    assert!(
        err(&output).contains("::error file=wrong.yaml,line=1,"),
        "{}",
        err(&output)
    );
    // GitHub looks from the workspace, wherever the step works.
    let above = desk.0.0.parent().expect("it is in a folder");
    let above = above.to_str().expect("text");
    let name = desk.0.0.file_name().expect("its name").to_string_lossy();
    let place = format!("::error file={name}/wrong.yaml,line=1,");
    let variables = [("GITHUB_ACTIONS", "true"), ("GITHUB_WORKSPACE", above)];
    let told = desk.with(&["run", "wrong.yaml"], &variables);
    assert!(err(&told).contains(&place), "{}", err(&told));
    let check = ["check", "wrong.yaml", "--format", "github"];
    let told = desk.with(&check, &variables);
    assert!(out(&told).contains(&place), "{}", out(&told));

    let nowhere = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_STEP_SUMMARY", "no/where"),
    ];
    assert_eq!(status(&desk.with(&["run", "quick"], &nowhere)), 3);
    let none = [("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", "")];
    assert_eq!(status(&desk.with(&["run", "quick"], &none)), 1);
    let silent = desk.with(&["run", "quick/bad"], &[("GITHUB_ACTIONS", "false")]);
    assert!(!everything(&silent).contains("::error"));
}

/// The status of a command whose reader left before it said anything.
fn unread(desk: &Desk, arguments: &[&str], errors_too: bool) -> i32 {
    let closed = || {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        Stdio::from(writer)
    };
    let mut command = hairpin();
    command.current_dir(&desk.0.0).args(arguments);
    command.stdout(closed());
    command.stderr(if errors_too { closed() } else { Stdio::piped() });
    let output = command.output().expect("the binary starts");
    assert!(
        !err(&output).contains("panicked"),
        "{arguments:?}: {}",
        err(&output)
    );
    status(&output)
}

#[test]
fn a_reader_that_leaves_early_is_no_mistake() {
    let desk = Desk::new("pipe");
    desk.file("wrong.yaml", "title: One\n");
    for (arguments, wanted) in [
        (&["list", "quick.yaml"][..], 0),
        (&["explain"], 0),
        (&["explain", "HP0001"], 0),
        (&["schema"], 0),
        (&["plan", "quick"], 0),
        (&["completions", "bash"], 0),
        (&["check", "quick"], 0),
        (&["check", "wrong"], 2),
        (&["run", "wrong"], 2),
        (&["run", "nowhere"], 2),
        (&["list", "wrong"], 2),
        (&["run", "--help"], 0),
        (&["--bogus"], 2),
    ] {
        assert_eq!(unread(&desk, arguments, false), wanted, "{arguments:?}");
        assert_eq!(
            unread(&desk, arguments, true),
            wanted,
            "{arguments:?}, all closed"
        );
    }
    if can_run_labs() {
        assert_eq!(unread(&desk, &["run", "quick", "-vv"], true), 1);
        assert_eq!(unread(&desk, &["doctor"], true), 0);
    }
}
