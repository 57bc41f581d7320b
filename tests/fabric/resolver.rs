//! The resolver: what it answers to whom, and that no bytes upset it. Questions are written and answers read by
//! `simple-dns`.

use crate::kit::*;
use hairpin::fabric::config::*;
use hairpin::fabric::record::*;
use hairpin::fabric::{Config, Fabric, Frame};
use hairpin::packet::answer;
use hairpin::packet::{UdpPacket, VnetHeader};
use proptest::prelude::*;
use simple_dns::rdata::{OPT, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

const RESOLVER: &str = "10.0.0.2";
const LINK_LOCAL: &str = "169.254.169.253";
const PUBLIC: &str = "198.51.100.2";

fn question(name: &str, kind: TYPE) -> Packet<'_> {
    let mut query = Packet::new_query(7);
    query.set_flags(PacketFlag::RECURSION_DESIRED);
    query.questions.push(Question::new(
        Name::new_unchecked(name),
        QTYPE::TYPE(kind),
        QCLASS::CLASS(CLASS::IN),
        false,
    ));
    query
}

/// Sends bytes to a resolver and gives what comes back to the asking port, and the fate of the question.
fn ask_bytes(
    fabric: &mut Fabric,
    asker: PortId,
    at: SocketAddrV4,
    message: &[u8],
) -> (Option<Vec<u8>>, Fate) {
    let own = fabric.config().ports[asker.0 as usize].address;
    let mut packet = answer::datagram(SocketAddrV4::new(own, 4000), at, message);
    let mut out = Outbox::default();
    let before = fabric.records().len();
    let frame = Frame {
        header: VnetHeader::default(),
        packet: &mut packet,
    };
    fabric.receive(Duration::ZERO, asker, frame, &mut out);
    let fate = fabric.records()[before].fate;
    let own_answer = matches!(fate, Fate::Answered(_));
    let answered = out
        .delivered
        .first()
        .filter(|_| own_answer)
        .map(|delivery| {
            assert_eq!(delivery.to, asker);
            let headers = delivery.headers();
            assert_eq!(
                (headers.from, headers.to),
                (at, SocketAddrV4::new(own, 4000))
            );
            let datagram = UdpPacket::new_checked(&delivery.bytes[headers.transport..]);
            let datagram = datagram.expect("a datagram");
            assert_eq!(usize::from(datagram.length()), 8 + datagram.payload().len());
            datagram.payload().to_vec()
        });
    (answered, fate)
}

struct Reply {
    error: RCODE,
    addresses: Vec<String>,
    ttl: Option<u32>,
}

fn ask(fabric: &mut Fabric, asker: PortId, name: &str, kind: TYPE) -> Reply {
    let at = if fabric.config().ports[asker.0 as usize].internet {
        PUBLIC
    } else {
        RESOLVER
    };
    let message = question(name, kind).build_bytes_vec().expect("a question");
    let (bytes, fate) = ask_bytes(fabric, asker, end(at, 53), &message);
    assert_eq!(fate, Fate::Answered(Answer::Name));
    let bytes = bytes.expect("an answer");
    let reply = Packet::parse(&bytes).expect("simple-dns reads it");
    assert_eq!(reply.id(), 7);
    assert!(reply.has_flags(
        PacketFlag::RESPONSE | PacketFlag::RECURSION_DESIRED | PacketFlag::RECURSION_AVAILABLE
    ));
    assert!(!reply.has_flags(PacketFlag::TRUNCATION));
    assert_eq!(reply.questions[0].qname, Name::new_unchecked(name));
    let addresses = reply.answers.iter().map(|record| {
        assert_eq!(record.name, Name::new_unchecked(name));
        match &record.rdata {
            RData::A(a) => Ipv4Addr::from_bits(a.address).to_string(),
            other => panic!("{other:?}"),
        }
    });
    Reply {
        error: reply.rcode(),
        addresses: addresses.collect(),
        ttl: reply.answers.first().map(|record| record.ttl),
    }
}

