//! The servers of hosts: real listening sockets with small programs behind them, or real programs.

use super::Sockets;
use super::apps::{converse, read};
use super::slot::{self, Slot};
use super::tls::{self, Versions};
use super::word::Fault;
use crate::plan::Server;
use crate::spec::App;
use crate::world::program::Running;
use crate::world::{Error, Host, annex, proc, socket};
use nix::sys::signal::Signal;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// How long a real program may take until it listens.
const READY_LIMIT: Duration = Duration::from_secs(15);
/// How long a stopped server drains what clients still send, and a real program may take to end.
const END_LIMIT: Duration = Duration::from_secs(2);

/// What the servers of one host are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Serve.
    Serve,
    /// Close as a server that shuts down: FIN, then read to the end.
    Finish,
    /// RST to every connection.
    Reset,
    /// SIGKILL: the kernel closes what was open.
    Die,
    /// Gone at once, as the power goes: no FIN, and what RST the kernel says gets nowhere.
    Vanish,
}

/// A connection that a server accepted, or all datagrams of one peer.
#[derive(Debug)]
pub struct Served {
    /// Its own end.
    pub local: SocketAddr,
    /// The client as the server sees it.
    pub peer: SocketAddr,
    /// When it was accepted.
    pub accepted: Instant,
    /// Bytes read, without a PROXY protocol header.
    pub received: AtomicU64,
    /// The client that a PROXY protocol header told of.
    pub told: OnceLock<SocketAddr>,
    /// What became of that header; none: it did not come yet. Of a server that reads none, set from the start.
    pub header: OnceLock<Header>,
    /// Its socket; none of datagrams.
    slot: Slot<TcpStream>,
    fault: Mutex<Fault>,
}

impl Served {
    /// Bytes the program read or could read; to be asked where its socket is.
    fn delivered(&self) -> u64 {
        let stream = self.slot.get();
        let unread = stream
            .and_then(|stream| socket::tcp_info(stream.as_fd()).ok())
            .map_or(0, |info| info.unread);
        self.received.load(Ordering::Relaxed) + unread
    }

    /// Who the server takes for its client.
    pub fn client(&self) -> SocketAddr {
        self.told.get().copied().unwrap_or(self.peer)
    }

    /// The error its program met; none when there was none.
    pub fn fault(&self) -> Fault {
        *self.fault.lock().expect("no holder of this lock panics")
    }
}

/// Bytes that the programs of all read or could read, in order.
pub async fn delivered(served: &[Arc<Served>]) -> Vec<u64> {
    let list = served.iter().map(Arc::clone);
    slot::all(list, |served| served.slot.annex(), Served::delivered).await
}

/// What a server made of the beginning of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// It does not look for a header.
    NotExpected,
    /// It read one.
    Read,
    /// It expected one, and the connection began with something else.
    Broken,
}

/// What an accepted connection meets.
pub(super) struct Program {
    pub(super) app: App,
    /// Its certificate and versions; only HTTPS has it.
    pub(super) tls: Option<TlsAcceptor>,
    /// It reads a PROXY protocol header first.
    pub(super) proxy_protocol: bool,
}

