//! One request: to a target and back, or the load balancer's own answer.

use super::head::has_its_host;
use super::meter::Meter;
use super::route::Route;
use super::upload::{Upload, is_nonsense};
use super::upstream::Upstream;
use super::{Choice, Event, FORWARDED_FOR, Failure, Proxy, Surroundings};
use crate::fabric::config::ForwardedFor;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::ext::ReasonPhrase;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, SERVER,
    SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::request::Parts;
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
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// Counts an answer that reached nobody: its client has closed, and so its request is dropped.
struct Unanswered<'a, S: Surroundings>(Option<&'a Proxy<S>>);

impl<S: Surroundings> Drop for Unanswered<'_, S> {
    fn drop(&mut self) {
        if let Some(proxy) = self.0 {
            let status = proxy.surroundings.status(Failure::Left);
            proxy.surroundings.tell(Event::Own(status));
        }
    }
}

impl<S: Surroundings> Proxy<S> {
    /// The answer to a request of a client, over a connection with this meter.
    pub(super) async fn answer(
        self: Arc<Self>,
        client: (SocketAddrV4, &Meter),
        request: Request<Upload>,
    ) -> Response<Body> {
        let mut unanswered = Unanswered(Some(&self));
        let answer = self.pass(client, request).await;
        unanswered.0 = None;
        answer
    }

    async fn pass(
        self: &Arc<Self>,
        client: (SocketAddrV4, &Meter),
        request: Request<Upload>,
    ) -> Response<Body> {
        let asked = Instant::now();
        match self.fetch(client, request).await {
            Ok(answer) => answer,
            Err(why) => {
                let answer = self.own(why);
                let status = answer.status().as_u16();
                self.surroundings.answered(client.0, asked, status);
                answer
            }
        }
    }

    /// The answer of a target.
    async fn fetch(
        self: &Arc<Self>,
        client: (SocketAddrV4, &Meter),
        request: Request<Upload>,
    ) -> Result<Response<Body>, Failure> {
        let (head, content) = request.into_parts();
        if !has_its_host(&head) {
            return Err(Failure::Malformed);
        }
        if let Some(why) = self.surroundings.refuses(&head) {
            return Err(why);
        }
        let bound = self.surroundings.bound(&head.headers);
        let route = self.route(bound).await?;
        let chunked = !content.is_end_stream() && content.size_hint().exact().is_none();
        let head = self.forwarded(client.0, head, chunked);
        let request = Request::from_parts(head, content);
        self.surroundings.tell(Event::Routed);
        let choice = route.choice;
        let mut answer = tokio::select! {
            answer = self.ask(client, route, request) => answer?,
            () = self.surroundings.gone(choice) => return Err(Failure::Gone),
        };
        if let Some(cookie) = self.surroundings.binds(choice, bound) {
            answer.headers_mut().append(SET_COOKIE, cookie);
        }
        Ok(answer)
    }

