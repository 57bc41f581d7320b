//! The counting of metrics: for each zonal address, and at it for each target group; over the whole time and over
//! periods of one minute of the cloud's time.
//!
//! Counting costs an addition, and nothing is allocated until a period with traffic is over. What the figures are
//! called and when CloudWatch has them is in `metric`; packets and their fates are in `ledger`.

mod cell;

use super::config::{Balancer, BalancerId, Config, GroupId, Protocol, ZonalId};
use super::guard::rules::Direction;
use super::metric::{Family, Measure, Metric};
use super::moment::nanos;
use super::targets::HostCounts;
use crate::packet::{Headers, ICMP, TCP, UDP};
use cell::{Cell, level};
use std::time::Duration;

pub use cell::Statistics;

/// Ten-second averages make a peak; a period has six of them.
const WINDOWS: u32 = 6;
/// A period where time is not scaled.
const MINUTE: Duration = Duration::from_secs(60);
/// Periods kept: a day of the cloud's time.
const PERIODS: usize = 1440;

/// A zonal address, among those of all balancers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId(u16);

/// What the counters of one place came to.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Whose.
    pub balancer: BalancerId,
    /// At which zonal address.
    pub zonal: ZonalId,
    /// Of which target group alone.
    pub group: Option<GroupId>,
    /// Number of the period, from 0; none: the whole time.
    pub period: Option<u64>,
    statistics: Vec<Statistics>,
}

impl Reading {
    /// One metric's.
    pub fn of(&self, metric: Metric) -> Statistics {
        self.statistics[metric as usize]
    }
}

/// A period that is over, with the cells where something was.
struct Period {
    number: u64,
    cells: Vec<(usize, Cell)>,
}

/// All counters of all balancers.
pub struct Meter {
    /// First zonal address of each balancer, and behind the last.
    first: Vec<usize>,
    /// Cells of one zonal address: its own, then those of the groups.
    stride: usize,
    cells: Vec<Cell>,
    /// The periods that are over, together; what follows a quiet one included.
    before: Vec<Cell>,
    periods: Vec<Period>,
    /// Nanoseconds of real time in a period.
    length: u64,
    /// When counting began, and when the period now did.
    began: u64,
    period: u64,
    /// Time has come this far.
    now: u64,
    busy: bool,
}

impl Meter {
    /// Nothing counted yet.
    pub fn new(config: &Config) -> Self {
        let stride = 1 + config.groups.len();
        let mut first = vec![0];
        let mut end = 0;
        for balancer in &config.balancers {
            end += balancer.zonal.len();
            first.push(end);
        }
        let mut meter = Self {
            first,
            stride,
            cells: vec![Cell::new(); end * stride],
            before: vec![Cell::new(); end * stride],
            periods: Vec::new(),
            length: match nanos(config.metric_period) {
                0 => nanos(MINUTE),
                length => length.max(u64::from(WINDOWS)),
            },
            began: 0,
            period: 0,
            now: 0,
            busy: false,
        };
        for (number, balancer) in config.balancers.iter().enumerate() {
            meter.expect(BalancerId(number as u16), balancer, config);
        }
        meter.restart(Duration::ZERO);
        meter
    }

    /// Levels before anything is known of anybody's health: every zone and every target counts as healthy.
    fn expect(&mut self, id: BalancerId, balancer: &Balancer, config: &Config) {
        for number in 0..balancer.zonal.len() {
            let node = self.node(id, ZonalId(number as u8));
            self.zone(node, true);
            for listener in &balancer.listeners {
                for forward in &listener.forward {
                    if config.groups[usize::from(forward.group.0)].inner.is_some() {
                        continue;
                    }
                    let targets = config.groups[usize::from(forward.group.0)].targets.iter();
                    let zonal = ZonalId(number as u8);
                    let seen = targets.filter(|target| {
                        target.registered && balancer.reaches(zonal, forward, target)
                    });
                    let healthy = seen.count();
                    let counts = HostCounts {
                        healthy,
                        unhealthy: 0,
                        registered: healthy,
                    };
                    self.hosts(node, forward.group, counts);
                }
            }
        }
    }

