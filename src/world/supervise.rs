//! The three processes of a run, and the way in without root.
//!
//! *outer* forwards signals; *init* is PID 1 of a new PID namespace and reaps; *worker* does the work. Whoever dies
//! first, the kernel takes the rest: init ends when the worker ends or when its pipe from outer reaches end of file,
//! and every process of the PID namespace dies with init, programs that became daemons too.

use super::error::Error;
use super::mounts::make_private;
use super::privilege::separate;
use super::sysctl;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe2};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// Exit status after an interrupt, everything torn down.
pub const INTERRUPTED: u8 = 130;

/// Signals that come within this are one request: a key is pressed once, and the signal comes from the terminal and from whoever
/// hands it on (a shell, `sudo`, a CI runner).
pub const ONE_REQUEST: Duration = Duration::from_millis(300);

/// After a request the worker has given up its end of the pipe by which it was told within this time, or everything is made to end,
/// for whoever asks once only (`timeout` of a CI job). Tearing down takes milliseconds. Reports may take longer: whoever reads
/// them may be a pager.
pub const GRACE: Duration = Duration::from_secs(30);

/// Signals that ask for the end, where they are not ignored.
const REQUESTS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// An exit status of [`enter`] that says that a signal ended the run; why is said already.
pub fn is_killed(status: u8) -> bool {
    status > 128 && status != INTERRUPTED
}

/// Runs `work` as the worker of a new world and gives back its exit status. Call it before any thread exists.
/// `work` gets a descriptor that becomes readable at the first INT, TERM or HUP.
///
/// # Errors
/// When this machine does not let us in; the hint names the remedy.
pub fn enter(work: impl FnOnce(OwnedFd) -> u8) -> Result<u8, Error> {
    has_proc()?;
    let pipe =
        || pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(|errno| Error::system("make a pipe", errno));
    let (life_reader, life_writer) = pipe()?;
    let (cancel_reader, cancel_writer) = pipe()?;
    let signals = block_signals()?;
    separate()?;
    // SAFETY: this process has one thread.
    match unsafe { fork() }.map_err(|errno| Error::system("fork", errno))? {
        ForkResult::Parent { child } => {
            drop((life_reader, cancel_reader));
            leave(work);
            Ok(outer(child, &signals, &cancel_writer, &life_writer))
        }
        ForkResult::Child => {
            drop((life_writer, cancel_writer, signals));
            std::process::exit(init(&life_reader, cancel_reader, work).into())
        }
    }
}

/// What the worker works with is not freed piece by piece in the processes above it: each piece would first be copied, since
/// the memory is the worker's, too (half a second of the gallery's plans). It goes with the process.
fn leave(work: impl FnOnce(OwnedFd) -> u8) {
    std::mem::forget(work);
}

/// Everything here reads the kernel's own files.
fn has_proc() -> Result<(), Error> {
    fs::metadata("/proc/self").map(drop).map_err(|error| {
        Error::io("look at /proc/self", &error)
            .hint("/proc is not mounted here: `mount -t proc proc /proc`")
    })
}

/// Signals that ask this process for the end: one that is started by nohup(1) is not to end with its terminal.
pub fn requests() -> impl Iterator<Item = Signal> {
    let hangs_up = !is_ignored(Signal::SIGHUP);
    let all = REQUESTS.into_iter();
    all.filter(move |signal| hangs_up || *signal != Signal::SIGHUP)
}

