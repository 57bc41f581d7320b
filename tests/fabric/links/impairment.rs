//! Loss, copies and damage: which share, and what is on record of them.

use super::*;
use hairpin::fabric::change::Change;

#[test]
fn loss_is_a_seeded_share() {
    let lost = |seed| {
        let mut config = one_target();
        config.seed = seed;
        config.ports[CLIENT.0 as usize].up.loss = 0.3;
        let mut net = Net::new(config);
        (0..2000)
            .map(|n| net.send(CLIENT, numbered(n % 50)).is_empty())
            .collect::<Vec<bool>>()
    };
    let one = lost(1);
    let count = one.iter().filter(|&&lost| lost).count();
    assert!((500..700).contains(&count), "{count}");
    assert_eq!(one, lost(1));
    assert_ne!(one, lost(2));
}

#[test]
fn loss_of_one_loses_all_and_says_why() {
    let mut net = with_up(Link {
        loss: 1.0,
        ..Link::default()
    });
    assert_eq!(net.dropped(CLIENT, numbered(1)), Reason::LinkLoss);
}

#[test]
fn no_more_records_than_the_limit() {
    let mut config = one_target();
    config.record_limit = 3;
    let mut net = Net::new(config);
    for n in 0..10 {
        net.send(CLIENT, numbered(n));
    }
    assert_eq!(net.fabric.records().len(), 3);
    assert_eq!(net.fabric.totals().records_cut, 7);
}

#[test]
fn a_share_arrives_twice_and_each_copy_has_its_own_record() {
    let mut net = with_up(Link {
        duplicate: 0.2,
        ..Link::default()
    });
    let came = numbers(&mut net, 1400);
    let twice = came.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!(is_share(twice, 1400, 0.2), "{twice}");
    assert_eq!(came.len(), 1400 + twice);
    let totals = net.fabric.totals();
    assert_eq!(totals.received, came.len() as u64);
    assert_eq!(totals.forwarded, came.len() as u64);
}

#[test]
fn a_packet_may_be_doubled_and_one_of_the_two_lost() {
    let mut net = with_up(Link {
        duplicate: 1.0,
        loss: 0.5,
        ..Link::default()
    });
    let came = numbers(&mut net, 1000);
    assert!(is_share(came.len(), 2000, 0.5), "{}", came.len());
}

#[test]
fn what_a_link_did_to_a_packet_is_on_record() {
    // What goes at once passes those that wait, and no others.
    let mut net = with_up(Link {
        delay: ms(20),
        ..Link::default()
    });
    net.send(CLIENT, numbered(1));
    net.send(CLIENT, numbered(2));
    let mut config = net.fabric.config().clone();
    config.ports[CLIENT.0 as usize].up.reorder = 1.0;
    net.apply(Change::Configure(Box::new(config)));
    net.send(CLIENT, numbered(3));
    net.pass(ms(30));
    net.send(CLIENT, numbered(4));
    let up = Stage::Up(CLIENT);
    assert_eq!(impaired(&net), [(2, up, Impaired::Overtook(2))]);

    // The copy is told from the packet that it is a copy of, and each of the two may be damaged.
    let mut config = one_target();
    config.ports[WEB1.0 as usize].down.duplicate = 1.0;
    config.ports[WEB1.0 as usize].down.corrupt = 1.0;
    let mut net = Net::new(config);
    net.out.unverified = true;
    let came = net.send(CLIENT, numbered(40));
    let down = Stage::Down(WEB1);
    let told = impaired(&net);
    assert_eq!(told[0], (1, down, Impaired::CopyOf(0)));
    let sent = numbered(40);
    for ((packet, link, what), (number, delivery)) in told[1..].iter().zip((0..).zip(&came)) {
        assert_eq!((*packet, *link), (number, down));
        let Impaired::Damaged(Some(byte)) = what else {
            panic!("{what:?}");
        };
        let place = sent.len() - 40 + *byte as usize;
        assert_ne!(delivery.bytes[place], sent[place]);
    }
    assert_eq!(told.len(), 3);

    // Where a packet has nothing behind its headers, the checksum is hit.
    let mut net = with_up(Link {
        corrupt: 1.0,
        ..Link::default()
    });
    net.out.unverified = true;
    net.send(CLIENT, numbered(0));
    assert_eq!(impaired(&net), [(0, up, Impaired::Damaged(None))]);
}

