//! Standard output and error: colours, width, printing that survives a closed pipe, progress.

use super::Status;
use super::args::Colour;
use crate::diag::Format;
use crate::report::Style;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Columns where there is no terminal.
const WIDTH: usize = 100;

/// Where text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// What was asked for.
    Output,
    /// What is said about it.
    Error,
}

impl Stream {
    /// Prints. A reader that closed the stream has seen enough; `println!` would panic there. Output that is lost for
    /// another reason is told, and [`settled`] makes a status of it.
    pub fn print(self, text: &str) {
        match self {
            Self::Output => heed(Unhurried(io::stdout().lock()).write_all(text.as_bytes())),
            // There is nowhere left to complain.
            Self::Error => drop(Unhurried(io::stderr().lock()).write_all(text.as_bytes())),
        }
    }

    /// True when it takes colours.
    pub fn colour(self) -> bool {
        let choice = match self {
            Self::Output => anstream::AutoStream::choice(&io::stdout()),
            Self::Error => anstream::AutoStream::choice(&io::stderr()),
        };
        choice != anstream::ColorChoice::Never
    }

    /// How problems of labs look there.
    pub fn diagnostics(self) -> Format {
        if self.colour() {
            Format::Colour
        } else {
            Format::Plain
        }
    }

    /// How reports look there.
    pub fn style(self, explain: bool) -> Style {
        let fd = match self {
            Self::Output => io::stdout().as_raw_fd(),
            Self::Error => io::stderr().as_raw_fd(),
        };
        Style {
            colour: self.colour(),
            width: width(fd),
            explain,
            wall: None,
        }
    }
}

/// A stream of this process. Nothing that is written is kept back. What whoever started this made non-blocking (a pipe of Node's)
/// is waited for as others are; what was closed takes everything, as of the standard library's own streams.
#[derive(Debug)]
pub struct Unhurried<S>(pub S);

impl<S: AsFd> Write for Unhurried<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match nix::unistd::write(&self.0, bytes) {
                Ok(written) => return Ok(written),
                Err(Errno::EAGAIN) => {
                    let mut room = [PollFd::new(self.0.as_fd(), PollFlags::POLLOUT)];
                    poll(&mut room, PollTimeout::NONE)?;
                }
                Err(Errno::EBADF) => return Ok(bytes.len()),
                // With the one that says that a signal came: asked again.
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Something that was asked for is not on standard output.
static LOST: AtomicBool = AtomicBool::new(false);

/// Says it, once, when standard output could not be written.
pub fn heed(written: io::Result<()>) {
    let Err(error) = written else { return };
    if error.kind() != ErrorKind::BrokenPipe && !LOST.swap(true, Ordering::Relaxed) {
        complain(&format!("cannot write to standard output: {error}"));
    }
}

/// The exit status, which is no success when what was asked for could not be written.
pub fn settled(status: u8) -> u8 {
    match LOST.load(Ordering::Relaxed) {
        true => status.max(Status::Unable as u8),
        false => status,
    }
}

/// Colours as asked for, and the log. A filter of the log that cannot be read is told, and is none.
pub fn set_up(colour: Colour, verbose: u8) {
    match colour {
        Colour::Auto => {}
        Colour::Always => anstream::ColorChoice::Always.write_global(),
        Colour::Never => anstream::ColorChoice::Never.write_global(),
    }
    let level = match verbose {
        0 => "warn",
        1 => "debug",
        2.. => "trace",
    };
    let wanted = std::env::var("HAIRPIN_LOG").unwrap_or_else(|_| level.to_owned());
    let filter = EnvFilter::try_new(&wanted).unwrap_or_else(|error| {
        complain(&format!("HAIRPIN_LOG: `{wanted}` is no filter: {error}"));
        EnvFilter::new(level)
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(Stream::Error.colour())
        .with_target(false)
        // They would go to the very stream that failed, with a panic.
        .log_internal_errors(false)
        .init();
}

/// Prints what was asked for.
pub fn print(text: &str) {
    Stream::Output.print(text);
}

/// Says something beside what was asked for.
pub fn note(text: &str) {
    Stream::Error.print(&format!("hairpin: {text}\n"));
}

/// Says what is wrong.
pub fn complain(text: &str) {
    let (on, off) = if Stream::Error.colour() {
        ("\u{1b}[1;31m", "\u{1b}[0m")
    } else {
        ("", "")
    };
    Stream::Error.print(&format!("{on}error{off}: {text}\n"));
}

fn width(fd: RawFd) -> usize {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ writes one winsize.
    let got = unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) };
    if got == 0 && size.ws_col > 0 {
        usize::from(size.ws_col).clamp(80, 160)
    } else {
        WIDTH
    }
}

/// A progress line on standard error; nothing where that is no terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// For so many runs of cases.
    pub fn new(runs: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(runs as u64), ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{spinner} {pos}/{len} cases  {elapsed}  {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        // Elsewhere no thread is needed that draws nothing.
        if io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Self { bar }
    }

    /// One more is done.
    pub fn done(&self, name: &str) {
        self.bar.set_message(name.to_owned());
        self.bar.inc(1);
    }

    /// Takes the line away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
