//! What the kernel tells about a namespace under `/proc/thread-self/net`: counters and sockets.
//!
//! To be read from a thread inside the namespace: `/proc/net` and `/proc/self/net` are the main thread's.

use super::error::Error;
use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Counters by nstat's flat names (`TcpExtTCPSYNChallenge`, `TcpOutRsts`, `IpInReceives`).
pub type Counters = BTreeMap<String, i64>;

/// All counters of this thread's namespace.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn counters() -> Result<Counters, Error> {
    let mut all = Counters::new();
    for file in ["snmp", "netstat"] {
        let path = format!("/proc/thread-self/net/{file}");
        let text =
            fs::read_to_string(&path).map_err(|error| Error::io(format!("read {path}"), &error))?;
        parse_counters(&text, &mut all);
    }
    Ok(all)
}

/// Pairs of lines: `Tcp: A B` and `Tcp: 1 2`.
fn parse_counters(text: &str, all: &mut Counters) {
    let mut lines = text.lines();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let Some((group, names)) = names.split_once(':') else {
            continue;
        };
        let Some((_, values)) = values.split_once(':') else {
            continue;
        };
        for (name, value) in names.split_whitespace().zip(values.split_whitespace()) {
            if let Ok(value) = value.parse() {
                all.insert(format!("{group}{name}"), value);
            }
        }
    }
}

/// What moved between two readings.
pub fn delta(before: &Counters, after: &Counters) -> Counters {
    after
        .iter()
        .map(|(name, value)| (name.clone(), value - before.get(name).copied().unwrap_or(0)))
        .collect()
}

/// A TCP socket of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpSocket {
    /// As `ss` and RFC 9293 name it, with underscores: `ESTABLISHED`, `CLOSE_WAIT`.
    pub state: &'static str,
    /// Its own end.
    pub local: SocketAddrV4,
    /// The other end.
    pub remote: SocketAddrV4,
}

/// All IPv4 TCP sockets of this thread's namespace, listening ones included.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn tcp_sockets() -> Result<Vec<TcpSocket>, Error> {
    let path = "/proc/thread-self/net/tcp";
    let text =
        fs::read_to_string(path).map_err(|error| Error::io(format!("read {path}"), &error))?;
    Ok(text.lines().skip(1).filter_map(parse_socket).collect())
}

/// True when something listens on the port, TCP or (unconnected) UDP, IPv4 or IPv6.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn listens(port: u16, udp: bool) -> Result<bool, Error> {
    let files: [&str; 2] = if udp {
        ["udp", "udp6"]
    } else {
        ["tcp", "tcp6"]
    };
    for file in files {
        let path = format!("/proc/thread-self/net/{file}");
        // Without IPv6 in the kernel the second file does not exist.
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let wanted = if udp { "07" } else { "0A" };
        let found = text.lines().skip(1).any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields
                .next()
                .and_then(|local| local.rsplit_once(':'))
                .and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
            local == Some(port) && fields.nth(1) == Some(wanted)
        });
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

fn parse_socket(line: &str) -> Option<TcpSocket> {
    let mut fields = line.split_whitespace().skip(1);
    let (local, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
    Some(TcpSocket {
        state: state_name(u8::from_str_radix(state, 16).ok()?),
        local: parse_address(local)?,
        remote: parse_address(remote)?,
    })
}

/// `0100007F:1F90`: the address in host byte order, the port as a number.
fn parse_address(text: &str) -> Option<SocketAddrV4> {
    let (address, port) = text.split_once(':')?;
    let address = u32::from_str_radix(address, 16).ok()?;
    Some(SocketAddrV4::new(
        Ipv4Addr::from(address.to_ne_bytes()),
        u16::from_str_radix(port, 16).ok()?,
    ))
}

/// Linux's numbering of TCP states (`include/net/tcp_states.h`).
pub fn state_name(state: u8) -> &'static str {
    match state {
        1 => "ESTABLISHED",
        2 => "SYN_SENT",
        3 => "SYN_RECV",
        4 => "FIN_WAIT1",
        5 => "FIN_WAIT2",
        6 => "TIME_WAIT",
        7 => "CLOSE",
        8 => "CLOSE_WAIT",
        9 => "LAST_ACK",
        10 => "LISTEN",
        11 => "CLOSING",
        12 => "NEW_SYN_RECV",
        _ => "UNKNOWN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_flat_and_negative_ones_are_kept() {
        let mut all = Counters::new();
        parse_counters(
            "Tcp: RtoMin MaxConn\nTcp: 200 -1\nTcpExt: TCPSYNChallenge\nTcpExt: 3\n",
            &mut all,
        );
        assert_eq!(all.get("TcpMaxConn"), Some(&-1));
        assert_eq!(all.get("TcpExtTCPSYNChallenge"), Some(&3));
        let later = Counters::from([("TcpExtTCPSYNChallenge".to_owned(), 5)]);
        assert_eq!(delta(&all, &later).get("TcpExtTCPSYNChallenge"), Some(&2));
    }

    #[test]
    fn sockets_are_read_in_host_byte_order() {
        let line = "   1: 0A00000A:0050 0A6433C6:9C40 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 20 4 30 10 -1";
        let socket = parse_socket(line).expect("a line of /proc/net/tcp");
        if cfg!(target_endian = "little") {
            assert_eq!(socket.local, "10.0.0.10:80".parse().expect("an address"));
            assert_eq!(
                socket.remote,
                "198.51.100.10:40000".parse().expect("an address")
            );
        }
        assert_eq!(socket.state, "ESTABLISHED");
    }
}
