//! Shifting a TCP stream, for a box that puts bytes of its own in front of one, or gives it other numbers: sequence numbers
//! one way, acknowledgements and SACK blocks (RFC 2018) the other, timestamps, and the segment that carries the bytes.
//!
//! But for taking a payload away, nothing here changes a length, so a partial checksum, which covers the pseudo-header only, stays as it is.

use super::checksum::{self, Delta};
use super::rewrite::fill_checksums;
use super::{Headers, Ipv4Packet, TCP, VnetHeader, be16, be32, put16, put32, tcp};
use std::ops::Range;

/// Option kind of a SACK option.
const SACK: u8 = 5;
/// Option kind of timestamps.
pub(super) const TIMESTAMPS: u8 = 8;
/// Option kind of padding.
pub(super) const NOP: u8 = 1;

/// A segment without its payload, its checksum finished. The virtio-net header that goes with it has nothing more to say, not even
/// of a super-packet.
pub fn bare<'a>(packet: &'a mut [u8], headers: &mut Headers) -> &'a mut [u8] {
    let bare = &mut packet[..headers.payload];
    headers.total_len = headers.payload;
    (headers.partial, headers.gso_size) = (false, None);
    put16(bare, 2, headers.total_len as u16);
    fill_checksums(bare, headers);
    bare
}

/// Moves a segment's sequence number forward.
pub fn advance(packet: &mut [u8], headers: &mut Headers, by: u32) {
    headers.seq = headers.seq.wrapping_add(by);
    edit(packet, headers, |tcp, seq| put32(tcp, 4, seq), headers.seq);
}

/// Rewrites a segment's acknowledgement number and SACK blocks, each number by `map`. A block of which nothing is
/// left is taken out.
pub fn acknowledge(packet: &mut [u8], headers: &mut Headers, map: impl Fn(u32) -> u32) {
    headers.ack = map(headers.ack);
    let ack = headers.ack;
    edit(
        packet,
        headers,
        |tcp, map| {
            put32(tcp, 8, ack);
            sack_blocks(&mut tcp[tcp::MIN_HEADER_LEN..], map);
        },
        &map,
    );
}

/// Writes a segment's acknowledgement number, and leaves its SACK blocks.
pub fn acknowledge_header(packet: &mut [u8], headers: &mut Headers, number: u32) {
    headers.ack = number;
    edit(packet, headers, |tcp, ack| put32(tcp, 8, ack), number);
}

/// True for a segment with SACK blocks.
pub fn has_sack(packet: &mut [u8], headers: &Headers) -> bool {
    let mut found = false;
    let options = headers.transport + tcp::MIN_HEADER_LEN..headers.payload;
    each_option(&mut packet[options], SACK, |_| found = true);
    found
}

/// Moves a segment's timestamps forward (RFC 7323 section 3.2): its own, and the one that it echoes.
pub fn advance_timestamps(packet: &mut [u8], headers: &Headers, own: u32, echo: u32) {
    let change = |tcp: &mut [u8], (own, echo): (u32, u32)| {
        each_option(&mut tcp[tcp::MIN_HEADER_LEN..], TIMESTAMPS, |option| {
            if option.len() == 10 {
                put32(option, 2, be32(option, 2).wrapping_add(own));
                put32(option, 6, be32(option, 6).wrapping_add(echo));
            }
        });
    };
    if (own, echo) != (0, 0) {
        edit(packet, headers, change, (own, echo));
    }
}

/// Changes a TCP header in place and folds the change into a finished checksum.
fn edit<T>(packet: &mut [u8], headers: &Headers, change: impl Fn(&mut [u8], T), with: T) {
    let header = &mut packet[headers.transport..headers.payload];
    let before = checksum::fold(checksum::sum(header));
    change(header, with);
    if !headers.partial {
        let after = checksum::fold(checksum::sum(header));
        let sum = Delta::default().word(before, after).apply(be16(header, 16));
        put16(header, 16, sum);
    }
}

