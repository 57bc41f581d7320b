//! Health checks while a case runs: every checker of every zonal address checks every target, each in its own time.
//!
//! Observed on: AWS Network Load Balancer, whose checks "are distributed and use a consensus mechanism": a target
//! gets one check an interval from each checker of each zonal address. Checks are real connections from the
//! namespace of the zonal address, from its secondary addresses as well. How AWS spreads them over these is not documented: here
//! each checker takes them in turn. Not here: what a check is (see `check`) and what follows from its result (see
//! the fabric's `targets`).

mod check;

use crate::fabric::config::{BalancerId, GroupId, HealthCheck, Kind, PortId, Zonal, ZonalId};
use crate::fabric::random::{hash, pick};
use crate::fabric::targets::Probe;
use crate::fabric::{Config, Fabric};
use crate::plan::Plan;
use crate::world::{Error, World};
use check::Attempt;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout_at};

/// The first round of checks before a story is spread over this time at most: enough that a target does not get
/// them all at once, and too little to wait for.
const FIRST_ROUND: Duration = Duration::from_millis(5);
/// Waited beyond what the settings of the checks explain.
const PATIENCE: Duration = Duration::from_secs(5);

/// A balancer, and a group that it forwards to.
type Pair = (BalancerId, GroupId);

/// Whom a checker names in the Host header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    /// The zonal address, which is this one, at the listener's port.
    Own(IpAddr),
    /// The target, where it gets its connections.
    Target,
    /// Whom it asks.
    Asked,
}

/// What a checker goes by, as steps change it.
struct Settings {
    check: HealthCheck,
    /// Targets expect a PROXY protocol header.
    proxied: bool,
    /// The port of the listener that forwards to the group.
    listener: u16,
    /// The port at which the target gets its connections.
    traffic: u16,
}

/// One checker and one target.
#[derive(Debug)]
struct Watch {
    balancer: BalancerId,
    zonal: ZonalId,
    group: GroupId,
    target: usize,
    checker: u8,
    /// The kernel it checks from.
    port: PortId,
    /// Its addresses of the target's family that it checks from, in turn; empty: the kernel has one only.
    sources: Vec<Ipv4Addr>,
    /// The target's address.
    address: IpAddr,
    host: Host,
    /// Between two checks, in the beginning.
    interval: Duration,
    /// Its place in its interval, 0 to 2^64.
    phase: u64,
    /// The story waits for its first verdict.
    awaited: bool,
    judged: AtomicBool,
}

/// All checkers of a running case. They end with it.
#[derive(Debug)]
pub struct Probes {
    /// Those from the beginning.
    watches: Vec<Arc<Watch>>,
    crew: Crew,
    /// Who finds more to check.
    lookout: Option<JoinHandle<()>>,
}

/// Checkers at work.
#[derive(Clone, Debug)]
struct Crew {
    news: Arc<Notify>,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Crew {
    fn begin(&self, world: &Arc<World>, watch: &Arc<Watch>) {
        let (watch, world) = (Arc::clone(watch), Arc::clone(world));
        let task = tokio::spawn(keep_checking(watch, world, Arc::clone(&self.news)));
        self.tasks().push(task);
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.tasks.lock().expect("no holder of this lock panics")
    }
}

impl Probes {
    /// Starts all checkers of a plan; none, and nothing else either, where no zonal address has a kernel to check from.
    pub fn start(plan: &Arc<Plan>, world: &Arc<World>) -> Self {
        let pairs = pairs(&plan.fabric);
        let watches = watches(plan, &pairs, |group| plan.settles.contains(&group));
        let watches: Vec<Arc<Watch>> = watches.into_iter().map(Arc::new).collect();
        let crew = Crew {
            news: Arc::new(Notify::new()),
            tasks: Arc::default(),
        };
        for watch in &watches {
            crew.begin(world, watch);
        }
        let mut zonal = plan.fabric.balancers.iter().flat_map(|one| &one.zonal);
        let lookout = zonal.any(|zonal| zonal.port.is_some()).then(|| {
            let (plan, world) = (Arc::clone(plan), Arc::clone(world));
            tokio::spawn(look_out(plan, world, pairs, crew.clone()))
        });
        Self {
            watches,
            crew,
            lookout,
        }
    }

