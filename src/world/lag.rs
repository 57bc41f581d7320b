//! How late this machine wakes up a thread, and a task of the runtime: the yardstick for every expectation on time.
//!
//! Both are asked, for they are late for different reasons. The thread asks for short slices as the fabric's does, so it is
//! back on a processor soon where many threads want one. Clients and servers of labs are tasks, which wait for each other
//! besides: where each of two thousand does a little, none of the machine's timers is late, and a server reads a second later.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::thread::Thread;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How often a thread's lateness is sampled.
const TICK: Duration = Duration::from_millis(1);

/// How often a task's is.
const TASK_TICK: Duration = Duration::from_millis(10);

/// The runtime's timers go by milliseconds, and by as many more as its wait for events is rounded up to.
const TASK_ROUNDING: Duration = Duration::from_millis(2);

/// Watches one stretch of time.
#[derive(Debug)]
pub struct Window {
    worst_us: Arc<AtomicU64>,
}

impl Window {
    /// Starts watching. The first call of a process starts the sampling thread.
    pub fn open() -> Self {
        let worst_us = Arc::new(AtomicU64::new(0));
        let sampler = windows();
        sampler.list().push(Arc::downgrade(&worst_us));
        if let Some(thread) = &sampler.thread {
            thread.unpark();
        }
        sampler.opened.notify_one();
        Self { worst_us }
    }

    /// The worst lateness so far.
    pub fn worst(&self) -> Duration {
        Duration::from_micros(self.worst_us.load(Ordering::Relaxed))
    }
}

/// Samples tasks' lateness for all windows, for as long as the runtime that runs it: one for each process.
pub async fn sample_tasks() {
    let sampler = windows();
    loop {
        while sampler.list().is_empty() {
            sampler.opened.notified().await;
        }
        let before = Instant::now();
        tokio::time::sleep(TASK_TICK).await;
        sampler.note(before.elapsed().saturating_sub(TASK_TICK + TASK_ROUNDING));
    }
}

/// Who samples, and for whom.
struct Sampler {
    list: Mutex<Vec<Weak<AtomicU64>>>,
    thread: Option<Thread>,
    /// For the task, when there is a window again.
    opened: Notify,
}

impl Sampler {
    fn list(&self) -> MutexGuard<'_, Vec<Weak<AtomicU64>>> {
        self.list.lock().expect("no holder of this lock panics")
    }

    /// Puts down how late somebody was.
    fn note(&self, late: Duration) {
        let late = late.as_micros() as u64;
        self.list().retain(|window| match window.upgrade() {
            Some(worst) => {
                worst.fetch_max(late, Ordering::Relaxed);
                true
            }
            None => false,
        });
    }
}

fn windows() -> &'static Sampler {
    static WINDOWS: OnceLock<Sampler> = OnceLock::new();
    WINDOWS.get_or_init(|| {
        let started = std::thread::Builder::new()
            .name("lag".to_owned())
            .spawn(sample);
        if let Err(error) = &started {
            tracing::warn!(%error, "no thread to watch the machine's lateness");
        }
        Sampler {
            list: Mutex::default(),
            thread: started.ok().map(|handle| handle.thread().clone()),
            opened: Notify::new(),
        }
    })
}

fn sample() {
    super::patience::ask_for_short_slices();
    loop {
        // Nobody watches: a lab that stays up and is left alone costs nothing.
        while windows().list().is_empty() {
            std::thread::park();
        }
        let before = Instant::now();
        // A timer is what is measured here; nothing waits for it.
        std::thread::park_timeout(TICK);
        windows().note(before.elapsed().saturating_sub(TICK));
    }
}
