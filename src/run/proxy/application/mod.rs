//! Application Load Balancers: HTTP/1.1 proxies, one at each zonal address.
//!
//! Observed on: AWS Application Load Balancer ("Troubleshoot your Application Load Balancers", "How Elastic Load Balancing
//! works"). A client's connection ends here; each of its requests goes to a target of its own, over a connection that
//! requests of other clients use as well. What no target answers is answered here: 502, 503, 504, and 408 when the client
//! says nothing. Here: HTTP. Not here: who the targets are, and where connections come from (see `live`).

mod activity;
mod answer;
mod client;
mod live;
mod meter;
mod upstream;

#[cfg(test)]
mod tests;

use crate::fabric::config::GroupId;
use crate::run::proxy::journal::Bytes;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpStream;
use upstream::Pool;

pub(super) use live::start;

/// A target for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Choice {
    /// Of which group.
    group: GroupId,
    /// Its place in the group.
    target: usize,
    /// Where it is reached.
    address: SocketAddrV4,
    /// Too few targets were healthy, so health did not count.
    fail_open: bool,
}

/// Something that CloudWatch counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// A connection came to stand, with a client or with a target.
    Opened,
    /// One of those is over.
    Closed,
    /// A request got a target.
    Request(Choice),
    /// A target could not be connected to.
    ConnectionError(GroupId),
    /// A target began to answer, so long after it was asked.
    Responded(GroupId, Duration),
    /// A target answered with this status.
    Target(GroupId, u16),
    /// The load balancer answered by itself with this status, or would have: 460 reaches nobody.
    Own(u16),
}

/// What a proxy has around it.
trait Surroundings: Send + Sync + 'static {
    /// The target of the next request; none: no target is registered here, or none is in use.
    fn choose(&self, outstanding: &Outstanding) -> impl Future<Output = Option<Choice>> + Send;

    /// A new connection to a target.
    fn connect(&self, target: SocketAddrV4) -> impl Future<Output = io::Result<TcpStream>> + Send;

    /// Ends when the target is not registered any more and its deregistration delay is over.
    fn gone(&self, choice: Choice) -> impl Future<Output = ()> + Send;

    /// The limits as they are now.
    fn limits(&self) -> Limits;

    /// A request of this client goes over the connection to a target whose own end this is. Whom its bytes count for.
    fn carries(&self, client: SocketAddrV4, choice: Choice, local: SocketAddrV4) -> Arc<Bytes>;

    /// This client's connection is over.
    fn left(&self, client: SocketAddrV4);

    /// Counts.
    fn tell(&self, event: Event);
}

/// Limits in real time.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// `idle_timeout.timeout_seconds`: of a client's connection, and of that to a target.
    idle: Duration,
    /// `client_keep_alive.seconds`: a client's connection is closed after this, when it has its answer.
    client_keep_alive: Duration,
    /// A connection to a target must stand within this (AWS: 10 s).
    connect: Duration,
}

/// The proxy of one listener at one zonal address. Its connections to targets are shared by all of its clients.
struct Proxy<S> {
    surroundings: S,
    /// The listener's, for X-Forwarded-Port.
    port: u16,
    pool: Arc<Pool>,
    outstanding: Outstanding,
}

impl<S: Surroundings> Proxy<S> {
    /// A proxy without connections.
    fn new(surroundings: S, port: u16) -> Self {
        Self {
            surroundings,
            port,
            pool: Arc::default(),
            outstanding: Outstanding::default(),
        }
    }
}

/// Requests that wait for their answers, by target.
#[derive(Debug, Default)]
struct Outstanding(Mutex<HashMap<SocketAddrV4, usize>>);

impl Outstanding {
    /// How many wait for a target.
    fn of(&self, target: SocketAddrV4) -> usize {
        let counts = self.0.lock().expect("no holder of this lock panics");
        counts.get(&target).copied().unwrap_or(0)
    }

    /// One more, until the result is dropped.
    fn begin(&self, target: SocketAddrV4) -> Waiting<'_> {
        let mut counts = self.0.lock().expect("no holder of this lock panics");
        *counts.entry(target).or_default() += 1;
        Waiting(self, target)
    }
}

/// A request that waits for its answer.
struct Waiting<'a>(&'a Outstanding, SocketAddrV4);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut counts = self.0.0.lock().expect("no holder of this lock panics");
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
        }
    }
}
