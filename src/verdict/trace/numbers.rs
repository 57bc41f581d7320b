//! Sequence numbers of connections: which numbers a connection has used, and to whom a number belongs.

use crate::evidence::Packet;

/// A sequence number in some connection's count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whose; none: nobody's that the evidence knows, and `at` is absolute.
    pub of: Option<usize>,
    /// Relative to that connection's initial number of that direction.
    pub at: i64,
}

/// Both directions of a connection's numbers.
#[derive(Clone, Default)]
pub(super) struct Spaces {
    /// From the client.
    pub(super) client: Option<Space>,
    /// From the server.
    pub(super) server: Option<Space>,
}

/// The numbers one side has used: from its initial one to the next to be sent.
#[derive(Clone, Copy)]
pub(super) struct Space {
    first: u32,
    next: u32,
}

impl Space {
    /// Its initial number is known, and no more.
    pub(super) fn begin(isn: i64) -> Self {
        let first = wire(isn);
        Self {
            first,
            next: first.wrapping_add(1),
        }
    }

    /// How far outside the used range a number lies; 0 inside.
    fn distance(self, number: u32) -> u32 {
        let used = self.next.wrapping_sub(self.first);
        let offset = number.wrapping_sub(self.first);
        if offset <= used {
            0
        } else {
            (offset - used).min(offset.wrapping_neg())
        }
    }
}

/// Beyond this a number is nobody's: a sixteenth of all numbers, and more than any window.
const NEAR: u32 = 1 << 28;

/// The member of `family` to whose numbers this one belongs. The first of the family wins a tie.
pub(super) fn place(
    number: i64,
    family: &[usize],
    space: impl Fn(usize) -> Option<Space>,
) -> Place {
    let nearest = family
        .iter()
        .filter_map(|c| space(*c).map(|space| (space.distance(wire(number)), *c, space)))
        .min_by_key(|(distance, _, _)| *distance);
    match nearest {
        Some((distance, of, space)) if distance < NEAR => {
            let offset = wire(number).wrapping_sub(space.first);
            // Numbers before the first are negative: a keepalive probe in SYN-SENT, an old duplicate.
            let at = if offset < u32::MAX - NEAR {
                i64::from(offset)
            } else {
                i64::from(offset.cast_signed())
            };
            Place { of: Some(of), at }
        }
        Some(_) | None => Place {
            of: None,
            at: number,
        },
    }
}

/// The range grows by what a packet carries.
pub(super) fn use_up(space: &mut Option<Space>, packet: &Packet) {
    let Some(space) = space else { return };
    let end = wire(end(packet));
    let ahead = end.wrapping_sub(space.next);
    if ahead < NEAR {
        space.next = end;
    }
}

/// Sequence numbers are modulo 2^32 (RFC 9293 section 3.4).
fn wire(number: i64) -> u32 {
    (number & 0xffff_ffff) as u32
}

/// The number after this one.
pub fn next(seq: i64) -> i64 {
    i64::from(wire(seq + 1))
}

/// How many numbers a packet takes: SYN and FIN take one each.
pub fn length(packet: &Packet) -> i64 {
    let control = |flag| i64::from(packet.flags.contains(flag));
    packet.len + control('S') + control('F')
}

/// The number behind a packet.
pub fn end(packet: &Packet) -> i64 {
    i64::from(wire(packet.seq + length(packet)))
}

/// By how much a number is ahead of another one.
pub fn ahead(one: i64, other: i64) -> i64 {
    i64::from(wire(one - other).cast_signed())
}
