//! Bytes between two connections, as a proxy of TCP carries them: what one side says goes to the other, a FIN as a FIN.
//! A side that breaks off ends it. What the other side then learns is not decided here.

use nix::errno::Errno;
use nix::sys::socket::{Shutdown, shutdown};
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

/// Bytes read in one go.
const CHUNK: usize = 64 * 1024;

/// One of the two connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Target,
}

/// When something was last said. Keepalive probes say nothing: no program sees them.
#[derive(Debug)]
pub struct Activity(Mutex<Instant>);

/// One direction.
pub struct Way<'a> {
    /// Who speaks, and which side that is.
    pub from: (&'a TcpStream, Side),
    /// Who listens.
    pub to: (&'a TcpStream, Side),
    /// Bytes read, and bytes written.
    pub counts: (&'a AtomicU64, &'a AtomicU64),
}

impl Activity {
    /// Something is said now.
    pub fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    fn touch(&self) {
        *self.0.lock().expect("no holder of this lock panics") = Instant::now();
    }

    /// Waits until nothing has been said for so long.
    pub async fn idle(&self, limit: Duration) {
        loop {
            let last = *self.0.lock().expect("no holder of this lock panics");
            let until = last + limit;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}

impl Way<'_> {
    /// Carries bytes until the speaker has finished, which it passes on. An error is of the side that broke off.
    pub async fn carry(&self, activity: &Activity) -> Result<(), Side> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = read(self.from.0, &mut buffer).await.ok_or(self.from.1)?;
            self.counts.0.fetch_add(count as u64, Ordering::Relaxed);
            if count == 0 {
                let finished = finish(self.to.0);
                return finished.map_err(|_| self.to.1);
            }
            activity.touch();
            let mut rest = &buffer[..count];
            while !rest.is_empty() {
                self.to.0.writable().await.map_err(|_| self.to.1)?;
                match self.to.0.try_write(rest) {
                    Ok(written) => {
                        self.counts.1.fetch_add(written as u64, Ordering::Relaxed);
                        rest = &rest[written..];
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => return Err(self.to.1),
                }
            }
        }
    }
}

/// What comes; 0 when the speaker has finished, none when it broke off.
async fn read(stream: &TcpStream, buffer: &mut [u8]) -> Option<usize> {
    loop {
        stream.readable().await.ok()?;
        match stream.try_read(buffer) {
            Ok(count) => return Some(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
}

/// Waits until a side that has finished breaks off.
pub async fn broken(stream: &TcpStream) {
    // An error of waiting is one of the connection's as well.
    let ready = stream.ready(Interest::ERROR).await;
    tracing::trace!(?ready, "a connection broke off");
}

/// Reads what comes and forgets it, until the speaker has finished or broken off.
pub async fn swallow(stream: &TcpStream, taken: &AtomicU64, activity: &Activity) -> Result<(), ()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match read(stream, &mut buffer).await {
            None => return Err(()),
            Some(0) => return Ok(()),
            Some(count) => {
                taken.fetch_add(count as u64, Ordering::Relaxed);
                activity.touch();
            }
        }
    }
}

/// Sends a FIN.
fn finish(stream: &TcpStream) -> Result<(), Errno> {
    shutdown(stream.as_raw_fd(), Shutdown::Write)
}
