//! Load balancers: as a whole, in their zones, and in the resolver. Not here: what they forwarded (`flows`, `pairs`) and
//! to whom (`groups`).

use super::Transition;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A balancer's record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct BalancerEvidence {
    /// `network`, `classic`, `application`
    #[serde(default)]
    pub kind: String,
    /// Of a classic balancer, by name.
    #[serde(default)]
    pub instances: BTreeMap<String, InstanceEvidence>,
    /// CloudWatch names; dense over what the emulator counts.
    pub metrics: BTreeMap<String, i64>,
    /// `active`, `failed`
    pub state: String,
    /// Why it failed; empty when it is active.
    #[serde(default)]
    pub reason: String,
    /// By zone.
    pub addresses: BTreeMap<String, String>,
    /// By zone.
    #[serde(default)]
    pub zones: BTreeMap<String, ZoneEvidence>,
    /// The groups that its listeners forward to after the last step, by port; none of a classic one.
    #[serde(default)]
    pub listeners: BTreeMap<u16, Vec<String>>,
    /// What its name said, from before the first step on.
    #[serde(default)]
    pub dns: Vec<Listing>,
    /// By zone, of a dualstack balancer.
    #[serde(default)]
    pub ipv6_addresses: BTreeMap<String, String>,
    /// Flows made during the steps.
    pub flows: i64,
}

/// An instance of a classic balancer (elb `InstanceState`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct InstanceEvidence {
    /// Instance id.
    #[serde(default)]
    pub id: String,
    /// `InService`, `OutOfService`, `Unknown`
    pub state: String,
    /// `ELB`, `Instance`, `N/A`
    pub reason_code: String,
    /// In AWS's words.
    pub description: String,
    /// Health checks of it.
    pub checks: i64,
    /// Of those, failed.
    pub failed_checks: i64,
    /// The states it has been in, each with its reason code; the last is the present one.
    #[serde(default)]
    pub transitions: Vec<Transition>,
    /// Connections made to it.
    pub connections: i64,
}

/// From this moment on a balancer's name had the addresses of these zones.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Listing {
    /// Milliseconds since the first step; negative before it.
    pub at: f64,
    /// In order.
    pub zones: Vec<String>,
}

/// A balancer's record in one zone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ZoneEvidence {
    /// Its address is in the balancer's name, after the last step.
    #[serde(default)]
    pub in_dns: bool,
    /// Registered targets in reach of its address, by target group.
    #[serde(default)]
    pub reach: BTreeMap<String, i64>,
    /// As for the whole balancer.
    pub metrics: BTreeMap<String, i64>,
}
