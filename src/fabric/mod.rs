//! The emulated network between the hosts: routes, links, internet gateway, load balancers. Pure: it has no
//! clock and does no I/O. Give it a packet and the time, it hands the outcome to an [`Output`].
//!
//! Not here: TUN devices, threads, sockets (`world` drives this), names of YAML (`plan` lowers to [`Config`]).

pub mod config;
pub mod counters;
pub mod record;

use crate::packet::VnetHeader;
use config::{BalancerId, PortId};
use record::{Conversation, FlowRecord, PacketRecord, Totals, Tuple};
use std::time::Duration;

pub use config::Config;
pub use counters::BalancerCounters;

/// A packet as a device gave it.
pub struct Frame<'a> {
    /// What the kernel left undone.
    pub header: VnetHeader,
    /// The IP packet. The fabric rewrites it in place; its contents afterwards are of no use.
    pub packet: &'a mut [u8],
}

/// Where packets leave the fabric.
pub trait Output {
    /// Hands a packet to a host's device. False: the device refused it, and the packet is lost.
    fn deliver(&mut self, to: PortId, header: &VnetHeader, packet: &[u8]) -> bool;
}

/// The network. One owner, no lock, no clock: every call says what time it is, and time never runs backwards.
pub struct Fabric {
    config: Config,
    records: Vec<PacketRecord>,
    flows: Vec<FlowRecord>,
    conversations: Vec<Conversation>,
    totals: Totals,
    counters: Vec<BalancerCounters>,
}

impl Fabric {
    /// A network at rest.
    pub fn new(config: Config) -> Self {
        let counters = vec![BalancerCounters::default(); config.balancers.len()];
        Self {
            config,
            records: Vec::new(),
            flows: Vec::new(),
            conversations: Vec::new(),
            totals: Totals::default(),
            counters,
        }
    }

    /// Takes a packet that a host sent.
    pub fn receive(
        &mut self,
        _now: Duration,
        _from: PortId,
        _frame: Frame<'_>,
        _out: &mut impl Output,
    ) {
        self.totals.received += 1;
    }

    /// Does what is due: releases packets held in links, expires idle flows.
    pub fn advance(&mut self, _now: Duration, _out: &mut impl Output) {}

    /// When [`Fabric::advance`] has something to do next; none: only after another packet.
    pub fn next_deadline(&self) -> Option<Duration> {
        None
    }

    /// The packets' passages, in the order they happened, at most `record_limit`.
    pub fn records(&self) -> &[PacketRecord] {
        &self.records
    }

    /// Every flow ever made; [`record::FlowId`] is the index.
    pub fn flows(&self) -> &[FlowRecord] {
        &self.flows
    }

    /// Every connection attempt, in the order they began.
    pub fn conversations(&self) -> &[Conversation] {
        &self.conversations
    }

    /// The latest attempt on a tuple, as its client wrote it.
    pub fn conversation(&self, tuple: &Tuple) -> Option<&Conversation> {
        self.conversations
            .iter()
            .rev()
            .find(|conversation| conversation.tuple == *tuple)
    }

    /// The sums over all packets.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// A balancer's counters. Panics when the configuration has no such balancer.
    pub fn balancer_counters(&self, balancer: BalancerId) -> &BalancerCounters {
        &self.counters[balancer.0 as usize]
    }

    /// Packets delivered to a host that carried its own address as source (the kernel calls them martian).
    pub fn self_sourced(&self, _port: PortId) -> u64 {
        0
    }

    /// What it was made of.
    pub fn config(&self) -> &Config {
        &self.config
    }
}
