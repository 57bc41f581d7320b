//! The command line's words.

mod hand;
mod reports;

pub use hand::{CaptureArgs, DoArgs, DownArgs, ExecArgs, NewArgs, PsArgs, ShellArgs, UpArgs};
pub use reports::{ReportFormat, ReportTarget};

use crate::report::{MOST_SHARDS, Shard};
use crate::units::Bytes;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXIT_STATUS: &str = "\
Exit status:
  0    every expectation held
  1    one did not, or could not be told
  2    the lab or the command line is wrong; so is a place named there that cannot be written to
  3    this machine cannot run it, or write what it has to tell (reason and remedy are printed)
  130  interrupted, everything torn down
  137  or another above 128: killed by signal 9, or another; nothing is left, no report is written";

/// The options that every command takes.
const EVERYWHERE: &str = "Options of every command";

/// Where `--repeat` keeps evidence when no folder is named.
pub const EVIDENCE: &str = "evidence";

/// A network-failure lab: real kernel TCP across an emulated cloud load balancer, on one Linux machine.
#[derive(Debug, Parser)]
#[command(name = "hairpin", version, styles = STYLES, after_help = EXIT_STATUS, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Tell more on standard error; twice: everything (HAIRPIN_LOG takes a filter as of tracing)
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = EVERYWHERE)]
    pub verbose: u8,
    /// Colours; auto: on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, default_value_t = Colour::Auto, value_name = "auto|always|never", hide_possible_values = true)]
    #[arg(hide_default_value = true, global = true, env = "HAIRPIN_COLOR", hide_env = true, help_heading = EVERYWHERE)]
    pub color: Colour,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What has a JSON schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Described {
    /// Lab files.
    Lab,
    /// What `--report json=FILE` writes.
    Report,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Validate, build, run, judge, report, tear down
    #[command(after_help = "\
Examples:
  hairpin run                                            every lab under labs/
  hairpin run nlb/source-port-collision                  one lab, by name or by file
  hairpin run nlb/source-port-collision/as-deployed -e   one case, explained packet by packet
  hairpin run '*collision*' 'nlb/*/as-deployed'          labs and cases by patterns: * is any text
  hairpin run labs/nlb --report html=out.html            a folder, with a report to read and to hand on
  hairpin run nlb/collision-rate --repeat 50             how often does it hold?
  hairpin run nlb/loopback-timeout --capture=/tmp/pcap   packets for Wireshark, each with its fate")]
    Run(RunArgs),
    /// Put a lab up and leave it there, to be worked by hand
    #[command(after_help = "\
Examples:
  hairpin up nlb/source-port-collision                  the lab's first fault
  hairpin up nlb/loopback-timeout/as-deployed --name web
  hairpin up my-lab.yaml -f                             in front, until Ctrl-C")]
    Up(UpArgs),
    /// End a lab that is up
    #[command(after_help = "\
Examples:
  hairpin down                     the only one that is up
  hairpin down web --evidence out  keeps what was recorded: hairpin judge out, hairpin explain out
  hairpin down --all")]
    Down(DownArgs),
    /// Tell which labs are up
    #[command(after_help = "\
Examples:
  hairpin ps
  hairpin ps --format json")]
    Ps(PsArgs),
    /// Run a program in a host of a lab that is up; its exit status is the command's
    #[command(after_help = "\
Examples:
  hairpin exec client -- curl -sv http://front/         names of the lab lead somewhere there
  hairpin exec web client -- ss -tan                    of several labs the one called web
  hairpin exec web web1 -- tcpdump -ni eth0")]
    Exec(ExecArgs),
    /// Start a shell in a host of a lab that is up
    #[command(after_help = "\
Examples:
  hairpin shell                where the lab's story begins
  hairpin shell web web1       in host web1 of the lab called web")]
    Shell(ShellArgs),
    /// Do a step in a lab that is up: of its own story, or one as labs have them
    #[command(
        name = "do",
        after_help = "\
Examples:
  hairpin do web old                         the step called old, or a number
  hairpin do web --all -e                    the whole story, with the packets of each connection
  hairpin do web 'deregister: web/web1'
  hairpin do 'connect: { as: mine, from: client, to: front }' 'exchange: mine' -e"
    )]
    Do(DoArgs),
    /// Write what passed in a lab that is up as pcapng, each packet with its fate
    #[command(after_help = "\
