//! Listening sockets: the next connection, whatever the machine refuses meanwhile.
//!
//! Without a descriptor or memory for it, accept(2) fails at once, and the connection stays at the head of the queue.

use crate::world::socket;
use nix::errno::Errno;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

/// From a refusal to the next attempt.
const PAUSE: Duration = Duration::from_millis(20);

/// A listening socket.
pub struct Acceptor {
    listener: TcpListener,
    /// When the machine refused a connection the last time.
    refused: Option<Instant>,
}

impl Acceptor {
    /// Of a socket that listens.
    pub fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            refused: None,
        }
    }

    /// The next connection and its client's end. What the machine refuses is told in the log, once, and asked for again
    /// after a pause. Nothing is lost when this is dropped.
    pub async fn next(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            if let Some(refused) = self.refused {
                sleep_until(refused + PAUSE).await;
            }
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                // Gone before it was accepted.
                Err(error) if error.raw_os_error() == Some(Errno::ECONNABORTED as i32) => {}
                Err(error) => {
                    if self.refused.is_none() {
                        let at = self.listener.local_addr().ok();
                        tracing::warn!(%error, ?at, "a connection waits, for it cannot be accepted");
                    }
                    self.refused = Some(Instant::now());
                }
            }
        }
    }

    /// Closes it: what waits is reset, and from now on who comes is refused.
    pub fn close(self) {
        socket::stop_listening(self.listener.as_fd());
    }

    /// All connections that wait now; then it is closed. The kernel is asked itself: the runtime believes that there is none
    /// until it has heard otherwise.
    pub fn rest(self) -> Vec<TcpStream> {
        let Ok(listener) = self.listener.into_std() else {
            return Vec::new();
        };
        let waiting = std::iter::from_fn(|| listener.accept().ok());
        let watched = waiting.map(|(stream, _)| {
            stream.set_nonblocking(true)?;
            TcpStream::from_std(stream)
        });
        let rest = watched.filter_map(io::Result::ok).collect();
        socket::stop_listening(listener.as_fd());
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::Acceptor;
    use std::io::ErrorKind;
    use std::os::fd::{AsFd, OwnedFd};
    use tokio::net::{TcpListener, TcpStream};

    /// A listening socket of which somebody has a copy, as a program has that is about to be executed.
    async fn copied() -> (Acceptor, OwnedFd, std::net::SocketAddr) {
        let bound = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = bound.expect("a free port");
        let copy = listener.as_fd().try_clone_to_owned();
        let at = listener.local_addr().expect("an address");
        (Acceptor::new(listener), copy.expect("a descriptor"), at)
    }

    #[tokio::test]
    async fn who_comes_when_it_is_closed_is_refused_whoever_has_a_copy() {
        for drained in [false, true] {
            let (acceptor, copy, at) = copied().await;
            match drained {
                true => assert!(acceptor.rest().is_empty()),
                false => acceptor.close(),
            }
            let refused = TcpStream::connect(at).await.map_err(|error| error.kind());
            assert_eq!(refused.err(), Some(ErrorKind::ConnectionRefused));
            drop(copy);
        }
    }
}
