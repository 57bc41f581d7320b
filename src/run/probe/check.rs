//! One health check: a real connection from a zonal address's own namespace, and what came of it.
//!
//! Observed on: AWS Network Load Balancer. TCP: a handshake, then closed. HTTP: GET with the zonal address and the
//! *listener's* port as Host, whatever address and port are checked; closed after each check. HTTPS: the same over
//! TLS 1.2, so a target that speaks only 1.3 fails; its certificate is not looked at. Which other header lines a
//! Network Load Balancer sends is not documented: here those of an Application Load Balancer, which are. A Classic Load
//! Balancer asks for the instance's own address, where it asks, and calls itself `ELB-HealthChecker/1.0`.

use crate::fabric::config::{CheckProtocol, HealthCheck};
use crate::fabric::targets::Outcome;
use crate::packet::proxy_protocol;
use crate::run::tls::{self, Versions};
use crate::world::namespace::Namespace;
use crate::world::socket::{self, ClientOptions, Family};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream as StdStream};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsConnector;

/// How often a waiting check looks whether time passes.
const TICK: Duration = Duration::from_millis(10);
/// Bytes of an answer that are read at most.
const ANSWER_LIMIT: usize = 64 * 1024;

/// One check to be made.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// Where it is made from.
    pub namespace: &'a Namespace,
    /// And from which of its addresses; none: the kernel chooses.
    pub source: Option<Ipv4Addr>,
    /// How.
    pub check: &'a HealthCheck,
    /// Whom it asks.
    pub target: SocketAddr,
    /// The Host header.
    pub host: &'a str,
    /// A classic balancer makes it, whose name for itself is another.
    pub classic: bool,
    /// Targets expect a PROXY protocol header, on health checks too.
    pub proxied: bool,
}

impl Attempt<'_> {
    /// Makes it, within its timeout. Whether its connection came to stand, and what came of it.
    pub async fn outcome(&self) -> (bool, Outcome) {
        let target = self.target;
        let mut connected = false;
        let made = tokio::select! {
            biased;
            made = self.make(&mut connected) => made,
            () = patience(self.check.timeout) => Ok(Outcome::TimedOut),
        };
        let outcome = made.unwrap_or_else(|error| {
            tracing::trace!(%target, %error, "a health check failed");
            Outcome::Failed
        });
        (connected, outcome)
    }

    async fn make(&self, connected: &mut bool) -> io::Result<Outcome> {
        let options = ClientOptions {
            source_address: self.source,
            ..ClientOptions::default()
        };
        let fd = socket::client(self.namespace, Family::of(self.target), options).await?;
        let socket = TcpSocket::from_std_stream(StdStream::from(fd));
        let mut stream = socket.connect(self.target).await?;
        *connected = true;
        if self.proxied {
            // AWS: on health checks without client information, which is the command LOCAL.
            stream.write_all(&proxy_protocol::local()).await?;
        }
        let check = self.check;
        let status = match check.protocol {
            CheckProtocol::Tcp => return Ok(Outcome::Passed),
            CheckProtocol::Http => ask(&mut stream, &self.request()).await?,
            CheckProtocol::Https => {
                let name = ServerName::IpAddress(self.target.ip().into());
                let connector = TlsConnector::from(Arc::clone(client()));
                let mut secured = connector.connect(name, stream).await?;
                ask(&mut secured, &self.request()).await?
            }
        };
        let matches = check.matcher.iter().any(|range| range.contains(&status));
        Ok(match matches {
            true => Outcome::Passed,
            false => Outcome::WrongCode,
        })
    }

    fn request(&self) -> String {
        let (path, host) = (&self.check.path, self.host);
        let version = match self.classic {
            true => "1.0",
            false => "2.0",
        };
        format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nUser-Agent: ELB-HealthChecker/{version}\r\nAccept-Encoding: gzip, compressed\r\n\r\n"
        )
    }
}

/// Waits for so long, as far as this machine lets anything run: a stretch in which this task was not woken says
/// nothing of a target that is served by the same processors.
async fn patience(limit: Duration) {
    let mut left = limit;
    let mut before = Instant::now();
    while !left.is_zero() {
        sleep(TICK.min(left)).await;
        let now = Instant::now();
        left = left.saturating_sub((now - before).min(TICK * 2));
        before = now;
    }
}

/// All checkers of all labs speak alike.
fn client() -> &'static Arc<ClientConfig> {
    static CLIENT: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    CLIENT.get_or_init(|| tls::trusting_client(Versions::Only12))
}

/// Asks, and reads the answer to its end, so that the close is a FIN and no RST. Gives the status.
async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> io::Result<u16> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    while wanted(&answer) && stream.read_buf(&mut answer).await? > 0 {}
    status(&answer).ok_or_else(|| io::Error::other("the answer is no HTTP"))
}

/// True while more of an answer is to come, as far as it says itself how long it is.
fn wanted(answer: &[u8]) -> bool {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let Some(end) = head else {
        return answer.len() < ANSWER_LIMIT;
    };
    // RFC 9112 section 6.3: these end with their head, whatever it says, and the connection may go on.
    if matches!(status(answer), Some(204 | 304)) {
        return false;
    }
    let length = String::from_utf8_lossy(&answer[..end])
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok());
    let total = length.map_or(ANSWER_LIMIT, |length| end.saturating_add(4 + length));
    answer.len() < total.min(ANSWER_LIMIT)
}

/// `HTTP/1.1 204 No Content` is 204.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split(' ');
    words
        .next()
        .filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_in_the_first_line() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n\r\n"), Some(204));
        assert_eq!(status(b"HTTP/1.0 503\r\n"), Some(503));
        assert_eq!(status(b"220 smtp ready\r\n"), None);
        assert_eq!(status(b""), None);
    }

    #[test]
    fn an_answer_is_read_to_its_end() {
        assert!(wanted(b"HTTP/1.1 200 OK\r\n"));
        assert!(wanted(b"HTTP/1.1 200 OK\r\n\r\nuntil the close"));
        assert!(wanted(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab"));
        assert!(!wanted(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"));
        assert!(!wanted(&vec![b'x'; ANSWER_LIMIT]));
        assert!(wanted(b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n"));
        assert!(!wanted(
            b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n"
        ));
        assert!(!wanted(b"HTTP/1.1 304 Not Modified\r\n\r\n"));
    }
}
