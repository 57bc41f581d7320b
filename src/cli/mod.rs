//! The command line: reads it, calls the stages, prints, and says how it went.
//!
//! Not here: any judgement (see `verdict`) and any text of a report (see `report`).

pub mod allocator;

mod args;
mod check;
mod departed;
mod doctor;
mod explain;
mod find;
mod gate;
mod hand;
mod inherited;
mod jobs;
mod judge;
mod keeper;
mod list;
mod metrics;
mod pattern;
mod plan;
mod report;
mod reports;
mod room;
mod run;
mod select;
mod terminal;
mod text;
mod worker;

use args::{Cli, Command, Described};
use clap::{CommandFactory, Parser};
use std::ffi::OsString;
use std::fmt;

/// How a command ended; the number is the process's exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Every expectation held.
    Held = 0,
    /// One did not, or could not be told.
    Failed = 1,
    /// The lab or the command line is wrong; so is one that names a place that nothing can be written to, as is found before
    /// anything runs.
    Wrong = 2,
    /// This machine cannot run it, or did not take what there was to write.
    Unable = 3,
    /// Interrupted, everything torn down.
    Interrupted = 130,
}

/// Something the user has to change, in words; nothing was run.
#[derive(Debug)]
struct Mistake(String);

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a command was not done, and its exit status for that.
#[derive(Debug)]
struct Refusal {
    /// In words.
    why: String,
    status: u8,
}

impl Refusal {
    /// Nothing of what the user said is wrong: this machine cannot do it.
    fn unable(why: String) -> Self {
        let status = Status::Unable as u8;
        Self { why, status }
    }
}

impl From<Mistake> for Refusal {
    fn from(Mistake(why): Mistake) -> Self {
        let status = Status::Wrong as u8;
        Self { why, status }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// `1 problem`, `2 problems`
fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

/// Runs a command line and gives its exit status.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    allocator::keep_large_apart();
    inherited::settle();
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output with 0, mistakes to standard error with 2; a closed pipe is nobody's fault.
            let printed = error.print();
            if error.use_stderr() {
                return Status::Wrong as u8;
            }
            terminal::heed(printed);
            return terminal::settled(Status::Held as u8);
        }
    };
    terminal::set_up(cli.color, cli.verbose);
    terminal::settled(done(cli.command).unwrap_or_else(|refusal| {
        terminal::complain(&refusal.why);
        refusal.status
    }))
}

/// Does what is asked, and gives the exit status.
fn done(command: Command) -> Result<u8, Refusal> {
    Ok(match command {
        Command::Run(args) => run::run(&args)?,
        Command::Up(args) => hand::up(&args)?,
        Command::Down(args) => hand::down(&args)?,
        Command::Ps(args) => hand::ps(&args)?,
        Command::Exec(args) => hand::exec(&args)?,
        Command::Shell(args) => hand::shell(&args)?,
        Command::Do(args) => hand::act(&args)?,
        Command::Capture(args) => hand::capture(&args)?,
        Command::New(args) => hand::draft(&args)?,
        Command::Clean => hand::clean()?,
        Command::Check(args) => check::check(&args)?,
        Command::Plan(args) => plan::plan(&args)?,
        Command::List(args) => list::list(&args)?,
        Command::Explain(args) => explain::explain(&args)?,
        Command::Judge(args) => judge::judge(&args)?,
        Command::Report(args) => report::report(&args)?,
        Command::Metrics(args) => metrics::metrics(&args)?,
        Command::Doctor(args) => doctor::doctor(&args)?,
        Command::Schema { of } => {
            terminal::print(&match of {
                Described::Lab => crate::spec::schema(),
                Described::Report => crate::report::schema(),
            });
            Status::Held as u8
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "hairpin", &mut script);
            terminal::print(&String::from_utf8_lossy(&script));
            Status::Held as u8
        }
    })
}
