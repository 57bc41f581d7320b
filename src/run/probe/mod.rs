//! Health checks while a case runs: every checker of every zonal address checks every target, each in its own time.
//!
//! Observed on: AWS Network Load Balancer, whose checks "are distributed and use a consensus mechanism": a target
//! gets one check an interval from each checker of each zonal address. Checks are real connections from the
//! namespace of the zonal address, from its secondary addresses as well. How AWS spreads them over these is not documented: here
//! each checker takes them in turn. Not here: what a check is (see `check`) and what follows from its result (see
//! the fabric's `targets`).

mod check;

use crate::fabric::config::{
    BalancerId, GroupId, HealthCheck, Kind, Listener, PortId, Zonal, ZonalId,
};
use crate::fabric::random::{hash, pick};
use crate::fabric::targets::Probe;
use crate::plan::Plan;
use crate::world::{Error, World};
use check::Attempt;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout_at};

/// The first round of checks before a story is spread over this time at most: enough that a target does not get
/// them all at once, and too little to wait for.
const FIRST_ROUND: Duration = Duration::from_millis(5);
/// Waited beyond what the settings of the checks explain.
const PATIENCE: Duration = Duration::from_secs(5);

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
    /// The target's address, and where it gets its connections.
    traffic: SocketAddr,
    /// What it puts into the Host header; none: whom it asks.
    host: Option<String>,
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
    watches: Vec<Arc<Watch>>,
    news: Arc<Notify>,
    tasks: Vec<JoinHandle<()>>,
}

impl Probes {
    /// Starts all checkers of a plan; none, and nothing else either, without `health_check`.
    pub fn start(plan: &Plan, world: &Arc<World>) -> Self {
        let watches: Vec<Arc<Watch>> = watches(plan).into_iter().map(Arc::new).collect();
        let news = Arc::new(Notify::new());
        let tasks = watches
            .iter()
            .map(|watch| {
                tokio::spawn(keep_checking(
                    Arc::clone(watch),
                    Arc::clone(world),
                    Arc::clone(&news),
                ))
            })
            .collect();
        Self {
            watches,
            news,
            tasks,
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
            let news = self.news.notified();
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
        for task in &self.tasks {
            task.abort();
        }
        for task in self.tasks.drain(..) {
            match task.await {
                Ok(()) => {}
                Err(error) if error.is_cancelled() => {}
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
    }
}

impl Drop for Probes {
    /// A story that breaks off has nobody to stop them.
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Who checks whom: a group is checked from every zonal address of every balancer that forwards to it.
fn watches(plan: &Plan) -> Vec<Watch> {
    let mut watches = Vec::new();
    for (number, balancer) in (0u16..).zip(&plan.fabric.balancers) {
        let mut seen: Vec<GroupId> = Vec::new();
        let listeners = balancer.listeners.iter();
        let groups = listeners.flat_map(|listener| {
            let forward = listener.forward.iter();
            forward.map(move |forward| (forward.group, listener))
        });
        for (group, listener) in groups {
            if seen.contains(&group) {
                continue;
            }
            seen.push(group);
            for (zonal_number, zonal) in (0u8..).zip(&balancer.zonal) {
                let place = (BalancerId(number), ZonalId(zonal_number));
                watches.extend(from(plan, place, zonal, group, listener));
            }
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
    listener: &Listener,
) -> Vec<Watch> {
    let group = &plan.fabric.groups[usize::from(group_id.0)];
    let (Some(check), Some(port)) = (&group.health_check, zonal.port) else {
        return Vec::new();
    };
    let awaited = plan.settles.contains(&group_id);
    let pairs = (0..group.targets.len())
        .flat_map(|target| (0..check.checkers).map(move |checker| (target, checker)));
    pairs
        .map(|(target, checker)| {
            let registered = &group.targets[target];
            let words = [
                u64::from(balancer.0),
                u64::from(zonal_id.0),
                u64::from(group_id.0),
                target as u64,
                u64::from(checker),
            ];
            let stand_ins = &plan.fabric.stand_ins;
            let traffic = SocketAddrV4::new(registered.address, listener.port_at(registered));
            let traffic = stand_ins.end(traffic);
            // From the address of the target's family, which is also what Host names.
            let own = match (traffic, zonal.ipv6) {
                (SocketAddr::V6(_), Some(ipv6)) => ipv6,
                (SocketAddr::V6(_) | SocketAddr::V4(_), _) => zonal.private,
            };
            let sources = match traffic {
                SocketAddr::V4(_) if !zonal.secondary.is_empty() => {
                    let all = std::iter::once(zonal.private);
                    all.chain(zonal.secondary.iter().copied()).collect()
                }
                SocketAddr::V4(_) | SocketAddr::V6(_) => Vec::new(),
            };
            Watch {
                balancer,
                zonal: zonal_id,
                sources,
                group: group_id,
                target,
                checker,
                port,
                traffic,
                host: match plan.fabric.balancers[usize::from(balancer.0)].kind {
                    Kind::Classic(_) => None,
                    Kind::Application(_) => Some(of_target(traffic)),
                    Kind::Network => {
                        let own = SocketAddrV4::new(own, listener.port);
                        Some(stand_ins.end(own).to_string())
                    }
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
        let (balancer, zonal) = (watch.balancer, watch.zonal);
        let (group, target) = (watch.group, watch.target);
        let settings = world.driver().ask(move |fabric, _| {
            let config = &fabric.config().groups[usize::from(group.0)];
            let check = config.health_check.clone()?;
            let proxied = config.proxy_protocol.is_some();
            let place = &fabric.config().balancers[usize::from(balancer.0)].zonal;
            // The address of a zone that is not enabled is gone, and its checkers with it.
            let checked = place[usize::from(zonal.0)].enabled && fabric.is_checked(group, target);
            Some((check, proxied, checked))
        });
        let Some((check, proxied, checked)) = settings.await else {
            // Its group's checks were taken away while the story runs.
            return watch.judge(&news);
        };
        if checked {
            let passed = watch
                .check(&world, &check, proxied, sources.next().copied())
                .await;
            failed_in_a_row = if passed { 0 } else { failed_in_a_row + 1 };
            if passed || failed_in_a_row >= check.unhealthy_threshold {
                watch.judge(&news);
            }
        } else {
            watch.judge(&news);
        }
        next = start + upcoming(start.elapsed(), check.interval, watch.phase);
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
    async fn check(
        &self,
        world: &World,
        check: &HealthCheck,
        proxied: bool,
        source: Option<Ipv4Addr>,
    ) -> bool {
        let port = check.port.unwrap_or(self.traffic.port());
        let to = SocketAddr::new(self.traffic.ip(), port);
        let host = self.host.clone();
        let attempt = Attempt {
            namespace: world.zonal(self.port),
            source,
            check,
            target: to,
            host: &host.unwrap_or_else(|| of_target(to)),
            classic: self.host.is_none(),
            proxied,
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
