//! `hairpin capture`: what passed in a lab that is up, as pcapng.

use super::state::{Home, named};
use super::wire::{self, Answer, Ask, line};
use crate::cli::args::CaptureArgs;
use crate::cli::{Mistake, Status, terminal};
use crate::run::Witness;
use crate::run::capture::Behind;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// How often what passed is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// What looking takes is at most one part in so many of the time.
const SHARE: u32 = 8;
/// So long the end of a packet is waited for before it is written without.
const PATIENCE: Duration = Duration::from_secs(2);

/// Writes what passed.
pub fn capture(args: &CaptureArgs) -> Result<u8, Mistake> {
    let place = named(&Home::of_user(), args.name.as_deref())?;
    let to_output = args.output == Path::new("-");
    if to_output && io::stdout().is_terminal() {
        return Err(Mistake(
            "a capture is no text for a terminal: name a file with `-o FILE`, or pipe it"
                .to_owned(),
        ));
    }
    let mut asked = wire::ask(
        &place,
        Ask::Capture {
            follow: args.follow,
        },
    )?;
    match asked.next()? {
        Answer::Packets => {}
        Answer::Refused { why, status } => {
            terminal::complain(&why);
            return Ok(status);
        }
        Answer::Ready { .. }
        | Answer::Said { .. }
        | Answer::Doors { .. }
        | Answer::Recorded(_)
        | Answer::Done => return Err(Mistake("the lab answers something else".to_owned())),
    }
    if to_output {
        terminal::heed(copy(asked.rest(), &mut io::stdout().lock()));
        return Ok(Status::Held as u8);
    }
    let written = File::create(&args.output).and_then(|mut file| copy(asked.rest(), &mut file));
    match written {
        Ok(()) => Ok(Status::Held as u8),
        // A reader that closed it has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Status::Held as u8),
        Err(error) => {
            terminal::complain(&format!(
                "cannot write `{}`: {error}",
                args.output.display()
            ));
            Ok(Status::Unable as u8)
        }
    }
}

/// Each piece at once: who follows wants to see it.
fn copy(mut from: impl Read, out: &mut dyn Write) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            count => {
                out.write_all(&buffer[..count])?;
                out.flush()?;
            }
        }
    }
}

/// The worker's part: a file, to the end of what is there, of who asked or of the lab.
pub(super) async fn serve(
    witness: &Witness,
    mut stream: UnixStream,
    follow: bool,
    ended: watch::Receiver<bool>,
) {
    let told = match follow {
        false => all(witness, &mut stream).await,
        true => on_and_on(witness, &mut stream, ended).await,
    };
    tracing::debug!(?told, "a capture ends");
}

async fn all(witness: &Witness, stream: &mut UnixStream) -> io::Result<()> {
    let mut capture = captured(witness, Behind::default()).await?;
    let mut bytes = line(&Answer::Packets);
    tokio::task::block_in_place(|| capture.write(None, None, &mut bytes))?;
    stream.write_all(&bytes).await
}

async fn on_and_on(
    witness: &Witness,
    stream: &mut UnixStream,
    mut ended: watch::Receiver<bool>,
) -> io::Result<()> {
    stream.write_all(&line(&Answer::Packets)).await?;
    let mut behind = Behind::default();
    let mut writer = captured(witness, behind).await?.begin(Vec::new())?;
    let mut seen = None;
    let mut byte = [0];
    loop {
        let began = Instant::now();
        let passed = witness.passed().await;
        // Some of them may have been waited for.
        if seen.is_none_or(|(count, until)| count != passed || began < until) {
            if seen.is_none_or(|(count, _)| count != passed) {
                seen = Some((passed, began + PATIENCE * 2));
            }
            let mut capture = captured(witness, behind).await?;
            behind = tokio::task::block_in_place(|| capture.add(&mut writer, PATIENCE))?;
        }
        let bytes = std::mem::take(writer.out());
        stream.write_all(&bytes).await?;
        let pause = LOOK.max(began.elapsed() * SHARE);
        tokio::select! {
            () = sleep(pause) => {}
            // Nothing more is asked on it: it can only be closed.
            _ = stream.read(&mut byte) => return Ok(()),
            _ = ended.wait_for(|ended| *ended) => break,
        }
    }
    // Nothing more passes, and nothing is waited for.
    let mut capture = captured(witness, behind).await?;
    tokio::task::block_in_place(|| capture.add(&mut writer, Duration::ZERO))?;
    stream.write_all(writer.out()).await
}

async fn captured(witness: &Witness, behind: Behind) -> io::Result<crate::run::capture::Capture> {
    let captured = witness.captured(behind).await;
    captured
        .map_err(io::Error::other)?
        .ok_or_else(|| io::Error::other("nothing is captured"))
}
