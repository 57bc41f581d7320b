//! IPv6 packets made IPv4 packets between stand-ins, and back: stateless translation (RFC 7915) with explicit
//! address mappings (RFC 7757), in place, for ordinary packets and super-packets.
//!
//! Transport headers and payloads stay where they are; the header in front of them is written anew, 20 bytes
//! shorter or longer. Sums are changed by what the other addresses change in the pseudo-header, finished sums as
//! well as partial ones. Not here: who stands for whom (see `stand_in`), and any decision.
//!
//! What does not survive: the flow label (0 afterwards, RFC 7915 section 4.1), extension headers other than the
//! fragment header, and the upper half of a fragment's identification.

mod icmp;

#[cfg(test)]
mod tests;

use super::checksum::{self, Delta};
use super::ipv6::{FRAGMENT, FRAGMENT_LEN, Fragment, HEADER_LEN, ICMPV6, Ipv6Packet};
use super::stand_in::StandIns;
use super::vnet::{self, VnetHeader};
use super::{Headers, ICMP, Ipv4Packet, Malformed, UDP, be16, ipv4, put16, put32};
use std::net::{Ipv4Addr, Ipv6Addr};

/// How much longer the same packet is with an IPv6 header, bytes.
pub const LONGER: usize = HEADER_LEN - ipv4::MIN_HEADER_LEN;
/// The longest head of a departing packet.
const LONGEST_HEAD: usize = HEADER_LEN + FRAGMENT_LEN;

/// A packet's ends in both families.
#[derive(Clone, Copy, Debug)]
struct Ends {
    inside: (Ipv4Addr, Ipv4Addr),
    real: (Ipv6Addr, Ipv6Addr),
}

impl Ends {
    fn of_stand_ins(map: &StandIns, from: Ipv4Addr, to: Ipv4Addr) -> Option<Self> {
        Some(Self {
            inside: (from, to),
            real: (map.real(from)?, map.real(to)?),
        })
    }

    fn sum_inside(&self) -> u64 {
        u64::from(self.inside.0.to_bits()) + u64::from(self.inside.1.to_bits())
    }

    fn sum_real(&self) -> u64 {
        checksum::sum(&self.real.0.octets()) + checksum::sum(&self.real.1.octets())
    }

    /// What an upper layer's sum has to change by.
    fn delta(&self, way: Turn) -> Delta {
        match way {
            Turn::Enter => Delta::default().sums(self.sum_real(), self.sum_inside()),
            Turn::Leave => Delta::default().sums(self.sum_inside(), self.sum_real()),
        }
    }
}

/// Which of the two translations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// From IPv6 to stand-ins.
    Enter,
    /// Back.
    Leave,
}

/// Makes an IPv6 packet one between stand-ins, and its virtio-net header that one's. Gives where in `packet` the
/// new one begins.
pub fn enter(
    vnet: &mut VnetHeader,
    packet: &mut [u8],
    map: &mut StandIns,
) -> Result<usize, Malformed> {
    let ip = Ipv6Packet::new_checked(&*packet)?;
    let upper = ip.upper()?;
    let end = ip.total_len();
    let real = (ip.source_address(), ip.destination_address());
    let (traffic_class, hop_limit) = (ip.traffic_class(), ip.hop_limit());
    let ends = Ends {
        inside: (map.learn(real.0), map.learn(real.1)),
        real,
    };
    let mut start = upper.offset - ipv4::MIN_HEADER_LEN;
    let protocol = protocol_inside(upper.protocol);
    let is_first = upper.fragment.is_none_or(|fragment| fragment.offset == 0);
    if protocol == ICMP {
        if upper.fragment.is_some() || vnet.needs_csum() {
            // Its sum covers a length that no fragment knows (RFC 7915 section 5.2).
            return Err(Malformed::Untranslatable);
        }
        start += icmp::enter(&mut packet[..end], upper.offset, &ends, map)?;
    } else if is_first {
        let partial = is_partial(vnet, upper.offset, protocol);
        let segment = &mut packet[upper.offset..end];
        if protocol == UDP && !partial && segment.len() >= 8 && be16(segment, 6) == 0 {
            return Err(Malformed::Checksum);
        }
        readdress(segment, protocol, ends.delta(Turn::Enter), partial);
    }
    if end - start > usize::from(u16::MAX) {
        return Err(Malformed::Length);
    }
    offloads(vnet, upper.offset, ipv4::MIN_HEADER_LEN)?;
    if vnet.is_gso() && vnet.gso_type & !vnet::GSO_ECN == vnet::GSO_TCPV6 {
        vnet.gso_type = vnet.gso_type & vnet::GSO_ECN | vnet::GSO_TCPV4;
    } else if vnet.is_gso() && vnet.gso_type & !vnet::GSO_ECN == vnet::GSO_TCPV4 {
        return Err(Malformed::Offload);
    }
    let packet = &mut packet[start..end];
    header_inside(packet, protocol, hop_limit, &ends);
    packet[1] = traffic_class;
    if let Some(fragment) = upper.fragment {
        fragment_inside(packet, fragment);
    }
    seal(packet);
    Ok(start)
}

