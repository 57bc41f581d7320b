//! Whether a connection is idle: when its last byte went by, and whether something is under way on it.
//!
//! Probes of TCP keepalive are no bytes, so they do not count (as AWS documents).

use super::answer::Body;
use super::meter::Meter;
use crate::run::proxy::relay::Side;
use hyper::body::{Bytes, Frame, SizeHint};
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
    /// Part of an answer is still to come from its target.
    answering: bool,
    /// What was to be written last found no room.
    full: bool,
    /// An answer is there that is not written to its end.
    owed: bool,
    /// It was found idle: nobody begins anything any more.
    over: bool,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            last: Instant::now(),
            busy: false,
            answering: false,
            full: false,
            owed: false,
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

    /// True when nobody has anything to say: no request is under way, and no answer.
    fn is_unasked(&self) -> bool {
        let state = self.state();
        !state.busy && !state.owed
    }

    /// True in the middle of an answer: its rest has not come, or its client does not read it.
    pub(super) fn is_answering(&self) -> bool {
        let state = self.state();
        state.answering || state.full
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

/// The content of an answer on its way to a client, whose connection is in the middle of an answer until this is over.
pub(super) struct Answering {
    content: Body,
    activity: Arc<Activity>,
}

impl Answering {
    pub(super) fn new(content: Body, activity: Arc<Activity>) -> Self {
        let mut state = activity.state();
        (state.answering, state.owed) = (true, true);
        drop(state);
        Self { content, activity }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.activity.state().answering = false;
    }
}

impl hyper::body::Body for Answering {
    type Data = Bytes;
    type Error = <Body as hyper::body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.content).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}

/// A connection whose bytes are noted. What the library that speaks HTTP says by itself to a client whose request it cannot read is
/// left out, and so is the end that follows: the proxy says it in its own words. It cannot be told from an answer before it that the
/// client has not taken yet, and passes with that.
pub(super) struct Noted<T> {
    pub(super) stream: T,
    pub(super) activity: Arc<Activity>,
    pub(super) meter: Arc<Meter>,
    /// Something was left out.
    pub(super) unsaid: bool,
}

impl<T> Noted<T> {
    pub(super) fn new(stream: T, activity: &Arc<Activity>, meter: &Arc<Meter>) -> Self {
        Self {
            stream,
            activity: Arc::clone(activity),
            meter: Arc::clone(meter),
            unsaid: false,
        }
    }
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
        if self.meter.side() == Side::Client && self.activity.is_unasked() {
            self.unsaid = true;
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.activity.state().full = written.is_pending();
        let count = ready!(written)?;
        self.activity.touch();
        self.meter.wrote(count as u64);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS takes more than it gets rid of.
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.activity.state().full = flushed.is_pending();
        ready!(flushed)?;
        let mut state = self.activity.state();
        state.owed &= state.answering;
        drop(state);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unsaid {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
