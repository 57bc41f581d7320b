//! Annexes: threads with a table of descriptors of their own, for more sockets than one table may hold.
//!
//! RLIMIT_NOFILE limits a table, not a user or a process, and a thread may leave the process's table for a copy of its
//! own (unshare(2), CLONE_FILES). Many sockets are so spread over several tables without a second process: results,
//! clocks and locks stay shared, and nothing is serialised.
//!
//! A descriptor's number means something else in each table. So what has a descriptor in an annex never leaves its
//! thread: it is put into the thread's store under the key of a [`Seat`], and only a [`Seat`] travels. Waking a runtime
//! writes to a descriptor by its number too; therefore all annexes are opened at once, before there is any world, and the
//! numbers of their runtimes are the same in every table. Not here: what the sockets do (see `run`).

use super::error::Error;
use super::namespace::Place;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};
use nix::sys::stat::Mode;
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use tokio::runtime::{Builder, Handle, Runtime};

/// Descriptors of a table that are left for other things than sockets: what it began with, and what is open for a moment.
pub(super) const RESERVE: usize = 256;

static ANNEXES: OnceLock<Vec<Annex>> = OnceLock::new();
static NEXT_KEY: AtomicU64 = AtomicU64::new(0);

/// One annex. It stays until the process ends.
#[derive(Debug)]
pub struct Annex {
    runtime: Handle,
    /// The end of a socket pair through which descriptors go to it.
    door: OwnedFd,
    seated: AtomicUsize,
}

/// What only the thread of an annex has.
struct Store {
    /// The other end of its door.
    door: RawFd,
    /// By key of a seat.
    held: HashMap<u64, Arc<dyn Any + Send + Sync>>,
    /// Descriptors that came through the door and were not asked for yet, by key of a seat.
    arrived: HashMap<u64, OwnedFd>,
    /// The namespace that the thread is in.
    place: Option<Place>,
}

thread_local! {
    /// None on every thread that is no annex's.
    static STORE: RefCell<Option<Store>> = const { RefCell::new(None) };
}

/// How many sockets one annex takes: what RLIMIT_NOFILE says, less a reserve.
pub fn room() -> usize {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((0, 0));
    usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .saturating_sub(RESERVE)
}

/// Opens so many annexes, for the whole process and only once.
///
/// # Errors
/// What the machine refused.
///
/// # Panics
/// When there are some already.
pub fn open_all(count: usize) -> Result<(), Error> {
    let fail = |error: std::io::Error| Error::io("start an annex", &error);
    // All runtimes and doors before the first table is split: see above.
    let mut parts = Vec::with_capacity(count);
    for _ in 0..count {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(fail)?;
        let door = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )
        .map_err(|errno| Error::system("make the door of an annex", errno))?;
        parts.push((runtime, door));
    }
    let (ready, split) = mpsc::channel();
    let mut annexes = Vec::with_capacity(count);
    for (runtime, (door, inner)) in parts {
        annexes.push(Annex {
            runtime: runtime.handle().clone(),
            door,
            seated: AtomicUsize::new(0),
        });
        let ready = ready.clone();
        std::thread::Builder::new()
            .name("annex".to_owned())
            .spawn(move || live(&runtime, &inner, &ready))
            .map_err(fail)?;
    }
    drop(ready);
    for split in split.iter().take(count) {
        split?;
    }
    assert!(ANNEXES.set(annexes).is_ok(), "annexes are opened once");
    Ok(())
}

/// The life of an annex's thread.
fn live(runtime: &Runtime, door: &OwnedFd, ready: &mpsc::Sender<Result<(), Error>>) {
    let split = unshare(CloneFlags::CLONE_FILES)
        .map_err(|errno| Error::system("split the table of descriptors", errno));
    STORE.with_borrow_mut(|store| {
        *store = Some(Store {
            door: door.as_raw_fd(),
            held: HashMap::new(),
            arrived: HashMap::new(),
            place: None,
        });
    });
    let failed = split.is_err();
    // Whoever opens them may have met an error already.
    drop(ready.send(split));
    if !failed {
        runtime.block_on(std::future::pending::<()>());
    }
}

/// A seat in the emptiest annex; none when there is no annex. Who has reckoned before how many are needed gets no more
/// than an annex has room for.
pub fn seat() -> Option<Seat> {
    let annexes = ANNEXES.get()?.iter();
    let annex = annexes.min_by_key(|annex| annex.seated.load(Ordering::Relaxed))?;
    annex.seated.fetch_add(1, Ordering::Relaxed);
    Some(Seat {
        annex,
        key: NEXT_KEY.fetch_add(1, Ordering::Relaxed),
        is_taken: AtomicBool::new(false),
    })
}

