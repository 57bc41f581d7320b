//! Which packets a socket takes, in the socket filter's own language (linux/filter.h).

use super::{ETHERNET, Error, set};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;

const LOAD_WORD: u16 = 0x20;
const LOAD_BYTE: u16 = 0x30;
const EQUAL: u16 = 0x15;
const GREATER: u16 = 0x25;
const AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
/// SKF_AD_OFF with SKF_AD_PROTOCOL and SKF_AD_IFINDEX.
const PROTOCOL: u32 = 0xffff_f000;
const DEVICE: u32 = PROTOCOL + 8;

/// TCP, UDP and ICMP over IPv4 on these devices, so many bytes of each packet behind its Ethernet header.
pub fn recorded(devices: RangeInclusive<u32>, kept: u32) -> Vec<libc::sock_filter> {
    vec![
        code(LOAD_WORD, 0, 0, DEVICE),
        code(AT_LEAST, 0, 8, *devices.start()),
        code(GREATER, 7, 0, *devices.end()),
        code(LOAD_WORD, 0, 0, PROTOCOL),
        code(EQUAL, 0, 5, libc::ETH_P_IP as u32),
        code(LOAD_BYTE, 0, 0, ETHERNET as u32 + 9),
        code(EQUAL, 2, 0, libc::IPPROTO_TCP as u32),
        code(EQUAL, 1, 0, libc::IPPROTO_UDP as u32),
        code(EQUAL, 0, 1, libc::IPPROTO_ICMP as u32),
        code(RETURN, 0, 0, ETHERNET as u32 + kept),
        code(RETURN, 0, 0, 0),
    ]
}

/// IPv4 on these devices, so many bytes of each packet.
pub fn any(devices: RangeInclusive<u32>, kept: u32) -> Vec<libc::sock_filter> {
    vec![
        code(LOAD_WORD, 0, 0, DEVICE),
        code(AT_LEAST, 0, 4, *devices.start()),
        code(GREATER, 3, 0, *devices.end()),
        code(LOAD_WORD, 0, 0, PROTOCOL),
        code(EQUAL, 0, 1, libc::ETH_P_IP as u32),
        code(RETURN, 0, 0, kept),
        code(RETURN, 0, 0, 0),
    ]
}

/// Makes a socket take only what the filter lets through.
///
/// # Errors
/// When the kernel refuses.
pub fn attach(socket: &OwnedFd, program: &[libc::sock_filter]) -> Result<(), Error> {
    let program = libc::sock_fprog {
        len: program.len() as u16,
        // The kernel only reads it.
        filter: program.as_ptr().cast_mut(),
    };
    set(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

fn code(code: u16, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}
