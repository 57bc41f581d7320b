//! A TCP socket as the kernel tells of it, by whatever way.

pub use netlink_packet_sock_diag::inet::nlas::TcpInfo;
use std::net::SocketAddr;

/// A listening TCP socket of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpListener {
    /// Where it listens.
    pub local: SocketAddr,
    /// Connections that wait to be accepted.
    pub waiting: u64,
    /// As many may wait there, and one more; by /proc not known.
    pub backlog: Option<u64>,
}

/// A TCP socket of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpSocket {
    /// As `ss` and RFC 9293 name it, with underscores: `ESTABLISHED`, `CLOSE_WAIT`.
    pub state: &'static str,
    /// Its own end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// Bytes written and not acknowledged, those not sent yet included.
    pub send_queue: u64,
    /// Bytes received and not read.
    pub recv_queue: u64,
    /// What it waits for, in the words of `ss`: `on` (to send again), `keepalive`, `timewait`, `persist` (to probe a
    /// closed window); empty: nothing.
    pub timer: &'static str,
    /// How long still, milliseconds; by /proc in steps of 10.
    pub timer_ms: u64,
    /// How often it has sent again what was not acknowledged, without an answer since.
    pub retransmits: u64,
    /// What the kernel knows besides; none in TIME_WAIT, and by /proc.
    pub info: Option<TcpInfo>,
}

/// The kernel's numbering of what a socket waits for, which /proc and sock_diag have in common, in the words of `ss`.
pub(super) fn timer_word(timer: u64) -> &'static str {
    match timer {
        1 => "on",
        2 => "keepalive",
        3 => "timewait",
        4 => "persist",
        _ => "",
    }
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
