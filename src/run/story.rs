//! The steps of a case, one after the other; those in the background beside them.

use super::client::{Client, Ending, Moved};
use super::collect;
use super::names::{self, Names};
use super::proxy::Journal;
use super::server::{Order, Servers};
use super::word::Fault;
use super::{Baseline, Cancel, Sockets, load};
use crate::evidence::{Detail, StepResult};
use crate::expr::Truth;
use crate::fabric::change::Change;
use crate::plan::vocabulary::ERRORS;
use crate::plan::{Claim, Dial, Endpoint, HostId, Plan, Step, StepId, Transfer, Verb};
use crate::world::annex::{self, Seat};
use crate::world::{Error, World, program, socket::ClientOptions};
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

/// How often a `wait_until` looks again, at first and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));
/// So many connections of a load begin a transfer at once; the next as many follow when half are done, or when none was
/// for a while: dead ones do not hold up the rest. More would overrun the queues of the hosts' devices, a loss that
/// nobody asked for.
const CROWD: usize = 128;
/// See [`CROWD`]; longer than a busy machine stands still.
const STANDSTILL: Duration = Duration::from_millis(200);
/// Longest output line kept of a step's own failure.
const WHY_LIMIT: usize = 400;

/// Which way a transfer's bytes go, seen from the client.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// `send`
    Out,
    /// `receive`
    In,
    /// `exchange`
    Both,
}

/// Everything that happens in one case.
#[derive(Debug)]
pub struct Story {
    /// What was planned.
    pub plan: Arc<Plan>,
    /// Where it happens.
    pub world: Arc<World>,
    /// By host.
    pub servers: Vec<Servers>,
    /// What proxies did.
    pub journal: Arc<Journal>,
    /// Counters before the first step.
    pub before: Baseline,
    sockets: Sockets,
    start: Instant,
    clients: Mutex<Vec<Arc<Client>>>,
    /// The `drop` steps whose rules the fabric has, in their order there.
    pub(super) rules: Mutex<Vec<usize>>,
    results: Mutex<Vec<Option<StepResult>>>,
    /// How many connections a client opened toward each list of addresses: the next one takes the next address.
    turns: Mutex<HashMap<(HostId, String), usize>>,
    names: Names,
}

impl Story {
    /// A story about to begin.
    pub fn new(
        plan: Arc<Plan>,
        world: Arc<World>,
        servers: Vec<Servers>,
        journal: Arc<Journal>,
        before: Baseline,
        sockets: Sockets,
        start: Instant,
    ) -> Self {
        let results = Mutex::new(vec![None; plan.steps.len()]);
        Self {
            plan,
            world,
            servers,
            journal,
            before,
            sockets,
            start,
            clients: Mutex::default(),
            rules: Mutex::default(),
            results,
            turns: Mutex::default(),
            names: Names::default(),
        }
    }

