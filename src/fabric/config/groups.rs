//! Target groups: who is in them, how health is decided, what becomes of flows when a target leaves or fails.

use super::{BalancerId, Placement};
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A target group.
#[derive(Clone, Debug)]
pub struct TargetGroup {
    /// Its name in the lab.
    pub name: String,
    /// Targets see the client's address and port.
    pub preserve_client_ip: bool,
    /// Every target that is ever registered, in order.
    pub targets: Vec<Target>,
    /// How targets are checked; none: they are not, and all are healthy.
    pub health_check: Option<HealthCheck>,
    /// Targets read a PROXY protocol header (version 2) before what the client says, from then on; none: they do not.
    pub proxy_protocol: Option<Placement>,
    /// Connections of a balancer that terminates TLS to its targets are TLS again.
    pub tls: bool,
    /// Requests are passed on to its targets, not connections.
    pub http: bool,
    /// Its target is this balancer, whose zonal addresses stand among [`Self::targets`] (AWS: type `alb`).
    pub inner: Option<BalancerId>,
    /// AWS's own settings.
    pub attributes: GroupAttributes,
    /// What AWS does not document.
    pub emulate: GroupEmulate,
}

/// A target.
#[derive(Clone, Debug)]
pub struct Target {
    /// The host's name.
    pub name: String,
    /// Where it is reached.
    pub address: Ipv4Addr,
    /// None: the listener's port.
    pub port: Option<u16>,
    /// Its zone's name; a target on the internet or without zone has none and is only reached across zones.
    pub zone: Option<String>,
    /// False: it is registered later, if ever (see [`super::super::change::Change::Register`]).
    pub registered: bool,
}

/// How every zonal address checks the targets of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What passes for an answer.
    pub protocol: CheckProtocol,
    /// None: the target's traffic port.
    pub port: Option<u16>,
    /// Request target, HTTP and HTTPS only.
    pub path: String,
    /// Between two checks of one checker.
    pub interval: Duration,
    /// After which a check has failed.
    pub timeout: Duration,
    /// Checks in a row that an unhealthy target must pass, 2..=10. One that has no health yet must pass one.
    pub healthy_threshold: u32,
    /// Checks in a row that a healthy target must fail, 2..=10.
    pub unhealthy_threshold: u32,
    /// Statuses that pass, HTTP and HTTPS only.
    pub matcher: Vec<RangeInclusive<u16>>,
    /// Checkers of one zonal address, each with its own phase and its own opinion; at least 1.
    pub checkers: u8,
}

/// What a health check speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckProtocol {
    /// A handshake is enough.
    Tcp,
    /// GET over HTTP/1.1.
    Http,
    /// The same over TLS 1.2; the certificate is not looked at.
    Https,
}

/// Attributes of a target group, named as AWS names them. The default is AWS's, unscaled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupAttributes {
    /// `deregistration_delay.timeout_seconds`
    pub deregistration_delay: Duration,
    /// `deregistration_delay.connection_termination.enabled`
    pub terminate_deregistered: bool,
    /// `target_health_state.unhealthy.connection_termination.enabled`
    pub terminate_unhealthy: bool,
    /// `target_health_state.unhealthy.draining_interval_seconds`; only without `terminate_unhealthy`.
    pub unhealthy_draining: Duration,
    /// `target_group_health.unhealthy_state_routing.minimum_healthy_targets`
    pub routing: Threshold,
    /// `target_group_health.dns_failover.minimum_healthy_targets`
    pub dns_failover: Threshold,
    /// `stickiness.enabled`, of type `source_ip`.
    pub stickiness: bool,
    /// `stickiness.lb_cookie.duration_seconds`, of HTTP groups with `stickiness.enabled`.
    pub cookie: Option<Duration>,
    /// `load_balancing.algorithm.type`, of HTTP groups.
    pub algorithm: Algorithm,
}

/// How an Application Load Balancer chooses the target of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The one with the fewest requests that wait for an answer.
    LeastOutstandingRequests,
}

impl Default for GroupAttributes {
    fn default() -> Self {
        Self {
            deregistration_delay: Duration::from_secs(300),
            terminate_deregistered: false,
            terminate_unhealthy: true,
            unhealthy_draining: Duration::ZERO,
            routing: Threshold::ONE,
            dns_failover: Threshold::ONE,
            stickiness: false,
            cookie: None,
            algorithm: Algorithm::RoundRobin,
        }
    }
}

/// `minimum_healthy_targets`: breached when either of the two is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Threshold {
    /// `count`, 1..; none: off.
    pub count: Option<u32>,
    /// `percentage`, 1..=100; none: off.
    pub percentage: Option<u32>,
}

impl Threshold {
    /// At least one healthy target: AWS's default.
    pub const ONE: Self = Self {
        count: Some(1),
        percentage: None,
    };

    /// True when so many healthy targets of all are too few.
    pub fn is_breached(&self, healthy: usize, all: usize) -> bool {
        let (healthy, all) = (healthy as u64, all as u64);
        self.count.is_some_and(|count| healthy < count.into())
            || self
                .percentage
                .is_some_and(|percentage| healthy * 100 < all * u64::from(percentage))
    }
}

/// What AWS does not document of a target group. The default does everything at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupEmulate {
    /// How several opinions of a target make one.
    pub consensus: Consensus,
    /// From registration to the first probe (AWS: "a few minutes").
    pub register_delay: Duration,
    /// A deregistered target still gets new flows for so long. Measured by others: about 120 s
    /// (aws-load-balancer-controller issue 2366).
    pub deregister_propagation: Duration,
    /// A target found unhealthy still gets new flows for so long. Measured by others: 30 to 40 s
    /// (aws containers-roadmap issue 470).
    pub unhealthy_propagation: Duration,
    /// From the end of the deregistration delay to the end of connections (AWS: "shortly after").
    pub termination_delay: Duration,
    /// From a weight of 0 to the end of connections (AWS: "after a short period").
    pub zero_weight_delay: Duration,
    /// Who gets a RST when the balancer ends a connection by itself.
    pub termination_reset: TerminationReset,
    /// What becomes of the flows of a target that fails its checks only once it is deregistered.
    pub on_draining_failure: OnDrainingFailure,
}

/// What becomes of the flows of a target that fails its checks only once it is deregistered. AWS resets the flows of
/// unhealthy targets, and the state of this one stays `draining`; but it also says that flows of a deregistered target
/// go on "if it stays healthy".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDrainingFailure {
    /// They go on.
    #[default]
    Keep,
    /// What their clients send is answered with RST, as of an unhealthy target's.
    Reset,
}

/// How checkers, and zonal addresses, that differ make one opinion. AWS says "consensus" and not which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consensus {
    /// What more than half of them think; a tie is unhealthy.
    #[default]
    Majority,
    /// Healthy when one of them thinks so.
    Any,
    /// Healthy when all of them think so.
    All,
}

/// Who gets a RST when the balancer ends a connection by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TerminationReset {
    /// Client and target.
    #[default]
    Both,
    /// The client alone.
    Client,
    /// The target alone.
    Target,
    /// Nobody: who sends next is answered with a RST.
    Neither,
}
