//! The story of one case: servers, readiness, steps, and the collection of evidence.
//!
//! What fails *in* the story (a refused connection, a step's limit) is evidence; only the machine's failures are errors.

mod apps;
mod books;
mod client;
mod collect;
mod connections;
mod load;
mod server;
mod story;
mod word;

pub use word::WORDS;

use crate::evidence::Evidence;
use crate::plan::Plan;
use crate::world::{Error, World, lag, proc};
use server::Servers;
use std::sync::Arc;
use story::Story;
use tokio::sync::watch;
use tokio::time::Instant;

/// Becomes true when the user asked to stop.
pub type Cancel = watch::Receiver<bool>;

/// Runs a case in a world, and leaves the world as it is after the last step.
///
/// # Errors
/// What the machine refused (a port, a program, /proc).
pub async fn run(plan: &Arc<Plan>, world: Arc<World>, cancel: Cancel) -> Result<Evidence, Error> {
    let mut servers = Vec::with_capacity(plan.hosts.len());
    for (host, live) in plan.hosts.iter().zip(world.hosts()) {
        servers.push(Servers::start(live, &host.servers).await?);
    }
    let before = collect::counters(&world).await?;
    let window = lag::Window::open();
    let story = Arc::new(Story::new(
        Arc::clone(plan),
        world,
        servers,
        before,
        Instant::now(),
    ));
    story.tell(cancel).await?;
    let seconds = story.start().elapsed().as_secs_f64();
    let lag = window.worst();
    let mut evidence = collect::evidence(&story).await?;
    evidence.seconds = seconds;
    evidence.lag_ms = lag.as_secs_f64() * 1e3;
    Ok(evidence)
}

/// Counters of every host at one moment, in the plan's order.
type Baseline = Vec<proc::Counters>;