    /// What clients know of names.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// When the first step began.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// Milliseconds from the first step to a moment.
    pub fn millis(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.start).as_secs_f64() * 1e3
    }

    /// All client connections so far, in the order they were started.
    pub fn clients(&self) -> Vec<Arc<Client>> {
        self.clients
            .lock()
            .expect("no holder of this lock panics")
            .clone()
    }

    fn client(&self, number: usize) -> Arc<Client> {
        let clients = self.clients.lock().expect("no holder of this lock panics");
        Arc::clone(&clients[number])
    }

    /// The steps' results so far; none for those that have not ended.
    pub fn results(&self) -> Vec<Option<StepResult>> {
        self.results
            .lock()
            .expect("no holder of this lock panics")
            .clone()
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
        let mut beside: Vec<(bool, JoinHandle<Result<(), Error>>)> = Vec::new();
        for number in 0..self.plan.steps.len() {
            let step = &self.plan.steps[number];
            if step.background {
                let story = Arc::clone(self);
                let endless = matches!(step.verb, Verb::Run { .. });
                beside.push((
                    endless,
                    tokio::spawn(async move { story.step(number).await }),
                ));
                // Let it begin before the next one does.
                tokio::task::yield_now().await;
            } else {
                self.step(number).await?;
            }
        }
        for (endless, handle) in beside {
            // A program in the background serves the story and ends with it; everything else has a limit of its own.
            if endless && !handle.is_finished() {
                handle.abort();
                continue;
            }
            match handle.await {
                Ok(result) => result?,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        Ok(())
    }

    async fn step(&self, number: usize) -> Result<(), Error> {
        let step = &self.plan.steps[number];
        let began = Instant::now();
        let (fault, detail) = self.act(number, step).await?;
        // A connection's time is the kernel's, as in a load; the lookup before it has its own.
        let took = match &detail {
            Detail::Connect { connection } => self.client(*connection).took,
            Detail::Plain
            | Detail::Load(_)
            | Detail::Transfer { .. }
            | Detail::TransferAll { .. }
            | Detail::Drop { .. }
            | Detail::Refused { .. }
            | Detail::Run { .. } => began.elapsed(),
        };
        let result = StepResult {
            name: step.name.clone(),
            label: step.label.clone(),
            ok: fault.is_none(),
            error: fault.word.to_owned(),
            errno: fault.errno,
            ms: took.as_secs_f64() * 1e3,
            at: self.millis(began),
            detail,
        };
        tracing::debug!(case = %self.plan.case, step = %result.name, ok = result.ok, error = %result.error, ms = result.ms, "step");
        self.results.lock().expect("no holder of this lock panics")[number] = Some(result);
        Ok(())
    }

    async fn act(&self, number: usize, step: &Step) -> Result<(Fault, Detail), Error> {
        Ok(match &step.verb {
            Verb::Connect {
                dial,
                source_port,
                keepalive,
                tls,
                timeout,
            } => {
                let options = ClientOptions {
                    source_port: *source_port,
                    keepalive: *keepalive,
                    udp: dial.udp,
                };
                let mut client = self.open(number, dial, options, *timeout, None).await;
                if *tls {
                    client = client.secured(*timeout).await;
                }
                let fault = client.fault;
                (
                    fault,
                    Detail::Connect {
                        connection: self.add(client),
                    },
                )
            }
            Verb::Load { .. } => load::run(self, number).await,
            Verb::Exchange(transfer) => self.transfer(Way::Both, transfer).await,
            Verb::Send(transfer) => self.transfer(Way::Out, transfer).await,
            Verb::Receive(transfer) => self.transfer(Way::In, transfer).await,
            Verb::Close { over } => (self.end(*over, Ending::Close).await, Detail::Plain),
            Verb::Abort { over } => (self.end(*over, Ending::Abort).await, Detail::Plain),
            Verb::Inject {
                over,
                beyond,
                bytes,
            } => (self.inject(*over, *beyond, *bytes).await, Detail::Plain),
            Verb::Shutdown { over } => (self.end(*over, Ending::Shutdown).await, Detail::Plain),
            Verb::Wait { lapse } => {
                sleep(*lapse).await;
                (Fault::default(), Detail::Plain)
            }
            Verb::WaitUntil { that, timeout } => {
                (self.wait_until(that, *timeout).await?, Detail::Plain)
            }
            Verb::Stop { hosts, reset } => (
                self.order(hosts, if *reset { Order::Reset } else { Order::Finish })
                    .await,
                Detail::Plain,
            ),
            Verb::Kill { hosts } => (self.order(hosts, Order::Die).await, Detail::Plain),
            Verb::Fault(fault) => self.fault(number, fault).await,
            Verb::Registration {
                group,
                targets,
                registered,
                foreign,
            } => {
                self.registration(*group, targets, *registered, foreign)
                    .await
            }
            Verb::Set { network, .. } => {
                let change = Change::Configure(network.clone());
                self.world.driver().apply(change).await;
                (Fault::default(), Detail::Plain)
            }
            Verb::Run {
                host,
                command,
                timeout,
            } => {
                let ended = self
                    .world
                    .host(*host)
                    .inside()?
                    .run("/bin/sh", &["-c", command], None, *timeout)
                    .await?;
                (
                    program_fault(&ended),
                    Detail::Run {
                        exit_code: ended.code.map_or(-1, i64::from),
                        stdout: ended.stdout,
                        stderr: ended.stderr,
                    },
                )
            }
        })
    }

    /// Opens a connection, or fails to. Finding the address has the same limit again: no client's connect timeout
    /// covers getaddrinfo.
    pub async fn open(
        &self,
        number: usize,
        dial: &Dial,
        options: ClientOptions,
        limit: Duration,
        seat: Option<Seat>,
    ) -> Client {
        let began = Instant::now();
        let (to, lookup) = match &dial.name {
            None => (Ok(self.next_endpoint(dial)), None),
            Some(name) => {
                let (to, lookup) = names::resolve(self, dial, name, limit).await;
                (to, Some(lookup))
            }
        };
        let client = match to {
            Ok(to) => {
                let namespace = &self.world.host(dial.from).namespace;
                Client::open(number, dial.from, namespace, to, options, limit, seat).await
            }
            Err(fault) => {
                let label = dial.name.clone().unwrap_or_default();
                Client::lost(number, dial.from, label, began, fault)
            }
        };
        client.found_by(lookup)
    }

    /// A seat for the socket of a load, where this case has them.
    pub fn seat(&self) -> Option<Seat> {
        match self.sockets {
            Sockets::Here => None,
            Sockets::Annexed => annex::seat(),
        }
    }

    /// Where the next connection of a client goes: several destinations without one name are taken in turn.
    fn next_endpoint(&self, dial: &Dial) -> Endpoint {
        if let [only] = &dial.to[..] {
            return only.clone();
        }
        let list = dial
            .to
            .iter()
            .map(|to| to.label.as_str())
            .collect::<Vec<_>>()
            .join(" ");
        let mut turns = self.turns.lock().expect("no holder of this lock panics");
        let turn = turns.entry((dial.from, list)).or_default();
        *turn += 1;
        dial.to[(*turn - 1) % dial.to.len()].clone()
    }

    /// Registers a connection and gives its index.
    pub fn add(&self, client: Client) -> usize {
        let mut clients = self.clients.lock().expect("no holder of this lock panics");
        clients.push(Arc::new(client));
        clients.len() - 1
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

    async fn end(&self, over: StepId, ending: Ending) -> Fault {
        let clients = self.over(over);
        let faults = join_all(clients.iter().map(|client| client.end(ending))).await;
        // Of a load, those that never opened have nothing to close.
        let relevant = faults
            .into_iter()
            .zip(&clients)
            .filter(|(_, client)| !self.is_load(over) || client.fault.is_none());
        relevant
            .map(|(fault, _)| fault)
            .find(|fault| !fault.is_none())
            .unwrap_or_default()
    }

    /// To every connection of a step that something has come to already.
    async fn inject(&self, over: StepId, beyond: u32, bytes: u16) -> Fault {
        let mut fault = Fault::NOT_CONNECTED;
        for client in self.over(over) {
            let Some(SocketAddr::V4(end)) = client.local else {
                continue;
            };
            if self.world.driver().inject(end, beyond, bytes).await {
                fault = Fault::default();
            }
        }
        fault
    }

    pub(super) async fn order(&self, hosts: &[HostId], order: Order) -> Fault {
        let mut worst = Fault::default();
        for host in hosts {
            let fault = self.servers[host.0 as usize].order(order).await;
            if worst.is_none() {
                worst = fault;
            }
        }
        worst
    }

    async fn wait_until(&self, that: &Claim, timeout: Duration) -> Result<Fault, Error> {
        let until = Instant::now() + timeout;
        let mut pause = LOOK.0;
        loop {
            let evidence = collect::evidence(self).await?;
            let value = crate::verdict::value(&self.plan, &evidence, &[]);
            if that.expr.eval(&value) == Truth::True {
                return Ok(Fault::default());
            }
            if Instant::now() >= until {
                return Ok(Fault::DEADLINE);
            }
            sleep_until((Instant::now() + pause).min(until)).await;
            pause = (pause * 2).min(LOOK.1);
        }
    }

    async fn transfer(&self, way: Way, transfer: &Transfer) -> (Fault, Detail) {
        let clients = self.over(transfer.over);
        if self.is_load(transfer.over) {
            return transfer_all(way, transfer, &clients).await;
        }
        let Some(client) = clients.first() else {
            return (
                Fault::NOT_CONNECTED,
                Detail::Transfer {
                    sent: 0,
                    received: 0,
                    unacked: 0,
                    text: String::new(),
                },
            );
        };
        let moved = move_bytes(way, transfer, client).await;
        let detail = Detail::Transfer {
            sent: moved.sent as i64,
            received: moved.received as i64,
            unacked: client.unacked().await as i64,
            text: String::from_utf8_lossy(&moved.text).into_owned(),
        };
        (moved.fault, detail)
    }
}

fn program_fault(ended: &program::Ended) -> Fault {
    match ended.code {
        Some(0) => Fault::default(),
        _ if ended.timed_out => Fault::DEADLINE,
        Some(code) => {
            tracing::debug!(code, stderr = %ended.stderr.chars().take(WHY_LIMIT).collect::<String>(), "a program failed");
            Fault::word("failed")
        }
        None => Fault::word("failed"),
    }
}

/// `times` times over one connection; the first failure ends it.
async fn move_bytes(way: Way, transfer: &Transfer, client: &Client) -> Moved {
    let mut all = Moved::default();
    let began = Instant::now();
    for turn in 0..transfer.times {
        if turn > 0 && !transfer.every.is_zero() {
            sleep_until(began + transfer.every * turn).await;
        }
        let moved = match way {
            Way::Both => client.exchange(transfer.bytes, transfer.timeout).await,
            Way::Out => client.send(transfer.bytes, transfer.timeout).await,
            Way::In => client.receive(transfer.bytes, transfer.timeout).await,
        };
        all.sent += moved.sent;
        all.received += moved.received;
        if all.text.is_empty() {
            all.text = moved.text;
        }
        all.fault = moved.fault;
        if !all.fault.is_none() {
            break;
        }
    }
    all
}

async fn transfer_all(way: Way, transfer: &Transfer, clients: &[Arc<Client>]) -> (Fault, Detail) {
    let mut errors = dense_errors();
    let (mut attempts, mut failed, mut fault) = (0, 0, Fault::default());
    let mut note = |moved: Moved| {
        attempts += 1;
        if !moved.fault.is_none() {
            failed += 1;
            *errors.entry(moved.fault.word.to_owned()).or_default() += 1;
            fault = moved.fault;
        }
    };
    let mut work = FuturesUnordered::new();
    let standing: Vec<_> = clients.iter().filter(|c| c.fault.is_none()).collect();
    for crowd in standing.chunks(CROWD) {
        work.extend(crowd.iter().map(|client| move_bytes(way, transfer, client)));
        while work.len() > CROWD / 2 {
            match tokio::time::timeout(STANDSTILL, work.next()).await {
                Ok(moved) => moved.into_iter().for_each(&mut note),
                Err(_) => break,
            }
        }
    }
    while let Some(moved) = work.next().await {
        note(moved);
    }
    (
        fault,
        Detail::TransferAll {
            attempts,
            failed,
            errors,
        },
    )
}

/// Every word, each 0 times: a map over a closed vocabulary has all its keys.
pub fn dense_errors() -> BTreeMap<String, i64> {
    let words = ERRORS.iter().filter(|word| !word.is_empty());
    words.map(|word| ((*word).to_owned(), 0)).collect()
}
