//! What the worker process does: runs cases at once, judges them, reports.

use super::args::{OutputFormat, RunArgs};
use super::gate::{Gate, processors};
use super::jobs::{Job, Jobs};
use super::keeper::Keeper;
use super::room::{Part, Room};
use super::select::LeftOut;
use super::{Status, reports, terminal};
use crate::plan::Plan;
use crate::report::{self, CaseInfo, Outcome, Report, Word};
use crate::run::{self, Recorded, length, need};
use crate::verdict::Ruling;
use crate::world::{Error, World, lag, probe};
use futures_util::FutureExt;
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

/// Threads of the runtime for each processor. With one, a case that is built or collected keeps the clients, servers
/// and proxies of other cases waiting behind it, for tenths of a second; among several, the kernel shares the processor.
const WORKERS_PER_PROCESSOR: usize = 8;

/// Longer than any run.
const FOR_GOOD: Duration = Duration::from_secs(365 * 24 * 3600);

/// Threads that have ended are gone within this time.
const LEAVING: Duration = Duration::from_secs(1);

/// Runs everything and gives the exit status.
pub fn work(
    args: &RunArgs,
    jobs: Jobs,
    texts: BTreeMap<String, String>,
    left_out: &LeftOut,
    cancel: OwnedFd,
) -> u8 {
    raise_descriptor_limit();
    if let Err(error) = probe::least() {
        return refuse(&unable(&error));
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            return refuse(&format!("cannot start the runtime: {error}"));
        }
    };
    let room = match Room::for_runs(jobs.plans(), jobs.len()) {
        Ok(room) => Arc::new(room),
        Err(error) => {
            return refuse(&unable(&error));
        }
    };
    let status = runtime.block_on(all(args, jobs, texts, left_out, room, cancel));
    // What is left are threads of namespaces and descriptors; the kernel frees them faster than we could.
    runtime.shutdown_background();
    terminal::settled(status as u8)
}

/// Says why no case is begun on this machine.
pub fn refuse(why: &str) -> u8 {
    terminal::complain(why);
    reports::annotate_nothing(why);
    Status::Unable as u8
}

/// With threads enough for cases that are built beside others that are told.
///
/// # Errors
/// When they cannot be had.
pub fn runtime() -> std::io::Result<Runtime> {
    let threads = processors() * WORKERS_PER_PROCESSOR;
    // With those that wait for an interrupt, draw the progress and stand in for a busy one.
    try_threads(threads + 3)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_keep_alive(FOR_GOOD)
        .enable_all()
        .build()?;
    // With one that stands in the runtime does without others where no more are allowed; without any it would panic.
    let stands_in = runtime.block_on(runtime.spawn_blocking(|| {}));
    stands_in.map_err(std::io::Error::other)?;
    runtime.spawn(lag::sample_tasks());
    Ok(runtime)
}

/// So many threads at once, and then none of them: the runtime would not tell of one that it cannot have, but panic and wait
/// for it.
fn try_threads(number: usize) -> std::io::Result<()> {
    let alive = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    let others = alive();
    let held = Mutex::new(());
    let holding = held.lock();
    let tried = std::thread::scope(|scope| {
        let start = |_| {
            std::thread::Builder::new()
                .spawn_scoped(scope, || drop(held.lock()))
                .map(drop)
        };
        let tried = (0..number).try_for_each(start);
        drop(holding);
        tried
    });
    // Who has been waited for counts toward the limit still, for a moment.
    let until = Instant::now() + LEAVING;
    while alive() > others && Instant::now() < until {
        std::thread::yield_now();
    }
    tried
}

/// What to say where labs cannot run.
pub fn unable(error: &Error) -> String {
    format!("this machine cannot run labs: {error}\n  `hairpin doctor` tells more")
}

