//! Zones that come and go while flows live: disabled, shifted away from, without targets.

use crate::kit::*;
use hairpin::fabric::change::Change;
use hairpin::fabric::config::*;
use hairpin::fabric::record::*;
use hairpin::fabric::targets::{HealthReason, HealthState};
use std::time::Duration;

const C: u16 = 40_000;

fn change(net: &mut Net, edit: impl FnOnce(&mut Config)) {
    let mut config = net.fabric.config().clone();
    edit(&mut config);
    let change = Change::Configure(Box::new(config));
    net.fabric.apply(net.now, change, &mut net.out);
}

fn across(cross_zone: bool) -> Config {
    let mut config = config();
    for forward in config.balancers[0]
        .listeners
        .iter_mut()
        .flat_map(|l| &mut l.forward)
    {
        forward.cross_zone = cross_zone;
    }
    config
}

/// The targets that new connections to an address come to.
fn reached(net: &mut Net, front: &str, first: u16) -> Vec<PortId> {
    let mut ports: Vec<PortId> = (first..first + 20)
        .map(|port| {
            net.syn(CLIENT, end(CLIENT_IP, port), end(front, 80), 1)
                .port
        })
        .collect();
    ports.sort();
    ports.dedup();
    ports
}

fn listed(net: &Net) -> Vec<(Duration, Vec<u8>)> {
    let listings = net.fabric.listings().iter();
    listings
        .map(|one| (one.at, one.zones.iter().map(|zone| zone.0).collect()))
        .collect()
}

#[test]
fn a_disabled_zone_takes_no_flows_and_its_flows_fall_silent() {
    let mut net = Net::new(across(true));
    let (old, other) = (end(CLIENT_IP, C), end(CLIENT_IP, C + 1));
    net.connect(CLIENT, old, end(FRONT_A, 80), 1);
    let b = net.connect(CLIENT, other, end(FRONT_B, 80), 1);
    net.pass(ms(10));
    change(&mut net, |config| {
        config.balancers[0].zonal[0].enabled = false
    });
    let syn = segment(end(CLIENT_IP, C + 2), end(FRONT_A, 80), SYN, 1, 0);
    assert_eq!(net.dropped(CLIENT, syn.bytes()), Reason::ZoneDisabled);
    let data = segment(old, end(FRONT_A, 80), ACK, 2, 9001).with_payload(5);
    assert_eq!(net.dropped(CLIENT, data.bytes()), Reason::ZoneDisabled);
    // The target's answer neither.
    let flow = net.fabric.flows()[0].target_side;
    let from = if *flow.to.ip() == ip(WEB1_IP) {
        WEB1
    } else {
        WEB2
    };
    let back = segment(flow.to, flow.from, ACK, 9001, 2).with_payload(5);
    assert_eq!(net.dropped(from, back.bytes()), Reason::ZoneDisabled);
    // The other zone goes on, without the targets of the one that is gone.
    net.forward(b.port, segment(b.to, b.from, ACK, 9001, 2).with_payload(5));
    assert_eq!(reached(&mut net, FRONT_B, C + 10), [WEB2]);
    let (state, reason) = net.fabric.target_health(GroupId(0), 0).now();
    assert_eq!(
        (state, reason),
        (HealthState::Unused, HealthReason::NotInUse)
    );
    assert_eq!(listed(&net), [(ms(0), vec![0, 1]), (ms(10), vec![1])]);

    change(&mut net, |config| {
        config.balancers[0].zonal[0].enabled = true
    });
    assert_eq!(reached(&mut net, FRONT_A, C + 100), [WEB1, WEB2]);
    assert_eq!(listed(&net).last(), Some(&(ms(10), vec![0, 1])));
}

