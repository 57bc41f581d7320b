//! Waiting in the fabric's thread: finer than a millisecond, and soon on a processor again.

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Waits for events with a timeout finer than epoll_wait's millisecond (epoll_pwait2, Linux 5.11).
pub fn wait(epoll: &Epoll, events: &mut [EpollEvent], timeout: Option<Duration>) -> usize {
    let spec = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let pointer = spec.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: `EpollEvent` is a transparent `epoll_event`; the length is the slice's; the timespec outlives the call.
    let ready = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            epoll.0.as_raw_fd(),
            events.as_mut_ptr().cast::<libc::epoll_event>(),
            events.len() as libc::c_int,
            pointer,
            std::ptr::null::<libc::sigset_t>(),
            0usize,
        )
    };
    match Errno::result(ready) {
        Ok(ready) => ready as usize,
        Err(Errno::EINTR) => 0,
        Err(Errno::ENOSYS) => {
            // Rounded up, or the loop would spin through the last millisecond.
            let millis = timeout.map_or(-1, |timeout| {
                timeout.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32
            });
            epoll
                .wait(
                    events,
                    nix::sys::epoll::EpollTimeout::try_from(millis)
                        .unwrap_or(nix::sys::epoll::EpollTimeout::NONE),
                )
                .unwrap_or(0)
        }
        Err(errno) => panic!("epoll_pwait2 on the fabric's devices: {errno}"),
    }
}

/// Asks for a 100 us slice under SCHED_OTHER: about five times less lateness beside a compile job, no privilege needed.
/// Kernels before 6.12 refuse or ignore it, which costs precision only.
pub fn ask_for_short_slices() {
    #[repr(C)]
    struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime: u64,
        deadline: u64,
        period: u64,
    }
    let attributes = Attributes {
        size: size_of::<Attributes>() as u32,
        policy: 0,
        flags: 0,
        nice: 0,
        priority: 0,
        runtime: 100_000,
        deadline: 0,
        period: 0,
    };
    // SAFETY: the kernel reads `size` bytes of the structure.
    let set = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if let Err(errno) = Errno::result(set) {
        tracing::debug!(?errno, "no short slices");
    }
}
