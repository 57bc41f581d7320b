//! The servers of hosts: real listening sockets with small programs behind them, or real programs.
//!
//! Here what a host's servers are told, all together. `streams` accepts connections and serves them, `datagrams` answers
//! datagrams, `programs` starts real programs; `apps` is what a server says (`http`: when it is HTTP, `content`: where a
//! request ends), `served` what is known of it afterwards.

mod apps;
mod content;
mod datagrams;
mod header;
mod http;
mod programs;
mod served;
mod streams;

pub use served::{Header, Request, Served, delivered};

use super::Sockets;
use super::slot::Slot;
use super::word::Fault;
use crate::plan::Server;
use crate::spec::App;
use crate::world::program::Running;
use crate::world::{Error, Host};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long servers may take to end.
const END_LIMIT: Duration = Duration::from_secs(2);

/// What the servers of one host are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Serve.
    Serve,
    /// Read what has come and close, as a program that ends: FIN, and RST to what comes later.
    Finish,
    /// RST to every connection.
    Reset,
    /// SIGKILL: the kernel closes what was open.
    Die,
    /// Gone at once, as the power goes: no FIN, and what RST the kernel says gets nowhere.
    Vanish,
}

/// All servers of one host.
#[derive(Debug)]
pub struct Servers {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
    programs: tokio::sync::Mutex<Vec<Running>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) name: String,
    orders: watch::Sender<Order>,
    /// Neither accept, nor read, nor answer.
    frozen: watch::Sender<bool>,
    /// Connections that have not carried out the present order yet.
    busy: AtomicUsize,
    served: Mutex<Vec<Arc<Served>>>,
    pub(super) requests: Mutex<Vec<Request>>,
    sockets: Sockets,
}

impl Shared {
    /// Takes a connection, or the first datagram of a peer, into the books.
    fn begin(
        &self,
        local: SocketAddr,
        peer: SocketAddr,
        slot: Slot<TcpStream>,
        proxy_protocol: bool,
    ) -> Arc<Served> {
        let served = Arc::new(Served {
            local,
            peer,
            accepted: Instant::now(),
            received: AtomicU64::new(0),
            told: OnceLock::new(),
            header: match proxy_protocol {
                true => OnceLock::new(),
                false => OnceLock::from(Header::NotExpected),
            },
            slot,
            fault: Mutex::default(),
        });
        self.served
            .lock()
            .expect("no holder of this lock panics")
            .push(Arc::clone(&served));
        served
    }

    /// Takes a request that is answered into the books.
    fn answered(&self, request: Request) {
        self.requests
            .lock()
            .expect("no holder of this lock panics")
            .push(request);
    }
}

impl Servers {
    /// Starts what a host serves; everything listens when it returns.
    ///
    /// # Errors
    /// A port that cannot be had, a program that does not start or does not listen in time.
    pub async fn start(
        host: &Host,
        addresses: &[IpAddr],
        servers: &[Server],
        sockets: Sockets,
    ) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            name: host.name.clone(),
            orders: watch::Sender::new(Order::Serve),
            frozen: watch::Sender::new(false),
            busy: AtomicUsize::new(0),
            served: Mutex::default(),
            requests: Mutex::default(),
            sockets,
        });
        let mut tasks = Vec::new();
        let mut programs = Vec::new();
        for server in servers {
            match &server.app {
                App::Command { command, ready } => {
                    programs.push(programs::start(host, server, command, ready.as_deref()).await?)
                }
                app if server.udp => tasks.extend(datagrams::start(
                    &shared,
                    host,
                    addresses,
                    server.port,
                    app,
                )?),
                _ => tasks.extend(streams::start(&shared, host, addresses, server)?),
            }
        }
        Ok(Self {
            shared,
            tasks,
            programs: tokio::sync::Mutex::new(programs),
        })
    }

    /// Gives an order and waits until the listeners are closed and every connection has carried it out.
    ///
    /// # Errors
    /// `deadline` when some have not within two seconds.
    pub async fn order(&self, order: Order) -> Fault {
        self.shared.orders.send_replace(order);
        let signal = match order {
            Order::Die | Order::Vanish => Signal::SIGKILL,
            Order::Serve | Order::Finish | Order::Reset => Signal::SIGTERM,
        };
        for program in self.programs.lock().await.iter_mut() {
            program.end(signal, END_LIMIT).await;
        }
        let until = Instant::now() + END_LIMIT;
        while self.shared.busy.load(Ordering::Acquire) > 0
            || self.tasks.iter().any(|task| !task.is_finished())
        {
            if Instant::now() > until {
                return Fault::DEADLINE;
            }
            tokio::task::yield_now().await;
        }
        Fault::default()
    }

    /// Stops the servers where they are, as SIGSTOP does, or lets them go on.
    pub async fn freeze(&self, frozen: bool) {
        self.shared.frozen.send_replace(frozen);
        let signal = if frozen {
            Signal::SIGSTOP
        } else {
            Signal::SIGCONT
        };
        for program in self.programs.lock().await.iter_mut() {
            program.signal(signal);
        }
    }

    /// Every connection accepted so far.
    pub fn served(&self) -> Vec<Arc<Served>> {
        self.shared
            .served
            .lock()
            .expect("no holder of this lock panics")
            .clone()
    }

    /// Every request answered so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared
            .requests
            .lock()
            .expect("no holder of this lock panics")
            .clone()
    }
}

impl Drop for Servers {
    /// The tasks hold each other's state; an order ends them all.
    fn drop(&mut self) {
        self.shared.orders.send_replace(Order::Die);
    }
}

fn no_port(host: &Host, port: u16, errno: Errno) -> Error {
    Error::system(format!("listen on port {port}"), errno).on(&host.name)
}

fn unwatched(host: &Host, port: u16, error: &io::Error) -> Error {
    Error::io(format!("watch port {port}"), error).on(&host.name)
}

/// Does something, but nothing of it while the servers are frozen. Nobody is left who could freeze them: it is done.
async fn unfrozen<T>(mut frozen: watch::Receiver<bool>, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let done = loop {
        tokio::select! {
            biased;
            stopped = frozen.wait_for(|frozen| *frozen) => if stopped.is_err() { break None },
            done = &mut work => break Some(done),
        }
        if frozen.wait_for(|frozen| !*frozen).await.is_err() {
            break None;
        }
    };
    let Some(done) = done else {
        return work.await;
    };
    // What was done at the very moment they froze has no consequences before they go on.
    let thawed = frozen.wait_for(|frozen| !*frozen).await.is_ok();
    tracing::trace!(thawed, "done");
    done
}

#[cfg(test)]
mod tests {
    use super::unfrozen;
    use std::time::Duration;
    use tokio::sync::watch;
    use tokio::time::timeout;

    #[tokio::test]
    async fn what_is_done_at_the_moment_of_freezing_has_to_wait() {
        let (frozen, seen) = watch::channel(false);
        let mut done = Box::pin(unfrozen(seen, async { frozen.send_replace(true) }));
        let early = timeout(Duration::from_millis(20), &mut done).await;
        assert!(early.is_err(), "it went on though frozen");
        frozen.send_replace(false);
        let late = timeout(Duration::from_secs(5), done).await;
        assert_eq!(late.ok(), Some(false));
    }

    #[tokio::test]
    async fn what_nobody_can_freeze_is_done() {
        let (frozen, seen) = watch::channel(true);
        drop(frozen);
        assert_eq!(unfrozen(seen, async { 7 }).await, 7);
    }
}
