//! Balancers at which clients' connections end: listeners in the zonal addresses' own kernels, and connections from there
//! to targets. All of them are real sockets.
//!
//! Here is what every kind of proxy needs: its listeners' life, where it is, sockets toward targets, and what it asks of
//! the fabric (whose turn it is, how a target stands, that something be counted). What a proxy does with a connection is
//! in `tls` and `classic`, what it does with requests in `http`, for the balancers of `application` and `classic`; what is kept
//! of it for the evidence in `journal`.

mod application;
mod classic;
mod cookie;
mod http;
mod journal;
mod relay;
mod settings;
mod surge;
mod tls;

use crate::fabric::config::{BACKEND_PORTS, BalancerId, GroupId, Kind, PortId, Zonal, ZonalId};
use crate::fabric::metric::Metric;
use crate::fabric::targets::Standing;
use crate::fabric::{Assigned, Place};
use crate::plan::Plan;
use crate::run::acceptor::Acceptor;
use crate::run::tasks::Tasks;
use crate::run::tls::{self as run_tls, Versions};
use crate::world::socket::{self, ClientOptions, Family};
use crate::world::{Error, World};
use nix::errno::Errno;
use settings::Settings;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream as StdStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use surge::Surge;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use http::Choice;
pub use journal::{Closed, Journal, OwnAnswer, Pair};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;

/// All proxies of a running case. They end with it, and so do their connections.
#[derive(Debug)]
pub struct Proxies {
    listening: Vec<JoinHandle<()>>,
    journal: Arc<Journal>,
    tasks: Arc<Tasks>,
}

/// A listener at one zonal address.
struct Station {
    plan: Arc<Plan>,
    world: Arc<World>,
    journal: Arc<Journal>,
    tasks: Arc<Tasks>,
    /// Which, as the fabric knows it.
    place: Place,
    /// The kernel it is in.
    kernel: PortId,
    /// Its own end.
    address: SocketAddrV4,
    shared: Arc<Shared>,
}

/// What the listeners of one zonal address have in common.
#[derive(Default)]
struct Shared {
    /// Counts connections to targets; each has the next port.
    ports: AtomicU32,
    surge: Surge,
}

impl Proxies {
    /// Starts every proxy of a plan; what they do is among `tasks`.
    ///
    /// # Errors
    /// A port that cannot be had.
    pub fn start(plan: &Arc<Plan>, world: &Arc<World>, tasks: &Arc<Tasks>) -> Result<Self, Error> {
        let mut proxies = Self {
            listening: Vec::new(),
            journal: Arc::default(),
            tasks: Arc::clone(tasks),
        };
        for (number, balancer) in (0u16..).zip(&plan.fabric.balancers) {
            for (place, zonal) in (0u8..).zip(&balancer.zonal) {
                let Some(kernel) = zonal.port else { continue };
                let shared = Arc::new(Shared::default());
                for listener in &balancer.listeners {
                    let station = || Station {
                        plan: Arc::clone(plan),
                        world: Arc::clone(world),
                        journal: Arc::clone(&proxies.journal),
                        tasks: Arc::clone(tasks),
                        place: Place {
                            balancer: BalancerId(number),
                            zonal: ZonalId(place),
                            port: listener.port,
                        },
                        kernel,
                        address: SocketAddrV4::new(zonal.private, listener.port),
                        shared: Arc::clone(&shared),
                    };
                    let socket = || listen(world, &balancer.name, zonal, (kernel, listener.port));
                    let task = match &balancer.kind {
                        Kind::Network if listener.terminates => tls::start(station(), socket()?)?,
                        Kind::Classic(_) if listener.http => {
                            classic::http::start(station(), listener.https, socket()?)?
                        }
                        Kind::Classic(_) => classic::start(station(), socket()?),
                        Kind::Application(_) => application::start(station(), socket()?),
                        Kind::Network => continue,
                    };
                    proxies.listening.push(task);
                }
            }
        }
        Ok(proxies)
    }

    /// What became of the connections.
    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// The case's tasks.
    pub fn tasks(&self) -> &Arc<Tasks> {
        &self.tasks
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        for task in &self.listening {
            task.abort();
        }
    }
}

/// A listening socket in a zonal address's own kernel.
fn listen(
    world: &World,
    balancer: &str,
    zonal: &Zonal,
    (kernel, port): (PortId, u16),
) -> Result<TcpListener, Error> {
    let name = format!("{balancer}/{}", zonal.zone);
    let like = (Ipv4Addr::UNSPECIFIED, port).into();
    let socket = socket::listener(world.zonal(kernel), like, BACKLOG)
        .map_err(|errno| Error::system(format!("listen on port {port}"), errno).on(&name))?;
    let failed = |error: io::Error| Error::io(format!("watch port {port}"), &error).on(&name);
    TcpListener::from_std(socket).map_err(failed)
}

/// What ends TLS at a listener, with a certificate for the balancer's name.
fn acceptor(station: &Station) -> Result<TlsAcceptor, Error> {
    let name = &station.plan.fabric.balancers[usize::from(station.place.balancer.0)].name;
    let config = run_tls::server(vec![name.clone()], Versions::Both)
        .map_err(|why| Error::other("make a certificate", why).on(name))?;
    Ok(TlsAcceptor::from(config))
}

