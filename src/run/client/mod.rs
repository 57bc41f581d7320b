//! One client connection: a real kernel socket in its host's namespace, and what is known of it.
//!
//! Over UDP a connection is a connected socket: it always stands, a transfer is one datagram, a lost one is `deadline`.

mod content;
mod cookies;
mod date;
mod late;
mod line;
pub(super) mod names;
pub(super) mod request;
mod wire;

use super::slot::{self, Slot};
use super::tls::{self, Versions};
use super::word::Fault;
use crate::plan::{Endpoint, HostId, HttpRequest};
use crate::world::annex::{self, Seat};
use crate::world::namespace::Namespace;
use crate::world::socket::{self, ClientOptions, Family};
use line::{Line, disconnect};
use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt};
use request::Talk;
use rustls::pki_types::ServerName;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use wire::Wire;

pub use line::{End, Ending, Moved};

/// A connection, or the attempt to open one.
#[derive(Debug)]
pub struct Client {
    /// Index of the step that opened it.
    pub step: usize,
    /// The client's host.
    pub from: HostId,
    /// What was dialled.
    pub to: Endpoint,
    /// Number of the lookup that gave its address; none: no name was asked for.
    pub lookup: Option<usize>,
    /// Over UDP.
    pub udp: bool,
    /// Its own end, once the kernel chose it.
    pub local: Option<SocketAddr>,
    /// When connect(2) was called.
    pub began: Instant,
    /// How long it took to stand or to fail.
    pub took: Duration,
    /// Why it does not stand; none when it does.
    pub fault: Fault,
    line: Arc<Line>,
}

impl Client {
    /// Opens a connection, or fails to; never an error. With a seat its socket lives in an annex.
    pub async fn open(
        step: usize,
        from: HostId,
        namespace: &Namespace,
        to: Endpoint,
        options: ClientOptions,
        limit: Duration,
        seat: Option<Seat>,
    ) -> Self {
        let family = Family::of(to.address);
        let mut client = Self {
            udp: options.udp,
            ..Self::new(step, from, to, Instant::now(), Slot::new(seat))
        };
        match client.line.slot.annex() {
            None => {
                let socket = socket::client(namespace, family, options).await;
                client.connect(socket, limit).await;
                client
            }
            Some(annex) => {
                let place = namespace.place().await;
                let opened = async move {
                    let socket = annex::enter(place)
                        .and_then(|()| socket::client_of_this_thread(family, options));
                    client.connect(socket, limit).await;
                    client
                };
                annex::inside(Some(annex), opened).await
            }
        }
    }

    /// The same under TLS, within the limit of its opening; any certificate will do. What fails to become TLS does not
    /// stand.
    pub async fn secured(self, limit: Duration) -> Self {
        annex::inside(self.line.slot.annex(), self.shake_hands(limit)).await
    }

    async fn shake_hands(mut self, limit: Duration) -> Self {
        let wire = self.line.slot.take().and_then(Arc::into_inner);
        let Some(wire) = wire else { return self };
        let config = tls::trusting_client(Versions::Both);
        let name = ServerName::IpAddress(self.to.address.ip().into());
        let until = self.began + limit;
        match timeout_at(until, wire.secured(config, name)).await {
            Ok(Ok(wire)) => self.line.slot.put(Arc::new(wire)),
            Ok(Err(error)) => self.fault = Fault::from(&error),
            Err(_) => self.fault = Fault::DEADLINE,
        }
        self.took = self.began.elapsed();
        self
    }

    /// A connection that found no address to go to. `name`: what it looked for.
    pub fn lost(step: usize, from: HostId, name: String, began: Instant, fault: Fault) -> Self {
        let to = Endpoint {
            label: name,
            address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        };
        Self {
            took: began.elapsed(),
            fault,
            ..Self::new(step, from, to, began, Slot::new(None))
        }
    }

    /// The same, with the lookup that gave its address.
    pub fn found_by(self, lookup: Option<usize>) -> Self {
        Self { lookup, ..self }
    }

