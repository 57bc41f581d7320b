//! What a program says: its beginning is kept, the rest is read and let go, so that it takes no memory and the program never
//! waits for a reader.
//!
//! It comes through a pipe. A program that becomes a daemon holds the pipe for ever, so nobody waits for its end: what has
//! been said when the leader ends is the output, and a reader stays for whoever goes on (without one, SIGPIPE would end them).

use super::error::Error;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{pipe2, read};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Bytes kept of what a program says, from the beginning.
const KEPT: usize = 64 * 1024;
/// Bytes kept of what it said last, for messages.
const LAST: usize = 512;
/// Bytes read at once, so many times in a turn: more than a pipe holds.
const READ: usize = 16 * 1024;
const TURN: usize = 64;

/// What a program said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The beginning, at most 64 KiB.
    pub text: String,
    /// Bytes behind it that were not kept.
    pub cut: u64,
    /// The end, a few hundred bytes at most, and how many are before it.
    last: String,
    before: u64,
}

impl Said {
    /// What it said last, in a few hundred bytes, for a message.
    pub fn last_words(&self) -> String {
        match self.before {
            0 => self.last.clone(),
            before => format!("({before} bytes, and last) {}", self.last),
        }
    }
}

/// The reading end of what programs of a group say.
#[derive(Clone, Debug)]
pub(super) struct Output(Arc<Pipe>);

#[derive(Debug)]
struct Pipe {
    end: AsyncFd<OwnedFd>,
    heard: Mutex<Heard>,
}

/// What has been read.
#[derive(Debug, Default)]
struct Heard {
    beginning: Vec<u8>,
    last: Vec<u8>,
    bytes: u64,
    awaited: Option<Awaited>,
    /// Nobody will ask any more.
    is_over: bool,
}

/// A text that is waited for.
#[derive(Debug)]
struct Awaited {
    text: Vec<u8>,
    /// The end of what was read before, which the text may begin in.
    carry: Vec<u8>,
}

/// How far reading came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// Nothing is left for now.
    Empty,
    /// There may be more.
    More,
    /// Nobody holds the other end.
    Ended,
}

impl Output {
    /// With the end to write to. It is read from now on; `awaited` is looked for in all of it.
    ///
    /// # Errors
    /// What the system refuses.
    pub(super) fn open(awaited: Option<&str>) -> Result<(Self, OwnedFd), Error> {
        let fail = |errno: Errno| Error::system("make a pipe for a program's output", errno);
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC).map_err(fail)?;
        // This end only: programs expect theirs to wait.
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(fail)?;
        // Programs that became another user open /dev/stdout, too.
        fchmod(&writer, Mode::from_bits_truncate(0o666)).map_err(fail)?;
        // SAFETY: an owned descriptor is the same one until it is dropped, and open.
        let end = unsafe { AsyncFd::register_with_interest(reader, Interest::READABLE) }
            .map_err(|error| Error::io("watch a program's output", &error.into_parts().1))?;
        let heard = Heard {
            awaited: awaited.and_then(Awaited::new),
            ..Heard::default()
        };
        let pipe = Arc::new(Pipe {
            end,
            heard: Mutex::new(heard),
        });
        tokio::spawn(follow(Arc::clone(&pipe)));
        Ok((Self(pipe), writer))
    }

    /// The awaited text was said.
    pub(super) fn has_said(&self) -> bool {
        self.0.take_up();
        self.0.heard().awaited.is_none()
    }

    /// What was said so far.
    pub(super) fn said(&self) -> Said {
        self.0.take_up();
        self.0.heard().said()
    }

    /// What was said until now; what comes from now on is let go.
    pub(super) fn finish(self) -> Said {
        self.0.take_up();
        let mut heard = self.0.heard();
        let said = heard.said();
        *heard = Heard {
            is_over: true,
            ..Heard::default()
        };
        said
    }
}

/// Reads until nobody holds the other end.
async fn follow(pipe: Arc<Pipe>) {
    while let Ok(mut ready) = pipe.end.readable().await {
        match pipe.take_up() {
            Came::Empty => ready.clear_ready(),
            Came::More => tokio::task::yield_now().await,
            Came::Ended => return,
        }
    }
}

impl Pipe {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is there, as much as a pipe holds at least.
    fn take_up(&self) -> Came {
        let mut heard = self.heard();
        let mut buffer = [0; READ];
        for _ in 0..TURN {
            match read(self.end.get_ref(), &mut buffer) {
                Ok(0) => return Came::Ended,
                Ok(count) => heard.add(&buffer[..count]),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Came::Empty,
                Err(errno) => {
                    tracing::warn!(?errno, "cannot read a program's output");
                    return Came::Ended;
                }
            }
        }
        Came::More
    }
}

