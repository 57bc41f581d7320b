//! A network namespace without a name: one long-lived thread inside it, and everything that must happen there.
//!
//! The thread is the only holder besides sockets and the device, so the kernel frees the namespace when the runner
//! dies, however it dies. Work is sent to it as closures: a socket costs 10 us that way, 1.7 ms with a throw-away thread.
//! Namespaces are made by a few builders (see [`Builders`]), whose children those threads are.

use super::error::Error;
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{Pid, gettid};
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

/// Stack of a resident thread, bytes. It runs small closures only; a thousand of them must be cheap.
const STACK: usize = 256 * 1024;

/// How many build at once. The kernel makes and furnishes namespaces under one lock (rtnl), where more would wait in turn,
/// and awake: a thousand threads took a third more processor time for the same hosts.
const BUILDERS: usize = 2;

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
    /// Makes a namespace and runs `first` inside; its result comes later, so many can be made at once.
    ///
    /// # Errors
    /// When no builder can be had. What fails inside is in the [`Pending`].
    pub fn spawn<T: Send + 'static>(
        name: &str,
        first: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<(Self, Pending<T>), Error> {
        static BUILDERS: OnceLock<Builders> = OnceLock::new();
        let builders = match BUILDERS.get() {
            Some(builders) => builders,
            None => {
                let started = Builders::start()?;
                BUILDERS.get_or_init(|| started)
            }
        };
        let (resident, seat) = Resident::announce(name);
        let (answer, result) = mpsc::sync_channel(1);
        builders.order(Box::new(move || {
            let built = build(first).and_then(|value| seat.take().map(|()| value));
            // Whoever stopped waiting for it lets the resident go, too.
            drop(answer.send(built));
        }))?;
        Ok((
            Self {
                number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
                thread: OnceLock::new(),
                resident,
            },
            Pending {
                result,
                name: name.to_owned(),
            },
        ))
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
    /// Starts the thread, where the calling one is.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn take(self) -> Result<(), Error> {
        let Self { name, inbox } = self;
        let stay = move || {
            while let Ok(job) = inbox.recv() {
                job();
            }
        };
        let started = thread::Builder::new()
            .name(name.chars().take(15).collect())
            .stack_size(STACK)
            .spawn(stay);
        started
            .map(drop)
            .map_err(|error| Error::io("start a thread", &error))
    }
}

/// The threads that make namespaces, each after every namespace back in the one they started in, since the kernel takes
/// settings of a new one from its parent.
#[derive(Debug)]
struct Builders {
    orders: mpsc::Sender<Job>,
}

impl Builders {
    fn start() -> Result<Self, Error> {
        let (orders, inbox) = mpsc::channel::<Job>();
        let inbox = Arc::new(Mutex::new(inbox));
        for _ in 0..BUILDERS {
            let path = "/proc/thread-self/ns/net";
            let home =
                File::open(path).map_err(|error| Error::io(format!("open {path}"), &error))?;
            let inbox = Arc::clone(&inbox);
            let work = move || {
                while let Some(order) = next(&inbox) {
                    order();
                    if let Err(errno) = setns(&home, CloneFlags::CLONE_NEWNET) {
                        tracing::error!(?errno, "a builder cannot leave a namespace");
                        return;
                    }
                }
            };
            thread::Builder::new()
                .name("builder".to_owned())
                .stack_size(STACK)
                .spawn(work)
                .map_err(|error| Error::io("start a thread", &error))?;
        }
        Ok(Self { orders })
    }

    fn order(&self, order: Job) -> Result<(), Error> {
        let sent = self.orders.send(order);
        sent.map_err(|_| Error::other("build a namespace", "all builders are gone"))
    }
}

fn next(inbox: &Mutex<mpsc::Receiver<Job>>) -> Option<Job> {
    alone(inbox).recv().ok()
}

/// The calling thread into a new namespace, and what is first there. While one builder makes a namespace the other
/// furnishes one: two at the same stage would wait for each other inside the kernel, and awake.
fn build<T>(first: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    static MAKING: Mutex<()> = Mutex::new(());
    static FURNISHING: Mutex<()> = Mutex::new(());
    let making = alone(&MAKING);
    unshare(CloneFlags::CLONE_NEWNET)
        .map_err(|errno| Error::system("unshare a network namespace", errno))?;
    drop(making);
    let _furnishing = alone(&FURNISHING);
    first()
}

/// A builder that panicked leaves nothing half done behind these locks.
fn alone<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
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
