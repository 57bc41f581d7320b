//! `hairpin up`: validates as `run` does, then leaves a case's world in processes of their own, and tells when it is ready.

use super::serve::{self, Serving};
use super::state::{Description, Held, Home};
use super::wire::{self, Answer};
use crate::cli::args::UpArgs;
use crate::cli::{Refusal, Status, find, select, terminal, worker};
use crate::plan::{Kind, Plan};
use crate::spec::hand::ByHand;
use crate::world::supervise;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, fork, pipe2, setsid};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A world is ready within this time, or it is given up.
const LIMIT: Duration = Duration::from_secs(300);
/// One that is given up has so long to end by itself.
const ENDING: Duration = Duration::from_secs(10);

/// Puts a lab up.
pub fn up(args: &UpArgs) -> Result<u8, Refusal> {
    let file = find::one(&args.lab)?;
    let cases: Vec<String> = args.case.iter().cloned().collect();
    let sources = select::read(vec![file])?;
    let meant = select::plans(&sources, &cases, None, args.seed)?;
    let chosen = choose(&meant.plans);
    let source = &sources[0];
    let hand = ByHand::new(&source.text, &source.file, &chosen.plan.case)
        .expect("a plan's case is in its lab");
    let name = args
        .name
        .clone()
        .unwrap_or_else(|| default_name(chosen.plan));
    let description = Description::new(
        &name,
        &chosen.plan.file,
        &chosen.plan.lab,
        &chosen.plan.case,
    );
    let mut plan = chosen.plan.clone();
    plan.fabric.record_limit = serve::RECORDS;
    let held = Home::of_user().claim(&description)?;
    let mut serving = Serving {
        place: held.place.clone(),
        description,
        why: chosen.why,
        plan: Arc::new(plan),
        hand,
        keep: usize::try_from(args.keep.0).unwrap_or(usize::MAX),
        ready: None,
    };
    if args.foreground {
        return Ok(keep(&held, serving));
    }
    let failed = |errno: Errno| Refusal::unable(format!("cannot leave a process behind: {errno}"));
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
    let log =
        open_log(&held).map_err(|error| Refusal::unable(format!("cannot write a log: {error}")))?;
    // From here on a signal would leave the child without anybody who waits for it.
    let signals = Signals::block().map_err(failed)?;
    // SAFETY: this process has one thread.
    match unsafe { fork() }.map_err(failed)? {
        ForkResult::Parent { child } => {
            drop((writer, log));
            Ok(wait(child, reader, &signals, &held))
        }
        ForkResult::Child => {
            drop((reader, signals));
            serving.description.pid = std::process::id();
            serving.ready = Some(writer);
            let left = leave(&log).and_then(|()| {
                let described = held.place.describe(&serving.description);
                described.map_err(|error| io::Error::other(error.to_string()))
            });
            let status = match left {
                Ok(()) => keep(&held, serving),
                Err(error) => serving.failed(&error.to_string(), Status::Unable),
            };
            std::process::exit(status.into())
        }
    }
}

/// The case that is meant.
struct Chosen<'a> {
    plan: &'a Plan,
    /// Why this one; empty: it was named.
    why: &'static str,
}

fn choose(plans: &[Plan]) -> Chosen<'_> {
    let fault = plans.iter().find(|plan| plan.kind == Kind::Fault);
    match (plans, fault) {
        ([only], _) => Chosen {
            plan: only,
            why: "",
        },
        (_, Some(plan)) => Chosen {
            plan,
            why: "the lab's first fault",
        },
        (plans, None) => Chosen {
            plan: &plans[0],
            why: "the lab's first case",
        },
    }
}

/// `nlb/source-port-collision` is called `source-port-collision`.
fn default_name(plan: &Plan) -> String {
    let stem = plan.lab.rsplit('/').next().unwrap_or(&plan.lab);
    stem.to_owned()
}

fn open_log(held: &Held) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(held.place.log())
}

/// Away from the terminal.
fn leave(log: &File) -> io::Result<()> {
    setsid()?;
    dup2_stdin(File::open("/dev/null")?)?;
    dup2_stdout(log)?;
    dup2_stderr(log)?;
    Ok(())
}

