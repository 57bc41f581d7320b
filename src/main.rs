//! The `hairpin` program: collects arguments, calls the command line, turns the result into an exit status.

use hairpin::cli::allocator::Allocator;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    ExitCode::from(hairpin::cli::main(std::env::args_os()))
}