/// A packet about to leave as IPv6: its head, and what follows.
#[derive(Debug)]
pub struct Departure<'a> {
    /// Its virtio-net header.
    pub vnet: VnetHeader,
    head: [u8; LONGEST_HEAD],
    head_len: usize,
    /// Everything behind the head.
    pub body: &'a [u8],
}

impl Departure<'_> {
    /// The IPv6 header, perhaps with a fragment header.
    pub fn head(&self) -> &[u8] {
        &self.head[..self.head_len]
    }
}

/// Makes a packet between stand-ins the IPv6 packet it stands for. None: it stands for none that can be (an end
/// that is no stand-in, an ICMP message that ICMPv6 does not have). `scratch` is for what must grow: ICMP errors.
pub fn leave<'a>(
    vnet: &VnetHeader,
    packet: &'a mut [u8],
    headers: &Headers,
    map: &StandIns,
    scratch: &'a mut Vec<u8>,
) -> Option<Departure<'a>> {
    let ends = Ends::of_stand_ins(map, headers.source(), headers.destination())?;
    let ip = Ipv4Packet::new_checked(&*packet).ok()?;
    let (traffic_class, hop_limit) = (packet[1], ip.time_to_live());
    let fragment = headers.fragment.then(|| Fragment {
        offset: ip.fragment_offset() as u16,
        more: ip.more_fragments(),
        identification: ip.identification().into(),
    });
    let is_first = fragment.is_none_or(|fragment| fragment.offset == 0);
    let body = &mut packet[headers.transport..headers.total_len];
    let body: &[u8] = if headers.protocol == ICMP {
        if fragment.is_some() {
            return None;
        }
        icmp::leave(body, &ends, map, scratch)?
    } else {
        if is_first {
            readdress(
                body,
                headers.protocol,
                ends.delta(Turn::Leave),
                headers.partial,
            );
            if headers.protocol == UDP && !headers.partial {
                complete(body, &ends, fragment.is_some())?;
            }
        }
        body
    };
    let protocol = protocol_outside(headers.protocol);
    let mut head = [0; LONGEST_HEAD];
    header_outside(&mut head, protocol, traffic_class, hop_limit, &ends);
    let mut head_len = HEADER_LEN;
    if let Some(fragment) = fragment {
        head_len += fragment_outside(&mut head, fragment);
    }
    let payload_len = head_len - HEADER_LEN + body.len();
    put16(&mut head, 4, u16::try_from(payload_len).ok()?);
    let mut vnet = *vnet;
    offloads(&mut vnet, headers.transport, head_len).ok()?;
    if vnet.gso_type & !vnet::GSO_ECN == vnet::GSO_TCPV4 {
        vnet.gso_type = vnet.gso_type & vnet::GSO_ECN | vnet::GSO_TCPV6;
    }
    Some(Departure {
        vnet,
        head,
        head_len,
        body,
    })
}

fn protocol_inside(protocol: u8) -> u8 {
    if protocol == ICMPV6 { ICMP } else { protocol }
}

fn protocol_outside(protocol: u8) -> u8 {
    if protocol == ICMP { ICMPV6 } else { protocol }
}

