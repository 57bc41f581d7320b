//! Connections: accepted, served where their sockets are, and ended as the servers are told.

use super::apps::{Program, converse};
use super::life::{Leave, Life};
use super::served::Served;
use super::{Order, Shared, no_port, unwatched};
use crate::plan::App;
use crate::plan::Server;
use crate::run::Sockets;
use crate::run::acceptor::Acceptor;
use crate::run::slot::Slot;
use crate::run::tls::{self, Versions};
use crate::world::{Error, Host, annex, socket};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Connections that may wait until they are accepted: as many as the kernel lets, by default (net.core.somaxconn).
const BACKLOG: u32 = 4096;

/// Who serves a connection; none where there are as many as are needed.
type Worker = Option<OwnedSemaphorePermit>;

/// Listens at every address of a host.
///
/// # Errors
/// A port that cannot be had, a certificate that cannot be made.
pub(super) fn start(
    shared: &Arc<Shared>,
    life: &Arc<Life>,
    host: &Host,
    addresses: &[IpAddr],
    server: &Server,
) -> Result<Vec<JoinHandle<()>>, Error> {
    let backlog = if let App::NeverAccept { backlog } = &server.app {
        *backlog
    } else {
        BACKLOG
    };
    let program = Arc::new(Program {
        app: server.app.clone(),
        tls: certificate(host, &server.app)?,
        proxy_protocol: server.proxy_protocol,
    });
    let mut tasks = Vec::with_capacity(addresses.len());
    for address in addresses {
        let local = SocketAddr::new(*address, server.port);
        let listener = socket::listener(&host.namespace, local, backlog)
            .map_err(|errno| no_port(host, server.port, errno))?;
        let listener = TcpListener::from_std(listener)
            .map_err(|error| unwatched(host, server.port, &error))?;
        let program = Arc::clone(&program);
        life.has(true);
        let listening = listen(Arc::clone(shared), Arc::clone(life), listener, program);
        tasks.push(shared.tasks.spawn(listening));
    }
    Ok(tasks)
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

/// Accepts until the servers are ordered to end, or their run is over; then the listening socket is closed.
async fn listen(
    shared: Arc<Shared>,
    mut life: Arc<Life>,
    listener: TcpListener,
    program: Arc<Program>,
) {
    let mut orders = shared.orders.subscribe();
    let mut acceptor = Acceptor::new(listener);
    let workers = program
        .app
        .workers()
        .map(|number| Arc::new(Semaphore::new(number)));
    let accepts = !matches!(program.app, App::NeverAccept { .. });
    while *orders.borrow_and_update() == Order::Serve {
        let leave = tokio::select! {
            biased;
            changed = orders.changed() => match changed {
                Ok(()) => continue,
                Err(_) => break,
            },
            leave = life.told_to_leave() => leave,
            (stream, worker) = life.staying(next(&mut acceptor, workers.as_ref())), if accepts => {
                accept(&shared, &life, stream, Arc::clone(&program), worker);
                continue;
            }
        };
        match leave {
            Leave::Close => break,
            Leave::Drain if accepts => {
                let rest = acceptor.rest();
                life.has(false);
                for stream in rest {
                    let worker = worker(workers.as_ref()).await;
                    accept(&shared, &life, stream, Arc::clone(&program), worker);
                }
                return;
            }
            Leave::Drain => break,
            Leave::Pass(to) => {
                to.has(true);
                life.has(false);
                life = to;
            }
        }
    }
    acceptor.close();
    life.has(false);
}

/// The next connection, once a worker has time for it.
async fn next(acceptor: &mut Acceptor, workers: Option<&Arc<Semaphore>>) -> (TcpStream, Worker) {
    let worker = worker(workers).await;
    let (stream, _) = acceptor.next().await;
    (stream, worker)
}

/// One who has time.
async fn worker(workers: Option<&Arc<Semaphore>>) -> Worker {
    let worker = Arc::clone(workers?).acquire_owned().await;
    Some(worker.expect("nobody closes it"))
}

fn accept(
    shared: &Arc<Shared>,
    life: &Arc<Life>,
    stream: TcpStream,
    program: Arc<Program>,
    worker: Worker,
) {
    let (Ok(local), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else {
        // Reset before it was accepted: the kernel no longer knows the peer.
        return;
    };
    let seat = match shared.sockets {
        Sockets::Here => None,
        Sockets::Annexed => annex::seat(),
    };
    let (header, first) = (program.proxy_protocol, program.app.speaks_first());
    let served = shared.begin(local, peer, Slot::new(seat), header, first);
    shared.busy.fetch_add(1, Ordering::AcqRel);
    let (shared, life) = (Arc::clone(shared), Arc::clone(life));
    match &served.slot {
        Slot::Here(_) => {
            let tasks = Arc::clone(&shared.tasks);
            tasks.spawn(async move {
                serve(shared, life, Arc::new(stream), served, program).await;
                drop(worker);
            });
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
            let tasks = Arc::clone(&shared.tasks);
            annex.begin(tasks.watch(async move {
                serve_there(shared, life, served, program).await;
                drop(worker);
            }));
        }
    }
}

/// The annex's side of [`accept`].
async fn serve_there(
    shared: Arc<Shared>,
    life: Arc<Life>,
    served: Arc<Served>,
    program: Arc<Program>,
) {
    let Slot::Seated(seat) = &served.slot else {
        unreachable!("only what has a seat is served in an annex")
    };
    let arrived = seat.arrived().map_err(io::Error::from);
    let stream = arrived.and_then(|descriptor| TcpStream::from_std(descriptor.into()));
    match stream {
        Ok(stream) => serve(shared, life, Arc::new(stream), served, program).await,
        Err(error) => {
            tracing::warn!(%error, "a connection found no room in its annex");
            shared.busy.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

async fn serve(
    shared: Arc<Shared>,
    life: Arc<Life>,
    stream: Arc<TcpStream>,
    served: Arc<Served>,
    program: Arc<Program>,
) {
    served.slot.put(Arc::clone(&stream));
    let mut orders = shared.orders.subscribe();
    let ordered = orders.wait_for(|order| *order != Order::Serve);
    let order = tokio::select! {
        fault = life.unfrozen(converse(&shared, &stream, &served, &program)) => {
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
            drain(&stream, &served);
            release(served, stream);
            shared.busy.fetch_sub(1, Ordering::AcqRel);
        }
        Some(Order::Reset | Order::Vanish) => {
            let set = socket::reset_on_close(stream.as_fd());
            tracing::trace!(?set, "a stopped server's RST");
            served.slot.take();
            drop(stream);
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
    socket::hang_up(stream.as_fd());
    drop(stream);
}

/// Reads what has come: a close with something unread resets. What comes later meets a closed socket, and the kernel
/// resets it. The kernel is asked itself: the runtime believes that there is nothing until it has been told otherwise.
fn drain(stream: &TcpStream, served: &Served) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = nix::unistd::read(stream, &mut buffer) {
        served.received.fetch_add(count as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::server::Header;
    use std::sync::atomic::AtomicU64;
    use std::sync::{Mutex, OnceLock};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::{Instant, timeout};

    const LIMIT: Duration = Duration::from_secs(5);

    /// A client's end, and what the server has of the connection.
    async fn pair() -> (TcpStream, Arc<Served>, Arc<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it has one");
        let client = TcpStream::connect(address).await.expect("it listens");
        let (stream, peer) = listener.accept().await.expect("it waits");
        let stream = Arc::new(stream);
        let served = Served {
            local: address,
            peer,
            accepted: Instant::now(),
            received: AtomicU64::new(0),
            told: OnceLock::new(),
            header: OnceLock::from(Header::NotExpected),
            speaks_first: false,
            slot: Slot::new(None),
            fault: Mutex::default(),
        };
        served.slot.put(Arc::clone(&stream));
        (client, Arc::new(served), stream)
    }

    /// What a program that is just being started does.
    fn copy(stream: &TcpStream) -> std::os::fd::OwnedFd {
        stream.as_fd().try_clone_to_owned().expect("a descriptor")
    }

    #[tokio::test]
    async fn a_connection_is_closed_whoever_has_a_copy_of_its_descriptor() {
        let (mut client, served, stream) = pair().await;
        let copied = copy(&stream);
        release(served, stream);
        let mut byte = [0];
        let end = timeout(LIMIT, client.read(&mut byte)).await;
        assert_eq!(end.expect("a FIN").expect("no RST"), 0);
        // Nobody reads there any more, and whoever writes is told.
        let told = async { while client.write(b"x").await.is_ok() {} };
        timeout(LIMIT, told).await.expect("a RST");
        drop(copied);
    }

    #[tokio::test]
    async fn what_is_unread_makes_a_close_reset() {
        let (mut client, served, stream) = pair().await;
        client.write_all(b"hello").await.expect("somebody is there");
        timeout(LIMIT, stream.readable())
            .await
            .expect("it comes")
            .expect("no RST");
        release(served, stream);
        let mut byte = [0];
        let reset = timeout(LIMIT, client.read(&mut byte)).await;
        let reset = reset.expect("an answer").expect_err("a RST");
        assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
    }
}
