//! The steps of a story, and what they name.

use super::{Claim, HostId, StepId};
use crate::fabric;
use crate::plan::PodPlace;
use crate::spec::Handover;
use std::net::SocketAddr;
use std::time::Duration;

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// The result's name, or `step N` (from 1).
    pub name: String,
    /// False: the result has no name in expressions.
    pub named: bool,
    /// The verb and what it is about, for reports: `connect client -> front/a`.
    pub label: String,
    /// Line in the file, from 1.
    pub line: usize,
    /// Do not wait for its end.
    pub background: bool,
    /// What it does.
    pub verb: Verb,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Verb {
    /// Opens one connection.
    Connect {
        /// Where.
        dial: Dial,
        /// None: the kernel's choice.
        source_port: Option<u16>,
        /// Idle time and interval of SO_KEEPALIVE, whole seconds.
        keepalive: Option<Duration>,
        /// TCP_USER_TIMEOUT, a millisecond or more.
        user_timeout: Option<Duration>,
        /// TCP_NODELAY.
        nodelay: bool,
        /// Speaks TLS over it, whatever the certificate.
        tls: bool,
        /// The step's own limit.
        timeout: Duration,
    },
    /// Opens many.
    Load {
        /// One for each client.
        dials: Vec<Dial>,
        /// For each client.
        connections: u32,
        /// Of each client's first connection, the next one's is one more, all within 65,535; none: the kernel's choice.
        source_port: Option<u16>,
        /// For each client, per second; none: the next when the last is done, or after 20 ms.
        rate: Option<f64>,
        /// Keep them open to the end.
        hold: bool,
        /// What to do on each before it is closed.
        request: Option<Request>,
        /// As for `Connect`.
        keepalive: Option<Duration>,
        /// As for `Connect`.
        user_timeout: Option<Duration>,
        /// As for `Connect`.
        tls: bool,
        /// For each connection.
        timeout: Duration,
    },
    /// Sends, and receives as many bytes.
    Exchange(Transfer),
    /// Sends.
    Send(Transfer),
    /// Receives.
    Receive(Transfer),
    /// close(2).
    Close {
        /// The connection or load.
        over: StepId,
    },
    /// RST.
    Abort {
        /// The connection or load.
        over: StepId,
    },
    /// One segment more to the client, as from the server.
    Inject {
        /// The connection.
        over: StepId,
        /// Bytes after the end of the last segment that came.
        beyond: u32,
        /// Of payload, at most 1400.
        bytes: u16,
        /// RST, which has no payload.
        reset: bool,
    },
    /// shutdown(SHUT_WR).
    Shutdown {
        /// The connection or load.
        over: StepId,
    },
    /// Lets time pass.
    Wait {
        /// Real time.
        lapse: Duration,
    },
    /// Waits for a fact.
    WaitUntil {
        /// The condition.
        that: Box<Claim>,
        /// Limit.
        timeout: Duration,
    },
    /// Stops the servers of hosts: no more listening, live connections closed.
    Stop {
        /// Which.
        hosts: Vec<HostId>,
        /// RST instead of FIN.
        reset: bool,
    },
    /// Servers die as by SIGKILL: the kernel closes what they had open.
    Kill {
        /// Which.
        hosts: Vec<HostId>,
    },
    /// Servers are started anew beside the old ones, which finish.
    Reload {
        /// Whose.
        hosts: Vec<HostId>,
        /// What becomes of the old ones' listening sockets.
        handover: Handover,
    },
    /// Breaks something, or mends it.
    Fault(Fault),
    /// Registers targets with their group, or deregisters them.
    Registration {
        /// Their group.
        group: fabric::config::GroupId,
        /// Their places in it.
        targets: Vec<usize>,
        /// Register.
        registered: bool,
        /// Those of them that cannot be registered: instances of another VPC than the group's balancer. One of them,
        /// and the whole call is refused (AWS: `InvalidTarget`).
        foreign: Vec<usize>,
    },
    /// Endpoints of services come to the nodes' service proxies, or are taken out of them.
    Endpoints {
        /// Service and place, as in [`fabric::config::ServiceProxy::services`], or in the plan's `kube_proxy`.
        places: Vec<PodPlace>,
        /// The pods' names, each once.
        pods: Vec<String>,
        /// The service's name.
        service: String,
        /// They come.
        there: bool,
    },
    /// Settings of the network change.
    Set {
        /// Dotted path.
        path: String,
        /// Compact YAML; none: removed.
        value: Option<String>,
        /// The whole network with this and all earlier changes; hosts, balancers, groups and targets are the same.
        network: Box<fabric::Config>,
    },
    /// A real program.
    Run {
        /// Where.
        host: HostId,
        /// Shell text.
        command: String,
        /// Limit.
        timeout: Duration,
    },
}

