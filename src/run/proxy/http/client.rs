//! A client's connection, from its first byte to its end.

use super::activity::{Activity, Answering, Noted};
use super::answer::page;
use super::meter::Meter;
use super::upload::{Progress, Upload};
use super::{Event, Failure, Proxy, Surroundings};
use crate::run::linger::linger;
use crate::run::proxy::accept;
use crate::run::proxy::relay::Side;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, body::Incoming};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

/// More headers than fit into the sizes that AWS names are told from fewer by those sizes, and not by their number.
pub(super) const MOST_HEADERS: usize = 1000;

/// How HTTP/2 begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

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
    pub(in crate::run::proxy) async fn take(self: Arc<Self>, listener: TcpListener) {
        let carry = |stream, client| Arc::clone(&self).serve(stream, client);
        accept(self.surroundings.tasks(), listener, carry).await;
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

    pub(super) async fn carry<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        self: Arc<Self>,
        stream: T,
        client: SocketAddrV4,
        _closed: Closed<S>,
    ) {
        let left = Left(&self, client);
        let (activity, meter) = (Activity::new(), Meter::new(Side::Client));
        let noted = Noted::new(stream, &activity, &meter);
        // What is known of the last request; none: nothing was asked.
        let last = Mutex::new(None::<Arc<Progress>>);
        let oldest = self.surroundings.limits().client_keep_alive;
        let oldest = oldest.map(|age| Instant::now() + age);
        let service = service_fn(|request: Request<Incoming>| {
            let request = request.map(Upload::new);
            let progress = request.body().progress();
            *last.lock().expect("no holder of this lock panics") = Some(progress);
            let (proxy, activity) = (Arc::clone(&self), Arc::clone(&activity));
            let meter = Arc::clone(&meter);
            async move {
                activity.begin();
                meter.begin();
                let busy = Busy(Arc::clone(&activity));
                let answer = proxy.answer((client, &meter), request).await;
                meter.end();
                drop(busy);
                let mut answer = answer.map(|body| Answering::new(body, activity));
                if oldest.is_some_and(|moment| Instant::now() >= moment) {
                    let close = HeaderValue::from_static("close");
                    answer.headers_mut().insert(CONNECTION, close);
                }
                Ok::<_, Infallible>(answer)
            }
        });
        let mut builder = http1::Builder::new();
        builder.max_headers(MOST_HEADERS);
        // Names go on as they came; the balancer's own are written as HTTP's documents have them.
        builder.preserve_header_case(true).title_case_headers(true);
        let mut connection = builder.serve_connection(TokioIo::new(noted), service);
        let end = tokio::select! {
            ended = &mut connection => {
                tracing::trace!(?ended, %client, "a connection of a client");
                match ended {
                    Ok(()) => End::Said,
                    Err(error) if error.is_parse() => End::Malformed,
                    Err(_) => End::Broken,
                }
            }
            () = activity.idle(self.surroundings.limits().idle) => End::Idle,
        };
        // What is taken apart drops the answer that it was at.
        let answering = activity.is_answering();
        let parts = connection.into_parts();
        let last = last.lock().expect("no holder of this lock panics").take();
        let mut stream = parts.io.into_inner().stream;
        let is_sending = match end {
            End::Said => last.is_some_and(|last| !last.is_over()),
            End::Malformed => {
                let why = match parts.read_buf.starts_with(PREFACE) {
                    true => Failure::Newer,
                    false => Failure::Malformed,
                };
                self.last_words(&mut stream, why).await
            }
            End::Broken => false,
            // In the middle of an answer there is no place for another one.
            End::Idle if answering => false,
            // Between two requests a client owes nothing; before the first, and in the middle of one, it does.
            End::Idle if last.is_some() && parts.read_buf.is_empty() => false,
            End::Idle => {
                self.last_words(&mut stream, Failure::Unfinished).await;
                false
            }
        };
        // Nothing that still comes is for a target. The connection stands for as long as the client is heard out, and is counted.
        drop(left);
        if is_sending && let Err(error) = linger(stream).await {
            tracing::debug!(%client, %error, "a client that is heard out");
        }
    }

    /// The balancer's own answer to what is no request, or half of one. Nothing follows it. False: the client does not take it within
    /// the idle timeout, or cannot.
    async fn last_words(&self, stream: &mut (impl AsyncWrite + Unpin), why: Failure) -> bool {
        let status = self.status(why);
        self.surroundings.tell(Event::Own(status.as_u16()));
        let body = page(status);
        let head = format!(
            "HTTP/1.1 {status}\r\nServer: awselb/2.0\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        );
        let words = async {
            stream.write_all(head.as_bytes()).await?;
            stream.shutdown().await
        };
        let said = timeout(self.surroundings.limits().idle, words).await;
        tracing::trace!(?said, ?why, "last words");
        matches!(said, Ok(Ok(())))
    }
}

/// How a client's connection ends.
enum End {
    /// All that was to be said is said, and one of the two has closed.
    Said,
    /// What came is no HTTP.
    Malformed,
    /// It failed.
    Broken,
    /// It was idle for too long.
    Idle,
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
