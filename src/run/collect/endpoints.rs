//! VPC endpoints as evidence.

use crate::evidence::EndpointEvidence;
use crate::fabric::EndpointReading;
use crate::fabric::config::EndpointId;
use crate::fabric::record::{FlowRecord, FlowState};
use crate::plan::Plan;
use crate::run::books::Books;
use std::collections::BTreeMap;

pub(super) fn endpoints(plan: &Plan, books: &Books) -> BTreeMap<String, EndpointEvidence> {
    let all = (0..).map(EndpointId).zip(&plan.fabric.endpoints);
    all.map(|(id, endpoint)| {
        let zones = || endpoint.zonal.iter().map(|zonal| zonal.zone.clone());
        let addresses = endpoint.zonal.iter().map(|one| one.address.to_string());
        let readings = || books.endpoints.iter().filter(move |one| one.place.0 == id);
        let leads_to = readings().map(|one| leads_to(plan, one));
        let evidence = EndpointEvidence {
            id: endpoint.id.clone(),
            state: "available".to_owned(),
            service: endpoint.service.clone(),
            addresses: zones().zip(addresses).collect(),
            leads_to: zones().zip(leads_to).collect(),
            metrics: metrics(id, readings(), books),
        };
        (endpoint.name.clone(), evidence)
    })
    .collect()
}

fn leads_to(plan: &Plan, reading: &EndpointReading) -> String {
    reading.leads_to.map_or(String::new(), |(balancer, zonal)| {
        let balancer = &plan.fabric.balancers[usize::from(balancer.0)];
        let zone = &balancer.zonal[usize::from(zonal.0)].zone;
        format!("{}/{zone}", balancer.name)
    })
}

fn metrics<'a>(
    id: EndpointId,
    readings: impl Iterator<Item = &'a EndpointReading> + Clone,
    books: &Books,
) -> BTreeMap<String, i64> {
    let own = |flow: &&FlowRecord| flow.endpoint.is_some_and(|(endpoint, _)| endpoint == id);
    let flows = || books.flows.iter().filter(own);
    let active = |flow: &&FlowRecord| match flow.state {
        FlowState::SynSent | FlowState::Established | FlowState::Closing => true,
        FlowState::Closed | FlowState::Expired => false,
    };
    let bytes: u64 = readings.clone().map(|one| one.bytes).sum();
    let resets: u64 = readings.map(|one| one.resets).sum();
    [
        ("ActiveConnections", flows().filter(active).count() as i64),
        ("NewConnections", flows().count() as i64),
        ("BytesProcessed", bytes as i64),
        ("RstPacketsReceived", resets as i64),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
