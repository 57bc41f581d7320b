//! Balancers that are proxies: their zonal addresses are hosts, and they are told whose turn it is.

use crate::kit::*;
use hairpin::fabric::change::Change;
use hairpin::fabric::config::*;
use hairpin::fabric::metric::Metric;
use hairpin::fabric::record::*;
use hairpin::fabric::targets::{Outcome, Probe, Standing};
use hairpin::fabric::{Assigned, Config, Place};
use std::time::Duration;

/// The kernel of front/a.
const KERNEL_A: PortId = PortId(4);
/// Where the kernel of front/a connects to targets from.
const BACKEND: u16 = *BACKEND_PORTS.start();
const AT_A: Place = Place {
    balancer: FRONT,
    zonal: ZonalId(0),
    port: 80,
};

/// [`config`] with the balancer as a classic one: port 80 leads to port 8080 of both.
fn classic() -> Config {
    let mut config = config();
    let balancer = &mut config.balancers[0];
    balancer.listeners.truncate(1);
    balancer.listeners[0].instance_port = Some(8080);
    balancer.kind = Kind::Classic(Classic {
        group: GroupId(0),
        idle_timeout: Duration::from_secs(60),
        draining: false,
        proxy_protocol: false,
        on_deregister: OnDeregister::Close,
        on_backend_reset: OnBackendReset::Propagate,
        surge_queue: 1024,
        stickiness: None,
        retry: Duration::from_secs(1),
    });
    config.groups[0].attributes.deregistration_delay = Duration::ZERO;
    config.groups[0].attributes.routing = Threshold::default();
    let mut config = with_kernels(config);
    for (place, zonal) in config.balancers[0].zonal.iter().enumerate() {
        let port = &mut config.ports[KERNEL_A.0 as usize + place];
        port.terminates = true;
        port.public_address = zonal.public;
    }
    config
}

#[test]
fn a_client_and_the_kernel_of_a_zonal_address_talk_through_the_gateway() {
    let mut net = Net::new(classic());
    let (client, public) = (end(CLIENT_IP, 40_000), end(FRONT_A, 80));
    let private = end(FRONT_A_PRIVATE, 80);
    let came = net.forward(CLIENT, segment(client, public, SYN, 1, 0));
    assert_eq!(came.to, KERNEL_A);
    assert_eq!((came.headers().from, came.headers().to), (client, private));
    let came = net.forward(KERNEL_A, segment(private, client, SYN | ACK, 9, 2));
    assert_eq!(came.to, CLIENT);
    assert_eq!((came.headers().from, came.headers().to), (public, client));
    net.forward(KERNEL_A, segment(private, client, RST | ACK, 10, 2));
    let all = net.fabric.conversations();
    let [one] = &all[..] else { panic!("{all:?}") };
    assert_eq!((one.tuple.from, one.tuple.to), (client, public));
    assert_eq!(one.ended.map(|ended| ended.by), Some(Party::Server));
    assert!(net.fabric.flows().is_empty());
    assert!(net.fabric.records().iter().all(|record| !record.probe));
}

#[test]
fn a_client_inside_dials_either_address() {
    let mut net = Net::new(classic());
    let private = end(FRONT_A_PRIVATE, 80);
    for (from, to, seen) in [
        (INSIDE_IP, FRONT_A_PRIVATE, INSIDE_IP),
        (INSIDE_IP, FRONT_A, INSIDE_PUBLIC),
    ] {
        let came = net.forward(INSIDE, segment(end(from, 9), end(to, 80), SYN, 1, 0));
        assert_eq!(came.to, KERNEL_A);
        assert_eq!(
            (came.headers().from, came.headers().to),
            (end(seen, 9), private)
        );
        let came = net.forward(KERNEL_A, segment(private, end(seen, 9), SYN | ACK, 9, 2));
        assert_eq!(came.to, INSIDE);
        assert_eq!(
            (came.headers().from, came.headers().to),
            (end(to, 80), end(from, 9))
        );
    }
}

