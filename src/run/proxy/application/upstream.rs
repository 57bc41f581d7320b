//! Connections to targets, kept for the next request of whichever client.
//!
//! None is opened before a request needs it. One that the target closes, or that was idle for the balancer's idle timeout,
//! is gone.

use super::activity::{Activity, Noted};
use super::meter::Meter;
use super::{Event, Proxy, Surroundings};
use crate::run::proxy::relay::Side;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex};
use tokio::time::timeout;

/// A connection to a target, with nobody's request on it.
pub(super) struct Upstream {
    pub(super) target: SocketAddrV4,
    /// Its own end.
    pub(super) local: SocketAddrV4,
    pub(super) sender: SendRequest<Incoming>,
    pub(super) activity: Arc<Activity>,
    pub(super) meter: Arc<Meter>,
}

/// Connections that wait for requests, the last used last.
#[derive(Default)]
pub(super) struct Pool(Mutex<HashMap<SocketAddrV4, Vec<Upstream>>>);

impl Pool {
    /// One to this target, the one that was used last: others may become idle.
    fn take(&self, target: SocketAddrV4) -> Option<Upstream> {
        let mut waiting = self.0.lock().expect("no holder of this lock panics");
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
        let mut waiting = self.0.lock().expect("no holder of this lock panics");
        waiting.entry(upstream.target).or_default().push(upstream);
    }
}

/// Why a target has no connection.
#[derive(Debug)]
pub(super) enum Unconnected {
    /// The kernel said why: RST, ICMP.
    Refused(io::Error),
    /// Nothing was heard.
    Silent,
}

impl<S: Surroundings> Proxy<S> {
    /// A connection to a target: one that waits, else a new one.
    pub(super) async fn upstream(
        self: &Arc<Self>,
        target: SocketAddrV4,
    ) -> Result<Upstream, Unconnected> {
        loop {
            let mut upstream = match self.pool.take(target) {
                Some(upstream) => upstream,
                None => return self.open(target).await,
            };
            // What the target said in the meantime is known after this: a FIN that has come is no reason to fail.
            if upstream.sender.ready().await.is_ok() {
                return Ok(upstream);
            }
        }
    }

    async fn open(self: &Arc<Self>, target: SocketAddrV4) -> Result<Upstream, Unconnected> {
        let connecting = timeout(
            self.surroundings.limits().connect,
            self.surroundings.connect(target),
        );
        let stream = match connecting.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(Unconnected::Refused(error)),
            Err(_) => return Err(Unconnected::Silent),
        };
        let local = match stream.local_addr() {
            Ok(SocketAddr::V4(local)) => local,
            Ok(SocketAddr::V6(_)) => unreachable!("sockets toward targets are IPv4"),
            Err(error) => return Err(Unconnected::Refused(error)),
        };
        let (activity, meter) = (Activity::new(), Meter::new(Side::Target));
        activity.begin();
        let noted = Noted {
            stream,
            activity: Arc::clone(&activity),
            meter: Arc::clone(&meter),
        };
        let shaken = http1::handshake(TokioIo::new(noted)).await;
        let (sender, connection) =
            shaken.map_err(|error| Unconnected::Refused(io::Error::other(error)))?;
        self.surroundings.tell(Event::Opened);
        let closed = self.closed();
        let (idle, limit) = (Arc::clone(&activity), self.surroundings.limits().idle);
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => tracing::trace!(?ended, %target, "a connection to a target"),
                () = idle.idle(limit) => tracing::trace!(%target, "an idle connection to a target"),
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