    /// Waits until every checker for which the story waits knows what to think of its target.
    ///
    /// # Errors
    /// When some do not in the time that the settings of the checks allow: which, and the targets' states.
    pub async fn settled(&self, plan: &Plan, world: &World) -> Result<(), Error> {
        let open = || {
            let all = self.watches.iter();
            all.filter(|watch| watch.awaited && !watch.judged.load(Ordering::Acquire))
        };
        let until = Instant::now() + longest(plan);
        loop {
            let news = self.crew.news.notified();
            if open().next().is_none() {
                return Ok(());
            }
            if timeout_at(until, news).await.is_err() {
                let open: Vec<&Watch> = open().map(|watch| &**watch).collect();
                return Err(unsettled(plan, world, &open).await);
            }
        }
    }

    /// Ends all checkers; what they had open is closed when it returns.
    pub async fn stop(mut self) {
        // First who begins more of them.
        if let Some(lookout) = self.lookout.take() {
            lookout.abort();
            ended(lookout).await;
        }
        let tasks = std::mem::take(&mut *self.crew.tasks());
        for task in &tasks {
            task.abort();
        }
        for task in tasks {
            ended(task).await;
        }
    }
}

impl Drop for Probes {
    /// A story that breaks off has nobody to stop them.
    fn drop(&mut self) {
        for task in self.lookout.iter().chain(&*self.crew.tasks()) {
            task.abort();
        }
    }
}

async fn ended(task: JoinHandle<()>) {
    match task.await {
        Ok(()) => {}
        Err(error) if error.is_cancelled() => {}
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Which balancers forward to which groups, each pair once.
fn pairs(config: &Config) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (id, balancer) in (0u16..).map(BalancerId).zip(&config.balancers) {
        for forward in balancer.listeners.iter().flat_map(|one| &one.forward) {
            let pair = (id, forward.group);
            if !pairs.contains(&pair) {
                pairs.push(pair);
            }
        }
    }
    pairs
}

/// Begins to check the targets of groups to which steps make balancers forward. Those that are forwarded to no more are left alone
/// until they are again (see [`Watch::settings`]).
async fn look_out(plan: Arc<Plan>, world: Arc<World>, mut known: Vec<Pair>, crew: Crew) {
    let mut changes = world.driver().news();
    loop {
        let now = world.driver().ask(|fabric, _| pairs(fabric.config()));
        let mut new = now.await;
        new.retain(|pair| !known.contains(pair));
        for watch in watches(&plan, &new, |_| false) {
            crew.begin(&world, &Arc::new(watch));
        }
        known.extend(new);
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Who checks whom: a group is checked from every zonal address of every balancer that forwards to it. `awaited`: the story waits
/// for the first verdict on its targets.
fn watches(plan: &Plan, pairs: &[Pair], awaited: impl Fn(GroupId) -> bool) -> Vec<Watch> {
    let mut watches = Vec::new();
    for (balancer, group) in pairs {
        let zonal = &plan.fabric.balancers[usize::from(balancer.0)].zonal;
        for (number, zonal) in (0u8..).map(ZonalId).zip(zonal) {
            let place = (*balancer, number);
            watches.extend(from(plan, place, zonal, *group, awaited(*group)));
        }
    }
    watches
}

/// The checkers of one zonal address for one group.
fn from(
    plan: &Plan,
    (balancer, zonal_id): (BalancerId, ZonalId),
    zonal: &Zonal,
    group_id: GroupId,
    awaited: bool,
) -> Vec<Watch> {
    let group = &plan.fabric.groups[usize::from(group_id.0)];
    let (Some(check), Some(port)) = (&group.health_check, zonal.port) else {
        return Vec::new();
    };
    let pairs = (0..group.targets.len())
        .flat_map(|target| (0..check.checkers).map(move |checker| (target, checker)));
    pairs
        .map(|(target, checker)| {
            let words = [
                u64::from(balancer.0),
                u64::from(zonal_id.0),
                u64::from(group_id.0),
                target as u64,
                u64::from(checker),
            ];
            let real = |address| {
                let stand_ins = &plan.fabric.stand_ins;
                stand_ins.end(SocketAddrV4::new(address, 0)).ip()
            };
            let address = real(group.targets[target].address);
            // From the address of the target's family, which is also what Host names.
            let own = match (address, zonal.ipv6) {
                (IpAddr::V6(_), Some(ipv6)) => ipv6,
                (IpAddr::V6(_) | IpAddr::V4(_), _) => zonal.private,
            };
            let sources = match address {
                IpAddr::V4(_) if !zonal.secondary.is_empty() => {
                    let all = std::iter::once(zonal.private);
                    all.chain(zonal.secondary.iter().copied()).collect()
                }
                IpAddr::V4(_) | IpAddr::V6(_) => Vec::new(),
            };
            Watch {
                balancer,
                zonal: zonal_id,
                sources,
                group: group_id,
                target,
                checker,
                port,
                address,
                host: match plan.fabric.balancers[usize::from(balancer.0)].kind {
                    Kind::Classic(_) => Host::Asked,
                    Kind::Application(_) => Host::Target,
                    Kind::Network => Host::Own(real(own)),
                },
                interval: check.interval,
                phase: hash(plan.seed, &words),
                awaited,
                judged: AtomicBool::new(false),
            }
        })
        .collect()
}

/// The Host header of an Application or a Classic Load Balancer: the target's address, with the port where it is not HTTP's.
fn of_target(target: SocketAddr) -> String {
    match target.port() {
        80 => target.ip().to_string(),
        _ => target.to_string(),
    }
}

/// A checker's life: the first check at once where the story waits for it, then one an interval, in its own phase.
async fn keep_checking(watch: Arc<Watch>, world: Arc<World>, news: Arc<Notify>) {
    let start = Instant::now();
    let mut failed_in_a_row = 0;
    let mut sources = watch.sources.iter().cycle().skip(watch.checker.into());
    let mut next = if watch.awaited {
        start + share(FIRST_ROUND, watch.phase)
    } else {
        start + share(watch.interval, watch.phase)
    };
    loop {
        sleep_until(next).await;
        let own = Arc::clone(&watch);
        let settings = world.driver().ask(move |fabric, _| own.settings(fabric));
        let settings = settings.await;
        if let Some(settings) = &settings {
            let source = sources.next().copied();
            let passed = watch.check(&world, settings, source).await;
            failed_in_a_row = if passed { 0 } else { failed_in_a_row + 1 };
            if passed || failed_in_a_row >= settings.check.unhealthy_threshold {
                watch.judge(&news);
            }
        } else {
            watch.judge(&news);
        }
        let interval = settings.map_or(watch.interval, |now| now.check.interval);
        next = start + upcoming(start.elapsed(), interval, watch.phase);
    }
}

/// The next moment of a phase. Those that passed while a check took long are left out.
fn upcoming(elapsed: Duration, interval: Duration, phase: u64) -> Duration {
    let phase = share(interval, phase);
    match elapsed.checked_sub(phase) {
        None => phase,
        Some(past) => {
            let rounds = past.as_nanos() / interval.as_nanos().max(1) + 1;
            phase + interval * u32::try_from(rounds).unwrap_or(u32::MAX)
        }
    }
}

impl Watch {
    /// What it goes by now; none: there is nothing to check.
    fn settings(&self, fabric: &Fabric) -> Option<Settings> {
        let config = fabric.config();
        let group = &config.groups[usize::from(self.group.0)];
        let balancer = &config.balancers[usize::from(self.balancer.0)];
        let mut listeners = balancer.listeners.iter();
        let listener = listeners.find(|listener| listener.forwards_to(self.group))?;
        // The address of a zone that is not enabled is gone, and its checkers with it.
        let is_there = balancer.zonal[usize::from(self.zonal.0)].enabled;
        let is_checked = is_there && fabric.is_checked(self.group, self.target);
        Some(Settings {
            check: group.health_check.clone().filter(|_| is_checked)?,
            proxied: group.proxy_protocol.is_some(),
            listener: listener.port,
            traffic: listener.port_at(&group.targets[self.target]),
        })
    }

    async fn check(&self, world: &World, settings: &Settings, source: Option<Ipv4Addr>) -> bool {
        let Settings {
            check,
            proxied,
            listener,
            traffic,
        } = settings;
        let traffic = SocketAddr::new(self.address, *traffic);
        let to = SocketAddr::new(self.address, check.port.unwrap_or(traffic.port()));
        let attempt = Attempt {
            namespace: world.zonal(self.port),
            source,
            check,
            target: to,
            host: &match self.host {
                Host::Own(own) => SocketAddr::new(own, *listener).to_string(),
                Host::Target => of_target(traffic),
                Host::Asked => of_target(to),
            },
            classic: self.host == Host::Asked,
            proxied: *proxied,
        };
        let (connected, outcome) = attempt.outcome().await;
        let probe = Probe {
            balancer: self.balancer,
            zonal: self.zonal,
            group: self.group,
            target: self.target,
            checker: self.checker,
            connected,
            outcome,
        };
        let driver = world.driver();
        driver
            .ask(move |fabric, now| fabric.probe_done(now, probe))
            .await;
        outcome.passed()
    }

    fn judge(&self, news: &Notify) {
        if !self.judged.swap(true, Ordering::AcqRel) {
            news.notify_one();
        }
    }
}

/// `phase` of 2^64 of a span.
fn share(span: Duration, phase: u64) -> Duration {
    let micros = usize::try_from(span.as_micros()).unwrap_or(usize::MAX);
    Duration::from_micros(pick(phase, micros.max(1)) as u64)
}

/// How long the first verdict of the slowest checker can take.
fn longest(plan: &Plan) -> Duration {
    let groups = plan.settles.iter();
    let checks = groups.filter_map(|group| {
        plan.fabric.groups[usize::from(group.0)]
            .health_check
            .as_ref()
    });
    let slowest = checks.map(|check| (check.interval + check.timeout) * check.unhealthy_threshold);
    slowest.max().unwrap_or_default() + PATIENCE
}

async fn unsettled(plan: &Plan, world: &World, open: &[&Watch]) -> Error {
    let mut text = String::new();
    for watch in open {
        let group = &plan.fabric.groups[usize::from(watch.group.0)];
        let (group_id, target) = (watch.group, watch.target);
        let state = world
            .driver()
            .ask(move |fabric, _| fabric.target_health(group_id, target).now().0.word());
        // Writing to a string cannot fail.
        let written = write!(
            text,
            "\n  {} knows nothing of {} in {} yet; it is {}",
            plan.fabric.ports[watch.port.0 as usize].name,
            group.targets[target].name,
            group.name,
            state.await,
        );
        debug_assert!(written.is_ok());
    }
    Error::other("wait for the health checks to settle", text)
        .hint("`start: cold` starts the story at once")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checker_keeps_its_phase_and_leaves_out_what_it_missed() {
        let ms = Duration::from_millis;
        let half = 1 << 63;
        assert_eq!(upcoming(ms(0), ms(100), half), ms(50));
        assert_eq!(upcoming(ms(49), ms(100), half), ms(50));
        assert_eq!(upcoming(ms(50), ms(100), half), ms(150));
        assert_eq!(upcoming(ms(449), ms(100), half), ms(450));
        assert_eq!(upcoming(ms(451), ms(100), half), ms(550));
    }
}
