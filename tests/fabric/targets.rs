//! Targets that come and go while the network runs, groups with weights, stickiness.

use crate::kit::*;
use hairpin::fabric::Config;
use hairpin::fabric::change::Change;
use hairpin::fabric::config::*;
use hairpin::fabric::record::*;
use std::time::Duration;

const GROUP: GroupId = GroupId(0);
const DELAY: Duration = Duration::from_secs(300);

fn register(target: usize) -> Change {
    Change::Register {
        group: GROUP,
        target,
    }
}

fn deregister(target: usize) -> Change {
    Change::Deregister {
        group: GROUP,
        target,
    }
}

/// web1 is preferred; a connection to it is open.
fn with_old_flow(config: Config) -> (Net, Segment) {
    let mut net = Net::new(config);
    let client = end(CLIENT_IP, 50_000);
    let old = net.connect(CLIENT, client, end(FRONT_A, 80), 7);
    assert_eq!(old.port, WEB1);
    let data = segment(client, end(FRONT_A, 80), ACK | PSH, 8, 9001).with_payload(10);
    (net, data)
}

fn terminating() -> Config {
    let mut config = one_target();
    config.groups[0].attributes.terminate_deregistered = true;
    config
}

#[test]
fn a_deregistered_target_gets_no_new_flows_and_keeps_its_old_ones() {
    let (mut net, data) = with_old_flow(one_target());
    net.apply(deregister(0));
    assert_eq!(net.chosen(end(FRONT_A, 80), 41_000..41_050), [WEB2]);
    assert_eq!(net.forward(CLIENT, data).to, WEB1);
    // Long after the delay too, as long as it is not idle.
    for _ in 0..3 {
        net.pass(Duration::from_secs(200));
        assert_eq!(net.forward(CLIENT, data).to, WEB1);
    }
    net.apply(register(0));
    assert_eq!(net.chosen(end(FRONT_A, 80), 42_000..42_005), [WEB1]);
}

#[test]
fn it_drains_for_the_delay_and_is_unused_after_it() {
    let mut net = Net::new(config());
    net.pass(ms(1000));
    net.apply(deregister(0));
    net.pass(DELAY);
    assert_eq!(
        net.story(0),
        [
            (ms(0), "healthy", ""),
            (ms(1000), "draining", "Target.DeregistrationInProgress"),
            (ms(1000) + DELAY, "unused", "Target.NotRegistered"),
        ]
    );
    assert_eq!(net.story(1).len(), 1);
    // Said twice is said once.
    net.apply(deregister(0));
    assert_eq!(net.state(0), ("unused", "Target.NotRegistered"));
    net.apply(register(0));
    assert_eq!(net.state(0), ("healthy", ""));
    net.apply(register(0));
    assert_eq!(net.story(0).len(), 4);
}

#[test]
fn a_registration_takes_its_time() {
    let mut config = config();
    config.groups[0].targets[0].registered = false;
    config.groups[0].emulate.register_delay = ms(500);
    let mut net = Net::new(config);
    assert_eq!(net.state(0), ("unused", "Target.NotRegistered"));
    net.apply(register(0));
    assert_eq!(net.state(0), ("initial", "Elb.RegistrationInProgress"));
    assert_eq!(net.chosen(end(FRONT_A, 80), 40_000..40_020), [WEB2]);
    net.pass(ms(500));
    assert_eq!(net.state(0), ("healthy", ""));
    assert_eq!(net.chosen(end(FRONT_A, 80), 41_000..41_020), [WEB1, WEB2]);
}

#[test]
fn the_news_of_a_deregistration_travels() {
    let mut config = one_target();
    config.groups[0].emulate.deregister_propagation = ms(500);
    let mut net = Net::new(config);
    net.apply(deregister(0));
    assert_eq!(
        net.state(0),
        ("draining", "Target.DeregistrationInProgress")
    );
    net.pass(ms(499));
    assert_eq!(net.chosen(end(FRONT_A, 80), 40_000..40_005), [WEB1]);
    net.pass(ms(1));
    assert_eq!(net.chosen(end(FRONT_A, 80), 41_000..41_005), [WEB2]);
}