async fn all(
    args: &RunArgs,
    jobs: Jobs,
    texts: BTreeMap<String, String>,
    left_out: &LeftOut,
    room: Arc<Room>,
    cancel: OwnedFd,
) -> Status {
    let began = Instant::now();
    let (total, jobs) = (jobs.len(), Arc::new(jobs));
    let (cancelled, unfinished) = watch_cancel(cancel);
    let runs = Runs {
        room,
        cancelled,
        capture: capture_limit(args),
    };
    let mut keeper = Keeper::new(args, texts);
    let inbox = runs.begin(args, Arc::clone(&jobs));
    let (mut outcomes, doubtful) = runs.gather(inbox, total, &mut keeper).await;
    outcomes.extend(runs.again(doubtful, &mut keeper).await);
    outcomes.sort_by_key(|(number, _)| *number);
    let interrupted = *runs.cancelled.borrow();
    let over: BTreeSet<usize> = outcomes.iter().map(|(number, _)| *number).collect();
    let mut outcomes: Vec<Outcome> = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    keeper.settle(&mut outcomes);
    if interrupted {
        outcomes.extend(cut_short(&jobs, &over));
    }
    // From here on it may take as long as whoever reads the reports.
    drop(unfinished);
    let published = publish(args, &outcomes, left_out, began);
    if interrupted {
        terminal::note(&format!(
            "interrupted after {} of {total} runs; everything is torn down",
            over.len()
        ));
        return Status::Interrupted;
    }
    let saved = if keeper.unsaved {
        Status::Unable
    } else {
        Status::Held
    };
    let words = outcomes.iter().map(Outcome::word);
    status(words).max(published).max(saved)
}

/// Cases whose runs an interrupt took: one outcome each, however many there were to be.
fn cut_short(jobs: &Jobs, over: &BTreeSet<usize>) -> Vec<Outcome> {
    let mut cases: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    for number in (0..jobs.len()).filter(|number| !over.contains(number)) {
        let case = cases.entry(jobs.name(number));
        case.or_insert((number, 0)).1 += 1;
    }
    let told = cases.into_values().map(|(first, runs)| {
        let job = jobs.job(first);
        Outcome {
            failure: Some(match runs {
                1 => "interrupted before it was over".to_owned(),
                _ => format!("interrupted before {runs} of its runs were over"),
            }),
            interrupted: true,
            ..Outcome::of(CaseInfo::from(&*job.plan), job.attempt)
        }
    });
    told.collect()
}

/// What every run needs.
struct Runs {
    room: Arc<Room>,
    cancelled: run::Cancel,
    /// Packets that a capture holds, at most; none: there is none.
    capture: Option<usize>,
}

/// A run that has ended, by its place among the jobs.
type Ended = (usize, Job, Result<Recorded, Error>);

impl Runs {
    /// Begins all of them, as many at a time as there may be.
    fn begin(&self, args: &RunArgs, jobs: Arc<Jobs>) -> mpsc::Receiver<Ended> {
        let gate = Gate::new(args.jobs.map(usize::from));
        // With room for a few only: results may hold captures, and they are taken up one after the other.
        let (results, inbox) = mpsc::channel(processors());
        let (room, cancelled) = (Arc::clone(&self.room), self.cancelled.clone());
        let capture = self.capture;
        // One task begins them all: tasks of their own would come to the gate in any order.
        tokio::spawn(async move {
            for number in jobs.longest_first() {
                let place = gate.pass().await;
                if *cancelled.borrow() {
                    return;
                }
                let (room, cancelled) = (Arc::clone(&room), cancelled.clone());
                let (jobs, results) = (Arc::clone(&jobs), results.clone());
                tokio::spawn(async move {
                    let job = jobs.job(number);
                    let run = one(&job.plan, &room, cancelled, capture);
                    let result = outlived(run).await;
                    let Some(result) = result else { return };
                    // The reader stops early only when the user interrupts.
                    drop(results.send((number, job, result)).await);
                    drop(place);
                });
            }
        });
        inbox
    }

    /// What they come to; and those that could not be told, apart.
    async fn gather(
        &self,
        mut inbox: mpsc::Receiver<Ended>,
        total: usize,
        keeper: &mut Keeper<'_>,
    ) -> (Vec<(usize, Outcome)>, Vec<(usize, Job, Outcome)>) {
        let progress = terminal::Progress::new(total);
        let mut outcomes = Vec::new();
        let mut doubtful = Vec::new();
        while let Some((number, job, result)) = inbox.recv().await {
            // What comes now was cut short.
            if *self.cancelled.borrow() {
                continue;
            }
            progress.done(&format!("{}/{}", job.plan.lab, job.plan.case));
            let outcome = keeper.outcome(&job.plan, job.attempt, result);
            let told = outcome.word() != Word::Ruled(Ruling::Inconclusive);
            if told || keeper.args.repeat != 1 {
                outcomes.push((number, outcome));
            } else {
                doubtful.push((number, job, outcome));
            }
        }
        progress.finish();
        (outcomes, doubtful)
    }

