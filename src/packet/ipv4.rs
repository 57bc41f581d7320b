//! View of an IPv4 packet (RFC 791).

use super::{Malformed, be16, checksum, put16};
use std::net::Ipv4Addr;

/// Bytes that are known to hold an IPv4 header and as much as its total length says.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4Packet<T>(T);

/// The shortest header.
pub const MIN_HEADER_LEN: usize = 20;

impl<T: AsRef<[u8]>> Ipv4Packet<T> {
    /// Checks version and lengths. Does not check the header checksum, see [`Self::verify_checksum`].
    #[inline]
    pub fn new_checked(buffer: T) -> Result<Self, Malformed> {
        let bytes = buffer.as_ref();
        match bytes.first() {
            None => return Err(Malformed::Truncated),
            Some(first) if first >> 4 != 4 => return Err(Malformed::NotIpv4),
            Some(_) => {}
        }
        if bytes.len() < MIN_HEADER_LEN {
            return Err(Malformed::Truncated);
        }
        let header_len = usize::from(bytes[0] & 0x0f) * 4;
        let total_len = usize::from(be16(bytes, 2));
        if header_len < MIN_HEADER_LEN || total_len < header_len {
            return Err(Malformed::Length);
        }
        if bytes.len() < total_len {
            return Err(Malformed::Truncated);
        }
        Ok(Self(buffer))
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// Header length, bytes: 20..=60.
    #[inline]
    pub fn header_len(&self) -> usize {
        usize::from(self.bytes()[0] & 0x0f) * 4
    }

    /// Length of header and payload, bytes.
    #[inline]
    pub fn total_len(&self) -> usize {
        usize::from(be16(self.bytes(), 2))
    }

    /// The identification field.
    #[inline]
    pub fn identification(&self) -> u16 {
        be16(self.bytes(), 4)
    }

    /// DF.
    #[inline]
    pub fn dont_fragment(&self) -> bool {
        self.bytes()[6] & 0x40 != 0
    }

    /// MF.
    #[inline]
    pub fn more_fragments(&self) -> bool {
        self.bytes()[6] & 0x20 != 0
    }

    /// Fragment offset, bytes.
    #[inline]
    pub fn fragment_offset(&self) -> usize {
        usize::from(be16(self.bytes(), 6) & 0x1fff) * 8
    }

    /// TTL.
    #[inline]
    pub fn time_to_live(&self) -> u8 {
        self.bytes()[8]
    }

    /// The protocol number.
    #[inline]
    pub fn protocol(&self) -> u8 {
        self.bytes()[9]
    }

    /// The header checksum field.
    #[inline]
    pub fn header_checksum(&self) -> u16 {
        be16(self.bytes(), 10)
    }

    /// Source address.
    #[inline]
    pub fn source_address(&self) -> Ipv4Addr {
        let b = self.bytes();
        Ipv4Addr::new(b[12], b[13], b[14], b[15])
    }

    /// Destination address.
    #[inline]
    pub fn destination_address(&self) -> Ipv4Addr {
        let b = self.bytes();
        Ipv4Addr::new(b[16], b[17], b[18], b[19])
    }

    /// What follows the header, up to the total length.
    pub fn payload(&self) -> &[u8] {
        &self.bytes()[self.header_len()..self.total_len()]
    }

    /// True when the header's sum is right.
    #[inline]
    pub fn verify_checksum(&self) -> bool {
        let header = &self.bytes()[..self.header_len()];
        let sum = match <&[u8; MIN_HEADER_LEN]>::try_from(header) {
            // A known length needs no loop.
            Ok(header) => checksum::sum(header),
            Err(_) => checksum::sum(header),
        };
        checksum::fold(sum) == 0xffff
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Ipv4Packet<T> {
    /// Sets the identification.
    pub fn set_identification(&mut self, value: u16) {
        put16(self.0.as_mut(), 4, value);
    }

    /// Sets the TTL.
    #[inline]
    pub fn set_time_to_live(&mut self, value: u8) {
        self.0.as_mut()[8] = value;
    }

    /// Sets the header checksum.
    #[inline]
    pub fn set_header_checksum(&mut self, value: u16) {
        put16(self.0.as_mut(), 10, value);
    }

    /// Sets the source address. The checksums are the caller's business.
    pub fn set_source_address(&mut self, value: Ipv4Addr) {
        self.0.as_mut()[12..16].copy_from_slice(&value.octets());
    }

    /// Sets the destination address. The checksums are the caller's business.
    pub fn set_destination_address(&mut self, value: Ipv4Addr) {
        self.0.as_mut()[16..20].copy_from_slice(&value.octets());
    }

    /// Computes and sets the header checksum.
    pub fn fill_checksum(&mut self) {
        self.set_header_checksum(0);
        let header_len = self.header_len();
        let sum = checksum::sum(&self.bytes()[..header_len]);
        self.set_header_checksum(!checksum::fold(sum));
    }

    /// One hop further: TTL less one, checksum updated. The TTL must not be 0.
    #[inline]
    pub fn decrement_time_to_live(&mut self) {
        let ttl = self.time_to_live();
        let protocol = self.protocol();
        let old = u16::from_be_bytes([ttl, protocol]);
        let new = u16::from_be_bytes([ttl - 1, protocol]);
        let checksum = checksum::Delta::default()
            .word(old, new)
            .apply(self.header_checksum());
        self.set_time_to_live(ttl - 1);
        self.set_header_checksum(checksum);
    }

    /// What follows the header, to be changed.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        let (header_len, total_len) = (self.header_len(), self.total_len());
        &mut self.0.as_mut()[header_len..total_len]
    }
}
