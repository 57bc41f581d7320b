//! TCP sockets of a namespace by sock_diag(7), those that listen by a question of their own; and their end.
//!
//! Not here: what they are told by where the kernel has none (see `by_proc`).

use super::socket::{TcpListener, TcpSocket, state_name, timer_word};
use crate::world::dump;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
};
use netlink_packet_sock_diag::{SockDiagDestroy, SockDiagMessage};
use rtnetlink::packet_core::{
    DecodeError, NetlinkDeserializable, NetlinkHeader, NetlinkSerializable,
};
use rtnetlink::sys::protocols::NETLINK_SOCK_DIAG;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// A connection that a listener has not accepted, as the kernel keeps it until the handshake is over (`TCP_NEW_SYN_RECV`).
const NEW_SYN_RECV: u32 = 1 << 12;

/// Every TCP socket of this thread's namespace but those that listen.
///
/// # Errors
/// When the kernel has no sock_diag for TCP (ENOENT), or gives no netlink socket.
pub(in crate::world) fn tcp_sockets() -> io::Result<Vec<TcpSocket>> {
    dumped(connected(), Told::socket)
}

/// Ends every TCP socket of this thread's namespace that does not listen, those in TIME_WAIT and those that no program has any more
/// included. Who still has one is told ECONNABORTED; a peer that can be reached is sent a RST.
///
/// # Errors
/// When the kernel has no sock_diag for TCP (ENOENT), or gives no netlink socket. No error: it ends no sockets (built without
/// INET_DIAG_DESTROY), or, an older one, none in TIME_WAIT.
pub(in crate::world) fn end_tcp_sockets() -> io::Result<()> {
    let ends = dumped(connected(), |told| match told.message {
        SockDiagMessage::InetResponse(response) => {
            Some((response.header.family, response.header.socket_id))
        }
        _ => None,
    })?;
    let socket = dump::socket(NETLINK_SOCK_DIAG)?;
    for (family, id) in ends {
        let one = question(family, id, connected()).message;
        let ended = dump::ask(&socket, SockDiagDestroy::new(one));
        // It ended by itself, or cannot be ended.
        let stays = [Some(libc::ENOENT), Some(libc::EOPNOTSUPP)];
        if let Err(error) = ended
            && !stays.contains(&error.raw_os_error())
        {
            return Err(error);
        }
    }
    Ok(())
}

/// All states but that of listeners.
fn connected() -> StateFlags {
    let all = StateFlags::all() | StateFlags::from_bits_retain(NEW_SYN_RECV);
    all.difference(StateFlags::LISTEN)
}

/// Every TCP socket of this thread's namespace that listens. The kernel walks through the machine's table of them.
///
/// # Errors
/// As [`tcp_sockets`].
pub(super) fn tcp_listeners() -> io::Result<Vec<TcpListener>> {
    dumped(StateFlags::LISTEN, Told::listener)
}

/// What `read` makes of all sockets in these states, of both families.
fn dumped<T>(states: StateFlags, read: impl Fn(Told) -> Option<T>) -> io::Result<Vec<T>> {
    let socket = dump::socket(NETLINK_SOCK_DIAG)?;
    let mut sockets = Vec::new();
    for (family, id) in [
        (AF_INET, SocketId::new_v4()),
        (AF_INET6, SocketId::new_v6()),
    ] {
        dump::dump(
            &socket,
            question(family, id, states.clone()),
            |told: Told| {
                sockets.extend(read(told));
            },
        )?;
    }
    Ok(sockets)
}

fn question(family: u8, socket_id: SocketId, states: StateFlags) -> Told {
    let message = SockDiagMessage::InetRequest(InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::INFO,
        states,
        socket_id,
    });
    Told {
        message,
        timer: 0,
        timer_ms: 0,
    }
}

/// A message, with two fields that its type keeps for itself where a socket is in TIME_WAIT.
#[derive(Debug)]
struct Told {
    message: SockDiagMessage,
    /// `idiag_timer`
    timer: u8,
    /// `idiag_expires`
    timer_ms: u32,
}

impl Told {
    fn socket(self) -> Option<TcpSocket> {
        let SockDiagMessage::InetResponse(response) = self.message else {
            return None;
        };
        let InetResponse { header, nlas } = *response;
        let info = nlas.into_iter().find_map(|nla| match nla {
            Nla::TcpInfo(info) => Some(info),
            _ => None,
        });
        let id = header.socket_id;
        Some(TcpSocket {
            state: state_name(header.state),
            local: end(id.source_address, id.source_port),
            remote: end(id.destination_address, id.destination_port),
            send_queue: header.send_queue.into(),
            recv_queue: header.recv_queue.into(),
            timer: timer_word(self.timer.into()),
            timer_ms: self.timer_ms.into(),
            // `idiag_retrans` counts probes where the timer is for these.
            retransmits: info.as_ref().map_or(0, |info| info.retransmits.into()),
            info,
        })
    }

    /// Of a listening socket the queues are `sk_ack_backlog` and `sk_max_ack_backlog`.
    fn listener(self) -> Option<TcpListener> {
        let SockDiagMessage::InetResponse(response) = self.message else {
            return None;
        };
        let header = response.header;
        let id = header.socket_id;
        Some(TcpListener {
            local: end(id.source_address, id.source_port),
            waiting: header.recv_queue.into(),
            backlog: Some(header.send_queue.into()),
        })
    }
}

fn end(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address.to_canonical(), port)
}

impl NetlinkSerializable for Told {
    fn message_type(&self) -> u16 {
        self.message.message_type()
    }

    fn buffer_len(&self) -> usize {
        self.message.buffer_len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        self.message.serialize(buffer);
    }
}

impl NetlinkDeserializable for Told {
    type Error = DecodeError;

    /// `struct inet_diag_msg` (linux/inet_diag.h): four bytes, of which the third is the timer, 48 of the socket's ends, and when it expires.
    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        let expires = payload.get(52..56).and_then(|bytes| bytes.try_into().ok());
        Ok(Self {
            timer: payload.get(2).copied().unwrap_or(0),
            timer_ms: expires.map_or(0, u32::from_ne_bytes),
            message: SockDiagMessage::deserialize(header, payload)?,
        })
    }
}
