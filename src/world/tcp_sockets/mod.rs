//! The TCP sockets of a namespace: states, queues, timers and `struct tcp_info`, by sock_diag(7), or by /proc where the kernel has
//! none. And listening sockets, with who waits there to be accepted.
//!
//! Kernels have sock_diag for TCP in the modules inet_diag and tcp_diag, which a container cannot load. It is preferred because it leaves
//! out who listens: /proc/net/tcp walks through the machine's table of those for each namespace. So listening sockets are
//! looked for only where somebody asks for them.

pub(super) mod by_diag;
mod by_proc;
mod socket;

pub use socket::{TcpInfo, TcpListener, TcpSocket, state_name};

use super::error::Error;
use std::io;

/// All TCP sockets of this thread's namespace but those that listen. An IPv4 connection of an IPv6 socket (a
/// mapped address, RFC 4291 section 2.5.5.2) is shown as what it is on the wire.
///
/// # Errors
/// When neither sock_diag nor `/proc` tells.
pub fn tcp_sockets() -> Result<Vec<TcpSocket>, Error> {
    by_diag::tcp_sockets().or_else(|error| {
        tracing::debug!(%error, "no sock_diag");
        by_proc::tcp_sockets()
    })
}

/// Ends all TCP sockets of this thread's namespace but those that listen, as when the power goes. A kernel that ends none, or not those in
/// TIME_WAIT, keeps them.
///
/// # Errors
/// What the kernel said otherwise.
pub(super) fn end_tcp_sockets() -> io::Result<()> {
    by_diag::end_tcp_sockets().or_else(|error| match error.raw_os_error() {
        // No sock_diag, or none for TCP.
        Some(libc::ENOENT | libc::EPROTONOSUPPORT) => {
            tracing::debug!(%error, "sockets are not ended");
            Ok(())
        }
        _ => Err(error),
    })
}

/// The listening TCP sockets of this thread's namespace, in the order of their ends.
///
/// # Errors
/// When neither sock_diag nor `/proc` tells.
pub fn tcp_listeners() -> Result<Vec<TcpListener>, Error> {
    let mut all = by_diag::tcp_listeners().or_else(|error| {
        tracing::debug!(%error, "no sock_diag");
        by_proc::tcp_listeners()
    })?;
    all.sort_by_key(|one| (one.local, one.waiting));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{SocketAddr, TcpListener, TcpStream};

    /// Who waits is told by both ways.
    #[test]
    fn listeners_tell_who_waits() {
        let listener = TcpListener::bind("127.0.0.84:0").expect("a port");
        let at = listener.local_addr().expect("an address");
        let six = TcpListener::bind("[::1]:0").ok();
        let at_six = six.map(|six| (six.local_addr().expect("an address"), six));
        if at_six.is_none() {
            eprintln!("SKIPPED over IPv6: no ::1 here");
        }
        let near: Vec<_> = (0..3).map(|_| TcpStream::connect(at)).collect();
        assert!(near.iter().all(Result::is_ok));
        let (_far, _) = listener.accept().expect("a connection");
        let waiting = |all: &[super::TcpListener], at: SocketAddr| {
            let found = all.iter().find(|one| one.local == at);
            found.map(|one| one.waiting)
        };
        let by_proc = by_proc::tcp_listeners().expect("there is /proc");
        assert_eq!(waiting(&by_proc, at), Some(2));
        if let Some((at_six, _)) = &at_six {
            assert_eq!(waiting(&by_proc, *at_six), Some(0));
        }
        let all = tcp_listeners().expect("it is told");
        assert_eq!(waiting(&all, at), Some(2));
        if let Some((at_six, _)) = &at_six {
            assert_eq!(waiting(&all, *at_six), Some(0));
        }
        let ours = all.iter().find(|one| one.local == at);
        match ours.expect("it is there").backlog {
            // The standard library's.
            Some(backlog) => assert!((128..=4096).contains(&backlog), "{backlog}"),
            None => eprintln!("SKIPPED: this kernel has no inet_diag"),
        }
        let connected = near[0].as_ref().expect("a connection");
        let client = connected.local_addr().expect("an end");
        assert_eq!(waiting(&all, client), None);
    }

    /// At an address of this test's own: others' sockets come and go, and what is left of them may have its port.
    #[test]
    fn both_ways_tell_the_same() {
        let listener = TcpListener::bind("127.0.0.83:0").expect("a port");
        let at = listener.local_addr().expect("an address");
        let mut near = TcpStream::connect(at).expect("a connection");
        let (far, _) = listener.accept().expect("a connection");
        near.write_all(&[0; 100]).expect("room");
        let gone = TcpStream::connect(at).expect("a connection");
        let gone_ends = (gone.local_addr().expect("an end"), at);
        let (there, _) = listener.accept().expect("a connection");
        // Who closes first is in TIME_WAIT when the other one has closed as well.
        drop(gone);
        drop(there);
        let near_ends = (near.local_addr().expect("an end"), at);
        let ours = |sockets: Vec<TcpSocket>| -> Vec<TcpSocket> {
            let own = sockets
                .into_iter()
                .filter(|one| one.local == at || one.remote == at);
            let mut all: Vec<_> = own.collect();
            all.sort_by_key(|one| (one.local, one.remote));
            all
        };
        let by_proc = ours(by_proc::tcp_sockets().expect("there is /proc"));
        let waiting = by_proc
            .iter()
            .find(|one| (one.local, one.remote) == gone_ends);
        let waiting = waiting.expect("in TIME_WAIT");
        assert_eq!((waiting.state, waiting.timer), ("TIME_WAIT", "timewait"));
        assert!(waiting.timer_ms > 50_000, "{}", waiting.timer_ms);
        assert_eq!(by_proc.len(), 3, "two ends and one that waits: {by_proc:?}");
        let by_diag = match by_diag::tcp_sockets() {
            Ok(sockets) => ours(sockets),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                eprintln!("SKIPPED: this kernel has no inet_diag");
                return;
            }
            Err(error) => panic!("{error}"),
        };
        let info = |ends: (SocketAddr, SocketAddr)| {
            let mut sockets = by_diag.iter();
            let found = sockets.find(|one| (one.local, one.remote) == ends);
            found.expect("it is there").info.as_ref()
        };
        assert!(info(gone_ends).is_none());
        let far_ends = (near_ends.1, near_ends.0);
        assert_eq!(info(far_ends).expect("alive").bytes_received, 100);
        assert!(info(near_ends).expect("alive").snd_cwnd > 0);
        for (diag, proc) in by_diag.iter().zip(&by_proc) {
            // Time passes between both.
            let apart = diag.timer_ms.abs_diff(proc.timer_ms);
            assert!(apart < 10_000, "{diag:?}, {proc:?}");
            let timer_ms = proc.timer_ms;
            let info = None;
            let diag = diag.clone();
            assert_eq!(
                &TcpSocket {
                    timer_ms,
                    info,
                    ..diag
                },
                proc
            );
        }
        assert_eq!(by_diag.len(), by_proc.len());
        drop(far);
    }
}
