//! Links: delay, jitter, loss, rate, MTU, each direction by itself.

use crate::kit::*;
use hairpin::fabric::change::Change;
use hairpin::fabric::config::*;
use hairpin::fabric::record::*;
use hairpin::packet::vnet::{GSO_TCPV4, NEEDS_CSUM};
use hairpin::packet::{VnetHeader, checksum};
use std::time::Duration;

const C: u16 = 40_000;

fn with_up(link: Link) -> Net {
    let mut config = one_target();
    config.ports[CLIENT.0 as usize].up = link;
    Net::new(config)
}

fn numbered(n: usize) -> Vec<u8> {
    datagram(end(CLIENT_IP, C), end(FRONT_A, 53), n)
}

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

/// A super-packet as a kernel hands it out: partial checksum, `gso_size` bytes a segment.
fn super_packet(len: usize, gso_size: u16) -> (VnetHeader, Vec<u8>) {
    let whole = segment(end(CLIENT_IP, C), end(FRONT_A, 80), ACK | PSH, 2, 9001).with_payload(len);
    let (vnet, bytes) = unfinished(whole);
    let vnet = VnetHeader {
        gso_type: GSO_TCPV4,
        hdr_len: 40,
        gso_size,
        ..vnet
    };
    (vnet, bytes)
}

/// A segment as a kernel gives it to a device: its checksum is only begun.
fn unfinished(segment: Segment) -> (VnetHeader, Vec<u8>) {
    let (from, to) = (*segment.from.ip(), *segment.to.ip());
    let mut bytes = segment.bytes();
    let pseudo = checksum::pseudo_header(from, to, 6, bytes.len() - 20);
    bytes[36..38].copy_from_slice(&checksum::fold(pseudo).to_be_bytes());
    let vnet = VnetHeader {
        flags: NEEDS_CSUM,
        csum_start: 20,
        csum_offset: 16,
        ..VnetHeader::default()
    };
    (vnet, bytes)
}

#[test]
fn a_super_packet_crosses_plain_links_whole() {
    let mut net = Net::new(one_target());
    net.connect(CLIENT, end(CLIENT_IP, C), end(FRONT_A, 80), 1);
    let carried = net.metric("ProcessedPackets");
    let (vnet, bytes) = super_packet(10_000, 1448);
    let came = net.send_frame(CLIENT, vnet, bytes);
    assert_eq!(came.len(), 1);
    assert_eq!(came[0].vnet, vnet);
    assert_eq!(net.metric("ProcessedPackets") - carried, 7);
}

#[test]
fn links_act_on_the_packets_of_the_wire() {
    let mut config = one_target();
    config.ports[WEB1.0 as usize].down.loss = 0.5;
    let mut net = Net::new(config);
    // Some of the handshake may be lost; the flow is there from the first SYN.
    net.send(
        CLIENT,
        segment(end(CLIENT_IP, C), end(FRONT_A, 80), SYN, 1, 0).bytes(),
    );
    let before = net.fabric.totals().received;
    let (vnet, bytes) = super_packet(64 * 1000, 1000);
    let came = net.send_frame(CLIENT, vnet, bytes);
    assert_eq!(net.fabric.totals().received - before, 64);
    assert!((10..54).contains(&came.len()), "{}", came.len());
    assert!(came.iter().all(|one| one.vnet == VnetHeader::default()));
    let seqs: Vec<u32> = came.iter().map(|one| one.headers().seq).collect();
    assert!(seqs.is_sorted() && seqs.iter().all(|seq| (seq - 2) % 1000 == 0));
}

#[test]
fn too_large_with_df_is_answered_and_without_is_dropped() {
    let mut net = with_up(Link {
        mtu: Some(1000),
        ..Link::default()
    });
    let mut bytes = numbered(1400);
    assert_eq!(net.dropped(CLIENT, bytes.clone()), Reason::LinkMtu);
    bytes[6] |= 0x40;
    fill_ip_checksum(&mut bytes);
    let came = net.send(CLIENT, bytes.clone());
    assert_eq!(came[0].to, CLIENT);
    assert_eq!(came[0].bytes[20..22], [3, 4]);
    assert_eq!(came[0].bytes[26..28], 1000u16.to_be_bytes());
    assert_eq!(came[0].bytes.len(), 576);
    assert_eq!(came[0].bytes[28..576], bytes[..548]);
    assert_eq!(net.send(CLIENT, numbered(972)).len(), 1);
}

#[test]
fn what_is_too_large_behind_the_translation_is_quoted_as_it_was_sent() {
    let mut config = one_target();
    config.ports[WEB1.0 as usize].down.mtu = Some(1000);
    let mut net = Net::new(config);
    let (client, front) = (end(CLIENT_IP, C), end(FRONT_A, 80));
    net.connect(CLIENT, client, front, 1);
    let (vnet, bytes) = super_packet(4000, 1448);
    let came = net.send_frame(CLIENT, vnet, bytes);
    assert_eq!(came.len(), 3);
    for one in &came {
        assert_eq!(one.to, CLIENT);
        let headers = one.headers();
        let quote = hairpin::packet::quote::Quote::read(&one.bytes, &headers).expect("a quote");
        assert_eq!((quote.from, quote.to), (client, front));
    }
    let fates = net.fabric.records().into_iter().filter(|record| {
        record.fate == Fate::Answered(Answer::FragmentationNeeded)
            && record.after.to == end(WEB1_IP, 80)
    });
    assert_eq!(fates.count(), 3);
    // Smaller segments fit, and go as one.
    let (vnet, bytes) = super_packet(4000, 900);
    assert_eq!(net.send_frame(CLIENT, vnet, bytes).len(), 1);
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

/// How many of `sent` packets, with one number each, came out: by number, in the order of their coming.
fn numbers(net: &mut Net, sent: usize) -> Vec<usize> {
    let mut came = Vec::new();
    for n in 0..sent {
        let now = net.send(CLIENT, numbered(n));
        came.extend(now.iter().map(|one| one.headers().payload_len()));
        came.extend(
            net.pass(ms(1))
                .iter()
                .map(|(_, one)| one.headers().payload_len()),
        );
    }
    came.extend(
        net.pass(ms(10_000))
            .iter()
            .map(|(_, one)| one.headers().payload_len()),
    );
    came
}

/// True when a count is what so many chances of a share give, four standard deviations either way.
fn is_share(count: usize, of: usize, share: f64) -> bool {
    let (mean, variance) = (of as f64 * share, of as f64 * share * (1.0 - share));
    (count as f64 - mean).abs() <= 4.0 * variance.sqrt()
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

/// By packet number, what links did.
fn impaired(net: &Net) -> Vec<(u64, Stage, Impaired)> {
    let told = net.fabric.impairments().iter();
    told.map(|one| (one.packet, one.link, one.what)).collect()
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
