//! How late this machine wakes a thread up: the yardstick for every expectation on time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How often lateness is sampled.
const TICK: Duration = Duration::from_millis(1);

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
        Self { worst_us }
    }

    /// The worst lateness so far.
    pub fn worst(&self) -> Duration {
        Duration::from_micros(self.worst_us.load(Ordering::Relaxed))
    }
}

/// The thread that samples, and for whom.
struct Sampler {
    list: Mutex<Vec<Weak<AtomicU64>>>,
    thread: Option<Thread>,
}

impl Sampler {
    fn list(&self) -> MutexGuard<'_, Vec<Weak<AtomicU64>>> {
        self.list.lock().expect("no holder of this lock panics")
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
        let late = before.elapsed().saturating_sub(TICK).as_micros() as u64;
        windows().list().retain(|window| match window.upgrade() {
            Some(worst) => {
                worst.fetch_max(late, Ordering::Relaxed);
                true
            }
            None => false,
        });
    }
}
