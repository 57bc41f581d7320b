//! What a capture has of hosts inside another host: every packet on their veths, whole, as tcpdump would take it there.
//!
//! A packet socket in each parent's namespace, and one thread that empties them into a ring which forgets its oldest. However
//! late the thread comes, it takes packets in the order in which they passed, whichever socket has them.
//! Only where a capture was asked for: the evidence is made of what `observer` keeps, with a capture or without one, so
//! both say the same. Not here: what becomes of the bytes (see `run::capture`).

use super::error::Error;
use super::observer::{filter, set};
use super::tap::{Entry, Tap};
use crate::fabric::config::PortId;
use crate::packet::VnetHeader;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::socket::{
    ControlMessageOwned, LinkAddr, MsgFlags, getsockopt, recvmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io::IoSliceMut;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

/// Bytes of every packet are kept.
const ALL: u32 = u32::MAX;
/// Bytes that the kernel keeps of a socket while its reader waits for a processor.
const BACKLOG: usize = 32 * 1024 * 1024;
/// An Ethernet header, bytes.
const ETHERNET: u16 = 14;
/// The largest packet with the headers in front of it, bytes.
const LARGEST: usize = VnetHeader::LEN + ETHERNET as usize + 65_575;
/// Packets taken before it is looked who has more, and whether to end.
const BATCH: usize = 64;
/// Marks the wake-up descriptor among the sockets' numbers.
const WAKE: u64 = u64::MAX;

/// A socket in one parent's namespace.
#[derive(Debug)]
pub struct Ear {
    socket: OwnedFd,
    /// Interfaces of the capture by the device's index.
    interfaces: HashMap<u32, PortId>,
}

impl Ear {
    /// Takes what passes devices of the calling thread's namespace from now on.
    ///
    /// # Errors
    /// The operation that the kernel refused.
    pub fn open(interfaces: HashMap<u32, PortId>) -> Result<Self, Error> {
        let first = interfaces.keys().min().copied().unwrap_or_default();
        let last = interfaces.keys().max().copied().unwrap_or_default();
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no memory is involved. Protocol 0 receives nothing until the socket is bound.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        let fd = Errno::result(fd).map_err(|errno| Error::system("open a packet socket", errno))?;
        // SAFETY: the descriptor was just made, and nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let on: libc::c_int = 1;
        set(&socket, libc::SOL_PACKET, libc::PACKET_VNET_HDR, &on)?;
        filter::attach(&socket, &filter::any(first..=last, ALL))?;
        let refused = |errno| Error::system("set up a packet socket", errno);
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).map_err(refused)?;
        // More than a user may have, where the user may have more.
        if setsockopt(&socket, sockopt::RcvBufForce, &BACKLOG).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &BACKLOG).map_err(refused)?;
        }
        let room = getsockopt(&socket, sockopt::RcvBuf);
        tracing::trace!(?room, "a socket for a capture");
        super::observer::bind(&socket)?;
        Ok(Self { socket, interfaces })
    }

    /// One packet, written to a buffer; none when there is no more for now.
    fn next(&self, buffer: &mut [u8]) -> Option<Heard> {
        let mut control = nix::cmsg_space!(TimeSpec);
        let (length, from, at) = {
            let mut parts = [IoSliceMut::new(buffer)];
            let fd = self.socket.as_raw_fd();
            let message =
                recvmsg::<LinkAddr>(fd, &mut parts, Some(&mut control), MsgFlags::empty());
            let message = message.ok()?;
            let at = message.cmsgs().ok()?.find_map(|one| match one {
                ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
                _ => None,
            });
            (message.bytes, message.address?, at?)
        };
        let mut vnet = VnetHeader::read(&buffer[..length])?;
        // Told from the Ethernet header on.
        vnet.csum_start = vnet.csum_start.saturating_sub(ETHERNET);
        vnet.hdr_len = vnet.hdr_len.saturating_sub(ETHERNET);
        let start = VnetHeader::LEN + usize::from(ETHERNET);
        Some(Heard {
            at,
            device: from.ifindex() as u32,
            inward: from.pkttype() == libc::PACKET_OUTGOING,
            vnet,
            place: (start <= length).then_some(start..length)?,
        })
    }

    /// Packets for which the socket had no room since the last time.
    fn missed(&self) -> u64 {
        super::observer::statistics(&self.socket)
    }
}

/// A packet as a socket gives it.
struct Heard {
    /// Since 1970.
    at: Duration,
    device: u32,
    /// To the host inside.
    inward: bool,
    vnet: VnetHeader,
    /// Of the packet in the buffer, from the IP header on.
    place: Range<usize>,
}

/// A socket with its next packet.
struct Listener {
    ear: Ear,
    buffer: Vec<u8>,
    heard: Option<Heard>,
}

/// What was recorded.
#[derive(Debug)]
pub struct Recording {
    /// Packets by interface: hosts inside others, counted from the first.
    pub tap: Tap,
    /// Packets that came faster than they could be taken.
    pub missed: u64,
}

