//! Report files, and what GitHub Actions wants to see.

use super::args::{ReportFormat, ReportTarget};
use super::terminal::{self, Stream};
use super::{Mistake, Status};
use crate::report::{self, Outcome};
use nix::unistd::{AccessFlags, access};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

/// A file that cannot be written is a mistake to hear of before the run, not after it.
pub fn writable(targets: &[ReportTarget]) -> Result<(), Mistake> {
    for target in targets.iter().filter(|target| !on_output(target)) {
        let file = target.file.as_path();
        let folder = match file.parent() {
            Some(folder) if folder != Path::new("") => folder,
            Some(_) | None => Path::new("."),
        };
        // An existing file decides for itself (`/dev/stderr`, a file of one's own in a folder of others).
        let decides = if file.exists() { file } else { folder };
        let why = if file.is_dir() {
            "it is a folder".to_owned()
        } else if folder.exists() && !folder.is_dir() {
            format!("{} is no folder", folder.display())
        } else if let Err(errno) = access(decides, AccessFlags::W_OK) {
            format!("{}: {}", decides.display(), errno.desc())
        } else {
            continue;
        };
        return Err(Mistake(format!(
            "cannot write the report `{}`: {why}",
            file.display()
        )));
    }
    Ok(())
}

/// Where the table for people goes, so that a report on standard output stays whole.
pub fn beside(targets: &[ReportTarget]) -> Stream {
    if targets.iter().any(on_output) {
        Stream::Error
    } else {
        Stream::Output
    }
}

/// Writes every report asked for; what cannot be written is said, and nothing else is lost by it.
pub fn write(targets: &[ReportTarget], outcomes: &[Outcome]) -> Status {
    let mut status = Status::Held;
    for target in targets {
        let text = match target.format {
            ReportFormat::Json => report::json(outcomes),
        };
        if on_output(target) {
            terminal::print(&text);
        } else if let Err(error) = fs::write(&target.file, text) {
            terminal::complain(&format!(
                "cannot write the report `{}`: {error}",
                target.file.display()
            ));
            status = Status::Wrong;
        }
    }
    status
}

fn on_output(target: &ReportTarget) -> bool {
    target.file == Path::new("-")
}

/// True under GitHub Actions.
pub fn for_github() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Under GitHub Actions: an annotation at the line of each case that did not hold, and the result in the step's
/// summary. GitHub reads annotations from either stream.
pub fn annotate(outcomes: &[Outcome], repeated: bool, stream: Stream) {
    if !for_github() {
        return;
    }
    stream.print(&report::github(&failures(outcomes)));
    if let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY") {
        let summary = if repeated {
            format!("```\n{}```\n", report::repeat(outcomes))
        } else {
            report::markdown(outcomes)
        };
        let appended = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&file)
            .and_then(|mut file| file.write_all(summary.as_bytes()));
        if let Err(error) = appended {
            terminal::complain(&format!("cannot write the step summary: {error}"));
        }
    }
}

/// The first failure of each case: GitHub shows ten annotations of a step, and `--repeat` could fill them with one case.
fn failures(outcomes: &[Outcome]) -> Vec<Outcome> {
    let mut seen = BTreeSet::new();
    outcomes
        .iter()
        .filter(|outcome| !outcome.holds())
        .filter(|outcome| seen.insert((&outcome.case.file, &outcome.case.name)))
        .map(|outcome| Outcome {
            case: outcome.case.clone(),
            evidence: None,
            verdict: outcome.verdict.clone(),
            failure: outcome.failure.clone(),
            saved: outcome.saved.clone(),
            capture: outcome.capture.clone(),
            ..*outcome
        })
        .collect()
}
