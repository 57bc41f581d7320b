//! The steps of a case, one after the other; those in the background beside them.
//!
//! Here their order and what they have in common. `acts` carries a step out; `dialling` opens connections, `load` many of
//! them, `transfers` moves bytes over them; `faults`, `registration` and `endpoints` change what is around
//! them.

mod acts;
mod dialling;
mod endpoints;
mod faults;
mod load;
mod registration;
mod transfers;

pub(super) use load::PATIENCE;

use super::client::Client;
use super::client::names::Names;
use super::proxy::{Journal, Proxies};
use super::server::Servers;
use super::tasks::Tasks;
use super::{Baseline, Cancel, Sockets};
use crate::evidence::StepResult;
use crate::plan::{HostId, Plan, PodPlace, StepId, Verb};
use crate::world::{Error, World};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Everything that happens in one case.
#[derive(Debug)]
pub struct Story {
    /// What was planned.
    pub plan: Arc<Plan>,
    /// Where it happens.
    pub world: Arc<World>,
    /// By host.
    pub servers: Arc<Vec<Servers>>,
    /// What proxies did.
    pub journal: Arc<Journal>,
    /// The servers' and the proxies' tasks.
    pub tasks: Arc<Tasks>,
    /// Counters before the first step.
    pub before: Arc<Baseline>,
    /// Nobody knows how long it will be: of its packets the latest count.
    pub stays: bool,
    sockets: Sockets,
    start: Instant,
    memory: Arc<Memory>,
}

/// What the steps so far left.
#[derive(Debug, Default)]
struct Memory {
    clients: Mutex<Vec<Arc<Client>>>,
    /// The `drop` steps whose rules the fabric has, in their order there.
    rules: Mutex<Vec<usize>>,
    results: Mutex<Vec<Option<StepResult>>>,
    /// When steps began.
    begun: Mutex<HashMap<usize, Instant>>,
    /// How many connections a client opened toward each list of addresses: the next one takes the next address.
    turns: Mutex<HashMap<(HostId, String), usize>>,
    names: Names,
    /// Endpoints that were taken out of their services, where kube-proxy's rules say which there are.
    gone: Mutex<HashSet<PodPlace>>,
    /// Hosts without power.
    dead: watch::Sender<HashSet<HostId>>,
    /// Becomes true when only programs in the background are left.
    told: watch::Sender<bool>,
}

/// Steps that go on beside others; dropped, they end where they are.
pub(super) type Beside = JoinSet<Result<(), Error>>;

impl Story {
    /// A story about to begin.
    pub fn new(
        plan: Arc<Plan>,
        world: Arc<World>,
        servers: Vec<Servers>,
        proxies: &Proxies,
        before: Baseline,
        sockets: Sockets,
        start: Instant,
    ) -> Self {
        let memory = Memory {
            results: Mutex::new(vec![None; plan.steps.len()]),
            ..Memory::default()
        };
        Self {
            plan,
            world,
            servers: Arc::new(servers),
            journal: Arc::clone(proxies.journal()),
            tasks: Arc::clone(proxies.tasks()),
            before: Arc::new(before),
            stays: false,
            sockets,
            start,
            memory: Arc::new(memory),
        }
    }

    /// The same story of a lab that stays up, with more steps behind those it has: `plan` differs in nothing else.
    pub fn continued(&self, plan: Arc<Plan>) -> Self {
        locked(&self.memory.results).resize(plan.steps.len(), None);
        Self {
            plan,
            world: Arc::clone(&self.world),
            servers: Arc::clone(&self.servers),
            journal: Arc::clone(&self.journal),
            tasks: Arc::clone(&self.tasks),
            before: Arc::clone(&self.before),
            stays: true,
            sockets: self.sockets,
            start: self.start,
            memory: Arc::clone(&self.memory),
        }
    }

    /// What clients know of names.
    pub fn names(&self) -> &Names {
        &self.memory.names
    }

