//! What privileged tests share: the built binary, a folder of their own, and the rule about missing privilege.

#![allow(dead_code, reason = "every test crate uses its own part of this")]

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The built binary, in the project's folder, without what a terminal or a CI system would change.
pub fn hairpin() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hairpin"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null());
    for name in [
        "GITHUB_ACTIONS",
        "GITHUB_STEP_SUMMARY",
        "HAIRPIN_LOG",
        "HAIRPIN_COLOR",
        "CLICOLOR_FORCE",
    ] {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1");
    command
}

/// True when this machine can run labs. Otherwise says so loudly; with CI set, that is a failure.
pub fn can_run_labs() -> bool {
    let doctor = hairpin().arg("doctor").output().expect("the binary starts");
    if doctor.status.success() {
        return true;
    }
    let why = String::from_utf8_lossy(&doctor.stdout);
    assert!(
        std::env::var_os("CI").is_none(),
        "CI is set and this machine cannot run labs:\n{why}"
    );
    eprintln!("SKIPPED: this machine cannot run labs:\n{why}");
    false
}

/// A folder that goes with the value.
pub struct Scratch(pub PathBuf);

impl Scratch {
    /// A new one.
    pub fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    /// Writes a file into it.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file for the test");
        path.display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Runs labs and gives the JSON report beside the plain output.
pub fn run(arguments: &[&str]) -> (Output, Value) {
    let scratch = Scratch::new("report");
    let report = scratch.0.join("report.json");
    let output = hairpin()
        .arg("run")
        .args(arguments)
        .arg(format!("--report=json={}", report.display()))
        .output()
        .expect("the binary starts");
    let text = std::fs::read_to_string(&report)
        .unwrap_or_else(|_| panic!("no report\n{}", everything(&output)));
    (
        output,
        serde_json::from_str(&text).expect("the report is JSON"),
    )
}

/// Runs one lab written in the test.
pub fn run_text(lab: &str) -> (Output, Value) {
    let scratch = Scratch::new("lab");
    let file = scratch.file("lab.yaml", lab);
    run(&[&file])
}

/// Standard output and error, for messages.
pub fn everything(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Waits for a fact, with a deadline.
pub fn eventually<T>(limit: Duration, what: &str, mut fact: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + limit;
    loop {
        if let Some(value) = fact() {
            return value;
        }
        assert!(Instant::now() < until, "not within {limit:?}: {what}");
        std::thread::yield_now();
    }
}
