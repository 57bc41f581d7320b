//! Further addresses of hosts, and balancers that could not be set up because of them.

use crate::kit::*;
use hairpin::fabric::record::*;

const SECOND: &str = "10.0.2.77";

#[test]
fn a_host_is_reached_and_answers_by_each_of_its_addresses() {
    let mut config = config();
    config.ports[WEB2.0 as usize].addresses = vec![ip(SECOND)];
    let mut net = Net::new(config);
    let (inside, second) = (end(INSIDE_IP, 40_000), end(SECOND, 80));
    let arrived = net.connect(INSIDE, inside, second, 1);
    assert_eq!((arrived.port, arrived.to), (WEB2, second));
    // It may call by it as well, and keeps it.
    let arrived = net.syn(WEB2, end(SECOND, 5000), end(INSIDE_IP, 80), 7);
    assert_eq!((arrived.port, arrived.from), (INSIDE, end(SECOND, 5000)));
    // Through a balancer too.
    let arrived = net.syn(WEB2, end(SECOND, 5001), end(FRONT_A_PRIVATE, 80), 7);
    assert_eq!(arrived.from, end(SECOND, 5001));
    // Somebody else may not.
    let stolen = segment(end(SECOND, 5002), end(INSIDE_IP, 80), SYN, 1, 0);
    assert_eq!(net.dropped(WEB1, stolen.bytes()), Reason::SpoofedSource);
}

#[test]
fn only_the_main_address_has_a_public_one() {
    let mut config = config();
    config.ports[INSIDE.0 as usize].addresses = vec![ip(SECOND)];
    let mut net = Net::new(config);
    let client = end(CLIENT_IP, 80);
    let arrived = net.syn(INSIDE, end(INSIDE_IP, 5000), client, 1);
    assert_eq!(arrived.from, end(INSIDE_PUBLIC, 5000));
    let second = segment(end(SECOND, 5000), client, SYN, 1, 0);
    assert_eq!(net.dropped(INSIDE, second.bytes()), Reason::NotRoutable);
}

#[test]
fn of_a_balancer_that_failed_nothing_is_there() {
    let mut config = one_target();
    config.balancers[0].failure = Some("somebody has its address".to_owned());
    let mut net = Net::new(config);
    for address in [FRONT_A, FRONT_B] {
        let syn = segment(end(CLIENT_IP, 40_000), end(address, 80), SYN, 1, 0);
        assert_eq!(net.dropped(CLIENT, syn.bytes()), Reason::NoRoute);
    }
    let syn = segment(end(INSIDE_IP, 40_000), end(FRONT_A_PRIVATE, 80), SYN, 1, 0);
    assert_eq!(net.dropped(INSIDE, syn.bytes()), Reason::NoRoute);
}