impl Verb {
    /// From where to where its connections go; empty for a verb that opens none.
    pub fn dials(&self) -> &[Dial] {
        match self {
            Verb::Connect { dial, .. } => std::slice::from_ref(dial),
            Verb::Load { dials, .. } => dials,
            Verb::Exchange(_)
            | Verb::Send(_)
            | Verb::Receive(_)
            | Verb::Close { .. }
            | Verb::Abort { .. }
            | Verb::Inject { .. }
            | Verb::Shutdown { .. }
            | Verb::Wait { .. }
            | Verb::WaitUntil { .. }
            | Verb::Stop { .. }
            | Verb::Kill { .. }
            | Verb::Reload { .. }
            | Verb::Fault(_)
            | Verb::Registration { .. }
            | Verb::Endpoints { .. }
            | Verb::Set { .. }
            | Verb::Run { .. } => &[],
        }
    }

    /// The step whose connections it goes over; none of a verb that goes over no other's.
    pub fn over(&self) -> Option<StepId> {
        match self {
            Verb::Exchange(transfer) | Verb::Send(transfer) | Verb::Receive(transfer) => {
                Some(transfer.over)
            }
            Verb::Close { over }
            | Verb::Abort { over }
            | Verb::Inject { over, .. }
            | Verb::Shutdown { over } => Some(*over),
            Verb::Connect { .. }
            | Verb::Load { .. }
            | Verb::Wait { .. }
            | Verb::WaitUntil { .. }
            | Verb::Stop { .. }
            | Verb::Kill { .. }
            | Verb::Reload { .. }
            | Verb::Fault(_)
            | Verb::Registration { .. }
            | Verb::Endpoints { .. }
            | Verb::Set { .. }
            | Verb::Run { .. } => None,
        }
    }
}

/// From where to where a connection goes.
#[derive(Clone, Debug)]
pub struct Dial {
    /// The client.
    pub from: HostId,
    /// Where it can come to; one when the lab names one. Never empty. Without a name they are taken in turn.
    pub to: Vec<Endpoint>,
    /// The balancer's name, which the client asks the resolver for; it dials what it is told.
    pub name: Option<String>,
    /// Datagrams.
    pub udp: bool,
}

/// A place to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `front/a`, `web1`, `web1/public` or the address itself.
    pub label: String,
    /// What the kernel dials.
    pub address: SocketAddr,
}

/// Bytes over a connection or a load.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// The `connect` or `load` step.
    pub over: StepId,
    /// Bytes each time, 1..=64 MiB.
    pub bytes: u32,
    /// In so many pieces each time, at least 1.
    pub writes: u32,
    /// How often, at least 1.
    pub times: u32,
    /// Pause between two times.
    pub every: Duration,
    /// Limit for each time.
    pub timeout: Duration,
}

/// What a load does on each of its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Bytes to send and to get back.
    Bytes(u32),
    /// HTTP requests.
    Http(HttpRequest),
}

/// GET or POST over HTTP/1.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// Request target.
    pub path: String,
    /// Host header; none: the name or address that was dialled.
    pub host: Option<String>,
    /// How often, at least 1.
    pub times: u32,
    /// Pause between two times.
    pub every: Duration,
    /// False: `Connection: close`.
    pub keep_alive: bool,
    /// Bytes of content; none: a GET.
    pub body: Option<u32>,
    /// It keeps the cookies that it is given.
    pub cookies: bool,
}

/// What a story breaks and mends.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Servers stop as by SIGSTOP; their kernels go on. Of a node these are not its pods'.
    Freeze(Vec<HostId>),
    /// Machines are gone without a word, with all that is on them (see [`Plan::on_machines`](super::Plan::on_machines)).
    PowerOff(Vec<HostId>),
    /// Nothing comes in or out of these hosts; those inside one of them reach each other.
    LinkDown(Vec<HostId>),
    /// Packets are dropped.
    Drop(fabric::faults::DropRule),
    /// Faults end.
    Heal {
        /// Of these hosts.
        hosts: Vec<HostId>,
        /// Of these `drop` steps.
        drops: Vec<StepId>,
    },
}
