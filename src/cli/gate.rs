//! When cases begin: so many at a time, and only while the machine keeps up with those that run.

use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

/// Cases at a time for each processor. Most of a case's time is waiting for the kernel's timers.
const JOBS_PER_PROCESSOR: usize = 48;
/// Further ones for each processor, while those that run leave the processors idle.
const MORE_PER_PROCESSOR: usize = 48;

/// A case begins only when a timer of this length is at most as late as it is long: what runs already wants the
/// processors, and stories with timers of their own would be told too slowly.
const BREATH: Duration = Duration::from_millis(10);

/// A further one begins only when that timer is at most so late.
const AT_EASE: Duration = Duration::from_millis(2);

/// After so long it begins all the same, a further one excepted: a machine that is busy with other things stays so.
const PATIENCE: Duration = Duration::from_secs(3);

/// What cases pass before they begin.
#[derive(Debug)]
pub(super) struct Gate {
    places: Arc<Semaphore>,
    usual: usize,
    /// With further ones.
    all: usize,
}

impl Gate {
    /// For at most so many at a time; none: as many as suit the processors.
    pub(super) fn new(jobs: Option<usize>) -> Self {
        let usual = jobs.unwrap_or_else(|| processors() * JOBS_PER_PROCESSOR);
        let more = match jobs {
            Some(_) => 0,
            None => processors() * MORE_PER_PROCESSOR,
        };
        Self {
            places: Arc::new(Semaphore::new(usual + more)),
            usual,
            all: usual + more,
        }
    }

    /// Waits until one more may begin. It is over when what this gives is dropped.
    pub(super) async fn pass(&self) -> OwnedSemaphorePermit {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.expect("the gate is never closed");
        if self.begun() > self.usual {
            idle(|| self.begun() <= self.usual).await;
        } else if self.begun() > 1 {
            breathe().await;
        }
        place
    }

    /// Cases that are not over, with the one that passes now.
    fn begun(&self) -> usize {
        self.all - self.places.available_permits()
    }
}

/// Waits until this machine keeps up with what runs already.
async fn breathe() {
    let until = Instant::now() + PATIENCE;
    loop {
        let began = Instant::now();
        sleep(BREATH).await;
        if began.elapsed() <= BREATH * 2 || Instant::now() >= until {
            return;
        }
    }
}

/// Waits until the processors have nothing to do, or so many cases are over that nobody needs to ask.
async fn idle(over: impl Fn() -> bool) {
    loop {
        let began = Instant::now();
        sleep(BREATH).await;
        if began.elapsed() <= BREATH + AT_EASE || over() {
            return;
        }
    }
}

/// How many this process may use.
pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_further_case_waits_until_nothing_is_late_or_others_are_over() {
        let busy = tokio::spawn(async {
            loop {
                std::thread::sleep(BREATH * 2);
                tokio::task::yield_now().await;
            }
        });
        let looks = Cell::new(0);
        let over = || {
            looks.set(looks.get() + 1);
            looks.get() == 3
        };
        idle(over).await;
        assert_eq!(looks.get(), 3, "every timer was late");
        busy.abort();
        let begins = tokio::time::timeout(LIMIT, idle(|| false));
        begins.await.expect("nobody keeps timers waiting");
    }

    #[tokio::test]
    async fn as_many_pass_as_were_asked_for_and_one_more_when_one_is_over() {
        let gate = Gate::new(Some(2));
        let (one, _other) = (gate.pass().await, gate.pass().await);
        assert_eq!(gate.begun(), 2);
        let third = tokio::time::timeout(BREATH * 5, gate.pass());
        assert!(third.await.is_err(), "there were two at a time");
        drop(one);
        let third = tokio::time::timeout(LIMIT, gate.pass());
        let _third = third.await.expect("one is over");
        assert_eq!(gate.begun(), 2);
    }

    #[tokio::test]
    async fn without_a_number_further_ones_pass_beside_the_usual_ones() {
        let gate = Gate::new(None);
        let usual = Arc::clone(&gate.places).acquire_many_owned(gate.usual as u32);
        let _usual = usual.await.expect("the gate is never closed");
        let further = tokio::time::timeout(LIMIT, gate.pass());
        let _further = further.await.expect("the processors are idle");
        assert!(gate.begun() > gate.usual);
    }
}
