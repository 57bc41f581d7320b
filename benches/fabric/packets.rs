//! Packets as kernels give them to devices.

use hairpin::fabric::Frame;
use hairpin::packet::tcp::SYN;
use hairpin::packet::{VnetHeader, checksum, vnet};
use std::net::SocketAddrV4;

const PAYLOAD: usize = 64;
/// Bytes of each.
pub const PACKET: usize = 40 + PAYLOAD;

/// As a kernel gives it to a device: the TCP checksum is not finished.
pub fn frame(packet: &mut [u8]) -> Frame<'_> {
    Frame {
        header: VnetHeader {
            flags: vnet::NEEDS_CSUM,
            csum_start: 20,
            csum_offset: 16,
            ..VnetHeader::default()
        },
        packet,
    }
}

pub fn packet(from: SocketAddrV4, to: SocketAddrV4, flags: u8) -> [u8; PACKET] {
    let mut bytes = [0; PACKET];
    bytes[..12].copy_from_slice(&[0x45, 0, 0, PACKET as u8, 0, 1, 0x40, 0, 64, 6, 0, 0]);
    bytes[12..16].copy_from_slice(&from.ip().octets());
    bytes[16..20].copy_from_slice(&to.ip().octets());
    let sum = !checksum::fold(checksum::sum(&bytes[..20]));
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    bytes[20..22].copy_from_slice(&from.port().to_be_bytes());
    bytes[22..24].copy_from_slice(&to.port().to_be_bytes());
    // The SYN has number 0, so that the SYN-ACK's acknowledgement is 1.
    bytes[27] = u8::from(flags & SYN == 0);
    bytes[31] = 1;
    bytes[32] = 0x50;
    bytes[33] = flags;
    bytes
}