/// The thread that records.
#[derive(Debug)]
pub struct Recorder {
    wake: Arc<EventFd>,
    recorded: Arc<Mutex<Recording>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Recorder {
    /// Begins. `limit`: bytes to keep; `epoch`: the moment from which the entries' time counts.
    ///
    /// # Errors
    /// When epoll or a thread cannot be had.
    pub fn start(ears: Vec<Ear>, limit: usize, epoch: SystemTime) -> Result<Self, Error> {
        let failed = |errno| Error::system("watch packet sockets", errno);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed)?;
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        let wake = Arc::new(wake.map_err(failed)?);
        let watch = |fd: &dyn AsFd, mark| {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, mark);
            epoll.add(fd.as_fd(), event).map_err(failed)
        };
        watch(&*wake, WAKE)?;
        for (number, ear) in ears.iter().enumerate() {
            watch(&ear.socket, number as u64)?;
        }
        let interfaces = ears.iter().map(|ear| ear.interfaces.len()).sum();
        let since = epoch.duration_since(SystemTime::UNIX_EPOCH);
        let recorded = Arc::new(Mutex::new(Recording {
            tap: Tap::new(limit, interfaces),
            missed: 0,
        }));
        let listeners = ears.into_iter().map(|ear| Listener {
            ear,
            buffer: vec![0; LARGEST],
            heard: None,
        });
        let mut tape = Tape {
            listeners: listeners.collect(),
            turns: BinaryHeap::new(),
            recorded: Arc::clone(&recorded),
            epoch: since.unwrap_or_default(),
        };
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || tape.run(&epoll))
            .map_err(|error| Error::io("start a thread", &error))?;
        Ok(Self {
            wake,
            recorded,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Ends recording. None when it had ended.
    ///
    /// # Panics
    /// When the thread did.
    pub fn take(&self) -> Option<Recording> {
        if let Err(panic) = self.end()? {
            std::panic::resume_unwind(panic);
        }
        let mut recorded = locked(&self.recorded);
        let missed = recorded.missed;
        let tap = std::mem::replace(&mut recorded.tap, Tap::new(0, 0));
        Some(Recording { tap, missed })
    }

    fn end(&self) -> Option<std::thread::Result<()>> {
        let thread = self
            .thread
            .lock()
            .expect("no holder of this lock panics")
            .take()?;
        self.wake.write(1).expect("an eventfd takes a small number");
        Some(thread.join())
    }

    /// A copy of what was recorded behind so many packets; recording goes on.
    pub fn behind(&self, packets: u64) -> Recording {
        let recorded = locked(&self.recorded);
        Recording {
            tap: recorded.tap.behind(packets),
            missed: recorded.missed,
        }
    }
}

fn locked(recorded: &Mutex<Recording>) -> MutexGuard<'_, Recording> {
    recorded.lock().expect("no holder of this lock panics")
}

impl Drop for Recorder {
    /// Nobody wants the recording any more.
    fn drop(&mut self) {
        drop(self.end());
    }
}

/// What the thread has.
struct Tape {
    listeners: Vec<Listener>,
    /// Those that have a packet, by its time: the earliest is the greatest.
    turns: BinaryHeap<Reverse<(Duration, usize)>>,
    recorded: Arc<Mutex<Recording>>,
    epoch: Duration,
}

impl Tape {
    fn run(&mut self, epoll: &Epoll) {
        let mut events = [EpollEvent::empty(); 16];
        loop {
            // What was heard already waits for nobody.
            let limit = match self.turns.is_empty() {
                true => EpollTimeout::NONE,
                false => EpollTimeout::ZERO,
            };
            let ready = match epoll.wait(&mut events, limit) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(errno) => {
                    tracing::warn!(%errno, "a capture ends early");
                    break;
                }
            };
            let marks: Vec<u64> = events[..ready].iter().map(EpollEvent::data).collect();
            if marks.contains(&WAKE) {
                break;
            }
            self.listen(marks.into_iter().map(|mark| mark as usize));
            self.keep(BATCH);
        }
        self.listen(0..self.listeners.len());
        self.keep(usize::MAX);
    }

    /// Looks what these sockets have.
    fn listen(&mut self, numbers: impl Iterator<Item = usize>) {
        for number in numbers {
            let missed = self.listeners[number].ear.missed();
            locked(&self.recorded).missed += missed;
            self.hear(number);
        }
    }

    /// The next packet of a socket takes its place among the others', unless it has one there already.
    fn hear(&mut self, number: usize) {
        let listener = &mut self.listeners[number];
        if listener.heard.is_none() {
            listener.heard = listener.ear.next(&mut listener.buffer);
            let turn = listener.heard.as_ref().map(|heard| (heard.at, number));
            self.turns.extend(turn.map(Reverse));
        }
    }

    /// Records the earliest packets of all that sockets have.
    fn keep(&mut self, most: usize) {
        let recorded = Arc::clone(&self.recorded);
        let mut recorded = locked(&recorded);
        for _ in 0..most {
            let Some(Reverse((_, number))) = self.turns.pop() else {
                return;
            };
            let listener = &mut self.listeners[number];
            let heard = listener.heard.take().expect("it has a turn");
            if let Some(port) = listener.ear.interfaces.get(&heard.device) {
                let entry = Entry {
                    at: heard.at.saturating_sub(self.epoch),
                    id: 0,
                    port: *port,
                    inbound: heard.inward,
                    vnet: heard.vnet,
                    len: 0,
                };
                recorded.tap.push(entry, &listener.buffer[heard.place], &[]);
            }
            self.hear(number);
        }
    }
}