#[test]
fn with_termination_both_sides_are_reset_after_the_delay() {
    let mut config = terminating();
    config.groups[0].emulate.termination_delay = ms(20);
    let (mut net, data) = with_old_flow(config);
    net.forward(CLIENT, data);
    let answer = segment(
        end(WEB1_IP, 80),
        end(CLIENT_IP, 50_000),
        ACK | PSH,
        9001,
        18,
    );
    net.forward(WEB1, answer.with_payload(5));
    net.apply(deregister(0));
    let quiet = net.pass(DELAY + ms(19));
    assert!(quiet.is_empty(), "{quiet:?}");
    let resets = net.pass(ms(1));
    let seen: Vec<_> = resets
        .iter()
        .map(|(_, one)| {
            let headers = one.headers();
            (one.to, headers.from, headers.to, headers.flags, headers.seq)
        })
        .collect();
    // Each has the very sequence number that its receiver expects.
    let (client, front) = (end(CLIENT_IP, 50_000), end(FRONT_A, 80));
    assert_eq!(
        seen,
        [
            (CLIENT, front, client, RST, 9006),
            (WEB1, client, end(WEB1_IP, 80), RST, 18),
        ]
    );
    assert_eq!(net.metric("TCP_ELB_Reset_Count"), 2);
    assert_eq!(net.metric("ActiveFlowCount"), 0);
    let flow = &net.fabric.flows()[0];
    assert!(flow.terminated);
    assert_eq!(flow.state, FlowState::Closed);
    let ended = net.conversation(client, front).ended.expect("an end");
    assert!(ended.reset && ended.by == Party::Fabric);
    // Who did not hear it hears it now.
    let (why, _) = net.reset(CLIENT, data);
    assert_eq!(why, Answer::ResetTerminated);
}

#[test]
fn the_highest_number_counts_whatever_the_order() {
    let (mut net, data) = with_old_flow(terminating());
    let mut late = data;
    late.seq = 18;
    net.forward(CLIENT, late);
    net.forward(CLIENT, data);
    net.apply(deregister(0));
    let resets = net.pass(DELAY);
    assert_eq!(resets[1].1.headers().seq, 28);
}

#[test]
fn a_connection_still_opening_is_reset_in_the_way_its_client_takes() {
    let mut net = Net::new(terminating());
    // The delay is shorter than the limit for the first answer.
    let mut config = terminating();
    config.groups[0].attributes.deregistration_delay = ms(100);
    net.apply(Change::Configure(Box::new(config)));
    net.syn(CLIENT, end(CLIENT_IP, 50_000), end(FRONT_A, 80), 7);
    net.apply(deregister(0));
    let resets = net.pass(ms(100));
    let client = resets[0].1.headers();
    assert_eq!((client.flags, client.seq, client.ack), (RST | ACK, 0, 8));
    let target = resets[1].1.headers();
    assert_eq!((target.flags, target.seq), (RST, 8));
}

#[test]
fn who_is_told_is_a_knob() {
    let told = |whom| {
        let mut config = terminating();
        config.groups[0].emulate.termination_reset = whom;
        let (mut net, data) = with_old_flow(config);
        net.apply(deregister(0));
        let resets = net.pass(DELAY);
        let (why, _) = net.reset(CLIENT, data);
        assert_eq!(why, Answer::ResetTerminated);
        resets.iter().map(|(_, one)| one.to).collect::<Vec<_>>()
    };
    assert_eq!(told(TerminationReset::Both), [CLIENT, WEB1]);
    assert_eq!(told(TerminationReset::Client), [CLIENT]);
    assert_eq!(told(TerminationReset::Target), [WEB1]);
    assert_eq!(told(TerminationReset::Neither), []);
}

#[test]
fn a_target_registered_again_in_time_keeps_its_flows() {
    let (mut net, data) = with_old_flow(terminating());
    net.apply(deregister(0));
    net.pass(DELAY / 2);
    net.apply(register(0));
    net.forward(CLIENT, data);
    assert!(net.pass(DELAY).is_empty());
    assert_eq!(net.forward(CLIENT, data).to, WEB1);
}

#[test]
fn a_datagram_after_termination_finds_another_target() {
    let mut config = terminating();
    config.groups[0].attributes.deregistration_delay = ms(10);
    let mut net = Net::new(config);
    let (from, to) = (end(CLIENT_IP, 50_000), end(FRONT_A, 53));
    assert_eq!(net.send(CLIENT, datagram(from, to, 10))[0].to, WEB1);
    net.apply(deregister(0));
    assert_eq!(net.send(CLIENT, datagram(from, to, 10))[0].to, WEB1);
    assert!(net.pass(ms(10)).is_empty());
    assert_eq!(net.send(CLIENT, datagram(from, to, 10))[0].to, WEB2);
}

#[test]
fn a_target_in_a_zone_that_is_not_enabled_is_unused() {
    let mut config = config();
    config.groups[0].targets[1].zone = Some("c".to_owned());
    let mut net = Net::new(config);
    assert_eq!(net.state(1), ("unused", "Target.NotInUse"));
    // Across zones neither.
    assert_eq!(net.chosen(end(FRONT_A, 80), 40_000..40_020), [WEB1]);
}

