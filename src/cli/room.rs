//! Whether this machine has room for a case: descriptors, sockets, memory. Reckoned before anything is built.

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

/// Room that all cases share.
#[derive(Debug)]
pub struct Room {
    table: usize,
    here: Arc<Semaphore>,
    seats: Arc<Semaphore>,
    /// Worlds whose cases are over.
    pub(super) departure: Departure,
}

/// A case's part of the room, until it is dropped.
#[derive(Debug)]
pub struct Part {
    /// Where its loads have their sockets.
    pub sockets: Sockets,
    _here: OwnedSemaphorePermit,
    _seats: OwnedSemaphorePermit,
}

impl Room {
    /// Makes room for each of these plans, one at a time if need be.
    ///
    /// # Errors
    /// When the machine refuses an annex.
    pub fn new<'a>(plans: impl ExactSizeIterator<Item = &'a Plan>) -> Result<Self, Error> {
        let table = annex::room();
        let departure = Departure::new(plans.len(), available_memory());
        let fit = plans.filter(|plan| lack(plan, table).is_none());
        let most = fit.map(|plan| Need::of(plan, table).seats).max();
        let annexes = most.unwrap_or(0).div_ceil(table.max(1));
        if annexes > 0 {
            annex::open_all(annexes)?;
        }
        Ok(Self {
            table,
            here: Arc::new(Semaphore::new(table)),
            seats: Arc::new(Semaphore::new(annexes * table)),
            departure,
        })
    }

    /// Waits until there is room for a case. None when the user asked to stop.
    ///
    /// # Errors
    /// What the machine lacks for it at all.
    pub async fn take(&self, plan: &Plan, cancel: &mut Cancel) -> Result<Option<Part>, Error> {
        if let Some(lack) = lack(plan, self.table) {
            return Err(lack);
        }
        let need = Need::of(plan, self.table);
        let permits = |of: &Arc<Semaphore>, count: usize| {
            let count = u32::try_from(count).expect("a plan has no four thousand million sockets");
            Arc::clone(of).acquire_many_owned(count)
        };
        let _waiting = self.departure.wait();
        let has = |of: &Semaphore, count| of.available_permits() >= count;
        if !has(&self.here, need.here) || !has(&self.seats, need.seats) {
            self.departure.clear();
        }
        let both = async {
            let here = permits(&self.here, need.here).await;
            (here, permits(&self.seats, need.seats).await)
        };
        let (here, seats) = tokio::select! {
            both = both => both,
            _ = cancel.wait_for(|cancelled| *cancelled) => return Ok(None),
        };
        Ok(Some(Part {
            sockets: match need.seats {
                0 => Sockets::Here,
                _ => Sockets::Annexed,
            },
            _here: here.expect("the room is never closed"),
            _seats: seats.expect("the room is never closed"),
        }))
    }
}

/// What this machine lacks for a case, with the remedy; none when it can run.
fn lack(plan: &Plan, table: usize) -> Option<Error> {
    let need = Need::of(plan, table);
    if need.here > table {
        let short = format!("{} are needed, {table} are to be had", need.here);
        return Some(
            Error::other("keep the descriptors of hosts and proxies", short)
                .hint("raise the hard limit (`ulimit -Hn`), or use fewer hosts or connections"),
        );
    }
    let wanted = need.seats as u64 * END;
    let available = available_memory()?;
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

/// Memory that programs may still take, bytes; none when the kernel does not say.
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
