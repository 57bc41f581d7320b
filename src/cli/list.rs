//! `hairpin list`: labs and their cases.

use super::args::{ListArgs, OutputFormat};
use super::terminal::{self, Stream};
use super::{Mistake, Status, count, find, select};
use crate::plan::Plan;
use crate::report::{ListedLab, list as describe};

/// Prints what there is; files that are no valid labs are named on standard error.
pub fn list(args: &ListArgs) -> Result<u8, Mistake> {
    let sources = select::read(find::files(&args.labs)?)?;
    let mut labs = Vec::new();
    let mut status = Status::Held;
    for source in sources {
        match &source.plans {
            Ok(plans) => {
                source.knows_its_cases(plans)?;
                let wanted = plans.iter().filter(|plan| source.wants(&plan.case));
                let wanted: Vec<Plan> = wanted.cloned().collect();
                labs.push(ListedLab::from(&wanted[..]));
            }
            Err(problems) => {
                terminal::complain(&format!(
                    "`{}` has {}: see `hairpin check {}`",
                    source.file,
                    count(problems.len(), "problem"),
                    source.file
                ));
                status = Status::Wrong;
            }
        }
    }
    terminal::print(&match args.format {
        OutputFormat::Human => describe(&labs, Stream::Output.colour()),
        OutputFormat::Json => format!(
            "{}\n",
            serde_json::to_string_pretty(&labs).expect("plain data becomes JSON")
        ),
    });
    Ok(status as u8)
}
