//! Small packets that leave together: gathered while the fabric decides about a batch, and written by one call of io_uring.
//!
//! Every packet is still one write, in the order in which the fabric handed them out; what is saved is the way into the
//! kernel and back, where a thread also loses its processor to those that it woke. Without io_uring (old kernels, many
//! containers' system call filters) nothing is gathered. Not here: whether books and captures allow it (see `devices`).

use crate::fabric::Leaving;
use crate::fabric::config::PortId;
use io_uring::{IoUring, opcode, types};
use nix::errno::Errno;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd};

/// Packets gathered at most; then they are written.
const ROOM: u32 = 128;
/// Packets up to this many bytes, header included, are copied and gathered. A larger one is written while it is in the cache.
const SMALL: usize = 2048;
/// The first batch of so many packets makes the ring. Most labs never see one, and pay nothing.
const WORTH: usize = 8;

/// What was gathered.
#[derive(Default)]
pub struct Outbox {
    ring: Ring,
    open: bool,
    letters: Vec<Letter>,
    bytes: Vec<u8>,
    refused: Vec<Leaving>,
}

#[derive(Default)]
enum Ring {
    #[default]
    Untried,
    /// The kernel does not give one.
    Without,
    Ready(Box<IoUring>),
}

/// A packet in the outbox; its bytes follow those of the one before.
struct Letter {
    to: PortId,
    packet: Leaving,
    len: usize,
}

impl Outbox {
    /// From now on packets may be gathered; about `count` are to come.
    pub fn open(&mut self, count: usize) {
        if matches!(self.ring, Ring::Untried) && count >= WORTH {
            self.ring = ring().map_or_else(
                |error| {
                    tracing::debug!(%error, "no io_uring");
                    Ring::Without
                },
                |ring| Ring::Ready(Box::new(ring)),
            );
        }
        self.open = matches!(self.ring, Ring::Ready(_));
    }

    /// Writes what is there, and gathers no more. Gives what devices refused since it was opened.
    pub fn close(&mut self, files: &[OwnedFd]) -> impl Iterator<Item = Leaving> {
        self.flush(files);
        self.open = false;
        self.refused.drain(..)
    }

    /// Takes a packet. False: its turn has come, it is to be written at once.
    pub fn put(
        &mut self,
        files: &[OwnedFd],
        to: PortId,
        packet: Leaving,
        parts: &[IoSlice<'_>],
    ) -> bool {
        if !self.open {
            return false;
        }
        let len = parts.iter().map(|part| part.len()).sum();
        if len > SMALL {
            self.flush(files);
            return false;
        }
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.letters.push(Letter { to, packet, len });
        if self.letters.len() >= ROOM as usize {
            self.flush(files);
        }
        true
    }

    fn flush(&mut self, files: &[OwnedFd]) {
        let Ring::Ready(ring) = &mut self.ring else {
            return;
        };
        let mut begin = 0;
        for (number, letter) in self.letters.iter().enumerate() {
            let bytes = &self.bytes[begin..begin + letter.len];
            begin += letter.len;
            let file = types::Fd(files[letter.to.0 as usize].as_raw_fd());
            let write = opcode::Write::new(file, bytes.as_ptr(), letter.len as u32)
                .build()
                .user_data(number as u64);
            // SAFETY: descriptor and bytes stay until all of these writes are done, which is waited for below.
            let pushed = unsafe { ring.submission().push(&write) };
            assert!(pushed.is_ok(), "the ring has room for all letters");
        }
        let mut left = self.letters.len();
        while left > 0 {
            match ring.submit_and_wait(left) {
                Ok(_) => {}
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    Some(Errno::EINTR | Errno::EAGAIN | Errno::EBUSY) => {}
                    _ => panic!("io_uring_enter on the fabric's devices: {error}"),
                },
            }
            for done in ring.completion() {
                left -= 1;
                if done.result() < 0 {
                    let letter = &self.letters[done.user_data() as usize];
                    tracing::debug!(
                        errno = -done.result(),
                        port = letter.to.0,
                        length = letter.len,
                        "a device refused a packet"
                    );
                    self.refused.push(letter.packet);
                }
            }
        }
        self.letters.clear();
        self.bytes.clear();
    }
}

