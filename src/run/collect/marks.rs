//! What is to be said of packets besides their records, from the fabric's books to evidence.

use crate::evidence::Packet;
use crate::fabric::record::{Mark, Marked};
use crate::packet::stream::Sack;
use std::collections::HashMap;

/// Tells of each packet, with its first record, which SACK blocks it has and whether a step put it there.
pub(super) fn tell(packets: &mut [Packet], marks: &[Mark]) {
    let mut of: HashMap<i64, Vec<Marked>> = HashMap::new();
    for mark in marks {
        of.entry(mark.packet as i64).or_default().push(mark.what);
    }
    if of.is_empty() {
        return;
    }
    for packet in packets {
        for what in of.remove(&packet.id).into_iter().flatten() {
            match what {
                Marked::Sack(sack) => packet.sack = Some(blocks(&sack)),
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
