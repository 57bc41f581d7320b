//! Two clocks read as one moment: the one that only goes forward, by which packets of the network are timed, and the machine's, by
//! which its kernel stamps what devices see.

use std::time::{Duration, Instant, SystemTime};

/// A moment is good enough where no more than this passed between the two readings. They take a tenth of a microsecond.
const NARROW: Duration = Duration::from_micros(10);

/// How often the clocks are read, at most.
const TRIES: usize = 32;

/// This moment by both clocks. A thread may lose its processor between two readings, and packets that devices saw would then come
/// milliseconds before those of the network that they are; of several readings the closest are taken.
pub fn moment() -> (Instant, SystemTime) {
    closest(Instant::now, SystemTime::now)
}

fn closest(
    mut steady: impl FnMut() -> Instant,
    mut machine: impl FnMut() -> SystemTime,
) -> (Instant, SystemTime) {
    let mut read = || {
        let (before, clock) = (steady(), machine());
        let took = steady().saturating_duration_since(before);
        (took, before + took / 2, clock)
    };
    let mut best = read();
    for _ in 1..TRIES {
        if best.0 <= NARROW {
            break;
        }
        let next = read();
        if next.0 < best.0 {
            best = next;
        }
    }
    (best.1, best.2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// What passes between one reading and the next, and how far the two clocks then are apart.
    fn apart(passes: impl Fn(usize) -> Duration) -> Duration {
        let (start, epoch) = (Instant::now(), SystemTime::UNIX_EPOCH);
        let (time, readings) = (Cell::new(Duration::ZERO), Cell::new(0));
        let read = || {
            readings.set(readings.get() + 1);
            time.set(time.get() + passes(readings.get()));
            time.get()
        };
        let (steady, machine) = closest(|| start + read(), || epoch + read());
        let machine = machine.duration_since(epoch).expect("it is later");
        machine.abs_diff(steady.duration_since(start))
    }

    #[test]
    fn a_thread_that_loses_its_processor_reads_the_clocks_again() {
        let us = Duration::from_micros;
        assert_eq!(apart(|_| us(1)), us(0));
        // Between the first two, between the next two, and before it reads any.
        let late = |at: usize| move |reading: usize| us(if reading == at { 3_000 } else { 1 });
        assert_eq!(apart(late(2)), us(0));
        assert_eq!(apart(late(3)), us(0));
        assert_eq!(apart(late(1)), us(0));
    }

    #[test]
    fn where_it_never_goes_fast_the_closest_readings_are_taken() {
        // Of three readings the second is the machine's; once it comes after 20 us, else after 3 ms.
        let slow = |reading: usize| match reading {
            20 => Duration::from_micros(20),
            _ if reading % 3 == 2 => Duration::from_millis(3),
            _ => Duration::ZERO,
        };
        assert_eq!(apart(slow), Duration::from_micros(10));
        let (steady, machine) = moment();
        assert!(machine > SystemTime::UNIX_EPOCH && steady <= Instant::now());
    }
}