    /// Counting begins now; levels stay.
    pub fn restart(&mut self, now: Duration) {
        let now = nanos(now);
        (self.began, self.period, self.now, self.busy) = (now, now, now, false);
        self.periods.clear();
        for (cell, before) in self.cells.iter_mut().zip(&mut self.before) {
            cell.begin(now);
            *before = Cell::new();
            before.begin(now);
            before.adopt_levels(cell);
        }
    }

    /// Where a zonal address is counted.
    pub fn node(&self, balancer: BalancerId, zonal: ZonalId) -> NodeId {
        NodeId((self.first[usize::from(balancer.0)] + usize::from(zonal.0)) as u16)
    }

    /// The counters of a zonal address, or of a target group there.
    fn cell(&mut self, node: NodeId, group: Option<GroupId>) -> &mut Cell {
        let slot = group.map_or(0, |group| 1 + usize::from(group.0));
        &mut self.cells[usize::from(node.0) * self.stride + slot]
    }

    /// Counts events at a zonal address.
    pub fn add(&mut self, node: NodeId, metric: Metric, events: u64) {
        debug_assert_eq!(metric.row().measure, Measure::Sum);
        self.cell(node, None).values[metric as usize] += events;
        self.busy = true;
    }

    /// Counts events at a zonal address and for a target group.
    pub fn add_for(&mut self, node: NodeId, group: GroupId, metric: Metric, events: u64) {
        self.add(node, metric, events);
        self.cell(node, Some(group)).values[metric as usize] += events;
    }

    /// Changes a level at a zonal address and for a target group.
    fn shift(&mut self, node: NodeId, group: GroupId, metric: Metric, change: i64) {
        let now = self.now;
        for group in [None, Some(group)] {
            let cell = self.cell(node, group);
            let level = cell.values[metric as usize].saturating_add_signed(change);
            cell.set(now, metric, level);
        }
    }

    /// Counts what a proxy did at a zonal address, and for a target group: events, or the change of a level.
    pub fn tell(&mut self, node: NodeId, group: Option<GroupId>, metric: Metric, change: i64) {
        let now = self.now;
        let places = [None, group];
        let count = 1 + usize::from(group.is_some());
        for group in &places[..count] {
            let cell = self.cell(node, *group);
            let value = cell.values[metric as usize].saturating_add_signed(change);
            match level(metric) {
                Some(_) => cell.set(now, metric, value),
                None => cell.values[metric as usize] = value,
            }
        }
        self.busy = true;
    }

    /// Something that a proxy did at a zonal address, perhaps with a target group, took so long.
    pub fn took(&mut self, node: NodeId, group: Option<GroupId>, metric: Metric, time: Duration) {
        let time = nanos(time);
        self.cell(node, None).took(metric, time);
        if group.is_some() {
            self.cell(node, group).took(metric, time);
        }
        self.busy = true;
    }

    /// A flow is made, `fail_open` when its target was chosen regardless of health. AWS: that is not counted of TLS.
    pub fn opened(&mut self, node: NodeId, group: GroupId, family: Family, fail_open: bool) {
        self.active(node, group, family);
        if fail_open && family != Family::Tls {
            self.add_for(node, group, Metric::UnhealthyRoutingFlowCount, 1);
        }
        self.add_for(node, group, Metric::NewFlowCount, 1);
        self.add_for(node, group, family.new_flows(), 1);
    }

    /// A flow is alive (again).
    pub fn active(&mut self, node: NodeId, group: GroupId, family: Family) {
        self.shift(node, group, Metric::ActiveFlowCount, 1);
        self.shift(node, group, family.active(), 1);
    }

    /// A flow is closed or expired.
    pub fn ended(&mut self, node: NodeId, group: GroupId, family: Family) {
        self.shift(node, group, Metric::ActiveFlowCount, -1);
        self.shift(node, group, family.active(), -1);
    }

