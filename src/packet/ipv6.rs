//! View of an IPv6 packet (RFC 8200), its extension headers walked.

use super::{Malformed, be16, be32};
use std::net::Ipv6Addr;

/// The fixed header.
pub const HEADER_LEN: usize = 40;
/// The fragment header (section 4.5).
pub const FRAGMENT_LEN: usize = 8;
/// The smallest MTU a link may have (section 5), and the largest ICMPv6 error (RFC 4443 section 2.4).
pub const MIN_MTU: usize = 1280;
/// Protocol number of ICMPv6.
pub const ICMPV6: u8 = 58;
/// Next header: fragment.
pub const FRAGMENT: u8 = 44;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const DESTINATION: u8 = 60;
/// More extension headers than any kernel writes.
const MOST_HEADERS: usize = 8;

/// Bytes that are known to hold an IPv6 header and as much as its payload length says.
#[derive(Clone, Copy, Debug)]
pub struct Ipv6Packet<T>(T);

/// What the extension headers lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upper {
    /// Protocol number of what follows.
    pub protocol: u8,
    /// Where it begins.
    pub offset: usize,
    /// It is a part of a packet only.
    pub fragment: Option<Fragment>,
}

/// A fragment header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Where its payload belongs, bytes.
    pub offset: u16,
    /// More of them follow.
    pub more: bool,
    /// Which packet it is a part of.
    pub identification: u32,
}

impl<T: AsRef<[u8]>> Ipv6Packet<T> {
    /// Checks version and lengths. A payload length of 0 is one of nothing: jumbograms (RFC 2675) are none of ours.
    pub fn new_checked(buffer: T) -> Result<Self, Malformed> {
        let packet = Self::new_quoted(buffer)?;
        if packet.bytes().len() < packet.total_len() {
            return Err(Malformed::Truncated);
        }
        Ok(packet)
    }

    /// The same for a packet that may be cut off behind its header, as in an ICMP error.
    pub fn new_quoted(buffer: T) -> Result<Self, Malformed> {
        let bytes = buffer.as_ref();
        match bytes.first() {
            None => Err(Malformed::Truncated),
            Some(first) if first >> 4 != 6 => Err(Malformed::NotIpv6),
            Some(_) if bytes.len() < HEADER_LEN => Err(Malformed::Truncated),
            Some(_) => Ok(Self(buffer)),
        }
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// DSCP and ECN.
    pub fn traffic_class(&self) -> u8 {
        (be16(self.bytes(), 0) >> 4) as u8
    }

    /// Bytes behind the fixed header.
    pub fn payload_len(&self) -> usize {
        usize::from(be16(self.bytes(), 4))
    }

    /// Bytes of the whole packet.
    pub fn total_len(&self) -> usize {
        HEADER_LEN + self.payload_len()
    }

    /// Which header follows the fixed one.
    pub fn next_header(&self) -> u8 {
        self.bytes()[6]
    }

    /// The hop limit.
    pub fn hop_limit(&self) -> u8 {
        self.bytes()[7]
    }

    /// Source address.
    pub fn source_address(&self) -> Ipv6Addr {
        self.address(8)
    }

    /// Destination address.
    pub fn destination_address(&self) -> Ipv6Addr {
        self.address(24)
    }

    fn address(&self, at: usize) -> Ipv6Addr {
        let bytes = self.bytes();
        let half = |at| u64::from(be32(bytes, at)) << 32 | u64::from(be32(bytes, at + 4));
        Ipv6Addr::from_bits(u128::from(half(at)) << 64 | u128::from(half(at + 8)))
    }

    /// Walks the extension headers: hop-by-hop and destination options, a routing header that has done its work,
    /// and the fragment header. A routing header with segments left is refused (RFC 7915 section 5.1).
    pub fn upper(&self) -> Result<Upper, Malformed> {
        let bytes = self.bytes();
        let bytes = &bytes[..bytes.len().min(self.total_len())];
        let mut upper = Upper {
            protocol: self.next_header(),
            offset: HEADER_LEN,
            fragment: None,
        };
        for _ in 0..MOST_HEADERS {
            let length = match upper.protocol {
                HOP_BY_HOP | ROUTING | DESTINATION => {
                    let fixed = bytes.get(upper.offset..upper.offset + 8);
                    let fixed = fixed.ok_or(Malformed::Truncated)?;
                    if upper.protocol == ROUTING && fixed[3] != 0 {
                        return Err(Malformed::Untranslatable);
                    }
                    (usize::from(fixed[1]) + 1) * 8
                }
                FRAGMENT => {
                    let fixed = bytes.get(upper.offset..upper.offset + FRAGMENT_LEN);
                    let fixed = fixed.ok_or(Malformed::Truncated)?;
                    let field = be16(fixed, 2);
                    upper.fragment = Some(Fragment {
                        offset: field & !7,
                        more: field & 1 != 0,
                        identification: be32(fixed, 4),
                    });
                    FRAGMENT_LEN
                }
                _ => return Ok(upper),
            };
            upper.protocol = bytes[upper.offset];
            upper.offset += length;
            if upper.offset > bytes.len() {
                return Err(Malformed::Truncated);
            }
            if upper.fragment.is_some_and(|fragment| fragment.offset != 0) {
                return Ok(upper);
            }
        }
        Err(Malformed::Untranslatable)
    }
}
