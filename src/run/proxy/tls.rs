//! TLS listeners: a client's connection ends in the zonal address's own kernel, and another one leads to the target.
//!
//! Observed on: AWS Network Load Balancer. One connection to a target for each of a client, nothing is shared. Which
//! target it is the fabric has decided with the client's SYN. The target's certificate is not validated. A connection
//! whose handshake fails, or whose target cannot be reached, is closed.

use super::journal::{Bytes, Closed, Pair};
use super::{Station, accept, acceptor, is_taken, reset};
use crate::fabric::record::Party;
use crate::fabric::{Loan, PairStanding, Place};
use crate::packet::proxy_protocol;
use crate::run::tls::{self, Versions};
use crate::world::Error;
use crate::world::socket::keepalive;
use rustls::pki_types::ServerName;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// Between two keepalives of a balancer, in the cloud's time (AWS).
const KEEPALIVE: Duration = Duration::from_secs(20);

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
    let acceptor = acceptor(&station)?;
    let terminator = Arc::new(Terminator {
        station,
        acceptor,
        connector: TlsConnector::from(tls::trusting_client(Versions::Both)),
    });
    let tasks = Arc::clone(&terminator.station.tasks);
    Ok(tasks.spawn(async move {
        let carry = |stream, client| carry(Arc::clone(&terminator), stream, client);
        accept(&terminator.station.tasks, listener, carry).await;
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
    let behind = driver.ask(move |fabric, now| {
        let behind = fabric.behind(now, listener, client)?;
        let group = &fabric.config().groups[usize::from(behind.group.0)];
        Some((behind, group.proxy_protocol.is_some(), group.tls))
    });
    let Some((behind, proxied, secures)) = behind.await else {
        return;
    };
    let (number, index) = (behind.group, behind.target);
    let Some(mut port) = behind.loan.map(|loan| Borrowed::new(station, loan)) else {
        return;
    };
    let target = port.loan.target;
    let header = proxied.then(|| proxy_protocol::proxy(client.into(), listener.into(), None));
    let connected = async {
        let mut stream = port.connect().await?;
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
        resumed: Mutex::default(),
        bytes: Arc::clone(&bytes),
        target_closed: OnceLock::new(),
        closed: OnceLock::new(),
    });
    let ends = Ends {
        station,
        client,
        loan: port.loan,
    };
    let why = match secures {
        true => {
            let streams = (secured, stream);
            place.secure_and_pass(streams, &ends, &bytes).await
        }
        false => ends.pass(secured, stream, &bytes).await,
    };
    let now = Instant::now();
    pair.target_closed.get_or_init(|| now);
    pair.closed.get_or_init(|| (now, why));
}

/// A port that the fabric lent for a connection to a target; it goes back when this is dropped.
struct Borrowed<'a> {
    station: &'a Station,
    loan: Loan,
}

impl<'a> Borrowed<'a> {
    fn new(station: &'a Station, loan: Loan) -> Self {
        Self { station, loan }
    }

    /// Connects from it, or from another one as long as this kernel has a connection on it that is over and not forgotten.
    async fn connect(&mut self) -> io::Result<TcpStream> {
        let place = self.station.place;
        let driver = self.station.world.driver();
        let mut tried = 0;
        loop {
            let Loan { source, target } = self.loan;
            let stream = self.station.dial(source, target).await;
            match stream {
                Err(error) if is_taken(&error) => {
                    // No more often than there are ports.
                    let another = driver.ask(move |fabric, now| {
                        let balancers = &fabric.config().balancers;
                        let ports = balancers[usize::from(place.balancer.0)].snat_ports;
                        (tried < ports).then(|| fabric.lend(now, place, target))?
                    });
                    *self = Self::new(self.station, another.await.ok_or(error)?);
                    tried += 1;
                }
                other => return other,
            }
        }
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let loan = self.loan;
        let driver = self.station.world.driver();
        driver.tell(move |fabric| fabric.give_back(loan));
    }
}

/// A stream, and the connection that it is on.
trait OverTcp: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl OverTcp for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl OverTcp for server::TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl OverTcp for client::TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// A client's connection, and where the other one leads.
struct Ends<'a> {
    station: &'a Station,
    client: SocketAddrV4,
    loan: Loan,
}

impl Ends<'_> {
    /// Carries bytes until both sides have ended, or one has broken off.
    async fn pass(&self, client: impl OverTcp, target: impl OverTcp, bytes: &Bytes) -> Closed {
        let both = [client.tcp().as_raw_fd(), target.tcp().as_raw_fd()];
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
        tokio::select! {
            carried = copy_bidirectional(&mut client, &mut target) => {
                tracing::trace!(?carried, "a connection is over");
            }
            () = self.keep_alive(both) => {}
        }
        match (client.broke, target.broke) {
            (Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), _) => {
                // What the balancer has forgotten is forgotten on both sides.
                if self.standing().await.expired {
                    reset(target.stream.tcp());
                }
                Closed::ClientReset
            }
            (Some(_), _) => Closed::ClientBrokeOff,
            (None, Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)) => Closed::TargetReset,
            (None, Some(_)) => Closed::TargetBrokeOff,
            (None, None) => Closed::Finished,
        }
    }

    /// Sends keepalives on both connections once one has come on either: AWS, every 20 s. Does not end.
    async fn keep_alive(&self, both: [RawFd; 2]) {
        let period = KEEPALIVE.div_f64(self.station.plan.time_scale);
        let mut begun = false;
        loop {
            sleep(period).await;
            begun = begun || self.standing().await.keepalives;
            if !begun {
                continue;
            }
            for socket in both {
                // SAFETY: both are open, for their streams live longer than this.
                let socket = unsafe { BorrowedFd::borrow_raw(socket) };
                if let Err(errno) = keepalive(socket) {
                    tracing::debug!(%errno, "a keepalive");
                }
            }
        }
    }

    /// What only the fabric sees.
    async fn standing(&self) -> PairStanding {
        let (listener, client, loan) = (self.station.address, self.client, self.loan);
        let driver = self.station.world.driver();
        driver
            .ask(move |fabric, _| fabric.standing_of_pair(listener, client, loan))
            .await
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
        (client, stream): (impl OverTcp, TcpStream),
        ends: &Ends<'_>,
        bytes: &Bytes,
    ) -> Closed {
        let target = ends.loan.target;
        let name = ServerName::IpAddress(IpAddr::V4(*target.ip()).into());
        match self.connector.connect(name, stream).await {
            Ok(stream) => ends.pass(client, stream, bytes).await,
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
