//! `hairpin down`: ends a lab, and keeps what was recorded where that is wanted.

use super::state::{Home, Place, named};
use super::wire::{self, Answer, Ask, Record};
use crate::cli::args::DownArgs;
use crate::cli::terminal::{self, Stream};
use crate::cli::{Mistake, Status, judge};
use crate::evidence::store::{self, CaseFile};
use crate::report::{self, Outcome};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::Duration;

/// After so long a lab that was asked to end is made to.
const LIMIT: Duration = Duration::from_secs(60);
/// What is killed is gone within this time.
const GONE: Duration = Duration::from_secs(10);

/// Ends one lab or all, and waits until they are gone.
pub fn down(args: &DownArgs) -> Result<u8, Mistake> {
    let home = Home::of_user();
    let places = match args.all {
        true => home.living()?,
        false => vec![named(&home, args.name.as_deref())?],
    };
    if places.is_empty() {
        terminal::note("no lab is up");
    }
    let mut worst = Status::Held as u8;
    for place in places {
        worst = worst.max(one(&place, args)?);
    }
    Ok(worst)
}

fn one(place: &Place, args: &DownArgs) -> Result<u8, Mistake> {
    let wanted = args.evidence.is_some() || args.explain;
    let asked = end(place, wanted)?;
    let name = place.name();
    let record = match asked {
        Ok(record) => record,
        Err(error) if wanted => return Err(error),
        Err(error) => {
            tracing::debug!(%error, "a lab that did not answer");
            None
        }
    };
    terminal::note(&format!("{name} is down"));
    record.map_or(Ok(Status::Held as u8), |record| tell(record, args))
}

/// Asks it to end, for what was recorded.
fn ask(place: &Place, evidence: bool) -> Result<Option<Record>, Mistake> {
    let mut asked = wire::ask(place, Ask::End { evidence })?;
    let mut record = None;
    loop {
        match asked.next()? {
            Answer::Recorded(recorded) => record = Some(*recorded),
            Answer::Refused { why, .. } => return Err(Mistake(why)),
            Answer::Done => return Ok(record),
            Answer::Ready { .. } | Answer::Said { .. } | Answer::Doors { .. } | Answer::Packets => {
            }
        }
    }
}

/// Ends a lab, and waits until nothing of it is left. What was recorded, or why that is not to be had; whatever does not
/// end by itself is made to.
///
/// # Errors
/// When something stays all the same.
pub fn end(place: &Place, evidence: bool) -> Result<Result<Option<Record>, Mistake>, Mistake> {
    let pid = place.description().map(|about| about.pid);
    let asked = ask(place, evidence);
    let signal = |signal: Signal| {
        // The lock says that it lives, so the number is its own.
        if let Some(pid) = pid.filter(|_| place.is_alive()) {
            let sent = kill(Pid::from_raw(pid as i32), signal);
            tracing::debug!(?sent, pid, "a lab is to end");
        }
    };
    if asked.is_err() {
        signal(Signal::SIGTERM);
    }
    if !place.wait_for_end(LIMIT) {
        signal(Signal::SIGKILL);
        if !place.wait_for_end(GONE) {
            return Err(Mistake(format!("the lab `{}` does not end", place.name())));
        }
    }
    place.remove()?;
    Ok(asked)
}

/// Keeps what was recorded, and tells what came of it.
fn tell(record: Record, args: &DownArgs) -> Result<u8, Mistake> {
    let Record {
        file,
        text,
        evidence,
    } = record;
    let mut saved = None;
    if let Some(folder) = &args.evidence {
        let case = CaseFile::new(&file, &evidence.lab, &evidence.case, evidence.seed);
        let place = store::save(folder, &text, &case, &evidence)
            .map_err(|error| Mistake(format!("the evidence is not kept: {error}")))?;
        let place = place.display().to_string();
        terminal::note(&format!("what was recorded is in {place}"));
        saved = Some(place);
    }
    if args.explain {
        let outcome = Outcome {
            saved,
            ..judge::outcome(&file, &text, evidence)?
        };
        terminal::print(&report::text(&[outcome], &Stream::Output.style(true)));
    }
    Ok(Status::Held as u8)
}
