//! A claim about time that is missed while the machine is late is told of as such, and tried once more, alone.

use super::common::{can_run_labs, everything};
use super::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Its connection takes 1.2 s on the link, and must take less than 3.2; the file `begun` says that it is under way. Whenever in that time
/// everything stands still for three seconds, it takes 3.6 at least.
const SLOW: &str = "\
title: A slow link and a promise about time
hosts:
  a: { link: { delay: 600ms } }
  b: { serve: { 80: echo } }
steps:
  - load: { as: hello, from: a, to: \"b:80\", background: true, timeout: 15s }
  - wait_until: 'packets.exists(p, p.flags == \"S\")'
  - run: { on_host: a, command: touch FOLDER/begun }
works:
  - it opens in time: hello.connected == 1 && hello.connect_ms.max < 3200
cases:
  in-time:
    kind: control
";

const REPORTS: &str = "html=r.html,junit=r.xml,json=r.json,tap=r.tap,markdown=r.md";

/// How long everything stands still.
const STOP: Duration = Duration::from_secs(3);

/// The processes that a process started, those started last at the end.
fn descendants(of: i32) -> Vec<i32> {
    let children = |pid: i32| -> Vec<i32> {
        let tasks = fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten();
        let lists = tasks
            .flatten()
            .map(|task| fs::read_to_string(task.path().join("children")));
        let lists: Vec<String> = lists.flatten().collect();
        let pids = lists.iter().flat_map(|list| list.split_whitespace());
        pids.filter_map(|pid| pid.parse().ok()).collect()
    };
    let mut all = Vec::new();
    let mut next = children(of);
    while let Some(pid) = next.pop() {
        next.extend(children(pid));
        all.push(pid);
    }
    all
}

/// The worker: of the processes below the one that the user started, the first that has threads.
fn worker(of: i32) -> Option<i32> {
    let threads = |pid: &i32| fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    descendants(of).into_iter().find(|pid| threads(pid) > 2)
}

/// Runs the lab; while it connects, the worker is stopped, so often as `times` says.
fn run_and_stop(desk: &Desk, times: usize) -> Output {
    let begun = desk.0.0.join("begun");
    let child = hairpin()
        .current_dir(&desk.0.0)
        .args(["run", "slow.yaml", "--report", REPORTS])
        .env("GITHUB_ACTIONS", "true")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let pid = i32::try_from(child.id()).expect("a process id");
    for _ in 0..times {
        appears(&begun);
        fs::remove_file(&begun).expect("the file that the lab made");
        let worker = Pid::from_raw(worker(pid).expect("a worker"));
        kill(worker, Signal::SIGSTOP).expect("it is a process of this test");
        sleep(STOP);
        kill(worker, Signal::SIGCONT).expect("it is a process of this test");
    }
    child.wait_with_output().expect("it ends")
}

fn appears(file: &Path) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !file.exists() {
        assert!(
            Instant::now() < deadline,
            "the lab never came to its connect"
        );
        sleep(Duration::from_millis(5));
    }
}

fn desk(name: &str) -> Desk {
    let desk = Desk::new(name);
    let folder = desk.0.0.display().to_string();
    desk.file("slow.yaml", &SLOW.replace("FOLDER", &folder));
    desk
}

/// Each report has these words.
fn each_tells(desk: &Desk, output: &Output, words: &[(&str, &[&str])]) {
    for (file, parts) in words {
        let text = match *file {
            "text" => out(output),
            file => desk.read(file).replace("&#x2f;", "/"),
        };
        for part in *parts {
            assert!(text.contains(part), "no {part:?} in {file}\n{text}");
        }
    }
}

const FIRST: &str = "because at first this cannot be told: it opens in time (it is about time";

#[test]
fn what_a_late_machine_missed_is_tried_again_alone_and_every_report_says_so() {
    if !can_run_labs() {
        return;
    }
    let desk = desk("retry");
    let output = run_and_stop(&desk, 1);
    assert_eq!(status(&output), 0, "{}", everything(&output));
    assert!(
        err(&output).contains("running it again, alone"),
        "{}",
        everything(&output)
    );
    let report = json(&desk.read("r.json"));
    assert_eq!(verdicts(&report), ["in-time holds"]);
    let retried = report["cases"][0]["retried"].as_str().unwrap_or_default();
    assert!(
        retried.starts_with("this cannot be told: it opens in time (it is about time"),
        "{retried}"
    );
    let words: &[(&str, &[&str])] = &[
        (
            "text",
            &["second try, alone", "::notice file=slow.yaml,line=12,"],
        ),
        ("r.html", &["<b>Run again, alone,</b>"]),
        ("r.xml", &["<flakyError message=", "run again, alone"]),
        (
            "r.tap",
            &["ok 1 - ", "retried: \"run again, alone, ", FIRST],
        ),
        ("r.md", &["was run again, alone, ", FIRST]),
    ];
    each_tells(&desk, &output, words);
}

#[test]
fn a_machine_that_is_always_late_is_not_hidden() {
    if !can_run_labs() {
        return;
    }
    let desk = desk("late-twice");
    let output = run_and_stop(&desk, 2);
    assert_eq!(status(&output), 1, "{}", everything(&output));
    let report = json(&desk.read("r.json"));
    assert_eq!(verdicts(&report), ["in-time inconclusive"]);
    assert!(report["cases"][0]["retried"].is_string());
    let twice = format!("this was the second try, alone, {FIRST}");
    let words: &[(&str, &[&str])] = &[
        (
            "text",
            &[
                "inconclusive",
                "second try, alone",
                "::error file=slow.yaml,line=12,",
                &twice,
            ],
        ),
        ("r.html", &["<b>Run again, alone,</b>", &twice]),
        (
            "r.xml",
            &["<error message=", "type=\"inconclusive\"", &twice],
        ),
        ("r.tap", &["not ok 1 - ", &twice]),
        (
            "r.md",
            &["was run again, alone, ", &twice.replace('!', "\\!")],
        ),
    ];
    each_tells(&desk, &output, words);
}
