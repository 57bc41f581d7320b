//! The story of one case: servers, readiness, steps, and the collection of evidence.
//!
//! What fails *in* the story (a refused connection, a step's limit) is evidence; only the machine's failures are errors.

mod acceptor;
mod books;
pub mod capture;
mod client;
mod collect;
mod counted;
pub mod need;
mod probe;
mod proxy;
mod server;
mod slot;
mod story;
mod tls;
mod word;

use crate::evidence::Evidence;
use crate::plan::Plan;
use crate::world::drops::Followed;
use crate::world::{Error, World, lag, proc};
use capture::Capture;
use probe::Probes;
use proxy::Proxies;
use server::Servers;
use std::sync::Arc;
use std::time::Duration;
use story::Story;
use tokio::sync::watch;
use tokio::time::Instant;

/// Becomes true when the user asked to stop.
pub type Cancel = watch::Receiver<bool>;

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
    let mut servers = Vec::with_capacity(plan.hosts.len());
    for (host, live) in plan.hosts.iter().zip(world.hosts()) {
        servers.push(Servers::start(live, &host.first_addresses(), &host.servers, sockets).await?);
    }
    let proxies = Proxies::start(plan, &world)?;
    let probes = Probes::start(plan, &world);
    let mut interrupted = cancel.clone();
    tokio::select! {
        settled = probes.settled(plan, &world) => settled?,
        _ = interrupted.wait_for(|cancelled| *cancelled) => {
            return Err(Error::other("wait for the health checks to settle", "interrupted"));
        }
    }
    let before = collect::counters(&world).await?;
    let window = lag::Window::open();
    // By the fabric's own clock, so that packets of health checks are in the records and the metrics, or in neither.
    let driver = world.driver();
    let began = driver
        .ask(|fabric, now| {
            fabric.restart_meter(now);
            now
        })
        .await;
    let start = Instant::from_std(driver.start_time() + began);
    let story = Arc::new(Story::new(
        Arc::clone(plan),
        world,
        servers,
        Arc::clone(proxies.journal()),
        before,
        sockets,
        start,
    ));
    story.tell(cancel).await?;
    let seconds = story.start().elapsed().as_secs_f64();
    let lag = window.worst();
    probes.stop().await;
    settle(&story).await;
    let mut evidence = collect::evidence(&story).await?;
    drop(proxies);
    evidence.seconds = seconds;
    evidence.lag_ms = lag.as_secs_f64() * 1e3;
    let capture = Capture::take(&story, &evidence).await;
    Ok(Recorded { evidence, capture })
}

/// No packet for this long counts as quiet: longer than a host takes to answer one.
const QUIET: Duration = Duration::from_millis(2);
/// Waited for quiet at most; a story may end in the middle of a stream.
const SETTLE_LIMIT: Duration = Duration::from_millis(50);

/// Waits until the fabric is quiet, so that counters of hosts and the fabric's books tell of the same packets.
async fn settle(story: &Story) {
    let until = Instant::now() + SETTLE_LIMIT;
    let mut before = collect::received(story).await;
    while Instant::now() < until {
        tokio::time::sleep(QUIET).await;
        let now = collect::received(story).await;
        if now == before {
            return;
        }
        before = now;
    }
}

/// Counters of every host when the story began, in the plan's order.
#[derive(Debug)]
struct Baseline {
    counters: Vec<proc::Counters>,
    /// What its kernel drops since then; or why that is not known.
    followed: Result<Followed, String>,
}
