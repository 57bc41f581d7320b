//! The 10-byte `virtio_net_hdr` in front of every packet of a TUN device opened with `IFF_VNET_HDR`.
//!
//! It says what the kernel left undone: a checksum that is only a pseudo-header sum (`NEEDS_CSUM`), a super-packet
//! that is not yet cut into segments (`gso_type`). The default TUN uses the machine's byte order
//! (`TUNSETVNETLE` and `TUNSETVNETBE` change that; we never set them). Layout: Linux `linux/virtio_net.h`.

/// `flags`: the transport checksum field holds the un-complemented pseudo-header sum.
pub const NEEDS_CSUM: u8 = 1;

/// `gso_type`: an ordinary packet.
pub const GSO_NONE: u8 = 0;
/// `gso_type`: TCP over IPv4 super-packet.
pub const GSO_TCPV4: u8 = 1;
/// `gso_type`: TCP over IPv6 super-packet.
pub const GSO_TCPV6: u8 = 4;
/// `gso_type`: UDP datagrams of `gso_size` bytes in one super-packet (USO).
pub const GSO_UDP_L4: u8 = 5;
/// Bit of `gso_type`: the super-packet carries CWR (RFC 3168), which belongs to its first segment only.
pub const GSO_ECN: u8 = 0x80;

/// What stands in front of a packet. Fields as in `virtio_net_hdr`, offsets from the first byte of the IP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VnetHeader {
    /// [`NEEDS_CSUM`]; others mean nothing here.
    pub flags: u8,
    /// [`GSO_NONE`], [`GSO_TCPV4`], [`GSO_TCPV6`], [`GSO_UDP_L4`], perhaps with [`GSO_ECN`].
    pub gso_type: u8,
    /// Length of all headers, bytes; a hint, 0 is accepted by the kernel.
    pub hdr_len: u16,
    /// Payload bytes of each segment.
    pub gso_size: u16,
    /// Where the sum begins: the transport header.
    pub csum_start: u16,
    /// Where it is stored, from `csum_start`: 16 for TCP, 6 for UDP.
    pub csum_offset: u16,
}

impl VnetHeader {
    /// Bytes on the device.
    pub const LEN: usize = 10;

    /// Reads the header from the front of what a device gave; none when there are fewer than ten bytes.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::LEN] = bytes.get(..Self::LEN)?.try_into().ok()?;
        let field = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        Some(Self {
            flags: bytes[0],
            gso_type: bytes[1],
            hdr_len: field(2),
            gso_size: field(4),
            csum_start: field(6),
            csum_offset: field(8),
        })
    }

    /// The header as the device takes it.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let [h0, h1] = self.hdr_len.to_ne_bytes();
        let [g0, g1] = self.gso_size.to_ne_bytes();
        let [s0, s1] = self.csum_start.to_ne_bytes();
        let [o0, o1] = self.csum_offset.to_ne_bytes();
        [self.flags, self.gso_type, h0, h1, g0, g1, s0, s1, o0, o1]
    }

    /// True when the transport checksum is still to be finished.
    pub fn needs_csum(&self) -> bool {
        self.flags & NEEDS_CSUM != 0
    }

    /// True for a super-packet.
    pub fn is_gso(&self) -> bool {
        self.gso_type & !GSO_ECN != GSO_NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let header = VnetHeader {
            flags: NEEDS_CSUM,
            gso_type: GSO_TCPV4 | GSO_ECN,
            hdr_len: 52,
            gso_size: 1448,
            csum_start: 20,
            csum_offset: 16,
        };
        assert_eq!(VnetHeader::read(&header.to_bytes()), Some(header));
        assert!(header.is_gso() && header.needs_csum());
    }

    #[test]
    fn nine_bytes_are_no_header() {
        assert_eq!(VnetHeader::read(&[0; 9]), None);
    }
}
