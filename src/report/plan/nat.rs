//! NAT gateways: who is behind which, as whom the internet sees them, how long a mapping is kept.

use super::listed;
use super::quantities::{cloud, time};
use crate::fabric::config::{Allocation, GatewayId, NatGateway, OnMissingFlow, PortOrder};
use crate::plan::Plan;
use std::fmt::Write;

pub(super) fn gateways(plan: &Plan, out: &mut String) {
    if plan.fabric.nat_gateways.is_empty() {
        return;
    }
    line!(out, "\nNAT GATEWAYS");
    for (id, gateway) in (0u16..).map(GatewayId).zip(&plan.fabric.nat_gateways) {
        let addresses: Vec<String> = gateway.addresses.iter().map(ToString::to_string).collect();
        line!(
            out,
            "  {}: zone {}, {}, {}",
            gateway.name,
            gateway.zone,
            listed(&addresses),
            ports(gateway)
        );
        line!(
            out,
            "    idle limit {}, {}",
            cloud(gateway.timeouts.established, plan.time_scale),
            expiry(gateway)
        );
        if !gateway.insertion_delay.is_zero() {
            line!(
                out,
                "    a port is chosen {} before its entry is inserted, {}",
                time(gateway.insertion_delay),
                clashes(gateway)
            );
        }
        let behind = plan.hosts.iter().zip(&plan.fabric.ports);
        let behind = behind.filter(|(_, port)| port.nat == Some(id));
        let names: Vec<String> = behind.map(|(host, _)| host.name.clone()).collect();
        let names = match names.is_empty() {
            true => "nobody".to_owned(),
            false => listed(&names),
        };
        line!(out, "    behind it: {names}");
    }
}

fn ports(gateway: &NatGateway) -> String {
    let order = match gateway.port_order {
        PortOrder::Random => "at random",
        PortOrder::Sequential => "the lowest first",
        PortOrder::Preserve => "the client's own if it is free",
    };
    match gateway.allocation {
        Allocation::PerDestination(ports) => {
            format!("{ports} ports for each address and destination, {order}")
        }
        Allocation::PerHost(ports) => format!("{ports} ports for each host, {order}"),
    }
}

fn clashes(gateway: &NatGateway) -> &'static str {
    match gateway.clash_resolve {
        true => "and datagrams of one socket share one",
        false => "also of datagrams of one socket",
    }
}

fn expiry(gateway: &NatGateway) -> &'static str {
    match (gateway.reset_at_expiry, gateway.on_missing_flow) {
        (true, _) => "then both ends are reset",
        (false, OnMissingFlow::Reset) => "data after that is reset",
        (false, OnMissingFlow::Drop) => "data after that is dropped",
    }
}
