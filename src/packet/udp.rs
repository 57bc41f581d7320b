//! View of a UDP datagram (RFC 768).

use super::{Malformed, be16, put16};

/// The header.
pub const HEADER_LEN: usize = 8;

/// Bytes that are known to hold a UDP header.
#[derive(Clone, Copy, Debug)]
pub struct UdpPacket<T>(T);

impl<T: AsRef<[u8]>> UdpPacket<T> {
    /// Checks that the header is there. The length field is not trusted: a super-packet's covers all datagrams.
    #[inline]
    pub fn new_checked(buffer: T) -> Result<Self, Malformed> {
        if buffer.as_ref().len() < HEADER_LEN {
            return Err(Malformed::Truncated);
        }
        Ok(Self(buffer))
    }

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

    /// Length field: header and payload, bytes.
    pub fn length(&self) -> u16 {
        be16(self.bytes(), 4)
    }

    /// The checksum field; 0 means none.
    pub fn checksum(&self) -> u16 {
        be16(self.bytes(), 6)
    }

    /// What follows the header.
    pub fn payload(&self) -> &[u8] {
        &self.bytes()[HEADER_LEN..]
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> UdpPacket<T> {
    /// Sets the length field.
    pub fn set_length(&mut self, value: u16) {
        put16(self.0.as_mut(), 4, value);
    }
}
