//! How late this machine wakes a thread up: the yardstick for every expectation on time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
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
        windows()
            .lock()
            .expect("no holder of this lock panics")
            .push(Arc::downgrade(&worst_us));
        Self { worst_us }
    }

    /// The worst lateness so far.
    pub fn worst(&self) -> Duration {
        Duration::from_micros(self.worst_us.load(Ordering::Relaxed))
    }
}

type Windows = Mutex<Vec<std::sync::Weak<AtomicU64>>>;

fn windows() -> &'static Windows {
    static WINDOWS: OnceLock<Windows> = OnceLock::new();
    WINDOWS.get_or_init(|| {
        let started = std::thread::Builder::new()
            .name("lag".to_owned())
            .spawn(sample);
        if let Err(error) = started {
            tracing::warn!(%error, "no thread to watch the machine's lateness");
        }
        Mutex::new(Vec::new())
    })
}

fn sample() {
    super::patience::ask_for_short_slices();
    loop {
        let before = Instant::now();
        // A timer is what is measured here; nothing waits for it.
        std::thread::park_timeout(TICK);
        let late = before.elapsed().saturating_sub(TICK).as_micros() as u64;
        windows()
            .lock()
            .expect("no holder of this lock panics")
            .retain(|window| match window.upgrade() {
                Some(worst) => {
                    worst.fetch_max(late, Ordering::Relaxed);
                    true
                }
                None => false,
            });
    }
}