Examples:
  hairpin capture web -o web.pcapng
  hairpin capture web --follow -o - | wireshark -k -i -
  hairpin capture --follow | tshark -r - -T fields -e _ws.col.Info -e frame.comment")]
    Capture(CaptureArgs),
    /// Write a lab to begin with
    #[command(after_help = "\
Examples:
  hairpin new my-lab                                    my-lab.yaml: small, and it runs
  hairpin new labs/nlb/mine.yaml --from nlb/idle-timeout-reset")]
    New(NewArgs),
    /// End what is up, and remove what dead labs left
    #[command(after_help = "\
Examples:
  hairpin clean     normally there is nothing to do: a lab that ends leaves nothing")]
    Clean,
    /// Find every problem of lab files, without privilege
    #[command(after_help = "\
Examples:
  hairpin check                                  every lab under labs/
  hairpin check my-lab.yaml --format github      annotations for a pull request")]
    Check(CheckArgs),
    /// Show what would be built: addresses, kernel operations, rules
    #[command(after_help = "\
Examples:
  hairpin plan nlb/source-port-collision
  hairpin plan nlb/source-port-collision/cross-zone-off --graph mermaid")]
    Plan(PlanArgs),
    /// List labs and their cases
    #[command(after_help = "\
Examples:
  hairpin list                   every lab under labs/
  hairpin list 'nlb/*collision*' those like a pattern
  hairpin list my-labs --format json")]
    List(ListArgs),
    /// Explain a recorded case, a diagnostic (HP0123), a finding (flow-collision) or a word of labs (load)
    #[command(after_help = "\
Examples:
  hairpin explain                        what there is
  hairpin explain flow-collision         what it is, how to recognise it, what fixes it
  hairpin explain HP0301                 the page of a diagnostic
  hairpin explain listeners              what may stand under a key of a lab
  hairpin explain evidence/nlb/source-port-collision/as-deployed")]
    Explain(ExplainArgs),
    /// Judge saved evidence again, without privilege
    #[command(after_help = "\
Examples:
  hairpin run nlb/loopback-timeout --evidence evidence
  hairpin judge evidence                              as recorded
  hairpin judge evidence --lab my-lab.yaml            against expectations written since")]
    Judge(JudgeArgs),
    /// Write reports of earlier runs, several of them as one
    #[command(after_help = "\
Examples:
  hairpin report run.json --report html=run.html            any report from the report for machines
  hairpin report evidence --report junit=junit.xml          or from saved evidence
  hairpin report --merge 1.json 2.json --report html=all.html   the shards of a run as the whole")]
    Report(ReportArgs),
    /// Show the CloudWatch metrics of recorded cases, or of a lab that is up
    #[command(after_help = "\
Examples:
  hairpin run nlb/idle-timeout-reset --evidence evidence
  hairpin metrics evidence                    a row for each metric, a column for each zone
  hairpin metrics evidence --format json      with dimensions and a data point for each minute
  hairpin metrics web                         of the lab that is up as web, until now")]
    Metrics(MetricsArgs),
    /// Say what this machine can and cannot do, and the remedy
    #[command(after_help = "\
Examples:
  hairpin doctor
  hairpin doctor --format json   exit status 3 where labs cannot run")]
    Doctor(DoctorArgs),
    /// Print the JSON schema of lab files, or of the JSON report
    #[command(after_help = "\
Examples:
  hairpin schema > lab.json      and in a lab, for editors:
                                 # yaml-language-server: $schema=lab.json
  hairpin schema report          what `--report json=FILE` writes")]
    Schema {
        /// Of what.
        #[arg(value_enum, default_value = "lab")]
        of: Described,
    },
    /// Print completions for a shell
    #[command(after_help = "\