    /// Each of these once more, alone: a case meets less lateness then; once, so that a machine that is always late is
    /// not hidden.
    async fn again(
        &self,
        doubtful: Vec<(usize, Job, Outcome)>,
        keeper: &mut Keeper<'_>,
    ) -> Vec<(usize, Outcome)> {
        let mut outcomes = Vec::with_capacity(doubtful.len());
        for (number, job, told) in doubtful {
            let reason = told.verdict.map_or(String::new(), |verdict| verdict.reason);
            terminal::note(&format!(
                "{}/{}: {reason}; running it again, alone",
                job.plan.lab, job.plan.case
            ));
            let cancelled = self.cancelled.clone();
            let run = one(&job.plan, &self.room, cancelled, self.capture);
            let result = outlived(run).await;
            // What comes now was cut short.
            let Some(result) = result.filter(|_| !*self.cancelled.borrow()) else {
                break;
            };
            let mut outcome = keeper.outcome(&job.plan, job.attempt, result);
            outcome.retried = Some(reason);
            outcomes.push((number, outcome));
        }
        outcomes
    }
}

fn publish(args: &RunArgs, outcomes: &[Outcome], left_out: &LeftOut, began: Instant) -> Status {
    let table = reports::beside(&args.report);
    let mut style = table.style(args.explain);
    style.wall = Some(began.elapsed().as_secs_f64());
    let report = Report::new(outcomes, args.shard);
    match args.format {
        // It is among the reports.
        OutputFormat::Json => {}
        OutputFormat::Human if args.repeat > 1 => table.print(&report::repeat(&report)),
        OutputFormat::Human => table.print(&report::text(outcomes, &style)),
    }
    if let Some(told) = left_out.told() {
        match args.format {
            OutputFormat::Json => terminal::note(&told),
            OutputFormat::Human => table.print(&format!("{told}\n")),
        }
    }
    let written = reports::write(&args.report, &report);
    written.max(reports::annotate(&report, table))
}

/// The worst that happened decides.
pub fn status(words: impl Iterator<Item = Word>) -> Status {
    let each = words.map(|word| match word {
        Word::Ruled(Ruling::Holds) | Word::ByHand => Status::Held,
        Word::Ruled(Ruling::Fails | Ruling::Inconclusive) => Status::Failed,
        Word::Failure => Status::Unable,
        Word::Interrupted => Status::Interrupted,
    });
    each.max().unwrap_or(Status::Held)
}

/// Builds, runs and takes down one case, when there is room for it. None when the user asked to stop before.
async fn one(
    plan: &Arc<Plan>,
    room: &Room,
    mut cancelled: run::Cancel,
    capture: Option<usize>,
) -> Option<Result<Recorded, Error>> {
    let part = match room.take(plan, &mut cancelled).await {
        Ok(part) => part?,
        Err(lack) => {
            room.departure.built();
            return Some(Err(lack));
        }
    };
    if *cancelled.borrow() {
        return None;
    }
    Some(build_and_run(plan, room, part, cancelled, capture).await)
}

/// The result of a run, also of one that panics: it is lost, and the others are not.
async fn outlived<T>(
    run: impl Future<Output = Option<Result<T, Error>>>,
) -> Option<Result<T, Error>> {
    // What it leaves is dropped with it, but for what is behind locks, whose holders do not panic.
    match AssertUnwindSafe(run).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
            let error = Error::other("run the case", format!("panic: {}", said.unwrap_or("?")));
            Some(Err(
                error.hint("this is a defect of hairpin: please report it")
            ))
        }
    }
}

async fn build_and_run(
    plan: &Arc<Plan>,
    room: &Room,
    part: Part,
    mut cancelled: run::Cancel,
    capture: Option<usize>,
) -> Result<Recorded, Error> {
    let began = Instant::now();
    let building = World::build(plan, need::connections(plan), capture);
    let built = run::unless_stopped(&mut cancelled, "build the world", building).await;
    room.departure.built();
    let world = Arc::new(built?);
    let up = began.elapsed();
    let reckoned = length::of(plan);
    tracing::debug!(lab = %plan.lab, case = %plan.case, ?up, ?reckoned, "a case begins");
    let result = run::run(plan, Arc::clone(&world), part.sockets, cancelled).await;
    tracing::debug!(lab = %plan.lab, case = %plan.case, "a case has ended");
    let packets = result
        .as_ref()
        .map_or(0, |recorded| recorded.evidence.packets.len());
    room.departure.add(world, packets, part);
    let mut recorded = result?;
    recorded.evidence.up_ms = up.as_secs_f64() * 1e3;
    Ok(recorded)
}

