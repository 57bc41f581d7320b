//! The balancers' counters as CloudWatch shows them: by load balancer, zone and target group.

use crate::evidence::clock::{EPOCH, timestamp};
use crate::evidence::{Datapoint, Dimension, MetricEvidence, MetricStatistics, resource_id};
use crate::fabric::config::{BalancerId, GroupId, Kind, ZonalId};
use crate::fabric::meter::{Reading, Statistics};
use crate::fabric::metric::{Criterion, Dimensions, Measure, Metric, Namespace, Row};
use crate::plan::Plan;
use std::collections::{BTreeMap, BTreeSet};

/// Everything the balancers counted.
pub(super) struct Metrics<'a> {
    plan: &'a Plan,
    /// One of each zonal address.
    readings: BTreeMap<Key, Vec<&'a Reading>>,
}

/// Balancer, target group, period.
type Key = (BalancerId, Option<GroupId>, Option<u64>);

/// A set of dimensions.
#[derive(Clone, Copy)]
struct Place {
    balancer: BalancerId,
    zonal: Option<ZonalId>,
    group: Option<GroupId>,
}

impl<'a> Metrics<'a> {
    pub(super) fn new(plan: &'a Plan, readings: &'a [Reading]) -> Self {
        let mut sorted: BTreeMap<Key, Vec<&Reading>> = BTreeMap::new();
        for reading in readings {
            let key = (reading.balancer, reading.group, reading.period);
            sorted.entry(key).or_default().push(reading);
        }
        Self {
            plan,
            readings: sorted,
        }
    }

    /// Every metric of a balancer, or of one of its zonal addresses. `HealthyHostCount` and the like, which CloudWatch
    /// has by target group only, are summed over the groups.
    pub(super) fn of_balancer(
        &self,
        balancer: BalancerId,
        zonal: Option<ZonalId>,
    ) -> BTreeMap<String, i64> {
        let place = Place {
            balancer,
            zonal,
            group: None,
        };
        let groups = || self.groups(balancer).into_iter();
        let value = |row: &Row| match row.dimensions {
            Dimensions::Balancer | Dimensions::BalancerAndGroup => self.value(place, row),
            Dimensions::Group => groups()
                .map(|group| {
                    let place = Place {
                        group: Some(group),
                        ..place
                    };
                    self.value(place, row)
                })
                .sum(),
        };
        self.namespace(balancer)
            .counts()
            .map(|row| (row.name.to_owned(), whole(value(row))))
            .collect()
    }

    /// The metrics that exist for target groups, over all balancers that use it.
    pub(super) fn of_group(&self, group: GroupId) -> BTreeMap<String, i64> {
        let balancers: Vec<BalancerId> = self
            .balancers()
            .filter(|balancer| self.groups(*balancer).contains(&group))
            .collect();
        let namespace = match self.plan.fabric.groups[usize::from(group.0)].http {
            true => Namespace::Application,
            false => Namespace::Network,
        };
        namespace
            .counts()
            .filter(|row| row.dimensions != Dimensions::Balancer)
            .map(|row| {
                let values = balancers.iter().map(|balancer| {
                    let place = Place {
                        balancer: *balancer,
                        zonal: None,
                        group: Some(group),
                    };
                    self.value(place, row)
                });
                let value = match row.dimensions {
                    Dimensions::Group => values.fold(0.0, f64::max),
                    Dimensions::Balancer | Dimensions::BalancerAndGroup => values.sum(),
                };
                (row.name.to_owned(), whole(value))
            })
            .collect()
    }

    /// What CloudWatch would have: each metric for each of its sets of dimensions, where it is reported.
    pub(super) fn published(&self) -> Vec<MetricEvidence> {
        let mut list = Vec::new();
        for balancer in self.balancers() {
            let mut places = Vec::new();
            for group in std::iter::once(None).chain(self.groups(balancer).into_iter().map(Some)) {
                let zonals = self.plan.fabric.balancers[usize::from(balancer.0)]
                    .zonal
                    .len();
                let zonals = (0..zonals).map(|zonal| Some(ZonalId(zonal as u8)));
                for zonal in std::iter::once(None).chain(zonals) {
                    places.push(Place {
                        balancer,
                        zonal,
                        group,
                    });
                }
            }
            for row in self.namespace(balancer).rows() {
                for place in &places {
                    let exists = match row.dimensions {
                        Dimensions::Balancer => place.group.is_none(),
                        Dimensions::BalancerAndGroup => true,
                        Dimensions::Group => place.group.is_some(),
                    };
                    if exists {
                        list.extend(self.series(*place, row));
                    }
                }
            }
        }
        list
    }

    fn balancers(&self) -> impl Iterator<Item = BalancerId> + use<> {
        (0..self.plan.fabric.balancers.len() as u16).map(BalancerId)
    }

    fn namespace(&self, balancer: BalancerId) -> Namespace {
        let balancer = &self.plan.fabric.balancers[usize::from(balancer.0)];
        Namespace::from(&balancer.kind)
    }

    /// The groups that a balancer forwards to, at any time.
    fn groups(&self, balancer: BalancerId) -> BTreeSet<GroupId> {
        let networks = self.plan.networks();
        let listeners =
            networks.flat_map(|network| &network.balancers[usize::from(balancer.0)].listeners);
        let forwards = listeners.flat_map(|listener| &listener.forward);
        forwards.map(|forward| forward.group).collect()
    }

