//! The socket of a client connection and what was sent and received over it.
//!
//! Everything here happens where the socket is, which may be an annex (see `slot`). Not here: who takes it there (see `client`).

use super::late::{Owed, letter};
use super::wire::Wire;
use crate::run::slot::Slot;
use crate::run::word::Fault;
use crate::world::socket::{self, TcpInfo};
use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Bytes of what came that are kept as text.
const TEXT_LIMIT: usize = 1024;
/// After so many letters they are the same again.
const ALPHABET: u64 = 26;

/// The socket's side of a connection.
#[derive(Debug)]
pub struct Line {
    /// Its socket.
    pub slot: Slot<Wire>,
    state: Mutex<State>,
    /// What may still come of what was sent before.
    owed: Mutex<Owed>,
    sent: Arc<AtomicU64>,
    received: Arc<AtomicU64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Taken before the socket went.
    last: TcpInfo,
    /// How it ended, once that is known.
    ended: &'static str,
    /// An error that the kernel told to who looked at the socket: the next who writes or reads would have met it.
    pending: Option<Fault>,
}

/// What a transfer did.
#[derive(Clone, Debug, Default)]
pub struct Moved {
    /// Why it stopped; none when all was done.
    pub fault: Fault,
    /// Bytes the kernel took.
    pub sent: u64,
    /// Bytes that came.
    pub received: u64,
    /// The beginning of what came, at most 1 KiB.
    pub text: Vec<u8>,
}

impl Moved {
    /// Keeps of what came so much as there is room for.
    pub fn keep(&mut self, came: &[u8]) {
        let room = TEXT_LIMIT - self.text.len();
        self.text.extend_from_slice(&came[..came.len().min(room)]);
    }
}

/// The end of a connection as its client knows it.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// Bytes written.
    pub sent: u64,
    /// Bytes read.
    pub received: u64,
    /// The socket's last reading.
    pub info: TcpInfo,
    /// `open`, `eof`, `reset`, `closed`, `timeout`; empty when it never stood.
    pub ended: &'static str,
}

/// How to end a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// close(2).
    Close,
    /// RST.
    Abort,
    /// shutdown(2) for writing.
    Shutdown,
}

impl Line {
    /// One without a socket yet.
    pub fn new(slot: Slot<Wire>) -> Self {
        Self {
            slot,
            state: Mutex::default(),
            owed: Mutex::default(),
            sent: Arc::default(),
            received: Arc::default(),
        }
    }

    /// Writes so many bytes within a limit, in so many pieces: no write takes bytes of two.
    pub async fn send(&self, bytes: u32, writes: u32, limit: Duration) -> Moved {
        let shift = self.owed().shift();
        let moved = self.write(shift, bytes, writes, limit).await;
        self.owed().add(shift, 0, moved.sent);
        moved
    }

