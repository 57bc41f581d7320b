//! Endpoint services and the endpoints that lead to them.

use crate::fabric::config::{BalancerId, Config, Endpoint, EndpointZonal};
use crate::plan::Plan;
use std::fmt::Write;

/// Every endpoint with its interfaces; nothing when there is none.
pub(super) fn endpoints(plan: &Plan, out: &mut String) {
    if plan.fabric.endpoints.is_empty() {
        return;
    }
    line!(out, "\nENDPOINTS");
    for endpoint in &plan.fabric.endpoints {
        line!(
            out,
            "  {}: {}, to the service {}; targets see the load balancer's address",
            endpoint.name,
            endpoint.id,
            endpoint.service
        );
        for zonal in &endpoint.zonal {
            let behind = candidates(&plan.fabric, endpoint, zonal);
            let text = match behind.as_slice() {
                [] => "no load balancer: every packet is dropped".to_owned(),
                [only] => only.clone(),
                many => format!("one of {}, the same for ever", many.join(", ")),
            };
            line!(
                out,
                "    {}/{}  {} -> {text}",
                endpoint.name,
                zonal.zone,
                zonal.address
            );
        }
    }
}

/// The zonal addresses that an interface may lead to.
pub(super) fn candidates(
    config: &Config,
    endpoint: &Endpoint,
    interface: &EndpointZonal,
) -> Vec<String> {
    let balancer = |id: &BalancerId| &config.balancers[usize::from(id.0)];
    let active = endpoint
        .balancers
        .iter()
        .map(balancer)
        .filter(|balancer| balancer.failure.is_none());
    active
        .flat_map(|balancer| balancer.zonal.iter().map(move |zonal| (balancer, zonal)))
        .filter(|(_, zonal)| zonal.enabled && zonal.zone == interface.zone)
        .map(|(balancer, zonal)| format!("{}/{}", balancer.name, zonal.zone))
        .collect()
}
