//! The typed mirror of hosts: where they are, their links, and what they serve.

use super::Lapse;
use crate::diag::{Span, Spanned};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// `hosts.X`
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// The item's place.
    pub span: Span,
    /// `address:`; none: given out.
    pub address: Option<Spanned<Ipv4Addr>>,
    /// `addresses:`, beside `address`.
    pub addresses: Vec<Spanned<Ipv4Addr>>,
    /// `public_address: none | auto | A`
    pub public_address: Option<Spanned<PublicAddress>>,
    /// `ipv6: auto | A`; none: no IPv6.
    pub ipv6: Option<Spanned<Ipv6>>,
    /// `zone:`; none: on the internet.
    pub zone: Option<Spanned<String>>,
    /// `count:`; none: one host named by the key itself.
    pub count: Option<Spanned<u32>>,
    /// `serve:` by port.
    pub serve: Vec<(Spanned<ServePort>, Serve)>,
    /// `sysctls:` key and value text.
    pub sysctls: Vec<(Spanned<String>, Spanned<String>)>,
    /// `nft:` text.
    pub nft: Option<Spanned<String>>,
    /// `iptables:` text (iptables-restore format).
    pub iptables: Option<Spanned<String>>,
    /// `setup:` shell text.
    pub setup: Option<Spanned<String>>,
    /// `link:`, both directions resolved: a direction's own value wins over the common one.
    pub up: Link,
    /// See `up`.
    pub down: Link,
    /// Device MTU; none: 1500.
    pub mtu: Option<Spanned<u16>>,
    /// `kernel:` quirks by name.
    pub kernel: Vec<(Spanned<String>, Spanned<String>)>,
    /// `dns_cache: ttl | forever | none`; none: `ttl`.
    pub dns_cache: Option<Spanned<String>>,
    /// `vpc:`; none: the default one.
    pub vpc: Option<Spanned<String>>,
    /// `behind:`; none: on the fabric.
    pub behind: Option<Behind>,
    /// `gateway:`; none: the bridge that it hangs on.
    pub gateway: Option<Spanned<Ipv4Addr>>,
    /// `nat:`; none: it reaches the internet by a public address of its own, or not at all.
    pub nat: Option<Spanned<String>>,
    /// `security_groups:`; empty: unguarded.
    pub security_groups: Vec<Spanned<String>>,
}

/// A host's `behind`.
#[derive(Clone, Debug)]
pub struct Behind {
    /// Where it is written.
    pub span: Span,
    /// Routers, each with the name of a segment; none: its first one. There should be one.
    pub routers: Vec<(Spanned<String>, Option<Spanned<String>>)>,
}

/// A host's `public_address`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicAddress {
    /// No way to or from the internet.
    None,
    /// Given out.
    Auto,
    /// This one.
    Fixed(Ipv4Addr),
}

/// A host's `ipv6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipv6 {
    /// Given out.
    Auto,
    /// This one.
    Fixed(Ipv6Addr),
}

/// A key of `serve`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServePort {
    /// 1..=65535
    pub port: u16,
    /// `53/udp`
    pub udp: bool,
}

/// What a host serves on a port.
///
/// Its timers are as written here; whoever plans makes all of them real time ([`App::with_times`]).
#[derive(Clone, Debug, PartialEq)]
pub enum App<Time = Lapse> {
    /// Sends back what it gets.
    Echo {
        /// Close (FIN) a connection that was idle for this long.
        idle_close: Option<Time>,
        /// Bytes of a message, which is answered as a whole; none: whatever comes.
        message: Option<u32>,
    },
    /// Reads and counts.
    Sink,
    /// Speaks first, then echoes.
    Banner {
        /// What it says; a line feed is added.
        text: String,
    },
    /// Answers everything with the host's name and a line feed.
    Name,
    /// Sends for as long as the connection takes it.
    Source {
        /// Bytes a write.
        bytes: u32,
        /// Pause between writes.
        every: Time,
    },
    /// A minimal HTTP/1.1 server: the host's name as body.
    Http(Http<Time>),
    /// The same over TLS.
    Https {
        /// What it answers.
        http: Http<Time>,
        /// `1.2`, `1.3`; none: both.
        tls: Option<String>,
    },
    /// Listens and never accepts.
    NeverAccept {
        /// `listen(2)` backlog.
        backlog: u32,
    },
    /// A real program.
    Command {
        /// Shell text.
        command: String,
        /// Wait for this before the story starts; none: for the port to listen.
        ready: Option<String>,
    },
}

/// What a host serves on a port.
#[derive(Clone, Debug, PartialEq)]
pub struct Serve {
    /// What it does.
    pub app: App,
    /// `proxy_protocol: v2`: it reads a PROXY protocol header first.
    pub proxy_protocol: Option<Span>,
}

