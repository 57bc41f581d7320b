//! A rate spaces packets; they wait for each other, and find no room.

use super::*;
use std::time::Duration;

#[test]
fn a_rate_spaces_packets_and_its_queue_overflows() {
    // 1,000 bytes at 8 Mbit/s: one millisecond each.
    let mut net = with_up(Link {
        rate: Some(8_000_000),
        queue: Some(3),
        ..Link::default()
    });
    for _ in 0..3 {
        assert!(net.send(CLIENT, numbered(972)).is_empty());
    }
    assert_eq!(net.dropped(CLIENT, numbered(972)), Reason::LinkQueue);
    let came = net.pass(ms(1));
    assert_eq!(came.len(), 1);
    assert!(net.send(CLIENT, numbered(972)).is_empty());
    let times: Vec<Duration> = net.pass(ms(20)).into_iter().map(|(at, _)| at).collect();
    assert_eq!(times, [ms(2), ms(3), ms(4)]);
}

#[test]
fn what_waits_for_others_is_on_record_and_no_other_delay_is() {
    // 1,000 bytes at 8 Mbit/s: one millisecond each. The first finds nobody before it.
    let rate = Link {
        rate: Some(8_000_000),
        ..Link::default()
    };
    let mut net = with_up(Link {
        delay: ms(20),
        jitter: ms(10),
        ..rate.clone()
    });
    for _ in 0..3 {
        net.send(CLIENT, numbered(972));
    }
    net.pass(ms(50));
    net.send(CLIENT, numbered(972));
    let up = Stage::Up(CLIENT);
    let queued = |packet, wait| (packet, up, Impaired::Queued(ms(wait)));
    assert_eq!(impaired(&net), [queued(1, 1), queued(2, 2)]);

    // What overtakes on the wire has waited for its turn as well.
    let mut net = with_up(Link {
        reorder: 1.0,
        ..rate
    });
    net.send(CLIENT, numbered(972));
    net.now += Duration::from_micros(400);
    net.send(CLIENT, numbered(972));
    let wait = Duration::from_micros(600);
    assert_eq!(impaired(&net), [(1, up, Impaired::Queued(wait))]);

    let mut net = with_up(Link {
        delay: ms(20),
        jitter: ms(20),
        ..Link::default()
    });
    for n in 0..50 {
        net.send(CLIENT, numbered(n));
    }
    assert_eq!(impaired(&net), []);
}
