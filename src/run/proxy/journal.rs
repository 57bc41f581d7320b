//! What proxies did: the connections of clients and the ones to targets that they led to, in the order of the latter.

use crate::fabric::Place;
use crate::fabric::config::GroupId;
use crate::world::{socket, tcp_sockets};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use tokio::time::Instant;

/// All pairs of connections of a running case.
#[derive(Debug, Default)]
pub struct Journal {
    pairs: Mutex<Vec<Arc<Pair>>>,
    own: Mutex<Vec<OwnAnswer>>,
    pending: Mutex<Tasks>,
}

/// What there is of [`Pending`].
#[derive(Debug, Default)]
struct Tasks {
    begun: u64,
    /// By number; the socket that it waits for to stand.
    open: HashMap<u64, Option<OwnedFd>>,
}

/// Something has come to a proxy that is neither counted nor written down yet.
pub struct Pending {
    journal: Arc<Journal>,
    number: u64,
}

impl Pending {
    /// Waits for an attempt to connect over this socket: until it is answered, nothing is to be done.
    ///
    /// # Errors
    /// When there is no second descriptor to look at it.
    pub fn dials(&self, socket: BorrowedFd<'_>) -> io::Result<Dialling<'_>> {
        self.put(Some(socket.try_clone_to_owned()?));
        Ok(Dialling(self))
    }

    fn put(&self, socket: Option<OwnedFd>) {
        self.journal.tasks().open.insert(self.number, socket);
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.journal.tasks().open.remove(&self.number);
    }
}

/// An attempt to connect.
pub struct Dialling<'a>(&'a Pending);

impl Drop for Dialling<'_> {
    fn drop(&mut self) {
        self.0.put(None);
    }
}

/// A client's connection and one to a target that what came over it went to.
#[derive(Debug)]
pub struct Pair {
    /// The listener.
    pub place: Place,
    /// The client's end, as the listener sees it.
    pub client: SocketAddrV4,
    /// The proxy's end toward the target.
    pub local: SocketAddrV4,
    /// The target's group.
    pub group: GroupId,
    /// Its place in it.
    pub target: usize,
    /// Its end.
    pub address: SocketAddrV4,
    /// When the connection to the target stood.
    pub opened: Instant,
    /// When requests of this client came over it again after one of another client.
    pub resumed: Mutex<Vec<Instant>>,
    /// Bytes of the payload: behind TLS without its records, of HTTP with heads as each side has them.
    pub bytes: Arc<Bytes>,
    /// When the proxy gave the connection to the target up; when both were over, unless the client's went on without it.
    pub target_closed: OnceLock<Instant>,
    /// When the client's connection ended too, and why.
    pub closed: OnceLock<(Instant, Closed)>,
}

/// A request that a proxy answered by itself.
#[derive(Clone, Copy, Debug)]
pub struct OwnAnswer {
    /// The listener.
    pub place: Place,
    /// The client's end, as the listener sees it.
    pub client: SocketAddrV4,
    /// When its request had come.
    pub asked: Instant,
    /// When it was answered.
    pub answered: Instant,
    /// The status.
    pub status: u16,
}

/// Bytes that a proxy passed on, or did not.
#[derive(Debug, Default)]
pub struct Bytes {
    /// Taken from the client.
    pub from_client: AtomicU64,
    /// Given to the kernel for the target.
    pub to_target: AtomicU64,
    /// Taken from the target.
    pub from_target: AtomicU64,
    /// Given to the kernel for the client.
    pub to_client: AtomicU64,
}

/// Why a proxied connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Both ends had finished.
    Finished,
    /// The client reset it.
    ClientReset,
    /// The target reset it.
    TargetReset,
    /// The client broke off in another way: a close without the alert that TLS wants before it, an error.
    ClientBrokeOff,
    /// The target did, or its handshake failed.
    TargetBrokeOff,
    /// Nothing was said for as long as the idle timeout.
    Idle,
    /// Its target is not in service any more.
    OutOfService,
}

