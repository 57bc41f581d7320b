//! What is to be said of packets besides their records, from the fabric's books to evidence.

use crate::evidence::{Icmp, Packet};
use crate::fabric::record::Marked;
use crate::packet::icmp::Message;
use crate::packet::siit::LONGER;
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

/// As evidence has it. `end`: an end as hosts know it. Hosts of IPv6 get another message than the network has (RFC 4443 section
/// 3.2), with room for their longer header.
pub(super) fn told(message: &Message, end: impl Fn(SocketAddrV4) -> SocketAddr) -> Icmp {
    let ends = message.about.map(|(from, to)| (end(from), end(to)));
    let has_ports = ends.is_some_and(|(from, to)| (from.port(), to.port()) != (0, 0));
    let text = |end: SocketAddr| match has_ports {
        true => end.to_string(),
        false => end.ip().to_string(),
    };
    let is_ipv6 = ends.is_some_and(|(from, _)| from.is_ipv6());
    let (says, mtu) = match message.mtu {
        mtu @ 1.. if is_ipv6 => ("packet too big".to_owned(), i64::from(mtu) + LONGER as i64),
        mtu => (message.says(), mtu.into()),
    };
    Icmp {
        says,
        mtu,
        from: ends.map_or_else(String::new, |(from, _)| text(from)),
        to: ends.map_or_else(String::new, |(_, to)| text(to)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn a_message_is_told_as_its_host_gets_it() {
        let end = |last, port| SocketAddrV4::new(Ipv4Addr::new(10, 0, 1, last), port);
        let message = |port| Message {
            kind: (3, 4),
            mtu: 1380,
            about: Some((end(1, port), end(2, 0))),
        };
        let v6 = |end: SocketAddrV4| {
            let last = u16::from(end.ip().octets()[3]);
            SocketAddr::from((
                Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last),
                end.port(),
            ))
        };
        let all = |told: Icmp| (told.words(), told.from, told.to);
        let expected = |words: &str, from: &str, to: &str| (words.into(), from.into(), to.into());
        assert_eq!(
            all(told(&message(80), SocketAddr::V4)),
            expected(
                "fragmentation needed (MTU 1380)",
                "10.0.1.1:80",
                "10.0.1.2:0"
            )
        );
        assert_eq!(
            all(told(&message(0), SocketAddr::V4)),
            expected("fragmentation needed (MTU 1380)", "10.0.1.1", "10.0.1.2")
        );
        assert_eq!(
            all(told(&message(80), v6)),
            expected(
                "packet too big (MTU 1400)",
                "[2001:db8::1]:80",
                "[2001:db8::2]:0"
            )
        );
        let echo = Message {
            kind: (8, 0),
            mtu: 0,
            about: None,
        };
        assert_eq!(all(told(&echo, v6)), expected("echo request", "", ""));
    }
}
