//! What is to be said of packets besides their records, from the fabric's books to evidence.

use crate::evidence::{Icmp, Packet};
use crate::fabric::record::Marked;
use crate::packet::icmp::Message;
use crate::packet::stream::Sack;
use crate::run::books::Books;
use rustc_hash::FxHashMap;
use std::net::{SocketAddr, SocketAddrV4};

/// Tells of each packet, with its first record, which SACK blocks it has, what it says where it is ICMP, and whether a step put
/// it there.
pub(super) fn tell(packets: &mut [Packet], books: &Books) {
    let mut of: FxHashMap<i64, Vec<Marked>> = FxHashMap::default();
    for mark in &books.marks {
        of.entry(mark.packet as i64).or_default().push(mark.what);
    }
    if of.is_empty() {
        return;
    }
    for packet in packets {
        for what in of.remove(&packet.id).into_iter().flatten() {
            match what {
                Marked::Sack(sack) => packet.sack = Some(blocks(&sack)),
                Marked::Icmp(message) => {
                    let end = |end| books.stand_ins.end(end);
                    packet.icmp = Some(Box::new(told(&message, end)));
                }
                Marked::Injected => packet.injected = true,
            }
        }
    }
}

/// As evidence has them.
pub(super) fn blocks(sack: &Sack) -> Box<[[i64; 2]]> {
    let blocks = sack.blocks().iter();
    blocks
        .map(|(begin, end)| [i64::from(*begin), i64::from(*end)])
        .collect()
}

/// As evidence has it. `end`: an end as hosts know it.
pub(super) fn told(message: &Message, end: impl Fn(SocketAddrV4) -> SocketAddr) -> Icmp {
    let shows_ports = message
        .about
        .is_some_and(|(from, to)| (from.port(), to.port()) != (0, 0));
    let text = |address: SocketAddrV4| match shows_ports {
        true => end(address).to_string(),
        false => end(address).ip().to_string(),
    };
    Icmp {
        says: message.says(),
        mtu: message.mtu.into(),
        from: message
            .about
            .map_or_else(String::new, |(from, _)| text(from)),
        to: message.about.map_or_else(String::new, |(_, to)| text(to)),
    }
}