Examples:
  hairpin completions bash > ~/.local/share/bash-completion/completions/hairpin
  hairpin completions zsh > ~/.zfunc/_hairpin
  hairpin completions fish > ~/.config/fish/completions/hairpin.fish")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// `hairpin run`
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Lab files, folders, lab names, or LAB/CASE, or patterns of these (`*` any text, `?` a letter); none: every lab
    /// under labs/
    #[arg(value_name = "LAB|DIR|CASE")]
    pub labs: Vec<String>,
    /// Only cases of this name, or like this pattern (may be given again)
    #[arg(long = "case", value_name = "CASE")]
    pub cases: Vec<String>,
    /// Only cases whose LAB/CASE contains this text; asks for opt-in labs whose word is in it
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Cases at a time, at most; none: 48 for each processor (most of a case is waiting), and as many again while they leave the
    /// processors idle
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub jobs: Option<u16>,
    /// Fixes the emulator's random choices, instead of the lab's seed
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Run every case N times, with the seeds that follow its own, and print pass rates; evidence is
    /// kept of each case's first failure only, under evidence/ where --evidence names no folder
    #[arg(long, value_name = "N", default_value_t = 1, hide_default_value = true, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub repeat: u32,
    /// Run only part K of N, cases picked by their names: the parts have no case in common, and all of them together
    /// every case
    #[arg(long, value_name = "K/N", value_parser = shard)]
    pub shard: Option<Shard>,
    /// Write a report: html=FILE, junit=FILE, json=FILE, tap=FILE, markdown=FILE, several with commas (- for standard
    /// output)
    #[arg(long, value_name = "FORMAT=FILE", value_delimiter = ',')]
    pub report: Vec<ReportTarget>,
    /// Keep everything recorded, a folder for each case (for judge and explain)
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// Keep every packet as pcapng, one file for the case and one for each host, in its folder under
    /// DIR; without DIR beside the evidence, which is then kept under evidence/ where --evidence names
    /// no folder; with --repeat that of each case's first failure
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true)]
    pub capture: Option<Option<PathBuf>>,
    /// Keep at most this much of each case's packets, the latest of them
    #[arg(long, value_name = "SIZE", default_value = "64MiB", requires = "capture", value_parser = kept_packets)]
    pub capture_limit: Bytes,
    /// Write only the first N bytes of each packet
    #[arg(long, value_name = "N", requires = "capture", value_parser = clap::value_parser!(u32).range(1..=65_575))]
    pub capture_snaplen: Option<u32>,
    /// Explain every case: what it changes, claims with values, findings, the packet ladder
    #[arg(short, long)]
    pub explain: bool,
    /// A table for people, or the report for machines on standard output, as --report json=-
    #[arg(long, value_enum, default_value_t = OutputFormat::Human, value_name = "human|json")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub format: OutputFormat,
}

impl RunArgs {
    /// The same with `--format json` as the report that it is, and `--capture` with the evidence it goes to.
    pub fn settled(mut self) -> Self {
        let output = ReportTarget {
            format: ReportFormat::Json,
            file: "-".into(),
        };
        if self.format == OutputFormat::Json && !self.report.contains(&output) {
            self.report.push(output);
        }
        if self.capture == Some(None) && self.evidence.is_none() && self.repeat == 1 {
            self.evidence = Some(EVIDENCE.into());
        }
        self
    }
}

/// A ring of packets has room for one super-packet at least.
fn kept_packets(text: &str) -> Result<Bytes, String> {
    let size: Bytes = text.parse().map_err(|error| format!("{error}"))?;
    match size.0 {
        0x2_0000..=0x10_0000_0000 => Ok(size),
        _ => Err("from 128KiB to 64GiB".to_owned()),
    }
}

/// What standard output carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    Human,
    /// For machines.
    Json,
}

