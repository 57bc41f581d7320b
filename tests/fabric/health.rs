//! From the results of checks to states, and from states to what becomes of flows.

use crate::kit::*;
use hairpin::fabric::Config;
use hairpin::fabric::change::Change;
use hairpin::fabric::config::*;
use hairpin::fabric::record::*;
use hairpin::fabric::targets::{Outcome, Probe};
use std::time::Duration;

pub const A: ZonalId = ZonalId(0);
pub const B: ZonalId = ZonalId(1);
pub const HEALTHY: (&str, &str) = ("healthy", "");
pub const FAILED: (&str, &str) = ("unhealthy", "Target.FailedHealthChecks");

/// [`config`] with health checks of AWS's defaults.
pub fn checked() -> Config {
    let mut config = config();
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
    config
}

impl Net {
    pub fn probe_by(&mut self, zonal: ZonalId, checker: u8, target: usize, passed: bool) {
        let probe = Probe {
            balancer: FRONT,
            zonal,
            group: GroupId(0),
            target,
            checker,
            connected: passed,
            outcome: match passed {
                true => Outcome::Passed,
                false => Outcome::Failed,
            },
        };
        self.fabric.probe_done(self.now, probe);
    }

    /// The results of checks in a row, from both zonal addresses.
    fn probe(&mut self, target: usize, results: &[bool]) {
        for passed in results {
            self.probe_by(A, 0, target, *passed);
            self.probe_by(B, 0, target, *passed);
        }
    }
}

/// Both targets healthy.
pub fn healthy(config: Config) -> Net {
    let mut net = Net::new(config);
    net.probe(0, &[true]);
    net.probe(1, &[true]);
    assert_eq!((net.state(0), net.state(1)), (HEALTHY, HEALTHY));
    net
}

/// Both healthy, web1 with a connection, then unhealthy.
fn failed_with_flow(mut config: Config) -> (Net, Segment) {
    config.balancers[0].prefer = one_target().balancers[0].prefer.clone();
    let mut net = healthy(config);
    let client = end(CLIENT_IP, 50_000);
    assert_eq!(net.connect(CLIENT, client, end(FRONT_A, 80), 7).port, WEB1);
    net.probe(0, &[false, false]);
    let data = segment(client, end(FRONT_A, 80), ACK | PSH, 8, 9001).with_payload(10);
    (net, data)
}

#[test]
fn the_first_passed_check_is_enough_and_later_the_threshold_counts() {
    let mut net = Net::new(checked());
    assert_eq!(net.state(0), ("initial", "Elb.InitialHealthChecking"));
    net.now = ms(100);
    net.probe(0, &[false]);
    assert_eq!(net.state(0).0, "initial");
    net.probe(0, &[true]);
    assert_eq!(net.state(0), HEALTHY);
    net.now = ms(200);
    net.probe(0, &[false, true, false]);
    assert_eq!(net.state(0), HEALTHY, "not two in a row");
    net.probe(0, &[false]);
    assert_eq!(net.state(0), FAILED);
    net.now = ms(300);
    net.probe(0, &[true, true, true, true, false]);
    net.probe(0, &[true, true, true, true]);
    assert_eq!(net.state(0), FAILED, "not five in a row");
    net.probe(0, &[true]);
    assert_eq!(
        net.story(0),
        [
            (ms(0), "initial", "Elb.InitialHealthChecking"),
            (ms(100), "healthy", ""),
            (ms(200), "unhealthy", "Target.FailedHealthChecks"),
            (ms(300), "healthy", ""),
        ]
    );
    let health = net.fabric.target_health(GroupId(0), 0);
    assert_eq!((health.checks, health.failed_checks), (32, 10));
}

#[test]
fn a_new_target_that_fails_is_unhealthy_after_its_threshold() {
    let mut net = Net::new(checked());
    net.probe(0, &[false, false]);
    assert_eq!(net.state(0), FAILED);
    net.probe(0, &[true]);
    assert_eq!(net.state(0), FAILED, "it is new no more");
}

