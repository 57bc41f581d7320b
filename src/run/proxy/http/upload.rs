//! The content of a request on its way to a target: whether its client is waited for, and what became of it.
//!
//! Who is slow is told by who is waited for. A target that does not read, or does not answer, keeps nobody waiting for the
//! client, whose content is asked for only as fast as it can be passed on. What nobody has read by the time of the answer is on
//! its way still, and a connection that closes on it is reset (see `client`).

use super::Failure;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::error::Error as _;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

/// What a client sends, and what is known of it.
pub(super) struct Upload {
    content: Incoming,
    progress: Arc<Progress>,
}

/// What is known of a client's content.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// More is to come, and has not.
    awaited: bool,
    /// All of it was read.
    over: bool,
    /// Why no more comes, though more was to.
    broken: Option<Failure>,
}

impl Upload {
    pub(super) fn new(content: Incoming) -> Self {
        let over = content.is_end_stream();
        let state = State {
            over,
            ..State::default()
        };
        let progress = Arc::new(Progress(Mutex::new(state)));
        Self { content, progress }
    }

    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }
}

impl Progress {
    /// True while all that came is passed on, and more is to come.
    pub(super) fn awaits(&self) -> bool {
        self.state().awaited
    }

    /// True once all of it was read: what comes then is another request.
    pub(super) fn is_over(&self) -> bool {
        self.state().over
    }

    /// What was wrong with it.
    pub(super) fn broken(&self) -> Option<Failure> {
        self.state().broken
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.content).poll_frame(cx);
        let ended = self.content.is_end_stream();
        let mut state = self.progress.state();
        state.awaited = polled.is_pending();
        state.over |= ended || matches!(polled, Poll::Ready(None));
        if let Poll::Ready(Some(Err(error))) = &polled {
            state.broken = Some(match is_nonsense(error) {
                true => Failure::Malformed,
                false => Failure::CutShort,
            });
        }
        drop(state);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}

/// True when what came is no content as HTTP has it.
pub(super) fn is_nonsense(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    let unreadable = |error: &io::Error| {
        let kind = error.kind();
        kind == ErrorKind::InvalidData || kind == ErrorKind::InvalidInput
    };
    cause.is_some_and(unreadable)
}
