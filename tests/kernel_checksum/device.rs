//! TUN devices by their ioctls.

use std::fs::{File, OpenOptions};
use std::io::Error;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

#[repr(C)]
union InterfaceValue {
    flags: libc::c_short,
    address: libc::sockaddr_in,
    _size: [u8; 24],
}

/// `struct ifreq`: 40 bytes.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; libc::IFNAMSIZ],
    value: InterfaceValue,
}

impl InterfaceRequest {
    fn new(name: &[u8], value: InterfaceValue) -> Self {
        let mut request = Self {
            name: [0; libc::IFNAMSIZ],
            value,
        };
        request.name[..name.len()].copy_from_slice(name);
        request
    }

    fn flags(name: &[u8], flags: libc::c_int) -> Self {
        let mut value = InterfaceValue { _size: [0; 24] };
        value.flags = flags as libc::c_short;
        Self::new(name, value)
    }

    fn address(name: &[u8], address: Ipv4Addr) -> Self {
        let mut value = InterfaceValue { _size: [0; 24] };
        value.address = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: 0,
            sin_addr: libc::in_addr {
                s_addr: address.to_bits().to_be(),
            },
            sin_zero: [0; 8],
        };
        Self::new(name, value)
    }

    fn call(&mut self, fd: &impl AsRawFd, number: libc::Ioctl, what: &str) {
        // SAFETY: the calls used here read, and some write, one `struct ifreq`, which this is.
        let result = unsafe { libc::ioctl(fd.as_raw_fd(), number, std::ptr::from_mut(self)) };
        assert_eq!(result, 0, "{what}: {}", Error::last_os_error());
    }
}

/// A device that goes with its descriptor.
pub fn open_tun(name: &[u8], more_flags: libc::c_int) -> File {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")
        .expect("/dev/net/tun");
    InterfaceRequest::flags(name, libc::IFF_TUN | libc::IFF_NO_PI | more_flags).call(
        &file,
        libc::TUNSETIFF,
        "TUNSETIFF",
    );
    file
}

pub fn set_offloads(device: &File, offloads: libc::c_uint) -> Result<(), Error> {
    let argument = libc::c_ulong::from(offloads);
    // SAFETY: a plain integer argument.
    match unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETOFFLOAD, argument) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

/// Gives a device its address in a /24 and switches it on, which makes the route.
pub fn configure(name: &[u8], address: Ipv4Addr) {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
    let netmask = Ipv4Addr::new(255, 255, 255, 0);
    InterfaceRequest::address(name, address).call(
        &socket,
        libc::SIOCSIFADDR as libc::Ioctl,
        "SIOCSIFADDR",
    );
    InterfaceRequest::address(name, netmask).call(
        &socket,
        libc::SIOCSIFNETMASK as libc::Ioctl,
        "SIOCSIFNETMASK",
    );
    InterfaceRequest::flags(name, libc::IFF_UP | libc::IFF_RUNNING).call(
        &socket,
        libc::SIOCSIFFLAGS as libc::Ioctl,
        "SIOCSIFFLAGS",
    );
}