    /// Flows alive at all addresses of a balancer.
    pub fn alive(&self, balancer: BalancerId) -> u64 {
        let number = usize::from(balancer.0);
        (self.first[number]..self.first[number + 1])
            .map(|node| &self.cells[node * self.stride])
            .map(|cell| cell.values[Metric::ActiveFlowCount as usize])
            .sum()
    }

    /// A flow is refused. Undocumented: what becomes of the next SYN of the same. Nothing is kept of a refused flow by which
    /// the two could be told apart, so each is one.
    pub fn rejected(&mut self, node: NodeId, family: Family) {
        self.add(node, Metric::RejectedFlowCount, 1);
        match family {
            Family::Tcp => self.add(node, Metric::RejectedFlowCountTcp, 1),
            Family::Tls | Family::Udp => {}
        }
    }

    /// A balancer's security groups refused a packet. Protocols beside these three have no metric.
    pub fn blocked(&mut self, node: NodeId, direction: Direction, protocol: u8) {
        let metric = match (direction, protocol) {
            (Direction::In, TCP) => Metric::SecurityGroupBlockedInboundTcp,
            (Direction::In, UDP) => Metric::SecurityGroupBlockedInboundUdp,
            (Direction::In, ICMP) => Metric::SecurityGroupBlockedInboundIcmp,
            (Direction::Out, TCP) => Metric::SecurityGroupBlockedOutboundTcp,
            (Direction::Out, UDP) => Metric::SecurityGroupBlockedOutboundUdp,
            (Direction::Out, ICMP) => Metric::SecurityGroupBlockedOutboundIcmp,
            (Direction::In | Direction::Out, _) => return,
        };
        self.add(node, metric, 1);
    }

    /// A packet of a flow is sent on: how many packets it is on a wire, and their bytes.
    #[inline]
    pub fn carried(&mut self, node: NodeId, family: Family, (packets, bytes): (u64, u64)) {
        let cell = self.pass(node, packets, bytes);
        cell.values[Metric::ProcessedPackets as usize] += packets;
        cell.values[Metric::ProcessedBytes as usize] += bytes;
        cell.values[family.bytes() as usize] += bytes;
    }

    /// A health check's packet, which counts as a packet and not as bytes.
    pub fn checked(&mut self, node: NodeId, headers: &Headers) {
        let packets = headers.wire_packets() as u64;
        self.add(node, Metric::ProcessedPackets, packets);
        self.pass(node, packets, 0);
    }

    #[inline]
    fn pass(&mut self, node: NodeId, packets: u64, bytes: u64) -> &mut Cell {
        self.busy = true;
        let (now, began, length) = (self.now, self.began, self.length);
        let cell = self.cell(node, None);
        if now >= cell.window.until {
            let length = length / u64::from(WINDOWS);
            cell.fold();
            cell.window.until = now - now.saturating_sub(began) % length + length;
        }
        cell.window.packets += packets;
        cell.window.bytes += bytes;
        cell
    }

    /// Targets of a group as a zonal address sees them.
    pub fn hosts(&mut self, node: NodeId, group: GroupId, counts: HostCounts) {
        let now = self.now;
        let cell = self.cell(node, Some(group));
        cell.register(counts.registered > 0);
        cell.set(now, Metric::HealthyHostCount, counts.healthy as u64);
        cell.set(now, Metric::UnHealthyHostCount, counts.unhealthy as u64);
    }

    /// Whether a zonal address counts as healthy.
    pub fn zone(&mut self, node: NodeId, healthy: bool) {
        let now = self.now;
        let cell = self.cell(node, None);
        cell.set(now, Metric::ZonalHealthStatus, healthy.into());
    }

    /// Time passes, up to so many nanoseconds, and no period ends.
    #[inline]
    pub fn tick(&mut self, nanos: u64) {
        self.now = self.now.max(nanos);
    }

    /// When the period now ends.
    pub fn period_end(&self) -> Duration {
        Duration::from_nanos(self.period.saturating_add(self.length))
    }