    /// The same, of the letters from this one on.
    async fn write(&self, shift: u8, bytes: u32, writes: u32, limit: Duration) -> Moved {
        let mut moved = Moved::default();
        let Some(stream) = self.slot.get() else {
            return self.unusable();
        };
        let work = async {
            let chunk = pattern(shift, bytes, stream.is_datagram());
            let piece = u64::from(bytes.div_ceil(writes).max(1));
            while moved.sent < u64::from(bytes) {
                if let Err(error) = stream.writable().await {
                    return Fault::from(&error);
                }
                let left = u64::from(bytes) - moved.sent;
                let left = left.min(piece - moved.sent % piece) as usize;
                let letters = &chunk[(moved.sent % ALPHABET) as usize..];
                match stream.try_write(&letters[..left.min(letters.len())]) {
                    Ok(count) => moved.sent += count as u64,
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    // What is left to say of a socket whose error was told already.
                    Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                        return self.pending().unwrap_or(Fault::from(&error));
                    }
                    Err(error) => return Fault::from(&error),
                }
            }
            match stream.flush().await {
                Ok(()) => Fault::default(),
                Err(error) => Fault::from(&error),
            }
        };
        let fault = timeout(limit, work).await.unwrap_or(Fault::DEADLINE);
        self.note(fault);
        moved.fault = fault;
        self.sent.fetch_add(moved.sent, Ordering::Relaxed);
        moved
    }

    /// Reads so many bytes, or one datagram, within a limit.
    pub async fn receive(&self, bytes: u32, limit: Duration) -> Moved {
        self.read(bytes, limit, false).await
    }

    /// The same. `answer`: the echo of what was sent before is none, however late it comes; it is read and forgotten.
    async fn read(&self, bytes: u32, limit: Duration, answer: bool) -> Moved {
        let mut moved = Moved::default();
        let Some(stream) = self.slot.get() else {
            return self.unusable();
        };
        let work = async {
            let whole = stream.is_datagram();
            let size = if whole { u32::from(u16::MAX) } else { bytes };
            let mut buffer = vec![0; (size as usize).clamp(1, 64 * 1024)];
            while moved.received < u64::from(bytes) {
                if let Err(error) = stream.readable().await {
                    return Fault::from(&error);
                }
                let left = (u64::from(size) - moved.received) as usize;
                let room = left.min(buffer.len());
                match stream.try_read(&mut buffer[..room]) {
                    Ok(0) if !whole => return self.pending().unwrap_or(Fault::EOF),
                    Ok(count) => {
                        let came = &buffer[..count];
                        let late = match whole {
                            true if self.owed().has(came) => count,
                            true => 0,
                            false => self.owed().take(came),
                        };
                        let late = if answer { late } else { 0 };
                        self.received.fetch_add(late as u64, Ordering::Relaxed);
                        let came = &came[late..];
                        moved.received += came.len() as u64;
                        moved.keep(came);
                        if whole && late == 0 {
                            break;
                        }
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(error) => return Fault::from(&error),
                }
            }
            Fault::default()
        };
        let fault = timeout(limit, work).await.unwrap_or(Fault::DEADLINE);
        self.note(fault);
        moved.fault = fault;
        self.received.fetch_add(moved.received, Ordering::Relaxed);
        moved
    }

    /// Writes so many bytes and reads as many, all within one limit. Of datagrams one goes out and one comes back. What
    /// came before, and nobody read, is no answer, nor is the echo of what was sent before: they are read and forgotten.
    pub async fn exchange(&self, bytes: u32, writes: u32, limit: Duration) -> Moved {
        if let Some(stream) = self.slot.get() {
            let shown = |unread: &[u8]| {
                self.owed().take(unread);
                self.received
                    .fetch_add(unread.len() as u64, Ordering::Relaxed);
            };
            if let Err(error) = stream.discard(shown) {
                let fault = Fault::from(&error);
                self.note(fault);
                return Moved {
                    fault,
                    ..Moved::default()
                };
            }
        }
        let shift = self.owed().shift();
        let until = Instant::now() + limit;
        // Both at once: an echo of more than the buffers hold would block a writer that does not read.
        let (sent, received) = tokio::join!(self.write(shift, bytes, writes, limit), async {
            let left = until.saturating_duration_since(Instant::now());
            self.read(bytes, left, true).await
        });
        self.owed().add(shift, received.received, sent.sent);
        // When the write failed, the read met the same end or waited for nothing.
        let fault = if sent.fault.is_none() || sent.fault == Fault::DEADLINE {
            received.fault
        } else {
            sent.fault
        };
        Moved {
            fault,
            sent: sent.sent,
            received: received.received,
            text: received.text,
        }
    }

    /// Ends the connection from this side.
    pub fn end(&self, ending: Ending) -> Fault {
        let Some(stream) = self.slot.get() else {
            return self.unusable().fault;
        };
        // Before anything is done to it: a socket that was reset has forgotten what was acknowledged.
        let last = socket::tcp_info(stream.as_fd()).unwrap_or_default();
        let result = match ending {
            Ending::Shutdown => {
                nix::sys::socket::shutdown(stream.as_raw_fd(), nix::sys::socket::Shutdown::Write)
            }
            Ending::Close => {
                if !stream.is_datagram() {
                    socket::hang_up(stream.as_fd());
                }
                Ok(())
            }
            // connect(AF_UNSPEC) resets at once; a close with linger 0 would wait for whoever still reads.
            Ending::Abort => disconnect(&stream),
        };
        if ending != Ending::Shutdown {
            let mut state = self.state.lock().expect("no holder of this lock panics");
            state.last = last;
            if state.ended.is_empty() {
                state.ended = "closed";
            }
            drop(state);
            self.slot.take();
        }
        result.err().map(Fault::from).unwrap_or_default()
    }

    /// Bytes written and not acknowledged now.
    pub fn unacked(&self) -> u64 {
        self.slot
            .get()
            .filter(|stream| !stream.is_datagram())
            .and_then(|stream| socket::tcp_info(stream.as_fd()).ok())
            .map_or(0, |info| info.unacked)
    }

    /// Reads the socket without closing it.
    pub fn examine(&self) -> End {
        let mut state = *self.state.lock().expect("no holder of this lock panics");
        if let Some(stream) = self.slot.get() {
            state.last = socket::tcp_info(stream.as_fd()).unwrap_or_default();
            if stream.is_datagram() {
                state.ended = "open";
            } else if state.ended.is_empty() || state.ended == "eof" {
                state.ended = match crate::world::tcp_sockets::state_name(state.last.state) {
                    "CLOSE_WAIT" | "LAST_ACK" | "CLOSING" | "TIME_WAIT" => "eof",
                    "CLOSE" => {
                        let told = getsockopt(&*stream, sockopt::SocketError).unwrap_or(0);
                        if told != 0 {
                            let fault = Fault::from(Errno::from_raw(told));
                            let mut state = self.state.lock();
                            let state = state.as_mut().expect("no holder of this lock panics");
                            state.pending = Some(fault);
                        }
                        match Errno::from_raw(told) {
                            Errno::ETIMEDOUT => "timeout",
                            Errno::ECONNRESET | Errno::EPIPE => "reset",
                            // No error: this side was shut down and the peer closed as well, in order.
                            _ => "eof",
                        }
                    }
                    _ => "open",
                };
            }
        }
        // The kernel tells an error once. Of one that is open there is nothing to keep: it is looked at again.
        if state.ended != "open" {
            self.state
                .lock()
                .expect("no holder of this lock panics")
                .ended = state.ended;
        }
        End {
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            info: state.last,
            ended: state.ended,
        }
    }

    /// Counts what others write to its socket.
    pub fn sent(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.sent)
    }

    /// Counts what others read from its socket.
    pub fn received(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.received)
    }

    fn owed(&self) -> MutexGuard<'_, Owed> {
        self.owed.lock().expect("no holder of this lock panics")
    }

    fn unusable(&self) -> Moved {
        let closed = self
            .state
            .lock()
            .expect("no holder of this lock panics")
            .ended
            == "closed";
        Moved {
            fault: if closed {
                Fault::word("closed")
            } else {
                Fault::NOT_CONNECTED
            },
            ..Moved::default()
        }
    }

    /// The error that was told to who looked, once.
    fn pending(&self) -> Option<Fault> {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        state.pending.take()
    }

    /// The kernel tells an error once; whoever meets it keeps it here.
    pub fn note(&self, fault: Fault) {
        let ended = match fault.word {
            "reset" => "reset",
            "timeout" => "timeout",
            "eof" => "eof",
            _ => return,
        };
        let mut state = self.state.lock().expect("no holder of this lock panics");
        if state.ended.is_empty() || state.ended == "eof" {
            state.ended = ended;
        }
    }
}

/// RST now, whoever else holds the socket.
pub(super) fn disconnect(stream: &Wire) -> Result<(), Errno> {
    let unspecified = libc::sockaddr {
        sa_family: libc::AF_UNSPEC as libc::sa_family_t,
        sa_data: [0; 14],
    };
    // SAFETY: the kernel reads the length given, which is the structure's.
    let done = unsafe {
        libc::connect(
            stream.as_raw_fd(),
            &raw const unspecified,
            size_of::<libc::sockaddr>() as libc::socklen_t,
        )
    };
    Errno::result(done).map(drop)
}

/// Bytes to send: readable, and different enough to see a shift; enough to go on at any letter. A datagram goes as a whole.
fn pattern(shift: u8, bytes: u32, whole: bool) -> Vec<u8> {
    let count = match whole {
        true => u64::from(bytes),
        false => u64::from(bytes.min(64 * 1024)) + ALPHABET,
    };
    (0..count).map(|at| letter(shift, at)).collect()
}

#[cfg(test)]
mod tests;
