//! `hairpin metrics NAME`: what CloudWatch would show of a lab that is up.

use super::choice::named;
use super::state::Home;
use super::wire::{self, Answer, Ask};
use crate::cli::args::OutputFormat;
use crate::cli::{Refusal, Status, terminal};

/// Prints them; none: there is no lab of this name.
pub fn metrics(name: &str, format: OutputFormat) -> Result<Option<u8>, Refusal> {
    let home = Home::of_user();
    if home.labs()?.iter().all(|place| place.name() != name) {
        return Ok(None);
    }
    let place = named(&home, Some(name))?;
    let json = match format {
        OutputFormat::Human => false,
        OutputFormat::Json => true,
    };
    match wire::ask(&place, Ask::Metrics { json })?.next()? {
        Answer::Said { text } => {
            terminal::print(&text);
            Ok(Some(Status::Held as u8))
        }
        Answer::Refused { why, status } => Err(Refusal { why, status }),
        Answer::Ready { .. }
        | Answer::Doors { .. }
        | Answer::Packets
        | Answer::Recorded(_)
        | Answer::Done => Err(wire::another_answer()),
    }
}
