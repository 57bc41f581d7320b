//! Changing addresses and ports so that every checksum stays right.
//!
//! Observed: a sum that a kernel left partial (`NEEDS_CSUM`) holds the pseudo-header only, so ports are not in it.
//! Folding port changes in looks right between two TUN devices, which trust the flag, and is wrong as soon as a
//! kernel finishes the sum.

use super::checksum::{self, Delta};
use super::{Headers, Ipv4Packet, be16, put16, put32};
use std::net::SocketAddrV4;

/// Writes new ends into a packet and its headers, all sums updated (RFC 1624, or the partial form). Ports are
/// written only where the packet has them. `headers` must be this packet's.
pub fn rewrite(packet: &mut [u8], headers: &mut Headers, from: SocketAddrV4, to: SocketAddrV4) {
    let addresses = Delta::default()
        .address(headers.source(), *from.ip())
        .address(headers.destination(), *to.ip());
    let checksum = addresses.apply(be16(packet, 10));
    put16(packet, 10, checksum);
    put32(packet, 12, from.ip().to_bits());
    put32(packet, 16, to.ip().to_bits());
    headers.from.set_ip(*from.ip());
    headers.to.set_ip(*to.ip());

    let Some(offset) = checksum::field_offset(headers.protocol) else {
        return;
    };
    if !headers.has_ports() {
        // What was told of a fragment is not in it.
        if headers.knows_ports() {
            headers.from.set_port(from.port());
            headers.to.set_port(to.port());
        }
        return;
    }
    let field = headers.transport + offset;
    let old = be16(packet, field);
    let new = if headers.partial {
        addresses.apply_partial(old)
    } else {
        let delta = addresses
            .word(headers.from.port(), from.port())
            .word(headers.to.port(), to.port());
        updated(old, delta, headers.protocol)
    };
    put16(packet, field, new);
    put16(packet, headers.transport, from.port());
    put16(packet, headers.transport + 2, to.port());
    headers.from.set_port(from.port());
    headers.to.set_port(to.port());
}

/// A finished transport checksum after a change, with UDP's two rules for zero (RFC 768).
pub(super) fn updated(old: u16, delta: Delta, protocol: u8) -> u16 {
    if protocol != super::UDP {
        return delta.apply(old);
    }
    match old {
        0 => 0,
        _ => match delta.apply(old) {
            0 => 0xffff,
            sum => sum,
        },
    }
}

/// Finishes a partial transport checksum, as the device would. Does nothing to a finished one.
/// The virtio-net header that goes with the packet must lose `NEEDS_CSUM`.
pub fn finish_checksum(packet: &mut [u8], headers: &mut Headers) {
    if !headers.partial {
        return;
    }
    if let Some(offset) = checksum::field_offset(headers.protocol) {
        let segment = &packet[headers.transport..headers.total_len];
        let sum = checksum::finished(0, segment, headers.protocol);
        put16(packet, headers.transport + offset, sum);
    }
    headers.partial = false;
}

/// Computes both checksums from nothing, for a packet that is whole and no super-packet.
pub fn fill_checksums(packet: &mut [u8], headers: &Headers) {
    if let Some(offset) = checksum::field_offset(headers.protocol) {
        let field = headers.transport + offset;
        put16(packet, field, 0);
        let segment = &packet[headers.transport..headers.total_len];
        let start = checksum::pseudo_header(
            headers.source(),
            headers.destination(),
            headers.protocol,
            segment.len(),
        );
        let sum = checksum::finished(start, segment, headers.protocol);
        put16(packet, field, sum);
    }
    if let Ok(mut ip) = Ipv4Packet::new_checked(packet) {
        ip.fill_checksum();
    }
}
