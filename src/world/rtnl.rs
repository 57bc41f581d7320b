//! The kernel's lock around the configuration of networks, where the kernel does not wait for it asleep.
//!
//! Some settings are written under rtnl by trying: while another thread holds the lock, the system call begins anew
//! (net/ipv4/devinet.c, `devinet_sysctl_forward`; net/ipv6/addrconf.c, `addrconf_sysctl_disable`), until a try falls between two
//! holders. Its thread keeps a processor busy for as long, maybe the one that the holder waits for. So there is one who tries at a
//! time, and only when it has just had the lock in a way that lets it sleep.

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::os::fd::AsRawFd;
use std::sync::{Mutex, PoisonError};

/// Settings of which labs and hosts have many, whatever device they are of.
const TRIED: [&str; 3] = ["ip_forward", "forwarding", "disable_ipv6"];

/// Does the write of a setting, given its path, when the kernel is likely to have the lock for it.
pub fn at_its_turn<T>(path: &str, write: impl FnOnce() -> T) -> T {
    static TURN: Mutex<()> = Mutex::new(());
    let is_tried = path.rsplit('/').next().is_some_and(|n| TRIED.contains(&n));
    if !is_tried {
        return write();
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    have_it_once();
    write()
}

/// Asks whether `lo` has a link, which takes the lock for a moment and changes nothing. Whether it was answered is of no interest.
fn have_it_once() {
    /// `struct ethtool_value` (linux/ethtool.h).
    #[repr(C)]
    struct Value {
        command: u32,
        data: u32,
    }
    const GET_LINK: u32 = 0x0a; // ETHTOOL_GLINK
    let Ok(socket) = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    ) else {
        return;
    };
    let mut value = Value {
        command: GET_LINK,
        data: 0,
    };
    let mut name = [0; libc::IFNAMSIZ];
    for (to, from) in name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    let mut request = libc::ifreq {
        ifr_name: name,
        ifr_ifru: libc::__c_anonymous_ifr_ifru {
            ifru_data: (&raw mut value).cast(),
        },
    };
    // SAFETY: the request names a `struct ethtool_value`, which lives until the call is over and into which it writes.
    unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
}
