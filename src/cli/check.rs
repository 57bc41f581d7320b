//! `hairpin check`: every problem of every file, without privilege.

use super::args::{CheckArgs, CheckFormat};
use super::terminal::{self, Stream};
use super::{Mistake, Status, count, find, reports, select};
use crate::diag::{self, Format};

/// Prints the problems on standard output, for `check` is asked for nothing else.
pub fn check(args: &CheckArgs) -> Result<u8, Mistake> {
    let sources = select::read(find::files(&args.labs)?)?;
    let format = match args.format {
        CheckFormat::Human => Stream::Output.diagnostics(),
        CheckFormat::Json => Format::Json,
        CheckFormat::Github => Format::Github,
    };
    let (mut problems, mut broken, mut cases) = (0, 0, 0);
    for source in &sources {
        match &source.plans {
            Ok(plans) => {
                source.knows_its_cases(plans)?;
                cases += plans.len();
            }
            Err(found) => {
                problems += found.len();
                broken += 1;
                let file = match format {
                    Format::Github => reports::in_workspace(&source.file),
                    Format::Plain | Format::Colour | Format::Json => source.file.clone(),
                };
                terminal::print(&diag::render(found, &file, &source.text, format));
            }
        }
    }
    if args.format == CheckFormat::Human {
        let labs = count(sources.len(), "lab");
        terminal::print(&if problems == 0 {
            format!("{labs}, {}: no problem\n", count(cases, "case"))
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
