//! `hairpin metrics`: what CloudWatch would show of recorded cases.

use super::args::{MetricsArgs, OutputFormat};
use super::{Mistake, Status, judge, terminal};
use crate::report;

/// Prints the metrics of every case found in the folder.
pub fn metrics(args: &MetricsArgs) -> Result<u8, Mistake> {
    let outcomes = judge::outcomes(&args.folder, None)?;
    terminal::print(&match args.format {
        OutputFormat::Human => report::metrics(&outcomes),
        OutputFormat::Json => report::metrics_json(&outcomes),
    });
    Ok(Status::Held as u8)
}
