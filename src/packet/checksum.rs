//! The Internet checksum (RFC 1071) in its three forms: computed over everything, updated for what changed
//! (RFC 1624), and *partial*, the un-complemented pseudo-header sum that a kernel leaves for its device to finish.

use super::{TCP, UDP};
use std::net::Ipv4Addr;

/// Ones' complement sum of big-endian 16-bit words, not folded. An odd last byte counts as a high byte.
#[inline]
pub fn sum(bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(4);
    let mut total: u64 = words
        .by_ref()
        .map(|word| u64::from(u32::from_be_bytes([word[0], word[1], word[2], word[3]])))
        .sum();
    let last = match *words.remainder() {
        [a, b, c] => [a, b, c, 0],
        [a, b] => [a, b, 0, 0],
        [a] => [a, 0, 0, 0],
        _ => [0; 4],
    };
    total += u64::from(u32::from_be_bytes(last));
    total
}

/// Folds the carries back in.
#[inline]
pub fn fold(sum: u64) -> u16 {
    // Each half is added to the other; the upper one gets the carry of the lower one.
    let sum = (sum.wrapping_add(sum.rotate_left(32)) >> 32) as u32;
    (sum.wrapping_add(sum.rotate_left(16)) >> 16) as u16
}

/// The pseudo-header of RFC 9293 section 3.1 and RFC 768, not folded. `length`: transport header and payload.
pub fn pseudo_header(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, length: usize) -> u64 {
    u64::from(source.to_bits())
        + u64::from(destination.to_bits())
        + u64::from(protocol)
        + length as u64
}

/// A change of some words, ready to be applied to any sum that covers them: the sum of `~m + m'`, not folded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delta(u64);

impl Delta {
    /// Adds the change of one 16-bit word.
    pub fn word(self, old: u16, new: u16) -> Self {
        Self(self.0 + u64::from(!old) + u64::from(new))
    }

    /// Both changes.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// Adds the change of an address.
    pub fn address(self, old: Ipv4Addr, new: Ipv4Addr) -> Self {
        self.number(old.to_bits(), new.to_bits())
    }

    /// Adds the change of a 32-bit number.
    pub fn number(self, old: u32, new: u32) -> Self {
        // The halves of a 32-bit number meet when the sum is folded.
        Self(self.0 + u64::from(!old) + u64::from(new))
    }

    /// Adds the change of many words, by their sums before and after.
    pub fn sums(self, old: u64, new: u64) -> Self {
        self.word(fold(old), fold(new))
    }

    /// RFC 1624 equation 3, `HC' = ~(~HC + ~m + m')`. Equation 4 and RFC 1141 can yield the other zero.
    pub fn apply(self, checksum: u16) -> u16 {
        !fold(u64::from(!checksum) + self.0)
    }

    /// For a partial sum, which is not complemented.
    pub fn apply_partial(self, sum: u16) -> u16 {
        fold(u64::from(sum) + self.0)
    }
}

/// Where a transport keeps its checksum, from the start of its header.
pub fn field_offset(protocol: u8) -> Option<usize> {
    match protocol {
        TCP => Some(16),
        UDP => Some(6),
        _ => None,
    }
}

/// Sums up a transport segment whose checksum field is taken as it stands. With zero there and the pseudo-header
/// in `start` this is the full form; with the partial sum there and `start` 0 it finishes it.
pub fn finished(start: u64, segment: &[u8], protocol: u8) -> u16 {
    let checksum = !fold(start + sum(segment));
    // RFC 768: a computed zero is sent as all ones, because zero means "no checksum".
    if protocol == UDP && checksum == 0 {
        0xffff
    } else {
        checksum
    }
}
