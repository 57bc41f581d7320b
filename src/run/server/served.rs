//! What is known of the connections that servers accepted, and of the requests that they answered.

use crate::run::slot::{self, Slot};
use crate::run::word::Fault;
use crate::world::socket;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::net::TcpStream;
use tokio::time::Instant;

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
    /// Its program says something before it has heard anything, but for that header.
    pub speaks_first: bool,
    /// Its socket; none of datagrams.
    pub(super) slot: Slot<TcpStream>,
    pub(super) fault: Mutex<Fault>,
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
    /// The answer said `Connection: close`.
    pub closes: bool,
}
