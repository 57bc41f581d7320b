//! CloudWatch's view: metrics with their dimensions and data points, as `GetMetricStatistics` returns them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A metric for one set of dimensions, where it is reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct MetricEvidence {
    /// `AWS/NetworkELB`, `AWS/ELB`, ...
    pub namespace: String,
    /// `TCP_ELB_Reset_Count`, ...
    pub metric_name: String,
    /// `LoadBalancer`, of a classic balancer `LoadBalancerName`; where they apply `AvailabilityZone` and `TargetGroup`.
    pub dimensions: Vec<Dimension>,
    /// `Count`, `Bytes`, `Bytes/Second`, `Count/Second`, `Seconds`
    pub unit: String,
    /// Over the whole story.
    pub statistics: MetricStatistics,
    /// Minutes of the cloud's time with traffic.
    pub datapoints: Vec<Datapoint>,
}

/// One thing that a metric is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Dimension {
    /// `LoadBalancer`, `AvailabilityZone`, `TargetGroup`
    pub name: String,
    /// `net/front/0123456789abcdef`, `a`, `targetgroup/web/0123456789abcdef`
    pub value: String,
}

/// What the zonal addresses reported, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct MetricStatistics {
    /// Over the zonal addresses; of a level: as it was at the end.
    pub sum: f64,
    /// Mean of theirs.
    pub average: f64,
    /// Smallest of theirs.
    pub minimum: f64,
    /// Largest of theirs.
    pub maximum: f64,
    /// Zonal addresses that reported; of a time: how often something took any.
    pub sample_count: i64,
}

/// A metric in one minute of the cloud's time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Datapoint {
    /// When the minute begins; the first one with the first step.
    pub timestamp: String,
    /// Its figures.
    #[serde(flatten)]
    pub statistics: MetricStatistics,
}

impl MetricEvidence {
    /// The value of a dimension, if it is about that.
    pub fn dimension(&self, name: &str) -> Option<&str> {
        let found = self.dimensions.iter().find(|one| one.name == name);
        found.map(|one| one.value.as_str())
    }
}

impl MetricStatistics {
    /// The same with 0 where nobody reported.
    #[must_use]
    pub fn finite(self) -> Self {
        Self {
            minimum: if self.minimum.is_finite() {
                self.minimum
            } else {
                0.0
            },
            ..self
        }
    }
}

/// A number that is always the same for a name: FNV-1a, then half of the finalizer of MurmurHash3, without which names that
/// differ in their last letter look alike.
pub fn number_of(name: &str) -> u64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ hash >> 33
}

/// Sixteen hexadecimal digits as at the end of an ARN, always the same for a name: [`number_of`] it and the other half of the
/// finalizer.
pub fn resource_id(name: &str) -> String {
    let hash = number_of(name).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    format!("{:016x}", hash ^ hash >> 33)
}
