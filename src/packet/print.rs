//! A packet on one line, as tcpdump writes it.

use super::{Headers, ICMP, IcmpPacket, TCP, UDP, VnetHeader, tcp};
use std::fmt;

/// Prints a packet: `10.0.0.1.40000 > 10.0.0.2.80: Flags [S], seq 1, win 64240, length 0`.
pub struct Line<'a>(pub &'a [u8]);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers = match Headers::parse(&VnetHeader::default(), self.0) {
            Ok(headers) => headers,
            Err(why) => return write!(f, "{} bytes: {why}", self.0.len()),
        };
        if headers.has_ports() {
            let (from, to) = (headers.from, headers.to);
            write!(
                f,
                "{}.{} > {}.{}: ",
                from.ip(),
                from.port(),
                to.ip(),
                to.port()
            )?;
        } else {
            write!(f, "{} > {}: ", headers.source(), headers.destination())?;
        }
        let len = headers.payload_len();
        match headers.protocol {
            TCP if headers.has_ports() => segment(f, &headers),
            UDP if headers.has_ports() => write!(f, "UDP, length {len}"),
            ICMP => match IcmpPacket::new_checked(&self.0[headers.transport..headers.total_len]) {
                Ok(message) => {
                    write!(
                        f,
                        "ICMP type {} code {}, length {len}",
                        message.message_type(),
                        message.code()
                    )
                }
                Err(why) => write!(f, "ICMP, {why}"),
            },
            other => write!(f, "ip-proto-{other}, length {len}"),
        }
    }
}

fn segment(f: &mut fmt::Formatter<'_>, headers: &Headers) -> fmt::Result {
    let len = headers.payload_len();
    write!(f, "Flags [{}]", Flags(headers.flags))?;
    // tcpdump leaves the sequence number out where it says nothing.
    if len > 0 {
        write!(
            f,
            ", seq {}:{}",
            headers.seq,
            headers.seq.wrapping_add(len as u32)
        )?;
    } else if headers.flags & (tcp::SYN | tcp::FIN | tcp::RST) != 0 {
        write!(f, ", seq {}", headers.seq)?;
    }
    if headers.flags & tcp::ACK != 0 {
        write!(f, ", ack {}", headers.ack)?;
    }
    write!(f, ", win {}, length {len}", headers.window)
}

/// TCP flags as tcpdump writes them: `S`, `S.`, `.`, `P.`, `F.`, `R`; `none` for none.
#[derive(Clone, Copy, Debug)]
pub struct Flags(pub u8);

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LETTERS: [(u8, &str); 8] = [
            (tcp::FIN, "F"),
            (tcp::SYN, "S"),
            (tcp::RST, "R"),
            (tcp::PSH, "P"),
            (tcp::ACK, "."),
            (tcp::URG, "U"),
            (tcp::ECE, "E"),
            (tcp::CWR, "W"),
        ];
        if self.0 == 0 {
            return f.write_str("none");
        }
        for (bit, letter) in LETTERS {
            if self.0 & bit != 0 {
                f.write_str(letter)?;
            }
        }
        Ok(())
    }
}