#[test]
fn the_connection_to_a_target_is_traffic_and_no_health_check() {
    let mut net = Net::new(classic());
    let (own, web) = (end(FRONT_A_PRIVATE, BACKEND), end(WEB1_IP, 8080));
    let came = net.forward(KERNEL_A, segment(own, web, SYN, 1, 0));
    assert_eq!((came.to, came.headers().from), (WEB1, own));
    let came = net.forward(WEB1, segment(web, own, SYN | ACK, 9, 2));
    assert_eq!((came.to, came.headers().from), (KERNEL_A, web));
    assert_eq!(net.fabric.conversations().len(), 1);
    assert!(net.fabric.records().iter().all(|record| !record.probe));
    // A check is told apart by its port.
    let own = end(FRONT_A_PRIVATE, *KERNEL_PORTS.end());
    net.forward(KERNEL_A, segment(own, web, SYN, 1, 0));
    net.forward(WEB1, segment(web, own, SYN | ACK, 9, 2));
    assert!(net.fabric.records()[2..].iter().all(|record| record.probe));
}

#[test]
fn a_port_without_a_listener_takes_nothing() {
    let mut net = Net::new(classic());
    let syn = segment(end(CLIENT_IP, 1), end(FRONT_A, 81), SYN, 1, 0);
    assert_eq!(net.dropped(CLIENT, syn.bytes()), Reason::NoListener);
    let datagram = datagram(end(CLIENT_IP, 1), end(FRONT_A, 80), 8);
    assert_eq!(net.dropped(CLIENT, datagram), Reason::ProtocolUnsupported);
}

#[test]
fn a_request_that_is_for_an_instance_takes_nobodys_turn() {
    let mut net = Net::new(classic());
    let mut all = |bound| net.fabric.candidates(AT_A, GroupId(0), bound);
    let order = |all: Vec<Assigned>| all.iter().map(|one| one.target).collect::<Vec<_>>();
    let first = all(None);
    let cookie = Some(first[0].address);
    assert_eq!(order(first), [0, 1]);
    // However many of them came in between, which is a matter of time.
    for _ in 0..3 {
        assert_eq!(order(all(cookie)), [1, 0]);
    }
    assert_eq!(order(all(None)), [1, 0]);
    // Whom nobody can ask for is nobody's instance.
    assert_eq!(order(all(Some(end(CLIENT_IP, 1)))), [0, 1]);
    assert_eq!(order(all(None)), [1, 0]);
}

/// [`classic`], whose listener has two groups with these weights.
fn weighing(weights: [u16; 2]) -> Config {
    let mut config = classic();
    let other = config.groups[0].clone();
    config.groups.push(other);
    let groups = (0..).map(GroupId).zip(weights);
    let forward = groups.map(|(group, weight)| Forward {
        group,
        weight,
        cross_zone: true,
    });
    config.balancers[0].listeners[0].forward = forward.collect();
    config
}

#[test]
fn requests_are_spread_over_groups_by_weight() {
    let of = |config| {
        let mut net = Net::new(config);
        let draws = (0..1000).filter_map(|_| net.fabric.next_group(AT_A));
        let (first, second): (Vec<_>, Vec<_>) = draws.partition(|group| *group == GroupId(0));
        (first.len(), second.len())
    };
    let draws = |weights| of(weighing(weights));
    // A group without targets keeps its share: nothing fails over to another.
    let mut empty = weighing([80, 20]);
    empty.groups[1].targets.clear();
    for (first, second) in [draws([80, 20]), of(empty)] {
        assert!((150..250).contains(&second), "{first} and {second}");
        assert_eq!(first + second, 1000);
    }
    assert_eq!(draws([1, 0]), (1000, 0));
    assert_eq!(draws([0, 0]), (0, 0));
    let mut net = Net::new(weighing([1, 1]));
    let other = Place { port: 81, ..AT_A };
    assert_eq!(net.fabric.next_group(other), None);
}

