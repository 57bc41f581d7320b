//! Flows that the balancer ends by itself: of a target that was deregistered, of a group that lost its weight.
//!
//! Deciding only: who is told, and with which sequence numbers. The RSTs are made in `reply`.

use super::super::config::{Balancer, BalancerId, Config, GroupId, Protocol, TerminationReset};
use super::super::flow_table::{AT_KERNEL, Side};
use super::super::metric::Metric;
use super::super::record::{FlowId, FlowState};
use super::Balancers;
use std::collections::VecDeque;
use std::net::SocketAddrV4;
use std::time::Duration;

/// What is to end, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scheduled {
    at: Duration,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// The flows of a target.
    Target(GroupId, usize),
    /// The flows of a listener (by its port and protocol) to one of its groups.
    Forward(BalancerId, u16, Protocol, GroupId),
}

/// RSTs for a flow that has been ended. None: that side is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// The flow.
    pub flow: FlowId,
    /// Toward the client.
    pub client: Option<Reset>,
    /// Toward the target.
    pub target: Option<Reset>,
}

/// A RST that nobody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// As whom.
    pub from: SocketAddrV4,
    /// To whom.
    pub to: SocketAddrV4,
    /// What the receiver expects next: anything else is met with a challenge ACK (RFC 5961 section 3.2).
    pub seq: u32,
    /// Acknowledges the SYN of a client that still waits for its answer, and takes a RST only with that.
    pub ack: Option<u32>,
}

/// Flows to be ended, and those whose ends are to be told.
#[derive(Default)]
pub(super) struct Terminations {
    scheduled: Vec<Scheduled>,
    due: VecDeque<Farewell>,
}

impl Terminations {
    #[inline]
    pub(super) fn next_check(&self) -> Option<Duration> {
        self.scheduled.iter().map(|one| one.at).min()
    }
}

impl Balancers {
    /// The next flow whose end is to be told.
    pub fn next_farewell(&mut self) -> Option<Farewell> {
        self.terminations.due.pop_front()
    }

    /// A target was deregistered: perhaps its flows end after the delay.
    pub(super) fn schedule_deregistration(
        &mut self,
        config: &Config,
        now: Duration,
        group: GroupId,
        target: usize,
    ) {
        let section = &config.groups[group.0 as usize];
        if section.attributes.terminate_deregistered {
            let delay = section.attributes.deregistration_delay;
            let at = now + delay + section.emulate.termination_delay;
            self.schedule(at, What::Target(group, target));
        }
    }

    /// Groups that lost their weight: what a listener has there ends after a while.
    pub(super) fn schedule_weightless(&mut self, now: Duration, old: &Config, new: &Config) {
        let balancers = old.balancers.iter().zip(&new.balancers);
        for (id, (before, after)) in (0u16..).map(BalancerId).zip(balancers) {
            for listener in &before.listeners {
                let (port, protocol) = (listener.port, listener.protocol);
                for forward in listener.forward.iter().filter(|f| f.weight > 0) {
                    let group = forward.group;
                    if weight(after, port, protocol, group) == Some(0) {
                        let delay = new.groups[group.0 as usize].emulate.zero_weight_delay;
                        let what = What::Forward(id, port, protocol, group);
                        self.schedule(now + delay, what);
                    }
                }
            }
        }
    }

    fn schedule(&mut self, at: Duration, what: What) {
        let scheduled = &mut self.terminations.scheduled;
        scheduled.retain(|other| other.what != what);
        scheduled.push(Scheduled { at, what });
    }

    /// Ends what is due, unless it has been taken back since.
    pub(super) fn terminate(&mut self, now: Duration, config: &Config) {
        if self.terminations.next_check().is_none_or(|at| at > now) {
            return;
        }
        let (due, later) = std::mem::take(&mut self.terminations.scheduled)
            .into_iter()
            .partition(|one| one.at <= now);
        self.terminations.scheduled = later;
        let due: Vec<Scheduled> = due;
        for one in due {
            if self.stands(config, one.what) {
                self.end_flows(now, config, one.what);
            }
        }
    }

    fn stands(&self, config: &Config, what: What) -> bool {
        match what {
            What::Target(group, target) => self.targets.is_deregistered(group, target),
            What::Forward(balancer, port, protocol, group) => {
                let balancer = &config.balancers[balancer.0 as usize];
                weight(balancer, port, protocol, group) == Some(0)
            }
        }
    }

    fn end_flows(&mut self, now: Duration, config: &Config, what: What) {
        for flow in self.table.living() {
            let record = self.table.record(flow);
            let group = record.group;
            let meant = match what {
                What::Target(of, target) => of == group && record.target == target,
                What::Forward(balancer, port, protocol, of) => {
                    of == group
                        && record.balancer == balancer
                        && record.client_side.to.port() == port
                        && record.client_side.protocol == protocol
                }
            };
            if meant {
                let told = config.groups[group.0 as usize].emulate.termination_reset;
                self.end_flow(now, flow, told);
            }
        }
    }

    /// Ends a flow. What comes later meets its tombstone.
    fn end_flow(&mut self, now: Duration, flow: FlowId, told: TerminationReset) {
        self.table.end(flow);
        let state = self.table.entry(flow).state();
        self.enter(now, flow, FlowState::Closed);
        self.enter(now, flow, FlowState::Expired);
        let entry = self.table.entry(flow);
        let (node, shift) = (entry.node, self.proxy_headers.shift(flow));
        if entry.protocol == Protocol::Udp {
            return;
        }
        let at_kernel = entry.has(AT_KERNEL);
        let opening = state == FlowState::SynSent;
        let client = Reset {
            from: entry.zonal(),
            to: entry.client(),
            seq: if opening {
                0
            } else {
                entry.expects(Side::Client)
            },
            ack: opening.then(|| entry.isn().wrapping_add(1)),
        };
        let target = Reset {
            from: entry.source(),
            to: entry.target(),
            seq: entry.expects(Side::Target).wrapping_add(shift),
            ack: None,
        };
        let (client, target) = match told {
            TerminationReset::Both => (Some(client), Some(target)),
            TerminationReset::Client => (Some(client), None),
            TerminationReset::Target => (None, Some(target)),
            TerminationReset::Neither => (None, None),
        };
        // A kernel of this address that is told is not, and tells the target.
        let to_target = target.is_some() && !at_kernel;
        let made = u64::from(client.is_some()) + u64::from(to_target);
        self.meter.add(node, Metric::TcpElbResetCount, made);
        self.terminations.due.push_back(Farewell {
            flow,
            client,
            target,
        });
    }
}

/// The weight of a group in a listener's action; none: it is not in it.
fn weight(balancer: &Balancer, port: u16, protocol: Protocol, group: GroupId) -> Option<u16> {
    let mut listeners = balancer.listeners.iter();
    let listener = listeners.find(|l| l.port == port && l.protocol == protocol)?;
    let forward = listener.forward.iter().find(|f| f.group == group)?;
    Some(forward.weight)
}
