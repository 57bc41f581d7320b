//! What the kernel knows of its TCP connections beyond /proc: `struct tcp_info`, asked of sock_diag(7).
//!
//! Kernels give it by the module inet_diag, which a container cannot load; whoever asks is told so. Not here: states, queues and
//! timers, which /proc tells everywhere (see `proc`).

use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::nlas::Nla;
pub use netlink_packet_sock_diag::inet::nlas::TcpInfo;
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
};
use rtnetlink::packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::sys::{Socket, SocketAddr as Peer, protocols::NETLINK_SOCK_DIAG};
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
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&Peer::new(0, 0))?;
    let mut infos = HashMap::new();
    for (family, id) in [
        (AF_INET, SocketId::new_v4()),
        (AF_INET6, SocketId::new_v6()),
    ] {
        ask(&socket, family, id)?;
        while !take(&socket, &mut infos)? {}
    }
    Ok(infos)
}

fn ask(socket: &Socket, family: u8, socket_id: SocketId) -> io::Result<()> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let request = SockDiagMessage::InetRequest(InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::INFO,
        states: StateFlags::all() & !(StateFlags::LISTEN | StateFlags::TIME_WAIT),
        socket_id,
    });
    let mut message = NetlinkMessage::new(header, request.into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0).map(drop)
}

/// Reads one datagram of answers; true when they have come to their end.
fn take(socket: &Socket, infos: &mut Infos) -> io::Result<bool> {
    let (bytes, _) = socket.recv_from_full()?;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        match message.payload {
            NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(one)) => {
                infos.extend(info(*one));
            }
            NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
            NetlinkPayload::Done(_) => return Ok(true),
            _ => {}
        }
        // Messages are aligned to four bytes (RFC 3549 section 2.3.2), the last one too.
        let length = (message.header.length as usize).next_multiple_of(4);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(false)
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