#[test]
fn each_zonal_address_has_its_own_view() {
    let mut net = healthy(checked());
    for _ in 0..2 {
        net.probe_by(A, 0, 0, false);
    }
    assert_eq!(net.chosen(end(FRONT_A, 80), 40_000..40_030), [WEB2]);
    assert_eq!(net.chosen(end(FRONT_B, 80), 40_000..40_030), [WEB1, WEB2]);
}

#[test]
fn several_checkers_agree_by_majority() {
    let mut config = checked();
    let check = config.groups[0].health_check.as_mut();
    check.expect("checks").checkers = 3;
    let mut net = Net::new(config);
    for checker in 0..3 {
        net.probe_by(A, checker, 0, true);
    }
    net.probe_by(A, 0, 1, true);
    for checker in 0..2 {
        assert_eq!(net.chosen(end(FRONT_A, 80), 40_000..40_030), [WEB1, WEB2]);
        net.probe_by(A, checker, 0, false);
        net.probe_by(A, checker, 0, false);
    }
    assert_eq!(net.state(0), FAILED);
    assert_eq!(net.chosen(end(FRONT_A, 80), 41_000..41_030), [WEB2]);
    // A checker that does not exist says nothing.
    net.probe_by(A, 3, 1, false);
    assert_eq!(net.fabric.target_health(GroupId(0), 1).checks, 1);
}

#[test]
fn one_checker_of_several_may_be_enough_for_either_opinion() {
    for (consensus, failing, state) in [
        (Consensus::Any, 2, HEALTHY),
        (Consensus::Any, 3, FAILED),
        (Consensus::All, 0, HEALTHY),
        (Consensus::All, 1, FAILED),
    ] {
        let mut config = checked();
        config.groups[0].emulate.consensus = consensus;
        let check = config.groups[0].health_check.as_mut();
        check.expect("checks").checkers = 3;
        let mut net = Net::new(config);
        for checker in 0..3 {
            net.probe_by(A, checker, 0, true);
        }
        for checker in 0..failing {
            net.probe_by(A, checker, 0, false);
            net.probe_by(A, checker, 0, false);
        }
        assert_eq!(net.state(0), state, "{consensus:?}, {failing} of 3 failing");
    }
}

#[test]
fn a_target_is_checked_between_registration_and_the_end_of_draining() {
    let mut config = checked();
    config.groups[0].targets[0].registered = false;
    config.groups[0].emulate.register_delay = ms(100);
    let mut net = Net::new(config);
    let is_checked = |net: &Net| net.fabric.is_checked(GroupId(0), 0);
    net.probe(0, &[true]);
    assert_eq!(net.fabric.target_health(GroupId(0), 0).checks, 0);
    net.apply(Change::Register {
        group: GroupId(0),
        target: 0,
    });
    assert!(!is_checked(&net));
    net.pass(ms(100));
    assert!(is_checked(&net));
    assert_eq!(net.state(0), ("initial", "Elb.InitialHealthChecking"));
    net.probe(0, &[true]);
    assert_eq!(net.state(0), HEALTHY);
    net.apply(Change::Deregister {
        group: GroupId(0),
        target: 0,
    });
    assert!(is_checked(&net));
    net.pass(Duration::from_secs(300));
    assert!(!is_checked(&net));
    // Registered again it is new again.
    net.apply(Change::Register {
        group: GroupId(0),
        target: 0,
    });
    net.pass(ms(100));
    assert_eq!(net.state(0), ("initial", "Elb.InitialHealthChecking"));
}

#[test]
fn new_flows_avoid_an_unhealthy_target() {
    let mut net = healthy(checked());
    net.probe(0, &[false, false]);
    assert_eq!(net.chosen(end(FRONT_A, 80), 40_000..40_050), [WEB2]);
    assert_eq!(net.metric("UnhealthyRoutingFlowCount"), 0);
}