impl Journal {
    /// Adds a pair.
    pub fn add(&self, pair: Pair) -> Arc<Pair> {
        let pair = Arc::new(pair);
        let mut pairs = self.pairs.lock().expect("no holder of this lock panics");
        pairs.push(Arc::clone(&pair));
        pair
    }

    /// All pairs so far.
    pub fn pairs(&self) -> Vec<Arc<Pair>> {
        self.pairs
            .lock()
            .expect("no holder of this lock panics")
            .clone()
    }

    /// Adds an answer of a proxy's own.
    pub fn answered(&self, answer: OwnAnswer) {
        let mut own = self.own.lock().expect("no holder of this lock panics");
        own.push(answer);
    }

    /// All of those so far.
    pub fn own_answers(&self) -> Vec<OwnAnswer> {
        let own = self.own.lock().expect("no holder of this lock panics");
        own.clone()
    }

    /// From now on something is to be counted or written down, until what this gives is dropped.
    pub fn begin(self: &Arc<Self>) -> Pending {
        let mut tasks = self.tasks();
        tasks.begun += 1;
        let number = tasks.begun;
        tasks.open.insert(number, None);
        drop(tasks);
        Pending {
            journal: Arc::clone(self),
            number,
        }
    }

    /// Whatever proxies have met is counted and written down; they wait at most for answers to what they have sent.
    pub fn is_complete(&self) -> bool {
        let waits = |socket: &Option<OwnedFd>| {
            let info = socket
                .as_ref()
                .map(|socket| socket::tcp_info(socket.as_fd()));
            matches!(info, Some(Ok(info)) if tcp_sockets::state_name(info.state) == "SYN_SENT")
        };
        self.tasks().open.values().all(waits)
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.pending.lock().expect("no holder of this lock panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    #[test]
    fn all_is_done_once_what_was_met_is_dropped_or_waits_for_an_answer() {
        let journal = Arc::new(Journal::default());
        assert!(journal.is_complete());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        assert_eq!(socket::waiting(listener.as_fd()), Ok(0));
        let address = listener.local_addr().expect("bound above");
        let first = journal.begin();
        let second = journal.begin();
        assert!(!journal.is_complete());
        drop(second);
        assert!(!journal.is_complete());

        let stream = TcpStream::connect(address).expect("it listens");
        assert_eq!(socket::waiting(listener.as_fd()), Ok(1));
        let dialling = first.dials(stream.as_fd()).expect("a descriptor");
        assert!(
            !journal.is_complete(),
            "it is answered, and nobody has looked"
        );
        drop(dialling);
        assert!(!journal.is_complete(), "it is not counted yet");
        drop(first);
        assert!(journal.is_complete());
        listener.accept().expect("one waits");
        assert_eq!(socket::waiting(listener.as_fd()), Ok(0));
    }

    #[test]
    fn who_waits_for_an_answer_has_nothing_to_do() {
        // A queue for one: the SYN of the second is dropped.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        // SAFETY: listen(2) takes a descriptor, which is open, and a number.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let address = listener.local_addr().expect("bound above");
        let _first = TcpStream::connect(address).expect("it listens");
        let second = nix::sys::socket::socket(
            nix::sys::socket::AddressFamily::Inet,
            nix::sys::socket::SockType::Stream,
            nix::sys::socket::SockFlag::SOCK_NONBLOCK,
            None,
        )
        .expect("a socket");
        let address: nix::sys::socket::SockaddrStorage = address.into();
        let begun = nix::sys::socket::connect(second.as_raw_fd(), &address);
        assert_eq!(begun, Err(nix::errno::Errno::EINPROGRESS));
        let journal = Arc::new(Journal::default());
        let pending = journal.begin();
        let dialling = pending.dials(second.as_fd()).expect("a descriptor");
        assert!(journal.is_complete());
        drop(dialling);
        assert!(!journal.is_complete());
    }
}
