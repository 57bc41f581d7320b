//! Packet captures: the built binary runs a lab with `--capture`, and its files are read back, with `etherparse` for
//! every checksum and with `tshark` where it is installed.

#[path = "../common/mod.rs"]
mod common;

mod fates;
mod file;
mod files;
mod inside;
mod streams;

use common::{Scratch, can_run_labs, everything, hairpin};
use file::{Capture, tshark};
use serde_json::Value;
use std::path::PathBuf;

/// A case that was run and captured.
pub struct Case {
    folder: PathBuf,
    /// Its part of the report.
    pub report: Value,
    /// Its `evidence.json`.
    pub evidence: Value,
    _scratch: Scratch,
}

impl Case {
    /// The file of one attachment, as in its name; none: that of the case. Every checksum in it has been verified.
    pub fn capture(&self, attachment: Option<&str>) -> Capture {
        let path = self.path(attachment);
        tshark(&path);
        Capture::read(&path)
    }

    /// Where that file is.
    pub fn path(&self, attachment: Option<&str>) -> PathBuf {
        self.folder.join(match attachment {
            Some(name) => format!("capture.{name}.pcapng"),
            None => "capture.pcapng".to_owned(),
        })
    }
}

/// Runs hosts and steps once with a capture; none without privilege.
pub fn captured(body: &str, arguments: &[&str]) -> Option<Case> {
    recorded(body, &[&["--capture"], arguments].concat())
}

/// The same without one, as far as the arguments ask for none.
pub fn recorded(body: &str, arguments: &[&str]) -> Option<Case> {
    if !can_run_labs() {
        return None;
    }
    let scratch = Scratch::new("capture");
    // It holds whatever is recorded: the tests look at that themselves.
    let text = format!(
        "title: A lab of the tests\n{body}\nworks: [size(findings) >= 0]\ncases:\n  only:\n    kind: control\n"
    );
    let file = scratch.file("lab.yaml", &text);
    let (report, evidence) = (scratch.0.join("report.json"), scratch.0.join("evidence"));
    let output = hairpin()
        .args(["run", &file])
        .arg(format!("--report=json={}", report.display()))
        .arg(format!("--evidence={}", evidence.display()))
        .args(arguments)
        .output()
        .expect("the binary starts");
    assert_eq!(output.status.code(), Some(0), "{}", everything(&output));
    let read = |path: PathBuf| -> Value {
        let text = std::fs::read_to_string(&path).expect("it was written");
        serde_json::from_str(&text).expect("it is JSON")
    };
    let report = read(report)["cases"][0].clone();
    let folder = evidence
        .join(report["lab"].as_str().expect("a name"))
        .join("only");
    Some(Case {
        evidence: read(folder.join("evidence.json")),
        folder,
        report,
        _scratch: scratch,
    })
}
