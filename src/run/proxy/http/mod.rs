//! HTTP/1.1 proxies, as balancers at which requests end have one for each listener at each zonal address.
//!
//! Observed on: AWS Application Load Balancers and the HTTP listeners of Classic Load Balancers ("Troubleshoot your Application
//! Load Balancers", "Troubleshoot a Classic Load Balancer: HTTP errors", "How Elastic Load Balancing works"). A client's
//! connection ends here; each of its requests goes to a target of its own, over a connection that requests of other clients use
//! as well. What no target answers is answered here. Here: HTTP. Not here: who the targets are, where connections come from,
//! what is counted and which status each failure has (see [`Surroundings`], `application` and `classic`).

mod activity;
mod answer;
mod client;
mod head;
mod meter;
mod pairs;
mod route;
mod upload;
mod upstream;

#[cfg(test)]
mod tests;

use crate::fabric::Assigned;
use crate::fabric::config::{ForwardedFor, GroupId};
use crate::run::proxy::journal::Bytes;
use crate::run::tasks::Tasks;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::response;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use upstream::Pool;

pub(super) use head::{Sizes, in_answer, in_request};
pub(super) use pairs::Pairs;
pub(super) use route::least_outstanding;

/// Through whom a request came, the client first.
pub(super) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A target for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// Of which group.
    pub(super) group: GroupId,
    /// Its place in the group.
    pub(super) target: usize,
    /// Where it is reached.
    pub(super) address: SocketAddrV4,
    /// Too few targets were healthy, so health did not count.
    pub(super) fail_open: bool,
    /// Its group's answers give a cookie for so long.
    pub(super) cookie: Option<Duration>,
}

impl Choice {
    /// What the fabric assigned, of this group.
    pub(super) fn of(group: GroupId, assigned: Assigned) -> Self {
        Self {
            group,
            target: assigned.target,
            address: assigned.address,
            fail_open: assigned.fail_open,
            cookie: None,
        }
    }
}

/// Why a request has no answer of a target's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The request is malformed.
    Malformed,
    /// It is one of HTTP/2.
    Newer,
    /// It is one that is not taken, and this is the status that says so.
    NotTaken(u16),
    /// The client did not finish it within the idle timeout.
    Unfinished,
    /// The client closed before it had its answer.
    Left,
    /// The client closed in the middle of its content.
    CutShort,
    /// There is no target to ask.
    NoTarget,
    /// It would have to wait for a target, and no more may wait.
    Full,
    /// The target's kernel, or the network, refused the connection.
    Refused,
    /// Nothing answered the attempt to connect.
    Silent,
    /// The target closed or reset the connection with the request on it.
    Closed,
    /// The target said something that is no HTTP.
    Unreadable,
    /// The target did not answer within the idle timeout.
    Slow,
    /// The target may not be used any more, and its connections are not to go on.
    Gone,
}

/// Something that CloudWatch counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A connection came to stand, with a client or with a target.
    Opened,
    /// One of those is over.
    Closed,
    /// A target was chosen for a request.
    Chosen(Choice),
    /// A request is sent to its target, for the first time.
    Routed,
    /// A target could not be connected to.
    ConnectionError(GroupId),
    /// A target began to answer, so long after it was asked.
    Responded(GroupId, Duration),
    /// A target answered with this status.
    Target(GroupId, u16),
    /// The load balancer answered by itself with this status, or would have: 460 reaches nobody.
    Own(u16),
}

/// What a proxy has around it, and what it does otherwise than proxies of another kind.
pub(super) trait Surroundings: Send + Sync + 'static {
    /// A request's place among those that wait for a target; it leaves when this is dropped.
    type Waits: Send;

    /// The target that a request with these headers is bound to; none: any will do.
    fn bound(&self, headers: &HeaderMap) -> Option<SocketAddrV4>;

    /// The cookie that an answer of this target gives to a client that was `bound`; none: nothing binds it, or what did still does.
    fn binds(&self, choice: Choice, bound: Option<SocketAddrV4>) -> Option<HeaderValue>;

    /// The target of the next request, but for those that were tried: the one that it is bound to, wherever that may be asked;
    /// none: no target is registered here, or none is in use.
    fn choose(
        &self,
        outstanding: &Outstanding,
        bound: Option<SocketAddrV4>,
        tried: &[usize],
    ) -> impl Future<Output = Option<Choice>> + Send;

    /// A request begins to wait for a target; none: no more may wait.
    fn wait(&self) -> Option<Self::Waits>;

    /// A new connection to a target.
    fn connect(&self, target: SocketAddrV4) -> impl Future<Output = io::Result<TcpStream>> + Send;

    /// The case's tasks, of which the proxy's are some.
    fn tasks(&self) -> &Arc<Tasks>;

    /// Ends when the connections to a target are not to go on: a request that is under way fails.
    fn gone(&self, choice: Choice) -> impl Future<Output = ()> + Send;

    /// The limits as they are now.
    fn limits(&self) -> Limits;

    /// What is wrong with a request that is one of HTTP/1.1, before any target is asked.
    fn refuses(&self, request: &Parts) -> Option<Failure>;

    /// What is wrong with a target's answer that is one of HTTP/1.1.
    fn mistrusts(&self, answer: &response::Parts) -> Option<Failure>;

    /// What becomes of X-Forwarded-For.
    fn forwarded_for(&self) -> ForwardedFor;

    /// The status of the load balancer's own answer; of what reaches nobody, the one that it counts.
    fn status(&self, failure: Failure) -> u16;

    /// A request of this client goes over the connection to a target whose own end this is. Whom its bytes count for.
    fn carries(&self, client: SocketAddrV4, choice: Choice, local: SocketAddrV4) -> Arc<Bytes>;

    /// A request of this client was answered by the proxy itself: when it had come, and with which status.
    fn answered(&self, client: SocketAddrV4, asked: Instant, status: u16);

    /// This client's connection is over.
    fn left(&self, client: SocketAddrV4);

    /// Counts.
    fn tell(&self, event: Event);
}

/// Limits in real time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Of a client's connection, and of that to a target.
    pub(super) idle: Duration,
    /// A client's connection is closed with the first answer after this; none: it is not.
    pub(super) client_keep_alive: Option<Duration>,
    /// A request must have its connection to a target within this.
    pub(super) connect: Duration,
    /// After this an attempt to connect counts as waiting, and when all targets were tried in vain, the next round begins after
    /// this; none: a request fails with its first attempt.
    pub(super) retry: Option<Duration>,
}

/// The proxy of one listener at one zonal address. Its connections to targets are shared by all of its clients.
pub(super) struct Proxy<S> {
    pub(super) surroundings: S,
    /// The listener's, for X-Forwarded-Port.
    port: u16,
    /// Clients speak TLS, which ends here.
    tls: Option<TlsAcceptor>,
    pool: Arc<Pool>,
    outstanding: Outstanding,
}

impl<S: Surroundings> Proxy<S> {
    /// A proxy without connections. `tls`: what its clients speak HTTP under.
    pub(super) fn new(surroundings: S, port: u16, tls: Option<TlsAcceptor>) -> Self {
        Self {
            surroundings,
            port,
            tls,
            pool: Arc::default(),
            outstanding: Outstanding::default(),
        }
    }
}

/// Requests that wait for their answers, by target.
#[derive(Debug, Default)]
pub(super) struct Outstanding(Mutex<HashMap<SocketAddrV4, usize>>);

impl Outstanding {
    /// How many wait for a target.
    pub(super) fn of(&self, target: SocketAddrV4) -> usize {
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
