//! `run`: what is chosen, what it comes to.

use super::common::{can_run_labs, everything, skip};
use super::*;
use std::process::{Command, Stdio};

#[test]
fn the_exit_status_tells_how_it_went() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("status");
    let held = desk.hairpin(&["run", "quick.yaml/good"]);
    assert_eq!(status(&held), 0, "{}", everything(&held));
    assert_eq!(
        err(&held),
        "",
        "a run that holds has nothing to complain of"
    );
    let failed = desk.hairpin(&["run", "quick.yaml"]);
    assert_eq!(status(&failed), 1, "{}", everything(&failed));
    assert!(out(&failed).contains("this does not hold: hello.syns == 7"));
    assert!(out(&failed).contains("hello.syns = 1"), "with the value");
}

#[test]
fn labs_and_cases_are_chosen_in_many_ways() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("chosen");
    desk.file("labs/topic/other.yaml", LAB);
    desk.file("my labs/with space.yaml", LAB);
    desk.file("crlf.yaml", &LAB.replace('\n', "\r\n"));
    let whole = desk.0.0.join("quick.yaml").display().to_string();
    for (arguments, wanted) in [
        (&["quick.yaml"][..], &["good holds", "bad fails"][..]),
        (&["quick"], &["good holds", "bad fails"]),
        (&[whole.as_str()], &["good holds", "bad fails"]),
        (
            &["./quick.yaml", "quick.yaml"],
            &["good holds", "bad fails"],
        ),
        (&["quick/good", "quick/good"], &["good holds"]),
        (&["quick/bad", "quick/good"], &["good holds", "bad fails"]),
        (&["quick.yaml", "--case", "bad"], &["bad fails"]),
        (
            &["quick", "--case", "bad", "--case", "good"],
            &["good holds", "bad fails"],
        ),
        (&["quick", "--filter", "ck/go"], &["good holds"]),
        (&["quick", "--filter", "b", "--case", "bad"], &["bad fails"]),
        (&["quick", "-j", "1"], &["good holds", "bad fails"]),
        (&[], &["good holds", "bad fails"]),
        (&["labs"], &["good holds", "bad fails"]),
        (&["topic"], &["good holds", "bad fails"]),
        (&["topic/other"], &["good holds", "bad fails"]),
        (&["topic/other/good"], &["good holds"]),
        (&["labs/topic/other.yaml/bad"], &["bad fails"]),
        (&["my labs/with space.yaml"], &["good holds", "bad fails"]),
        (&["crlf.yaml"], &["good holds", "bad fails"]),
        (&["topic/*"], &["good holds", "bad fails"]),
        (&["*the?"], &["good holds", "bad fails"]),
        (&["labs/*.yaml"], &["good holds", "bad fails"]),
        (&["qu*.yaml"], &["good holds", "bad fails"]),
        (&["topic/other/g*"], &["good holds"]),
        (&["labs/topic/other.yaml/g*"], &["good holds"]),
        (&["topic/*/bad"], &["bad fails"]),
        (&["*/bad", "topic/other/g?od"], &["good holds", "bad fails"]),
        (&["topic/*", "--case", "b*"], &["bad fails"]),
        (
            &["quick", "--filter", "ck/*d"],
            &["good holds", "bad fails"],
        ),
        (&["quick", "--filter", "q*go"], &["good holds"]),
    ] {
        let output = desk.hairpin(&[&["run", "--format", "json"], arguments].concat());
        assert_eq!(verdicts(&json(&out(&output))), wanted, "{arguments:?}");
        assert_eq!(err(&output), "", "{arguments:?}");
    }
}