impl Heard {
    fn add(&mut self, more: &[u8]) {
        if self.is_over {
            return;
        }
        self.bytes += more.len() as u64;
        let room = KEPT - self.beginning.len();
        self.beginning
            .extend_from_slice(&more[..room.min(more.len())]);
        keep_end(&mut self.last, more, LAST);
        if self.awaited.as_mut().is_some_and(|one| one.is_in(more)) {
            self.awaited = None;
        }
    }

    fn said(&self) -> Said {
        let mut beginning = self.beginning.as_slice();
        if self.bytes > beginning.len() as u64
            && let Err(error) = std::str::from_utf8(beginning)
            && error.error_len().is_none()
        {
            // Half of a character is none.
            beginning = &beginning[..error.valid_up_to()];
        }
        let goes_on = |byte: &u8| byte & 0xC0 == 0x80;
        let mut last = self.last.as_slice();
        if self.bytes > last.len() as u64 {
            let half = last.iter().take_while(|byte| goes_on(byte)).count();
            last = &last[half..];
        }
        Said {
            text: String::from_utf8_lossy(beginning).into_owned(),
            cut: self.bytes - beginning.len() as u64,
            last: String::from_utf8_lossy(last).into_owned(),
            before: self.bytes - last.len() as u64,
        }
    }
}

impl Awaited {
    /// None for a text that is in any output.
    fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self {
            text: text.as_bytes().to_vec(),
            carry: Vec::new(),
        })
    }

    /// It is in what was read now, or began in what was read before.
    fn is_in(&mut self, more: &[u8]) -> bool {
        let length = self.text.len();
        let holds = |bytes: &[u8]| bytes.windows(length).any(|part| part == self.text);
        let seam = [&self.carry, &more[..more.len().min(length - 1)]].concat();
        if holds(&seam) || holds(more) {
            return true;
        }
        keep_end(&mut self.carry, more, length - 1);
        false
    }
}

/// Adds to what is kept, of which only the end stays.
fn keep_end(kept: &mut Vec<u8>, more: &[u8], most: usize) {
    kept.extend_from_slice(&more[more.len().saturating_sub(most)..]);
    kept.drain(..kept.len().saturating_sub(most));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;

    #[test]
    fn an_awaited_text_is_found_wherever_it_is_cut() {
        let text = "noise before, now READY, and after";
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let mut awaited = Awaited::new("now READY").expect("there is a text");
                let parts = [&text[..first], &text[first..second], &text[second..]];
                assert!(
                    parts.iter().any(|part| awaited.is_in(part.as_bytes())),
                    "{parts:?}"
                );
            }
        }
        let mut awaited = Awaited::new("READY").expect("there is a text");
        assert!(
            !["REA", "D", "EADY"]
                .iter()
                .any(|part| awaited.is_in(part.as_bytes()))
        );
    }

    #[test]
    fn the_beginning_is_kept_and_what_is_behind_it_is_counted() {
        let mut heard = Heard::default();
        heard.add(&[b'a'; KEPT - 1]);
        heard.add("\u{e9}".as_bytes());
        heard.add(&[b'b'; 3 * LAST]);
        heard.add(b"the end");
        let said = heard.said();
        assert_eq!(said.text.len(), KEPT - 1, "half of a character is none");
        assert_eq!(said.cut, 2 + 3 * LAST as u64 + 7);
        let last = said.last_words();
        assert!(last.ends_with("bbthe end"), "{last}");
        assert!(last.len() < LAST + 40, "{last}");
        assert!(heard.beginning.capacity() < 4 * KEPT && heard.last.capacity() <= 8 * LAST);
    }

    #[test]
    fn last_words_are_all_there_is_of_a_short_text() {
        let mut heard = Heard::default();
        heard.add(b"one\ntwo\n");
        assert_eq!(heard.said().last_words(), "one\ntwo\n");
        heard.add(&[b'x'; LAST]);
        let last = heard.said().last_words();
        assert!(last.starts_with("(8 bytes, and last) xxx"), "{last}");
    }

    /// A writer is never kept waiting, however much it says, and whoever holds the pipe later is none's hindrance.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn all_is_read_and_little_is_kept() {
        let (output, writer) = Output::open(Some("READY")).expect("a pipe");
        let writing = tokio::task::spawn_blocking(move || {
            let mut file = File::from(writer);
            let line = [b'x'; 8192];
            for _ in 0..256 {
                file.write_all(&line).expect("somebody reads");
            }
            file.write_all(b"READY\n").expect("somebody reads");
            file
        });
        let mut held = writing.await.expect("it was written");
        assert!(output.has_said());
        let said = output.finish();
        assert_eq!(said.text.len(), KEPT);
        assert_eq!(said.cut, 256 * 8192 + 6 - KEPT as u64);
        assert!(said.last_words().ends_with("xxREADY\n"));
        // A daemon says more than a pipe holds, after its leader ended.
        let more = tokio::task::spawn_blocking(move || held.write_all(&[b'y'; 300_000]));
        more.await.expect("no panic").expect("somebody reads");
    }
}