    /// Time passes: ends the periods that are over. Quiet ones leave nothing: CloudWatch has no data points of them.
    pub fn roll(&mut self, now: Duration) {
        let now = nanos(now);
        self.now = self.now.max(now);
        let end = self.period.saturating_add(self.length);
        if now < end {
            return;
        }
        let number = (self.period - self.began) / self.length;
        let next = now - (now - self.began) % self.length;
        let keep = self.busy && self.periods.len() < PERIODS;
        let mut cells = Vec::new();
        for (place, (cell, before)) in self.cells.iter_mut().zip(&mut self.before).enumerate() {
            cell.close(end);
            before.merge(cell);
            if keep && cell.has_something() {
                cells.push((place, cell.clone()));
            }
            // Of the quiet periods in between only the levels' time is to be remembered.
            cell.begin(end);
            cell.close(next);
            before.merge(cell);
            cell.begin(next);
        }
        if keep {
            self.periods.push(Period { number, cells });
        }
        (self.period, self.busy) = (next, false);
    }

    /// A metric over all addresses of a balancer: events in all, the sum of levels, the largest peak.
    pub fn total(&self, now: Duration, balancer: BalancerId, metric: Metric) -> f64 {
        let zonal = self.zonal(balancer);
        let values = (0..zonal).map(|zonal| self.whole(now, balancer, zonal, 0).of(metric).value);
        match metric.row().measure {
            Measure::Sum | Measure::Level | Measure::Time => values.sum(),
            Measure::Peak => values.fold(0.0, f64::max),
        }
    }

    fn zonal(&self, balancer: BalancerId) -> usize {
        let number = usize::from(balancer.0);
        self.first[number + 1] - self.first[number]
    }

    /// Everything counted up to now: the whole time of every place, then each period that is over and the one now.
    pub fn readings(&self, now: Duration) -> Vec<Reading> {
        let mut readings = Vec::new();
        for number in 0..self.first.len() - 1 {
            let balancer = BalancerId(number as u16);
            for zonal in 0..self.zonal(balancer) {
                for slot in 0..self.stride {
                    readings.push(self.whole(now, balancer, zonal, slot));
                }
            }
        }
        let length = u128::from(self.length);
        for period in &self.periods {
            for (place, cell) in &period.cells {
                readings.push(self.reading(*place, cell, length, Some(period.number)));
            }
        }
        if self.busy {
            let elapsed = nanos(now).saturating_sub(self.period);
            let number = (self.period - self.began) / self.length;
            for (place, cell) in self.cells.iter().enumerate() {
                let mut cell = cell.clone();
                cell.close(nanos(now));
                if cell.has_something() {
                    readings.push(self.reading(place, &cell, elapsed.into(), Some(number)));
                }
            }
        }
        readings
    }

    /// One place over the whole time.
    fn whole(&self, now: Duration, balancer: BalancerId, zonal: usize, slot: usize) -> Reading {
        let place = (self.first[usize::from(balancer.0)] + zonal) * self.stride + slot;
        let mut whole = self.before[place].clone();
        let mut cell = self.cells[place].clone();
        cell.close(nanos(now));
        whole.merge(&cell);
        let elapsed = nanos(now).saturating_sub(self.began);
        self.reading(place, &whole, elapsed.into(), None)
    }

    fn reading(&self, place: usize, cell: &Cell, elapsed: u128, period: Option<u64>) -> Reading {
        let (node, slot) = (place / self.stride, place % self.stride);
        let number = self.first.partition_point(|first| *first <= node) - 1;
        Reading {
            balancer: BalancerId(number as u16),
            zonal: ZonalId((node - self.first[number]) as u8),
            group: slot.checked_sub(1).map(|group| GroupId(group as u16)),
            period,
            statistics: super::metric::TABLE
                .iter()
                .map(|row| cell.statistics(row.metric, elapsed))
                .collect(),
        }
    }
}

impl From<Protocol> for Family {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Tcp => Self::Tcp,
            Protocol::Udp => Self::Udp,
        }
    }
}
