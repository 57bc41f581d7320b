//! A packet by its fields, built with sums that are finished or only begun.

use crate::sums::offset;
use etherparse::checksum::Sum16BitWords;
use etherparse::{IpHeaders, IpNumber, Ipv4Header, PacketBuilder, TcpOptionElement};
use hairpin::packet::vnet::NEEDS_CSUM;
use hairpin::packet::{UDP, VnetHeader};
use std::net::SocketAddrV4;

/// TTL of what is sent; the kernel takes one off.
pub const TTL: u8 = 64;

#[derive(Clone)]
pub struct Packet {
    pub protocol: u8,
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    pub ttl: u8,
    pub identification: u16,
    /// Four bytes of IP options, so that the transport header is not always at 20.
    pub ip_options: bool,
    pub seq: u32,
    pub push: bool,
    pub payload: Vec<u8>,
}

impl Packet {
    /// With finished sums.
    pub fn build(&self) -> Vec<u8> {
        const NO_OPERATION: u8 = 1;
        let mut header = Ipv4Header {
            time_to_live: self.ttl,
            protocol: IpNumber(self.protocol),
            identification: self.identification,
            dont_fragment: true,
            source: self.from.ip().octets(),
            destination: self.to.ip().octets(),
            ..Ipv4Header::default()
        };
        if self.ip_options {
            header.options = [NO_OPERATION; 4].into();
        }
        let builder = PacketBuilder::ip(IpHeaders::Ipv4(header, Default::default()));
        let (from, to) = (self.from.port(), self.to.port());
        let mut bytes = Vec::new();
        if self.protocol == UDP {
            let builder = builder.udp(from, to);
            builder.write(&mut bytes, &self.payload).expect("in memory");
            return bytes;
        }
        let mut builder = builder
            .tcp(from, to, self.seq, 500)
            .ack(0x8000_0001)
            .options(&[
                TcpOptionElement::Noop,
                TcpOptionElement::Noop,
                TcpOptionElement::Timestamp(0xfffe_ffff, 7),
            ])
            .expect("twelve bytes");
        if self.push {
            builder = builder.psh();
        }
        builder.write(&mut bytes, &self.payload).expect("in memory");
        bytes
    }

    /// Replaces the transport sum by the un-complemented sum of the pseudo-header, as a kernel does for its device.
    pub fn leave_partial(&self, bytes: &mut [u8]) -> VnetHeader {
        let start = usize::from(bytes[0] & 0x0f) * 4;
        let length = (bytes.len() - start) as u16;
        let sum = Sum16BitWords::new()
            .add_4bytes(self.from.ip().octets())
            .add_4bytes(self.to.ip().octets())
            .add_2bytes([0, self.protocol])
            .add_2bytes(length.to_be_bytes());
        let partial = !u16::from_be(sum.ones_complement());
        let field = start + offset(self.protocol);
        bytes[field..field + 2].copy_from_slice(&partial.to_be_bytes());
        VnetHeader {
            flags: NEEDS_CSUM,
            csum_start: start as u16,
            csum_offset: offset(self.protocol) as u16,
            ..VnetHeader::default()
        }
    }
}