#[test]
fn too_few_healthy_targets_open_the_group() {
    let mut net = healthy(checked());
    net.probe(0, &[false, false]);
    net.probe(1, &[false, false]);
    assert_eq!(net.chosen(end(FRONT_A, 80), 40_000..40_050), [WEB1, WEB2]);
    assert_eq!(net.metric("UnhealthyRoutingFlowCount"), 50);
    // Either of the two thresholds is enough.
    let mut config = checked();
    config.groups[0].attributes.routing = Threshold {
        count: Some(1),
        percentage: Some(51),
    };
    let mut net = healthy(config);
    net.probe(0, &[false, false]);
    assert_eq!(net.chosen(end(FRONT_A, 80), 40_000..40_050), [WEB1, WEB2]);
}

#[test]
fn the_news_of_failing_travels() {
    let mut config = checked();
    config.groups[0].emulate.unhealthy_propagation = ms(500);
    let (mut net, data) = failed_with_flow(config);
    assert_eq!(net.state(0), FAILED);
    net.pass(ms(499));
    assert_eq!(net.chosen(end(FRONT_A, 80), 40_000..40_010), [WEB1]);
    assert_eq!(net.forward(CLIENT, data).to, WEB1);
    net.pass(ms(1));
    assert_eq!(net.chosen(end(FRONT_A, 80), 41_000..41_010), [WEB2]);
    net.reset(CLIENT, data);
}

#[test]
fn every_packet_of_a_client_to_an_unhealthy_target_is_answered_with_a_reset() {
    let (mut net, data) = failed_with_flow(checked());
    for count in 1..=3 {
        let (why, reset) = net.reset(CLIENT, data);
        assert_eq!((why, reset.seq), (Answer::ResetUnhealthy, 9001));
        assert_eq!(net.metric("TCP_ELB_Reset_Count"), count);
    }
    // Its own RST tells the target.
    let mut last = data;
    (last.flags, last.len) = (RST, 0);
    assert_eq!(net.forward(CLIENT, last).to, WEB1);
    // A new connection from the same port goes elsewhere.
    let again = net.syn(CLIENT, end(CLIENT_IP, 50_000), end(FRONT_A, 80), 77_777);
    assert_eq!(again.port, WEB2);
}

#[test]
fn a_syn_sent_again_to_a_target_gone_unhealthy_is_refused() {
    let mut config = checked();
    config.balancers[0].prefer = one_target().balancers[0].prefer.clone();
    let mut net = healthy(config);
    let syn = segment(end(CLIENT_IP, 50_000), end(FRONT_A, 80), SYN, 7, 0);
    net.forward(CLIENT, syn);
    net.probe(0, &[false, false]);
    let (why, reset) = net.reset(CLIENT, syn);
    assert_eq!((why, reset.flags), (Answer::ResetUnhealthy, RST | ACK));
}

#[test]
fn nothing_is_reset_when_the_failure_opens_the_group() {
    let (mut net, data) = failed_with_flow(checked());
    net.probe(1, &[false, false]);
    assert_eq!(net.forward(CLIENT, data).to, WEB1);
    assert_eq!(net.metric("TCP_ELB_Reset_Count"), 0);
}

#[test]
fn without_termination_flows_of_an_unhealthy_target_go_on() {
    let mut config = checked();
    config.groups[0].attributes.terminate_unhealthy = false;
    let (mut net, data) = failed_with_flow(config);
    assert_eq!(net.state(0), FAILED);
    net.pass(Duration::from_secs(300));
    assert_eq!(net.forward(CLIENT, data).to, WEB1);
    assert_eq!(net.chosen(end(FRONT_A, 80), 40_000..40_010), [WEB2]);
}

