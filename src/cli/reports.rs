//! Report files, and what GitHub Actions wants to see.

use super::args::{ReportFormat, ReportTarget};
use super::terminal;
use crate::report::{self, Outcome};
use std::fs;
use std::io::Write;
use std::path::Path;

/// Writes every report asked for; what cannot be written is said, and nothing else is lost by it.
pub fn write(targets: &[ReportTarget], outcomes: &[Outcome]) {
    for target in targets {
        let text = match target.format {
            ReportFormat::Json => report::json(outcomes),
        };
        if target.file == Path::new("-") {
            terminal::print(&text);
        } else if let Err(error) = fs::write(&target.file, text) {
            terminal::complain(&format!(
                "cannot write the report `{}`: {error}",
                target.file.display()
            ));
        }
    }
}

/// Under GitHub Actions: an annotation at the line of each case that did not hold, and a table in the step's summary.
pub fn annotate(outcomes: &[Outcome]) {
    if std::env::var_os("GITHUB_ACTIONS").is_none_or(|value| value != "true") {
        return;
    }
    terminal::print(&report::github(outcomes));
    if let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY") {
        let appended = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&file)
            .and_then(|mut file| file.write_all(report::markdown(outcomes).as_bytes()));
        if let Err(error) = appended {
            terminal::complain(&format!("cannot write the step summary: {error}"));
        }
    }
}
