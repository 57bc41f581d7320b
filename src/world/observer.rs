//! What passes the veths of hosts inside another host: a packet socket in the parent's namespace with a ring of memory.
//!
//! The fabric sees only what leaves the parent; the rest is seen here, as tcpdump would on those devices, and by nobody
//! else. The kernel writes the headers of packets into the ring until it is full; frames are never given back, so
//! observing costs a running lab no wake-up, its memory is bounded, and what came first is kept. Not here: what a packet
//! means (see `run`'s sightings). The layout is that of TPACKET_V2 (packet(7), linux/if_packet.h).

pub(super) mod filter;

use super::error::Error;
use crate::packet::VnetHeader;
use nix::errno::Errno;
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// One packet's room in the ring, bytes: 90 for the kernel's own headers and Ethernet's, then IP and TCP headers with all their
/// options, or those of ICMP and of the packet it quotes.
const FRAME: usize = 256;
/// Bytes of a packet that are kept, at most, from the IP header on.
const KEPT: u32 = 128;
/// An Ethernet header, bytes.
const ETHERNET: usize = 14;
/// Memory is had in blocks of this size, bytes.
const BLOCK: usize = 64 * 1024;
/// Packets kept for one parent, at least and at most: 2 MiB to 8 MiB, which the kernel clears and holds whether they come
/// or not. Gallery labs have ten for a connection, and a thousand at most where few are open at once.
const FEWEST: usize = 8 * 1024;
const MOST: usize = 32 * 1024;
/// Packets of a connection that there is room for.
const OF_A_CONNECTION: usize = 64;

/// `struct tpacket2_hdr` begins with status, length, kept length, then the offsets of the link layer's header, before which the
/// [`VnetHeader`] stands, and of the network's, and the time. Lengths count from the former.
const STATUS: usize = 0;
const LENGTH: usize = 4;
const SNAPSHOT: usize = 8;
const LINK: usize = 12;
const NETWORK: usize = 14;
const SECONDS: usize = 16;
const NANOSECONDS: usize = 20;
/// `struct sockaddr_ll` follows it, aligned to 16: protocol at 2, interface at 4, kind of packet at 10.
const INTERFACE: usize = 32 + 4;
const KIND: usize = 32 + 10;

/// A packet as a veth's end in the parent saw it.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// Since 1970.
    pub at: Duration,
    /// Index of the device in the parent's namespace.
    pub device: u32,
    /// From the parent to the host inside; else from it.
    pub inward: bool,
    /// Payload of each packet that it is on a wire, bytes, where it is several (a super-packet).
    pub segment: Option<u16>,
    /// From the IP header on, as much as was kept.
    pub bytes: Vec<u8>,
    /// Bytes of the whole, from there on.
    pub length: usize,
}

/// An observer of some devices of one namespace.
#[derive(Debug)]
pub struct Observer {
    socket: OwnedFd,
    ring: NonNull<u8>,
    /// Packets that it has room for.
    frames: usize,
    missed: AtomicU64,
}

// SAFETY: the ring is memory of this process for as long as the observer lives; it is only read here, each frame after
// its status said, with acquire ordering, that the kernel has done with it for good.
unsafe impl Send for Observer {}
// SAFETY: as above; nothing is written.
unsafe impl Sync for Observer {}

