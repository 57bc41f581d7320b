//! `hairpin capture`: what passed in a lab that is up, as pcapng.

use super::choice::named;
use super::state::Home;
use super::wire::{self, Answer, Ask, line};
use crate::cli::args::CaptureArgs;
use crate::cli::terminal::{self, Unhurried};
use crate::cli::{Mistake, Refusal, Status};
use crate::run::Witness;
use crate::run::capture::Behind;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// How often what passed is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// What looking takes is at most one part in so many of the time.
const SHARE: u32 = 8;
/// So long the end of a packet is waited for before it is written without.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of a piece, at most.
const PIECE: usize = 1 << 20;

/// Writes what passed.
pub fn capture(args: &CaptureArgs) -> Result<u8, Refusal> {
    let place = named(&Home::of_user(), args.name.as_deref())?;
    let to_output = args.output == Path::new("-");
    if to_output && io::stdout().is_terminal() {
        return Err(Mistake(
            "a capture is no text for a terminal: name a file with `-o FILE`, or pipe it"
                .to_owned(),
        )
        .into());
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
        | Answer::Done => return Err(wire::another_answer()),
    }
    let copied = match to_output {
        true => copy(asked.rest(), &mut Unhurried(io::stdout().lock())),
        false => File::create(&args.output)
            .map_err(Broken::Output)
            .and_then(|mut file| copy(asked.rest(), &mut file)),
    };
    let why = match copied {
        Ok(()) => return Ok(Status::Held as u8),
        // A reader that closed it has seen enough.
        Err(Broken::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            return Ok(Status::Held as u8);
        }
        Err(Broken::Output(error)) if to_output => {
            terminal::heed(Err(error));
            return Ok(Status::Unable as u8);
        }
        Err(Broken::Output(error)) => format!("cannot write `{}`: {error}", args.output.display()),
        Err(Broken::Lab) => format!(
            "the capture is cut: the lab `{}` broke off before its end",
            place.name()
        ),
    };
    terminal::complain(&why);
    Ok(Status::Unable as u8)
}

/// Why a capture has no end.
#[derive(Debug)]
enum Broken {
    /// The rest did not come.
    Lab,
    /// It cannot be written.
    Output(io::Error),
}

/// Each piece at once: who follows wants to see it. What came of one that is cut is written too.
fn copy(mut from: impl Read, out: &mut dyn Write) -> Result<(), Broken> {
    let mut piece = Vec::new();
    loop {
        let mut length = [0; 4];
        from.read_exact(&mut length).map_err(|_| Broken::Lab)?;
        let length = u64::from(u32::from_be_bytes(length));
        if length == 0 {
            return Ok(());
        }
        piece.clear();
        let came = from.by_ref().take(length).read_to_end(&mut piece);
        out.write_all(&piece).map_err(Broken::Output)?;
        out.flush().map_err(Broken::Output)?;
        if came.is_err() || piece.len() as u64 != length {
            return Err(Broken::Lab);
        }
    }
}

/// Bytes of a capture, in pieces.
async fn send(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    for piece in bytes.chunks(PIECE) {
        stream
            .write_all(&(piece.len() as u32).to_be_bytes())
            .await?;
        stream.write_all(piece).await?;
    }
    Ok(())
}

/// All of it has been sent.
async fn finish(stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    stream.write_all(&0u32.to_be_bytes()).await
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
    let mut bytes = Vec::new();
    tokio::task::block_in_place(|| capture.write(None, None, &mut bytes))?;
    stream.write_all(&line(&Answer::Packets)).await?;
    send(stream, &bytes).await?;
    finish(stream).await
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
        send(stream, &bytes).await?;
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
    send(stream, writer.out()).await?;
    finish(stream).await
}

async fn captured(witness: &Witness, behind: Behind) -> io::Result<crate::run::capture::Capture> {
    let captured = witness.captured(behind).await;
    captured
        .map_err(io::Error::other)?
        .ok_or_else(|| io::Error::other("nothing is captured"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sent(bytes: &[u8]) -> Vec<u8> {
        let mut stream = Vec::new();
        send(&mut stream, bytes).await.expect("into memory");
        finish(&mut stream).await.expect("into memory");
        stream
    }

    #[tokio::test]
    async fn what_is_sent_in_pieces_is_written_as_a_whole() {
        for count in [0, 1, PIECE, PIECE + 1, 3 * PIECE] {
            let bytes: Vec<u8> = (0..count).map(|place| place as u8).collect();
            let mut out = Vec::new();
            copy(&*sent(&bytes).await, &mut out).expect("it is whole");
            assert!(out == bytes, "{count} bytes");
        }
    }

    #[tokio::test]
    async fn a_capture_that_breaks_off_is_told_wherever_it_does() {
        let whole = sent(b"packets").await;
        for length in 0..whole.len() {
            let mut out = Vec::new();
            let copied = copy(&whole[..length], &mut out);
            assert!(matches!(copied, Err(Broken::Lab)), "{length} bytes came");
            // What came is not lost.
            let came = length.saturating_sub(4).min(7);
            assert_eq!(out, b"packets"[..came]);
        }
    }
}
