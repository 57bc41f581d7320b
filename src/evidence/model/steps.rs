//! What the steps of a case came to. Not here: the connections that they opened, see `connections`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A step's result.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StepResult {
    /// `as`, or `step N`.
    pub name: String,
    /// `connect client -> front/a`
    pub label: String,
    /// Reached its end without error.
    pub ok: bool,
    /// One of the error words; empty when ok.
    pub error: String,
    /// The kernel's errno, 0 when there was none.
    pub errno: i64,
    /// How long it took.
    pub ms: f64,
    /// When it began.
    pub at: f64,
    /// Index of the step whose connections it goes over; none of a step that goes over no other's.
    #[serde(default)]
    pub over: Option<usize>,
    /// What only this kind of step has; see [`Detail`].
    pub detail: Detail,
}

/// What a kind of step adds to its result.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// `close`, `wait`, `stop`, ...
    #[default]
    Plain,
    /// `connect`: index into `connections`.
    Connect {
        /// Index into [`Evidence::connections`](super::Evidence::connections).
        connection: usize,
    },
    /// `load`
    Load(Load),
    /// `send`, `exchange`, `receive` over one connection.
    Transfer {
        /// Bytes the kernel took.
        sent: i64,
        /// Bytes that came.
        received: i64,
        /// Bytes the kernel took that the peer has not acknowledged when the step ended.
        unacked: i64,
        /// The beginning of what came, as text (lossy), at most 1 KiB.
        text: String,
        /// Bytes that came behind it.
        #[serde(default)]
        text_cut: i64,
    },
    /// `send`, `exchange`, `receive` over a load.
    TransferAll {
        /// Connections tried.
        attempts: i64,
        /// Connections on which it failed.
        failed: i64,
        /// By error word; dense.
        errors: BTreeMap<String, i64>,
    },
    /// `drop`
    Drop {
        /// Packets it took.
        dropped: i64,
    },
    /// `register` that was not accepted: nothing is registered.
    Refused {
        /// With which target group.
        group: String,
        /// Instances of another VPC than the group's load balancer.
        targets: Vec<String>,
    },
    /// `register` and `deregister` of `service/pod`.
    Endpoints {
        /// They came; else they were taken out.
        there: bool,
        /// Which.
        endpoints: Vec<ServiceEndpoint>,
        /// Entries of connection tracking that the nodes deleted.
        cleared: i64,
    },
    /// `run`
    Run {
        /// -1 when a signal or the limit ended it.
        exit_code: i64,
        /// The beginning of what was said there, at most 64 KiB.
        stdout: String,
        /// Bytes behind it that were not kept.
        #[serde(default)]
        stdout_cut: i64,
        /// As `stdout`.
        stderr: String,
        /// As `stdout_cut`.
        #[serde(default)]
        stderr_cut: i64,
    },
}

/// A pod behind a port of a service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ServiceEndpoint {
    /// `default/shop`
    pub service: String,
    /// The service's address within the cluster: `172.20.0.100:80`
    pub cluster: String,
    /// The pod's: `10.0.16.11:80`
    pub endpoint: String,
}

impl Detail {
    /// What a load did; none of any other step.
    pub fn load(&self) -> Option<&Load> {
        match self {
            Self::Load(load) => Some(load),
            Self::Plain
            | Self::Connect { .. }
            | Self::Transfer { .. }
            | Self::TransferAll { .. }
            | Self::Drop { .. }
            | Self::Refused { .. }
            | Self::Endpoints { .. }
            | Self::Run { .. } => None,
        }
    }

    /// The connection of a `connect`; none of any other step. Index into
    /// [`Evidence::connections`](super::Evidence::connections).
    pub fn connect(&self) -> Option<usize> {
        match self {
            Self::Connect { connection } => Some(*connection),
            Self::Plain
            | Self::Load(_)
            | Self::Transfer { .. }
            | Self::TransferAll { .. }
            | Self::Drop { .. }
            | Self::Refused { .. }
            | Self::Endpoints { .. }
            | Self::Run { .. } => None,
        }
    }
}

/// What a load did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Load {
    /// Its connections: a range of [`Evidence::connections`](super::Evidence::connections).
    pub connections: Vec<usize>,
    /// Connections tried.
    pub attempts: i64,
    /// That came to stand.
    pub connected: i64,
    /// That did not, or whose request failed.
    pub failed: i64,
    /// That needed more than one SYN.
    pub retried: i64,
    /// By error word; dense.
    pub errors: BTreeMap<String, i64>,
    /// HTTP requests made on them.
    #[serde(default)]
    pub requests: i64,
    /// HTTP answers by status, those that came.
    pub status: BTreeMap<String, i64>,
    /// The answers, in the order of the connections.
    #[serde(default)]
    pub answers: Vec<Answer>,
    /// Attempts by the target they were sent to; dense over the hosts.
    pub by_target: BTreeMap<String, i64>,
    /// Of those that came to stand.
    pub connect_ms: Quantiles,
}

/// An answer to an HTTP request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Answer {
    /// Index into [`Evidence::connections`](super::Evidence::connections).
    pub connection: usize,
    /// When it was asked for.
    pub at: f64,
    /// From then to its last byte.
    pub ms: f64,
    /// Its status.
    pub status: i64,
}

/// A distribution, milliseconds; all 0 when empty.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Quantiles {
    /// Smallest.
    pub min: f64,
    /// Median.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// Largest.
    pub max: f64,
}
