//! HTTP requests of a load, over one of its connections.
//!
//! HTTP/1.1 as `hyper` speaks it. An answer is one whatever its status; an error is what kept it from coming.

use super::content;
use super::cookies::{Cookies, Now};
use super::line::Line;
use crate::plan::HttpRequest;
use crate::run::counted::Counted;
use crate::run::word::Fault;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, COOKIE, HOST, HeaderMap, USER_AGENT};
use hyper::{Method, Version};
use hyper_util::rt::TokioIo;
use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

/// What a client calls itself.
const AGENT: &str = concat!("hairpin/", env!("CARGO_PKG_VERSION"));

/// What went wrong is not a matter of the network, or nobody says.
const UNKNOWN: Fault = Fault::word("failed");

/// How long a connection that has failed may take to say of what.
const LAST_WORD: Duration = Duration::from_millis(200);

/// A whole answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// When its request was sent.
    pub asked: Instant,
    /// From then to its last byte.
    pub took: Duration,
}

/// What came of the requests over one connection.
#[derive(Clone, Debug, Default)]
pub struct Talk {
    /// In order.
    pub answers: Vec<Answer>,
    /// Requests that were begun.
    pub requests: u32,
    /// What the first one met that got no answer; none when all did.
    pub fault: Fault,
}

/// Makes all requests, one after the other; the first without an answer ends them, and so does a server that closes.
/// `to` is the address dialled, `name` what the client dialled when it was not an address.
pub async fn make(
    line: &Line,
    to: SocketAddr,
    name: Option<&str>,
    request: &HttpRequest,
    limit: Duration,
) -> Talk {
    let mut talk = Talk::default();
    let Some(wire) = line.slot.get() else {
        talk.fault = Fault::NOT_CONNECTED;
        return talk;
    };
    let usual = if wire.is_secured() { 443 } else { 80 };
    let stream = TokioIo::new(Counted {
        socket: wire,
        received: line.received(),
        sent: Some(line.sent()),
    });
    let (mut sender, connection) = match http1::handshake::<_, Full<Bytes>>(stream).await {
        Ok(halves) => halves,
        Err(error) => {
            talk.fault = fault(&error);
            return talk;
        }
    };
    let connection = tokio::spawn(connection);
    let host = match &request.host {
        Some(host) => host.clone(),
        None => dialled(to, name, usual),
    };
    let mut cookies = request.cookies.then(Cookies::default);
    let began = Instant::now();
    for turn in 0..request.times {
        sleep_until(began + request.every * turn).await;
        talk.requests += 1;
        match timeout(limit, ask(&mut sender, request, &host, &mut cookies)).await {
            Ok(Ok((answer, closes))) => {
                talk.answers.push(answer);
                if closes {
                    break;
                }
            }
            Ok(Err(error)) => {
                talk.fault = fault(&error);
                break;
            }
            Err(_) => {
                talk.fault = Fault::DEADLINE;
                break;
            }
        }
    }
    // The socket is the client's; nobody else may be left who reads from it.
    drop(sender);
    if let Some(told) = own_end(connection, talk.fault).await {
        talk.fault = told;
    }
    line.note(talk.fault);
    talk
}

/// What ended a connection, where a request knows only that something did: its content and its answer are two, and one may be told
/// of what the other met; and between two requests the connection learns why it is over, and whoever asks next only that it
/// is. Afterwards nobody speaks over it any more.
async fn own_end(mut connection: JoinHandle<hyper::Result<()>>, known: Fault) -> Option<Fault> {
    if matches!(known, UNKNOWN | Fault::EOF)
        && let Ok(ended) = timeout(LAST_WORD, &mut connection).await
    {
        return ended.ok()?.err().map(|error| fault(&error));
    }
    connection.abort();
    let ended = connection.await;
    tracing::trace!(?ended, "the requests of a connection");
    None
}

/// One request to the last byte of its answer, and whether the connection is over with it.
async fn ask(
    sender: &mut http1::SendRequest<Full<Bytes>>,
    request: &HttpRequest,
    host: &str,
    cookies: &mut Option<Cookies>,
) -> hyper::Result<(Answer, bool)> {
    let method = match request.body {
        None => Method::GET,
        Some(_) => Method::POST,
    };
    let content = content::of(request.body.unwrap_or(0));
    let mut head = hyper::Request::builder()
        .method(method)
        .uri(&request.path)
        .header(HOST, host)
        .header(USER_AGENT, AGENT);
    if !request.keep_alive {
        head = head.header(CONNECTION, "close");
    }
    if let Some(kept) = cookies.as_mut().and_then(|kept| kept.sent(Instant::now())) {
        head = head.header(COOKIE, kept);
    }
    let head = head
        .body(Full::from(content))
        .expect("the plan lets no other paths and hosts through");
    sender.ready().await?;
    let asked = Instant::now();
    let response = sender.send_request(head).await?;
    let status = response.status().as_u16();
    let closes = closes(response.version(), response.headers());
    if let Some(kept) = cookies {
        kept.keep(response.headers(), Now::read());
    }
    content::heard_out(response.into_body()).await?;
    let took = asked.elapsed();
    let answer = Answer {
        status,
        asked,
        took,
    };
    Ok((answer, closes))
}

/// True when an answer is the last one of its connection (RFC 9112 section 9.3): one in HTTP/1.0 is, unless it says otherwise.
fn closes(version: Version, headers: &HeaderMap) -> bool {
    let lists = headers.get_all(CONNECTION).iter();
    let lists = lists.filter_map(|list| list.to_str().ok());
    let mut options = lists.flat_map(|list| list.split(','));
    let mut has = |word| options.any(|option| option.trim().eq_ignore_ascii_case(word));
    match version {
        Version::HTTP_10 => !has("keep-alive"),
        _ => has("close"),
    }
}

/// The Host header of a client that was given no name: an address, with the port where it is not the `usual` one of HTTP or
/// HTTPS.
fn dialled(address: SocketAddr, name: Option<&str>, usual: u16) -> String {
    let host = match (address, name) {
        (_, Some(name)) => name.to_owned(),
        (SocketAddr::V4(address), None) => address.ip().to_string(),
        (SocketAddr::V6(address), None) => format!("[{}]", address.ip()),
    };
    match address.port() {
        port if port == usual => host,
        port => format!("{host}:{port}"),
    }
}

/// The word for what a request met.
fn fault(error: &hyper::Error) -> Fault {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<io::Error>() {
            return Fault::from(error);
        }
        cause = inner.source();
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return Fault::EOF;
    }
    UNKNOWN
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn the_version_and_the_header_say_which_answer_is_the_last() {
        let cases: [(Version, &[&'static str], bool); 6] = [
            (Version::HTTP_11, &[], false),
            (Version::HTTP_11, &["keep-alive"], false),
            (Version::HTTP_11, &["TE, Close"], true),
            (Version::HTTP_11, &["x", "close"], true),
            (Version::HTTP_10, &[], true),
            (Version::HTTP_10, &["Keep-Alive"], false),
        ];
        for (version, options, last) in cases {
            let mut headers = HeaderMap::new();
            for option in options.iter().copied() {
                headers.append(CONNECTION, HeaderValue::from_static(option));
            }
            assert_eq!(closes(version, &headers), last, "{version:?} {options:?}");
        }
    }
}
