//! The typed mirror of target groups.

use crate::diag::{Span, Spanned};
use std::time::Duration;

/// `target_groups.X`
#[derive(Clone, Debug)]
pub struct TargetGroup {
    /// The item's place.
    pub span: Span,
    /// `instance`, `ip` or `alb`
    pub target_type: Spanned<String>,
    /// `TCP`, `UDP`, ...
    pub protocol: Spanned<String>,
    /// `ipv4` or `ipv6`
    pub ip_address_type: Spanned<String>,
    /// None: the listener's.
    pub port: Option<Spanned<u16>>,
    /// Hosts by name (or a `count` group's name); with an own port where the map form was used.
    pub targets: Vec<(Spanned<String>, Option<Spanned<u16>>)>,
    /// AWS attribute names verbatim; values as text.
    pub attributes: Vec<(Spanned<String>, Spanned<String>)>,
    /// `health_check:`; none: no checks.
    pub health_check: Option<HealthCheck>,
    /// `emulate:`
    pub emulate: GroupEmulate,
}

/// `target_groups.X.health_check`
#[derive(Clone, Debug)]
pub struct HealthCheck {
    /// The item's place.
    pub span: Span,
    /// `TCP`, `HTTP`, `HTTPS`
    pub protocol: Spanned<String>,
    /// `traffic-port`, or a number.
    pub port: Spanned<String>,
    /// None: `/`.
    pub path: Option<Spanned<String>>,
    /// Cloud seconds.
    pub interval: Spanned<u64>,
    /// Cloud seconds; none: by protocol.
    pub timeout: Option<Spanned<u64>>,
    /// 2..=10
    pub healthy_threshold: Spanned<u32>,
    /// 2..=10
    pub unhealthy_threshold: Spanned<u32>,
    /// `200-399`, as written.
    pub matcher: Option<Spanned<String>>,
}

/// `target_groups.X.emulate`; none: the default.
#[derive(Clone, Debug, Default)]
pub struct GroupEmulate {
    /// Of each zonal address.
    pub checkers: Option<Spanned<u32>>,
    /// `majority`, `any`, `all`
    pub consensus: Option<Spanned<String>>,
    /// Cloud time, as all that follow.
    pub register_delay: Option<Spanned<Duration>>,
    /// From a deregistration on.
    pub deregister_propagation: Option<Spanned<Duration>>,
    /// From the last failed check on.
    pub unhealthy_propagation: Option<Spanned<Duration>>,
    /// From the end of the deregistration delay on.
    pub termination_delay: Option<Spanned<Duration>>,
    /// From a weight of 0 on.
    pub zero_weight_delay: Option<Spanned<Duration>>,
    /// `both`, `client`, `target`, `neither`
    pub termination_reset: Option<Spanned<String>>,
    /// `keep`, `reset`
    pub on_draining_failure: Option<Spanned<String>>,
}
