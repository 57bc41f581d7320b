//! The thread that owns a fabric: it moves packets between TUN devices and the fabric, and waits in between.
//!
//! One thread, one epoll, one reused buffer, one outbox; no lock on a packet's way. Others ask the fabric by sending a closure.
//! Not here: any decision about a packet (see `fabric`).

use super::clocks;
use super::devices::Devices;
use super::error::Error;
use super::patience::{ask_for_short_slices, wait};
use super::tap::{self, Tap};
use crate::fabric::change::Change;
use crate::fabric::config::{Config, PortId};
use crate::fabric::{Fabric, Frame, Stray};
use crate::packet::VnetHeader;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

type Question = Box<dyn FnOnce(&mut Fabric, &mut Devices, Duration) + Send>;

/// Packets taken from one device before the others get their turn.
const BATCH: usize = 64;
/// The virtio-net header in front of every packet, bytes (the kernel's default length).
const HEADER: usize = VnetHeader::LEN;
/// The largest IP packet, bytes: the payload length of IPv6 leaves out the header.
const LARGEST: usize = 40 + 65_535;
/// Packets up to this many bytes, header included, are read many at once, so that the fabric can fetch their flows from
/// memory beforehand. A larger one is handed over as it comes: it is written while it is still in the cache.
const SMALL: usize = 2048;
/// As many as are read at once, however large the last one is.
const BUFFER: usize = (BATCH - 1) * SMALL + HEADER + LARGEST;
/// Marks the wake-up descriptor among the devices' numbers.
const WAKE: u64 = u64::MAX;

/// A running fabric. Dropping it without [`Driver::stop`] stops it too.
#[derive(Debug)]
pub struct Driver {
    questions: Option<mpsc::Sender<Question>>,
    news: watch::Receiver<u64>,
    wake: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
    start: Instant,
    /// The wall clock at `start`.
    epoch: SystemTime,
}

impl Driver {
    /// Starts the thread. `devices[n]` is `PortId(n)`'s TUN. `capture`: bytes of packets to keep, none without.
    ///
    /// # Errors
    /// When epoll or a thread cannot be had.
    pub fn start(
        config: Config,
        devices: Vec<OwnedFd>,
        capture: Option<usize>,
    ) -> Result<Self, Error> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
            .map_err(|errno| Error::system("create an epoll", errno))?;
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map_err(|errno| Error::system("create an eventfd", errno))?;
        let wake = Arc::new(wake);
        let watch = |fd: &dyn AsFd, mark| {
            epoll
                .add(fd.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, mark))
                .map_err(|errno| Error::system("watch a device", errno))
        };
        watch(&*wake, WAKE)?;
        for (number, device) in devices.iter().enumerate() {
            watch(device, number as u64)?;
        }
        let (questions, inbox) = mpsc::channel();
        let (announce, news) = watch::channel(0);
        let mut fabric = Fabric::new(config);
        if let Some(limit) = capture {
            fabric.keep_latest(tap::most_entries(limit));
        }
        let tap = capture.map(|limit| Tap::new(limit, devices.len()));
        let (start, epoch) = clocks::moment();
        let mut engine = Engine {
            fabric,
            devices: Devices::new(devices, tap),
            epoll,
            wake: Arc::clone(&wake),
            inbox,
            announce,
            start,
        };
        let thread = std::thread::Builder::new()
            .name("fabric".to_owned())
            .spawn(move || engine.run())
            .map_err(|error| Error::io("start a thread", &error))?;
        Ok(Self {
            questions: Some(questions),
            news,
            wake,
            thread: Some(thread),
            start,
            epoch,
        })
    }

    /// The moment the fabric's time counts from.
    pub fn start_time(&self) -> Instant {
        self.start
    }

    /// Another number whenever something that decides about targets may have changed (see [`Fabric::works`]).
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.clone()
    }

    /// The wall clock's time of the moment the fabric's time counts from.
    pub fn epoch(&self) -> SystemTime {
        self.epoch
    }

    /// Takes what was captured so far, and ends capturing. None when there was nothing to capture.
    ///
    /// # Panics
    /// As [`Driver::ask`].
    pub async fn take_tap(&self) -> Option<Tap> {
        self.send(|_, devices, _| devices.take_tap()).await
    }

    /// A copy of what was captured behind so many packets; capturing goes on. None when there is nothing to capture.
    ///
    /// # Panics
    /// As [`Driver::ask`].
    pub async fn tap_behind(&self, packets: u64) -> Option<Tap> {
        self.send(move |_, devices, _| devices.tap_behind(packets))
            .await
    }

    /// Asks the fabric; the answer comes to whoever awaits it. Questions are answered in the order of these calls, not in
    /// that in which their answers are awaited.
    ///
    /// # Panics
    /// When the fabric's thread died of a broken invariant.
    pub fn ask<T: Send + 'static, Q>(
        &self,
        question: Q,
    ) -> impl Future<Output = T> + Send + use<T, Q>
    where
        Q: FnOnce(&mut Fabric, Duration) -> T + Send + 'static,
    {
        self.send(move |fabric, _, now| question(fabric, now))
    }

    /// Does something to the network, and waits until it is done.
    ///
    /// # Panics
    /// As [`Driver::ask`].
    pub async fn apply(&self, change: Change) {
        self.send(move |fabric, devices, now| fabric.apply(now, change, devices))
            .await;
    }

    /// Puts one segment more into the network, see [`Fabric::inject`].
    ///
    /// # Panics
    /// As [`Driver::ask`].
    pub async fn inject(
        &self,
        (end, others): (SocketAddr, Vec<SocketAddr>),
        beyond: u32,
        stray: Stray,
    ) -> bool {
        let inject = move |fabric: &mut Fabric, devices: &mut Devices, now| {
            fabric.inject(now, (end, &others), beyond, stray, devices)
        };
        self.send(inject).await
    }

    /// Tells the fabric something and does not wait; what is asked afterwards is answered later. Without a fabric any more,
    /// nothing happens.
    pub fn tell(&self, news: impl FnOnce(&mut Fabric) + Send + 'static) {
        let Some(questions) = &self.questions else {
            return;
        };
        if questions
            .send(Box::new(move |fabric, _, _| news(fabric)))
            .is_ok()
        {
            self.wake.write(1).expect("an eventfd takes a small number");
        }
    }

    fn send<T: Send + 'static, Q>(&self, question: Q) -> impl Future<Output = T> + Send + use<T, Q>
    where
        Q: FnOnce(&mut Fabric, &mut Devices, Duration) -> T + Send + 'static,
    {
        let (answer, result) = tokio::sync::oneshot::channel();
        let questions = self
            .questions
            .as_ref()
            .expect("a driver is asked only while it runs");
        let sent = questions.send(Box::new(move |fabric, devices, now| {
            // The asker may have been cancelled.
            drop(answer.send(question(fabric, devices, now)));
        }));
        assert!(sent.is_ok(), "the fabric's thread died");
        self.wake.write(1).expect("an eventfd takes a small number");
        async { result.await.expect("the fabric's thread answers") }
    }

    /// Stops the thread and closes the devices.
    pub fn stop(&mut self) {
        drop(self.questions.take());
        // Full means that a wake-up is pending already.
        let woken = self.wake.write(1);
        debug_assert!(matches!(woken, Ok(_) | Err(Errno::EAGAIN)));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "the fabric's thread died"
            );
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Engine {
    fabric: Fabric,
    devices: Devices,
    epoll: Epoll,
    wake: Arc<EventFd>,
    inbox: mpsc::Receiver<Question>,
    announce: watch::Sender<u64>,
    start: Instant,
}