#[test]
fn a_lab_that_wants_to_be_asked_for_is_left_out_of_whole_folders() {
    let desk = Desk::new("asked-for");
    desk.file("labs/scale/large.yaml", &format!("opt_in: scale\n{LAB}"));
    let folder = ["run", "labs/scale", "--format", "json"];
    mistake(
        &desk.hairpin(&folder),
        &["left out: 2 cases of 1 opt-in lab", "`--filter scale`"],
    );
    let listed = desk.hairpin(&["list", "labs"]);
    assert!(out(&listed).contains("opt-in: `--filter scale`"));
    if !can_run_labs() {
        return;
    }
    for arguments in [
        &["labs", "--filter", "scale", "--case", "good"][..],
        &["labs/scale/large.yaml/good"],
        &["scale/large", "--case", "good"],
        &["labs", "scale/large", "--case", "good"],
    ] {
        let output = desk.hairpin(&[&["run", "--format", "json"], arguments].concat());
        assert_eq!(
            verdicts(&json(&out(&output))),
            ["good holds"],
            "{arguments:?}"
        );
    }
    desk.file("labs/small.yaml", LAB);
    let output = desk.hairpin(&["run", "--case", "good"]);
    assert_eq!(status(&output), 0, "{}", everything(&output));
    let told = "left out: 1 case of 1 opt-in lab, to be asked for by name or with `--filter scale`";
    assert!(out(&output).contains(told), "{}", everything(&output));
    assert!(!out(&output).contains("scale/large"));
}

#[test]
fn a_choice_of_nothing_is_a_mistake_with_a_hint() {
    let desk = Desk::new("nothing");
    desk.file("labs/nlb/source-port.yaml", LAB);
    for (arguments, words) in [
        (&["qiuck.yaml"][..], &["did you mean `quick.yaml`?"][..]),
        (&["nlb/sorce-port"], &["did you mean `nlb/source-port`?"]),
        (
            &["labs/nlb/sorce-port.yaml"],
            &["did you mean `nlb/source-port`?"],
        ),
        (
            &["nlb/sorce-port/good"],
            &["did you mean `nlb/source-port/good`?"],
        ),
        (
            &["nothing-like-it"],
            &["no lab, folder or case", "`hairpin list`"],
        ),
        (
            &["quick/godo"],
            &["`quick.yaml` has no case `godo`", "did you mean `good`?"],
        ),
        (&["quick/zzz"], &["there is good, bad"]),
        (&["quick", "--case", "god"], &["did you mean `good`?"]),
        (
            &["quick", "--case", "zzz"],
            &["no case is called `zzz`: there is bad, good"],
        ),
        (
            &["quick", "--filter", "zzz"],
            &["nothing is left to run", "`zzz`"],
        ),
        (
            &["quick/good", "--case", "bad"],
            &["nothing is left to run"],
        ),
        (&["empty"], &["no lab"]),
        (&["nlb/x*"], &["no lab and no case is like `nlb/x*`"]),
        (&["nlb/*/x*"], &["no lab and no case is like `nlb/*/x*`"]),
        (
            &["quick", "nlb/*/x*"],
            &["no lab and no case is like `nlb/*/x*`"],
        ),
        (&["quick/x*"], &["no lab and no case is like `quick/x*`"]),
        (&["nlb/{a,b}"], &["`*` is any text", "no others"]),
        (&["quick", "--case", "x*"], &["no case is called `x*`"]),
        (
            &["quick", "--filter", "x*z"],
            &["no LAB/CASE that is meant has a part like `x*z`"],
        ),
        (&["--jobs", "0"], &["1..=1000"]),
        (&["--repeat", "0"], &["1..=100000"]),
        (&["--seed", "many"], &["invalid digit"]),
        (
            &["--report", "xml=x"],
            &["no report is called `xml`; there are: html, junit, json, tap, markdown"],
        ),
        (&["--report", "x.json"], &["write `json=x.json`"]),
        (&["--report", "json="], &["the file's name is missing"]),
        (&["--shard", "3/2"], &["there is no part 3 of 2"]),
        (&["--shard", "2"], &["as `1/3`"]),
        (&["--bogus"], &["unexpected argument '--bogus'"]),
    ] {
        mistake(&desk.hairpin(&[&["run"], arguments].concat()), words);
    }
    std::fs::create_dir(desk.0.0.join("empty")).expect("a folder");
    mistake(
        &desk.hairpin(&["run", "empty"]),
        &["no lab (`*.yaml`) is under `empty`"],
    );
    mistake(
        &desk.hairpin(&["rum"]),
        &["a similar subcommand exists: 'run'"],
    );
    std::fs::remove_dir_all(desk.0.0.join("labs")).expect("it was there");
    mistake(&desk.hairpin(&["run"]), &["there is no folder `labs` here"]);
}

