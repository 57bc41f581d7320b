//! Standard output and error: colours, width, printing that survives a closed pipe, progress.

use super::args::Colour;
use crate::report::Style;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Columns when standard output is no terminal.
const WIDTH: usize = 100;

/// Colours as asked for, and the log.
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
    let filter = EnvFilter::try_from_env("HAIRPIN_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour_on_error())
        .with_target(false)
        .init();
}

/// Prints to standard output. A reader that closed it has seen enough.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Says on standard error what is wrong.
pub fn complain(text: &str) {
    let (on, off) = if colour_on_error() {
        ("\u{1b}[1;31m", "\u{1b}[0m")
    } else {
        ("", "")
    };
    eprintln!("{on}error{off}: {text}");
}

/// True when standard output takes colours.
pub fn colour_on_output() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}

/// True when standard error takes colours.
pub fn colour_on_error() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}

/// How reports look here.
pub fn style(explain: bool) -> Style {
    Style {
        colour: colour_on_output(),
        width: width(),
        explain,
        wall: None,
    }
}

fn width() -> usize {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ writes one winsize.
    let got = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
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
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(runs as u64), target);
        let style = ProgressStyle::with_template("{spinner} {pos}/{len} cases  {elapsed}  {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        bar.enable_steady_tick(Duration::from_millis(100));
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
