//! The tasks of a case that act on their own (servers, proxies), and whether one of them has something to do.
//!
//! A task has something to do from the moment that it is woken until it waits again. Who looks at a case after its last step
//! must not come between a packet that a task was woken for and what the task makes of it: a count, an answer, an end.

use futures_util::task::AtomicWaker;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use tokio::task::JoinHandle;

/// The tasks of a case.
#[derive(Debug, Default)]
pub struct Tasks {
    /// Those that were woken or have their turn.
    busy: AtomicUsize,
    /// Turns that all of them had so far.
    turns: AtomicU64,
}

impl Tasks {
    /// Begins a task.
    pub fn spawn(
        self: &Arc<Self>,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        tokio::spawn(self.watch(work))
    }

    /// The same work, for whoever runs it.
    pub fn watch<F: Future>(self: &Arc<Self>, work: F) -> Watched<F> {
        self.busy.fetch_add(1, Ordering::SeqCst);
        let wakes = Arc::new(Wakes {
            tasks: Arc::clone(self),
            state: AtomicU8::new(WOKEN),
            task: AtomicWaker::new(),
        });
        Watched {
            work: Box::pin(work),
            waker: Waker::from(Arc::clone(&wakes)),
            wakes,
        }
    }

    /// Another thread does something for a task, until the result is dropped: the task is not woken meanwhile, and has not come
    /// to rest either.
    pub fn lend(self: &Arc<Self>) -> Lent {
        self.busy.fetch_add(1, Ordering::SeqCst);
        Lent(Arc::clone(self))
    }

    /// How many turns they had so far, when all wait. The same number twice: no task did anything in between.
    pub fn at_rest(&self) -> Option<u64> {
        let turns = self.turns.load(Ordering::SeqCst);
        let rest = self.busy.load(Ordering::SeqCst) == 0;
        (rest && self.turns.load(Ordering::SeqCst) == turns).then_some(turns)
    }
}

/// What another thread does; see [`Tasks::lend`].
pub struct Lent(Arc<Tasks>);

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::SeqCst);
    }
}

/// It waits.
const WAITS: u8 = 0;
/// It was woken, and is counted.
const WOKEN: u8 = 1;
/// It is over, whoever still wakes it.
const OVER: u8 = 2;

/// What wakes a task.
struct Wakes {
    tasks: Arc<Tasks>,
    state: AtomicU8,
    /// Whoever runs it.
    task: AtomicWaker,
}

impl Wakes {
    /// It was woken before, and is not any more.
    fn becomes(&self, state: u8) {
        if self.state.swap(state, Ordering::SeqCst) == WOKEN {
            self.tasks.busy.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Counted first: nobody sees it woken and not counted.
        self.tasks.busy.fetch_add(1, Ordering::SeqCst);
        let waited = self
            .state
            .compare_exchange(WAITS, WOKEN, Ordering::SeqCst, Ordering::SeqCst);
        if waited.is_err() {
            self.tasks.busy.fetch_sub(1, Ordering::SeqCst);
        }
        self.task.wake();
    }
}

/// A task's work.
pub struct Watched<F> {
    work: Pin<Box<F>>,
    waker: Waker,
    wakes: Arc<Wakes>,
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let tasks = &this.wakes.tasks;
        this.wakes.task.register(context.waker());
        // Its turn is counted before it stops being one that was woken.
        tasks.busy.fetch_add(1, Ordering::SeqCst);
        this.wakes.becomes(WAITS);
        tasks.turns.fetch_add(1, Ordering::SeqCst);
        let done = this
            .work
            .as_mut()
            .poll(&mut Context::from_waker(&this.waker));
        tasks.busy.fetch_sub(1, Ordering::SeqCst);
        done
    }
}

impl<F> Drop for Watched<F> {
    fn drop(&mut self) {
        self.wakes.becomes(OVER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, poll_fn};
    use std::sync::Mutex;
    use std::task::ready;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn who_was_woken_has_something_to_do_until_it_waits_again() {
        let tasks = Arc::<Tasks>::default();
        assert_eq!(tasks.at_rest(), Some(0));
        let (go, gone) = oneshot::channel::<()>();
        let (seen, inside) = (Arc::clone(&tasks), Arc::new(Mutex::new(None)));
        let noted = Arc::clone(&inside);
        let task = tasks.spawn(async move {
            gone.await.expect("it is sent");
            *noted.lock().expect("nobody panics") = Some(seen.at_rest());
            pending::<()>().await;
        });
        assert_eq!(tasks.at_rest(), None, "it has not begun");
        tokio::task::yield_now().await;
        assert_eq!(tasks.at_rest(), Some(1));
        go.send(()).expect("it waits");
        assert_eq!(tasks.at_rest(), None, "it had no turn yet");
        tokio::task::yield_now().await;
        assert_eq!(tasks.at_rest(), Some(2));
        let during = inside.lock().expect("nobody panics").expect("it went on");
        assert_eq!(during, None, "it had its turn");
        task.abort();
        assert!(task.await.expect_err("it was ended").is_cancelled());
        assert_eq!(tasks.at_rest(), Some(2));
    }

    /// The waker of a future, which is given away.
    async fn waker() -> Waker {
        poll_fn(|context| Poll::Ready(context.waker().clone())).await
    }

    #[tokio::test]
    async fn who_is_over_is_not_woken_and_who_was_woken_twice_is_one() {
        let tasks = Arc::<Tasks>::default();
        let kept = Arc::new(Mutex::new(None));
        let keeps = Arc::clone(&kept);
        let mut work = Box::pin(tasks.watch(async move {
            *keeps.lock().expect("nobody panics") = Some(waker().await);
            pending::<()>().await;
        }));
        let first = poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_pending()));
        assert!(first.await);
        let waker = kept.lock().expect("nobody panics").take().expect("a waker");
        waker.wake_by_ref();
        waker.wake_by_ref();
        assert_eq!(tasks.at_rest(), None);
        drop(work);
        assert_eq!(tasks.at_rest(), Some(1));
        waker.wake();
        assert_eq!(tasks.at_rest(), Some(1));
    }

    #[tokio::test]
    async fn what_another_thread_does_for_a_task_is_something_to_do() {
        let tasks = Arc::<Tasks>::default();
        let lent = tasks.lend();
        assert_eq!(tasks.at_rest(), None);
        drop(lent);
        assert_eq!(tasks.at_rest(), Some(0));
    }

    #[tokio::test]
    async fn what_a_task_comes_to_is_given_on() {
        let tasks = Arc::<Tasks>::default();
        let mut work = Box::pin(tasks.watch(async { 7 }));
        let done = poll_fn(|context| Poll::Ready(ready!(work.as_mut().poll(context))));
        assert_eq!(done.await, 7);
        drop(work);
        assert_eq!(tasks.at_rest(), Some(1));
    }
}
