//! `hairpin run`: the main job.

use super::args::RunArgs;
use super::jobs::Jobs;
use super::worker;
use super::{Mistake, find, reports, select, terminal};
use crate::plan::Plan;
use crate::world::supervise;
use std::collections::BTreeMap;

/// What a run that was killed leaves.
const KILLED: &str = "no report is written. What was over is in the folder of `--evidence`, if there was one: \
    `hairpin judge DIR`. Fewer cases at a time, `-j`, need less memory";

/// Validates as the user's own process, then enters the world's processes and runs there.
pub fn run(args: &RunArgs) -> Result<u8, Mistake> {
    validate_and_run(args).inspect_err(|Mistake(why)| reports::annotate_nothing(why))
}

fn validate_and_run(args: &RunArgs) -> Result<u8, Mistake> {
    let args = &args.clone().settled();
    reports::writable(&args.report)?;
    let sources = select::read(find::files(&args.labs)?)?;
    let select::Meant {
        mut plans,
        left_out,
    } = select::plans(&sources, &args.cases, args.filter.as_deref(), args.seed)?;
    if let Some(shard) = args.shard {
        plans.retain(|plan| select::is_in(shard, &plan.lab, &plan.case));
    }
    if args.evidence.is_some() || args.capture.is_some() || args.repeat > 1 {
        named_once(&plans)?;
    }
    if let Some(folder) = &args.evidence {
        reports::keeps(folder, "evidence")?;
    }
    if let Some(Some(folder)) = &args.capture {
        reports::keeps(folder, "captures")?;
    }
    let texts = sources
        .into_iter()
        .map(|source| (source.file, source.text))
        .collect();
    let jobs = Jobs::new(plans, args.repeat);
    match supervise::enter(|cancel| worker::work(args, jobs, texts, &left_out, cancel)) {
        Ok(status) => {
            if supervise::is_killed(status) {
                terminal::note(KILLED);
            }
            Ok(status)
        }
        Err(error) => Ok(worker::refuse(&worker::unable(&error))),
    }
}

/// Evidence, captures and pass rates go by a lab's name, which two files in folders of the same name share.
fn named_once(plans: &[Plan]) -> Result<(), Mistake> {
    let mut files = BTreeMap::new();
    for plan in plans {
        let file = files.entry(&plan.lab).or_insert(&plan.file);
        if *file != &plan.file {
            return Err(Mistake(format!(
                "`{file}` and `{}` are both called `{}`: run them one after the other",
                plan.file, plan.lab
            )));
        }
    }
    Ok(())
}
