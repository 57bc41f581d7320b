//! `hairpin report`: any report of runs that are over.

use super::args::ReportArgs;
use super::{Mistake, Status, judge, reports, terminal, worker};
use crate::report::{self, Report};
use std::path::Path;

/// Reads the sources, makes one report of them and writes it in every format asked for.
pub fn report(args: &ReportArgs) -> Result<u8, Mistake> {
    reports::writable(&args.report)?;
    if args.sources.len() > 1 && !args.merge {
        return Err(Mistake(format!(
            "{} sources are named: `--merge` makes one report of them",
            args.sources.len()
        )));
    }
    let sources = args.sources.iter().map(|source| read(source));
    let report = Report::merge(sources.collect::<Result<_, _>>()?);
    reports::beside(&args.report).print(&report::repeat(&report));
    let written = reports::write(&args.report, &report);
    let missing = report.missing();
    for shard in &missing {
        terminal::complain(&format!(
            "shard {} of {} is missing, so this is not the whole run",
            shard.number, shard.of
        ));
    }
    let whole = if missing.is_empty() {
        Status::Held
    } else {
        Status::Wrong
    };
    let words = report.cases.iter().map(|record| record.verdict);
    Ok(worker::status(words).max(written).max(whole) as u8)
}

fn read(source: &Path) -> Result<Report, Mistake> {
    if source.is_dir() {
        return Ok(Report::new(&judge::outcomes(source, None)?.all()?, None));
    }
    let text = std::fs::read_to_string(source)
        .map_err(|error| Mistake(format!("cannot read `{}`: {error}", source.display())))?;
    Report::read(&text).map_err(|why| {
        Mistake(format!(
            "`{}` is no report for machines (--report json={}): {why}",
            source.display(),
            source.display()
        ))
    })
}
