//! The typed mirror of steps: one verb each.

use super::{Body, Lapse};
use crate::diag::{Span, Spanned};

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// `as:`, or a made-up name that no lab can write (`step 3`).
    pub name: Spanned<String>,
    /// True when `as:` was written: only then the result has a name in expressions.
    pub named: bool,
    /// The step's place.
    pub span: Span,
    /// What it does.
    pub verb: Verb,
}

/// What a step does. Names are not resolved here.
#[derive(Clone, Debug)]
pub enum Verb {
    /// Opens one connection.
    Connect(Connect),
    /// Opens many.
    Load(Box<Load>),
    /// Sends and waits for as many bytes to come back.
    Exchange(Transfer),
    /// Only sends.
    Send(Transfer),
    /// Only receives.
    Receive(Transfer),
    /// FIN, and no more reading: `close(2)`.
    Close {
        /// Step name of the connection.
        over: Spanned<String>,
    },
    /// RST: `close(2)` with SO_LINGER 0.
    Abort {
        /// Step name of the connection.
        over: Spanned<String>,
    },
    /// One segment more to the client, as from the server.
    Inject {
        /// Step name of the connection.
        over: Spanned<String>,
        /// Bytes after the end of the last segment.
        beyond: Spanned<u32>,
        /// Of payload.
        bytes: Spanned<u16>,
        /// RST.
        reset: bool,
    },
    /// FIN, and go on reading: `shutdown(2)` for writing.
    Shutdown {
        /// Step name of the connection.
        over: Spanned<String>,
    },
    /// Lets time pass.
    Wait {
        /// How long.
        span: Spanned<Lapse>,
    },
    /// Waits for a fact.
    WaitUntil {
        /// Expression.
        that: Spanned<String>,
        /// Limit.
        timeout: Spanned<Lapse>,
    },
    /// Stops a host's servers.
    Stop {
        /// Host or group.
        host: Spanned<String>,
        /// RST instead of FIN.
        reset: bool,
    },
    /// SIGKILL to a host's servers.
    Kill {
        /// Host or group.
        host: Spanned<String>,
    },
    /// A host's servers are started anew beside the old ones.
    Reload {
        /// Host or group.
        host: Spanned<String>,
        /// What becomes of the old ones' listening sockets.
        handover: Handover,
    },
    /// Breaks something, or mends it.
    Fault(Fault),
    /// Registers a target with its group, or deregisters it.
    Registration {
        /// `group/target`, or the target alone.
        target: Spanned<String>,
        /// Register.
        registered: bool,
    },
    /// Changes a setting.
    Set {
        /// Dotted path.
        path: Spanned<String>,
        /// The new value as compact YAML; none: removed.
        value: Option<String>,
        /// The lab with this and all earlier changes; none before that was worked out (see `story`).
        after: Option<Box<Body>>,
    },
    /// Runs a program.
    Run {
        /// Where.
        on_host: Spanned<String>,
        /// Shell text.
        command: Spanned<String>,
        /// Limit.
        timeout: Spanned<Lapse>,
        /// Go on with the story at once.
        background: bool,
    },
}

/// What becomes of a listening socket when its servers are reloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// It is closed at once.
    Close,
    /// It is closed when all that waits there is accepted.
    Drain,
    /// The new servers have it.
    Pass,
}

/// `connect`
#[derive(Clone, Debug)]
pub struct Connect {
    /// Host.
    pub from: Spanned<String>,
    /// Destination text.
    pub to: Spanned<String>,
    /// None: the kernel's choice.
    pub source_port: Option<Spanned<u16>>,
    /// `ipv4` or `ipv6`; none: by the destination.
    pub family: Option<Spanned<String>>,
    /// SO_KEEPALIVE with this idle time and interval.
    pub keepalive: Option<Spanned<Lapse>>,
    /// TCP_USER_TIMEOUT
    pub user_timeout: Option<Spanned<Lapse>>,
    /// TCP_NODELAY
    pub nodelay: Spanned<bool>,
    /// Speaks TLS over it.
    pub tls: bool,
    /// The step's own limit.
    pub timeout: Spanned<Lapse>,
}

