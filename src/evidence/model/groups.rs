//! Target groups, their targets and the states these went through.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A target group's record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GroupEvidence {
    /// CloudWatch names; dense over what exists for target groups.
    #[serde(default)]
    pub metrics: BTreeMap<String, i64>,
    /// By target name.
    pub targets: BTreeMap<String, TargetEvidence>,
    /// Where an address of a load balancer forwards to it, after the last step; none when it is behind no listener.
    #[serde(default)]
    pub zones: Vec<String>,
}

/// A target's record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TargetEvidence {
    /// `healthy`, ...
    pub state: String,
    /// AWS reason code, may be empty.
    pub reason: String,
    /// Health checks of it, by all zonal addresses and checkers.
    pub checks: i64,
    /// Of those, failed.
    pub failed_checks: i64,
    /// The states it has been in, from what the fabric began with to the present one.
    pub transitions: Vec<Transition>,
    /// `no_override`; `zonal_shift_active` while a zonal shift leaves its zone, `zonal_shift_delegated_to_dns` when
    /// only names know of that.
    #[serde(default)]
    pub administrative_override: String,
    /// `i-...`, or the address where the group's targets are addresses.
    #[serde(default)]
    pub id: String,
    /// Where it gets traffic.
    #[serde(default)]
    pub port: i64,
    /// No listener leads to its group.
    #[serde(default)]
    pub unlistened: bool,
    /// Where it is checked.
    #[serde(default)]
    pub health_check_port: i64,
    /// The lab's name of its zone; empty outside of every zone.
    #[serde(default)]
    pub zone: String,
    /// Flows sent to it.
    pub flows: i64,
}

/// A target came into a state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Transition {
    /// Milliseconds since the first step; negative before it.
    pub at: f64,
    /// The state.
    pub state: String,
    /// AWS reason code, may be empty.
    pub reason: String,
}