fn is_ignored(signal: Signal) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: sigaction(2) sets nothing here, and writes what is set.
    let told = unsafe { libc::sigaction(signal as i32, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: it was written when the call succeeded.
    told == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

fn block_signals() -> Result<SignalFd, Error> {
    let mut set = SigSet::empty();
    for signal in requests().chain([Signal::SIGCHLD]) {
        set.add(signal);
    }
    set.thread_block()
        .map_err(|errno| Error::system("block signals", errno))?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(|errno| Error::system("make a signalfd", errno))
}

fn outer(init: Pid, signals: &SignalFd, cancel: &OwnedFd, _life: &OwnedFd) -> u8 {
    let mut interrupted = None::<Instant>;
    let mut heard = false;
    loop {
        let mut ready = [
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            // An error: nobody has the other end.
            PollFd::new(cancel.as_fd(), PollFlags::empty()),
        ];
        let hurried = interrupted.filter(|_| !heard);
        let watched = if hurried.is_some() { 2 } else { 1 };
        let left = hurried.map(|first| GRACE.saturating_sub(first.elapsed()));
        let limit = left.and_then(|left| PollTimeout::try_from(left).ok());
        match poll(&mut ready[..watched], limit.unwrap_or(PollTimeout::NONE)) {
            // Our end of the life pipe closes and init takes everything with it.
            Ok(0) => {
                eprintln!(
                    "hairpin: {} s after the interrupt it has not ended: everything is torn down at once, without a report",
                    GRACE.as_secs()
                );
                return INTERRUPTED;
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => panic!("poll on a signalfd and a pipe: {errno}"),
        }
        heard |= ready[1].revents().is_some_and(|events| !events.is_empty());
        while let Ok(Some(signal)) = signals.read_signal() {
            if signal.ssi_signo == Signal::SIGCHLD as u32 {
                match waitpid(init, Some(WaitPidFlag::WNOHANG)) {
                    Ok(WaitStatus::Exited(_, status)) => return status as u8,
                    Ok(WaitStatus::Signaled(_, signal, _)) => {
                        return killed("run", signal);
                    }
                    Ok(_) | Err(_) => {}
                }
            } else if let Some(first) = interrupted {
                if first.elapsed() > ONE_REQUEST {
                    // Stop waiting, as above.
                    eprintln!(
                        "hairpin: interrupted again: everything is torn down at once, without a report"
                    );
                    return INTERRUPTED;
                }
            } else {
                interrupted = Some(Instant::now());
                if let Err(errno) = nix::unistd::write(cancel, b"!") {
                    tracing::debug!(?errno, "the worker has gone already");
                }
            }
        }
    }
}

/// Says what became of a process that a signal ended, and gives the exit status of shells for it.
fn killed(what: &str, signal: Signal) -> u8 {
    let why = match signal {
        Signal::SIGKILL => " (the kernel does that, too, when memory runs out)",
        Signal::SIGABRT => " (memory or stack was short: see `ulimit -a`)",
        _ => "",
    };
    eprintln!("hairpin: the {what} was killed by {signal}{why}; nothing of it is left");
    128 + signal as u8
}

/// PID 1 of the new PID namespace.
fn init(life: &OwnedFd, cancel: OwnedFd, work: impl FnOnce(OwnedFd) -> u8) -> u8 {
    if let Err(error) = prepare_init() {
        eprintln!("hairpin: {error}");
        return 3;
    }
    let signals = match block_signals() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("hairpin: {error}");
            return 3;
        }
    };
    // SAFETY: this process has one thread.
    let worker = match unsafe { fork() } {
        Ok(ForkResult::Parent { child }) => {
            leave(work);
            child
        }
        Ok(ForkResult::Child) => {
            drop(signals);
            unblock_signals();
            std::process::exit(work(cancel).into());
        }
        Err(errno) => {
            eprintln!("hairpin: fork: {errno}");
            return 3;
        }
    };
    drop(cancel);
    loop {
        let mut ready = [
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(life.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut ready, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => panic!("poll on a signalfd and a pipe: {errno}"),
        }
        // Outer never writes: anything here is its end.
        if ready[1].revents().is_some_and(|events| !events.is_empty()) {
            return INTERRUPTED;
        }
        while let Ok(Some(_)) = signals.read_signal() {}
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, status)) if pid == worker => return status as u8,
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == worker => {
                    return killed("worker", signal);
                }
                Ok(WaitStatus::StillAlive) | Err(_) => break,
                Ok(_) => {}
            }
        }
    }
}

fn prepare_init() -> Result<(), Error> {
    make_private()?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    // A container may mask parts of /proc and then forbids a fresh one. The old one still works for us: only
    // programs see process numbers of the outside there.
    if let Err(errno) = mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>) {
        tracing::debug!(?errno, "no /proc of our own");
    }
    sysctl::own_connection_tables(sysctl::CONNECTION_BUCKETS);
    Ok(())
}

/// The terminal sends Ctrl-C to every process of the group; only outer answers it. A handler that does nothing is not handed
/// down to programs as ignoring would be: exec(2) gives them the default.
fn unblock_signals() {
    extern "C" fn nothing(_signal: libc::c_int) {}
    let deaf = SigAction::new(
        SigHandler::Handler(nothing),
        SaFlags::SA_RESTART,
        SigSet::empty(),
    );
    for signal in REQUESTS {
        // SAFETY: the handler touches nothing.
        let set = unsafe { sigaction(signal, &deaf) };
        debug_assert!(set.is_ok(), "these signals can be handled");
    }
    let unblocked = SigSet::all().thread_unblock();
    debug_assert!(unblocked.is_ok(), "the mask is valid");
}
