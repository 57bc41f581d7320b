//! What the fabric tells of itself. Nothing changes by asking.

use super::config::{BalancerId, GroupId, PortId, StandIns, ZonalId};
use super::nat::NatCounters;
use super::record::{
    Conversation, FlowRecord, Impairment, Listing, MappingRecord, Mark, PacketRecord, Refusal,
    Totals, Tuple,
};
use super::targets::{self, TargetHealth};
use super::{Config, EndpointReading, Fabric, Latest, Meter, ProxyCounters};
use std::net::Ipv4Addr;
use std::time::Duration;

impl Fabric {
    /// Which zones' addresses each balancer's name had, from when on.
    pub fn listings(&self) -> &[Listing] {
        &self.listings
    }

    /// The packets' passages, in the order they happened, at most `record_limit`. Put together on demand.
    pub fn records(&self) -> Vec<PacketRecord> {
        self.ledger.records(self.balancers.table()).collect()
    }

    /// How many packets have a number, in the records or not: that of the next one.
    pub fn numbered(&self) -> u64 {
        self.ledger.numbered()
    }

    /// What links did to packets besides carrying, delaying and losing them, in order, at most `record_limit`.
    pub fn impairments(&self) -> &[Impairment] {
        self.ledger.impairments()
    }

    /// What is to be said of packets besides their records, in order.
    pub fn marks(&self) -> &[Mark] {
        self.ledger.marks()
    }

    /// See [`Fabric::keep_latest`]; none without it.
    pub fn latest(&self) -> Option<&Latest> {
        self.ledger.latest()
    }

    /// What guards refused, in the order it happened, at most `record_limit`.
    pub fn refusals(&self) -> &[Refusal] {
        self.watch.as_ref().map_or(&[], |watch| watch.refusals())
    }

    /// Every flow ever made; [`record::FlowId`] is the index. Put together on demand.
    pub fn flows(&self) -> Vec<FlowRecord> {
        self.balancers.table().records()
    }

    /// Every mapping that a NAT gateway ever made; [`record::MappingId`] is the index. Put together on demand.
    pub fn mappings(&self) -> Vec<MappingRecord> {
        self.gateways.records()
    }

    /// What each NAT gateway counts.
    pub fn nat_counters(&self) -> Vec<NatCounters> {
        self.gateways.counters()
    }

    /// Every connection attempt, in the order they began. Put together on demand.
    pub fn conversations(&self) -> Vec<Conversation> {
        self.conversations.all(self.balancers.table())
    }

    /// The latest attempt on a tuple, as its client wrote it.
    pub fn conversation(&self, tuple: &Tuple) -> Option<Conversation> {
        self.conversations.latest(self.balancers.table(), tuple)
    }

    /// The sums over all packets.
    pub fn totals(&self) -> &Totals {
        self.ledger.totals()
    }

    /// What the balancers count.
    pub fn meter(&self) -> &Meter {
        self.balancers.meter()
    }

    /// What the interfaces of VPC endpoints came to.
    pub fn endpoint_readings(&self) -> Vec<EndpointReading> {
        self.endpoints.readings()
    }

    /// True when a target is to be checked: it is registered and the registration is through, or it is draining.
    /// Panics when the configuration has no such group or target.
    pub fn is_checked(&self, group: GroupId, target: usize) -> bool {
        self.balancers.targets().is_checked(group, target)
    }

    /// One target's health, as `describe-target-health` tells it. Panics when the configuration has no such group
    /// or target.
    pub fn target_health(&self, group: GroupId, target: usize) -> &TargetHealth {
        self.balancers.targets().health(group, target)
    }

    /// True when a zonal address is in its balancer's DNS name, as far as the health of targets goes. Panics when
    /// the configuration has no such zonal address.
    pub fn zone_in_dns(&self, balancer: BalancerId, zonal: ZonalId) -> bool {
        targets::zone_in_dns(&self.config, self.balancers.targets(), balancer, zonal)
    }

    /// What the service proxy of a node did; none of a host that has none here.
    pub fn service_proxy(&self, port: PortId, now: Duration) -> Option<ProxyCounters> {
        let proxy = self.config.service_proxy.as_deref();
        self.service_proxies.counters(port, proxy, now)
    }

    /// Packets delivered to a host that carried its own address as source (the kernel calls them martian).
    /// Panics when the configuration has no such port.
    pub fn self_sourced(&self, port: PortId) -> u64 {
        let own = self.routes.own(port);
        own.map(|address| self.self_sourced_by(address)).sum()
    }

    /// Packets delivered toward a host that carried this address of it as source. They are for itself where it is inside the
    /// host at whose device they were delivered.
    pub fn self_sourced_by(&self, address: Ipv4Addr) -> u64 {
        self.self_sourced.get(&address).copied().unwrap_or(0)
    }

    /// Which IPv6 address is meant by which of the addresses in all of these.
    pub fn stand_ins(&self) -> &StandIns {
        &self.stand_ins
    }

    /// Packets that each drop rule took, in the order of [`change::Change::Drop`].
    pub fn dropped_by_rule(&self) -> Vec<u64> {
        self.faults.dropped()
    }

    /// What it was made of.
    pub fn config(&self) -> &Config {
        &self.config
    }
}
