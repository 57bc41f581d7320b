//! The `hairpin` program: collects arguments, calls the command line, turns the result into an exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(hairpin::cli::main(std::env::args_os()))
}
