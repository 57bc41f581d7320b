//! Listening sockets: the next connection, whatever the machine refuses meanwhile.
//!
//! Without a descriptor or memory for it, accept(2) fails at once, and the connection stays at the head of the queue.

use nix::errno::Errno;
use std::net::SocketAddr;
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
}
