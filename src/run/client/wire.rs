//! A client's socket: a stream of bytes, perhaps under TLS, or datagrams to and from one address.
//!
//! Not here: what a transfer is (see `client`).

use crate::run::counted::Polled;
use crate::world::socket::unread;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockType, getsockopt, recv, sockopt};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::Interest;
use tokio::net::{TcpStream, UdpSocket};

/// What a receiver of datagrams waits for.
const NEWS: Interest = Interest::READABLE.add(Interest::ERROR);

/// A connected socket.
#[derive(Debug)]
pub enum Wire {
    /// TCP.
    Stream(TcpStream),
    /// UDP: connected, so that the kernel takes datagrams of that address only and tells of ICMP errors.
    Datagram(UdpSocket),
    /// TLS over TCP.
    Secured(Box<Secured>),
}

/// A TCP connection with a TLS session over it.
#[derive(Debug)]
pub struct Secured {
    stream: TcpStream,
    session: Mutex<ClientConnection>,
}

/// A socket as `rustls` reads and writes it: at once, or not at all.
struct Now<'a>(&'a TcpStream);

impl io::Read for Now<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl io::Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    /// All records that wait go in one segment, as other TLS libraries write a flight: the second of two small segments would
    /// wait for the acknowledgement of the first (Nagle), and that for the receiver's delay.
    fn write_vectored(&mut self, records: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(records)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What has come to a socket, asked of the kernel itself: the runtime believes that there is nothing until it has heard otherwise.
/// An error is told once, and behind all that came before it, so nothing is asked for that is not there.
struct Unread<'a>(&'a TcpStream);

impl io::Read for Unread<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let there = usize::try_from(unread(self.0.as_fd())?).unwrap_or(usize::MAX);
        match there.min(buffer.len()) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            there => {
                let (socket, buffer) = (self.0.as_raw_fd(), &mut buffer[..there]);
                recv(socket, buffer, MsgFlags::MSG_DONTWAIT).map_err(io::Error::from)
            }
        }
    }
}

