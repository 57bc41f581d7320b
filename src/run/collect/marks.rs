//! What is to be said of packets besides their records, from the fabric's books to evidence.

use crate::evidence::Packet;
use crate::fabric::record::{Mark, Marked};
use crate::packet::stream::Sack;
use std::collections::HashMap;

/// Tells of each packet, with its first record, which SACK blocks it has and whether a step put it there.
pub(super) fn tell(packets: &mut [Packet], marks: &[Mark]) {
    if marks.is_empty() {
        return;
    }
    let mut first: HashMap<i64, usize> = HashMap::new();
    for (record, packet) in packets.iter().enumerate() {
        first.entry(packet.id).or_insert(record);
    }
    for mark in marks {
        let record = first.get(&(mark.packet as i64));
        let Some(packet) = record.and_then(|record| packets.get_mut(*record)) else {
            continue;
        };
        match mark.what {
            Marked::Sack(sack) => packet.sack = Some(blocks(&sack)),
            Marked::Injected => packet.injected = true,
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