/// An error where the kernel has none for us. Version 6.6 is asked for: before 6.4 a TUN device could not say that a write
/// never waits, and writes might have been done by other threads, in another order.
fn ring() -> io::Result<IoUring> {
    IoUring::builder()
        .setup_single_issuer()
        .setup_coop_taskrun()
        .setup_submit_all()
        .setup_no_sqarray()
        .build(ROOM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{PipeReader, Read};

    /// None where there is no io_uring, or one that is too old or forbidden: nothing is gathered there.
    fn opened() -> Option<Outbox> {
        if let Err(error) = ring() {
            let code = error.raw_os_error().map(Errno::from_raw);
            let is_recent = has_6_6();
            assert!(
                matches!(code, Some(Errno::ENOSYS | Errno::EPERM)) || !is_recent,
                "a ring can be made: {error}"
            );
            eprintln!("SKIPPED: no io_uring for us here: {error}");
            return None;
        }
        let mut outbox = Outbox::default();
        outbox.open(WORTH);
        outbox.open.then_some(outbox)
    }

    fn has_6_6() -> bool {
        let name = nix::sys::utsname::uname().expect("a kernel");
        let release = name.release().to_string_lossy();
        let mut numbers = release
            .split(['.', '-'])
            .map_while(|part| part.parse().ok());
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (6u32, 6u32)
    }

    #[test]
    fn every_letter_arrives_in_order_or_comes_back() {
        let Some(mut outbox) = opened() else { return };
        let pipes = [(); 3].map(|()| std::io::pipe().expect("a pipe"));
        let (mut far, near): (Vec<_>, Vec<_>) = pipes.into_iter().unzip();
        // Nobody is behind the last one.
        drop(far.pop());
        let files: Vec<OwnedFd> = near.into_iter().map(OwnedFd::from).collect();
        let mut refused = Vec::new();
        // Twice, and each time more than there is room for.
        for round in [0..3 * ROOM, 3 * ROOM..6 * ROOM] {
            outbox.open(1);
            for id in round {
                let packet = Leaving {
                    id: id.into(),
                    ..Leaving::default()
                };
                let number = id.to_ne_bytes();
                let (head, body) = number.split_at(1);
                let parts = [IoSlice::new(head), IoSlice::new(body)];
                assert!(outbox.put(&files, PortId(id % 3), packet, &parts));
            }
            refused.extend(outbox.close(&files).map(|packet| packet.id));
        }
        drop(files);
        let sent = |to| (0..6 * ROOM).filter(move |id| id % 3 == to);
        for (to, far) in (0..).zip(far) {
            assert!(letters(far).into_iter().eq(sent(to)), "device {to}");
        }
        let expected: Vec<_> = sent(2).map(u64::from).collect();
        assert_eq!(refused, expected);
    }

    fn letters(mut far: PipeReader) -> Vec<u32> {
        let mut bytes = Vec::new();
        far.read_to_end(&mut bytes).expect("the rest");
        let (numbers, rest) = bytes.as_chunks::<4>();
        assert!(rest.is_empty());
        let numbers = numbers.iter().copied();
        numbers.map(u32::from_ne_bytes).collect()
    }

    #[test]
    fn a_large_packet_overtakes_nobody() {
        let Some(mut outbox) = opened() else { return };
        let (mut far, near) = std::io::pipe().expect("a pipe");
        let files = [OwnedFd::from(near)];
        let put = |outbox: &mut Outbox, bytes: &[u8]| {
            outbox.put(
                &files,
                PortId(0),
                Leaving::default(),
                &[IoSlice::new(bytes)],
            )
        };
        assert!(put(&mut outbox, b"first"));
        assert!(!put(&mut outbox, &[0; SMALL + 1]));
        let mut first = [0; 5];
        far.read_exact(&mut first).expect("what was put before");
        assert_eq!(&first, b"first");
        assert_eq!(outbox.close(&files).count(), 0);
        assert!(!put(&mut outbox, b"after it was closed"));
    }
}
