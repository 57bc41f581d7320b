//! Worlds whose cases are over, until nobody is kept waiting by their end.
//!
//! The kernel takes a device down under the lock that every new one needs, and waits for a grace period with the lock held,
//! twice for each TUN: a case that is built meanwhile waits for hundreds of them. So worlds stay as they are while cases are
//! still to come, as far as memory and descriptors go. Whoever holds them ends, and they end.

use crate::world::World;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// Memory of the kernel for one namespace with its device, bytes (measured: 450 kB).
const NAMESPACE: usize = 512 * 1024;
/// Of the fabric for one packet in its books, bytes, at most.
const PACKET: usize = 136;
/// All of them may take one part in so many of the memory that is available in the beginning ...
const SHARE: u64 = 8;
/// ... and so many bytes: once they go, they go one after the other.
const MOST: usize = 1 << 30;

/// A world that nobody looks at any more, with its part of what all share.
#[derive(Debug)]
struct Departed<P> {
    /// Memory that it takes, bytes.
    size: usize,
    _world: Arc<World>,
    _part: P,
}

/// All of them. `P`: what each keeps as long as it stays.
#[derive(Debug)]
pub(super) struct Departure<P> {
    list: Mutex<Vec<Departed<P>>>,
    /// Memory that they may take, bytes.
    most: usize,
    /// Cases that are to be built yet.
    to_come: AtomicUsize,
    /// Cases that wait for room.
    waiting: AtomicUsize,
}

impl<P: Send + 'static> Departure<P> {
    /// Of none yet. `memory`: what is available, bytes; none when that is not known.
    pub(super) fn new(to_come: usize, memory: Option<u64>) -> Self {
        let share = memory.unwrap_or(0) / SHARE;
        Self {
            list: Mutex::default(),
            most: usize::try_from(share).map_or(MOST, |share| share.min(MOST)),
            to_come: AtomicUsize::new(to_come),
            waiting: AtomicUsize::new(0),
        }
    }

    /// One case less is to be built. After the last one all go, and those that end later at once.
    pub(super) fn built(&self) {
        let less = |count: usize| count.checked_sub(1);
        let before = self
            .to_come
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        if before == Ok(1) {
            self.clear();
        }
    }

    /// Takes a world whose case is over, with so many packets in its books. Who observed it ends at once: left to the end,
    /// all of them would end one after the other, in the process's exit.
    pub(super) fn add(&self, world: Arc<World>, packets: usize, part: P) {
        world.stop_observing();
        let held = {
            let mut list = self.list();
            list.push(Departed {
                size: world.namespaces() * NAMESPACE + packets * PACKET,
                _world: world,
                _part: part,
            });
            list.iter().map(|departed| departed.size).sum()
        };
        if self.is_in_the_way(held) {
            self.clear();
        }
    }

    fn is_in_the_way(&self, held: usize) -> bool {
        held > self.most
            || self.to_come.load(Ordering::Acquire) == 0
            || self.waiting.load(Ordering::Acquire) > 0
    }

    /// Somebody waits for room as long as it keeps this; whoever ends meanwhile goes at once.
    pub(super) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        Waiting(&self.waiting)
    }

    /// Lets all go. Nobody waits for it: a thousand threads and devices take some seconds to go.
    pub(super) fn clear(&self) {
        let all = std::mem::take(&mut *self.list());
        if !all.is_empty() {
            tokio::task::spawn_blocking(move || drop(all));
        }
    }

    fn list(&self) -> MutexGuard<'_, Vec<Departed<P>>> {
        self.list.lock().expect("no holder of this lock panics")
    }
}

/// See [`Departure::wait`].
pub(super) struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worlds_stay_while_cases_are_to_come_and_there_is_room() {
        let departure = Departure::<()>::new(2, Some(SHARE * 10));
        assert!(!departure.is_in_the_way(10));
        assert!(departure.is_in_the_way(11), "memory");
        departure.built();
        let waiting = departure.wait();
        assert!(departure.is_in_the_way(1), "somebody waits for room");
        drop(waiting);
        assert!(!departure.is_in_the_way(10));
        departure.built();
        assert!(departure.is_in_the_way(1), "nobody is to come");
        departure.built();
        assert!(departure.is_in_the_way(1), "one that is run again");
    }

    #[test]
    fn where_memory_is_not_known_none_stay() {
        assert!(Departure::<()>::new(2, None).is_in_the_way(1));
        assert_eq!(Departure::<()>::new(2, Some(u64::MAX)).most, MOST);
    }
}
