//! What this process may do: namespaces of its own, as root or by a user namespace around them.

use super::error::Error;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid};
use std::fs;

/// True when the process may make namespaces without a user namespace of its own.
pub fn privileged() -> bool {
    const CAP_NET_ADMIN: u32 = 1 << 12;
    const CAP_SYS_ADMIN: u32 = 1 << 21;
    let effective = effective_capabilities();
    effective & CAP_SYS_ADMIN != 0 && effective & CAP_NET_ADMIN != 0
}

/// The first 32 of the capabilities in force; asked of the kernel itself, for `/proc` may not be there. No bit is
/// set when it does not tell.
fn effective_capabilities() -> u32 {
    /// `_LINUX_CAPABILITY_VERSION_3` of capget(2), and this process.
    const HEADER: [u32; 2] = [0x2008_0522, 0];
    let mut header = HEADER;
    // Effective, permitted, inheritable; of the first 32, then of the others.
    let mut sets = [0_u32; 6];
    // SAFETY: both are as large as capget(2) says that they are for this version.
    let failed = unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) };
    if failed == 0 { sets[0] } else { 0 }
}

/// Makes mount, PID and network namespaces of one's own, without privilege by a user namespace around them.
///
/// # Errors
/// When the machine does not allow it; the hint says what would.
pub(super) fn separate() -> Result<(), Error> {
    let spaces = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNET;
    if privileged() {
        return unshare(spaces).map_err(|errno| {
            Error::system("unshare mount, PID and network namespaces", errno)
                .hint("in a container run it privileged, or with `--cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt seccomp=unconfined --device /dev/net/tun`")
        });
    }
    let (user, group) = (getuid(), getgid());
    unshare(spaces | CloneFlags::CLONE_NEWUSER).map_err(|errno| {
        Error::system("unshare a user namespace", errno).hint(user_namespace_hint())
    })?;
    for (file, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {user} 1")),
        ("gid_map", format!("0 {group} 1")),
    ] {
        let path = format!("/proc/self/{file}");
        fs::write(&path, text).map_err(|error| {
            Error::io(format!("write {path}"), &error).hint(user_namespace_hint())
        })?;
    }
    Ok(())
}

/// Which setting of this machine keeps user namespaces from us, and the command that changes it.
pub fn user_namespace_hint() -> String {
    let is =
        |path: &str, value: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == value);
    if is(
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
    ) {
        return "AppArmor restricts user namespaces here: run with sudo, or `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`".to_owned();
    }
    if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        return "user namespaces are off for users: run with sudo, or `sudo sysctl kernel.unprivileged_userns_clone=1`".to_owned();
    }
    if is("/proc/sys/user/max_user_namespaces", "0") {
        return "user namespaces are limited to 0: run with sudo, or `sudo sysctl user.max_user_namespaces=10000`".to_owned();
    }
    "run it with sudo; in a container, run that privileged".to_owned()
}