impl Observer {
    /// Observes devices of the calling thread's namespace from now on. `connections`: how many there may be at once.
    ///
    /// # Errors
    /// The operation that the kernel refused.
    pub fn start(devices: RangeInclusive<u32>, connections: usize) -> Result<Self, Error> {
        let frames = frames(connections);
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: no memory is involved. Protocol 0 receives nothing until the socket is bound.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        let fd = Errno::result(fd).map_err(|errno| Error::system("open a packet socket", errno))?;
        // SAFETY: the descriptor was just made, and nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let version: libc::c_int = libc::tpacket_versions::TPACKET_V2 as libc::c_int;
        set(&socket, libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
        // Of SOCK_DGRAM the kernel does not tell it.
        let on: libc::c_int = 1;
        set(&socket, libc::SOL_PACKET, libc::PACKET_VNET_HDR, &on)?;
        let blocks = frames * FRAME / BLOCK;
        let request = libc::tpacket_req {
            tp_block_size: BLOCK as u32,
            tp_block_nr: blocks as u32,
            tp_frame_size: FRAME as u32,
            tp_frame_nr: frames as u32,
        };
        set(&socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        filter::attach(&socket, &filter::recorded(devices, KEPT))?;
        // SAFETY: a new mapping of the socket's ring, whose size was set above.
        let ring = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                frames * FRAME,
                libc::PROT_READ,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if ring == libc::MAP_FAILED {
            return Err(Error::system(
                "map the ring of a packet socket",
                Errno::last(),
            ));
        }
        let observer = Self {
            socket,
            ring: NonNull::new(ring.cast()).expect("a mapping is not at 0"),
            frames,
            missed: AtomicU64::new(0),
        };
        bind(&observer.socket)?;
        Ok(observer)
    }

    /// Everything seen so far, in order.
    pub fn seen(&self) -> Vec<Sighting> {
        (0..self.frames)
            .map_while(|number| self.frame(number))
            .collect()
    }

    /// Packets for which there was no room.
    pub fn missed(&self) -> u64 {
        // Reading sets them to 0.
        let new = statistics(&self.socket);
        self.missed.fetch_add(new, Ordering::Relaxed) + new
    }

    /// A frame that the kernel has filled.
    fn frame(&self, number: usize) -> Option<Sighting> {
        // SAFETY: `number` is less than the ring's frames, so the frame is within the mapping, and FRAME keeps it aligned.
        let frame = unsafe { self.ring.add(number * FRAME) };
        // SAFETY: the status is a 32-bit word, aligned, written by the kernel.
        let status = unsafe { AtomicU32::from_ptr(frame.add(STATUS).as_ptr().cast()) };
        if status.load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
            return None;
        }
        // SAFETY: the frame is the kernel's no more, and is never given back to it.
        let frame = unsafe { std::slice::from_raw_parts(frame.as_ptr(), FRAME) };
        let word = |at: usize| {
            u32::from_ne_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]])
        };
        let half = |at: usize| usize::from(u16::from_ne_bytes([frame[at], frame[at + 1]]));
        let (link, start) = (half(LINK), half(NETWORK));
        let kept = frame.get(start..link + word(SNAPSHOT) as usize)?;
        let vnet = VnetHeader::read(frame.get(link.checked_sub(VnetHeader::LEN)?..)?)?;
        Some(Sighting {
            at: Duration::new(word(SECONDS).into(), word(NANOSECONDS)),
            device: word(INTERFACE),
            inward: frame[KIND] == libc::PACKET_OUTGOING,
            segment: Some(vnet.gso_size).filter(|_| vnet.is_gso()),
            bytes: kept.to_vec(),
            length: (word(LENGTH) as usize).saturating_sub(start - link),
        })
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        // SAFETY: the mapping was made in `start` with this length, and nothing refers to it any more.
        let unmapped = unsafe { libc::munmap(self.ring.as_ptr().cast(), self.frames * FRAME) };
        debug_assert_eq!(unmapped, 0, "the mapping was made with this length");
    }
}

/// Room for what so many connections may send.
fn frames(connections: usize) -> usize {
    let wanted = connections.saturating_mul(OF_A_CONNECTION);
    wanted.clamp(FEWEST, MOST).next_power_of_two()
}

/// All protocols, since only then the kernel shows what it sends as well; the filter chooses.
pub(super) fn bind(socket: &OwnedFd) -> Result<(), Error> {
    // SAFETY: all zero is a valid `sockaddr_ll`.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    // SAFETY: the kernel reads the length given, which is the structure's.
    let bound = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as libc::socklen_t,
        )
    };
    Errno::result(bound).map_err(|errno| Error::system("bind a packet socket", errno))?;
    Ok(())
}

/// Packets for which there was no room since the last time that this was asked.
pub(super) fn statistics(socket: &OwnedFd) -> u64 {
    let mut statistics = [0u32; 2];
    let mut length = size_of_val(&statistics) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes of `struct tpacket_stats`, which is two numbers.
    let got = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            statistics.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    Errno::result(got).expect("the kernel counts for every packet socket");
    u64::from(statistics[1])
}

pub(super) fn set<T>(
    socket: &OwnedFd,
    level: libc::c_int,
    option: libc::c_int,
    value: &T,
) -> Result<(), Error> {
    // SAFETY: the kernel reads the length given, which is the value's.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    Errno::result(done).map_err(|errno| Error::system("set up a packet socket", errno))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_what_connections_may_send() {
        assert_eq!(frames(1), FEWEST);
        assert_eq!(frames(200), 16 * 1024);
        assert_eq!(frames(600), MOST);
        assert_eq!(frames(usize::MAX), MOST);
    }
}