/// A request that an HTTP server answered.
#[derive(Clone, Debug)]
pub struct Request {
    /// Host header.
    pub host: String,
    /// X-Forwarded-For; empty without one.
    pub forwarded_for: String,
    /// Request target.
    pub path: String,
    /// Status of the answer.
    pub status: u16,
    /// Who asked, as the server sees it.
    pub peer: SocketAddr,
    /// Who asked, as the server was told.
    pub client: SocketAddr,
    /// When.
    pub at: Instant,
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
            let fail = |errno| {
                Error::system(format!("listen on port {}", server.port), errno).on(&host.name)
            };
            let register = |error: std::io::Error| {
                Error::io(format!("watch port {}", server.port), &error).on(&host.name)
            };
            match &server.app {
                App::Command { command, ready } => {
                    programs.push(start_program(host, server, command, ready.as_deref()).await?)
                }
                app if server.udp => {
                    for address in addresses {
                        let local = SocketAddr::new(*address, server.port);
                        let socket = socket::datagram(&host.namespace, local);
                        let socket =
                            UdpSocket::from_std(socket.map_err(fail)?).map_err(register)?;
                        tasks.push(tokio::spawn(serve_datagrams(
                            Arc::clone(&shared),
                            socket,
                            local,
                            app.clone(),
                        )));
                    }
                }
                app => {
                    let backlog = if let App::NeverAccept { backlog } = app {
                        *backlog
                    } else {
                        4096
                    };
                    let program = Arc::new(Program {
                        app: app.clone(),
                        tls: certificate(host, app)?,
                        proxy_protocol: server.proxy_protocol,
                    });
                    for address in addresses {
                        let local = SocketAddr::new(*address, server.port);
                        let listener = socket::listener(&host.namespace, local, backlog);
                        let listener =
                            TcpListener::from_std(listener.map_err(fail)?).map_err(register)?;
                        tasks.push(tokio::spawn(listen(
                            Arc::clone(&shared),
                            listener,
                            Arc::clone(&program),
                        )));
                    }
                }
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

async fn start_program(
    host: &Host,
    server: &Server,
    command: &str,
    ready: Option<&str>,
) -> Result<Running, Error> {
    let mut program = host.inside()?.spawn(command)?;
    let until = Instant::now() + READY_LIMIT;
    loop {
        let (port, udp) = (server.port, server.udp);
        let is_ready = match ready {
            None => {
                host.namespace
                    .call(move || proc::listens(port, udp))
                    .await?
            }
            Some(line) => program.output()?.contains(line),
        };
        if is_ready {
            return Ok(program);
        }
        let fail = |what: String, output: String| {
            Error::other(
                format!("start `{command}` for port {port}"),
                format!("{what}\n{output}"),
            )
            .on(&host.name)
        };
        if let Some(status) = program.ended() {
            return Err(fail(format!("it ended with {status}"), program.output()?));
        }
        if Instant::now() > until {
            return Err(fail(
                format!("not ready after {READY_LIMIT:?}"),
                program.output()?,
            ));
        }
        // The kernel tells nobody when a port starts to listen; this asks for it, with the deadline above.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A certificate for an HTTPS server: for the host's name and the name it answers to.
fn certificate(host: &Host, app: &App) -> Result<Option<TlsAcceptor>, Error> {
    let App::Https { http, tls } = app else {
        return Ok(None);
    };
    let names = std::iter::once(host.name.clone()).chain(http.host.clone());
    let versions = match tls.as_deref() {
        Some("1.2") => Versions::Only12,
        Some("1.3") => Versions::Only13,
        Some(_) | None => Versions::Both,
    };
    let made = tls::server(names.collect(), versions);
    made.map(|config| Some(TlsAcceptor::from(config)))
        .map_err(|why| Error::other("make a certificate", why).on(&host.name))
}

/// Does something, but nothing of it while the servers are frozen. Nobody is left who could freeze them: it is done.
async fn unfrozen<T>(mut frozen: watch::Receiver<bool>, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            stopped = frozen.wait_for(|frozen| *frozen) => if stopped.is_err() { break },
            done = &mut work => return done,
        }
        if frozen.wait_for(|frozen| !*frozen).await.is_err() {
            break;
        }
    }
    work.await
}

async fn listen(shared: Arc<Shared>, listener: TcpListener, program: Arc<Program>) {
    let mut orders = shared.orders.subscribe();
    loop {
        if *orders.borrow_and_update() != Order::Serve {
            return;
        }
        tokio::select! {
            changed = orders.changed() => if changed.is_err() { return },
            accepted = unfrozen(shared.frozen.subscribe(), listener.accept()), if !matches!(program.app, App::NeverAccept { .. }) => {
                if let Ok((stream, _)) = accepted {
                    accept(&shared, stream, Arc::clone(&program));
                }
            }
        }
    }
}

fn accept(shared: &Arc<Shared>, stream: TcpStream, program: Arc<Program>) {
    let (Ok(local), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else {
        // Reset before it was accepted: the kernel no longer knows the peer.
        return;
    };
    let seat = match shared.sockets {
        Sockets::Here => None,
        Sockets::Annexed => annex::seat(),
    };
    let served = shared.begin(local, peer, Slot::new(seat), program.proxy_protocol);
    shared.busy.fetch_add(1, Ordering::AcqRel);
    let shared = Arc::clone(shared);
    match &served.slot {
        Slot::Here(_) => {
            tokio::spawn(serve(shared, Arc::new(stream), served, program));
        }
        // One program accepts, as one listening socket has one queue; the connection goes on elsewhere.
        Slot::Seated(seat) => {
            let sent = stream
                .into_std()
                .and_then(|stream| seat.send(stream.into()).map_err(io::Error::from));
            if let Err(error) = sent {
                tracing::warn!(%error, "a connection found no way to its annex");
                shared.busy.fetch_sub(1, Ordering::AcqRel);
                return;
            }
            let annex = seat.annex();
            annex.begin(serve_there(shared, served, program));
        }
    }
}

/// The annex's side of [`accept`].
async fn serve_there(shared: Arc<Shared>, served: Arc<Served>, program: Arc<Program>) {
    let Slot::Seated(seat) = &served.slot else {
        unreachable!("only what has a seat is served in an annex")
    };
    let arrived = seat.arrived().map_err(io::Error::from);
    let stream = arrived.and_then(|descriptor| TcpStream::from_std(descriptor.into()));
    match stream {
        Ok(stream) => serve(shared, Arc::new(stream), served, program).await,
        Err(error) => {
            tracing::warn!(%error, "a connection found no room in its annex");
            shared.busy.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

async fn serve(
    shared: Arc<Shared>,
    stream: Arc<TcpStream>,
    served: Arc<Served>,
    program: Arc<Program>,
) {
    served.slot.put(Arc::clone(&stream));
    let mut orders = shared.orders.subscribe();
    let ordered = orders.wait_for(|order| *order != Order::Serve);
    let order = tokio::select! {
        fault = unfrozen(shared.frozen.subscribe(), converse(&shared, &stream, &served, &program)) => {
            *served.fault.lock().expect("no holder of this lock panics") = fault;
            None
        }
        order = ordered => Some(order.map_or(Order::Die, |order| *order)),
    };
    match order {
        Some(Order::Finish) => {
            let shut = nix::sys::socket::shutdown(
                std::os::fd::AsRawFd::as_raw_fd(&*stream),
                nix::sys::socket::Shutdown::Write,
            );
            tracing::trace!(?shut, "a stopped server's FIN");
            shared.busy.fetch_sub(1, Ordering::AcqRel);
            drain(&stream, &served).await;
            release(served, stream);
        }
        Some(Order::Reset | Order::Vanish) => {
            let set = socket::reset_on_close(stream.as_fd());
            tracing::trace!(?set, "a stopped server's RST");
            release(served, stream);
            shared.busy.fetch_sub(1, Ordering::AcqRel);
        }
        // An ended conversation is closed; the order to die closes the descriptor and nothing else.
        None | Some(Order::Die | Order::Serve) => {
            release(served, stream);
            shared.busy.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Closes the socket: both owners let go, this function last.
fn release(served: Arc<Served>, stream: Arc<TcpStream>) {
    served.slot.take();
    drop(stream);
}

/// Reads what still comes, so that the close is not turned into a RST by unread data.
async fn drain(stream: &TcpStream, served: &Served) {
    let mut buffer = vec![0; 16 * 1024];
    let work = async { while matches!(read(stream, served, &mut buffer).await, Ok(1..)) {} };
    if tokio::time::timeout(END_LIMIT, work).await.is_err() {
        tracing::trace!("a client went on after its server's FIN");
    }
}

async fn serve_datagrams(shared: Arc<Shared>, socket: UdpSocket, local: SocketAddr, app: App) {
    let mut peers: HashMap<SocketAddr, Arc<Served>> = HashMap::new();
    let mut orders = shared.orders.subscribe();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        tokio::select! {
            () = async { drop(orders.wait_for(|order| *order != Order::Serve).await) } => return,
            got = unfrozen(shared.frozen.subscribe(), socket.recv_from(&mut buffer)) => {
                let Ok((count, peer)) = got else { continue };
                let served = peers.entry(peer).or_insert_with(|| shared.begin(local, peer, Slot::new(None), false));
                served.received.fetch_add(count as u64, Ordering::Relaxed);
                let sent = match app {
                    App::Name => socket.send_to(format!("{}\n", shared.name).as_bytes(), peer).await,
                    App::Echo { .. } | App::Banner { .. } | App::Http(_) | App::Https { .. } => socket.send_to(&buffer[..count], peer).await,
                    App::Sink | App::Source { .. } | App::NeverAccept { .. } | App::Command { .. } => Ok(0),
                };
                tracing::trace!(?sent, "answered a datagram");
            }
        }
    }
}
