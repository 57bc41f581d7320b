//! A case whose world is ready for its first step: servers listen, proxies stand, the health checks have settled.
//!
//! The same for a story that is told at once and for a lab that stays up and is worked by hand. Not here: the steps (see
//! `story`) and what is collected of them (see `collect`).

use super::capture::{Behind, Capture};
use super::probe::Probes;
use super::proxy::Proxies;
use super::server::Servers;
use super::story::{self, Beside, Story};
use super::tasks::Tasks;
use super::{Baseline, Cancel, Recorded, Sockets, collect, unless_stopped};
use crate::evidence::Evidence;
use crate::plan::Plan;
use crate::verdict::Scope;
use crate::world::lag::Window;
use crate::world::{Error, World};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::Instant;

/// A running case.
#[derive(Debug)]
pub struct Live {
    pub(super) story: Arc<Story>,
    proxies: Proxies,
    probes: Probes,
    lateness: Lateness,
    /// Steps in the background, of a lab that is worked by hand.
    beside: Beside,
    witness: Option<Witness>,
}

/// Who tells what passed in a lab that stays up, also while something is done.
#[derive(Clone, Debug)]
pub struct Witness(Arc<Mutex<Arc<Story>>>);

impl Witness {
    fn story(&self) -> MutexGuard<'_, Arc<Story>> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// What was captured behind a place; capturing goes on. None when nothing is captured.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub async fn captured(&self, behind: Behind) -> Result<Option<Capture>, Error> {
        let story = Arc::clone(&self.story());
        let evidence = collect::evidence(&story, Scope::ALL).await?;
        Ok(Capture::behind(&story, &evidence, behind).await)
    }

    /// What was recorded so far. While something is done, counts are not all of one moment.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub async fn evidence(&self) -> Result<Evidence, Error> {
        let story = Arc::clone(&self.story());
        let mut evidence = collect::evidence(&story, Scope::ALL).await?;
        evidence.seconds = story.start().elapsed().as_secs_f64();
        Ok(evidence)
    }

    /// Another number whenever packets may have passed.
    pub async fn passed(&self) -> u64 {
        let story = Arc::clone(&self.story());
        let driver = story.world.driver();
        driver.ask(|fabric, _| fabric.totals().passed()).await
    }
}

/// How late this machine was, while somebody watched.
#[derive(Debug)]
struct Lateness {
    window: Option<Window>,
    before: Duration,
}

impl Lateness {
    fn worst(&self) -> Duration {
        let now = self.window.as_ref().map(Window::worst);
        now.unwrap_or_default().max(self.before)
    }

    /// Watches, which takes a processor a hundredth of its time.
    fn watch(&mut self) {
        self.window.get_or_insert_with(Window::open);
    }

    fn rest(&mut self) {
        self.before = self.worst();
        self.window = None;
    }
}

/// What hosts have counted, and the moment on the fabric's own clock from which it records and measures, so that a packet of a health check
/// is in both or in neither.
///
/// # Errors
/// When /proc cannot be read.
async fn beginning(world: &World) -> Result<(Baseline, Duration), Error> {
    let driver = world.driver();
    let mut looks = 0;
    loop {
        let passed = driver.ask(|fabric, _| fabric.totals().passed()).await;
        let before = collect::counters(world).await?;
        looks += 1;
        let began = driver.ask(move |fabric, now| {
            let still = fabric.totals().passed() == passed;
            (still || looks == collect::LOOKS).then(|| {
                fabric.restart_meter(now);
                now
            })
        });
        if let Some(began) = began.await {
            return Ok((before, began));
        }
    }
}

impl Live {
    /// Starts everything that a plan has besides its steps, and waits until targets have settled.
    ///
    /// # Errors
    /// What the machine refused (a port, a program, /proc), or that the user asked to stop.
    pub async fn begin(
        plan: &Arc<Plan>,
        world: Arc<World>,
        sockets: Sockets,
        mut cancel: Cancel,
    ) -> Result<Self, Error> {
        let tasks = Arc::<Tasks>::default();
        // Programs may take their time until they listen.
        let starting = async {
            let mut servers = Vec::with_capacity(plan.hosts.len());
            for (host, live) in plan.hosts.iter().zip(world.hosts()) {
                let addresses = host.first_addresses();
                let started = Servers::start(live, &addresses, &host.servers, sockets, &tasks);
                servers.push(started.await?);
            }
            Ok(servers)
        };
        let servers = unless_stopped(&mut cancel, "start the servers", starting).await?;
        let proxies = Proxies::start(plan, &world, &tasks)?;
        let probes = Probes::start(plan, &world);
        let settling = probes.settled(plan, &world);
        let what = "wait for the health checks to settle";
        unless_stopped(&mut cancel, what, settling).await?;
        let (before, began) = beginning(&world).await?;
        let lateness = Lateness {
            window: Some(Window::open()),
            before: Duration::ZERO,
        };
        let start = Instant::from_std(world.driver().start_time() + began);
        let story = Arc::new(Story::new(
            Arc::clone(plan),
            world,
            servers,
            &proxies,
            before,
            sockets,
            start,
        ));
        Ok(Self {
            story,
            proxies,
            probes,
            lateness,
            beside: Beside::new(),
            witness: None,
        })
    }

