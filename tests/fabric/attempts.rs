//! Connection attempts are kept in little memory: what is told of them is what their SYNs in the books tell.

use crate::kit::*;
use crate::properties::{event, play, rough};
use hairpin::fabric::config::{OnCollision, Protocol};
use hairpin::fabric::record::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::time::Duration;

/// Of an attempt: its ends, when it began, with which number, how many SYNs, and the latest flow that these took.
type Attempt = (Tuple, Duration, u32, u32, Option<FlowId>);

/// The attempts, read from the SYNs that hosts sent over links that neither hold nor lose anything.
fn read(records: &[PacketRecord]) -> Vec<Attempt> {
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut latest: HashMap<Tuple, usize> = HashMap::new();
    for record in records {
        let opening =
            record.before.protocol == Protocol::Tcp && record.flags & (SYN | ACK | RST) == SYN;
        let left = record.fate != Fate::Dropped(Reason::Malformed)
            && record.fate != Fate::Dropped(Reason::SpoofedSource);
        if record.sender.is_none() || !opening || !left {
            continue;
        }
        let place = *latest
            .get(&record.before)
            .filter(|place| attempts[**place].2 == record.seq)
            .unwrap_or(&attempts.len());
        if place == attempts.len() {
            attempts.push((record.before, record.at, record.seq, 0, None));
            latest.insert(record.before, place);
        }
        attempts[place].3 += 1;
        if matches!(record.fate, Fate::Forwarded(_)) && record.flow.is_some() {
            attempts[place].4 = record.flow;
        }
    }
    attempts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn attempts_are_told_as_their_syns_were(
        seed: u64,
        preserve: bool,
        policy in prop::sample::select(vec![OnCollision::Newest, OnCollision::KeepOld, OnCollision::Random, OnCollision::PortRewrite]),
        reuse: bool,
        events in prop::collection::vec(event(), 0..150),
    ) {
        let mut config = rough(seed, policy, preserve, false);
        config.balancers[0].flow_reuse = if reuse { ms(5_000) } else { Duration::ZERO };
        config.balancers[0].half_open = ms(2_000);
        let mut net = Net::new(config);
        for event in &events {
            play(&mut net, event);
        }
        let told: Vec<Attempt> = net
            .fabric
            .conversations()
            .iter()
            .map(|one| (one.tuple, one.opened, one.isn, one.syns, one.flow))
            .collect();
        prop_assert_eq!(told, read(&net.fabric.records()));
    }
}

#[test]
fn an_attempt_that_goes_by_a_second_flow_is_told_with_that_and_found_after_it() {
    let mut net = Net::new(one_target());
    let (client, front) = (end(CLIENT_IP, 5), end(FRONT_A, 80));
    let syn = segment(client, front, SYN, 1, 0);
    net.forward(CLIENT, syn);
    net.pass(HALF_OPEN);
    net.forward(CLIENT, syn);
    let attempt = net.conversation(client, front);
    assert_eq!((attempt.syns, attempt.flow), (2, Some(FlowId(1))));
    assert_eq!(attempt.opened, Duration::ZERO);
    net.forward(CLIENT, segment(client, front, SYN, 9, 0));
    assert_eq!(net.conversation(client, front).isn, 9);
    let first = &net.fabric.conversations()[0];
    assert_eq!(format!("{first:?}"), format!("{attempt:?}"));
}
