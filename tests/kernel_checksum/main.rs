//! Rewritten partial checksums, finished by a real kernel.
//!
//! Two TUN devices with offloads never show a wrong partial sum: the receiving kernel trusts `NEEDS_CSUM`. So the
//! packets are forwarded here, from a device that may leave sums undone to one that may not, and the kernel must
//! finish them (and cut up super-packets) on the way. What it sends is compared with what `etherparse` builds.
//!
//! The test runs itself again in a process with a network namespace of its own; the harness never changes its own.

#[path = "../common/mod.rs"]
mod common;

mod case;
mod device;
mod packet;
mod random;
mod router;
mod sums;

use case::Case;
use common::{can_run_labs, everything};
use hairpin::packet::{TCP, UDP};
use nix::sched::{CloneFlags, unshare};
use router::Router;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Set in the process that has the namespace.
const INSIDE: &str = "HAIRPIN_TEST_KERNEL_CHECKSUM";
/// What that process prints at its end, so that a child which ran no test is no success.
const DONE: &str = "the kernel finished every sum";
/// Seconds until SIGALRM ends that process; it needs well below one.
const CHILD_LIMIT: u32 = 60;
/// Cases of each kind.
const CASES: u64 = 200;

#[test]
fn the_kernel_finishes_rewritten_partial_sums() {
    if std::env::var_os(INSIDE).is_some() {
        inside();
        println!("{DONE}");
        return;
    }
    if !can_run_labs() {
        return;
    }
    // SAFETY: plain system calls.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    let maps = (uid != 0).then(|| (format!("0 {uid} 1"), format!("0 {gid} 1")));
    let mut child = Command::new(std::env::current_exe().expect("this binary has a path"));
    child
        .args(["--exact", "the_kernel_finishes_rewritten_partial_sums"])
        .arg("--nocapture")
        .env(INSIDE, "1");
    // SAFETY: between fork and exec only system calls; paths this short are not put on the heap.
    unsafe {
        child.pre_exec(move || {
            libc::alarm(CHILD_LIMIT);
            let Some((uids, gids)) = &maps else {
                return Ok(unshare(CloneFlags::CLONE_NEWNET)?);
            };
            unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
            fs::write("/proc/self/setgroups", "deny")?;
            fs::write("/proc/self/uid_map", uids)?;
            fs::write("/proc/self/gid_map", gids)
        });
    }
    let output = child.output().expect("a process in a new namespace");
    let text = everything(&output);
    assert!(output.status.success(), "{}\n{text}", output.status);
    assert!(text.contains(DONE), "the child ran no test:\n{text}");
}

fn inside() {
    let mut router = Router::new();
    router.check_that_it_sees_a_wrong_sum();
    for number in 0..CASES {
        router.check(&Case::random(number, TCP, false));
        router.check(&Case::random(number, UDP, false));
    }
    for number in 0..CASES / 4 {
        router.check(&Case::random(number, TCP, true));
        if router.takes_uso {
            router.check(&Case::random(number, UDP, true));
        }
    }
    // Packets of an IPv6 host for an IPv4 target.
    for number in 0..CASES {
        let is_super = number.is_multiple_of(4);
        router.check(&Case::random(number, TCP, is_super).over_ipv6());
        router.check(&Case::random(number, UDP, is_super && router.takes_uso).over_ipv6());
    }
}
