//! The PROXY protocol's header, versions 2 and 1: bytes in front of a connection's stream that say who the client is.
//!
//! Source: HAProxy's `proxy-protocol.txt`, section 2.2. What a Network Load Balancer writes was seen on the wire
//! (github.com/quakeservices/master issue 1, 2020): 84 bytes behind the fixed part, which are the addresses, a CRC32c
//! and padding; the destination is the balancer's private address. Version 1 (text, section 2.1) is what Classic Load
//! Balancers write.

use super::be16;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// What every header of version 2 begins with; no other protocol does.
pub const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family, length.
pub const FIXED_LEN: usize = 16;

/// What every header of version 1 begins with.
const SIGNATURE_V1: &[u8] = b"PROXY ";
/// The longest header of version 1, its end of line included.
const LONGEST_V1: usize = 107;

/// Version 2, command LOCAL: the balancer speaks for itself (a health check); who connects is who it is for.
const LOCAL: u8 = 0x20;
/// Version 2, command PROXY: on behalf of the client told.
const PROXY: u8 = 0x21;
/// No addresses.
const UNSPEC: u8 = 0x00;
/// TCP over IPv4.
const TCP4: u8 = 0x11;
/// TCP over IPv6.
const TCP6: u8 = 0x21;

/// CRC32c over the whole header, with zeros in its own place.
const TYPE_CRC32C: u8 = 0x03;
/// Padding.
const TYPE_NOOP: u8 = 0x04;
/// AWS' own; its value begins with a subtype.
const TYPE_AWS: u8 = 0xea;
/// The id of the VPC endpoint that a connection came through.
const SUBTYPE_AWS_VPCE_ID: u8 = 0x01;

/// Bytes of all TLVs together: a Network Load Balancer pads to this.
const TLVS_LEN: usize = 72;

/// The header a Network Load Balancer puts before what `client` sends to `listener`; addresses of two families are
/// both written as IPv6 ones. `endpoint`: the VPC endpoint's id, of a connection that came through PrivateLink.
///
/// Where the endpoint's TLV stands, and that the padding shrinks for it, is an assumption.
pub fn proxy(client: SocketAddr, listener: SocketAddr, endpoint: Option<&str>) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    header.push(PROXY);
    let start = FIXED_LEN
        + match (client, listener) {
            (SocketAddr::V4(_), SocketAddr::V4(_)) => 12,
            (SocketAddr::V4(_) | SocketAddr::V6(_), _) => 36,
        };
    match (client, listener) {
        (SocketAddr::V4(client), SocketAddr::V4(listener)) => {
            header.extend([TCP4, 0, 0]);
            header.extend(client.ip().octets());
            header.extend(listener.ip().octets());
        }
        (SocketAddr::V4(_) | SocketAddr::V6(_), _) => {
            header.extend([TCP6, 0, 0]);
            header.extend(wide(client).octets());
            header.extend(wide(listener).octets());
        }
    }
    header.extend(client.port().to_be_bytes());
    header.extend(listener.port().to_be_bytes());
    let crc = header.len() + 3;
    tlv(&mut header, TYPE_CRC32C, &[0; 4]);
    if let Some(endpoint) = endpoint {
        let value: Vec<u8> = std::iter::once(SUBTYPE_AWS_VPCE_ID)
            .chain(endpoint.bytes())
            .collect();
        tlv(&mut header, TYPE_AWS, &value);
    }
    let padding = (start + TLVS_LEN).saturating_sub(header.len() + 3);
    tlv(&mut header, TYPE_NOOP, &vec![0; padding]);
    let len = (header.len() - FIXED_LEN) as u16;
    header[14..16].copy_from_slice(&len.to_be_bytes());
    let sum = crc32c(&header).to_be_bytes();
    header[crc..crc + 4].copy_from_slice(&sum);
    header
}

/// The header of version 1 that a Classic Load Balancer puts before what `client` sends to `listener`.
pub fn proxy_v1(client: SocketAddrV4, listener: SocketAddrV4) -> String {
    format!(
        "PROXY TCP4 {} {} {} {}\r\n",
        client.ip(),
        listener.ip(),
        client.port(),
        listener.port()
    )
}

/// The header of a connection that the balancer opens for itself: a health check. It names no client.
///
/// That it carries no addresses is an assumption; a receiver must not look at them.
pub fn local() -> [u8; FIXED_LEN] {
    let mut header = [0; FIXED_LEN];
    header[..12].copy_from_slice(&SIGNATURE);
    header[12] = LOCAL;
    header[13] = UNSPEC;
    header
}

fn wide(address: SocketAddr) -> Ipv6Addr {
    match address {
        SocketAddr::V4(address) => address.ip().to_ipv6_mapped(),
        SocketAddr::V6(address) => *address.ip(),
    }
}

fn tlv(header: &mut Vec<u8>, kind: u8, value: &[u8]) {
    header.push(kind);
    header.extend((value.len() as u16).to_be_bytes());
    header.extend(value);
}

