//! TUN devices: opening one in the current thread's network namespace.
//!
//! Every device carries a 10-byte virtio-net header and takes super-packets (checksum offload, TSO, USO), so that
//! 64 KiB cross the fabric in one read and one write. Not here: what is read and written (see `driver`).

use super::error::Error;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use std::os::fd::{AsRawFd, OwnedFd};

/// The device's name in every host.
pub const NAME: &str = "eth0";

const IFF_TUN: libc::c_short = 0x0001;
const IFF_NO_PI: libc::c_short = 0x1000;
const IFF_VNET_HDR: libc::c_short = 0x4000;
const IFF_TUN_EXCL: libc::c_short = -0x8000; // 0x8000: fail when the name is taken
const OFFLOADS: libc::c_ulong = 0x01 // TUN_F_CSUM
    | 0x02 // TUN_F_TSO4
    | 0x04 // TUN_F_TSO6
    | 0x08; // TUN_F_TSO_ECN
const USO: libc::c_ulong = 0x20 | 0x40; // TUN_F_USO4 | TUN_F_USO6, Linux 6.2

nix::ioctl_write_int_bad!(tun_set_persist, 0x4004_54cb);
nix::ioctl_write_int_bad!(tun_set_offload, 0x4004_54d0);

#[repr(C)]
struct InterfaceRequest {
    name: [u8; libc::IFNAMSIZ],
    flags: libc::c_short,
    _rest: [u8; 22],
}

/// Creates `eth0` as a TUN device in the namespace of the calling thread.
///
/// The device is persistent: closing its descriptor is then instant, and the device goes when its namespace goes
/// (a non-persistent one blocks about 21 ms in `close`, one after the other).
///
/// # Errors
/// The operation that failed; `/dev/net/tun` missing or not permitted has a hint.
pub fn create() -> Result<OwnedFd, Error> {
    let fd = open(
        "/dev/net/tun",
        OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC,
        Mode::empty(),
    )
    .map_err(|errno| Error::system("open /dev/net/tun", errno).hint(open_hint(errno)))?;
    let mut request = InterfaceRequest {
        name: [0; libc::IFNAMSIZ],
        flags: IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL,
        _rest: [0; 22],
    };
    request.name[..NAME.len()].copy_from_slice(NAME.as_bytes());
    // SAFETY: TUNSETIFF reads and writes one `struct ifreq` (40 bytes), which `request` is.
    let set = unsafe { libc::ioctl(fd.as_raw_fd(), 0x4004_54ca, &raw mut request) };
    Errno::result(set).map_err(|errno| Error::system("create a TUN device (TUNSETIFF)", errno))?;
    // SAFETY: plain integer arguments.
    unsafe {
        tun_set_persist(fd.as_raw_fd(), 1)
            .map_err(|errno| Error::system("make the TUN device persistent", errno))?;
        let with_uso = tun_set_offload(fd.as_raw_fd(), (OFFLOADS | USO) as libc::c_int);
        with_uso
            .or_else(|_| tun_set_offload(fd.as_raw_fd(), OFFLOADS as libc::c_int))
            .map_err(|errno| {
                Error::system(
                    "switch on offloads of the TUN device (TUNSETOFFLOAD)",
                    errno,
                )
            })?;
    }
    Ok(fd)
}

fn open_hint(errno: Errno) -> &'static str {
    match errno {
        Errno::ENOENT => {
            "load the module (`modprobe tun`), or give the container the device: `docker run --device /dev/net/tun`"
        }
        Errno::EACCES | Errno::EPERM => {
            "run it with sudo, or let users open the device: `chmod 0666 /dev/net/tun`; in a container add `--cap-add NET_ADMIN --device /dev/net/tun`"
        }
        Errno::ENODEV | Errno::ENXIO => "this kernel has no TUN driver (CONFIG_TUN)",
        _ => "",
    }
}