fn addresses(fabric: &mut Fabric, asker: PortId, name: &str) -> Vec<String> {
    let reply = ask(fabric, asker, name, TYPE::A);
    assert_eq!(reply.error, RCODE::NoError, "{name}");
    reply.addresses
}

fn with(change: impl FnOnce(&mut Config)) -> Fabric {
    let mut config = config();
    change(&mut config);
    Fabric::new(config)
}

#[test]
fn each_sees_the_addresses_it_can_dial() {
    let mut fabric = Fabric::new(config());
    assert_eq!(addresses(&mut fabric, CLIENT, "front"), [FRONT_A, FRONT_B]);
    assert_eq!(addresses(&mut fabric, INSIDE, "front"), [FRONT_A, FRONT_B]);
    // Without a way to the internet it is told the same, and dials in vain.
    assert_eq!(addresses(&mut fabric, WEB2, "front"), [FRONT_A, FRONT_B]);
    assert_eq!(addresses(&mut fabric, WEB2, "b.front"), [FRONT_B]);
    assert_eq!(addresses(&mut fabric, CLIENT, "A.Front"), [FRONT_A]);
    assert_eq!(addresses(&mut fabric, CLIENT, "web1"), [WEB1_PUBLIC]);
    assert_eq!(addresses(&mut fabric, INSIDE, "web1"), [WEB1_IP]);
    assert_eq!(addresses(&mut fabric, INSIDE, "client"), [CLIENT_IP]);
    for (asker, name) in [
        (CLIENT, "web2"),
        (WEB2, "client"),
        (CLIENT, "c.front"),
        (CLIENT, "nobody"),
        (CLIENT, "front.a"),
        (CLIENT, ""),
    ] {
        let reply = ask(&mut fabric, asker, name, TYPE::A);
        assert_eq!(
            (reply.error, reply.addresses.len()),
            (RCODE::NameError, 0),
            "{name}"
        );
    }
}

#[test]
fn an_internal_balancer_has_private_addresses_alone() {
    let mut fabric = with(|config| {
        for zonal in &mut config.balancers[0].zonal {
            zonal.public = None;
        }
    });
    for asker in [WEB2, INSIDE] {
        assert_eq!(
            addresses(&mut fabric, asker, "front"),
            [FRONT_A_PRIVATE, FRONT_B_PRIVATE]
        );
    }
    assert_eq!(addresses(&mut fabric, WEB2, "b.front"), [FRONT_B_PRIVATE]);
    assert_eq!(addresses(&mut fabric, CLIENT, "front"), [""; 0]);
}

#[test]
fn a_known_name_without_such_a_record_is_no_error() {
    let mut fabric = Fabric::new(config());
    for kind in [TYPE::AAAA, TYPE::MX, TYPE::HTTPS] {
        let reply = ask(&mut fabric, CLIENT, "front", kind);
        assert_eq!((reply.error, reply.addresses.len()), (RCODE::NoError, 0));
    }
    // Nor did that take a turn.
    assert_eq!(addresses(&mut fabric, CLIENT, "front"), [FRONT_A, FRONT_B]);
}

#[test]
fn each_answer_begins_one_address_further_for_each_host() {
    let mut fabric = Fabric::new(config());
    assert_eq!(addresses(&mut fabric, CLIENT, "front"), [FRONT_A, FRONT_B]);
    assert_eq!(addresses(&mut fabric, CLIENT, "front"), [FRONT_B, FRONT_A]);
    assert_eq!(addresses(&mut fabric, INSIDE, "front"), [FRONT_A, FRONT_B]);
    assert_eq!(addresses(&mut fabric, CLIENT, "front"), [FRONT_A, FRONT_B]);
}

#[test]
fn the_time_to_live_is_in_whole_seconds() {
    for (ttl, told) in [(Duration::from_secs(60), 60), (ms(1999), 1), (ms(600), 0)] {
        let mut fabric = with(|config| config.resolver.ttl = ttl);
        assert_eq!(ask(&mut fabric, CLIENT, "front", TYPE::A).ttl, Some(told));
    }
}