/// `2/5`
fn shard(text: &str) -> Result<Shard, String> {
    let parts = text.split_once('/');
    let numbers = parts.and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
    match numbers {
        Some((_, of)) if of > MOST_SHARDS => {
            Err(format!("{of} parts are too many: at most {MOST_SHARDS}"))
        }
        Some((number, of)) if (1..=of).contains(&number) => Ok(Shard { number, of }),
        Some((number, of)) => Err(format!(
            "there is no part {number} of {of}: the parts are 1/{of} to {of}/{of}"
        )),
        None => Err("write the part and how many there are, as `1/3`".to_owned()),
    }
}

/// `hairpin check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Lab files, folders or lab names, or patterns of these (`*` any text, `?` a letter); none: every lab under labs/
    #[arg(value_name = "LAB|DIR")]
    pub labs: Vec<String>,
    /// Like rustc; or one JSON object a line; or annotations of GitHub Actions
    #[arg(long, value_enum, default_value_t = CheckFormat::Human, value_name = "human|json|github")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub format: CheckFormat,
}

/// How `check` prints problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// Like rustc.
    Human,
    /// One JSON object a line.
    Json,
    /// Annotations of GitHub Actions.
    Github,
}

/// `hairpin plan`
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// A lab, or LAB/CASE; without a case, the first one
    #[arg(value_name = "LAB|CASE")]
    pub lab: String,
    /// The case
    #[arg(long, value_name = "CASE")]
    pub case: Option<String>,
    /// A drawing for Graphviz or Mermaid instead
    #[arg(
        long,
        value_enum,
        value_name = "dot|mermaid",
        hide_possible_values = true
    )]
    pub graph: Option<GraphFormat>,
}

/// Drawings of a topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// Graphviz.
    Dot,
    /// Mermaid.
    Mermaid,
}

/// `hairpin list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Lab files, folders, lab names, or LAB/CASE, or patterns of these (`*` any text, `?` a letter); none: every lab
    /// under labs/
    #[arg(value_name = "LAB|DIR|CASE")]
    pub labs: Vec<String>,
    /// For people, or JSON
    #[arg(long, value_enum, default_value_t = OutputFormat::Human, value_name = "human|json")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub format: OutputFormat,
}

/// `hairpin explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A folder of evidence, a code (HP0123), a finding or a key of lab files; none: list what there is
    #[arg(value_name = "DIR|CODE|FINDING|KEY")]
    pub what: Option<String>,
}

/// `hairpin judge`
#[derive(Debug, Args)]
pub struct JudgeArgs {
    /// A folder of evidence: one case's, or any above it
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Judge against this lab file instead of the one saved beside the evidence
    #[arg(long, value_name = "FILE")]
    pub lab: Option<PathBuf>,
    /// Explain every case
    #[arg(short, long)]
    pub explain: bool,
    /// Write a report: html=FILE, junit=FILE, json=FILE, tap=FILE, markdown=FILE, several with commas (- for standard
    /// output)
    #[arg(long, value_name = "FORMAT=FILE", value_delimiter = ',')]
    pub report: Vec<ReportTarget>,
}

/// `hairpin report`
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Reports for machines (json), or folders of evidence
    #[arg(value_name = "FILE|DIR", required = true)]
    pub sources: Vec<PathBuf>,
    /// Make one report of several; a case that is in more than one of them was run more than once
    #[arg(long)]
    pub merge: bool,
    /// Write a report: html=FILE, junit=FILE, json=FILE, tap=FILE, markdown=FILE, several with commas (- for standard
    /// output)
    #[arg(long, value_name = "FORMAT=FILE", value_delimiter = ',')]
    pub report: Vec<ReportTarget>,
}

/// `hairpin metrics`
#[derive(Debug, Args)]
pub struct MetricsArgs {
    /// A folder of evidence: one case's, or any above it; or the name of a lab that is up
    #[arg(value_name = "DIR|NAME")]
    pub of: PathBuf,
    /// For people, or JSON
    #[arg(long, value_enum, default_value_t = OutputFormat::Human, value_name = "human|json")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub format: OutputFormat,
}

/// `hairpin doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// For people, or JSON
    #[arg(long, value_enum, default_value_t = OutputFormat::Human, value_name = "human|json")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub format: OutputFormat,
}