/// CRC-32 with Castagnoli's polynomial (RFC 3720 appendix B.4), bit by bit: once a connection is seldom enough.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let low = crc & 1;
            crc = (crc >> 1) ^ (0x82f6_3b78 * low);
        }
    }
    !crc
}

/// What the beginning of a stream is to a server that expects a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// Not enough bytes to tell.
    Incomplete,
    /// No header, or one that contradicts itself. A server closes the connection.
    Broken,
    /// A header.
    Header(Told),
}

/// What a header tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Bytes of the header; the stream proper begins behind them.
    pub len: usize,
    /// The client; none with LOCAL or without addresses.
    pub client: Option<SocketAddr>,
    /// The VPC endpoint's id.
    pub endpoint: Option<String>,
}

/// Reads the header at the beginning of a stream. TLVs of types it does not know are skipped, as the protocol asks.
pub fn read(stream: &[u8]) -> Beginning {
    if begins_v1(stream) {
        return read_v1(stream);
    }
    let seen = stream.len().min(SIGNATURE.len());
    if stream[..seen] != SIGNATURE[..seen] {
        return Beginning::Broken;
    }
    let Some(fixed) = stream.get(..FIXED_LEN) else {
        return Beginning::Incomplete;
    };
    let len = FIXED_LEN + usize::from(be16(fixed, 14));
    let Some(rest) = stream.get(FIXED_LEN..len) else {
        return Beginning::Incomplete;
    };
    let (client, tlvs) = match (fixed[12], fixed[13]) {
        (LOCAL, _) => (None, &[][..]),
        (PROXY, TCP4) if rest.len() >= 12 => {
            let octets = [rest[0], rest[1], rest[2], rest[3]];
            let client = SocketAddrV4::new(Ipv4Addr::from(octets), be16(rest, 8));
            (Some(SocketAddr::V4(client)), &rest[12..])
        }
        (PROXY, TCP6) if rest.len() >= 36 => {
            let mut octets = [0; 16];
            octets.copy_from_slice(&rest[..16]);
            let client = SocketAddrV6::new(Ipv6Addr::from(octets), be16(rest, 32), 0, 0);
            (Some(SocketAddr::V6(client)), &rest[36..])
        }
        (PROXY, TCP4 | TCP6) => return Beginning::Broken,
        // Other families are for transports that no listener here has; the spec lets a receiver ignore them.
        (PROXY, _) => (None, &[][..]),
        (_, _) => return Beginning::Broken,
    };
    Beginning::Header(Told {
        len,
        client,
        endpoint: endpoint(tlvs),
    })
}

/// True for a stream that may begin with a header of version 1.
fn begins_v1(stream: &[u8]) -> bool {
    let seen = stream.len().min(SIGNATURE_V1.len());
    seen > 0 && stream[..seen] == SIGNATURE_V1[..seen]
}

fn read_v1(stream: &[u8]) -> Beginning {
    let end = stream.windows(2).position(|two| two == b"\r\n");
    let Some(end) = end.filter(|end| end + 2 <= LONGEST_V1) else {
        return match stream.len() < LONGEST_V1 {
            true => Beginning::Incomplete,
            false => Beginning::Broken,
        };
    };
    let Ok(line) = std::str::from_utf8(&stream[..end]) else {
        return Beginning::Broken;
    };
    let words: Vec<&str> = line.split(' ').collect();
    let client = match words[..] {
        ["PROXY", "TCP4" | "TCP6", from, to, from_port, to_port] => {
            let end =
                |ip: &str, port: &str| Some(SocketAddr::new(ip.parse().ok()?, port.parse().ok()?));
            let (Some(client), Some(_)) = (end(from, from_port), end(to, to_port)) else {
                return Beginning::Broken;
            };
            Some(client)
        }
        // The rest of the line is to be ignored.
        ["PROXY", "UNKNOWN", ..] => None,
        _ => return Beginning::Broken,
    };
    Beginning::Header(Told {
        len: end + 2,
        client,
        endpoint: None,
    })
}

/// How long the header at the beginning of a stream is, as far as can be told. Of version 1 that is seen byte by byte.
pub fn len(stream: &[u8]) -> usize {
    if begins_v1(stream) {
        return stream.len() + 1;
    }
    match stream.get(14..FIXED_LEN) {
        Some(len) => FIXED_LEN + usize::from(be16(len, 0)),
        None => FIXED_LEN,
    }
}

