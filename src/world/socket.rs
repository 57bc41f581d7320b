//! Kernel sockets inside a namespace: made there, used anywhere (a socket keeps the namespace it was made in).

use super::namespace::Namespace;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, connect, getsockname,
    listen, setsockopt, socket, sockopt,
};
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener, UdpSocket,
};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// What a client's socket is told before it connects.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientOptions {
    /// Bind to this port, with SO_REUSEADDR, so that one port can be used toward several destinations.
    pub source_port: Option<u16>,
    /// Bind to this address, instead of the one that the kernel chooses.
    pub source_address: Option<Ipv4Addr>,
    /// SO_KEEPALIVE with this idle time and interval, whole seconds.
    pub keepalive: Option<Duration>,
    /// TCP_USER_TIMEOUT, which the kernel counts in milliseconds.
    pub user_timeout: Option<Duration>,
    /// TCP_NODELAY.
    pub nodelay: bool,
    /// Datagrams.
    pub udp: bool,
}

/// A non-blocking socket, ready to connect.
///
/// # Errors
/// What the kernel said; EADDRINUSE when the source port is taken in a way that does not share.
pub async fn client(
    namespace: &Namespace,
    family: Family,
    options: ClientOptions,
) -> Result<OwnedFd, Errno> {
    let kind = kind(options);
    let fd = namespace.call(move || new_socket(family, kind)).await?;
    prepare(fd, family, options)
}

/// The same in the namespace of the calling thread.
///
/// # Errors
/// As [`client`].
pub fn client_of_this_thread(family: Family, options: ClientOptions) -> Result<OwnedFd, Errno> {
    prepare(new_socket(family, kind(options))?, family, options)
}

fn kind(options: ClientOptions) -> SockType {
    match options.udp {
        true => SockType::Datagram,
        false => SockType::Stream,
    }
}

fn prepare(fd: OwnedFd, family: Family, options: ClientOptions) -> Result<OwnedFd, Errno> {
    if let Some(idle) = options.keepalive {
        let seconds = idle.as_secs().try_into().unwrap_or(u32::MAX);
        setsockopt(&fd, sockopt::KeepAlive, &true)?;
        setsockopt(&fd, sockopt::TcpKeepIdle, &seconds)?;
        setsockopt(&fd, sockopt::TcpKeepInterval, &seconds)?;
    }
    if let Some(limit) = options.user_timeout {
        let milliseconds = limit.as_millis().try_into().unwrap_or(u32::MAX);
        setsockopt(&fd, sockopt::TcpUserTimeout, &milliseconds.max(1))?;
    }
    if options.nodelay {
        setsockopt(&fd, sockopt::TcpNoDelay, &true)?;
    }
    let (port, address) = (options.source_port, options.source_address);
    match port {
        Some(_) => setsockopt(&fd, sockopt::ReuseAddr, &true)?,
        // The kernel chooses once it knows the destination, as it does for whoever binds to nothing.
        None if address.is_some() => setsockopt(&fd, sockopt::IpBindAddressNoPort, &true)?,
        None => return Ok(fd),
    }
    let port = port.unwrap_or(0);
    let own = match address {
        Some(own) => SockaddrStorage::from(SocketAddr::from((own, port))),
        None => family.everywhere(port),
    };
    bind(fd.as_raw_fd(), &own)?;
    Ok(fd)
}

/// Starts to connect. EINPROGRESS is the ordinary answer.
///
/// # Errors
/// What the kernel said.
pub fn start_connect(fd: BorrowedFd<'_>, to: SocketAddr) -> Result<(), Errno> {
    connect(fd.as_raw_fd(), &SockaddrStorage::from(to))
}

/// Sends a keepalive now; the kernel's own timer counts whole seconds. Needs CAP_NET_ADMIN in the socket's namespace.
///
/// # Errors
/// What the kernel said.
pub fn keepalive(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    // Whoever leaves repair mode is asked for its window, by the same segment (`tcp_send_window_probe`).
    setsockopt(&fd, sockopt::TcpRepair, &1)?;
    setsockopt(&fd, sockopt::TcpRepair, &0)?;
    // That mode takes it away, and the port is others' toward other ends.
    setsockopt(&fd, sockopt::ReuseAddr, &true)
}

/// A socket's own end; none before the kernel chose its port.
pub fn local_end(fd: BorrowedFd<'_>) -> Option<SocketAddr> {
    let name = getsockname::<SockaddrStorage>(fd.as_raw_fd()).ok()?;
    let end = match (name.as_sockaddr_in(), name.as_sockaddr_in6()) {
        (Some(name), _) => SocketAddr::V4(SocketAddrV4::from(*name)),
        (None, Some(name)) => SocketAddr::V6(SocketAddrV6::from(*name)),
        (None, None) => return None,
    };
    Some(end).filter(|end| end.port() != 0)
}

/// IPv4 or IPv6. An IPv6 socket of ours never takes IPv4 as mapped addresses, so that each family's packets are
/// counted where they belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// AF_INET
    Ipv4,
    /// AF_INET6
    Ipv6,
}

