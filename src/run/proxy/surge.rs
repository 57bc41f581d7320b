//! The surge queue of one zonal address: connections of clients that wait for a target.
//!
//! Observed on: AWS Classic Load Balancers (`SurgeQueueLength`, `SpilloverCount`): 1,024 connections may wait, more are
//! closed.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many wait.
#[derive(Debug, Default)]
pub struct Surge(AtomicUsize);

impl Surge {
    /// One more waits; false: the queue is full.
    pub fn enter(&self, most: usize) -> bool {
        let one_more = |waiting: usize| (waiting < most).then_some(waiting + 1);
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more)
            .is_ok()
    }

    /// One fewer waits.
    pub fn leave(&self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
