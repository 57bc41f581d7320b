//! `hairpin run`: the main job.

use super::args::RunArgs;
use super::worker::{self, Job};
use super::{Mistake, Status, select, terminal};
use crate::world::supervise;
use std::sync::Arc;

/// Validates as the user's own process, then enters the world's processes and runs there.
pub fn run(args: &RunArgs) -> Result<u8, Mistake> {
    let sources = select::read(select::files(&args.labs)?)?;
    let plans = select::plans(&sources, &args.cases, args.filter.as_deref(), args.seed)?;
    let texts = sources
        .into_iter()
        .map(|source| (source.file, source.text))
        .collect();
    let mut jobs = Vec::with_capacity(plans.len() * args.repeat as usize);
    for attempt in 1..=args.repeat {
        for plan in &plans {
            let mut plan = plan.clone();
            let seed = plan.seed.wrapping_add(u64::from(attempt - 1));
            select::reseed(&mut plan, seed);
            jobs.push(Job {
                plan: Arc::new(plan),
                attempt,
            });
        }
    }
    drop(plans);
    match supervise::enter(|cancel| worker::work(args, jobs, texts, cancel)) {
        Ok(status) => Ok(status),
        Err(error) => {
            terminal::complain(&worker::unable(&error));
            Ok(Status::Unable as u8)
        }
    }
}
