//! What a balancer counts, under the names CloudWatch publishes (`AWS/NetworkELB`).
//!
//! Not here: per-port and per-reason drops (see `ledger`). CloudWatch reports sums and averages over a minute;
//! these are the plain running values.

use super::config::Protocol;
use super::guard::rules::Direction;
use crate::packet::{Headers, ICMP, TCP, UDP};

/// Counters of one balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BalancerCounters {
    /// Flows neither closed nor expired now.
    pub active_flow_count: u64,
    /// Of those, TCP.
    pub active_flow_count_tcp: u64,
    /// Of those, UDP.
    pub active_flow_count_udp: u64,
    /// Flows ever made.
    pub new_flow_count: u64,
    /// Of those, TCP.
    pub new_flow_count_tcp: u64,
    /// Of those, UDP.
    pub new_flow_count_udp: u64,
    /// Bytes of IP packets carried, both directions.
    pub processed_bytes: u64,
    /// Packets carried, both directions. A super-packet counts as the packets it would be on a wire.
    pub processed_packets: u64,
    /// RSTs forwarded from a client to a target.
    pub tcp_client_reset_count: u64,
    /// RSTs forwarded from a target to a client.
    pub tcp_target_reset_count: u64,
    /// RSTs the balancer made.
    pub tcp_elb_reset_count: u64,
    /// Flows refused because no source port toward the target was left.
    pub port_allocation_error_count: u64,
    /// Flows refused because no target was eligible or the table was full.
    pub rejected_flow_count: u64,
    /// Of those, TCP.
    pub rejected_flow_count_tcp: u64,
    /// New flows and messages of clients that the balancer's security groups refused.
    pub security_group_blocked_inbound: Blocked,
    /// New flows and messages toward targets that they refused.
    pub security_group_blocked_outbound: Blocked,
}

/// What security groups refused, by protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blocked {
    /// TCP flows.
    pub tcp: u64,
    /// UDP flows.
    pub udp: u64,
    /// ICMP messages.
    pub icmp: u64,
}

impl BalancerCounters {
    /// Every counter under its CloudWatch name, always all of them.
    pub fn metrics(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("ActiveFlowCount", self.active_flow_count),
            ("ActiveFlowCount_TCP", self.active_flow_count_tcp),
            ("ActiveFlowCount_UDP", self.active_flow_count_udp),
            ("NewFlowCount", self.new_flow_count),
            ("NewFlowCount_TCP", self.new_flow_count_tcp),
            ("NewFlowCount_UDP", self.new_flow_count_udp),
            ("ProcessedBytes", self.processed_bytes),
            ("ProcessedPackets", self.processed_packets),
            ("TCP_Client_Reset_Count", self.tcp_client_reset_count),
            ("TCP_Target_Reset_Count", self.tcp_target_reset_count),
            ("TCP_ELB_Reset_Count", self.tcp_elb_reset_count),
            ("PortAllocationErrorCount", self.port_allocation_error_count),
            ("RejectedFlowCount", self.rejected_flow_count),
            ("RejectedFlowCount_TCP", self.rejected_flow_count_tcp),
            (
                "SecurityGroupBlockedFlowCount_Inbound_TCP",
                self.security_group_blocked_inbound.tcp,
            ),
            (
                "SecurityGroupBlockedFlowCount_Inbound_UDP",
                self.security_group_blocked_inbound.udp,
            ),
            (
                "SecurityGroupBlockedFlowCount_Inbound_ICMP",
                self.security_group_blocked_inbound.icmp,
            ),
            (
                "SecurityGroupBlockedFlowCount_Outbound_TCP",
                self.security_group_blocked_outbound.tcp,
            ),
            (
                "SecurityGroupBlockedFlowCount_Outbound_UDP",
                self.security_group_blocked_outbound.udp,
            ),
            (
                "SecurityGroupBlockedFlowCount_Outbound_ICMP",
                self.security_group_blocked_outbound.icmp,
            ),
        ]
    }

    /// A flow is made.
    pub(super) fn opened(&mut self, protocol: Protocol) {
        self.active(protocol);
        self.new_flow_count += 1;
        match protocol {
            Protocol::Tcp => self.new_flow_count_tcp += 1,
            Protocol::Udp => self.new_flow_count_udp += 1,
        }
    }

    /// A flow is alive (again).
    pub(super) fn active(&mut self, protocol: Protocol) {
        self.active_flow_count += 1;
        match protocol {
            Protocol::Tcp => self.active_flow_count_tcp += 1,
            Protocol::Udp => self.active_flow_count_udp += 1,
        }
    }

    /// A flow is closed or expired.
    pub(super) fn ended(&mut self, protocol: Protocol) {
        self.active_flow_count -= 1;
        match protocol {
            Protocol::Tcp => self.active_flow_count_tcp -= 1,
            Protocol::Udp => self.active_flow_count_udp -= 1,
        }
    }

    /// A flow is refused.
    pub(super) fn rejected(&mut self, protocol: Protocol) {
        self.rejected_flow_count += 1;
        match protocol {
            Protocol::Tcp => self.rejected_flow_count_tcp += 1,
            Protocol::Udp => {}
        }
    }

    /// The balancer's security groups refused a packet. Protocols beside these three have no counter.
    pub(super) fn blocked(&mut self, direction: Direction, protocol: u8) {
        let blocked = match direction {
            Direction::In => &mut self.security_group_blocked_inbound,
            Direction::Out => &mut self.security_group_blocked_outbound,
        };
        match protocol {
            TCP => blocked.tcp += 1,
            UDP => blocked.udp += 1,
            ICMP => blocked.icmp += 1,
            _ => {}
        }
    }

    /// A packet is sent on.
    pub(super) fn carried(&mut self, headers: &Headers) {
        self.processed_packets += headers.wire_packets() as u64;
        self.processed_bytes += headers.wire_bytes() as u64;
    }
}
