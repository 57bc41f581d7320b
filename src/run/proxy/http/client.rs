//! A client's connection, from its first byte to its end.

use super::activity::{Activity, Noted};
use super::answer::page;
use super::meter::Meter;
use super::{Event, Failure, Proxy, Surroundings};
use crate::run::proxy::relay::Side;
use crate::run::proxy::{Journal, accept};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until, timeout};

/// Says that a connection is over, when it is dropped.
pub(super) struct Closed<S: Surroundings>(Arc<Proxy<S>>);

impl<S: Surroundings> Drop for Closed<S> {
    fn drop(&mut self) {
        self.0.surroundings.tell(Event::Closed);
    }
}

impl<S: Surroundings> Proxy<S> {
    /// Counts the end of a connection once the result is dropped.
    pub(super) fn closed(self: &Arc<Self>) -> Closed<S> {
        Closed(Arc::clone(self))
    }

    /// Takes a listener's connections; they end when this ends.
    pub(in crate::run::proxy) async fn take(
        self: Arc<Self>,
        journal: &Arc<Journal>,
        listener: TcpListener,
    ) {
        let carry = |stream, client, pending| {
            let serving = Arc::clone(&self).serve(stream, client);
            drop(pending);
            serving
        };
        accept(journal, listener, carry).await;
    }

    /// Serves a client until one of the two closes; it is counted at once.
    pub(super) fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        client: SocketAddrV4,
    ) -> impl Future<Output = ()> + Send {
        self.surroundings.tell(Event::Opened);
        let closed = self.closed();
        self.secure(stream, client, closed)
    }

    /// Ends the client's TLS where it speaks that. One whose handshake fails, or is not done within the idle timeout, is closed.
    async fn secure(self: Arc<Self>, stream: TcpStream, client: SocketAddrV4, closed: Closed<S>) {
        let Some(tls) = &self.tls else {
            return self.carry(stream, client, closed).await;
        };
        let limit = self.surroundings.limits().idle;
        match timeout(limit, tls.accept(stream)).await {
            Ok(Ok(secured)) => Arc::clone(&self).carry(secured, client, closed).await,
            Ok(Err(error)) => tracing::debug!(%client, %error, "a handshake with a client"),
            Err(_) => tracing::debug!(%client, "a handshake with a client that does not end"),
        }
    }

    async fn carry<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        self: Arc<Self>,
        stream: T,
        client: SocketAddrV4,
        _closed: Closed<S>,
    ) {
        let _left = Left(&self, client);
        let (activity, meter) = (Activity::new(), Meter::new(Side::Client));
        let noted = Noted {
            stream,
            activity: Arc::clone(&activity),
            meter: Arc::clone(&meter),
        };
        let asked = AtomicBool::new(false);
        let service = service_fn(|request| {
            asked.store(true, Ordering::Relaxed);
            let (proxy, activity) = (Arc::clone(&self), Arc::clone(&activity));
            let meter = Arc::clone(&meter);
            async move {
                activity.begin();
                meter.begin();
                let busy = Busy(activity);
                let answer = proxy.answer((client, &meter), request).await;
                meter.end();
                drop(busy);
                Ok::<_, Infallible>(answer)
            }
        });
        let mut connection = http1::Builder::new().serve_connection(TokioIo::new(noted), service);
        let oldest = self.surroundings.limits().client_keep_alive;
        let oldest = oldest.map(|age| Instant::now() + age);
        let mut closing = false;
        loop {
            tokio::select! {
                ended = &mut connection => {
                    if ended.as_ref().is_err_and(hyper::Error::is_parse) {
                        // It has said so already.
                        let status = self.status(Failure::Malformed);
                        self.surroundings.tell(Event::Own(status.as_u16()));
                    }
                    tracing::trace!(?ended, %client, "a connection of a client");
                    return;
                }
                () = until(oldest), if !closing => {
                    closing = true;
                    std::pin::Pin::new(&mut connection).graceful_shutdown();
                }
                () = activity.idle(self.surroundings.limits().idle) => break,
            }
        }
        let parts = connection.into_parts();
        // Between two requests a client owes nothing; before the first, and in the middle of one, it does.
        if !asked.load(Ordering::Relaxed) || !parts.read_buf.is_empty() {
            self.timed_out(parts.io.into_inner().stream).await;
        }
    }

    /// The balancer's own answer to half a request, and the end.
    async fn timed_out(&self, mut stream: impl AsyncWrite + Unpin) {
        let status = self.status(Failure::Unfinished);
        self.surroundings.tell(Event::Own(status.as_u16()));
        let body = page(status);
        let head = format!(
            "HTTP/1.1 {status}\r\nServer: awselb/2.0\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        );
        let said = stream.write_all(head.as_bytes()).await;
        tracing::trace!(?said, "a client that said nothing");
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Says that a client has gone, when it is dropped.
struct Left<'a, S: Surroundings>(&'a Proxy<S>, SocketAddrV4);

impl<S: Surroundings> Drop for Left<'_, S> {
    fn drop(&mut self) {
        self.0.surroundings.left(self.1);
    }
}

/// A request is under way.
struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.end();
    }
}
