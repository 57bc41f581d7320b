//! Delay and jitter, and in which order packets come.

use super::*;
use std::time::Duration;

#[test]
fn a_delay_holds_and_releases() {
    let mut net = with_up(Link {
        delay: ms(20),
        ..Link::default()
    });
    assert!(net.send(CLIENT, numbered(1)).is_empty());
    assert_eq!(net.fabric.totals().held, 1);
    assert_eq!(net.fabric.next_deadline(), Some(ms(20)));
    let came = net.pass(ms(19));
    assert!(came.is_empty());
    let came = net.pass(ms(1));
    assert_eq!((came.len(), came[0].0), (1, ms(20)));
    let records = net.fabric.records();
    assert_eq!(
        (records[0].fate, records[1].fate),
        (Fate::Held, Fate::Forwarded(WEB1))
    );
    assert_eq!((records[0].id, records[1].id), (0, 0));
    assert_eq!((records[0].at, records[1].at), (ms(0), ms(20)));
    assert_eq!(records[0].after.to, end(FRONT_A, 53));
    assert_eq!(records[1].after.to, end(WEB1_IP, 53));
}

#[test]
fn delays_of_both_directions_add_up_and_only_the_first_wait_is_recorded() {
    let mut config = one_target();
    config.ports[CLIENT.0 as usize].up.delay = ms(20);
    config.ports[WEB1.0 as usize].down.delay = ms(5);
    let mut net = Net::new(config);
    net.send(CLIENT, numbered(1));
    let came = net.pass(ms(100));
    assert_eq!(came[0].0, ms(25));
    assert_eq!(net.fabric.records().len(), 2);
}

#[test]
fn a_late_driver_does_not_add_to_the_delay_of_the_next_link() {
    let mut config = one_target();
    config.ports[CLIENT.0 as usize].up.delay = ms(20);
    config.ports[WEB1.0 as usize].down.delay = ms(5);
    let mut net = Net::new(config);
    net.send(CLIENT, numbered(1));
    net.now = ms(23);
    net.fabric.advance(net.now, &mut net.out);
    assert_eq!(net.fabric.next_deadline(), Some(ms(25)));
}

#[test]
fn what_the_fabric_answers_travels_the_link_too() {
    let mut config = one_target();
    config.ports[CLIENT.0 as usize].down.delay = ms(30);
    let mut net = Net::new(config);
    let stray = segment(end(CLIENT_IP, C), end(FRONT_A, 80), ACK, 1, 77);
    assert!(net.send(CLIENT, stray.bytes()).is_empty());
    assert_eq!(net.fabric.totals().held, 0);
    let came = net.pass(ms(50));
    assert_eq!((came.len(), came[0].0), (1, ms(30)));
    let fates: Vec<Fate> = net
        .fabric
        .records()
        .iter()
        .map(|record| record.fate)
        .collect();
    assert_eq!(
        fates,
        [
            Fate::Answered(Answer::ResetNoFlow),
            Fate::Held,
            Fate::Forwarded(CLIENT)
        ]
    );
    assert!(net.fabric.records()[1].sender.is_none());
}

#[test]
fn jitter_varies_and_keeps_the_order() {
    let mut net = with_up(Link {
        delay: ms(10),
        jitter: ms(10),
        ..Link::default()
    });
    for n in 0..100 {
        net.send(CLIENT, numbered(n));
        net.now += Duration::from_micros(100);
    }
    let came = net.pass(ms(100));
    let sizes: Vec<usize> = came.iter().map(|(_, one)| one.bytes.len() - 28).collect();
    assert_eq!(sizes, (0..100).collect::<Vec<_>>());
    let first = came[0].0;
    assert!(first >= ms(10) && came[99].0 <= ms(30));
}

#[test]
fn jitter_is_spread_evenly_over_its_range() {
    let mut net = with_up(Link {
        delay: ms(10),
        jitter: ms(10),
        ..Link::default()
    });
    let mut by_quarter = [0; 4];
    for n in 0..400 {
        // So far apart that keeping the order delays nothing.
        let sent = net.now;
        net.send(CLIENT, numbered(n % 50));
        let came = net.pass(ms(40));
        let jitter = came[0].0 - sent - ms(10);
        assert!(jitter <= ms(10));
        by_quarter[(jitter.as_micros() * 4 / 10_001) as usize] += 1;
    }
    // 100 expected in each, standard deviation 8.7.
    let even = by_quarter.iter().all(|count| (60..=140).contains(count));
    assert!(even, "{by_quarter:?}");
}

#[test]
fn a_share_overtakes_those_that_are_delayed() {
    let mut net = with_up(Link {
        delay: ms(20),
        reorder: 0.25,
        ..Link::default()
    });
    let came = numbers(&mut net, 1400);
    assert_eq!(came.len(), 1400);
    let mut highest = 0;
    let mut overtaken = 0;
    for number in came {
        overtaken += usize::from(number < highest);
        highest = highest.max(number);
    }
    // Whoever is delayed is overtaken, unless none of the twenty behind it goes at once.
    assert!(is_share(overtaken, 1400, 0.75), "{overtaken}");
}

#[test]
fn without_a_delay_nothing_overtakes() {
    let mut net = with_up(Link {
        reorder: 1.0,
        ..Link::default()
    });
    let came = numbers(&mut net, 100);
    assert!(came.is_sorted());
    assert_eq!(came.len(), 100);
}