impl Family {
    /// An address's.
    pub fn of(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(_) => Self::Ipv4,
            SocketAddr::V6(_) => Self::Ipv6,
        }
    }

    fn everywhere(self, port: u16) -> SockaddrStorage {
        let address: IpAddr = match self {
            Self::Ipv4 => Ipv4Addr::UNSPECIFIED.into(),
            Self::Ipv6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        SockaddrStorage::from(SocketAddr::new(address, port))
    }
}

fn new_socket(family: Family, kind: SockType) -> Result<OwnedFd, Errno> {
    let domain = match family {
        Family::Ipv4 => AddressFamily::Inet,
        Family::Ipv6 => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let fd = socket(domain, kind, flags, None)?;
    if family == Family::Ipv6 {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true)?;
    }
    Ok(fd)
}

/// A listening TCP socket on a port and on all addresses of the host of the same family, non-blocking.
///
/// # Errors
/// What the kernel said.
pub fn listener(
    namespace: &Namespace,
    like: SocketAddr,
    backlog: u32,
) -> Result<TcpListener, Errno> {
    namespace.run(move || {
        let (family, port) = (Family::of(like), like.port());
        let fd = new_socket(family, SockType::Stream)?;
        setsockopt(&fd, sockopt::ReuseAddr, &true)?;
        // All that share a port must have said so, the first one too: servers that are reloaded listen beside it.
        setsockopt(&fd, sockopt::ReusePort, &true)?;
        bind(fd.as_raw_fd(), &family.everywhere(port))?;
        listen(
            &fd,
            Backlog::new(backlog.min(i32::MAX as u32) as i32).unwrap_or(Backlog::MAXCONN),
        )?;
        Ok(TcpListener::from(fd))
    })
}

/// A UDP socket on a port and on all addresses of the host of the same family, non-blocking.
///
/// # Errors
/// What the kernel said.
pub fn datagram(namespace: &Namespace, like: SocketAddr) -> Result<UdpSocket, Errno> {
    namespace.run(move || {
        let (family, port) = (Family::of(like), like.port());
        let fd = new_socket(family, SockType::Datagram)?;
        bind(fd.as_raw_fd(), &family.everywhere(port))?;
        Ok(UdpSocket::from(fd))
    })
}

/// A UDP socket on a port of the kernel's choice that talks to one other end, non-blocking.
///
/// # Errors
/// What the kernel said.
pub async fn asking(namespace: &Namespace, to: SocketAddrV4) -> Result<UdpSocket, Errno> {
    let fd = namespace
        .call(|| new_socket(Family::Ipv4, SockType::Datagram))
        .await?;
    // Else a datagram that a router sends back is nobody's error.
    setsockopt(&fd, sockopt::Ipv4RecvErr, &true)?;
    start_connect(fd.as_fd(), to.into())?;
    Ok(UdpSocket::from(fd))
}

/// The part of `struct tcp_info` that evidence needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// Linux's number of the state (see [`super::tcp_sockets::state_name`]).
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
    let info = raw_tcp_info(fd)?;
    // tcpi_bytes_acked is the third u64 behind tcpi_total_retrans (linux/tcp.h), at byte 120.
    let bytes_acked = info[120..128]
        .try_into()
        .map(u64::from_ne_bytes)
        .expect("eight bytes");
    Ok(TcpInfo {
        state: info[0],
        bytes_acked,
        unacked: queue(fd, libc::TIOCOUTQ)?,
        unread: unread(fd)?,
    })
}

/// Bytes received and not read.
///
/// # Errors
/// What the kernel said.
pub fn unread(fd: BorrowedFd<'_>) -> Result<u64, Errno> {
    queue(fd, libc::FIONREAD)
}

/// A `struct tcp_info`, zeros behind what this kernel has of it.
fn raw_tcp_info(fd: BorrowedFd<'_>) -> Result<[u8; 256], Errno> {
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
    Ok(info)
}

fn queue(fd: BorrowedFd<'_>, request: libc::Ioctl) -> Result<u64, Errno> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: both requests write one int.
    let got = unsafe { libc::ioctl(fd.as_raw_fd(), request, &raw mut bytes) };
    Errno::result(got)?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Ends a TCP connection as its close does, which is to follow, whoever has a copy of its descriptor.
///
/// Whatever program is started at this moment, in any case, has a copy of every descriptor until it is executed, and keeps the
/// socket open for as long: what came meanwhile would be unread, and its close a reset. So the socket is shut down first, which
/// says the same to the other end; not where something is unread already, for then it is the close that says it.
pub fn hang_up(fd: BorrowedFd<'_>) {
    if unread(fd) == Ok(0) {
        let shut = nix::sys::socket::shutdown(fd.as_raw_fd(), nix::sys::socket::Shutdown::Both);
        tracing::trace!(?shut, "a connection is closed");
    }
}

/// Ends a listening socket as its close does, which is to follow, whoever has a copy of its descriptor (see [`hang_up`]): else
/// connections that nobody accepts would come to stand until the copies are gone.
pub fn stop_listening(fd: BorrowedFd<'_>) {
    let shut = nix::sys::socket::shutdown(fd.as_raw_fd(), nix::sys::socket::Shutdown::Both);
    tracing::trace!(?shut, "a listening socket is closed");
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
