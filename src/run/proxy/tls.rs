//! TLS listeners: a client's connection ends in the zonal address's own kernel, and another one leads to the target.
//!
//! Observed on: AWS Network Load Balancer. One connection to a target for each of a client, nothing is shared. Which
//! target it is the fabric has decided with the client's SYN. The target's certificate is not validated. A connection
//! whose handshake fails, or whose target cannot be reached, is closed.

use super::journal::{Bytes, Closed, Pair};
use super::{Pending, Station, accept};
use crate::fabric::Place;
use crate::fabric::record::Party;
use crate::packet::proxy_protocol;
use crate::run::tls::{self, Versions};
use crate::world::Error;
use rustls::pki_types::ServerName;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A listener, and what it needs to speak TLS on both sides.
struct Terminator {
    station: Station,
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

/// Begins to take a listener's connections.
///
/// # Errors
/// A certificate that cannot be made.
pub(super) fn start(station: Station, listener: TcpListener) -> Result<JoinHandle<()>, Error> {
    let name = &station.plan.fabric.balancers[usize::from(station.place.balancer.0)].name;
    let config = tls::server(vec![name.clone()], Versions::Both)
        .map_err(|why| Error::other("make a certificate", why).on(name))?;
    let terminator = Arc::new(Terminator {
        station,
        acceptor: TlsAcceptor::from(config),
        connector: TlsConnector::from(tls::trusting_client(Versions::Both)),
    });
    Ok(tokio::spawn(async move {
        // Nothing is counted of one before it has said something.
        let carry = |stream, client, _: Pending| carry(Arc::clone(&terminator), stream, client);
        accept(&terminator.station.journal, listener, carry).await;
    }))
}

/// One connection of a client, from its handshake to its end.
async fn carry(place: Arc<Terminator>, stream: TcpStream, client: SocketAddrV4) {
    let secured = match place.acceptor.accept(stream).await {
        Ok(secured) => secured,
        Err(error) => {
            tracing::debug!(%client, %error, "a handshake with a client");
            return place.failed(Party::Client).await;
        }
    };
    let station = &place.station;
    let listener = station.address;
    let driver = station.world.driver();
    let Some((number, index, target)) = driver
        .ask(move |fabric, _| fabric.behind(listener, client))
        .await
    else {
        return;
    };
    let group = &station.plan.fabric.groups[usize::from(number.0)];
    let header = group
        .proxy_protocol
        .map(|_| proxy_protocol::proxy(client.into(), listener.into(), None));
    let connected = async {
        let mut stream = station.connect(target, &station.journal.begin()).await?;
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
    let Ok(SocketAddr::V4(local)) = stream.local_addr() else {
        return;
    };
    let bytes = Arc::<Bytes>::default();
    let pair = station.journal.add(Pair {
        place: station.place,
        client,
        local,
        group: number,
        target: index,
        address: target,
        opened: Instant::now(),
        bytes: Arc::clone(&bytes),
        target_closed: OnceLock::new(),
        closed: OnceLock::new(),
    });
    let why = match group.tls {
        true => {
            let ends = (secured, stream);
            place.secure_and_pass(ends, target, &bytes).await
        }
        false => pass(secured, stream, &bytes).await,
    };
    let now = Instant::now();
    pair.target_closed.get_or_init(|| now);
    pair.closed.get_or_init(|| (now, why));
}

/// Carries bytes until both sides have ended, or one has broken off.
async fn pass(
    client: impl AsyncRead + AsyncWrite + Unpin,
    target: impl AsyncRead + AsyncWrite + Unpin,
    bytes: &Bytes,
) -> Closed {
    let mut client = Watched {
        stream: client,
        taken: &bytes.from_client,
        given: &bytes.to_client,
        broke: None,
    };
    let mut target = Watched {
        stream: target,
        taken: &bytes.from_target,
        given: &bytes.to_target,
        broke: None,
    };
    let carried = copy_bidirectional(&mut client, &mut target).await;
    tracing::trace!(?carried, "a connection is over");
    match (client.broke, target.broke) {
        (Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), _) => Closed::ClientReset,
        (Some(_), _) => Closed::ClientBrokeOff,
        (None, Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)) => Closed::TargetReset,
        (None, Some(_)) => Closed::TargetBrokeOff,
        (None, None) => Closed::Finished,
    }
}

/// One of the two connections: its bytes are counted, and its first error is kept.
struct Watched<'a, S> {
    stream: S,
    /// Bytes read.
    taken: &'a AtomicU64,
    /// Bytes written.
    given: &'a AtomicU64,
    broke: Option<ErrorKind>,
}

impl<S> Watched<'_, S> {
    fn note<T>(&mut self, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &outcome {
            self.broke.get_or_insert(error.kind());
        }
        outcome
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let count = buffer.filled().len() - before;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        self.note(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = &written {
            self.given.fetch_add(*count as u64, Ordering::Relaxed);
        }
        self.note(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.note(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.note(shut)
    }
}

impl Terminator {
    /// The same to a target that speaks TLS.
    async fn secure_and_pass(
        &self,
        (client, stream): (impl AsyncRead + AsyncWrite + Unpin, TcpStream),
        target: SocketAddrV4,
        bytes: &Bytes,
    ) -> Closed {
        let name = ServerName::IpAddress(IpAddr::V4(*target.ip()).into());
        match self.connector.connect(name, stream).await {
            Ok(stream) => pass(client, stream, bytes).await,
            Err(error) => {
                tracing::debug!(%target, %error, "a handshake with a target");
                self.failed(Party::Server).await;
                Closed::TargetBrokeOff
            }
        }
    }

    async fn failed(&self, with: Party) {
        let Place {
            balancer, zonal, ..
        } = self.station.place;
        let driver = self.station.world.driver();
        driver
            .ask(move |fabric, _| fabric.handshake_failed(balancer, zonal, with))
            .await;
    }
}