#[test]
fn of_what_links_do_no_more_is_kept_than_of_packets() {
    let mut config = one_target();
    config.record_limit = 5;
    config.ports[CLIENT.0 as usize].up.corrupt = 1.0;
    let mut net = Net::new(config);
    net.fabric.keep_latest(2);
    net.out.unverified = true;
    for n in 1..=20 {
        net.send(CLIENT, numbered(n));
    }
    let kept: Vec<u64> = impaired(&net).iter().map(|one| one.0).collect();
    assert_eq!(kept, [0, 1, 2, 3, 4]);
    assert_eq!(net.fabric.totals().impairments_cut, 15);
    let latest = net.fabric.latest().expect("asked for");
    let latest: Vec<u64> = latest.impairments.iter().map(|one| one.packet).collect();
    assert_eq!(latest, [18, 19]);
}

/// True when the transport checksum is right.
fn is_whole(delivery: &Delivery) -> bool {
    let headers = delivery.headers();
    let segment = &delivery.bytes[headers.transport..headers.total_len];
    let start = checksum::pseudo_header(
        headers.source(),
        headers.destination(),
        headers.protocol,
        segment.len(),
    );
    checksum::fold(start + checksum::sum(segment)) == 0xffff
}

#[test]
fn a_share_is_damaged_in_one_bit_that_no_translation_repairs() {
    let mut config = one_target();
    config.ports[CLIENT.0 as usize].up.corrupt = 0.3;
    config.groups[0].preserve_client_ip = false;
    let mut net = Net::new(config);
    net.out.unverified = true;
    let mut damaged = 0;
    for n in 0..1000 {
        // As a kernel gives it: the sum is for the device to finish.
        let good = segment(end(CLIENT_IP, 1000 + n), end(FRONT_A, 80), SYN, 7, 0)
            .with_payload(usize::from(n) % 3 * 10);
        let (header, bytes) = unfinished(good);
        let came = net.send_frame(CLIENT, header, bytes);
        assert_eq!(came.len(), 1);
        if came[0].vnet.needs_csum() {
            continue;
        }
        assert!(!is_whole(&came[0]), "{n}: a device takes it for whole");
        assert_eq!(came[0].headers().flags, SYN);
        damaged += 1;
    }
    assert!(is_share(damaged, 1000, 0.3), "{damaged}");
}

#[test]
fn a_damaged_part_of_a_super_packet_leaves_the_others_whole() {
    let mut net = with_up(Link {
        corrupt: 0.1,
        ..Link::default()
    });
    net.out.unverified = true;
    net.connect(CLIENT, end(CLIENT_IP, C), end(FRONT_A, 80), 1);
    let (mut parts, mut damaged) = (0, 0);
    for _ in 0..60 {
        let (header, bytes) = super_packet(10_000, 1000);
        let came = net.send_frame(CLIENT, header, bytes);
        parts += came.len();
        damaged += came.iter().filter(|one| !is_whole(one)).count();
    }
    assert_eq!(parts, 600);
    assert!(is_share(damaged, 600, 0.1), "{damaged}");
}

#[test]
fn the_same_seed_doubles_damages_and_reorders_the_same() {
    let link = Link {
        delay: ms(5),
        duplicate: 0.2,
        reorder: 0.2,
        corrupt: 0.2,
        loss: 0.1,
        ..Link::default()
    };
    let run = |seed| {
        let mut config = one_target();
        config.seed = seed;
        config.ports[CLIENT.0 as usize].up = link.clone();
        let mut net = Net::new(config);
        net.out.unverified = true;
        numbers(&mut net, 300)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
