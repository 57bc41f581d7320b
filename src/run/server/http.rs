//! The HTTP server of hosts, over plain connections and over TLS.
//!
//! HTTP/1.1 with keep-alive (RFC 9112), as much of it as clients of a lab need: content is read away and makes no
//! difference.

use super::content::{Content, Malformed};
use super::{Request, Served, Shared};
use crate::plan::Http;
use crate::run::counted::Counted;
use crate::run::linger::linger;
use crate::spec::HttpsOnly;
use nix::sys::socket::Shutdown;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::AtomicU64;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

/// The largest request head, bytes.
const HEAD_LIMIT: usize = 64 * 1024;

/// The one expectation there is.
const CONTINUE: &str = "100-continue";

/// Answers requests until the client closes.
pub(super) async fn plain(
    shared: &Shared,
    stream: &TcpStream,
    served: &Served,
    http: &Http,
) -> io::Result<()> {
    match answer(shared, &mut counted(stream, served), served, http).await? {
        End::Over => Ok(()),
        End::Lingering => hear_out(stream, served).await,
    }
}

/// The same behind a TLS handshake.
pub(super) async fn secured(
    shared: &Shared,
    stream: &TcpStream,
    served: &Served,
    http: &Http,
    acceptor: &TlsAcceptor,
) -> io::Result<()> {
    let mut secured = acceptor.accept(counted(stream, served)).await?;
    let end = answer(shared, &mut secured, served, http).await?;
    secured.shutdown().await?;
    match end {
        End::Over => Ok(()),
        End::Lingering => hear_out(stream, served).await,
    }
}

/// How a server came to its last word.
enum End {
    /// There is nothing more to read that anybody would miss.
    Over,
    /// The client is still sending what nobody wants, and has to be heard out.
    Lingering,
}

fn counted<'a>(stream: &'a TcpStream, served: &'a Served) -> Counted<&'a TcpStream, &'a AtomicU64> {
    Counted {
        socket: stream,
        received: &served.received,
        sent: None,
    }
}

async fn answer(
    shared: &Shared,
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    served: &Served,
    http: &Http,
) -> io::Result<End> {
    let mut bytes = Vec::new();
    loop {
        let (head, rejected) = match hear(stream, &mut bytes, http).await? {
            Heard::Request { head } => (head, false),
            Heard::TooLarge { head } => (head, true),
            Heard::NoRequest => {
                refuse(shared, stream, served).await?;
                return Ok(End::Over);
            }
            Heard::Nothing => return Ok(End::Over),
        };
        if let Some(delay) = http.delay {
            tokio::time::sleep(delay).await;
        }
        let close = rejected || !http.keep_alive || !goes_on(&head);
        let host = header(&head, "host").unwrap_or_default().to_owned();
        let path = head.split_whitespace().nth(1).unwrap_or("/").to_owned();
        let redirects = !rejected && came_without_tls(&head, http);
        let status = match &http.host {
            _ if rejected => 413,
            _ if redirects => 301,
            Some(name) if !is_for(&host, name) => 404,
            Some(_) | None => shared.status(served.local.port()).unwrap_or(http.status),
        };
        let elsewhere = redirects.then(|| over_https(&path, &host, &shared.name));
        let forwarded_for = header(&head, "x-forwarded-for").unwrap_or_default();
        let request = Request {
            host,
            forwarded_for: forwarded_for.to_owned(),
            path,
            status,
            peer: served.peer,
            client: served.client(),
            at: Instant::now(),
            closes: close,
        };
        shared.answered(request);
        let content = match http.body {
            None => format!("{}\n", shared.name),
            Some(body) => "x".repeat(body as usize),
        };
        let reply = reply(
            &content,
            (status, elsewhere.as_deref()),
            close,
            head.starts_with("HEAD "),
        );
        stream.write_all(reply.as_bytes()).await?;
        stream.flush().await?;
        if rejected && http.lingering_close {
            return Ok(End::Lingering);
        }
        if close {
            return Ok(End::Over);
        }
    }
}

/// Closes for sending, and reads what still comes until the client closes.
async fn hear_out(stream: &TcpStream, served: &Served) -> io::Result<()> {
    nix::sys::socket::shutdown(stream.as_raw_fd(), Shutdown::Write)?;
    linger(counted(stream, served)).await
}

/// What comes next over a connection.
enum Heard {
    /// A whole request: its head, without the empty line that ends it. Its content was read away.
    Request { head: String },
    /// The head of a request that announces more content than is taken; the content is still to come.
    TooLarge { head: String },
    /// Something that is no request.
    NoRequest,
    /// The client has closed, has been idle for too long, or says too much.
    Nothing,
}

