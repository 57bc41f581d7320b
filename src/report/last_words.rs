//! What programs of steps said at last, where they failed.

use super::record::Stepped;
use super::wrap::cut;
use crate::evidence::{Detail, StepResult};
use serde_json::Value;

/// Lines told of one program.
const LINES: usize = 5;
/// Characters told of a line.
const WIDTH: usize = 160;
/// The shell's word for a command that it did not find.
const NOT_FOUND: i64 = 127;

/// Of a step as recorded; nothing of one that is no `run`, did not fail, or said nothing.
pub(super) fn of(step: &StepResult) -> Vec<String> {
    match &step.detail {
        Detail::Run {
            stdout,
            stdout_cut,
            stderr,
            stderr_cut,
            ..
        } if !step.ok => lines((stdout, *stdout_cut), (stderr, *stderr_cut)),
        Detail::Run { .. }
        | Detail::Plain
        | Detail::Connect { .. }
        | Detail::Load(_)
        | Detail::Transfer { .. }
        | Detail::TransferAll { .. }
        | Detail::Drop { .. }
        | Detail::Refused { .. }
        | Detail::Endpoints { .. } => Vec::new(),
    }
}

/// The same of a step in a report.
pub(super) fn told(step: &Stepped) -> Vec<String> {
    let field = |name: &str| step.fields.get(name);
    let text = |name: &str| field(name).and_then(Value::as_str);
    let cut = |name: &str| field(name).and_then(Value::as_i64).unwrap_or(0);
    match (text("stdout"), text("stderr")) {
        (Some(stdout), Some(stderr)) if !step.ok => {
            lines((stdout, cut("stdout_cut")), (stderr, cut("stderr_cut")))
        }
        _ => Vec::new(),
    }
}

/// `exit status 127, which is the shell's for a command that it did not find`
pub(super) fn status(code: i64) -> String {
    match code {
        NOT_FOUND => {
            format!("exit status {code}, which is the shell's for a command that it did not find")
        }
        _ => format!("exit status {code}"),
    }
}

/// What is said of bytes that a program's output went on for; none when they are all there.
pub(super) fn missing(bytes: i64) -> Option<String> {
    (bytes > 0).then(|| format!("... {bytes} more bytes, which were not kept"))
}

/// The last lines of what went to standard error, or else to standard output; each with the bytes that are missing behind it.
fn lines(stdout: (&str, i64), stderr: (&str, i64)) -> Vec<String> {
    let (name, (text, cut_off)) = match stderr {
        (text, 0) if text.trim().is_empty() => ("stdout", stdout),
        _ => ("stderr", stderr),
    };
    let all: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let plain = |line: &&str| {
        let clean = line.chars().map(|c| if c.is_control() { ' ' } else { c });
        format!("{name}: {}", cut(&clean.collect::<String>(), WIDTH))
    };
    let last = &all[all.len().saturating_sub(LINES)..];
    let missing = missing(cut_off).map(|text| format!("{name}: {text}"));
    last.iter().map(plain).chain(missing).collect()
}
