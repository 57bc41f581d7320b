//! NAT gateways as evidence: their mappings, and what they counted.

use crate::evidence::{
    Dimension, GatewayEvidence, Mapping, MetricEvidence, MetricStatistics, resource_id,
};
use crate::fabric::config::{Allocation, GatewayId, NatGateway, NatProfile, Protocol};
use crate::fabric::nat::NatCounters;
use crate::fabric::record::{MappingRecord, Tuple};
use crate::plan::Plan;
use crate::run::books::{Books, protocol, state_word};
use std::collections::{BTreeMap, HashMap};

pub(super) fn mappings(plan: &Plan, books: &Books) -> Vec<Mapping> {
    let records = books.mappings.iter();
    records
        .map(|record| Mapping {
            protocol: protocol(record.inside.protocol),
            gateway: plan.fabric.nat_gateways[usize::from(record.gateway.0)]
                .name
                .clone(),
            host: plan.hosts[record.host.0 as usize].name.clone(),
            inside: books.end(record.inside.from),
            outside: books.end(record.outside.from),
            remote: books.end(record.inside.to),
            opened: books.millis(record.opened),
            last: books.millis(record.last),
            forgotten_after: record
                .forgotten_after
                .map_or(0.0, |it| it.as_secs_f64() * 1e3),
            state: state_word(record.state).to_owned(),
        })
        .collect()
}

pub(super) fn gateways(plan: &Plan, books: &Books) -> BTreeMap<String, GatewayEvidence> {
    let all = (0u16..).map(GatewayId).zip(&plan.fabric.nat_gateways);
    all.zip(&books.nat_counters)
        .map(|((id, gateway), counters)| {
            let behind = plan.hosts.iter().zip(&plan.fabric.ports);
            let behind = behind.filter(|(_, port)| port.nat == Some(id));
            let made =
                |record: &&MappingRecord| record.gateway == id && record.opened >= books.offset;
            let metrics = gateway.profile.metrics().iter();
            let evidence = GatewayEvidence {
                profile: profile_word(gateway.profile).to_owned(),
                addresses: gateway.addresses.iter().map(ToString::to_string).collect(),
                hosts: behind.map(|(host, _)| host.name.clone()).collect(),
                metrics: metrics
                    .map(|metric| (metric.name.to_owned(), metric.of(counters) as i64))
                    .collect(),
                ports: match gateway.allocation {
                    Allocation::PerDestination(ports) => {
                        i64::from(ports) * gateway.addresses.len() as i64
                    }
                    Allocation::PerHost(ports) => i64::from(ports),
                },
                mappings: books.mappings.iter().filter(made).count() as i64,
                insert_failed: counters.insert_failed as i64,
                clash_resolve: counters.clash_resolve as i64,
            };
            (gateway.name.clone(), evidence)
        })
        .collect()
}

/// What the vendor's monitoring would have of the gateways: over the whole story, without single minutes.
pub(super) fn published(plan: &Plan, books: &Books) -> Vec<MetricEvidence> {
    let gateways = plan.fabric.nat_gateways.iter().zip(&books.nat_counters);
    gateways
        .filter(|(_, counters)| counters.from_source.packets > 0)
        .flat_map(|(gateway, counters)| series(gateway, counters))
        .collect()
}

fn series(gateway: &NatGateway, counters: &NatCounters) -> Vec<MetricEvidence> {
    let metrics = gateway.profile.metrics().iter();
    metrics
        .map(|metric| {
            let value = metric.of(counters) as f64;
            MetricEvidence {
                namespace: gateway.profile.namespace().to_owned(),
                metric_name: metric.name.to_owned(),
                dimensions: vec![Dimension {
                    name: gateway.profile.dimension().to_owned(),
                    value: format!("nat/{}/{}", gateway.name, resource_id(&gateway.name)),
                }],
                unit: metric.unit.to_owned(),
                statistics: MetricStatistics {
                    sum: value,
                    average: value,
                    minimum: value,
                    maximum: value,
                    sample_count: 1,
                },
                datapoints: Vec::new(),
            }
        })
        .collect()
}

fn profile_word(profile: NatProfile) -> &'static str {
    match profile {
        NatProfile::Aws => "aws",
        NatProfile::Azure => "azure",
        NatProfile::Google => "google",
    }
}

/// Mappings by what the host behind the gateway wrote, in the order they were made.
pub(super) struct ByInside<'a>(HashMap<Tuple, Vec<&'a MappingRecord>>);

impl<'a> ByInside<'a> {
    pub(super) fn new(records: &'a [MappingRecord]) -> Self {
        let mut sorted: HashMap<Tuple, Vec<&MappingRecord>> = HashMap::new();
        for record in records {
            sorted.entry(record.inside).or_default().push(record);
        }
        Self(sorted)
    }

    /// The first one made since then; of datagrams else the latest, which an earlier socket may have made.
    pub(super) fn since(
        &self,
        inside: &Tuple,
        began: std::time::Duration,
    ) -> Option<&'a MappingRecord> {
        let all = self.0.get(inside)?;
        let made = all.iter().find(|record| record.opened >= began);
        let earlier = all.last().filter(|_| inside.protocol == Protocol::Udp);
        made.or(earlier).copied()
    }
}

/// What the client wrote, of the side of a flow that it shows the balancer.
pub(super) fn as_written(records: &[MappingRecord]) -> HashMap<Tuple, Tuple> {
    let ends = records.iter().map(|record| (record.outside, record.inside));
    ends.collect()
}