impl Secured {
    fn session(&self) -> std::sync::MutexGuard<'_, ClientConnection> {
        self.session.lock().expect("no holder of this lock panics")
    }

    /// Gives the socket what the session has for it; `WouldBlock` when not all of it was taken.
    fn push(&self, session: &mut ClientConnection) -> io::Result<()> {
        while session.wants_write() {
            session.write_tls(&mut Now(&self.stream))?;
        }
        Ok(())
    }

    /// Takes what the socket has for the session. False: the end.
    fn pull(&self, session: &mut ClientConnection, mut from: impl io::Read) -> io::Result<bool> {
        let more = session.read_tls(&mut from)? > 0;
        let understood = session.process_new_packets();
        // An alert is worth sending, and nobody waits for it.
        let pushed = self.push(session);
        tracing::trace!(?pushed, "an alert or a ticket");
        understood.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(more)
    }

    async fn shake_hands(&self) -> io::Result<()> {
        loop {
            let step = {
                let mut session = self.session();
                match self.push(&mut session) {
                    Ok(()) if !session.is_handshaking() => return Ok(()),
                    Ok(()) => self.pull(&mut session, Now(&self.stream)).map(Some),
                    Err(error) => Err(error),
                }
            };
            match step {
                Ok(Some(true)) => {}
                Ok(Some(false) | None) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let writes = self.session().wants_write();
                    match writes {
                        true => self.stream.writable().await?,
                        false => self.stream.readable().await?,
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn read(&self, buffer: &mut [u8], mut from: impl io::Read) -> io::Result<usize> {
        let mut session = self.session();
        loop {
            match session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The end of TCP without TLS's own is an end all the same.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                done => return done,
            }
            self.pull(&mut session, &mut from)?;
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut session = self.session();
        self.push(&mut session)?;
        let count = session.writer().write(bytes)?;
        match self.push(&mut session) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            Ok(()) | Err(_) => Ok(count),
        }
    }

    /// True when there are bytes to read that are no longer in the socket.
    fn has_some(&self) -> bool {
        let state = self.session().process_new_packets();
        state.is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
    }
}

impl Wire {
    /// A non-blocking socket, to be waited for.
    ///
    /// # Errors
    /// When it cannot be watched.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        match getsockopt(&fd, sockopt::SockType)? {
            SockType::Datagram => UdpSocket::from_std(fd.into()).map(Self::Datagram),
            _ => TcpStream::from_std(fd.into()).map(Self::Stream),
        }
    }

    /// The same connection under TLS, after its handshake. Any certificate will do. A datagram socket is left alone.
    ///
    /// # Errors
    /// What the kernel said, `UnexpectedEof` when the peer closed, [`rustls::Error`] when what it said is no TLS.
    pub async fn secured(
        self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        let Self::Stream(stream) = self else {
            return Ok(self);
        };
        let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let secured = Secured {
            stream,
            session: Mutex::new(session),
        };
        secured.shake_hands().await?;
        Ok(Self::Secured(Box::new(secured)))
    }

    /// Waits until everything that was written is in the kernel's hands.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn flush(&self) -> io::Result<()> {
        loop {
            match self.try_flush() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                done => return done,
            }
        }
    }

    /// Gives the kernel what was written and is not in its hands yet.
    ///
    /// # Errors
    /// What the kernel said; `WouldBlock` when it takes no more now.
    pub fn try_flush(&self) -> io::Result<()> {
        match self {
            Self::Stream(_) | Self::Datagram(_) => Ok(()),
            Self::Secured(secured) => secured.push(&mut secured.session()),
        }
    }

    /// True under TLS.
    pub fn is_secured(&self) -> bool {
        match self {
            Self::Secured(_) => true,
            Self::Stream(_) | Self::Datagram(_) => false,
        }
    }

    /// True for datagrams.
    pub fn is_datagram(&self) -> bool {
        match self {
            Self::Stream(_) | Self::Secured(_) => false,
            Self::Datagram(_) => true,
        }
    }

    /// Waits until it may take something.
    ///
    /// # Errors
    /// When it cannot be watched any more.
    pub async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Stream(stream) => stream.writable().await,
            Self::Secured(secured) => secured.stream.writable().await,
            Self::Datagram(socket) => socket.writable().await,
        }
    }

    /// Waits until there may be something to read.
    ///
    /// # Errors
    /// When it cannot be watched any more.
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Stream(stream) => stream.readable().await,
            Self::Secured(secured) if secured.has_some() => Ok(()),
            Self::Secured(secured) => secured.stream.readable().await,
            // An ICMP error makes a UDP socket ready without making it readable.
            Self::Datagram(socket) => socket.ready(NEWS).await.map(drop),
        }
    }

    /// Gives it some bytes, or one datagram.
    ///
    /// # Errors
    /// What the kernel said; `WouldBlock` when it takes nothing now.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stream(stream) => stream.try_write(bytes),
            Self::Secured(secured) => secured.write(bytes),
            Self::Datagram(socket) => socket.try_send(bytes),
        }
    }

    /// Takes some bytes (none: the end), or one datagram.
    ///
    /// # Errors
    /// What the kernel said; `WouldBlock` when there is nothing now.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stream(stream) => stream.try_read(buffer),
            Self::Secured(secured) => secured.read(buffer, Now(&secured.stream)),
            Self::Datagram(socket) => {
                let mut take = || {
                    recv(socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT)
                        .map_err(io::Error::from)
                };
                // One kind of readiness at a time: tokio's `try_io` never calls back for both.
                match socket.try_io(Interest::READABLE, &mut take) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        socket.try_io(Interest::ERROR, take)
                    }
                    taken => taken,
                }
            }
        }
    }

    /// Throws away what came and was not read: late answers, and errors about earlier datagrams. A stream's end, or what broke
    /// it, is left to who reads or writes next. Shows the bytes of a stream.
    ///
    /// # Errors
    /// What TLS made of them.
    pub fn discard(&self, mut shown: impl FnMut(&[u8])) -> io::Result<()> {
        let mut buffer = [0; 4096];
        match self {
            Self::Datagram(socket) => {
                // Asked of the kernel itself: what came a moment ago may not have been announced yet.
                let mut take =
                    || recv(socket.as_raw_fd(), &mut buffer[..1], MsgFlags::MSG_DONTWAIT);
                while take() != Err(Errno::EAGAIN) {}
            }
            Self::Stream(stream) => {
                while let Ok(count @ 1..) = Unread(stream).read(&mut buffer) {
                    shown(&buffer[..count]);
                }
            }
            Self::Secured(secured) => loop {
                match secured.read(&mut buffer, Unread(&secured.stream)) {
                    Ok(0) => break,
                    Ok(count) => shown(&buffer[..count]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            },
        }
        Ok(())
    }
}

impl Polled for Wire {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Stream(stream) => stream.poll_read_ready(cx),
            Self::Secured(secured) if secured.has_some() => Poll::Ready(Ok(())),
            Self::Secured(secured) => secured.stream.poll_read_ready(cx),
            Self::Datagram(socket) => socket.poll_recv_ready(cx),
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Stream(stream) => stream.poll_write_ready(cx),
            Self::Secured(secured) => secured.stream.poll_write_ready(cx),
            Self::Datagram(socket) => socket.poll_send_ready(cx),
        }
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Wire::try_read(self, buffer)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        Wire::try_write(self, bytes)
    }

    fn try_flush(&self) -> io::Result<()> {
        Wire::try_flush(self)
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Stream(stream) => stream.as_fd(),
            Self::Secured(secured) => secured.stream.as_fd(),
            Self::Datagram(socket) => socket.as_fd(),
        }
    }
}

