//! A client's socket: a stream of bytes, or datagrams to and from one address.
//!
//! Not here: what a transfer is (see `client`).

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockType, getsockopt, recv, sockopt};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
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

    /// True for datagrams.
    pub fn is_datagram(&self) -> bool {
        match self {
            Self::Stream(_) => false,
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

    /// Throws away what came and was not read, late answers and errors about earlier datagrams.
    pub fn discard(&self) {
        let mut byte = [0];
        // Asked of the kernel itself: what came a moment ago may not have been announced yet.
        while recv(self.as_raw_fd(), &mut byte, MsgFlags::MSG_DONTWAIT) != Err(Errno::EAGAIN) {}
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Stream(stream) => stream.as_fd(),
            Self::Datagram(socket) => socket.as_fd(),
        }
    }
}

impl AsRawFd for Wire {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
