//! What privileged tests share: the built binary, a folder of their own, and the rule about missing privilege.

#![allow(dead_code, reason = "every test crate uses its own part of this")]

use serde_json::Value;
use std::path::{Path, PathBuf};
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
        "GITHUB_WORKSPACE",
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
    skip(&format!("this machine cannot run labs:\n{why}"));
    false
}

/// Says loudly that a test is skipped, and why; with CI set, that is a failure.
pub fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI is set and {why}");
    eprintln!("SKIPPED: {why}");
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

/// The shell words that start a program: the installed one's path, else those of the one in Debian's package, unpacked into the
/// folder with the libraries that are missing here. Nothing is installed and no service starts. None when it cannot be had,
/// which is said loudly; with CI set, that is a failure.
pub fn program(scratch: &Scratch, name: &str) -> Option<String> {
    let folders = ["/usr/sbin", "/usr/local/sbin", "/usr/bin"];
    let installed = folders.map(|folder| Path::new(folder).join(name));
    if let Some(found) = installed.iter().find(|path| path.exists()) {
        return Some(found.display().to_string());
    }
    let unpack = format!(
        "mkdir -p partial && apt-get -qq -y --no-install-recommends --download-only -o Debug::NoLocking=1 \
         -o Dir::Cache::archives=\"$PWD\" install {name} && \
         for package in *.deb; do dpkg-deb -x \"$package\" .; done"
    );
    let unpacked = Command::new("sh")
        .args(["-c", &unpack])
        .current_dir(&scratch.0)
        .output();
    let binary = scratch.0.join("usr/sbin").join(name);
    if binary.exists() {
        // Debian has a folder of libraries for each architecture.
        let folders = std::fs::read_dir(scratch.0.join("usr/lib"));
        let folders: Vec<String> = folders
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path().display().to_string())
            .collect();
        return Some(format!(
            "env LD_LIBRARY_PATH={} {}",
            folders.join(":"),
            binary.display()
        ));
    }
    let why = unpacked.map(|output| everything(&output));
    skip(&format!(
        "there is no {name} here, and Debian's package cannot be had: {why:?}"
    ));
    None
}

/// Runs a lab, all of whose cases must come out as claimed, and gives the folder of its evidence below `scratch`.
pub fn record(scratch: &Scratch, name: &str, lab: &str) -> PathBuf {
    let file = scratch.file(&format!("{name}.yaml"), lab);
    let evidence = scratch.0.join(format!("evidence-{name}"));
    let output = hairpin()
        .args(["run", &file, "--evidence"])
        .arg(&evidence)
        .output()
        .expect("the binary starts");
    assert_eq!(output.status.code(), Some(0), "{}", everything(&output));
    evidence
}

/// The evidence of a case, wherever below the folder it was saved.
pub fn evidence(folder: &Path, case: &str) -> Value {
    let text = saved(folder, case).unwrap_or_else(|| panic!("no evidence of {case} was saved"));
    serde_json::from_str(&text).expect("the evidence is JSON")
}

fn saved(folder: &Path, case: &str) -> Option<String> {
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name == case) {
                return std::fs::read_to_string(path.join("evidence.json")).ok();
            }
            if let Some(found) = saved(&path, case) {
                return Some(found);
            }
        }
    }
    None
}
