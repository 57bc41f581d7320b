//! Cutting a packet into fragments, as a router does whose next wire is too small for it (RFC 791 section 3.2).
//!
//! Observed on: Linux `ip_fragment`. Not here: who may be cut (DF, IPv6), and options that only the first fragment should
//! have: all get all of them.

use super::{Headers, Ipv4Packet, put16};

/// Bit "more fragments" of the third word of the header.
const MORE: u16 = 1 << 13;

/// Calls `each` with every fragment of an IPv4 packet that is larger than `mtu` bytes, which are 68 at least; `scratch` is
/// where they are built. `headers` must be this packet's, its checksum finished, and it must be no super-packet. Every
/// fragment keeps the ports of the whole, though only the first has them in sight. What else is in a transport header only
/// the fragment has that it is in: the payload of the others is all that they carry, and they have no numbers of TCP.
pub fn fragment(
    packet: &[u8],
    headers: &Headers,
    mtu: u16,
    scratch: &mut Vec<u8>,
    mut each: impl FnMut(&mut [u8], Headers),
) {
    let Ok(whole) = Ipv4Packet::new_checked(packet) else {
        return;
    };
    let (begins, goes_on) = (whole.fragment_offset(), whole.more_fragments());
    let (head, body) = packet[..headers.total_len].split_at(headers.transport);
    // Offsets count eight bytes.
    let room = (usize::from(mtu).saturating_sub(head.len()) & !7).max(8);
    let pieces = body.len().div_ceil(room);
    for (number, piece) in body.chunks(room).enumerate() {
        let offset = begins + number * room;
        let more = if number + 1 < pieces || goes_on {
            MORE
        } else {
            0
        };
        scratch.clear();
        scratch.extend_from_slice(head);
        scratch.extend_from_slice(piece);
        let total_len = scratch.len();
        put16(scratch, 2, total_len as u16);
        put16(scratch, 6, (offset / 8) as u16 | more);
        if let Ok(mut ip) = Ipv4Packet::new_checked(scratch.as_mut_slice()) {
            ip.fill_checksum();
        }
        let in_sight = number == 0 && headers.payload <= total_len;
        let part = Headers {
            fragment: true,
            total_len,
            ..*headers
        };
        let part = match in_sight {
            true => part,
            false => Headers {
                payload: headers.transport,
                flags: 0,
                seq: 0,
                ack: 0,
                window: 0,
                ..part
            },
        };
        each(scratch, part);
    }
}