#[test]
fn instances_take_turns_at_each_address() {
    let mut net = Net::new(classic());
    let mut next = |at| net.fabric.next_target(at, GroupId(0)).map(|one| one.target);
    let b = Place {
        zonal: ZonalId(1),
        ..AT_A
    };
    let turns: Vec<_> = (0..4).map(|_| next(AT_A)).collect();
    assert_eq!(turns, [Some(0), Some(1), Some(0), Some(1)]);
    assert_eq!(next(b), Some(0));
    let other = Place { port: 81, ..AT_A };
    assert_eq!(next(other), None);
    let address = net
        .fabric
        .next_target(AT_A, GroupId(0))
        .map(|one| one.address);
    assert_eq!(address, Some(end(WEB1_IP, 8080)));
}

#[test]
fn without_cross_zone_an_address_has_the_instances_of_its_zone() {
    let mut config = classic();
    config.balancers[0].listeners[0].forward[0].cross_zone = false;
    let mut net = Net::new(config);
    for _ in 0..3 {
        let next = net.fabric.next_target(AT_A, GroupId(0));
        assert_eq!(next.map(|one| one.target), Some(0));
    }
}

#[test]
fn what_is_preferred_is_taken_as_long_as_it_is_in_service() {
    let mut config = classic();
    config.balancers[0].prefer = vec![(ZonalId(0), vec![1])];
    let mut net = Net::new(config);
    let works = net.fabric.works();
    let next = |net: &mut Net| {
        net.fabric
            .next_target(AT_A, GroupId(0))
            .map(|one| one.target)
    };
    assert_eq!((next(&mut net), next(&mut net)), (Some(1), Some(1)));
    net.apply(Change::Deregister {
        group: GroupId(0),
        target: 1,
    });
    assert_ne!(net.fabric.works(), works);
    assert_eq!((next(&mut net), next(&mut net)), (Some(0), Some(0)));
    net.apply(Change::Deregister {
        group: GroupId(0),
        target: 0,
    });
    assert_eq!(next(&mut net), None);
}

#[test]
fn a_deregistered_instance_drains_for_as_long_as_the_delay() {
    let mut config = classic();
    config.groups[0].attributes.deregistration_delay = ms(500);
    let mut net = Net::new(config);
    let standing = |net: &Net| net.fabric.standing(AT_A, GroupId(0), 0);
    assert_eq!(standing(&net), Standing::InService);
    net.apply(Change::Deregister {
        group: GroupId(0),
        target: 0,
    });
    assert_eq!(standing(&net), Standing::Draining);
    let works = net.fabric.works();
    net.pass(ms(499));
    assert_eq!(
        (standing(&net), net.fabric.works()),
        (Standing::Draining, works)
    );
    net.pass(ms(1));
    assert_eq!(standing(&net), Standing::Gone);
    assert_ne!(net.fabric.works(), works);
}

#[test]
fn a_target_stands_whether_its_group_is_forwarded_to_or_not() {
    let mut config = classic();
    let mut other = config.groups[0].clone();
    other.targets[0].registered = false;
    config.groups.push(other);
    let net = Net::new(config);
    let standing = |target| net.fabric.standing(AT_A, GroupId(1), target);
    assert_eq!(standing(0), Standing::Gone);
    assert_eq!(standing(1), Standing::InService);
}

#[test]
fn an_unhealthy_instance_gets_nothing_and_all_of_them_get_nothing() {
    let mut config = classic();
    config.groups[0].health_check = Some(HealthCheck {
        protocol: CheckProtocol::Tcp,
        port: None,
        path: "/".to_owned(),
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(5),
        healthy_threshold: 10,
        unhealthy_threshold: 2,
        matcher: Vec::new(),
        checkers: 1,
    });
    let mut net = Net::new(config);
    let mut check = |target, passed, times| {
        for _ in 0..times {
            let probe = Probe {
                balancer: FRONT,
                zonal: ZonalId(0),
                group: GroupId(0),
                target,
                checker: 0,
                connected: true,
                outcome: match passed {
                    true => Outcome::Passed,
                    false => Outcome::Failed,
                },
            };
            net.fabric.probe_done(net.now, probe);
        }
        let next = net.fabric.next_target(AT_A, GroupId(0));
        let standing = net.fabric.standing(AT_A, GroupId(0), target);
        (next.map(|one| one.target), standing)
    };
    assert_eq!(check(1, true, 1), (Some(1), Standing::InService));
    assert_eq!(check(0, false, 2), (Some(1), Standing::Unhealthy));
    // No failing open.
    assert_eq!(check(1, false, 2), (None, Standing::Unhealthy));
}

