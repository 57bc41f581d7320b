//! View of a TCP segment (RFC 9293 section 3.1).

use super::{Malformed, be16, be32, put32};

/// FIN, lowest bit of the flags byte.
pub const FIN: u8 = 0x01;
/// SYN.
pub const SYN: u8 = 0x02;
/// RST.
pub const RST: u8 = 0x04;
/// PSH.
pub const PSH: u8 = 0x08;
/// ACK.
pub const ACK: u8 = 0x10;
/// URG.
pub const URG: u8 = 0x20;
/// ECE (RFC 3168).
pub const ECE: u8 = 0x40;
/// CWR (RFC 3168).
pub const CWR: u8 = 0x80;

/// The header without options.
pub const MIN_HEADER_LEN: usize = 20;

/// To the later of two sequence numbers (RFC 9293 section 3.4).
pub fn raise(known: &mut u32, seen: u32) {
    if seen.wrapping_sub(*known).cast_signed() > 0 {
        *known = seen;
    }
}

/// Bytes that are known to hold a TCP header with its options.
#[derive(Clone, Copy, Debug)]
pub struct TcpPacket<T>(T);

impl<T: AsRef<[u8]>> TcpPacket<T> {
    /// Checks the lengths.
    #[inline]
    pub fn new_checked(buffer: T) -> Result<Self, Malformed> {
        let bytes = buffer.as_ref();
        if bytes.len() < MIN_HEADER_LEN {
            return Err(Malformed::Truncated);
        }
        let header_len = usize::from(bytes[12] >> 4) * 4;
        if header_len < MIN_HEADER_LEN || header_len > bytes.len() {
            return Err(Malformed::Length);
        }
        Ok(Self(buffer))
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// Source port.
    #[inline]
    pub fn source_port(&self) -> u16 {
        be16(self.bytes(), 0)
    }

    /// Destination port.
    #[inline]
    pub fn destination_port(&self) -> u16 {
        be16(self.bytes(), 2)
    }

    /// SEG.SEQ.
    #[inline]
    pub fn sequence_number(&self) -> u32 {
        be32(self.bytes(), 4)
    }

    /// SEG.ACK, meaningful with ACK.
    #[inline]
    pub fn acknowledgment_number(&self) -> u32 {
        be32(self.bytes(), 8)
    }

    /// Data offset, bytes: 20..=60.
    #[inline]
    pub fn header_len(&self) -> usize {
        usize::from(self.bytes()[12] >> 4) * 4
    }

    /// The flags byte: CWR ECE URG ACK PSH RST SYN FIN.
    #[inline]
    pub fn flags(&self) -> u8 {
        self.bytes()[13]
    }

    /// The window field, unscaled.
    #[inline]
    pub fn window(&self) -> u16 {
        be16(self.bytes(), 14)
    }

    /// The checksum field.
    pub fn checksum(&self) -> u16 {
        be16(self.bytes(), 16)
    }

    /// TSval and TSecr (RFC 7323 section 3.2); none without the option, or when the options are malformed.
    pub fn timestamps(&self) -> Option<(u32, u32)> {
        let mut options = &self.bytes()[MIN_HEADER_LEN..self.header_len()];
        loop {
            options = match options {
                // Kind 8, length 10.
                [8, 10, rest @ ..] if rest.len() >= 8 => {
                    return Some((be32(rest, 0), be32(rest, 4)));
                }
                [1, rest @ ..] => rest,
                [0, ..] | [] | [_] => return None,
                [_, length, ..] => options.get(usize::from(*length).max(2)..)?,
            };
        }
    }

    /// What follows the header.
    pub fn payload(&self) -> &[u8] {
        &self.bytes()[self.header_len()..]
    }

    /// SEG.LEN: payload, and one each for SYN and FIN.
    pub fn segment_len(&self) -> u32 {
        let flags = self.flags();
        self.payload().len() as u32 + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0)
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> TcpPacket<T> {
    /// Sets SEG.SEQ.
    pub fn set_sequence_number(&mut self, value: u32) {
        put32(self.0.as_mut(), 4, value);
    }

    /// Sets the flags byte.
    pub fn set_flags(&mut self, value: u8) {
        self.0.as_mut()[13] = value;
    }
}