async fn hear(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    bytes: &mut Vec<u8>,
    http: &Http,
) -> io::Result<Heard> {
    loop {
        // RFC 9112 section 2.2: empty lines before a request line are none.
        let empty = bytes
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'));
        bytes.drain(..empty.count());
        if !begins_request(bytes) {
            return Ok(Heard::NoRequest);
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            bytes.drain(..end + 4);
            if is_too_large(&head, http) {
                return Ok(Heard::TooLarge { head });
            }
            return Ok(match pass_over(stream, bytes, &head).await? {
                Ok(()) => Heard::Request { head },
                Err(Malformed) => Heard::NoRequest,
            });
        }
        if bytes.len() > HEAD_LIMIT || read(stream, bytes, http).await? == 0 {
            return Ok(Heard::Nothing);
        }
    }
}

/// This server is for HTTPS, and takes the request for one that came without.
fn came_without_tls(head: &str, http: &Http) -> bool {
    match http.https_only {
        None => false,
        Some(HttpsOnly::Connection) => true,
        Some(HttpsOnly::Forwarded) => header(head, "x-forwarded-proto") != Some("https"),
    }
}

/// It says that it has more content than this server takes.
fn is_too_large(head: &str, http: &Http) -> bool {
    match (Content::behind(fields(head)), http.max_body) {
        (Ok(Content::Bytes(announced)), Some(most)) => announced > u64::from(most),
        (Ok(_) | Err(_), _) => false,
    }
}

/// Reads the content of a request away, as it comes, however long it is.
async fn pass_over(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    bytes: &mut Vec<u8>,
    head: &str,
) -> io::Result<Result<(), Malformed>> {
    let mut content = match Content::behind(fields(head)) {
        Ok(content) => content,
        Err(malformed) => return Ok(Err(malformed)),
    };
    // RFC 9110 section 10.1.1: a client may wait to be asked for the content.
    let waits = header(head, "expect").is_some_and(|word| word.eq_ignore_ascii_case(CONTINUE));
    if waits && bytes.is_empty() && !content.is_over() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        stream.flush().await?;
    }
    loop {
        if let Err(malformed) = content.take(bytes) {
            return Ok(Err(malformed));
        }
        if content.is_over() {
            return Ok(Ok(()));
        }
        if stream.read_buf(bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// More of a request; 0 when there will be none: the client has closed, or has been idle for too long.
async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    head: &mut Vec<u8>,
    http: &Http,
) -> io::Result<usize> {
    match http.idle_close {
        Some(idle) if head.is_empty() => match timeout(idle, stream.read_buf(head)).await {
            Ok(count) => count,
            Err(_) => Ok(0),
        },
        Some(_) | None => stream.read_buf(head).await,
    }
}

/// What a server does with something that is no HTTP: 400, and the connection is closed.
async fn refuse(
    shared: &Shared,
    stream: &mut (impl AsyncWrite + Unpin),
    served: &Served,
) -> io::Result<()> {
    let request = Request {
        host: String::new(),
        forwarded_for: String::new(),
        path: String::new(),
        status: 400,
        peer: served.peer,
        client: served.client(),
        at: Instant::now(),
        closes: true,
    };
    shared.answered(request);
    stream
        .write_all(reply(&format!("{}\n", shared.name), (400, None), true, false).as_bytes())
        .await?;
    stream.flush().await
}

/// False when the bytes cannot become a request: a method is a word (nginx takes capitals, `-` and `_`) and a space.
fn begins_request(head: &[u8]) -> bool {
    let method = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_');
    let word = head.iter().take_while(|byte| method(byte)).count();
    match head.get(word) {
        None => true,
        Some(after) => word > 0 && *after == b' ',
    }
}

/// The header fields of a head.
fn fields(head: &str) -> impl Iterator<Item = (&str, &str)> {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    fields.map(|(name, value)| (name, value.trim()))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = fields(head).filter(|(key, _)| key.eq_ignore_ascii_case(name));
    fields.next().map(|(_, value)| value)
}

/// True when the client wants the connection kept (RFC 9112 section 9.3): HTTP/1.0 has to ask for it.
fn goes_on(head: &str) -> bool {
    let options = header(head, "connection").unwrap_or_default();
    let has = |word| {
        let mut options = options.split(',');
        options.any(|option| option.trim().eq_ignore_ascii_case(word))
    };
    let first = head.lines().next().unwrap_or_default();
    match first.ends_with(" HTTP/1.0") {
        true => has("keep-alive"),
        false => !has("close"),
    }
}

/// A Host header may carry a port (RFC 9112 section 3.2).
fn is_for(host: &str, name: &str) -> bool {
    without_port(host).eq_ignore_ascii_case(name) || host.eq_ignore_ascii_case(name)
}

/// An IPv6 address stands in brackets, so that its colons are none before a port.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        Some(_) | None => host,
    }
}