#[test]
fn a_zone_that_is_out_is_not_listed_unless_all_are() {
    let shift = |config: &mut Config, zone: usize| config.balancers[0].zonal[zone].shifted = true;
    let mut fabric = with(|config| shift(config, 0));
    assert_eq!(addresses(&mut fabric, CLIENT, "front"), [FRONT_B]);
    assert_eq!(addresses(&mut fabric, CLIENT, "a.front"), [FRONT_A]);

    // Without a target in zone b, and nothing across zones, b is unfit; with the shift of a all fail open.
    let alone = |config: &mut Config| {
        for listener in &mut config.balancers[0].listeners {
            listener.forward[0].cross_zone = false;
        }
        config.groups[0].targets.truncate(1);
    };
    let mut fabric = with(alone);
    assert_eq!(addresses(&mut fabric, CLIENT, "front"), [FRONT_A]);
    let mut fabric = with(|config| {
        alone(config);
        shift(config, 0);
    });
    assert_eq!(addresses(&mut fabric, CLIENT, "front"), [FRONT_A, FRONT_B]);
    let mut fabric = with(|config| config.groups[0].targets.clear());
    assert_eq!(addresses(&mut fabric, CLIENT, "front"), [FRONT_A, FRONT_B]);
}

#[test]
fn a_zone_that_is_not_enabled_is_not_listed_even_then() {
    let mut fabric = with(|config| {
        config.groups[0].targets.clear();
        config.balancers[0].zonal[1].enabled = false;
    });
    assert_eq!(addresses(&mut fabric, CLIENT, "front"), [FRONT_A]);
    assert_eq!(
        ask(&mut fabric, CLIENT, "b.front", TYPE::A).error,
        RCODE::NameError
    );
    let mut fabric = with(|config| {
        for zonal in &mut config.balancers[0].zonal {
            zonal.enabled = false;
        }
    });
    assert_eq!(addresses(&mut fabric, CLIENT, "front"), [""; 0]);
}

#[test]
fn affinity_gives_the_own_zone_as_long_as_it_is_listed() {
    let policy = |routing| move |config: &mut Config| config.balancers[0].client_routing = routing;
    let mut fabric = with(policy(ClientRouting::Affinity));
    for _ in 0..3 {
        assert_eq!(addresses(&mut fabric, WEB2, "front"), [FRONT_B]);
        assert_eq!(addresses(&mut fabric, INSIDE, "front"), [FRONT_A]);
    }
    // Nobody knows the zone of a host on the internet.
    assert_eq!(addresses(&mut fabric, CLIENT, "front").len(), 2);

    let mut fabric = with(|config| {
        policy(ClientRouting::Affinity)(config);
        config.balancers[0].zonal[1].shifted = true;
    });
    assert_eq!(addresses(&mut fabric, WEB2, "front"), [FRONT_A]);
    let mut fabric = with(|config| {
        policy(ClientRouting::Affinity)(config);
        config.groups[0].targets.clear();
    });
    assert_eq!(
        addresses(&mut fabric, WEB2, "front"),
        [FRONT_B],
        "failing open"
    );

    let mut counts = BTreeMap::new();
    let mut fabric = with(policy(ClientRouting::Partial));
    for _ in 0..2000 {
        let answer = addresses(&mut fabric, WEB2, "front");
        *counts.entry(answer.len()).or_insert(0) += 1;
    }
    // 0.85 of 2000, five standard deviations of 16 either way.
    assert!((1620..1780).contains(&counts[&1]), "{counts:?}");
    assert_eq!(counts[&1] + counts[&2], 2000);
}

