//! The typed mirror of load balancers.

use super::HealthCheck;
use crate::diag::{Span, Spanned};
use std::net::Ipv4Addr;
use std::time::Duration;

/// `load_balancers.X`
#[derive(Clone, Debug)]
pub struct Balancer {
    /// The item's place.
    pub span: Span,
    /// `network`, `classic`, `application`
    pub kind: Spanned<String>,
    /// `internet-facing` or `internal`
    pub scheme: Spanned<String>,
    /// `ipv4` or `dualstack`
    pub ip_address_type: Spanned<String>,
    /// Zones, each with a chosen address or none.
    pub zones: Vec<(Spanned<String>, Option<Spanned<Ipv4Addr>>)>,
    /// Of `zones`, those that are not enabled now: another moment of the story has them.
    pub disabled: Vec<String>,
    /// `zonal_shift:`; none: no shift.
    pub zonal_shift: Option<Spanned<String>>,
    /// By port.
    pub listeners: Vec<(Spanned<u16>, Listener)>,
    /// `instances:`, of a classic balancer; none: not written.
    pub instances: Option<Spanned<Vec<Spanned<String>>>>,
    /// `health_check:`, of a classic balancer; none: no checks.
    pub health_check: Option<HealthCheck>,
    /// AWS attribute names verbatim; values as text.
    pub attributes: Vec<(Spanned<String>, Spanned<String>)>,
    /// `settled` or `cold`
    pub start: Spanned<String>,
    /// `vpc:`; none: the default one.
    pub vpc: Option<Spanned<String>>,
    /// `security_groups:`; empty: unguarded.
    pub security_groups: Vec<Spanned<String>>,
    /// `emulate:`
    pub emulate: Emulate,
}

impl Balancer {
    /// `type: application`
    pub fn is_application(&self) -> bool {
        self.kind.value == "application"
    }

    /// `type: classic`
    pub fn is_classic(&self) -> bool {
        self.kind.value == "classic"
    }
}

/// `listeners.N`
#[derive(Clone, Debug)]
pub struct Listener {
    /// The item's place.
    pub span: Span,
    /// `TCP`, `UDP`, ...
    pub protocol: Spanned<String>,
    /// Name of a target group; a network balancer's listener has this or `target_groups`.
    pub target_group: Option<Spanned<String>>,
    /// The port of the instances; a classic balancer's listener has this.
    pub instance_port: Option<Spanned<u16>>,
    /// Names of target groups, each with its weight, 0..=999.
    pub target_groups: Vec<(Spanned<String>, Spanned<u16>)>,
    /// AWS attribute names verbatim; values as text.
    pub attributes: Vec<(Spanned<String>, Spanned<String>)>,
}

/// At which zonal address (none: at every one), and the targets to choose there.
pub type Preference = (Option<Spanned<String>>, Vec<Spanned<String>>);

/// A balancer's `emulate:`; none: the default.
#[derive(Clone, Debug, Default)]
pub struct Emulate {
    /// `prefer: web1`, `prefer: [web1, web2]`: the zonal address is none; or by zonal address (`front/a`, or just `a`).
    pub prefer: Vec<Preference>,
    /// `newest`, `keep-old`, `port-rewrite`
    pub on_collision: Option<Spanned<String>>,
    /// `reset`, `drop`
    pub on_missing_flow: Option<Spanned<String>>,
    /// `drop`, `reset`
    pub on_no_target: Option<Spanned<String>>,
    /// `mtu`, `pass`, `drop`
    pub on_target_error: Option<Spanned<String>>,
    /// `drop`, `keep`
    pub on_zone_disabled: Option<Spanned<String>>,
    /// Ports for each zonal address and target.
    pub snat_ports: Option<Spanned<u32>>,
    /// Cloud time from the end of a flow to when another may have its port.
    pub port_reuse: Option<Spanned<Duration>>,
    /// `upwards`, `random`, `sequential`, `preserve`
    pub port_order: Option<Spanned<String>>,
    /// `first`, `spread`
    pub source_address: Option<Spanned<String>>,
    /// Flows in the table.
    pub flow_capacity: Option<Spanned<u32>>,
    /// Cloud time after FIN or RST in which a SYN goes the old flow's way.
    pub flow_reuse: Option<Spanned<Duration>>,
    /// `close`, `reset`, `blackhole`, `drain`
    pub on_deregister: Option<Spanned<String>>,
    /// `propagate`, `ignore`
    pub on_backend_reset: Option<Spanned<String>>,
    /// Connections that may wait at each zonal address.
    pub surge_queue: Option<Spanned<u32>>,
}
