//! The packet quoted inside an ICMP error: reading its ends, and translating them.
//!
//! A quote is cut off anywhere behind its first eight transport bytes (RFC 792) and may be of a packet that has
//! been changed on its way, so its checksums are kept consistent with what they were, not verified.

use super::checksum::{self, Delta};
use super::{Headers, ICMP, IcmpPacket, TCP, UDP, be16, be32, icmp, ipv4, put16, put32, rewrite};
use std::net::{Ipv4Addr, SocketAddrV4};

/// The ends of a quoted packet, in its own direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Source; port 0 when it has none.
    pub from: SocketAddrV4,
    /// Destination; port 0 when it has none.
    pub to: SocketAddrV4,
    /// IP protocol number.
    pub protocol: u8,
    /// Where its IP header begins in the outer packet.
    start: usize,
    /// Length of its IP header.
    header_len: usize,
    /// Its ports are there.
    has_ports: bool,
}

impl Quote {
    /// Reads the quote of an ICMP error; none when the packet is no error or quotes no IPv4 header.
    pub fn read(packet: &[u8], headers: &Headers) -> Option<Self> {
        if headers.protocol != ICMP || headers.fragment {
            return None;
        }
        let message =
            IcmpPacket::new_checked(packet.get(headers.transport..headers.total_len)?).ok()?;
        if !message.is_error() {
            return None;
        }
        let quoted = message.payload();
        let header_len = usize::from(quoted.first()? & 0x0f) * 4;
        if quoted[0] >> 4 != 4 || header_len < ipv4::MIN_HEADER_LEN || quoted.len() < header_len {
            return None;
        }
        let address =
            |at: usize| Ipv4Addr::new(quoted[at], quoted[at + 1], quoted[at + 2], quoted[at + 3]);
        let protocol = quoted[9];
        let first = be16(quoted, 6) & 0x1fff == 0;
        let has_ports = matches!(protocol, TCP | UDP) && first && quoted.len() >= header_len + 8;
        let port = |at: usize| {
            if has_ports {
                be16(quoted, header_len + at)
            } else {
                0
            }
        };
        Some(Self {
            from: SocketAddrV4::new(address(12), port(0)),
            to: SocketAddrV4::new(address(16), port(2)),
            protocol,
            start: headers.transport + icmp::HEADER_LEN,
            header_len,
            has_ports,
        })
    }

    /// True when the quote shows the ports.
    pub fn has_ports(&self) -> bool {
        self.has_ports
    }

    /// Moves the sequence number of a quoted TCP segment back, for a sender whose stream was shifted. The ICMP
    /// checksum is left to [`Quote::rewrite`], which comes after.
    pub fn retreat(&self, packet: &mut [u8], headers: &Headers, by: u32) {
        if !self.has_ports || self.protocol != TCP {
            return;
        }
        let quoted = &mut packet[self.start..headers.total_len];
        let old = be32(quoted, self.header_len + 4);
        let new = old.wrapping_sub(by);
        put32(quoted, self.header_len + 4, new);
        let field = self.header_len + 16;
        if field + 2 <= quoted.len() {
            let checksum = Delta::default().number(old, new).apply(be16(quoted, field));
            put16(quoted, field, checksum);
        }
    }

    /// Writes new ends into the quote and makes the ICMP checksum right again. Ports are written where they are.
    pub fn rewrite(
        &self,
        packet: &mut [u8],
        headers: &Headers,
        from: SocketAddrV4,
        to: SocketAddrV4,
    ) {
        let addresses = Delta::default()
            .address(*self.from.ip(), *from.ip())
            .address(*self.to.ip(), *to.ip());
        let quoted = &mut packet[self.start..headers.total_len];
        let checksum = addresses.apply(be16(quoted, 10));
        put16(quoted, 10, checksum);
        quoted[12..16].copy_from_slice(&from.ip().octets());
        quoted[16..20].copy_from_slice(&to.ip().octets());
        if self.has_ports {
            let delta = addresses
                .word(self.from.port(), from.port())
                .word(self.to.port(), to.port());
            let field =
                checksum::field_offset(self.protocol).map(|offset| self.header_len + offset);
            if let Some(field) = field.filter(|field| field + 2 <= quoted.len()) {
                let checksum = rewrite::updated(be16(quoted, field), delta, self.protocol);
                put16(quoted, field, checksum);
            }
            put16(quoted, self.header_len, from.port());
            put16(quoted, self.header_len + 2, to.port());
        }
        let message = &mut packet[headers.transport..headers.total_len];
        if let Ok(mut message) = IcmpPacket::new_checked(message) {
            message.fill_checksum();
        }
    }
}
