//! By which numbers the parts of a configuration know each other.

/// One attachment of the fabric: a TUN device, which is one host or the kernel of one zonal address. Numbered in
/// the order of the plan's hosts; zonal addresses follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortId(pub u32);

/// Index into [`super::Config::balancers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BalancerId(pub u16);

/// Index into [`super::Config::groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub u16);

/// Index into [`super::Balancer::zonal`], or [`super::Endpoint::zonal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ZonalId(pub u8);