impl<Time> App<Time> {
    /// The same with other times.
    pub fn with_times<T>(self, time: impl Fn(Time) -> T) -> App<T> {
        match self {
            Self::Echo {
                idle_close,
                message,
            } => App::Echo {
                idle_close: idle_close.map(time),
                message,
            },
            Self::Sink => App::Sink,
            Self::Banner { text } => App::Banner { text },
            Self::Name => App::Name,
            Self::Source { bytes, every } => App::Source {
                bytes,
                every: time(every),
            },
            Self::Http(http) => App::Http(http.with_times(time)),
            Self::Https { http, tls } => App::Https {
                http: http.with_times(time),
                tls,
            },
            Self::NeverAccept { backlog } => App::NeverAccept { backlog },
            Self::Command { command, ready } => App::Command { command, ready },
        }
    }

    /// The same with a program's shell text as `fill` makes it.
    pub fn with_command(self, fill: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Command { command, ready } => Self::Command {
                command: fill(&command),
                ready,
            },
            unchanged @ (Self::Echo { .. }
            | Self::Sink
            | Self::Banner { .. }
            | Self::Name
            | Self::Source { .. }
            | Self::Http(_)
            | Self::Https { .. }
            | Self::NeverAccept { .. }) => unchanged,
        }
    }

    /// It says something on a connection before it has heard anything.
    pub fn speaks_first(&self) -> bool {
        match self {
            Self::Banner { .. } | Self::Source { .. } => true,
            Self::Echo { .. }
            | Self::Sink
            | Self::Name
            | Self::Http(_)
            | Self::Https { .. }
            | Self::NeverAccept { .. }
            | Self::Command { .. } => false,
        }
    }

    /// Connections that it serves at a time; none: all of them.
    pub fn workers(&self) -> Option<usize> {
        match self {
            Self::Http(http) | Self::Https { http, .. } => {
                http.workers.map(|number| number as usize)
            }
            Self::Echo { .. }
            | Self::Sink
            | Self::Source { .. }
            | Self::Banner { .. }
            | Self::Name
            | Self::NeverAccept { .. }
            | Self::Command { .. } => None,
        }
    }
}

/// How an HTTP server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http<Time = Lapse> {
    /// 404 unless the Host header says this.
    pub host: Option<String>,
    /// Of every other answer.
    pub status: u16,
    /// From a request to its answer.
    pub delay: Option<Time>,
    /// Close (FIN) a connection that had no request for this long.
    pub idle_close: Option<Time>,
    /// False: close after each answer.
    pub keep_alive: bool,
    /// Connections that it serves at a time, each until it is closed.
    pub workers: Option<u32>,
    /// Bytes of content in each answer; none: the host's name.
    pub body: Option<u32>,
    /// 413 to requests with more content than this, and close; none: there is no limit.
    pub max_body: Option<u32>,
    /// Read what still comes before that close.
    pub lingering_close: bool,
    /// 301 to HTTPS for requests that did not come that way; none: it does not mind.
    pub https_only: Option<HttpsOnly>,
}

/// By what an HTTP server knows how a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpsOnly {
    /// Its own connection, which is HTTP.
    Connection,
    /// X-Forwarded-Proto.
    Forwarded,
}

impl<Time> Http<Time> {
    fn with_times<T>(self, time: impl Fn(Time) -> T) -> Http<T> {
        Http {
            delay: self.delay.map(&time),
            idle_close: self.idle_close.map(&time),
            host: self.host,
            status: self.status,
            keep_alive: self.keep_alive,
            workers: self.workers,
            body: self.body,
            max_body: self.max_body,
            lingering_close: self.lingering_close,
            https_only: self.https_only,
        }
    }
}

/// One direction of `link:`; none: not impaired in that way.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// `delay:`
    pub delay: Option<Spanned<Duration>>,
    /// `jitter:`
    pub jitter: Option<Spanned<Duration>>,
    /// `loss:` 0.0..=1.0
    pub loss: Option<Spanned<f64>>,
    /// `rate:` bits per second
    pub rate: Option<Spanned<u64>>,
    /// `mtu:` bytes
    pub mtu: Option<Spanned<u16>>,
    /// `queue:` packets
    pub queue: Option<Spanned<u32>>,
    /// `duplicate:` 0.0..=1.0
    pub duplicate: Option<Spanned<f64>>,
    /// `reorder:` 0.0..=1.0
    pub reorder: Option<Spanned<f64>>,
    /// `corrupt:` 0.0..=1.0
    pub corrupt: Option<Spanned<f64>>,
    /// `randomize_sequence:`, of both directions.
    pub randomize_sequence: Option<Spanned<String>>,
}
