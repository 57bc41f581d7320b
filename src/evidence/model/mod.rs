//! Everything recorded in one case: plain data, the same in memory and on disk (JSON), a file for each thing recorded.
//!
//! Times are milliseconds since the first step began, as `f64`; counts are `i64` because that is what
//! expressions compute with. Not here: judgement (see `verdict`), what follows from the record (flow logs, target
//! health), and its place on disk (`store`).

mod balancers;
mod connections;
mod endpoints;
mod flows;
mod gateways;
mod groups;
mod hosts;
mod interfaces;
mod links;
mod metrics;
mod packets;
mod pairs;
mod steps;

pub use balancers::*;
pub use connections::*;
pub use endpoints::*;
pub use flows::*;
pub use gateways::*;
pub use groups::*;
pub use hosts::*;
pub use interfaces::*;
pub use links::*;
pub use metrics::*;
pub use packets::*;
pub use pairs::*;
pub use steps::*;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One case's record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// The lab's name.
    pub lab: String,
    /// The case's name.
    pub case: String,
    /// The seed in force.
    pub seed: u64,
    /// Cloud time divided by this.
    pub time_scale: f64,
    /// `uname -r` of the kernel that did it.
    pub kernel: String,
    /// Settings of TCP that hosts have from the machine, by their sysctl names, unless a lab has written its own: those on which machines
    /// differ and packets depend.
    #[serde(default)]
    pub tcp: BTreeMap<String, String>,
    /// Building the world, ms.
    pub up_ms: f64,
    /// From the first step to the last, seconds.
    pub seconds: f64,
    /// Worst lateness of a timer on this machine while the steps ran, a thread's or a task's of the program, ms.
    pub lag_ms: f64,
    /// Every step, in order.
    pub steps: Vec<StepResult>,
    /// Every client connection, in the order in which the steps that open them had done so; those of a load client by
    /// client, each one's in the order they were started.
    pub connections: Vec<Connection>,
    /// Every question of a client to the resolver, in the order they were asked.
    #[serde(default)]
    pub lookups: Vec<Lookup>,
    /// By host name.
    pub hosts: BTreeMap<String, HostEvidence>,
    /// By balancer name.
    pub load_balancers: BTreeMap<String, BalancerEvidence>,
    /// By endpoint name.
    #[serde(default)]
    pub endpoints: BTreeMap<String, EndpointEvidence>,
    /// By group name.
    pub target_groups: BTreeMap<String, GroupEvidence>,
    /// By NAT gateway name.
    #[serde(default)]
    pub nat_gateways: BTreeMap<String, GatewayEvidence>,
    /// What CloudWatch would have of balancers, and their vendors' monitoring of NAT gateways.
    #[serde(default)]
    pub metrics: Vec<MetricEvidence>,
    /// Every flow the balancers made, in the order they were made.
    pub flows: Vec<Flow>,
    /// Every connection of a proxying balancer to a target, with the client's that led to it, in the order they came about.
    #[serde(default)]
    pub pairs: Vec<Pair>,
    /// Every request that a balancer answered by itself, in the order of the answers.
    #[serde(default)]
    pub own_answers: Vec<OwnAnswer>,
    /// Every mapping the NAT gateways made, in the order they were made.
    #[serde(default)]
    pub mappings: Vec<Mapping>,
    /// Network interfaces inside the VPC: those of hosts, of balancers, of endpoints.
    #[serde(default)]
    pub interfaces: Vec<Interface>,
    /// The packets, in the order the fabric saw them; then those seen on devices inside hosts, in order.
    pub packets: Vec<Packet>,
    /// What guards refused, in the order it happened; also of health checks before the first step.
    #[serde(default)]
    pub refusals: Vec<Refusal>,
    /// Packets the fabric or a device saw, and of which no record was kept.
    pub packets_cut: i64,
    /// Why no host has [`HostEvidence::kernel_drops`]; empty when they have them.
    #[serde(default)]
    pub no_kernel_drops: String,
    /// Drops by reason (kebab-case), over all hosts.
    pub drops: BTreeMap<String, i64>,
}
