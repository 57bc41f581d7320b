//! `hairpin metrics`: what CloudWatch would show of recorded cases.

use super::args::{MetricsArgs, OutputFormat};
use super::{Mistake, judge, terminal};
use crate::report;

/// Prints the metrics of every case found in the folder.
pub fn metrics(args: &MetricsArgs) -> Result<u8, Mistake> {
    let judged = judge::outcomes(&args.folder, None)?;
    terminal::print(&match args.format {
        OutputFormat::Human => report::metrics(&judged.outcomes),
        OutputFormat::Json => report::metrics_json(&judged.outcomes),
    });
    Ok(judged.whole() as u8)
}
