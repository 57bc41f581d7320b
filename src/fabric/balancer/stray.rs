//! What a balancer refuses: flows it has no target or no room for, and segments that belong to no living flow.

use super::super::config::{BalancerId, OnMissingFlow, Protocol};
use super::super::flow_table::ANSWERED;
use super::super::meter::NodeId;
use super::super::metric::Metric;
use super::super::record::{Answer, FlowId, Reason};
use super::{Balancers, Decision};
use crate::packet::{Headers, TCP};

impl Balancers {
    pub(super) fn reject(&mut self, node: NodeId, protocol: Protocol, reason: Reason) -> Reason {
        self.meter.rejected(node, protocol.into());
        reason
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