/// Keeps the lab up in this process until it ends, and removes its folder; where what it had to say is in the log alone, only
/// when it ended as it was asked to.
fn keep(held: &Held, serving: Serving) -> u8 {
    let in_front = serving.ready.is_none();
    let ready = serving.ready.as_ref().map(OwnedFd::try_clone);
    let ended = supervise::enter(|cancel| serve::work(serving, cancel));
    let status = ended.unwrap_or_else(|error| {
        let why = worker::unable(&error);
        serve::say_failed(ready.and_then(Result::ok).as_ref(), &why, Status::Unable)
    });
    let as_asked = [Status::Held, Status::Interrupted].map(|status| status as u8);
    if (in_front || as_asked.contains(&status))
        && let Err(error) = held.remove()
    {
        terminal::complain(&error.to_string());
    }
    status
}

/// What comes while it is waited: somebody asks for the end, or the child has ended.
struct Signals {
    requests: SignalFd,
    children: SignalFd,
}

impl Signals {
    fn block() -> Result<Self, Errno> {
        let taken = |set: SigSet| {
            set.thread_block()?;
            SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        };
        Ok(Self {
            requests: taken(supervise::requests().collect())?,
            children: taken(SigSet::from_iter([Signal::SIGCHLD]))?,
        })
    }
}

/// Waits for one of these until a moment, and gives the place of the first that is ready; none: it is later than that.
fn ready<const N: usize>(of: [BorrowedFd<'_>; N], until: Instant) -> Option<usize> {
    let mut fds = of.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match poll(
            &mut fds,
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX),
        ) {
            Ok(0) if left.is_zero() => return None,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => panic!("poll on a pipe and a signalfd: {errno}"),
        }
        if let Some(first) = fds.iter().position(|fd| fd.any().unwrap_or(false)) {
            return Some(first);
        }
    }
}

/// Waits until the lab is ready or cannot be, and tells what is there.
fn wait(child: Pid, reader: OwnedFd, signals: &Signals, held: &Held) -> u8 {
    let until = Instant::now() + LIMIT;
    match ready([signals.requests.as_fd(), reader.as_fd()], until) {
        Some(0) => {
            terminal::note("interrupted; the lab is torn down");
            return end(child, signals, held, Status::Interrupted);
        }
        Some(_) => {}
        None => {
            terminal::complain(&format!("the lab is not ready after {} s", LIMIT.as_secs()));
            return end(child, signals, held, Status::Unable);
        }
    }
    match wire::read(&mut BufReader::new(File::from(reader))) {
        Ok(Some(Answer::Ready { text })) => {
            terminal::print(&text);
            Status::Held as u8
        }
        Ok(Some(Answer::Refused { why, status })) => {
            terminal::complain(&why);
            end(child, signals, held, Status::Unable);
            status
        }
        Ok(_) | Err(_) => {
            let log = std::fs::read_to_string(held.place.log())
                .unwrap_or_else(|error| format!("its log cannot be read: {error}"));
            terminal::complain(&format!("the lab died before it was ready\n{log}"));
            end(child, signals, held, Status::Unable)
        }
    }
}

/// Ends what was begun, and waits for it; whatever does not end by itself is made to, and at once when that is asked for again.
fn end(child: Pid, signals: &Signals, held: &Held, status: Status) -> u8 {
    // It may have ended by itself.
    let asked = kill(child, Signal::SIGTERM);
    let begun = Instant::now();
    loop {
        // An error: nobody is there to be waited for.
        if waitpid(child, Some(WaitPidFlag::WNOHANG)) != Ok(WaitStatus::StillAlive) {
            break;
        }
        let fds = [signals.requests.as_fd(), signals.children.as_fd()];
        let again = match ready(fds, begun + ENDING) {
            Some(0) => begun.elapsed() > supervise::ONE_REQUEST,
            Some(_) => false,
            None => true,
        };
        for signals in [&signals.requests, &signals.children] {
            while let Ok(Some(_)) = signals.read_signal() {}
        }
        if again {
            // The first of its processes takes the others with it.
            let killed = kill(child, Signal::SIGKILL);
            let waited = waitpid(child, None);
            tracing::debug!(?killed, ?waited, "what was begun is made to end");
            break;
        }
    }
    let removed = held.remove();
    tracing::debug!(?asked, ?removed, "what was begun has ended");
    status as u8
}