impl AsRawFd for Wire {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tls::{self, Versions};
    use rustls::{ServerConnection, StreamOwned};
    use std::net::{Ipv4Addr, TcpListener};
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    const LIMIT: Duration = Duration::from_secs(10);
    const SAID: &[u8] = &[b'x'; 100];

    /// A connection, perhaps under TLS, whose other end says something each time that it is asked to.
    async fn connected(secured: bool) -> (Wire, mpsc::Sender<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("bound above");
        let (ask, asked) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a client");
            let mut stream: Box<dyn Write> = match secured {
                false => Box::new(stream),
                true => {
                    let config = tls::server(vec!["peer".to_owned()], Versions::Both);
                    let session = ServerConnection::new(config.expect("a certificate"));
                    let mut session = session.expect("a session");
                    let mut stream = stream;
                    while session.is_handshaking() {
                        session.complete_io(&mut stream).expect("a handshake");
                    }
                    Box::new(StreamOwned::new(session, stream))
                }
            };
            while asked.recv().is_ok() {
                stream.write_all(SAID).expect("somebody listens");
                stream.flush().expect("somebody listens");
            }
        });
        let stream = TcpStream::connect(address).await.expect("it listens");
        let mut wire = Wire::Stream(stream);
        if secured {
            let name = ServerName::IpAddress(address.ip().into());
            let config = tls::trusting_client(Versions::Both);
            wire = wire.secured(config, name).await.expect("a handshake");
        }
        (wire, ask)
    }

    fn wait_for(wire: &Wire, bytes: usize) {
        let until = Instant::now() + LIMIT;
        while unread(wire.as_fd()).expect("a socket") < bytes as u64 {
            assert!(Instant::now() < until, "nothing comes");
            std::thread::yield_now();
        }
    }

    /// The runtime has one thread, which is here, so that it hears of nothing meanwhile.
    #[tokio::test]
    async fn what_came_a_moment_ago_is_thrown_away_too() {
        for secured in [false, true] {
            let (wire, ask) = connected(secured).await;
            // Tickets of TLS are there, or come while the first answer is waited for.
            ask.send(()).expect("it is asked");
            let (mut buffer, mut came) = ([0; 4096], 0);
            while came < SAID.len() {
                wire.readable().await.expect("a socket");
                came += wire.try_read(&mut buffer).unwrap_or(0);
            }
            let empty = wire.try_read(&mut buffer).expect_err("there is no more");
            assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
            ask.send(()).expect("it is asked");
            wait_for(&wire, SAID.len());
            let mut thrown = 0;
            wire.discard(|bytes| thrown += bytes.len())
                .expect("a stream");
            assert_eq!(thrown, SAID.len(), "secured: {secured}");
        }
    }

    #[tokio::test]
    async fn a_stream_s_end_is_left_to_who_reads_next() {
        let (wire, ask) = connected(false).await;
        ask.send(()).expect("it is asked");
        wait_for(&wire, SAID.len());
        drop(ask);
        let mut thrown = 0;
        wire.discard(|bytes| thrown += bytes.len())
            .expect("a stream");
        assert_eq!(thrown, SAID.len());
        wire.readable().await.expect("a socket");
        let end = tokio::time::timeout(LIMIT, async {
            loop {
                match wire.try_read(&mut [0; 16]) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        wire.readable().await.expect("a socket");
                    }
                    read => break read,
                }
            }
        });
        assert_eq!(end.await.expect("in time").expect("a FIN"), 0);
    }
}