/// `load`
#[derive(Clone, Debug)]
pub struct Load {
    /// Host or group of hosts.
    pub from: Spanned<String>,
    /// Destination text.
    pub to: Spanned<String>,
    /// From each host.
    pub connections: Spanned<u32>,
    /// Of the first connection of each host, the next one's is one more; none: the kernel's choice.
    pub source_port: Option<Spanned<u16>>,
    /// New connections per second and host; none: the next one when the last is open, or after 20 ms.
    pub rate: Option<Spanned<f64>>,
    /// Keep them open.
    pub hold: bool,
    /// What to do on each connection before it is closed; none: only connect.
    pub request: Option<Request>,
    /// See [`Connect::family`].
    pub family: Option<Spanned<String>>,
    /// See [`Connect::keepalive`].
    pub keepalive: Option<Spanned<Lapse>>,
    /// See [`Connect::user_timeout`].
    pub user_timeout: Option<Spanned<Lapse>>,
    /// See [`Connect::tls`].
    pub tls: bool,
    /// For each connection.
    pub timeout: Spanned<Lapse>,
    /// Go on with the story at once.
    pub background: bool,
}

/// `send`, `exchange`, `receive`
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Step name of the connection or load.
    pub over: Spanned<String>,
    /// Bytes each time.
    pub bytes: Spanned<u32>,
    /// Pieces each time; none: one, or it does not write.
    pub writes: Option<Spanned<u32>>,
    /// How often.
    pub times: Spanned<u32>,
    /// Pause between.
    pub every: Option<Spanned<Lapse>>,
    /// Limit for each time.
    pub timeout: Spanned<Lapse>,
    /// Go on with the story at once.
    pub background: bool,
}

/// A load's `request`.
#[derive(Clone, Debug)]
pub enum Request {
    /// `64`: bytes to send and to get back.
    Bytes(Spanned<u32>),
    /// `GET /path`, or the map.
    Http(HttpRequest),
}

/// A load's HTTP requests on each connection.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// Request target.
    pub path: Spanned<String>,
    /// Host header; none: what was dialled.
    pub host: Option<Spanned<String>>,
    /// How often.
    pub times: Spanned<u32>,
    /// Pause between.
    pub every: Option<Spanned<Lapse>>,
    /// The connection is to stay open.
    pub keep_alive: Spanned<bool>,
    /// Bytes of content; none: a GET.
    pub body: Option<Spanned<u32>>,
    /// It keeps the cookies that it is given.
    pub cookies: bool,
}

/// What a story breaks and mends.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Servers stop as by SIGSTOP.
    Freeze {
        /// Host or group.
        host: Spanned<String>,
    },
    /// The host is gone without a word.
    PowerOff {
        /// Host or group.
        host: Spanned<String>,
    },
    /// Nothing comes in or out.
    LinkDown {
        /// Host or group.
        host: Spanned<String>,
    },
    /// Packets are dropped.
    Drop(Drop),
    /// Faults end.
    Heal {
        /// Host or group.
        host: Option<Spanned<String>>,
        /// Step name of a `drop`.
        drop: Option<Spanned<String>>,
    },
}

/// Packets to which everything written applies.
#[derive(Clone, Debug)]
pub struct Drop {
    /// Host, group or balancer; none: anybody.
    pub from: Option<Spanned<String>>,
    /// Host, group or balancer; none: anybody.
    pub to: Option<Spanned<String>>,
    /// `S.`, `SYN-ACK`
    pub flags: Option<Spanned<String>>,
    /// Bytes of payload.
    pub length: Option<Spanned<u32>>,
    /// As on the wire, unscaled.
    pub window: Option<Spanned<u16>>,
    /// From 1.
    pub nth: Spanned<u32>,
    /// A number, or `all`.
    pub count: Spanned<String>,
}
