//! Kernel sockets inside a namespace: made there, used anywhere (a socket keeps the namespace it was made in).

use super::namespace::Namespace;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, connect, listen, setsockopt,
    socket, sockopt,
};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// What a client's socket is told before it connects.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientOptions {
    /// Bind to this port, with SO_REUSEADDR, so that one port can be used toward several destinations.
    pub source_port: Option<u16>,
    /// SO_KEEPALIVE with this idle time and interval, whole seconds.
    pub keepalive: Option<Duration>,
    /// Datagrams.
    pub udp: bool,
}

/// A non-blocking socket, ready to connect.
///
/// # Errors
/// What the kernel said; EADDRINUSE when the source port is taken in a way that does not share.
pub async fn client(namespace: &Namespace, options: ClientOptions) -> Result<OwnedFd, Errno> {
    let make = if options.udp { udp_socket } else { tcp_socket };
    let fd = namespace.call(make).await?;
    if let Some(idle) = options.keepalive {
        let seconds = idle.as_secs().try_into().unwrap_or(u32::MAX);
        setsockopt(&fd, sockopt::KeepAlive, &true)?;
        setsockopt(&fd, sockopt::TcpKeepIdle, &seconds)?;
        setsockopt(&fd, sockopt::TcpKeepInterval, &seconds)?;
    }
    if let Some(port) = options.source_port {
        setsockopt(&fd, sockopt::ReuseAddr, &true)?;
        bind(
            fd.as_raw_fd(),
            &SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)),
        )?;
    }
    Ok(fd)
}

fn tcp_socket() -> Result<OwnedFd, Errno> {
    socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
        None,
    )
}

fn udp_socket() -> Result<OwnedFd, Errno> {
    socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
        None,
    )
}

/// A listening TCP socket on all addresses of the host, non-blocking.
///
/// # Errors
/// What the kernel said.
pub fn listener(namespace: &Namespace, port: u16, backlog: u32) -> Result<TcpListener, Errno> {
    namespace.run(move || {
        let fd = tcp_socket()?;
        setsockopt(&fd, sockopt::ReuseAddr, &true)?;
        bind(
            fd.as_raw_fd(),
            &SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)),
        )?;
        listen(
            &fd,
            Backlog::new(backlog.min(i32::MAX as u32) as i32).unwrap_or(Backlog::MAXCONN),
        )?;
        Ok(TcpListener::from(fd))
    })
}

/// A UDP socket on all addresses of the host, non-blocking.
///
/// # Errors
/// What the kernel said.
pub fn datagram(namespace: &Namespace, port: u16) -> Result<UdpSocket, Errno> {
    namespace.run(move || {
        let fd = udp_socket()?;
        bind(
            fd.as_raw_fd(),
            &SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)),
        )?;
        Ok(UdpSocket::from(fd))
    })
}

/// A UDP socket on a port of the kernel's choice that talks to one other end, non-blocking.
///
/// # Errors
/// What the kernel said.
pub async fn asking(namespace: &Namespace, to: SocketAddrV4) -> Result<UdpSocket, Errno> {
    let fd = namespace
        .call(|| {
            socket(
                AddressFamily::Inet,
                SockType::Datagram,
                SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
                None,
            )
        })
        .await?;
    // Else a datagram that a router sends back is nobody's error.
    setsockopt(&fd, sockopt::Ipv4RecvErr, &true)?;
    connect(fd.as_raw_fd(), &SockaddrIn::from(to))?;
    Ok(UdpSocket::from(fd))
}

/// The part of `struct tcp_info` that evidence needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// Linux's number of the state (see [`super::proc::state_name`]).
    pub state: u8,
    /// Bytes the peer acknowledged; counts the SYN (and FIN) as one each.
    pub bytes_acked: u64,
    /// Bytes written and not acknowledged (SIOCOUTQ).
    pub unacked: u64,
    /// Bytes received and not read (SIOCINQ).
    pub unread: u64,
}

/// Reads it from a socket.
///
/// # Errors
/// What the kernel said.
pub fn tcp_info(fd: BorrowedFd<'_>) -> Result<TcpInfo, Errno> {
    let mut info = [0u8; 256];
    let mut length = info.len() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes and says how many.
    let got = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    Errno::result(got)?;
    // tcpi_bytes_acked is the third u64 behind tcpi_total_retrans (linux/tcp.h), at byte 120.
    let bytes_acked = info[120..128]
        .try_into()
        .map(u64::from_ne_bytes)
        .expect("eight bytes");
    Ok(TcpInfo {
        state: info[0],
        bytes_acked,
        unacked: queue(fd, libc::TIOCOUTQ)?,
        unread: queue(fd, libc::FIONREAD)?,
    })
}

fn queue(fd: BorrowedFd<'_>, request: libc::Ioctl) -> Result<u64, Errno> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: both requests write one int.
    let got = unsafe { libc::ioctl(fd.as_raw_fd(), request, &raw mut bytes) };
    Errno::result(got)?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Makes the next close send RST instead of FIN.
///
/// # Errors
/// What the kernel said.
pub fn reset_on_close(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    setsockopt(
        &fd,
        sockopt::Linger,
        &libc::linger {
            l_onoff: 1,
            l_linger: 0,
        },
    )
}