#[test]
fn a_lab_with_mistakes_runs_nothing_of_all() {
    let desk = Desk::new("wrong");
    desk.file("one.yaml", "title: One\n");
    desk.file("two.yaml", "title: [\n");
    let output = desk.hairpin(&["run", "quick.yaml", "one.yaml", "two.yaml"]);
    mistake(&output, &["one.yaml:1:1", "two.yaml:1:", "nothing was run"]);
}

#[test]
fn the_seed_is_in_the_report() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("seed");
    let output = desk.hairpin(&["run", "quick/good", "--seed", "77", "--format", "json"]);
    assert_eq!(json(&out(&output))["cases"][0]["seed"], 77);
}

#[test]
fn what_cannot_be_written_is_said_before_anything_runs() {
    let desk = Desk::new("unwritable");
    desk.file("file", "");
    std::fs::create_dir(desk.0.0.join("folder")).expect("a folder");
    for (arguments, word) in [
        (["--report", "json=no/such/folder.json"], "No such file"),
        (["--report", "json=folder"], "it is a folder"),
        (["--report", "json=file/x"], "file is no folder"),
        (["--evidence", "file/x"], "cannot keep evidence in `file/x`"),
        (
            ["--capture=/proc/x", "-j1"],
            "cannot keep captures in `/proc/x`",
        ),
    ] {
        let output = desk.hairpin(&[&["run", "quick.yaml"], &arguments[..]].concat());
        mistake(&output, &[word]);
    }
}

#[test]
fn two_reports_are_not_written_to_one_file_whatever_it_is_called() {
    let desk = Desk::new("one-file");
    desk.file("there.json", "");
    std::os::unix::fs::symlink("there.json", desk.0.0.join("link.html")).expect("a link");
    let whole = desk.0.0.join("new").display().to_string();
    for (first, second) in [
        ("new", "new"),
        ("new", "./new"),
        ("new", whole.as_str()),
        ("there.json", "link.html"),
    ] {
        let both = format!("json={first},html={second}");
        let output = desk.hairpin(&["run", "quick.yaml", "--report", &both]);
        mistake(&output, &["two reports cannot both be written to"]);
    }
}

#[test]
fn a_report_that_fails_late_keeps_the_table_and_tells() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("full");
    let output = desk.hairpin(&["run", "quick/good", "--report", "json=/dev/full"]);
    assert_eq!(status(&output), 3, "{}", everything(&output));
    assert!(out(&output).contains("1 control holds"));
    assert!(err(&output).contains("cannot write the report `/dev/full`"));
}

#[test]
fn labs_of_one_name_do_not_share_evidence() {
    let desk = Desk::new("names");
    desk.file("x/same/lab.yaml", LAB);
    desk.file("y/same/lab.yaml", LAB);
    for kept in ["--evidence=kept", "--capture=kept"] {
        let output = desk.hairpin(&["run", "x", "y", kept]);
        mistake(&output, &["are both called `same/lab`"]);
    }
}

#[test]
fn a_machine_that_cannot_run_labs_says_why_with_status_3() {
    let desk = Desk::new("unable");
    let Some(output) = without_tun(&desk, &["run", "quick.yaml"]) else {
        return;
    };
    assert_eq!(status(&output), 3, "{}", everything(&output));
    assert_eq!(out(&output), "");
    assert!(err(&output).contains("this machine cannot run labs"));
    assert!(err(&output).contains("/dev/net/tun"), "{}", err(&output));
    assert!(err(&output).contains("hairpin doctor"));
    assert!(!err(&output).contains("::error"), "{}", err(&output));
    // GitHub is told as well, of this and of what is wrong before.
    let github = |arguments: &[&str]| without_tun(&desk, &[&["github"], arguments].concat());
    let output = github(&["run", "quick.yaml"]).expect("it was hidden before");
    let told = "::error title=hairpin%3A nothing was run::this machine cannot run labs";
    assert!(err(&output).contains(told), "{}", err(&output));
    assert!(desk.read("summary.md").contains("/dev/net/tun"));
    desk.file("broken.yaml", "title: One\n");
    let output = github(&["run", "broken.yaml"]).expect("it was hidden before");
    let said = err(&output);
    for told in ["::error file=broken.yaml", "nothing was run::"] {
        assert!(said.contains(told), "no `{told}` in {said}");
    }
    let summary = desk.read("summary.md");
    assert!(summary.contains("broken.yaml:1:1"), "{summary}");
}