/// How much to keep of the packets of each case, bytes; none: nothing.
fn capture_limit(args: &RunArgs) -> Option<usize> {
    let limit = usize::try_from(args.capture_limit.0).unwrap_or(usize::MAX);
    args.capture.is_some().then_some(limit)
}

/// The first byte on the pipe from outer means: stop. The pipe, to be kept until all that is to be done then is done but for
/// reports (see [`crate::world::supervise::GRACE`]).
pub fn watch_cancel(pipe: OwnedFd) -> (run::Cancel, Arc<OwnedFd>) {
    let (sender, receiver) = watch::channel(false);
    let pipe = Arc::new(pipe);
    let kept = Arc::clone(&pipe);
    std::thread::spawn(move || {
        let mut byte = [0];
        // End of file means that outer died; init ends us then.
        if let Ok(1) = nix::unistd::read(&*pipe, &mut byte) {
            sender.send_replace(true);
        }
        tracing::debug!(fd = pipe.as_raw_fd(), "the cancel pipe ended");
        std::mem::forget(sender);
    });
    (receiver, kept)
}

/// Many sockets and devices at once: up to what the machine allows without asking.
pub fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(errno) = raised {
        tracing::debug!(?errno, "the descriptor limit stays as it is");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    /// Twice as many cases as processors are built or collected: each has a thread of the runtime and gives it back only when
    /// somebody else's proxy has had its turn.
    #[test]
    fn cases_that_are_built_keep_no_proxies_waiting() {
        const LIMIT: Duration = Duration::from_secs(10);
        let runtime = runtime().expect("a runtime");
        let cases = processors() * 2;
        let (begun, all_begun) = mpsc::channel();
        let ends = (0..cases).map(|_| {
            let (end, ended) = mpsc::channel();
            let begun = begun.clone();
            runtime.spawn(async move {
                begun.send(()).expect("the test waits");
                let had_its_turn = ended.recv_timeout(LIMIT);
                had_its_turn.expect("a proxy has its turn while cases are built");
            });
            end
        });
        let ends: Vec<mpsc::Sender<()>> = ends.collect();
        for _ in 0..cases {
            let one = all_begun.recv_timeout(LIMIT);
            one.expect("all of them have a thread");
        }
        let proxy = runtime.spawn(async move {
            for end in &ends {
                end.send(()).expect("a case is built until then");
            }
        });
        runtime.block_on(proxy).expect("nothing panicked");
    }

    /// Clients and servers are tasks, and none of the machine's timers need be late where these wait.
    #[test]
    fn tasks_that_wait_for_each_other_are_late() {
        const BUSY: Duration = Duration::from_millis(300);
        let runtime = runtime().expect("a runtime");
        let window = lag::Window::open();
        let until = Instant::now() + Duration::from_secs(10);
        // Once more where nobody has begun to sample in the meantime.
        while window.worst() < BUSY / 2 {
            assert!(Instant::now() < until, "no task was as late as that");
            let busy = (0..processors() * WORKERS_PER_PROCESSOR)
                .map(|_| runtime.spawn(async { std::thread::sleep(BUSY) }));
            let busy: Vec<_> = busy.collect();
            runtime.block_on(async {
                for one in busy {
                    one.await.expect("nothing panicked");
                }
            });
        }
    }

    #[tokio::test]
    async fn a_run_that_panics_is_told_as_one_that_could_not_be_run() {
        async fn dies(deep: bool) -> Option<Result<(), Error>> {
            assert!(!deep, "at {}", 7);
            Some(Ok(()))
        }
        assert!(matches!(outlived(dies(false)).await, Some(Ok(()))));
        let told = outlived(dies(true)).await;
        let told = told.and_then(Result::err).expect("it died");
        assert_eq!(told.detail, "panic: at 7");
    }
}