fn sack_blocks(options: &mut [u8], map: impl Fn(u32) -> u32) {
    each_option(options, SACK, |option| shift_blocks(option, &map));
}

/// Goes through the whole options of one kind, as far as they can be read.
fn each_option(options: &mut [u8], wanted: u8, mut act: impl FnMut(&mut [u8])) {
    let mut at = 0;
    while let Some(place) = option_at(options, at) {
        at = place.end;
        let option = &mut options[place];
        if option[0] == wanted {
            act(option);
        }
    }
}

/// Where the option that begins there is; none: there is none, or it cannot be read.
fn option_at(options: &[u8], at: usize) -> Option<Range<usize>> {
    let len = match *options.get(at)? {
        0 => return None,
        NOP => 1,
        // The length counts kind and length themselves.
        _ => Some(usize::from(*options.get(at + 1)?)).filter(|len| *len >= 2)?,
    };
    Some(at..at + len).filter(|place| place.end <= options.len())
}

/// The blocks of a SACK option (RFC 2018), of which a segment has room for four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sack {
    blocks: [(i32, i32); 4],
    count: usize,
}

impl Sack {
    /// Those of a segment; none: it has none.
    pub fn read(packet: &[u8], headers: &Headers) -> Option<Self> {
        if headers.protocol != TCP || headers.flags & (tcp::ACK | tcp::SYN) != tcp::ACK {
            return None;
        }
        let options = packet.get(headers.transport + tcp::MIN_HEADER_LEN..headers.payload)?;
        // Nearly all segments have no option but timestamps.
        if options.is_empty() || options.len() == 12 && options.starts_with(&[NOP, NOP, TIMESTAMPS])
        {
            return None;
        }
        let mut at = 0;
        let option = loop {
            let place = option_at(options, at)?;
            at = place.end;
            if options[place.start] == SACK {
                break &options[place];
            }
        };
        let mut sack = Self {
            blocks: [(0, 0); 4],
            count: 0,
        };
        let from_ack = |number: u32| number.wrapping_sub(headers.ack).cast_signed();
        for (block, place) in option[2..].chunks_exact(8).zip(&mut sack.blocks) {
            *place = (from_ack(be32(block, 0)), from_ack(be32(block, 4)));
            sack.count += 1;
        }
        (sack.count > 0).then_some(sack)
    }

    /// In the order in which they stand there, each from its first number to that behind its last, counted from the
    /// segment's acknowledgement number: what came twice (RFC 2883) may lie before that.
    pub fn blocks(&self) -> &[(i32, i32)] {
        &self.blocks[..self.count]
    }
}

fn shift_blocks(option: &mut [u8], map: impl Fn(u32) -> u32) {
    let len = option.len();
    let mut kept = 2;
    for block in (2..len.saturating_sub(7)).step_by(8) {
        let (left, right) = (map(be32(option, block)), map(be32(option, block + 4)));
        if left != right {
            put32(option, kept, left);
            put32(option, kept + 4, right);
            kept += 8;
        }
    }
    option[1] = kept as u8;
    if kept == 2 {
        kept = 0;
    }
    option[kept..].fill(NOP);
}

/// The segment that carries `payload` at sequence number `seq`, looking as its sender's own: headers and options,
/// timestamps among them, are those of `like`, which is the beginning of a whole packet of that sender.
pub fn carrying(like: &[u8], headers: &Headers, seq: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = like[..headers.payload].to_vec();
    packet.extend_from_slice(payload);
    let total = packet.len() as u16;
    put16(&mut packet, 2, total);
    if let Ok(mut ip) = Ipv4Packet::new_checked(&mut packet[..]) {
        ip.fill_checksum();
    }
    put32(&mut packet, headers.transport + 4, seq);
    packet[headers.transport + 13] = tcp::ACK | tcp::PSH;
    put16(&mut packet, headers.transport + 18, 0);
    if let Ok(made) = Headers::parse(&VnetHeader::default(), &packet) {
        fill_checksums(&mut packet, &made);
    }
    packet
}
