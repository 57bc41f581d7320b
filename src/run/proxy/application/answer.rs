//! One request: to a target and back, or the load balancer's own answer.

use super::meter::Meter;
use super::upstream::{Unconnected, Upstream};
use super::{Choice, Event, Proxy, Surroundings};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{
    CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SERVER, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Request, Response, StatusCode, Version};
use std::net::SocketAddrV4;
use std::sync::Arc;
use tokio::time::{Instant, timeout};

/// The body of an answer: the target's as it comes, or one that is there as a whole.
pub(super) type Body = Either<Full<Bytes>, Incoming>;

/// A body of the target up to this size is passed on as a whole, so that one that breaks off is still a 502 or 504.
const WHOLE: u64 = 64 * 1024;

/// Headers that end at a proxy (RFC 9110 section 7.6.1).
static HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// Counts an answer that reached nobody: its client has closed, and so its request is dropped.
struct Unanswered<'a, S: Surroundings>(Option<&'a Proxy<S>>);

impl<S: Surroundings> Drop for Unanswered<'_, S> {
    fn drop(&mut self) {
        if let Some(proxy) = self.0 {
            proxy.surroundings.tell(Event::Own(460));
        }
    }
}

impl<S: Surroundings> Proxy<S> {
    /// The answer to a request of a client, over a connection with this meter.
    pub(super) async fn answer(
        self: Arc<Self>,
        client: (SocketAddrV4, &Meter),
        request: Request<Incoming>,
    ) -> Response<Body> {
        let mut unanswered = Unanswered(Some(&self));
        let answer = self.pass(client, request).await;
        unanswered.0 = None;
        answer
    }

    async fn pass(
        self: &Arc<Self>,
        client: (SocketAddrV4, &Meter),
        request: Request<Incoming>,
    ) -> Response<Body> {
        let Some(choice) = self.surroundings.choose(&self.outstanding).await else {
            return self.own(StatusCode::SERVICE_UNAVAILABLE);
        };
        self.surroundings.tell(Event::Request(choice));
        let waiting = self.outstanding.begin(choice.address);
        let request = self.forwarded(client.0, request);
        let answer = tokio::select! {
            answer = self.ask(client, choice, request) => answer,
            () = self.surroundings.gone(choice) => Err(StatusCode::BAD_GATEWAY),
        };
        drop(waiting);
        match answer {
            Ok(answer) => answer,
            Err(status) => self.own(status),
        }
    }

    /// The request as a target gets it.
    fn forwarded(&self, client: SocketAddrV4, mut request: Request<Incoming>) -> Request<Incoming> {
        *request.version_mut() = Version::HTTP_11;
        let headers = request.headers_mut();
        strip(headers);
        let address = client.ip().to_string();
        let through = headers.get_all(&FORWARDED_FOR).iter();
        let through: Vec<&str> = through.filter_map(|value| value.to_str().ok()).collect();
        let all = through.into_iter().chain([address.as_str()]);
        let all = all.collect::<Vec<_>>().join(", ");
        let text = |text: &str| HeaderValue::from_str(text).expect("visible characters");
        headers.insert(FORWARDED_FOR, text(&all));
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
        headers.insert(FORWARDED_PORT, self.port.into());
        request
    }

    /// Asks a target; else the status of the load balancer's own answer.
    async fn ask(
        self: &Arc<Self>,
        (client, meter): (SocketAddrV4, &Meter),
        choice: Choice,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, StatusCode> {
        loop {
            let mut upstream = match self.upstream(choice.address).await {
                Ok(upstream) => upstream,
                Err(why) => return Err(self.unconnected(choice, &why)),
            };
            let pair = self.surroundings.carries(client, choice, upstream.local);
            meter.count_for(&pair);
            upstream.meter.begin();
            upstream.meter.count_for(&pair);
            let sent = Instant::now();
            let asked = timeout(
                self.surroundings.limits().idle,
                upstream.sender.try_send_request(request),
            );
            match asked.await {
                Ok(Ok(answer)) => {
                    let event = Event::Responded(choice.group, sent.elapsed());
                    self.surroundings.tell(event);
                    return self.answered(choice, upstream, answer).await;
                }
                Ok(Err(mut error)) => match error.take_message() {
                    // Closed before anything of it was sent: as if the connection had never been there.
                    Some(unsent) => request = unsent,
                    None => {
                        tracing::debug!(target = %choice.address, error = ?error.error(), "a request");
                        return Err(StatusCode::BAD_GATEWAY);
                    }
                },
                Err(_) => return Err(StatusCode::GATEWAY_TIMEOUT),
            }
        }
    }

    fn unconnected(&self, choice: Choice, why: &Unconnected) -> StatusCode {
        self.surroundings.tell(Event::ConnectionError(choice.group));
        match why {
            Unconnected::Refused(error) => {
                tracing::debug!(target = %choice.address, %error, "a connection to a target");
                StatusCode::BAD_GATEWAY
            }
            Unconnected::Silent => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The target's answer as its client gets it. One that is short is awaited to its end.
    async fn answered(
        &self,
        choice: Choice,
        upstream: Upstream,
        answer: Response<Incoming>,
    ) -> Result<Response<Body>, StatusCode> {
        let (mut head, mut body) = answer.into_parts();
        strip(&mut head.headers);
        head.version = Version::HTTP_11;
        let status = head.status.as_u16();
        if body.size_hint().upper().is_none_or(|size| size > WHOLE) {
            // Its connection is of no use to others before the end, which nobody here waits for.
            upstream.activity.end();
            self.surroundings.tell(Event::Target(choice.group, status));
            return Ok(Response::from_parts(head, Either::Right(body)));
        }
        let mut whole = Vec::new();
        loop {
            match timeout(self.surroundings.limits().idle, body.frame()).await {
                Ok(None) => break,
                Ok(Some(Ok(frame))) => whole.extend(frame.into_data().unwrap_or_default()),
                Ok(Some(Err(_))) => return Err(StatusCode::BAD_GATEWAY),
                Err(_) => return Err(StatusCode::GATEWAY_TIMEOUT),
            }
        }
        self.pool.keep(upstream);
        self.surroundings.tell(Event::Target(choice.group, status));
        let body = Either::Left(Full::new(whole.into()));
        Ok(Response::from_parts(head, body))
    }

    /// The load balancer's own answer.
    fn own(&self, status: StatusCode) -> Response<Body> {
        self.surroundings.tell(Event::Own(status.as_u16()));
        let mut answer = Response::new(Either::Left(Full::new(page(status).into())));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.insert(SERVER, HeaderValue::from_static("awselb/2.0"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        answer
    }
}

/// What such an answer says.
pub(super) fn page(status: StatusCode) -> String {
    format!("<html><body><h1>{status}</h1></body></html>\n")
}

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}