    /// From now on it is a lab that stays up, and is worked by hand.
    pub fn stay(&mut self) -> Witness {
        self.story = Arc::new(self.story.continued(Arc::clone(&self.story.plan)));
        let witness = Witness(Arc::new(Mutex::new(Arc::clone(&self.story))));
        self.witness = Some(witness.clone());
        self.rest();
        witness
    }

    /// Nothing is done for a while.
    pub fn rest(&mut self) {
        self.lateness.rest();
    }

    /// Does the last step of `plan`, which differs from what was planned before by this step only. False: it goes on in the
    /// background.
    ///
    /// # Errors
    /// What the machine refused.
    pub async fn step(&mut self, plan: Arc<Plan>) -> Result<bool, Error> {
        self.lateness.watch();
        self.story = Arc::new(self.story.continued(plan));
        if let Some(witness) = &self.witness {
            *witness.story() = Arc::clone(&self.story);
        }
        let number = self.story.plan.steps.len() - 1;
        if self.story.plan.steps[number].background {
            let story = Arc::clone(&self.story);
            self.beside.spawn(async move { story.step(number).await });
            // Let it begin before the next one does.
            tokio::task::yield_now().await;
            return Ok(false);
        }
        self.story.step(number).await?;
        Ok(true)
    }

    /// What was recorded so far.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub async fn evidence(&self) -> Result<Evidence, Error> {
        settle(&self.story).await;
        let mut evidence = collect::evidence(&self.story, Scope::ALL).await?;
        evidence.seconds = self.story.start().elapsed().as_secs_f64();
        evidence.lag_ms = self.lateness.worst().as_secs_f64() * 1e3;
        Ok(evidence)
    }

    /// Ends the health checks, and gives what was recorded; the world stays as it is. Of a lab that stays up without a
    /// capture: its witness has that, to the end.
    ///
    /// # Errors
    /// When /proc cannot be read; what the machine refused to steps in the background.
    pub async fn end(self) -> Result<Recorded, Error> {
        let Self {
            story,
            proxies,
            probes,
            lateness,
            beside,
            witness,
        } = self;
        let seconds = story.start().elapsed().as_secs_f64();
        let lag = lateness.worst();
        story.tell_end();
        // What has a limit of its own that is longer is given up.
        if let Ok(ended) = tokio::time::timeout(ENDING, story::all(beside)).await {
            ended?;
        }
        probes.stop().await;
        settle(&story).await;
        let mut evidence = collect::evidence(&story, Scope::ALL).await?;
        drop(proxies);
        evidence.seconds = seconds;
        evidence.lag_ms = lag.as_secs_f64() * 1e3;
        let capture = match witness {
            None => Capture::take(&story, &evidence).await,
            Some(_) => None,
        };
        Ok(Recorded { evidence, capture })
    }
}

/// Steps in the background of a lab that is worked by hand have so long to end.
const ENDING: Duration = Duration::from_secs(2);
/// Between two looks at a case: longer than a host takes to answer a packet.
const QUIET: Duration = Duration::from_millis(2);
/// Looks at a case in which packets flow; a story may end in the middle of a stream.
const FLOWING: u32 = 25;
/// Looks at one whose tasks have only to be given a processor.
const LOOKS: u32 = 1000;

/// Waits until nothing passes and no server or proxy has anything to do, so that counters of hosts, the fabric's books, the
/// balancers' metrics and what servers tell are of the same packets.
///
/// Two looks with the same result are enough: whatever a socket had for a task before the pause between them has woken it by the
/// end of the pause, since the runtime hands on what sockets have before it ends a pause. Annexes have runtimes of their own: there
/// it may come later.
async fn settle(story: &Story) {
    let mut before = (None, collect::received(story).await);
    let mut flowed = 0;
    for _ in 0..LOOKS {
        tokio::time::sleep(QUIET).await;
        let turns = story.tasks.at_rest();
        let received = collect::received(story).await;
        let rest = turns.filter(|turns| story.tasks.at_rest() == Some(*turns));
        let now = (rest, received);
        if rest.is_some() && now == before {
            return;
        }
        flowed += u32::from(received != before.1);
        if flowed >= 2 * FLOWING || flowed >= FLOWING && rest.is_some() {
            return;
        }
        before = now;
    }
}