#[test]
fn its_flows_may_be_kept() {
    let mut config = across(true);
    config.balancers[0].on_zone_disabled = OnZoneDisabled::Keep;
    let mut net = Net::new(config);
    let old = end(CLIENT_IP, C);
    let at = net.connect(CLIENT, old, end(FRONT_A, 80), 1);
    change(&mut net, |config| {
        config.balancers[0].zonal[0].enabled = false
    });
    net.forward(
        CLIENT,
        segment(old, end(FRONT_A, 80), ACK, 2, 9001).with_payload(5),
    );
    net.forward(
        at.port,
        segment(at.to, at.from, ACK, 9001, 7).with_payload(5),
    );
    let syn = segment(end(CLIENT_IP, C + 2), end(FRONT_A, 80), SYN, 1, 0);
    assert_eq!(net.dropped(CLIENT, syn.bytes()), Reason::ZoneDisabled);
    // Not once it is over.
    net.forward(CLIENT, segment(old, end(FRONT_A, 80), RST, 7, 0));
    let late = segment(old, end(FRONT_A, 80), ACK, 7, 9001);
    assert_eq!(net.dropped(CLIENT, late.bytes()), Reason::ZoneDisabled);
}

#[test]
fn a_target_in_a_zone_that_is_not_enabled_gets_nothing() {
    let mut config = across(true);
    config.groups[0].targets[1].zone = Some("c".to_owned());
    let mut net = Net::new(config);
    assert_eq!(reached(&mut net, FRONT_A, C), [WEB1]);
    assert_eq!(reached(&mut net, FRONT_B, C), [WEB1]);
    let (state, reason) = net.fabric.target_health(GroupId(0), 1).now();
    assert_eq!(
        (state, reason),
        (HealthState::Unused, HealthReason::NotInUse)
    );
}

#[test]
fn a_shift_across_zones_spares_the_targets_too_and_keeps_flows() {
    let mut net = Net::new(across(true));
    let old = end(CLIENT_IP, C);
    let mut config = net.fabric.config().clone();
    config.balancers[0].prefer = vec![(ZonalId(0), vec![0])];
    net = Net::new(config);
    let at = net.connect(CLIENT, old, end(FRONT_A, 80), 1);
    assert_eq!(at.port, WEB1);
    change(&mut net, |config| {
        config.balancers[0].prefer.clear();
        config.balancers[0].zonal[0].shifted = true;
    });
    assert_eq!(listed(&net).last(), Some(&(ms(0), vec![1])));
    net.forward(
        CLIENT,
        segment(old, end(FRONT_A, 80), ACK, 2, 9001).with_payload(5),
    );
    net.forward(WEB1, segment(at.to, at.from, ACK, 9001, 7).with_payload(5));
    // Who still dials the address is served, by the targets of the other zone.
    assert_eq!(reached(&mut net, FRONT_A, C + 10), [WEB2]);
    assert_eq!(reached(&mut net, FRONT_B, C + 50), [WEB2]);
    change(&mut net, |config| {
        config.balancers[0].zonal[0].shifted = false
    });
    assert_eq!(reached(&mut net, FRONT_B, C + 100), [WEB1, WEB2]);
}

#[test]
fn a_shift_within_zones_is_only_in_the_name() {
    let mut config = across(false);
    config.balancers[0].zonal[0].shifted = true;
    let mut net = Net::new(config);
    assert_eq!(listed(&net), [(ms(0), vec![1])]);
    assert_eq!(reached(&mut net, FRONT_A, C), [WEB1]);
}

#[test]
fn a_zone_leaves_the_name_with_its_last_target() {
    let mut net = Net::new(across(false));
    net.pass(ms(5));
    let target = |target| Change::Deregister {
        group: GroupId(0),
        target,
    };
    net.fabric.apply(net.now, target(0), &mut net.out);
    assert_eq!(listed(&net), [(ms(0), vec![0, 1]), (ms(5), vec![1])]);
    // With the last one all fail open.
    net.pass(ms(5));
    net.fabric.apply(net.now, target(1), &mut net.out);
    assert_eq!(listed(&net).last(), Some(&(ms(10), vec![0, 1])));
}