#[test]
fn with_a_draining_interval_they_go_on_for_that_long() {
    let mut config = checked();
    config.groups[0].attributes.terminate_unhealthy = false;
    config.groups[0].attributes.unhealthy_draining = ms(1000);
    let (mut net, data) = failed_with_flow(config.clone());
    assert_eq!(
        net.state(0),
        ("unhealthy.draining", "Target.FailedHealthChecks")
    );
    assert_eq!(net.chosen(end(FRONT_A, 80), 40_000..40_010), [WEB2]);
    net.pass(ms(999));
    assert_eq!(net.forward(CLIENT, data).to, WEB1);
    net.pass(ms(1));
    assert_eq!(net.state(0), FAILED);
    net.reset(CLIENT, data);
    // It recovers in time.
    let (mut net, data) = failed_with_flow(config.clone());
    net.probe(0, &[true; 5]);
    assert_eq!(net.state(0), HEALTHY);
    net.pass(ms(1000));
    assert_eq!(net.forward(CLIENT, data).to, WEB1);
    // It is deregistered meanwhile.
    let (mut net, _) = failed_with_flow(config);
    net.apply(Change::Deregister {
        group: GroupId(0),
        target: 0,
    });
    assert_eq!(net.state(0).0, "draining");
}

/// web1 is deregistered, its flow as it was.
fn deregistered(net: &mut Net) {
    net.apply(Change::Deregister {
        group: GroupId(0),
        target: 0,
    });
    assert_eq!(net.state(0).0, "draining");
}

/// Healthy and with a flow, then deregistered, and only then failing.
fn fails_while_draining(mut config: Config) -> (Net, Segment) {
    config.balancers[0].prefer = one_target().balancers[0].prefer.clone();
    let mut net = healthy(config);
    let client = end(CLIENT_IP, 50_000);
    assert_eq!(net.connect(CLIENT, client, end(FRONT_A, 80), 7).port, WEB1);
    deregistered(&mut net);
    net.pass(ms(1));
    net.probe(0, &[false, false]);
    let data = segment(client, end(FRONT_A, 80), ACK | PSH, 8, 9001).with_payload(10);
    (net, data)
}

#[test]
fn a_target_that_fails_while_it_drains_is_draining_and_no_more() {
    let (mut net, data) = fails_while_draining(checked());
    assert_eq!(net.forward(CLIENT, data).to, WEB1);
    // Nor is it unhealthy when its delay has ended, and checks with it.
    net.pass(Duration::from_secs(301));
    assert_eq!(net.state(0), ("unused", "Target.NotRegistered"));
    assert_eq!(net.forward(CLIENT, data).to, WEB1);
    assert_eq!(net.metric("TCP_ELB_Reset_Count"), 0);
    // The other reading of AWS's guide.
    let mut config = checked();
    config.groups[0].emulate.on_draining_failure = OnDrainingFailure::Reset;
    let (mut net, data) = fails_while_draining(config);
    assert_eq!(net.reset(CLIENT, data).0, Answer::ResetUnhealthy);
}

#[test]
fn what_was_unhealthy_before_it_was_deregistered_stays_so() {
    let (mut net, data) = failed_with_flow(checked());
    deregistered(&mut net);
    assert_eq!(net.reset(CLIENT, data).0, Answer::ResetUnhealthy);
    // In an interval of draining it was not unhealthy yet, and becomes `draining` instead.
    let mut config = checked();
    config.groups[0].attributes.terminate_unhealthy = false;
    config.groups[0].attributes.unhealthy_draining = ms(1000);
    let (mut net, data) = failed_with_flow(config.clone());
    net.pass(ms(500));
    deregistered(&mut net);
    net.pass(ms(1000));
    assert_eq!(net.forward(CLIENT, data).to, WEB1);
    let (mut net, data) = failed_with_flow(config);
    net.pass(ms(1000));
    deregistered(&mut net);
    net.reset(CLIENT, data);
}

