//! Whether this machine has room for a case: descriptors, sockets, memory, neighbours. Reckoned before anything is built.

use super::departed::Departure;
use crate::plan::Plan;
use crate::run::need::Need;
use crate::run::{Cancel, Sockets};
use crate::units::Bytes;
use crate::world::{Error, annex};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory that one end of a connection takes, bytes: the kernel's socket, the program's, half of its evidence.
const END: u64 = 16 * 1024;

/// Cases may have one in so many of the places for neighbours: a world's last a while longer than it does.
const NEIGHBOURS: usize = 2;
/// Where the kernel does not tell how many there are, as in namespaces: its default.
const DEFAULT_NEIGHBOURS: usize = 1024;

/// Room that all cases share.
#[derive(Debug)]
pub struct Room {
    table: usize,
    /// Memory in the beginning, bytes; none when the kernel does not say.
    memory: Option<u64>,
    here: Arc<Semaphore>,
    seats: Arc<Semaphore>,
    neighbours: Arc<Semaphore>,
    /// All places for neighbours.
    all_neighbours: usize,
    /// Worlds whose cases are over.
    pub(super) departure: Departure<Part>,
}

/// A case's part of the room, until it is dropped.
#[derive(Debug)]
pub struct Part {
    /// Where its loads have their sockets.
    pub sockets: Sockets,
    _here: OwnedSemaphorePermit,
    _seats: OwnedSemaphorePermit,
    _neighbours: OwnedSemaphorePermit,
}

impl Room {
    /// Makes room for each of these plans, one at a time if need be.
    ///
    /// # Errors
    /// When the machine refuses an annex.
    pub fn new<'a>(plans: impl ExactSizeIterator<Item = &'a Plan>) -> Result<Self, Error> {
        let runs = plans.len();
        Self::for_runs(plans, runs)
    }

    /// The same where they are run so many times in all.
    ///
    /// # Errors
    /// As [`Room::new`].
    pub fn for_runs<'a>(plans: impl Iterator<Item = &'a Plan>, runs: usize) -> Result<Self, Error> {
        Self::of(plans, runs, annex::room(), available_memory())
    }

    /// The same where a table has room for so many descriptors.
    fn of<'a>(
        plans: impl Iterator<Item = &'a Plan>,
        runs: usize,
        table: usize,
        memory: Option<u64>,
    ) -> Result<Self, Error> {
        let departure = Departure::new(runs, memory);
        let fit = plans.filter(|plan| lack(plan, table, memory).is_none());
        let most = fit.map(|plan| Need::of(plan, table).seats).max();
        let annexes = most.unwrap_or(0).div_ceil(table.max(1));
        if annexes > 0 {
            annex::open_all(annexes)?;
        }
        let all_neighbours = (places_for_neighbours() / NEIGHBOURS).max(1);
        Ok(Self {
            table,
            memory,
            here: Arc::new(Semaphore::new(table)),
            seats: Arc::new(Semaphore::new(annexes * table)),
            neighbours: Arc::new(Semaphore::new(all_neighbours)),
            all_neighbours,
            departure,
        })
    }

    /// Waits until there is room for a case. None when the user asked to stop.
    ///
    /// # Errors
    /// What the machine lacks for it at all.
    pub async fn take(&self, plan: &Plan, cancel: &mut Cancel) -> Result<Option<Part>, Error> {
        // No more than in the beginning: nobody made seats for what did not fit then.
        let memory = [self.memory, available_memory()];
        if let Some(lack) = lack(plan, self.table, memory.into_iter().flatten().min()) {
            return Err(lack);
        }
        let mut need = Need::of(plan, self.table);
        // Who needs more has all of them to itself.
        need.neighbours = need.neighbours.min(self.all_neighbours);
        let permits = |of: &Arc<Semaphore>, count: usize| {
            let count = u32::try_from(count).expect("a plan has no four thousand million sockets");
            Arc::clone(of).acquire_many_owned(count)
        };
        let _waiting = self.departure.wait();
        let has = |of: &Semaphore, count| of.available_permits() >= count;
        if !has(&self.here, need.here)
            || !has(&self.seats, need.seats)
            || !has(&self.neighbours, need.neighbours)
        {
            self.departure.clear();
        }
        let all = async {
            let here = permits(&self.here, need.here).await;
            let seats = permits(&self.seats, need.seats).await;
            (
                here,
                seats,
                permits(&self.neighbours, need.neighbours).await,
            )
        };
        let (here, seats, neighbours) = tokio::select! {
            all = all => all,
            _ = cancel.wait_for(|cancelled| *cancelled) => return Ok(None),
        };
        Ok(Some(Part {
            sockets: match need.seats {
                0 => Sockets::Here,
                _ => Sockets::Annexed,
            },
            _here: here.expect("the room is never closed"),
            _seats: seats.expect("the room is never closed"),
            _neighbours: neighbours.expect("the room is never closed"),
        }))
    }
}

