//! One run of a host's servers: frozen as one, and ended by a reload, which begins another one beside it.
//!
//! What the servers of all runs are told together is an `Order`. Not here: what listens and serves (`streams`).

use crate::spec::Handover;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
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

    /// Does something, but nothing of it while it is frozen, or once it is told to leave, whatever it hears of first.
    pub(super) async fn staying<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let step = poll_fn(|context| match self.leaving.borrow().is_some() {
            true => Poll::Pending,
            false => work.as_mut().poll(context),
        });
        self.unfrozen(step).await
    }

    /// Does something, but nothing of it while it is frozen.
    pub(super) async fn unfrozen<T>(&self, work: impl Future<Output = T>) -> T {
        unfrozen(self.frozen.subscribe(), work).await
    }
}

/// Does something, but nothing of it while they are frozen. Each step of it is taken under the channel's lock, so that who
/// freezes them waits until it is over: nothing begins behind that. Nobody is left who could freeze them: it is done.
async fn unfrozen<T>(mut frozen: watch::Receiver<bool>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let lock = frozen.clone();
    let done = loop {
        let step = poll_fn(|context| match *lock.borrow() {
            true => Poll::Pending,
            false => work.as_mut().poll(context),
        });
        tokio::select! {
            biased;
            stopped = frozen.wait_for(|frozen| *frozen) => if stopped.is_err() { break None },
            done = step => break Some(done),
        }
        if frozen.wait_for(|frozen| !*frozen).await.is_err() {
            break None;
        }
    };
    let Some(done) = done else {
        return work.await;
    };
    // What was done just before they froze has no consequences before they go on.
    let thawed = frozen.wait_for(|frozen| !*frozen).await.is_ok();
    tracing::trace!(thawed, "done");
    done
}

#[cfg(test)]
mod tests {
    use super::unfrozen;
    use std::sync::mpsc::channel;
    use std::thread::spawn;
    use std::time::Duration;
    use tokio::runtime::Builder;
    use tokio::sync::watch;

    const SOON: Duration = Duration::from_millis(20);
    const LIMIT: Duration = Duration::from_secs(5);

    #[test]
    fn who_freezes_waits_for_what_has_begun_and_nothing_begins_behind() {
        let runtime = || Builder::new_current_thread().build().expect("a runtime");
        let (sender, seen) = watch::channel(false);
        let (begins, begun) = channel();
        let (go, gone) = channel();
        let work = async move {
            begins.send(()).expect("somebody listens");
            gone.recv().expect("somebody sends");
        };
        let late = seen.clone();
        let working = spawn(move || runtime().block_on(unfrozen(seen, work)));
        begun.recv_timeout(LIMIT).expect("it begins");
        let (freezes, frozen) = channel();
        let freezing = spawn(move || {
            sender.send_replace(true);
            freezes.send(sender).expect("somebody listens");
        });
        assert!(frozen.recv_timeout(SOON).is_err(), "it did not wait");
        go.send(()).expect("it waits for this");
        let sender = frozen.recv_timeout(LIMIT).expect("nothing goes on");

        let (does, done) = channel();
        let another = async move { does.send(()).expect("somebody listens") };
        let waiting = spawn(move || runtime().block_on(unfrozen(late, another)));
        assert!(done.recv_timeout(SOON).is_err(), "it began though frozen");
        sender.send_replace(false);
        done.recv_timeout(LIMIT).expect("it goes on");
        for thread in [working, freezing, waiting] {
            thread.join().expect("nothing panicked");
        }
    }

    #[tokio::test]
    async fn what_nobody_can_freeze_is_done() {
        let (frozen, seen) = watch::channel(true);
        drop(frozen);
        assert_eq!(unfrozen(seen, async { 7 }).await, 7);
    }
}
