//! `hairpin down`: ends a lab, and keeps what was recorded where that is wanted.

use super::choice::named;
use super::state::{Home, Place};
use super::wire::{self, Answer, Ask, Record};
use crate::cli::args::DownArgs;
use crate::cli::terminal::{self, Stream};
use crate::cli::{Mistake, Refusal, Status, judge, reports};
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
pub fn down(args: &DownArgs) -> Result<u8, Refusal> {
    if let Some(folder) = &args.evidence {
        reports::keeps(folder, "evidence")?;
    }
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
        // The others end all the same.
        worst = worst.max(one(&place, args).unwrap_or_else(|refusal| {
            terminal::complain(&refusal.why);
            refusal.status
        }));
    }
    Ok(worst)
}

fn one(place: &Place, args: &DownArgs) -> Result<u8, Refusal> {
    let wanted = args.evidence.is_some() || args.explain;
    let asked = end(place, wanted)?;
    let name = place.name();
    terminal::note(&format!("{name} is down"));
    match asked {
        Ok(Some(record)) => tell(record, args),
        Ok(None) if wanted => Err(Mistake(format!(
            "what was recorded of `{name}` is lost: somebody else ended it meanwhile"
        ))
        .into()),
        Err(lost) if wanted => {
            let why = lost.why;
            terminal::complain(&format!("what was recorded of `{name}` is lost: {why}"));
            Ok(lost.status)
        }
        Err(Refusal { why, .. }) => {
            tracing::debug!(why, "a lab that did not answer");
            Ok(Status::Held as u8)
        }
        Ok(None) => Ok(Status::Held as u8),
    }
}

/// Asks it to end, for what was recorded.
fn ask(place: &Place, evidence: bool) -> Result<Option<Record>, Refusal> {
    let mut asked = wire::ask(place, Ask::End { evidence })?;
    let mut record = None;
    loop {
        match asked.next()? {
            Answer::Recorded(recorded) => record = Some(*recorded),
            Answer::Refused { why, status } => return Err(Refusal { why, status }),
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
pub fn end(place: &Place, evidence: bool) -> Result<Result<Option<Record>, Refusal>, Refusal> {
    let Some(watch) = place.watch() else {
        return Ok(Ok(None));
    };
    let pid = place.description().map(|about| about.pid);
    let asked = ask(place, evidence);
    let signal = |signal: Signal| {
        // The lock says that it lives, so the number is its own.
        if let Some(pid) = pid.filter(|_| watch.is_alive()) {
            let sent = kill(Pid::from_raw(pid as i32), signal);
            tracing::debug!(?sent, pid, "a lab is to end");
        }
    };
    if asked.is_err() {
        signal(Signal::SIGTERM);
    }
    if !watch.wait_for_end(LIMIT) {
        signal(Signal::SIGKILL);
        if !watch.wait_for_end(GONE) {
            let why = format!("the lab `{}` does not end", place.name());
            return Err(Refusal::unable(why));
        }
    }
    place.remove()?;
    Ok(asked)
}

/// Keeps what was recorded, and tells what came of it.
fn tell(record: Record, args: &DownArgs) -> Result<u8, Refusal> {
    let Record {
        file,
        text,
        apart,
        by_hand,
        evidence,
    } = record;
    let mut status = Status::Held;
    let mut saved = None;
    if let Some(why) = apart {
        terminal::note(&format!(
            "what was done is no lab by itself ({why}): what was recorded goes with the story of the lab, and nothing is claimed"
        ));
    }
    if let Some(folder) = &args.evidence {
        let case = CaseFile {
            by_hand,
            ..CaseFile::new(&file, &evidence.lab, &evidence.case, evidence.seed)
        };
        match store::save(folder, &text, &case, &evidence) {
            Ok(place) => {
                let place = place.display().to_string();
                terminal::note(&format!("what was recorded is in {place}"));
                saved = Some(place);
            }
            Err(error) => {
                terminal::complain(&format!("the evidence is not kept: {error}"));
                status = Status::Unable;
            }
        }
    }
    if args.explain {
        let outcome = Outcome {
            saved,
            by_hand,
            ..judge::outcome(&file, &text, evidence)?
        };
        terminal::print(&report::text(&[outcome], &Stream::Output.style(true)));
    }
    Ok(status as u8)
}
