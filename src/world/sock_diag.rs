//! What the kernel knows of its TCP connections beyond /proc: `struct tcp_info`, asked of sock_diag(7).
//!
//! Kernels give it by the module inet_diag, which a container cannot load; whoever asks is told so. Not here: states, queues and
//! timers, which /proc tells everywhere (see `proc`).

use super::dump;
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::nlas::Nla;
pub use netlink_packet_sock_diag::inet::nlas::TcpInfo;
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
};
use rtnetlink::sys::protocols::NETLINK_SOCK_DIAG;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

/// By its own end and the other one.
pub type Infos = HashMap<(SocketAddr, SocketAddr), TcpInfo>;

/// Every TCP connection of this thread's namespace that has any, TIME_WAIT and listening sockets left out. An IPv4 connection
/// of an IPv6 socket is shown as what it is on the wire.
///
/// # Errors
/// When the kernel has no sock_diag for TCP (ENOENT), or gives no netlink socket.
pub fn tcp_infos() -> io::Result<Infos> {
    let socket = dump::socket(NETLINK_SOCK_DIAG)?;
    let mut infos = HashMap::new();
    for (family, id) in [
        (AF_INET, SocketId::new_v4()),
        (AF_INET6, SocketId::new_v6()),
    ] {
        dump::dump(&socket, question(family, id), |message| {
            if let SockDiagMessage::InetResponse(one) = message {
                infos.extend(info(*one));
            }
        })?;
    }
    Ok(infos)
}

fn question(family: u8, socket_id: SocketId) -> SockDiagMessage {
    SockDiagMessage::InetRequest(InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::INFO,
        states: StateFlags::all() & !(StateFlags::LISTEN | StateFlags::TIME_WAIT),
        socket_id,
    })
}

fn info(response: InetResponse) -> Option<((SocketAddr, SocketAddr), TcpInfo)> {
    let id = response.header.socket_id;
    let end = |address: std::net::IpAddr, port| SocketAddr::new(address.to_canonical(), port);
    let ends = (
        end(id.source_address, id.source_port),
        end(id.destination_address, id.destination_port),
    );
    let mut nlas = response.nlas.into_iter();
    nlas.find_map(|nla| match nla {
        Nla::TcpInfo(info) => Some((ends, info)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_connection_of_ones_own_is_told() {
        let infos = match tcp_infos() {
            Ok(infos) => infos,
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                eprintln!("SKIPPED: this kernel has no inet_diag");
                return;
            }
            Err(error) => panic!("{error}"),
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut near =
            TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        let (far, _) = listener.accept().expect("a connection");
        near.write_all(&[0; 100]).expect("room");
        let ends = (
            near.local_addr().expect("an end"),
            near.peer_addr().expect("an end"),
        );
        assert!(!infos.contains_key(&ends), "it was not there yet");
        let infos = tcp_infos().expect("it answered before");
        assert_eq!(infos[&(ends.1, ends.0)].bytes_received, 100);
        assert!(infos[&ends].snd_cwnd > 0);
        drop(far);
    }
}