    /// When the first step began.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// Milliseconds from the first step to a moment.
    pub fn millis(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.start).as_secs_f64() * 1e3
    }

    /// All client connections so far, a load's when it has ended.
    pub fn clients(&self) -> Vec<Arc<Client>> {
        locked(&self.memory.clients).clone()
    }

    fn client(&self, number: usize) -> Arc<Client> {
        Arc::clone(&locked(&self.memory.clients)[number])
    }

    fn over(&self, step: StepId) -> Vec<Arc<Client>> {
        self.clients()
            .into_iter()
            .filter(|client| client.step == step.0 as usize)
            .collect()
    }

    fn is_load(&self, step: StepId) -> bool {
        matches!(self.plan.steps[step.0 as usize].verb, Verb::Load { .. })
    }

    /// When a step began, and for how long it has gone on, both in ms; none: it did not begin.
    pub fn begun(&self, number: usize) -> Option<(f64, f64)> {
        let began = *locked(&self.memory.begun).get(&number)?;
        Some((self.millis(began), began.elapsed().as_secs_f64() * 1e3))
    }

    /// The steps' results so far; none for those that have not ended.
    pub fn results(&self) -> Vec<Option<StepResult>> {
        locked(&self.memory.results).clone()
    }

    /// Tells it to the end, or until the user cancels.
    ///
    /// # Errors
    /// What the machine refused.
    pub async fn tell(self: &Arc<Self>, mut cancel: Cancel) -> Result<(), Error> {
        tokio::select! {
            told = self.steps() => told,
            _ = cancel.wait_for(|cancelled| *cancelled) => Err(Error::other("run the steps", "interrupted")),
        }
    }

    async fn steps(self: &Arc<Self>) -> Result<(), Error> {
        let (mut beside, mut programs) = (Beside::new(), Beside::new());
        for number in 0..self.plan.steps.len() {
            let step = &self.plan.steps[number];
            if step.background {
                let story = Arc::clone(self);
                let its_kind = match matches!(step.verb, Verb::Run { .. }) {
                    true => &mut programs,
                    false => &mut beside,
                };
                its_kind.spawn(async move { story.step(number).await });
                // Let it begin before the next one does.
                tokio::task::yield_now().await;
            } else {
                self.step(number).await?;
            }
        }
        // A program in the background serves the story and ends with it; everything else has a limit of its own.
        all(beside).await?;
        self.tell_end();
        all(programs).await
    }

    /// Only programs in the background are left of the story.
    pub fn tell_end(&self) {
        self.memory.told.send_replace(true);
    }

    /// At most programs in the background are left of it.
    pub fn is_over(&self) -> bool {
        *self.memory.told.borrow()
    }

    /// Waits until only programs in the background are left of the story.
    async fn is_told(&self) {
        let mut told = self.memory.told.subscribe();
        told.wait_for(|told| *told)
            .await
            .expect("its sender is the story's");
    }

    /// Does one step, to its end.
    ///
    /// # Errors
    /// What the machine refused.
    pub async fn step(&self, number: usize) -> Result<(), Error> {
        let step = &self.plan.steps[number];
        let began = Instant::now();
        locked(&self.memory.begun).insert(number, began);
        let (fault, detail) = self.act(number, step).await?;
        // A connection's time is the kernel's, as in a load; the lookup before it has its own.
        let took = match detail.connect() {
            Some(connection) => self.client(connection).took,
            None => began.elapsed(),
        };
        let result = StepResult {
            name: step.name.clone(),
            label: step.label.clone(),
            ok: fault.is_none(),
            error: fault.word.to_owned(),
            errno: fault.errno,
            ms: took.as_secs_f64() * 1e3,
            at: self.millis(began),
            over: step.verb.over().map(|over| over.0 as usize),
            detail,
        };
        tracing::debug!(case = %self.plan.case, step = %result.name, ok = result.ok, error = %result.error, ms = result.ms, "step");
        locked(&self.memory.results)[number] = Some(result);
        Ok(())
    }
}

/// Waits for steps to end.
pub(super) async fn all(mut steps: Beside) -> Result<(), Error> {
    while let Some(ended) = steps.join_next().await {
        match ended {
            Ok(result) => result?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    Ok(())
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().expect("no holder of this lock panics")
}
