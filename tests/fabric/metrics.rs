//! Counters by zonal address and target group, over the whole time and minute by minute.

use crate::kit::*;
use hairpin::fabric::change::Change;
use hairpin::fabric::config::*;
use hairpin::fabric::meter::{Reading, Statistics};
use hairpin::fabric::metric::{Measure, Metric, Row, TABLE};
use std::time::Duration;

const A: ZonalId = ZonalId(0);
const B: ZonalId = ZonalId(1);
const WEB: GroupId = GroupId(0);
const C: u16 = 40_000;

fn reading(net: &Net, zonal: ZonalId, group: Option<GroupId>, period: Option<u64>) -> Reading {
    let all = net.fabric.meter().readings(net.now);
    all.into_iter()
        .find(|one| (one.zonal, one.group, one.period) == (zonal, group, period))
        .unwrap_or_else(|| panic!("nothing at {zonal:?} {group:?} {period:?}"))
}

fn value(net: &Net, zonal: ZonalId, group: Option<GroupId>, metric: Metric) -> f64 {
    reading(net, zonal, group, None).of(metric).value
}

#[test]
fn every_metric_has_one_row_in_its_place_and_one_name() {
    for (number, row) in TABLE.iter().enumerate() {
        assert_eq!(row.metric as usize, number);
        // Of two namespaces' metrics with one name each is its own: `RequestCount`.
        let beside = |other: &Row| {
            row.namespaces
                .iter()
                .any(|at| other.namespaces.contains(at))
        };
        let same = TABLE
            .iter()
            .filter(|other| other.name == row.name && beside(other));
        assert_eq!(same.count(), 1, "{}", row.name);
    }
    assert_eq!(Metric::TcpElbResetCount.row().name, "TCP_ELB_Reset_Count");
    assert_eq!(Metric::PeakBytesPerSecond.row().measure, Measure::Peak);
}

#[test]
fn each_zonal_address_counts_for_itself_and_flows_also_for_their_group() {
    let mut net = Net::new(config());
    let client = |port| end(CLIENT_IP, port);
    net.connect(CLIENT, client(C), end(FRONT_A, 80), 1);
    net.connect(CLIENT, client(C + 1), end(FRONT_B, 80), 1);
    net.connect(CLIENT, client(C + 2), end(FRONT_B, 80), 1);
    net.send(CLIENT, datagram(client(C + 3), end(FRONT_B, 53), 100));
    for (metric, in_a, in_b) in [
        (Metric::NewFlowCount, 1.0, 3.0),
        (Metric::NewFlowCountTcp, 1.0, 2.0),
        (Metric::NewFlowCountUdp, 0.0, 1.0),
        (Metric::ActiveFlowCount, 1.0, 3.0),
        (Metric::ActiveFlowCountUdp, 0.0, 1.0),
    ] {
        for (zonal, expected) in [(A, in_a), (B, in_b)] {
            assert_eq!(value(&net, zonal, None, metric), expected, "{metric:?}");
            assert_eq!(
                value(&net, zonal, Some(WEB), metric),
                expected,
                "{metric:?}"
            );
        }
    }
    // A handshake is three packets of a bare header each, and what is processed is not counted by group.
    assert_eq!(value(&net, A, None, Metric::ProcessedPackets), 3.0);
    assert_eq!(value(&net, A, None, Metric::ProcessedBytes), 120.0);
    assert_eq!(value(&net, A, None, Metric::ProcessedBytesTcp), 120.0);
    assert_eq!(value(&net, B, None, Metric::ProcessedBytesUdp), 128.0);
    assert_eq!(value(&net, B, None, Metric::ProcessedBytes), 368.0);
    assert_eq!(value(&net, A, Some(WEB), Metric::ProcessedPackets), 0.0);
    let (stray, front) = (client(C + 9), end(FRONT_A, 80));
    net.reset(CLIENT, segment(stray, front, ACK, 1, 1));
    assert_eq!(value(&net, A, None, Metric::TcpElbResetCount), 1.0);
    assert_eq!(value(&net, B, None, Metric::TcpElbResetCount), 0.0);
    assert_eq!(net.metric("ProcessedPackets"), 10);
}

#[test]
fn a_level_has_least_most_and_mean_over_time() {
    let mut net = Net::new(config());
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    net.pass(Duration::from_secs(10));
    let (arrived, target) = (
        net.connect(CLIENT, client, front, 1),
        Metric::ActiveFlowCount,
    );
    net.pass(Duration::from_secs(10));
    net.send(
        arrived.port,
        segment(arrived.to, client, RST, 9001, 0).bytes(),
    );
    net.pass(Duration::from_secs(20));
    let whole = Statistics {
        value: 0.0,
        minimum: 0.0,
        maximum: 1.0,
        average: 0.25,
        samples: 1,
    };
    assert_eq!(reading(&net, A, None, None).of(target), whole);
    assert_eq!(reading(&net, A, Some(WEB), None).of(target), whole);
    assert_eq!(reading(&net, A, None, Some(0)).of(target), whole);
    let resets = reading(&net, A, None, None).of(Metric::TcpTargetResetCount);
    assert_eq!(resets.value, 1.0);
}

#[test]
fn a_peak_is_the_largest_average_of_ten_seconds() {
    let mut net = Net::new(config());
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 53));
    // Two datagrams of 128 bytes in one window, one alone in the next.
    for wait in [1, 8, 2] {
        net.pass(Duration::from_secs(wait));
        net.send(CLIENT, datagram(client, front, 100));
    }
    assert_eq!(value(&net, A, None, Metric::PeakBytesPerSecond), 25.6);
    assert_eq!(value(&net, A, None, Metric::PeakPacketsPerSecond), 0.2);
    assert_eq!(value(&net, B, None, Metric::PeakBytesPerSecond), 0.0);
}