impl Engine {
    fn run(&mut self) {
        ask_for_short_slices();
        let mut events = [EpollEvent::empty(); 64];
        let mut buffer = vec![0u8; BUFFER];
        loop {
            let ready = wait(
                &self.epoll,
                &mut events,
                self.fabric
                    .next_deadline()
                    .map(|at| at.saturating_sub(self.start.elapsed())),
            );
            let now = self.now();
            self.fabric.advance(now, &mut self.devices);
            for event in &events[..ready] {
                if event.data() == WAKE {
                    if !self.answer() {
                        return;
                    }
                } else {
                    self.read(event.data() as usize, &mut buffer);
                }
            }
            self.announce();
        }
    }

    fn announce(&self) {
        let works = self.fabric.works();
        if works != *self.announce.borrow() {
            self.announce.send_replace(works);
        }
    }

    /// The fabric's time, also for what is captured from now on.
    fn now(&mut self) -> Duration {
        let now = self.start.elapsed();
        self.devices.set_time(now);
        now
    }

    /// False when nobody can ask any more.
    fn answer(&mut self) -> bool {
        // Empty is fine: an earlier round may have taken the number.
        let count = self.wake.read();
        debug_assert!(matches!(count, Ok(_) | Err(Errno::EAGAIN)));
        loop {
            match self.inbox.try_recv() {
                Ok(question) => {
                    let now = self.now();
                    question(&mut self.fabric, &mut self.devices, now);
                }
                Err(mpsc::TryRecvError::Empty) => return true,
                Err(mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Hands over what waits in a device, at most [`BATCH`] packets.
    fn read(&mut self, number: usize, buffer: &mut [u8]) {
        let mut left = BATCH;
        while left > 0 {
            let read = self.take(number, left, buffer);
            self.hand_over(number, &read, buffer);
            left = if read.drained { 0 } else { left - read.count };
        }
    }

    /// Reads until the device has no more, there are `most`, or one was not small.
    fn take(&self, number: usize, most: usize, buffer: &mut [u8]) -> Read {
        let mut read = Read {
            lengths: [0; BATCH],
            count: 0,
            drained: false,
        };
        let mut begin = 0;
        while read.count < most {
            match nix::unistd::read(self.devices.file(number), &mut buffer[begin..]) {
                Ok(length) => {
                    read.lengths[read.count] = length;
                    read.count += 1;
                    begin += length;
                    if length > SMALL {
                        break;
                    }
                }
                Err(errno) => {
                    if !matches!(errno, Errno::EAGAIN | Errno::EINTR) {
                        tracing::debug!(?errno, number, "a device cannot be read");
                    }
                    read.drained = true;
                    break;
                }
            }
        }
        read
    }

    fn hand_over(&mut self, number: usize, read: &Read, buffer: &mut [u8]) {
        let port = PortId(number as u32);
        if read.count > 1 {
            self.fabric.foresee(
                read.places()
                    .filter_map(|place| Some((port, buffer[place].get(HEADER..)?))),
            );
            self.devices.gather(read.count);
        }
        for place in read.places() {
            let Some((header, packet)) = buffer[place].split_at_mut_checked(HEADER) else {
                continue;
            };
            let header = VnetHeader::read(header).expect("split at its length");
            let now = self.now();
            self.fabric
                .receive(now, port, Frame { header, packet }, &mut self.devices);
        }
        for packet in self.devices.settle() {
            self.fabric.refused(packet);
        }
    }
}

/// What lies in a buffer, one packet behind the other.
struct Read {
    lengths: [usize; BATCH],
    count: usize,
    /// The device has no more.
    drained: bool,
}

impl Read {
    fn places(&self) -> impl Iterator<Item = Range<usize>> {
        let mut begin = 0;
        self.lengths[..self.count].iter().map(move |length| {
            begin += length;
            begin - length..begin
        })
    }
}