/// The worked example of AWS's guide: two zones of ten targets, both thresholds at 50 %, six fail in b.
fn twenty(cross_zone: bool) -> Net {
    let mut config = checked();
    let half = Threshold {
        count: Some(1),
        percentage: Some(50),
    };
    let group = &mut config.groups[0];
    (group.attributes.routing, group.attributes.dns_failover) = (half, half);
    group.targets = (0..20)
        .map(|number| Target {
            name: format!("t{number}"),
            address: ip(if number < 10 { WEB1_IP } else { WEB2_IP }),
            port: Some(8000 + number),
            zone: Some(if number < 10 { "a" } else { "b" }.to_owned()),
            registered: true,
        })
        .collect();
    for listener in &mut config.balancers[0].listeners {
        listener.forward[0].cross_zone = cross_zone;
    }
    let mut net = Net::new(config);
    for target in 0..20 {
        net.probe(target, &[true]);
    }
    for target in 10..16 {
        net.probe(target, &[false, false]);
    }
    net
}

fn ports_behind(net: &mut Net, address: &str) -> Vec<u16> {
    let to = end(address, 80);
    let arrived = (20_000..21_000).map(|port| net.syn(CLIENT, end(CLIENT_IP, port), to, 7));
    let mut ports: Vec<u16> = arrived.map(|one| one.to.port()).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

#[test]
fn worked_example_without_cross_zone_the_bad_zone_leaves_dns_and_opens() {
    let mut net = twenty(false);
    assert!(net.fabric.zone_in_dns(FRONT, A));
    assert!(!net.fabric.zone_in_dns(FRONT, B));
    let b: Vec<u16> = (8010..8020).collect();
    assert_eq!(ports_behind(&mut net, FRONT_B), b);
    let a: Vec<u16> = (8000..8010).collect();
    assert_eq!(ports_behind(&mut net, FRONT_A), a);
}

#[test]
fn worked_example_across_zones_the_fourteen_healthy_ones_get_everything() {
    let mut net = twenty(true);
    assert!(net.fabric.zone_in_dns(FRONT, A) && net.fabric.zone_in_dns(FRONT, B));
    let healthy: Vec<u16> = (8000..8010).chain(8016..8020).collect();
    assert_eq!(ports_behind(&mut net, FRONT_A), healthy);
    assert_eq!(ports_behind(&mut net, FRONT_B), healthy);
}

#[test]
fn dns_fails_open_when_every_zone_is_bad() {
    let mut net = healthy(checked());
    for listener in &mut net.fabric.config().clone().balancers[0].listeners {
        assert!(listener.forward[0].cross_zone);
    }
    net.probe(0, &[false, false]);
    net.probe(1, &[false, false]);
    assert!(net.fabric.zone_in_dns(FRONT, A) && net.fabric.zone_in_dns(FRONT, B));
}

#[test]
fn any_group_of_a_balancer_takes_a_zone_out_of_dns() {
    let mut config = checked();
    let mut second = config.groups[0].clone();
    second.health_check = None;
    second.targets.remove(1);
    config.groups.push(second);
    config.balancers[0].listeners[1].forward[0] = Forward {
        group: GroupId(1),
        weight: 1,
        cross_zone: false,
    };
    let net = healthy(config.clone());
    assert!(net.fabric.zone_in_dns(FRONT, A));
    assert!(
        !net.fabric.zone_in_dns(FRONT, B),
        "no target of the second in b"
    );
    // A group without any target takes out every zone, and so none.
    config.groups[1].targets.clear();
    let net = healthy(config.clone());
    assert!(net.fabric.zone_in_dns(FRONT, A) && net.fabric.zone_in_dns(FRONT, B));
    // Without thresholds nothing does.
    config.groups[1] = net.fabric.config().groups[0].clone();
    config.groups[1].targets.truncate(1);
    config.groups[1].attributes.dns_failover = Threshold::default();
    let net = healthy(config);
    assert!(net.fabric.zone_in_dns(FRONT, B));
}

#[test]
fn an_attribute_changed_at_run_time_counts_at_once() {
    let (mut net, data) = failed_with_flow(checked());
    let mut config = net.fabric.config().clone();
    config.groups[0].attributes.terminate_unhealthy = false;
    net.apply(Change::Configure(Box::new(config)));
    assert_eq!(net.forward(CLIENT, data).to, WEB1);
    assert_eq!(net.state(0), FAILED, "what was found out stays");
}