#[test]
fn a_group_behind_no_listener_is_unused() {
    let mut config = config();
    let mut spare = config.groups[0].clone();
    spare.name = "spare".to_owned();
    config.groups.push(spare);
    let net = Net::new(config);
    let health = net.fabric.target_health(GroupId(1), 0);
    let (state, reason) = health.now();
    assert_eq!((state.word(), reason.code()), ("unused", "Target.NotInUse"));
}

/// blue is web1, green is web2.
fn weighted(blue: u16, green: u16) -> Config {
    let mut config = config();
    let mut second = config.groups[0].clone();
    config.groups[0].targets.truncate(1);
    second.targets.remove(0);
    second.name = "green".to_owned();
    config.groups.push(second);
    config.balancers[0].listeners[0].forward = vec![
        Forward {
            group: GroupId(0),
            weight: blue,
            cross_zone: true,
        },
        Forward {
            group: GroupId(1),
            weight: green,
            cross_zone: true,
        },
    ];
    config
}

fn share_of_blue(net: &mut Net, ports: std::ops::Range<u16>) -> f64 {
    let all = ports.len() as f64;
    let blue = ports.filter(|port| {
        let from = end(CLIENT_IP, *port);
        net.syn(CLIENT, from, end(FRONT_A, 80), 7).port == WEB1
    });
    blue.count() as f64 / all
}

#[test]
fn weights_are_shares_of_new_connections() {
    let mut net = Net::new(weighted(90, 10));
    let share = share_of_blue(&mut net, 20_000..24_000);
    // Six standard deviations of the binomial: 6 * sqrt(0.9 * 0.1 / 4000) = 0.028.
    assert!((share - 0.9).abs() < 0.028, "{share}");
    let mut net = Net::new(weighted(0, 1));
    assert_eq!(share_of_blue(&mut net, 20_000..20_100), 0.0);
    let mut net = Net::new(weighted(0, 0));
    let syn = segment(end(CLIENT_IP, 50_000), end(FRONT_A, 80), SYN, 7, 0);
    assert_eq!(net.dropped(CLIENT, syn.bytes()), Reason::NoTarget);
}

#[test]
fn a_group_without_targets_keeps_its_share_and_loses_it() {
    let mut config = weighted(50, 50);
    config.groups[1].targets[0].registered = false;
    let mut net = Net::new(config);
    let (mut served, mut lost) = (0, 0);
    for port in 20_000..20_400 {
        let syn = segment(end(CLIENT_IP, port), end(FRONT_A, 80), SYN, 7, 0);
        match net.send(CLIENT, syn.bytes()).len() {
            0 => lost += 1,
            _ => served += 1,
        }
    }
    // Six standard deviations: 6 * sqrt(0.25 * 400) = 60.
    assert!((140..=260).contains(&lost), "{lost} of {}", lost + served);
    assert_eq!(net.metric("RejectedFlowCount"), lost);
}

#[test]
fn with_group_stickiness_a_client_stays_with_one_group() {
    let mut config = weighted(50, 50);
    config.balancers[0].listeners[0].group_stickiness = true;
    let mut net = Net::new(config);
    assert_eq!(net.chosen(end(FRONT_A, 80), 40_000..40_100).len(), 1);
}

#[test]
fn a_weight_of_zero_ends_connections_after_a_while() {
    let mut config = weighted(100, 0);
    for group in &mut config.groups {
        group.emulate.zero_weight_delay = ms(50);
    }
    let mut net = Net::new(config.clone());
    let client = end(CLIENT_IP, 50_000);
    assert_eq!(net.connect(CLIENT, client, end(FRONT_A, 80), 7).port, WEB1);
    let forward = &mut config.balancers[0].listeners[0].forward;
    (forward[0].weight, forward[1].weight) = (0, 100);
    net.apply(Change::Configure(Box::new(config.clone())));
    assert_eq!(net.chosen(end(FRONT_A, 80), 40_000..40_020), [WEB2]);
    let data = segment(client, end(FRONT_A, 80), ACK | PSH, 8, 9001).with_payload(10);
    assert_eq!(net.forward(CLIENT, data).to, WEB1);
    let to: Vec<PortId> = net.pass(ms(50)).iter().map(|(_, one)| one.to).collect();
    assert_eq!(to, [CLIENT, WEB1]);
    // Taken back in time it ends nothing.
    let mut net = Net::new(weighted(100, 0));
    net.connect(CLIENT, client, end(FRONT_A, 80), 7);
    net.apply(Change::Configure(Box::new(config.clone())));
    config.balancers[0].listeners[0].forward[0].weight = 1;
    net.apply(Change::Configure(Box::new(config)));
    assert!(net.pass(ms(100)).is_empty());
}

