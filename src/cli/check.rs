//! `hairpin check`: every problem of every file, without privilege, and what can be built but is hardly meant.

use super::args::{CheckArgs, CheckFormat};
use super::terminal::{self, Stream};
use super::{Mistake, Status, count, find, reports, select};
use crate::diag::{self, Format};
use crate::plan;

/// Prints the problems on standard output, for `check` is asked for nothing else.
pub fn check(args: &CheckArgs) -> Result<u8, Mistake> {
    let sources = select::read(find::files(&args.labs)?)?;
    let format = match args.format {
        CheckFormat::Human => Stream::Output.diagnostics(),
        CheckFormat::Json => Format::Json,
        CheckFormat::Github => Format::Github,
    };
    let (mut problems, mut warnings, mut broken, mut cases) = (0, 0, 0, 0);
    for source in &sources {
        let doubts;
        let found = match &source.plans {
            Ok(plans) => {
                source.knows_its_cases(plans)?;
                cases += plans.len();
                doubts = plan::warnings(plans);
                warnings += doubts.len();
                &doubts
            }
            Err(found) => {
                problems += found.len();
                broken += 1;
                found
            }
        };
        let file = match format {
            Format::Github => reports::in_workspace(&source.file),
            Format::Plain | Format::Colour | Format::Json => source.file.clone(),
        };
        terminal::print(&diag::render(found, &file, &source.text, format));
    }
    if args.format == CheckFormat::Human {
        let labs = count(sources.len(), "lab");
        terminal::print(&if problems == 0 {
            let doubts = match warnings {
                0 => String::new(),
                some => format!(", {}", count(some, "warning")),
            };
            format!("{labs}, {}: no problem{doubts}\n", count(cases, "case"))
        } else {
            let problems = count(problems, "problem");
            format!("{problems} in {broken} of {labs}; `hairpin explain CODE` has a page on each\n")
        });
    }
    Ok(if problems == 0 {
        Status::Held
    } else {
        Status::Wrong
    } as u8)
}
