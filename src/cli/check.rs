//! `hairpin check`: every problem of every file, without privilege.

use super::args::{CheckArgs, CheckFormat};
use super::{Mistake, Status, select, terminal};
use crate::diag::{self, Format};

/// Prints the problems on standard output, for `check` is asked for nothing else.
pub fn check(args: &CheckArgs) -> Result<u8, Mistake> {
    let sources = select::read(select::files(&args.labs)?)?;
    let format = match args.format {
        CheckFormat::Human if terminal::colour_on_output() => Format::Colour,
        CheckFormat::Human => Format::Plain,
        CheckFormat::Json => Format::Json,
        CheckFormat::Github => Format::Github,
    };
    let (mut problems, mut cases) = (0, 0);
    for source in &sources {
        match &source.plans {
            Ok(plans) => cases += plans.len(),
            Err(found) => {
                problems += found.len();
                terminal::print(&diag::render(found, &source.file, &source.text, format));
            }
        }
    }
    if args.format == CheckFormat::Human {
        let labs = sources.len();
        let many = |count: usize, word: &str| {
            format!("{count} {word}{}", if count == 1 { "" } else { "s" })
        };
        if problems == 0 {
            terminal::print(&format!(
                "{}, {}: no problem\n",
                many(labs, "lab"),
                many(cases, "case")
            ));
        } else {
            terminal::print(&format!(
                "{} in {}\n",
                many(problems, "problem"),
                many(labs, "lab")
            ));
        }
    }
    Ok(if problems == 0 {
        Status::Held
    } else {
        Status::Wrong
    } as u8)
}
