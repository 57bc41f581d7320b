//! Connections to targets, kept for the next request of whichever client.
//!
//! None is opened before a request needs it. One that the target closes, or that was idle for the balancer's idle timeout,
//! is gone, and so is one to a target that may not be used any more.

use super::activity::{Activity, Noted};
use super::client::MOST_HEADERS;
use super::meter::Meter;
use super::upload::Upload;
use super::{Choice, Event, Failure, Proxy, Surroundings};
use crate::run::proxy::relay::Side;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

/// For so long a connection is not used any more before it is closed with its target.
const PARTING: Duration = Duration::from_millis(10);

/// A connection to a target, with nobody's request on it.
pub(super) struct Upstream {
    pub(super) target: SocketAddrV4,
    /// Its own end.
    pub(super) local: SocketAddrV4,
    pub(super) sender: SendRequest<Upload>,
    pub(super) activity: Arc<Activity>,
    pub(super) meter: Arc<Meter>,
}

/// Connections that wait for requests, the last used last.
#[derive(Default)]
pub(super) struct Pool {
    waiting: Mutex<HashMap<SocketAddrV4, Vec<Upstream>>>,
    /// One more waits.
    freed: Notify,
}

impl Pool {
    /// One to this target, the one that was used last: others may become idle.
    fn take(&self, target: SocketAddrV4) -> Option<Upstream> {
        let mut waiting = self.waiting.lock().expect("no holder of this lock panics");
        let waiting = waiting.get_mut(&target)?;
        while let Some(upstream) = waiting.pop() {
            if !upstream.sender.is_closed() && upstream.activity.begin() {
                return Some(upstream);
            }
        }
        None
    }

    /// Keeps one for the next request, unless it is over.
    pub(super) fn keep(&self, upstream: Upstream) {
        upstream.activity.end();
        if upstream.sender.is_closed() {
            return;
        }
        let mut waiting = self.waiting.lock().expect("no holder of this lock panics");
        waiting.entry(upstream.target).or_default().push(upstream);
        drop(waiting);
        self.freed.notify_waiters();
    }

    /// One to this target as soon as a request needs it no longer.
    async fn next(&self, target: SocketAddrV4) -> Upstream {
        loop {
            let mut freed = pin!(self.freed.notified());
            freed.as_mut().enable();
            if let Some(upstream) = self.take(target) {
                return upstream;
            }
            freed.await;
        }
    }
}

impl<S: Surroundings> Proxy<S> {
    /// A connection to a target: one that waits, else a new one.
    pub(super) async fn upstream(self: &Arc<Self>, choice: Choice) -> Result<Upstream, Failure> {
        let target = choice.address;
        loop {
            let mut upstream = match self.pool.take(target) {
                Some(upstream) => upstream,
                None => return self.open(choice).await,
            };
            // What the target said in the meantime is known after this: a FIN that has come is no reason to fail.
            if upstream.sender.ready().await.is_ok() {
                return Ok(upstream);
            }
        }
    }

    /// A connection to a target that another request needs no longer.
    pub(super) async fn freed(&self, choice: Choice) -> Upstream {
        loop {
            let mut upstream = self.pool.next(choice.address).await;
            if upstream.sender.ready().await.is_ok() {
                return upstream;
            }
        }
    }

    async fn open(self: &Arc<Self>, choice: Choice) -> Result<Upstream, Failure> {
        let target = choice.address;
        let connecting = timeout(
            self.surroundings.limits().connect,
            self.surroundings.connect(target),
        );
        let stream = match connecting.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(refused(target, &error)),
            Err(_) => return Err(Failure::Silent),
        };
        self.over(choice, stream).await
    }

    /// Over a connection that stands.
    pub(super) async fn over(
        self: &Arc<Self>,
        choice: Choice,
        stream: TcpStream,
    ) -> Result<Upstream, Failure> {
        let target = choice.address;
        let local = match stream.local_addr() {
            Ok(SocketAddr::V4(local)) => local,
            Ok(SocketAddr::V6(_)) => unreachable!("sockets toward targets are IPv4"),
            Err(error) => return Err(refused(target, &error)),
        };
        let (activity, meter) = (Activity::new(), Meter::new(Side::Target));
        activity.begin();
        let noted = Noted::new(stream, &activity, &meter);
        let mut builder = Builder::new();
        builder.max_headers(MOST_HEADERS);
        builder.preserve_header_case(true).title_case_headers(true);
        let shaken = builder.handshake(TokioIo::new(noted)).await;
        let (sender, connection) =
            shaken.map_err(|error| refused(target, &io::Error::other(error)))?;
        self.surroundings.tell(Event::Opened);
        let closed = self.closed();
        let (idle, limit) = (Arc::clone(&activity), self.surroundings.limits().idle);
        let proxy = Arc::clone(self);
        self.surroundings.tasks().spawn(async move {
            let useless = async {
                proxy.surroundings.gone(choice).await;
                // A request that is on it is told first.
                idle.idle(PARTING).await;
            };
            tokio::select! {
                ended = connection => tracing::trace!(?ended, %target, "a connection to a target"),
                () = idle.idle(limit) => tracing::trace!(%target, "an idle connection to a target"),
                () = useless => tracing::trace!(%target, "a connection to a target that is gone"),
            }
            drop(closed);
        });
        Ok(Upstream {
            target,
            local,
            sender,
            activity,
            meter,
        })
    }
}

fn refused(target: SocketAddrV4, error: &io::Error) -> Failure {
    tracing::debug!(%target, %error, "a connection to a target");
    Failure::Refused
}
