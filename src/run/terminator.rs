//! TLS listeners: a client's connection ends in the zonal address's own kernel, and another one leads to the target.
//!
//! Observed on: AWS Network Load Balancer. One connection to a target for each of a client, nothing is shared. Which
//! target it is the fabric has decided with the client's SYN. The target's certificate is not validated. A connection
//! whose handshake fails, or whose target cannot be reached, is closed.

use super::tls::{self, Versions};
use crate::fabric::config::{BACKEND_PORTS, BalancerId, ZonalId};
use crate::fabric::record::Party;
use crate::packet::proxy_protocol;
use crate::plan::Plan;
use crate::world::socket::{self, ClientOptions, Family};
use crate::world::{Error, World};
use nix::errno::Errno;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream as StdStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;

/// All TLS listeners of a running case. They end with it, and so do their connections.
#[derive(Debug)]
pub struct Terminators(Vec<JoinHandle<()>>);

/// A listener at one zonal address.
struct Place {
    plan: Arc<Plan>,
    world: Arc<World>,
    balancer: BalancerId,
    zonal: ZonalId,
    port: crate::fabric::config::PortId,
    /// Its own end.
    address: SocketAddrV4,
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    /// Counts connections to targets; each has a port of its own.
    ports: AtomicU16,
}

impl Terminators {
    /// Starts every TLS listener of a plan.
    ///
    /// # Errors
    /// A port that cannot be had.
    pub fn start(plan: &Arc<Plan>, world: &Arc<World>) -> Result<Self, Error> {
        let mut tasks = Vec::new();
        for (number, balancer) in (0u16..).zip(&plan.fabric.balancers) {
            let secured: Vec<u16> = balancer
                .listeners
                .iter()
                .filter(|listener| listener.terminates)
                .map(|listener| listener.port)
                .collect();
            if secured.is_empty() {
                continue;
            }
            let names = vec![balancer.name.clone()];
            let config = tls::server(names, Versions::Both)
                .map_err(|why| Error::other("make a certificate", why).on(&balancer.name))?;
            for (zonal_number, zonal) in (0u8..).zip(&balancer.zonal) {
                let Some(port) = zonal.port else { continue };
                for &listener in &secured {
                    let name = format!("{}/{}", balancer.name, zonal.zone);
                    let fail = |errno| {
                        Error::system(format!("listen on port {listener}"), errno).on(&name)
                    };
                    let register = |error: io::Error| {
                        Error::io(format!("watch port {listener}"), &error).on(&name)
                    };
                    let socket = socket::listener(
                        world.zonal(port),
                        (Ipv4Addr::UNSPECIFIED, listener).into(),
                        BACKLOG,
                    )
                    .map_err(fail)?;
                    let place = Place {
                        plan: Arc::clone(plan),
                        world: Arc::clone(world),
                        balancer: BalancerId(number),
                        zonal: ZonalId(zonal_number),
                        port,
                        address: SocketAddrV4::new(zonal.private, listener),
                        acceptor: TlsAcceptor::from(Arc::clone(&config)),
                        connector: TlsConnector::from(tls::trusting_client(Versions::Both)),
                        ports: AtomicU16::new(0),
                    };
                    let socket = TcpListener::from_std(socket).map_err(register)?;
                    tasks.push(tokio::spawn(listen(Arc::new(place), socket)));
                }
            }
        }
        Ok(Self(tasks))
    }
}

impl Drop for Terminators {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

async fn listen(place: Arc<Place>, listener: TcpListener) {
    // They end when this ends.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, SocketAddr::V4(client))) = accepted {
                    connections.spawn(carry(Arc::clone(&place), stream, client));
                }
            }
            Some(ended) = connections.join_next() => tracing::trace!(?ended, "a connection"),
        }
    }
}

/// One connection of a client, from its handshake to its end.
async fn carry(place: Arc<Place>, stream: TcpStream, client: SocketAddrV4) {
    let secured = match place.acceptor.accept(stream).await {
        Ok(secured) => secured,
        Err(error) => {
            tracing::debug!(%client, %error, "a handshake with a client");
            return place.failed(Party::Client).await;
        }
    };
    let listener = place.address;
    let driver = place.world.driver();
    let Some((group, target)) = driver
        .ask(move |fabric, _| fabric.behind(listener, client))
        .await
    else {
        return;
    };
    let group = &place.plan.fabric.groups[usize::from(group.0)];
    let header = group
        .proxy_protocol
        .map(|_| proxy_protocol::proxy(client.into(), listener.into(), None));
    let connected = async {
        let mut stream = place.connect(target).await?;
        if let Some(header) = header {
            stream.write_all(&header).await?;
        }
        io::Result::Ok(stream)
    };
    let stream = match connected.await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(%target, %error, "a connection to a target");
            return;
        }
    };
    if !group.tls {
        return pass(secured, stream).await;
    }
    let name = ServerName::IpAddress(IpAddr::V4(*target.ip()).into());
    match place.connector.connect(name, stream).await {
        Ok(stream) => pass(secured, stream).await,
        Err(error) => {
            tracing::debug!(%target, %error, "a handshake with a target");
            place.failed(Party::Server).await;
        }
    }
}

/// Carries bytes until both sides have ended, or one has broken off.
async fn pass(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    mut target: impl AsyncRead + AsyncWrite + Unpin,
) {
    let carried = copy_bidirectional(&mut client, &mut target).await;
    tracing::trace!(?carried, "a connection ended");
}

impl Place {
    async fn failed(&self, with: Party) {
        let (balancer, zonal) = (self.balancer, self.zonal);
        let driver = self.world.driver();
        driver
            .ask(move |fabric, _| fabric.handshake_failed(balancer, zonal, with))
            .await;
    }

    /// Connects to a target, from the next port that the kernel lets it have.
    async fn connect(&self, target: SocketAddrV4) -> io::Result<TcpStream> {
        let first = *BACKEND_PORTS.start();
        let count = *BACKEND_PORTS.end() - first + 1;
        let mut tried = 0;
        loop {
            let place = self.ports.fetch_add(1, Ordering::Relaxed) % count;
            let options = ClientOptions {
                source_port: Some(first + place),
                ..ClientOptions::default()
            };
            let stream =
                match socket::client(self.world.zonal(self.port), Family::Ipv4, options).await {
                    Ok(fd) => {
                        let socket = TcpSocket::from_std_stream(StdStream::from(fd));
                        socket.connect(target.into()).await
                    }
                    Err(errno) => Err(errno.into()),
                };
            let taken = |error: &io::Error| {
                let code = error.raw_os_error();
                code == Some(Errno::EADDRNOTAVAIL as i32) || code == Some(Errno::EADDRINUSE as i32)
            };
            tried += 1;
            match stream {
                Err(error) if taken(&error) && tried < count => {}
                done => return done,
            }
        }
    }
}
