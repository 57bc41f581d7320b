//! Whether a connection is idle: when its last byte went by, and whether something is under way on it.
//!
//! Probes of TCP keepalive are no bytes, so they do not count (as AWS documents).

use super::meter::Meter;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

/// A connection's state, shared by those who use it and the one who closes it.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    last: Instant,
    /// A request is under way: its own limit counts.
    busy: bool,
    /// It was found idle: nobody begins anything any more.
    over: bool,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            last: Instant::now(),
            busy: false,
            over: false,
        })))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// A request begins. False: too late.
    pub(super) fn begin(&self) -> bool {
        let mut state = self.state();
        (state.busy, state.last) = (true, Instant::now());
        !state.over
    }

    /// It is over, and the connection idle from now on.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.busy = false;
        state.last = Instant::now();
    }

    fn touch(&self) {
        self.state().last = Instant::now();
    }

    /// Ends once the connection was idle for so long. From then on it is over.
    pub(super) async fn idle(&self, limit: Duration) {
        loop {
            let due = {
                let mut state = self.state();
                let now = Instant::now();
                if state.busy {
                    now + limit
                } else if state.last + limit <= now {
                    state.over = true;
                    return;
                } else {
                    state.last + limit
                }
            };
            sleep_until(due).await;
        }
    }

    /// Ends once no byte has gone by for so long, whatever is under way.
    pub(super) async fn silent(&self, limit: Duration) {
        loop {
            let due = self.state().last + limit;
            if due <= Instant::now() {
                return;
            }
            sleep_until(due).await;
        }
    }
}

/// A connection whose bytes are noted.
pub(super) struct Noted<T> {
    pub(super) stream: T,
    pub(super) activity: Arc<Activity>,
    pub(super) meter: Arc<Meter>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Noted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.activity.touch();
        self.meter.read((buffer.filled().len() - before) as u64);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Noted<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.activity.touch();
        self.meter.wrote(count as u64);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