fn endpoint(mut tlvs: &[u8]) -> Option<String> {
    while tlvs.len() >= 3 {
        let value = tlvs.get(3..3 + usize::from(be16(tlvs, 1)))?;
        if tlvs[0] == TYPE_AWS && value.first() == Some(&SUBTYPE_AWS_VPCE_ID) {
            return Some(String::from_utf8_lossy(&value[1..]).into_owned());
        }
        tlvs = &tlvs[3 + value.len()..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    /// The header published in github.com/quakeservices/master issue 1, but for its transport (UDP there, 0x12) and
    /// so its sum.
    #[test]
    fn the_layout_is_the_one_seen_on_the_wire() {
        let made = proxy(
            address("116.240.207.35:27910"),
            address("172.16.0.193:27900"),
            None,
        );
        assert_eq!(made.len(), 100);
        assert_eq!(made[..16], *b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x54");
        assert_eq!(made[16..28], *b"t\xf0\xcf#\xac\x10\x00\xc1m\x06l\xfc");
        assert_eq!(made[28..31], [3, 0, 4]);
        assert_eq!(made[35..38], [4, 0, 0x3e]);
        assert!(made[38..].iter().all(|byte| *byte == 0));
    }

    /// The same header with UDP's 0x12 must have the sum that was seen: it covers every byte.
    #[test]
    fn the_sum_is_the_one_seen_on_the_wire() {
        let mut made = proxy(
            address("116.240.207.35:27910"),
            address("172.16.0.193:27900"),
            None,
        );
        made[13] = 0x12;
        made[31..35].fill(0);
        assert_eq!(crc32c(&made).to_be_bytes(), *b"\xcc\xbb\x07W");
        // RFC 3720 appendix B.4
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn what_is_written_is_read() {
        for (client, listener, endpoint) in [
            ("192.0.2.7:40000", "10.0.0.5:80", None),
            (
                "192.0.2.7:40000",
                "10.0.0.5:80",
                Some("vpce-0123456789abcdef0"),
            ),
            ("[2001:db8::1]:40000", "[2001:db8::2]:80", None),
        ] {
            let header = proxy(address(client), address(listener), endpoint);
            let told = Told {
                len: header.len(),
                client: Some(address(client)),
                endpoint: endpoint.map(str::to_owned),
            };
            assert_eq!(read(&header), Beginning::Header(told.clone()));
            let with_more: Vec<u8> = header.iter().copied().chain(*b"GET /").collect();
            assert_eq!(read(&with_more), Beginning::Header(told));
            for cut in 0..header.len() {
                assert_eq!(read(&header[..cut]), Beginning::Incomplete, "{cut} bytes");
            }
        }
    }

    #[test]
    fn an_endpoint_takes_its_room_from_the_padding() {
        let header = proxy(
            address("192.0.2.7:40000"),
            address("10.0.0.5:80"),
            Some("vpce-0a"),
        );
        assert_eq!(header.len(), 100);
        assert_eq!(header[35..46], *b"\xea\0\x08\x01vpce-0a");
    }

    #[test]
    fn families_that_differ_are_written_as_one() {
        let header = proxy(
            address("192.0.2.7:40000"),
            address("[2001:db8::2]:80"),
            None,
        );
        let Beginning::Header(told) = read(&header) else {
            panic!("no header")
        };
        assert_eq!(told.client, Some(address("[::ffff:192.0.2.7]:40000")));
    }

    #[test]
    fn a_health_check_names_nobody() {
        let told = Told {
            len: FIXED_LEN,
            client: None,
            endpoint: None,
        };
        assert_eq!(read(&local()), Beginning::Header(told));
    }

    #[test]
    fn anything_else_is_broken() {
        assert_eq!(read(b"GET / HTTP/1.1\r\n"), Beginning::Broken);
        assert_eq!(read(b"\r\n\r\nX"), Beginning::Broken);
        let mut version_1 = local();
        version_1[12] = 0x11;
        assert_eq!(read(&version_1), Beginning::Broken);
        let mut short = local();
        short[12] = PROXY;
        short[13] = TCP4;
        assert_eq!(read(&short), Beginning::Broken);
        let mut unknown_command = local();
        unknown_command[12] = 0x2f;
        assert_eq!(read(&unknown_command), Beginning::Broken);
    }

    #[test]
    fn a_header_of_version_1_is_read_back() {
        let client = SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, 22), 35_646);
        let listener = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 7), 80);
        let header = proxy_v1(client, listener);
        assert_eq!(header, "PROXY TCP4 198.51.100.22 203.0.113.7 35646 80\r\n");
        let told = Told {
            len: header.len(),
            client: Some(client.into()),
            endpoint: None,
        };
        let stream = format!("{header}GET / HTTP/1.1\r\n");
        assert_eq!(read(stream.as_bytes()), Beginning::Header(told));
        for end in 1..header.len() {
            let part = &header.as_bytes()[..end];
            assert_eq!(read(part), Beginning::Incomplete, "{end}");
            assert!(len(part) > end && len(part) <= header.len());
        }
    }

    #[test]
    fn what_only_looks_like_version_1_is_broken() {
        for text in [
            "PROXY TCP4 1.2.3.4\r\n",
            "PROXYING\r\n",
            "PROXY TCP4 a b 1 2\r\n",
        ] {
            assert_eq!(read(text.as_bytes()), Beginning::Broken, "{text}");
        }
        let long = format!("PROXY {}", "x".repeat(LONGEST_V1));
        assert_eq!(read(long.as_bytes()), Beginning::Broken);
        assert!(matches!(read(b"PROXY UNKNOWN\r\n"), Beginning::Header(_)));
    }
}