    fn new(step: usize, from: HostId, to: Endpoint, began: Instant, slot: Slot<Wire>) -> Self {
        Self {
            step,
            from,
            to,
            lookup: None,
            udp: false,
            local: None,
            began,
            took: Duration::ZERO,
            fault: Fault::default(),
            line: Arc::new(Line::new(slot)),
        }
    }

    async fn connect(&mut self, socket: Result<OwnedFd, Errno>, limit: Duration) {
        let fd = match socket {
            Ok(fd) => fd,
            Err(errno) => {
                self.fault = errno.into();
                return;
            }
        };
        self.began = Instant::now();
        let started = socket::start_connect(fd.as_fd(), self.to.address);
        self.local = socket::local_end(fd.as_fd());
        self.fault = match started {
            Ok(()) => self.keep(fd),
            Err(Errno::EINPROGRESS) => self.stand(fd, limit).await,
            Err(errno) => errno.into(),
        };
        self.took = self.began.elapsed();
    }

    async fn stand(&self, fd: OwnedFd, limit: Duration) -> Fault {
        let stream = match Wire::new(fd) {
            Ok(stream) => stream,
            Err(error) => return Fault::from(&error),
        };
        match timeout_at(self.began + limit, stream.writable()).await {
            // Not closed only: a program that another case starts right now has its descriptor until it is executed, and the
            // kernel would go on sending SYNs for that long.
            Err(_) => disconnect(&stream).map_or_else(Fault::from, |()| Fault::DEADLINE),
            Ok(Err(error)) => Fault::from(&error),
            // The error of a connect is delivered once, here.
            Ok(Ok(())) => match getsockopt(&stream, sockopt::SocketError) {
                Ok(0) => {
                    self.line.slot.put(Arc::new(stream));
                    Fault::default()
                }
                Ok(code) => Errno::from_raw(code).into(),
                Err(errno) => errno.into(),
            },
        }
    }

    fn keep(&self, fd: OwnedFd) -> Fault {
        match Wire::new(fd) {
            Ok(stream) => {
                self.line.slot.put(Arc::new(stream));
                Fault::default()
            }
            Err(error) => Fault::from(&error),
        }
    }

    /// Writes so many bytes, in so many pieces, within a limit.
    pub async fn send(&self, bytes: u32, writes: u32, limit: Duration) -> Moved {
        self.there(async move |line| line.send(bytes, writes, limit).await)
            .await
    }

    /// Reads so many bytes, or one datagram, within a limit.
    pub async fn receive(&self, bytes: u32, limit: Duration) -> Moved {
        self.there(async move |line| line.receive(bytes, limit).await)
            .await
    }

    /// Writes so many bytes, in so many pieces, and reads as many, see [`Line::exchange`].
    pub async fn exchange(&self, bytes: u32, writes: u32, limit: Duration) -> Moved {
        self.there(async move |line| line.exchange(bytes, writes, limit).await)
            .await
    }

    /// Makes HTTP requests, see [`request::make`].
    pub async fn talk(&self, name: Option<&str>, what: &HttpRequest, limit: Duration) -> Talk {
        let (to, name, what) = (self.to.address, name.map(str::to_owned), what.clone());
        self.there(async move |line| request::make(&line, to, name.as_deref(), &what, limit).await)
            .await
    }

    /// Ends the connection from this side.
    pub async fn end(&self, ending: Ending) -> Fault {
        self.there(async move |line| line.end(ending)).await
    }

    /// Bytes written and not acknowledged now.
    pub async fn unacked(&self) -> u64 {
        self.there(async |line| line.unacked()).await
    }

    /// True while there is a socket.
    pub fn stands(&self) -> bool {
        self.line.slot.is_taken()
    }

    /// Works where the socket is.
    async fn there<T, F>(&self, work: impl FnOnce(Arc<Line>) -> F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        annex::inside(self.line.slot.annex(), work(Arc::clone(&self.line))).await
    }
}

/// Reads the sockets of all, in order, without closing them: a walk through each annex, not a way there for each socket.
pub async fn examine(clients: &[Arc<Client>]) -> Vec<End> {
    let lines = clients.iter().map(|client| Arc::clone(&client.line));
    slot::all(lines, |line| line.slot.annex(), Line::examine).await
}
