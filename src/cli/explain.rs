//! `hairpin explain`: the page of a diagnostic, a finding or a word of labs, the ladder of a recorded case.

use super::args::ExplainArgs;
use super::pattern::is_pattern;
use super::terminal::{self, Stream};
use super::{Mistake, Status, find, judge};
use crate::diag::{self, Code, codes};
use crate::plan::lists;
use crate::report;
use crate::spec::reference;
use crate::verdict::findings::KINDS;
use crate::verdict::pages;
use std::path::Path;

/// Prints a page, or a recorded case with everything about it.
pub fn explain(args: &ExplainArgs) -> Result<u8, Mistake> {
    let Some(what) = &args.what else {
        terminal::print(&contents());
        return Ok(Status::Held as u8);
    };
    if let Some(rule) = code(what).and_then(codes::rule) {
        terminal::print(&format!(
            "{}: {}\n\n{}\n",
            rule.code,
            rule.title,
            rule.page.trim_end()
        ));
        return Ok(Status::Held as u8);
    }
    if let Some(page) = pages::page(what) {
        terminal::print(&format!("{}\n", page.trim_end()));
        return Ok(Status::Held as u8);
    }
    let path = Path::new(what);
    let told: Vec<String> = [reference::about(what), lists::about(what)]
        .into_iter()
        .flatten()
        .collect();
    if !told.is_empty() && !path.is_dir() {
        terminal::print(&told.join("\n"));
        return Ok(Status::Held as u8);
    }
    if path.is_dir() {
        let judged = judge::outcomes(path, None)?;
        terminal::print(&report::text(&judged.outcomes, &Stream::Output.style(true)));
        return Ok(judged.status() as u8);
    }
    let found = find::files(std::slice::from_ref(what)).unwrap_or_default();
    if !found.is_empty() && found.iter().all(|one| find::is_lab(&one.file)) {
        let is = match found.len() {
            1 => "a lab".to_owned(),
            n if is_pattern(what) => format!("{n} labs"),
            n => format!("a folder of {n} labs"),
        };
        let quoted = report::shell(what);
        return Err(Mistake(format!(
            "`{what}` is {is}, and only a run can be explained: `hairpin run {quoted} --explain`"
        )));
    }
    let words = reference::words().chain(lists::words());
    let near = diag::did_you_mean(what, KINDS.iter().copied().chain(words));
    let hint = near.map_or_else(
        || "`hairpin explain` lists what there is".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Err(Mistake(format!(
        "`{what}` is no folder of evidence, no diagnostic, no finding and no word of labs: {hint}"
    )))
}

/// `HP0123`, in any case.
fn code(text: &str) -> Option<Code> {
    let digits = text.to_ascii_uppercase().strip_prefix("HP")?.to_owned();
    (digits.len() == 4).then(|| digits.parse().ok().map(Code))?
}

fn contents() -> String {
    let mut text = String::from("Findings:\n");
    for kind in KINDS {
        text.push_str(&format!("  {kind}\n"));
    }
    text.push_str("\nDiagnostics:\n");
    for rule in codes::all() {
        text.push_str(&format!("  {}  {}\n", rule.code, rule.title));
    }
    text.push_str("\nWords of labs: every key of a lab file (`hairpin explain load`); docs/language.md has them all.\n\
                   Names of others in labs: `hairpin explain attributes`, `annotations`, `quirks`.\n\
                   Words of expressions, errors, states, metrics, counters and verdicts: `hairpin explain eof`.\n");
    text
}