    /// The request as a target gets it.
    fn forwarded(&self, client: SocketAddrV4, mut head: Parts, chunked: bool) -> Parts {
        head.version = Version::HTTP_11;
        to_origin(&mut head);
        let headers = &mut head.headers;
        strip(headers);
        if chunked {
            // Else what a GET has would be left out.
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        match self.surroundings.forwarded_for() {
            ForwardedFor::Append => append(headers, &client.ip().to_string()),
            ForwardedFor::AppendWithPort => append(headers, &client.to_string()),
            ForwardedFor::Preserve => {}
            ForwardedFor::Remove => {
                headers.remove(FORWARDED_FOR);
            }
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
        headers.insert(FORWARDED_PORT, self.port.into());
        head
    }

    /// Asks a target.
    async fn ask(
        self: &Arc<Self>,
        (client, meter): (SocketAddrV4, &Meter),
        route: Route<'_>,
        mut request: Request<Upload>,
    ) -> Result<Response<Body>, Failure> {
        let progress = request.body().progress();
        let (choice, mut upstream, _waiting) = (route.choice, route.upstream, route.waiting);
        loop {
            let pair = self.surroundings.carries(client, choice, upstream.local);
            meter.count_for(&pair);
            upstream.meter.begin();
            upstream.meter.count_for(&pair);
            let sent = Instant::now();
            let activity = Arc::clone(&upstream.activity);
            let asked = tokio::select! {
                asked = upstream.sender.try_send_request(request) => asked,
                // A request may take long to be sent; as long as it goes on, nobody is slow.
                () = activity.silent(self.surroundings.limits().idle) => {
                    return Err(match progress.awaits() {
                        true => Failure::Unfinished,
                        false => Failure::Slow,
                    });
                }
            };
            match asked {
                Ok(answer) => {
                    let event = Event::Responded(choice.group, sent.elapsed());
                    self.surroundings.tell(event);
                    return self.answered(choice, upstream, answer).await;
                }
                Err(mut error) => match error.take_message() {
                    // Closed before anything of it was sent: as if the connection had never been there.
                    Some(unsent) => request = unsent,
                    None => {
                        tracing::debug!(target = %choice.address, error = ?error.error(), "a request");
                        // What ends the client's content ends the connection that it goes over.
                        return Err(progress.broken().unwrap_or_else(|| broken(error.error())));
                    }
                },
            }
            upstream = self.connected(choice, &mut None).await?;
        }
    }

    /// The target's answer as its client gets it. One that is short is awaited to its end.
    async fn answered(
        &self,
        choice: Choice,
        upstream: Upstream,
        answer: Response<Incoming>,
    ) -> Result<Response<Body>, Failure> {
        let (mut head, mut body) = answer.into_parts();
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            // Nobody asked for that: `Upgrade` ends at this proxy.
            return Err(Failure::Unreadable);
        }
        if let Some(why) = self.surroundings.mistrusts(&head) {
            return Err(why);
        }
        if head.headers.contains_key(TRANSFER_ENCODING) {
            // It says nothing then (RFC 9112 section 6.3), and would be wrong behind this.
            head.headers.remove(CONTENT_LENGTH);
        }
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
                Ok(Some(Err(error))) => return Err(broken(&error)),
                Err(_) => return Err(Failure::Slow),
            }
        }
        self.pool.keep(upstream);
        self.surroundings.tell(Event::Target(choice.group, status));
        let body = Either::Left(Full::new(whole.into()));
        Ok(Response::from_parts(head, body))
    }

    /// The load balancer's own answer.
    fn own(&self, why: Failure) -> Response<Body> {
        let status = self.status(why);
        self.surroundings.tell(Event::Own(status.as_u16()));
        let mut answer = Response::new(Either::Left(Full::new(page(status).into())));
        *answer.status_mut() = status;
        if status.canonical_reason().is_none() {
            let none = ReasonPhrase::from_static(b"");
            answer.extensions_mut().insert(none);
        }
        let headers = answer.headers_mut();
        headers.insert(SERVER, HeaderValue::from_static("awselb/2.0"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        if matches!(
            why,
            Failure::Unfinished | Failure::Malformed | Failure::NotTaken(_) | Failure::CutShort
        ) {
            // What would come is the rest of this request, or not to be trusted.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    /// The status of the load balancer's own answer.
    pub(super) fn status(&self, why: Failure) -> StatusCode {
        let status = self.surroundings.status(why);
        StatusCode::from_u16(status).expect("statuses have three digits")
    }
}

/// What is wrong when a connection to a target fails while an answer is awaited.
fn broken(error: &hyper::Error) -> Failure {
    match error.is_parse() || is_nonsense(error) {
        true => Failure::Unreadable,
        false => Failure::Closed,
    }
}

/// What such an answer says.
pub(super) fn page(status: StatusCode) -> String {
    let reason = status.canonical_reason().map(|reason| format!(" {reason}"));
    let text = format!("{}{}", status.as_u16(), reason.unwrap_or_default());
    format!("<html><body><h1>{text}</h1></body></html>\n")
}

/// As an origin server is asked: a target that is a whole URI has the host in it, and that counts (RFC 9112 section 3.2.2).
fn to_origin(head: &mut Parts) {
    let host = head.uri.authority().map(|authority| {
        let text = authority.as_str();
        text.rsplit_once('@')
            .map_or(text, |(_, host)| host)
            .to_owned()
    });
    let Some(host) = host else {
        return;
    };
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    if let (Ok(uri), Ok(host)) = (path.parse(), HeaderValue::from_str(&host)) {
        head.uri = uri;
        head.headers.insert(HOST, host);
    }
}

/// Adds whom the request came from to those through whom it came.
fn append(headers: &mut HeaderMap, client: &str) {
    let through = headers.get_all(&FORWARDED_FOR).iter();
    let through = through.filter_map(|value| value.to_str().ok());
    let all = through.filter(|list| !list.is_empty()).chain([client]);
    let all = all.collect::<Vec<_>>().join(", ");
    let all = HeaderValue::from_str(&all).expect("visible characters");
    headers.insert(FORWARDED_FOR, all);
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
