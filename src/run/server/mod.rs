//! The servers of hosts: real listening sockets with small programs behind them, or real programs.
//!
//! Here what a host's servers are told, all together. `streams` accepts connections and serves them, `datagrams` answers
//! datagrams, `life` is one run of them, which a reload ends, `programs` starts real programs; `apps` is what a server says (`http`: when it is HTTP, `content`: where a
//! request ends), `served` what is known of it afterwards.

mod apps;
mod content;
mod datagrams;
mod header;
mod http;
mod life;
mod programs;
mod served;
mod streams;

pub use served::{Header, Request, Served, delivered};

use super::Sockets;
use super::slot::Slot;
use super::tasks::Tasks;
use super::word::Fault;
use crate::plan::{App, Server};
use crate::spec::Handover;
use crate::world::program::Running;
use crate::world::{Error, Host};
use life::{Leave, Life};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
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
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// All runs, the present one last; never empty.
    lives: Mutex<Vec<Arc<Life>>>,
    programs: tokio::sync::Mutex<Vec<Running>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) name: String,
    orders: watch::Sender<Order>,
    /// Connections that have not carried out the present order yet.
    busy: AtomicUsize,
    served: Mutex<Vec<Arc<Served>>>,
    pub(super) requests: Mutex<Vec<Request>>,
    /// By port, what HTTP servers say since they were told to say something else than the plan has.
    statuses: Mutex<BTreeMap<u16, u16>>,
    sockets: Sockets,
    tasks: Arc<Tasks>,
}

impl Shared {
    /// Takes a connection, or the first datagram of a peer, into the books.
    fn begin(
        &self,
        local: SocketAddr,
        peer: SocketAddr,
        slot: Slot<TcpStream>,
        proxy_protocol: bool,
        speaks_first: bool,
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
            speaks_first,
            slot,
            fault: Mutex::default(),
        });
        self.served
            .lock()
            .expect("no holder of this lock panics")
            .push(Arc::clone(&served));
        served
    }

    /// What the HTTP server of a port was told to say; none: what the plan has.
    fn status(&self, port: u16) -> Option<u16> {
        locked(&self.statuses).get(&port).copied()
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
    /// Starts what a host serves; everything listens when it returns. What our own servers do is among `tasks`.
    ///
    /// # Errors
    /// A port that cannot be had, a program that does not start or does not listen in time.
    pub async fn start(
        host: &Host,
        addresses: &[IpAddr],
        servers: &[Server],
        sockets: Sockets,
        tasks: &Arc<Tasks>,
    ) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            name: host.name.clone(),
            orders: watch::Sender::new(Order::Serve),
            busy: AtomicUsize::new(0),
            served: Mutex::default(),
            requests: Mutex::default(),
            statuses: Mutex::default(),
            sockets,
            tasks: Arc::clone(tasks),
        });
        let life = Arc::new(Life::default());
        let mut tasks = Vec::new();
        let mut programs = Vec::new();
        for server in servers {
            match &server.app {
                App::Command { command, ready } => {
                    programs.push(programs::start(host, server, command, ready.as_deref()).await?)
                }
                app if server.udp => tasks.extend(datagrams::start(
                    &shared,
                    &life,
                    host,
                    addresses,
                    server.port,
                    app,
                )?),
                _ => tasks.extend(streams::start(&shared, &life, host, addresses, server)?),
            }
        }
        Ok(Self {
            shared,
            tasks: Mutex::new(tasks),
            lives: Mutex::new(vec![life]),
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
        let over = || {
            self.shared.busy.load(Ordering::Acquire) == 0
                && locked(&self.tasks).iter().all(JoinHandle::is_finished)
        };
        match within(until, over).await {
            true => Fault::default(),
            false => Fault::DEADLINE,
        }
    }

    /// Begins another run of the TCP servers beside the present one, which is told to finish; waits until it has given its
    /// listening sockets away, unless it is frozen. Of servers that were stopped there is nothing to reload: `failed`.
    ///
    /// # Errors
    /// A port that cannot be had.
    pub async fn reload(
        &self,
        host: &Host,
        addresses: &[IpAddr],
        servers: &[Server],
        handover: Handover,
    ) -> Result<Fault, Error> {
        if *self.shared.orders.borrow() != Order::Serve {
            return Ok(Fault::word("failed"));
        }
        let life = Arc::new(Life::default());
        let streams = servers.iter().filter(|server| !server.udp);
        for server in streams.filter(|server| !matches!(server.app, App::Command { .. })) {
            if handover != Handover::Pass {
                let tasks = streams::start(&self.shared, &life, host, addresses, server)?;
                locked(&self.tasks).extend(tasks);
            }
        }
        let old = {
            let mut lives = locked(&self.lives);
            lives.push(Arc::clone(&life));
            Arc::clone(&lives[lives.len() - 2])
        };
        old.leave(Leave::of(handover, &life));
        for program in self.programs.lock().await.iter() {
            program.signal(Signal::SIGHUP);
        }
        Ok(
            match within(Instant::now() + END_LIMIT, || old.has_left()).await {
                true => Fault::default(),
                false => Fault::DEADLINE,
            },
        )
    }

    /// From now on the HTTP server of a port answers with this status.
    pub fn answer_with(&self, port: u16, status: u16) {
        locked(&self.shared.statuses).insert(port, status);
    }

    /// Stops the servers where they are, as SIGSTOP does, or lets them go on.
    pub async fn freeze(&self, frozen: bool) {
        for life in locked(&self.lives).iter() {
            life.freeze(frozen);
        }
        let signal = if frozen {
            Signal::SIGSTOP
        } else {
            Signal::SIGCONT
        };
        for program in self.programs.lock().await.iter_mut() {
            program.signal(signal);
        }
        // Who goes on does first what it was told meanwhile.
        let gone = || {
            locked(&self.lives)
                .iter()
                .rev()
                .skip(1)
                .all(|life| life.has_left())
        };
        if !within(Instant::now() + END_LIMIT, gone).await {
            tracing::warn!(host = %self.shared.name, "servers that were reloaded still listen");
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

/// True when something comes true in time.
async fn within(until: Instant, is_true: impl Fn() -> bool) -> bool {
    while !is_true() {
        if Instant::now() > until {
            return false;
        }
        tokio::task::yield_now().await;
    }
    true
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of this lock panics")
}