/// What this machine lacks for a case, with the remedy; none when it can run. `memory`: bytes to be had, if that is known.
fn lack(plan: &Plan, table: usize, memory: Option<u64>) -> Option<Error> {
    let need = Need::of(plan, table);
    if need.here > table {
        let short = format!("{} are needed, {table} are to be had", need.here);
        return Some(
            Error::other("keep the descriptors of hosts and proxies", short)
                .hint("raise the hard limit (`ulimit -Hn`), or use fewer hosts or connections"),
        );
    }
    let wanted = need.seats as u64 * END;
    let available = memory?;
    (wanted > available).then(|| {
        let short = format!(
            "about {} are needed, {} are available",
            Bytes(wanted),
            Bytes(available)
        );
        Error::other(format!("keep {} sockets in memory", need.seats), short)
            .hint("use a machine with more memory, or fewer connections")
    })
}

/// Neighbours that the kernel has room for, in all namespaces together (`gc_thresh3` in its ip-sysctl.rst).
fn places_for_neighbours() -> usize {
    std::fs::read_to_string("/proc/sys/net/ipv4/neigh/default/gc_thresh3")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(DEFAULT_NEIGHBOURS)
}

/// Memory that programs may still take, bytes; none when the kernel does not say.
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::sync::watch;

    #[tokio::test]
    async fn what_did_not_fit_in_the_beginning_does_not_wait_for_seats_that_nobody_made() {
        let text = "title: t\nhosts:\n  client: {}\n  web: { serve: { 80: echo } }\nsteps:\n  - load: { as: one, from: client, to: web, \
                    connections: 500, hold: true }\nworks: [one.ok]\ncases:\n  only: { kind: control }\n";
        let plans = crate::plan::read(text.as_bytes(), "t/t.yaml").expect("a good lab");
        let room = Room::of(plans.iter(), 1, 1000, Some(END)).expect("no annex is needed");
        let (_stop, mut cancel) = watch::channel(false);
        let taken = tokio::time::timeout(Duration::from_secs(5), room.take(&plans[0], &mut cancel));
        let taken = taken.await.expect("it waits for nothing");
        let lack = taken.expect_err("there is memory for one end of a connection");
        assert_eq!(lack.operation, "keep 1000 sockets in memory");
    }

    #[tokio::test]
    async fn cases_with_many_neighbours_have_them_one_after_the_other() {
        let text = "title: t\nhosts:\n  router: {}\n  a: { behind: router, count: 200 }\n  web: { serve: { 80: echo } }\nsteps:\n  - connect: { as: one, \
                    from: a-1, to: web }\nworks: [one.ok]\ncases:\n  only: { kind: control }\n";
        let plans = crate::plan::read(text.as_bytes(), "t/t.yaml").expect("a good lab");
        let room = Room::of(plans.iter(), 2, 4096, None).expect("no annex is needed");
        let (_stop, mut cancel) = watch::channel(false);
        let first = room
            .take(&plans[0], &mut cancel)
            .await
            .expect("there is room");
        let limit = Duration::from_millis(50);
        let waits = tokio::time::timeout(limit, room.take(&plans[0], &mut cancel)).await;
        assert!(waits.is_err(), "the first has most places");
        drop(first);
        let second = room.take(&plans[0], &mut cancel);
        let second = tokio::time::timeout(Duration::from_secs(5), second).await;
        assert!(second.expect("there is room again").is_ok());
    }
}