#[test]
fn the_resolver_is_where_a_host_can_reach_it() {
    let message = question("front", TYPE::A)
        .build_bytes_vec()
        .expect("a question");
    let mut fabric = Fabric::new(config());
    for (asker, at, answered) in [
        (WEB2, RESOLVER, true),
        (WEB2, LINK_LOCAL, true),
        (CLIENT, PUBLIC, true),
        (INSIDE, PUBLIC, true),
        (WEB2, PUBLIC, false),
        (CLIENT, RESOLVER, false),
        (CLIENT, LINK_LOCAL, false),
    ] {
        let (answer, fate) = ask_bytes(&mut fabric, asker, end(at, 53), &message);
        assert_eq!(answer.is_some(), answered, "{at}");
        let wanted = if answered {
            Fate::Answered(Answer::Name)
        } else {
            Fate::Dropped(Reason::NotRoutable)
        };
        assert_eq!(fate, wanted, "{at}");
    }
    let (answer, fate) = ask_bytes(&mut fabric, WEB2, end(RESOLVER, 54), &message);
    assert_eq!((answer, fate), (None, Fate::Dropped(Reason::NoService)));
}

#[test]
fn a_host_keeps_an_address_of_the_resolver_that_a_lab_gave_it() {
    let mut fabric = with(|config| config.ports[1].address = ip(RESOLVER));
    let message = question("front", TYPE::A)
        .build_bytes_vec()
        .expect("a question");
    let (_, fate) = ask_bytes(&mut fabric, WEB2, end(RESOLVER, 53), &message);
    assert_eq!(fate, Fate::Forwarded(WEB1));
    let (answer, _) = ask_bytes(&mut fabric, WEB2, end(LINK_LOCAL, 53), &message);
    assert!(answer.is_some());
}

/// The error that bytes get; none: silence.
fn error_for(message: &[u8]) -> Option<(u16, RCODE)> {
    let mut fabric = Fabric::new(config());
    let (answer, fate) = ask_bytes(&mut fabric, WEB2, end(RESOLVER, 53), message);
    let answer = answer.map(|bytes| {
        let reply = Packet::parse(&bytes).expect("simple-dns reads it");
        assert!(reply.has_flags(PacketFlag::RESPONSE));
        (reply.id(), reply.rcode())
    });
    let wanted = match answer {
        Some(_) => Fate::Answered(Answer::Name),
        None => Fate::Dropped(Reason::Malformed),
    };
    assert_eq!(fate, wanted);
    answer
}

#[test]
fn what_is_no_question_gets_an_error_or_nothing() {
    let good = question("front", TYPE::A)
        .build_bytes_vec()
        .expect("a question");
    let but = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    assert_eq!(error_for(&good), Some((7, RCODE::NoError)));
    assert_eq!(error_for(&good[..11]), None);
    assert_eq!(error_for(&[]), None);
    assert_eq!(error_for(&but(2, 0x81)), None, "an answer is not answered");
    assert_eq!(
        error_for(&but(2, 0x28)),
        Some((7, RCODE::NotImplemented)),
        "UPDATE"
    );
    assert_eq!(
        error_for(&good[..good.len() - 1]),
        Some((7, RCODE::FormatError)),
        "cut off"
    );
    assert_eq!(
        error_for(&but(5, 2)),
        Some((7, RCODE::FormatError)),
        "two questions"
    );
    assert_eq!(error_for(&but(5, 0)), Some((7, RCODE::FormatError)), "none");
    assert_eq!(
        error_for(&but(7, 1)),
        Some((7, RCODE::FormatError)),
        "with an answer"
    );
    assert_eq!(
        error_for(&but(12, 0xc0)),
        Some((7, RCODE::FormatError)),
        "a pointer to nowhere"
    );
    assert_eq!(
        error_for(&but(good.len() - 1, 3)),
        Some((7, RCODE::Refused)),
        "class CHAOS"
    );
    // A dot inside a label is no separator of labels.
    let mut odd = question("x.front", TYPE::A)
        .build_bytes_vec()
        .expect("a question");
    odd.splice(12..19, *b"\x07a.front\0");
    odd.truncate(12 + 9);
    odd.extend([0, 1, 0, 1]);
    assert_eq!(error_for(&odd), Some((7, RCODE::NameError)));
}

