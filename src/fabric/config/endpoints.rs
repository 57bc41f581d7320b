//! VPC endpoints, through which the balancers of an endpoint service are reached (AWS PrivateLink).

use super::{BalancerId, VpcId, ZonalId};
use std::net::Ipv4Addr;

/// Index into [`super::Config::endpoints`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointId(pub u16);

/// An endpoint's network interface in one zone; the second is an index into [`Endpoint::zonal`].
pub type EndpointPlace = (EndpointId, ZonalId);

/// A VPC endpoint: addresses of its own in its VPC, behind which a service's balancers are, wherever those are.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its name in the lab.
    pub name: String,
    /// `vpce-...`, which PROXY protocol headers tell.
    pub id: String,
    /// The service's name.
    pub service: String,
    /// Where its clients are.
    pub vpc: VpcId,
    /// The balancers of its service.
    pub balancers: Vec<BalancerId>,
    /// One network interface for each of its zones.
    pub zonal: Vec<EndpointZonal>,
}

/// An endpoint's network interface.
#[derive(Clone, Debug)]
pub struct EndpointZonal {
    /// The zone's name.
    pub zone: String,
    /// What clients dial.
    pub address: Ipv4Addr,
}
