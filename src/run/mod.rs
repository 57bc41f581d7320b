//! The story of one case: servers, readiness, steps, and the collection of evidence.
//!
//! What fails *in* the story (a refused connection, a step's limit) is evidence; only the machine's failures are errors.

mod acceptor;
mod books;
pub mod capture;
mod client;
mod collect;
mod counted;
pub mod length;
mod linger;
mod live;
pub mod need;
mod probe;
mod proxy;
mod server;
mod slot;
mod story;
mod tasks;
mod tls;
mod word;

pub use live::{Live, Witness};

use crate::evidence::Evidence;
use crate::plan::Plan;
use crate::world::counters::{Counters, Reading};
use crate::world::drops::Followed;
use crate::world::{Error, World};
use capture::Capture;
use std::sync::Arc;
use tokio::sync::watch;

/// Becomes true when the user asked to stop.
pub type Cancel = watch::Receiver<bool>;

/// What the work comes to, or, once the user asked to stop, that it was interrupted; what of it was begun is dropped then.
///
/// # Errors
/// Those of the work; `interrupted` at `what`.
pub async fn unless_stopped<T>(
    cancel: &mut Cancel,
    what: &str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::select! {
        done = work => done,
        _ = cancel.wait_for(|cancelled| *cancelled) => Err(Error::other(what, "interrupted")),
    }
}

/// Where a case keeps the sockets of its loads and their servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sockets {
    /// In the process's own table of descriptors.
    Here,
    /// Spread over annexes, which must be open and have room for all.
    Annexed,
}

/// What a case leaves.
pub struct Recorded {
    /// Everything known about it.
    pub evidence: Evidence,
    /// Its packets, byte for byte, when the world was built to capture.
    pub capture: Option<Capture>,
}

/// Runs a case in a world, and leaves the world as it is after the last step.
///
/// # Errors
/// What the machine refused (a port, a program, /proc).
pub async fn run(
    plan: &Arc<Plan>,
    world: Arc<World>,
    sockets: Sockets,
    cancel: Cancel,
) -> Result<Recorded, Error> {
    let live = Live::begin(plan, world, sockets, cancel.clone()).await?;
    live.story.tell(cancel).await?;
    live.end().await
}

/// Counters of every host when the story began, in the plan's order.
#[derive(Debug)]
struct Baseline {
    counters: Vec<Reading>,
    /// Of connection tracking; empty where it was not at work yet.
    tracked: Vec<Counters>,
    /// What its kernel drops since then; or why that is not known.
    followed: Result<Followed, String>,
}