#[test]
fn minutes_with_traffic_are_kept_and_quiet_ones_leave_nothing() {
    let mut net = Net::new(config());
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 53));
    net.pass(Duration::from_secs(30));
    net.fabric.restart_meter(net.now);
    net.send(CLIENT, datagram(client, front, 100));
    net.pass(Duration::from_secs(59));
    net.send(CLIENT, datagram(client, front, 100));
    net.pass(Duration::from_secs(110));
    net.send(CLIENT, datagram(client, front, 100));
    net.pass(Duration::from_secs(600));
    let packets = |period| {
        reading(&net, A, None, period)
            .of(Metric::ProcessedPackets)
            .value
    };
    assert_eq!((packets(Some(0)), packets(Some(2))), (2.0, 1.0));
    assert_eq!(packets(None), 3.0);
    let all = net.fabric.meter().readings(net.now);
    assert!(
        all.iter()
            .all(|one| matches!(one.period, None | Some(0 | 2)))
    );
    // The flow lived 169 s and its 350 s of silence, of 769 s in all.
    let active = reading(&net, A, None, None).of(Metric::ActiveFlowCount);
    assert!((active.average - 519.0 / 769.0).abs() < 1e-9, "{active:?}");
}

#[test]
fn what_went_before_the_first_step_is_not_counted_but_flows_stay_alive() {
    let mut net = Net::new(config());
    net.connect(CLIENT, end(CLIENT_IP, C), end(FRONT_A, 80), 1);
    net.fabric.restart_meter(net.now);
    assert_eq!(net.metric("NewFlowCount"), 0);
    assert_eq!(net.metric("ProcessedPackets"), 0);
    assert_eq!(net.metric("ActiveFlowCount"), 1);
}

#[test]
fn before_any_health_check_every_zone_and_target_counts_as_healthy() {
    let mut config = config();
    for listener in &mut config.balancers[0].listeners {
        listener.forward[0].cross_zone = false;
    }
    let net = Net::new(config);
    for zonal in [A, B] {
        assert_eq!(value(&net, zonal, None, Metric::ZonalHealthStatus), 1.0);
        let group = Some(WEB);
        assert_eq!(value(&net, zonal, group, Metric::HealthyHostCount), 1.0);
        assert_eq!(value(&net, zonal, group, Metric::UnHealthyHostCount), 0.0);
    }
    let net = Net::new(crate::kit::config());
    assert_eq!(value(&net, A, Some(WEB), Metric::HealthyHostCount), 2.0);
}

/// A group whose targets are checked and have no health yet.
fn unchecked(config: &mut Config) {
    config.groups[0].health_check = Some(HealthCheck {
        protocol: CheckProtocol::Tcp,
        port: None,
        path: "/".to_owned(),
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(10),
        healthy_threshold: 5,
        unhealthy_threshold: 2,
        matcher: Vec::new(),
        checkers: 1,
    });
}

#[test]
fn a_target_that_has_no_health_yet_is_neither_healthy_nor_unhealthy() {
    let mut config = config();
    unchecked(&mut config);
    let mut net = Net::new(with_kernels(config));
    net.pass(Duration::from_secs(1));
    let group = reading(&net, A, Some(WEB), None);
    for metric in [Metric::HealthyHostCount, Metric::UnHealthyHostCount] {
        assert_eq!(group.of(metric).value, 0.0);
        assert_eq!(group.of(metric).samples, 1, "it is registered");
    }
}

#[test]
fn without_a_registered_target_there_are_no_host_counts() {
    let mut config = config();
    config.groups[0]
        .targets
        .iter_mut()
        .for_each(|target| target.registered = false);
    let mut net = Net::new(config);
    let samples = |net: &Net| {
        let all = reading(net, A, Some(WEB), None);
        (
            all.of(Metric::HealthyHostCount).samples,
            all.of(Metric::NewFlowCount).samples,
        )
    };
    assert_eq!(samples(&net), (0, 1));
    net.apply(Change::Register {
        group: WEB,
        target: 0,
    });
    assert_eq!(samples(&net), (1, 1));
}

#[test]
fn a_group_that_is_forwarded_to_no_more_has_no_hosts_there() {
    let mut config = config();
    config.groups.push(config.groups[0].clone());
    let mut net = Net::new(config.clone());
    for listener in &mut config.balancers[0].listeners {
        listener.forward[0].group = GroupId(1);
    }
    net.apply(Change::Configure(Box::new(config)));
    let hosts = |group| value(&net, A, Some(GroupId(group)), Metric::HealthyHostCount);
    assert_eq!((hosts(0), hosts(1)), (0.0, 2.0));
}

#[test]
fn an_application_balancer_behind_a_group_is_not_counted_among_its_hosts() {
    let mut config = config();
    config.groups[0].inner = Some(BalancerId(0));
    let net = Net::new(config);
    let group = reading(&net, A, Some(WEB), None);
    assert_eq!(group.of(Metric::HealthyHostCount).samples, 0);
}

#[test]
fn flows_of_tls_listeners_are_not_counted_as_routed_regardless_of_health() {
    for terminates in [false, true] {
        let mut config = config();
        unchecked(&mut config);
        config.balancers[0].listeners[0].terminates = terminates;
        let mut config = with_kernels(config);
        config.ports[4].terminates = terminates;
        let mut net = Net::new(config);
        net.syn(CLIENT, end(CLIENT_IP, C), end(FRONT_A, 80), 1);
        let counted = net.metric("UnhealthyRoutingFlowCount");
        assert_eq!(
            (net.metric("NewFlowCount"), counted),
            (1, u64::from(!terminates))
        );
    }
}
