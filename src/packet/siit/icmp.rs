//! ICMPv6 messages made ICMP messages, and back (RFC 7915 sections 4.2, 4.3, 5.2 and 5.3), with what errors quote.

use super::{Ends, StandIns, Turn, header_inside, header_outside, protocol_inside, readdress};
use super::{LONGER, LONGEST_HEAD, fragment_inside, fragment_outside, protocol_outside, seal};
use crate::packet::checksum::{self, Delta};
use crate::packet::icmp::{DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED, TIME_EXCEEDED};
use crate::packet::icmp::{ECHO_REPLY, ECHO_REQUEST, HEADER_LEN as MESSAGE_LEN};
use crate::packet::ipv6::{Fragment, HEADER_LEN, ICMPV6, Ipv6Packet, MIN_MTU};
use crate::packet::{ICMP, Malformed, be16, be32, ipv4, put16, put32};

const V6_UNREACHABLE: u8 = 1;
const V6_TOO_BIG: u8 = 2;
const V6_TIME_EXCEEDED: u8 = 3;
const V6_PARAMETER_PROBLEM: u8 = 4;
const V6_ECHO_REQUEST: u8 = 128;
const V6_ECHO_REPLY: u8 = 129;

/// Translates the message at `at`, whose packet ends where `packet` does. Gives by how many bytes the message now
/// begins later: what an error quotes has become shorter.
pub(super) fn enter(
    packet: &mut [u8],
    at: usize,
    ends: &Ends,
    map: &mut StandIns,
) -> Result<usize, Malformed> {
    let message = &mut packet[at..];
    if message.len() < MESSAGE_LEN {
        return Err(Malformed::Truncated);
    }
    if matches!(message[0], V6_ECHO_REQUEST | V6_ECHO_REPLY) {
        echo(message, message.len(), ends, Turn::Enter);
        return Ok(0);
    }
    let (kind, code) = (message[0], message[1]);
    let (kind, code, rest) =
        inside(kind, code, be32(message, 4)).ok_or(Malformed::Untranslatable)?;
    let shorter = quote_inside(&mut message[MESSAGE_LEN..], map)?;
    let message = &mut message[shorter..];
    put16(message, 0, u16::from_be_bytes([kind, code]));
    put16(message, 2, 0);
    put32(message, 4, rest);
    let sum = !checksum::fold(checksum::sum(message));
    put16(message, 2, sum);
    Ok(shorter)
}

/// Translates a whole message; one with a quote is built in `scratch`.
pub(super) fn leave<'a>(
    message: &'a mut [u8],
    ends: &Ends,
    map: &StandIns,
    scratch: &'a mut Vec<u8>,
) -> Option<&'a [u8]> {
    if message.len() < MESSAGE_LEN {
        return None;
    }
    if matches!(message[0], ECHO_REQUEST | ECHO_REPLY) {
        echo(message, message.len(), ends, Turn::Leave);
        return Some(message);
    }
    let (kind, code, rest) = outside(message[0], message[1], be32(message, 4))?;
    scratch.clear();
    scratch.resize(MESSAGE_LEN, 0);
    quote_outside(&message[MESSAGE_LEN..], map, scratch)?;
    // RFC 4443 section 2.4 (c).
    scratch.truncate(MIN_MTU - HEADER_LEN);
    put16(scratch, 0, u16::from_be_bytes([kind, code]));
    put32(scratch, 4, rest);
    let pseudo = ends.sum_real() + scratch.len() as u64 + u64::from(ICMPV6);
    let sum = !checksum::fold(pseudo + checksum::sum(scratch));
    put16(scratch, 2, sum);
    Some(scratch)
}

/// What an ICMPv6 error says, in ICMP: type, code, the four bytes behind the checksum.
fn inside(kind: u8, code: u8, rest: u32) -> Option<(u8, u8, u32)> {
    Some(match (kind, code) {
        (V6_UNREACHABLE, 0 | 2 | 3) => (DESTINATION_UNREACHABLE, 1, 0),
        (V6_UNREACHABLE, 1) => (DESTINATION_UNREACHABLE, 10, 0),
        (V6_UNREACHABLE, 4) => (DESTINATION_UNREACHABLE, 3, 0),
        (V6_TOO_BIG, _) => {
            let mtu = rest.saturating_sub(LONGER as u32).min(u16::MAX.into());
            (DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED, mtu)
        }
        (V6_TIME_EXCEEDED, code) => (TIME_EXCEEDED, code, 0),
        (V6_PARAMETER_PROBLEM, 1) => (DESTINATION_UNREACHABLE, 2, 0),
        _ => return None,
    })
}

