//! What proxies did: the connections of clients and the ones to targets that they led to, in the order of the latter.

use crate::fabric::Place;
use crate::fabric::config::GroupId;
use std::net::SocketAddrV4;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::time::Instant;

/// All pairs of connections of a running case.
#[derive(Debug, Default)]
pub struct Journal {
    pairs: Mutex<Vec<Arc<Pair>>>,
    own: Mutex<Vec<OwnAnswer>>,
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
}