#[test]
fn what_cannot_be_tried_is_a_row_of_the_doctor_all_the_same() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("doctor");
    let Some(output) = without_tun(&desk, &["doctor", "--format", "json"]) else {
        return;
    };
    assert_eq!(status(&output), 3, "{}", everything(&output));
    let rows = |output: &Output| {
        let told = json(&out(output));
        let list = told["abilities"].as_array().expect("a list").clone();
        let keys = |row: &Value| row.as_object().expect("an object").len();
        assert!(list.iter().all(|row| keys(row) == 5), "{told}");
        list
    };
    let names = |list: &[Value]| {
        list.iter()
            .map(|row| row["name"].clone())
            .collect::<Vec<_>>()
    };
    let hidden = rows(&output);
    let whole = rows(&desk.hairpin(&["doctor", "--format", "json"]));
    assert_eq!(names(&hidden), names(&whole));
    let untried = |row: &&Value| row["missing"] == "not tried: it needs `hosts`";
    assert_eq!(hidden.iter().filter(untried).count(), 9, "{hidden:?}");
}

/// The binary where /dev/net/tun is not there, under GitHub Actions where the first word says so; none where it cannot be hidden.
fn without_tun(desk: &Desk, arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new("unshare");
    let hidden = "mount -t tmpfs none /dev/net && exec \"$0\" \"$@\"";
    command.args(["--mount", "sh", "-c", hidden, env!("CARGO_BIN_EXE_hairpin")]);
    let arguments = match arguments {
        ["github", rest @ ..] => {
            command
                .env("GITHUB_ACTIONS", "true")
                .env("GITHUB_WORKSPACE", &desk.0.0)
                .env("GITHUB_STEP_SUMMARY", desk.0.0.join("summary.md"));
            rest
        }
        _ => {
            command.env_remove("GITHUB_ACTIONS");
            arguments
        }
    };
    let output = command
        .args(arguments)
        .current_dir(&desk.0.0)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("util-linux is there");
    let said = err(&output);
    if ["unshare:", "mount:"].iter().any(|by| said.contains(by)) {
        skip(&format!("/dev/net cannot be hidden here: {said}"));
        return None;
    }
    Some(output)
}

/// Programs open more connections to a server of ours than it may have descriptors, and hold them until the last of them has all of its own.
#[test]
fn a_connection_that_cannot_be_accepted_waits_and_is_told_once() {
    if !can_run_labs() {
        return;
    }
    let desk = Desk::new("descriptors");
    desk.file(
        "many.yaml",
        r#"
title: Many connections
hosts:
  client: { zone: a }
  web: { zone: a, serve: { 80: echo } }
steps:
  - run: { as: many, on_host: client, command: "for n in $(seq 8); do bash -c 'for i in $(seq 60); do exec {fd}<>/dev/tcp/web/80; done; touch /run/$0; until [ $(ls /run/all-* | wc -l) = 8 ]; do sleep 0.05; done; sleep 2' all-$n & done; wait" }
  - wait: 1s
  - connect: { as: after, from: client, to: "web:80" }
  - exchange: { over: after, as: said }
works: [many.ok, said.ok]
cases: { only: { kind: control } }
"#,
    );
    let limited = "ulimit -n 360 && exec \"$0\" run many.yaml";
    let output = Command::new("sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_hairpin")])
        .current_dir(&desk.0.0)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("sh starts");
    assert_eq!(status(&output), 0, "{}", everything(&output));
    let told = err(&output).matches("cannot be accepted").count();
    assert_eq!(told, 1, "{}", err(&output));
}

#[test]
fn a_filter_of_the_log_that_cannot_be_read_is_told() {
    let output = hairpin()
        .args(["explain", "HP0101"])
        .env("HAIRPIN_LOG", "hairpin=loud")
        .output()
        .expect("the binary starts");
    assert_eq!(status(&output), 0, "{}", everything(&output));
    assert!(
        err(&output).contains("HAIRPIN_LOG: `hairpin=loud` is no filter"),
        "{}",
        err(&output)
    );
}