/// What an ICMP error says, in ICMPv6.
fn outside(kind: u8, code: u8, rest: u32) -> Option<(u8, u8, u32)> {
    Some(match (kind, code) {
        (DESTINATION_UNREACHABLE, 0 | 1 | 5..=8 | 11 | 12) => (V6_UNREACHABLE, 0, 0),
        // The pointer is to the next-header field.
        (DESTINATION_UNREACHABLE, 2) => (V6_PARAMETER_PROBLEM, 1, 6),
        (DESTINATION_UNREACHABLE, 3) => (V6_UNREACHABLE, 4, 0),
        (DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED) => {
            (V6_TOO_BIG, 0, (rest & 0xffff) + LONGER as u32)
        }
        (DESTINATION_UNREACHABLE, 9 | 10 | 13 | 15) => (V6_UNREACHABLE, 1, 0),
        (TIME_EXCEEDED, code) => (V6_TIME_EXCEEDED, code, 0),
        _ => return None,
    })
}

/// Changes an echo message, which may be cut off; `length` is that of the whole. Other messages stay.
fn echo(message: &mut [u8], length: usize, ends: &Ends, way: Turn) {
    if message.len() < 4 {
        return;
    }
    let kind = match (way, message[0]) {
        (Turn::Enter, V6_ECHO_REQUEST) => ECHO_REQUEST,
        (Turn::Enter, V6_ECHO_REPLY) => ECHO_REPLY,
        (Turn::Leave, ECHO_REQUEST) => V6_ECHO_REQUEST,
        (Turn::Leave, ECHO_REPLY) => V6_ECHO_REPLY,
        (Turn::Enter | Turn::Leave, _) => return,
    };
    let old = be16(message, 0);
    message[0] = kind;
    // ICMP has no pseudo-header.
    let pseudo = ends.sum_real() + length as u64 + u64::from(ICMPV6);
    let (before, after) = match way {
        Turn::Enter => (pseudo, 0),
        Turn::Leave => (0, pseudo),
    };
    let delta = Delta::default()
        .word(old, be16(message, 0))
        .sums(before, after);
    let checksum = delta.apply(be16(message, 2));
    put16(message, 2, checksum);
}

/// Changes what a quote shows of its upper layer.
fn quoted_upper(upper: &mut [u8], length: usize, protocol: u8, ends: &Ends, way: Turn) {
    if protocol == ICMP {
        echo(upper, length, ends, way);
    } else {
        readdress(upper, protocol, ends.delta(way), false);
    }
}

/// Translates a quoted packet so that it ends where it ended, and gives by how many bytes it begins later.
fn quote_inside(quoted: &mut [u8], map: &mut StandIns) -> Result<usize, Malformed> {
    let ip = Ipv6Packet::new_quoted(&*quoted)?;
    let upper = ip.upper()?;
    let length = ip.total_len() - upper.offset;
    let hop_limit = ip.hop_limit();
    let real = (ip.source_address(), ip.destination_address());
    let ends = Ends {
        inside: (map.learn(real.0), map.learn(real.1)),
        real,
    };
    let protocol = protocol_inside(upper.protocol);
    if upper.fragment.is_none_or(|fragment| fragment.offset == 0) {
        let bytes = &mut quoted[upper.offset..];
        quoted_upper(bytes, length, protocol, &ends, Turn::Enter);
    }
    let start = upper.offset - ipv4::MIN_HEADER_LEN;
    let quoted = &mut quoted[start..];
    header_inside(quoted, protocol, hop_limit, &ends);
    if let Some(fragment) = upper.fragment {
        fragment_inside(quoted, fragment);
    }
    let total_len = u16::try_from(ipv4::MIN_HEADER_LEN + length);
    put16(quoted, 2, total_len.map_err(|_| Malformed::Length)?);
    seal(quoted);
    Ok(start)
}

/// Appends the translation of a quoted packet.
fn quote_outside(quoted: &[u8], map: &StandIns, made: &mut Vec<u8>) -> Option<()> {
    let first = *quoted.first()?;
    let header_len = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header_len < ipv4::MIN_HEADER_LEN || quoted.len() < header_len {
        return None;
    }
    let address = |at| std::net::Ipv4Addr::from_bits(be32(quoted, at));
    let ends = Ends::of_stand_ins(map, address(12), address(16))?;
    let length = usize::from(be16(quoted, 2)).checked_sub(header_len)?;
    let protocol = quoted[9];
    let fragment = Fragment {
        offset: (be16(quoted, 6) & 0x1fff) << 3,
        more: be16(quoted, 6) & 0x2000 != 0,
        identification: be16(quoted, 4).into(),
    };
    let start = made.len();
    made.resize(start + LONGEST_HEAD, 0);
    let head = &mut made[start..];
    header_outside(
        head,
        protocol_outside(protocol),
        quoted[1],
        quoted[8],
        &ends,
    );
    let mut head_len = HEADER_LEN;
    if fragment.more || fragment.offset != 0 {
        head_len += fragment_outside(head, fragment);
    }
    put16(head, 4, (head_len - HEADER_LEN + length) as u16);
    made.truncate(start + head_len);
    made.extend_from_slice(&quoted[header_len..]);
    if fragment.offset == 0 {
        let upper = &mut made[start + head_len..];
        quoted_upper(upper, length, protocol, &ends, Turn::Leave);
    }
    Some(())
}
