//! A network namespace without a name: one long-lived thread in it, and everything that must happen inside.
//!
//! The thread is the only holder besides sockets and the device, so the kernel frees the namespace when the runner
//! dies, however it dies. Work is sent to it as closures: a socket costs 10 us that way, 1.7 ms with a throw-away thread.

use super::error::Error;
use nix::unistd::{Pid, gettid};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

/// Furnishes a namespace from inside, or is told why it could not be made.
pub(super) type Furnish = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// Stack of a resident thread, bytes. It runs small closures only; a thousand of them must be cheap.
const STACK: usize = 256 * 1024;

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

/// Where a namespace is, for other threads that enter it while its own lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Of all namespaces of this process; a thread's number may come again.
    number: u64,
    thread: Pid,
}

impl Place {
    /// The file to enter it by.
    pub fn path(self) -> String {
        format!("/proc/self/task/{}/ns/net", self.thread)
    }
}

/// A handle to a namespace's thread. Dropping it ends the thread and lets the namespace go.
#[derive(Debug)]
pub struct Namespace {
    number: u64,
    thread: OnceLock<Pid>,
    resident: Resident,
}

impl Namespace {
    /// One that is yet to be made, and what is to be done in it then.
    pub(super) fn announce<T: Send + 'static>(
        name: &str,
        first: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> (Self, Pending<T>, Furnish) {
        let (resident, seat) = Resident::announce(name);
        let (answer, result) = mpsc::sync_channel(1);
        let furnish = move |made: Result<(), Error>| {
            let outcome = made.and_then(|()| first());
            let settled = outcome.and_then(|first| seat.take(Seat::stay).map(|()| first));
            // Nobody listens any more when another one failed.
            drop(answer.send(settled));
        };
        let namespace = Self {
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            thread: OnceLock::new(),
            resident,
        };
        let pending = Pending {
            result,
            name: name.to_owned(),
        };
        (namespace, pending, Box::new(furnish))
    }

    /// Where it is.
    ///
    /// # Panics
    /// As [`Namespace::call`].
    pub async fn place(&self) -> Place {
        let thread = match self.thread.get() {
            Some(thread) => *thread,
            None => {
                let thread = self.call(gettid).await;
                *self.thread.get_or_init(|| thread)
            }
        };
        Place {
            number: self.number,
            thread,
        }
    }

    /// Runs a closure inside and waits for it.
    ///
    /// # Panics
    /// When the closure panicked: the thread is gone and the world with it.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        self.resident.run(job)
    }

    /// Runs a closure inside without blocking the caller's thread.
    ///
    /// # Panics
    /// As [`Namespace::run`].
    pub async fn call<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (answer, result) = tokio::sync::oneshot::channel();
        self.resident.post(move || {
            // A step that hit its limit no longer waits; its answer has no reader then.
            drop(answer.send(job()));
        });
        result
            .await
            .unwrap_or_else(|_| panic!("the thread of {} died", self.resident.name))
    }
}

/// A long-lived thread that stays where its parent was when it started, and runs closures there. Dropping the handle
/// ends it.
#[derive(Debug)]
pub struct Resident {
    name: String,
    jobs: mpsc::Sender<Job>,
}

/// A resident that has not moved in yet.
#[derive(Debug)]
pub struct Seat {
    name: String,
    inbox: mpsc::Receiver<Job>,
}

impl Resident {
    /// One that moves in later, see [`Seat::take`]; what it is asked until then waits.
    pub fn announce(name: &str) -> (Self, Seat) {
        let (jobs, inbox) = mpsc::channel();
        let (name, own) = (name.to_owned(), name.to_owned());
        (Self { name, jobs }, Seat { name: own, inbox })
    }

    /// Runs a closure there and waits for it.
    ///
    /// # Panics
    /// When the closure panicked: the thread is gone and the world with it.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (answer, result) = mpsc::sync_channel(1);
        self.post(move || {
            // The caller waits below until this is sent; it cannot have gone.
            answer
                .send(job())
                .expect("the caller waits for this answer");
        });
        result
            .recv()
            .unwrap_or_else(|_| panic!("the thread of {} died", self.name))
    }

    fn post(&self, job: impl FnOnce() + Send + 'static) {
        let sent = self.jobs.send(Box::new(job));
        assert!(sent.is_ok(), "the thread of {} died", self.name);
    }
}

impl Seat {
    /// Starts the thread, where the calling one is; `work` comes to stay.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn take(self, work: impl FnOnce(&Self) + Send + 'static) -> Result<(), Error> {
        let name = self.name.chars().take(15).collect();
        let started = thread::Builder::new()
            .name(name)
            .stack_size(STACK)
            .spawn(move || work(&self));
        started
            .map(drop)
            .map_err(|error| Error::io("start a thread", &error))
    }

    /// Does what the resident is asked, until its handle is dropped.
    pub fn stay(&self) {
        while let Ok(job) = self.inbox.recv() {
            job();
        }
    }
}

/// The result of a namespace's first closure.
#[derive(Debug)]
pub struct Pending<T> {
    result: mpsc::Receiver<Result<T, Error>>,
    name: String,
}

impl<T> Pending<T> {
    /// Waits for it.
    ///
    /// # Errors
    /// What failed inside, with the host's name.
    pub fn wait(self) -> Result<T, Error> {
        match self.result.recv() {
            Ok(result) => result.map_err(|error| error.on(&self.name)),
            Err(_) => Err(Error::other("build the namespace", "its thread died").on(&self.name)),
        }
    }
}