#[test]
fn a_group_taken_out_of_an_action_keeps_its_connections() {
    let mut config = weighted(100, 0);
    config.balancers[0].listeners.truncate(1);
    let mut net = Net::new(config.clone());
    let client = end(CLIENT_IP, 50_000);
    net.connect(CLIENT, client, end(FRONT_A, 80), 7);
    let forward = &mut config.balancers[0].listeners[0].forward;
    forward[1].weight = 1;
    forward.remove(0);
    net.apply(Change::Configure(Box::new(config)));
    assert!(net.pass(ms(100)).is_empty());
    let data = segment(client, end(FRONT_A, 80), ACK | PSH, 8, 9001).with_payload(10);
    assert_eq!(net.forward(CLIENT, data).to, WEB1);
    assert_eq!(net.chosen(end(FRONT_A, 80), 40_000..40_020), [WEB2]);
    assert_eq!(net.state(0), ("unused", "Target.NotInUse"));
}

#[test]
fn with_stickiness_only_protocol_and_source_address_count() {
    let mut config = config();
    config.groups[0].attributes.stickiness = true;
    let mut net = Net::new(config);
    let a = net.chosen(end(FRONT_A, 80), 40_000..40_050);
    let b = net.chosen(end(FRONT_B, 80), 40_000..40_050);
    assert_eq!(a.len(), 1);
    assert_eq!(a, b);
    // Another target may change it: it is a hash, no table.
    let target = usize::from(a[0] == WEB2);
    net.apply(deregister(target));
    assert_ne!(net.chosen(end(FRONT_A, 80), 41_000..41_050), a);
}

#[test]
fn preservation_changed_at_run_time_is_for_new_connections() {
    let mut config = one_target();
    let mut net = Net::new(config.clone());
    let client = end(CLIENT_IP, 50_000);
    net.connect(CLIENT, client, end(FRONT_A, 80), 7);
    config.groups[0].preserve_client_ip = false;
    net.apply(Change::Configure(Box::new(config)));
    let data = segment(client, end(FRONT_A, 80), ACK | PSH, 8, 9001).with_payload(10);
    assert_eq!(net.forward(CLIENT, data).headers().from, client);
    let new = net.syn(CLIENT, end(CLIENT_IP, 50_001), end(FRONT_A, 80), 7);
    assert_eq!(*new.from.ip(), ip(FRONT_A_PRIVATE));
}

#[test]
fn a_link_changed_at_run_time_does_not_reorder() {
    let mut config = one_target();
    config.ports[0].up.delay = ms(100);
    let mut net = Net::new(config.clone());
    let syn = |port| segment(end(CLIENT_IP, port), end(FRONT_A, 80), SYN, 7, 0).bytes();
    assert!(net.send(CLIENT, syn(50_000)).is_empty());
    config.ports[0].up.delay = ms(0);
    net.apply(Change::Configure(Box::new(config)));
    assert!(net.send(CLIENT, syn(50_001)).is_empty());
    let came = net.pass(ms(100));
    let ports: Vec<u16> = came.iter().map(|(_, c)| c.headers().from.port()).collect();
    assert_eq!(ports, [50_000, 50_001]);
}

#[test]
fn a_reset_reaches_a_target_in_its_own_numbers_behind_a_proxy_header() {
    let mut config = terminating();
    config.groups[0].proxy_protocol = Some(Placement::OnFirstAckWithPayload);
    let mut net = Net::new(config);
    let client = end(CLIENT_IP, 50_000);
    net.connect(CLIENT, client, end(FRONT_A, 80), 7);
    let data = segment(client, end(FRONT_A, 80), ACK | PSH, 8, 9001).with_payload(10);
    let came = net.send(CLIENT, data.bytes());
    let last = came.last().expect("the data").headers();
    let expected = last.seq + last.payload_len() as u32;
    assert!(expected > 18, "a header goes before it");
    let answer = segment(end(WEB1_IP, 80), client, ACK, 9001, expected);
    net.send(WEB1, answer.bytes());
    net.apply(deregister(0));
    let resets = net.pass(DELAY);
    let last = resets.last().expect("a RST to the target");
    assert_eq!((last.1.to, last.1.headers().seq), (WEB1, expected));
    let first = &resets[0].1;
    assert_eq!((first.to, first.headers().seq), (CLIENT, 9001));
}
