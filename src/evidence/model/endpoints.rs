//! VPC endpoints.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A VPC endpoint's record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct EndpointEvidence {
    /// `vpce-...`
    pub id: String,
    /// `available`: whatever becomes of the service's balancers.
    pub state: String,
    /// The endpoint service's name.
    pub service: String,
    /// By zone.
    pub addresses: BTreeMap<String, String>,
    /// By zone, the zonal address that its interface leads to, `front/a`; empty before its first packet.
    pub leads_to: BTreeMap<String, String>,
    /// CloudWatch names (`AWS/PrivateLinkEndpoints`); dense over what the emulator counts.
    pub metrics: BTreeMap<String, i64>,
}
