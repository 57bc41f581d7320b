//! TCP sockets of a namespace by `/proc/thread-self/net/tcp` and `tcp6`, where the kernel has no sock_diag for TCP.
//!
//! To be read from a thread inside the namespace: `/proc/net` and `/proc/self/net` are the main thread's.

use super::socket::{TcpListener, TcpSocket, state_name, timer_word};
use crate::world::error::Error;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The TCP sockets of this thread's namespace without what only sock_diag tells.
///
/// # Errors
/// When `/proc` cannot be read.
pub(super) fn tcp_sockets() -> Result<Vec<TcpSocket>, Error> {
    let (_, sockets) = all_tcp_sockets()?;
    Ok(sockets)
}

/// Those that listen.
///
/// # Errors
/// When `/proc` cannot be read.
pub(super) fn tcp_listeners() -> Result<Vec<TcpListener>, Error> {
    let (listening, _) = all_tcp_sockets()?;
    let listeners = listening.into_iter().map(|socket| TcpListener {
        local: socket.local,
        waiting: socket.recv_queue,
        backlog: None,
    });
    Ok(listeners.collect())
}

/// Sockets that listen, and all others.
fn all_tcp_sockets() -> Result<(Vec<TcpSocket>, Vec<TcpSocket>), Error> {
    let path = "/proc/thread-self/net/tcp";
    let mut text =
        fs::read_to_string(path).map_err(|error| Error::io(format!("read {path}"), &error))?;
    if may_have_ipv6_sockets() {
        // Without IPv6 in the kernel there is no such file.
        text.push_str(&fs::read_to_string("/proc/thread-self/net/tcp6").unwrap_or_default());
    }
    let sockets = text.lines().filter_map(parse_socket);
    Ok(sockets.partition(|socket| socket.state == "LISTEN"))
}

/// False where the kernel counts no TCP socket of IPv6, and none of either family in TIME_WAIT, who have left that count: it
/// would walk through the tables of the whole machine for nothing.
fn may_have_ipv6_sockets() -> bool {
    let counts =
        |file| fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default();
    match count_of(&counts("sockstat6"), "TCP6:", "inuse") {
        Some(0) => count_of(&counts("sockstat"), "TCP:", "tw") != Some(0),
        _ => true,
    }
}

/// A figure of a line such as `TCP: inuse 2 orphan 0 tw 1 alloc 5 mem 1`.
fn count_of(text: &str, line: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|one| one.strip_prefix(line))?;
    let mut words = rest.split_whitespace();
    words.find(|word| *word == name)?;
    words.next()?.parse().ok()
}

fn parse_socket(line: &str) -> Option<TcpSocket> {
    let mut fields = line.split_whitespace().skip(1);
    let (local, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
    let mut pair = || {
        let (first, second) = fields.next()?.split_once(':')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        Some((number(first)?, number(second)?))
    };
    let ((send_queue, recv_queue), (timer, ticks)) = (pair()?, pair()?);
    let retransmits = u64::from_str_radix(fields.next()?, 16).ok()?;
    Some(TcpSocket {
        state: state_name(u8::from_str_radix(state, 16).ok()?),
        local: parse_address(local)?,
        remote: parse_address(remote)?,
        send_queue,
        recv_queue,
        timer: timer_word(timer),
        // The kernel tells of its timers in hundredths of a second (USER_HZ).
        timer_ms: ticks * 10,
        retransmits,
        info: None,
    })
}

/// `0100007F:1F90`: the address in words of host byte order, the port as a number.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let word = u32::from_str_radix(address.get(8 * at..8 * at + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    let address: IpAddr = match address.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let bytes = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            let bytes: [u8; 16] = bytes.try_into().ok()?;
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_of_sockets_is_found_by_its_name() {
        let text =
            "sockets: used 9\nTCP: inuse 2 orphan 0 tw 7 alloc 5 mem 1\nUDP: inuse 3 mem 0\n";
        assert_eq!(count_of(text, "TCP:", "tw"), Some(7));
        assert_eq!(count_of(text, "UDP:", "inuse"), Some(3));
        assert_eq!(count_of(text, "UDP:", "tw"), None);
    }

    #[test]
    fn sockets_are_read_in_host_byte_order() {
        let line = "   1: 0A00000A:0050 0A6433C6:9C40 01 00000040:00000003 01:0000001F 00000002     0        0 1 1 0 20 4 30 10 -1";
        let socket = parse_socket(line).expect("a line of /proc/net/tcp");
        if cfg!(target_endian = "little") {
            assert_eq!(socket.local, "10.0.0.10:80".parse().expect("an address"));
            assert_eq!(
                socket.remote,
                "198.51.100.10:40000".parse().expect("an address")
            );
        }
        assert_eq!(socket.state, "ESTABLISHED");
        assert_eq!((socket.send_queue, socket.recv_queue), (64, 3));
        assert_eq!((socket.timer, socket.timer_ms), ("on", 310));
        assert_eq!(socket.retransmits, 2);
        if cfg!(target_endian = "little") {
            let six = parse_address("B80D0120000000000000000001000000:01BB");
            assert_eq!(six, "[2001:db8::1]:443".parse().ok());
            let mapped = parse_address("0000000000000000FFFF00000100000A:0050");
            assert_eq!(mapped, "10.0.0.1:80".parse().ok());
        }
    }
}