/// The same place over HTTPS, as nginx tells it by `return 301 https://$host$request_uri`: the name is that of the request line,
/// else of the Host header, else the server's `own`, and the port that was asked, which speaks HTTP, is left out.
fn over_https(target: &str, host: &str, own: &str) -> String {
    let (host, path) = match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => {
            rest.split_at(rest.find('/').unwrap_or(rest.len()))
        }
        Some(_) | None => (host, target),
    };
    let host = match without_port(host) {
        "" => own,
        host => host,
    };
    let path = if path.is_empty() { "/" } else { path };
    format!("https://{host}{path}")
}

/// An answer; to a HEAD, without the content that it tells of: the client would take it for its next answer.
fn reply(
    content: &str,
    (status, elsewhere): (u16, Option<&str>),
    close: bool,
    head_only: bool,
) -> String {
    let connection = if close { "close" } else { "keep-alive" };
    let location = elsewhere.map_or(String::new(), |place| format!("Location: {place}\r\n"));
    let head = format!("HTTP/1.1 {status} {}\r\n{location}", phrase(status));
    // RFC 9110 sections 15.3.5 and 15.4.5: these have no content, and the second no length either.
    if matches!(status, 204 | 304) {
        return format!("{head}Connection: {connection}\r\n\r\n");
    }
    let shown = if head_only { "" } else { content };
    format!(
        "{head}Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n{shown}",
        content.len()
    )
}

/// Reason phrases say nothing that the number does not; the common ones are written out for readers of a capture.
fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        other => match other / 100 {
            2 => "Success",
            3 => "Redirection",
            4 => "Client Error",
            _ => "Server Error",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_request_is_seen_from_its_first_bytes() {
        for good in ["", "G", "GET", "GET /", "M-SEARCH * HTTP/1.1\r\n"] {
            assert!(begins_request(good.as_bytes()), "{good}");
        }
        for bad in [
            &b"\0\r\nQUIT"[..],
            b"get / ",
            b"GET\r\n",
            b" GET",
            b"\x16\x03\x01",
        ] {
            assert!(!begins_request(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_connection_goes_on_as_its_version_has_it() {
        let goes_on =
            |version, options| goes_on(&format!("GET / HTTP/{version}\r\nHost: x{options}"));
        assert!(goes_on("1.1", ""));
        assert!(goes_on("1.1", "\r\nConnection: keep-alive"));
        assert!(!goes_on("1.1", "\r\nConnection: TE, Close"));
        assert!(!goes_on("1.0", ""));
        assert!(goes_on("1.0", "\r\nConnection: Keep-Alive"));
    }

    #[test]
    fn a_head_is_answered_without_content() {
        let whole = reply("web\n", (200, None), false, false);
        let head = reply("web\n", (200, None), false, true);
        assert_eq!(whole, format!("{head}web\n"));
        assert!(head.contains("Content-Length: 4\r\n"));
    }

    #[test]
    fn an_answer_that_has_no_content_ends_with_its_head() {
        for status in [204, 304] {
            for head_only in [false, true] {
                let whole = reply("web\n", (status, None), false, head_only);
                assert!(whole.ends_with("Connection: keep-alive\r\n\r\n"), "{whole}");
                assert!(!whole.to_lowercase().contains("content-"), "{whole}");
            }
        }
    }

    #[test]
    fn the_same_place_over_https_has_another_port() {
        for (target, host, place) in [
            ("/cart?id=7", "shop", "https://shop/cart?id=7"),
            ("/cart", "shop.example:8080", "https://shop.example/cart"),
            ("/", "[2001:db8::1]:8080", "https://[2001:db8::1]/"),
            ("/", "[2001:db8::1]", "https://[2001:db8::1]/"),
            ("/", "", "https://web/"),
            (
                "/to?next=http://x/",
                "shop",
                "https://shop/to?next=http://x/",
            ),
            ("http://shop:8080/cart", "other", "https://shop/cart"),
            ("http://shop", "other", "https://shop/"),
        ] {
            assert_eq!(over_https(target, host, "web"), place);
        }
    }

    #[test]
    fn a_host_header_is_compared_without_its_port() {
        assert!(is_for("shop.example", "shop.example"));
        assert!(is_for("Shop.Example:8080", "shop.example"));
        assert!(!is_for("10.0.15.10:80", "shop.example"));
        assert!(!is_for("", "shop.example"));
    }
}
