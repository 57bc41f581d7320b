//! What a balancer refuses: flows it has no target or no room for, and segments that belong to no living flow.

use super::super::config::{BalancerId, OnMissingFlow, OnNoTarget, OnTargetError, Protocol};
use super::super::flow_table::ANSWERED;
use super::super::meter::NodeId;
use super::super::metric::Metric;
use super::super::record::{Answer, FlowId, Reason};
use super::{Arrival, Balancers, Decision};
use crate::packet::{Headers, TCP};

impl Balancers {
    pub(super) fn reject(&mut self, node: NodeId, protocol: Protocol, reason: Reason) -> Reason {
        self.meter.rejected(node, protocol.into());
        reason
    }

    /// What the sender of a flow that was not opened is told.
    pub(super) fn turn_away(&mut self, at: Arrival, headers: &Headers, reason: Reason) -> Decision {
        let told = match self.state(at.balancer).on_no_target {
            OnNoTarget::Drop => false,
            OnNoTarget::Reset => reason == Reason::NoTarget && headers.protocol == TCP,
        };
        if !told {
            return Decision::dropped(reason);
        }
        let node = self.meter.node(at.balancer, at.zonal);
        self.meter.add(node, Metric::TcpElbResetCount, 1);
        Decision::Reset {
            answer: Answer::ResetNoTarget,
            flow: None,
        }
    }

    /// True when an ICMP error of a flow's target gets to its client.
    pub fn passes_error(&self, flow: FlowId, about_mtu: bool) -> bool {
        let balancer = self.table.entry(flow).balancer;
        match self.state(balancer).on_target_error {
            OnTargetError::Mtu => about_mtu,
            OnTargetError::Pass => true,
            OnTargetError::Drop => false,
        }
    }

    /// A packet that belongs to no flow, or to an expired one.
    pub(super) fn stray(
        &mut self,
        balancer: BalancerId,
        node: NodeId,
        headers: &Headers,
        flow: Option<FlowId>,
    ) -> Decision {
        let decision = self.judge_stray(balancer, headers, flow);
        if let Decision::Reset { .. } = decision {
            self.meter.add(node, Metric::TcpElbResetCount, 1);
        }
        decision
    }

    /// The same of what the kernel of a zonal address sends, by which it learns that its client's connection is over: that
    /// goes no further, so it is not counted. What the kernel then tells the target is.
    pub(super) fn judge_stray(
        &self,
        balancer: BalancerId,
        headers: &Headers,
        flow: Option<FlowId>,
    ) -> Decision {
        let silent = match self.state(balancer).on_missing_flow {
            OnMissingFlow::Reset => headers.protocol != TCP || headers.is_reset(),
            OnMissingFlow::Drop => true,
        };
        let stood = flow.filter(|flow| self.table.entry(*flow).has(ANSWERED));
        let (reason, answer) = match stood {
            Some(flow) if self.table.is_ended(flow) => {
                (Reason::ExpiredFlow, Answer::ResetTerminated)
            }
            Some(_) => (Reason::ExpiredFlow, Answer::ResetExpired),
            None => (Reason::MissingFlow, Answer::ResetNoFlow),
        };
        if silent {
            return Decision::Drop { reason, flow };
        }
        Decision::Reset { answer, flow }
    }
}
