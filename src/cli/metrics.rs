//! `hairpin metrics`: what CloudWatch would show of recorded cases, and of a lab that is up.

use super::args::{MetricsArgs, OutputFormat};
use super::{Mistake, Refusal, hand, judge, terminal};
use crate::report;

/// Prints the metrics of every case found in the folder; where there is none, of the lab that is up by this name.
pub fn metrics(args: &MetricsArgs) -> Result<u8, Refusal> {
    if !args.of.exists() {
        let name = args.of.display().to_string();
        return match hand::metrics(&name, args.format)? {
            Some(status) => Ok(status),
            None => Err(Mistake(format!(
                "there is no folder `{name}`, and no lab of this name is up"
            ))
            .into()),
        };
    }
    let judged = judge::outcomes(&args.of, None)?;
    terminal::print(&match args.format {
        OutputFormat::Human => report::metrics(&judged.outcomes),
        OutputFormat::Json => report::metrics_json(&judged.outcomes),
    });
    Ok(judged.whole() as u8)
}