    /// What the zonal addresses of a place counted over the whole time, or in one period.
    fn statistics(&self, place: Place, period: Option<u64>, metric: Metric) -> Vec<Statistics> {
        let all = self.readings.get(&(place.balancer, place.group, period));
        all.into_iter()
            .flatten()
            .filter(|reading| place.zonal.is_none_or(|zonal| zonal == reading.zonal))
            .map(|reading| reading.of(metric))
            .collect()
    }

    /// One figure for a place: events in all; flows alive now at all addresses; the largest peak; of what each
    /// address sees for itself the most hosts, and the worst zone.
    fn value(&self, place: Place, row: &Row) -> f64 {
        let all = self.statistics(place, None, row.metric);
        let values = all.iter().map(|one| one.value);
        match (row.measure, row.dimensions) {
            (Measure::Level, Dimensions::Group) | (Measure::Peak, _) => values.fold(0.0, f64::max),
            // The worst zone.
            (Measure::Level, Dimensions::Balancer) if row.metric == Metric::ZonalHealthStatus => {
                values.fold(f64::INFINITY, f64::min).min(1.0)
            }
            (Measure::Level, Dimensions::Balancer | Dimensions::BalancerAndGroup)
            | (Measure::Sum | Measure::Time, _) => values.sum(),
        }
    }

    fn series(&self, place: Place, row: &Row) -> Option<MetricEvidence> {
        let mut statistics = together(&self.statistics(place, None, row.metric));
        let own = (place.balancer, None, None)..=(place.balancer, None, Some(u64::MAX));
        let periods: Vec<u64> = self
            .readings
            .range(own)
            .filter_map(|((_, _, period), _)| *period)
            .collect();
        let told = |statistics: &MetricStatistics| match row.criterion {
            Criterion::Always => true,
            Criterion::Registered => statistics.sample_count > 0,
            Criterion::Nonzero => statistics.maximum > 0.0,
        };
        // Without traffic there are no data points at all.
        if periods.is_empty() || !told(&statistics) {
            return None;
        }
        let datapoints: Vec<Datapoint> = periods
            .into_iter()
            .map(|period| Datapoint {
                timestamp: timestamp(EPOCH + 60 * period as i64),
                statistics: together(&self.statistics(place, Some(period), row.metric)),
            })
            .filter(|point| told(&point.statistics))
            .collect();
        if row.measure == Measure::Sum {
            // Of what comes together the extremes are those of any minute.
            let points = datapoints.iter().map(|point| point.statistics);
            statistics.maximum = points.clone().map(|one| one.maximum).fold(0.0, f64::max);
            statistics.minimum = points
                .map(|one| one.minimum)
                .fold(statistics.maximum, f64::min);
        }
        Some(MetricEvidence {
            namespace: self.namespace(place.balancer).name().to_owned(),
            metric_name: row.name.to_owned(),
            dimensions: self.dimensions(place),
            unit: row.unit.to_owned(),
            statistics,
            datapoints,
        })
    }

    fn dimensions(&self, place: Place) -> Vec<Dimension> {
        let balancer = &self.plan.fabric.balancers[usize::from(place.balancer.0)];
        let dimension = |name: &str, value| Dimension {
            name: name.to_owned(),
            value,
        };
        let id = resource_id(&balancer.name);
        let mut dimensions = vec![match self.namespace(place.balancer) {
            Namespace::Network => dimension("LoadBalancer", format!("net/{}/{id}", balancer.name)),
            Namespace::Application => {
                dimension("LoadBalancer", format!("app/{}/{id}", balancer.name))
            }
            Namespace::Classic => dimension("LoadBalancerName", balancer.name.clone()),
        }];
        if let Some(zonal) = place.zonal {
            let zone = balancer.zonal[usize::from(zonal.0)].zone.clone();
            dimensions.push(dimension("AvailabilityZone", zone));
        }
        // Instances of a classic balancer are in no group that anybody knows.
        let group = place
            .group
            .filter(|_| !matches!(balancer.kind, Kind::Classic(_)));
        if let Some(group) = group {
            let name = &self.plan.fabric.groups[usize::from(group.0)].name;
            let name = format!("targetgroup/{name}/{}", resource_id(name));
            dimensions.push(dimension("TargetGroup", name));
        }
        dimensions
    }
}

/// As CloudWatch sums up what several zonal addresses report. A time has as many samples as something took any.
fn together(all: &[Statistics]) -> MetricStatistics {
    let samples: u64 = all.iter().map(|one| one.samples).sum();
    let weighed = all.iter().map(|one| one.average * one.samples as f64);
    let some = all.iter().filter(|one| one.samples > 0);
    MetricStatistics {
        // Of nothing it is 0, and not the -0 of an empty sum.
        sum: all
            .iter()
            .map(|one| one.value)
            .fold(0.0, |all, one| all + one),
        average: weighed.sum::<f64>() / samples.max(1) as f64,
        minimum: some.map(|one| one.minimum).fold(f64::INFINITY, f64::min),
        maximum: all.iter().map(|one| one.maximum).fold(0.0, f64::max),
        sample_count: samples as i64,
    }
    .finite()
}

/// Expressions count in whole numbers; a peak of a fraction is not nothing.
fn whole(value: f64) -> i64 {
    value.ceil() as i64
}