#[test]
fn a_question_with_edns_gets_an_answer_with_edns() {
    let opt = |version| {
        let mut query = question("front", TYPE::A);
        *query.opt_mut() = Some(OPT {
            opt_codes: Vec::new(),
            udp_packet_size: 4096,
            version,
        });
        query.build_bytes_vec().expect("a question")
    };
    let mut fabric = Fabric::new(config());
    let (bytes, _) = ask_bytes(&mut fabric, WEB2, end(RESOLVER, 53), &opt(0));
    let bytes = bytes.expect("an answer");
    let reply = Packet::parse(&bytes).expect("simple-dns reads it");
    assert_eq!(
        reply.opt().map(|opt| (opt.udp_packet_size, opt.version)),
        Some((1232, 0))
    );
    assert_eq!(reply.answers.len(), 2);
    assert_eq!(error_for(&opt(1)), Some((7, RCODE::BADVERS)));
}

#[test]
fn what_does_not_fit_is_cut_and_says_so() {
    let many = |edns: bool| {
        let name = "n".repeat(63);
        let mut fabric = with(|config| {
            let mut zonal = Vec::new();
            for last in 0..60 {
                let mut one = config.balancers[0].zonal[0].clone();
                one.private = Ipv4Addr::new(10, 0, 9, last);
                zonal.push(one);
            }
            config.balancers[0].zonal = zonal;
            config.balancers[0].name.clone_from(&name);
        });
        let mut query = question(&name, TYPE::A);
        if edns {
            *query.opt_mut() = Some(OPT {
                opt_codes: Vec::new(),
                udp_packet_size: 1232,
                version: 0,
            });
        }
        let message = query.build_bytes_vec().expect("a question");
        let (bytes, _) = ask_bytes(&mut fabric, WEB2, end(RESOLVER, 53), &message);
        let bytes = bytes.expect("an answer");
        let reply = Packet::parse(&bytes).expect("simple-dns reads it");
        (
            bytes.len(),
            reply.answers.len(),
            reply.has_flags(PacketFlag::TRUNCATION),
        )
    };
    let (len, answers, cut) = many(false);
    assert!(len <= 512 && answers == 0 && cut);
    let (len, answers, cut) = many(true);
    assert!(
        (513..=1232).contains(&len) && answers == 60 && !cut,
        "{len}"
    );
}

#[test]
fn an_answer_travels_like_any_packet() {
    let mut fabric = with(|config| config.ports[2].down.delay = ms(3));
    let message = question("front", TYPE::A)
        .build_bytes_vec()
        .expect("a question");
    let (answer, fate) = ask_bytes(&mut fabric, WEB2, end(RESOLVER, 53), &message);
    assert_eq!((answer, fate), (None, Fate::Answered(Answer::Name)));
    let mut out = Outbox::default();
    fabric.advance(ms(3), &mut out);
    assert_eq!(out.delivered.len(), 1);
    assert_eq!(fabric.totals().originated, 1);
}

proptest! {
    #[test]
    fn no_bytes_upset_it(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        error_for(&bytes);
    }

    /// Nearly questions: a good one with some bytes changed, cut or lengthened.
    #[test]
    fn nor_do_near_questions(
        changes in prop::collection::vec((0usize..60, any::<u8>()), 0..6),
        cut in 0usize..60,
        more in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut query = question("a.front", TYPE::A);
        *query.opt_mut() = Some(OPT { opt_codes: Vec::new(), udp_packet_size: 4096, version: 0 });
        let mut bytes = query.build_bytes_vec().expect("a question");
        for (at, value) in changes {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        bytes.truncate(cut.max(bytes.len().saturating_sub(cut)));
        bytes.extend(more);
        let answer = error_for(&bytes);
        if let Some((id, _)) = answer {
            prop_assert_eq!(id, u16::from_be_bytes([bytes[0], bytes[1]]));
        }
    }
}