/// Accepts connections and carries each of them; they end when this ends.
async fn accept<F: Future<Output = ()> + Send + 'static>(
    tasks: &Arc<Tasks>,
    listener: TcpListener,
    carry: impl Fn(TcpStream, SocketAddrV4) -> F,
) {
    let mut connections = JoinSet::new();
    let mut acceptor = Acceptor::new(listener);
    loop {
        tokio::select! {
            (stream, client) = acceptor.next() => {
                if let SocketAddr::V4(client) = client {
                    at_once(&stream);
                    connections.spawn(tasks.watch(carry(stream, client)));
                }
            }
            Some(ended) = connections.join_next() => tracing::trace!(?ended, "a connection"),
        }
    }
}

/// What one side says goes to the other at once, as proxies do: held back by Nagle's algorithm it would wait for an ACK that
/// the receiver delays.
fn at_once(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
}

/// A place in the surge queue, until it is dropped.
struct Queued(Arc<Station>);

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.shared.surge.leave();
        self.0.note(Metric::SurgeQueueLength, -1);
    }
}

impl Station {
    /// The target whose turn it is, of a group that the listener forwards to: turns go by the order of these calls.
    fn next_target(&self, group: GroupId) -> impl Future<Output = Option<Assigned>> + use<> {
        let place = self.place;
        let driver = self.world.driver();
        driver.ask(move |fabric, _| fabric.next_target(place, group))
    }

    /// Writes down that it answered a request by itself, now.
    fn answered(&self, client: SocketAddrV4, asked: Instant, status: u16) {
        self.journal.answered(OwnAnswer {
            place: self.place,
            client,
            asked,
            answered: Instant::now(),
            status,
        });
    }

    /// How every target of a group stands.
    async fn standings(&self, group: GroupId) -> Vec<Standing> {
        let place = self.place;
        let driver = self.world.driver();
        let targets = self.plan.fabric.groups[usize::from(group.0)].targets.len();
        let all = move |fabric: &mut crate::fabric::Fabric, _| {
            let targets = 0..targets;
            targets
                .map(|target| fabric.standing(place, group, target))
                .collect()
        };
        driver.ask(all).await
    }

    /// Counts events, or the change of a level.
    async fn tell(&self, metric: Metric, change: i64) {
        let place = self.place;
        let driver = self.world.driver();
        driver
            .ask(move |fabric, _| fabric.tell(place, None, metric, change))
            .await;
    }

    /// The same, of what is told where nothing can be awaited.
    fn note(&self, metric: Metric, change: i64) {
        self.count(None, metric, change);
    }

    /// The same, perhaps of a target group.
    fn count(&self, group: Option<GroupId>, metric: Metric, change: i64) {
        let place = self.place;
        let driver = self.world.driver();
        driver.tell(move |fabric| fabric.tell(place, group, metric, change));
    }

    /// Ends once a target stands in one of these ways.
    async fn until(&self, choice: Choice, stands: impl Fn(Standing) -> bool + Send) {
        let place = self.place;
        let driver = self.world.driver();
        let mut news = driver.news();
        loop {
            let standing =
                driver.ask(move |fabric, _| fabric.standing(place, choice.group, choice.target));
            if stands(standing.await) {
                return;
            }
            if news.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Enters the surge queue; none: it is full.
    fn queue(self: &Arc<Self>, most: usize) -> Option<Queued> {
        if !self.shared.surge.enter(most) {
            self.note(Metric::SpilloverCount, 1);
            return None;
        }
        self.note(Metric::SurgeQueueLength, 1);
        Some(Queued(Arc::clone(self)))
    }

    /// Counts how long something took.
    fn took(&self, group: Option<GroupId>, metric: Metric, time: Duration) {
        let place = self.place;
        let driver = self.world.driver();
        driver.tell(move |fabric| fabric.took(place, group, metric, time));
    }

    /// Connects to a target, from the next port that the kernel lets it have.
    async fn connect(&self, target: SocketAddrV4) -> io::Result<TcpStream> {
        let first = *BACKEND_PORTS.start();
        let count = BACKEND_PORTS.len() as u32;
        let mut tried = 0;
        loop {
            let place = self.shared.ports.fetch_add(1, Ordering::Relaxed) % count;
            let source = SocketAddrV4::new(*self.address.ip(), first + place as u16);
            let stream = self.dial(source, target).await;
            tried += 1;
            match stream {
                Err(error) if is_taken(&error) && tried < count => {}
                other => return other,
            }
        }
    }

    /// Connects to a target from this end.
    async fn dial(&self, source: SocketAddrV4, target: SocketAddrV4) -> io::Result<TcpStream> {
        let options = ClientOptions {
            source_port: Some(source.port()),
            source_address: Some(*source.ip()),
            ..ClientOptions::default()
        };
        let namespace = self.world.zonal(self.kernel);
        // The namespace's own thread makes it.
        let lent = self.tasks.lend();
        let fd = socket::client(namespace, Family::Ipv4, options).await?;
        drop(lent);
        let socket = TcpSocket::from_std_stream(StdStream::from(fd));
        let stream = socket.connect(target.into()).await?;
        at_once(&stream);
        Ok(stream)
    }
}

/// Another socket of the kernel has the port toward this target, or listens there.
fn is_taken(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    code == Some(Errno::EADDRNOTAVAIL as i32) || code == Some(Errno::EADDRINUSE as i32)
}

/// Makes the close of a connection a RST.
fn reset(stream: &TcpStream) {
    if let Err(errno) = socket::reset_on_close(stream.as_fd()) {
        tracing::debug!(%errno, "a connection that cannot be reset");
    }
}