/// Does something in an annex, or here without one.
///
/// # Panics
/// When the work panicked there.
pub async fn inside<F>(annex: Option<&'static Annex>, work: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    match annex {
        None => work.await,
        Some(annex) => match annex.runtime.spawn(work).await {
            Ok(output) => output,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        },
    }
}

impl Annex {
    /// Begins something in the annex that nobody waits for.
    pub fn begin(&'static self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }
}

/// A place for one thing with a descriptor in an annex. Whatever was put there goes when the seat goes.
#[derive(Debug)]
pub struct Seat {
    annex: &'static Annex,
    key: u64,
    is_taken: AtomicBool,
}

impl Seat {
    /// Where it is.
    pub fn annex(&self) -> &'static Annex {
        self.annex
    }

    /// True while something is there; to be asked anywhere.
    pub fn is_taken(&self) -> bool {
        self.is_taken.load(Ordering::Acquire)
    }

    /// Puts something there.
    ///
    /// # Panics
    /// On another thread than the annex's.
    pub fn put<T: Send + Sync + 'static>(&self, what: Arc<T>) {
        with_store(|store| store.held.insert(self.key, what));
        self.is_taken.store(true, Ordering::Release);
    }

    /// What is there.
    ///
    /// # Panics
    /// On another thread than the annex's.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let held = with_store(|store| store.held.get(&self.key).cloned())?;
        held.downcast().ok()
    }

    /// Takes what is there.
    ///
    /// # Panics
    /// On another thread than the annex's.
    pub fn take<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.is_taken.store(false, Ordering::Release);
        let held = with_store(|store| store.held.remove(&self.key))?;
        held.downcast().ok()
    }

    /// Sends a descriptor there, from the process's own table; [`Seat::arrived`] takes it up.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn send(&self, descriptor: OwnedFd) -> Result<(), Errno> {
        let key = self.key.to_ne_bytes();
        sendmsg::<()>(
            self.annex.door.as_raw_fd(),
            &[IoSlice::new(&key)],
            &[ControlMessage::ScmRights(&[descriptor.as_raw_fd()])],
            MsgFlags::empty(),
            None,
        )
        .map(drop)
    }

    /// The descriptor that was sent to this seat.
    ///
    /// # Errors
    /// What the kernel said; EMFILE when the annex's table is full.
    ///
    /// # Panics
    /// On another thread than the annex's.
    pub fn arrived(&self) -> Result<OwnedFd, Errno> {
        with_store(|store| {
            loop {
                if let Some(descriptor) = store.arrived.remove(&self.key) {
                    return Ok(descriptor);
                }
                let (key, descriptor) = receive(store.door)?;
                store.arrived.insert(key, descriptor);
            }
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.annex.seated.fetch_sub(1, Ordering::Relaxed);
        if self.is_taken() {
            let key = self.key;
            self.annex.begin(async move {
                let held = with_store(|store| store.held.remove(&key));
                drop(held);
            });
        }
    }
}

/// One descriptor through the door, and the seat it is for.
fn receive(door: RawFd) -> Result<(u64, OwnedFd), Errno> {
    let mut key = [0; 8];
    let mut space = nix::cmsg_space!([RawFd; 1]);
    let mut parts = [IoSliceMut::new(&mut key)];
    let message = recvmsg::<()>(
        door,
        &mut parts,
        Some(&mut space),
        MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT,
    )?;
    let descriptor = message.cmsgs()?.find_map(|message| match message {
        // SAFETY: the kernel has just made this descriptor for this thread's table; nobody else knows of it.
        ControlMessageOwned::ScmRights(list) => {
            list.first().map(|fd| unsafe { OwnedFd::from_raw_fd(*fd) })
        }
        _ => None,
    });
    // The kernel drops what finds no room in the table.
    let descriptor = descriptor.ok_or(Errno::EMFILE)?;
    Ok((u64::from_ne_bytes(key), descriptor))
}

/// Takes the calling annex into a network namespace: sockets made from now on are of that one.
///
/// # Errors
/// What the kernel said.
///
/// # Panics
/// On a thread that is no annex's.
pub fn enter(place: Place) -> Result<(), Errno> {
    with_store(|store| {
        if store.place == Some(place) {
            return Ok(());
        }
        let door = open(
            &*place.path(),
            OFlag::O_RDONLY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )?;
        setns(door, CloneFlags::CLONE_NEWNET)?;
        store.place = Some(place);
        Ok(())
    })
}

fn with_store<T>(work: impl FnOnce(&mut Store) -> T) -> T {
    STORE.with_borrow_mut(|store| {
        work(
            store
                .as_mut()
                .expect("what is in an annex is touched by its own thread only"),
        )
    })
}
