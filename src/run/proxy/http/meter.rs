//! Whose bytes go by on a connection: a client's requests may go to several targets, and a connection to a target serves
//! many clients by turns.

use crate::run::proxy::journal::Bytes;
use crate::run::proxy::relay::Side;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Counts the bytes of one connection, for one pair of connections at a time.
#[derive(Debug)]
pub(super) struct Meter {
    /// Who is at the other end.
    side: Side,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// For whom it counts.
    pair: Option<Arc<Bytes>>,
    /// Between two requests: what is read then belongs to the next one.
    between: bool,
    /// Read of a request whose pair is not known yet.
    unclaimed: u64,
    /// Read of this request and counted for its pair.
    claimed: u64,
}

impl Meter {
    /// Of a connection with such an end.
    pub(super) fn new(side: Side) -> Arc<Self> {
        Arc::new(Self {
            side,
            state: Mutex::default(),
        })
    }

    /// Who is at the other end.
    pub(super) fn side(&self) -> Side {
        self.side
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    fn taken<'a>(&self, pair: &'a Bytes) -> &'a AtomicU64 {
        match self.side {
            Side::Client => &pair.from_client,
            Side::Target => &pair.from_target,
        }
    }

    /// A request begins, whose pair is not known yet.
    pub(super) fn begin(&self) {
        let mut state = self.state();
        (state.pair, state.between, state.claimed) = (None, false, 0);
    }

    /// It has its answer, which is still to be written.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.between = true;
        if state.pair.is_none() {
            state.unclaimed = 0;
        }
    }

    /// This request is of that pair. It may have been thought of another: what could not be sent there goes elsewhere.
    pub(super) fn count_for(&self, pair: &Arc<Bytes>) {
        let mut state = self.state();
        if let Some(before) = &state.pair {
            self.taken(before)
                .fetch_sub(state.claimed, Ordering::Relaxed);
        }
        state.claimed += std::mem::take(&mut state.unclaimed);
        self.taken(pair).fetch_add(state.claimed, Ordering::Relaxed);
        state.pair = Some(Arc::clone(pair));
    }

    /// So many bytes came.
    pub(super) fn read(&self, count: u64) {
        let mut state = self.state();
        match &state.pair {
            Some(pair) if !state.between => {
                self.taken(pair).fetch_add(count, Ordering::Relaxed);
                state.claimed += count;
            }
            Some(_) | None => state.unclaimed += count,
        }
    }

    /// So many bytes were given to the kernel.
    pub(super) fn wrote(&self, count: u64) {
        let state = self.state();
        if let Some(pair) = &state.pair {
            let given = match self.side {
                Side::Client => &pair.to_client,
                Side::Target => &pair.to_target,
            };
            given.fetch_add(count, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pair: &Bytes) -> (u64, u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&pair.from_client), of(&pair.to_client))
    }

    #[test]
    fn what_was_read_before_the_choice_is_of_the_pair_chosen() {
        let meter = Meter::new(Side::Client);
        let (one, other) = (Arc::<Bytes>::default(), Arc::<Bytes>::default());
        meter.read(50);
        meter.begin();
        meter.count_for(&one);
        meter.read(7);
        meter.end();
        meter.wrote(100);
        meter.read(40);
        meter.begin();
        meter.count_for(&other);
        meter.end();
        meter.wrote(90);
        assert_eq!((counts(&one), counts(&other)), ((57, 100), (40, 90)));
    }

    #[test]
    fn a_request_that_moves_takes_its_bytes_along() {
        let meter = Meter::new(Side::Client);
        let (one, other) = (Arc::<Bytes>::default(), Arc::<Bytes>::default());
        meter.read(50);
        meter.begin();
        meter.count_for(&one);
        meter.count_for(&other);
        assert_eq!((counts(&one), counts(&other)), ((0, 0), (50, 0)));
    }

    #[test]
    fn what_the_balancer_answers_itself_is_nobodys() {
        let meter = Meter::new(Side::Client);
        let one = Arc::<Bytes>::default();
        meter.read(50);
        meter.begin();
        meter.end();
        meter.wrote(200);
        meter.read(30);
        meter.begin();
        meter.count_for(&one);
        assert_eq!(counts(&one), (30, 0));
    }
}
