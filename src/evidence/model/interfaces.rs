//! Network interfaces inside the VPC.

use serde::{Deserialize, Serialize};

/// A network interface. Its ids are made up, and always the same for the same names.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Interface {
    /// `web1`, `front/a`, `nat/egress`
    pub name: String,
    /// `eni-...`
    pub id: String,
    /// Primary private address.
    pub address: String,
    /// Its 1:1 address at the internet gateway; empty without one.
    pub public_address: String,
    /// Every address under which it is reached.
    pub addresses: Vec<String>,
    /// Whose it is; `unknown` when AWS manages it.
    pub account_id: String,
    /// `vpc-...`
    pub vpc_id: String,
    /// `subnet-...`
    pub subnet_id: String,
    /// `i-...`; `-` when AWS manages it.
    pub instance_id: String,
    /// The lab's name of its zone.
    pub zone: String,
    /// `use1-az1`, ...
    pub az_id: String,
}
