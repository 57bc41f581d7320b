//! The lab by hand: a lab that stays up, what can be done in it, and that nothing of it is left. On the built binary.

mod common;

use common::{Scratch, can_run_labs, eventually, everything, hairpin, skip};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

#[path = "hand/doing.rs"]
mod doing;
#[path = "hand/ending.rs"]
mod ending;
#[path = "hand/entering.rs"]
mod entering;
#[path = "hand/new.rs"]
mod new;
#[path = "hand/stories.rs"]
mod stories;

/// Within this everything must have come to pass, also on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A story of three steps, two targets.
const LAB: &str = "\
title: A lab to be worked by hand
hosts:
  client: {}
  one: { zone: a, serve: { 80: echo } }
  two: { zone: a, serve: { 80: echo } }
target_groups:
  web: { targets: [one, two] }
load_balancers:
  front: { zones: [a], listeners: { 80: web } }
steps:
  - connect: { as: hello, from: client, to: front }
  - exchange: { as: talk, over: hello }
  - wait: 1ms
works:
  - hello.ok && talk.ok
cases:
  plain:
    kind: control
  broken:
    kind: fault
    set: { steps.hello.to: front:81, steps.hello.timeout: 1s }
    expect:
      - hello.error == \"deadline\"
";

/// A folder for the state of labs, and one lab in it; whatever is up there ends with the value.
struct Bench {
    scratch: Scratch,
    lab: String,
}

impl Bench {
    /// None where labs cannot run.
    fn new(name: &str) -> Option<Self> {
        if !can_run_labs() {
            return None;
        }
        let scratch = Scratch::new(name);
        let lab = scratch.file("web.yaml", LAB);
        Some(Self { scratch, lab })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = hairpin();
        command
            .args(arguments)
            .env("XDG_RUNTIME_DIR", &self.scratch.0);
        command
    }

    fn hairpin(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary starts")
    }

    /// With this status, or the test fails; gives standard output.
    fn ends(&self, status: i32, arguments: &[&str]) -> String {
        let output = self.hairpin(arguments);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{arguments:?}\n{}",
            everything(&output)
        );
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Refused with status 2 and these words on standard error.
    fn refuses(&self, arguments: &[&str], words: &[&str]) {
        self.refuses_with(2, arguments, words);
    }

    /// The same with another status.
    fn refuses_with(&self, status: i32, arguments: &[&str], words: &[&str]) {
        let output = self.hairpin(arguments);
        let all = everything(&output);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}\n{all}");
        let said = String::from_utf8_lossy(&output.stderr);
        for word in words {
            assert!(said.contains(word), "{arguments:?}: no `{word}` in\n{all}");
        }
    }

    /// The lab's case without a fault, under this name.
    fn up(&self, name: &str) -> String {
        self.ends(0, &["up", &self.lab, "--case", "plain", "--name", name])
    }

    fn ps(&self) -> Vec<Value> {
        let text = self.ends(0, &["ps", "--format", "json"]);
        serde_json::from_str(&text).expect("a list")
    }

    /// Until a lab that is kept in the foreground is up.
    fn await_up(&self) {
        eventually(LIMIT, "it is up", || {
            let rows = self.ps();
            rows.iter().any(|row| row["state"] == "up").then_some(())
        });
    }

    /// The process that keeps a lab up.
    fn keeper(&self, name: &str) -> u32 {
        let rows = self.ps();
        let row = rows
            .iter()
            .find(|row| row["name"] == name)
            .expect("it is up");
        u32::try_from(row["pid"].as_u64().expect("a number")).expect("a process number")
    }

    /// Where state is kept.
    fn state(&self) -> std::path::PathBuf {
        self.scratch.0.join("hairpin")
    }

    fn folders(&self) -> Vec<String> {
        let entries = fs::read_dir(self.state()).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.path().is_dir());
        folders
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let cleaned = self.hairpin(&["clean"]);
        assert!(
            cleaned.status.success() || std::thread::panicking(),
            "{}",
            everything(&cleaned)
        );
    }
}

/// A process and all below it.
fn family(pid: u32) -> Vec<u32> {
    // Each thread has its own children.
    let threads = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let children = threads.flat_map(|thread| {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        let numbers = children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok());
        numbers.collect::<Vec<u32>>()
    });
    std::iter::once(pid)
        .chain(children.flat_map(family))
        .collect()
}

/// False also of one that has ended and whose parent has not asked yet.
fn exists(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}
