//! One run of a host's servers: frozen as one, and ended by a reload, which begins another one beside it.
//!
//! What the servers of all runs are told together is an `Order`. Not here: what listens and serves (`streams`).

use crate::spec::Handover;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

/// A run of the servers.
#[derive(Debug, Default)]
pub(super) struct Life {
    /// Neither accept, nor read, nor answer.
    frozen: watch::Sender<bool>,
    /// What it is to do with its listening sockets, since there is another; none: listen.
    leaving: watch::Sender<Option<Leave>>,
    /// Listening sockets that it has.
    listeners: AtomicUsize,
}

/// How a run ends.
#[derive(Clone, Debug)]
pub(super) enum Leave {
    /// Listening sockets are closed.
    Close,
    /// They are closed when nothing waits there.
    Drain,
    /// They are another's now.
    Pass(Arc<Life>),
}

impl Leave {
    pub(super) fn of(handover: Handover, to: &Arc<Life>) -> Self {
        match handover {
            Handover::Close => Self::Close,
            Handover::Drain => Self::Drain,
            Handover::Pass => Self::Pass(Arc::clone(to)),
        }
    }
}

impl Life {
    pub(super) fn freeze(&self, frozen: bool) {
        self.frozen.send_replace(frozen);
    }

    /// One more listening socket, or one fewer.
    pub(super) fn has(&self, one_more: bool) {
        match one_more {
            true => self.listeners.fetch_add(1, Ordering::AcqRel),
            false => self.listeners.fetch_sub(1, Ordering::AcqRel),
        };
    }

    pub(super) fn leave(&self, how: Leave) {
        self.leaving.send_replace(Some(how));
    }

    /// True when it has given its listening sockets away, or cannot, since it is frozen.
    pub(super) fn has_left(&self) -> bool {
        self.listeners.load(Ordering::Acquire) == 0 || *self.frozen.borrow()
    }

    /// Waits until it is told to leave, and has heard of it: who is frozen hears nothing. What is passed on is another's at
    /// once, whatever the old owner does.
    pub(super) async fn told_to_leave(&self) -> Leave {
        let mut leaving = self.leaving.subscribe();
        let told = leaving.wait_for(Option::is_some).await;
        let told = told.ok().and_then(|told| told.clone());
        if let Some(Leave::Pass(to)) = told {
            return Leave::Pass(to);
        }
        let mut frozen = self.frozen.subscribe();
        let awake = frozen.wait_for(|frozen| !*frozen).await;
        drop(awake);
        told.unwrap_or(Leave::Close)
    }

    /// Does something, but nothing of it while it is frozen.
    pub(super) async fn unfrozen<T>(&self, work: impl Future<Output = T>) -> T {
        unfrozen(self.frozen.subscribe(), work).await
    }
}

/// Does something, but nothing of it while they are frozen. Nobody is left who could freeze them: it is done.
async fn unfrozen<T>(mut frozen: watch::Receiver<bool>, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let done = loop {
        tokio::select! {
            biased;
            stopped = frozen.wait_for(|frozen| *frozen) => if stopped.is_err() { break None },
            done = &mut work => break Some(done),
        }
        if frozen.wait_for(|frozen| !*frozen).await.is_err() {
            break None;
        }
    };
    let Some(done) = done else {
        return work.await;
    };
    // What was done at the very moment they froze has no consequences before they go on.
    let thawed = frozen.wait_for(|frozen| !*frozen).await.is_ok();
    tracing::trace!(thawed, "done");
    done
}

#[cfg(test)]
mod tests {
    use super::unfrozen;
    use std::time::Duration;
    use tokio::sync::watch;
    use tokio::time::timeout;

    #[tokio::test]
    async fn what_is_done_at_the_moment_of_freezing_has_to_wait() {
        let (frozen, seen) = watch::channel(false);
        let mut done = Box::pin(unfrozen(seen, async { frozen.send_replace(true) }));
        let early = timeout(Duration::from_millis(20), &mut done).await;
        assert!(early.is_err(), "it went on though frozen");
        frozen.send_replace(false);
        let late = timeout(Duration::from_secs(5), done).await;
        assert_eq!(late.ok(), Some(false));
    }

    #[tokio::test]
    async fn what_nobody_can_freeze_is_done() {
        let (frozen, seen) = watch::channel(true);
        drop(frozen);
        assert_eq!(unfrozen(seen, async { 7 }).await, 7);
    }
}
