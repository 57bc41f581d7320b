//! Words of the commands for labs that stay up, and of those for new ones.

use super::{OutputFormat, kept_packets};
use crate::units::Bytes;
use clap::Args;
use std::path::PathBuf;

/// `hairpin up`
#[derive(Debug, Args)]
pub struct UpArgs {
    /// A lab, or LAB/CASE; without a case, the lab's first fault
    #[arg(value_name = "LAB|CASE")]
    pub lab: String,
    /// The case
    #[arg(long, value_name = "CASE")]
    pub case: Option<String>,
    /// What to call it; none: as the lab's file
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Stay in front, and end with Ctrl-C
    #[arg(short, long)]
    pub foreground: bool,
    /// Fixes the emulator's random choices, instead of the lab's seed
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Keep at most this much of the packets for `capture`, the latest of them
    #[arg(long, value_name = "SIZE", default_value = "32MiB", value_parser = kept_packets)]
    pub keep: Bytes,
}

/// `hairpin down`
#[derive(Debug, Args)]
pub struct DownArgs {
    /// Which; none: the only one that is up
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// All of them
    #[arg(long, conflicts_with = "name")]
    pub all: bool,
    /// Keep everything recorded, a folder for each case (for judge, explain and report)
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// Tell what was found, with everything about it
    #[arg(short, long)]
    pub explain: bool,
}

/// `hairpin ps`
#[derive(Debug, Args)]
pub struct PsArgs {
    /// For people, or JSON
    #[arg(long, value_enum, default_value_t = OutputFormat::Human, value_name = "human|json")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub format: OutputFormat,
}

/// `hairpin exec`
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// Which lab, and which of its hosts; the lab may be left out where one is up
    #[arg(value_name = "NAME|HOST", required = true, num_args = 1..=2)]
    pub place: Vec<String>,
    /// What to run there
    #[arg(value_name = "COMMAND", last = true, required = true)]
    pub command: Vec<String>,
}

/// `hairpin shell`
#[derive(Debug, Args)]
pub struct ShellArgs {
    /// Which lab, where several are up, and which of its hosts; none: the first one that opens a connection in its story
    #[arg(value_name = "NAME|HOST", num_args = 0..=2)]
    pub place: Vec<String>,
}

/// `hairpin do`
#[derive(Debug, Args)]
pub struct DoArgs {
    /// Which lab, which may be left out where one is up, and steps: of the lab's story by name or number, or as a lab has them
    #[arg(value_name = "NAME|STEP", required_unless_present = "all")]
    pub steps: Vec<String>,
    /// The lab's whole story, in its order
    #[arg(long)]
    pub all: bool,
    /// Explain what came of it: the packets of its connections, how each ended
    #[arg(short, long)]
    pub explain: bool,
}

/// `hairpin capture`
#[derive(Debug, Args)]
pub struct CaptureArgs {
    /// Which; none: the only one that is up
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Where to; - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
    /// Go on with what passes from now on, until Ctrl-C or the lab's end
    #[arg(short, long)]
    pub follow: bool,
}

/// `hairpin new`
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The new lab: its file, or a name that becomes NAME.yaml here
    #[arg(value_name = "NAME|FILE")]
    pub name: String,
    /// Begin with a copy of this lab
    #[arg(long, value_name = "LAB")]
    pub from: Option<String>,
}
