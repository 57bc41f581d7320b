//! What kinds of load balancer there are, and what only one of them has.

use super::GroupId;
use std::time::Duration;

/// What a balancer does with connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// It sends their packets on, by flow (AWS: Network Load Balancer).
    #[default]
    Network,
    /// They end at it, and another one leads to an instance (AWS: Classic Load Balancer).
    Classic(Classic),
    /// They end at it, and requests go on (AWS: Application Load Balancer).
    Application(Application),
}

impl Kind {
    /// True when clients' connections end in its zonal addresses' own kernels. It makes no flows then: for the fabric
    /// those kernels are hosts, with the zonal addresses as theirs.
    pub fn is_proxy(&self) -> bool {
        match self {
            Self::Network => false,
            Self::Classic(_) | Self::Application(_) => true,
        }
    }
}

/// Settings of an Application Load Balancer, in real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Application {
    /// `idle_timeout.timeout_seconds`: of connections of clients, and of those to targets.
    pub idle_timeout: Duration,
    /// `client_keep_alive.seconds`: a client's connection ends with the first answer after that.
    pub client_keep_alive: Duration,
    /// A connection to a target must stand within this (AWS: 10 s).
    pub connect_timeout: Duration,
    /// `routing.http.xff_header_processing.mode` and `routing.http.xff_client_port.enabled`.
    pub forwarded_for: ForwardedFor,
}

/// What becomes of the header X-Forwarded-For.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedFor {
    /// The client's address is added to it.
    #[default]
    Append,
    /// The client's address and port are.
    AppendWithPort,
    /// It goes on as it came.
    Preserve,
    /// It is taken out.
    Remove,
}

/// Settings of a Classic Load Balancer, in real time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classic {
    /// Its instances; of no other balancer.
    pub group: GroupId,
    /// `ConnectionSettings.IdleTimeout`, of the connection of a client and of that to its instance.
    pub idle_timeout: Duration,
    /// `ConnectionDraining.Enabled`: connections go on while an instance is being deregistered, for the group's
    /// `deregistration_delay`, and when it is unhealthy, for as long as they like.
    pub draining: bool,
    /// `ProxyProtocol`: instances read a PROXY protocol header, version 1, before what the client says.
    pub proxy_protocol: bool,
    /// What becomes of the connections of an instance that is not in service any more.
    pub on_deregister: OnDeregister,
    /// What a client learns of a RST of its instance.
    pub on_backend_reset: OnBackendReset,
    /// Connections of clients that may wait for an instance at one zonal address (AWS: 1,024).
    pub surge_queue: usize,
    /// `LBCookieStickinessPolicyType`, of HTTP listeners: a cookie binds a client to its instance.
    pub stickiness: Option<Stickiness>,
    /// After this an attempt to connect to an instance counts as pending, and after this the next one is made. AWS
    /// documents neither.
    pub retry: Duration,
}

/// A cookie that binds a client to its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stickiness {
    /// After this the client is to forget it, in real time; none: with the end of its session. The balancer itself does not look.
    pub expires: Option<Duration>,
}

/// What becomes of the connections of an instance that was deregistered, or is unhealthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDeregister {
    /// Both are closed (AWS: without connection draining, at once).
    #[default]
    Close,
    /// The client's is reset.
    Reset,
    /// The client's goes on and leads nowhere: what it says is acknowledged and forgotten (seen before there was
    /// connection draining).
    Blackhole,
    /// They go on until the client or the instance ends them.
    Drain,
}

/// What a client learns of a RST of its instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBackendReset {
    /// It gets one too.
    #[default]
    Propagate,
    /// Nothing: its connection goes on and leads nowhere.
    Ignore,
}