fn is_partial(vnet: &VnetHeader, transport: usize, protocol: u8) -> bool {
    vnet.needs_csum()
        && usize::from(vnet.csum_start) == transport
        && checksum::field_offset(protocol) == Some(usize::from(vnet.csum_offset))
}

/// Changes a TCP or UDP sum, if it is there, by what the addresses change.
fn readdress(segment: &mut [u8], protocol: u8, delta: Delta, partial: bool) {
    let Some(field) = checksum::field_offset(protocol) else {
        return;
    };
    if segment.len() < field + 2 {
        return;
    }
    let old = be16(segment, field);
    let new = if partial {
        delta.apply_partial(old)
    } else {
        super::rewrite::updated(old, delta, protocol)
    };
    put16(segment, field, new);
}

/// UDP over IPv6 has no "no checksum" (RFC 8200 section 8.1). None: a first fragment, of which nobody can tell.
fn complete(segment: &mut [u8], ends: &Ends, is_fragment: bool) -> Option<()> {
    if segment.len() < super::udp::HEADER_LEN || be16(segment, 6) != 0 {
        return Some(());
    }
    if is_fragment {
        return None;
    }
    let start = ends.sum_real() + segment.len() as u64 + u64::from(UDP);
    let sum = checksum::finished(start, segment, UDP);
    put16(segment, 6, sum);
    Some(())
}

/// Moves the offsets of a virtio-net header with its packet's transport header.
fn offloads(vnet: &mut VnetHeader, old: usize, new: usize) -> Result<(), Malformed> {
    let moved = |offset: u16| {
        let behind = usize::from(offset).checked_sub(old);
        behind.and_then(|behind| u16::try_from(behind + new).ok())
    };
    if vnet.needs_csum() {
        vnet.csum_start = moved(vnet.csum_start).ok_or(Malformed::Offload)?;
    }
    // Only a hint.
    vnet.hdr_len = moved(vnet.hdr_len).unwrap_or(0);
    Ok(())
}

/// Writes an IPv4 header of 20 bytes with DF, as long as `packet` is. Its sum is still to be made.
fn header_inside(packet: &mut [u8], protocol: u8, hop_limit: u8, ends: &Ends) {
    let len = packet.len() as u16;
    packet[0] = 0x45;
    packet[1] = 0;
    put16(packet, 2, len);
    put16(packet, 4, 0);
    put16(packet, 6, 0x4000);
    packet[8] = hop_limit;
    packet[9] = protocol;
    put16(packet, 10, 0);
    packet[12..16].copy_from_slice(&ends.inside.0.octets());
    packet[16..20].copy_from_slice(&ends.inside.1.octets());
}

/// Writes into an IPv4 header which fragment its packet is. Its sum is still to be made.
fn fragment_inside(packet: &mut [u8], fragment: Fragment) {
    put16(packet, 4, fragment.identification as u16);
    let more = u16::from(fragment.more) << 13;
    put16(packet, 6, fragment.offset >> 3 | more);
}

/// Writes a fragment header behind an IPv6 header, and gives its length.
fn fragment_outside(head: &mut [u8], fragment: Fragment) -> usize {
    head[HEADER_LEN] = std::mem::replace(&mut head[6], FRAGMENT);
    let field = fragment.offset | u16::from(fragment.more);
    put16(head, HEADER_LEN + 2, field);
    put32(head, HEADER_LEN + 4, fragment.identification);
    FRAGMENT_LEN
}

/// Makes the sum of an IPv4 header of 20 bytes.
fn seal(packet: &mut [u8]) {
    put16(packet, 10, 0);
    let sum = !checksum::fold(checksum::sum(&packet[..ipv4::MIN_HEADER_LEN]));
    put16(packet, 10, sum);
}

/// Writes an IPv6 header but for its payload length.
fn header_outside(head: &mut [u8], protocol: u8, traffic_class: u8, hop_limit: u8, ends: &Ends) {
    put32(head, 0, 6 << 28 | u32::from(traffic_class) << 20);
    head[6] = protocol;
    head[7] = hop_limit;
    head[8..24].copy_from_slice(&ends.real.0.octets());
    head[24..40].copy_from_slice(&ends.real.1.octets());
}
