//! View of an ICMP message (RFC 792), and what it says.

use super::quote::Quote;
use super::{Headers, ICMP, Malformed, checksum, put16};
use std::net::SocketAddrV4;

/// Type 3: destination unreachable.
pub const DESTINATION_UNREACHABLE: u8 = 3;
/// Code of type 3: fragmentation needed and DF set.
pub const FRAGMENTATION_NEEDED: u8 = 4;
/// Type 5: there is a shorter way; code 0: to the network, code 1: to the host.
pub const REDIRECT: u8 = 5;
/// Type 11: time exceeded; code 0: in transit.
pub const TIME_EXCEEDED: u8 = 11;

/// Type 8: echo request.
pub const ECHO_REQUEST: u8 = 8;
/// Type 0: echo reply.
pub const ECHO_REPLY: u8 = 0;

/// Type, code, checksum and the four bytes that depend on the type.
pub const HEADER_LEN: usize = 8;

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Type and code.
    pub kind: (u8, u8),
    /// MTU of the next hop (RFC 1191 section 4), of `fragmentation needed`; else 0.
    pub mtu: u16,
    /// Source and destination of the packet that an error quotes, with ports 0 where the quote shows none; none: it quotes none.
    pub about: Option<(SocketAddrV4, SocketAddrV4)>,
}

impl Message {
    /// Reads a whole message; none: it is none, or a fragment of one.
    pub fn read(packet: &[u8], headers: &Headers) -> Option<Self> {
        if headers.protocol != ICMP || headers.fragment {
            return None;
        }
        let message = packet.get(headers.transport..headers.total_len)?;
        let message = IcmpPacket::new_checked(message).ok()?;
        let kind = (message.message_type(), message.code());
        Some(Self {
            kind,
            mtu: match kind {
                (DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED) => message.next_hop_mtu(),
                _ => 0,
            },
            about: Quote::read(packet, headers).map(|quote| (quote.from, quote.to)),
        })
    }

    /// In the words of RFC 792 and RFC 1812 section 5.2.7.1.
    pub fn says(&self) -> String {
        let known = match self.kind {
            (ECHO_REPLY, _) => "echo reply",
            (ECHO_REQUEST, _) => "echo request",
            (DESTINATION_UNREACHABLE, 0) => "net unreachable",
            (DESTINATION_UNREACHABLE, 1) => "host unreachable",
            (DESTINATION_UNREACHABLE, 2) => "protocol unreachable",
            (DESTINATION_UNREACHABLE, 3) => "port unreachable",
            (DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED) => "fragmentation needed",
            (DESTINATION_UNREACHABLE, 9 | 10 | 13) => "administratively prohibited",
            (REDIRECT, 0) => "network redirect",
            (REDIRECT, 1) => "host redirect",
            (TIME_EXCEEDED, 0) => "time to live exceeded",
            (kind, code) => return format!("type {kind} code {code}"),
        };
        known.to_owned()
    }
}

/// Bytes that are known to hold an ICMP header.
#[derive(Clone, Copy, Debug)]
pub struct IcmpPacket<T>(T);

impl<T: AsRef<[u8]>> IcmpPacket<T> {
    /// Checks that the header is there.
    pub fn new_checked(buffer: T) -> Result<Self, Malformed> {
        if buffer.as_ref().len() < HEADER_LEN {
            return Err(Malformed::Truncated);
        }
        Ok(Self(buffer))
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// The type field.
    pub fn message_type(&self) -> u8 {
        self.bytes()[0]
    }

    /// The code field.
    pub fn code(&self) -> u8 {
        self.bytes()[1]
    }

    /// Next-hop MTU of type 3 code 4 (RFC 1191 section 4).
    pub fn next_hop_mtu(&self) -> u16 {
        super::be16(self.bytes(), 6)
    }

    /// An error message quotes the packet it is about and is itself never answered (RFC 1122 section 3.2.2).
    pub fn is_error(&self) -> bool {
        // Unreachable, source quench, redirect, time exceeded, parameter problem.
        matches!(self.message_type(), 3 | 4 | 5 | 11 | 12)
    }

    /// What follows the header; of an error the quoted packet.
    pub fn payload(&self) -> &[u8] {
        &self.bytes()[HEADER_LEN..]
    }

    /// True when the sum is right.
    pub fn verify_checksum(&self) -> bool {
        checksum::fold(checksum::sum(self.bytes())) == 0xffff
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> IcmpPacket<T> {
    /// What follows the header, to be changed.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        &mut self.0.as_mut()[HEADER_LEN..]
    }

    /// Computes and sets the checksum.
    pub fn fill_checksum(&mut self) {
        put16(self.0.as_mut(), 2, 0);
        let checksum = !checksum::fold(checksum::sum(self.bytes()));
        put16(self.0.as_mut(), 2, checksum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icmp_messages_say_what_they_are() {
        for (kind, says) in [
            ((0, 0), "echo reply"),
            ((3, 1), "host unreachable"),
            ((3, 4), "fragmentation needed"),
            ((3, 10), "administratively prohibited"),
            ((5, 1), "host redirect"),
            ((11, 0), "time to live exceeded"),
            ((11, 1), "type 11 code 1"),
        ] {
            let (mtu, about) = (0, None);
            assert_eq!(Message { kind, mtu, about }.says(), says);
        }
    }
}
