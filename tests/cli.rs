//! The command line as its users meet it: the built binary, its words, its streams, its exit statuses.
//!
//! `BLESS=1 cargo test --test cli` writes the help texts under `tests/cli/` anew; read them before you commit them.

mod common;

#[path = "cli/asking.rs"]
mod asking;
#[path = "cli/inherited.rs"]
mod inherited;
#[path = "cli/judging.rs"]
mod judging;
#[path = "cli/reading.rs"]
mod reading;
#[path = "cli/repeating.rs"]
mod repeating;
#[path = "cli/reporting.rs"]
mod reporting;
#[path = "cli/retrying.rs"]
mod retrying;
#[path = "cli/running.rs"]
mod running;
#[path = "cli/streams.rs"]
mod streams;

use common::{Scratch, everything, hairpin};
use serde_json::Value;
use std::process::Output;

/// One case that holds and one that does not, in a few milliseconds.
const LAB: &str = "\
title: A quick lab
hosts:
  a: {}
  b: { zone: a, serve: { 80: echo } }
target_groups:
  web: { targets: [b] }
load_balancers:
  front: { zones: [a], listeners: { 80: web } }
steps:
  - connect: { as: hello, from: a, to: front }
works:
  - hello.ok
cases:
  good:
    kind: control
  bad:
    kind: control
    expect:
      - hello.syns == 7
";

/// Line of `bad:` in [`LAB`].
const BAD_LINE: u64 = 16;

/// A folder with `quick.yaml`, and the binary run in it.
struct Desk(Scratch);

impl Desk {
    fn new(name: &str) -> Self {
        let scratch = Scratch::new(name);
        scratch.file("quick.yaml", LAB);
        Self(scratch)
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.0.0.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for the test");
        std::fs::write(path, text).expect("a file for the test");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.0.join(name)).unwrap_or_else(|_| panic!("no {name}"))
    }

    fn has(&self, name: &str) -> bool {
        self.0.0.join(name).exists()
    }

    fn hairpin(&self, arguments: &[&str]) -> Output {
        self.with(arguments, &[])
    }

    fn with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        hairpin()
            .current_dir(&self.0.0)
            .args(arguments)
            .envs(variables.iter().copied())
            .output()
            .expect("the binary starts")
    }
}

/// The binary in the project's folder.
fn ask(arguments: &[&str]) -> Output {
    hairpin()
        .env_remove("COLUMNS")
        .args(arguments)
        .output()
        .expect("the binary starts")
}

fn status(output: &Output) -> i32 {
    output.status.code().expect("an exit status")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in\n{text}"))
}

/// `case verdict` of a report, in its order.
fn verdicts(report: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().expect("text").to_owned();
    report["cases"]
        .as_array()
        .expect("cases")
        .iter()
        .map(|case| format!("{} {}", word(&case["case"]), word(&case["verdict"])))
        .collect()
}

/// A mistake: status 2, these words on standard error, nothing on standard output.
fn mistake(output: &Output, words: &[&str]) {
    let all = everything(output);
    assert_eq!(status(output), 2, "{all}");
    assert_eq!(out(output), "", "nothing was asked for that could be given");
    for word in words {
        assert!(err(output).contains(word), "no `{word}` in\n{all}");
    }
}