/// AWS: only an application balancer tells why the checks of a target failed.
#[test]
fn an_application_balancer_tells_why_checks_fail() {
    let reasons = |http: bool| {
        let mut config = config();
        config.groups[0].http = http;
        config.groups[0].health_check = Some(HealthCheck {
            protocol: CheckProtocol::Http,
            port: None,
            path: "/".to_owned(),
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            healthy_threshold: 5,
            unhealthy_threshold: 2,
            matcher: Vec::new(),
            checkers: 1,
        });
        let mut net = Net::new(config);
        [
            Outcome::WrongCode,
            Outcome::TimedOut,
            Outcome::Failed,
            Outcome::Passed,
        ]
        .map(|outcome| {
            for _ in 0..5 {
                let probe = Probe {
                    balancer: FRONT,
                    zonal: ZonalId(0),
                    group: GroupId(0),
                    target: 0,
                    checker: 0,
                    connected: true,
                    outcome,
                };
                net.fabric.probe_done(net.now, probe);
            }
            net.state(0)
        })
    };
    let unhealthy = |reason| ("unhealthy", reason);
    let failed = unhealthy("Target.FailedHealthChecks");
    assert_eq!(
        reasons(true),
        [
            unhealthy("Target.ResponseCodeMismatch"),
            unhealthy("Target.Timeout"),
            failed,
            ("healthy", "")
        ]
    );
    assert_eq!(reasons(false), [failed, failed, failed, ("healthy", "")]);
}

#[test]
fn what_a_proxy_tells_is_counted() {
    let mut net = Net::new(classic());
    net.fabric.tell(AT_A, None, Metric::RequestCount, 3);
    net.fabric.tell(AT_A, None, Metric::SurgeQueueLength, 2);
    net.fabric.tell(AT_A, None, Metric::SurgeQueueLength, -1);
    assert_eq!(net.metric("RequestCount"), 3);
    let readings = net.fabric.meter().readings(ms(1));
    let surge = readings[0].of(Metric::SurgeQueueLength);
    assert_eq!((surge.value, surge.maximum), (1.0, 2.0));
}

#[test]
fn a_time_that_is_told_has_its_shortest_its_longest_and_their_mean() {
    let mut net = Net::new(classic());
    for millis in [30, 10, 50] {
        net.fabric.took(AT_A, None, Metric::Latency, ms(millis));
    }
    let readings = net.fabric.meter().readings(ms(1));
    let latency = readings[0].of(Metric::Latency);
    assert_eq!(latency.samples, 3);
    let seconds = (latency.minimum, latency.average, latency.maximum);
    assert_eq!(seconds, (0.01, 0.03, 0.05));
}

/// AWS: connection errors of health checks are among them; a check that was answered wrongly had its connection.
#[test]
fn health_checks_without_a_connection_are_backend_connection_errors_of_a_classic_balancer() {
    let errors = |mut config: Config| {
        config.groups[0].health_check = Some(HealthCheck {
            protocol: CheckProtocol::Http,
            port: None,
            path: "/".to_owned(),
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            healthy_threshold: 10,
            unhealthy_threshold: 2,
            matcher: Vec::new(),
            checkers: 1,
        });
        let mut net = Net::new(config);
        let outcomes = [
            (false, Outcome::Failed),
            (false, Outcome::TimedOut),
            (true, Outcome::WrongCode),
            (true, Outcome::TimedOut),
            (true, Outcome::Passed),
        ];
        for (connected, outcome) in outcomes {
            let probe = Probe {
                balancer: FRONT,
                zonal: ZonalId(0),
                group: GroupId(0),
                target: 0,
                checker: 0,
                connected,
                outcome,
            };
            net.fabric.probe_done(net.now, probe);
        }
        net.metric("BackendConnectionErrors")
    };
    assert_eq!(errors(classic()), 2);
    assert_eq!(errors(config()), 0);
}
