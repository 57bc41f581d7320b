//! The second connections of TLS listeners, which the kernels of zonal addresses make: from ports lent out of the pools that
//! flows without their client's address have; and whether keepalives come over either connection, which kernels keep to
//! themselves.
//!
//! Observed on: AWS Network Load Balancer, whose limit is one of (load balancer address, target), whoever connects. Whether
//! the client's connection is dropped before its handshake or after is not documented: here its SYN is, as one is to a
//! listener that terminates nothing.

use super::super::config::{BalancerId, GroupId, Protocol, ZonalId};
use super::super::flow_table::{Key, Side};
use super::super::record::{FlowId, FlowState};
use super::Balancers;
use crate::packet::{Headers, tcp};
use rustc_hash::{FxHashMap, FxHashSet};
use std::net::SocketAddrV4;
use std::time::Duration;

/// A port that a kernel may connect from, toward one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loan {
    /// The zonal address, or a secondary one, and the port.
    pub source: SocketAddrV4,
    /// The target.
    pub target: SocketAddrV4,
}

/// Where a client's second connection leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The group of its flow.
    pub group: GroupId,
    /// The target's place in it.
    pub target: usize,
    /// From where to where; to be given back. None: the port that there was for it went back before, and none is left.
    pub loan: Option<Loan>,
}

/// What a zonal address's kernel cannot see of a client's connection and the one it made for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairStanding {
    /// A keepalive has come from one of the ends.
    pub keepalives: bool,
    /// The balancer has forgotten the client's connection, or ended it.
    pub expired: bool,
}

/// What was lent, and what came over the connections.
#[derive(Default)]
pub(super) struct Loans {
    /// For flows whose second connection has not begun.
    waiting: FxHashMap<FlowId, Loan>,
    /// By target and source: what the target's next sequence number is, once it has said something.
    targets: FxHashMap<(SocketAddrV4, SocketAddrV4), Option<u32>>,
    /// Over which a keepalive came: from clients, and from targets.
    kept: FxHashSet<FlowId>,
    kept_by_target: FxHashSet<(SocketAddrV4, SocketAddrV4)>,
}

impl Loans {
    pub(super) fn begin(&mut self, flow: FlowId, loan: Loan) {
        self.waiting.insert(flow, loan);
    }

    /// A client says something to the kernel that its connection ends at, which expects this number next.
    pub(super) fn hear_client(&mut self, flow: FlowId, headers: &Headers, expected: u32) {
        if is_keepalive(headers, expected) {
            self.kept.insert(flow);
        }
    }
}

/// A segment of nothing, from before what comes next (RFC 1122 section 4.2.3.6).
fn is_keepalive(headers: &Headers, expected: u32) -> bool {
    let bare = headers.flags & (tcp::SYN | tcp::FIN | tcp::RST) == 0 && headers.payload_len() == 0;
    bare && headers.seq.wrapping_add(1) == expected
}

impl Balancers {
    /// Takes a port of a zonal address for a connection of its own to a target: of this client, or instead of one that did
    /// not serve. None: all are taken.
    pub fn lend(
        &mut self,
        now: Duration,
        balancer: BalancerId,
        zonal: ZonalId,
        client: Option<SocketAddrV4>,
        target: SocketAddrV4,
    ) -> Option<Loan> {
        let source = self.take_source(now, (balancer, zonal), client, target)?;
        self.loans.targets.insert((target, source), None);
        Some(Loan { source, target })
    }

    /// Takes a port back; it rests as those of flows do.
    pub fn give_back(&mut self, now: Duration, loan: Loan) {
        let Loan { source, target } = loan;
        self.loans.targets.remove(&(target, source));
        self.loans.kept_by_target.remove(&(target, source));
        self.pools.rest(now, *source.ip(), target, source.port());
    }

    /// Where the second connection of a client leads, whose first ends at this listener of a zonal address's kernel.
    pub fn behind(
        &mut self,
        now: Duration,
        listener: SocketAddrV4,
        client: SocketAddrV4,
        address: impl FnOnce(GroupId, usize) -> SocketAddrV4,
    ) -> Option<Behind> {
        let key = Key::new(Protocol::Tcp, listener, client);
        let flow = self.table.find(Side::Target, key)?;
        let record = self.table.record(flow);
        let (group, target) = (record.group, record.target);
        let loan = match self.loans.waiting.remove(&flow) {
            Some(loan) => Some(loan),
            None => {
                let target = address(group, target);
                self.lend(now, record.balancer, record.zonal, Some(client), target)
            }
        };
        Some(Behind {
            group,
            target,
            loan,
        })
    }

    /// A flow is over: what was lent for it and not asked for is free.
    pub(super) fn end_loan(&mut self, now: Duration, flow: FlowId) {
        self.loans.kept.remove(&flow);
        if let Some(loan) = self.loans.waiting.remove(&flow) {
            self.give_back(now, loan);
        }
    }

    /// A target says something to a kernel that connected to it.
    pub fn hear_target(&mut self, headers: &Headers) {
        let ends = (headers.from, headers.to);
        let Some(next) = self.loans.targets.get_mut(&ends) else {
            return;
        };
        if next.is_some_and(|next| is_keepalive(headers, next)) {
            self.loans.kept_by_target.insert(ends);
        }
        let marks = headers.flags & (tcp::SYN | tcp::FIN);
        let end = headers
            .seq
            .wrapping_add(headers.payload_len() as u32)
            .wrapping_add(marks.count_ones());
        match next {
            Some(next) => tcp::raise(next, end),
            None => *next = Some(end),
        }
    }

    /// How a client's connection stands that ends at this listener of a zonal address's kernel, and the second one from a lent
    /// port.
    pub fn standing_of_pair(
        &self,
        listener: SocketAddrV4,
        client: SocketAddrV4,
        loan: Loan,
    ) -> PairStanding {
        let key = Key::new(Protocol::Tcp, listener, client);
        let flow = self.table.find(Side::Target, key);
        let ends = (loan.target, loan.source);
        let kept = flow.is_some_and(|flow| self.loans.kept.contains(&flow));
        PairStanding {
            keepalives: kept || self.loans.kept_by_target.contains(&ends),
            expired: flow.is_some_and(|flow| self.table.entry(flow).state() == FlowState::Expired),
        }
    }
}
